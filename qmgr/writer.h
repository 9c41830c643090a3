/* writer.h: the one thread that writes the queue; all jobs that arrive during a commit share the next */
#ifndef QMGR_WRITER_H
#define QMGR_WRITER_H

#include <uv.h>

#include "store/queue.h"

struct writer;
struct write_job;

enum write_kind { WRITE_ADD, WRITE_UPDATE, WRITE_DELETE, WRITE_PULL };

struct write_op {
	enum write_kind kind;
	uint64_t id;                    /* PULL: the time that queue_pull is given */
	size_t n;                       /* PULL: how many it were */
	struct str record;              /* ADD, UPDATE */
	struct span body;               /* ADD: stays the caller's until the job is done, unless own holds it */
	struct str own;
};

/* Called on the loop's thread. job->rc is 0 when everything in it is durable; else nothing of it happened and
 * job->err says why (never SYS: that ends the process). The job is freed after, unless fn submits it again. */
typedef void write_fn(void *arg, struct write_job *job);

/* Called on the loop's thread just before a job goes to the writer: the last chance to fill it. May be NULL. */
typedef void write_prepare_fn(void *arg, struct write_job *job);

/* Changes that become durable together or not at all. */
struct write_job {
	struct write_job *next;
	struct write_op *ops;
	size_t n_ops;
	write_fn *fn;
	write_prepare_fn *prepare;
	void *arg;
	bool is_resubmitted;
	bool has_add;                   /* refused when disk or map are full; jobs without are tried again alone */
	int rc;
	struct err err;
};

/* The thread starts. fatal is called on the loop's thread when the disk failed; it must not return to normal work.
 * Source: writer.c */
struct writer *writer_new(uv_loop_t *loop, struct queue *q, void (*fatal)(void *arg, const struct err *err), void *arg);

/* Commits what was submitted, ends the thread, calls the fn of all jobs. Blocks. Takes NULL. Source: writer.c */
void writer_free(struct writer *w);

/* An empty job on the heap; it belongs to the writer after writer_submit. Source: writer.c */
struct write_job *writer_job(write_fn *fn, void *arg);

/* Appends one change; m may be NULL for DELETE and PULL. Source: writer.c */
void writer_put(struct write_job *job, enum write_kind kind, uint64_t id, const struct queue_msg *m, struct span body);

/* Gives the job the bytes of the body of its last change; *body becomes empty. Source: writer.c */
void writer_own_body(struct write_job *job, struct str *body);

/* What is lazy goes now. Source: writer.c */
void writer_flush(struct writer *w);

/* Hands the job to the thread. is_lazy: it may wait up to a second for another commit. Never blocks. Source:
 * writer.c */
void writer_submit(struct writer *w, struct write_job *job, bool is_lazy);

/* Commits and jobs so far, for status and tests. Source: writer.c */
void writer_counts(struct writer *w, uint64_t *commits_r, uint64_t *jobs_r);

#endif
