/* An agent's channel:
 *
 *   attach --HELLO--> serving --CREDIT, RESULT--> serving --lost--> its work is READY again, for the next agent
 *
 * Until every agent that master knows has said HELLO or died, no message from the disk is tried: its recipients may be
 * in the hands of an agent that outlived the last qmgr. */
#include "qmgr/agents.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "qmgr/active.h"
#include "qmgr/expand.h"
#include "qmgr/route.h"
#include "qmgr/turns.h"
#include "svc/msg_deliver.h"

#define RCPT_BYTES_MAX 12000            /* of a job's frame, beside a body of IPC_BODY_MAX */
#define HELLO_WAIT_MS 60000
#define GATHER_MAX 1000                 /* recipients that are looked at for one job */
#define CREDIT_MAX 100000               /* more at once is nonsense */

struct agent {
	struct qmgr *q;
	struct ipc ipc;
	char *peer;
	char *transports;
	uint64_t credit;
	bool has_said_hello;
	struct work_list lent;
	TAILQ_ENTRY(agent) link;
};

struct work_list *agents_lent(struct agent *g)
{
	return &g->lent;
}

bool agents_relays(const char *transport)
{
	return strcmp(transport, "smtp") == 0 || strcmp(transport, "relay") == 0;
}

struct transport *agents_transport(struct qmgr *q, struct span name)
{
	struct transport *t = htab_get(&q->transports, name);

	if (!t) {
		t = xnew(struct transport);
		t->name = xstrndup(name.p, name.n);
		t->gone_ms = clock_mono_ms();
		TAILQ_INIT(&t->turns);
		htab_put(&q->transports, name, t);
	}
	return t;
}

static bool serves(const struct agent *g, const char *transport)
{
	struct span in = span_z(g->transports), word;

	while (span_word(&in, " ", &word)) {
		if (span_eqz(word, transport))
			return true;
	}
	return false;
}

/* ---- HELLO ---- */

static void end_hello(struct qmgr *q)
{
	struct active *a;

	q->hello_done = true;
	TAILQ_FOREACH(a, &q->actives, link)
		a->is_waiting_hello = false;
	q->has_stalled = true;
}

static void count_hello(struct qmgr *q)
{
	q->hellos++;
	if (!q->hello_done && q->has_peers && q->hellos >= q->peers)
		end_hello(q);
}

void agents_expect(struct qmgr *q, uint64_t count)
{
	q->has_peers = true;
	q->peers = count;
	if (!q->hello_done && q->hellos >= q->peers)
		end_hello(q);
}

/* What an agent speaks of, which may be on disk only since this qmgr has started; NULL: it was removed meanwhile. */
static struct active *find_or_load(struct qmgr *q, uint64_t qid)
{
	struct active *a = active_find(q, qid);

	if (a)
		return a;
	a = active_load(q, qid);
	if (a)
		a->is_waiting_hello = !q->hello_done;
	return a;
}

static void lend_again(struct agent *g, const struct dlv_running *r)
{
	struct active *a = find_or_load(g->q, r->qid);
	struct work *w;

	if (!a)
		return;
	w = active_work(a, (uint32_t)r->index);
	if (!w || w->state == WORK_DONE || w->state == WORK_LENT)
		return;
	active_detach(w);
	active_enter(w, WORK_LENT);
	w->agent = g;
	w->job = r->job;
	TAILQ_INSERT_TAIL(&g->lent, w, link);
}

static void on_hello(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct agent *g = arg;
	const struct dlv_hello *h = in;
	const struct dlv_running *r = h->running.v;
	struct span names = h->transports, name;
	size_t i;

	for (i = 0; i < h->running.n; i++)
		lend_again(g, &r[i]);
	if (h->more)
		return;
	free(g->transports);
	g->transports = xstrndup(h->transports.p, h->transports.n);
	c->phase = 2;
	while (span_word(&names, " ", &name)) {
		struct transport *t = agents_transport(g->q, name);

		t->was_served = true;
		t->gone_ms = 0;
	}
	if (!g->has_said_hello)
		count_hello(g->q);
	g->has_said_hello = true;
	agents_pump(g->q);
}

static void on_credit(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct agent *g = arg;
	const struct dlv_credit *m = in;

	if (m->jobs > CREDIT_MAX || g->credit > CREDIT_MAX)
		return;
	g->credit += m->jobs;
	agents_pump(g->q);
}

/* ---- results ---- */

static void expanded(struct work *w, const struct dlv_rcpt_result *r)
{
	struct active *a = w->a;
	const struct ipc_list *news = &r->news;
	uint64_t max = a->q->conf.qmgr_message_recipient_limit;
	struct err err = ERR_INIT;

	if (r->offset == 0)
		w->news.n = 0;
	if (r->offset != w->news.n) {   /* its beginning was told to another qmgr */
		if (!r->more)
			active_decide(w, ACTIVE_DEFERRED, "4.3.0", SPAN_LIT("the expansion is not complete"));
		return;
	}
	if (r->more || w->news.n) {
		if (w->news.n <= max)
			msg_resolve_gather(&w->news, news, &a->arena);
		else
			w->news.n += news->n;   /* too many: only counted */
		news = &w->news;
	}
	if (r->more)
		return;
	if (expand_rcpt(&a->m, w->at, news, r->has_sender, r->sender, true, max, &a->arena, &err) == 0) {
		active_rcpt(w)->attempts++;
		active_detach(w);
		active_enter(w, WORK_DONE);
		a->is_expanded = a->has_eager = true;
		return;
	}
	active_decide(w, err.kind == ERR_PERM ? ACTIVE_BOUNCED : ACTIVE_DEFERRED, err.dsn, span_z(err.msg));
}

static void apply(struct work *w, const struct dlv_rcpt_result *r)
{
	if (w->state == WORK_DONE)
		return;
	switch (r->status) {
	case DLV_SENT:
		active_result(w, ACTIVE_SENT, r->dsn, r->text, r->mta, r->is_lazy);
		break;
	case DLV_BOUNCED:
		if (span_eqz(r->dsn, "5.2.2"))
			route_tell_full(w);
		active_result(w, ACTIVE_BOUNCED, r->dsn, r->text, r->mta, r->is_lazy);
		break;
	case DLV_EXPANDED:
		expanded(w, r);
		break;
	default:
		active_result(w, ACTIVE_DEFERRED, r->dsn, r->text, r->mta, r->is_lazy);
		break;
	}
}

static void on_result(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct agent *g = arg;
	const struct dlv_result *m = in;
	const struct dlv_rcpt_result *r = m->rcpts.v;
	struct active *a = find_or_load(g->q, m->qid);
	size_t i;

	if (!a || a->is_finishing)
		return;
	a->has_late_marks |= a->is_saving;
	for (i = 0; i < m->rcpts.n; i++) {
		struct work *w = r[i].index <= UINT32_MAX ? active_work(a, (uint32_t)r[i].index) : NULL;

		if (w)
			apply(w, &r[i]);
	}
	active_step(a);
	if (!a->is_saving)
		active_save(a);
}

/* ---- lending ---- */

static bool same_job(const struct work *a, const struct work *b)
{
	const struct queue_rcpt *x = active_rcpt(a), *y = active_rcpt(b);

	return a->transport == b->transport && span_eq(a->nexthop, b->nexthop) && a->uid == b->uid && a->gid == b->gid &&
	       span_eq(a->user, b->user) && span_eq(x->sender, y->sender) && span_eq(x->as_user, y->as_user);
}

static struct dlv_rcpt describe(const struct work *w)
{
	const struct queue_rcpt *r = active_rcpt(w);
	struct active *a = w->a;

	return (struct dlv_rcpt){
		.index = r->no, .address = w->address.n ? w->address : r->addr, .orig = r->orig, .kind = r->kind,
		.as_user = r->as_user, .user = w->user, .extension = w->extension, .uid = w->uid, .gid = w->gid,
		.maildir = w->maildir, .quota = w->quota, .is_final = r->is_final, .delivered_to = r->delivered_to,
		.orcpt = r->orcpt, .notify = r->notify, .is_passed = r->via.n > 0,
		.holder = r->kind == QUEUE_ADDRESS ? SPAN_NULL :
			  expand_holder(&a->m, r, a->q->global.myorigin, &a->arena),
	};
}

static size_t bytes_of(const struct dlv_rcpt *r)
{
	return 150 + r->address.n + r->orig.n + r->as_user.n + r->user.n + r->extension.n + r->maildir.n +
	       r->delivered_to.n + r->orcpt.n + r->holder.n;
}

/* The recipients that go with first in one job, which is the first of them that is READY. One far behind it gets a
 * job of its own: looking at all for each would be quadratic. */
static size_t gather(struct work *first, struct work **out, struct dlv_rcpt *rcpts, size_t max)
{
	struct active *a = first->a;
	size_t i, n = 0, bytes = 0;

	for (i = first->index; i < a->n_works && i - first->index < GATHER_MAX && n < max; i++) {
		struct work *w = a->works[i];

		if (!w->is_queued || !same_job(first, w))
			continue;
		rcpts[n] = describe(w);
		bytes += bytes_of(&rcpts[n]);
		if (n > 0 && bytes > RCPT_BYTES_MAX)
			break;
		out[n++] = w;
	}
	return n;
}

/* The body by memory, by a view of the database, or by descriptor. */
static int send_job(struct agent *g, struct active *a, struct dlv_job *job, struct err *err)
{
	struct queue_view v = { 0 };
	int fd = -1, rc = 0;

	if (a->has_body) {
		job->body = str_span(&a->body);
	} else if (a->m.large) {
		rc = queue_large_open(a->q->queue, a->m.id, &fd, err);
	} else if (queue_view_begin(a->q->queue, &v, err) < 0) {
		rc = -1;
	} else {
		enum queue_rc found = queue_view_body(&v, a->m.id, &job->body, err);

		if (found == QUEUE_NONE)
			err_set(err, ERR_PERM, "the body is missing");
		rc = found == QUEUE_FOUND ? 0 : -1;
	}
	if (rc == 0 && ipc_send(&g->ipc, &dlv_job_desc, job, &fd) < 0)
		rc = err_set(err, ERR_TEMP, "the job does not fit the channel of %s", g->peer);
	queue_view_end(&v);
	return rc;
}

static void cannot_lend(struct work **works, size_t n, const struct err *err)
{
	struct active *a = works[0]->a;
	size_t i;

	for (i = 0; i < n; i++)
		active_decide(works[i], ACTIVE_DEFERRED, "4.3.0", span_z(err->msg));
	if (err->kind == ERR_PERM || err->sys == ENOENT) {
		char id[QUEUE_ID_LEN + 1];

		queue_id_print(id, a->m.id);
		log_error("%s: %s; the message is put on hold", id, err->msg);
		a->wants_hold = true;
	}
	active_step(a);
}

static void lend(struct agent *g, struct work *first)
{
	struct active *a = first->a;
	struct qmgr *q = g->q;
	struct arena *tick = &q->loop->tick;
	uint64_t limit = q->conf.default_destination_recipient_limit;
	size_t max = limit < a->n_works ? (size_t)limit : a->n_works;
	struct work **works = arena_alloc(tick, max * sizeof(struct work *));
	struct dlv_rcpt *rcpts = arena_alloc(tick, max * sizeof(*rcpts));
	size_t i, n = gather(first, works, rcpts, max);
	const struct queue_rcpt *r = active_rcpt(first);
	struct dlv_job job = {
		.qid = a->m.id, .job = q->next_job++, .transport = span_z(first->transport->name),
		.nexthop = first->nexthop,
		.sender = r->sender.n ? r->sender : a->m.sender, .envid = a->m.envid, .flags = a->m.flags & 0xffff,
		.arrival_ms = a->m.arrival_ms, .queued_ms = a->began_ms, .attempts = r->attempts, .size = a->m.size,
		.rcpts = { rcpts, n },
	};
	struct err err = ERR_INIT;

	turns_lend(first);
	for (i = 1; i < n; i++)
		active_detach(works[i]);
	if (send_job(g, a, &job, &err) < 0) {
		active_detach(first);
		cannot_lend(works, n, &err);
		return;
	}
	g->credit--;
	for (i = 0; i < n; i++) {
		active_enter(works[i], WORK_LENT);
		works[i]->agent = g;
		works[i]->job = job.job;
		TAILQ_INSERT_TAIL(&g->lent, works[i], link);
	}
	active_lent(a);
}

static struct agent *find_agent(struct qmgr *q, const struct transport *t)
{
	struct agent *g, *best = NULL;

	TAILQ_FOREACH(g, &q->agents, link) {
		if (g->credit && !ipc_is_full(&g->ipc) && serves(g, t->name) && (!best || g->credit > best->credit))
			best = g;
	}
	return best;
}

void agents_pump(struct qmgr *q)
{
	struct span name;
	void *p;
	size_t pos = 0;

	while (htab_next(&q->transports, &pos, &name, &p)) {
		struct transport *t = p;
		struct agent *g;
		struct work *w;

		while ((g = find_agent(q, t)) && (w = turns_next(t, g->credit)))
			lend(g, w);
	}
}

static void unavailable(struct work *w)
{
	const char *text = arena_printf(&w->a->q->loop->tick, "mail transport unavailable: %s", w->transport->name);

	active_decide(w, ACTIVE_DEFERRED, "4.3.0", span_z(text));
}

void agents_queue(struct work *w)
{
	struct qmgr *q = w->a->q;
	struct transport *t = w->transport;
	size_t i;

	for (i = 0; i < q->conf.defer_transports.n; i++) {
		if (strcmp(q->conf.defer_transports.v[i], t->name) == 0) {
			active_decide(w, ACTIVE_DEFERRED, "4.3.2", SPAN_LIT("deferred transport"));
			return;
		}
	}
	if (!t->was_served && q->hello_done) {
		unavailable(w);
		return;
	}
	turns_queue(w);
}

/* ---- loss ---- */

static void defer_all(struct transport *t)
{
	struct work *w;

	while ((w = turns_any(t))) {
		unavailable(w);
		active_step(w->a);
	}
}

void agents_tick(struct qmgr *q)
{
	uint64_t now = clock_mono_ms();
	void *p;
	size_t pos = 0;

	if (!q->hello_done && now >= q->started_ms + HELLO_WAIT_MS) {
		log_warn("not all delivery agents have said what they are doing; going on without them");
		end_hello(q);
	}
	while (htab_next(&q->transports, &pos, NULL, &p)) {
		struct transport *t = p;

		if (!q->hello_done || !t->gone_ms || !turns_any(t))
			continue;
		if (!t->was_served || now >= t->gone_ms + q->conf.transport_retry_time_ms)
			defer_all(t);
	}
}

static void mark_gone(struct qmgr *q)
{
	void *p;
	size_t pos = 0;

	while (htab_next(&q->transports, &pos, NULL, &p)) {
		struct transport *t = p;
		struct agent *g;
		bool any = false;

		TAILQ_FOREACH(g, &q->agents, link)
			any = any || serves(g, t->name);
		if (!any && !t->gone_ms)
			t->gone_ms = clock_mono_ms();
	}
}

static void agent_free(struct agent *g)
{
	ipc_close(&g->ipc);
	TAILQ_REMOVE(&g->q->agents, g, link);
	free(g->peer);
	free(g->transports);
	free(g);
}

/* What it had on loan is tried again at once: local finds by name what it had delivered already. */
static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
	struct agent *g = arg;
	struct qmgr *q = g->q;

	if (why->kind != ERR_NONE)
		log_error("channel to %s: %s", g->peer, why->msg);
	if (!g->has_said_hello)
		count_hello(q);
	while (!TAILQ_EMPTY(&g->lent)) {
		struct work *w = TAILQ_FIRST(&g->lent);

		active_detach(w);
		w->deaths++;
		active_enter(w, w->transport ? WORK_READY : WORK_NEW);
	}
	agent_free(g);
	mark_gone(q);
	q->has_stalled = true;
	qmgr_run(q);
}

static void on_drained(void *arg, struct ipc *c)
{
	struct agent *g = arg;

	agents_pump(g->q);
}

static const struct ipc_rule rules[] = {
	{ &dlv_hello_desc, 1, on_hello },
	{ &dlv_credit_desc, 2, on_credit },
	{ &dlv_result_desc, 2, on_result },
};

static const struct ipc_ops ops = { "deliver", rules, ARRAY_LEN(rules), on_lost, on_drained };

void agents_attach(struct qmgr *q, struct span peer, int *fd)
{
	struct agent *g = xnew(struct agent);

	g->q = q;
	g->peer = xstrndup(peer.p, peer.n);
	g->transports = xstrdup("");
	TAILQ_INIT(&g->lent);
	TAILQ_INSERT_TAIL(&q->agents, g, link);
	ipc_init(&g->ipc, q->loop, &ops, g);
	ipc_attach(&g->ipc, fd);
}

void agents_fini(struct qmgr *q)
{
	void *p;
	size_t pos = 0;

	while (!TAILQ_EMPTY(&q->agents))
		agent_free(TAILQ_FIRST(&q->agents));
	while (htab_next(&q->transports, &pos, NULL, &p)) {
		struct transport *t = p;

		htab_fini(&t->destinations);
		free(t->name);
		free(t);
	}
	htab_fini(&q->transports);
}
