/* Files that are not there for a while: renamed by others while the directory is read, removed and put back. A rename
 * leaves the UID; what was told to be gone gets a new one; and no file has two records in dovecot-uidlist. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dlfcn.h>

#include "mailbox_fixture.h"
#include "store/uidlist.h"

/* From how many readings of cur/ a file is hidden, since somebody renames it meanwhile. */
static unsigned n_hidden, n_read;
static const char *hidden = "2.b";
static char flag;
static bool is_renamed;

static void rename_hidden(void)
{
	char from[NAME_MAX + 1], to[NAME_MAX + 1];

	snprintf(from, sizeof(from), flag == 'S' ? "cur/%s:2,S" : "cur/%s:2,", hidden);
	flag = flag == 'S' ? 0 : 'S';
	snprintf(to, sizeof(to), flag == 'S' ? "cur/%s:2,S" : "cur/%s:2,", hidden);
	move(from, to);
}

struct dirent *readdir(DIR *d)
{
	static struct dirent *(*real)(DIR *);
	struct dirent *e;

	if (!real)
		real = (struct dirent *(*)(DIR *))(uintptr_t)dlsym(RTLD_NEXT, "readdir64");
	e = real(d);
	if (e && n_hidden && strncmp(e->d_name, hidden, strlen(hidden)) == 0) {
		n_hidden--;
		n_read++;
		if (is_renamed)
			rename_hidden();
		e = real(d);
	}
	return e;
}

static struct mailbox *open_three(void)
{
	struct mailbox *b;

	put("cur/1.a:2,", "A: a\n\nx\n");
	put("cur/2.b:2,", "A: b\n\nx\n");
	put("cur/3.c:2,", "A: c\n\nx\n");
	b = open_box(&fixture_store, "", 0);
	assert_string_equal(view_of(b), "1: 2: 3:");
	n_hidden = n_read = 0;
	hidden = "2.b";
	flag = 0;
	is_renamed = true;
	return b;
}

static size_t records_of(const char *base)
{
	char needle[NAME_MAX + 4];
	const char *p = text_of(UIDLIST_NAME);
	size_t n = 0;

	snprintf(needle, sizeof(needle), " :%s\n", base);
	while ((p = strstr(p, needle)) != NULL) {
		n++;
		p++;
	}
	return n;
}

/* The list as another program writes it: the same text, another file. */
static void replace_list(void)
{
	char text[4096];

	snprintf(text, sizeof(text), "%s", text_of(UIDLIST_NAME));
	put("other", text);
	move("other", UIDLIST_NAME);
}

static void test_renamed_while_read(void **state)
{
	static const struct {
		const char *label;
		bool is_other_list;
	} rows[] = { { "directory", false }, { "list and directory", true } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (unsigned times = 1; times <= 4; times++) {
			struct mailbox *b = open_three();
			const char *got;

			put("cur/4.d:2,", "A: d\n\nx\n");
			if (rows[i].is_other_list)
				replace_list();
			n_hidden = times;
			got = sync_of(b, true);
			if (strcmp(got, times % 2 ? "*2 +4" : "+4") != 0 || n_read != times)
				fail_msg("%s, away %u times: %s, read %u times", rows[i].label, times, got, n_read);
			assert_string_equal(view_of(b), times % 2 ? "1: 2:S 3: 4:" : "1: 2: 3: 4:");
			assert_int_equal(records_of("2.b"), 1);
			assert_int_equal(count_files("cur", "", NULL), 4);
			mailbox_close(&b);
			fixture_teardown(NULL);
			fixture_setup(NULL);
		}
	}
}

/* Who is kept from seeing a file by nobody's rename believes that it is gone at the second look. */
static void test_undisturbed(void **state)
{
	struct mailbox *b = open_three();

	drop("cur/1.a:2,");
	is_renamed = false;
	n_hidden = 2;
	assert_string_equal(sync_of(b, true), "-1 -1");
	assert_int_equal(n_read, 2);
	mailbox_close(&b);
}

/* However long it lasts, a look ends; and the file that comes back is a new message with one record. */
static void test_never_seen(void **state)
{
	struct mailbox *b = open_three();

	put("cur/4.d:2,", "A: d\n\nx\n");
	n_hidden = 1000;
	assert_string_equal(sync_of(b, true), "-2 +3");
	assert_true(n_read < 10);
	n_hidden = 0;
	assert_string_equal(sync_of(b, true), "+4");
	assert_string_equal(view_of(b), n_read % 2 ? "1: 3: 4: 5:S" : "1: 3: 4: 5:");
	assert_int_equal(records_of("2.b"), 1);
	assert_null(strstr(text_of(UIDLIST_NAME), "\n2 :"));
	mailbox_close(&b);
}

static void test_put_back(void **state)
{
	static const struct {
		const char *label, *as;
		bool is_other_list;
	} rows[] = {
		{ "in cur/", "cur/2.b:2,F", false },
		{ "in new/", "new/2.b", false },
		{ "in cur/, list rewritten", "cur/2.b:2,F", true },
		{ "in new/, list rewritten", "new/2.b", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mailbox *b = open_three();
		const char *got;

		drop("cur/2.b:2,");
		assert_string_equal(sync_of(b, true), "-2");
		assert_int_equal(records_of("2.b"), 1);
		if (rows[i].is_other_list)
			replace_list();
		put(rows[i].as, "A: b\n\nx\n");
		got = sync_of(b, true);
		if (strcmp(got, "+3") != 0 || records_of("2.b") != 1)
			fail_msg("%s: %s, %zu records\n%s", rows[i].label, got, records_of("2.b"), text_of(UIDLIST_NAME));
		assert_int_equal(b->v[2].uid, 4);
		assert_string_equal(sync_of(b, true), "");
		mailbox_close(&b);
		fixture_teardown(NULL);
		fixture_setup(NULL);
	}
}

static void add_record(const char *line)
{
	char path[400];
	int fd;

	fixture_path(path, sizeof(path), UIDLIST_NAME);
	fd = open(path, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, line, strlen(line)), (ssize_t)strlen(line));
	close(fd);
}

/* Dovecot expunges a message and copies a copy of it back under the same name, with a new UID; the record of the old
 * one stays in the list. We may have seen nothing of it, or the file before its number. */
static void test_named_again(void **state)
{
	for (int seen_between = 0; seen_between < 2; seen_between++) {
		struct mailbox *b = open_three();

		drop("cur/2.b:2,");
		put("cur/2.b:2,FS", "A: b\n\nx\n");
		if (seen_between)
			assert_string_equal(sync_of(b, true), "*2");
		add_record("7 :2.b\n");
		assert_string_equal(sync_of(b, true), "-2 +3");
		assert_string_equal(view_of(b), "1: 3: 7:FS");
		assert_int_equal(records_of("2.b"), 1);
		assert_string_equal(sync_of(b, true), "");
		mailbox_close(&b);
		fixture_teardown(NULL);
		fixture_setup(NULL);
	}
}

/* A number for a message that is gone before we look. */
static void test_numbered_and_gone(void **state)
{
	struct mailbox *b = open_three();

	add_record("4 :4.d\n5 :5.e\n");
	put("cur/5.e:2,", "A: e\n\nx\n");
	assert_string_equal(sync_of(b, true), "+4");
	assert_string_equal(view_of(b), "1: 2: 3: 5:");
	assert_int_equal(append(&fixture_store, "", "A: f\n\nx\n", 0), 6);
	add_record("7 :7.g\n");
	assert_string_equal(sync_of(b, true), "+5");
	assert_int_equal(append(&fixture_store, "", "A: f\n\nx\n", 0), 8);
	mailbox_close(&b);
}

/* Two files with one base name in cur/: what was there stays what it was, and the other is a message of its own. */
static void test_twins(void **state)
{
	static const char *const as[] = { "cur/2.b:2,S", "cur/2.b:2,F", "cur/2.b:2,RS", "cur/2.b:2,T", "cur/2.b" };
	static const char *const want[] = {
		"1: 2: 3: 4:S", "1: 2: 3: 4:F", "1: 2: 3: 4:RS", "1: 2: 3: 4:T", "1: 2: 3: 4:",
	};

	for (size_t i = 0; i < ARRAY_LEN(as); i++) {
		struct mailbox *b = open_three();
		char name[NAME_MAX + 10] = "cur/";

		put(as[i], "A: other\n\nx\n");
		assert_string_equal(sync_of(b, true), "+4");
		assert_string_equal(view_of(b), want[i]);
		assert_string_equal(text_of("cur/2.b:2,"), "A: b\n\nx\n");
		assert_int_equal(count_files("cur", "1", name + 4), 4);
		assert_int_equal(records_of("2.b"), 1);
		assert_string_equal(sync_of(b, true), "");
		/* two that nobody has seen before */
		put("cur/9.z:2,F", "A: z\n\nx\n");
		put("cur/9.z:2,S", "A: z\n\nx\n");
		assert_string_equal(sync_of(b, true), "+6");
		assert_int_equal(records_of("9.z"), 1);
		mailbox_close(&b);
		fixture_teardown(NULL);
		fixture_setup(NULL);
	}
}

/* With the list read whole, and one file with two links. */
static void test_twins_later(void **state)
{
	struct mailbox *b = open_three();
	char one[400], two[400];

	put("cur/2.b:2,S", "A: other\n\nx\n");
	replace_list();
	sync_of(b, true);
	sync_of(b, true);
	assert_string_equal(view_of(b), "1: 2: 3: 4:S");
	assert_string_equal(text_of("cur/2.b:2,"), "A: b\n\nx\n");
	fixture_path(one, sizeof(one), "cur/3.c:2,");
	fixture_path(two, sizeof(two), "cur/3.c:2,S");
	assert_int_equal(link(one, two), 0);
	sync_of(b, true);
	assert_int_equal(b->n, 4);
	assert_true(exists("cur/3.c:2,") && exists("cur/3.c:2,S"));
	drop("cur/3.c:2,");
	sync_of(b, true);
	assert_string_equal(view_of(b), "1: 2: 3:S 4:S");
	mailbox_close(&b);
}

/* Old names that are new here: searched for in vain, and appended; the list is not written anew for each. */
static void test_old_names(void **state)
{
	struct mailbox *b = open_three();
	struct index_file before, after;
	struct err err = ERR_INIT;
	char name[40];

	OK(uidlist_stat(fixture_store.root.fd, &before, &err));
	put("cur/2.bb:2,", "A: b\n\nx\n");
	put("cur/12.b:2,", "A: b\n\nx\n");
	assert_string_equal(sync_of(b, true), "+5");
	OK(uidlist_stat(fixture_store.root.fd, &after, &err));
	assert_int_equal(before.ino, after.ino);
	assert_string_equal(view_of(b), "1: 2: 3: 4: 5:");
	/* many of them */
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "cur/%d.x:2,", 100 + i);
		put(name, "A: b\n\nx\n");
	}
	assert_string_equal(sync_of(b, true), "+45");
	assert_int_equal(b->v[44].uid, 45);
	mailbox_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_renamed_while_read), T(test_undisturbed), T(test_never_seen), T(test_put_back), T(test_named_again),
		T(test_numbered_and_gone), T(test_twins), T(test_twins_later), T(test_old_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
