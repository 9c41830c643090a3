/* fake_qmgr.h: local's parent in this process, a qmgr made for tests at its channel, and a password file of our own */
#ifndef TESTS_LOCAL_FAKE_QMGR_H
#define TESTS_LOCAL_FAKE_QMGR_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "local/agent.h"
#include "svc/msg_queue.h"

#define TITO 30001
#define IQBAL 30002
#define VMAIL 30005

static char root[64];

/* Stands in front of libc's: homes lie in the test's own folder. */
int getpwnam_r(const char *name, struct passwd *pw, char *buf, size_t n, struct passwd **found)
{
	static const struct {
		const char *name;
		uid_t uid;
	} users[] = { { "tito", TITO }, { "iqbal", IQBAL }, { "nobody", 65534 }, { "root", 0 },
	  { "ghost", TITO } };

	*found = NULL;
	if (strcmp(name, "broken") == 0)
		return EIO;
	for (size_t i = 0; i < ARRAY_LEN(users); i++) {
		if (strcmp(name, users[i].name) != 0)
			continue;
		snprintf(buf, n, "%s/%s", root, name);
		*pw = (struct passwd){ .pw_name = (char *)(uintptr_t)users[i].name,
				       .pw_dir = buf,
				       .pw_shell = (char *)(uintptr_t) "/bin/sh",
				       .pw_uid = users[i].uid,
				       .pw_gid = users[i].uid };
		*found = pw;
	}
	return 0;
}

/* What the fake qmgr has heard. Results in order of arrival, texts copied. */
struct heard {
	uint64_t qid, job, index, status, is_lazy;
	char dsn[16], text[1200];
	char news[2000];                /* "kind:as_user:address;" */
};

static struct {
	struct daemon d;
	struct agent *agent;
	struct ipc end;
	struct heard v[2000];
	size_t n;
	uint64_t credits, running, hellos;
	bool goes_on;                   /* the HELLO has more */
	char log[200000];
	size_t log_n;
} q;

static void to_log(void *arg, enum log_level level, const char *line)
{
	q.log_n += (size_t)snprintf(q.log + q.log_n, sizeof(q.log) - q.log_n, "%s\n", line);
	if (q.log_n > sizeof(q.log) - 4000)
		q.log_n = 0;
}

static void on_hello(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct dlv_hello *m = in;

	q.running = m->running.n + (q.goes_on ? q.running : 0);
	q.goes_on = m->more;
	q.hellos += !m->more;
}

static void on_credit(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	q.credits += ((const struct dlv_credit *)in)->jobs;
}

static void on_dlv_result(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct dlv_result *m = in;

	for (size_t i = 0; i < m->rcpts.n; i++) {
		const struct dlv_rcpt_result *r = (const struct dlv_rcpt_result *)m->rcpts.v + i;
		struct heard *h = &q.v[q.n++ % ARRAY_LEN(q.v)];
		size_t at = 0;

		*h = (struct heard){ m->qid, m->job, r->index, r->status, r->is_lazy };
		snprintf(h->dsn, sizeof(h->dsn), "%.*s", SPAN_ARG(r->dsn));
		snprintf(h->text, sizeof(h->text), "%.*s", SPAN_ARG(r->text));
		for (size_t k = 0; k < r->news.n && at < sizeof(h->news); k++) {
			const struct route_new *w = (const struct route_new *)r->news.v + k;

			at += (size_t)snprintf(h->news + at, sizeof(h->news) - at, "%d:%.*s:%.*s%s%.*s;", (int)w->kind,
					       SPAN_ARG(w->as_user), SPAN_ARG(w->address), w->via.n ? " via " : "",
					       SPAN_ARG(w->via));
		}
	}
}

static const struct ipc_rule fake_rules[] = {
	{ &dlv_hello_desc, ~0u, on_hello },
	{ &dlv_credit_desc, ~0u, on_credit },
	{ &dlv_result_desc, ~0u, on_dlv_result },
};

static void fake_lost(void *arg, struct ipc *c, const struct err *why)
{
	fail_msg("the agent closed its channel: %s", why->msg);
}

static const struct ipc_ops fake_ops = { "fake", fake_rules, ARRAY_LEN(fake_rules), fake_lost, NULL };

static void on_tick_end(uv_timer_t *t)
{
	(*(bool *)t->data) = true;
}

/* Turns the loop until cond_n results are there; fails after ten seconds. */
static void wait_results(size_t cond_n)
{
	uv_timer_t t;
	bool late = false;

	uv_timer_init(&q.d.loop.uv, &t);
	t.data = &late;
	uv_timer_start(&t, on_tick_end, 20000, 0);
	while (q.n < cond_n && !late)
		loop_turn(&q.d.loop, true);
	uv_close((uv_handle_t *)&t, NULL);
	loop_turn(&q.d.loop, false);
	if (late)
		fail_msg("%zu of %zu results in twenty seconds", q.n, cond_n);
}

static void turn_for(uint64_t ms)
{
	uv_timer_t t;
	bool late = false;

	uv_timer_init(&q.d.loop.uv, &t);
	t.data = &late;
	uv_timer_start(&t, on_tick_end, ms, 0);
	while (!late)
		loop_turn(&q.d.loop, true);
	uv_close((uv_handle_t *)&t, NULL);
	loop_turn(&q.d.loop, false);
}

static void fake_attach(void)
{
	struct err err = ERR_INIT;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		fail_msg("%s", (err_sys(&err, "socketpair"), err.msg));
	ipc_init(&q.end, &q.d.loop, &fake_ops, NULL);
	ipc_attach(&q.end, &sv[0]);
	agent_ops.channel(&q.d, CHAN_DELIVER, false, SPAN_LIT("qmgr"), &sv[1]);
	turn_for(20);
}

static struct conf *new_conf(const char *more)
{
	struct conf *c = xnew(struct conf);
	struct conf_errors errors = { 0 };
	struct str text = STR_INIT(100000);

	str_addf(&text,
		 "myhostname = mail.example.com\nmydestination = example.com\ndata_directory = %s/data\n"
		 "virtual_mailbox_base = %s/vmail\nvirtual_minimum_uid = 1000\nrecipient_delimiter = +\n%s\n",
		 root, root, more);
	if (conf_parse(c, "main.cf", str_span(&text), &errors) < 0)
		fail_msg("%s", errors.v[0]);
	str_fini(&text);
	conf_errors_fini(&errors);
	return c;
}

static void make_dir(const char *name, uid_t uid)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(chown(path, uid, uid), 0);
}

static void start_agent(const char *more_conf)
{
	struct err err = ERR_INIT;

	memset(&q, 0, sizeof(q));
	snprintf(root, sizeof(root), "/tmp/surat-local-XXXXXX");
	assert_non_null(mkdtemp(root));
	assert_int_equal(chmod(root, 0755), 0);
	make_dir("data", 0);
	make_dir("tito", TITO);
	make_dir("iqbal", IQBAL);
	make_dir("vmail", VMAIL);
	make_dir("nobody", 65534);
	make_dir("root", 0);
	log_set_sink(to_log, NULL);
	assert_int_equal(loop_init(&q.d.loop, &err), 0);
	q.agent = xnew(struct agent);
	q.d.state = q.agent;
	q.d.ops = &agent_ops;
	q.d.is_root = true;
	q.d.ctl.fd = -1;
	q.d.conf = new_conf(more_conf);
	if (agent_ops.init(&q.d, &err) < 0 || agent_ops.start(&q.d, &err) < 0)
		fail_msg("%s", err.msg);
	fake_attach();
}

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int stop_agent(void **state)
{
	if (!q.agent)
		return 0;
	ipc_close(&q.end);
	ipc_close(&q.agent->qmgr);
	pool_fini(&q.agent->pool);
	while (q.agent->jobs)
		job_free(q.agent->jobs);
	uv_close((uv_handle_t *)&q.agent->timer, NULL);
	uv_close((uv_handle_t *)&q.agent->sigchld, NULL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	settings_free(q.agent->settings);
	conf_fini(q.d.conf);
	free(q.d.conf);
	loop_fini(&q.d.loop);
	free(q.agent);
	q.agent = NULL;
	log_set_sink(NULL, NULL);
	return nftw(root, rm_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- asking ---- */

#define LETTER "From: a@b.org\nSubject: x\n\nFrom here on\nbody\n"

static uint64_t next_qid = 1000;

struct ask {
	const char *sender, *body;
	size_t n;
	struct dlv_rcpt rcpts[60];
	const char *transport;
	uint64_t attempts, arrival_ms;
	int fd;
};

static inline struct dlv_rcpt to_user(const char *user, const char *extension)
{
	static char address[4][100];
	static int i;
	char *a = address[i++ % 4];

	snprintf(a, 100, "%s%s%s@example.com", user, extension[0] ? "+" : "", extension);
	return (struct dlv_rcpt){
		.address = span_z(a), .orig = span_z(a), .user = span_z(user), .extension = span_z(extension)
	};
}

static inline struct dlv_rcpt to_kind(enum rcpt_kind kind, const char *as_user, const char *text)
{
	return (struct dlv_rcpt){
		.kind = kind, .as_user = span_z(as_user), .address = span_z(text), .orig = SPAN_LIT("List@example.com")
	};
}

static inline struct dlv_rcpt to_virtual(const char *address, const char *maildir, uint64_t uid)
{
	return (struct dlv_rcpt){
		.address = span_z(address), .orig = span_z(address), .maildir = span_z(maildir), .uid = uid, .gid = uid
	};
}

/* Sends without waiting. */
static void ask_send(struct ask a)
{
	const char *body = a.body ? a.body : LETTER;
	struct stat st = { 0 };
	struct dlv_job m = {
		.qid = next_qid++,
		.job = 7,
		.transport = span_z(a.transport ? a.transport : "local"),
		.sender = span_z(a.sender ? a.sender : "sender@example.org"),
		.arrival_ms = a.arrival_ms ? a.arrival_ms : clock_wall_ms() - 5,
		.queued_ms = clock_wall_ms() - 2,
		.attempts = a.attempts,
		.rcpts = { a.rcpts, a.n ? a.n : 1 },
		.body = a.fd > 0 ? SPAN_NULL : span_z(body),
	};
	int fd = a.fd > 0 ? dup(a.fd) : -1;

	if (a.fd > 0)
		fstat(fd, &st);
	m.size = a.fd > 0 ? (uint64_t)st.st_size : m.body.n;
	for (size_t i = 0; i < m.rcpts.n; i++)
		a.rcpts[i].index = i;
	assert_int_equal(ipc_send(&q.end, &dlv_job_desc, &m, &fd), 0);
}

static inline const struct heard *ask_one(struct ask a)
{
	size_t n = q.n;

	ask_send(a);
	wait_results(n + (a.n ? a.n : 1));
	return &q.v[n];
}

/* ---- looking ---- */

static const char *in_root(const char *rel)
{
	static char path[4][400];
	static int i;
	char *p = path[i++ % 4];

	snprintf(p, 400, "%s/%s", root, rel);
	return p;
}

static inline void put_file(const char *rel, const char *text, uid_t uid, mode_t mode)
{
	FILE *f = fopen(in_root(rel), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chown(in_root(rel), uid, uid), 0);
	assert_int_equal(chmod(in_root(rel), mode), 0);
}

static const char *get_file(const char *path)
{
	static char buf[100000];
	FILE *f = fopen(path, "r");

	if (!f)
		return NULL;
	buf[fread(buf, 1, sizeof(buf) - 1, f)] = '\0';
	fclose(f);
	return buf;
}

/* Files in a folder; the text of the last one in *text_r. */
static inline int count_in(const char *rel, const char **text_r, struct stat *st_r)
{
	DIR *d = opendir(in_root(rel));
	struct dirent *e;
	char path[700];
	int n = 0;

	if (!d)
		return 0;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		snprintf(path, sizeof(path), "%s/%s", in_root(rel), e->d_name);
		if (text_r)
			*text_r = get_file(path);
		if (st_r)
			assert_int_equal(stat(path, st_r), 0);
	}
	closedir(d);
	return n;
}

#define EXPECT(h, want_status, want_dsn, part) \
	do {                                                                                                               \
		const struct heard *h_ = (h);                                                                              \
		if (h_->status != (want_status) || strcmp(h_->dsn, want_dsn) != 0 || !strstr(h_->text, part))              \
			fail_msg("line %d: status %d, dsn %s, text %s", __LINE__, (int)h_->status, h_->dsn, h_->text);     \
	} while (0)

#endif
