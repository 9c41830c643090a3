#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <uv.h>

#include "io/sandbox.h"

/* Every probe tries one thing: 0 when it worked, else errno. Descriptors and folders are made before the sandbox. */
struct scene {
	int listener;           /* a unix socket that listens, with a client waiting */
	int client;
	int pair[2];
	char dir[64];           /* with in/, out/ and a file in each */
	pid_t victim;
};

typedef int probe_fn(const struct scene *sc);

static int done(long rc)
{
	return rc < 0 ? errno : 0;
}

static int open_at(const struct scene *sc, const char *name, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", sc->dir, name);
	fd = open(path, flags, 0600);
	if (fd >= 0)
		close(fd);
	return done(fd);
}

static int try_read(const struct scene *sc) { return open_at(sc, "in/file", O_RDONLY); }
static int try_write(const struct scene *sc) { return open_at(sc, "in/file", O_WRONLY); }
static int try_truncate(const struct scene *sc) { return open_at(sc, "in/file", O_WRONLY | O_TRUNC); }
static int try_create(const struct scene *sc) { return open_at(sc, "in/new", O_WRONLY | O_CREAT | O_EXCL); }
static int try_read_outside(const struct scene *sc) { return open_at(sc, "out/file", O_RDONLY); }
static int try_passwd(const struct scene *sc) { return (void)sc, done(open("/etc/passwd", O_RDONLY)); }
static int try_list(const struct scene *sc) { return open_at(sc, "in", O_RDONLY | O_DIRECTORY); }

static int move(const struct scene *sc, const char *from, const char *to)
{
	char a[128], b[128];

	snprintf(a, sizeof(a), "%s/%s", sc->dir, from);
	snprintf(b, sizeof(b), "%s/%s", sc->dir, to);
	return done(rename(a, b));
}

static int try_rename(const struct scene *sc) { return move(sc, "in/tmp/letter", "in/sub/letter"); }
static int try_rename_out(const struct scene *sc) { return move(sc, "in/file", "out/moved"); }

static int try_unlink(const struct scene *sc)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/in/file", sc->dir);
	return done(unlink(path));
}

static int try_accept(const struct scene *sc) { return done(accept4(sc->listener, NULL, NULL, SOCK_CLOEXEC)); }
static int try_socket(const struct scene *sc) { return (void)sc, done(socket(AF_INET, SOCK_STREAM, 0)); }
static int try_socket6(const struct scene *sc) { return (void)sc, done(socket(AF_INET6, SOCK_DGRAM, 0)); }
static int try_unix(const struct scene *sc) { return (void)sc, done(socket(AF_UNIX, SOCK_STREAM, 0)); }
static int try_packet(const struct scene *sc) { return (void)sc, done(socket(AF_PACKET, SOCK_RAW, 0)); }

static int try_socketpair(const struct scene *sc)
{
	int sv[2];

	(void)sc;
	return done(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
}

static int try_connect(const struct scene *sc)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(1),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int rc = done(connect(sc->pair[0], (struct sockaddr *)&a, sizeof(a)));

	return rc == EINVAL || rc == EISCONN || rc == EAFNOSUPPORT ? 0 : rc;    /* the call itself got through */
}

static int try_exec(const struct scene *sc)
{
	char *argv[] = { (char *)(uintptr_t)"true", NULL };

	(void)sc;
	execve("/bin/true", argv, argv + 1);
	return errno;
}

static int try_fork(const struct scene *sc)
{
	pid_t pid = fork();

	(void)sc;
	if (pid == 0)
		_exit(0);
	return done(pid > 0 ? waitpid(pid, NULL, 0) : pid);
}

static void *thread_main(void *arg)
{
	return arg;
}

static int try_thread(const struct scene *sc)
{
	pthread_t t;
	int rc = pthread_create(&t, NULL, thread_main, NULL);

	(void)sc;
	return rc ? rc : pthread_join(t, NULL);
}

static int try_ptrace(const struct scene *sc) { return done(ptrace(PTRACE_ATTACH, sc->victim, NULL, NULL)); }
static int try_kill(const struct scene *sc) { return done(kill(sc->victim, 0)); }
static int try_tgkill(const struct scene *sc) { return done(syscall(SYS_tgkill, sc->victim, sc->victim, 0)); }
static int try_uring(const struct scene *sc) { return (void)sc, done(syscall(425, 1, NULL)); }
static int try_uring_fault(const struct scene *sc) { return try_uring(sc) == EFAULT ? 0 : try_uring(sc); }
static int try_bpf(const struct scene *sc) { return (void)sc, done(syscall(SYS_bpf, 0, NULL, 0)); }
static int try_getfd(const struct scene *sc) { return (void)sc, done(syscall(438, 0, 0, 0)); }
static int try_setuid(const struct scene *sc) { return (void)sc, done(setuid(getuid())); }
static int try_chroot(const struct scene *sc) { return (void)sc, done(chroot("/")); }
static int try_unshare(const struct scene *sc) { return (void)sc, done(syscall(SYS_unshare, 0)); }
static int try_inotify(const struct scene *sc) { return (void)sc, done(inotify_init1(0)); }
static int try_abort_signal(const struct scene *sc) { return done(syscall(SYS_tgkill, getpid(), getpid(), 0)); }

static int try_exec_page(const struct scene *sc)
{
	(void)sc;
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}

static int try_descriptors(const struct scene *sc)
{
	char c = 'x';

	return done(write(sc->pair[0], &c, 1) == 1 && read(sc->pair[1], &c, 1) == 1 ? 0 : -1);
}

/* A loop with a timer and an async handle: what every daemon needs after its sandbox. */
static int try_loop(const struct scene *sc)
{
	uv_loop_t loop;
	uv_timer_t timer;
	uv_async_t async;

	(void)sc;
	if (uv_loop_init(&loop) < 0 || uv_async_init(&loop, &async, NULL) < 0)
		return EPERM;
	uv_timer_init(&loop, &timer);
	uv_unref((uv_handle_t *)&async);
	return uv_run(&loop, UV_RUN_NOWAIT) < 0 ? EPERM : 0;
}

static int try_memory(const struct scene *sc)
{
	void *p = malloc(3u << 20);
	struct passwd *pw;

	(void)sc;
	free(p);
	(void)time(NULL);
	pw = getpwnam("nobody");        /* may fail, must not crash */
	(void)pw;
	return p ? 0 : ENOMEM;
}

static int try_core(const struct scene *sc)
{
	struct rlimit l;

	(void)sc;
	return getrlimit(RLIMIT_CORE, &l) == 0 && l.rlim_max == 0 ? 0 : EPERM;
}

/* ---- the scene ---- */

static void put_file(const char *dir, const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

static void put_dir(const char *dir, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(mkdir(path, 0777), 0);
}

static void scene_make(struct scene *sc)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	snprintf(sc->dir, sizeof(sc->dir), "/tmp/sandbox-test-XXXXXX");
	assert_non_null(mkdtemp(sc->dir));
	put_dir(sc->dir, "in");
	put_dir(sc->dir, "out");
	put_dir(sc->dir, "in/tmp");
	put_dir(sc->dir, "in/sub");
	put_file(sc->dir, "in/file");
	put_file(sc->dir, "in/tmp/letter");
	put_file(sc->dir, "out/file");
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/out/sock", sc->dir);
	sc->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	sc->client = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(sc->listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(sc->listener, 4), 0);
	assert_int_equal(connect(sc->client, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sc->pair), 0);
	sc->victim = fork();
	if (sc->victim == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
}

static void scene_end(struct scene *sc)
{
	static const char *const names[] = { "in/file", "in/new", "in/tmp/letter", "in/sub/letter", "out/file",
					     "out/moved",
					     "out/sock", "in/tmp", "in/sub", "in", "out", "" };
	char path[128];
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", sc->dir, names[i]);
		(void)remove(path);
	}
	close(sc->listener);
	close(sc->client);
	close(sc->pair[0]);
	close(sc->pair[1]);
	kill(sc->victim, SIGKILL);
	waitpid(sc->victim, NULL, 0);
}

static int in_sandbox(const struct sandbox *sb, const struct scene *sc, probe_fn *probe)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct err err = ERR_INIT;

		if (sb && sandbox_apply(sb, NULL, &err) < 0) {
			fprintf(stderr, "# %s\n", err.msg);
			_exit(255);
		}
		_exit(probe(sc));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

struct row {
	const char *label;
	probe_fn *probe;
	unsigned allowed_by;    /* any of these makes it work; 0: nothing does; ~0u: always works */
	int denied_as;          /* 0: EPERM */
};

static const struct row rows[] = {
	{ "descriptors", try_descriptors, ~0u, 0 },
	{ "event loop", try_loop, ~0u, 0 },
	{ "memory, names", try_memory, ~0u, 0 },
	{ "abort of ourselves", try_abort_signal, ~0u, 0 },
	{ "no core", try_core, ~0u, 0 },
	{ "accept", try_accept, SB_ACCEPT, 0 },
	{ "open", try_passwd, SB_OPEN, 0 },
	{ "rename", try_rename, SB_CHANGE_FILES, 0 },
	{ "unlink", try_unlink, SB_CHANGE_FILES, 0 },
	{ "inet socket", try_socket, SB_SOCKET, 0 },
	{ "inet6 socket", try_socket6, SB_SOCKET, 0 },
	{ "packet socket", try_packet, 0, 0 },
	{ "unix socket", try_unix, SB_UNIX, 0 },
	{ "socketpair", try_socketpair, SB_UNIX, 0 },
	{ "connect", try_connect, SB_SOCKET | SB_UNIX, 0 },
	{ "exec", try_exec, 0, 0 },
	{ "fork", try_fork, SB_FORK, 0 },
	{ "thread", try_thread, SB_THREAD, 0 },
	{ "ptrace", try_ptrace, 0, 0 },
	{ "kill another", try_kill, SB_FORK, 0 },
	{ "tgkill another", try_tgkill, SB_FORK, 0 },
	{ "setuid", try_setuid, SB_FORK, 0 },
	{ "io_uring", try_uring_fault, 0, 0 },
	{ "bpf", try_bpf, 0, 0 },
	{ "pidfd_getfd", try_getfd, 0, 0 },
	{ "unshare", try_unshare, 0, 0 },
	{ "inotify", try_inotify, SB_INOTIFY, 0 },
	{ "executable page", try_exec_page, SB_OPEN, 0 },
};

static void check_rows(unsigned may, bool has_user, const struct sandbox_calls *calls)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct sandbox sb = { .may = may, .calls = calls, .may_all_paths = true,
				      .user = has_user ? "nobody" : NULL };
		bool want = r->allowed_by == ~0u || r->allowed_by & may;
		struct scene sc = { 0 };
		int got;

		scene_make(&sc);
		got = in_sandbox(&sb, &sc, r->probe);
		if (want ? got != 0 : got != EPERM)
			fail_msg("%s with may=%#x: errno %d, wanted %s", r->label, may, got,
				 want ? "success" : "EPERM");
		scene_end(&sc);
	}
}

/* Without a sandbox every probe must work, or a denial would prove nothing. */
static void test_probes_work_outside(void **state)
{
	static const char *const never[] = { "bpf", "pidfd_getfd", "packet socket", "no core", "io_uring" };
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct scene sc = { 0 };
		bool skip = false;
		int got;

		for (k = 0; k < ARRAY_LEN(never); k++)
			skip |= strcmp(rows[i].label, never[k]) == 0;
		scene_make(&sc);
		got = in_sandbox(NULL, &sc, rows[i].probe);
		if (!skip && got != 0)
			fail_msg("%s without a sandbox: errno %d", rows[i].label, got);
		scene_end(&sc);
	}
}

static void test_nothing(void **state)
{
	(void)state;
	check_rows(0, false, NULL);
}

static void test_accept_only(void **state)
{
	(void)state;
	check_rows(SB_ACCEPT, geteuid() == 0, NULL);
}

static void test_each_group(void **state)
{
	unsigned bit;

	(void)state;
	for (bit = SB_OPEN; bit <= SB_INOTIFY; bit <<= 1) {
		if (bit != SB_EXEC)
			check_rows(bit, false, NULL);
	}
}

/* A list made by a parent limits its children as one made by themselves does. */
static void test_made_before(void **state)
{
	static const unsigned may[] = { 0, SB_OPEN | SB_CHANGE_FILES, SB_FORK };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(may); i++) {
		struct sandbox_calls *calls = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(sandbox_calls_new(&calls, may[i], &err), 0);
		check_rows(may[i], false, calls);
		sandbox_calls_free(calls);
	}
}

/* ---- paths ---- */

static void check_path(const struct scene *sc, const char *label, unsigned access, probe_fn *probe, bool want)
{
	char in[80];
	struct sandbox_path paths[2] = { { in, access }, { "/does/not/exist", SB_READ } };
	struct sandbox sb = { .may = SB_OPEN | SB_CHANGE_FILES, .paths = paths, .n_paths = access ? 2 : 0 };
	int got;

	snprintf(in, sizeof(in), "%s/in", sc->dir);
	got = in_sandbox(&sb, sc, probe);
	if (want ? got != 0 : got != EACCES && got != EXDEV)
		fail_msg("%s with access %u: errno %d, wanted %s", label, access, got, want ? "success" : "EACCES");
}

static void test_paths(void **state)
{
	static const struct {
		const char *label;
		probe_fn *probe;
		unsigned needs;         /* of in/; 0: nothing gives it */
	} paths[] = {
		{ "read inside", try_read, SB_READ },
		{ "list inside", try_list, SB_READ },
		{ "read outside", try_read_outside, 0 },
		{ "read /etc", try_passwd, 0 },
		{ "write inside", try_write, SB_WRITE },
		{ "truncate inside", try_truncate, SB_WRITE },
		{ "create inside", try_create, SB_WRITE },
		{ "tmp to sub", try_rename, SB_WRITE },
		{ "rename out", try_rename_out, 0 },
		{ "unlink inside", try_unlink, SB_WRITE },
	};
	unsigned access;
	size_t i;

	(void)state;
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 2) {
		print_message("Landlock is not there\n");
		skip();
	}
	for (access = 0; access <= (SB_READ | SB_WRITE); access++) {
		for (i = 0; i < ARRAY_LEN(paths); i++) {
			struct scene sc = { 0 };

			scene_make(&sc);
			check_path(&sc, paths[i].label, access, paths[i].probe, paths[i].needs & access);
			scene_end(&sc);
		}
	}
}

static void test_single_file(void **state)
{
	struct scene sc = { 0 };
	char file[80];
	struct sandbox_path path = { file, SB_READ | SB_WRITE };
	struct sandbox sb = { .may = SB_OPEN, .paths = &path, .n_paths = 1 };

	(void)state;
	scene_make(&sc);
	snprintf(file, sizeof(file), "%s/in/file", sc.dir);
	assert_int_equal(in_sandbox(&sb, &sc, try_read), 0);
	assert_int_equal(in_sandbox(&sb, &sc, try_write), 0);
	assert_int_equal(in_sandbox(&sb, &sc, try_read_outside), EACCES);
	scene_end(&sc);
}

/* ---- identity ---- */

static int probe_is_nobody(const struct scene *sc)
{
	uid_t r, e, s;

	(void)sc;
	if (getresuid(&r, &e, &s) < 0 || r == 0 || r != e || e != s || getgid() == 0)
		return 1;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || errno == EPERM ? 0 : 2;
}

static int probe_root_is_empty(const struct scene *sc)
{
	(void)sc;
	return access("/in/file", F_OK) == 0 && access("/etc", F_OK) < 0 ? 0 : 1;
}

static int probe_soft_files(const struct scene *sc)
{
	struct rlimit l;

	(void)sc;
	return getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur == 77 && l.rlim_max == 77 ? 0 : 1;
}

static int probe_becomes_nobody(const struct scene *sc)
{
	struct passwd *pw = getpwnam("nobody");
	struct err err = ERR_INIT;

	(void)sc;
	if (!pw || sandbox_become(pw->pw_uid, pw->pw_gid, "nobody", &err) < 0 || getuid() != pw->pw_uid)
		return 1;
	return setuid(0) == 0 || setgid(0) == 0 ? 2 : 0;
}

static void test_identity(void **state)
{
	struct scene sc = { 0 };
	struct sandbox sb = { .user = "nobody", .may = SB_OPEN | SB_FORK, .may_all_paths = true, .max_files = 77 };

	(void)state;
	if (geteuid() != 0) {
		print_message("not root\n");
		skip();
	}
	scene_make(&sc);
	assert_int_equal(chmod(sc.dir, 0755), 0);
	assert_int_equal(in_sandbox(&sb, &sc, probe_is_nobody), 0);
	assert_int_equal(in_sandbox(&sb, &sc, probe_soft_files), 0);
	assert_int_equal(in_sandbox(NULL, &sc, probe_becomes_nobody), 0);
	sb.chroot = sc.dir;
	assert_int_equal(in_sandbox(&sb, &sc, probe_root_is_empty), 0);
	scene_end(&sc);
}

static int probe_missing_user(const struct scene *sc)
{
	struct sandbox sb = { .user = "_surat-missing" };
	struct err err = ERR_INIT;

	(void)sc;
	return sandbox_apply(&sb, NULL, &err) < 0 && err.kind == ERR_CONF && strstr(err.msg, "_surat-missing") &&
			       strstr(err.msg, "surat setup")
		       ? 0
		       : 1;
}

static void test_missing_user(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		print_message("not root\n");
		skip();
	}
	assert_int_equal(in_sandbox(NULL, NULL, probe_missing_user), 0);
}

static int probe_privs_kept(const struct scene *sc)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ? try_exec(sc) : 1;
}

static void test_exec_helper(void **state)
{
	struct sandbox sb = { .may = SB_EXEC | SB_OPEN, .may_all_paths = true, .may_gain_privs = true };

	(void)state;
	assert_int_equal(in_sandbox(&sb, NULL, probe_privs_kept), 0);
}

/* A parent's filter must let its children give away more: local, imapd, pop3d. */
static int probe_nested(const struct scene *sc)
{
	struct sandbox inner = { .may = SB_OPEN };

	return in_sandbox(&inner, sc, try_passwd) == EACCES && in_sandbox(&inner, sc, try_fork) == EPERM ? 0 : 1;
}

static void test_nested(void **state)
{
	struct sandbox sb = { .may = SB_OPEN | SB_FORK, .may_all_paths = true };
	struct scene sc = { 0 };

	(void)state;
	scene_make(&sc);
	assert_int_equal(in_sandbox(&sb, &sc, probe_nested), 0);
	assert_int_equal(in_sandbox(&sb, &sc, try_chroot), geteuid() == 0 ? 0 : EPERM);
	scene_end(&sc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probes_work_outside), cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_accept_only), cmocka_unit_test(test_each_group),
		cmocka_unit_test(test_made_before), cmocka_unit_test(test_paths),   cmocka_unit_test(test_single_file),
		cmocka_unit_test(test_identity),            cmocka_unit_test(test_missing_user),
		cmocka_unit_test(test_exec_helper),         cmocka_unit_test(test_nested),
	};

	return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
