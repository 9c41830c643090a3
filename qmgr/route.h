/* route.h: asks resolve where a recipient goes and does what it says */
#ifndef QMGR_ROUTE_H
#define QMGR_ROUTE_H

#include "qmgr/qmgr.h"

/* Asks for w (NEW -> ASKED); when the channel is full or away it stays NEW and is asked again later. Source: route.c */
void route_ask(struct work *w);

/* Applies an answer, as if resolve had given it; the caller steps. struct route of svc/msg_resolve.h. Source:
 * route.c */
struct route;
void route_apply(struct work *w, const struct route *r);

/* Tells resolve that the mailbox of a work that was lent is full, so that smtpd refuses what comes next. Best effort.
 * Source: route.c */
void route_tell_full(struct work *w);


#endif
