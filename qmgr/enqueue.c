/* A letter:
 *
 *   BEGIN --RCPTS…--> open --BODY…--> open --END--> small: committing --> answered, active
 *                       \--LARGE--> file --END--> syncing (pool) --> committing --> answered, active
 *   refused: the answer went out early, the rest is ignored until END or ABORT
 *
 * The end of the channel drops what has no END. A letter behind its END goes on without its door. */
#include "qmgr/enqueue.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/write_all.h"
#include "proto/smtp.h"
#include "qmgr/active.h"
#include "svc/msg_queue.h"
#include "svc/msg_resolve.h"

#define GRANT_SIZE 1024
#define GRANTS 4                        /* blocks a door may still use */
#define LETTERS_MAX 20000               /* under way on one door */
#define RCPTS_MAX 50000
#define TEXT_MAX 2000                   /* bytes of an envelope field */

_Static_assert((int)QUEUE_SMTPUTF8 == (int)ENV_SMTPUTF8 && (int)QUEUE_RET_HDRS == (int)ENV_RET_HDRS &&
	       (int)QUEUE_AUTHENTICATED == (int)ENV_AUTHENTICATED && (int)QUEUE_LOCAL == (int)ENV_LOCAL_ORIGIN,
	       "flags");
_Static_assert((int)QUEUE_INCLUDE == (int)RCPT_INCLUDE && (int)QUEUE_DELAY == (int)SMTP_NOTIFY_DELAY, "kinds");

struct letter {
	struct qmgr *q;
	struct door *door;              /* NULL: it has gone */
	uint32_t call;                  /* the BEGIN that is answered */
	struct arena arena;
	struct queue_msg m;
	struct str body;
	int fd;                         /* large body, or -1 */
	bool is_refused;
	struct err err;                 /* of the sync */
	int rc;
	uv_work_t work;
};

struct door {
	struct qmgr *q;
	struct ipc ipc;
	char *peer;
	struct enq_grant grants[GRANTS];
	size_t next_grant;
	struct htab letters;            /* id, 8 bytes -> struct letter without END */
	size_t n_ended;
	TAILQ_ENTRY(door) link;
};

static void letter_free(struct letter *l)
{
	if (l->fd >= 0)
		close(l->fd);
	str_fini(&l->body);
	arena_fini(&l->arena);
	free(l);
}

static void letter_drop(struct letter *l)
{
	if (l->m.large)
		queue_large_unlink(l->q->queue, l->m.id);
	letter_free(l);
}

static void answer(struct letter *l, const struct err *err)
{
	struct enq_result m = { .status = err ? MSG_TEMP : MSG_OK };
	char id[QUEUE_ID_LEN + 1];

	if (err) {
		queue_id_print(id, l->m.id);
		log_warn("%s: not accepted: %s", id, err->msg);
		m.dsn = span_z(err->dsn[0] ? err->dsn : "4.3.0");
		m.text = span_z(err->msg);
	}
	if (l->door && ipc_reply(&l->door->ipc, l->call, &enq_result_desc, &m, NULL) < 0)
		log_warn("channel to %s: an answer could not be sent", l->door->peer);
}

/* ---- the channel ---- */

static void grant(struct door *d)
{
	struct enq_grant g = { queue_new_ids(d->q->queue, GRANT_SIZE), GRANT_SIZE };

	d->grants[d->next_grant++ % GRANTS] = g;
	if (ipc_send(&d->ipc, &enq_grant_desc, &g, NULL) < 0)
		log_warn("channel to %s: no room for a block of ids", d->peer);
}

/* An id of the last qmgr's may still come from a session that began under it: it was given to nobody else. */
static bool is_granted(const struct door *d, uint64_t id)
{
	size_t i;

	if (id && id < d->q->first_id)
		return true;
	for (i = 0; i < GRANTS; i++) {
		if (id - d->grants[i].first < d->grants[i].count)
			return true;
	}
	return false;
}

/* The channel, and the letters that have no END. */
static void shut(struct door *d)
{
	size_t pos = 0;
	void *p;

	ipc_close(&d->ipc);
	while (htab_next(&d->letters, &pos, NULL, &p))
		letter_drop(p);
	htab_fini(&d->letters);
}

static void door_free(struct door *d)
{
	shut(d);
	TAILQ_REMOVE(&d->q->doors, d, link);
	free(d->peer);
	free(d);
}

/* Letters behind their END are found through here only when they come back. */
static void door_close(struct door *d)
{
	if (d->n_ended)
		shut(d);
	else
		door_free(d);
}

static void nonsense(struct door *d, const char *what)
{
	log_error("channel to %s: %s; it is closed", d->peer, what);
	door_close(d);
}

static bool is_clean(struct span s)
{
	size_t i;

	if (s.n > TEXT_MAX)
		return false;
	for (i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < 32 || s.p[i] == 127)
			return false;
	}
	return true;
}

static bool is_clean_begin(const struct enq_begin *m)
{
	return is_clean(m->sender) && is_clean(m->envid) && is_clean(m->client_name) && is_clean(m->client_addr) &&
	       is_clean(m->helo) && is_clean(m->proto) && is_clean(m->sasl_method) && is_clean(m->sasl_user);
}

static void fill_envelope(struct letter *l, const struct enq_begin *m)
{
	struct arena *a = &l->arena;

	l->m = (struct queue_msg){
		.id = m->qid, .arrival_ms = m->arrival_ms ? m->arrival_ms : clock_wall_ms(),
		.held = m->flags & ENV_HOLD, .flags = (uint32_t)(m->flags & 0xffff & ~(uint64_t)ENV_HOLD),
		.sender = arena_span(a, m->sender), .envid = arena_span(a, m->envid),
		.client_name = arena_span(a, m->client_name), .client_addr = arena_span(a, m->client_addr),
		.helo = arena_span(a, m->helo), .protocol = arena_span(a, m->proto),
		.sasl_method = arena_span(a, m->sasl_method), .sasl_user = arena_span(a, m->sasl_user),
	};
}

static void on_begin(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct door *d = arg;
	const struct enq_begin *m = in;
	struct letter *l;

	if (!is_granted(d, m->qid) || htab_get(&d->letters, qmgr_id_key(&m->qid))) {
		nonsense(d, "a letter under an id that is not free");
		return;
	}
	if (!is_clean_begin(m) || d->letters.n >= LETTERS_MAX) {
		nonsense(d, "an envelope with control characters, or too many letters at once");
		return;
	}
	l = xnew(struct letter);
	l->q = d->q;
	l->door = d;
	l->call = id;
	l->fd = -1;
	arena_init(&l->arena, 1024);
	str_init(&l->body, QUEUE_INLINE_MAX);
	fill_envelope(l, m);
	htab_put(&d->letters, qmgr_id_key(&m->qid), l);
}

static struct letter *find(struct door *d, uint64_t qid)
{
	struct letter *l = htab_get(&d->letters, qmgr_id_key(&qid));

	if (!l)
		nonsense(d, "a message about an unknown letter");
	return l;
}

static void on_rcpts(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct door *d = arg;
	const struct enq_rcpts *m = in;
	const struct enq_rcpt *v = m->rcpts.v;
	struct letter *l = find(d, m->qid);
	size_t i;

	for (i = 0; l && i < m->rcpts.n; i++) {
		struct queue_rcpt *r;

		if (v[i].address.n == 0 || !is_clean(v[i].address) || !is_clean(v[i].orig) || !is_clean(v[i].orcpt) ||
		    v[i].notify > 15 || l->m.n_rcpts >= RCPTS_MAX) {
			nonsense(d, "a recipient that cannot be one, or too many");
			return;
		}
		r = queue_add_rcpt(&l->m, &l->arena);
		r->addr = arena_span(&l->arena, v[i].address);
		r->orig = v[i].orig.n ? arena_span(&l->arena, v[i].orig) : r->addr;
		r->orcpt = arena_span(&l->arena, v[i].orcpt);
		r->notify = (uint8_t)v[i].notify;
		l->m.rcpt_bytes += queue_rcpt_bytes(r);
		if (l->m.rcpt_bytes > QUEUE_RCPT_BYTES) {
			nonsense(d, "recipients that no record holds");
			return;
		}
	}
}

static void on_body(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct door *d = arg;
	const struct enq_body *m = in;
	struct letter *l = find(d, m->qid);

	if (!l || l->is_refused)
		return;
	if (l->m.large || str_add_span(&l->body, m->data) < 0)
		nonsense(d, "more bytes of a body than go through the channel");
}

static int begin_file(struct letter *l, int *fd_r, struct err *err)
{
	if (queue_large_create(l->q->queue, l->m.id, &l->fd, err) < 0)
		return -1;
	l->m.large = true;
	if (write_all(l->fd, str_span(&l->body)) < 0)
		return errno == ENOSPC ? err_dsn(err, ERR_TEMP, "4.3.1", "the queue's file system is full")
				       : err_sys(err, "write a large body");
	str_fini(&l->body);
	*fd_r = dup(l->fd);
	return *fd_r < 0 ? err_sys(err, "dup") : 0;
}

static void on_large(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct door *d = arg;
	const struct enq_large *m = in;
	struct letter *l = find(d, m->qid);
	struct enq_large_fd reply = { .status = MSG_OK };
	struct err err = ERR_INIT;
	int out = -1;

	if (!l)
		return;
	if (l->m.large) {
		nonsense(d, "a second file for a letter");
		return;
	}
	if (l->is_refused || begin_file(l, &out, &err) < 0) {
		reply = (struct enq_large_fd){ MSG_TEMP, span_z(err.dsn[0] ? err.dsn : "4.3.0"), span_z(err.msg) };
		l->is_refused = true;
	}
	if (ipc_reply(c, id, &enq_large_fd_desc, &reply, &out) < 0)
		nonsense(d, "its answers are not read");
}

static void on_abort(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct door *d = arg;
	const struct enq_abort *m = in;
	struct letter *l = find(d, m->qid);

	if (!l)
		return;
	htab_del(&d->letters, qmgr_id_key(&m->qid));
	letter_drop(l);
}

/* ---- the commit ---- */

static void leave_door(struct letter *l)
{
	struct door *d = l->door;

	d->n_ended--;
	if (d->n_ended == 0 && !ipc_is_attached(&d->ipc))
		door_free(d);
	l->door = NULL;
}

static void refuse(struct letter *l, const struct err *err)
{
	answer(l, err);
	leave_door(l);
	letter_drop(l);
}

static void on_committed(void *arg, struct write_job *job)
{
	struct letter *l = arg;
	struct qmgr *q = l->q;

	if (job->rc < 0) {
		if (job->err.kind == ERR_PROTO)
			l->m.large = false;     /* the file, if there is one, belongs to the other message */
		refuse(l, &job->err);
		return;
	}
	answer(l, NULL);
	leave_door(l);
	if (l->m.due_ms && l->m.due_ms < q->next_due_ms)
		q->next_due_ms = l->m.due_ms;
	if (!l->m.held && !l->m.due_ms)
		active_begin(q, &l->m, &l->arena, &l->body);
	letter_free(l);
}

/* Beyond the limit of active messages a new one waits on disk like a deferred one. */
static void commit(struct letter *l)
{
	struct write_job *job = writer_job(on_committed, l);

	if (!l->m.held && l->q->n_active >= l->q->conf.qmgr_message_active_limit)
		l->m.due_ms = clock_wall_ms();
	writer_put(job, WRITE_ADD, l->m.id, &l->m, str_span(&l->body));
	writer_submit(l->q->writer, job, false);
}

static void sync_body(uv_work_t *work)
{
	struct letter *l = work->data;

	l->rc = queue_large_sync(l->q->queue, l->m.id, l->fd, l->m.size, &l->err);
}

static void on_synced(uv_work_t *work, int status)
{
	struct letter *l = work->data;

	close(l->fd);
	l->fd = -1;
	if (!l->q->writer)
		letter_free(l);         /* shutting down; the file has no row and goes at the next start */
	else if (l->rc < 0)
		refuse(l, &l->err);
	else
		commit(l);
}

static void on_end(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct door *d = arg;
	const struct enq_end *m = in;
	struct letter *l = find(d, m->qid);
	struct err err = ERR_INIT;

	if (!l)
		return;
	htab_del(&d->letters, qmgr_id_key(&m->qid));
	d->n_ended++;
	l->m.size = m->size;
	if (l->is_refused || l->m.n_rcpts == 0 || (!l->m.large && l->body.n != m->size)) {
		err_dsn(&err, ERR_TEMP, "4.3.0", "%s", l->is_refused ? "the body could not be written"
								     : "the letter is incomplete");
		refuse(l, &err);
	} else if (l->m.large) {
		l->work.data = l;
		BUG(uv_queue_work(&l->q->loop->uv, &l->work, sync_body, on_synced) != 0);
	} else {
		commit(l);
	}
}

static void on_want(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	grant(arg);
}

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
	struct door *d = arg;

	if (why->kind != ERR_NONE)
		log_error("channel to %s: %s", d->peer, why->msg);
	door_close(d);
}

static const struct ipc_rule rules[] = {
	{ &enq_begin_desc, ~0u, on_begin }, { &enq_rcpts_desc, ~0u, on_rcpts }, { &enq_body_desc, ~0u, on_body },
	{ &enq_large_desc, ~0u, on_large }, { &enq_end_desc, ~0u, on_end },     { &enq_abort_desc, ~0u, on_abort },
	{ &enq_want_desc, ~0u, on_want },
};

static const struct ipc_ops ops = { "queue", rules, ARRAY_LEN(rules), on_lost, NULL };

void enqueue_attach(struct qmgr *q, struct span peer, int *fd)
{
	struct door *d = xnew(struct door);

	d->q = q;
	d->peer = xstrndup(peer.p, peer.n);
	TAILQ_INSERT_TAIL(&q->doors, d, link);
	ipc_init(&d->ipc, q->loop, &ops, d);
	ipc_attach(&d->ipc, fd);
	grant(d);
}

void enqueue_fini(struct qmgr *q)
{
	while (!TAILQ_EMPTY(&q->doors))
		door_free(TAILQ_FIRST(&q->doors));
}
