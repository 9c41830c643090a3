/* parked.h: sessions that rest without a process: imapd's parent holds the client, what the session left, and its watch
 *
 *   PARK ──▶ rests ──bytes of the client, a change in the folder, wake_ms, surat kick──▶ a process goes on with it
 *              │ └──still_ms──▶ "* OK Still here"
 *              └──the client is gone──▶ a line in the log, the end
 *
 * The parent reads no byte of the client: that some have come is all it asks for.
 */
#ifndef IMAPD_PARKED_H
#define IMAPD_PARKED_H

#include "imapd/worker.h"

struct parked;

/* Caller's memory. */
struct parking {
	struct session_parent *parent;
	LIST_HEAD(, parked) list;
	size_t n;
};

/* Source: parked.c */
void parking_init(struct parking *pk, struct session_parent *p);

/* All are told that the server ends, and do so. Source: parked.c */
void parking_close(struct parking *pk);

/* worker_park_fn with a struct parking. Source: parked.c */
void parking_take(void *arg, struct parent_session *s, const struct worker_park *left);

/* session_kind.wake. Source: parked.c */
int parking_wake(struct parking *pk, struct parent_session *s);

#endif
