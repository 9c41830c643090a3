/* worker.h: the children of imapd as their parent holds them: the pair to each, what it watches, and those that wait
 * for the next session of their user
 *
 *   fork ──▶ serves ──DONE──▶ waits ──BEGIN──▶ serves ...
 *              │  └──PARK──▶ ends             └─ max_idle, max_use, a reload, the 100th that waits: the pair is closed
 *              └── its process ends, at any moment
 *
 * A child can neither block the parent nor make it grow: it has one watch of two directories and is owed one answer at a
 * time, and a full socket loses events that say nothing new.
 */
#ifndef IMAPD_WORKER_H
#define IMAPD_WORKER_H

#include <sys/queue.h>

#include "imapd/notify.h"
#include "imapd/pair.h"
#include "svc/session_parent.h"

struct worker;

/* What a child leaves of its session. */
struct worker_park {
	int client;
	struct pair_park head;
	struct span words, state;
	struct notify_watch *watch;     /* may be NULL */
	bool is_due;                    /* something has changed that the child did not see */
};

/* A child gives its session away; s has no process any more. client and watch are taken. */
typedef void worker_park_fn(void *arg, struct parent_session *s, const struct worker_park *left);

/* Caller's memory. */
struct workers {
	struct session_parent *parent;
	struct notify *notify;
	LIST_HEAD(, worker) list;       /* newest first */
	size_t n_waiting;
	uint64_t n_dismissals;
	uint64_t max_idle_ms, max_use;  /* parameters of these names */
	worker_park_fn *park;
	void *park_arg;
};

/* Source: worker.c */
void workers_init(struct workers *ws, struct session_parent *p, struct notify *n, worker_park_fn *park, void *park_arg);
void workers_fini(struct workers *ws);

/* session_spawn_fn's work: a child of the same user that waits, else a new one. Source: worker.c */
int workers_serve(struct workers *ws, struct parent_session *s, int fd, struct err *err) WARN_UNUSED;

/* A child was made that serves pr->session; fd, the parent's end of its pair, is taken. For workers_serve, and tests.
 * Source: worker.c */
void workers_add(struct workers *ws, struct session_process *pr, int fd);

/* session_kind.reaped. Source: worker.c */
void workers_reaped(struct session_process *pr);

/* The parameters. What waits ends, and what serves ends after its session: they have the configuration of before.
 * Source: worker.c */
void workers_configure(struct workers *ws, uint64_t max_idle_ms, uint64_t max_use);

/* The same, since the suite stops. Source: worker.c */
void workers_dismiss(struct workers *ws);

#endif
