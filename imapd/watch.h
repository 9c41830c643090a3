/* watch.h: a child's side of the pair to its parent (pair.h): is told that somebody else changed the selected folder,
 * hands a session over that rests, and takes the next one of its user
 */
#ifndef IMAPD_WATCH_H
#define IMAPD_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "imapd/pair.h"

struct watch {
	int fd;                         /* POLLIN: watch_take has something; -1: there is no parent */
	bool is_on;
	bool is_due;                    /* an event came while something else was waited for */
	uint32_t number;                /* of the last message sent */
	uint32_t n_changes;             /* that the parent has told of this watch */
};

/* fd: the child's end, borrowed; -1: there is no parent, and watch_set fails. Source: watch.c */
void watch_init(struct watch *w, int fd);

/* Watches the folders new/ and cur/ in place of what was watched before; the descriptors stay the caller's, who opened
 * them as the user. 0: the watch is there, every change from now on is told. -1: it cannot be watched (a network file
 * system, no watches left): look every few seconds. Blocks for the parent's answer, a second at most. Source:
 * watch.c */
int watch_set(struct watch *w, int new_fd, int cur_fd) WARN_UNUSED;

/* Watches nothing; also for bulk changes of our own. Does not block. Source: watch.c */
void watch_clear(struct watch *w);

/* True when something changed since the last call, or the parent lost count. Does not block. When the parent is gone,
 * fd is -1 and is_on false afterwards. Source: watch.c */
bool watch_take(struct watch *w);

/* Gives the client away with what a process needs to go on: the parent watches the folder on, if it is watched. The
 * caller closes its own descriptor and ends. -1: the parent does not take it. Does not block. Source: watch.c */
int watch_park(struct watch *w, int client, const struct pair_park *park, struct span words, struct span state) WARN_UNUSED;

/* The session is over. Then what the parent says: 1 the next session, *client_r its descriptor (the caller's),
 * *begin_r its words in buf; 0 nothing within ms; -1 the end, also when a signal came. Source: watch.c */
int watch_done(struct watch *w) WARN_UNUSED;
int watch_next(struct watch *w, uint64_t ms, int *client_r, struct span *begin_r, char buf[PAIR_MAX]) WARN_UNUSED;

/* The session that watch_next brought cannot be served here; client is the caller's; state: what came with it. Source:
 * watch.c */
void watch_refuse(struct watch *w, int client, struct span state);

#endif
