/* surat index: fills, agrees, finds what differs, and works as the user. */
#include "../conf/cm.h"

#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/err.h"
#include "store/index.h"
#include "tools/commands.h"

#define UID 65534

static char root[64], out[65536], errors[4096];

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static const char *at(const char *rel)
{
	static char path[2][256];
	static unsigned turn;
	char *p = path[turn++ % 2];

	snprintf(p, sizeof(path[0]), "%s/%s", root, rel);
	return p;
}

static void put(const char *rel, const char *text)
{
	FILE *f = fopen(at(rel), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	if (geteuid() == 0)
		assert_int_equal(chown(at(rel), UID, UID), 0);
}

static void dir(const char *rel)
{
	assert_int_equal(mkdir(at(rel), 0700), 0);
	if (geteuid() == 0)
		assert_int_equal(chown(at(rel), UID, UID), 0);
}

static int setup(void **state)
{
	static const char *const dirs[] = { "box", "box/cur", "box/new", "box/tmp", "box/.Sent", "box/.Sent/cur",
					    "box/.Sent/new",
		"box/.Sent/tmp" };
	struct tool t = { .config_dir = root, .out = stderr, .err = stderr };
	char text[800], location[100];
	char *add[] = { (char *)"user", (char *)"add", (char *)"ani@example.com", (char *)"--password",
			(char *)"x-x-x-x-1",
		(char *)"--mail", location, NULL };
	unsigned uid = geteuid() == 0 ? UID : geteuid(), gid = geteuid() == 0 ? UID : getegid();

	snprintf(root, sizeof(root), "/tmp/index-tool-XXXXXX");
	assert_non_null(mkdtemp(root));
	assert_int_equal(chmod(root, 0755), 0);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		dir(dirs[i]);
	snprintf(text, sizeof(text), "data_directory = %s\nrun_directory = %s\nvirtual_mailbox_domains = example.com\n"
		 "myhostname = host.test\nvirtual_mailbox_base = %s/vhosts\nmail_uid = %u\nmail_gid = %u\n", root, root,
		 root, uid, gid);
	put("main.cf", text);
	snprintf(location, sizeof(location), "maildir:%s/box", root);
	t.out = fopen("/dev/null", "w");
	assert_int_equal(cmd_user(&t, 7, add), TOOL_OK);
	fclose(t.out);
	put("box/cur/1700000001.M1P1Q1.host,S=31:2,S", "Subject: one\nFrom: a@b\n\nbody\n\n");
	put("box/cur/1700000002.M1P1Q2.host:2,", "Subject: two\n\nbody\n");
	put("box/new/1700000003.M1P1Q3.host", "Subject: three\n\nbody\n");
	put("box/.Sent/cur/1700000004.M1P1Q4.host:2,FS", "Subject: four\n\nbody\n");
	return 0;
}

static int teardown(void **state)
{
	nftw(root, rm_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static void slurp(const char *rel, char *to, size_t n)
{
	FILE *f = fopen(at(rel), "r");

	assert_non_null(f);
	to[fread(to, 1, n - 1, f)] = '\0';
	fclose(f);
}

/* In a process of its own, which becomes the user. */
static int run(const char *a, const char *b, const char *c)
{
	char *argv[] = { (char *)"index", (char *)(uintptr_t)a, (char *)(uintptr_t)b, (char *)(uintptr_t)c, NULL };
	int argc = 1, status;
	pid_t pid;

	while (argv[argc])
		argc++;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		struct tool t = { .config_dir = root, .out = fopen(at("out"), "w"), .err = fopen(at("err"), "w") };

		status = cmd_index(&t, argc, argv);
		fclose(t.out);
		fclose(t.err);
		_exit(geteuid() == 0 && status == TOOL_OK ? 99 : status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	slurp("out", out, sizeof(out));
	slurp("err", errors, sizeof(errors));
	return WEXITSTATUS(status);
}

static void expect(const char *a, const char *b, const char *c, int status, const char *text)
{
	int got = run(a, b, c);

	if (got != status || !strstr(status == TOOL_FAILED && errors[0] ? errors : out, text))
		fail_msg("%s %s: status %d, %s%s", b ? b : a, c ? c : "", got, out, errors);
}

/* A change behind everybody's back. */
static void tamper(void (*fn)(struct index_txn *t, struct index_folder *f, struct err *err))
{
	struct index_options opt = { .instance = 1 };
	struct err err = ERR_INIT;
	struct index_folder f;
	struct index_txn t;
	struct index *x;

	opt.dir = open(at("box"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(opt.dir >= 0);
	assert_int_equal(index_open(&x, &opt, &err), 0);
	assert_false(index_is_memory(x));
	assert_int_equal(index_begin(x, true, &t, &err), 0);
	assert_int_equal(index_folder_get(&t, SPAN_LIT(""), &f, &err), 1);
	fn(&t, &f, &err);
	assert_int_equal(index_commit(&t, &err), 0);
	index_close(&x);
	close(opt.dir);
}

static void nothing(struct index_txn *t, struct index_folder *f, struct err *err) { }

static void wrong_flags(struct index_txn *t, struct index_folder *f, struct err *err)
{
	struct index_msg m;

	assert_int_equal(index_msg_get(t, f->id, 1, &m, err), 1);
	m.flags ^= INDEX_DRAFT;
	assert_int_equal(index_msg_put(t, f->id, &m, err), 0);
}

static void wrong_size(struct index_txn *t, struct index_folder *f, struct err *err)
{
	struct index_msg m;

	assert_int_equal(index_msg_get(t, f->id, 1, &m, err), 1);
	m.size = 5;
	assert_int_equal(index_msg_put(t, f->id, &m, err), 0);
}

static void wrong_record(struct index_txn *t, struct index_folder *f, struct err *err)
{
	struct span v;
	char copy[500];

	assert_int_equal(index_part_get(t, f->id, 2, INDEX_KEYS, &v, err), 1);
	assert_true(v.n < sizeof(copy));
	memcpy(copy, v.p, v.n);
	assert_int_equal(index_part_put(t, f->id, 1, INDEX_KEYS, (struct span){ copy, v.n }, err), 0);
}

static void lost_message(struct index_txn *t, struct index_folder *f, struct err *err)
{
	assert_int_equal(index_msg_del(t, f->id, 2, err), 1);
}

static void wrong_number(struct index_txn *t, struct index_folder *f, struct err *err)
{
	f->n_unseen += 3;
	assert_int_equal(index_folder_put(t, SPAN_LIT(""), f, err), 0);
}

static void wrong_uid(struct index_txn *t, struct index_folder *f, struct err *err)
{
	struct index_msg m;
	struct span v;
	char name[256];

	assert_int_equal(index_msg_get(t, f->id, 2, &m, err), 1);
	assert_int_equal(index_part_get(t, f->id, 2, INDEX_NAME, &v, err), 1);
	memcpy(name, v.p, v.n);
	v.p = name;
	m.uid = 77;
	m.state = 0;
	assert_int_equal(index_msg_put(t, f->id, &m, err), 0);
	assert_int_equal(index_part_put(t, f->id, 77, INDEX_NAME, v, err), 0);
}

static void test_check(void **state)
{
	static const struct {
		const char *label;
		void (*fn)(struct index_txn *t, struct index_folder *f, struct err *err);
		const char *text;
	} rows[] = {
		{ "flags", wrong_flags, "UID 1: the flags are not those of" },
		{ "size", wrong_size, "UID 1: the file has" },
		{ "record", wrong_record, "UID 1: its record is of another message" },
		{ "message", lost_message, "1700000002.M1P1Q2.host:2, is not in the index" },
		{ "number", wrong_number, "the number of unseen messages is 2, not 5" },
		{ "uid", wrong_uid, "UID 2 and UID 77 are the same file" },
	};

	expect("ani@example.com", NULL, NULL, TOOL_OK, "INBOX: 3 messages\nSent: 1 message\n");
	expect("ani@example.com", "--check", NULL, TOOL_OK,
	       "INBOX: 3 messages, index agrees\nSent: 1 message, index agrees\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		tamper(rows[i].fn);
		if (run("ani@example.com", "--check", NULL) != TOOL_FAILED || !strstr(out, rows[i].text) ||
		    !strstr(out, "Sent: 1 message, index agrees"))
			fail_msg("%s: %s%s", rows[i].label, out, errors);
		expect("ani@example.com", "--rebuild", NULL, TOOL_OK, "INBOX: 3 messages\n");
		expect("ani@example.com", "--check", NULL, TOOL_OK, "INBOX: 3 messages, index agrees\n");
	}
	tamper(nothing);
	expect("ani@example.com", "--check", NULL, TOOL_OK, "INBOX: 3 messages, index agrees\n");
}

static void test_owner(void **state)
{
	static const char *const names[] = { "box/surat-index", "box/surat-index/data.mdb", "box/surat-index/state",
		"box/dovecot-uidlist" };
	struct stat st;

	expect("ani@example.com", "--rebuild", NULL, TOOL_OK, "INBOX: 3 messages\n");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(stat(at(names[i]), &st), 0);
		assert_int_equal(st.st_uid, geteuid() == 0 ? UID : geteuid());
		assert_int_equal(st.st_mode & 077, 0);
	}
	/* what was new is new still */
	assert_int_equal(access(at("box/new/1700000003.M1P1Q3.host"), F_OK), 0);
	slurp("box/surat-index/state", out, sizeof(out));
	assert_non_null(strstr(out, " clean "));
}

static void test_json(void **state)
{
	json_error_t e;
	json_t *o, *f;

	expect("ani@example.com", "-j", NULL, TOOL_OK, "\"Sent\"");
	tamper(wrong_flags);
	expect("ani@example.com", "--check", "-j", TOOL_FAILED, "");
	o = json_loads(out, 0, &e);
	assert_non_null(o);
	assert_string_equal(json_string_value(json_object_get(o, "user")), "ani@example.com");
	f = json_array_get(json_object_get(o, "folders"), 0);
	assert_string_equal(json_string_value(json_object_get(f, "name")), "INBOX");
	assert_int_equal(json_integer_value(json_object_get(f, "messages")), 3);
	assert_int_equal(json_array_size(json_object_get(f, "differences")), 1);
	f = json_array_get(json_object_get(o, "folders"), 1);
	assert_int_equal(json_array_size(json_object_get(f, "differences")), 0);
	json_decref(o);
}

static void test_refusals(void **state)
{
	assert_int_equal(run(NULL, NULL, NULL), TOOL_USAGE);
	assert_int_equal(run("ani@example.com", "--check", "--rebuild"), TOOL_USAGE);
	assert_int_equal(run("ani@example.com", "other", NULL), TOOL_USAGE);
	assert_int_equal(run("--what", "ani@example.com", NULL), TOOL_USAGE);
	expect("eve@example.com", NULL, NULL, TOOL_FAILED, "there is no account eve@example.com");
	expect("a b", NULL, NULL, TOOL_FAILED, "surat index: ");
	nftw(at("box"), rm_one, 8, FTW_DEPTH | FTW_PHYS);
	expect("ani@example.com", NULL, NULL, TOOL_FAILED, "box: No such file or directory");
	/* a folder where no index can be written */
	if (geteuid() == 0) {
		assert_int_equal(mkdir(at("box"), 0755), 0);
		dir("box/cur");
		dir("box/new");
		dir("box/tmp");
		expect("ani@example.com", NULL, NULL, TOOL_FAILED, "cannot be kept on disk");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_check, setup, teardown),
		cmocka_unit_test_setup_teardown(test_owner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_json, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
	};

	return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
