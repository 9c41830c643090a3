/* watch.h: a child's side of the watcher in the parent: tells that somebody else changed the selected folder
 *
 * Over one SOCK_SEQPACKET pair: the child sends WATCH_SET with two descriptors, or WATCH_CLEAR; the parent answers a
 * SET with WATCH_ON or WATCH_OFF of the same number and later sends WATCH_EVENT, which it drops while earlier ones
 * wait.
 */
#ifndef IMAPD_WATCH_H
#define IMAPD_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

enum watch_kind { WATCH_SET = 1, WATCH_CLEAR, WATCH_ON, WATCH_OFF, WATCH_EVENT };

struct watch_msg {
	uint32_t kind;                  /* enum watch_kind */
	uint32_t number;                /* of the SET */
};

struct watch {
	int fd;                         /* POLLIN: watch_take has something; -1: there is no parent */
	bool is_on;
	bool is_due;                    /* an event came while something else was waited for */
	uint32_t number;
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

#endif
