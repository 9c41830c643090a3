/* qmgr.h: the state of the queue manager: messages being tried, agents, doors, schedule */
#ifndef QMGR_QMGR_H
#define QMGR_QMGR_H

#include <sys/queue.h>

#include "base/htab.h"
#include "conf/params.h"
#include "io/ipc.h"
#include "io/loop.h"
#include "qmgr/writer.h"
#include "store/queue.h"

struct qmgr;
struct active;
struct agent;
struct door;
struct transport;
struct destination;

/* Of one recipient in this pass:
 *
 *   NEW --route_ask--> ASKED --DELIVER--> READY --credit--> LENT --result--> DONE
 *    ^                   |                  ^                |
 *    |                   +-- EXPAND, REJECT, DEFER --> DONE  |
 *    +-- resolve lost ---+                  +-- agent died --+
 */
enum work_state { WORK_NEW, WORK_ASKED, WORK_READY, WORK_LENT, WORK_DONE };
#define WORK_STATES (WORK_DONE + 1)

struct work {
	struct active *a;
	size_t at;                      /* index in a->m.rcpts */
	size_t index;                   /* in a->works */
	enum work_state state;          /* changed by active_enter only */
	bool is_queued;                 /* for an agent of its transport */
	unsigned deaths;                /* agents that died with it */
	struct ipc_req req;             /* ASKED */
	struct transport *transport;
	struct agent *agent;            /* LENT */
	uint64_t job;
	struct span nexthop, address, user, extension, maildir;         /* from resolve, in the message's arena */
	uint64_t uid, gid, quota;
	struct ipc_list news;           /* of an expansion that comes in parts, what has come; in the message's arena */
	uint64_t news_version;
	struct destination *destination;        /* queued there; LENT: the one that counts this letter */
	TAILQ_ENTRY(work) link;         /* READY: of its destination; LENT: of agent->lent */
};
TAILQ_HEAD(work_list, work);

/* A message that is being tried; everything else of the queue is on disk only. */
struct active {
	struct qmgr *q;
	struct arena arena;
	struct queue_msg m;
	struct work **works;
	size_t n_works, cap_works;
	size_t n_in[WORK_STATES];       /* works in each state */
	size_t n_queued;                /* READY ones that wait for an agent */
	size_t new_from;                /* no work below this index is NEW */
	struct str body;                /* of a fresh small message, until it was lent */
	bool has_body;
	bool is_waiting_hello;          /* recovered: agents have not all said what they are doing */
	bool is_expanded;               /* new recipients that are not durable yet */
	bool is_saving;                 /* that commit is on its way */
	bool has_late_marks;            /* made since, so it does not hold them */
	bool is_finishing;              /* the commit that ends this pass is on its way */
	bool has_eager;                 /* something in this pass must not wait for a lazy commit */
	bool has_failed_commit;         /* said once */
	bool has_lazy_job;              /* a lazy save is with the writer */
	bool wants_hold, wants_delete, wants_retry;     /* an admin asked while it was being tried */
	uint64_t began_ms;
	TAILQ_ENTRY(active) link;
};
TAILQ_HEAD(active_list, active);

struct transport {
	char *name;
	struct htab destinations;       /* key -> struct destination */
	TAILQ_HEAD(, destination) turns;        /* those with something queued, in the order of their turns */
	uint64_t gone_ms;               /* since when no agent serves it; 0: one does */
	bool was_served;
};

/* The key of tables by queue id; id must outlive it. */
static inline struct span qmgr_id_key(const uint64_t *id)
{
	return (struct span){ (const char *)id, sizeof(*id) };
}

struct qmgr {
	struct loop *loop;
	struct queue *queue;
	struct writer *writer;
	struct qmgr_conf conf;
	struct global_conf global;
	struct arena conf_arena;

	struct htab active;             /* id, 8 bytes -> struct active */
	struct active_list actives;
	struct htab damaged;            /* ids of records that cannot be read */
	size_t n_active;
	size_t n_peak;                  /* most of them since the heap was last trimmed */
	size_t body_bytes;              /* of fresh messages in memory */
	uint64_t wall_ms;               /* at the last tick */
	uint64_t next_due_ms;           /* of what is on disk, UINT64_MAX: nothing */
	bool has_stalled;               /* a message waits for a full or missing channel */

	struct ipc resolve;
	TAILQ_HEAD(, agent) agents;
	TAILQ_HEAD(, door) doors;
	struct htab transports;         /* name -> struct transport */
	uint64_t next_job;
	uint64_t first_id;              /* ids below it were given before this start */

	bool hello_done;                /* every agent has said what it is doing, or is dead */
	bool has_peers;                 /* master told how many there are */
	uint64_t peers, hellos;
	uint64_t started_ms;

	uv_timer_t *tick;
	void (*fatal)(struct qmgr *q, const struct err *err);
	void *arg;
};

/* Prepares all of it on an open queue; conf, global, loop, fatal and arg are set by the caller before. Starts the
 * writer and the one-second tick. Source: qmgr.c */
void qmgr_start(struct qmgr *q);

/* Commits, frees, closes all channels. The queue stays open. Source: qmgr.c */
void qmgr_stop(struct qmgr *q);

/* What the tick does: due messages, unavailable transports, stalled work, the end of waiting for HELLO. Source:
 * qmgr.c */
void qmgr_run(struct qmgr *q);

/* The end of resolve's channel; takes *fd. Source: route.c */
void qmgr_attach_resolve(struct qmgr *q, int *fd);

#endif
