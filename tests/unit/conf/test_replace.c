/* A file takes the place of another; a directory that can no longer be looked at was not synced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "conf/replace.h"

#define DIR "/tmp/surat-replace"

static int stat_error;

/* Stands in front of libc's: an XFS that has shut itself down syncs, and answers EIO to a look. */
int fstat(int fd, struct stat *st)
{
	errno = stat_error;
	return stat_error ? -1 : fstatat(fd, "", st, AT_EMPTY_PATH);
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void test_replace(void **state)
{
	static const struct { const char *label, *temp, *path; int stat_error; const char *want; } rows[] = {
		{ "replaced", DIR "/a.new", DIR "/a", 0, NULL },
		{ "the file system is dead", DIR "/a.new", DIR "/a", EIO, "cannot sync the directory of " DIR "/a" },
		{ "nothing to take", DIR "/none", DIR "/a", 0, "cannot rename" },
		{ "nowhere to put it", DIR "/a.new", DIR "/none/a", 0, "cannot rename" },
	};
	size_t i;

	mkdir(DIR, 0700);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		int rc;

		put(DIR "/a", "old");
		put(DIR "/a.new", "new");
		stat_error = rows[i].stat_error;
		rc = replace_commit(rows[i].temp, rows[i].path, &err);
		stat_error = 0;
		if (rows[i].want ? rc == 0 || !strstr(err.msg, rows[i].want) : rc < 0 || access(DIR "/a.new", F_OK) == 0)
			fail_msg("%s: %d %s", rows[i].label, rc, err.msg);
	}
	unlink(DIR "/a");
	unlink(DIR "/a.new");
	rmdir(DIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_replace) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
