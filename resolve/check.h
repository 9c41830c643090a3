/* check.h: RCPT's question: is this recipient ours, and will its mail find a place? */
#ifndef RESOLVE_CHECK_H
#define RESOLVE_CHECK_H

#include "resolve/full.h"
#include "resolve/lookup.h"

/* Follows the recipient through route_get as qmgr will, until the first place where mail can go: what is accepted is
 * deliverable. MSG_NO only when nothing that it leads to exists; MSG_TEMP when that cannot be known now. Spans: in a.
 * Source: check.c */
void check_rcpt(struct rcpt_verdict *out, const struct rules *r, const struct full *full, const struct rcpt_check *q,
		struct arena *a);

#endif
