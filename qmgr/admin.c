/* A session: idle --LIST, SHOW--> telling --rows sent--> idle; idle --ACT--> acting, a slice per commit --> idle. Acting
 * begins when the agents have said what they have: of what is not being tried nobody would hear that it is on loan. A
 * message that is being tried is told and obeys when nobody works on it any more; others are changed on disk. Of the
 * places for guests none is kept by one who says or takes nothing. */
#include "qmgr/admin.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "qmgr/active.h"
#include "svc/msg_admin.h"

#define PHASE_IDLE 1u
#define PHASE_BUSY 2u
#define PHASE_GUEST 4u          /* an ordinary user may list, and ask for a new attempt */
#define ROWS_BYTES ((size_t)48 * 1024)
#define ACT_SLICE 500
#define SESSIONS_MAX 32
#define GUESTS_MAX 24           /* the rest is left to root */
#define GUEST_IDLE_MS 30000
#define HELLO_LOOK_MS 50

struct session {
	struct admin *adm;
	struct ipc ipc;
	uv_timer_t *timer;              /* the next turn of telling; or of waiting to act */
	uint64_t after;                 /* cursor */
	uint64_t count;
	struct str rows;
	size_t sent;                    /* bytes of rows */
	bool has_more;                  /* of a list, behind rows */
	uint64_t seen_ms;               /* when the peer last said or took something */
	enum adm_what what;
	uint64_t one;                   /* id, or 0 for all */
	struct write_job *job;          /* being filled */
	struct write_job *out;          /* with the writer */
	bool is_acting;
	bool is_last;
	bool is_guest;
	bool is_gone;                   /* lost while out is on its way */
	TAILQ_ENTRY(session) link;
};

struct admin {
	struct qmgr *q;
	int fd;
	uid_t owner;
	uv_poll_t *poll;
	uv_timer_t *idle;               /* looks for guests that sleep */
	size_t n_sessions;
	TAILQ_HEAD(, session) sessions;
};

static void free_handle(uv_handle_t *h)
{
	free(h);
}

static void session_free(struct session *s)
{
	ipc_close(&s->ipc);
	if (s->timer) {
		s->timer->data = NULL;
		uv_close((uv_handle_t *)s->timer, free_handle);
		s->timer = NULL;
	}
	if (s->out) {                   /* the writer's answer frees it */
		s->is_gone = true;
		return;
	}
	str_fini(&s->rows);
	TAILQ_REMOVE(&s->adm->sessions, s, link);
	s->adm->n_sessions--;
	free(s);
}

static void done(struct session *s, const char *text)
{
	struct adm_done m = { s->count, span_z(text) };

	s->ipc.phase = s->is_guest ? PHASE_GUEST : PHASE_IDLE;
	s->seen_ms = clock_mono_ms();
	if (ipc_send(&s->ipc, &adm_done_desc, &m, NULL) < 0)
		log_warn("queue socket: an answer could not be sent");
}

/* ---- list and show ---- */

static bool add_row(void *arg, uint64_t id, struct span record)
{
	struct session *s = arg;
	struct adm_row row = { id, (uint32_t)record.n, active_find(s->adm->q, id) != NULL };

	if (s->rows.n && s->rows.n + sizeof(row) + record.n > ROWS_BYTES) {
		s->has_more = true;
		return false;
	}
	if (record.n > ADM_RECORD_MAX || str_add(&s->rows, &row, sizeof(row)) < 0 || str_add_span(&s->rows, record) < 0)
		return true;
	s->after = id;
	s->count++;
	return true;
}

/* The next rows of a list into the empty buffer; false when there are none. */
static bool gather(struct session *s, struct err *err)
{
	uint64_t last;

	if (!s->has_more)
		return false;
	s->has_more = false;
	str_reset(&s->rows);
	s->sent = 0;
	return queue_list(s->adm->q->queue, s->after, SIZE_MAX, add_row, s, &last, err) != QUEUE_ERR && s->rows.n;
}

/* A frame at a time until all is said or the reader is slow; on_drained goes on then. */
static void on_turn(uv_timer_t *t)
{
	struct session *s = t->data;
	struct err err = ERR_INIT;

	if (!s)
		return;
	while (!ipc_is_full(&s->ipc)) {
		struct adm_rows m;

		if (s->sent == s->rows.n && !gather(s, &err)) {
			str_fini(&s->rows);
			s->sent = 0;
			done(s, err.kind == ERR_NONE ? "" : err.msg);
			return;
		}
		m.data = span_sub(str_span(&s->rows), s->sent, ROWS_BYTES);
		s->sent += m.data.n;
		if (ipc_send(&s->ipc, &adm_rows_desc, &m, NULL) < 0)
			return;         /* the channel is lost */
	}
}

static void on_drained(void *arg, struct ipc *c)
{
	struct session *s = arg;

	s->seen_ms = clock_mono_ms();
	if (c->phase == PHASE_BUSY && !s->out && !s->is_acting)
		uv_timer_start(s->timer, on_turn, 0, 0);
}

static void begin_rows(struct session *s)
{
	s->ipc.phase = PHASE_BUSY;
	s->is_acting = false;
	s->seen_ms = clock_mono_ms();
	s->sent = 0;
	uv_timer_start(s->timer, on_turn, 0, 0);
}

static void on_list(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct session *s = arg;

	s->after = 0;
	s->count = 0;
	s->has_more = true;
	begin_rows(s);
}

static void on_show(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct session *s = arg;
	struct qmgr *q = s->adm->q;
	const struct adm_show *m = in;
	struct adm_message reply = { .is_active = active_find(q, m->qid) != NULL };
	struct span record = SPAN_NULL, body = SPAN_NULL;
	struct queue_view v = { 0 };
	struct err err = ERR_INIT;
	uint64_t due;
	bool held, large;
	int out = -1;

	if (queue_view_begin(q->queue, &v, &err) == 0 && queue_view_record(&v, m->qid, &record, &err) == QUEUE_FOUND) {
		reply.found = 1;
		if (queue_decode_head(record, &due, &held, &large) == 0 && large) {
			if (queue_large_open(q->queue, m->qid, &out, &err) < 0)
				log_warn("queue socket: %s", err.msg);
		} else if (queue_view_body(&v, m->qid, &body, &err) != QUEUE_FOUND) {
			body = SPAN_NULL;
		}
	}
	if (str_add_span(&s->rows, record) < 0 || str_add_span(&s->rows, body) < 0)
		str_reset(&s->rows);
	else
		reply.record = record.n;
	reply.body = s->rows.n - reply.record;
	queue_view_end(&v);
	s->count = reply.found;
	s->has_more = false;
	if (ipc_send(&s->ipc, &adm_message_desc, &reply, &out) < 0)
		log_warn("queue socket: an answer could not be sent");
	begin_rows(s);
}

/* ---- act ---- */

/* False when it was told so before. */
static bool act_on_active(struct active *a, enum adm_what what)
{
	bool *word = what == ADM_RETRY ? &a->wants_retry : what == ADM_DELETE ? &a->wants_delete : &a->wants_hold;
	bool was = *word;

	*word = what != ADM_RELEASE;
	active_step(a);
	return what == ADM_RETRY || was != (what != ADM_RELEASE);
}

/* False when there is nothing to change. */
static bool change(struct queue_msg *m, enum adm_what what)
{
	switch (what) {
	case ADM_RETRY:
		if (m->held)
			return false;
		m->due_ms = clock_wall_ms();
		return true;
	case ADM_HOLD:
		if (m->held)
			return false;
		m->held = true;
		m->due_ms = 0;
		return true;
	case ADM_RELEASE:
		if (!m->held)
			return false;
		m->held = false;
		m->due_ms = clock_wall_ms();
		return true;
	case ADM_DELETE:
		return true;
	}
	return false;
}

/* A damaged record can still be deleted. */
static void act_on_disk(struct session *s, uint64_t id)
{
	struct arena a = { 0 };
	struct queue_msg m;
	struct err err = ERR_INIT;
	enum queue_rc rc = queue_get(s->adm->q->queue, id, &a, &m, &err);

	if (rc == QUEUE_ERR && err.kind == ERR_PERM && s->what == ADM_DELETE) {
		writer_put(s->job, WRITE_DELETE, id, NULL, SPAN_NULL);
		s->count++;
	} else if (rc == QUEUE_FOUND && change(&m, s->what)) {
		writer_put(s->job, s->what == ADM_DELETE ? WRITE_DELETE : WRITE_UPDATE, id, &m, SPAN_NULL);
		s->count++;
	}
	arena_fini(&a);
}

static void act_on(struct session *s, uint64_t id)
{
	struct active *a = active_find(s->adm->q, id);

	if (!a)
		act_on_disk(s, id);
	else if (act_on_active(a, s->what))
		s->count++;
}

struct id_list {
	uint64_t v[ACT_SLICE];
	size_t n;
};

static bool add_id(void *arg, uint64_t id, struct span record)
{
	struct id_list *l = arg;

	l->v[l->n++] = id;
	return l->n < ACT_SLICE;
}

static void act_slice(struct session *s);

static void on_acted(void *arg, struct write_job *job)
{
	struct session *s = arg;
	struct qmgr *q = s->adm->q;
	size_t i;

	s->out = NULL;
	for (i = 0; job->rc == 0 && i < job->n_ops; i++) {
		char id[QUEUE_ID_LEN + 1];

		queue_id_print(id, job->ops[i].id);
		if (job->ops[i].kind == WRITE_DELETE) {
			log_info("%s: removed", id);
			queue_large_unlink(q->queue, job->ops[i].id);
		} else if (s->what != ADM_RETRY) {
			log_info("%s: %s", id, s->what == ADM_HOLD ? "placed on hold" : "released from hold");
		}
	}
	q->next_due_ms = 0;
	if (s->is_gone)
		session_free(s);
	else if (job->rc < 0)
		done(s, job->err.msg);
	else if (s->is_last)
		done(s, "");
	else
		act_slice(s);
	if (q->writer)
		qmgr_run(q);
}

static void act_slice(struct session *s)
{
	struct qmgr *q = s->adm->q;
	struct id_list l = { .n = 0 };
	struct err err = ERR_INIT;
	enum queue_rc rc = QUEUE_NONE;
	size_t i;

	if (s->one) {
		l.v[l.n++] = s->one;
	} else if (s->what == ADM_RELEASE) {
		rc = queue_list_held(q->queue, s->after, ACT_SLICE, add_id, &l, &s->after, &err);
	} else {
		rc = queue_list(q->queue, s->after, ACT_SLICE, add_id, &l, &s->after, &err);
	}
	if (rc == QUEUE_ERR) {
		done(s, err.msg);
		return;
	}
	s->is_last = rc == QUEUE_NONE;
	s->job = writer_job(on_acted, s);
	for (i = 0; i < l.n; i++)
		act_on(s, l.v[i]);
	s->out = s->job;
	writer_submit(q->writer, s->job, false);
}

static void act_when_known(uv_timer_t *t)
{
	struct session *s = t->data;

	if (!s)
		return;
	s->seen_ms = clock_mono_ms();
	if (s->adm->q->hello_done)
		act_slice(s);
	else
		uv_timer_start(t, act_when_known, HELLO_LOOK_MS, 0);
}

static void on_act(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct session *s = arg;
	const struct adm_act *m = in;

	s->count = 0;
	s->seen_ms = clock_mono_ms();
	if (m->what > ADM_DELETE || (s->is_guest && m->what != ADM_RETRY)) {
		done(s, s->is_guest ? "only root and the owner of the queue may do that" : "unknown request");
		return;
	}
	c->phase = PHASE_BUSY;
	s->is_acting = true;
	s->what = (enum adm_what)m->what;
	s->one = m->qid;
	s->after = 0;
	act_when_known(s->timer);
}

/* ---- connections ---- */

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
	if (why->kind != ERR_NONE)
		log_warn("queue socket: %s", why->msg);
	session_free(arg);
}

static const struct ipc_rule rules[] = {
	{ &adm_list_desc, PHASE_IDLE | PHASE_GUEST, on_list },
	{ &adm_show_desc, PHASE_IDLE, on_show },
	{ &adm_act_desc, PHASE_IDLE | PHASE_GUEST, on_act },
};

static const struct ipc_ops ops = { "admin", rules, ARRAY_LEN(rules), on_lost, on_drained };

void admin_expire(struct admin *adm, uint64_t now_ms)
{
	struct session *s, *next;

	for (s = TAILQ_FIRST(&adm->sessions); s; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->is_guest && !s->out && now_ms >= s->seen_ms + GUEST_IDLE_MS)
			session_free(s);
	}
}

static void on_idle(uv_timer_t *t)
{
	if (t->data)
		admin_expire(t->data, clock_mono_ms());
}

void admin_serve(struct admin *adm, bool is_guest, int *fd)
{
	struct session *s = xnew(struct session);

	s->adm = adm;
	s->is_guest = is_guest;
	s->seen_ms = clock_mono_ms();
	str_init(&s->rows, ADM_RECORD_MAX + QUEUE_INLINE_MAX);
	s->timer = xnew(uv_timer_t);
	uv_timer_init(&adm->q->loop->uv, s->timer);
	s->timer->data = s;
	TAILQ_INSERT_TAIL(&adm->sessions, s, link);
	adm->n_sessions++;
	ipc_init(&s->ipc, adm->q->loop, &ops, s);
	ipc_attach(&s->ipc, fd);
	s->ipc.phase = is_guest ? PHASE_GUEST : PHASE_IDLE;
}

static bool is_guest(const struct admin *adm, int fd)
{
	struct ucred u;
	socklen_t n = sizeof(u);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &n) < 0 ||
	       (u.uid != 0 && u.uid != adm->owner && u.uid != geteuid());
}

static void on_connection(uv_poll_t *p, int status, int events)
{
	struct admin *adm = p->data;
	bool guest;
	int fd;

	if (!adm)
		return;
	fd = accept4(adm->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	guest = is_guest(adm, fd);
	if (adm->n_sessions < (guest ? GUESTS_MAX : SESSIONS_MAX))
		admin_serve(adm, guest, &fd);
	else
		close(fd);
}

int admin_listen(const char *run_directory, struct err *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd;

	if ((size_t)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/" ADMIN_SOCKET,
			     run_directory) >= sizeof(sa.sun_path))
		return err_set(err, ERR_CONF, "run_directory %s is too long for a socket", run_directory);
	unlink(sa.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* who may do what is decided by the kernel's word on the caller */
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || chmod(sa.sun_path, 0666) < 0 ||
	    listen(fd, 64) < 0) {
		err_sys(err, "listen on %s", sa.sun_path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

struct admin *admin_new(struct qmgr *q, int *fd, uid_t owner)
{
	struct admin *adm = xnew(struct admin);

	adm->q = q;
	adm->owner = owner;
	adm->fd = *fd;
	*fd = -1;
	TAILQ_INIT(&adm->sessions);
	adm->idle = xnew(uv_timer_t);
	uv_timer_init(&q->loop->uv, adm->idle);
	adm->idle->data = adm;
	uv_timer_start(adm->idle, on_idle, GUEST_IDLE_MS / 3, GUEST_IDLE_MS / 3);
	if (adm->fd >= 0) {
		adm->poll = xnew(uv_poll_t);
		BUG(uv_poll_init(&q->loop->uv, adm->poll, adm->fd) != 0);
		adm->poll->data = adm;
		uv_poll_start(adm->poll, UV_READABLE, on_connection);
	}
	return adm;
}

void admin_free(struct admin *adm)
{
	struct session *s, *next;

	if (!adm)
		return;
	for (s = TAILQ_FIRST(&adm->sessions); s; s = next) {
		next = TAILQ_NEXT(s, link);
		session_free(s);
	}
	adm->idle->data = NULL;
	uv_close((uv_handle_t *)adm->idle, free_handle);
	if (adm->poll) {
		adm->poll->data = NULL;
		uv_close((uv_handle_t *)adm->poll, free_handle);
		close(adm->fd);
		adm->fd = -1;
		adm->poll = NULL;
	}
	if (TAILQ_EMPTY(&adm->sessions))
		free(adm);              /* else a commit is on its way; the process ends soon */
}
