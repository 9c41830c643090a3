/* Commands: environment, injection, exit codes, limits. */
#include "tests/unit/local/fake_qmgr.h"

#include "local/command.h"

static int setup(void **state)
{
	start_agent("command_time_limit = 1s\nexport_environment = LANG=C.x TZ SECRET");
	setenv("SECRET", "out", 1);
	setenv("LD_PRELOAD_X", "no", 1);
	return 0;
}

static const struct heard *run(const char *user, const char *command)
{
	return ask_one((struct ask){ .rcpts = { to_kind(RCPT_COMMAND, user, command) } });
}

static void test_runs_as_user(void **state)
{
	const char *text;

	EXPECT(run("tito", "id -u > $HOME/id; id -g >> $HOME/id; pwd >> $HOME/id; grep -E 'NoNewPrivs|Seccomp:' "
			   "/proc/self/status >> $HOME/id"),
	       DLV_SENT, "2.0.0", "delivered to command: id -u");
	text = get_file(in_root("tito/id"));
	assert_non_null(text);
	assert_ptr_equal(strstr(text, "30001\n30001\n"), text);
	assert_non_null(strstr(text, "/tito\n"));
	assert_non_null(strstr(text, "NoNewPrivs:\t0"));
	/* root's commands are nobody's. */
	EXPECT(run("root", "exit $(id -u | grep -qx 65534; expr $? + 65)"), DLV_BOUNCED, "5.6.0", "data format");
	EXPECT(run("", "exit $(id -u | grep -qx 65534; expr $? + 65)"), DLV_BOUNCED, "5.6.0", "data format");
	EXPECT(run("stranger", "/bin/true"), DLV_DEFERRED, "4.3.5", "configuration");
}

/* As in Postfix the name is that of the alias, and its extension is told. */
static void test_alias_environment(void **state)
{
	struct ask a = { .rcpts = { to_kind(RCPT_COMMAND, "", "echo $USER $LOGNAME $LOCAL $EXTENSION; exit 69") } };

	a.rcpts[0].orig = SPAN_LIT("List+a+b@example.com");
	EXPECT(ask_one(a), DLV_BOUNCED, "5.3.0", "Command output: list list list+a+b a+b");
	a.rcpts[0].holder = SPAN_LIT("robot+c@example.com");
	EXPECT(ask_one(a), DLV_BOUNCED, "5.3.0", "Command output: robot robot robot+c c");
	a.rcpts[0] = to_kind(RCPT_COMMAND, "tito", "echo $USER $RECIPIENT $ORIGINAL_RECIPIENT $EXTENSION; exit 69");
	a.rcpts[0].holder = SPAN_LIT("tito+d@example.com");
	EXPECT(ask_one(a), DLV_BOUNCED, "5.3.0", "Command output: tito tito+d@example.com List@example.com d");
	assert_non_null(strstr(q.log, "to=<tito+d@example.com>, orig_to=<List@example.com>, relay=local,"));
}

/* The shell runs a script that does not say what runs it. */
static void test_bare_script(void **state)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/tito/script", root);
	put_file("tito/script", "exit 67\n", TITO, 0700);
	EXPECT(run("tito", path), DLV_BOUNCED, "5.1.1", "user unknown");
	assert_int_equal(chmod(path, 0600), 0);
	EXPECT(run("tito", path), DLV_DEFERRED, "4.3.0", "Permission denied");
}

static void test_gets_the_letter(void **state)
{
	const char *text;

	EXPECT(run("tito", "cat > $HOME/got"), DLV_SENT, "2.0.0", "");
	text = get_file(in_root("tito/got"));
	assert_non_null(text);
	assert_ptr_equal(strstr(text, "From sender@example.org  "), text);
	assert_non_null(strstr(text, "\nReturn-Path: <sender@example.org>\nX-Original-To: List@example.com\n"
				     "Delivered-To: list@example.com\n" LETTER));
}

static void test_environment(void **state)
{
	const char *text;

	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_COMMAND, "tito", "env > $HOME/env") },
				     .sender = "$(id)`id`;|&<>'\"\\@x" }), DLV_SENT, "2.0.0", "");
	text = get_file(in_root("tito/env"));
	assert_non_null(text);
	assert_non_null(strstr(text, "USER=tito\n"));
	assert_non_null(strstr(text, "LOGNAME=tito\n"));
	assert_non_null(strstr(text, "SHELL=/bin/sh\n"));
	assert_non_null(strstr(text, "RECIPIENT=list@example.com\n"));
	assert_non_null(strstr(text, "LOCAL=list\n"));
	assert_non_null(strstr(text, "DOMAIN=example.com\n"));
	assert_non_null(strstr(text, "EXTENSION=\n"));
	assert_non_null(strstr(text, "LANG=C.x\n"));
	assert_non_null(strstr(text, "SECRET=out\n"));
	assert_non_null(strstr(text, "SENDER=__id__id_________@x\n"));
	assert_null(strstr(text, "LD_PRELOAD_X"));
}

/* A hostile sender reaches a command as one harmless word, in an argument and through eval alike. */
static void test_injection(void **state)
{
	static const char *const senders[] = {
		"$(touch /tmp/surat-owned)@x", "`touch /tmp/surat-owned`@x", "a;touch /tmp/surat-owned@x",
		"a\ntouch /tmp/surat-owned@x", "|touch /tmp/surat-owned@x",  "\"; touch /tmp/surat-owned; \"@x",
		"-oQ/tmp/surat-owned@x",
	};

	put_file("tito/argc", "#!/bin/sh\ncat >/dev/null\nexit $(expr $# + 63)\n", TITO, 0755);
	unlink("/tmp/surat-owned");
	for (size_t i = 0; i < ARRAY_LEN(senders); i++) {
		const struct heard *h = ask_one((struct ask){
			.rcpts = { to_kind(RCPT_COMMAND, "tito", "$HOME/argc \"$SENDER\"") }, .sender = senders[i] });

		EXPECT(h, DLV_BOUNCED, "5.3.0", "command line usage error");
		ask_one((struct ask){ .rcpts = { to_kind(RCPT_COMMAND, "tito", "eval echo $SENDER") },
				      .sender = senders[i] });
		if (access("/tmp/surat-owned", F_OK) == 0)
			fail_msg("sender %s was executed", senders[i]);
	}
}

static void test_exit_codes(void **state)
{
	static const struct {
		const char *command;
		uint64_t status;
		const char *dsn, *text;
	} rows[] = {
		{ "/bin/true",                     DLV_SENT,     "2.0.0", "delivered to command: /bin/true" },
		{ "exit 64",                       DLV_BOUNCED,  "5.3.0", "command line usage error" },
		{ "exit 65",                       DLV_BOUNCED,  "5.6.0", "data format error" },
		{ "exit 67",                       DLV_BOUNCED,  "5.1.1", "user unknown" },
		{ "exit 71",                       DLV_DEFERRED, "4.3.0", "system resource problem" },
		{ "exit 73",                       DLV_BOUNCED,  "5.2.0", "can't create user output file" },
		{ "exit 75",                       DLV_DEFERRED, "4.3.0", "temporary failure" },
		{ "exit 77",                       DLV_BOUNCED,  "5.7.0", "permission denied" },
		{ "exit 78",                       DLV_BOUNCED,  "5.3.5", "local configuration error" },
		{ "exit 1",                        DLV_BOUNCED,  "5.3.0", "Command died with status 1: \"exit 1\"" },
		{ "echo out; echo err >&2; exit 69", DLV_BOUNCED, "5.3.0",
		  "service unavailable. Command output: out err" },
		{ "kill -15 $$",                   DLV_DEFERRED, "4.3.0", "Command died with signal 15" },
		{ "sleep 20",                      DLV_DEFERRED, "4.3.0", "Command time limit exceeded" },
		{ "/no/such/program x",            DLV_DEFERRED, "4.3.0",
		  "temporary failure. Command output: cannot run /no/such/program: No such file or directory" },
		{ "no-such-program-here",          DLV_BOUNCED,  "5.3.0", "status 127" },
		{ "cat > /dev/null; (sleep 20 &) ; exit 0", DLV_SENT, "2.0.0", "" },
		{ "head -c 100000 /dev/zero | tr '\\0' x", DLV_SENT, "2.0.0", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct heard *h = run("tito", rows[i].command);

		if (h->status != rows[i].status || strcmp(h->dsn, rows[i].dsn) != 0 || !strstr(h->text, rows[i].text))
			fail_msg("%s: status %d, dsn %s, text %s", rows[i].command, (int)h->status, h->dsn, h->text);
	}
	assert_int_equal(q.agent->pool.n_workers, 0);
}

/* More than a pipe holds: read by some, refused by others. */
/* A program that somebody is just writing will be there later. */
static void test_busy_program(void **state)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/tito/program", root);
	put_file("tito/program", "#!/bin/sh\nexit 0\n", TITO, 0700);
	fd = open(path, O_WRONLY);
	EXPECT(run("tito", path), DLV_DEFERRED, "4.3.0", "temporary failure");
	close(fd);
	EXPECT(run("tito", path), DLV_SENT, "2.0.0", "");
}

static void test_large_input(void **state)
{
	FILE *f = fopen(in_root("data/large"), "w+");
	const char *text;

	for (int i = 0; i < 100000; i++)
		fputs("0123456789\n", f);
	fflush(f);
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_COMMAND, "tito", "wc -l > $HOME/lines") },
				     .fd = fileno(f) }),
	       DLV_SENT, "2.0.0", "");
	text = get_file(in_root("tito/lines"));
	assert_string_equal(text, "100004\n");
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_COMMAND, "tito", "head -1 > $HOME/lines") },
				     .fd = fileno(f) }),
	       DLV_SENT, "2.0.0", "");
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_COMMAND, "tito", "/bin/true") }, .fd = fileno(f) }),
	       DLV_SENT, "2.0.0", "");
	fclose(f);
}

static void test_loop(void **state)
{
	EXPECT(ask_one((struct ask){ .rcpts = { to_kind(RCPT_COMMAND, "tito", "/bin/true") },
				     .body = "Delivered-To: list@example.com\n\nx\n" }), DLV_BOUNCED, "5.4.6", "loop");
}

static void test_argv(void **state)
{
	static const struct {
		const char *text;
		bool shell;
		const char *argv1;
	} rows[] = {
		{ "/usr/bin/vacation tito", false, "tito" },
		{ "/bin/x  a\tb",           false, "a" },
		{ "/bin/x > y",             true,  "-c" },
		{ "/bin/x $USER",           true,  "-c" },
		{ "x y",                    true,  "-c" },
		{ "IFS=' ' && exec x",      true,  "-c" },
		{ "/bin/x 'a b'",           true,  "-c" },
		{ "",                       true,  "-c" },
	};
	struct settings *s = q.agent->settings;
	struct arena a = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char **argv = command_argv(s, span_z(rows[i].text), &a);
		bool shell = strcmp(argv[0], "/bin/sh") == 0;

		if (shell != rows[i].shell || strcmp(argv[1], rows[i].argv1) != 0)
			fail_msg("%s: shell %d argv[1] %s", rows[i].text, shell, argv[1]);
	}
	arena_fini(&a);
}

static int setup_mailbox_command(void **state)
{
	start_agent("mailbox_command = cat > $HOME/box-$EXTENSION");
	return 0;
}

static void test_mailbox_command(void **state)
{
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "one") } }), DLV_SENT, "2.0.0",
	       "delivered to command: cat");
	put_file("tito/.forward", "\\tito, x@y.org\n", TITO, 0644);
	assert_string_equal(ask_one((struct ask){ .rcpts = { to_user("tito", "two") } })->news, "0::x@y.org;");
	assert_non_null(get_file(in_root("tito/box-two")));
	assert_int_equal(count_in("tito/Maildir/new", NULL, NULL), 0);
	put_file("tito/box-no", "", 0, 0600);
	assert_string_equal(ask_one((struct ask){ .rcpts = { to_user("tito", "no") } })->news,
			    "0::x@y.org;0::tito+no@example.com;");
	EXPECT(ask_one((struct ask){ .transport = "virtual",
				     .rcpts = { to_virtual("v@x", in_root("vmail/v/"), VMAIL) } }),
	       DLV_SENT, "2.0.0", "maildir");
}

static int setup_maps(void **state)
{
	start_agent(
		"mailbox_command_maps = inline:{tito=/bin/false}\nmailbox_transport_maps = inline:{iqbal=lmtp:unix:x}\n"
		"fallback_transport_maps = inline:{nemo=smtp:elsewhere}");
	return 0;
}

static void test_maps(void **state)
{
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") } }), DLV_BOUNCED, "5.3.0",
	       "Command died with status 1: \"/bin/false\"");
	assert_string_equal(ask_one((struct ask){ .rcpts = { to_user("iqbal", "x") } })->news,
			    "0::iqbal+x@example.com via lmtp:unix:x;");
	assert_string_equal(ask_one((struct ask){ .rcpts = { to_user("nemo", "") } })->news,
			    "0::nemo@example.com via smtp:elsewhere;");
	assert_non_null(strstr(q.log, "status=sent (passed to smtp:elsewhere)"));
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("outis", "") } }), DLV_BOUNCED, "5.1.1", "unknown user");
	EXPECT(ask_one((struct ask){ .rcpts = { to_user("root", "") } }), DLV_SENT, "2.0.0", "maildir");
}

static int setup_transport(void **state)
{
	start_agent("mailbox_transport = lmtp:unix:private/lmtp\nmailbox_command = exit 1\nluser_relay = tito");
	return 0;
}

/* .forward goes before mailbox_transport, and that before mailbox_command; whom it has passed on it does not pass
 * again. */
static void test_mailbox_transport(void **state)
{
	struct dlv_rcpt told, passed, gone;

	EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") } }), DLV_EXPANDED, "2.0.0",
	       "passed to lmtp:unix:private/lmtp");
	assert_string_equal(ask_one((struct ask){ .rcpts = { to_user("nemo", "") } })->news,
			    "0::nemo@example.com via lmtp:unix:private/lmtp;");
	put_file("tito/.forward", "\\tito, x@y.org\n", TITO, 0644);
	assert_string_equal(ask_one((struct ask){ .rcpts = { to_user("tito", "two") } })->news,
			    "0::x@y.org;0::tito+two@example.com via lmtp:unix:private/lmtp;");
	put_file("tito/.forward", "x@y.org\n", TITO, 0644);
	assert_string_equal(ask_one((struct ask){ .rcpts = { to_user("tito", "") } })->news, "0::x@y.org;");
	told = to_user("tito", "");
	told.is_final = 1;
	assert_string_equal(ask_one((struct ask){ .rcpts = { told } })->news,
			    "0::tito@example.com via lmtp:unix:private/lmtp;");
	passed = to_user("iqbal", "");
	gone = to_user("nemo", "");
	passed.is_final = gone.is_final = passed.is_passed = gone.is_passed = 1;
	EXPECT(ask_one((struct ask){ .rcpts = { passed } }), DLV_BOUNCED, "5.3.0", "Command died");
	assert_string_equal(ask_one((struct ask){ .rcpts = { gone } })->news, "0::tito;");
	EXPECT(ask_one((struct ask){ .transport = "virtual",
				     .rcpts = { to_virtual("v@x", in_root("vmail/v/"), VMAIL) } }),
	       DLV_SENT, "2.0.0", "maildir");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, stop_agent)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_runs_as_user),
		T(test_gets_the_letter),
		T(test_alias_environment),
		T(test_bare_script),
		T(test_environment),
		T(test_injection),
		T(test_exit_codes),
		T(test_busy_program),
		T(test_large_input),
		T(test_loop),
		T(test_argv),
		cmocka_unit_test_setup_teardown(test_maps, setup_maps, stop_agent),
		cmocka_unit_test_setup_teardown(test_mailbox_transport, setup_transport, stop_agent),
		cmocka_unit_test_setup_teardown(test_mailbox_command, setup_mailbox_command, stop_agent),
	};

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root: children become users\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
