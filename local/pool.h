/* pool.h: the parent's side of its children: one process per user, one per command */
#ifndef LOCAL_POOL_H
#define LOCAL_POOL_H

#include "local/job.h"
#include "svc/daemon.h"

struct pool_worker;

/* Recipients of one job that one process delivers. Lives in the job's arena. */
struct pool_work {
	struct pool_work *next;
	struct job *job;
	struct target target;
	size_t *slots;
	size_t n;
};

/* DONE: res says how it ended. COMMAND: the user's mailbox is the business of mailbox_command or mailbox_transport.
 * DIED: the process ended without an answer, and nobody knows how far it came. */
enum pool_word { POOL_DONE, POOL_COMMAND, POOL_DIED };

/* Called from the event loop. res is valid until return. */
typedef void pool_result_fn(struct job *j, size_t slot, const struct dlv_rcpt_result *res, enum pool_word word);

/* Caller's memory at a fixed address. */
struct pool {
	struct daemon *daemon;
	const struct settings *settings;
	struct pool_worker *workers;
	size_t n_workers;
	struct pool_work *waiting, **waiting_end;
	pool_result_fn *on_result;
};

/* Source: pool.c */
void pool_init(struct pool *p, struct daemon *d, const struct settings *s, pool_result_fn *fn);

/* Hands w to the process of its target, forks one when there is none and local_process_limit and the user's share of it
 * allow, else keeps w until one leaves. Every slot is answered once, by on_result. Never blocks but for fork. Source:
 * pool.c */
void pool_submit(struct pool *p, struct pool_work *w);

/* Lets processes go that had nothing to do for local_idle_time; call about once a second. Source: pool.c */
void pool_tick(struct pool *p);

/* New settings: processes forked with the old ones get no more work and leave when they are done; returns when nothing
 * of the old ones is in use by this process. Source: pool.c */
void pool_reload(struct pool *p, const struct settings *s);

/* Collects dead children; call on SIGCHLD. Source: pool.c */
void pool_reap(struct pool *p);

/* Closes all channels without answers: children finish what they have and leave. Source: pool.c */
void pool_fini(struct pool *p);

#endif
