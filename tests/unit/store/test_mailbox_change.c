/* APPEND, COPY and MOVE: what is in the Maildir, the index and dovecot-uidlist after them, and after they fail. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/syscall.h>
#include <time.h>

#include "mailbox_fixture.h"

#define LETTER "Subject: a\n\nx\n"

/* Faults: the nth call from now fails. */
static int fail_fsync, fail_rename, fail_link, link_errno = EIO;
static bool is_full;                    /* nothing can be synced */

int fsync(int fd)
{
	if (is_full || (fail_fsync && --fail_fsync == 0)) {
		errno = is_full ? ENOSPC : EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	if (is_full) {
		errno = ENOSPC;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

int renameat2(int from, const char *a, int to, const char *b, unsigned flags)
{
	if (fail_rename && --fail_rename == 0) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_renameat2, from, a, to, b, flags);
}

int linkat(int from, const char *a, int to, const char *b, int flags)
{
	if (fail_link && --fail_link == 0) {
		errno = link_errno;
		return -1;
	}
	return (int)syscall(SYS_linkat, from, a, to, b, flags);
}

static int setup(void **state)
{
	fail_fsync = fail_rename = fail_link = 0;
	link_errno = EIO;
	is_full = false;
	return fixture_setup(state);
}

static struct stat stat_of(const char *dir, const char *name)
{
	char path[400];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s/%s", fixture_mail, dir, name);
	assert_int_equal(stat(path, &st), 0);
	return st;
}

/* ---- APPEND ---- */

static void test_append(void **state)
{
	struct mailbox *b = open_box(&fixture_store, "", 0);
	char name[NAME_MAX + 1] = "";
	struct err err = ERR_INIT;
	struct index_msg m;
	struct mail_body body;

	assert_int_equal(append(&fixture_store, "", LETTER, INDEX_SEEN | INDEX_FLAGGED), 1);
	assert_int_equal(append(&fixture_store, "", "A: b\r\n\r\nx\ny\n", 0), 2);
	assert_string_equal(sync_of(b, true), "+2");
	assert_string_equal(view_of(b), "1:FS 2:");
	assert_true(b->v[0].is_recent && b->v[1].is_recent);
	OK(mailbox_msg(b, 1, true, &m, &err));
	assert_int_equal(m.size, 12);
	assert_int_equal(m.vsize, 14);
	assert_int_equal(m.internal_s, 1000000000);
	OK(mailbox_body(b, 0, &body, &err));
	assert_int_equal(count_files("cur", "", name), 2);
	assert_int_equal(count_files("new", "", NULL) + count_files("tmp", "", NULL), 0);
	assert_non_null(strstr(name, ".h,S="));
	assert_int_equal(stat_of("cur", name).st_mtime, 1000000000);
	/* the index is right about the disk without a look */
	mailbox_close(&b);
	b = open_box(&fixture_store, "", 0);
	assert_string_equal(view_of(b), "1:FS 2:");
	assert_int_equal(b->now.first_unseen, 2);
	mailbox_close(&b);
}

static void test_append_many(void **state)
{
	static const struct span keywords[] = { { "$Junk", 5 }, { "work", 4 } };
	struct mailbox_append *a;
	struct mailbox_added added;
	struct mailbox *b;
	struct err err = ERR_INIT;

	OK(mailbox_append_begin(&a, &fixture_store, "", &err));
	for (int i = 0; i < 10; i++) {
		OK(mailbox_append_msg(a, 14, 0, keywords, (size_t)i % 3, 1000000000 + i, &err));
		OK(mailbox_append_data(a, SPAN_LIT("Subject: a\r"), &err));
		OK(mailbox_append_data(a, SPAN_LIT("\n\nx\n"), &err));
	}
	assert_int_equal(count_files("cur", "", NULL), 0);
	OK(mailbox_append_commit(&a, &added, &err));
	assert_null(a);
	assert_int_equal(added.n, 10);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(added.uids[i], i + 1);
	free(added.uids);
	assert_string_equal(text_of("dovecot-keywords"), "0 $Junk\n1 work\n");
	b = open_box(&fixture_store, "", 0);
	assert_int_equal(added.validity, b->now.validity);
	assert_string_equal(view_of(b), "1: 2:a 3:ab 4: 5:a 6:ab 7: 8:a 9:ab 10:");
	mailbox_close(&b);
}

static void test_append_fails(void **state)
{
	static const struct {
		const char *label;
		int fsync, rename, n_msgs;
	} rows[] = {
		{ "the directory cannot be synced", 1, 0, 1 },
		{ "the second cannot be renamed", 0, 2, 3 },
		{ "given up", 0, 0, 2 },
	};
	struct mailbox *b = open_box(&fixture_store, "", 0);
	struct mailbox_append *a;
	struct mailbox_added added;
	struct err err = ERR_INIT;

	assert_int_equal(append(&fixture_store, "", LETTER, 0), 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		OK(mailbox_append_begin(&a, &fixture_store, "", &err));
		for (int j = 0; j < rows[i].n_msgs; j++) {
			OK(mailbox_append_msg(a, 14, 0, NULL, 0, 0, &err));
			OK(mailbox_append_data(a, SPAN_LIT(LETTER), &err));
		}
		fail_fsync = rows[i].fsync;
		fail_rename = rows[i].rename;
		if (!rows[i].fsync && !rows[i].rename)
			mailbox_append_abort(&a);
		else if (mailbox_append_commit(&a, &added, &err) == 0)
			fail_msg("%s: it did not fail", rows[i].label);
		assert_null(a);
		if (count_files("cur", "", NULL) != 1 || count_files("tmp", "", NULL) != 0 || exists("dovecot-uidlist.lock"))
			fail_msg("%s: something is left", rows[i].label);
	}
	assert_string_equal(sync_of(b, true), "+1");
	append(&fixture_store, "", LETTER, 0);
	assert_string_equal(sync_of(b, true), "+2");
	assert_int_equal(mailbox_append_begin(&a, &fixture_store, ".none", &err), 0);
	mailbox_close(&b);
}

static void test_quota(void **state)
{
	struct mailbox_append *a;
	struct mailbox_added added;
	struct mailbox *b;
	struct err err = ERR_INIT;
	uint32_t sel[] = { 0, 1 }, *from;

	mail_store_close(&fixture_store);
	fixture_quota = 50;
	fixture_open(&fixture_store);
	make_folder(".Sent");
	append(&fixture_store, "", LETTER, 0);
	append(&fixture_store, "", LETTER, 0);
	OK(mailbox_append_begin(&a, &fixture_store, "", &err));
	OK(mailbox_append_msg(a, 14, 0, NULL, 0, 0, &err));
	OK(mailbox_append_data(a, SPAN_LIT(LETTER), &err));
	/* those of one command count together */
	assert_int_equal(mailbox_append_msg(a, 14, 0, NULL, 0, 0, &err), -1);
	assert_int_equal(err.kind, ERR_PERM);
	assert_string_equal(err.dsn, "5.2.2");
	mailbox_append_abort(&a);
	b = open_box(&fixture_store, "", 0);
	OK(mailbox_load(b, &err));
	assert_int_equal(mailbox_copy(b, sel, 2, ".Sent", false, &added, &from, &err), -1);
	assert_string_equal(err.dsn, "5.2.2");
	assert_int_equal(count_files(".Sent/cur", "", NULL), 0);
	assert_int_equal(mailbox_copy(b, sel, 2, ".Sent", true, &added, &from, &err), 1);
	free(added.uids);
	free(from);
	append(&fixture_store, "", LETTER, 0);
	sync_of(b, true);
	OK(mailbox_expunge(b, sel, 1, &err));
	OK(mailbox_append_begin(&a, &fixture_store, "", &err));
	OK(mailbox_append_msg(a, 14, 0, NULL, 0, 0, &err));
	mailbox_append_abort(&a);
	mailbox_close(&b);
}

/* ---- COPY and MOVE ---- */

static const char *copy_of(struct mailbox *b, uint32_t *sel, size_t n, const char *to, bool is_move)
{
	static char text[1000];
	struct mailbox_added added;
	struct err err = ERR_INIT;
	uint32_t *from;
	size_t at = 0;
	int rc = mailbox_copy(b, sel, n, to, is_move, &added, &from, &err);

	snprintf(text, sizeof(text), rc ? "failed" : "none");
	for (size_t i = 0; rc > 0 && i < added.n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%u>%u ", from[i], added.uids[i]);
	free(added.uids);
	free(from);
	return text;
}

static void test_copy(void **state)
{
	uint32_t sel[] = { 0, 1, 2 };
	struct mailbox *b, *to;
	char name[NAME_MAX + 1] = "";
	struct err err = ERR_INIT;
	struct index_msg m;

	make_folder(".Sent");
	put("cur/1.a,S=14,W=17:2,S", LETTER);
	put("cur/2.b:2,Pab", LETTER);
	put("cur/3.c:2,c", LETTER);
	put("dovecot-keywords", "0 $A\n1 $B\n");
	put(".Sent/dovecot-keywords", "0 x\n1 $A\n");
	put(".Sent/new/0.z", LETTER);
	b = open_box(&fixture_store, "", 0);
	view_of(b);
	OK(mailbox_ensure(b, sel, 1, &err));
	to = open_box(&fixture_store, ".Sent", 0);
	assert_string_equal(view_of(to), "1:");
	assert_string_equal(copy_of(b, sel, 3, ".Sent", false), "1>2 2>3 3>4 ");
	assert_string_equal(copy_of(b, sel, 3, ".None", false), "none");
	assert_string_equal(text_of(".Sent/dovecot-keywords"), "0 x\n1 $A\n2 $B\n");
	assert_string_equal(sync_of(to, true), "+4 k");
	assert_int_equal(to->v[2].flags, INDEX_KEYWORD * 6);
	assert_int_equal(to->v[3].flags, 0);
	OK(mailbox_msg(to, 1, false, &m, &err));
	/* the record came along */
	assert_true(m.state & INDEX_HAS_RECORD);
	OK(mailbox_msg(to, 2, false, &m, &err));
	assert_false(m.state & INDEX_HAS_RECORD);
	assert_int_equal(recordless_of(""), 2);
	assert_int_equal(recordless_of(".Sent"), 3);
	assert_int_equal(count_files(".Sent/cur", "", name), 4);
	assert_int_equal(stat_of("cur", "1.a,S=14,W=17:2,S").st_nlink, 2);
	/* into the folder itself */
	assert_string_equal(copy_of(b, sel, 2, "", false), "1>4 2>5 ");
	assert_string_equal(sync_of(b, true), "+5");
	assert_string_equal(view_of(b), "1:S 2:ab 3: 4:S 5:ab");
	mailbox_close(&b);
	mailbox_close(&to);
	to = open_box(&fixture_store, ".Sent", 0);
	assert_int_equal(to->n, 4);
	mailbox_close(&to);
}

static void test_copy_fails(void **state)
{
	static const struct {
		const char *label;
		int fsync, link, link_errno;
		const char *want;
		size_t n;
	} rows[] = {
		{ "the third cannot be linked", 0, 3, EIO, "failed", 0 },
		{ "the directory cannot be synced", 1, 0, 0, "failed", 0 },
		{ "too many links: copied", 0, 2, EMLINK, "1>4 2>5 3>6 ", 3 },
	};
	uint32_t sel[] = { 0, 1, 2 };
	char name[NAME_MAX + 1] = "";
	struct mailbox *b, *to;

	make_folder(".Sent");
	put("cur/1.a:2,S", LETTER);
	put("cur/2.b:2,", LETTER);
	put("cur/3.c:2,", LETTER);
	b = open_box(&fixture_store, "", 0);
	view_of(b);
	to = open_box(&fixture_store, ".Sent", 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *got;

		fail_fsync = rows[i].fsync;
		fail_link = rows[i].link;
		link_errno = rows[i].link_errno;
		got = copy_of(b, sel, 3, ".Sent", false);
		if (strcmp(got, rows[i].want) != 0 || count_files(".Sent/cur", "1", name) != rows[i].n ||
		    count_files(".Sent/tmp", "", NULL) != 0 || exists(".Sent/dovecot-uidlist.lock"))
			fail_msg("%s: %s", rows[i].label, got);
	}
	assert_int_equal(sync_of(to, true)[1], '3');
	mailbox_close(&b);
	mailbox_close(&to);
}

static void test_move(void **state)
{
	uint32_t sel[] = { 0, 2 };
	struct mailbox *b, *to;

	make_folder(".Sent");
	put("cur/1.a,S=14:2,S", LETTER);
	put("cur/2.b:2,", LETTER);
	put("cur/3.c:2,F", LETTER);
	b = open_box(&fixture_store, "", 0);
	view_of(b);
	assert_string_equal(copy_of(b, sel, 2, ".Sent", true), "1>1 3>2 ");
	assert_string_equal(sync_of(b, true), "-1 -2");
	assert_string_equal(view_of(b), "2:");
	assert_int_equal(count_files("cur", "", NULL), 1);
	to = open_box(&fixture_store, ".Sent", 0);
	assert_string_equal(view_of(to), "1:S 2:F");
	/* within the folder: new UIDs */
	assert_string_equal(copy_of(to, sel, 1, ".Sent", true), "1>3 ");
	assert_string_equal(sync_of(to, true), "-1 +2");
	assert_string_equal(view_of(to), "2:F 3:S");
	mailbox_close(&b);
	mailbox_close(&to);
}

/* What others have removed or renamed meanwhile. */
static void test_copy_races(void **state)
{
	uint32_t sel[] = { 0, 1, 2 };
	struct mailbox *b, *to;

	make_folder(".Sent");
	put("cur/1.a:2,S", LETTER);
	put("cur/2.b:2,", LETTER);
	put("cur/3.c:2,", LETTER);
	b = open_box(&fixture_store, "", 0);
	view_of(b);
	drop("cur/1.a:2,S");
	move("cur/2.b:2,", "cur/2.b:2,F");
	put(".Sent/new/9.x", LETTER);
	assert_string_equal(copy_of(b, sel, 3, ".Sent", false), "2>2 3>3 ");
	to = open_box(&fixture_store, ".Sent", 0);
	assert_string_equal(view_of(to), "1: 2:F 3:");
	mailbox_close(&b);
	mailbox_close(&to);
}

/* A user over quota can still look and delete: UIDs hold for the session. */
static void test_full(void **state)
{
	struct mailbox *b;
	struct err err = ERR_INIT;
	uint32_t sel = 0;

	put("new/1.a", LETTER);
	put("cur/2.b:2,S", LETTER);
	is_full = true;
	b = open_box(&fixture_store, "", 0);
	assert_true(b->is_volatile);
	assert_string_equal(view_of(b), "1: 2:S");
	put("new/3.c", LETTER);
	assert_string_equal(sync_of(b, true), "+3");
	store_flags(b, 1, MAILBOX_ADD, INDEX_DELETED);
	OK(mailbox_expunge(b, &sel, 1, &err));
	assert_string_equal(sync_of(b, true), "-1");
	assert_string_equal(view_of(b), "2:ST 3:");
	assert_false(exists("dovecot-uidlist.lock"));
	mailbox_close(&b);
	is_full = false;
	mail_store_close(&fixture_store);
	fixture_open(&fixture_store);
	b = open_box(&fixture_store, "", 0);
	assert_false(b->is_volatile);
	assert_int_equal(b->n, 2);
	mailbox_close(&b);
}

/* The list can be read but not written, as with a full disk later on. */
static void test_full_later(void **state)
{
	struct mailbox *b;

	put("cur/1.a:2,S", LETTER);
	b = open_box(&fixture_store, "", 0);
	assert_false(b->is_volatile);
	view_of(b);
	is_full = true;
	put("new/2.b", LETTER);
	assert_string_equal(sync_of(b, true), "+2");
	is_full = false;
	put("new/3.c", LETTER);
	assert_string_equal(sync_of(b, true), "+3");
	assert_string_equal(view_of(b), "1:S 2: 3:");
	assert_non_null(strstr(text_of("dovecot-uidlist"), "1 :1.a\n2 :2.b\n3 :3.c\n"));
	is_full = true;
	put("new/4.d", LETTER);
	assert_string_equal(sync_of(b, true), "+4");
	drop("cur/4.d:2,");
	assert_string_equal(sync_of(b, true), "-4");
	is_full = false;
	/* no number that was told is given again */
	put("new/5.e", LETTER);
	assert_string_equal(sync_of(b, true), "+4");
	assert_string_equal(view_of(b), "1:S 2: 3: 5:");
	mailbox_close(&b);
}

/* ---- times ---- */

static struct index_folder record_of(const char *folder)
{
	struct index_folder f = { 0 };
	struct err err = ERR_INIT;
	struct index_txn t;

	OK(index_begin(fixture_store.index, false, &t, &err));
	OK(index_folder_get(&t, span_z(folder), &f, &err));
	index_end(&t);
	return f;
}

/* After a change of our own nothing is read; a stranger in the same tick, or between, is seen all the same. */
static void test_own_time(void **state)
{
	struct mailbox *b;
	struct index_folder f;
	struct stat st;
	char path[400];

	put("cur/1.a:2,", LETTER);
	put("cur/2.b:2,", LETTER);
	b = open_box(&fixture_store, "", 0);
	view_of(b);
	nanosleep(&(struct timespec){ 0, 60000000 }, NULL);
	sync_of(b, true);
	assert_int_equal(record_of("").cur_time.due_s, 0);
	for (int i = 0; i < 50; i++) {
		store_flags(b, 0, i % 2 ? MAILBOX_REMOVE : MAILBOX_ADD, INDEX_FLAGGED);
		f = record_of("");
		fixture_path(path, sizeof(path), "cur");
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(f.cur_time.s, st.st_mtim.tv_sec);
		assert_int_equal(f.cur_time.ns, st.st_mtim.tv_nsec);
		/* doubted, but later; what a stranger did a moment ago is doubted at once */
		assert_true(i > 0 || f.cur_time.due_s > time(NULL) + 20);
		/* at once: the same tick of the clock, most of the time */
		move(i % 2 ? "cur/2.b:2,S" : "cur/2.b:2,", i % 2 ? "cur/2.b:2," : "cur/2.b:2,S");
		assert_string_equal(sync_of(b, true), "*2");
	}
	/* a stranger before ours: the time stays wrong, so it is looked at */
	move("cur/2.b:2,", "cur/2.b:2,T");
	append(&fixture_store, "", LETTER, 0);
	assert_string_equal(sync_of(b, true), "*2 +3");
	mailbox_close(&b);
}

#undef T
/* STORE meets a flag that another program has set: the client is told of it, also when the index is another one by
 * then. */
static void test_store_meets_others(void **state)
{
	static const struct {
		const char *label;
		bool is_renewed;
		uint32_t flag;
		const char *view;
	} rows[] = {
		{ "another flag", false, INDEX_SEEN, "1:FS" }, { "the same flag", false, INDEX_FLAGGED, "1:F" },
		{ "another flag, new index", true, INDEX_SEEN, "1:FS" }, { "the same flag, new index", true, INDEX_FLAGGED, "1:F" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct err err = ERR_INIT;
		struct mailbox *b;
		uint32_t sel = 0, *modified;
		size_t n;

		put("cur/1.a.h:2,", LETTER);
		b = open_box(&fixture_store, "", 0);
		assert_string_equal(view_of(b), "1:");
		move("cur/1.a.h:2,", "cur/1.a.h:2,F");
		if (rows[i].is_renewed)
			OK(index_renew(fixture_store.index, &err));
		OK(mailbox_store(b, &sel, 1, MAILBOX_ADD, rows[i].flag, UINT64_MAX, &arena, &modified, &n, &err));
		if (strcmp(sync_of(b, true), "*1") != 0 || strcmp(view_of(b), rows[i].view) != 0)
			fail_msg("%s: view %s", rows[i].label, view_of(b));
		assert_true(b->v[0].modseq > 0 && b->v[0].modseq <= b->now.modseq);
		arena_fini(&arena);
		mailbox_close(&b);
		fixture_teardown(NULL);
		setup(NULL);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_append), T(test_append_many), T(test_append_fails), T(test_quota), T(test_copy), T(test_copy_fails),
		T(test_move), T(test_copy_races), T(test_store_meets_others), T(test_own_time), T(test_full), T(test_full_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
