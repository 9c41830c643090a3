/* The parent: tickets, limits, answers to login, children that end or crash. Nothing is forked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "svc/msg_auth.h"
#include "svc/msg_resolve.h"
#include "svc/msg_session.h"
#include "svc/session_parent.h"

struct rig {
	struct loop loop;
	struct session_parent p;
	struct ipc auth, login;
	bool auth_is_mute;
	struct ticket_user user;
	struct ipc_req reqs[8];
	size_t n_reqs;
	unsigned n_answers;
	uint64_t status, pid;
	int fd;                         /* that came with the last answer */
	char text[200];
	/* the fake spawn */
	unsigned n_spawned;
	char seen_user[64], seen_input[64], seen_mail[64], seen_capa[64];
	int child_fd;
	bool spawn_fails, spawn_forks, had_crash;
	struct str log;
};

static struct rig *rig;                 /* for the fake spawn, which has no argument of ours */

static void on_redeem(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct rig *g = arg;
	const struct ticket_redeem *m = in;

	assert_true(span_eqz(m->ticket, "T1") && span_eqz(m->service, "pop3"));
	if (!g->auth_is_mute)
		assert_int_equal(ipc_reply(c, id, &ticket_user_desc, &g->user, NULL), 0);
}

static const struct ipc_rule auth_rules[] = { { &ticket_redeem_desc, ~0u, on_redeem } };

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
}

static const struct ipc_ops auth_ops = { "auth", auth_rules, 1, on_lost, NULL };
static const struct ipc_ops login_ops = { "login", NULL, 0, on_lost, NULL };

static int fake_spawn(struct session_parent *p, struct parent_session *s, int fd, struct err *err)
{
	const struct child_start *start = &s->start;
	struct rig *g = rig;

	if (g->spawn_fails)
		return err_set(err, ERR_SYS, "no more processes");
	g->n_spawned++;
	g->had_crash = start->had_crash;
	if (g->spawn_forks) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;)
				pause();
		(void)session_parent_adopt(p, s, pid);
		return 0;
	}
	snprintf(g->seen_user, sizeof(g->seen_user), "%s", start->user);
	snprintf(g->seen_mail, sizeof(g->seen_mail), "%s", start->mail);
	snprintf(g->seen_input, sizeof(g->seen_input), "%.*s", SPAN_ARG(start->input));
	snprintf(g->seen_capa, sizeof(g->seen_capa), "%s", start->capa);
	if (g->child_fd >= 0)
		close(g->child_fd);
	g->child_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	(void)session_parent_adopt(p, s, 1000000 + (pid_t)g->n_spawned);
	return 0;
}

/* One that rested is served again, or cannot be. */
static int fake_wake(struct session_parent *p, struct parent_session *s)
{
	struct err err = ERR_INIT;

	if (session_parent_serve(p, s, rig->child_fd, &err) == 0)
		return 0;
	session_parent_end(p, s);
	return -1;
}

static const struct session_kind pop3 = { .service = "pop3", .spawn = fake_spawn, .wake = fake_wake };

static void on_log(void *arg, enum log_level level, const char *line)
{
	struct rig *g = arg;

	(void)!str_addf(&g->log, "%s\n", line);
}

static void link_up(struct rig *g, enum channel_kind kind, struct ipc *far, const struct ipc_ops *ops)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	ipc_init(far, &g->loop, ops, g);
	ipc_attach(far, &fds[0]);
	session_parent_attach(&g->p, kind, &fds[1]);
}

static int setup(void **state)
{
	struct rig *g = calloc(1, sizeof(*g));
	struct err err = ERR_INIT;

	rig = g;
	str_init(&g->log, 1 << 20);
	log_set_sink(on_log, g);
	assert_int_equal(loop_init(&g->loop, &err), 0);
	session_parent_init(&g->p, &pop3, NULL, &g->loop);
	g->p.max_per_user = 2;
	g->p.is_root = true;
	g->fd = g->child_fd = -1;
	g->user = (struct ticket_user){ .user = SPAN_LIT("tito"), .uid = 1000, .gid = 1000, .home = SPAN_LIT("/home/tito"),
					.mail = SPAN_LIT("/home/tito/Maildir") };
	link_up(g, CHAN_TICKET, &g->auth, &auth_ops);
	link_up(g, CHAN_SESSION, &g->login, &login_ops);
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	struct rig *g = *state;

	session_parent_fini(&g->p);
	ipc_close(&g->auth);
	ipc_close(&g->login);
	if (g->fd >= 0)
		close(g->fd);
	if (g->child_fd >= 0)
		close(g->child_fd);
	loop_fini(&g->loop);
	log_set_sink(NULL, NULL);
	str_fini(&g->log);
	free(g);
	return 0;
}

static void spin(struct rig *g)
{
	int i;

	for (i = 0; i < 8; i++)
		loop_turn(&g->loop, false);
}

static void on_answer(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	struct rig *g = arg;
	const struct session_started *m = reply;

	g->n_answers++;
	if (rc != IPC_OK) {
		g->status = 99;
		return;
	}
	g->status = m->status;
	g->pid = m->pid;
	snprintf(g->text, sizeof(g->text), "%.*s", SPAN_ARG(m->text));
	if (g->fd >= 0)
		close(g->fd);
	g->fd = *fd;
	*fd = -1;
}

/* client: the far end of the client's connection, or NULL under TLS */
static void ask(struct rig *g, bool is_tls, const char *remote, int *client)
{
	struct session_start m = { .ticket = SPAN_LIT("T1"), .service = SPAN_LIT("pop3"), .is_tls = is_tls,
				   .remote_addr = span_z(remote), .session = SPAN_LIT("S1"), .capa = SPAN_LIT("USER\r\n"),
				   .input = SPAN_LIT("STAT\r\n") };
	int fds[2] = { -1, -1 };

	if (client) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
		*client = fds[0];
	}
	assert_int_equal(ipc_call(&g->login, &session_start_desc, &m, &fds[1], &session_started_desc,
				  &g->reqs[g->n_reqs++ % 8], on_answer, g, 0), 0);
	spin(g);
}

static void assert_joined(int a, int b)
{
	char buf[8];

	assert_int_equal(write(a, "hello", 5), 5);
	assert_int_equal(read(b, buf, sizeof(buf)), 5);
}

static void test_plain(void **state)
{
	struct rig *g = *state;
	int client;

	ask(g, false, "192.0.2.1", &client);
	assert_int_equal(g->status, MSG_OK);
	assert_int_equal(g->pid, 1000001);
	assert_int_equal(g->fd, -1);
	assert_string_equal(g->seen_user, "tito");
	assert_string_equal(g->seen_mail, "/home/tito/Maildir");
	assert_string_equal(g->seen_input, "STAT\r\n");
	assert_string_equal(g->seen_capa, "USER\r\n");
	assert_joined(client, g->child_fd);
	/* the parent kept nothing: the child's end is the end */
	close(g->child_fd);
	g->child_fd = -1;
	assert_int_equal(read(client, &(char){ 0 }, 1), 0);
	close(client);
	assert_int_equal(g->p.n_sessions, 1);
}

static void test_tls(void **state)
{
	struct rig *g = *state;

	ask(g, true, "192.0.2.1", NULL);
	assert_int_equal(g->status, MSG_OK);
	assert_true(g->fd >= 0);
	assert_joined(g->fd, g->child_fd);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *label;
		struct ticket_user user;
		uint64_t want;
		const char *text;
	} rows[] = {
		{ "wrong ticket", { .status = MSG_NO, .text = { "Ticket is not known", 19 } }, MSG_NO, "Ticket is not known" },
		{ "auth is in trouble", { .status = MSG_TEMP }, MSG_TEMP, "" },
		{ "root", { .user = { "root", 4 }, .uid = 0 }, MSG_NO, "This user cannot read mail here." },
		{ "uid of 33 bits", { .user = { "x", 1 }, .uid = 1ull << 32 }, MSG_NO, "This user cannot read mail here." },
		{ "uid -1", { .user = { "x", 1 }, .uid = UINT32_MAX }, MSG_NO, "This user cannot read mail here." },
	};
	struct rig *g = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		int client;

		g->user = rows[i].user;
		ask(g, false, "192.0.2.1", &client);
		if (g->status != rows[i].want || strcmp(g->text, rows[i].text) != 0)
			fail_msg("%s: %d \"%s\"", rows[i].label, (int)g->status, g->text);
		assert_int_equal(g->n_spawned, 0);
		/* the descriptor that came along is closed */
		assert_int_equal(read(client, &(char){ 0 }, 1), 0);
		close(client);
	}
	assert_null(g->p.requests);
}

static void test_limit(void **state)
{
	struct rig *g = *state;
	int i;

	for (i = 0; i < 2; i++) {
		ask(g, true, "192.0.2.1", NULL);
		assert_int_equal(g->status, MSG_OK);
	}
	ask(g, true, "192.0.2.1", NULL);
	assert_int_equal(g->status, SESSION_FULL);
	ask(g, true, "192.0.2.2", NULL);
	assert_int_equal(g->status, MSG_OK);
	/* one ends: there is room again */
	session_parent_reap(&g->p, 1000001, 0);
	ask(g, true, "192.0.2.1", NULL);
	assert_int_equal(g->status, MSG_OK);
	assert_int_equal(g->p.n_sessions, 3);
	session_parent_reap(&g->p, 4242, 0);
	assert_int_equal(g->p.n_sessions, 3);
}

static void test_failures(void **state)
{
	struct rig *g = *state;
	int client;

	g->spawn_fails = true;
	ask(g, true, "192.0.2.1", NULL);
	assert_int_equal(g->status, MSG_TEMP);
	assert_int_equal(g->p.n_sessions, 0);
	assert_non_null(strstr(g->log.p, "no more processes"));
	g->spawn_fails = false;
	/* auth dies while it is asked, and is away afterwards */
	g->auth_is_mute = true;
	ask(g, false, "192.0.2.1", &client);
	ipc_close(&g->auth);
	spin(g);
	assert_int_equal(g->status, MSG_TEMP);
	close(client);
	ask(g, true, "192.0.2.1", NULL);
	assert_int_equal(g->status, MSG_TEMP);
	assert_int_equal(g->n_answers, 3);
	/* a child that crashes is an error in the log, one that exits is not */
	g->auth_is_mute = false;
	link_up(g, CHAN_TICKET, &g->auth, &auth_ops);
	ask(g, true, "192.0.2.1", NULL);
	session_parent_reap(&g->p, 1000001, SIGSEGV);
	assert_non_null(strstr(g->log.p, "pop3(tito)<1000001><S1>: killed by signal 11"));
}

static void test_login_goes(void **state)
{
	struct rig *g = *state;
	int client;

	g->auth_is_mute = true;
	ask(g, false, "192.0.2.1", &client);
	assert_non_null(g->p.requests);
	ipc_close(&g->login);
	spin(g);
	assert_null(g->p.fronts);
	ipc_close(&g->auth);
	spin(g);
	assert_null(g->p.requests);
	assert_int_equal(read(client, &(char){ 0 }, 1), 0);
	close(client);
	link_up(g, CHAN_SESSION, &g->login, &login_ops);
}

/* A request of nonsense ends that channel, and nothing more. */
static void test_garbage(void **state)
{
	struct rig *g = *state;
	struct session_start m = { .ticket = SPAN_LIT("T1"), .service = SPAN_LIT("imap"), .is_tls = true };

	assert_int_equal(ipc_call(&g->login, &session_start_desc, &m, NULL, &session_started_desc, &g->reqs[0],
				  on_answer, g, 0), 0);
	spin(g);
	assert_int_equal(g->status, MSG_TEMP);
	/* plain, but without a descriptor */
	ask(g, false, "192.0.2.1", NULL);
	assert_int_equal(g->status, MSG_TEMP);
	assert_int_equal(g->n_spawned, 0);
	assert_true(write(g->login.fd, "\xff\xff\xff\xff garbage", 12) == 12);
	spin(g);
	assert_null(g->p.fronts);
	link_up(g, CHAN_SESSION, &g->login, &login_ops);
	ask(g, true, "192.0.2.1", NULL);
	assert_int_equal(g->status, MSG_OK);
}

/* An index is not trusted by the first session after one that crashed, and by that one only. */
static void test_crash(void **state)
{
	static const struct { const char *label; int status; bool want; } rows[] = {
		{ "exit", 0, false }, { "exit 1", 1 << 8, false }, { "crash", SIGSEGV, true }, { "again", 0, false },
		{ "killed", SIGKILL, true },
	};
	struct rig *g = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		ask(g, true, "192.0.2.1", NULL);
		session_parent_reap(&g->p, 1000000 + (pid_t)g->n_spawned, rows[i].status);
		ask(g, true, "192.0.2.1", NULL);
		session_parent_reap(&g->p, 1000000 + (pid_t)g->n_spawned, 0);
		if (g->had_crash != rows[i].want)
			fail_msg("%s: %d", rows[i].label, g->had_crash);
	}
	assert_int_equal(g->p.crashed.n, 0);
}

static size_t who(struct rig *g, uint64_t after, bool is_kick, const char *match, struct ctl_who_reply *r)
{
	const struct ctl_who m = { after, is_kick, span_z(match) };

	*r = (struct ctl_who_reply){ 0 };
	session_parent_who(&g->p, &m, r, &g->loop.tick);
	return r->sessions.n;
}

static void test_who(void **state)
{
	struct rig *g = *state;
	const struct ctl_session *v;
	struct ctl_who_reply r;
	struct str bytes = STR_INIT(IPC_FRAME_MAX - 100);
	size_t i;

	g->p.max_per_user = 0;
	assert_int_equal(who(g, 0, false, "", &r), 0);
	for (i = 0; i < 230; i++) {
		g->user.user = i % 2 ? SPAN_LIT("tito") : SPAN_LIT("iqbal");
		ask(g, true, "192.0.2.1", NULL);
	}
	assert_int_equal(who(g, 0, false, "", &r), 100);
	assert_true(r.has_more);
	assert_int_equal(ipc_encode(&bytes, &ctl_who_reply_desc, &r), 0);
	str_fini(&bytes);
	v = r.sessions.v;
	for (i = 0; i < 100; i++)
		assert_int_equal(v[i].pid, 1000001 + i);
	assert_true(span_eqz(v[0].user, "iqbal") && span_eqz(v[0].service, "pop3") && span_eqz(v[0].remote_addr, "192.0.2.1") &&
		    span_eqz(v[0].session, "S1") && v[0].since > 1700000000);
	assert_int_equal(who(g, 200, false, "", &r), 30);
	assert_false(r.has_more);
	assert_int_equal(who(g, 0, false, "tito", &r), 100);
	assert_true(r.has_more);
	assert_int_equal(who(g, 200, false, "tito", &r), 15);
	assert_int_equal(who(g, 0, false, "S1", &r), 100);
	assert_int_equal(who(g, 0, false, "tit", &r), 0);
}

static void test_kick(void **state)
{
	struct rig *g = *state;
	struct ctl_who_reply r;
	int status;
	pid_t pid;

	g->spawn_forks = true;
	ask(g, true, "192.0.2.1", NULL);
	pid = (pid_t)g->pid;
	assert_int_equal(who(g, 0, true, "somebody", &r), 0);
	assert_int_equal(kill(pid, 0), 0);
	assert_int_equal(who(g, 0, true, "tito", &r), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	assert_non_null(strstr(g->log.p, "><S1>: kicked by the administrator"));
	session_parent_reap(&g->p, pid, 0);
	assert_int_equal(who(g, 0, false, "", &r), 0);
}

/* The process of the only session goes, and the session rests. */
static void rest(struct rig *g)
{
	struct parent_session *s = g->p.sessions;
	pid_t pid = s->process->pid;

	s->process->session = NULL;
	s->process = NULL;
	session_parent_reap(&g->p, pid, 0);
}

static void test_rest(void **state)
{
	struct rig *g = *state;
	const struct ctl_session *v;
	struct ctl_who_reply r;

	ask(g, true, "192.0.2.1", NULL);
	rest(g);
	/* it counts, and is seen */
	assert_int_equal(g->p.n_sessions, 1);
	assert_null(g->p.processes);
	assert_int_equal(who(g, 0, false, "", &r), 1);
	v = r.sessions.v;
	assert_int_equal(v[0].pid, 0);
	/* a kick gives it a process first */
	g->spawn_forks = true;
	assert_int_equal(who(g, 0, true, "tito", &r), 1);
	assert_int_equal(g->n_spawned, 2);
	assert_int_equal(waitpid(g->p.sessions->process->pid, &(int){ 0 }, 0), g->p.sessions->process->pid);
	rest(g);
	g->spawn_fails = true;
	(void)who(g, 0, true, "tito", &r);
	assert_int_equal(g->p.n_sessions, 0);
}

/* A process that serves nobody and does not leave. */
static void test_dismissed(void **state)
{
	struct rig *g = *state;
	int status;
	pid_t pid;

	g->spawn_forks = true;
	ask(g, true, "192.0.2.1", NULL);
	pid = (pid_t)g->pid;
	session_parent_dismiss(&g->p, g->p.processes);
	session_parent_sweep(&g->p);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	clock_fake_ms(clock_mono_ms() + 61000);
	session_parent_sweep(&g->p);
	clock_fake_ms(0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_non_null(strstr(g->log.p, "does not leave: killed"));
	session_parent_reap(&g->p, pid, 0);
}

static void on_empty(void *arg)
{
	*(bool *)arg = true;
}

static void test_drain(void **state)
{
	struct rig *g = *state;
	bool is_empty = false;

	g->p.on_empty = on_empty;
	g->p.on_empty_arg = &is_empty;
	ask(g, true, "192.0.2.1", NULL);
	session_parent_drain(&g->p);
	ask(g, true, "192.0.2.1", NULL);
	assert_int_equal(g->status, MSG_TEMP);
	assert_false(is_empty);
	session_parent_reap(&g->p, 1000001, 0);
	assert_true(is_empty);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_plain), T(test_tls), T(test_refusals), T(test_limit), T(test_failures), T(test_login_goes),
		T(test_garbage), T(test_crash), T(test_who), T(test_kick), T(test_rest), T(test_dismissed), T(test_drain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
