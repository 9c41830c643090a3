/* Delivery into a Maildir: names, sharing of syncs, twins, failing syncs, planted symlinks. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"
#include "store/maildir.h"

/* The disk under test: these stand in front of libc's. */
static struct {
	int data, dir, fs;      /* calls */
	int fail_data, fail_dir, fail_fs;
} disk;

int fdatasync(int fd)
{
	disk.data++;
	if (disk.fail_data && disk.data >= disk.fail_data) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	disk.dir++;
	if (disk.fail_dir && disk.dir >= disk.fail_dir) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

int syncfs(int fd)
{
	disk.fs++;
	if (disk.fail_fs && disk.fs >= disk.fail_fs) {
		errno = EIO;
		return -1;
	}
	return 0;
}

static char root[64];

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int setup(void **state)
{
	snprintf(root, sizeof(root), "/tmp/surat-maildir-XXXXXX");
	assert_non_null(mkdtemp(root));
	memset(&disk, 0, sizeof(disk));
	return 0;
}

static int teardown(void **state)
{
	return nftw(root, rm_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *path_of(struct str *s, const char *rel)
{
	str_reset(s);
	str_addf(s, "%s/%s", root, rel);
	return s->p;
}

/* Number of files; the last one's name in name_r. */
static int count(const char *rel, char *name_r)
{
	struct str s = STR_INIT(4096);
	DIR *d = opendir(path_of(&s, rel));
	struct dirent *e;
	int n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		if (name_r)
			snprintf(name_r, 256, "%s", e->d_name);
	}
	closedir(d);
	str_fini(&s);
	return n;
}

static void content_is(const char *dir, const char *name, const char *want)
{
	struct str s = STR_INIT(4096);
	char buf[4096] = "", path[600];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path_of(&s, path), "r");
	assert_non_null(f);
	buf[fread(buf, 1, sizeof(buf) - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(buf, want);
	str_fini(&s);
}

static void put(const char *rel, const char *text)
{
	struct str s = STR_INIT(4096);
	FILE *f = fopen(path_of(&s, rel), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	str_fini(&s);
}

static void open_ok(struct maildir *md, const char *path)
{
	struct err err = ERR_INIT;

	if (maildir_open(md, root, path, MAILDIR_CREATE, &err) < 0)
		fail_msg("%s", err.msg);
	disk.data = disk.dir = disk.fs = 0;
}

#define BASE "1000.Q1R0Ix.host"
#define MSG(name, same, ...) (struct maildir_msg){ .base = (name), .same_as = (same), __VA_ARGS__ }
#define TEXT .fd = -1, .head = SPAN_LIT("Delivered-To: a\n"), .body = SPAN_LIT("\nhello\r\n")
#define WHOLE "Delivered-To: a\n\nhello\r\n"

static struct err deliver(struct maildir *md, struct maildir_msg m, bool *already)
{
	struct maildir_batch b = { 0 };
	struct err err = ERR_INIT, res = ERR_INIT;

	if (maildir_batch_add(&b, md, &m, &err) < 0)
		res = err;
	else
		maildir_batch_commit(&b, &res, already);
	maildir_batch_fini(&b);
	return res;
}

static void test_first_delivery(void **state)
{
	struct str s = STR_INIT(4096);
	struct maildir md;
	char name[256];
	struct stat st;
	bool already = true;

	open_ok(&md, "example.com/tito/Maildir/");
	assert_int_equal(deliver(&md, MSG(BASE, -1, TEXT), &already).kind, ERR_NONE);
	assert_false(already);
	assert_int_equal(count("example.com/tito/Maildir/new", name), 1);
	assert_string_equal(name, "1000.Q1R0Ix.host,S=24,W=26");
	content_is("example.com/tito/Maildir/new", name, WHOLE);
	assert_int_equal(count("example.com/tito/Maildir/tmp", NULL), 0);
	assert_int_equal(stat(path_of(&s, "example.com/tito/Maildir/cur"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(path_of(&s, "example.com/tito"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(disk.data, 1);
	assert_int_equal(disk.dir, 1);
	maildir_close(&md);
	maildir_close(&md);
	str_fini(&s);
}

static void test_batch_shares_syncs(void **state)
{
	struct maildir md[3];
	struct maildir_batch b = { 0 };
	struct err err = ERR_INIT, res[60];

	open_ok(&md[0], "a");
	open_ok(&md[1], "b");
	open_ok(&md[2], "c");
	for (int i = 0; i < 60; i++) {
		char base[32];

		snprintf(base, sizeof(base), "1.Q%dR0.h", i);
		assert_int_equal(maildir_batch_add(&b, &md[i % 3], &MSG(base, -1, TEXT), &err), 0);
	}
	assert_int_equal(disk.data + disk.dir + disk.fs, 0);
	maildir_batch_commit(&b, res, NULL);
	assert_int_equal(disk.data, 0);
	assert_int_equal(disk.fs, 1);
	assert_int_equal(disk.dir, 3);
	for (int i = 0; i < 60; i++)
		assert_int_equal(res[i].kind, ERR_NONE);
	assert_int_equal(count("a/new", NULL) + count("b/new", NULL) + count("c/new", NULL), 60);
	maildir_batch_fini(&b);
	for (int i = 0; i < 3; i++)
		maildir_close(&md[i]);
}

static void test_link(void **state)
{
	struct maildir md[2];
	struct maildir_batch b = { 0 };
	struct err err = ERR_INIT, res[2];
	struct str s = STR_INIT(4096);
	char name[256], path[300];
	struct stat st;

	open_ok(&md[0], "a");
	open_ok(&md[1], "b");
	assert_int_equal(maildir_batch_add(&b, &md[0], &MSG(BASE, -1, TEXT), &err), 0);
	assert_int_equal(maildir_batch_add(&b, &md[1], &MSG(BASE, 0, TEXT), &err), 0);
	maildir_batch_commit(&b, res, NULL);
	assert_int_equal(res[0].kind + res[1].kind, ERR_NONE);
	assert_int_equal(disk.data, 1);
	assert_int_equal(count("b/new", name), 1);
	snprintf(path, sizeof(path), "b/new/%s", name);
	assert_int_equal(stat(path_of(&s, path), &st), 0);
	assert_int_equal(st.st_nlink, 2);
	content_is("b/new", name, WHOLE);
	maildir_batch_fini(&b);
	maildir_close(&md[0]);
	maildir_close(&md[1]);
	str_fini(&s);
}

static void test_body_from_fd(void **state)
{
	struct maildir md;
	struct str s = STR_INIT(4096);
	char name[256];
	struct err err;
	int fd;

	open_ok(&md, "m");
	put("large", "skipped:BODY of the file\n");
	fd = open(path_of(&s, "large"), O_RDONLY);
	assert_int_equal(
		deliver(&md, MSG(BASE, -1, .head = SPAN_LIT("H: 1\n"), .fd = fd, .off = 8, .size = 17), NULL).kind,
		ERR_NONE);
	assert_int_equal(count("m/new", name), 1);
	assert_string_equal(name, "1000.Q1R0Ix.host,S=22");
	content_is("m/new", name, "H: 1\nBODY of the file\n");
	err = deliver(&md, MSG("2.Q", -1, .fd = fd, .off = 8, .size = 170), NULL);
	assert_int_equal(err.kind, ERR_TEMP);
	assert_int_equal(count("m/new", NULL), 1);
	assert_int_equal(count("m/tmp", NULL), 0);
	close(fd);
	maildir_close(&md);
	str_fini(&s);
}

/* What an earlier attempt may have left, and what the retry makes of it. */
static void test_twins(void **state)
{
	static const struct {
		const char *label, *dir, *name, *text;
		size_t nul;             /* that many NUL bytes behind text */
		bool already;
		int n_new, n_cur;
	} rows[] = {
		{ "none",               NULL,  NULL,                               NULL,      0, false, 1, 0 },
		{ "same in new",        "new", "1000.Q1R0Ix.host,S=24,W=26",       WHOLE,     0, true,  1, 0 },
		{ "same in cur, read",  "cur", "1000.Q1R0Ix.host,S=24,W=26:2,RS",  WHOLE,     0, true,  0, 1 },
		{ "same, fresh name",   "new", "1000.Q1R0Ix.host,S=24,F=ab12",     WHOLE,     0, true,  1, 0 },
		{ "same, no size",      "cur", "1000.Q1R0Ix.host:2,",              WHOLE,     0, true,  0, 1 },
		{ "empty in new",       "new", "1000.Q1R0Ix.host,S=24,W=26",       "",        0, false, 1, 0 },
		{ "part in new",        "new", "1000.Q1R0Ix.host,S=24,W=26",       "Deliv",   0, false, 1, 0 },
		{ "part in cur",        "cur", "1000.Q1R0Ix.host,S=24,W=26:2,S",   "Deliv",   0, false, 1, 0 },
		{ "holes to the end",   "new", "1000.Q1R0Ix.host,S=24,W=26",       "Deliv",  19, false, 1, 0 },
		{ "holes beyond",       "new", "1000.Q1R0Ix.host,S=24,W=26",       "Deliv",  20, false, 2, 0 },
		{ "other text",         "new", "1000.Q1R0Ix.host,S=24,W=26",       "Other",   0, false, 2, 0 },
		{ "longer",             "new", "1000.Q1R0Ix.host,S=24,W=26",       WHOLE "x", 0, false, 2, 0 },
		{ "other text in cur",  "cur", "1000.Q1R0Ix.host,S=24,W=26:2,",    "Other",   0, false, 1, 1 },
		{ "longer base",        "new", "1000.Q1R0Ix.hosty,S=24,W=26",      WHOLE,     0, false, 2, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct maildir md;
		char dir[32], path[400];
		struct str s = STR_INIT(4096);
		bool already = !rows[i].already;

		snprintf(dir, sizeof(dir), "m%zu", i);
		open_ok(&md, dir);
		if (rows[i].dir) {
			struct stat st;

			snprintf(path, sizeof(path), "%s/%s/%s", dir, rows[i].dir, rows[i].name);
			put(path, rows[i].text);
			assert_int_equal(stat(path_of(&s, path), &st), 0);
			assert_int_equal(truncate(s.p, st.st_size + (off_t)rows[i].nul), 0);
		}
		assert_int_equal(deliver(&md, MSG(BASE, -1, TEXT, .retry = true), &already).kind, ERR_NONE);
		if (already != rows[i].already)
			fail_msg("%s: already=%d", rows[i].label, already);
		snprintf(path, sizeof(path), "%s/new", dir);
		if (count(path, NULL) != rows[i].n_new)
			fail_msg("%s: %d files in new", rows[i].label, count(path, NULL));
		snprintf(path, sizeof(path), "%s/cur", dir);
		if (count(path, NULL) != rows[i].n_cur)
			fail_msg("%s: %d files in cur", rows[i].label, count(path, NULL));
		snprintf(path, sizeof(path), "%s/tmp", dir);
		assert_int_equal(count(path, NULL), 0);
		maildir_close(&md);
		str_fini(&s);
	}
}

/* Without the retry mark a taken name is still never overwritten. */
static void test_taken_name(void **state)
{
	struct maildir md;
	bool already = false;

	open_ok(&md, "m");
	put("m/new/1000.Q1R0Ix.host,S=24,W=26", "somebody else's");
	assert_int_equal(deliver(&md, MSG(BASE, -1, TEXT), &already).kind, ERR_NONE);
	assert_false(already);
	assert_int_equal(count("m/new", NULL), 2);
	content_is("m/new", "1000.Q1R0Ix.host,S=24,W=26", "somebody else's");
	assert_int_equal(deliver(&md, MSG(BASE, -1, TEXT, .retry = true), &already).kind, ERR_NONE);
	assert_true(already);
	assert_int_equal(count("m/new", NULL), 2);
	maildir_close(&md);
}

/* Every place where the disk can say EIO: not delivered, nothing visible, and the retry writes a new file. */
static void test_failed_syncs(void **state)
{
	static const struct {
		const char *label;
		int n, fail_data, fail_dir, fail_fs, ok;
	} rows[] = {
		{ "data of one",       1, 1, 0, 0, 0 },
		{ "data of the second", 2, 2, 0, 0, 1 },
		{ "data of many",      8, 0, 0, 1, 0 },
		{ "directory",         1, 0, 1, 0, 0 },
		{ "directory of many", 8, 0, 1, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct maildir md;
		struct maildir_batch b = { 0 };
		struct err err = ERR_INIT, res[8];
		char dir[32], sub[40], base[32];
		int ok = 0;

		snprintf(dir, sizeof(dir), "m%zu", i);
		memset(&disk, 0, sizeof(disk));
		open_ok(&md, dir);
		disk.fail_data = rows[i].fail_data;
		disk.fail_dir = rows[i].fail_dir;
		disk.fail_fs = rows[i].fail_fs;
		for (int k = 0; k < rows[i].n; k++) {
			snprintf(base, sizeof(base), "1.Q%d.h", k);
			assert_int_equal(maildir_batch_add(&b, &md, &MSG(base, -1, TEXT), &err), 0);
		}
		maildir_batch_commit(&b, res, NULL);
		for (int k = 0; k < rows[i].n; k++) {
			ok += res[k].kind == ERR_NONE;
			if (res[k].kind != ERR_NONE && (res[k].kind != ERR_SYS || res[k].sys != EIO))
				fail_msg("%s: kind %d", rows[i].label, res[k].kind);
		}
		snprintf(sub, sizeof(sub), "%s/new", dir);
		if (ok != rows[i].ok || count(sub, NULL) != rows[i].ok)
			fail_msg("%s: %d delivered, %d in new", rows[i].label, ok, count(sub, NULL));
		snprintf(sub, sizeof(sub), "%s/tmp", dir);
		assert_int_equal(count(sub, NULL), 0);
		memset(&disk, 0, sizeof(disk));
		assert_int_equal(deliver(&md, MSG("1.Q0.h", -1, TEXT, .retry = true), NULL).kind, ERR_NONE);
		maildir_batch_fini(&b);
		maildir_close(&md);
	}
}

/* A twin whose own sync fails is not believed: ours, already synced, takes its place. */
static void test_twin_sync_fails(void **state)
{
	struct maildir md;
	bool already = true;

	open_ok(&md, "m");
	put("m/new/1000.Q1R0Ix.host,S=24,W=26", WHOLE);
	disk.fail_data = 2;
	assert_int_equal(deliver(&md, MSG(BASE, -1, TEXT, .retry = true), &already).kind, ERR_NONE);
	assert_false(already);
	assert_int_equal(count("m/new", NULL), 1);
	/* When the directory cannot be synced a twin stays where it is. */
	memset(&disk, 0, sizeof(disk));
	disk.fail_dir = 1;
	assert_int_equal(deliver(&md, MSG(BASE, -1, TEXT, .retry = true), &already).kind, ERR_SYS);
	assert_int_equal(count("m/new", NULL), 1);
	maildir_close(&md);
}

static void test_refused_paths(void **state)
{
	static const struct {
		const char *label, *link, *target, *path;
	} rows[] = {
		{ "mailbox is a link",    "evil",      "/etc",     "evil" },
		{ "parent is a link",     "up",        "/tmp",     "up/Maildir" },
		{ "tmp is a link",        "box/tmp",   "/tmp",     "box" },
		{ "new is a link",        "box2/new",  "/tmp",     "box2" },
		{ "dangling link",        "gone",      "nowhere",  "gone" },
		{ "dot dot",              NULL,        NULL,       "../x" },
		{ "dot dot inside",       NULL,        NULL,       "a/../../x" },
		{ "a file",               NULL,        NULL,       "file" },
	};
	struct str s = STR_INIT(4096);

	assert_int_equal(mkdir(path_of(&s, "box"), 0700), 0);
	assert_int_equal(mkdir(path_of(&s, "box2"), 0700), 0);
	put("file", "");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct maildir md;
		struct err err = ERR_INIT;

		if (rows[i].link)
			assert_int_equal(symlink(rows[i].target, path_of(&s, rows[i].link)), 0);
		if (maildir_open(&md, root, rows[i].path, MAILDIR_CREATE, &err) == 0)
			fail_msg("%s: opened", rows[i].label);
		if (!err_is_temporary(&err))
			fail_msg("%s: permanent", rows[i].label);
		assert_int_equal(md.fd, -1);
	}
	str_fini(&s);
}

/* A link for the mailbox itself: its user follows it, and root nobody's. */
static void test_mailbox_behind_a_link(void **state)
{
	static const struct {
		const char *label, *link, *target, *path;
		uid_t as, owner;
		unsigned flags;
		bool want;
	} rows[] = {
		{ "own",             "a",      "box",     "a",          4242, 4242, MAILDIR_LINK,                  true },
		{ "own, slash",      "b",      "box",     "b/",         4242, 4242, MAILDIR_LINK | MAILDIR_CREATE, true },
		{ "of root",         "c",      "box",     "c",          4242, 0,    MAILDIR_LINK,                  true },
		{ "through another", "d",      "a",       "d",          4242, 4242, MAILDIR_LINK,                  true },
		{ "of a stranger",   "e",      "box",     "e",          4242, 4243, MAILDIR_LINK,                  false },
		{ "not asked for",   "f",      "box",     "f",          4242, 4242, MAILDIR_CREATE,                false },
		{ "as root",         "g",      "box",     "g",          0,    0,    MAILDIR_LINK,                  false },
		{ "parent",          "h",      ".",       "h/box",      4242, 4242, MAILDIR_LINK | MAILDIR_CREATE, false },
		{ "dangling",        "i",      "nowhere", "i",          4242, 4242, MAILDIR_LINK | MAILDIR_CREATE, false },
		{ "loop",            "j",      "j",       "j",          4242, 4242, MAILDIR_LINK | MAILDIR_CREATE, false },
		{ "a file",          "k",      "file",    "k",          4242, 4242, MAILDIR_LINK | MAILDIR_CREATE, false },
		{ "tmp is a link",   "l/tmp",  "../box",  "l",          4242, 4242, MAILDIR_LINK | MAILDIR_CREATE, false },
	};
	struct str s = STR_INIT(4096);

	if (geteuid() != 0)
		skip();
	put("file", "");
	assert_int_equal(chmod(root, 0755), 0);
	for (size_t i = 0; i < 5; i++) {
		static const char *const names[] = { "box", "box/tmp", "box/new", "box/cur", "l" };

		assert_int_equal(mkdir(path_of(&s, names[i]), 0700), 0);
		assert_int_equal(chown(path_of(&s, names[i]), 4242, 4242), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct maildir md;
		struct err err = ERR_INIT;
		struct stat st, box;
		int rc;

		assert_int_equal(symlink(rows[i].target, path_of(&s, rows[i].link)), 0);
		assert_int_equal(lchown(path_of(&s, rows[i].link), rows[i].owner, 0), 0);
		assert_int_equal(seteuid(rows[i].as), 0);
		rc = maildir_open(&md, root, rows[i].path, rows[i].flags, &err);
		assert_int_equal(seteuid(0), 0);
		if ((rc == 0) != rows[i].want || (rc < 0 && !err_is_temporary(&err)))
			fail_msg("%s: %d %s", rows[i].label, rc, rc < 0 ? err.msg : "");
		if (rc == 0 && (fstat(md.fd, &st) < 0 || stat(path_of(&s, "box"), &box) < 0 || st.st_ino != box.st_ino))
			fail_msg("%s: elsewhere", rows[i].label);
		maildir_close(&md);
	}
	str_fini(&s);
}

static void test_not_created_unasked(void **state)
{
	struct maildir md;
	struct err err = ERR_INIT;

	assert_int_equal(maildir_open(&md, root, "none", 0, &err), -1);
	assert_int_equal(err.sys, ENOENT);
}

static void test_abort(void **state)
{
	struct maildir md;
	struct maildir_batch b = { 0 };
	struct err err = ERR_INIT;

	open_ok(&md, "m");
	assert_int_equal(maildir_batch_add(&b, &md, &MSG(BASE, -1, TEXT), &err), 0);
	assert_int_equal(count("m/tmp", NULL), 1);
	maildir_batch_fini(&b);
	assert_int_equal(count("m/tmp", NULL) + count("m/new", NULL), 0);
	maildir_close(&md);
}

static void test_clean_tmp(void **state)
{
	struct maildir md;
	struct str s = STR_INIT(4096);
	struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };

	open_ok(&md, "m");
	put("m/tmp/old", "x");
	put("m/tmp/young", "x");
	assert_int_equal(utimensat(AT_FDCWD, path_of(&s, "m/tmp/old"), old, 0), 0);
	assert_int_equal(maildir_clean_tmp(&md), 1);
	assert_int_equal(count("m/tmp", NULL), 1);
	maildir_close(&md);
	str_fini(&s);
}

static void test_base_name(void **state)
{
	struct arena a = { 0 };

	assert_string_equal(maildir_base_name(&a, 1234567, "ABC", 3, "f00", "mail/x:y"), "1234.M567QABCR3If00.mail_x_y");
	arena_fini(&a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_first_delivery), T(test_batch_shares_syncs), T(test_link), T(test_body_from_fd), T(test_twins),
		T(test_taken_name), T(test_failed_syncs), T(test_twin_sync_fails), T(test_refused_paths),
		T(test_mailbox_behind_a_link),
		T(test_not_created_unasked), T(test_abort), T(test_clean_tmp), T(test_base_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
