/* listen.h: the listening sockets: made before any daemon starts, kept over reloads */
#ifndef MASTER_LISTEN_H
#define MASTER_LISTEN_H

#include <sys/stat.h>

#include "config.h"

struct listener {
	char *key;                      /* what it is bound to: "[::1]:25", "/run/surat/queue" */
	char *service;                  /* name in master.cf, or of a tool socket */
	char *command;                  /* the program that serves it */
	char *overrides;                /* "name = value" lines */
	uint64_t max_sessions;          /* of all workers, 0: no limit */
	bool is_unix;
	int fd;
};

/* Zeroed is empty. */
struct listeners {
	struct listener *v;
	size_t n;
};

/* Opens what the rows of c say; a socket that old holds is taken over as a duplicate. retry_ms: how long to wait for an
 * address that is in use (a killed master's daemons are leaving). Errors name service, address and remedy.
 * 0/-1; l must be finished in both cases. Blocks. Source: listen.c */
int listen_open(struct listeners *l, const struct config *c, const struct listeners *old, uint64_t retry_ms,
		struct conf_errors *errors) WARN_UNUSED;

/* A named socket; whatever is at path is removed first. Source: listen.c */
int listen_add_unix(struct listeners *l, const char *path, mode_t mode, const char *service, const char *command,
		    struct err *err) WARN_UNUSED;

/* is_end: also removes named sockets from the file system. Source: listen.c */
void listen_fini(struct listeners *l, bool is_end);

#endif
