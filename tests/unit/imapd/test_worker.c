/* Children and their parent: both ends of each pair in one process, the child's calls in a thread because they wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
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
#include "imapd/watch.h"
#include "imapd/worker.h"

struct rig {
	struct loop loop;
	struct notify n;
	struct session_parent p;
	struct workers ws;
	pid_t last_pid;
	struct parent_session *parked;
	struct notify_watch *parked_watch;
	int parked_fd;
	char parked_words[100], parked_state[100];
	bool saw_change;
	int served_fd;                  /* of a session that needs a process of its own */
	char root[64];
	int new, cur;
	char log[2000];
};

static void on_log(void *arg, enum log_level level, const char *line)
{
	struct rig *g = arg;

	snprintf(g->log, sizeof(g->log), "%s", line);
}

static void on_park(void *arg, struct parent_session *s, const struct worker_park *left)
{
	struct rig *g = arg;

	assert_null(s->process);
	g->parked = s;
	g->parked_fd = left->client;
	g->parked_watch = left->watch;
	g->saw_change = left->is_due;
	snprintf(g->parked_words, sizeof(g->parked_words), "%.*s", SPAN_ARG(left->words));
	snprintf(g->parked_state, sizeof(g->parked_state), "%.*s", SPAN_ARG(left->state));
}

static struct rig *rig;

static int fake_spawn(struct session_parent *p, struct parent_session *s, int fd, struct err *err)
{
	rig->served_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	snprintf(rig->parked_state, sizeof(rig->parked_state), "%.*s", SPAN_ARG(s->start.state));
	(void)session_parent_adopt(p, s, ++rig->last_pid);
	return 0;
}

static void on_reaped(struct session_parent *p, struct session_process *pr)
{
	workers_reaped(pr);
}

static const struct session_kind kind = { .service = "imap", .spawn = fake_spawn, .reaped = on_reaped };

static int setup(void **state)
{
	struct rig *g = calloc(1, sizeof(*g));
	struct err err = ERR_INIT;
	char path[100];

	rig = g;
	g->served_fd = -1;
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
	session_parent_init(&g->p, &kind, NULL, &g->loop);
	notify_init(&g->n, &g->loop);
	assert_true(g->n.fd >= 0);
	workers_init(&g->ws, &g->p, &g->n, on_park, g);
	workers_configure(&g->ws, 60000, 3);
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

	workers_fini(&g->ws);
	spin(g);
	assert_true(LIST_EMPTY(&g->ws.list));
	session_parent_fini(&g->p);
	notify_fini(&g->n);
	spin(g);
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

static struct parent_session *begin(struct rig *g, const char *user)
{
	struct child_start start = { .user = user, .system_user = "", .home = "/home", .mail = "/home/Maildir", .index = "",
				     .session = "S1", .remote = "192.0.2.1", .tag = "a1", .watch_fd = -1 };
	struct arena a = { 0 };

	return session_parent_begin(&g->p, &start, &a);
}

static void open_child(struct rig *g, struct watch *w)
{
	int fds[2];

	assert_int_equal(pair_new(fds), 0);
	workers_add(&g->ws, session_parent_adopt(&g->p, begin(g, "tito"), ++g->last_pid), fds[0]);
	watch_init(w, fds[1]);
}

static size_t n_workers(const struct rig *g)
{
	const struct session_process *pr;
	size_t n = 0;

	for (pr = g->p.processes; pr; pr = pr->next)
		n += pr->own != NULL;
	return n;
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
	assert_int_equal(n_workers(g), 3);
	touch(g, "new/1");
	for (i = 0; i < 3; i++)
		assert_true(wakes(g, &w[i]));
	/* one ends, one looks elsewhere: the third still hears */
	close(w[0].fd);
	watch_clear(&w[1]);
	spin(g);
	assert_int_equal(n_workers(g), 2);
	assert_int_equal(g->n.dirs.n, 2);
	touch(g, "new/2");
	assert_false(wakes(g, &w[1]));
	assert_true(wakes(g, &w[2]));
	close(w[1].fd);
	close(w[2].fd);
	spin(g);
	assert_int_equal(n_workers(g), 0);
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
		{ "short", 3, 0, false }, { "too long", 8 + PAIR_MAX + 8, PAIR_WATCH, false }, { "unknown kind", 8, 77, true },
		{ "SET without descriptors", 8, PAIR_WATCH, true }, { "empty", 0, 0, false },
	};
	struct rig *g = *state;
	struct watch good;
	size_t i, before;

	open_child(g, &good);
	assert_int_equal(set(g, &good, g->new, g->cur), 0);
	before = open_fds();
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t raw[PAIR_MAX / 4 + 4] = { rows[i].kind, 5 };
		struct watch w;

		open_child(g, &w);
		assert_int_equal(send(w.fd, raw, rows[i].n, MSG_NOSIGNAL), rows[i].n);
		spin(g);
		if (n_workers(g) != (rows[i].lives ? 2 : 1))
			fail_msg("%s: %zu children", rows[i].label, n_workers(g));
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
	struct pair_msg m = { PAIR_WATCH, 1 };
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
	for (n = 0; recv(w.fd, &(struct pair_msg){ 0 }, sizeof(struct pair_msg), MSG_DONTWAIT) > 0; n++)
		;
	assert_in_range(n, 1, 20);
	close(w.fd);
}

/* A child that asks and never reads the answers is not read from either. */
static void test_asks_only(void **state)
{
	struct rig *g = *state;
	struct pair_msg m = { PAIR_WATCH, 1 };
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
	workers_fini(&g->ws);
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

/* ---- sessions that end, come and rest ---- */

static struct session_process *process_of(const struct rig *g)
{
	return g->p.processes;
}

/* A pair whose one end is a client's connection; the caller closes both. */
static void connect_client(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

static void test_next(void **state)
{
	struct rig *g = *state;
	struct pair_begin *b;
	struct parent_session *s;
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	struct span words;
	char buf[PAIR_MAX];
	struct watch w;
	int client, fds[2];

	connect_client(fds);
	open_child(g, &w);
	assert_int_equal(watch_done(&w), 0);
	spin(g);
	assert_int_equal(g->p.n_sessions, 0);
	assert_int_equal(g->ws.n_waiting, 1);
	assert_int_equal(watch_next(&w, 0, &client, &words, buf), 0);
	/* another user's does not come here */
	s = begin(g, "iqbal");
	assert_null(s->process);
	session_parent_end(&g->p, s);
	s = begin(g, "tito");
	s->start.input = SPAN_LIT("a2 NOOP\r\n");
	assert_int_equal(workers_serve(&g->ws, s, fds[0], &err), 0);
	assert_ptr_equal(s->process, process_of(g));
	assert_int_equal(g->ws.n_waiting, 0);
	assert_int_equal(watch_next(&w, 1000, &client, &words, buf), 1);
	b = ipc_decode(&pair_begin_desc, words, &a, &err);
	assert_non_null(b);
	assert_true(span_eqz(b->session, "S1") && span_eqz(b->tag, "a1") && span_eqz(b->remote, "192.0.2.1") &&
		    span_eqz(b->input, "a2 NOOP\r\n") && b->state.n == 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(read(client, buf, 1), 1);
	close(client);
	/* the third is the last: max_use */
	assert_int_equal(watch_done(&w), 0);
	spin(g);
	assert_int_equal(workers_serve(&g->ws, begin(g, "tito"), fds[0], &err), 0);
	assert_int_equal(watch_next(&w, 1000, &client, &words, buf), 1);
	close(client);
	assert_int_equal(watch_done(&w), 0);
	spin(g);
	assert_int_equal(g->ws.n_waiting, 0);
	assert_int_equal(watch_next(&w, 1000, &client, &words, buf), -1);
	assert_int_equal(w.fd, -1);
	arena_fini(&a);
	close(fds[0]);
	close(fds[1]);
}

/* Why a child that is done does not wait. */
static void test_dismissed(void **state)
{
	static const struct { const char *label; bool drains, reloads, has_zero_idle, waits; } rows[] = {
		{ "waits", .waits = true }, { "the suite stops", .drains = true }, { "a reload", .reloads = true },
		{ "max_idle = 0", .has_zero_idle = true },
	};
	struct rig *g = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct watch w;

		workers_configure(&g->ws, rows[i].has_zero_idle ? 0 : 60000, 3);
		open_child(g, &w);
		g->p.is_draining = rows[i].drains;
		if (rows[i].reloads)
			workers_configure(&g->ws, 60000, 3);
		assert_int_equal(watch_done(&w), 0);
		spin(g);
		if (n_workers(g) != rows[i].waits)
			fail_msg("%s", rows[i].label);
		g->p.is_draining = false;
		/* and those that wait already */
		workers_dismiss(&g->ws);
		spin(g);
		assert_int_equal(n_workers(g), 0);
		close(w.fd);
	}
}

static void test_many_wait(void **state)
{
	struct rig *g = *state;
	struct watch w[102];
	size_t i;

	for (i = 0; i < ARRAY_LEN(w); i++) {
		open_child(g, &w[i]);
		assert_int_equal(watch_done(&w[i]), 0);
		spin(g);
	}
	assert_int_equal(g->ws.n_waiting, 100);
	for (i = 0; i < ARRAY_LEN(w); i++) {
		(void)watch_take(&w[i]);
		if ((w[i].fd < 0) != (i < 2))
			fail_msg("child %zu", i);
		if (w[i].fd >= 0)
			close(w[i].fd);
	}
}

/* The session goes on elsewhere, and the watch with it. */
static void test_park(void **state)
{
	struct rig *g = *state;
	const struct pair_park park = { .wake_ms = 5, .still_ms = 7, .words_n = 4 };
	struct watch w;
	int fds[2];

	connect_client(fds);
	open_child(g, &w);
	assert_int_equal(set(g, &w, g->new, g->cur), 0);
	assert_int_equal(watch_park(&w, fds[0], &park, SPAN_LIT("in=1"), SPAN_LIT("state")), 0);
	assert_false(w.is_on);
	close(fds[0]);
	spin(g);
	assert_non_null(g->parked);
	assert_int_equal(g->p.n_sessions, 1);
	assert_string_equal(g->parked_words, "in=1");
	assert_string_equal(g->parked_state, "state");
	assert_int_equal(g->n.dirs.n, 2);
	(void)watch_take(&w);
	assert_int_equal(w.fd, -1);
	session_parent_reap(&g->p, g->last_pid, 0);
	assert_int_equal(g->p.n_sessions, 1);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(read(g->parked_fd, &(char){ 0 }, 1), 1);
	notify_end(&g->parked_watch);
	close(g->parked_fd);
	close(fds[1]);
}

/* The process may have ended before its last words are read, and with something unread. */
static void test_last_words(void **state)
{
	static const struct { const char *label; bool is_reaped_first, has_unread; } rows[] = {
		{ "read first", false, false }, { "reaped first", true, false }, { "read first, unread", false, true },
		{ "reaped first, unread", true, true },
	};
	struct rig *g = *state;
	const struct pair_park park = { .words_n = 0 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct watch w;
		int fds[2];

		g->parked = NULL;
		connect_client(fds);
		open_child(g, &w);
		assert_int_equal(set(g, &w, g->new, g->cur), 0);
		if (rows[i].has_unread) {
			touch(g, "new/1");
			spin(g);
			move(g, "new/1", NULL);
			spin(g);
		}
		assert_int_equal(watch_park(&w, fds[0], &park, SPAN_NULL, SPAN_NULL), 0);
		close(fds[0]);
		close(w.fd);
		if (rows[i].is_reaped_first)
			session_parent_reap(&g->p, g->last_pid, 0);
		spin(g);
		session_parent_reap(&g->p, g->last_pid, 0);
		if (!g->parked || g->p.n_sessions != 1)
			fail_msg("%s: the session is lost", rows[i].label);
		/* what the child had not seen is not forgotten */
		assert_int_equal(g->saw_change, rows[i].has_unread);
		notify_end(&g->parked_watch);
		close(g->parked_fd);
		close(fds[1]);
		session_parent_end(&g->p, g->parked);
	}
}

/* A child that says twice that it is done, as often as it likes. */
static void test_done_again(void **state)
{
	struct rig *g = *state;
	struct watch w;
	int i;

	open_child(g, &w);
	for (i = 0; i < 5; i++)
		assert_int_equal(watch_done(&w), 0);
	spin(g);
	assert_int_equal(g->ws.n_waiting, 0);
	assert_int_equal(n_workers(g), 0);
	close(w.fd);
}

/* A socket that waits at its last close, in a message that nobody reads: the parent does not wait. */
static void test_lingering(void **state)
{
	struct rig *g = *state;
	const struct linger five = { 1, 5 };
	uint64_t start = clock_mono_ms();
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0), out = socket(AF_INET, SOCK_STREAM, 0), in, least = 1;
	char block[65536] = { 0 };
	struct watch w;

	assert_int_equal(bind(listener, (void *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (void *)&at, &len), 0);
	(void)setsockopt(out, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
	assert_int_equal(connect(out, (void *)&at, len), 0);
	in = accept(listener, NULL, NULL);
	while (send(out, block, sizeof(block), MSG_DONTWAIT) > 0)
		;
	(void)setsockopt(out, SOL_SOCKET, SO_LINGER, &five, sizeof(five));
	open_child(g, &w);
	/* nonsense first, so that what follows is left in the socket */
	assert_int_equal(send(w.fd, "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(pair_send(w.fd, &(struct pair_msg){ PAIR_PARK, 0 }, (int[2]){ out, -1 }, SPAN_NULL), 0);
	close(out);
	spin(g);
	assert_int_equal(n_workers(g), 0);
	assert_true(clock_mono_ms() - start < 3000);
	close(w.fd);
	close(in);
	close(listener);
}

/* What is no session to hold leaves all as it was. */
static void test_bad_park(void **state)
{
	struct rig *g = *state;
	const struct pair_park park = { .words_n = 0 }, lies = { .words_n = 1 << 20 };
	struct watch w;
	size_t before;
	int fds[2], datagrams[2];

	connect_client(fds);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, datagrams), 0);
	open_child(g, &w);
	before = open_fds();
	assert_int_equal(watch_park(&w, datagrams[0], &park, SPAN_NULL, SPAN_NULL), 0);
	assert_int_equal(watch_park(&w, g->new, &park, SPAN_NULL, SPAN_NULL), 0);
	assert_int_equal(watch_park(&w, fds[0], &lies, SPAN_LIT("in"), SPAN_NULL), 0);
	assert_int_equal(pair_send(w.fd, &(struct pair_msg){ PAIR_PARK, 0 }, (int[2]){ fds[0], -1 }, SPAN_LIT("short")), 0);
	spin(g);
	assert_null(g->parked);
	assert_non_null(g->p.sessions->process);
	assert_int_equal(open_fds(), before);
	/* one that serves nobody has nothing to give away */
	assert_int_equal(watch_done(&w), 0);
	spin(g);
	assert_int_equal(watch_park(&w, fds[0], &park, SPAN_NULL, SPAN_NULL), 0);
	watch_refuse(&w, fds[0], SPAN_NULL);
	spin(g);
	assert_null(g->parked);
	assert_int_equal(g->served_fd, -1);
	assert_int_equal(open_fds(), before - 1);
	close(w.fd);
	close(fds[0]);
	close(fds[1]);
	close(datagrams[0]);
	close(datagrams[1]);
}

static void test_refuse(void **state)
{
	struct rig *g = *state;
	struct err err = ERR_INIT;
	struct parent_session *s;
	struct span words;
	char buf[PAIR_MAX];
	struct watch w;
	int client, fds[2];

	connect_client(fds);
	open_child(g, &w);
	assert_int_equal(watch_done(&w), 0);
	spin(g);
	s = begin(g, "tito");
	assert_int_equal(workers_serve(&g->ws, s, fds[0], &err), 0);
	close(fds[0]);
	assert_int_equal(watch_next(&w, 1000, &client, &words, buf), 1);
	watch_refuse(&w, client, SPAN_LIT("state"));
	close(client);
	spin(g);
	/* a new process serves it, from where it was */
	assert_true(g->served_fd >= 0);
	assert_string_equal(g->parked_state, "state");
	assert_int_equal(s->process->pid, g->last_pid);
	assert_int_equal(g->p.n_sessions, 1);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(read(g->served_fd, buf, 1), 1);
	close(g->served_fd);
	close(fds[1]);
	close(w.fd);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_events), T(test_shared), T(test_refusals), T(test_garbage), T(test_many_fds), T(test_deaf),
		T(test_asks_only), T(test_overflow), T(test_removed), T(test_parent_gone), T(test_mute_parent),
		T(test_next), T(test_dismissed), T(test_many_wait), T(test_park), T(test_bad_park), T(test_refuse),
		T(test_last_words), T(test_done_again), T(test_lingering),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
