/* A folder as a session sees it, while other sessions and other programs change it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <time.h>

#include "mailbox_fixture.h"

#define LETTER "Subject: a\n\nx\n"

static void put_three(void)
{
	put("new/1.a,S=14", LETTER);
	put("cur/2.b:2,S", LETTER);
	put("cur/3.c,S=14,W=17:2,FPa", LETTER);
}

/* ---- open and status ---- */

static void test_open(void **state)
{
	struct mailbox *b;

	put_three();
	put("dovecot-keywords", "0 $Junk\n");
	b = open_box(&fixture_store, "", 0);
	assert_int_equal(b->n, 3);
	assert_int_equal(b->now.n, 3);
	assert_int_equal(b->now.n_unseen, 2);
	assert_int_equal(b->now.first_unseen, 1);
	assert_int_equal(b->now.uid_next, 4);
	assert_false(b->is_loaded);
	assert_string_equal(view_of(b), "1: 2:S 3:Fa");
	assert_true(span_eqz(b->keywords.name[0], "$Junk"));
	/* what is in new/ is taken */
	assert_true(exists("cur/1.a,S=14:2,"));
	assert_false(exists("new/1.a,S=14"));
	assert_string_equal(sync_of(b, true), "");
	mailbox_close(&b);
	b = open_box(&fixture_store, "", 0);
	assert_string_equal(view_of(b), "1: 2:S 3:Fa");
	mailbox_close(&b);
	assert_null(b);
}

static void test_nothing(void **state)
{
	struct mailbox *b;
	struct mailbox_status st;
	struct err err = ERR_INIT;
	static const char *const names[] = { ".Sent", "x", "..", ".", "./x", ".a/b" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(mailbox_open(&b, &fixture_store, names[i], 0, &err), 0);
		assert_int_equal(mailbox_status(&fixture_store, names[i], 0, &st, &err), 0);
	}
	b = open_box(&fixture_store, "", 0);
	assert_string_equal(view_of(b), "");
	assert_true(b->now.validity > 0);
	assert_int_equal(b->now.uid_next, 1);
	mailbox_close(&b);
}

static void test_read_only(void **state)
{
	struct mailbox *b;
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	uint32_t *modified, sel = 0;
	size_t n;

	put_three();
	b = open_box(&fixture_store, "", MAILBOX_READ_ONLY);
	assert_string_equal(view_of(b), "1: 2:S 3:Fa");
	assert_true(exists("new/1.a,S=14"));
	assert_int_equal(mailbox_store(b, &sel, 1, MAILBOX_ADD, INDEX_SEEN, UINT64_MAX, &a, &modified, &n, &err), -1);
	assert_int_equal(err.kind, ERR_PERM);
	assert_int_equal(mailbox_expunge(b, &sel, 1, &err), -1);
	put("new/4.d", LETTER);
	assert_string_equal(sync_of(b, true), "+4");
	assert_true(exists("new/4.d"));
	mailbox_close(&b);
	arena_fini(&a);
}

static void test_status(void **state)
{
	struct mailbox_status st;
	struct err err = ERR_INIT;

	put_three();
	assert_int_equal(mailbox_status(&fixture_store, "", 0, &st, &err), 1);
	assert_int_equal(st.n, 3);
	assert_int_equal(st.n_unseen, 2);
	assert_true(exists("new/1.a,S=14"));
	assert_int_equal(mailbox_status(&fixture_store, "", MAILBOX_SIZES, &st, &err), 1);
	assert_int_equal(st.bytes, 3 * 17);
	drop("cur/2.b:2,S");
	assert_int_equal(mailbox_status(&fixture_store, "", MAILBOX_SIZES, &st, &err), 1);
	assert_int_equal(st.bytes, 2 * 17);
	assert_int_equal(st.uid_next, 4);
}

/* ---- changes of others ---- */

static void test_foreign(void **state)
{
	static const struct {
		const char *label, *from, *to, *want, *view;
	} rows[] = {
		{ "a flag", "cur/2.b:2,S", "cur/2.b:2,RS", "*2", "1: 2:RS 3:Fa" },
		{ "the same name again", "cur/2.b:2,RS", "cur/2.b:2,RS", "", "1: 2:RS 3:Fa" },
		{ "a delivery", NULL, "new/4.d", "+4", "1: 2:RS 3:Fa 4:" },
		{ "a copy into cur/", NULL, "cur/5.e:2,T", "+5", "1: 2:RS 3:Fa 4: 5:T" },
		{ "an expunge", "cur/2.b:2,RS", NULL, "-2", "1: 3:Fa 4: 5:T" },
		{ "a keyword", "cur/3.c,S=14,W=17:2,FPa", "cur/3.c,S=14,W=17:2,FPb", "*2", "1: 3:Fb 4: 5:T" },
		{ "a letter nobody knows", "cur/3.c,S=14,W=17:2,FPb", "cur/3.c,S=14,W=17:2,FPQb", "", "1: 3:Fb 4: 5:T" },
		{ "back into new/", "cur/4.d:2,", "new/4.d", "", "1: 3:Fb 4: 5:T" },
		{ "first expunged", "cur/1.a,S=14:2,", NULL, "-1", "3:Fb 4: 5:T" },
		{ "it comes back", NULL, "cur/1.a,S=14:2,", "+4", "3:Fb 4: 5:T 6:" },
	};
	struct mailbox *b;

	put_three();
	b = open_box(&fixture_store, "", 0);
	view_of(b);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].from && rows[i].to)
			move(rows[i].from, rows[i].to);
		else if (rows[i].from)
			drop(rows[i].from);
		else
			put(rows[i].to, LETTER);
		if (strcmp(sync_of(b, true), rows[i].want) != 0 || strcmp(view_of(b), rows[i].view) != 0)
			fail_msg("%s: \"%s\"", rows[i].label, view_of(b));
	}
	assert_non_null(strstr(text_of("dovecot-uidlist"), "6 :1.a,S=14\n"));
	mailbox_close(&b);
	b = open_box(&fixture_store, "", 0);
	assert_string_equal(view_of(b), "3:Fb 4: 5:T 6:");
	mailbox_close(&b);
}

/* No EXPUNGE may be told during FETCH: the numbers stay. */
static void test_pending_expunge(void **state)
{
	struct mailbox *b;
	struct err err = ERR_INIT;
	struct index_msg m;

	put_three();
	b = open_box(&fixture_store, "", 0);
	view_of(b);
	drop("cur/2.b:2,S");
	put("new/4.d", LETTER);
	assert_string_equal(sync_of(b, false), "+4");
	assert_string_equal(view_of(b), "1: 2:S! 3:Fa 4:");
	assert_int_equal(mailbox_msg(b, 1, false, &m, &err), -1);
	assert_int_equal(err.kind, ERR_PERM);
	assert_int_equal(mailbox_file(b, 1, NULL, &err), -1);
	assert_int_equal(err.kind, ERR_PERM);
	store_flags(b, 1, MAILBOX_ADD, INDEX_FLAGGED);
	drop("cur/3.c,S=14,W=17:2,FPa");
	assert_string_equal(sync_of(b, true), "-2 -2");
	assert_string_equal(view_of(b), "1: 4:");
	mailbox_close(&b);
}

/* The view is what was selected, also when it is first looked at later. */
static void test_unloaded(void **state)
{
	struct mailbox *b, *c;

	put_three();
	b = open_box(&fixture_store, "", 0);
	put("new/4.d", LETTER);
	assert_string_equal(sync_of(b, false), "+4");
	assert_false(b->is_loaded);
	c = open_box(&fixture_store, "", 0);
	drop("cur/1.a,S=14:2,");
	move("cur/2.b:2,S", "cur/2.b:2,");
	put("new/5.e", LETTER);
	view_of(c);
	sync_of(c, true);
	assert_string_equal(view_of(b), "1:! 2: 3:Fa 4:");
	assert_string_equal(sync_of(b, false), "*2 +5");
	assert_string_equal(sync_of(b, true), "-1");
	assert_string_equal(view_of(b), "2: 3:Fa 4: 5:");
	mailbox_close(&b);
	b = open_box(&fixture_store, "", 0);
	drop("cur/4.d:2,");
	assert_string_equal(sync_of(b, true), "-3");
	mailbox_close(&b);
	mailbox_close(&c);
}

static void test_lost(void **state)
{
	struct mailbox *b;
	char path[400];

	make_folder(".Sent");
	put(".Sent/cur/1.a:2,S", LETTER);
	b = open_box(&fixture_store, ".Sent", 0);
	assert_string_equal(view_of(b), "1:S");
	fixture_path(path, sizeof(path), ".Sent");
	nftw(path, fixture_rm, 8, FTW_DEPTH | FTW_PHYS);
	assert_string_equal(sync_of(b, true), "lost");
	make_folder(".Sent");
	assert_string_equal(sync_of(b, true), "lost");
	mailbox_close(&b);
}

static void test_new_validity(void **state)
{
	struct mailbox *b;
	uint32_t validity;

	put_three();
	b = open_box(&fixture_store, "", 0);
	validity = b->now.validity;
	view_of(b);
	drop("dovecot-uidlist");
	assert_string_equal(sync_of(b, true), "lost");
	mailbox_close(&b);
	b = open_box(&fixture_store, "", 0);
	assert_true(b->now.validity > validity);
	assert_string_equal(view_of(b), "1: 2:S 3:Fa");
	mailbox_close(&b);
}

/* Folders that others made, met in one second: one may take the other's name. */
static void test_own_validity(void **state)
{
	static const char *const folders[] = { "", ".a", ".b", ".c" };
	uint32_t last = 0;

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		struct mailbox *b;
		char path[40];

		if (folders[i][0])
			make_folder(folders[i]);
		snprintf(path, sizeof(path), "%s%scur/1.a:2,", folders[i], folders[i][0] ? "/" : "");
		put(path, LETTER);
		b = open_box(&fixture_store, folders[i], 0);
		assert_true(b->now.validity > last);
		last = b->now.validity;
		mailbox_close(&b);
	}
}

/* Numbers are only ever appended; when most of the list is of messages that are gone it is written anew. */
static void test_long_list(void **state)
{
	struct str text = STR_INIT(1 << 20);
	struct mailbox *b;

	assert_int_equal(str_addz(&text, "3 V10 N5001 G0123456789abcdef0123456789abcdef\n"), 0);
	for (int i = 1; i <= 5000; i++)
		assert_int_equal(str_addf(&text, "%d W1234 :1600000000.M%dP1.host.example.com,S=1200\n", i, i), 0);
	put("dovecot-uidlist", text.p);
	put("cur/1600000000.M5000P1.host.example.com,S=1200:2,S", LETTER);
	str_fini(&text);
	b = open_box(&fixture_store, "", 0);
	assert_string_equal(view_of(b), "5000:S");
	for (int i = 1; i <= 3; i++) {
		char name[40];

		snprintf(name, sizeof(name), "new/%d.x", i);
		put(name, LETTER);
		assert_int_equal(sync_of(b, true)[0], '+');
	}
	assert_string_equal(view_of(b), "5000:S 5001: 5002: 5003:");
	assert_true(strlen(text_of("dovecot-uidlist")) < 300);
	assert_int_equal(b->now.validity, 10);
	mailbox_close(&b);
}

/* ---- changes of our own ---- */

static void test_store(void **state)
{
	static const struct {
		const char *label;
		uint32_t i;
		enum mailbox_store_how how;
		uint32_t flags;
		const char *name, *view;
	} rows[] = {
		{ "add", 1, MAILBOX_ADD, INDEX_FLAGGED, "2.b:2,FS", "1: 2:FS 3:Fa" },
		{ "again", 1, MAILBOX_ADD, INDEX_FLAGGED, "2.b:2,FS", "1: 2:FS 3:Fa" },
		{ "remove", 1, MAILBOX_REMOVE, INDEX_SEEN | INDEX_DRAFT, "2.b:2,F", "1: 2:F 3:Fa" },
		{ "replace keeps what is not ours", 2, MAILBOX_REPLACE, INDEX_SEEN, "3.c,S=14,W=17:2,PSa", "1: 2:F 3:Sa" },
		{ "replace takes a named keyword", 2, MAILBOX_REPLACE, INDEX_KEYWORD * 2, "3.c,S=14,W=17:2,Pab", "1: 2:F 3:ab" },
		{ "the first", 0, MAILBOX_ADD, INDEX_SEEN | INDEX_DELETED, "1.a,S=14:2,ST", "1:ST 2:F 3:ab" },
	};
	char path[400];
	struct mailbox *b, *other;

	put_three();
	put("dovecot-keywords", "1 $B\n");
	b = open_box(&fixture_store, "", 0);
	other = open_box(&fixture_store, "", 0);
	view_of(other);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t modseq = b->now.modseq;
		bool changes = i != 1;

		store_flags(b, rows[i].i, rows[i].how, rows[i].flags);
		snprintf(path, sizeof(path), "cur/%s", rows[i].name);
		if (!exists(path) || strcmp(view_of(b), rows[i].view) != 0)
			fail_msg("%s: %s", rows[i].label, view_of(b));
		/* told to others, not to us */
		assert_string_equal(sync_of(b, true), "");
		if (strcmp(sync_of(other, true), changes ? (char[]){ '*', (char)('1' + rows[i].i), 0 } : "") != 0)
			fail_msg("%s: the other session", rows[i].label);
		assert_string_equal(view_of(other), rows[i].view);
		assert_int_equal(b->now.modseq > modseq, changes);
		assert_int_equal(b->v[rows[i].i].modseq == b->now.modseq, i != 1 || 1);
	}
	assert_int_equal(b->now.n_unseen, 2);
	assert_int_equal(b->now.n_deleted, 1);
	assert_int_equal(b->now.first_unseen, 2);
	mailbox_close(&b);
	mailbox_close(&other);
}

/* RFC 7162 section 3.1.3: UNCHANGEDSINCE. */
static void test_unchanged_since(void **state)
{
	struct mailbox *b, *other;
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	uint32_t *modified, sel[] = { 0, 1, 2 };
	uint64_t before;
	size_t n;

	put_three();
	b = open_box(&fixture_store, "", 0);
	other = open_box(&fixture_store, "", 0);
	view_of(b);
	before = b->now.modseq;
	store_flags(other, 1, MAILBOX_ADD, INDEX_FLAGGED);
	OK(mailbox_store(b, sel, 3, MAILBOX_ADD, INDEX_ANSWERED, before, &a, &modified, &n, &err));
	assert_int_equal(n, 1);
	assert_int_equal(modified[0], 1);
	assert_string_equal(sync_of(b, true), "*2");
	assert_string_equal(view_of(b), "1:R 2:FS 3:FRa");
	assert_true(b->v[0].modseq == b->v[2].modseq && b->v[1].modseq < b->v[0].modseq);
	arena_fini(&a);
	mailbox_close(&b);
	mailbox_close(&other);
}

/* Others rename while we do, and we have not looked: the file is found by its base name. */
static void test_store_races(void **state)
{
	struct mailbox *b;
	struct index_folder f;
	struct index_txn t;
	struct err err = ERR_INIT;
	struct stat st;

	put_three();
	b = open_box(&fixture_store, "", 0);
	view_of(b);
	move("cur/2.b:2,S", "cur/2.b:2,RS");
	/* a look that found nothing: the index believes the directory is as it was */
	OK(index_begin(fixture_store.index, true, &t, &err));
	OK(index_folder_get(&t, SPAN_NULL, &f, &err));
	assert_int_equal(fstat(b->md.cur, &st), 0);
	f.cur_time = (struct index_time){ st.st_mtim.tv_sec, (uint32_t)st.st_mtim.tv_nsec, 0 };
	OK(index_folder_put(&t, SPAN_NULL, &f, &err));
	OK(index_commit(&t, &err));
	assert_string_equal(sync_of(b, true), "");
	store_flags(b, 1, MAILBOX_ADD, INDEX_FLAGGED);
	assert_true(exists("cur/2.b:2,FRS"));
	assert_string_equal(view_of(b), "1: 2:FRS 3:Fa");
	mailbox_close(&b);
}

static void test_expunge(void **state)
{
	struct mailbox *b, *other;
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	uint32_t sel[] = { 0, 2 }, *uids;
	uint64_t before;
	bool is_complete;
	size_t n;

	put_three();
	b = open_box(&fixture_store, "", 0);
	other = open_box(&fixture_store, "", 0);
	view_of(b);
	view_of(other);
	before = b->now.modseq;
	OK(mailbox_expunge(b, sel, 2, &err));
	assert_string_equal(view_of(b), "1: 2:S 3:Fa");
	assert_string_equal(sync_of(b, false), "");
	assert_string_equal(view_of(b), "1:! 2:S 3:Fa!");
	assert_string_equal(sync_of(b, true), "-1 -2");
	assert_string_equal(sync_of(other, true), "-1 -2");
	assert_int_equal(count_files("cur", "", NULL), 1);
	OK(mailbox_gone(b, before, &a, &uids, &n, &is_complete, &err));
	assert_int_equal(n, 2);
	assert_int_equal(uids[0], 1);
	assert_int_equal(uids[1], 3);
	assert_true(is_complete);
	OK(mailbox_gone(b, b->now.modseq, &a, &uids, &n, &is_complete, &err));
	assert_int_equal(n, 0);
	OK(mailbox_gone(b, 1, &a, &uids, &n, &is_complete, &err));
	assert_false(is_complete);
	assert_int_equal(b->now.n_unseen, 0);
	assert_int_equal(b->now.first_unseen, 0);
	arena_fini(&a);
	mailbox_close(&b);
	mailbox_close(&other);
}

/* ---- reading ---- */

static bool count(void *arg, size_t i, const struct index_msg *m, const struct mail_keys *k,
		  const struct mail_body *body)
{
	size_t *n = arg;

	n[0]++;
	n[1] += m != NULL;
	n[2] += k != NULL;
	n[3] += body != NULL;
	return n[0] < n[4];
}

static void test_read(void **state)
{
	static const struct {
		const char *label;
		unsigned what;
		size_t n_sel, stop, want[4];
	} rows[] = {
		{ "facts", MAILBOX_FACTS, 40, 99, { 40, 39, 0, 0 } },
		{ "keys", MAILBOX_KEYS, 40, 99, { 40, 0, 38, 0 } },
		{ "all", MAILBOX_FACTS | MAILBOX_KEYS | MAILBOX_BODY, 40, 99, { 40, 39, 38, 38 } },
		{ "stopped", MAILBOX_FACTS | MAILBOX_BODY, 40, 3, { 3, 3, 0, 3 } },
		{ "few", MAILBOX_FACTS | MAILBOX_KEYS, 2, 99, { 2, 2, 2, 0 } },
	};
	struct mailbox *b;
	struct err err = ERR_INIT;
	struct mail_body body;
	struct index_msg m;
	uint32_t all[40], few[2] = { 0, 39 };
	char name[40], buf[100];
	int fd;

	for (uint32_t i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "cur/%u.x:2,", 100 + i);
		put(name, LETTER);
		all[i] = i;
	}
	b = open_box(&fixture_store, "", 0);
	view_of(b);
	fd = mailbox_file(b, 3, NULL, &err);
	assert_int_equal(read(fd, buf, sizeof(buf)), 14);
	close(fd);
	OK(mailbox_body(b, 2, &body, &err));
	assert_true(body.envelope.n > 0);
	OK(mailbox_msg(b, 4, true, &m, &err));
	assert_int_equal(m.size, 14);
	assert_int_equal(m.vsize, 17);
	OK(mailbox_ensure(b, all, 39, &err));
	drop("cur/107.x:2,");
	assert_string_equal(sync_of(b, false), "");
	assert_true(b->v[7].is_gone);
	/* the last one has no record, 8 is gone */
	OK(mailbox_msg(b, 39, false, &m, &err));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n[5] = { 0, 0, 0, 0, rows[i].stop };

		if (rows[i].n_sel == 2)
			OK(mailbox_ensure(b, few, 2, &err));
		OK(mailbox_walk(b, rows[i].n_sel == 2 ? few : all, rows[i].n_sel, rows[i].what, count, n, &err));
		for (size_t j = 0; j < 4; j++)
			if (n[j] != rows[i].want[j])
				fail_msg("%s: %zu is %zu", rows[i].label, j, n[j]);
	}
	mailbox_close(&b);
}

/* The folder's number of messages without a record spares the look at each. */
static void test_recordless(void **state)
{
	uint32_t all[] = { 0, 1, 2, 3 };
	struct err err = ERR_INIT;
	struct mailbox *b;

	put_three();
	b = open_box(&fixture_store, "", 0);
	view_of(b);
	assert_int_equal(recordless_of(""), 3);
	OK(mailbox_ensure(b, all, 1, &err));
	assert_int_equal(recordless_of(""), 2);
	OK(mailbox_expunge(b, all, 2, &err));
	assert_string_equal(sync_of(b, true), "-1 -1");
	assert_int_equal(recordless_of(""), 1);
	put("new/4.d", LETTER);
	assert_string_equal(sync_of(b, true), "+2");
	assert_int_equal(recordless_of(""), 2);
	OK(mailbox_ensure(b, all, 2, &err));
	assert_int_equal(recordless_of(""), 0);
	drop("cur/4.d:2,");
	assert_string_equal(sync_of(b, true), "-2");
	assert_int_equal(recordless_of(""), 0);
	mailbox_close(&b);
}

/* Sizes that Dovecot wrote into its list need no reading. */
static void test_listed_sizes(void **state)
{
	static const uint64_t want[] = { 99, UINT64_MAX, 17, 98 };
	struct err err = ERR_INIT;
	struct index_msg m;
	struct mailbox *b;

	put("cur/1.a:2,", LETTER);
	put("cur/2.b:2,", LETTER);
	put("cur/3.c,W=17:2,", LETTER);
	put("cur/4.d:2,", LETTER);
	put("dovecot-uidlist", "3 V9 N20 G00112233445566778899aabbccddeeff\n5 W99 :2.b\n6 W1 :0.gone\n7 :1.a\n8 W1 :3.c,W=17\n"
	    "9 W98 :4.d\n");
	b = open_box(&fixture_store, "", 0);
	view_of(b);
	assert_int_equal(b->n, ARRAY_LEN(want));
	for (size_t i = 0; i < b->n; i++) {
		OK(mailbox_msg(b, i, false, &m, &err));
		if (m.vsize != want[i])
			fail_msg("UID %u: %llu", m.uid, (unsigned long long)m.vsize);
	}
	mailbox_close(&b);
}

static void test_names(void **state)
{
	uint32_t all[] = { 0, 1, 2 };
	struct mailbox_name names[3];
	struct err err = ERR_INIT;
	char path[400], buf[10];
	struct mailbox *b;
	uint64_t octets;
	int fd;

	put_three();
	b = open_box(&fixture_store, "", 0);
	view_of(b);
	drop("cur/2.b:2,S");
	assert_string_equal(sync_of(b, false), "");
	OK(mailbox_names(b, all, 3, names, &err));
	assert_string_equal(names[0].z, "1.a,S=14:2,");
	assert_string_equal(names[1].z, "");
	assert_int_equal(mailbox_file_named(b, &names[1], NULL, &err), -1);
	assert_int_equal(err.kind, ERR_PERM);
	/* renamed since */
	move("cur/3.c,S=14,W=17:2,FPa", "cur/3.c,S=14,W=17:2,S");
	fd = mailbox_file_named(b, &names[2], &octets, &err);
	assert_true(fd >= 0);
	assert_int_equal(octets, 14);
	close(fd);
	/* what is no file is refused, by pread at the latest */
	drop("cur/1.a,S=14:2,");
	fixture_path(path, sizeof(path), "cur/1.a,S=14:2,");
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(mailbox_file_named(b, &names[0], &octets, &err), -1);
	assert_int_equal(err.kind, ERR_SYS);
	fd = mailbox_file_named(b, &names[0], NULL, &err);
	assert_int_equal(pread(fd, buf, sizeof(buf), 0), -1);
	close(fd);
	mailbox_close(&b);
}

/* What nobody can take out of the way is looked at once. */
static void test_planted_inbox(void **state)
{
	struct mailbox *b;
	struct err err = ERR_INIT;
	struct mail_body body;

	put_three();
	b = open_box(&fixture_store, "", 0);
	view_of(b);
	(void)unlinkat(fixture_store.index_dir, INDEX_DIR "/" INDEX_INBOX, 0);
	assert_int_equal(mkfifoat(fixture_store.index_dir, INDEX_DIR "/" INDEX_INBOX, 0600), 0);
	alarm(20);
	OK(mailbox_body(b, 0, &body, &err));
	alarm(0);
	assert_true(body.envelope.n > 0);
	mailbox_close(&b);
}

/* ---- the index is lost ---- */

static void test_renewed(void **state)
{
	struct mailbox *b;
	struct err err = ERR_INIT;
	struct index_msg m;
	struct arena a = { 0 };
	uint64_t modseq;
	uint32_t *uids;
	bool is_complete;
	size_t n;

	put_three();
	b = open_box(&fixture_store, "", 0);
	view_of(b);
	modseq = b->now.modseq;
	OK(index_renew(fixture_store.index, &err));
	OK(mailbox_msg(b, 1, false, &m, &err));
	assert_int_equal(m.uid, 2);
	assert_string_equal(sync_of(b, true), "");
	assert_true(b->now.modseq > modseq);
	OK(mailbox_gone(b, modseq, &a, &uids, &n, &is_complete, &err));
	assert_false(is_complete);
	OK(index_renew(fixture_store.index, &err));
	drop("cur/2.b:2,S");
	move("cur/3.c,S=14,W=17:2,FPa", "cur/3.c,S=14,W=17:2,P");
	put("new/4.d", LETTER);
	assert_string_equal(sync_of(b, true), "-2 *2 +3");
	assert_string_equal(view_of(b), "1: 3: 4:");
	OK(index_renew(fixture_store.index, &err));
	store_flags(b, 0, MAILBOX_ADD, INDEX_SEEN);
	assert_string_equal(sync_of(b, true), "");
	assert_string_equal(view_of(b), "1:S 3: 4:");
	arena_fini(&a);
	mailbox_close(&b);
}

/* Selected, then the index is lost, and only then is the view asked for. */
static void test_renewed_unloaded(void **state)
{
	struct mailbox *b;
	struct err err = ERR_INIT;

	put_three();
	b = open_box(&fixture_store, "", 0);
	OK(index_renew(fixture_store.index, &err));
	drop("cur/2.b:2,S");
	put("new/4.d", LETTER);
	assert_string_equal(view_of(b), "1: 2:! 3:Fa");
	assert_string_equal(sync_of(b, true), "-2 +3");
	assert_string_equal(view_of(b), "1: 3:Fa 4:");
	mailbox_close(&b);
}

static void test_memory(void **state)
{
	struct mailbox *b;

	mail_store_close(&fixture_store);
	fixture_index = "MEMORY";
	fixture_open(&fixture_store);
	assert_true(index_is_memory(mail_store_index(&fixture_store)));
	put_three();
	b = open_box(&fixture_store, "", 0);
	assert_string_equal(view_of(b), "1: 2:S 3:Fa");
	store_flags(b, 0, MAILBOX_ADD, INDEX_SEEN);
	put("new/4.d", LETTER);
	assert_string_equal(sync_of(b, true), "+4");
	assert_string_equal(view_of(b), "1:S 2:S 3:Fa 4:");
	mailbox_close(&b);
}

/* ---- recent ---- */

static void test_recent(void **state)
{
	struct mailbox *a, *b;

	put_three();
	put("new/4.d", LETTER);
	a = open_box(&fixture_store, "", MAILBOX_READ_ONLY);
	assert_int_equal(a->now.n_recent, 1);
	mailbox_close(&a);
	a = open_box(&fixture_store, "", 0);
	assert_int_equal(a->now.n_recent, 1);
	b = open_box(&fixture_store, "", 0);
	assert_int_equal(b->now.n_recent, 0);
	put("new/5.e", LETTER);
	assert_string_equal(sync_of(b, true), "+5");
	assert_string_equal(sync_of(a, true), "+5");
	assert_int_equal(a->now.n_recent, 1);
	assert_int_equal(b->now.n_recent, 1);
	view_of(a);
	assert_true(a->v[3].is_recent && !a->v[4].is_recent && !a->v[0].is_recent);
	mailbox_close(&a);
	mailbox_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_open), T(test_nothing), T(test_read_only), T(test_status), T(test_foreign), T(test_pending_expunge),
		T(test_unloaded), T(test_lost), T(test_new_validity), T(test_own_validity), T(test_long_list), T(test_store),
		T(test_unchanged_since), T(test_store_races), T(test_expunge), T(test_read), T(test_renewed), T(test_renewed_unloaded),
		T(test_memory), T(test_recordless), T(test_names), T(test_listed_sizes), T(test_recent), T(test_planted_inbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
