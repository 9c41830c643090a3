/* Each row changes one parameter of local: what it wants is seen with the setting, and not without. */
#include "tests/unit/local/fake_qmgr.h"

#define TELL "cat > /dev/null; echo "

enum to { USER, NOBODY, COMMAND, NAMED, FILE_, INCLUDE, VIRTUAL };

static const struct row {
	const char *setting, *common;
	enum to to;
	const char *what;               /* extension, command, path below the root */
	const char *forward;            /* of tito, or the :include: file, or NULL */
	const char *want;
	const char *body;               /* NULL: the usual letter */
} rows[] = {
	{ "home_mailbox = Mail/", "", USER, "", NULL, "tito/Mail/new: Return-Path" },
	{ "home_mailbox = box", "", USER, "", NULL, "delivered to mailbox" },
	{ "mail_spool_directory = %s/vmail", "", USER, "", NULL, "cannot" },
	{ "mailbox_command = " TELL "$USER; exit 69", "", USER, "", NULL, "Command output: tito" },
	{ "mailbox_command_maps = inline:{ {tito = " TELL "mapped; exit 69} }", "", USER, "", NULL, "Command output: mapped" },
	{ "mailbox_transport = lmtp:x", "", USER, "", NULL, "0::tito@example.com via lmtp:x;" },
	{ "mailbox_transport_maps = inline:{tito=lmtp:y}", "mailbox_transport = lmtp:x\n", USER, "", NULL, "via lmtp:y;" },
	{ "fallback_transport = lmtp:x", "", NOBODY, "", NULL, "0::nemo@example.com via lmtp:x;" },
	{ "fallback_transport_maps = inline:{nemo=lmtp:y}", "fallback_transport = lmtp:x\n", NOBODY, "", NULL, "via lmtp:y;" },
	{ "luser_relay = $user-lost@b.org", "", NOBODY, "", NULL, "0::nemo-lost@b.org;" },
	{ "luser_relay = lost${extension?+$extension}$home@$domain", "", NOBODY, "", NULL, "0::lost@example.com;" },
	{ "luser_relay = lost${recipient_delimiter}$extension@b.org", "", NOBODY, "x", NULL, "0::lost+x@b.org;" },
	{ "require_home_directory = yes", "mailbox_transport =\n", NAMED, "ghost", NULL, "home directory is not there" },
	{ "forward_path = $home/.other, $home/.forward", "", USER, "", "a@b.org\n", "0::other@b.org;" },
	{ "recipient_delimiter =", "", USER, "list", "a@b.org\n", "0::a@b.org;" },
	{ "propagate_unmatched_extensions = forward", "", USER, "news", "a@b.org\n", "0::a+news@b.org;" },
	{ "allow_mail_to_commands =", "", USER, "", "\"|/bin/x\"\n", "5.7.1 mail to command is restricted" },
	{ "allow_mail_to_files = alias", "", USER, "", "/var/x\n", "5.7.1 mail to file is restricted" },
	{ "allow_mail_to_commands = include", "", INCLUDE, "", "\"|/bin/x\"\n", "1:tito:/bin/x;" },
	{ "allow_mail_to_files = include", "", INCLUDE, "", "/var/x\n", "2:tito:/var/x;" },
	{ "mailbox_size_limit = 10", "", USER, "", NULL, "5.2.2" },
	{ "virtual_mailbox_limit = 10", "", VIRTUAL, "", NULL, "5.2.2" },
	{ "quota_storage = 10", "", VIRTUAL, "", NULL, "5.2.2" },
	{ "quota_storage = 10", "", USER, "", NULL, "5.2.2" },
	{ "quota_messages = 1", "", USER, "twice", NULL, "5.2.2" },
	{ "virtual_minimum_uid = 30006", "", VIRTUAL, "", NULL, "4.3.5" },
	/* ---- commands ---- */
	{ "default_privs = iqbal", "", COMMAND, TELL "uid $(id -u); exit 69", NULL, "Command output: uid 30002" },
	{ "command_time_limit = 1s", "", COMMAND, "cat >/dev/null; sleep 2; exit 69", NULL, "Command time limit exceeded" },
	{ "command_execution_directory = %s/iqbal", "", NAMED, TELL "in $(basename $PWD); exit 69", NULL,
	  "Command output: in iqbal" },
	{ "command_execution_directory = $home/../iqbal", "", NAMED, TELL "in $(basename $(pwd -P)); exit 69", NULL,
	  "Command output: in iqbal" },
	{ "command_execution_directory = /nowhere", "", NAMED, TELL "x", NULL,
	  "4.2.0 cannot change to the directory /nowhere (command_execution_directory)" },
	{ "command_expansion_filter = abcdefghijklmnopqrstuvwxyz", "", NAMED, TELL "$RECIPIENT; exit 69", NULL,
	  "Command output: list_example_com" },
	{ "export_environment = LANG=C.y", "", NAMED, TELL "$LANG; exit 69", NULL, "Command output: C.y" },
	{ "local_command_shell = /bin/echo smrsh", "", NAMED, "/bin/false a b", NULL, "2.0.0 delivered to command" },
	{ "prepend_delivered_header = file, forward", "", NAMED, "grep -q ^Delivered-To: || exit 69", NULL, "service unavailable" },
	/* ---- files ---- */
	{ "prepend_delivered_header = command, forward", "", FILE_, "tito/box", NULL, "X-Original-To: List@example.com\nFrom:" },
	{ "strict_mailbox_ownership = no", "", FILE_, "tito/shared", NULL, "2.0.0 delivered to file" },
};

static void put_summary(char *out, size_t n, const struct heard *h)
{
	static const char *const boxes[] = { "tito/Maildir/new", "tito/Mail/new", "vmail/v/new" };
	const char *text = get_file(in_root("tito/box"));
	size_t i, at;

	at = (size_t)snprintf(out, n, "%s %s\n%s\n%s\n", h->dsn, h->text, h->news, text ? text : "");
	for (i = 0; i < ARRAY_LEN(boxes) && at < n; i++) {
		text = NULL;
		if (count_in(boxes[i], &text, NULL) > 0)
			at += (size_t)snprintf(out + at, n - at, "%s: %s\n", boxes[i], text);
	}
}

static struct ask ask_of(const struct row *r)
{
	static char path[200];
	struct ask a = { .body = r->body };

	snprintf(path, sizeof(path), "%s/%s", root, r->to == VIRTUAL ? "vmail/v/" : r->to == INCLUDE ? "tito/.forward" : r->what);
	switch (r->to) {
	case USER:
		a.rcpts[0] = to_user("tito", strcmp(r->what, "twice") == 0 ? "" : r->what);
		break;
	case NOBODY:
		a.rcpts[0] = to_user("nemo", r->what);
		break;
	case COMMAND:
		a.rcpts[0] = to_kind(RCPT_COMMAND, "", r->what);
		break;
	case NAMED:
		a.rcpts[0] = strcmp(r->what, "ghost") == 0 ? to_user("ghost", "") : to_kind(RCPT_COMMAND, "tito", r->what);
		break;
	case FILE_:
		a.rcpts[0] = to_kind(RCPT_FILE, "tito", path);
		break;
	case INCLUDE:
		a.rcpts[0] = to_kind(RCPT_INCLUDE, "tito", path);
		break;
	case VIRTUAL:
		a.transport = "virtual";
		a.rcpts[0] = to_virtual("v@box.example", path, VMAIL);
		break;
	}
	return a;
}

static void summary(const struct row *r, const char *setting, char *out, size_t n)
{
	char filled[500], conf[1000];
	struct err err = ERR_INIT;
	const struct heard *h;
	struct conf *old;

	start_agent("");
	put_file("tito/.other", "other@b.org\n", TITO, 0644);
	put_file("tito/.forward+list", "list@b.org\n", TITO, 0644);
	put_file("tito/shared", "", IQBAL, 0666);
	if (r->forward)
		put_file("tito/.forward", r->forward, TITO, 0644);
	if (strstr(setting, "%s"))
		snprintf(filled, sizeof(filled), "%.*s%s%s", (int)(strstr(setting, "%s") - setting), setting, root,
			 strstr(setting, "%s") + 2);
	else
		snprintf(filled, sizeof(filled), "%s", setting);
	snprintf(conf, sizeof(conf), "%s%s\n", r->common, filled);
	old = q.d.conf;
	q.d.conf = new_conf(conf);
	assert_int_equal(agent_ops.reload(&q.d, &err), 0);
	conf_fini(old);
	free(old);
	h = ask_one(ask_of(r));
	if (strcmp(r->what, "twice") == 0)
		h = ask_one(ask_of(r));
	put_summary(out, n, h);
	stop_agent(NULL);
}

static void test_each(void **state)
{
	static char before[100000], with[100000];
	unsigned wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		summary(&rows[i], "", before, sizeof(before));
		summary(&rows[i], rows[i].setting, with, sizeof(with));
		if (strstr(with, rows[i].want) && !strstr(before, rows[i].want))
			continue;
		print_error("%s\n  want: %s\n  before: %s\n  with: %s\n", rows[i].setting, rows[i].want, before, with);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

/* local_idle_time: the process of a user waits, or does not. */
static void test_idle_time(void **state)
{
	static const struct { const char *conf; unsigned left; } cases[] = { { "local_idle_time = 0s", 0 }, { "", 1 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		start_agent(cases[i].conf);
		EXPECT(ask_one((struct ask){ .rcpts = { to_user("tito", "") } }), DLV_SENT, "2.0.0", "");
		turn_for(1200);
		assert_int_equal(q.agent->pool.n_workers, cases[i].left);
		stop_agent(NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_each), cmocka_unit_test(test_idle_time) };

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root: children become users\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
