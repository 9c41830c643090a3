#include "tests/unit/qmgr/rig.h"

#include <ftw.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

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

#define CROWD 5000

/* A list that no frame holds, as resolve tells it. */
static void answer_crowd(struct ipc *c, uint32_t id, uint64_t offset)
{
	struct route_new *v = calloc(CROWD, sizeof(*v));
	struct ipc_list all = { v, CROWD };
	struct route r = { .action = ROUTE_EXPAND, .version = 7 };
	struct arena a = { 0 };
	size_t i;

	for (i = 0; i < CROWD; i++)
		v[i] = rig_fresh(arena_printf(&a, "later%zu@x", i));
	r.news = msg_resolve_part(&all, offset);
	r.more = offset + r.news.n < CROWD;
	assert_int_equal(ipc_reply(c, id, &route_desc, &r, NULL), 0);
	arena_fini(&a);
	free(v);
}

struct route_new rig_fresh(const char *address)
{
	return (struct route_new){ .address = span_z(address) };
}

static void on_route_get(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct route_query *m = in;
	struct route r = { .action = ROUTE_DELIVER, .transport = SPAN_LIT("local"), .address = m->address,
		.user = m->address };
	struct route_new news[3];

	if (span_starts(m->address, "crowd")) {
		answer_crowd(c, id, m->offset);
		return;
	}
	if (m->via.n) {
		span_cut(m->via, ':', &r.transport, &r.nexthop);
	} else if (span_starts(m->address, "void")) {
		r.transport = SPAN_LIT("discard");
	} else if (span_starts(m->address, "far")) {
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
		news[0] = rig_fresh("one@x");
		news[1] = rig_fresh("two@x");
		news[2] = rig_fresh("list@x");
		r.news = (struct ipc_list){ news, 3 };
	} else if (span_starts(m->address, "owned")) {
		r.action = ROUTE_EXPAND;
		news[0] = rig_fresh("bad@x");
		r.news = (struct ipc_list){ news, 1 };
		r.has_sender = 1;
		r.sender = SPAN_LIT("owner@x");
	} else if (span_starts(m->address, "many")) {
		r.user = SPAN_LIT("same");
	}
	assert_int_equal(ipc_reply(c, id, &route_desc, &r, NULL), 0);
}

static void on_full(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct route_full *m = in;
	struct rig *r = arg;

	r->full_size = m->size;
	snprintf(r->full_user, sizeof(r->full_user), "%.*s:%.*s", SPAN_ARG(m->transport), SPAN_ARG(m->user));
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
		s->is_passed = v[i].is_passed;
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

static const struct ipc_rule resolve_rules[] = { { &route_query_desc, ~0u, on_route_get },
						 { &route_full_desc, ~0u, on_full } };
static const struct ipc_ops resolve_ops = { "resolve", resolve_rules, 2, no_loss, NULL };
static const struct ipc_rule agent_rules[] = { { &dlv_job_desc, ~0u, on_job } };
static const struct ipc_ops agent_ops = { "deliver", agent_rules, 1, agent_gone, NULL };
static const struct ipc_rule smtpd_rules[] = { { &enq_grant_desc, ~0u, on_grant } };
static const struct ipc_ops smtpd_ops = { "queue", smtpd_rules, 1, smtpd_lost, NULL };

int rig_pair(struct rig *r, struct ipc *ours, const struct ipc_ops *ops, void *arg)
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

	if (r->is_showing) {
		size_t n = strlen(r->shown), skip = r->shown_size < r->record_size ? r->record_size - r->shown_size : 0;

		r->shown_size += data.n;
		snprintf(r->shown + n, sizeof(r->shown) - n, "%.*s", SPAN_ARG(span_from(data, skip)));
		return;
	}
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

	r->is_showing = true;
	r->shown[0] = '\0';
	r->shown_size = 0;
	r->record_size = m->record;
}

static const struct ipc_rule tool_rules[] = { { &adm_rows_desc, ~0u, on_rows }, { &adm_done_desc, ~0u, on_done },
					      { &adm_message_desc, ~0u, on_message } };
static const struct ipc_ops tool_ops = { "admin", tool_rules, 3, no_loss, NULL };

/* ---- rig ---- */

static void on_fatal(struct qmgr *q, const struct err *err)
{
	((struct rig *)q->arg)->fatal = *err;
}

void rig_attach_resolve(struct rig *r)
{
	int fd = rig_pair(r, &r->resolve, &resolve_ops, r);

	qmgr_attach_resolve(&r->q, &fd);
}

void rig_attach_smtpd(struct rig *r)
{
	int fd = rig_pair(r, &r->smtpd, &smtpd_ops, r);

	r->smtpd_gone = false;
	r->ids_left = 0;
	enqueue_attach(&r->q, SPAN_LIT("smtpd"), &fd);
}

void rig_attach_agent(struct rig *r, struct fake_agent *g)
{
	int fd = rig_pair(r, &g->ipc, &agent_ops, g);

	g->is_gone = false;
	agents_attach(&r->q, SPAN_LIT("local"), &fd);
}

void rig_hello(struct fake_agent *g, const struct dlv_running *running, size_t n, uint64_t credit)
{
	struct dlv_hello h = { .transports = SPAN_LIT("local virtual"), .running = { (void *)running, n } };
	struct dlv_credit c = { credit };

	assert_int_equal(ipc_send(&g->ipc, &dlv_hello_desc, &h, NULL), 0);
	assert_int_equal(ipc_send(&g->ipc, &dlv_credit_desc, &c, NULL), 0);
}

void rig_start_qmgr(struct rig *r)
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
	r->q.conf.qmgr_message_recipient_limit = 20000;
	r->q.conf.transport_retry_time_ms = 60000;
	r->q.conf.n2bounce_notice_recipient = "postmaster";
	r->q.global.myhostname = "mail.x";
	r->q.global.myorigin = "x";
	r->q.global.double_bounce_sender = "double-bounce";
	qmgr_start(&r->q);
}

void rig_stop_qmgr(struct rig *r)
{
	qmgr_stop(&r->q);
	queue_close(&r->q.queue);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

void rig_turns(struct rig *r, int n)
{
	while (n-- > 0)
		loop_turn(&r->loop, false);
}

int rig_set_up(void **state)
{
	struct rig *r = xnew(struct rig);
	struct err err = ERR_INIT;

	snprintf(r->dir, sizeof(r->dir), "/tmp/qmgr-test-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	log_set_sink(keep_log, r);
	assert_int_equal(loop_init(&r->loop, &err), 0);
	rig_start_qmgr(r);
	rig_attach_resolve(r);
	rig_attach_smtpd(r);
	rig_attach_agent(r, &r->local);
	agents_expect(&r->q, 1);
	rig_hello(&r->local, NULL, 0, 100);
	r->large_fd = -1;
	*state = r;
	return 0;
}

int rig_tear_down(void **state)
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
	rig_stop_qmgr(r);
	rig_turns(r, 3);
	loop_fini(&r->loop);
	log_set_sink(NULL, NULL);
	nftw(r->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(r);
	return 0;
}

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

uint64_t rig_begin(struct rig *r, const char *sender, const char *const *rcpts, size_t n, uint64_t notify)
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
	assert_int_equal(ipc_call(&r->smtpd, &enq_begin_desc, &b, NULL, &enq_result_desc, &r->reqs[i], on_result, r,
				  0), 0);
	assert_int_equal(ipc_send(&r->smtpd, &enq_rcpts_desc, &m, NULL), 0);
	return b.qid;
}

void rig_end(struct rig *r, uint64_t qid, const char *text, uint64_t size)
{
	struct enq_body b = { qid, span_z(text) };
	struct enq_end e = { qid, size };

	assert_int_equal(ipc_send(&r->smtpd, &enq_body_desc, &b, NULL), 0);
	assert_int_equal(ipc_send(&r->smtpd, &enq_end_desc, &e, NULL), 0);
}

const char rig_body[] = "Subject: hello\n\nDear reader\n";

uint64_t rig_submit(struct rig *r, const char *sender, const char *rcpt, uint64_t notify)
{
	uint64_t id = rig_begin(r, sender, &rcpt, 1, notify);

	rig_end(r, id, rig_body, strlen(rig_body));
	return id;
}

void rig_report(struct fake_agent *g, const struct seen_job *s, size_t which, enum dlv_status status, const char *dsn,
		   const char *text, bool is_lazy)
{
	struct dlv_rcpt_result v = { .index = s->nos[which], .status = status, .dsn = span_z(dsn), .text = span_z(text),
				     .is_lazy = is_lazy };
	struct dlv_result m = { s->qid, s->job, { &v, 1 } };

	assert_int_equal(ipc_send(&g->ipc, &dlv_result_desc, &m, NULL), 0);
}

void rig_sent(struct fake_agent *g, size_t job)
{
	size_t i;

	for (i = 0; i < g->jobs[job].n; i++)
		rig_report(g, &g->jobs[job], i, DLV_SENT, "2.0.0", "delivered to maildir", false);
}

static bool count(void *arg, uint64_t id, struct span record)
{
	++*(size_t *)arg;
	return true;
}

size_t rig_messages(struct rig *r)
{
	struct err err = ERR_INIT;
	uint64_t last;
	size_t n = 0;

	assert_int_equal(queue_list(r->q.queue, 0, SIZE_MAX, count, &n, &last, &err), QUEUE_NONE);
	return n;
}

size_t rig_held(struct rig *r)
{
	struct err err = ERR_INIT;
	uint64_t last;
	size_t n = 0;

	assert_int_equal(queue_list_held(r->q.queue, 0, SIZE_MAX, count, &n, &last, &err), QUEUE_NONE);
	return n;
}

void rig_stored(struct rig *r, uint64_t id, struct queue_msg *m, struct arena *a)
{
	struct err err = ERR_INIT;

	assert_int_equal(queue_get(r->q.queue, id, a, m, &err), QUEUE_FOUND);
}

void rig_logged(struct rig *r, const char *what)
{
	if (!strstr(r->log, what))
		fail_msg("'%s' is not in the log:\n%s", what, r->log);
}

void rig_attach_tool(struct rig *r)
{
	int none = -1, fd;

	if (!r->admin) {
		r->admin = admin_new(&r->q, &none, 0);
		fd = rig_pair(r, &r->tool, &tool_ops, r);
		admin_serve(r->admin, false, &fd);
	}
	r->has_done = r->is_showing = false;
	r->rows = r->active_rows = 0;
}

void rig_read_on(struct rig *r, int *fd)
{
	ipc_init(&r->tool, &r->loop, &tool_ops, r);
	ipc_attach(&r->tool, fd);
}

void rig_list(struct rig *r)
{
	rig_attach_tool(r);
	assert_int_equal(ipc_send(&r->tool, &adm_list_desc, NULL, NULL), 0);
	UNTIL(r, r->has_done);
}

uint64_t rig_act(struct rig *r, enum adm_what what, uint64_t id)
{
	struct adm_act m = { what, id };

	rig_attach_tool(r);
	assert_int_equal(ipc_send(&r->tool, &adm_act_desc, &m, NULL), 0);
	UNTIL(r, r->has_done);
	return r->done.count;
}

