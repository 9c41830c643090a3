/* job.h: one letter that qmgr lent, while its recipients are delivered one by one */
#ifndef LOCAL_JOB_H
#define LOCAL_JOB_H

#include "local/target.h"
#include "store/queue.h"

struct agent;

struct job_rcpt {
	struct dlv_rcpt_result result;
	struct target target;
	bool is_settled;
	bool is_sent;                   /* to a child */
	bool has_died;                  /* its child did, once */
	bool is_reported;               /* to the qmgr of today */
	size_t n_told;                  /* of a list that no frame holds: members it has heard */
};

struct job {
	struct job *next, **at;         /* in the agent's list */
	struct agent *agent;
	struct arena arena;
	const struct dlv_job *m;        /* copied with all its spans into the arena */
	int fd;                         /* the body when it is large, else -1 */
	uint64_t id;                    /* ours, for children */
	uint64_t received_ms;
	bool retry;
	char qid[QUEUE_ID_LEN + 1];
	struct job_rcpt *rcpts;         /* m->rcpts.n of them */
	size_t n_open;
};

/* A deep copy of m, linked into *list; takes *fd. Source: job.c */
struct job *job_new(struct agent *agent, struct job **list, const struct dlv_job *m, int *fd);

/* Unlinks and frees. Source: job.c */
void job_free(struct job *j);

/* Records what became of a recipient (copied) and logs it; true when the job has no open recipient left. Harmless
 * for one that is settled already. Source: job.c */
bool job_settle(struct job *j, size_t slot, const struct dlv_rcpt_result *res);

/* A copy of a list of struct route_new in the arena. Source: job.c */
struct ipc_list job_copy_news(struct arena *a, struct ipc_list from);

/* The list, in the arena, with one address more, which is not copied. Source: job.c */
struct ipc_list job_add_news(struct arena *a, struct ipc_list from, struct span address, struct span via);

/* The address for Delivered-To and RECIPIENT: lower case; of a command or file the address that led to it. In the
 * job's arena. Source: job.c */
struct span job_delivered(struct job *j, size_t slot);

#endif
