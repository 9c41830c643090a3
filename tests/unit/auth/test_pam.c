/* PAM with service files of our own, and the server that forks a child per question. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/pam.h"
#include "base/clock.h"

static char dir[] = "/tmp/surat-pam-XXXXXX";

static void service(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int make_services(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	service("permit", "auth required pam_permit.so\naccount required pam_permit.so\n");
	service("deny", "auth required pam_deny.so\naccount required pam_permit.so\n");
	service("expired", "auth required pam_permit.so\naccount required pam_deny.so\n");
	service("missing", "auth required pam_no_such_module.so\naccount required pam_permit.so\n");
	/* asks for the password through the conversation and compares with nothing: fails, but definitely */
	service("unix", "auth required pam_unix.so\naccount required pam_unix.so\n");
	return 0;
}

static int remove_services(void **state)
{
	static const char *const names[] = { "permit", "deny", "expired", "missing", "unix" };
	char path[128];
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

static const struct {
	const char *label, *service, *user;
	enum msg_status want;
} rows[] = {
	{ "permitted", "permit", "daemon", MSG_OK },
	{ "denied", "deny", "daemon", MSG_NO },
	{ "locked password", "unix", "daemon", MSG_NO },
	{ "unknown user", "unix", "no-such-user", MSG_NO },
	{ "account refused", "expired", "daemon", MSG_NO },
	{ "module missing", "missing", "daemon", MSG_TEMP },
};

static void verdicts(void **state)
{
	char text[200];
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t before = clock_mono_ms();
		enum msg_status got = pam_verify(dir, rows[i].service, rows[i].user, "x", "192.0.2.1", text,
						 sizeof(text));

		if (got != rows[i].want)
			fail_msg("%s: %d (%s)", rows[i].label, got, text);
		/* PAM's own two seconds are off */
		assert_true(clock_mono_ms() - before < 1500);
	}
}

struct fixture {
	struct loop loop;
	struct ipc ipc;
	unsigned n_answers, status[3], n_forks;
	bool must_crash, must_fail_fork;
};

static pid_t fork_child(void *arg, const struct pam_check *q, int fd)
{
	struct fixture *f = arg;
	pid_t pid = f->must_fail_fork ? -1 : fork();

	f->n_forks += pid > 0;
	if (pid == 0) {
		if (f->must_crash)
			raise(SIGKILL);
		pam_server_child(dir, q, fd);
		_exit(0);
	}
	return pid;
}

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
}

static const struct ipc_ops ops = { "pam", NULL, 0, on_lost, NULL };

static void on_answer(void *arg, enum ipc_rc rc, const void *in, int *fd)
{
	struct fixture *f = arg;
	const struct pam_result *r = in;

	f->n_answers++;
	if (rc == IPC_OK)
		f->status[r->status]++;
}

static void ask(struct fixture *f, struct ipc_req *req, const char *name, struct span password)
{
	struct pam_check q = { span_z(name), SPAN_LIT("daemon"), password, SPAN_LIT("192.0.2.1") };

	assert_int_equal(ipc_call(&f->ipc, &pam_check_desc, &q, NULL, &pam_result_desc, req, on_answer, f, 0), 0);
}

static void attach(struct fixture *f, struct pam_server *s)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	ipc_init(&f->ipc, &f->loop, &ops, f);
	ipc_attach(&f->ipc, &fds[0]);
	pam_server_attach(s, &fds[1]);
}

static void run_until(struct fixture *f, unsigned n)
{
	uint64_t end = clock_mono_ms() + 20000;

	while (f->n_answers < n) {
		loop_turn(&f->loop, true);
		assert_true(clock_mono_ms() < end);
	}
}

/* More questions than children; each is answered once. */
static void many_questions(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct ipc_req reqs[60] = { { 0 } };
	struct pam_server *s;
	struct err err = ERR_INIT;
	unsigned i;

	assert_int_equal(loop_init(&f->loop, &err), 0);
	s = pam_server_new(&f->loop, fork_child, f);
	attach(f, s);
	for (i = 0; i < ARRAY_LEN(reqs); i++)
		ask(f, &reqs[i], rows[i % 2].service, SPAN_LIT("secret"));
	run_until(f, ARRAY_LEN(reqs));
	assert_int_equal(f->status[MSG_OK], 30);
	assert_int_equal(f->status[MSG_NO], 30);
	assert_int_equal(f->n_forks, 60);
	/* no child for what cannot be a C string */
	ask(f, &reqs[0], "permit", (struct span){ "a\0b", 3 });
	run_until(f, 61);
	assert_int_equal(f->status[MSG_TEMP], 1);
	f->must_crash = true;
	ask(f, &reqs[0], "permit", SPAN_LIT("x"));
	run_until(f, 62);
	f->must_fail_fork = true;
	ask(f, &reqs[0], "permit", SPAN_LIT("x"));
	run_until(f, 63);
	assert_int_equal(f->status[MSG_TEMP], 3);
	assert_int_equal(pam_server_count(s), 0);
	/* auth restarts with questions under way */
	f->must_crash = f->must_fail_fork = false;
	for (i = 0; i < ARRAY_LEN(reqs); i++)
		ask(f, &reqs[i], "permit", SPAN_LIT("secret"));
	loop_turn(&f->loop, true);
	ipc_close(&f->ipc);
	assert_int_equal(f->n_answers, 123);
	attach(f, s);
	f->n_answers = f->status[MSG_OK] = 0;
	ask(f, &reqs[0], "permit", SPAN_LIT("secret"));
	run_until(f, 1);
	assert_int_equal(f->status[MSG_OK], 1);
	pam_server_free(s);
	ipc_close(&f->ipc);
	loop_fini(&f->loop);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(verdicts), cmocka_unit_test(many_questions) };

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_services, remove_services);
}
