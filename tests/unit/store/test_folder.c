/* Folders on disk: what is listed, and what making, removing and renaming leave behind. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/folder_priv.h"

#include "folder_fixture.h"

static void put(const char *rel, const char *text)
{
	int fd = openat(store.root.fd, rel, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void make_dir(const char *rel)
{
	assert_int_equal(mkdirat(store.root.fd, rel, 0700), 0);
}

static bool has(const char *rel)
{
	return faccessat(store.root.fd, rel, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void create(const char *name)
{
	struct err err = ERR_INIT;

	if (folder_create(&store, span_z(name), 0, &err) < 0)
		fail_msg("%s: %s", name, err.msg);
}

/* The list as text: "INBOX+ a- ..."; + exists, - not, s subscribed, c has children, and the special use. */
static void expect_list(const char *want)
{
	struct str got = STR_INIT(10000);
	struct err err = ERR_INIT;
	struct arena a = { 0 };
	struct folder_list l;

	if (folder_list(&store, &a, &l, &err) < 0)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < l.n; i++) {
		const struct folder *f = &l.v[i];

		assert_int_equal(str_addf(&got, "%s%s%s%s%s%s", i ? " " : "", f->name, f->exists ? "+" : "-",
					  f->is_subscribed ? "s" : "", f->has_children ? "c" : "",
					  f->special ? folder_use_name(f->special) : ""), 0);
		assert_ptr_equal(folder_find(&l, span_z(f->name)), f);
	}
	assert_string_equal(got.p, want);
	assert_null(folder_find(&l, SPAN_LIT("no such")));
	str_fini(&got);
	arena_fini(&a);
}

static void list(void **state)
{
	expect_list("INBOX+");
	make_dir(".Sent");
	make_dir(".a.b.c");
	make_dir(".a.b");
	make_dir(".a-b");
	make_dir(".INBOX.x");
	expect_list("INBOX+c INBOX.x+ Sent+ a-c a.b+c a.b.c+ a-b+");
	put("subscriptions", "V\t2\n\nSent\ngone\tx\na\ninbox\n");
	expect_list("INBOX+sc INBOX.x+ Sent+s a-sc a.b+c a.b.c+ a-b+ gone- gone.x-s");
}

static void list_leaves_out(void **state)
{
	make_dir(".INBOX");
	make_dir(".inbox");
	make_dir(".Inbox.x");
	make_dir("..hidden");
	make_dir(".a..b");
	make_dir(".x.");
	make_dir(".\xc3\xa4");
	make_dir(".&bad");
	make_dir("surat-index");
	make_dir("plain");
	put(".file", "");
	assert_int_equal(symlinkat("/tmp", store.root.fd, ".away"), 0);
	assert_int_equal(symlinkat("..", store.root.fd, ".up"), 0);
	assert_int_equal(symlinkat("nowhere", store.root.fd, ".broken"), 0);
	make_dir(".real");
	assert_int_equal(symlinkat(".real", store.root.fd, ".link"), 0);
	expect_list("INBOX+ link+ real+");
}

static void exists(void **state)
{
	static const struct {
		const char *name;
		int rc;
	} rows[] = {
		{ "INBOX", 1 }, { "inbox", 1 }, { "Sent", 1 }, { "sent", 0 }, { "a", 0 }, { "a.b", 1 }, { "away", 0 },
		{ "file", 0 }, { "..", 0 }, { "../m", 0 }, { "", 0 },
	};
	struct err err = ERR_INIT;

	make_dir(".Sent");
	make_dir(".a.b");
	put(".file", "");
	assert_int_equal(symlinkat("/tmp", store.root.fd, ".away"), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (folder_exists(&store, span_z(rows[i].name), &err) != rows[i].rc)
			fail_msg("%s", rows[i].name);
}

static void create_makes_a_whole_folder(void **state)
{
	create("a.b");
	assert_true(has(".a.b/cur") && has(".a.b/new") && has(".a.b/tmp"));
	assert_true(has(".a.b/maildirfolder") && has(".a.b/dovecot-uidlist"));
	assert_false(has(".a"));
	create("a");
	expect_list("INBOX+ a+c a.b+");
}

static void words(int rc, const struct err *err, const char *code, const char *label)
{
	if (rc != -1 || err->kind != ERR_PERM || !span_starts(span_z(err->msg), code))
		fail_msg("%s: %d %s", label, rc, err->msg);
}

static void create_refuses(void **state)
{
	static const struct {
		const char *name;
		unsigned use;
		const char *code;
	} rows[] = {
		{ "INBOX", 0, "[ALREADYEXISTS]" }, { "inbox", 0, "[ALREADYEXISTS]" }, { "a", 0, "[ALREADYEXISTS]" },
		{ "a/b", 0, "[CANNOT]" },          { "../x", 0, "[CANNOT]" },         { "", 0, "[CANNOT]" },
		{ "x", FOLDER_ALL, "[USEATTR]" },  { "x", FOLDER_FLAGGED, "[USEATTR]" },
	};

	create("a");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		int rc = folder_create(&store, span_z(rows[i].name), rows[i].use, &err);

		words(rc, &err, rows[i].code, rows[i].name);
	}
	expect_list("INBOX+ a+");
}

static uint32_t validity_of(const char *dir)
{
	char rel[100], text[500] = "";
	int fd;

	snprintf(rel, sizeof(rel), "%s/dovecot-uidlist", dir);
	fd = openat(store.root.fd, rel, O_RDONLY);
	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	assert_true(span_starts(span_z(text), "3 V"));
	return (uint32_t)strtoul(text + 3, NULL, 10);
}

static void validity_rises(void **state)
{
	struct err err = ERR_INIT;
	uint32_t first, last;

	clock_fake_ms(1700000000000);
	create("a");
	first = validity_of(".a");
	assert_int_equal(first, 1700000000);
	assert_int_equal(folder_delete(&store, SPAN_LIT("a"), &err), 0);
	create("a");
	last = validity_of(".a");
	assert_true(last > first);
	/* the clock goes back, the text is lost: the marker still counts */
	clock_fake_ms(1600000000000);
	assert_int_equal(unlinkat(store.root.fd, "dovecot-uidvalidity", 0), 0);
	create("b");
	assert_int_equal(validity_of(".b"), last + 1);
	/* a wrong text does not stop it */
	put("dovecot-uidvalidity", "00000007");
	create("c");
	assert_int_equal(validity_of(".c"), last + 2);
	put("dovecot-uidvalidity", "garbage");
	create("d");
	assert_int_equal(validity_of(".d"), last + 3);
	assert_true(has("dovecot-uidvalidity.6553f104"));
}

static void delete_removes_all(void **state)
{
	struct err err = ERR_INIT;
	struct quota_use use;

	store.quota.bytes = 1000000;
	create("a");
	create("a.b");
	put(".a/cur/1.x,S=300:2,S", "m");
	put(".a/new/2.x,S=50", "m");
	put(".a/tmp/3.x", "m");
	make_dir(".a/odd");
	make_dir(".a/odd/deep");
	put(".a/odd/deep/file", "m");
	put("maildirsize", "1000000S\n1000 5\n");
	assert_int_equal(folder_delete(&store, SPAN_LIT("a"), &err), 0);
	expect_list("INBOX+ a-c a.b+");
	assert_false(has(".a"));
	assert_int_equal(quota_read(&store.root, &store.quota, &use, &err), 0);
	assert_int_equal(use.bytes, 650);
	assert_int_equal(use.count, 3);
}

static void no_rests(void)
{
	int fd = openat(store.root.fd, ".", O_RDONLY | O_DIRECTORY);
	DIR *dir = fdopendir(fd);
	struct dirent *e;

	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL)
		if (span_starts(span_z(e->d_name), "surat-new") || span_starts(span_z(e->d_name), "surat-gone"))
			fail_msg("%s is left", e->d_name);
	closedir(dir);
}

static void delete_refuses_and_sweeps(void **state)
{
	static const struct {
		const char *name, *code;
	} rows[] = {
		{ "INBOX", "[CANNOT]" }, { "inbox", "[CANNOT]" }, { "nope", "[NONEXISTENT]" }, { "a", "[NONEXISTENT]" },
		{ "..", "[CANNOT]" },    { "away", "[NONEXISTENT]" },
	};
	const struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	struct err err = ERR_INIT;

	create("a.b");
	assert_int_equal(symlinkat("/tmp", store.root.fd, ".away"), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int rc = folder_delete(&store, span_z(rows[i].name), &err);

		words(rc, &err, rows[i].code, rows[i].name);
	}
	make_dir("surat-gone.1");
	make_dir("surat-gone.1/cur");
	put("surat-gone.1/cur/1", "m");
	make_dir("surat-new.1");
	assert_int_equal(utimensat(store.root.fd, "surat-new.1", old, 0), 0);
	make_dir("surat-new.2");
	assert_int_equal(folder_delete(&store, SPAN_LIT("a.b"), &err), 0);
	assert_true(has("surat-new.2"));
	assert_int_equal(unlinkat(store.root.fd, "surat-new.2", AT_REMOVEDIR), 0);
	no_rests();
}

/* A link to a folder goes, the folder stays. */
static void delete_a_link(void **state)
{
	struct err err = ERR_INIT;

	create("real");
	put(".real/cur/1", "m");
	assert_int_equal(symlinkat(".real", store.root.fd, ".link"), 0);
	assert_int_equal(folder_delete(&store, SPAN_LIT("link"), &err), 0);
	assert_true(has(".real/cur/1"));
	expect_list("INBOX+ real+");
	no_rests();
}

static void delivery_into_a_removed_folder_fails(void **state)
{
	struct err err = ERR_INIT, result = ERR_INIT;
	struct maildir_batch b = { 0 };
	struct maildir md;

	create("a");
	assert_int_equal(maildir_open(&md, root, "m/.a", 0, &err), 0);
	assert_int_equal(maildir_batch_add(&b, &md, &(struct maildir_msg){ .body = SPAN_LIT("x\n"), .fd = -1,
		.base = "1.M1", .same_as = -1 }, &err), 0);
	assert_int_equal(folder_delete(&store, SPAN_LIT("a"), &err), 0);
	maildir_batch_commit(&b, &result, NULL);
	assert_int_equal(result.kind, ERR_SYS);
	maildir_batch_fini(&b);
	maildir_close(&md);
	no_rests();
}

static void rename_moves_children(void **state)
{
	struct err err = ERR_INIT;

	create("a.b");
	create("a.b.c");
	create("ab");
	put(".a.b/cur/1", "m");
	put("subscriptions", "a.b\n");
	assert_int_equal(folder_rename(&store, SPAN_LIT("a.b"), SPAN_LIT("x.y"), &err), 0);
	expect_list("INBOX+ a- a.b-s ab+ x-c x.y+c x.y.c+");
	assert_true(has(".x.y/cur/1"));
	/* a parent that does not exist itself */
	assert_int_equal(folder_rename(&store, SPAN_LIT("x"), SPAN_LIT("z"), &err), 0);
	assert_true(has(".z.y.c/cur") && !has(".z"));
}

static void rename_refuses(void **state)
{
	static const struct {
		const char *from, *to, *code;
	} rows[] = {
		{ "nope", "x", "[NONEXISTENT]" },      { "a", "b", "[ALREADYEXISTS]" },   { "a", "a", "[ALREADYEXISTS]" },
		{ "a", "INBOX", "[ALREADYEXISTS]" },   { "a", "a.b", "[CANNOT]" },        { "a", "../x", "[CANNOT]" },
		{ "../x", "c", "[CANNOT]" },           { "a", "q", "[ALREADYEXISTS]" },   { "a", "", "[CANNOT]" },
		{ "INBOX", "a", "[ALREADYEXISTS]" },
	};

	create("a");
	create("a.kid");
	create("b");
	create("q.kid");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		int rc = folder_rename(&store, span_z(rows[i].from), span_z(rows[i].to), &err);

		words(rc, &err, rows[i].code, rows[i].to);
	}
	expect_list("INBOX+ a+c a.kid+ b+ q-c q.kid+");
}

static void rename_to_names_too_long(void **state)
{
	struct err err = ERR_INIT;
	char to[254];

	create("a");
	create("a.kid");
	memset(to, 'x', sizeof(to));
	words(folder_rename(&store, SPAN_LIT("a"), (struct span){ to, 252 }, &err), &err, "[CANNOT]", "child");
	expect_list("INBOX+ a+c a.kid+");
}

static void special_uses(void **state)
{
	struct err err = ERR_INIT;

	assert_int_equal(folder_create(&store, SPAN_LIT("Gesendet"), FOLDER_SENT, &err), 0);
	expect_list("INBOX+ Gesendet+\\Sent");
	words(folder_create(&store, SPAN_LIT("x"), FOLDER_SENT, &err), &err, "[USEATTR]", "taken");
	expect_list("INBOX+ Gesendet+\\Sent");
	assert_int_equal(folder_rename(&store, SPAN_LIT("Gesendet"), SPAN_LIT("b"), &err), 0);
	expect_list("INBOX+ b+\\Sent");
	assert_int_equal(folder_delete(&store, SPAN_LIT("b"), &err), 0);
	create("b");
	expect_list("INBOX+ b+");
	assert_int_equal(folder_create(&store, SPAN_LIT("x"), FOLDER_SENT, &err), 0);
	expect_list("INBOX+ b+ x+\\Sent");
}

/* Two sessions make the same folder: one does, and it is whole. */
static void made_at_once(void **state)
{
	int status, made = 0;

	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			struct err err = ERR_INIT;
			int n = 0;

			for (int k = 0; k < 10; k++) {
				char name[10];

				snprintf(name, sizeof(name), "f%d", k);
				n += folder_create(&store, span_z(name), 0, &err) == 0;
				if (err.kind != ERR_NONE && err.kind != ERR_PERM)
					_exit(99);
			}
			_exit(n);
		}
	while (wait(&status) > 0)
		made += WEXITSTATUS(status);
	assert_int_equal(made, 10);
	expect_list("INBOX+ f0+ f1+ f2+ f3+ f4+ f5+ f6+ f7+ f8+ f9+");
	no_rests();
}

static void ten_thousand(void **state)
{
	struct err err = ERR_INIT;
	struct arena a = { 0 };
	struct folder_list l;
	uint64_t start;

	for (int i = 0; i < 10000; i++) {
		char name[40];

		snprintf(name, sizeof(name), ".p%d.f%d", i % 100, i);
		make_dir(name);
	}
	start = clock_mono_ms();
	assert_int_equal(folder_list(&store, &a, &l, &err), 0);
	/* some 10 ms; a stat per folder would still pass, anything quadratic not */
	assert_true(clock_mono_ms() - start < 1000);
	assert_int_equal(l.n, 10101);
	arena_fini(&a);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(list), T(list_leaves_out), T(exists), T(create_makes_a_whole_folder), T(create_refuses), T(validity_rises),
		T(delete_removes_all), T(delete_refuses_and_sweeps), T(delete_a_link), T(delivery_into_a_removed_folder_fails),
		T(rename_moves_children), T(rename_refuses), T(rename_to_names_too_long), T(special_uses), T(made_at_once),
		T(ten_thousand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
