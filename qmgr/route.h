/* route.h: asks resolve where a recipient goes and does what it says */
#ifndef QMGR_ROUTE_H
#define QMGR_ROUTE_H

#include "qmgr/qmgr.h"

/* Asks for w (NEW -> ASKED); when the channel is full or away it stays NEW and is asked again later. Source: route.c */
void route_ask(struct work *w);

/* Tells resolve that the mailbox of a work that was lent is full, so that smtpd refuses what comes next. Best effort.
 * Source: route.c */
void route_tell_full(struct work *w);

#endif
