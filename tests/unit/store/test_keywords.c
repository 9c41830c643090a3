/* dovecot-keywords: what others wrote is understood, what we write Dovecot understands. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/wait.h>

#include "mailbox_fixture.h"
#include "store/uidlist.h"

static void test_parse(void **state)
{
	static const struct {
		const char *label, *text, *want;
	} rows[] = {
		{ "as Dovecot writes it", "0 $Junk\n1 NonJunk\n", "0 $Junk\n1 NonJunk\n" },
		{ "with gaps", "3 c\n25 z\n", "3 c\n25 z\n" },
		{ "last line without end", "0 a\n1 b", "0 a\n1 b\n" },
		{ "empty", "", "" },
		{ "no number", "x a\n 1 b\n1  c\n1 d\n", "1 d\n" },
		{ "too many", "26 a\n4294967296 b\n-1 c\n", "" },
		{ "the first counts", "0 a\n0 b\n1 A\n", "0 a\n" },
		{ "no atoms", "0 a b\n1 (c\n2 \\Seen\n3 d]\n4 \"e\n5 \xc3\xa4\n6 f\tg\n7 ok\n", "7 ok\n" },
		{ "no name", "0 \n1\n", "" },
	};
	struct keywords k = { 0 };
	struct str out = STR_INIT(10000);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		keywords_parse(&k, span_z(rows[i].text));
		str_reset(&out);
		assert_int_equal(keywords_format(&k, &out), 0);
		if (strcmp(out.p, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].label, out.p);
	}
	str_fini(&out);
	keywords_fini(&k);
}

static void test_find(void **state)
{
	static const struct {
		const char *label, *name;
		enum keywords_how how;
		int want;
		enum err_kind kind;
	} rows[] = {
		{ "known", "$Junk", KEYWORDS_KNOWN, 0, 0 },
		{ "in another case", "$jUNK", KEYWORDS_ADD, 0, 0 },
		{ "unknown", "work", KEYWORDS_KNOWN, -1, ERR_PERM },
		{ "added in the gap", "work", KEYWORDS_ADD, 1, 0 },
		{ "now known", "Work", KEYWORDS_KNOWN, 1, 0 },
		{ "behind", "later", KEYWORDS_ADD, 3, 0 },
		{ "none", "", KEYWORDS_ADD, -1, ERR_PERM },
		{ "a flag", "\\Seen", KEYWORDS_ADD, -1, ERR_PERM },
		{ "a line end", "a\nb", KEYWORDS_ADD, -1, ERR_PERM },
	};
	int dir = fixture_store.root.fd;
	struct keywords k = { 0 };
	struct err err = ERR_INIT;

	put(KEYWORDS_NAME, "0 $Junk\n2 two\n");
	OK(keywords_read(&k, dir, &err));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int got = keywords_find(&k, dir, span_z(rows[i].name), rows[i].how, &err);

		if (got != rows[i].want || (got < 0 && err.kind != rows[i].kind))
			fail_msg("%s: %d", rows[i].label, got);
	}
	assert_string_equal(text_of(KEYWORDS_NAME), "0 $Junk\n1 work\n2 two\n3 later\n");
	assert_false(exists(KEYWORDS_NAME ".lock"));
	keywords_fini(&k);
}

static void test_full(void **state)
{
	int dir = fixture_store.root.fd;
	struct keywords k = { 0 };
	struct err err = ERR_INIT;
	uint32_t flag;
	char name[300];

	for (int i = 0; i < INDEX_KEYWORDS; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		assert_int_equal(keywords_find(&k, dir, span_z(name), KEYWORDS_ADD, &err), i);
	}
	assert_int_equal(keywords_find(&k, dir, SPAN_LIT("more"), KEYWORDS_ADD, &err), -1);
	assert_int_equal(err.kind, ERR_PERM);
	assert_false(exists(KEYWORDS_NAME ".lock"));
	memset(name, 'x', sizeof(name));
	assert_int_equal(keywords_find(&k, dir, (struct span){ name, KEYWORD_MAX + 1 }, KEYWORDS_ADD, &err), -1);
	assert_int_equal(err.kind, ERR_PERM);
	/* a letter on its way takes those that fit */
	err = (struct err)ERR_INIT;
	OK(keywords_flag(&k, dir, SPAN_LIT("K25"), KEYWORDS_ADD, &flag, &err));
	assert_int_equal(flag, (uint32_t)INDEX_KEYWORD << 25);
	OK(keywords_flag(&k, dir, SPAN_LIT("more"), KEYWORDS_ADD, &flag, &err));
	assert_int_equal(flag, 0);
	assert_int_equal(err.kind, ERR_NONE);
	close(dir = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC));
	assert_int_equal(keywords_flag(&k, dir, SPAN_LIT("more"), KEYWORDS_ADD, &flag, &err), -1);
	assert_int_equal(err.kind, ERR_SYS);
	keywords_fini(&k);
}

/* Two sessions: what one adds the other finds, and no letter gets two names. */
static void test_two(void **state)
{
	int dir = fixture_store.root.fd, status;
	struct keywords a = { 0 }, b = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(keywords_find(&a, dir, SPAN_LIT("one"), KEYWORDS_ADD, &err), 0);
	assert_int_equal(keywords_find(&b, dir, SPAN_LIT("two"), KEYWORDS_ADD, &err), 1);
	assert_int_equal(keywords_find(&a, dir, SPAN_LIT("three"), KEYWORDS_ADD, &err), 2);
	OK(keywords_read(&b, dir, &err));
	assert_int_equal(keywords_find(&b, dir, SPAN_LIT("three"), KEYWORDS_KNOWN, &err), 2);
	drop(KEYWORDS_NAME);
	OK(keywords_read(&b, dir, &err));
	assert_int_equal(keywords_find(&b, dir, SPAN_LIT("three"), KEYWORDS_KNOWN, &err), -1);
	for (int i = 0; i < 4; i++) {
		if (fork() == 0) {
			struct keywords k = { 0 };
			char name[20];

			for (int j = 0; j < 6; j++) {
				snprintf(name, sizeof(name), "w%d", (i + j) % 8);
				if (keywords_find(&k, dir, span_z(name), KEYWORDS_ADD, &err) < 0)
					_exit(1);
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	OK(keywords_read(&a, dir, &err));
	for (int i = 0; i < INDEX_KEYWORDS; i++)
		assert_int_equal(a.name[i].n != 0, i < 8);
	keywords_fini(&a);
	keywords_fini(&b);
}

/* Dovecot changes the file under the lock of the UIDs, and knows by whole seconds that it is another one. */
static void test_dovecot(void **state)
{
	int dir = fixture_store.root.fd;
	struct keywords k = { 0 };
	struct err err = ERR_INIT;
	struct stat before, after;
	pid_t pid;

	put(UIDLIST_LOCK, "");
	assert_int_equal(keywords_find(&k, dir, SPAN_LIT("zero"), KEYWORDS_ADD_HELD, &err), 0);
	assert_true(exists(UIDLIST_LOCK));
	pid = fork();
	if (pid == 0) {
		nanosleep(&(struct timespec){ 0, 100000000 }, NULL);
		put(KEYWORDS_NAME, "0 zero\n1 theirs\n");
		drop(UIDLIST_LOCK);
		_exit(0);
	}
	assert_int_equal(keywords_find(&k, dir, SPAN_LIT("ours"), KEYWORDS_ADD, &err), 2);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_string_equal(text_of(KEYWORDS_NAME), "0 zero\n1 theirs\n2 ours\n");
	assert_false(exists(UIDLIST_LOCK));
	for (int i = 3; i < 6; i++) {
		assert_int_equal(fstatat(dir, KEYWORDS_NAME, &before, 0), 0);
		assert_int_equal(keywords_find(&k, dir, (struct span){ &"abcdef"[i], 1 }, KEYWORDS_ADD, &err), i);
		assert_int_equal(fstatat(dir, KEYWORDS_NAME, &after, 0), 0);
		assert_true(after.st_mtime > before.st_mtime);
	}
	keywords_fini(&k);
}

/* Things a user can plant. */
static void test_planted(void **state)
{
	int dir = fixture_store.root.fd;
	struct keywords k = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(symlinkat("/etc/passwd", dir, KEYWORDS_NAME), 0);
	OK(keywords_read(&k, dir, &err));
	drop(KEYWORDS_NAME);
	assert_int_equal(mkfifoat(dir, KEYWORDS_NAME, 0600), 0);
	OK(keywords_read(&k, dir, &err));
	for (int i = 0; i < INDEX_KEYWORDS; i++)
		assert_int_equal(k.name[i].n, 0);
	keywords_fini(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_parse), T(test_find), T(test_full), T(test_two), T(test_dovecot), T(test_planted) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
