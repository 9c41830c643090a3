/* UIDs stay with their messages: over runs, beside Dovecot, after torn writes, on a full disk. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/dotlock.h"
#include "store/uidlist.h"

static int n_fsync, n_fdatasync, fail_fsync;

int fsync(int fd)
{
	n_fsync++;
	if (fail_fsync) {
		errno = fail_fsync;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	n_fdatasync++;
	return (int)syscall(SYS_fdatasync, fd);
}

static char root[64];
static struct maildir md;

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int setup(void **state)
{
	struct err err = ERR_INIT;

	snprintf(root, sizeof(root), "/tmp/login-uidlist-XXXXXX");
	assert_non_null(mkdtemp(root));
	md = (struct maildir)MAILDIR_INIT;
	if (maildir_open(&md, root, "Maildir", MAILDIR_CREATE, &err) < 0)
		fail_msg("%s", err.msg);
	n_fsync = n_fdatasync = fail_fsync = 0;
	clock_fake_ms(1700000000000);
	return 0;
}

static int teardown(void **state)
{
	clock_fake_ms(0);
	maildir_close(&md);
	nftw(root, rm_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static void put_text(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void add_text(const char *text)
{
	int fd = openat(md.fd, UIDLIST_NAME, O_WRONLY | O_APPEND);

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void put(const char *name)
{
	put_text(strchr(name, ':') ? md.cur : md.new, name, "A: b\n\nx\n");
}

static char *list_text(void)
{
	static char buf[8192];
	int fd = openat(md.fd, UIDLIST_NAME, O_RDONLY);
	ssize_t n = fd >= 0 ? read(fd, buf, sizeof(buf) - 1) : 0;

	close(fd);
	assert_true(n >= 0);
	buf[n] = '\0';
	return buf;
}

static int by_uid(const void *a, const void *b)
{
	const struct maildir_entry *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* s in the order of UIDs, and no good for looking up names. */
static int number(struct uidlist *u, struct maildir_scan *s, struct err *err)
{
	return uidlist_sync_held(u, s, u->is_volatile ? -1 : dotlock_take(u->dir, UIDLIST_LOCK, 30000), err);
}

static void sync_list(struct uidlist *u, struct maildir_scan *s)
{
	struct err err = ERR_INIT;

	maildir_scan_fini(s);
	if (maildir_scan(s, &md, &err) < 0)
		fail_msg("%s", err.msg);
	maildir_scan_sort(s);
	if (number(u, s, &err) < 0)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < s->n; i++)
		assert_int_equal(uidlist_find(u, maildir_entry_base(&s->v[i]))->uid, s->v[i].uid);
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), by_uid);
	assert_int_equal(faccessat(md.fd, UIDLIST_LOCK, F_OK, 0), -1);
}

static void open_list(struct uidlist *u)
{
	struct err err = ERR_INIT;

	if (uidlist_open(u, md.fd, &err) < 0)
		fail_msg("%s", err.msg);
}

/* want: "1=a 2=b", the messages in the order of their UIDs */
static void assert_uids(const struct maildir_scan *s, const char *want)
{
	struct str got = STR_INIT(4096);
	size_t i;

	for (i = 0; i < s->n; i++)
		assert_int_equal(str_addf(&got, "%s%u=%.*s", i ? " " : "", s->v[i].uid, (int)s->v[i].base_n, s->v[i].name), 0);
	assert_string_equal(got.p, want);
	str_fini(&got);
}

static void one_run(const char *want)
{
	struct uidlist u;
	struct maildir_scan s = { 0 };

	open_list(&u);
	sync_list(&u, &s);
	assert_uids(&s, want);
	maildir_scan_fini(&s);
	uidlist_close(&u);
}

static void test_stable(void **state)
{
	put("3.c");
	put("1.a");
	put("2.b:2,S");
	one_run("1=1.a 2=2.b 3=3.c");
	assert_int_equal(strncmp(list_text(), "3 V1700000000 N4 G", 18), 0);
	assert_non_null(strstr(list_text(), "\n1 :1.a\n2 :2.b\n3 :3.c\n"));
	/* flags change, files move, one goes, one comes that looks older */
	assert_int_equal(renameat(md.new, "1.a", md.cur, "1.a:2,RS"), 0);
	assert_int_equal(unlinkat(md.cur, "2.b:2,S", 0), 0);
	put("0.z");
	one_run("1=1.a 3=3.c 4=0.z");
	one_run("1=1.a 3=3.c 4=0.z");
	/* the UID of what is gone is not given again, not even when it was the last */
	assert_int_equal(unlinkat(md.new, "0.z", 0), 0);
	one_run("1=1.a 3=3.c");
	put("9.y");
	one_run("1=1.a 3=3.c 5=9.y");
}

/* As Dovecot 2.3 writes it: flags in names, sizes, POP3 ids of a migration, keys of its own, N ahead. */
static const char dovecot23[] =
	"3 V1273668413 N41 G3a7d26014c8b9c5be1110000b7a34d22\n"
	"7 W1834 :1273668413.M1P2.host,S=1800:2,S\n"
	"9 Pold-uidl-9 W99 :1273668500.M3P4.host\n"
	"38 G5a5a Z1 :1273669999.M5P6.host,S=5,W=6:2,\n";

static void test_dovecot(void **state)
{
	struct uidlist u;
	struct maildir_scan s = { 0 };
	const struct uidlist_rec *r;

	put_text(md.fd, UIDLIST_NAME, dovecot23);
	put("1273668413.M1P2.host,S=1800:2,RS");
	put("1273668500.M3P4.host");
	put("1273669999.M5P6.host,S=5,W=6:2,");
	put("1273670000.new");
	open_list(&u);
	sync_list(&u, &s);
	assert_int_equal(u.validity, 1273668413);
	assert_uids(&s, "7=1273668413.M1P2.host,S=1800 9=1273668500.M3P4.host "
			"38=1273669999.M5P6.host,S=5,W=6 41=1273670000.new");
	r = uidlist_find(&u, SPAN_LIT("1273668500.M3P4.host"));
	assert_true(span_eqz(r->pop3_id, "old-uidl-9"));
	assert_int_equal(r->vsize, 99);
	assert_true(uidlist_find(&u, SPAN_LIT("1273670000.new"))->vsize == UINT64_MAX);
	/* one record more, the rest untouched */
	assert_int_equal(strncmp(list_text(), dovecot23, strlen(dovecot23)), 0);
	assert_string_equal(list_text() + strlen(dovecot23), "41 :1273670000.new\n");
	assert_int_equal(n_fdatasync, 1);
	assert_int_equal(n_fsync, 0);
	/* a rewrite keeps what is not ours */
	add_text("torn");
	sync_list(&u, &s);
	assert_string_equal(list_text(), "3 V1273668413 N42 G3a7d26014c8b9c5be1110000b7a34d22\n"
					 "7 W1834 :1273668413.M1P2.host,S=1800\n"
					 "9 W99 Pold-uidl-9 :1273668500.M3P4.host\n"
					 "38 G5a5a Z1 :1273669999.M5P6.host,S=5,W=6\n"
					 "41 :1273670000.new\n");
	maildir_scan_fini(&s);
	uidlist_close(&u);
}

static void test_version_1(void **state)
{
	put_text(md.fd, UIDLIST_NAME, "1 1000 12\n5 1.a\n11 2.b:2,S\n");
	put("1.a");
	put("2.b:2,");
	put("3.c");
	one_run("5=1.a 11=2.b 12=3.c");
	assert_int_equal(strncmp(list_text(), "3 V1000 N13 G", 13), 0);
}

static void test_broken(void **state)
{
	static const struct {
		const char *label, *text, *want;
		uint32_t validity;      /* 0: a new one */
	} rows[] = {
		{ "empty", "", "1=1.a 2=2.b", 0 },
		{ "zeros as after a power cut", "\0\0\0\0", "1=1.a 2=2.b", 0 },
		{ "no validity", "3 N5\n1 :1.a\n", "1=1.a 2=2.b", 0 },
		{ "validity 0", "3 V0 N5\n1 :1.a\n", "1=1.a 2=2.b", 0 },
		{ "validity over 32 bits", "3 V4294967296 N5\n", "1=1.a 2=2.b", 0 },
		{ "unknown version", "4 V10 N5\n4 :1.a\n", "1=1.a 2=2.b", 0 },
		{ "UIDs used up", "3 V10 N4294967295\n", "1=1.a 2=2.b", 0 },
		{ "header torn", "3 V10 N", "1=1.a 2=2.b", 0 },
		{ "last line torn", "3 V10 N5 Gx\n3 :1.a\n4 :2", "3=1.a 5=2.b", 10 },
		{ "last line without end", "3 V10 N5\n3 :1.a\n4 :2.b", "3=1.a 5=2.b", 10 },
		{ "UIDs fall", "3 V10 N9\n8 :1.a\n4 :2.b\n", "8=1.a 9=2.b", 10 },
		{ "UID twice", "3 V10 N9\n8 :1.a\n8 :2.b\n", "8=1.a 9=2.b", 10 },
		{ "name twice: the later counts", "3 V10 N9\n3 :1.a\n4 :1.a\n5 :2.b\n", "4=1.a 5=2.b", 10 },
		{ "UID 0", "3 V10 N9\n0 :1.a\n5 :2.b\n", "5=2.b 9=1.a", 10 },
		{ "UID of nonsense", "3 V10 N9\n-1 :1.a\n99999999999 :1.a\n5 :2.b\n", "5=2.b 9=1.a", 10 },
		{ "no name", "3 V10 N9\n1\n2 :\n3\n5 :2.b\n", "5=2.b 9=1.a", 10 },
		{ "N behind the records", "3 V10 N2\n5 :2.b\n", "5=2.b 6=1.a", 10 },
		{ "CR in it", "3 V10 N9\r\n5 :2.b\r\n", "1=1.a 2=2.b", 0 },
	};
	size_t i;

	put("1.a");
	put("2.b");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct uidlist u;
		struct maildir_scan s = { 0 };

		put_text(md.fd, UIDLIST_NAME, rows[i].text);
		open_list(&u);
		sync_list(&u, &s);
		assert_uids(&s, rows[i].want);
		assert_int_equal(u.validity, rows[i].validity ? rows[i].validity : 1700000000);
		maildir_scan_fini(&s);
		uidlist_close(&u);
		one_run(rows[i].want);
	}
}

/* Two programs have the list open; each sees what the other gave. */
static void test_two_at_once(void **state)
{
	struct uidlist a, b;
	struct maildir_scan sa = { 0 }, sb = { 0 };

	put("1.a");
	open_list(&a);
	sync_list(&a, &sa);
	open_list(&b);
	put("2.b");
	sync_list(&a, &sa);
	put("3.c");
	sync_list(&b, &sb);
	assert_uids(&sb, "1=1.a 2=2.b 3=3.c");
	put("4.d");
	sync_list(&a, &sa);
	assert_uids(&sa, "1=1.a 2=2.b 3=3.c 4=4.d");
	sync_list(&b, &sb);
	assert_uids(&sb, "1=1.a 2=2.b 3=3.c 4=4.d");
	maildir_scan_fini(&sa);
	maildir_scan_fini(&sb);
	uidlist_close(&a);
	uidlist_close(&b);
}

/* A record that another process added between our scan and our rewrite is not gone: it came after the scan. */
static void test_newer_records_stay(void **state)
{
	struct uidlist a, b;
	struct maildir_scan sa = { 0 }, sb = { 0 };
	struct err err = ERR_INIT;

	put("1.a");
	put("3.c");
	open_list(&a);
	assert_int_equal(maildir_scan(&sa, &md, &err), 0);
	assert_int_equal(unlinkat(md.new, "3.c", 0), 0);
	put("2.b");
	open_list(&b);
	sync_list(&b, &sb);
	add_text("9 :torn");            /* to be written anew */
	assert_int_equal(number(&a, &sa, &err), 0);
	assert_null(strstr(list_text(), "torn"));
	maildir_scan_fini(&sb);
	uidlist_close(&b);
	open_list(&b);
	sync_list(&b, &sb);
	assert_uids(&sb, "1=1.a 2=2.b");
	maildir_scan_fini(&sa);
	maildir_scan_fini(&sb);
	uidlist_close(&a);
	uidlist_close(&b);
}

/* Ten processes deliver and number at the same time: no UID twice, everyone agrees. */
static void test_race(void **state)
{
	enum { PROCS = 6, EACH = 10 };
	struct uidlist u;
	struct maildir_scan s = { 0 };
	size_t i, k;

	clock_fake_ms(0);
	for (i = 0; i < PROCS; i++) {
		if (fork() == 0) {
			for (k = 0; k < EACH; k++) {
				char name[32];

				snprintf(name, sizeof(name), "%zu.p%zu", k, i);
				put(name);
				open_list(&u);
				(void)!maildir_scan(&s, &md, &(struct err)ERR_INIT);
				if (number(&u, &s, &(struct err)ERR_INIT) < 0)
					_exit(1);
				maildir_scan_fini(&s);
				uidlist_close(&u);
			}
			_exit(0);
		}
	}
	for (i = 0; i < PROCS; i++) {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	open_list(&u);
	assert_false(u.must_rewrite);   /* no line was refused: UIDs rise, names are there once */
	assert_int_equal(u.n, PROCS * EACH);
	sync_list(&u, &s);
	assert_int_equal(s.n, PROCS * EACH);
	maildir_scan_fini(&s);
	uidlist_close(&u);
}

static void test_lock(void **state)
{
	struct uidlist u;
	struct maildir_scan s = { 0 };
	struct timespec old[2] = { { 1600000000, 0 }, { 1600000000, 0 } };
	pid_t pid;

	/* a stale lock is broken */
	put("1.a");
	put_text(md.fd, UIDLIST_LOCK, "");
	assert_int_equal(utimensat(md.fd, UIDLIST_LOCK, old, 0), 0);
	one_run("1=1.a");
	/* a fresh one is waited for */
	clock_fake_ms(0);
	put("2.b");
	put_text(md.fd, UIDLIST_LOCK, "");
	pid = fork();
	if (pid == 0) {
		nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
		_exit(unlinkat(md.fd, UIDLIST_LOCK, 0));
	}
	open_list(&u);
	sync_list(&u, &s);
	assert_uids(&s, "1=1.a 2=2.b");
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	maildir_scan_fini(&s);
	uidlist_close(&u);
}

static void test_full_disk(void **state)
{
	struct uidlist u;
	struct maildir_scan s = { 0 };

	put("1.a");
	fail_fsync = ENOSPC;
	open_list(&u);
	sync_list(&u, &s);
	assert_true(u.is_volatile);
	assert_uids(&s, "1=1.a");
	put("2.b");
	sync_list(&u, &s);
	assert_uids(&s, "1=1.a 2=2.b");
	assert_string_equal(list_text(), "");
	maildir_scan_fini(&s);
	uidlist_close(&u);
	fail_fsync = 0;
	one_run("1=1.a 2=2.b");
}

static void test_io_error(void **state)
{
	struct uidlist u;
	struct maildir_scan s = { 0 };
	struct err err = ERR_INIT;

	put("1.a");
	fail_fsync = EIO;
	open_list(&u);
	assert_int_equal(maildir_scan(&s, &md, &err), 0);
	assert_int_equal(number(&u, &s, &err), -1);
	assert_int_equal(err.kind, ERR_SYS);
	assert_int_equal(faccessat(md.fd, UIDLIST_LOCK, F_OK, 0), -1);
	fail_fsync = 0;
	maildir_scan_fini(&s);
	uidlist_close(&u);
}

/* What a user may plant in a Maildir of his own. */
static void test_planted(void **state)
{
	struct uidlist u;
	struct err err = ERR_INIT;

	assert_int_equal(symlinkat("/etc/passwd", md.fd, UIDLIST_NAME), 0);
	assert_int_equal(uidlist_open(&u, md.fd, &err), -1);
	uidlist_close(&u);
	assert_int_equal(unlinkat(md.fd, UIDLIST_NAME, 0), 0);
	assert_int_equal(mkfifoat(md.fd, UIDLIST_NAME, 0600), 0);
	assert_int_equal(uidlist_open(&u, md.fd, &err), -1);
	uidlist_close(&u);
}

static void test_scan(void **state)
{
	struct maildir_scan s = { 0 };
	struct err err = ERR_INIT;
	struct maildir_entry e;
	struct arena a = { 0 };

	put("2.b,S=10,W=12:2,FS");
	put("1.a");
	put_text(md.cur, ".hidden", "");
	put_text(md.cur, ":2,S", "");
	put_text(md.new, "bad\nname", "");
	assert_int_equal(mkdirat(md.new, "dir", 0700), 0);
	assert_int_equal(mkfifoat(md.cur, "3.fifo:2,", 0600), 0);
	assert_int_equal(symlinkat("/etc/passwd", md.cur, "4.link:2,"), 0);
	assert_int_equal(maildir_scan(&s, &md, &err), 0);
	assert_int_equal(s.n, 2);
	/* seen in new/, then again in cur/ */
	assert_int_equal(renameat(md.new, "1.a", md.cur, "1.a:2,S"), 0);
	assert_int_equal(maildir_scan(&s, &md, &err), 0);
	assert_int_equal(s.n, 2);
	maildir_scan_sort(&s);
	assert_string_equal(s.v[0].name, "1.a:2,S");
	assert_false(s.v[0].is_new);
	assert_ptr_equal(maildir_scan_find(&s, SPAN_LIT("1.a")), &s.v[0]);
	assert_null(maildir_scan_find(&s, SPAN_LIT("9")));
	assert_int_equal(renameat(md.cur, "1.a:2,S", md.cur, "1.a:2,ST"), 0);
	assert_int_equal(maildir_locate(&md, SPAN_LIT("1.a"), &a, &e, &err), 1);
	assert_string_equal(e.name, "1.a:2,ST");
	assert_int_equal(maildir_locate(&md, SPAN_LIT("1"), &a, &e, &err), 0);
	arena_fini(&a);
	maildir_scan_fini(&s);
}

static void test_scan_order(void **state)
{
	struct maildir_scan s = { 0 };
	char name[40];
	unsigned n;

	maildir_scan_sort(&s);
	for (unsigned i = 0; i < 1000; i++) {
		n = i * 7 % 1000;
		snprintf(name, sizeof(name), "%u.M%u:2,S", 100 + n / 2, 10 + n % 2);
		maildir_scan_add(&s, name, false);
	}
	maildir_scan_sort(&s);
	assert_int_equal(s.n, 1000);
	for (n = 0; n < 1000; n++) {
		snprintf(name, sizeof(name), "%u.M%u:2,S", 100 + n / 2, 10 + n % 2);
		assert_string_equal(s.v[n].name, name);
		assert_ptr_equal(maildir_scan_find(&s, maildir_entry_base(&s.v[n])), &s.v[n]);
	}
	/* and it goes on */
	maildir_scan_add(&s, "99.x", true);
	assert_ptr_equal(maildir_scan_find(&s, SPAN_LIT("99.x")), &s.v[1000]);
	maildir_scan_sort(&s);
	assert_string_equal(s.v[0].name, "99.x");
	maildir_scan_fini(&s);
}

static void test_names(void **state)
{
	static const struct {
		const char *name;
		char tag;
		int rc;
		uint64_t n;
	} rows[] = {
		{ "1.M2.host,S=10,W=12", 'W', 0, 12 }, { "1.M2.host,S=10,W=12", 'S', 0, 10 }, { "1.M2.host", 'S', -1, 0 },
		{ "1,S=", 'S', -1, 0 }, { "1,S=x", 'S', -1, 0 }, { "1,S=-1", 'S', -1, 0 },
		{ "1,S=99999999999999999999", 'S', -1, 0 }, { "1,W=5,S=7", 'S', 0, 7 }, { "S=5", 'S', -1, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t n = 0;

		if (maildir_size_tag(span_z(rows[i].name), rows[i].tag, &n) != rows[i].rc || n != rows[i].n)
			fail_msg("%s %c", rows[i].name, rows[i].tag);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_stable), T(test_dovecot), T(test_version_1), T(test_broken), T(test_two_at_once), T(test_newer_records_stay),
		T(test_race), T(test_lock), T(test_full_disk), T(test_io_error), T(test_planted), T(test_scan),
		cmocka_unit_test(test_scan_order), cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
