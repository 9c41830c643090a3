/* What a child can still do once it is locked in: its mail, its index, the character sets, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "imapd/child.h"

static char root[64];
static struct arena paths;

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

static int setup(void **state)
{
	char path[100];

	snprintf(root, sizeof(root), "/tmp/imaplogin-child-XXXXXX");
	assert_non_null(mkdtemp(root));
	assert_int_equal(chmod(root, 0755), 0);
	snprintf(path, sizeof(path), "%s/other", root);
	assert_int_equal(mkdir(path, 0777), 0);
	snprintf(path, sizeof(path), "%s/other/letter", root);
	close(open(path, O_WRONLY | O_CREAT, 0666));
	return 0;
}

static int teardown(void **state)
{
	nftw(root, rm_one, 16, FTW_DEPTH | FTW_PHYS);
	arena_fini(&paths);
	return 0;
}

static const char *in_root(const char *name)
{
	return arena_printf(&paths, "%s/%s", root, name);
}

static struct child_start make_start(void)
{
	return (struct child_start){
		.user = "tito", .system_user = "", .home = root, .mail = in_root("Maildir"), .index = in_root("deep/er/index"),
		.session = "S", .remote = "", .tag = "a", .watch_fd = -1, .is_sandboxed = true,
	};
}

static int can_write(const char *name)
{
	return open(in_root(name), O_RDWR | O_CREAT, 0600) >= 0;
}

static int can_read(const char *path)
{
	return open(path, O_RDONLY) >= 0;
}

static int can_convert(const char *set, const char *bytes, const char *utf8)
{
	char in[8], out[8] = "", *p = in, *q = out;
	size_t n = strlen(bytes), room = sizeof(out) - 1;
	iconv_t cd = iconv_open("UTF-8", set);

	memcpy(in, bytes, n);
	return cd != (iconv_t)-1 && iconv(cd, &p, &n, &q, &room) == 0 && strcmp(out, utf8) == 0;
}

/* The number of the first that is not as it should be, 0 when all are. Runs inside; memory is let go with the
 * process. */
static int try_all(void)
{
	const struct { int rc, want; } tries[] = {
		{ can_write("Maildir/new/1"), 1 }, { rename(in_root("Maildir/new/1"), in_root("Maildir/cur/1:2,S")), 0 },
		{ mkdir(in_root("Maildir/.Sent"), 0700), 0 }, { link(in_root("Maildir/cur/1:2,S"), in_root("Maildir/.Sent/1")), 0 },
		{ can_write("deep/er/index/data.mdb"), 1 },
		{ can_read(in_root("other/letter")), 0 }, { can_write("other/letter"), 0 }, { can_write("Maildir/../other/x"), 0 },
		{ can_read(root), 0 }, { can_read("/etc/passwd"), 0 }, { can_read("/proc/self/status"), 0 }, { can_read("/"), 0 },
		{ link(in_root("other/letter"), in_root("Maildir/new/2")), -1 },
		{ rename(in_root("Maildir/cur/1:2,S"), in_root("other/stolen")), -1 },
		{ socket(AF_INET, SOCK_STREAM, 0), -1 }, { socket(AF_UNIX, SOCK_STREAM, 0), -1 }, { (int)fork(), -1 },
		{ inotify_init(), -1 }, { execl("/bin/true", "true", NULL), -1 }, { setuid(0), -1 }, { kill(getppid(), 0), -1 },
		{ chroot("/"), -1 }, { (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL), -1 },
		{ can_convert("KOI8-R", "\xc1", "\xd0\xb0"), 1 }, { can_convert("ISO-8859-1", "\xe4", "\xc3\xa4"), 1 },
		{ can_convert("ISO-2022-JP", "\x1b$B$\"", "\xe3\x81\x82"), 1 }, { can_convert("EUC-KR", "\xb0\xa1", "\xea\xb0\x80"), 1 },
	};
	size_t i;

	for (i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		if (tries[i].rc != tries[i].want)
			return (int)i + 1;
	}
	return 0;
}

static int run_inside(const struct child_start *start, int (*fn)(void))
{
	pid_t pid = fork();
	struct err err = ERR_INIT;
	struct mail_store store;
	int status;

	if (pid == 0) {
		if (child_lock_in(start, &store, &err) < 0) {
			dprintf(2, "%s\n", err.msg);
			_exit(100);
		}
		_exit(fn());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_cage(void **state)
{
	struct child_start start = make_start();
	int rc = run_inside(&start, try_all);

	if (rc)
		fail_msg("number %d of the tries was not as it should be", rc);
}

/* As another user under root: the folders are made as that user, with no group of ours left. */
static int look_at_ids(void)
{
	struct stat st;

	if (getuid() != 4242 || geteuid() != 4242 || getegid() != 4243 || getgroups(0, NULL) != 0)
		return 1;
	return stat(in_root("other/Maildir/cur"), &st) < 0 || st.st_uid != 4242 || (st.st_mode & 0777) != 0700 ? 2 : 0;
}

static void test_becomes_the_user(void **state)
{
	struct child_start start = make_start();

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(in_root("other"), 0777), 0);
	start.mail = in_root("other/Maildir");
	start.index = "";
	start.changes_user = true;
	start.uid = 4242;
	start.gid = 4243;
	assert_int_equal(run_inside(&start, look_at_ids), 0);
}

/* It does not come to a session: the client hears it under its tag, and the line ends. */
static void test_no_mailbox(void **state)
{
	struct child_start start = make_start();
	struct err err = ERR_INIT;
	char text[400] = "";
	int fds[2];

	start.mail = "relative/Maildir";
	start.tag = "x.1";
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	if (fork() == 0)
		_exit(child_serve(&start, fds[1], &err) < 0 && err.msg[0] ? 7 : 0);
	close(fds[1]);
	assert_true(recv(fds[0], text, sizeof(text) - 1, MSG_WAITALL) > 0);
	assert_string_equal(text, "* BYE [UNAVAILABLE] Internal error: the mailbox cannot be opened.\r\n"
			    "x.1 NO [UNAVAILABLE] Internal error: the mailbox cannot be opened.\r\n");
	{
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(WEXITSTATUS(status), 7);
	}
	close(fds[0]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = { T(test_cage), T(test_becomes_the_user), T(test_no_mailbox) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
