/* expand.h: a recipient gives way to others: duplicates, loops, limits, owner- rules */
#ifndef QMGR_EXPAND_H
#define QMGR_EXPAND_H

#include "base/arena.h"
#include "base/err.h"
#include "io/ipc.h"
#include "store/queue.h"

#define EXPAND_DEPTH_MAX 50

/* news: struct route_new. sender: the new envelope sender when has_sender. is_forward: the parent's address joins
 * the Delivered-To chain. New recipients are appended to m, WAITING; the parent is settled as EXPANDED. An address
 * that is among the ones that led here becomes final, as does one that goes via a transport of its own; one that is
 * a recipient already is left out. -1 and nothing changed: ERR_PERM 5.4.6 when it goes too deep, ERR_TEMP 4.6.0 when
 * there would be more than max, ERR_PROTO for an address that cannot be one. Source: expand.c */
int expand_rcpt(struct queue_msg *m, size_t parent_at, const struct ipc_list *news, bool has_sender, struct span sender,
		bool is_forward, size_t max, struct arena *a, struct err *err) WARN_UNUSED;

/* The address that r is: its own, or that whose alias or .forward led to the command, file or list, completed with
 * origin. Into m or the arena; empty when the record has it no more. Source: expand.c */
struct span expand_holder(const struct queue_msg *m, const struct queue_rcpt *r, const char *origin, struct arena *a);

#endif
