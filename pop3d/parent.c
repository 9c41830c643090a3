#include "pop3d/parent.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "pop3d/child.h"
#include "svc/daemon_log.h"
#include "svc/msg_auth.h"
#include "svc/msg_resolve.h"
#include "svc/msg_session.h"

#define TICKET_TIMEOUT_MS 30000

struct front {
	struct front *next;
	struct parent *p;
	struct ipc ipc;
};

/* A client whose ticket is being redeemed. */
struct request {
	struct request *next;
	struct parent *p;
	struct front *front;            /* NULL: login's worker has gone */
	uint32_t id;
	int fd;                         /* -1 under TLS */
	bool is_tls;
	struct arena arena;
	struct start start;
	const char *remote;
	struct ipc_req ticket;
};

struct count {
	uint64_t n;
};

struct child {
	struct child *next;
	pid_t pid;
	char *key;                      /* in per_user */
	char *label;                    /* "user, session id" for the log */
};

/* ---- children ---- */

static void discount(struct parent *p, const char *key)
{
	struct count *c = htab_get(&p->per_user, span_z(key));

	if (c && --c->n == 0) {
		htab_del(&p->per_user, span_z(key));
		free(c);
	}
}

static uint64_t count_of(struct parent *p, const char *key)
{
	const struct count *c = htab_get(&p->per_user, span_z(key));

	return c ? c->n : 0;
}

static void remember(struct parent *p, pid_t pid, const char *key, const struct start *start)
{
	struct child *ch = xnew(struct child);
	struct count *c = htab_get(&p->per_user, span_z(key));
	struct str label = STR_INIT(2000);

	if (!c) {
		c = xnew(struct count);
		htab_put(&p->per_user, span_z(key), c);
	}
	c->n++;
	ch->pid = pid;
	ch->key = xstrdup(key);
	(void)str_addf(&label, "pop3(%s)<%d><%s>", start->user, (int)pid, start->session);
	ch->label = str_detach(&label);
	ch->next = p->children;
	p->children = ch;
	p->n_children++;
}

static void free_child(struct child *ch)
{
	free(ch->key);
	free(ch->label);
	free(ch);
}

static void tell_if_empty(struct parent *p)
{
	if (p->is_draining && p->n_children == 0 && !p->requests && p->on_empty)
		p->on_empty(p->on_empty_arg);
}

void parent_reap(struct parent *p, pid_t pid, int status)
{
	struct child **at = &p->children, *ch;

	while (*at && (*at)->pid != pid)
		at = &(*at)->next;
	ch = *at;
	if (!ch)
		return;
	*at = ch->next;
	if (WIFSIGNALED(status))
		log_error("%s: killed by signal %d (%s)", ch->label, WTERMSIG(status), strsignal(WTERMSIG(status)));
	discount(p, ch->key);
	free_child(ch);
	p->n_children--;
	tell_if_empty(p);
}

static void on_sigchld(uv_signal_t *h, int signum)
{
	struct parent *p = h->data;
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		parent_reap(p, pid, status);
}

pid_t parent_fork(struct daemon *d, const struct start *start, int fd, struct err *err)
{
	sigset_t all, old;
	pid_t pid;

	/* what is buffered would be written twice */
	daemon_log_flush();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0)
		child_run(d, start, fd);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pid < 0 ? err_sys(err, "cannot fork a process for a session") : pid;
}

/* ---- requests ---- */

static void end_request(struct request *r)
{
	struct request **at = &r->p->requests;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	ipc_cancel(&r->ticket);
	if (r->fd >= 0)
		close(r->fd);
	arena_fini(&r->arena);
	free(r);
}

static void answer(struct request *r, enum msg_status status, pid_t pid, struct span text, int *fd)
{
	struct session_started m = { .status = status, .pid = pid > 0 ? (uint64_t)pid : 0, .text = text };

	if (r->front && ipc_reply(&r->front->ipc, r->id, &session_started_desc, &m, fd) < 0)
		log_error("channel session: cannot answer login");
	if (fd && *fd >= 0)
		close(*fd);
}

static void refuse(struct request *r, enum msg_status status, struct span text)
{
	struct parent *p = r->p;

	answer(r, status, 0, text, NULL);
	end_request(r);
	tell_if_empty(p);
}

/* Of a pair login gets one end and relays; the child has the other. */
static int make_pair(struct request *r, int *login_fd, struct err *err)
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

static void start_session(struct request *r, const char *key)
{
	struct parent *p = r->p;
	struct err err = ERR_INIT;
	int login_fd;
	pid_t pid;

	pid = make_pair(r, &login_fd, &err) < 0 ? -1 : p->spawn(p->daemon, &r->start, r->fd, &err);
	if (pid < 0) {
		log_error("%s", err.msg);
		if (login_fd >= 0)
			close(login_fd);
		refuse(r, MSG_TEMP, SPAN_LIT("Internal error: no process for the session."));
		return;
	}
	remember(p, pid, key, &r->start);
	answer(r, MSG_OK, pid, SPAN_NULL, &login_fd);
	end_request(r);
}

static void fill_start(struct request *r, const struct ticket_user *u)
{
	struct arena *a = &r->arena;
	struct start *st = &r->start;

	st->user = arena_strndup(a, u->user.p, u->user.n);
	st->system_user = arena_strndup(a, u->system_user.p, u->system_user.n);
	st->home = arena_strndup(a, u->home.p, u->home.n);
	st->mail = arena_strndup(a, u->mail.p, u->mail.n);
	st->index = arena_strndup(a, u->index.p, u->index.n);
	st->uid = (uid_t)u->uid;
	st->gid = (gid_t)u->gid;
	st->quota = u->quota;
	st->changes_user = r->p->is_root;
	st->is_sandboxed = r->p->is_sandboxed;
	st->log_tag = r->p->log_tag;
	st->conf = &r->p->conf;
}

static void on_user(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	struct request *r = arg;
	struct parent *p = r->p;
	const struct ticket_user *u = reply;
	const char *key;

	if (rc != IPC_OK) {
		log_error("channel ticket: auth does not answer");
		refuse(r, MSG_TEMP, SPAN_NULL);
		return;
	}
	if (u->status != MSG_OK) {
		refuse(r, (enum msg_status)u->status, u->text);
		return;
	}
	if (p->is_root && (u->uid == 0 || u->uid > UINT32_MAX - 1 || u->gid > UINT32_MAX - 1)) {
		log_error("user %.*s has uid %llu: not served", SPAN_ARG(u->user), (unsigned long long)u->uid);
		refuse(r, MSG_NO, SPAN_LIT("This user cannot read mail here."));
		return;
	}
	fill_start(r, u);
	key = arena_printf(&r->arena, "%s\n%s", r->start.user, r->remote);
	if (p->max_per_user && count_of(p, key) >= p->max_per_user) {
		log_info("pop3(%s)<%s>: too many connections from %s (mail_max_userip_connections=%llu)", r->start.user,
			 r->start.session, r->remote, (unsigned long long)p->max_per_user);
		refuse(r, MSG_TEMP, SPAN_LIT("Maximum number of connections from user+IP exceeded "
					     "(mail_max_userip_connections)"));
		return;
	}
	start_session(r, key);
}

static void on_start(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct front *f = arg;
	struct parent *p = f->p;
	const struct session_start *m = in;
	struct ticket_redeem redeem = { m->ticket, m->service };
	struct request *r = xnew(struct request);

	*r = (struct request){ .p = p, .front = f, .id = id, .fd = *fd, .is_tls = m->is_tls != 0 };
	*fd = -1;
	r->start.session = arena_strndup(&r->arena, m->session.p, m->session.n);
	r->start.input = arena_span(&r->arena, m->input);
	r->remote = arena_strndup(&r->arena, m->remote_addr.p, m->remote_addr.n);
	r->next = p->requests;
	p->requests = r;
	if (p->is_draining || r->is_tls != (r->fd < 0) || !span_eqz(m->service, "pop3") ||
	    ipc_call(&p->tickets, &ticket_redeem_desc, &redeem, NULL, &ticket_user_desc, &r->ticket, on_user, r,
		     TICKET_TIMEOUT_MS) < 0)
		refuse(r, MSG_TEMP, SPAN_NULL);
}

/* ---- channels ---- */

static const struct ipc_rule front_rules[] = { { &session_start_desc, ~0u, on_start } };

static void free_front(struct front *f)
{
	struct front **at = &f->p->fronts;
	struct request *r;

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

void parent_init(struct parent *p, struct daemon *d, struct loop *loop)
{
	p->daemon = d;
	p->loop = loop;
	p->spawn = parent_fork;
	ipc_init(&p->tickets, loop, &ticket_ops, p);
	uv_signal_init(&loop->uv, &p->on_child);
	p->on_child.data = p;
	uv_signal_start(&p->on_child, on_sigchld, SIGCHLD);
	uv_unref((uv_handle_t *)&p->on_child);
}

void parent_fini(struct parent *p)
{
	p->on_empty = NULL;
	ipc_close(&p->tickets);
	while (p->requests)
		end_request(p->requests);
	while (p->fronts)
		free_front(p->fronts);
	while (p->children) {
		struct child *ch = p->children;

		p->children = ch->next;
		discount(p, ch->key);
		free_child(ch);
	}
	htab_fini(&p->per_user);
	uv_close((uv_handle_t *)&p->on_child, NULL);
}

void parent_attach(struct parent *p, enum channel_kind kind, int *fd)
{
	struct front *f;

	if (kind == CHAN_TICKET) {
		ipc_close(&p->tickets);
		ipc_attach(&p->tickets, fd);
	} else if (kind == CHAN_SESSION) {
		f = xnew(struct front);
		f->p = p;
		f->next = p->fronts;
		p->fronts = f;
		ipc_init(&f->ipc, p->loop, &front_ops, f);
		ipc_attach(&f->ipc, fd);
	}
}

void parent_drain(struct parent *p)
{
	p->is_draining = true;
	tell_if_empty(p);
}
