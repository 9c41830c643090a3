#include "svc/session_parent.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/params.h"
#include "svc/msg_auth.h"
#include "svc/msg_resolve.h"
#include "svc/msg_session.h"

#define TICKET_TIMEOUT_MS 30000
#define START_CHUNK 512         /* what is known of a session usually fits */

struct session_front {
	struct session_front *next;
	struct session_parent *p;
	struct ipc ipc;
};

/* A client whose ticket is being redeemed. */
struct session_request {
	struct session_request *next;
	struct session_parent *p;
	struct session_front *front;            /* NULL: login's worker has gone */
	uint32_t id;
	int fd;                         /* -1 under TLS */
	bool is_tls;
	struct arena arena;
	struct child_start start;
	struct ipc_req ticket;
};

/* ---- requests ---- */

static void end_request(struct session_request *r)
{
	struct session_request **at = &r->p->requests;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	ipc_cancel(&r->ticket);
	if (r->fd >= 0)
		close(r->fd);
	arena_fini(&r->arena);
	free(r);
}

static void answer(struct session_request *r, uint64_t status, pid_t pid, struct span text, int *fd)
{
	struct session_started m = { .status = status, .pid = pid > 0 ? (uint64_t)pid : 0, .text = text };

	if (r->front && ipc_reply(&r->front->ipc, r->id, &session_started_desc, &m, fd) < 0)
		log_error("channel session: cannot answer login");
	if (fd && *fd >= 0)
		close(*fd);
}

static void refuse(struct session_request *r, uint64_t status, struct span text)
{
	struct session_parent *p = r->p;

	answer(r, status, 0, text, NULL);
	end_request(r);
	session_parent_check_empty(p);
}

/* Of a pair login gets one end and relays; the child has the other. */
static int make_pair(struct session_request *r, int *login_fd, struct err *err)
{
	int fds[2];

	*login_fd = -1;
	if (!r->is_tls)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return err_sys(err, "cannot make a socketpair for a session");
	r->fd = fds[0];
	*login_fd = fds[1];
	return 0;
}

static void start_session(struct session_request *r)
{
	struct session_parent *p = r->p;
	struct parent_session *s = session_parent_begin(p, &r->start, &r->arena);
	struct err err = ERR_INIT;
	int login_fd;

	if (make_pair(r, &login_fd, &err) < 0 || session_parent_serve(p, s, r->fd, &err) < 0) {
		log_error("%s", err.msg);
		if (login_fd >= 0)
			close(login_fd);
		session_parent_end(p, s);
		refuse(r, MSG_TEMP, SPAN_LIT("Internal error: no process for the session."));
		return;
	}
	answer(r, MSG_OK, s->process->pid, SPAN_NULL, &login_fd);
	end_request(r);
}

static void fill_start(struct session_request *r, const struct ticket_user *u)
{
	struct arena *a = &r->arena;
	struct child_start *st = &r->start;

	st->user = arena_strndup(a, u->user.p, u->user.n);
	st->system_user = arena_strndup(a, u->system_user.p, u->system_user.n);
	st->home = arena_strndup(a, u->home.p, u->home.n);
	st->mail = arena_strndup(a, u->mail.p, u->mail.n);
	st->index = arena_strndup(a, u->index.p, u->index.n);
	st->uid = (uid_t)u->uid;
	st->gid = (gid_t)u->gid;
	st->quota = u->quota;
	st->quota_messages = r->p->quota_messages;
	st->instance = r->p->daemon ? r->p->daemon->instance : 0;
	st->watch_fd = -1;
}

static void on_user(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	struct session_request *r = arg;
	struct session_parent *p = r->p;
	const struct ticket_user *u = reply;

	if (rc != IPC_OK) {
		log_error("channel ticket: auth does not answer");
		refuse(r, MSG_TEMP, SPAN_NULL);
		return;
	}
	if (u->status != MSG_OK) {
		refuse(r, u->status, u->text);
		return;
	}
	if (p->is_root && (u->uid == 0 || u->uid > UINT32_MAX - 1 || u->gid > UINT32_MAX - 1)) {
		log_error("user %.*s has uid %llu: not served", SPAN_ARG(u->user), (unsigned long long)u->uid);
		refuse(r, MSG_NO, SPAN_LIT("This user cannot read mail here."));
		return;
	}
	fill_start(r, u);
	if (session_parent_is_full(p, &r->start)) {
		log_info("%s(%s)<%s>: too many connections from %s (mail_max_userip_connections=%llu)", p->kind->service,
			 r->start.user, r->start.session, r->start.remote, (unsigned long long)p->max_per_user);
		refuse(r, SESSION_FULL, SPAN_NULL);
		return;
	}
	start_session(r);
}

static void on_sigchld(uv_signal_t *h, int signum)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		session_parent_reap(h->data, pid, status);
}

static void on_start(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct session_front *f = arg;
	struct session_parent *p = f->p;
	const struct session_start *m = in;
	struct ticket_redeem redeem = { m->ticket, m->service };
	struct session_request *r = xnew(struct session_request);

	*r = (struct session_request){ .p = p, .front = f, .id = id, .fd = *fd, .is_tls = m->is_tls != 0 };
	*fd = -1;
	arena_init(&r->arena, START_CHUNK);
	r->start.session = arena_strndup(&r->arena, m->session.p, m->session.n);
	r->start.input = arena_span(&r->arena, m->input);
	r->start.remote = arena_strndup(&r->arena, m->remote_addr.p, m->remote_addr.n);
	r->start.tag = arena_strndup(&r->arena, m->tag.p, m->tag.n);
	r->start.capa = arena_strndup(&r->arena, m->capa.p, m->capa.n);
	r->next = p->requests;
	p->requests = r;
	if (p->is_draining || r->is_tls != (r->fd < 0) || !span_eqz(m->service, p->kind->service) ||
	    ipc_call(&p->tickets, &ticket_redeem_desc, &redeem, NULL, &ticket_user_desc, &r->ticket, on_user, r,
		     TICKET_TIMEOUT_MS) < 0)
		refuse(r, MSG_TEMP, SPAN_NULL);
}

/* ---- channels ---- */

static const struct ipc_rule front_rules[] = { { &session_start_desc, ~0u, on_start } };

static void free_front(struct session_front *f)
{
	struct session_front **at = &f->p->fronts;
	struct session_request *r;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	for (r = f->p->requests; r; r = r->next) {
		if (r->front == f)
			r->front = NULL;
	}
	ipc_close(&f->ipc);
	free(f);
}

static void on_front_lost(void *arg, struct ipc *c, const struct err *why)
{
	if (why->kind != ERR_NONE)
		log_error("channel session: %s", why->msg);
	free_front(arg);
}

static void on_tickets_lost(void *arg, struct ipc *c, const struct err *why)
{
	if (why->kind != ERR_NONE)
		log_error("channel ticket: %s", why->msg);
}

static const struct ipc_ops front_ops = { "session", front_rules, ARRAY_LEN(front_rules), on_front_lost, NULL };
static const struct ipc_ops ticket_ops = { "ticket", NULL, 0, on_tickets_lost, NULL };

void session_parent_init(struct session_parent *p, const struct session_kind *kind, struct daemon *d, struct loop *loop)
{
	p->kind = kind;
	p->daemon = d;
	p->loop = loop;
	ipc_init(&p->tickets, loop, &ticket_ops, p);
	uv_signal_init(&loop->uv, &p->on_child);
	p->on_child.data = p;
	uv_signal_start(&p->on_child, on_sigchld, SIGCHLD);
	uv_unref((uv_handle_t *)&p->on_child);
	uv_timer_init(&loop->uv, &p->sweep);
	p->sweep.data = p;
}

void session_parent_fini(struct session_parent *p)
{
	p->on_empty = NULL;
	ipc_close(&p->tickets);
	while (p->requests)
		end_request(p->requests);
	while (p->fronts)
		free_front(p->fronts);
	while (p->sessions)
		session_parent_end(p, p->sessions);
	while (p->processes)
		session_parent_reap(p, p->processes->pid, 0);
	htab_fini(&p->per_user);
	htab_fini(&p->crashed);
	sandbox_calls_free(p->calls);
	p->calls = NULL;
	uv_close((uv_handle_t *)&p->on_child, NULL);
	uv_close((uv_handle_t *)&p->sweep, NULL);
}

int session_parent_read_conf(struct session_parent *p, const struct session_kind *kind, struct daemon *d, const void *conf,
			     struct err *err)
{
	struct global_conf global;
	struct login_conf login;
	struct store_conf store;

	if (global_conf_read(&global, d->conf, &d->arena, err) < 0 || login_conf_read(&login, d->conf, &d->arena, err) < 0 ||
	    store_conf_read(&store, d->conf, &d->arena, err) < 0)
		return -1;
	if (!p->calls && sandbox_calls_new(&p->calls, CHILD_MAY, err) < 0)
		return -1;
	p->conf = conf;
	p->max_per_user = login.mail_max_userip_connections;
	p->quota_messages = store.quota_messages;
	p->is_root = d->is_root;
	p->is_sandboxed = global.sandbox;
	p->log_tag = strcmp(global.syslog_name, "dovecot") == 0 ? "dovecot:" : kind->service;
	return 0;
}

void session_parent_attach(struct session_parent *p, enum channel_kind kind, int *fd)
{
	struct session_front *f;

	if (kind == CHAN_TICKET) {
		ipc_close(&p->tickets);
		ipc_attach(&p->tickets, fd);
	} else if (kind == CHAN_SESSION) {
		f = xnew(struct session_front);
		f->p = p;
		f->next = p->fronts;
		p->fronts = f;
		ipc_init(&f->ipc, p->loop, &front_ops, f);
		ipc_attach(&f->ipc, fd);
	}
}

void session_parent_drain(struct session_parent *p)
{
	p->is_draining = true;
	session_parent_check_empty(p);
}
