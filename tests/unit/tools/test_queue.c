/* surat queue against a real queue manager in a child process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/log.h"
#include "qmgr/admin.h"
#include "qmgr/qmgr.h"
#include "tools/commands.h"

struct fix {
	char dir[64], run[80];
	pid_t pid;
	size_t n_more;                  /* recipients of the second letter */
	char ids[3][QUEUE_ID_LEN + 1];
	char *out, *err;
	int rc;
};

static void quiet(void *arg, enum log_level level, const char *line)
{
}

static void no_fatal(struct qmgr *q, const struct err *err)
{
	_exit(3);
}

static void fill(struct queue *q, struct fix *f)
{
	static const char *const senders[] = { "tito@example.com", "", "tito\"\xff@example.com" };
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	struct queue_txn t;
	size_t i, k;

	assert_int_equal(queue_begin(q, &t, &err), 0);
	for (i = 0; i < 3; i++) {
		uint64_t id = queue_new_ids(q, 1);
		struct queue_msg m = { .sender = span_z(senders[i]), .due_ms = i == 1 ? 0 : UINT64_MAX / 2,
			.held = i == 1,
				       .size = 700, .arrival_ms = 1795328520000 };
		struct queue_rcpt *r = queue_add_rcpt(&m, &a);
		struct str record = STR_INIT(1 << 22);

		r->addr = SPAN_LIT("iqbal@far.example");
		r->text = SPAN_LIT("connection\x1b[1m refused");
		r->dsn = SPAN_LIT("4.4.1");
		queue_add_rcpt(&m, &a)->state = QUEUE_CLOSED;
		for (k = 0; k < f->n_more && i == 1; k++)
			queue_add_rcpt(&m, &a)->addr = span_z(arena_printf(&a, "reader%zu@far.example", k));
		assert_int_equal(queue_encode(&record, &m), 0);
		assert_int_equal(queue_add(&t, id, str_span(&record), SPAN_LIT("Subject: x\n\nbody\n"), &err), 0);
		queue_id_print(f->ids[i], id);
		str_fini(&record);
	}
	assert_int_equal(queue_commit(&t, &err), 0);
	arena_fini(&a);
}

/* The child serves until it is killed. */
static void serve(struct fix *f, int ready)
{
	struct loop loop;
	struct qmgr q = { .loop = &loop, .fatal = no_fatal, .hello_done = true };
	struct err err = ERR_INIT;
	int fd;

	q.conf.qmgr_message_active_limit = 10;
	q.conf.minimal_backoff_time_ms = q.conf.maximal_backoff_time_ms = 1000000;
	fd = admin_listen(f->run, &err);
	if (fd < 0 || loop_init(&loop, &err) < 0 || queue_open(&q.queue, f->dir, NULL, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		_exit(2);
	}
	qmgr_start(&q);
	admin_new(&q, &fd, geteuid());
	if (write(ready, "x", 1) != 1)
		_exit(2);
	loop_run(&loop);
	_exit(0);
}

static void write_conf(const struct fix *f)
{
	char path[128];
	FILE *conf;

	snprintf(path, sizeof(path), "%s/main.cf", f->dir);
	conf = fopen(path, "w");
	assert_non_null(conf);
	fprintf(conf, "run_directory = %s\nqueue_directory = %s\n", f->run, f->dir);
	fclose(conf);
}

static int set_up_with(void **state, size_t n_more)
{
	struct fix *f = calloc(1, sizeof(*f));
	struct queue *q;
	struct err err = ERR_INIT;
	int ready[2];
	char c;

	f->n_more = n_more;
	snprintf(f->dir, sizeof(f->dir), "/tmp/tool-queue-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->run, sizeof(f->run), "%s/run", f->dir);
	assert_int_equal(mkdir(f->run, 0700), 0);
	log_set_sink(quiet, NULL);
	write_conf(f);
	assert_int_equal(queue_open(&q, f->dir, NULL, &err), 0);
	fill(q, f);
	queue_close(&q);
	assert_int_equal(pipe(ready), 0);
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid == 0)
		serve(f, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	*state = f;
	return 0;
}

static int set_up(void **state)
{
	return set_up_with(state, 0);
}

static int set_up_crowd(void **state)
{
	return set_up_with(state, 20000);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static int tear_down(void **state)
{
	struct fix *f = *state;

	if (f->pid) {
		kill(f->pid, SIGKILL);
		waitpid(f->pid, NULL, 0);
	}
	nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(f->out);
	free(f->err);
	free(f);
	return 0;
}

static void run3(struct fix *f, const char *a, const char *b, const char *c)
{
	char *argv[] = { (char *)"queue", (char *)a, (char *)b, (char *)c, NULL };
	struct tool t = { .config_dir = f->dir };
	size_t n_out, n_err;

	free(f->out);
	free(f->err);
	t.out = open_memstream(&f->out, &n_out);
	t.err = open_memstream(&f->err, &n_err);
	f->rc = cmd_queue(&t, c ? 4 : b ? 3 : a ? 2 : 1, argv);
	fclose(t.out);
	fclose(t.err);
}

static void run(struct fix *f, const char *a, const char *b)
{
	run3(f, a, b, NULL);
}

static void has(const char *where, const char *what)
{
	if (!strstr(where, what))
		fail_msg("'%s' is not in:\n%s", what, where);
}

static void table(void **state)
{
	struct fix *f = *state;

	run(f, "list", NULL);
	assert_int_equal(f->rc, TOOL_OK);
	has(f->out, "-Queue ID-");
	has(f->out, f->ids[0]);
	has(f->out, "iqbal@far.example\n");
	has(f->out, "MAILER-DAEMON\n");
	has(f->out, "(connection?[1m refused)\n");
	has(f->out, "-- 3 Kbytes in 3 Requests.\n");
	assert_int_equal(strstr(f->out, f->ids[1])[strlen(f->ids[1])], '!');
	assert_null(strchr(f->out, '\x1b'));
}

static void json(void **state)
{
	struct fix *f = *state;
	static const char *const queues[] = { "deferred", "hold", "deferred" };
	char *line, *next;
	size_t i = 0;

	run(f, "list", "-j");
	assert_int_equal(f->rc, TOOL_OK);
	for (line = f->out; *line; line = next) {
		json_error_t e;
		json_t *o;

		next = strchr(line, '\n');
		assert_non_null(next);
		*next++ = '\0';
		o = json_loads(line, 0, &e);
		if (!o)
			fail_msg("%s: %s", e.text, line);
		assert_string_equal(json_string_value(json_object_get(o, "queue_id")), f->ids[i]);
		assert_string_equal(json_string_value(json_object_get(o, "queue_name")), queues[i]);
		assert_int_equal(json_array_size(json_object_get(o, "recipients")), 1);
		assert_true(json_is_false(json_object_get(o, "forced_expire")));
		json_decref(o);
		i++;
	}
	assert_int_equal(i, 3);
}

static void show(void **state)
{
	struct fix *f = *state;

	run(f, "show", f->ids[0]);
	assert_int_equal(f->rc, TOOL_OK);
	has(f->out, "sender: tito@example.com\n");
	has(f->out, "recipient: iqbal@far.example (waiting, attempts 0: 4.4.1 connection?[1m refused)\n");
	has(f->out, "\n\nSubject: x\n\nbody\n");
	run(f, "show", "0000000000001");
	assert_int_equal(f->rc, TOOL_FAILED);
	has(f->err, "there is no such message");
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what))) {
		text += strlen(what);
		n++;
	}
	return n;
}

/* A record that takes many frames, between two that take none of their own. */
static void crowd(void **state)
{
	struct fix *f = *state;

	run(f, "list", NULL);
	assert_int_equal(f->rc, TOOL_OK);
	assert_int_equal(count(f->out, "reader"), 20000);
	has(f->out, "reader19999@far.example\n");
	has(strstr(f->out, "reader19999@"), f->ids[2]);
	has(f->out, "-- 3 Kbytes in 3 Requests.\n");
	run(f, "list", "-j");
	assert_int_equal(count(f->out, "\"reader"), 20000);
	assert_int_equal(count(f->out, "\n"), 3);
	run(f, "show", f->ids[1]);
	assert_int_equal(f->rc, TOOL_OK);
	assert_int_equal(count(f->out, "recipient: reader"), 20000);
	has(f->out, "\n\nSubject: x\n\nbody\n");
}

static void change(void **state)
{
	struct fix *f = *state;

	run(f, "hold", f->ids[0]);
	assert_int_equal(f->rc, TOOL_OK);
	has(f->err, "1 message put on hold");
	run(f, "hold", f->ids[0]);
	assert_int_equal(f->rc, TOOL_FAILED);
	run(f, "release", "ALL");
	assert_int_equal(f->rc, TOOL_OK);
	has(f->err, "2 messages released");
	run(f, "delete", f->ids[2]);
	assert_int_equal(f->rc, TOOL_OK);
	run(f, "show", f->ids[2]);
	assert_int_equal(f->rc, TOOL_FAILED);
	run(f, "delete", "ALL");
	assert_int_equal(f->rc, TOOL_OK);
	run(f, "list", NULL);
	assert_string_equal(f->out, "Mail queue is empty\n");
}

/* Once, however often it is named, and in whatever case. */
static void named_twice(void **state)
{
	struct fix *f = *state;
	char lower[QUEUE_ID_LEN + 1];
	size_t i;

	for (i = 0; i <= QUEUE_ID_LEN; i++)
		lower[i] = f->ids[0][i] >= 'A' && f->ids[0][i] <= 'Z' ? (char)(f->ids[0][i] + 32) : f->ids[0][i];
	run3(f, "delete", f->ids[0], lower);
	assert_int_equal(f->rc, TOOL_OK);
	assert_string_equal(f->err, "1 message deleted\n");
}

static void wrong_use(void **state)
{
	static const struct { const char *a, *b; int rc; const char *says; } rows[] = {
		{ "retry", NULL, TOOL_USAGE, "usage" }, { "fly", "ALL", TOOL_USAGE, "usage" }, { "show", "x",
			TOOL_FAILED, "is not a queue id" },
		{ "list", "x", TOOL_USAGE, "usage" }, { "delete", "../x", TOOL_FAILED, "is not a queue id" },
		{ "delete", "0000000000000", TOOL_FAILED, "is not a queue id" },
	};
	struct fix *f = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		run(f, rows[i].a, rows[i].b);
		if (f->rc != rows[i].rc)
			fail_msg("%s %s: %d", rows[i].a, rows[i].b, f->rc);
		has(f->err, rows[i].says);
	}
}

static void nobody_there(void **state)
{
	struct fix *f = *state;

	kill(f->pid, SIGKILL);
	waitpid(f->pid, NULL, 0);
	f->pid = 0;
	run(f, "list", NULL);
	assert_int_equal(f->rc, TOOL_FAILED);
	has(f->err, "is the suite running?");
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = { T(table), T(json), T(show), T(change), T(named_twice), T(wrong_use), T(nobody_there),
		cmocka_unit_test_setup_teardown(crowd, set_up_crowd, tear_down) };

	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
