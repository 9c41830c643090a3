/* full.h: mailboxes that had no room for a letter a moment ago: others that are no smaller are refused at RCPT */
#ifndef RESOLVE_FULL_H
#define RESOLVE_FULL_H

#include <stdbool.h>

#include "base/htab.h"
#include "svc/msg_resolve.h"

/* Caller's memory; zeroed is empty. Ten thousand mailboxes at most, more are forgotten. */
struct full {
	struct htab boxes;
};

/* qmgr's word that a letter of m->size did not fit; it counts until until_ms. Source: full.c */
void full_note(struct full *f, const struct route_full *m, uint64_t now_ms, uint64_t until_ms);

/* True when a letter of size bytes (0: unknown) will not fit into the mailbox of a route. Source: full.c */
bool full_refuses(const struct full *f, const struct route *to, uint64_t size, uint64_t now_ms);

/* Idempotent. Source: full.c */
void full_fini(struct full *f);

#endif
