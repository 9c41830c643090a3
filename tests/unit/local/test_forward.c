/* .forward, :include:, files and the rules that keep others out of them. */
#include "tests/unit/local/fake_qmgr.h"

static int setup(void **state)
{
	start_agent("");
	return 0;
}

/* One .forward each: what the answer is, and whether the mailbox got a copy. */
static void test_forward(void **state)
{
	static const struct {
		const char *label, *text;
		uid_t owner;
		mode_t mode;
		uint64_t status;
		const char *dsn, *news;
		int in_box;
	} rows[] = {
		{ "elsewhere",        "a@b.org, c@d.org\n",     TITO,  0644, DLV_EXPANDED, "2.0.0",
		  "0::a@b.org;0::c@d.org;",   0 },
		{ "another user",     "iqbal\n",                TITO,  0600, DLV_EXPANDED, "2.0.0", "0::iqbal;",
		  0 },
		{ "self",             "\\tito\n",               TITO,  0644, DLV_SENT,     "2.0.0", "",
		  1 },
		{ "self with domain", "Tito@Example.COM\n",     TITO,  0644, DLV_SENT,     "2.0.0", "",
		  1 },
		{ "self, extension",  "tito+x\n",               TITO,  0644, DLV_SENT,     "2.0.0", "",
		  1 },
		{ "self and another", "\\tito, a@b.org\n",      TITO,  0644, DLV_EXPANDED, "2.0.0", "0::a@b.org;",
		  1 },
		{ "same name abroad", "tito@b.org\n",           TITO,  0644, DLV_EXPANDED, "2.0.0", "0::tito@b.org;",
		  0 },
		{ "command",          "\"|/bin/x y\"\n",        TITO,  0644, DLV_EXPANDED, "2.0.0", "1:tito:/bin/x y;",
		  0 },
		{ "file",             "/var/tmp/x\n",           TITO,  0644, DLV_EXPANDED, "2.0.0",
		  "2:tito:/var/tmp/x;",       0 },
		{ "include",          ":include:/etc/x\n",      TITO,  0644, DLV_EXPANDED, "2.0.0", "3:tito:/etc/x;",
		  0 },
		{ "owned by root",    "a@b.org\n",              0,     0644, DLV_EXPANDED, "2.0.0", "0::a@b.org;",
		  0 },
		{ "empty",            "",                       TITO,  0644, DLV_SENT,     "2.0.0", "",
		  1 },
		{ "comments only",    "# a@b.org\n",            TITO,  0644, DLV_SENT,     "2.0.0", "",
		  1 },
		{ "group writable",   "a@b.org\n",              TITO,  0664, DLV_SENT,     "2.0.0", "",
		  1 },
		{ "world writable",   "a@b.org\n",              TITO,  0646, DLV_SENT,     "2.0.0", "",
		  1 },
		{ "another's",        "a@b.org\n",              IQBAL, 0644, DLV_SENT,     "2.0.0", "",
		  1 },
		{ "unreadable",       "a@b.org\n",              TITO,  0000, DLV_DEFERRED, "4.2.0", "",
		  0 },
		{ "malformed",        "\"a\n",                  TITO,  0644, DLV_DEFERRED, "4.3.5", "",
		  0 },
	};
	int before = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct heard *h;
		int now;

		put_file("tito/.forward", rows[i].text, rows[i].owner, rows[i].mode);
		h = ask_one((struct ask){ .rcpts = { to_user("tito", "") } });
		now = count_in("tito/Maildir/new", NULL, NULL);
		if (h->status != rows[i].status || strcmp(h->dsn, rows[i].dsn) != 0 ||
		    strcmp(h->news, rows[i].news) != 0 || now - before != rows[i].in_box)
			fail_msg("%s: status %d dsn %s news %s text %s, %d in the mailbox", rows[i].label,
				 (int)h->status, h->dsn, h->news, h->text, now - before);
		before = now;
	}
}

static void test_forward_of_extension(void **state)
{
	put_file("tito/.forward", "plain@b.org\n", TITO, 0644);
	put_file("tito/.forward+list", "list@b.org\n", TITO, 0644);
	put_file("data/.forward+x", "stolen@b.org\n", TITO, 0644);
	assert_string_equal(ask_one((struct ask){ .rcpts = { to_user("tito", "list") } })->news, "0::list@b.org;");
	assert_string_equal(ask_one((struct ask){ .rcpts = { to_user("tito", "other") } })->news, "0::plain@b.org;");
	assert_string_equal(ask_one((struct ask){ .rcpts = { to_user("tito", "/../../data/.forward+x") } })->news,
			    "0::plain@b.org;");
	assert_string_equal(ask_one((struct ask){ .rcpts = { to_user("tito", "") } })->news, "0::plain@b.org;");
}

static int setup_delimiters(void **state)
{
	start_agent("recipient_delimiter = -+_\npropagate_unmatched_extensions = forward");
	return 0;
}

/* The one of several delimiters that stands in the address; the extension in whatever case. */
static void test_forward_of_delimiter(void **state)
{
	struct dlv_rcpt r = to_user("tito", "List");    /* tito+List */

	put_file("tito/.forward", "plain@b.org\n", TITO, 0644);
	put_file("tito/.forward+list", "plus@b.org\n", TITO, 0644);
	put_file("tito/.forward_list", "bar@b.org\n", TITO, 0644);
	assert_string_equal(ask_one((struct ask){ .rcpts = { r } })->news, "0::plus@b.org;");
	r.address = SPAN_LIT("tito_list@example.com");
	assert_string_equal(ask_one((struct ask){ .rcpts = { r } })->news, "0::bar@b.org;");
	r.address = SPAN_LIT("tito_news@example.com");
	r.extension = SPAN_LIT("news");
	assert_string_equal(ask_one((struct ask){ .rcpts = { r } })->news, "0::plain_news@b.org;");
}

/* Whoever was reached through their own .forward gets the letter, not the .forward again. */
static void test_as_own_user(void **state)
{
	struct dlv_rcpt r = to_user("tito", "");

	put_file("tito/.forward", "a@b.org\n", TITO, 0644);
	r.as_user = SPAN_LIT("tito");
	EXPECT(ask_one((struct ask){ .rcpts = { r } }), DLV_SENT, "2.0.0", "maildir");
}

static void test_forward_planted(void **state)
{
	put_file("data/secret", "secret@b.org\n", 0, 0600);
	assert_int_equal(symlink(in_root("data/secret"), in_root("tito/.forward")), 0);
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") } }), DLV_SENT, "2.0.0", "maildir");
	assert_int_equal(unlink(in_root("tito/.forward")), 0);
	assert_int_equal(mkfifo(in_root("tito/.forward"), 0644), 0);
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") } }), DLV_SENT, "2.0.0", "maildir");
	assert_int_equal(unlink(in_root("tito/.forward")), 0);
	assert_int_equal(mkdir(in_root("tito/.forward"), 0755), 0);
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") } }), DLV_SENT, "2.0.0", "maildir");
}

static int setup_closed(void **state)
{
	start_agent("allow_mail_to_commands = alias\nallow_mail_to_files =");
	return 0;
}

static void test_not_allowed(void **state)
{
	put_file("tito/.forward", "a@b.org, \"|/bin/x\"\n", TITO, 0644);
	assert_string_equal(ask_one((struct ask){ .rcpts = { to_user("tito", "") } })->news,
			    "0::a@b.org;0::tito@example.com via error:5.7.1 mail to command is restricted;");
	put_file("tito/.forward", "\"|/bin/x\"\n", TITO, 0644);
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") } }), DLV_BOUNCED, "5.7.1",
	       "mail to command is restricted");
	put_file("tito/.forward", "/var/tmp/x\n", TITO, 0644);
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") } }), DLV_BOUNCED, "5.7.1",
	       "mail to file is restricted");
}

static void test_include(void **state)
{
	const struct heard *h;
	char line[300];

	put_file("tito/list", "# members\na@b.org\niqbal,\n  c@d.org\n", TITO, 0644);
	h = ask_one((struct ask){ .rcpts = { to_kind(RCPT_INCLUDE, "tito", in_root("tito/list")) } });
	EXPECT(h, DLV_EXPANDED, "2.0.0", "");
	assert_string_equal(h->news, "0::a@b.org;0::iqbal;0::c@d.org;");
	/* what is not allowed is returned alone */
	put_file("tito/list", "a@b.org\n\"|/bin/x\"\n/var/x\nc@d.org\n", TITO, 0644);
	assert_string_equal(ask_one((struct ask){ .rcpts = { to_kind(RCPT_INCLUDE, "tito", in_root("tito/list")) } })->news,
			    "0::a@b.org;0::list@example.com via error:5.7.1 mail to command is restricted;"
			    "0::list@example.com via error:5.7.1 mail to file is restricted;0::c@d.org;");
	put_file("tito/list", "\"|/bin/x\"\n", TITO, 0644);
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_INCLUDE, "tito", in_root("tito/list")) } }), DLV_BOUNCED,
	       "5.7.1", "command");
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_INCLUDE, "", in_root("tito/none")) } }), DLV_DEFERRED,
	       "4.3.5", "not there");
	put_file("tito/list", "a@b.org\n", TITO, 0600);
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_INCLUDE, "iqbal", in_root("tito/list")) } }), DLV_DEFERRED,
	       "4.2.0", "");
	snprintf(line, sizeof(line), "relative/list");
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_INCLUDE, "tito", line) } }), DLV_BOUNCED, "5.3.5",
	       "absolute");
}

static void test_file(void **state)
{
	const char *text = "";
	struct stat st;

	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_FILE, "tito", in_root("tito/box")) } }), DLV_SENT, "2.0.0",
	       "delivered to file: ");
	text = get_file(in_root("tito/box"));
	assert_non_null(text);
	assert_ptr_equal(strstr(text, "From sender@example.org  "), text);
	assert_non_null(
		strstr(text, "\nX-Original-To: List@example.com\nDelivered-To: list@example.com\nFrom: a@b.org\n"));
	assert_non_null(strstr(text, "\n\n>From here on\nbody\n\n"));
	assert_int_equal(stat(in_root("tito/box"), &st), 0);
	assert_int_equal(st.st_uid, TITO);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(access(in_root("tito/box.lock"), F_OK), -1);
	assert_non_null(strstr(q.log, "to=<List@example.com>, relay=local"));
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_FILE, "tito", in_root("tito/Alias/")) } }), DLV_SENT,
	       "2.0.0", "to file");
	assert_int_equal(count_in("tito/Alias/new", NULL, NULL), 1);
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_FILE, "", "/dev/null") } }), DLV_SENT, "2.0.0",
	       "/dev/null");
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_FILE, "", in_root("tito/nobodys")) } }), DLV_DEFERRED,
	       "4.2.0", "");
	assert_int_equal(access(in_root("tito/nobodys"), F_OK), -1);
}

/* A reader rewrites the mailbox under its lock while a letter comes: the letter is in what the reader left. */
static void test_mbox_rewritten(void **state)
{
	char box[300], fresh[300], lock[300];
	const char *text;
	pid_t pid;

	snprintf(box, sizeof(box), "%s/tito/box", root);
	snprintf(fresh, sizeof(fresh), "%s/tito/fresh", root);
	snprintf(lock, sizeof(lock), "%s/tito/box.lock", root);
	put_file("tito/box", "From a\n\nold\n\n", TITO, 0600);
	put_file("tito/fresh", "From a\n\nrewritten\n\n", TITO, 0600);
	put_file("tito/box.lock", "", TITO, 0600);
	pid = fork();
	if (pid == 0) {
		nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
		_exit(rename(fresh, box) < 0 || unlink(lock) < 0);
	}
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_FILE, "tito", box) } }), DLV_SENT, "2.0.0", "");
	waitpid(pid, NULL, 0);
	text = get_file(box);
	assert_non_null(strstr(text, "rewritten\n\nFrom sender@example.org"));
}

static void test_mbox_torn(void **state)
{
	put_file("tito/box", "From a\n\nhalf a li", TITO, 0600);
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_FILE, "tito", in_root("tito/box")) } }), DLV_SENT, "2.0.0",
	       "");
	assert_non_null(strstr(get_file(in_root("tito/box")), "half a li\n\nFrom sender@example.org  "));
	/* what may only be written is written */
	put_file("tito/box", "", TITO, 0200);
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_FILE, "tito", in_root("tito/box")) } }), DLV_SENT, "2.0.0",
	       "");
}

static void test_large_file_to_mbox(void **state)
{
	FILE *f = fopen(in_root("data/large"), "w+");
	const char *text;
	struct stat st;
	off_t size = 0;

	fputs("Subject: big\n\n", f);
	for (int i = 0; i < 20000; i++)
		size += fputs("From xx\n", f) > 0 ? 9 : 0;
	fflush(f);
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_FILE, "tito", in_root("tito/box")) }, .fd = fileno(f) }),
	       DLV_SENT, "2.0.0", "");
	fclose(f);
	text = get_file(in_root("tito/box"));
	assert_non_null(strstr(text, "Subject: big\n\n>From xx\n>From xx\n"));
	assert_null(strstr(text, "\nFrom xx"));
	assert_int_equal(stat(in_root("tito/box"), &st), 0);
	assert_true(st.st_size > size && st.st_size < size + 300);
}

static void test_file_planted(void **state)
{
	char target[300];

	put_file("data/victim", "root's\n", 0, 0666);
	snprintf(target, sizeof(target), "%s/tito/box", root);
	assert_int_equal(symlink(in_root("data/victim"), target), 0);
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_FILE, "tito", target) } }), DLV_DEFERRED, "4.2.0", "");
	assert_int_equal(unlink(target), 0);
	assert_int_equal(link(in_root("data/victim"), target), 0);
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_FILE, "tito", target) } }), DLV_DEFERRED, "4.2.0",
	       "links");
	assert_int_equal(unlink(target), 0);
	assert_int_equal(mkfifo(target, 0666), 0);
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_FILE, "tito", target) } }), DLV_DEFERRED, "4.2.0", "");
	assert_int_equal(unlink(target), 0);
	assert_int_equal(mkdir(target, 0777), 0);
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_FILE, "tito", target) } }), DLV_BOUNCED, "5.2.0",
	       "directory");
	assert_int_equal(rmdir(target), 0);
	put_file("tito/box", "iqbal's\n", IQBAL, 0666);
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_FILE, "tito", target) } }), DLV_DEFERRED, "4.2.0",
	       "owned by");
	put_file("tito/box", "#!/bin/sh\n", TITO, 0755);
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_FILE, "tito", target) } }), DLV_BOUNCED, "5.2.0",
	       "executable");
	assert_string_equal(get_file(in_root("data/victim")), "root's\n");
	assert_string_equal(get_file(in_root("tito/box")), "#!/bin/sh\n");
}

static int setup_mbox_limit(void **state)
{
	start_agent("mailbox_size_limit = 300");
	return 0;
}

static void test_mbox_limit(void **state)
{
	const char *box = in_root("tito/box");
	struct stat st;
	char path[300];

	snprintf(path, sizeof(path), "%s", box);
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_FILE, "tito", path) } }), DLV_SENT, "2.0.0", "");
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_FILE, "tito", path) } }), DLV_BOUNCED, "5.2.2", "full");
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size < 300);
}

/* ---- races ---- */

#define SWAPS 10000

/* As tito: what stands at `path` is a folder or file, then a symlink to root's, a fifo, a hard link, nothing, and so
 * on. made: "d" for a Maildir, "f" for an mbox. */
static pid_t start_swapper(const char *path, const char *victim, char made)
{
	pid_t pid = fork();
	char away[400];

	if (pid != 0)
		return pid;
	if (setgid(TITO) < 0 || setuid(TITO) < 0)
		_exit(1);
	snprintf(away, sizeof(away), "%s.away", path);
	for (int i = 0; i < SWAPS; i++) {
		char aside[420];

		snprintf(aside, sizeof(aside), "%s.%d", away, i);
		(void)!rename(path, aside);
		switch (i % 5) {
		case 0:
			(void)!symlink(victim, path);
			break;
		case 1:
			(void)!mkfifo(path, 0666);
			break;
		case 2:
			(void)!link(victim, path);
			break;
		case 3:
			(void)!mkdir(path, 0700);
			break;
		default:
			if (made == 'f')
				close(open(path, O_CREAT | O_WRONLY, 0600));
			break;
		}
		unlink(aside);
	}
	_exit(0);
}

static void race(struct ask a, const char *path, char made)
{
	char victim[300];
	struct stat st, after;
	pid_t pid;
	int n = 0;

	make_dir("data/victimdir", 0);
	put_file("data/victim", "root's\n", 0, 0644);
	snprintf(victim, sizeof(victim), "%s/data/%s", root, made == 'd' ? "victimdir" : "victim");
	assert_int_equal(stat(victim, &st), 0);
	pid = start_swapper(path, victim, made);
	assert_true(pid > 0);
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		const struct heard *h;

		a.rcpts[0].index = 0;
		q.n = 0;
		h = ask_one(a);
		n++;
		/* A directory where an mbox is named is a definite no; all else is tried again. */
		if (h->status == DLV_BOUNCED && !(made == 'f' && strstr(h->text, "directory")))
			fail_msg("bounced: %s", h->text);
	}
	assert_true(n > 3);
	assert_string_equal(get_file(in_root("data/victim")), "root's\n");
	assert_int_equal(count_in("data/victimdir", NULL, NULL), 0);
	assert_int_equal(stat(victim, &after), 0);
	assert_int_equal(st.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	assert_int_equal(st.st_uid, after.st_uid);
}

static void test_maildir_race(void **state)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/tito/Maildir", root);
	race((struct ask){ .rcpts = { to_user("tito", "") } }, path, 'd');
}

static void test_mbox_race(void **state)
{
	static char path[300];

	snprintf(path, sizeof(path), "%s/tito/box", root);
	race((struct ask){ .rcpts = { to_kind(RCPT_FILE, "tito", path) } }, path, 'f');
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, stop_agent)
#define TS(f, s) cmocka_unit_test_setup_teardown(f, s, stop_agent)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_forward),
		T(test_forward_of_extension),
		TS(test_forward_of_delimiter, setup_delimiters),
		T(test_as_own_user),
		T(test_forward_planted),
		TS(test_not_allowed, setup_closed),
		T(test_include),
		T(test_file),
		T(test_mbox_rewritten),
		T(test_mbox_torn),
		T(test_large_file_to_mbox),
		T(test_file_planted),
		TS(test_mbox_limit, setup_mbox_limit),
		T(test_maildir_race),
		T(test_mbox_race),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root: children become users\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
