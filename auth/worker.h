/* worker.h: a worker process of auth: blocking, serves exchanges over one channel */
#ifndef AUTH_WORKER_H
#define AUTH_WORKER_H

#include "auth/settings.h"

#define WORKER_EXCHANGES_MAX 4096

/* Serves until the other end of *fd is closed; takes *fd. Returns the exit status for the process. Blocks.
 * Needs exchange_init. seed: random text that stays the same while the daemon runs. Source: worker.c */
int worker_run(const struct settings *s, const char *seed, int *fd);

#endif
