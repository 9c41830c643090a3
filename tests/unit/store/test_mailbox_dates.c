#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mailbox_fixture.h"

#define LETTER "Subject: a\n\nb\n"
#define MANY 1100               /* of which a look leaves the dates out */
#define DATE 1000000000         /* of the file behind most of them */
#define NONE (-7)

static struct index_folder folder_of(const char *folder)
{
	struct err err = ERR_INIT;
	struct index_folder f;
	struct index_txn t;

	OK(index_begin(fixture_store.index, false, &t, &err));
	assert_int_equal(index_folder_get(&t, span_z(folder), &f, &err), 1);
	index_end(&t);
	return f;
}

static bool count_one(void *arg, const struct index_msg *m)
{
	*(uint32_t *)arg += m->internal_s == INDEX_NO_DATE;
	return true;
}

/* As the folder's numbers say, which agree with its messages. */
static uint32_t undated_of(const char *folder)
{
	struct index_folder f = folder_of(folder);
	struct err err = ERR_INIT;
	struct index_txn t;
	uint32_t n = 0;

	OK(index_begin(fixture_store.index, false, &t, &err));
	OK(index_msg_walk(&t, f.id, 1, count_one, &n, &err));
	index_end(&t);
	assert_int_equal(f.n_undated, n);
	return n;
}

static void set_date(const char *name, int64_t s)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = s } };
	char path[400];

	fixture_path(path, sizeof(path), name);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* UID u is cur/U.x:2, of that date; the rest are links to one file. */
static void put_many(void)
{
	char path[400], to[400], name[40];

	put("source", LETTER);
	set_date("source", DATE);
	fixture_path(path, sizeof(path), "source");
	for (int i = 1001; i <= 1000 + MANY; i++) {
		snprintf(name, sizeof(name), "cur/%d.x:2,", i);
		if (i <= 1010) {
			put(name, LETTER);
			set_date(name, i);
			continue;
		}
		fixture_path(to, sizeof(to), name);
		assert_int_equal(link(path, to), 0);
	}
}

static bool take_date(void *arg, size_t i, const struct index_msg *m, const struct mail_keys *k,
		      const struct mail_body *body)
{
	*(int64_t *)arg = m ? m->internal_s : NONE;
	return true;
}

/* As who does not ask, or who asks, finds it. */
static int64_t seen(struct mailbox *b, uint32_t i, unsigned what)
{
	struct err err = ERR_INIT;
	int64_t date = 0;

	OK(mailbox_walk(b, &i, 1, what, take_date, &date, &err));
	return date;
}

static struct mailbox *open_many(void)
{
	struct mailbox *b;
	struct err err = ERR_INIT;

	put_many();
	b = open_box(&fixture_store, "", 0);
	OK(mailbox_load(b, &err));
	assert_int_equal(b->n, MANY);
	return b;
}

static uint32_t *all_of(const struct mailbox *b)
{
	uint32_t *v = calloc(b->n + 1, sizeof(*v));

	for (uint32_t i = 0; i < b->n; i++)
		v[i] = i;
	return v;
}

/* ---- who finds a date ---- */

static void test_few(void **state)
{
	struct err err = ERR_INIT;
	struct mailbox *b;

	put("cur/1.a:2,", LETTER);
	set_date("cur/1.a:2,", 77);
	put("new/2.b", LETTER);
	set_date("new/2.b", 78);
	b = open_box(&fixture_store, "", 0);
	OK(mailbox_load(b, &err));
	assert_int_equal(undated_of(""), 0);
	assert_int_equal(seen(b, 0, MAILBOX_FACTS), 77);
	assert_int_equal(seen(b, 1, MAILBOX_FACTS), 78);
	mailbox_close(&b);
}

static void test_question(void **state)
{
	static const uint32_t some[] = { 0, 4, 500 };
	struct mailbox *b = open_many();
	struct err err = ERR_INIT;
	struct index_msg m;
	uint32_t *all = all_of(b);

	assert_int_equal(undated_of(""), MANY);
	assert_int_equal(seen(b, 2, MAILBOX_FACTS), INDEX_NO_DATE);
	assert_int_equal(seen(b, 2, MAILBOX_DATES), 1003);
	assert_int_equal(seen(b, 2, MAILBOX_FACTS), 1003);
	assert_int_equal(undated_of(""), MANY - 1);
	OK(mailbox_ensure_dates(b, some, 3, &err));
	assert_int_equal(undated_of(""), MANY - 4);
	assert_int_equal(seen(b, 500, MAILBOX_FACTS), DATE);
	/* the first answer stays */
	set_date("cur/1003.x:2,", 5);
	assert_int_equal(seen(b, 2, MAILBOX_DATES), 1003);
	OK(mailbox_msg(b, 5, false, &m, &err));
	assert_int_equal(m.internal_s, 1006);
	assert_int_equal(m.size, strlen(LETTER));
	assert_int_equal(m.vsize, UINT64_MAX);
	OK(mailbox_ensure_dates(b, all, b->n, &err));
	assert_int_equal(undated_of(""), 0);
	assert_int_equal(seen(b, MANY - 1, MAILBOX_FACTS), DATE);
	/* no date is a change that others are told of */
	assert_string_equal(sync_of(b, true), "");
	free(all);
	mailbox_close(&b);
}

static void test_record(void **state)
{
	struct mailbox *b = open_many();
	struct err err = ERR_INIT;
	struct index_msg m;
	uint32_t one = 3, *all = all_of(b);

	OK(mailbox_ensure(b, &one, 1, &err));
	assert_int_equal(undated_of(""), MANY - 1);
	OK(mailbox_msg(b, 3, true, &m, &err));
	assert_int_equal(m.internal_s, 1004);
	/* a letter without Date */
	assert_int_equal(m.sent_s, 1004);
	OK(mailbox_ensure(b, all, b->n, &err));
	assert_int_equal(undated_of(""), 0);
	OK(mailbox_msg(b, MANY - 1, true, &m, &err));
	assert_int_equal(m.sent_s, DATE);
	free(all);
	mailbox_close(&b);
}

/* local has parsed letters of a folder that nobody has looked at since. */
static void test_left_by_local(void **state)
{
	static const char *const names[] = { "2099.x", "2100.x" };
	struct mailbox *b;
	struct err err = ERR_INIT;
	struct index_msg m;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct str out = STR_INIT(1u << 20);
		struct arena a = { 0 };
		struct mail_record_maker *maker = mail_record_begin(&a);
		struct mail_record r;

		OK(mail_record_feed(maker, span_z(LETTER), &err));
		OK(mail_record_end(maker, &r, &err));
		OK(mail_inbox_encode(&out, span_z(names[i]), &r));
		mail_inbox_append(fixture_store.index_dir, str_span(&out));
		str_fini(&out);
		arena_fini(&a);
	}
	b = open_many();
	assert_int_equal(undated_of(""), MANY - 2);
	assert_int_equal(folder_of("").n_recordless, MANY - 2);
	OK(mailbox_msg(b, MANY - 1, true, &m, &err));
	assert_int_equal(m.internal_s, DATE);
	assert_int_equal(m.sent_s, DATE);
	mailbox_close(&b);
}

/* ---- what becomes of the files ---- */

static void test_elsewhere(void **state)
{
	struct mailbox *b = open_many();
	struct err err = ERR_INIT;
	uint32_t *all = all_of(b);
	struct index_msg m;

	move("cur/1002.x:2,", "cur/1002.x:2,S");
	drop("cur/1003.x:2,");
	move("cur/1004.x:2,", "new/1004.x");
	put("new/9999.y", LETTER);
	assert_int_equal(seen(b, 1, MAILBOX_DATES), 1002);
	assert_int_equal(seen(b, 2, MAILBOX_DATES), NONE);
	assert_int_equal(mailbox_msg(b, 2, false, &m, &err), -1);
	assert_int_equal(err.kind, ERR_PERM);
	OK(mailbox_ensure_dates(b, all, b->n, &err));
	assert_int_equal(seen(b, 3, MAILBOX_FACTS), 1004);
	assert_int_equal(undated_of(""), 0);
	/* the index has learnt it, the client has not */
	assert_int_equal(b->n, MANY);
	assert_string_equal(sync_of(b, true), "-3 *2 +1100");
	free(all);
	mailbox_close(&b);
}

/* A broken disk does not bring 1970 forth. */
static void test_unreadable(void **state)
{
	struct mailbox *b = open_many();
	int cur = dup(b->md.cur), file;
	char path[400];

	fixture_path(path, sizeof(path), "source");
	file = open(path, O_RDONLY);
	assert_int_equal(dup2(file, b->md.cur), b->md.cur);
	assert_true(seen(b, 2, MAILBOX_DATES) > DATE);
	assert_int_equal(dup2(cur, b->md.cur), b->md.cur);
	assert_int_equal(seen(b, 3, MAILBOX_DATES), 1004);
	close(cur);
	close(file);
	mailbox_close(&b);
}

static void test_counted(void **state)
{
	static const uint32_t three[] = { 0, 1, 2 };
	struct mailbox *b = open_many();
	struct err err = ERR_INIT;

	OK(mailbox_expunge(b, three, 3, &err));
	assert_int_equal(undated_of(""), MANY - 3);
	drop("cur/1008.x:2,");
	put("new/9999.y", LETTER);
	set_date("new/9999.y", 99);
	assert_string_equal(sync_of(b, true), "-1 -1 -1 -5 +1097");
	assert_int_equal(undated_of(""), MANY - 4);
	assert_int_equal(seen(b, MANY - 4, MAILBOX_FACTS), 99);
	store_flags(b, 0, MAILBOX_ADD, INDEX_SEEN);
	assert_int_equal(undated_of(""), MANY - 4);
	assert_int_equal(seen(b, 0, MAILBOX_DATES), 1004);
	mailbox_close(&b);
}

static void test_copied(void **state)
{
	static const uint32_t two[] = { 1, 2 };
	struct mailbox *b = open_many(), *to;
	struct mailbox_added added;
	struct err err = ERR_INIT;
	uint32_t *from;

	make_folder(".Sent");
	for (int is_move = 0; is_move < 2; is_move++) {
		assert_int_equal(mailbox_copy(b, two, 2, ".Sent", is_move, &added, &from, &err), 1);
		free(added.uids);
		free(from);
	}
	assert_int_equal(undated_of(""), MANY - 2);
	assert_int_equal(undated_of(".Sent"), 4);
	to = open_box(&fixture_store, ".Sent", 0);
	OK(mailbox_load(to, &err));
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(seen(to, i, MAILBOX_DATES), 1002 + i % 2);
	assert_int_equal(undated_of(".Sent"), 0);
	mailbox_close(&to);
	mailbox_close(&b);
}

/* What is copied counts, also where no name tells a size. */
static void test_quota(void **state)
{
	static const uint32_t two[] = { 1, 2 };
	struct mailbox *b = open_many();
	struct mailbox_added added;
	struct err err = ERR_INIT;
	uint32_t *from;

	make_folder(".Sent");
	fixture_store.quota.bytes = (MANY + 1) * strlen(LETTER) + 5;
	assert_int_equal(mailbox_copy(b, two, 2, ".Sent", false, &added, &from, &err), -1);
	assert_int_equal(err.kind, ERR_PERM);
	assert_int_equal(mailbox_copy(b, two, 1, ".Sent", false, &added, &from, &err), 1);
	free(added.uids);
	free(from);
	mailbox_close(&b);
}

/* ---- what becomes of the index ---- */

static void test_renewed(void **state)
{
	struct mailbox *b = open_many();
	struct err err = ERR_INIT;
	uint32_t *all = all_of(b);

	OK(mailbox_ensure_dates(b, all, b->n, &err));
	OK(index_renew(fixture_store.index, &err));
	assert_int_equal(seen(b, 2, MAILBOX_DATES), 1003);
	assert_int_equal(undated_of(""), MANY - 1);
	free(all);
	mailbox_close(&b);
}

static void test_in_memory(void **state)
{
	struct mailbox *b;

	mail_store_close(&fixture_store);
	fixture_index = "MEMORY";
	fixture_open(&fixture_store);
	b = open_many();
	assert_true(index_is_memory(fixture_store.index));
	assert_int_equal(seen(b, 2, MAILBOX_FACTS), INDEX_NO_DATE);
	assert_int_equal(seen(b, 2, MAILBOX_DATES), 1003);
	move("cur/1004.x:2,", "cur/1004.x:2,F");
	assert_int_equal(seen(b, 3, MAILBOX_DATES), 1004);
	assert_int_equal(undated_of(""), MANY - 2);
	mailbox_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_few), T(test_question), T(test_record), T(test_left_by_local), T(test_elsewhere), T(test_unreadable),
		T(test_counted), T(test_copied), T(test_quota), T(test_renewed), T(test_in_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
