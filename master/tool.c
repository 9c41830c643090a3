#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "master.h"

#define STATUS_LIMIT_MS 1000u
#define WHO_LIMIT_MS 5000u
#define MAX_TOOLS 32

/* One caller of the named socket. Heap; in master's list. */
struct tool {
	struct master *m;
	struct tool *next;
	struct ipc ipc;
	uint32_t id;
	struct ipc_req who;             /* to a parent of sessions */
	bool is_open;                   /* a question waits for its answer */
	bool wants_status;
	bool wants_ok;                  /* as soon as all have done what they were told before */
	uint64_t deadline_ms;
};

static void tool_free(struct tool *t)
{
	struct tool **at;

	for (at = &t->m->tools; *at != t; at = &(*at)->next)
		;
	*at = t->next;
	reload_forget_tool(t->m, t);
	ipc_cancel(&t->who);
	ipc_close(&t->ipc);
	free(t);
}

static void reply(struct tool *t, struct tool_reply *r)
{
	const struct master *m = t->m;

	r->pid = (uint64_t)getpid();
	r->instance = m->instance;
	r->generation = m->config->generation;
	r->uptime_ms = clock_mono_ms() - m->started_ms;
	r->config_directory = span_z(m->config_directory);
	if (t->is_open && ipc_reply(&t->ipc, t->id, &tool_reply_desc, r, NULL) < 0)
		log_warn("the answer to surat(1) does not fit");
	t->is_open = false;
}

void tool_answer(struct tool *t, bool is_ok, const char *text)
{
	struct tool_reply r = { .is_ok = is_ok, .text = span_z(text) };

	reply(t, &r);
}

/* ---- status ---- */

static const char *services_of(const struct master *m, const struct proc *p, struct arena *a)
{
	struct str names = STR_INIT(1000);
	const char *z;
	size_t i;

	for (i = 0; i < m->config->services.n; i++) {
		const struct mastercf_service *s = &m->config->services.v[i];

		if (strcmp(s->command, p->program->name) == 0 && s->type == MASTERCF_INET &&
		    str_addf(&names, "%s%s", names.n ? " " : "", s->name) < 0)
			break;
	}
	z = arena_strndup(a, names.p, names.n);
	str_fini(&names);
	return z;
}

static void send_status(struct tool *t)
{
	static const char *const states[] = { "starting", "ready", "draining", "dead" };
	struct master *m = t->m;
	struct arena *a = &m->loop.tick;
	struct tool_reply r = { .is_ok = m->state == MASTER_RUNNING };
	struct tool_process *v;
	struct proc *p;
	size_t n = 0;

	for (p = m->procs; p; p = p->next)
		n++;
	r.processes.v = v = arena_alloc(a, (n + 1) * sizeof(*v));
	for (p = m->procs; p; p = p->next) {
		v[r.processes.n++] = (struct tool_process){
			span_z(p->program->name), p->worker, (uint64_t)p->pid, span_z(spawn_user(p)),
				span_z(services_of(m, p, a)),
			span_z(states[p->state]), p->sessions, p->restarts,
			p->pid ? clock_mono_ms() - p->started_ms : 0,
		};
	}
	t->wants_status = false;
	reply(t, &r);
}

/* Whoever waits for status is answered when no process owes its numbers any more. */
static void check_status(struct master *m)
{
	struct tool *t;
	struct proc *p;

	for (p = m->procs; p; p = p->next) {
		if (p->status_req.c)
			return;
	}
	for (t = m->tools; t; t = t->next) {
		if (t->wants_status)
			send_status(t);
		if (t->wants_ok)
			tool_answer(t, true, "");
		t->wants_ok = false;
	}
}

static void on_status(void *arg, enum ipc_rc rc, const void *in, int *fd)
{
	const struct ctl_status_reply *msg = in;
	struct proc *p = arg;

	if (rc == IPC_OK)
		p->sessions = msg->sessions;
	check_status(p->m);
}

static void ask_all(struct master *m)
{
	struct proc *p;

	for (p = m->procs; p; p = p->next) {
		if ((p->state == PROC_READY || p->state == PROC_DRAINING) && !p->status_req.c &&
		    ipc_call(&p->ctl, &ctl_status_desc, NULL, NULL, &ctl_status_reply_desc, &p->status_req, on_status,
			     p, STATUS_LIMIT_MS) < 0)
			log_debug("%s takes no question", p->program->name);
	}
}

/* Whoever answers a question has handled all messages before it. */
void tool_answer_settled(struct tool *t)
{
	t->wants_ok = true;
	ask_all(t->m);
	check_status(t->m);
}

/* ---- who and kick ---- */

static void answer_who(struct tool *t, const struct tool_who_reply *r)
{
	if (t->is_open && ipc_reply(&t->ipc, t->id, &tool_who_reply_desc, r, NULL) < 0)
		log_warn("the answer to surat(1) does not fit");
	t->is_open = false;
}

static void on_sessions(void *arg, enum ipc_rc rc, const void *in, int *fd)
{
	const struct ctl_who_reply *m = in;
	struct tool_who_reply r = { .text = SPAN_LIT("the daemon does not answer") };

	if (rc == IPC_OK)
		r = (struct tool_who_reply){ .is_ok = 1, .has_more = m->has_more, .sessions = m->sessions };
	answer_who(arg, &r);
}

static bool has_sessions(const char *program)
{
	size_t i;

	for (i = 0; i < topology_n_channels; i++) {
		if (topology_channels[i].kind == CHAN_SESSION && strcmp(topology_channels[i].server, program) == 0)
			return true;
	}
	return false;
}

static void on_who(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct tool_who *w = in;
	const struct ctl_who ask = { w->after, w->is_kick, w->match };
	struct tool_who_reply none = { .is_ok = 1 };
	struct tool *t = arg;
	struct proc *p;

	ipc_cancel(&t->who);
	t->id = id;
	t->is_open = true;
	for (p = t->m->procs; p; p = p->next) {
		if (span_eqz(w->program, p->program->name) && has_sessions(p->program->name) &&
		    (p->state == PROC_READY || p->state == PROC_DRAINING))
			break;
	}
	if (!p)
		answer_who(t, &none);
	else if (ipc_call(&p->ctl, &ctl_who_desc, &ask, NULL, &ctl_who_reply_desc, &t->who, on_sessions, t,
			  WHO_LIMIT_MS) < 0)
		on_sessions(t, IPC_LOST, NULL, NULL);
}

/* ---- the socket ---- */

static void on_request(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct tool_request *r = in;
	struct tool *t = arg;

	t->id = id;
	t->is_open = true;
	if (span_eqz(r->command, "status")) {
		t->wants_status = true;
		ask_all(t->m);
		check_status(t->m);
	} else if (span_eqz(r->command, "reload")) {
		reload_begin(t->m, t);
	} else if (span_eqz(r->command, "stop")) {
		tool_answer(t, true, "");
		stop_begin(t->m, "surat stop");
	} else {
		tool_answer(t, false, "unknown command");
	}
}

static const struct ipc_rule rules[] = { { &tool_request_desc, ~0u, on_request }, { &tool_who_desc, ~0u, on_who } };

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
	if (why->kind != ERR_NONE)
		log_warn("socket master: %s", why->msg);
	tool_free(arg);
}

static const struct ipc_ops ops = { "tool", rules, ARRAY_LEN(rules), on_lost, NULL };

static void on_connect(uv_poll_t *h, int status, int events)
{
	struct master *m = h->data;
	struct tool *t;
	size_t n = 0;
	int fd = accept4(m->tool_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	for (t = m->tools; t; t = t->next)
		n++;
	if (fd < 0 || n >= MAX_TOOLS) {
		if (fd >= 0)
			close(fd);
		return;
	}
	t = xnew(struct tool);
	t->m = m;
	t->next = m->tools;
	m->tools = t;
	ipc_init(&t->ipc, &m->loop, &ops, t);
	ipc_attach(&t->ipc, &fd);
}

int tool_open(struct master *m, struct err *err)
{
	struct listeners one = { 0 };
	const char *path = arena_printf(&m->loop.tick, "%s/master", m->run_directory);

	if (listen_add_unix(&one, path, 0600, "master", "master", err) < 0)
		return -1;
	m->tool_fd = dup(one.v[0].fd);
	listen_fini(&one, false);
	if (m->tool_fd < 0)
		return err_sys(err, "dup");
	uv_poll_init(&m->loop.uv, &m->tool_poll, m->tool_fd);
	m->tool_poll.data = m;
	uv_poll_start(&m->tool_poll, UV_READABLE, on_connect);
	return 0;
}

void tool_close(struct master *m)
{
	if (m->tool_fd < 0)
		return;
	uv_close((uv_handle_t *)&m->tool_poll, NULL);
	close(m->tool_fd);
	m->tool_fd = -1;
	unlink(arena_printf(&m->loop.tick, "%s/master", m->run_directory));
	while (m->tools)
		tool_free(m->tools);
}
