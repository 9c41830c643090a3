/* pool.h: the worker processes of auth as their parent sees them */
#ifndef AUTH_POOL_H
#define AUTH_POOL_H

#include <sys/types.h>

#include "auth/settings.h"
#include "io/ipc.h"
#include "io/loop.h"

#define POOL_MAX 64

struct pool;

/* A slot may hold one worker after the other; generation tells them apart. */
struct pool_worker {
	struct pool *pool;
	struct ipc ipc;
	pid_t pid;
	unsigned generation;
	size_t n_exchanges;
	bool is_retired;                /* of an old configuration: leaves with its last exchange */
};

/* Makes a worker process (worker_run on its end) and returns our end. -1 with err. */
typedef int pool_spawn_fn(void *arg, const struct settings *s, int *fd_r, pid_t *pid_r, struct err *err);

struct pool {
	struct loop *loop;
	const struct settings *settings;
	pool_spawn_fn *spawn;
	void *arg;
	struct pool_worker *workers[POOL_MAX];
	size_t n_max;
	uint64_t last_death_ms[4];      /* four deaths in ten seconds: no new worker for a while */
};

/* Caller's memory; starts nothing yet. settings must outlive the pool. Source: pool.c */
void pool_init(struct pool *p, struct loop *loop, const struct settings *s, pool_spawn_fn *spawn, void *arg);

/* Closes all ends, ends the processes. Source: pool.c */
void pool_fini(struct pool *p);

/* Workers of before finish their exchanges; new ones get s. Source: pool.c */
void pool_configure(struct pool *p, const struct settings *s);

/* The worker with the fewest exchanges, started when all are busy and there is room. NULL with err when none can be
 * had. The caller counts n_exchanges and calls pool_release for each. Source: pool.c */
struct pool_worker *pool_pick(struct pool *p, struct err *err);
void pool_release(struct pool_worker *w, unsigned generation);

/* Ends a worker that hangs; what follows is as when it had died. Source: pool.c */
void pool_kill(struct pool_worker *w, unsigned generation);

#endif
