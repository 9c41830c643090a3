/* local as a whole: mailboxes, users, virtual users, results, restarts of its peers and children. */
#include "store/index.h"
#include "store/mail_record.h"
#include "tests/unit/local/fake_qmgr.h"

#include <sys/syscall.h>

#include "local/msg_child.h"

static int setup(void **state)
{
	start_agent("");
	return 0;
}

static void test_system_user(void **state)
{
	const struct heard *h = ask_one((struct ask){ .rcpts = { to_user("tito", "") } });
	const char *text = "";
	struct stat st;

	EXPECT(h, DLV_SENT, "2.0.0", "delivered to maildir");
	assert_int_equal(h->is_lazy, 1);
	assert_int_equal(count_in("tito/Maildir/new", &text, &st), 1);
	assert_int_equal(st.st_uid, TITO);
	assert_int_equal(st.st_gid, TITO);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_string_equal(text, "Return-Path: <sender@example.org>\nX-Original-To: tito@example.com\n"
				  "Delivered-To: tito@example.com\n" LETTER);
	assert_int_equal(stat(in_root("tito/Maildir"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(st.st_uid, TITO);
	assert_non_null(strstr(q.log, ": to=<tito@example.com>, relay=local, delay="));
	assert_non_null(strstr(q.log, ", dsn=2.0.0, status=sent (delivered to maildir)"));
}

static void test_extension_and_orig(void **state)
{
	struct dlv_rcpt r = to_user("tito", "News");
	const char *text = "";

	r.orig = SPAN_LIT("old@example.net");
	EXPECT(ask_one((struct ask){ .rcpts = { r }, .sender = "" }), DLV_SENT, "2.0.0", "maildir");
	assert_int_equal(count_in("tito/Maildir/new", &text, NULL), 1);
	assert_ptr_equal(
		strstr(text, "Return-Path: <>\nX-Original-To: old@example.net\nDelivered-To: tito+news@example.com\n"),
		text);
	assert_non_null(strstr(q.log, "to=<tito+News@example.com>, orig_to=<old@example.net>, relay=local,"));
}

static void test_header_injection(void **state)
{
	const char *text = "";

	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") }, .sender = "a\nX-Evil: 1\r\n@b" }), DLV_SENT,
	       "2.0.0", "maildir");
	assert_int_equal(count_in("tito/Maildir/new", &text, NULL), 1);
	assert_null(strstr(text, "\nX-Evil"));
}

static void test_unknown(void **state)
{
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("nemo", "") } }), DLV_BOUNCED, "5.1.1",
	       "unknown user: \"nemo\"");
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("broken", "") } }), DLV_DEFERRED, "4.3.0", "lookup");
}

static void test_virtual(void **state)
{
	static const struct {
		const char *label, *path;
		uint64_t uid;
		uint64_t status;
		const char *dsn;
	} rows[] = {
		{ "good",               "example.org/ani/",            VMAIL, DLV_SENT,     "2.0.0" },
		{ "no slash: an mbox",  "ani.mbox",                    VMAIL, DLV_SENT,     "2.0.0" },
		{ "uid too small",      "x/",                          999,   DLV_DEFERRED, "4.3.5" },
		{ "root",               "x/",                          0,     DLV_DEFERRED, "4.3.5" },
		{ "uid too large",      "x/",                          1ull << 32, DLV_DEFERRED, "4.3.5" },
		{ "dots",               "../tito/x/",                  VMAIL, DLV_DEFERRED, "4.3.5" },
		{ "dots inside",        "a/../../x/",                  VMAIL, DLV_DEFERRED, "4.3.5" },
		{ "dots at the end",    "a/..",                        VMAIL, DLV_DEFERRED, "4.3.5" },
		{ "another's uid",      "example.org/ani/",            IQBAL, DLV_DEFERRED, "4.2.0" },
	};
	char path[300];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct heard *h;

		snprintf(path, sizeof(path), "%s/vmail/%s", root, rows[i].path);
		h = ask_one((struct ask){ .transport = "virtual",
					  .rcpts = { to_virtual("ani@example.org", path, rows[i].uid) } });
		if (h->status != rows[i].status || strcmp(h->dsn, rows[i].dsn) != 0)
			fail_msg("%s: status %d dsn %s text %s", rows[i].label, (int)h->status, h->dsn, h->text);
	}
	assert_int_equal(count_in("vmail/example.org/ani/new", NULL, NULL), 1);
	assert_non_null(strstr(q.log, "to=<ani@example.org>, relay=virtual,"));
	snprintf(path, sizeof(path), "%s/vmail/example.org/again/", root);
	EXPECT(ask_one((struct ask){ .transport = "virtual", .rcpts = { to_virtual("again@example.org", path, VMAIL) },
				     .body = "Delivered-To: again@example.org\n\nx\n" }), DLV_SENT, "2.0.0", "maildir");
	snprintf(path, sizeof(path), "%s/elsewhere/", root);
	EXPECT(ask_one((struct ask){ .transport = "virtual", .rcpts = { to_virtual("a@b", path, VMAIL) } }),
	       DLV_DEFERRED, "4.3.5", "");
	EXPECT(ask_one((struct ask){ .transport = "virtual", .rcpts = { to_virtual("a@b", "", VMAIL) } }), DLV_DEFERRED,
	       "4.3.5", "");
}

static void test_virtual_without_base(void **state)
{
	struct conf *old = q.d.conf;
	struct err err = ERR_INIT;
	char path[300];

	q.d.conf = new_conf("virtual_mailbox_base =");
	assert_int_equal(agent_ops.reload(&q.d, &err), 0);
	conf_fini(old);
	free(old);
	snprintf(path, sizeof(path), "%s/vmail/a/b/", root);
	for (int i = 0; i < 2; i++)
		EXPECT(ask_one((struct ask){ .transport = "virtual", .rcpts = { to_virtual("a@b", path, VMAIL) } }),
		       DLV_SENT,
		       "2.0.0", "maildir");
	assert_int_equal(count_in("vmail/a/b/new", NULL, NULL), 2);
	EXPECT(ask_one((struct ask){ .transport = "virtual", .rcpts = { to_virtual("a@b", "a/b/", VMAIL) } }),
	       DLV_DEFERRED, "4.3.5", "");
	snprintf(path, sizeof(path), "%s/vmail/../tito/x/", root);
	EXPECT(ask_one((struct ask){ .transport = "virtual", .rcpts = { to_virtual("a@b", path, TITO) } }),
	       DLV_DEFERRED, "4.3.5", "");
}

static void test_many_recipients_of_one_uid(void **state)
{
	struct ask a = { .transport = "virtual", .n = 50 };
	char path[50][300], address[50][60];
	size_t workers;

	for (int i = 0; i < 50; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/vmail/u%d/", root, i);
		snprintf(address[i], sizeof(address[i]), "u%d@example.org", i);
		a.rcpts[i] = to_virtual(address[i], path[i], VMAIL);
	}
	ask_one(a);
	workers = q.agent->pool.n_workers;
	assert_int_equal(workers, 1);
	for (size_t i = 0; i < 50; i++) {
		char rel[40];

		assert_int_equal(q.v[i].status, DLV_SENT);
		snprintf(rel, sizeof(rel), "vmail/u%zu/new", i);
		assert_int_equal(count_in(rel, NULL, NULL), 1);
	}
}

static void test_several_users(void **state)
{
	ask_one((struct ask){ .n = 3, .rcpts = { to_user("tito", ""), to_user("nemo", ""), to_user("iqbal", "") } });
	assert_int_equal(q.agent->pool.n_workers, 2);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(q.v[i].status, i == 1 ? DLV_BOUNCED : DLV_SENT);
	assert_int_equal(count_in("tito/Maildir/new", NULL, NULL), 1);
	assert_int_equal(count_in("iqbal/Maildir/new", NULL, NULL), 1);
	assert_int_equal(q.credits, AGENT_CREDITS + 1);
	assert_int_equal(q.agent->n_jobs, 0);
}

static void test_large_body(void **state)
{
	FILE *f = fopen(in_root("data/large"), "w+");
	const char *text = "";
	struct stat st;

	fputs("Subject: big\n\n", f);
	for (int i = 0; i < 100000; i++)
		fputs("0123456789\n", f);
	fflush(f);
	ask_one((struct ask){ .n = 2, .rcpts = { to_user("tito", ""), to_user("iqbal", "") }, .fd = fileno(f) });
	fclose(f);
	EXPECT(&q.v[0], DLV_SENT, "2.0.0", "maildir");
	EXPECT(&q.v[1], DLV_SENT, "2.0.0", "maildir");
	assert_int_equal(count_in("tito/Maildir/new", &text, &st), 1);
	assert_true(st.st_size > 1100014 && st.st_size < 1100200);
	assert_non_null(strstr(text, "Subject: big\n\n0123456789\n"));
}

static void test_loop(void **state)
{
	const char *body = "Received: x\nDELIVERED-TO:  Tito@Example.com \nSubject: x\n\nbody\n";

	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") }, .body = body }), DLV_BOUNCED, "5.4.6",
	       "mail forwarding loop");
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("iqbal", "") }, .body = body }), DLV_SENT, "2.0.0", "");
	body = "Subject: x\n\nDelivered-To: tito@example.com\n";
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") }, .body = body }), DLV_SENT, "2.0.0", "");
}

static void test_retry_finds_twin(void **state)
{
	uint64_t fresh = clock_wall_ms() + 100000, old = 1000000;

	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") }, .arrival_ms = fresh }), DLV_SENT, "2.0.0", "");
	next_qid--;
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") }, .arrival_ms = fresh, .attempts = 1 }), DLV_SENT,
	       "2.0.0", "");
	assert_int_equal(count_in("tito/Maildir/new", NULL, NULL), 1);
	/* Arrived before this qmgr: an earlier one may have lent it. The reader has moved it meanwhile. */
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("iqbal", "") }, .arrival_ms = old }), DLV_SENT, "2.0.0", "");
	assert_int_equal(rmdir(in_root("iqbal/Maildir/cur")), 0);
	assert_int_equal(rename(in_root("iqbal/Maildir/new"), in_root("iqbal/Maildir/cur")), 0);
	next_qid--;
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("iqbal", "") }, .arrival_ms = old }), DLV_SENT, "2.0.0", "");
	assert_int_equal(count_in("iqbal/Maildir/new", NULL, NULL), 0);
	assert_int_equal(count_in("iqbal/Maildir/cur", NULL, NULL), 1);
}

static void in_new(const char *rel, char name[NAME_MAX + 1])
{
	DIR *d = opendir(in_root(rel));
	struct dirent *e;

	assert_non_null(d);
	name[0] = '\0';
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			snprintf(name, NAME_MAX + 1, "%s", e->d_name);
	closedir(d);
}

/* Records left for the reader: how many, and the last one's subject and name. */
static unsigned notes_of(const char *maildir, char subject[100], char name[NAME_MAX + 1])
{
	int dir = open(in_root(maildir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct arena a = { 0 };
	struct span rest = SPAN_NULL, base, keys, body;
	struct mail_record r;
	unsigned n = 0;

	assert_true(dir >= 0);
	if (mail_inbox_take(dir, &a, &rest) == 1) {
		for (; mail_inbox_next(&rest, &base, &r, &keys, &body); n++) {
			snprintf(subject, 100, "%.*s", SPAN_ARG(r.keys.subject));
			snprintf(name, NAME_MAX + 1, "%.*s", SPAN_ARG(base));
		}
	}
	arena_fini(&a);
	close(dir);
	return n;
}

/* Only where an index is kept, only what the reader need not read again. */
static void test_notes(void **state)
{
	static const struct {
		const char *label, *body, *subject;
	} rows[] = {
		{ "plain", "Subject: one\n\nbody\n", "ONE" },
		{ "utf-8", "Subject: =?utf-8?q?=C3=9Cb?=\n\nbody\n", "U\xcc\x88" "B" },
		{ "a charset that needs a module", "Subject: =?koi8-r?q?=D0?=\n\nbody\n", NULL },
		{ "no header", "\nbody\n", "" },
	};
	char subject[100], name[NAME_MAX + 1], file[NAME_MAX + 1];

	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") } }), DLV_SENT, "2.0.0", "");
	assert_int_equal(notes_of("tito/Maildir", subject, name), 0);
	assert_int_equal(access(in_root("tito/Maildir/" INDEX_DIR), F_OK), -1);
	assert_int_equal(mkdir(in_root("tito/Maildir/" INDEX_DIR), 0700), 0);
	assert_int_equal(chown(in_root("tito/Maildir/" INDEX_DIR), TITO, TITO), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned n;
		char path[NAME_MAX + 20];

		in_new("tito/Maildir/new", file);
		snprintf(path, sizeof(path), "tito/Maildir/new/%s", file);
		assert_int_equal(unlink(in_root(path)), 0);
		EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") }, .body = rows[i].body }), DLV_SENT,
		       "2.0.0", "");
		turn_for(20);
		n = notes_of("tito/Maildir", subject, name);
		/* without Landlock in the kernel the module can be loaded */
		if (!rows[i].subject && n == 1 && !strstr(subject, "=?"))
			continue;
		if (n != (rows[i].subject ? 1 : 0) || (n && strcmp(subject, rows[i].subject) != 0))
			fail_msg("%s: %u notes, %s", rows[i].label, n, subject);
		in_new("tito/Maildir/new", file);
		if (n)
			assert_string_equal(name, file);
	}
}

/* Addresses that led here each have their line, newest on top; and who came back to oneself is not forwarded again. */
static void test_chain(void **state)
{
	struct dlv_rcpt r = to_user("tito", "");
	const char *text = "";

	put_file("tito/.forward", "a@b.org\n", TITO, 0644);
	r.is_final = 1;
	r.delivered_to = SPAN_LIT("first@x.org\nTito@example.com\nsecond@y.org");
	EXPECT(ask_one((struct ask){ .rcpts = { r } }), DLV_SENT, "2.0.0", "maildir");
	assert_int_equal(count_in("tito/Maildir/new", &text, NULL), 1);
	assert_non_null(strstr(
		text,
		"\nDelivered-To: tito@example.com\nDelivered-To: second@y.org\nDelivered-To: first@x.org\nFrom:"));
}

static long first_child(void);

/* Sixty of one user's addresses in each letter. */
static struct ask crowd(void)
{
	struct ask a = { .n = 60 };

	for (size_t i = 0; i < a.n; i++)
		a.rcpts[i] = to_user("tito", "");
	return a;
}

/* qmgr dies while more recipients are under way than a frame holds: its successor hears of each. */
static void test_hello_of_many(void **state)
{
	for (int i = 0; i < 25; i++) {
		ask_send(crowd());
		while (q.agent->last_id < (uint64_t)i + 1)
			loop_turn(&q.d.loop, true);
		if (i == 0)
			kill((pid_t)first_child(), SIGSTOP);      /* none is done before qmgr is gone */
	}
	ipc_close(&q.end);
	turn_for(20);
	q.n = 0;
	fake_attach();
	assert_int_equal(q.hellos, 2);
	assert_int_equal(q.running, 1500);
	kill((pid_t)first_child(), SIGCONT);
	wait_results(1500);
	for (size_t i = 0; i < 1500; i++)
		assert_int_equal(q.v[i].status, DLV_SENT);
}

/* A qmgr that is busy elsewhere hears of everything in the end: more than its channel holds. */
static void test_slow_qmgr(void **state)
{
	struct str list = STR_INIT(100000);
	int sv[2];

	for (int i = 0; i < 15; i++) {
		str_addf(&list, "a%d", i);
		for (int k = 0; k < 290; k++)
			str_addz(&list, "1234567890");
		str_addz(&list, "@example.org\n");
	}
	put_file("tito/.forward", list.p, TITO, 0644);
	str_fini(&list);
	ipc_close(&q.end);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv), 0);
	agent_ops.channel(&q.d, CHAN_DELIVER, false, SPAN_LIT("qmgr"), &sv[1]);
	ipc_init(&q.end, NULL, &fake_ops, NULL);
	ipc_attach(&q.end, &sv[0]);
	for (int i = 0; i < 3; i++) {
		struct err err = ERR_INIT;

		ask_send(crowd());
		assert_int_equal(ipc_flush(&q.end, &err), 0);
	}
	turn_for(3000);
	sv[0] = q.end.fd;
	q.end.fd = -1;
	ipc_close(&q.end);
	ipc_init(&q.end, &q.d.loop, &fake_ops, NULL);
	ipc_attach(&q.end, &sv[0]);
	wait_results(180);
	turn_for(20);
	assert_int_equal(q.n, 180);
	assert_int_equal(q.agent->n_jobs, 0);
	for (size_t i = 0; i < 180; i++)
		assert_int_equal(q.v[i].status, DLV_EXPANDED);
}

/* The process of virtual mailboxes has been taken over: it may lie about its letters, and start no program. */
static void test_captured_child(void **state)
{
	static const struct ipc_ops ops = { .name = "captured" };
	struct route_new news = { .address = SPAN_LIT("touch /tmp/surat-owned"), .kind = RCPT_COMMAND };
	struct child_result lie = { .id = 2, .status = DLV_EXPANDED, .news = { &news, 1 } };
	char path[300];
	struct ask a = { .transport = "virtual" };
	struct err err = ERR_INIT;
	struct ipc end;
	int pidfd, fd;

	snprintf(path, sizeof(path), "%s/vmail/ani/", root);
	a.rcpts[0] = to_virtual("ani@example.org", path, VMAIL);
	EXPECT(ask_one(a), DLV_SENT, "2.0.0", "");
	pidfd = (int)syscall(SYS_pidfd_open, (int)first_child(), 0);
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, 5, 0);
	assert_true(fd >= 0);
	kill((pid_t)first_child(), SIGSTOP);
	ask_send(a);
	while (q.agent->n_jobs == 0)
		loop_turn(&q.d.loop, true);
	ipc_init(&end, NULL, &ops, NULL);
	ipc_attach(&end, &fd);
	assert_int_equal(ipc_send(&end, &child_result_desc, &lie, NULL), 0);
	assert_int_equal(ipc_flush(&end, &err), 0);
	wait_results(2);
	EXPECT(&q.v[1], DLV_DEFERRED, "4.3.0", "may not");
	kill((pid_t)first_child(), SIGCONT);
	ipc_close(&end);
	close(pidfd);
}

/* A user stops the process that delivers for them: their letter is deferred, in five minutes. */
static void test_stopped_child(void **state)
{
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") } }), DLV_SENT, "2.0.0", "");
	kill((pid_t)first_child(), SIGSTOP);
	ask_send((struct ask){ .rcpts = { to_user("tito", "") } });
	turn_for(20);
	pool_tick(&q.agent->pool);
	turn_for(20);
	assert_int_equal(q.n, 1);
	clock_fake_ms(clock_mono_ms() + 301000);
	pool_tick(&q.agent->pool);
	clock_fake_ms(0);
	wait_results(2);
	EXPECT(&q.v[1], DLV_DEFERRED, "4.3.0", "hangs");
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") }, .attempts = 1 }), DLV_SENT, "2.0.0", "");
}

/* The word about a mailbox does not wait for a slow command. */
static void test_early_word(void **state)
{
	ask_send((struct ask){ .n = 2, .rcpts = { to_kind(RCPT_COMMAND, "iqbal", "sleep 2.5"), to_user("tito", "") } });
	wait_results(1);
	assert_int_equal(q.v[0].index, 1);
	assert_int_equal(q.agent->n_jobs, 1);
	wait_results(2);
	assert_int_equal(q.v[1].index, 0);
	turn_for(1200);
	assert_int_equal(q.n, 2);
	assert_int_equal(q.agent->n_jobs, 0);
}

static long first_child(void)
{
	char path[100];

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	return strtol(get_file(path), NULL, 10);
}

/* What the kernel says of the process that is tito: identity, sandbox, and no descriptor of anybody else. */
static void test_child_rights(void **state)
{
	char path[100];
	const char *text;
	struct dirent *e;
	long pid;
	DIR *d;

	ask_one((struct ask){ .rcpts = { to_user("tito", "") } });
	pid = first_child();
	assert_true(pid > 1);
	snprintf(path, sizeof(path), "/proc/%ld/status", pid);
	text = get_file(path);
	assert_non_null(text);
	assert_non_null(strstr(text, "Uid:\t30001\t30001\t30001\t30001\n"));
	assert_non_null(strstr(text, "Gid:\t30001\t30001\t30001\t30001\n"));
	assert_non_null(strstr(text, "Groups:\t30001 \n"));
	assert_non_null(strstr(text, "CapEff:\t0000000000000000\n"));
	assert_non_null(strstr(text, "SigBlk:\t0000000000000000\n"));
	assert_non_null(strstr(text, "NoNewPrivs:\t1\n"));
	assert_non_null(strstr(text, "Seccomp:\t2\n"));
	snprintf(path, sizeof(path), "/proc/%ld/fd", pid);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && strtol(e->d_name, NULL, 10) > 5)
			fail_msg("descriptor %s is open in the child", e->d_name);
	closedir(d);
}

static void test_child_dies(void **state)
{
	struct dlv_rcpt r = to_kind(RCPT_COMMAND, "tito", "kill -9 $PPID");

	EXPECT(ask_one((struct ask){ .rcpts = { r } }), DLV_DEFERRED, "4.3.0", "died");
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") } }), DLV_SENT, "2.0.0", "");
	turn_for(50);
	assert_non_null(strstr(q.log, "killed by signal 9"));
}

/* A stopped child is killed with letters in its hands: another one delivers them, each once. */
static void test_child_is_replaced(void **state)
{
	long pid;

	ask_one((struct ask){ .rcpts = { to_user("tito", "") } });
	pid = first_child();
	assert_true(pid > 1);
	kill((pid_t)pid, SIGSTOP);
	for (int i = 0; i < 5; i++)
		ask_send((struct ask){ .rcpts = { to_user("tito", "") } });
	turn_for(50);
	assert_int_equal(q.n, 1);
	kill((pid_t)pid, SIGKILL);
	wait_results(6);
	for (int i = 0; i < 6; i++)
		assert_int_equal(q.v[i].status, DLV_SENT);
	assert_int_equal(count_in("tito/Maildir/new", NULL, NULL), 6);
}

/* A letter under way when qmgr goes is listed for the next one, which also gets its result. */
static void test_qmgr_restarts(void **state)
{
	size_t n;

	ask_send((struct ask){ .n = 2, .rcpts = { to_kind(RCPT_COMMAND, "tito", "sleep 0.3"), to_user("iqbal", "") } });
	turn_for(50);
	ipc_close(&q.end);
	turn_for(20);
	n = q.n;
	fake_attach();
	assert_int_equal(q.hellos, 2);
	assert_int_equal(q.running, 2);
	wait_results(n + 2);
	assert_int_equal(q.v[n].status, DLV_SENT);
	assert_int_equal(q.v[n].job, 7);
	/* Finished while nobody listened: reported behind HELLO. */
	ask_send((struct ask){ .rcpts = { to_kind(RCPT_COMMAND, "tito", "sleep 0.1") } });
	turn_for(30);
	ipc_close(&q.end);
	turn_for(300);
	assert_int_equal(q.agent->n_jobs, 1);
	n = q.n;
	fake_attach();
	assert_int_equal(q.running, 1);
	wait_results(n + 1);
	assert_int_equal(q.agent->n_jobs, 0);
}

static void test_idle_children_leave(void **state)
{
	ask_one((struct ask){ .rcpts = { to_user("tito", "") } });
	assert_int_equal(q.agent->pool.n_workers, 1);
	clock_fake_ms(clock_mono_ms() + 11000);
	pool_tick(&q.agent->pool);
	clock_fake_ms(0);
	assert_int_equal(q.agent->pool.n_workers, 0);
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") } }), DLV_SENT, "2.0.0", "");
}

static void test_reload(void **state)
{
	struct conf *old = q.d.conf;
	struct err err = ERR_INIT;

	ask_one((struct ask){ .rcpts = { to_user("tito", "") } });
	q.d.conf = new_conf("home_mailbox = Post/");
	assert_int_equal(agent_ops.reload(&q.d, &err), 0);
	conf_fini(old);
	free(old);
	ask_one((struct ask){ .rcpts = { to_user("tito", "") } });
	assert_int_equal(count_in("tito/Maildir/new", NULL, NULL), 1);
	assert_int_equal(count_in("tito/Post/new", NULL, NULL), 1);
}

static int setup_limit(void **state)
{
	start_agent("local_process_limit = 1");
	return 0;
}

static void test_process_limit(void **state)
{
	ask_send((struct ask){
		.n = 3,
		.rcpts = { to_kind(RCPT_COMMAND, "tito", "sleep 0.1"), to_user("iqbal", ""), to_user("tito", "") } });
	ask_send((struct ask){ .rcpts = { to_user("iqbal", "") } });
	wait_results(4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(q.v[i].status, DLV_SENT);
	assert_int_equal(count_in("iqbal/Maildir/new", NULL, NULL), 2);
}

static int setup_share(void **state)
{
	start_agent("local_process_limit = 4");
	return 0;
}

/* One user's slow commands leave processes for others; they come to their turns all the same. */
static void test_commands_share(void **state)
{
	for (int i = 0; i < 6; i++)
		ask_send((struct ask){ .rcpts = { to_kind(RCPT_COMMAND, "tito", "sleep 0.5") } });
	ask_send((struct ask){ .rcpts = { to_user("iqbal", "") } });
	ask_send((struct ask){ .rcpts = { to_kind(RCPT_COMMAND, "iqbal", "true") } });
	wait_results(2);
	for (size_t i = 0; i < 2; i++)
		if (q.v[i].qid < next_qid - 2)
			fail_msg("the first answers are about letter %d", (int)(next_qid - q.v[i].qid));
	wait_results(8);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(q.v[i].status, DLV_SENT);
}

static int setup_quota(void **state)
{
	start_agent("mailbox_size_limit = 500\nvirtual_mailbox_limit = 400");
	return 0;
}

static void test_quota(void **state)
{
	struct dlv_rcpt r;

	for (int i = 0; i < 3; i++)
		EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") } }), DLV_SENT, "2.0.0", "");
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") } }), DLV_BOUNCED, "5.2.2", "full");
	assert_int_equal(count_in("tito/Maildir/new", NULL, NULL), 3);
	assert_non_null(strstr(get_file(in_root("tito/Maildir/maildirsize")), "500S\n"));
	r = to_virtual("a@example.org", in_root("vmail/a/"), VMAIL);
	r.quota = 100;
	EXPECT(ask_one((struct ask){ .transport = "virtual", .rcpts = { r } }), DLV_BOUNCED, "5.2.2", "full");
	r.quota = 0;
	EXPECT(ask_one((struct ask){ .transport = "virtual", .rcpts = { r } }), DLV_SENT, "2.0.0", "");
}

/* A full mailbox keeps nothing from those whom .forward names beside it, and is returned alone. */
static void test_full_beside_others(void **state)
{
	struct dlv_rcpt self = to_user("tito", "");

	put_file("tito/.forward", "\\tito, x@y.org\n", TITO, 0644);
	for (int i = 0; i < 3; i++)
		assert_string_equal(ask_one((struct ask){ .rcpts = { to_user("tito", "") } })->news, "0::x@y.org;");
	assert_string_equal(ask_one((struct ask){ .rcpts = { to_user("tito", "one") } })->news,
			    "0::x@y.org;0::tito+one@example.com;");
	self.is_final = 1;
	EXPECT(ask_one((struct ask){ .rcpts = { self } }), DLV_BOUNCED, "5.2.2", "full");
}

/* More full mailboxes in one go than a batch has room for. */
static void test_many_full(void **state)
{
	static char path[180][100], address[180][40];
	long pid;

	EXPECT(ask_one((struct ask){ .transport = "virtual", .rcpts = { to_virtual("x@y", in_root("vmail/x/"),
										   VMAIL) } }),
	       DLV_SENT, "2.0.0", "");
	pid = first_child();
	kill((pid_t)pid, SIGSTOP);
	for (int k = 0; k < 3; k++) {
		struct ask a = { .transport = "virtual", .n = 60 };

		for (int i = 0; i < 60; i++) {
			int u = k * 60 + i;

			snprintf(path[u], sizeof(path[u]), "%s/vmail/f%d/", root, u);
			snprintf(address[u], sizeof(address[u]), "f%d@example.org", u);
			a.rcpts[i] = to_virtual(address[u], path[u], VMAIL);
			a.rcpts[i].quota = 10;
		}
		ask_send(a);
	}
	turn_for(50);
	kill((pid_t)pid, SIGCONT);
	wait_results(181);
	for (size_t i = 1; i <= 180; i++)
		EXPECT(&q.v[i], DLV_BOUNCED, "5.2.2", "full");
}

static int setup_luser(void **state)
{
	start_agent("luser_relay = catch+$local@other.example");
	return 0;
}

static void test_luser_relay(void **state)
{
	const struct heard *h = ask_one((struct ask){ .rcpts = { to_user("nemo", "") } });

	EXPECT(h, DLV_EXPANDED, "2.0.0", "forwarded");
	assert_string_equal(h->news, "0::catch+nemo@other.example;");
	assert_non_null(strstr(q.log, "status=sent (forwarded as "));
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") } }), DLV_SENT, "2.0.0", "");
}

static int setup_spool(void **state)
{
	start_agent("");
	return 0;
}

static void test_mail_spool(void **state)
{
	struct err err = ERR_INIT;
	struct conf *old = q.d.conf;
	char more[200];
	const char *text = "";
	size_t at;

	make_dir("spool", 0);
	assert_int_equal(chmod(in_root("spool"), 01777), 0);
	snprintf(more, sizeof(more), "mail_spool_directory = %s/spool", root);
	q.d.conf = new_conf(more);
	assert_int_equal(agent_ops.reload(&q.d, &err), 0);
	conf_fini(old);
	free(old);
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") } }), DLV_SENT, "2.0.0", "delivered to mailbox");
	text = get_file(in_root("spool/tito"));
	assert_non_null(text);
	assert_ptr_equal(strstr(text, "From sender@example.org  "), text);
	assert_non_null(strstr(text, "\n>From here on\nbody\n\n"));
	put_file("tito/.forward", "\\tito, a@example.org", TITO, 0644);
	at = strlen(q.log);
	ask_one((struct ask){ .rcpts = { to_user("tito", "") } });
	assert_non_null(strstr(q.log + at, "status=sent (delivered to mailbox)"));
	assert_non_null(strstr(q.log + at, "status=sent (forwarded as "));
	put_file("tito/.forward", "iqbal@example.org, ~/copy\n", TITO, 0644);
	snprintf(more, sizeof(more), "0::iqbal@example.org;2:tito:%s/tito/copy;", root);
	assert_string_equal(ask_one((struct ask){ .rcpts = { to_user("tito", "") } })->news, more);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, stop_agent)
#define TS(f, s) cmocka_unit_test_setup_teardown(f, s, stop_agent)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_system_user),
		T(test_extension_and_orig),
		T(test_header_injection),
		T(test_unknown),
		T(test_virtual),
		T(test_virtual_without_base),
		T(test_many_recipients_of_one_uid),
		T(test_several_users),
		T(test_large_body),
		T(test_loop),
		T(test_retry_finds_twin),
		T(test_notes),
		T(test_chain),
		T(test_hello_of_many),
		T(test_slow_qmgr),
		T(test_captured_child),
		T(test_stopped_child),
		T(test_early_word),
		T(test_child_rights),
		T(test_child_dies),
		T(test_child_is_replaced),
		T(test_qmgr_restarts),
		T(test_idle_children_leave),
		T(test_reload),
		TS(test_process_limit, setup_limit),
		TS(test_commands_share, setup_share),
		TS(test_quota, setup_quota),
		TS(test_full_beside_others, setup_quota),
		TS(test_many_full, setup_quota),
		TS(test_luser_relay, setup_luser),
		TS(test_mail_spool, setup_spool),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root: children become users\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
