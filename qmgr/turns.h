/* turns.h: whose letters an agent gets next: destinations take turns, and none takes all of its credit
 *
 * A destination is the user that a process of local works for, else the nexthop. It gets a letter while it has fewer on loan
 * than the agent takes yet: one gets half of all credit, two a third each, and there is always some for who comes next. So
 * a user whose deliveries hang keeps nobody else waiting. */
#ifndef QMGR_TURNS_H
#define QMGR_TURNS_H

#include "qmgr/qmgr.h"

/* Puts a READY work of a transport behind the others of its destination. Source: turns.c */
void turns_queue(struct work *w);

/* The work that goes next to an agent with so much credit, or NULL; the turn of its destination is over then. Source:
 * turns.c */
struct work *turns_next(struct transport *t, uint64_t credit);

/* Any work that is queued, or NULL. Source: turns.c */
struct work *turns_any(const struct transport *t);

/* Takes w out of the queue, and counts a letter on loan by it until turns_leave. Source: turns.c */
void turns_lend(struct work *w);

/* Out of the queue, or no longer on loan; harmless for one that is neither. Source: turns.c */
void turns_leave(struct work *w);

#endif
