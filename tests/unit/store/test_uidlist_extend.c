/* Numbers given without reading the list into memory: beside others who write it, on a full disk, after an interrupted append. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/syscall.h>

#include "mailbox_fixture.h"
#include "store/uidlist.h"

static int fail_sync;

int fdatasync(int fd)
{
	if (fail_sync) {
		errno = fail_sync;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

#define HEAD "3 V10 N5 G0123456789abcdef0123456789abcdef\n"
#define LIST HEAD "3 :1.a\n4 :2.b\n"

static struct uidlist_note note_of_list(void)
{
	struct uidlist_note note = { .validity = 10, .next_uid = 5 };
	struct err err = ERR_INIT;

	OK(uidlist_stat(fixture_store.root.fd, &note.file, &err));
	return note;
}

static void add_text(const char *text)
{
	char path[400];
	int fd;

	fixture_path(path, sizeof(path), UIDLIST_NAME);
	fd = open(path, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void test_extend(void **state)
{
	static const struct {
		const char *label, *others;     /* what others append meanwhile */
		enum uidlist_rc want;
		uint32_t c, d, next;
		const char *text;
	} rows[] = {
		{ "nobody", "", UIDLIST_DONE, 5, 6, 7, LIST "5 :c\n6 :d\n" },
		{ "others have numbered one", "5 :c\n", UIDLIST_DONE, 5, 6, 7, LIST "5 :c\n6 :d\n" },
		{ "both, in another order", "8 W3 :d:2,S\n9 :c\n", UIDLIST_DONE, 9, 8, 10, LIST "8 W3 :d:2,S\n9 :c\n" },
		{ "others have one that we do not know", "5 :x\n", UIDLIST_OTHER, 0, 0, 0, NULL },
		{ "torn", "5 :c", UIDLIST_OTHER, 0, 0, 0, NULL },
		{ "a UID that was given", "4 :c\n", UIDLIST_OTHER, 0, 0, 0, NULL },
		{ "no record", "hello\n", UIDLIST_OTHER, 0, 0, 0, NULL },
		{ "an empty line", "\n", UIDLIST_OTHER, 0, 0, 0, NULL },
	};
	int dir = fixture_store.root.fd;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct uidlist_new v[] = { { SPAN_LIT("c"), 0 }, { SPAN_LIT("d"), 0 } };
		struct uidlist_note note;
		struct err err = ERR_INIT;
		struct index_file now;
		enum uidlist_rc rc;

		put(UIDLIST_NAME, LIST);
		note = note_of_list();
		add_text(rows[i].others);
		rc = uidlist_extend(dir, &note, v, 2, &err);
		if (rc != rows[i].want)
			fail_msg("%s: %d", rows[i].label, rc);
		if (rc != UIDLIST_DONE)
			continue;
		if (v[0].uid != rows[i].c || v[1].uid != rows[i].d || note.next_uid != rows[i].next ||
		    strcmp(text_of(UIDLIST_NAME), rows[i].text) != 0)
			fail_msg("%s: %u %u, next %u\n%s", rows[i].label, v[0].uid, v[1].uid, note.next_uid, text_of(UIDLIST_NAME));
		OK(uidlist_stat(dir, &now, &err));
		assert_true(uidlist_same(&now, &note.file));
	}
}

/* A name that may have been here before is searched for: at every place relative to the edge of a block. */
static void test_old(void **state)
{
	static const struct {
		const char *label, *line;
		enum uidlist_rc want;
	} rows[] = {
		{ "its record", "7 :old\n", UIDLIST_OTHER },
		{ "with flags", "7 W3 :old:2,S\n", UIDLIST_OTHER },
		{ "a longer name", "7 :older\n", UIDLIST_DONE },
		{ "the end of another", "7 :1.old\n", UIDLIST_DONE },
		{ "an extension", "7 Xold :b\n", UIDLIST_DONE },
	};
	struct str text = STR_INIT(1 << 20);
	struct err err = ERR_INIT;
	int dir = fixture_store.root.fd;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t n = 65270; n < 65550; n += n == 65290 ? 235 : 1) {
			struct uidlist_new v[] = { { SPAN_LIT("c"), 0, false }, { SPAN_LIT("old"), 0, true } };
			struct uidlist_note note;
			enum uidlist_rc rc;

			str_reset(&text);
			assert_int_equal(str_addz(&text, HEAD "1 :"), 0);
			while (text.n < n)
				assert_int_equal(str_addc(&text, 'x'), 0);
			assert_int_equal(str_addf(&text, "\n%s", rows[i].line), 0);
			while (text.n < 70000)
				assert_int_equal(str_addz(&text, "8 :y\n"), 0);
			put(UIDLIST_NAME, text.p);
			note = note_of_list();
			note.next_uid = 9;
			rc = uidlist_extend(dir, &note, v, 2, &err);
			if (rc != rows[i].want || (rc == UIDLIST_DONE && v[1].uid != 10))
				fail_msg("%s at %zu: %d, %u", rows[i].label, n, rc, v[1].uid);
			/* who is not old is not searched for */
			v[1] = (struct uidlist_new){ SPAN_LIT("old"), 0, false };
			v[0].uid = 0;
			assert_int_equal(uidlist_extend(dir, &note, v, 2, &err), UIDLIST_DONE);
		}
	}
	str_fini(&text);
}

static void test_replaced(void **state)
{
	struct uidlist_new v = { SPAN_LIT("c"), 0 };
	struct uidlist_note note;
	struct err err = ERR_INIT;
	int dir = fixture_store.root.fd;

	assert_int_equal(uidlist_extend(dir, &(struct uidlist_note){ 0 }, &v, 1, &err), UIDLIST_OTHER);
	put(UIDLIST_NAME, LIST);
	note = note_of_list();
	/* the same text, another file */
	put("other", LIST);
	move("other", UIDLIST_NAME);
	assert_int_equal(uidlist_extend(dir, &note, &v, 1, &err), UIDLIST_OTHER);
	note = note_of_list();
	put(UIDLIST_NAME, HEAD);
	assert_int_equal(uidlist_extend(dir, &note, &v, 1, &err), UIDLIST_OTHER);
	drop(UIDLIST_NAME);
	assert_int_equal(symlinkat("/etc/passwd", dir, UIDLIST_NAME), 0);
	assert_int_equal(uidlist_extend(dir, &note, &v, 1, &err), UIDLIST_OTHER);
}

/* Another file with the inode of the one that we know, as when it is rewritten twice; and longer, a line ending there. */
static void test_inode_again(void **state)
{
	struct uidlist_new v[] = { { SPAN_LIT("c"), 0, false }, { SPAN_LIT("d"), 0, false } };
	struct uidlist_note note;
	struct err err = ERR_INIT;
	struct stat before, after;
	int dir = fixture_store.root.fd, n = 0;

	do {
		put(UIDLIST_NAME, LIST);
		note = note_of_list();
		assert_int_equal(fstatat(dir, UIDLIST_NAME, &before, 0), 0);
		drop(UIDLIST_NAME);
		put(UIDLIST_NAME, "3 V10 N8 G0123456789abcdef0123456789abcdef\n3 :1.a\n7 :3.c\n8 :c\n");
		assert_int_equal(fstatat(dir, UIDLIST_NAME, &after, 0), 0);
	} while (before.st_ino != after.st_ino && n++ < 20);
	assert_int_equal(uidlist_extend(dir, &note, v, 2, &err), UIDLIST_OTHER);
}

static void test_full_disk(void **state)
{
	struct uidlist_new v = { SPAN_LIT("c"), 0 };
	struct uidlist_note note;
	struct err err = ERR_INIT;

	put(UIDLIST_NAME, LIST);
	note = note_of_list();
	fail_sync = ENOSPC;
	assert_int_equal(uidlist_extend(fixture_store.root.fd, &note, &v, 1, &err), UIDLIST_FAILED);
	fail_sync = 0;
	assert_int_equal(err.sys, ENOSPC);
	/* taken back: a number that was not told */
	assert_string_equal(text_of(UIDLIST_NAME), LIST);
	assert_int_equal(note.next_uid, 5);
}

static void test_pop3_ids(void **state)
{
	struct str text = STR_INIT(1 << 20);
	struct err err = ERR_INIT;
	int dir = fixture_store.root.fd;

	assert_false(uidlist_has_pop3_ids(dir));
	put(UIDLIST_NAME, LIST);
	assert_false(uidlist_has_pop3_ids(dir));
	/* at every place relative to the edge of a block */
	for (size_t n = 65530; n < 65540; n++) {
		str_reset(&text);
		while (text.n < n)
			assert_int_equal(str_addc(&text, 'x'), 0);
		assert_int_equal(str_addz(&text, " Pid :1.a\n"), 0);
		put(UIDLIST_NAME, text.p);
		if (!uidlist_has_pop3_ids(dir))
			fail_msg("at %zu: %s", n, err.msg);
	}
	str_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_extend), T(test_old), T(test_replaced), T(test_inode_again), T(test_full_disk), T(test_pop3_ids) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
