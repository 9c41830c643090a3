#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "store/queue.h"

struct fix {
	char dir[64];
	struct queue *q;
	struct arena a;
	struct err err;
};

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static int set_up(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/queue-test-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(queue_open(&f->q, f->dir, NULL, &f->err), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fix *f = *state;

	clock_fake_ms(0);
	queue_close(&f->q);
	arena_fini(&f->a);
	nftw(f->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

static void reopen(struct fix *f)
{
	queue_close(&f->q);
	if (queue_open(&f->q, f->dir, NULL, &f->err) < 0)
		fail_msg("%s", f->err.msg);
}

static struct str record(struct fix *f, uint64_t due, bool held, bool large)
{
	struct queue_msg m = { .due_ms = due, .held = held, .large = large, .sender = SPAN_LIT("a@b") };
	struct str out = STR_INIT(1 << 16);

	queue_add_rcpt(&m, &f->a)->addr = SPAN_LIT("c@d");
	assert_int_equal(queue_encode(&out, &m), 0);
	return out;
}

static uint64_t add(struct fix *f, uint64_t due, bool held, bool large, struct span body)
{
	struct str r = record(f, due, held, large);
	uint64_t id = queue_new_ids(f->q, 1);
	struct queue_txn t;

	assert_int_equal(queue_begin(f->q, &t, &f->err), 0);
	assert_int_equal(queue_add(&t, id, str_span(&r), body, &f->err), 0);
	assert_int_equal(queue_commit(&t, &f->err), 0);
	str_fini(&r);
	return id;
}

static void update(struct fix *f, uint64_t id, uint64_t due, bool held)
{
	struct str r = record(f, due, held, false);
	struct queue_txn t;

	assert_int_equal(queue_begin(f->q, &t, &f->err), 0);
	assert_int_equal(queue_update(&t, id, str_span(&r), &f->err), 0);
	assert_int_equal(queue_commit(&t, &f->err), 0);
	str_fini(&r);
}

struct seen {
	uint64_t ids[64];
	size_t n, max;
};

static bool see_due(void *arg, uint64_t id, uint64_t due_ms)
{
	struct seen *s = arg;

	if (s->n == s->max)
		return false;
	s->ids[s->n++] = id;
	return true;
}

static bool see_row(void *arg, uint64_t id, struct span rec)
{
	return see_due(arg, id, 0);
}

static void add_and_read(void **state)
{
	struct fix *f = *state;
	uint64_t id = add(f, 0, false, false, SPAN_LIT("Subject: x\r\n\r\nbody\r\n"));
	struct queue_view v;
	struct queue_msg m;
	struct span body;
	struct seen s = { .max = 64 };
	uint64_t last;

	assert_int_equal(queue_get(f->q, id, &f->a, &m, &f->err), QUEUE_FOUND);
	assert_true(span_eqz(m.sender, "a@b"));
	assert_int_equal(m.n_rcpts, 1);
	assert_int_equal(queue_view_begin(f->q, &v, &f->err), 0);
	assert_int_equal(queue_view_body(&v, id, &body, &f->err), QUEUE_FOUND);
	assert_true(span_eqz(body, "Subject: x\r\n\r\nbody\r\n"));
	assert_int_equal(queue_view_body(&v, id + 1, &body, &f->err), QUEUE_NONE);
	queue_view_end(&v);
	assert_int_equal(queue_get(f->q, id + 1, &f->a, &m, &f->err), QUEUE_NONE);
	assert_int_equal(queue_list(f->q, 0, 2, see_row, &s, &last, &f->err), QUEUE_NONE);
	assert_int_equal(s.n, 1);
	assert_int_equal(queue_list_held(f->q, 0, 2, see_row, &s, &last, &f->err), QUEUE_NONE);
	assert_int_equal(s.n, 1);
}

static void abort_leaves_nothing(void **state)
{
	struct fix *f = *state;
	struct str r = record(f, 5, false, false);
	uint64_t id = queue_new_ids(f->q, 1), next;
	struct queue_txn t;
	struct queue_msg m;
	struct seen s = { .max = 64 };

	assert_int_equal(queue_begin(f->q, &t, &f->err), 0);
	assert_int_equal(queue_add(&t, id, str_span(&r), SPAN_LIT("x"), &f->err), 0);
	queue_abort(&t);
	queue_abort(&t);
	reopen(f);
	assert_int_equal(queue_get(f->q, id, &f->a, &m, &f->err), QUEUE_NONE);
	assert_int_equal(queue_due(f->q, 100, see_due, &s, &next, &f->err), 0);
	assert_int_equal(s.n, 0);
	str_fini(&r);
}

static void schedule(void **state)
{
	struct fix *f = *state;
	uint64_t late = add(f, 3000, false, false, SPAN_LIT("x")), early = add(f, 1000, false, false, SPAN_LIT("x"));
	uint64_t held = add(f, 0, true, false, SPAN_LIT("x")), next, last;
	struct seen s = { .max = 64 };
	struct queue_txn t;

	add(f, 0, false, false, SPAN_LIT("x"));
	assert_int_equal(queue_due(f->q, 2000, see_due, &s, &next, &f->err), 0);
	assert_int_equal(s.n, 1);
	assert_true(s.ids[0] == early);
	assert_int_equal(next, 3000);
	s = (struct seen){ .max = 1 };
	assert_int_equal(queue_due(f->q, 5000, see_due, &s, &next, &f->err), 0);
	assert_int_equal(s.n, 1);
	assert_int_equal(next, 3000);

	update(f, early, 4000, false);
	s = (struct seen){ .max = 64 };
	assert_int_equal(queue_due(f->q, 5000, see_due, &s, &next, &f->err), 0);
	assert_int_equal(s.n, 2);
	assert_true(s.ids[0] == late && s.ids[1] == early);
	assert_true(next == UINT64_MAX);

	update(f, late, 0, true);
	s = (struct seen){ .max = 64 };
	assert_int_equal(queue_list_held(f->q, 0, 64, see_row, &s, &last, &f->err), QUEUE_NONE);
	assert_int_equal(s.n, 2);
	assert_true(s.ids[0] == late && s.ids[1] == held);

	assert_int_equal(queue_begin(f->q, &t, &f->err), 0);
	assert_int_equal(queue_delete(&t, late, &f->err), 0);
	assert_int_equal(queue_delete(&t, early, &f->err), 0);
	assert_int_equal(queue_delete(&t, early + 1000, &f->err), 0);
	assert_int_equal(queue_commit(&t, &f->err), 0);
	s = (struct seen){ .max = 64 };
	assert_int_equal(queue_due(f->q, 5000, see_due, &s, &next, &f->err), 0);
	assert_int_equal(s.n, 0);
	update(f, late, 4000, false);   /* an update that comes too late brings nothing back */
	assert_int_equal(queue_due(f->q, 5000, see_due, &s, &next, &f->err), 0);
	assert_int_equal(s.n, 0);
}

static void list_in_pieces(void **state)
{
	struct fix *f = *state;
	struct seen s = { .max = 64 };
	uint64_t ids[5], last = 0;
	size_t i;

	for (i = 0; i < 5; i++)
		ids[i] = add(f, 0, false, false, SPAN_LIT("x"));
	assert_int_equal(queue_list(f->q, 0, 2, see_row, &s, &last, &f->err), QUEUE_FOUND);
	assert_int_equal(queue_list(f->q, last, 2, see_row, &s, &last, &f->err), QUEUE_FOUND);
	assert_int_equal(queue_list(f->q, last, 2, see_row, &s, &last, &f->err), QUEUE_NONE);
	assert_int_equal(s.n, 5);
	assert_memory_equal(s.ids, ids, sizeof(ids));
}

/* Being tried when the process ended: due again, in the order of arrival. Held ones stay held. */
static void recovery(void **state)
{
	struct fix *f = *state;
	uint64_t one = add(f, 0, false, false, SPAN_LIT("x")), two = add(f, 0, false, false, SPAN_LIT("x")), next;
	struct seen s = { .max = 64 };
	size_t msgs, files;

	add(f, 0, true, false, SPAN_LIT("x"));
	reopen(f);
	queue_recovered(f->q, &msgs, &files);
	assert_int_equal(msgs, 2);
	assert_int_equal(queue_due(f->q, clock_wall_ms(), see_due, &s, &next, &f->err), 0);
	assert_int_equal(s.n, 2);
	assert_true(s.ids[0] == one && s.ids[1] == two);
	reopen(f);
	queue_recovered(f->q, &msgs, &files);
	assert_int_equal(msgs, 0);
}

/* Ids run ahead of the clock after it was set back: what is recovered is due now all the same. */
static void recovery_is_due_now(void **state)
{
	struct fix *f = *state;
	struct seen s = { .max = 64 };
	uint64_t next;

	clock_fake_ms(2000000000000);
	add(f, 0, false, false, SPAN_LIT("x"));
	clock_fake_ms(1900000000000);
	reopen(f);
	assert_int_equal(queue_due(f->q, 1900000000000, see_due, &s, &next, &f->err), 0);
	assert_int_equal(s.n, 1);
}

/* Only what is due too late moves, a thousand at a time; held and unscheduled ones have no time. */
static void pull(void **state)
{
	struct fix *f = *state;
	uint64_t early = add(f, 1000, false, false, SPAN_LIT("x")), late = 0, next;
	struct seen s = { .max = 64 };
	struct queue_txn t;
	struct queue_msg m;
	size_t i, n, all = 0;

	add(f, 0, true, false, SPAN_LIT("x"));
	add(f, 0, false, false, SPAN_LIT("x"));
	add(f, 5000, false, false, SPAN_LIT("x"));
	for (i = 0; i < QUEUE_PULL_MAX + 5; i++)
		late = add(f, 5001 + i, false, false, SPAN_LIT("x"));
	for (n = QUEUE_PULL_MAX; n == QUEUE_PULL_MAX; all += n) {
		assert_int_equal(queue_begin(f->q, &t, &f->err), 0);
		assert_int_equal(queue_pull(&t, 5000, &n, &f->err), 0);
		assert_int_equal(queue_commit(&t, &f->err), 0);
	}
	assert_int_equal(all, QUEUE_PULL_MAX + 5);
	assert_int_equal(queue_due(f->q, 4999, see_due, &s, &next, &f->err), 0);
	assert_true(s.n == 1 && s.ids[0] == early && next == 5000);
	assert_int_equal(queue_get(f->q, late, &f->a, &m, &f->err), QUEUE_FOUND);
	assert_true(m.due_ms == 5000 && span_eqz(m.sender, "a@b"));
	s.n = s.max = 0;
	assert_int_equal(queue_due(f->q, UINT64_MAX - 1, see_due, &s, &next, &f->err), 0);
	assert_int_equal(next, 1000);
}

/* A process that dies without any goodbye after its commit. */
static void killed_after_commit(void **state)
{
	struct fix *f = *state;
	uint64_t id, next;
	struct seen s = { .max = 64 };
	pid_t pid;
	int status;

	queue_close(&f->q);
	pid = fork();
	if (pid == 0) {
		struct queue_txn t;
		struct str r = record(f, 0, false, false);

		if (queue_open(&f->q, f->dir, NULL, &f->err) < 0)
			_exit(1);
		id = add(f, 0, false, false, SPAN_LIT("kept"));
		if (queue_begin(f->q, &t, &f->err) < 0 || queue_add(&t, id + 1, str_span(&r), SPAN_LIT("lost"),
								    &f->err) < 0)
			_exit(2);
		_exit(0);       /* the transaction is still open */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	reopen(f);
	assert_int_equal(queue_due(f->q, clock_wall_ms(), see_due, &s, &next, &f->err), 0);
	assert_int_equal(s.n, 1);
}

static void large_files(void **state)
{
	struct fix *f = *state;
	uint64_t kept = queue_new_ids(f->q, 1), orphan = queue_new_ids(f->q, 1);
	struct str r = record(f, 0, false, true);
	struct queue_txn t;
	char buf[16], path[128];
	size_t msgs, files;
	int fd;

	assert_int_equal(queue_large_create(f->q, orphan, &fd, &f->err), 0);
	close(fd);
	assert_int_equal(queue_large_create(f->q, orphan, &fd, &f->err), -1);
	assert_int_equal(queue_large_create(f->q, kept, &fd, &f->err), 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
	assert_int_equal(write(fd, "12345", 5), 5);
	assert_int_equal(queue_large_sync(f->q, kept, fd, 6, &f->err), -1);
	assert_string_equal(f->err.dsn, "4.3.0");
	assert_int_equal(f->err.kind, ERR_TEMP);
	assert_int_equal(queue_large_sync(f->q, kept, fd, 5, &f->err), 0);
	close(fd);
	assert_int_equal(queue_begin(f->q, &t, &f->err), 0);
	assert_int_equal(queue_add(&t, kept, str_span(&r), SPAN_NULL, &f->err), 0);
	assert_int_equal(queue_commit(&t, &f->err), 0);
	snprintf(path, sizeof(path), "%s/large/README", f->dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));

	reopen(f);
	queue_recovered(f->q, &msgs, &files);
	assert_int_equal(files, 1);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(queue_large_open(f->q, orphan, &fd, &f->err), -1);
	assert_int_equal(queue_large_open(f->q, kept, &fd, &f->err), 0);
	assert_int_equal(read(fd, buf, sizeof(buf)), 5);
	close(fd);
	queue_large_unlink(f->q, kept);
	queue_large_unlink(f->q, kept);
	str_fini(&r);
}

static void planted_symlink(void **state)
{
	struct fix *f = *state;
	uint64_t id = queue_new_ids(f->q, 1);
	char path[128], name[QUEUE_ID_LEN + 1];
	int fd;

	queue_id_print(name, id);
	snprintf(path, sizeof(path), "%s/large/%s", f->dir, name);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(queue_large_create(f->q, id, &fd, &f->err), -1);
	assert_int_equal(queue_large_open(f->q, id, &fd, &f->err), -1);
}

/* Also when the clock goes back, also over a restart. */
static void ids_only_grow(void **state)
{
	struct fix *f = *state;
	uint64_t a, b, c;

	clock_fake_ms(2000000000000);
	a = add(f, 0, false, false, SPAN_LIT("x"));
	clock_fake_ms(1000000000000);
	b = queue_new_ids(f->q, 1);
	assert_true(b > a);
	reopen(f);
	c = queue_new_ids(f->q, 1);
	assert_true(c > b);
	clock_fake_ms(3000000000000);
	assert_true(queue_new_ids(f->q, 1) >> 20 == 3000000000000);
}

static void full_map(void **state)
{
	struct fix *f = *state;
	const struct queue_options opt = { .map_size = 1 << 20 };
	struct str r = record(f, 0, false, false), body = STR_INIT(1 << 20);
	struct queue_txn t;
	uint64_t ids[64];
	size_t n = 0, i;
	int rc = 0;

	str_grew(&body, str_room(&body, 30000) ? 30000 : 0);
	queue_close(&f->q);
	assert_int_equal(queue_open(&f->q, f->dir, &opt, &f->err), 0);
	while (rc == 0 && n < 64) {
		ids[n] = queue_new_ids(f->q, 1);
		assert_int_equal(queue_begin(f->q, &t, &f->err), 0);
		rc = queue_add(&t, ids[n], str_span(&r), str_span(&body), &f->err);
		if (rc == 0)
			rc = queue_commit(&t, &f->err);
		n += rc == 0;
	}
	queue_abort(&t);
	assert_int_equal(rc, -1);
	assert_int_equal(f->err.kind, ERR_TEMP);
	assert_string_equal(f->err.dsn, "4.3.1");
	assert_true(n > 10);
	for (i = 0; i < n; i++) {       /* what is full can be emptied */
		assert_int_equal(queue_begin(f->q, &t, &f->err), 0);
		if (queue_delete(&t, ids[i], &f->err) < 0 || queue_commit(&t, &f->err) < 0)
			fail_msg("delete %zu of %zu: %s", i, n, f->err.msg);
	}
	str_fini(&body);
	add(f, 0, false, false, SPAN_LIT("fits again"));
	str_fini(&r);
}

static void reserve_refuses(void **state)
{
	struct fix *f = *state;
	const struct queue_options opt = { .reserve = (uint64_t)1 << 60 };
	uint64_t id = add(f, 0, false, false, SPAN_LIT("x"));
	struct str r = record(f, 9, false, false);
	struct queue_txn t;

	queue_close(&f->q);
	assert_int_equal(queue_open(&f->q, f->dir, &opt, &f->err), 0);
	assert_int_equal(queue_begin(f->q, &t, &f->err), 0);
	assert_int_equal(queue_add(&t, queue_new_ids(f->q, 1), str_span(&r), SPAN_LIT("x"), &f->err), -1);
	assert_string_equal(f->err.dsn, "4.3.1");
	queue_abort(&t);
	update(f, id, 9, false);        /* done marks still fit */
	str_fini(&r);
}

static void one_process(void **state)
{
	struct fix *f = *state;
	struct queue *second = NULL;

	assert_int_equal(queue_open(&second, f->dir, NULL, &f->err), -1);
	assert_int_equal(f->err.kind, ERR_CONF);
	assert_null(second);
}

/* It waits for one that is just leaving. */
static void waits_for_the_last_one(void **state)
{
	struct fix *f = *state;
	const struct queue_options opt = { .wait_ms = 10000 };
	const struct timespec moment = { .tv_nsec = 200000000 };
	char c = 'x';
	int fds[2];
	pid_t pid;

	queue_close(&f->q);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		if (queue_open(&f->q, f->dir, NULL, &f->err) == 0 && write(fds[1], &c, 1) == 1)
			nanosleep(&moment, NULL);
		_exit(0);
	}
	assert_int_equal(read(fds[0], &c, 1), 1);
	assert_int_equal(queue_open(&f->q, f->dir, NULL, &f->err), -1);
	assert_int_equal(queue_open(&f->q, f->dir, &opt, &f->err), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fds[0]);
	close(fds[1]);
}

/* A peer that uses an id twice must harm neither the first message nor the others of its transaction. */
static void id_used_twice(void **state)
{
	struct fix *f = *state;
	uint64_t id = add(f, 0, false, false, SPAN_LIT("first")), other = queue_new_ids(f->q, 1);
	struct str r = record(f, 9, false, false);
	struct queue_txn t;
	struct queue_view v;
	struct queue_msg m;
	struct span body;

	assert_int_equal(queue_begin(f->q, &t, &f->err), 0);
	assert_int_equal(queue_add(&t, id, str_span(&r), SPAN_LIT("second"), &f->err), -1);
	assert_int_equal(f->err.kind, ERR_PROTO);
	assert_int_equal(queue_add(&t, other, str_span(&r), SPAN_LIT("other"), &f->err), 0);
	assert_int_equal(queue_commit(&t, &f->err), 0);
	assert_int_equal(queue_view_begin(f->q, &v, &f->err), 0);
	assert_int_equal(queue_view_body(&v, id, &body, &f->err), QUEUE_FOUND);
	assert_true(span_eqz(body, "first"));
	queue_view_end(&v);
	assert_int_equal(queue_get(f->q, other, &f->a, &m, &f->err), QUEUE_FOUND);
	str_fini(&r);
}

static void missing_directory(void **state)
{
	struct queue *q = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(queue_open(&q, "/nonexistent/spool", NULL, &err), -1);
	assert_int_equal(err.kind, ERR_SYS);
	assert_null(q);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(add_and_read), T(abort_leaves_nothing), T(schedule), T(list_in_pieces), T(recovery),
		T(recovery_is_due_now), T(pull), T(killed_after_commit),
		T(large_files), T(planted_symlink), T(ids_only_grow), T(full_map), T(reserve_refuses), T(one_process), T(waits_for_the_last_one),
		T(id_used_twice), cmocka_unit_test(missing_directory),
	};

	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
