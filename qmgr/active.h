/* active.h: the life of a message while it is being tried, from memory or from the disk, until its pass ends */
#ifndef QMGR_ACTIVE_H
#define QMGR_ACTIVE_H

#include "qmgr/qmgr.h"

/* Takes over a message whose record was just committed: *arena and *body move (the caller's become empty). m's
 * spans live in *arena. Routing begins at once. Source: active.c */
void active_begin(struct qmgr *q, const struct queue_msg *m, struct arena *arena, struct str *body);

/* Begins a pass over a message on disk; one that is active already, gone or held is left alone. A damaged one is
 * logged. NULL when nothing began. The caller runs active_step. Source: active.c */
struct active *active_load(struct qmgr *q, uint64_t id);

/* The active message of that id, or NULL. Source: active.c */
struct active *active_find(const struct qmgr *q, uint64_t id);

/* Goes on with whatever can go on; frees nothing: that happens when the commit that ends the pass is back. Source:
 * active.c */
void active_step(struct active *a);

/* Tells that recipients were lent: when none is left to be, the body need not stay in memory. Source: active.c */
void active_lent(struct active *a);

/* The recipient a work is about. Source: active.c */
static inline struct queue_rcpt *active_rcpt(const struct work *w)
{
	return &w->a->m.rcpts[w->at];
}

/* A list of thousands is counted once, not at each step. */
static inline void active_enter(struct work *w, enum work_state state)
{
	struct active *a = w->a;

	a->n_in[w->state]--;
	a->n_in[state]++;
	w->state = state;
	if (state == WORK_NEW && w->index < a->new_from)
		a->new_from = w->index;
}

/* The work of the recipient with that number, or NULL. Source: active.c */
struct work *active_work(const struct active *a, uint32_t no);

enum active_verdict { ACTIVE_SENT, ACTIVE_DEFERRED, ACTIVE_BOUNCED };

/* Settles or defers one recipient; spans are copied. is_lazy as in dlv_result. The caller calls active_step after.
 * A work that is DONE keeps what it has. Source: active.c */
void active_result(struct work *w, enum active_verdict verdict, struct span dsn, struct span text, struct span mta,
		   bool is_lazy);

/* The same for a decision of qmgr itself, which also writes the log line. Source: active.c */
void active_decide(struct work *w, enum active_verdict verdict, const char *dsn, struct span text);

/* Asks for a commit of the marks made so far. Source: active.c */
void active_save(struct active *a);

/* The pass is over for all: frees every active message without a commit. Source: active.c */
void active_drop_all(struct qmgr *q);

/* Takes the work out of its list and cancels its request. Source: active.c */
void active_detach(struct work *w);

/* Milliseconds until the next attempt after that many attempts. Source: active.c */
uint64_t active_backoff_ms(const struct qmgr *q, uint32_t attempts);

#endif
