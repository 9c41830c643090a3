#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/pam.h"
#include "base/log.h"
#include "base/mem.h"

#define CHILD_TIMEOUT_MS 50000

struct answer {
	int status;             /* enum msg_status */
	char text[200];
};

/* One question; queued until a child may run. */
struct question {
	struct pam_server *server;
	struct question *next;
	struct arena arena;
	struct pam_check check;
	uint32_t call;
	unsigned attachment;    /* of the channel that asked */
	pid_t pid;
	int fd;
	uv_poll_t *poll;
	uv_timer_t *timer;
};

struct pam_server {
	struct loop *loop;
	struct ipc ipc;
	unsigned attachment;
	pam_fork_fn *fork_child;
	void *arg;
	struct question *waiting, **waiting_end;
	struct question *running;
	size_t n_waiting, n_running;
};

static void run_next(struct pam_server *s);

static void free_handle(uv_handle_t *h)
{
	free(h);
}

static void question_free(struct question *q)
{
	if (q->check.password.n)
		explicit_bzero((void *)(uintptr_t)q->check.password.p, q->check.password.n);
	arena_fini(&q->arena);
	free(q);
}

static void answer(struct question *q, enum msg_status status, const char *text)
{
	struct pam_server *s = q->server;
	struct pam_result r = { status, span_z(text) };

	if (status == MSG_TEMP)
		log_warn("pam(%.*s,%.*s): %s", SPAN_ARG(q->check.user), SPAN_ARG(q->check.remote_addr), text);
	if (q->attachment == s->attachment && ipc_is_attached(&s->ipc) &&
	    ipc_reply(&s->ipc, q->call, &pam_result_desc, &r, NULL) < 0)
		log_error("auth does not take PAM's answer");
}

static void finish(struct question *q, enum msg_status status, const char *text)
{
	struct pam_server *s = q->server;
	struct question **at = &s->running;

	while (*at != q)
		at = &(*at)->next;
	*at = q->next;
	s->n_running--;
	q->poll->data = q->timer->data = NULL;
	uv_close((uv_handle_t *)q->poll, free_handle);
	uv_close((uv_handle_t *)q->timer, free_handle);
	close(q->fd);
	kill(q->pid, SIGKILL);          /* it has answered, or never will */
	waitpid(q->pid, NULL, 0);
	answer(q, status, text);
	question_free(q);
	run_next(s);
}

static void on_child(uv_poll_t *p, int status, int events)
{
	struct answer a = { MSG_TEMP, "" };

	if (!p->data)
		return;
	if (recv(((struct question *)p->data)->fd, &a, sizeof(a), 0) != (ssize_t)sizeof(a) || a.status > MSG_TEMP ||
	    a.status < 0)
		a = (struct answer){ MSG_TEMP, "the PAM child died" };
	a.text[sizeof(a.text) - 1] = '\0';
	finish(p->data, (enum msg_status)a.status, a.text);
}

static void on_timeout(uv_timer_t *t)
{
	if (t->data)
		finish(t->data, MSG_TEMP, "PAM did not answer in time");
}

static int start(struct question *q)
{
	struct pam_server *s = q->server;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -1;
	q->pid = s->fork_child(s->arg, &q->check, fds[1]);
	close(fds[1]);
	if (q->pid < 0) {
		close(fds[0]);
		return -1;
	}
	q->fd = fds[0];
	q->next = s->running;
	s->running = q;
	s->n_running++;
	q->poll = xnew(uv_poll_t);
	q->timer = xnew(uv_timer_t);
	BUG(uv_poll_init(&s->loop->uv, q->poll, q->fd) != 0);
	uv_timer_init(&s->loop->uv, q->timer);
	q->poll->data = q->timer->data = q;
	uv_poll_start(q->poll, UV_READABLE | UV_DISCONNECT, on_child);
	uv_timer_start(q->timer, on_timeout, CHILD_TIMEOUT_MS, 0);
	return 0;
}

static void run_next(struct pam_server *s)
{
	while (s->waiting && s->n_running < PAM_RUNNING_MAX) {
		struct question *q = s->waiting;

		s->waiting = q->next;
		s->n_waiting--;
		if (!s->waiting)
			s->waiting_end = &s->waiting;
		if (q->attachment != s->attachment) {
			question_free(q);
		} else if (start(q) < 0) {
			log_error("PAM child: cannot fork");
			answer(q, MSG_TEMP, "cannot fork");
			question_free(q);
		}
	}
}

static void on_check(void *arg, struct ipc *c, uint32_t call, const void *in, int *fd)
{
	struct pam_server *s = arg;
	const struct pam_check *m = in;
	struct question *q = xnew(struct question);

	q->server = s;
	q->call = call;
	q->attachment = s->attachment;
	q->check = (struct pam_check){ arena_span(&q->arena, m->service), arena_span(&q->arena, m->user),
				       arena_span(&q->arena, m->password), arena_span(&q->arena, m->remote_addr) };
	if (m->password.n)
		explicit_bzero((void *)(uintptr_t)m->password.p, m->password.n);
	if (s->n_waiting >= PAM_WAITING_MAX || span_has_nul(q->check.user) || span_has_nul(q->check.password) ||
	    span_has_nul(q->check.service) || span_has_nul(q->check.remote_addr)) {
		answer(q, MSG_TEMP, "too many questions at once");
		question_free(q);
		return;
	}
	*s->waiting_end = q;
	s->waiting_end = &q->next;
	s->n_waiting++;
	run_next(s);
}

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
	struct pam_server *s = arg;

	s->attachment++;
	if (why->kind != ERR_NONE)
		log_error("channel pam: %s", why->msg);
}

static const struct ipc_rule rules[] = { { &pam_check_desc, ~0u, on_check } };
static const struct ipc_ops ops = { "pam", rules, ARRAY_LEN(rules), on_lost, NULL };

struct pam_server *pam_server_new(struct loop *loop, pam_fork_fn *fork_child, void *arg)
{
	struct pam_server *s = xnew(struct pam_server);

	s->loop = loop;
	s->fork_child = fork_child;
	s->arg = arg;
	s->waiting_end = &s->waiting;
	ipc_init(&s->ipc, loop, &ops, s);
	s->ipc.is_secret = true;
	return s;
}

void pam_server_attach(struct pam_server *s, int *fd)
{
	s->attachment++;
	ipc_attach(&s->ipc, fd);
}

void pam_server_free(struct pam_server *s)
{
	s->attachment++;                /* what waits is dropped, what runs answers nobody */
	ipc_close(&s->ipc);
	while (s->running)
		finish(s->running, MSG_TEMP, "leaving");
	run_next(s);
	free(s);
}

uint64_t pam_server_count(const struct pam_server *s)
{
	return s->n_running + s->n_waiting;
}

void pam_server_child(const char *confdir, const struct pam_check *q, int fd)
{
	struct answer a;

	memset(&a, 0, sizeof(a));
	/* the spans come from an arena, which ends each with NUL */
	a.status = (int)pam_verify(confdir, q->service.p, q->user.p, q->password.p ? q->password.p : "",
				   q->remote_addr.p ? q->remote_addr.p : "", a.text, sizeof(a.text));
	(void)!send(fd, &a, sizeof(a), MSG_NOSIGNAL);
}
