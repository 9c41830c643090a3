/* Kills a delivery at each of its system calls and lets a retry finish: never lost, never partial, never twice. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store/maildir.h"

#define BODY "\nThe body of a letter.\n"
#define WHOLE "Delivered-To: x\n" BODY

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static bool run_batch(const char *root, int n, bool retry)
{
	struct maildir md[2];
	struct maildir_batch b = { 0 };
	struct err err = ERR_INIT, res[8];
	bool ok = true;

	if (maildir_open(&md[0], root, "one", MAILDIR_CREATE, &err) < 0 ||
	    maildir_open(&md[1], root, "two", MAILDIR_CREATE, &err) < 0)
		return false;
	for (int i = 0; i < n; i++) {
		char base[32];
		struct maildir_msg m = { .head = SPAN_LIT("Delivered-To: x\n"),
					 .body = SPAN_LIT(BODY),
					 .fd = -1,
					 .base = base,
					 .retry = retry,
					 .same_as = i == 3 ? 2 : -1 };

		snprintf(base, sizeof(base), "100.Q%dR0.host", i);
		if (maildir_batch_add(&b, &md[i % 2], &m, &err) < 0)
			return false;
	}
	maildir_batch_commit(&b, res, NULL);
	for (int i = 0; i < n; i++)
		ok = ok && res[i].kind == ERR_NONE;
	maildir_batch_fini(&b);
	maildir_close(&md[0]);
	maildir_close(&md[1]);
	return ok;
}

/* Runs the batch in a child and kills it when it stops for the n-th time at a system call; false: it ran to the end. */
static bool kill_at(const char *root, int n_msg, int nth)
{
	pid_t pid = fork();
	int st, stops = 0;

	assert_true(pid >= 0);
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(run_batch(root, n_msg, false) ? 0 : 9);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	while (WIFSTOPPED(st)) {
		if (stops++ == nth) {
			kill(pid, SIGKILL);
			assert_int_equal(waitpid(pid, &st, 0), pid);
			return true;
		}
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		assert_int_equal(waitpid(pid, &st, 0), pid);
	}
	assert_true(WIFEXITED(st));
	assert_int_equal(WEXITSTATUS(st), 0);
	return false;
}

static int count_whole(const char *root, const char *box, int nth)
{
	char path[200], file[600], buf[200];
	struct dirent *e;
	DIR *d;
	int n = 0;

	snprintf(path, sizeof(path), "%s/%s/new", root, box);
	d = opendir(path);
	if (!d)
		return 0;
	while ((e = readdir(d)) != NULL) {
		FILE *f;

		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		f = fopen(file, "r");
		assert_non_null(f);
		buf[fread(buf, 1, sizeof(buf) - 1, f)] = '\0';
		fclose(f);
		if (strcmp(buf, WHOLE) != 0)
			fail_msg("killed at stop %d: partial file %s", nth, e->d_name);
		n++;
	}
	closedir(d);
	return n;
}

static void walk(int n_msg)
{
	char root[64];
	bool more = true;
	int nth;

	for (nth = 0; more; nth++) {
		int n;

		snprintf(root, sizeof(root), "/tmp/surat-crash-XXXXXX");
		assert_non_null(mkdtemp(root));
		more = kill_at(root, n_msg, nth);
		n = count_whole(root, "one", nth) + count_whole(root, "two", nth);
		if (!more && n != n_msg)
			fail_msg("undisturbed: %d of %d", n, n_msg);
		if (!run_batch(root, n_msg, true))
			fail_msg("killed at stop %d: the retry failed", nth);
		n = count_whole(root, "one", nth) + count_whole(root, "two", nth);
		if (n != n_msg)
			fail_msg("killed at stop %d: %d of %d messages after the retry", nth, n, n_msg);
		nftw(root, rm_one, 16, FTW_DEPTH | FTW_PHYS);
	}
	assert_true(nth > 30);
}

static void test_one(void **state)
{
	walk(1);
}

static void test_batch_with_link(void **state)
{
	walk(6);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_one), cmocka_unit_test(test_batch_with_link) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
