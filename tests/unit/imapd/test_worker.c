/* The watcher: both ends in one process, the child's calls in a thread because they wait for the parent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/log.h"
#include "imapd/notify.h"
#include "imapd/watch.h"

struct rig {
	struct loop loop;
	struct notify n;
	char root[64];
	int new, cur;
	char log[2000];
};

static void on_log(void *arg, enum log_level level, const char *line)
{
	struct rig *g = arg;

	snprintf(g->log, sizeof(g->log), "%s", line);
}

static int setup(void **state)
{
	struct rig *g = calloc(1, sizeof(*g));
	struct err err = ERR_INIT;
	char path[100];

	snprintf(g->root, sizeof(g->root), "/tmp/imaplogin-notify-XXXXXX");
	assert_non_null(mkdtemp(g->root));
	snprintf(path, sizeof(path), "%s/new", g->root);
	assert_int_equal(mkdir(path, 0700), 0);
	g->new = open(path, O_RDONLY | O_DIRECTORY);
	snprintf(path, sizeof(path), "%s/cur", g->root);
	assert_int_equal(mkdir(path, 0700), 0);
	g->cur = open(path, O_RDONLY | O_DIRECTORY);
	log_set_sink(on_log, g);
	assert_int_equal(loop_init(&g->loop, &err), 0);
	notify_init(&g->n, &g->loop);
	assert_true(g->n.fd >= 0);
	*state = g;
	return 0;
}

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

static void spin(struct rig *g)
{
	int i;

	for (i = 0; i < 6; i++)
		loop_turn(&g->loop, false);
}

static int teardown(void **state)
{
	struct rig *g = *state;

	notify_fini(&g->n);
	spin(g);
	assert_null(g->n.clients);
	loop_fini(&g->loop);
	close(g->new);
	close(g->cur);
	nftw(g->root, rm_one, 16, FTW_DEPTH | FTW_PHYS);
	log_set_sink(NULL, NULL);
	free(g);
	return 0;
}

/* ---- a child ---- */

struct call {
	struct watch *w;
	int new, cur, rc;
	volatile bool is_done;
};

static void *run_set(void *arg)
{
	struct call *c = arg;

	c->rc = watch_set(c->w, c->new, c->cur);
	c->is_done = true;
	return NULL;
}

static int set(struct rig *g, struct watch *w, int new, int cur)
{
	struct call c = { w, new, cur, -2, false };
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, run_set, &c), 0);
	while (!c.is_done)
		loop_turn(&g->loop, false);
	pthread_join(t, NULL);
	return c.rc;
}

static void open_child(struct rig *g, struct watch *w)
{
	int fd = notify_add(&g->n);

	assert_true(fd >= 0);
	watch_init(w, fd);
}

static void touch(const struct rig *g, const char *name)
{
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", g->root, name);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void move(const struct rig *g, const char *from, const char *to)
{
	char a[200], b[200];

	snprintf(a, sizeof(a), "%s/%s", g->root, from);
	snprintf(b, sizeof(b), "%s/%s", g->root, to);
	assert_int_equal(to ? rename(a, b) : unlink(a), 0);
}

static bool wakes(struct rig *g, struct watch *w)
{
	struct pollfd p = { w->fd, POLLIN, 0 };
	bool is_readable;

	spin(g);
	is_readable = poll(&p, 1, 0) == 1;
	assert_int_equal(watch_take(w), is_readable);
	assert_false(watch_take(w));
	return is_readable;
}

/* ---- tests ---- */

static void test_events(void **state)
{
	struct rig *g = *state;
	struct watch w;

	open_child(g, &w);
	assert_int_equal(set(g, &w, g->new, g->cur), 0);
	assert_true(w.is_on);
	assert_false(wakes(g, &w));
	touch(g, "new/1");
	assert_true(wakes(g, &w));
	assert_false(wakes(g, &w));
	move(g, "new/1", "cur/1:2,");
	assert_true(wakes(g, &w));
	move(g, "cur/1:2,", "cur/1:2,S");
	assert_true(wakes(g, &w));
	move(g, "cur/1:2,S", NULL);
	assert_true(wakes(g, &w));
	touch(g, "elsewhere");
	assert_false(wakes(g, &w));
	watch_clear(&w);
	spin(g);
	assert_int_equal(g->n.dirs.n, 0);
	touch(g, "new/2");
	assert_false(wakes(g, &w));
	/* again, and what happens between two calls is not lost */
	assert_int_equal(set(g, &w, g->new, g->cur), 0);
	touch(g, "new/3");
	spin(g);
	assert_int_equal(set(g, &w, g->new, g->cur), 0);
	assert_true(watch_take(&w));
	close(w.fd);
}

static void test_shared(void **state)
{
	struct rig *g = *state;
	struct watch w[3];
	size_t i;

	for (i = 0; i < 3; i++) {
		open_child(g, &w[i]);
		assert_int_equal(set(g, &w[i], g->new, g->cur), 0);
	}
	assert_int_equal(g->n.dirs.n, 2);
	assert_int_equal(g->n.n_clients, 3);
	touch(g, "new/1");
	for (i = 0; i < 3; i++)
		assert_true(wakes(g, &w[i]));
	/* one ends, one looks elsewhere: the third still hears */
	close(w[0].fd);
	watch_clear(&w[1]);
	spin(g);
	assert_int_equal(g->n.n_clients, 2);
	assert_int_equal(g->n.dirs.n, 2);
	touch(g, "new/2");
	assert_false(wakes(g, &w[1]));
	assert_true(wakes(g, &w[2]));
	close(w[1].fd);
	close(w[2].fd);
	spin(g);
	assert_int_equal(g->n.n_clients, 0);
	assert_int_equal(g->n.dirs.n, 0);
}

/* What cannot be watched is refused, and the child goes on. */
static void test_refusals(void **state)
{
	struct rig *g = *state;
	int proc = open("/proc/self", O_RDONLY | O_DIRECTORY), file, fds[2];
	struct watch w, none;
	char path[100];

	snprintf(path, sizeof(path), "%s/file", g->root);
	file = open(path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	open_child(g, &w);
	assert_int_equal(set(g, &w, proc, g->cur), -1);
	assert_int_equal(set(g, &w, g->new, proc), -1);
	assert_int_equal(set(g, &w, file, file), -1);
	assert_int_equal(set(g, &w, fds[0], fds[1]), -1);
	assert_int_equal(g->n.dirs.n, 0);
	assert_false(w.is_on);
	assert_int_equal(set(g, &w, g->new, g->cur), 0);
	/* a refused one ends what was watched before */
	assert_int_equal(set(g, &w, proc, proc), -1);
	touch(g, "new/1");
	assert_false(wakes(g, &w));
	watch_init(&none, -1);
	assert_int_equal(watch_set(&none, g->new, g->cur), -1);
	watch_clear(&none);
	assert_false(watch_take(&none));
	close(w.fd);
	close(proc);
	close(file);
	close(fds[0]);
	close(fds[1]);
}

static size_t open_fds(void)
{
	size_t i, n = 0;

	for (i = 0; i < 1000; i++)
		n += fcntl((int)i, F_GETFD) >= 0;
	return n;
}

/* A child that sends nonsense loses its end, and nobody else. */
static void test_garbage(void **state)
{
	static const struct { const char *label; size_t n; uint32_t kind; bool lives; } rows[] = {
		{ "short", 3, 0, false }, { "long", 100, WATCH_SET, false }, { "unknown kind", 8, 77, true },
		{ "SET without descriptors", 8, WATCH_SET, true }, { "empty", 0, 0, false },
	};
	struct rig *g = *state;
	struct watch good;
	size_t i, before;

	open_child(g, &good);
	assert_int_equal(set(g, &good, g->new, g->cur), 0);
	before = open_fds();
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t raw[25] = { rows[i].kind, 5 };
		struct watch w;

		open_child(g, &w);
		assert_int_equal(send(w.fd, raw, rows[i].n, MSG_NOSIGNAL), rows[i].n);
		spin(g);
		if (g->n.n_clients != (rows[i].lives ? 2 : 1))
			fail_msg("%s: %zu children", rows[i].label, g->n.n_clients);
		(void)watch_take(&w);
		assert_int_equal(w.fd >= 0, rows[i].lives);
		if (w.fd >= 0)
			close(w.fd);
		spin(g);
	}
	assert_int_equal(open_fds(), before);
	touch(g, "new/1");
	assert_true(wakes(g, &good));
	close(good.fd);
}

/* Ten descriptors in a message: what is too much is dropped by the kernel, nothing stays open. */
static void test_many_fds(void **state)
{
	struct rig *g = *state;
	union {
		char room[CMSG_SPACE(10 * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct watch_msg m = { WATCH_SET, 1 };
	struct iovec iov = { &m, sizeof(m) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof(control.room) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	struct watch w;
	size_t i, before;

	open_child(g, &w);
	before = open_fds();
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(10 * sizeof(int));
	for (i = 0; i < 10; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &g->new, sizeof(int));
	assert_int_equal(sendmsg(w.fd, &h, MSG_NOSIGNAL), sizeof(m));
	spin(g);
	assert_int_equal(open_fds(), before);
	close(w.fd);
}

/* A child that reads nothing costs a handful of packets; when it wakes up it knows, and can ask again. */
static void test_deaf(void **state)
{
	struct rig *g = *state;
	struct watch w;
	char name[40];
	int i, n;

	open_child(g, &w);
	assert_int_equal(set(g, &w, g->new, g->cur), 0);
	for (i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "new/%d", i);
		touch(g, name);
		loop_turn(&g->loop, false);
	}
	assert_int_equal(set(g, &w, g->new, g->cur), 0);
	assert_true(watch_take(&w));
	for (i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "new/%d", i);
		move(g, name, NULL);
		loop_turn(&g->loop, false);
	}
	for (n = 0; recv(w.fd, &(struct watch_msg){ 0 }, sizeof(struct watch_msg), MSG_DONTWAIT) > 0; n++)
		;
	assert_in_range(n, 1, 20);
	close(w.fd);
}

/* A child that asks and never reads the answers is not read from either. */
static void test_asks_only(void **state)
{
	struct rig *g = *state;
	struct watch_msg m = { WATCH_SET, 1 };
	struct watch w, good;
	int i, n = 0;

	open_child(g, &w);
	open_child(g, &good);
	for (i = 0; i < 5000; i++) {
		n += send(w.fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
		loop_turn(&g->loop, false);
	}
	assert_in_range(n, 2, 100);
	assert_int_equal(set(g, &good, g->new, g->cur), 0);
	/* the answers still come when they are wanted */
	for (i = 0; i < 200; i++) {
		(void)watch_take(&w);
		spin(g);
	}
	assert_int_equal(set(g, &w, g->new, g->cur), 0);
	close(w.fd);
	close(good.fd);
}

/* More events than the kernel keeps: everybody who watches looks for himself. */
static void test_overflow(void **state)
{
	struct rig *g = *state;
	struct watch w, idle;
	char name[40];
	int i;

	open_child(g, &w);
	open_child(g, &idle);
	assert_int_equal(set(g, &w, g->new, g->cur), 0);
	for (i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "new/%d", i % 10);
		touch(g, name);
		move(g, name, NULL);
	}
	for (i = 0; i < 1000 && !strstr(g->log, "max_queued_events"); i++)
		spin(g);
	assert_non_null(strstr(g->log, "max_queued_events"));
	assert_true(watch_take(&w));
	assert_false(watch_take(&idle));
	close(w.fd);
	close(idle.fd);
}

/* The folder is deleted, and another is made in its place. */
static void test_removed(void **state)
{
	struct rig *g = *state;
	struct watch w;
	char path[100];

	open_child(g, &w);
	assert_int_equal(set(g, &w, g->new, g->cur), 0);
	close(g->new);
	snprintf(path, sizeof(path), "%s/new", g->root);
	assert_int_equal(rmdir(path), 0);
	assert_true(wakes(g, &w));
	assert_int_equal(mkdir(path, 0700), 0);
	g->new = open(path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(set(g, &w, g->new, g->cur), 0);
	touch(g, "new/1");
	assert_true(wakes(g, &w));
	close(w.fd);
}

/* The parent is gone: no descriptor that is readable for ever, one last reason to look. */
static void test_parent_gone(void **state)
{
	struct rig *g = *state;
	struct watch w;

	open_child(g, &w);
	assert_int_equal(set(g, &w, g->new, g->cur), 0);
	notify_fini(&g->n);
	spin(g);
	assert_true(watch_take(&w));
	assert_int_equal(w.fd, -1);
	assert_false(w.is_on);
	assert_false(watch_take(&w));
	assert_int_equal(watch_set(&w, g->new, g->cur), -1);
}

/* Without an answer the child polls, a second later at most. */
static void test_mute_parent(void **state)
{
	struct rig *g = *state;
	uint64_t start = clock_mono_ms();
	struct watch w;

	open_child(g, &w);
	assert_int_equal(watch_set(&w, g->new, g->cur), -1);
	assert_in_range(clock_mono_ms() - start, 900, 3000);
	/* the late answer is not taken for that of the next question */
	spin(g);
	assert_int_equal(set(g, &w, g->new, open("/proc/self", O_RDONLY)), -1);
	close(w.fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_events), T(test_shared), T(test_refusals), T(test_garbage), T(test_many_fds), T(test_deaf),
		T(test_asks_only), T(test_overflow), T(test_removed), T(test_parent_gone), T(test_mute_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
