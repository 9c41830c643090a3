/* Maildir++ quota: what is counted, when maildirsize is believed, and what is refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "store/quota.h"

static char root[64];
static struct maildir md;

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int setup(void **state)
{
	struct err err = ERR_INIT;

	snprintf(root, sizeof(root), "/tmp/surat-quota-XXXXXX");
	assert_non_null(mkdtemp(root));
	assert_int_equal(maildir_open(&md, root, "m", MAILDIR_CREATE, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	maildir_close(&md);
	return nftw(root, rm_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void put(const char *rel, const char *text)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/m/%s", root, rel);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void get(char *buf, size_t size)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/m/maildirsize", root);
	f = fopen(path, "r");
	assert_non_null(f);
	buf[fread(buf, 1, size - 1, f)] = '\0';
	fclose(f);
}

static void use_is(const struct quota_limit *lim, uint64_t bytes, uint64_t count)
{
	struct quota_use use;
	struct err err = ERR_INIT;

	assert_int_equal(quota_read(&md, lim, &use, &err), 0);
	assert_int_equal(use.bytes, bytes);
	assert_int_equal(use.count, count);
}

static void test_count(void **state)
{
	static const struct quota_limit lim = { .bytes = 1000, .count = 10 };
	char path[200], text[200];

	put("new/1.a,S=100", "the name wins");
	put("cur/2.b,S=50,W=52:2,S", "");
	put("cur/3.c:2,S", "12345");
	snprintf(path, sizeof(path), "%s/m/.Sent", root);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/m/.Sent/cur", root);
	assert_int_equal(mkdir(path, 0700), 0);
	put(".Sent/cur/4.d,S=7:2,S", "");
	put("dovecot-uidlist", "not a message");
	use_is(&lim, 162, 4);
	get(text, sizeof(text));
	assert_string_equal(text, "1000S,10C\n162 4\n");
	quota_add(&md, &lim, 38, 1);
	use_is(&lim, 200, 5);
	quota_add(&md, &lim, -200, -5);
	use_is(&lim, 0, 0);
}

/* Each file beside one message of 100 bytes: believed (999) or made anew (100). */
static void test_believed(void **state)
{
	static const struct {
		const char *label, *text;
		int age;
		uint64_t bytes;
	} rows[] = {
		{ "good",               "5000S\n999 1\n",          0,    999 },
		{ "sum of lines",       "5000S\n1000 3\n-1 -2\n",  0,    999 },
		{ "Courier's padding",  "5000S\n         999            1\n", 0, 999 },
		{ "other limit",        "6000S\n999 1\n",          0,    100 },
		{ "other kind",         "5000S,9C\n999 1\n",       0,    100 },
		{ "empty",              "",                        0,    100 },
		{ "cut line",           "5000S\n999 1",            0,    100 },
		{ "no number",          "5000S\n999 x\n",          0,    100 },
		{ "below zero",         "5000S\n-999 1\n",         0,    100 },
		{ "overflow",           "5000S\n9223372036854775807 1\n1 1\n", 0, 100 },
		{ "full and young",     "5000S\n5001 1\n",         100,  5001 },
		{ "full and old",       "5000S\n5001 1\n",         1000, 100 },
		{ "not full and old",   "5000S\n999 1\n",          1000, 999 },
	};
	static const struct quota_limit lim = { .bytes = 5000 };
	char path[200];

	put("new/1.a,S=100", "");
	snprintf(path, sizeof(path), "%s/m/maildirsize", root);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct timespec ts[2] = { { time(NULL) - rows[i].age, 0 }, { time(NULL) - rows[i].age, 0 } };
		struct quota_use use;
		struct err err = ERR_INIT;

		put("maildirsize", rows[i].text);
		assert_int_equal(utimensat(AT_FDCWD, path, ts, 0), 0);
		assert_int_equal(quota_read(&md, &lim, &use, &err), 0);
		if (use.bytes != rows[i].bytes)
			fail_msg("%s: %llu bytes", rows[i].label, (unsigned long long)use.bytes);
	}
}

static void test_check(void **state)
{
	static const struct {
		const char *label;
		struct quota_limit lim;
		struct quota_use use;
		uint64_t bytes;
		bool ok;
	} rows[] = {
		{ "no limit",        { 0, 0 },     { 1u << 30, 9 }, 1u << 30,   true },
		{ "just fits",       { 100, 0 },   { 60, 1 },       40,         true },
		{ "one too many",    { 100, 0 },   { 60, 1 },       41,         false },
		{ "larger than all", { 100, 0 },   { 0, 0 },        101,        false },
		{ "huge",            { 100, 0 },   { 60, 1 },       UINT64_MAX, false },
		{ "count fits",      { 0, 5 },     { 60, 4 },       1,          true },
		{ "count full",      { 0, 5 },     { 60, 5 },       1,          false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		int rc = quota_check(&rows[i].lim, &rows[i].use, rows[i].bytes, &err);

		if ((rc == 0) != rows[i].ok)
			fail_msg("%s", rows[i].label);
		if (rc < 0) {
			assert_int_equal(err.kind, ERR_PERM);
			assert_string_equal(err.dsn, "5.2.2");
		}
	}
}

static void test_planted(void **state)
{
	static const struct quota_limit lim = { .bytes = 5000 };
	char path[200], victim[200];
	struct stat st;

	snprintf(path, sizeof(path), "%s/m/maildirsize", root);
	snprintf(victim, sizeof(victim), "%s/victim", root);
	put("../victim", "5000S\n");
	assert_int_equal(symlink(victim, path), 0);
	use_is(&lim, 0, 0);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));       /* replaced, not followed */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink(victim, path), 0);
	quota_add(&md, &lim, 10, 1);
	assert_int_equal(stat(victim, &st), 0);
	assert_int_equal(st.st_size, 6);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	quota_add(&md, &lim, 10, 1);
	use_is(&lim, 0, 0);
}

static void test_unlimited_leaves_no_file(void **state)
{
	static const struct quota_limit lim = { 0 };
	char path[200];

	use_is(&lim, 0, 0);
	quota_add(&md, &lim, 10, 1);
	snprintf(path, sizeof(path), "%s/m/maildirsize", root);
	assert_int_equal(access(path, F_OK), -1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_count), T(test_believed), T(test_check), T(test_planted), T(test_unlimited_leaves_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
