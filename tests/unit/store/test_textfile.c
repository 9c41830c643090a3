/* Small files under their lock: who waits, who gives up, what a reader finds. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/textfile.h"

static char root[64];
static int dir;

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int setup(void **state)
{
	snprintf(root, sizeof(root), "/tmp/surat-textfile-XXXXXX");
	assert_non_null(mkdtemp(root));
	dir = open(root, O_RDONLY | O_DIRECTORY);
	return dir < 0;
}

static int teardown(void **state)
{
	close(dir);
	return nftw(root, rm_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void expect(const char *want)
{
	struct str text = STR_INIT(100000);
	struct err err = ERR_INIT;

	assert_int_equal(textfile_read(dir, "f", &text, &err), 1);
	assert_string_equal(text.p, want);
	str_fini(&text);
}

static void replace(const char *text)
{
	struct err err = ERR_INIT;
	struct textfile f;

	assert_int_equal(textfile_lock(&f, dir, "f", 0, &err), 0);
	assert_int_equal(textfile_replace(&f, span_z(text), &err), 0);
	textfile_unlock(&f);
}

static void read_and_replace(void **state)
{
	struct str text = STR_INIT(10);
	struct err err = ERR_INIT;

	assert_int_equal(textfile_read(dir, "f", &text, &err), 0);
	replace("one");
	expect("one");
	assert_int_equal(fchmodat(dir, "f", 0640, 0), 0);
	replace("two, longer");
	expect("two, longer");
	assert_int_equal(textfile_read(dir, "f", &text, &err), -1);
	assert_int_equal(err.kind, ERR_SYS);
	str_fini(&text);
}

static void keeps_the_mode(void **state)
{
	struct stat st;

	replace("one");
	assert_int_equal(fchmodat(dir, "f", 0640, 0), 0);
	replace("two");
	assert_int_equal(fstatat(dir, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

static void no_plain_file(void **state)
{
	struct str text = STR_INIT(100);
	struct err err = ERR_INIT;

	assert_int_equal(symlinkat("/etc/passwd", dir, "f"), 0);
	assert_int_equal(textfile_read(dir, "f", &text, &err), -1);
	assert_int_equal(unlinkat(dir, "f", 0), 0);
	assert_int_equal(mkfifoat(dir, "f", 0600), 0);
	assert_int_equal(textfile_read(dir, "f", &text, &err), -1);
	replace("now it is");
	expect("now it is");
	str_fini(&text);
}

static void a_lock_is_waited_for(void **state)
{
	struct err err = ERR_INIT;
	struct textfile a, b;

	assert_int_equal(textfile_lock(&a, dir, "f", 0, &err), 0);
	assert_int_equal(textfile_lock(&b, dir, "f", 20, &err), -1);
	assert_int_equal(err.kind, ERR_TEMP);
	textfile_unlock(&a);
	textfile_unlock(&a);
	assert_int_equal(textfile_lock(&b, dir, "f", 20, &err), 0);
	textfile_unlock(&b);
	assert_int_equal(faccessat(dir, "f.lock", F_OK, 0), -1);
}

static void a_stale_lock_is_broken_and_its_owner_notices(void **state)
{
	const struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	struct err err = ERR_INIT;
	struct textfile a, b;

	assert_int_equal(textfile_lock(&a, dir, "f", 0, &err), 0);
	assert_int_equal(utimensat(dir, "f.lock", old, 0), 0);
	assert_int_equal(textfile_lock(&b, dir, "f", 1000, &err), 0);
	/* writing touches a's own file, which has no name any more */
	assert_int_equal(textfile_replace(&a, SPAN_LIT("from a"), &err), -1);
	assert_int_equal(err.kind, ERR_TEMP);
	assert_int_equal(textfile_replace(&b, SPAN_LIT("from b"), &err), 0);
	expect("from b");
}

static void many_at_once(void **state)
{
	struct err err = ERR_INIT;
	int status, n = 0;
	char want[10];

	replace("0");
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			for (int k = 0; k < 5; k++) {
				struct str text = STR_INIT(100);
				struct textfile f;
				char buf[20];

				if (textfile_lock(&f, dir, "f", 20000, &err) < 0 || textfile_read(dir, "f", &text, &err) != 1)
					_exit(1);
				snprintf(buf, sizeof(buf), "%d", (int)strtol(text.p, NULL, 10) + 1);
				if (textfile_replace(&f, span_z(buf), &err) < 0)
					_exit(1);
				str_fini(&text);
			}
			_exit(0);
		}
	while (wait(&status) > 0)
		n += status == 0;
	assert_int_equal(n, 4);
	snprintf(want, sizeof(want), "%d", 20);
	expect(want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(read_and_replace, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_the_mode, setup, teardown),
		cmocka_unit_test_setup_teardown(no_plain_file, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lock_is_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stale_lock_is_broken_and_its_owner_notices, setup, teardown),
		cmocka_unit_test_setup_teardown(many_at_once, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
