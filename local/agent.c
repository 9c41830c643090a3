/*
 * A job:   qmgr ── dlv_job ──▶ [open] ── last recipient settled ──▶ [done] ── dlv_result ──▶ freed
 *                                 │                                   │
 *                                 └────────── qmgr is lost ───────────┘   stays here; the next qmgr hears of it in
 *                                                                         dlv_hello, and of the results right behind it
 */
#include "local/agent.h"

#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define RESULT_BYTES 48000      /* of recipients in one dlv_result */
#define HELLO_PART ((size_t)1000)       /* recipients in one HELLO */
#define TICK_MS 1000

static void on_dlv_job(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd);
static void on_qmgr_lost(void *arg, struct ipc *c, const struct err *why);
static void on_qmgr_drained(void *arg, struct ipc *c);

static const struct ipc_rule rules[] = { { &dlv_job_desc, ~0u, on_dlv_job } };
static const struct ipc_ops qmgr_ops = { "deliver", rules, ARRAY_LEN(rules), on_qmgr_lost, on_qmgr_drained };

/* ---- to qmgr ---- */

static size_t result_bytes(const struct dlv_rcpt_result *r)
{
	size_t n = 120 + r->dsn.n + r->text.n;

	for (size_t i = 0; i < r->news.n; i++) {
		const struct route_new *nw = (const struct route_new *)r->news.v + i;

		n += 40 + nw->address.n + nw->as_user.n + nw->via.n;
	}
	return n;
}

/* A list that no frame holds; -1 when the channel is full, and the next time goes on from there. */
static int report_parts(struct agent *g, const struct job *j, struct job_rcpt *r)
{
	struct dlv_rcpt_result part = r->result;
	struct dlv_result m = { .qid = j->m->qid, .job = j->m->job, .rcpts = { &part, 1 } };

	while (!r->is_reported) {
		part.offset = r->n_told;
		part.news = msg_resolve_part(&r->result.news, r->n_told);
		part.more = r->n_told + part.news.n < r->result.news.n;
		if (ipc_is_full(&g->qmgr) || ipc_send(&g->qmgr, &dlv_result_desc, &m, NULL) < 0)
			return -1;
		r->n_told += part.news.n;
		r->is_reported = !part.more;
	}
	return 0;
}

/* Tells what is settled and was not told yet. Job numbers belong to the qmgr that gave them; a later one goes by qid
 * and index. -1 when the channel is gone, or full: what was not told then waits until it has drained. */
static int report(struct agent *g, struct job *j)
{
	struct dlv_rcpt_result *v = xcalloc(j->m->rcpts.n + 1, sizeof(*v));
	struct dlv_result m = { .qid = j->m->qid, .job = j->m->job, .rcpts = { v, 0 } };
	size_t bytes = 0;
	int rc = 0;

	for (size_t i = 0; i < j->m->rcpts.n && rc == 0; i++) {
		struct job_rcpt *r = &j->rcpts[i];
		size_t n = result_bytes(&r->result);

		if (!r->is_settled || r->is_reported)
			continue;
		if (n > RESULT_BYTES) {
			rc = report_parts(g, j, r);
			continue;
		}
		if (m.rcpts.n && bytes + n > RESULT_BYTES) {
			rc = ipc_send(&g->qmgr, &dlv_result_desc, &m, NULL);
			m.rcpts.n = bytes = 0;
		}
		if (rc < 0 || ipc_is_full(&g->qmgr)) {
			rc = -1;
			break;
		}
		r->is_reported = true;
		v[m.rcpts.n++] = r->result;
		bytes += n;
	}
	if (m.rcpts.n && ipc_send(&g->qmgr, &dlv_result_desc, &m, NULL) < 0)
		rc = -1;
	free(v);
	return rc;
}

static void give_credit(struct agent *g, uint64_t n)
{
	struct dlv_credit m = { n };

	if (!g->daemon->is_draining && ipc_is_attached(&g->qmgr) && ipc_send(&g->qmgr, &dlv_credit_desc, &m, NULL) < 0)
		log_error("cannot give credit to qmgr");
}

static void drop_job(struct agent *g, struct job *j)
{
	job_free(j);
	g->n_jobs--;
	give_credit(g, 1);
	if (g->daemon->is_draining && g->n_jobs == 0)
		daemon_exit(g->daemon);
}

static void finish_job(struct agent *g, struct job *j)
{
	if (ipc_is_attached(&g->qmgr) && report(g, j) == 0)
		drop_job(g, j);
}

/* ---- jobs ---- */

static struct pool_work *new_work(struct job *j, size_t slot)
{
	struct pool_work *w = arena_new(&j->arena, struct pool_work);

	w->job = j;
	w->target = j->rcpts[slot].target;
	w->slots = arena_alloc(&j->arena, j->m->rcpts.n * sizeof(*w->slots));
	w->slots[w->n++] = slot;
	j->rcpts[slot].is_sent = true;
	return w;
}

static void settle(struct job *j, size_t slot, const struct dlv_rcpt_result *res)
{
	if (job_settle(j, slot, res))
		finish_job(j->agent, j);
}

/* A slow command does not keep back the word about mailboxes of the same letter; and what a full channel kept back. */
static void report_all(struct agent *g)
{
	struct job *j = g->jobs;

	while (j && ipc_is_attached(&g->qmgr) && !ipc_is_full(&g->qmgr)) {
		struct job *next = j->next;

		if (j->n_open == 0)
			finish_job(g, j);
		else
			(void)!report(g, j);
		j = next;
	}
}

static void on_result(struct job *j, size_t slot, const struct dlv_rcpt_result *res, enum pool_word word)
{
	struct job_rcpt *r = &j->rcpts[slot];
	struct dlv_rcpt_result both = *res;

	/* The twin shows what a dead child had done; what a dead command had done nobody knows. */
	if (word == POOL_DIED && !r->has_died && r->target.what != CHILD_COMMAND) {
		r->has_died = true;
		j->retry = true;
		pool_submit(&j->agent->pool, new_work(j, slot));
		return;
	}
	if (word == POOL_COMMAND && r->target.mailbox_transport.n) {
		target_pass((const struct dlv_rcpt *)j->m->rcpts.v + slot, r->target.mailbox_transport, &j->arena,
			    &both);
		settle(j, slot, &both);
		return;
	}
	if (word == POOL_COMMAND && r->target.user[0] && r->target.what != CHILD_COMMAND) {
		target_use_mailbox_command(&r->target, &j->arena);
		r->result.news = job_copy_news(&j->arena, res->news);
		pool_submit(&j->agent->pool, new_work(j, slot));
		return;
	}
	/* What .forward named beside the user waited for mailbox_command; a user it refuses becomes a recipient like
	 * them, to be returned alone. */
	if (r->target.what == CHILD_COMMAND && res->status != DLV_DEFERRED && r->result.news.n) {
		const struct dlv_rcpt *asked = (const struct dlv_rcpt *)j->m->rcpts.v + slot;

		both.status = DLV_EXPANDED;
		both.news = res->status == DLV_SENT ? r->result.news :
			job_add_news(&j->arena, r->result.news, asked->address, SPAN_NULL);
	}
	settle(j, slot, &both);
}

/* Recipients of one process go together; commands go alone. */
static void dispatch(struct agent *g, struct job *j)
{
	size_t n = j->m->rcpts.n, n_works = 0;
	struct pool_work **works = xcalloc(n + 1, sizeof(*works));

	for (size_t i = 0; i < n; i++) {
		struct job_rcpt *r = &j->rcpts[i];
		struct pool_work *w;

		if (r->is_settled || r->is_sent)
			continue;
		w = works[n_works++] = new_work(j, i);
		for (size_t k = i + 1; k < n && r->target.what != CHILD_COMMAND; k++) {
			struct job_rcpt *other = &j->rcpts[k];

			if (other->is_settled || other->is_sent || strcmp(other->target.key, r->target.key) != 0)
				continue;
			other->is_sent = true;
			w->slots[w->n++] = k;
		}
	}
	for (size_t i = 0; i < n_works; i++)
		pool_submit(&g->pool, works[i]);
	free(works);
}

static void on_dlv_job(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct agent *g = arg;
	struct job *j = job_new(g, &g->jobs, in, fd);
	bool open = j->m->rcpts.n > 0, done = !open;

	g->n_jobs++;
	j->id = ++g->last_id;
	j->retry = j->m->attempts > 0 || j->m->arrival_ms <= g->attached_ms;
	for (size_t i = 0; i < j->m->rcpts.n; i++) {
		const struct dlv_rcpt *r = (const struct dlv_rcpt *)j->m->rcpts.v + i;
		struct dlv_rcpt_result res = { .index = r->index };

		if (target_find(g->settings, j->m->transport, r, &j->arena, &j->rcpts[i].target, &res) < 0)
			done = job_settle(j, i, &res);
	}
	if (done)
		finish_job(g, j);
	else
		dispatch(g, j);
}

/* ---- qmgr comes and goes ---- */

/* Of all that is under way. A frame holds about HELLO_PART of them. */
static size_t list_running(const struct agent *g, struct dlv_running *v)
{
	size_t n = 0;

	for (struct job *j = g->jobs; j; j = j->next)
		for (size_t i = 0; i < j->m->rcpts.n; i++, n++) {
			j->rcpts[i].is_reported = false;
			j->rcpts[i].n_told = 0;
			if (v)
				v[n] = (struct dlv_running){ j->m->qid, j->m->job,
							     ((const struct dlv_rcpt *)j->m->rcpts.v)[i].index };
		}
	return n;
}

static void say_hello(struct agent *g)
{
	size_t n = list_running(g, NULL), at = 0;
	struct dlv_running *v = xcalloc(n + 1, sizeof(*v));
	struct dlv_hello m = { .transports = SPAN_LIT("local virtual") };

	list_running(g, v);
	do {
		m.more = n - at > HELLO_PART;
		m.running = (struct ipc_list){ v + at, m.more ? HELLO_PART : n - at };
		at += m.running.n;
		if (ipc_send(&g->qmgr, &dlv_hello_desc, &m, NULL) < 0)
			log_error("cannot say HELLO to qmgr: %zu recipients under way", n);
	} while (m.more);
	free(v);
}

static void attach(struct agent *g, int *fd)
{
	g->attached_ms = clock_wall_ms();
	ipc_attach(&g->qmgr, fd);
	say_hello(g);
	if (g->n_jobs < AGENT_CREDITS)
		give_credit(g, AGENT_CREDITS - g->n_jobs);
	report_all(g);
}

static void on_qmgr_drained(void *arg, struct ipc *c)
{
	report_all(arg);
}

static void on_qmgr_lost(void *arg, struct ipc *c, const struct err *why)
{
	const struct agent *g = arg;

	if (why->kind != ERR_NONE)
		log_error("channel to qmgr: %s", why->msg);
	if (g->n_jobs)
		log_info("qmgr is gone: %zu letters under way are kept for the next one", g->n_jobs);
}

/* ---- daemon ---- */

static int agent_init(struct daemon *d, struct err *err)
{
	struct agent *g = d->state;

	g->settings = settings_new(d->conf, d->is_root, err);
	if (!g->settings || settings_instance(g->settings, err) < 0)
		return -1;
	/* The parent gives its rights to children one by one; what it forbade itself, commands could not do either. */
	d->sandbox.may = ~0u;
	d->sandbox.may_all_paths = true;
	d->sandbox.may_gain_privs = true;
	return 0;
}

static void on_tick(uv_timer_t *t)
{
	struct agent *g = t->data;

	report_all(g);
	pool_tick(&g->pool);
}

static void on_sigchld(uv_signal_t *s, int signum)
{
	pool_reap(&((struct agent *)s->data)->pool);
}

static int agent_start(struct daemon *d, struct err *err)
{
	struct agent *g = d->state;

	g->daemon = d;
	ipc_init(&g->qmgr, &d->loop, &qmgr_ops, g);
	pool_init(&g->pool, d, g->settings, on_result);
	uv_timer_init(&d->loop.uv, &g->timer);
	uv_signal_init(&d->loop.uv, &g->sigchld);
	g->timer.data = g->sigchld.data = g;
	uv_timer_start(&g->timer, on_tick, TICK_MS, TICK_MS);
	if (uv_signal_start(&g->sigchld, on_sigchld, SIGCHLD) != 0)
		return err_set(err, ERR_SYS, "cannot watch for SIGCHLD");
	return 0;
}

static void agent_channel(struct daemon *d, enum channel_kind kind, bool is_server, struct span peer, int *fd)
{
	if (kind == CHAN_DELIVER)
		attach(d->state, fd);
}

static int agent_reload(struct daemon *d, struct err *err)
{
	struct agent *g = d->state;
	struct settings *fresh = settings_new(d->conf, d->is_root, err);

	if (!fresh)
		return -1;
	fresh->instance = arena_strdup(&fresh->arena, g->settings->instance);
	pool_reload(&g->pool, fresh);
	settings_free(g->settings);
	g->settings = fresh;
	return 0;
}

static void agent_drain(struct daemon *d)
{
	struct agent *g = d->state;

	if (g->n_jobs == 0)
		daemon_exit(d);
}

static uint64_t agent_sessions(struct daemon *d)
{
	return ((struct agent *)d->state)->n_jobs;
}

const struct daemon_ops agent_ops = {
	.name = "local", .init = agent_init, .start = agent_start, .channel = agent_channel, .reload = agent_reload,
	.drain = agent_drain, .sessions = agent_sessions,
};
