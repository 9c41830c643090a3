#include "imapd/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define BURST 8                 /* messages of a child, then it is the turn of others */
#define WAITING_MAX 100
#define LAST_WORDS 64           /* messages of a child that has ended: more than its socket holds */

struct worker {
	struct workers *ws;
	LIST_ENTRY(worker) link;
	struct session_process *process;
	int fd;
	uv_poll_t poll;
	uv_timer_t idle;
	uint8_t n_handles;
	bool is_waiting, is_ending;
	struct notify_watch *watch;
	struct pair_msg owed;           /* an answer that did not fit; kind 0: none */
	uint32_t n_changes;             /* of the watch */
	uint64_t n_served, n_dismissals;
};

static void on_pair(uv_poll_t *h, int status, int events);

/* ---- its end ---- */

static void on_closed(uv_handle_t *h)
{
	struct worker *w = h->data;

	if (--w->n_handles > 0)
		return;
	LIST_REMOVE(w, link);
	pair_close(w->fd);
	free(w);
}

/* Of the pair: the process sees it, and ends when it serves nobody. */
static void end(struct worker *w)
{
	if (w->is_ending)
		return;
	w->is_ending = true;
	w->ws->n_waiting -= w->is_waiting;
	w->is_waiting = false;
	if (w->process) {
		w->process->own = NULL;
		/* an honest one ends when it sees the end of the pair */
		if (!w->process->session)
			session_parent_dismiss(w->ws->parent, w->process);
	}
	w->process = NULL;
	notify_end(&w->watch);
	uv_close((uv_handle_t *)&w->poll, on_closed);
	uv_close((uv_handle_t *)&w->idle, on_closed);
}

void workers_dismiss(struct workers *ws)
{
	struct worker *w;

	ws->n_dismissals++;
	LIST_FOREACH(w, &ws->list, link) {
		if (w->is_waiting)
			end(w);
	}
}

void workers_configure(struct workers *ws, uint64_t max_idle_ms, uint64_t max_use)
{
	ws->max_idle_ms = max_idle_ms;
	ws->max_use = max_use;
	workers_dismiss(ws);
}

/* ---- waiting ---- */

static void on_idle(uv_timer_t *t)
{
	end(t->data);
}

static void end_oldest(struct workers *ws)
{
	struct worker *w, *oldest = NULL;

	LIST_FOREACH(w, &ws->list, link) {
		if (w->is_waiting)
			oldest = w;
	}
	if (oldest)
		end(oldest);
}

static void wait_for_next(struct worker *w)
{
	struct workers *ws = w->ws;

	if (ws->parent->is_draining || !ws->max_idle_ms || w->n_served >= ws->max_use || w->n_dismissals != ws->n_dismissals) {
		end(w);
		return;
	}
	if (ws->n_waiting >= WAITING_MAX)
		end_oldest(ws);
	w->is_waiting = true;
	ws->n_waiting++;
	uv_timer_start(&w->idle, on_idle, ws->max_idle_ms, 0);
}

/* ---- what a child says ---- */

/* An answer is owed until it is sent, and nothing more is read from that child. */
static void pay(struct worker *w)
{
	int rc = w->owed.kind ? pair_send(w->fd, &w->owed, NULL, SPAN_NULL) : 0;

	/* who has gone needs none; what it said before is read all the same */
	if (rc == 0 || (errno != EAGAIN && errno != EINTR))
		w->owed.kind = 0;
	uv_poll_start(&w->poll, w->owed.kind ? UV_WRITABLE : UV_READABLE, on_pair);
}

/* A full socket holds events that were not taken: one more would say nothing new. */
static void on_change(void *arg)
{
	struct worker *w = arg;
	const struct pair_msg m = { PAIR_CHANGE, ++w->n_changes };

	(void)!pair_send(w->fd, &m, NULL, SPAN_NULL);
}

/* The session has no process any more. */
static struct parent_session *take_session(struct worker *w)
{
	struct parent_session *s = w->process->session;

	w->process->session = NULL;
	if (s)
		s->process = NULL;
	return s;
}

static void done(struct worker *w)
{
	struct parent_session *s = take_session(w);

	notify_end(&w->watch);
	if (!s) {
		end(w);
		return;
	}
	session_parent_end(w->ws->parent, s);
	wait_for_next(w);
}

static bool is_stream_socket(int fd)
{
	int type = 0;
	socklen_t size = sizeof(type);

	return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

/* Takes *client when it is one. */
static void park(struct worker *w, uint32_t n_seen, int *client, struct span behind)
{
	struct worker_park left = { .client = *client, .watch = w->watch, .is_due = w->watch && n_seen != w->n_changes };
	struct parent_session *s;

	if (behind.n < sizeof(left.head) || !is_stream_socket(*client))
		return;
	memcpy(&left.head, behind.p, sizeof(left.head));
	behind = span_from(behind, sizeof(left.head));
	if (left.head.words_n > behind.n)
		return;
	left.words = span_sub(behind, 0, (size_t)left.head.words_n);
	left.state = span_from(behind, left.words.n);
	s = take_session(w);
	if (!s)
		return;
	w->watch = NULL;
	*client = -1;
	w->ws->park(w->ws->park_arg, s, &left);
	end(w);
}

/* Another process serves what this one could not. */
static void refuse(struct worker *w, int client, struct span state)
{
	struct session_parent *p = w->ws->parent;
	struct parent_session *s = take_session(w);
	struct err err = ERR_INIT;

	end(w);
	if (!s)
		return;
	s->start.state = state;
	if (!is_stream_socket(client))
		err_set(&err, ERR_PROTO, "a process gave no client back");
	else if (session_parent_serve(p, s, client, &err) == 0)
		s->start.state = SPAN_NULL;
	if (err.kind == ERR_NONE)
		return;
	log_error("%s", err.msg);
	session_parent_end(p, s);
}

static void obey(struct worker *w, const struct pair_msg *m, int fds[2], struct span behind)
{
	switch (m->kind) {
	case PAIR_WATCH:
		notify_end(&w->watch);
		w->n_changes = 0;
		w->watch = notify_watch(w->ws->notify, fds, on_change, w);
		w->owed = (struct pair_msg){ w->watch ? PAIR_ON : PAIR_OFF, m->number };
		pay(w);
		break;
	case PAIR_UNWATCH:
		notify_end(&w->watch);
		break;
	case PAIR_PARK:
		park(w, m->number, &fds[0], behind);
		break;
	case PAIR_DONE:
		done(w);
		break;
	case PAIR_REFUSE:
		refuse(w, fds[0], behind);
		break;
	default:
		break;
	}
}

/* Up to max messages; -1: the child has closed its end. */
static int hear(struct worker *w, int max)
{
	int i, rc = 1, fds[2];

	for (i = 0; i < max && rc > 0 && !w->owed.kind && !w->is_ending; i++) {
		struct pair_msg m = { 0 };
		char behind[PAIR_MAX];
		size_t n;

		rc = pair_receive(w->fd, &m, fds, behind, &n);
		if (rc > 0)
			obey(w, &m, fds, (struct span){ behind, n });
		pair_give_back(fds[0]);
		pair_give_back(fds[1]);
	}
	return rc;
}

static void on_pair(uv_poll_t *h, int status, int events)
{
	struct worker *w = h->data;

	if (w->owed.kind)
		pay(w);
	if (hear(w, BURST) < 0)
		end(w);
}

void workers_reaped(struct session_process *pr)
{
	struct worker *w = pr->own;

	if (!w)
		return;
	/* its last words may be about its session */
	w->owed.kind = 0;
	(void)hear(w, LAST_WORDS);
	end(w);
}

/* ---- serving ---- */

void workers_add(struct workers *ws, struct session_process *pr, int fd)
{
	struct worker *w = xnew(struct worker);

	w->ws = ws;
	w->process = pr;
	pr->own = w;
	w->fd = fd;
	w->n_served = 1;
	w->n_dismissals = ws->n_dismissals;
	LIST_INSERT_HEAD(&ws->list, w, link);
	w->n_handles = 2;
	w->poll.data = w->idle.data = w;
	uv_timer_init(&ws->parent->loop->uv, &w->idle);
	BUG(uv_poll_init(&ws->parent->loop->uv, &w->poll, fd) != 0);
	uv_poll_start(&w->poll, UV_READABLE, on_pair);
}

static int fork_one(struct workers *ws, struct parent_session *s, int fd, struct err *err)
{
	int rc, fds[2] = { -1, -1 };

	if (pair_new(fds) < 0)
		log_warn("cannot make a socketpair (%m): a session looks for new mail every few seconds");
	s->start.watch_fd = fds[1];
	rc = session_parent_fork(ws->parent, s, fd, err);
	s->start.watch_fd = -1;
	if (fds[1] >= 0)
		close(fds[1]);
	if (rc == 0 && fds[0] >= 0)
		workers_add(ws, s->process, fds[0]);
	else if (fds[0] >= 0)
		close(fds[0]);
	return rc;
}

static bool is_of(const struct worker *w, const struct child_start *st)
{
	const struct child_start *who = &w->process->who;

	return who->uid == st->uid && who->gid == st->gid && who->quota == st->quota &&
	       who->quota_messages == st->quota_messages && strcmp(who->user, st->user) == 0 &&
	       strcmp(who->system_user, st->system_user) == 0 && strcmp(who->home, st->home) == 0 &&
	       strcmp(who->mail, st->mail) == 0 && strcmp(who->index, st->index) == 0;
}

/* False: another process must serve it. */
static bool begin(struct worker *w, struct parent_session *s, int fd)
{
	const struct child_start *st = &s->start;
	const struct pair_msg m = { PAIR_BEGIN, 0 };
	struct pair_begin words = { .session = span_z(st->session), .remote = span_z(st->remote), .tag = span_z(st->tag),
				    .input = st->input, .state = st->state };
	struct str behind = STR_INIT(PAIR_MAX);
	bool is_sent = ipc_encode(&behind, &pair_begin_desc, &words) == 0 &&
		       pair_send(w->fd, &m, (int[2]){ fd, -1 }, str_span(&behind)) == 0;

	str_fini(&behind);
	if (!is_sent)
		return false;
	w->is_waiting = false;
	w->ws->n_waiting--;
	w->n_served++;
	uv_timer_stop(&w->idle);
	w->process->session = s;
	s->process = w->process;
	return true;
}

int workers_serve(struct workers *ws, struct parent_session *s, int fd, struct err *err)
{
	struct worker *w;

	for (w = s->start.had_crash ? NULL : LIST_FIRST(&ws->list); w; w = LIST_NEXT(w, link)) {
		if (w->is_waiting && is_of(w, &s->start) && begin(w, s, fd))
			return 0;
	}
	return fork_one(ws, s, fd, err);
}

void workers_init(struct workers *ws, struct session_parent *p, struct notify *n, worker_park_fn *park_fn, void *park_arg)
{
	*ws = (struct workers){ .parent = p, .notify = n, .park = park_fn, .park_arg = park_arg };
}

void workers_fini(struct workers *ws)
{
	struct worker *w;

	LIST_FOREACH(w, &ws->list, link)
		end(w);
}
