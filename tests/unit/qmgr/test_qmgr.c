/* The whole queue manager in one loop with a fake smtpd, a fake resolve and fake agents on socketpairs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "qmgr/active.h"
#include "qmgr/admin.h"
#include "qmgr/agents.h"
#include "qmgr/enqueue.h"
#include "qmgr/qmgr.h"
#include "svc/msg_admin.h"
#include "svc/msg_deliver.h"
#include "svc/msg_queue.h"

#define JOBS 64

struct seen_job {
	uint64_t qid, job;
	char transport[16], sender[64], rcpts[256], body[400], delivered_to[64];
	uint64_t nos[16];
	size_t n;
	bool is_final;
	bool had_fd;
};

struct fake_agent {
	struct ipc ipc;
	struct seen_job jobs[JOBS];
	size_t n;
	bool is_gone;
};

struct rig {
	char dir[64];
	struct loop loop;
	struct qmgr q;
	struct ipc resolve, smtpd;
	struct fake_agent local, spare;
	struct ipc tool;
	struct admin *admin;
	struct adm_done done;
	uint64_t rows, active_rows;
	bool has_done;
	uint64_t shown_size;
	char shown[64];
	uint64_t next_id, ids_left, wanted;
	struct ipc_req reqs[64];
	unsigned accepted, refused;
	char refusal[32];
	char log[32768];
	struct err fatal;
	int large_fd;
	bool smtpd_gone;
};

/* ---- fakes ---- */

static void keep_log(void *arg, enum log_level level, const char *line)
{
	struct rig *r = arg;
	size_t n = strlen(r->log);

	snprintf(r->log + n, sizeof(r->log) - n, "%s\n", line);
}

static void no_loss(void *arg, struct ipc *c, const struct err *why)
{
}

static struct route_new fresh(const char *address)
{
	return (struct route_new){ .address = span_z(address) };
}

static void on_route_get(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct route_query *m = in;
	struct route r = { .action = ROUTE_DELIVER, .transport = SPAN_LIT("local"), .address = m->address, .user = m->address };
	struct route_new news[3];

	if (span_starts(m->address, "far")) {
		r.transport = SPAN_LIT("smtp");
	} else if (span_starts(m->address, "err")) {
		r.transport = SPAN_LIT("error");
		r.nexthop = SPAN_LIT("no mail for you");
	} else if (span_starts(m->address, "bad")) {
		r.action = ROUTE_REJECT;
		r.dsn = SPAN_LIT("5.1.1");
		r.text = SPAN_LIT("User unknown");
	} else if (span_starts(m->address, "later")) {
		r.action = ROUTE_DEFER;
		r.dsn = SPAN_LIT("4.3.0");
		r.text = SPAN_LIT("table not readable");
	} else if (span_starts(m->address, "list") && !m->is_final) {
		r.action = ROUTE_EXPAND;
		news[0] = fresh("one@x");
		news[1] = fresh("two@x");
		news[2] = fresh("list@x");
		r.news = (struct ipc_list){ news, 3 };
	} else if (span_starts(m->address, "owned")) {
		r.action = ROUTE_EXPAND;
		news[0] = fresh("bad@x");
		r.news = (struct ipc_list){ news, 1 };
		r.has_sender = 1;
		r.sender = SPAN_LIT("owner@x");
	} else if (span_starts(m->address, "many")) {
		r.user = SPAN_LIT("same");
	}
	assert_int_equal(ipc_reply(c, id, &route_desc, &r, NULL), 0);
}

static void copy(char *to, size_t n, struct span s)
{
	snprintf(to, n, "%.*s", SPAN_ARG(s));
}

static void on_job(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct fake_agent *g = arg;
	const struct dlv_job *m = in;
	const struct dlv_rcpt *v = m->rcpts.v;
	struct seen_job *s = &g->jobs[g->n++ % JOBS];
	size_t i;

	*s = (struct seen_job){ .qid = m->qid, .job = m->job, .n = m->rcpts.n, .had_fd = *fd >= 0 };
	copy(s->transport, sizeof(s->transport), m->transport);
	copy(s->sender, sizeof(s->sender), m->sender);
	copy(s->body, sizeof(s->body), m->body);
	for (i = 0; i < m->rcpts.n && i < 16; i++) {
		size_t n = strlen(s->rcpts);

		snprintf(s->rcpts + n, sizeof(s->rcpts) - n, "%s%.*s", i ? "," : "", SPAN_ARG(v[i].address));
		s->nos[i] = v[i].index;
		s->is_final = v[i].is_final;
		copy(s->delivered_to, sizeof(s->delivered_to), v[i].delivered_to);
	}
}

static void agent_gone(void *arg, struct ipc *c, const struct err *why)
{
	((struct fake_agent *)arg)->is_gone = true;
}

static void on_grant(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct rig *r = arg;
	const struct enq_grant *m = in;

	r->next_id = m->first;
	r->ids_left = m->count;
}

static void smtpd_lost(void *arg, struct ipc *c, const struct err *why)
{
	((struct rig *)arg)->smtpd_gone = true;
}

static const struct ipc_rule resolve_rules[] = { { &route_query_desc, ~0u, on_route_get } };
static const struct ipc_ops resolve_ops = { "resolve", resolve_rules, 1, no_loss, NULL };
static const struct ipc_rule agent_rules[] = { { &dlv_job_desc, ~0u, on_job } };
static const struct ipc_ops agent_ops = { "deliver", agent_rules, 1, agent_gone, NULL };
static const struct ipc_rule smtpd_rules[] = { { &enq_grant_desc, ~0u, on_grant } };
static const struct ipc_ops smtpd_ops = { "queue", smtpd_rules, 1, smtpd_lost, NULL };

static int pair(struct rig *r, struct ipc *ours, const struct ipc_ops *ops, void *arg)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	ipc_init(ours, &r->loop, ops, arg);
	ipc_attach(ours, &fds[0]);
	return fds[1];
}

static void on_rows(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct rig *r = arg;
	struct span data = ((const struct adm_rows *)in)->data;

	while (data.n) {
		struct adm_row row;

		memcpy(&row, data.p, sizeof(row));
		assert_true(row.len <= data.n - sizeof(row));
		data = span_from(data, sizeof(row) + row.len);
		r->rows++;
		r->active_rows += row.is_active;
	}
}

static void on_done(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct rig *r = arg;

	r->done = *(const struct adm_done *)in;
	r->has_done = true;
}

static void on_message(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct rig *r = arg;
	const struct adm_message *m = in;

	r->has_done = true;
	r->done.count = m->found;
	r->shown_size = m->record.n;
	copy(r->shown, sizeof(r->shown), m->body);
}

static const struct ipc_rule tool_rules[] = { { &adm_rows_desc, ~0u, on_rows }, { &adm_done_desc, ~0u, on_done },
					      { &adm_message_desc, ~0u, on_message } };
static const struct ipc_ops tool_ops = { "admin", tool_rules, 3, no_loss, NULL };

/* ---- rig ---- */

static void on_fatal(struct qmgr *q, const struct err *err)
{
	((struct rig *)q->arg)->fatal = *err;
}

static void attach_resolve(struct rig *r)
{
	int fd = pair(r, &r->resolve, &resolve_ops, r);

	qmgr_attach_resolve(&r->q, &fd);
}

static void attach_smtpd(struct rig *r)
{
	int fd = pair(r, &r->smtpd, &smtpd_ops, r);

	r->smtpd_gone = false;
	r->ids_left = 0;
	enqueue_attach(&r->q, SPAN_LIT("smtpd"), &fd);
}

static void attach_agent(struct rig *r, struct fake_agent *g)
{
	int fd = pair(r, &g->ipc, &agent_ops, g);

	g->is_gone = false;
	agents_attach(&r->q, SPAN_LIT("local"), &fd);
}

static void hello(struct fake_agent *g, const struct dlv_running *running, size_t n, uint64_t credit)
{
	struct dlv_hello h = { .transports = SPAN_LIT("local virtual"), .running = { (void *)running, n } };
	struct dlv_credit c = { credit };

	assert_int_equal(ipc_send(&g->ipc, &dlv_hello_desc, &h, NULL), 0);
	assert_int_equal(ipc_send(&g->ipc, &dlv_credit_desc, &c, NULL), 0);
}

static void start_qmgr(struct rig *r)
{
	struct err err = ERR_INIT;

	memset(&r->q, 0, sizeof(r->q));
	if (queue_open(&r->q.queue, r->dir, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	r->q.loop = &r->loop;
	r->q.fatal = on_fatal;
	r->q.arg = r;
	r->q.conf.minimal_backoff_time_ms = 300000;
	r->q.conf.maximal_backoff_time_ms = 4000000;
	r->q.conf.maximal_queue_lifetime_ms = r->q.conf.bounce_queue_lifetime_ms = 432000000;
	r->q.conf.bounce_size_limit = 50000;
	r->q.conf.qmgr_message_active_limit = 100;
	r->q.conf.default_destination_recipient_limit = 50;
	r->q.conf.transport_retry_time_ms = 60000;
	r->q.conf.n2bounce_notice_recipient = "postmaster";
	r->q.global.myhostname = "mail.x";
	r->q.global.myorigin = "x";
	r->q.global.double_bounce_sender = "double-bounce";
	qmgr_start(&r->q);
}

static void stop_qmgr(struct rig *r)
{
	qmgr_stop(&r->q);
	queue_close(&r->q.queue);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static void turns(struct rig *r, int n)
{
	while (n-- > 0)
		loop_turn(&r->loop, false);
}

static int set_up(void **state)
{
	struct rig *r = xnew(struct rig);
	struct err err = ERR_INIT;

	snprintf(r->dir, sizeof(r->dir), "/tmp/qmgr-test-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	log_set_sink(keep_log, r);
	assert_int_equal(loop_init(&r->loop, &err), 0);
	start_qmgr(r);
	attach_resolve(r);
	attach_smtpd(r);
	attach_agent(r, &r->local);
	agents_expect(&r->q, 1);
	hello(&r->local, NULL, 0, 100);
	r->large_fd = -1;
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	clock_fake_ms(0);
	ipc_close(&r->resolve);
	ipc_close(&r->smtpd);
	ipc_close(&r->local.ipc);
	if (r->admin)
		ipc_close(&r->tool);
	admin_free(r->admin);
	if (r->spare.ipc.loop)
		ipc_close(&r->spare.ipc);
	stop_qmgr(r);
	turns(r, 3);
	loop_fini(&r->loop);
	log_set_sink(NULL, NULL);
	nftw(r->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(r);
	return 0;
}

/* Runs the loop until cond holds; five seconds are a failure. */
#define UNTIL(r, cond)                                                          \
	do {                                                                    \
		uint64_t until_ = uv_hrtime() + 5000000000u;                    \
		while (!(cond)) {                                               \
			if (uv_hrtime() > until_)                               \
				fail_msg("in vain: %s\nlog:\n%s", #cond, (r)->log); \
			loop_turn(&(r)->loop, true);                            \
		}                                                               \
	} while (0)

static void on_result(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	struct rig *r = arg;
	const struct enq_result *m = reply;

	if (rc != IPC_OK)
		return;
	if (m->status == MSG_OK) {
		r->accepted++;
	} else {
		r->refused++;
		copy(r->refusal, sizeof(r->refusal), m->dsn);
	}
}

static uint64_t begin(struct rig *r, const char *sender, const char *const *rcpts, size_t n, uint64_t notify)
{
	struct enq_begin b = { .sender = span_z(sender), .proto = SPAN_LIT("ESMTP") };
	struct enq_rcpt v[16];
	struct enq_rcpts m = { .rcpts = { v, n } };
	size_t i;

	UNTIL(r, r->ids_left > 0);
	b.qid = m.qid = r->next_id++;
	r->ids_left--;
	for (i = 0; i < n; i++)
		v[i] = (struct enq_rcpt){ .address = span_z(rcpts[i]), .notify = notify };
	for (i = 0; r->reqs[i].c; i++)
		assert_true(i < 63);
	assert_int_equal(ipc_call(&r->smtpd, &enq_begin_desc, &b, NULL, &enq_result_desc, &r->reqs[i], on_result, r, 0), 0);
	assert_int_equal(ipc_send(&r->smtpd, &enq_rcpts_desc, &m, NULL), 0);
	return b.qid;
}

static void end(struct rig *r, uint64_t qid, const char *body, uint64_t size)
{
	struct enq_body b = { qid, span_z(body) };
	struct enq_end e = { qid, size };

	assert_int_equal(ipc_send(&r->smtpd, &enq_body_desc, &b, NULL), 0);
	assert_int_equal(ipc_send(&r->smtpd, &enq_end_desc, &e, NULL), 0);
}

static const char body[] = "Subject: hello\n\nDear reader\n";

static uint64_t submit(struct rig *r, const char *sender, const char *rcpt, uint64_t notify)
{
	uint64_t id = begin(r, sender, &rcpt, 1, notify);

	end(r, id, body, strlen(body));
	return id;
}

static void report(struct fake_agent *g, const struct seen_job *s, size_t which, enum dlv_status status, const char *dsn,
		   const char *text, bool is_lazy)
{
	struct dlv_rcpt_result v = { .index = s->nos[which], .status = status, .dsn = span_z(dsn), .text = span_z(text),
				     .is_lazy = is_lazy };
	struct dlv_result m = { s->qid, s->job, { &v, 1 } };

	assert_int_equal(ipc_send(&g->ipc, &dlv_result_desc, &m, NULL), 0);
}

static void sent(struct fake_agent *g, size_t job)
{
	size_t i;

	for (i = 0; i < g->jobs[job].n; i++)
		report(g, &g->jobs[job], i, DLV_SENT, "2.0.0", "delivered to maildir", false);
}

static size_t messages(struct rig *r)
{
	struct err err = ERR_INIT;
	size_t n, held;

	assert_int_equal(queue_count(r->q.queue, &n, &held, &err), 0);
	return n;
}

static void stored(struct rig *r, uint64_t id, struct queue_msg *m, struct arena *a)
{
	struct err err = ERR_INIT;

	assert_int_equal(queue_get(r->q.queue, id, a, m, &err), QUEUE_FOUND);
}

static void logged(struct rig *r, const char *what)
{
	if (!strstr(r->log, what))
		fail_msg("'%s' is not in the log:\n%s", what, r->log);
}

/* ---- tests ---- */

static void accept_deliver_remove(void **state)
{
	struct rig *r = *state;
	uint64_t id = submit(r, "tito@x", "iqbal@x", 0);
	char name[QUEUE_ID_LEN + 1], line[128];

	UNTIL(r, r->accepted == 1);
	assert_int_equal(messages(r), 1);
	UNTIL(r, r->local.n == 1);
	assert_string_equal(r->local.jobs[0].rcpts, "iqbal@x");
	assert_string_equal(r->local.jobs[0].sender, "tito@x");
	assert_string_equal(r->local.jobs[0].body, body);
	assert_string_equal(r->local.jobs[0].transport, "local");
	assert_true(r->local.jobs[0].qid == id);
	sent(&r->local, 0);
	UNTIL(r, messages(r) == 0 && r->q.n_active == 0);
	queue_id_print(name, id);
	snprintf(line, sizeof(line), "%s: from=<tito@x>, size=%zu, nrcpt=1 (queue active)", name, strlen(body));
	logged(r, line);
	snprintf(line, sizeof(line), "%s: removed", name);
	logged(r, line);
}

/* The 250 comes after the commit: what was answered is on the disk. */
static void answered_means_stored(void **state)
{
	struct rig *r = *state;
	uint64_t ids[20];
	struct queue_msg m;
	struct arena a = { 0 };
	uint64_t commits, jobs;
	size_t i;

	for (i = 0; i < 20; i++)
		ids[i] = submit(r, "tito@x", "later@x", 0);
	UNTIL(r, r->accepted == 20);
	for (i = 0; i < 20; i++)
		stored(r, ids[i], &m, &a);
	UNTIL(r, r->q.n_active == 0);
	writer_counts(r->q.writer, &commits, &jobs);
	assert_int_equal(jobs, 40);
	assert_true(commits < 20);      /* they shared */
	arena_fini(&a);
}

static void abort_and_loss(void **state)
{
	struct rig *r = *state;
	const char *rcpt = "iqbal@x";
	uint64_t id = begin(r, "tito@x", &rcpt, 1, 0);
	struct enq_abort m = { id };

	assert_int_equal(ipc_send(&r->smtpd, &enq_abort_desc, &m, NULL), 0);
	begin(r, "tito@x", &rcpt, 1, 0);
	turns(r, 5);
	ipc_close(&r->smtpd);
	turns(r, 5);
	assert_int_equal(messages(r), 0);
	attach_smtpd(r);
	submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->accepted == 1);
}

static void nonsense_ends_only_its_channel(void **state)
{
	struct rig *r = *state;
	static const struct { const char *label; uint64_t id_off; const char *sender; const char *rcpt; } rows[] = {
		{ "an id that was not granted", 1u << 30, "a@x", "b@x" }, { "newline in the sender", 0, "a@x\nX: y", "b@x" },
		{ "empty recipient", 0, "a@x", "" }, { "control character in a recipient", 0, "a@x", "b\x01@x" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		UNTIL(r, r->ids_left > 0);
		r->next_id += rows[i].id_off;
		begin(r, rows[i].sender, &rows[i].rcpt, 1, 0);
		UNTIL(r, r->smtpd_gone);
		attach_smtpd(r);
	}
	submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->accepted == 1);
	assert_int_equal(r->fatal.kind, ERR_NONE);
}

static void incomplete_letter(void **state)
{
	struct rig *r = *state;
	const char *rcpt = "iqbal@x";

	end(r, begin(r, "tito@x", &rcpt, 1, 0), body, strlen(body) + 1);
	UNTIL(r, r->refused == 1);
	assert_string_equal(r->refusal, "4.3.0");
	end(r, begin(r, "tito@x", &rcpt, 0, 0), body, strlen(body));
	UNTIL(r, r->refused == 2);
	assert_int_equal(messages(r), 0);
}

static void on_large_fd(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	struct rig *r = arg;

	r->large_fd = *fd;
	*fd = -1;
}

static void large_body(void **state)
{
	static const struct { size_t announced; unsigned ok; } rows[] = { { 100000, 1 }, { 100001, 0 } };
	struct rig *r = *state;
	const char *rcpt = "iqbal@x";
	char *big = xcalloc(1, 100000);
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t id = begin(r, "tito@x", &rcpt, 1, 0);
		struct enq_large l = { id };
		struct enq_end e = { id, rows[i].announced };
		struct ipc_req req = { 0 };

		assert_int_equal(ipc_call(&r->smtpd, &enq_large_desc, &l, NULL, &enq_large_fd_desc, &req, on_large_fd, r, 0), 0);
		UNTIL(r, r->large_fd >= 0);
		assert_int_equal(fcntl(r->large_fd, F_GETFL) & O_ACCMODE, O_WRONLY);
		assert_int_equal(write(r->large_fd, big, 100000), 100000);
		close(r->large_fd);
		r->large_fd = -1;
		assert_int_equal(ipc_send(&r->smtpd, &enq_end_desc, &e, NULL), 0);
		UNTIL(r, r->accepted + r->refused == i + 1);
		assert_int_equal(r->accepted, 1);
	}
	UNTIL(r, r->local.n == 1);
	assert_true(r->local.jobs[0].had_fd);
	sent(&r->local, 0);
	UNTIL(r, messages(r) == 0);
	free(big);
}

static void expansion(void **state)
{
	struct rig *r = *state;
	uint64_t id = submit(r, "tito@x", "list@x", 0);
	struct queue_msg m;
	struct arena a = { 0 };

	UNTIL(r, r->local.n == 3);
	stored(r, id, &m, &a);          /* durable before the first of them was lent */
	assert_int_equal(m.n_rcpts, 4);
	assert_int_equal(m.rcpts[0].state, QUEUE_CLOSED);
	assert_true(span_eqz(m.rcpts[1].addr, "one@x"));
	assert_true(span_eqz(m.rcpts[1].orig, "list@x"));
	assert_true(m.rcpts[3].is_final);
	assert_string_equal(r->local.jobs[2].rcpts, "list@x");
	assert_true(r->local.jobs[2].is_final);
	sent(&r->local, 0);
	sent(&r->local, 1);
	sent(&r->local, 2);
	UNTIL(r, messages(r) == 0);
	arena_fini(&a);
}

static void forward_by_local(void **state)
{
	struct rig *r = *state;
	struct route_new news[] = { fresh("other@x"), fresh("iqbal@x") };
	struct dlv_rcpt_result v = { .index = 0, .status = DLV_EXPANDED, .news = { news, 2 } };
	uint64_t id = submit(r, "tito@x", "iqbal@x", 0);
	struct dlv_result m = { id, 0, { &v, 1 } };

	UNTIL(r, r->local.n == 1);
	assert_int_equal(ipc_send(&r->local.ipc, &dlv_result_desc, &m, NULL), 0);
	UNTIL(r, r->local.n == 3);
	assert_string_equal(r->local.jobs[1].rcpts, "other@x");
	assert_string_equal(r->local.jobs[1].delivered_to, "iqbal@x");
	assert_false(r->local.jobs[1].is_final);
	assert_string_equal(r->local.jobs[2].rcpts, "iqbal@x");
	assert_true(r->local.jobs[2].is_final);
	sent(&r->local, 1);
	sent(&r->local, 2);
	UNTIL(r, messages(r) == 0);
}

static void same_user_one_job(void **state)
{
	struct rig *r = *state;
	const char *const rcpts[] = { "many1@x", "iqbal@x", "many2@x", "many3@x" };

	end(r, begin(r, "tito@x", rcpts, 4, 0), body, strlen(body));
	UNTIL(r, r->local.n == 2);
	assert_string_equal(r->local.jobs[0].rcpts, "many1@x,many2@x,many3@x");
	assert_string_equal(r->local.jobs[1].rcpts, "iqbal@x");
}

static void failure_notice(void **state)
{
	struct rig *r = *state;

	submit(r, "tito@x", "bad@x", 0);
	UNTIL(r, r->local.n == 1);
	assert_string_equal(r->local.jobs[0].sender, "");
	assert_string_equal(r->local.jobs[0].rcpts, "tito@x");
	assert_non_null(strstr(r->local.jobs[0].body, "MAILER-DAEMON@x"));
	logged(r, "to=<bad@x>, relay=none, delay=0");
	logged(r, "dsn=5.1.1, status=bounced (User unknown)");
	logged(r, "sender non-delivery notification: ");
	sent(&r->local, 0);
	UNTIL(r, messages(r) == 0);
}

static void who_is_told(void **state)
{
	static const struct { const char *label, *sender, *rcpt; uint64_t notify; const char *told; } rows[] = {
		{ "never", "tito@x", "bad@x", QUEUE_NEVER, NULL },
		{ "success only", "tito@x", "bad@x", QUEUE_SUCCESS, NULL },
		{ "failure asked", "tito@x", "bad@x", QUEUE_FAILURE, "tito@x" },
		{ "a notice", "", "bad@x", 0, NULL },
		{ "double bounce", "double-bounce@x", "bad@x", 0, NULL },
		{ "owner of a list", "tito@x", "owned@x", 0, "owner@x" },
		{ "error transport", "tito@x", "err@x", 0, "tito@x" },
	};
	struct rig *r = *state;
	size_t i, jobs = 0;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		submit(r, rows[i].sender, rows[i].rcpt, rows[i].notify);
		UNTIL(r, r->accepted == i + 1);
		if (rows[i].told) {
			UNTIL(r, r->local.n == jobs + 1);
			if (strcmp(r->local.jobs[jobs].rcpts, rows[i].told) != 0)
				fail_msg("%s: told %s", rows[i].label, r->local.jobs[jobs].rcpts);
			sent(&r->local, jobs++);
		}
		UNTIL(r, messages(r) == 0);
		if (r->local.n != jobs)
			fail_msg("%s: told %s", rows[i].label, r->local.jobs[jobs].rcpts);
	}
}

static void success_notice(void **state)
{
	struct rig *r = *state;

	submit(r, "tito@x", "iqbal@x", QUEUE_SUCCESS);
	UNTIL(r, r->local.n == 1);
	sent(&r->local, 0);
	UNTIL(r, r->local.n == 2);
	assert_string_equal(r->local.jobs[1].rcpts, "tito@x");
	assert_non_null(strstr(r->local.jobs[1].body, "Successful Mail Delivery Report"));
}

static void deferral_and_retry(void **state)
{
	struct rig *r = *state;
	uint64_t id, start = 2000000000000;
	struct queue_msg m;
	struct arena a = { 0 };

	clock_fake_ms(start);
	id = submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->local.n == 1);
	report(&r->local, &r->local.jobs[0], 0, DLV_DEFERRED, "4.2.2", "over quota", false);
	UNTIL(r, r->q.n_active == 0);
	stored(r, id, &m, &a);
	assert_int_equal(m.due_ms, start + 300000);
	assert_int_equal(m.rcpts[0].attempts, 1);
	assert_true(span_eqz(m.rcpts[0].text, "over quota"));
	clock_fake_ms(start + 299999);
	qmgr_run(&r->q);
	turns(r, 5);
	assert_int_equal(r->local.n, 1);
	clock_fake_ms(start + 300000);
	qmgr_run(&r->q);
	UNTIL(r, r->local.n == 2);
	assert_string_equal(r->local.jobs[1].body, body);
	report(&r->local, &r->local.jobs[1], 0, DLV_DEFERRED, "4.2.2", "over quota", false);
	UNTIL(r, r->q.n_active == 0);
	stored(r, id, &m, &a);
	assert_int_equal(m.due_ms, start + 300000 + 600000);
	clock_fake_ms(start + 432000000);
	qmgr_run(&r->q);
	UNTIL(r, r->local.n == 3);
	report(&r->local, &r->local.jobs[2], 0, DLV_DEFERRED, "4.2.2", "over quota", false);
	UNTIL(r, r->local.n == 4);
	assert_string_equal(r->local.jobs[3].rcpts, "tito@x");
	logged(r, "status=expired, returned to sender");
	arena_fini(&a);
}

static void backoff(void **state)
{
	static const struct { uint32_t attempts; uint64_t s; } rows[] = {
		{ 1, 300 }, { 2, 600 }, { 3, 1200 }, { 4, 2400 }, { 5, 4000 }, { 6, 4000 }, { 4000000000u, 4000 },
	};
	struct rig *r = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(active_backoff_ms(&r->q, rows[i].attempts), rows[i].s * 1000);
}

static void no_agent_for_it(void **state)
{
	struct rig *r = *state;

	UNTIL(r, r->q.hello_done);
	submit(r, "tito@x", "far@x", 0);
	UNTIL(r, r->accepted == 1 && r->q.n_active == 0);
	logged(r, "to=<far@x>, relay=none");
	logged(r, "dsn=4.3.0, status=deferred (mail transport unavailable)");
	assert_int_equal(messages(r), 1);
}

static void agent_dies(void **state)
{
	struct rig *r = *state;

	submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->local.n == 1);
	ipc_close(&r->local.ipc);
	turns(r, 5);
	attach_agent(r, &r->spare);
	hello(&r->spare, NULL, 0, 10);
	UNTIL(r, r->spare.n == 1);
	assert_string_equal(r->spare.jobs[0].body, body);
	ipc_close(&r->spare.ipc);
	UNTIL(r, r->q.n_active == 0);   /* what kills two agents waits */
	logged(r, "status=deferred (delivery agent died)");
	assert_int_equal(messages(r), 1);
}

static void credits_are_kept(void **state)
{
	struct rig *r = *state;
	struct dlv_credit more = { 2 };
	size_t i;

	ipc_close(&r->local.ipc);
	turns(r, 5);
	attach_agent(r, &r->local);
	hello(&r->local, NULL, 0, 3);
	for (i = 0; i < 6; i++)
		submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->accepted == 6);
	turns(r, 10);
	assert_int_equal(r->local.n, 3);
	assert_int_equal(ipc_send(&r->local.ipc, &dlv_credit_desc, &more, NULL), 0);
	UNTIL(r, r->local.n == 5);
	turns(r, 10);
	assert_int_equal(r->local.n, 5);
}

/* qmgr is killed while an agent works: the agent names the job in HELLO, and nobody else gets it. */
static void restart_waits_for_hello(void **state)
{
	struct rig *r = *state;
	const char *const rcpts[] = { "one@x", "two@x" };
	uint64_t id = begin(r, "tito@x", rcpts, 2, 0);
	struct dlv_running running = { id, 0, 0 };
	struct seen_job old;

	end(r, id, body, strlen(body));
	UNTIL(r, r->local.n == 2);
	old = r->local.jobs[0];
	stop_qmgr(r);
	turns(r, 3);
	start_qmgr(r);
	agents_expect(&r->q, 2);
	attach_resolve(r);
	attach_agent(r, &r->spare);
	hello(&r->spare, NULL, 0, 10);
	turns(r, 20);
	qmgr_run(&r->q);
	turns(r, 20);
	assert_int_equal(r->spare.n, 0);
	attach_agent(r, &r->local);
	running.index = old.nos[0];
	hello(&r->local, &running, 1, 0);
	UNTIL(r, r->q.hello_done);
	qmgr_run(&r->q);
	UNTIL(r, r->spare.n == 1);      /* only the one that nobody works on */
	assert_string_equal(r->spare.jobs[0].rcpts, "two@x");
	turns(r, 20);
	assert_int_equal(r->spare.n, 1);
	report(&r->local, &old, 0, DLV_SENT, "2.0.0", "delivered", true);
	sent(&r->spare, 0);
	UNTIL(r, messages(r) == 0);
}

static void resolve_restarts(void **state)
{
	struct rig *r = *state;

	ipc_close(&r->resolve);
	submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->accepted == 1);
	turns(r, 10);
	assert_int_equal(r->local.n, 0);
	attach_resolve(r);
	UNTIL(r, r->local.n == 1);
}

static void temporary_route(void **state)
{
	struct rig *r = *state;

	submit(r, "tito@x", "later@x", 0);
	UNTIL(r, r->accepted == 1 && r->q.n_active == 0);
	logged(r, "dsn=4.3.0, status=deferred (table not readable)");
	assert_int_equal(messages(r), 1);
}

/* Lazy marks wait for company, at most a second. */
static void lazy_marks(void **state)
{
	struct rig *r = *state;
	uint64_t before, after, jobs;

	submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->local.n == 1);
	writer_counts(r->q.writer, &before, &jobs);
	report(&r->local, &r->local.jobs[0], 0, DLV_SENT, "2.0.0", "delivered", true);
	turns(r, 20);
	assert_int_equal(messages(r), 1);
	submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->accepted == 2);
	assert_int_equal(messages(r), 1);       /* the first left with the commit of the second */
	writer_counts(r->q.writer, &after, &jobs);
	assert_int_equal(after, before + 1);
	UNTIL(r, r->local.n == 2);
	report(&r->local, &r->local.jobs[1], 0, DLV_SENT, "2.0.0", "delivered", true);
	UNTIL(r, messages(r) == 0);
}

static void more_than_active(void **state)
{
	struct rig *r = *state;
	size_t i;

	r->q.conf.qmgr_message_active_limit = 5;
	for (i = 0; i < 20; i++) {
		submit(r, "tito@x", "iqbal@x", 0);
		UNTIL(r, r->accepted == i + 1);
	}
	turns(r, 20);
	assert_int_equal(r->q.n_active, 5);
	assert_int_equal(r->local.n, 5);
	for (i = 0; i < 20; i++) {
		UNTIL(r, r->local.n > i);
		sent(&r->local, i);
		turns(r, 3);
		qmgr_run(&r->q);
	}
	UNTIL(r, messages(r) == 0);
}

static void attach_tool(struct rig *r)
{
	int none = -1, fd;

	if (!r->admin) {
		r->admin = admin_new(&r->q, &none, 0);
		fd = pair(r, &r->tool, &tool_ops, r);
		admin_serve(r->admin, &fd);
	}
	r->has_done = false;
	r->rows = r->active_rows = 0;
}

static void list(struct rig *r)
{
	attach_tool(r);
	assert_int_equal(ipc_send(&r->tool, &adm_list_desc, NULL, NULL), 0);
	UNTIL(r, r->has_done);
}

static uint64_t act(struct rig *r, enum adm_what what, uint64_t id)
{
	struct adm_act m = { what, id };

	attach_tool(r);
	assert_int_equal(ipc_send(&r->tool, &adm_act_desc, &m, NULL), 0);
	UNTIL(r, r->has_done);
	return r->done.count;
}

static void admin_lists_and_shows(void **state)
{
	struct rig *r = *state;
	uint64_t id = 0;
	struct adm_show show;
	size_t i;

	list(r);
	assert_int_equal(r->rows, 0);
	for (i = 0; i < 60; i++) {
		id = submit(r, "tito@x", i < 50 ? "later@x" : "iqbal@x", 0);
		UNTIL(r, r->accepted == i + 1);
	}
	UNTIL(r, r->q.n_active == 10 && r->local.n == 10);
	list(r);
	assert_int_equal(r->rows, 60);
	assert_int_equal(r->active_rows, 10);
	assert_int_equal(r->done.count, 60);
	show.qid = id;
	attach_tool(r);
	assert_int_equal(ipc_send(&r->tool, &adm_show_desc, &show, NULL), 0);
	UNTIL(r, r->has_done);
	assert_int_equal(r->done.count, 1);
	assert_true(r->shown_size > 0);
	assert_string_equal(r->shown, body);
	show.qid = 1;
	attach_tool(r);
	assert_int_equal(ipc_send(&r->tool, &adm_show_desc, &show, NULL), 0);
	UNTIL(r, r->has_done);
	assert_int_equal(r->done.count, 0);
}

/* More rows than one frame, one slice and one send queue hold. */
static void admin_with_many(void **state)
{
	struct rig *r = *state;
	struct err err = ERR_INIT;
	struct arena a = { 0 };
	struct str record = STR_INIT(1 << 16);
	struct queue_txn t;
	struct queue_msg m = { .sender = SPAN_LIT("tito@x"), .due_ms = UINT64_MAX / 2 };
	size_t i, held;

	queue_add_rcpt(&m, &a)->addr = SPAN_LIT("iqbal@x");
	assert_int_equal(queue_encode(&record, &m), 0);
	assert_int_equal(queue_begin(r->q.queue, &t, &err), 0);
	for (i = 0; i < 20000; i++)
		assert_int_equal(queue_add(&t, queue_new_ids(r->q.queue, 1), str_span(&record), SPAN_LIT("x"), &err), 0);
	assert_int_equal(queue_commit(&t, &err), 0);
	list(r);
	assert_int_equal(r->rows, 20000);
	assert_int_equal(act(r, ADM_HOLD, 0), 20000);
	assert_int_equal(queue_count(r->q.queue, &i, &held, &err), 0);
	assert_int_equal(held, 20000);
	assert_int_equal(act(r, ADM_HOLD, 0), 0);
	assert_int_equal(act(r, ADM_DELETE, 0), 20000);
	assert_int_equal(messages(r), 0);
	str_fini(&record);
	arena_fini(&a);
}

static void admin_hold_release_retry(void **state)
{
	struct rig *r = *state;
	uint64_t id = submit(r, "tito@x", "later@x", 0), active;
	struct queue_msg m;
	struct arena a = { 0 };

	UNTIL(r, r->accepted == 1 && r->q.n_active == 0);
	assert_int_equal(act(r, ADM_HOLD, id), 1);
	stored(r, id, &m, &a);
	assert_true(m.held && m.due_ms == 0);
	assert_int_equal(act(r, ADM_RETRY, id), 0);
	assert_int_equal(act(r, ADM_RELEASE, id), 1);
	UNTIL(r, r->q.n_active == 0);
	stored(r, id, &m, &a);
	assert_int_equal(m.rcpts[0].attempts, 2);
	assert_int_equal(act(r, ADM_RETRY, id), 1);
	UNTIL(r, r->q.n_active == 0);
	stored(r, id, &m, &a);
	assert_int_equal(m.rcpts[0].attempts, 3);
	assert_int_equal(act(r, ADM_DELETE, id), 1);
	assert_int_equal(messages(r), 0);
	assert_int_equal(act(r, ADM_DELETE, id), 0);

	active = submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->local.n == 1);
	assert_int_equal(act(r, ADM_HOLD, active), 1);
	assert_int_equal(r->q.n_active, 1);     /* until the agent has answered */
	report(&r->local, &r->local.jobs[0], 0, DLV_DEFERRED, "4.2.2", "over quota", false);
	UNTIL(r, r->q.n_active == 0);
	stored(r, active, &m, &a);
	assert_true(m.held);
	arena_fini(&a);
}

static void admin_deletes_what_waits_for_an_agent(void **state)
{
	struct rig *r = *state;
	uint64_t id;

	UNTIL(r, r->q.hello_done);
	ipc_close(&r->local.ipc);
	id = submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->accepted == 1 && r->q.n_active == 1);
	turns(r, 10);
	assert_int_equal(act(r, ADM_DELETE, id), 1);
	UNTIL(r, messages(r) == 0 && r->q.n_active == 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(accept_deliver_remove), T(answered_means_stored), T(abort_and_loss), T(nonsense_ends_only_its_channel),
		T(incomplete_letter), T(large_body), T(expansion), T(forward_by_local), T(same_user_one_job), T(failure_notice),
		T(who_is_told), T(success_notice), T(deferral_and_retry), T(backoff), T(no_agent_for_it), T(agent_dies),
		T(credits_are_kept), T(restart_waits_for_hello), T(resolve_restarts), T(temporary_route), T(lazy_marks),
		T(more_than_active), T(admin_lists_and_shows), T(admin_with_many), T(admin_hold_release_retry),
		T(admin_deletes_what_waits_for_an_agent),
	};

	return cmocka_run_group_tests_name("qmgr", tests, NULL, NULL);
}
