#include "auth/front.h"

#include <stdlib.h>

#include "auth/exchange.h"
#include "auth/msg_work.h"
#include "auth/penalty.h"
#include "auth/ticket.h"
#include "base/clock.h"
#include "base/htab.h"
#include "base/log.h"
#include "base/mem.h"
#include "svc/msg_resolve.h"

#define WORK_TIMEOUT_MS 60000
#define PAM_TIMEOUT_MS 60000
#define SWEEP_MS 10000

enum state { WAITING, WORKING, PAM, CLIENT, DELAYED };

struct channel {
	struct front *front;
	struct ipc ipc;
	struct htab exchanges;          /* the front end's number -> struct job * */
	struct channel *next;
	bool has_tickets;               /* of pop3d or imapd */
};

/* One exchange. */
struct job {
	struct channel *channel;
	struct arena arena;
	enum state state;
	uint64_t number;                /* the front end's */
	uint64_t id;                    /* ours, for the workers */
	uint32_t call;                  /* whose answer is owed */
	struct work_start start;        /* copied; initial is wiped at the end */
	struct pool_worker *worker;
	unsigned generation;
	struct ipc_req req;
	uv_timer_t *timer;
	uint64_t since_ms;              /* in CLIENT */
	struct span refused;            /* whose login failed, for the log */
};

struct front {
	struct loop *loop;
	const struct settings *settings;
	struct pool pool;
	struct ipc pam;
	struct channel *channels;
	struct ticket_table tickets;
	struct penalty_table penalties;
	uint64_t last_id, n_jobs;
	uv_timer_t *sweep;
};

static struct span key_of(const uint64_t *number)
{
	return (struct span){ (const char *)number, sizeof(*number) };
}

static void wipe(struct span s)
{
	if (s.n)
		explicit_bzero((void *)(uintptr_t)s.p, s.n);
}

/* ---- one exchange ---- */

static void free_handle(uv_handle_t *h)
{
	free(h);
}

static void stop_timer(struct job *j)
{
	if (!j->timer)
		return;
	j->timer->data = NULL;
	uv_close((uv_handle_t *)j->timer, free_handle);
	j->timer = NULL;
}

static void start_timer(struct job *j, uint64_t ms, uv_timer_cb fn)
{
	j->timer = xnew(uv_timer_t);
	uv_timer_init(&j->channel->front->loop->uv, j->timer);
	j->timer->data = j;
	uv_timer_start(j->timer, fn, ms, 0);
}

/* tell_worker: it still holds the exchange. */
static void job_free(struct job *j, bool tell_worker)
{
	struct work_abort m = { j->id };

	stop_timer(j);
	ipc_cancel(&j->req);
	if (j->worker && j->worker->generation == j->generation) {
		if (tell_worker && ipc_is_attached(&j->worker->ipc) &&
		    ipc_send(&j->worker->ipc, &work_abort_desc, &m, NULL) < 0)
			log_error("worker: cannot end an exchange");
		pool_release(j->worker, j->generation);
	}
	htab_del(&j->channel->exchanges, key_of(&j->number));
	j->channel->front->n_jobs--;
	wipe(j->start.initial);
	arena_fini(&j->arena);
	free(j);
}

static void reply(struct job *j, const struct auth_answer *a)
{
	if (ipc_reply(&j->channel->ipc, j->call, &auth_answer_desc, a, NULL) < 0)
		log_error("a front end does not take its answer");
}

static void end(struct job *j, enum auth_status status, struct span text, bool tell_worker)
{
	struct auth_answer a = { .status = status, .user = j->refused, .text = text };

	reply(j, &a);
	job_free(j, tell_worker);
}

static void end_temp(struct job *j)
{
	end(j, AUTH_TEMP, SPAN_LIT("Temporary authentication failure"), true);
}

static void on_delayed(uv_timer_t *t)
{
	if (t->data)
		end(t->data, AUTH_FAIL, SPAN_LIT("Authentication failed"), false);
}

/* One sentence and one delay for all failures; the clock runs from here, so a slow hash shows less. */
static void fail(struct job *j, struct span user)
{
	struct front *f = j->channel->front;

	j->refused = arena_span(&j->arena, user);
	j->state = DELAYED;
	start_timer(j, penalty_fail(&f->penalties, j->start.remote_addr, f->settings->auth.auth_failure_delay_ms),
		    on_delayed);
}

static void succeed(struct job *j, const struct work_answer *w)
{
	struct front *f = j->channel->front;
	struct auth_answer a = { .status = AUTH_OK, .user = w->user };
	char text[TICKET_TEXT + 1];

	if (!span_eqz(j->start.service, "smtp")) {
		struct ticket_user u = { .status = MSG_OK, .user = w->user, .uid = w->uid, .gid = w->gid,
					 .system_user = w->system_user, .home = w->home, .mail = w->mail,
					 .index = w->index, .quota = w->quota };

		if (ticket_issue(&f->tickets, j->start.service, &u, text) < 0) {
			log_warn("%d tickets are open; logins wait", TICKET_MAX);
			end(j, AUTH_TEMP, SPAN_LIT("Too many logins at once"), false);
			return;
		}
		a.ticket = (struct span){ text, TICKET_TEXT };
	}
	reply(j, &a);
	job_free(j, false);
}

static void on_worked(void *arg, enum ipc_rc rc, const void *in, int *fd);

/* Sends one request about this exchange to its worker. */
static void work(struct job *j, const struct ipc_desc *d, const void *in)
{
	j->state = WORKING;
	if (j->worker->generation != j->generation ||
	    ipc_call(&j->worker->ipc, d, in, NULL, &work_answer_desc, &j->req, on_worked, j, WORK_TIMEOUT_MS) < 0)
		end_temp(j);
}

static void on_pam(void *arg, enum ipc_rc rc, const void *in, int *fd)
{
	struct job *j = arg;
	const struct pam_result *r = in;
	struct work_resume m = { j->id, rc == IPC_OK ? r->status : MSG_TEMP };

	work(j, &work_resume_desc, &m);
}

static void ask_pam(struct job *j, const struct work_answer *a)
{
	struct front *f = j->channel->front;
	struct pam_check q = { span_z(f->settings->auth.auth_pam_service), a->user, a->password, j->start.remote_addr };

	j->state = PAM;
	if (ipc_call(&f->pam, &pam_check_desc, &q, NULL, &pam_result_desc, &j->req, on_pam, j, PAM_TIMEOUT_MS) < 0) {
		log_error("PAM cannot be asked: auth-pam is not there");
		on_pam(j, IPC_LOST, NULL, NULL);
	}
	wipe(a->password);
}

static void challenge(struct job *j, const struct work_answer *w)
{
	struct auth_answer a = { .status = AUTH_CONTINUE, .challenge = w->challenge };

	j->state = CLIENT;
	j->since_ms = clock_mono_ms();
	reply(j, &a);
}

static void on_worked(void *arg, enum ipc_rc rc, const void *in, int *fd)
{
	struct job *j = arg;
	const struct work_answer *a = in;

	if (rc == IPC_TIMEOUT) {
		log_error("worker %d hangs in an exchange over %.*s", (int)j->worker->pid, SPAN_ARG(j->start.mech));
		pool_kill(j->worker, j->generation);
	}
	if (rc != IPC_OK) {
		end_temp(j);
		return;
	}
	switch (a->status) {
	case WORK_CONTINUE:
		challenge(j, a);
		break;
	case WORK_OK:
		succeed(j, a);
		break;
	case WORK_PAM:
		ask_pam(j, a);
		break;
	case WORK_FAIL:
		fail(j, a->user);
		break;
	case WORK_REFUSED:
		end(j, AUTH_REFUSED, a->text, false);
		break;
	default:
		end(j, AUTH_TEMP, a->text, false);
		break;
	}
}

static void begin(struct job *j)
{
	struct err err = ERR_INIT;
	struct pool_worker *w = pool_pick(&j->channel->front->pool, &err);

	if (!w) {
		log_error("%s", err.msg);
		end_temp(j);
		return;
	}
	j->worker = w;
	j->generation = w->generation;
	w->n_exchanges++;
	work(j, &work_start_desc, &j->start);
}

static void on_waited(uv_timer_t *t)
{
	struct job *j = t->data;

	if (!j)
		return;
	stop_timer(j);
	begin(j);
}

/* ---- what front ends send ---- */

static bool is_offered(const struct front *f, struct span mech)
{
	return conf_list_has(&f->settings->auth.auth_mechanisms, mech) && exchange_mech(mech);
}

static bool is_plaintext(struct span mech)
{
	return span_eq_nocase(mech, "PLAIN") || span_eq_nocase(mech, "LOGIN");
}

static bool is_from_here(const struct auth_start *m)
{
	return span_starts(m->remote_addr, "127.") || span_eqz(m->remote_addr, "::1") || m->remote_addr.n == 0 ||
	       span_eq(m->remote_addr, m->local_addr);
}

/* NULL, or why this start is refused; front ends know better and do not ask. */
static const char *objection(const struct front *f, const struct auth_start *m)
{
	const struct auth_conf *a = &f->settings->auth;

	if (!is_offered(f, m->mech))
		return "Unsupported authentication mechanism";
	if (is_plaintext(m->mech) && a->disable_plaintext_auth && !a->auth_allow_cleartext && !m->is_secure &&
	    !is_from_here(m))
		return "Plaintext authentication is not allowed without TLS";
	if (m->service.n == 0 || m->service.n > 16)
		return "Unknown service";
	return NULL;
}

static struct job *job_new(struct channel *ch, uint32_t call, const struct auth_start *m)
{
	struct job *j = xnew(struct job);

	j->channel = ch;
	j->call = call;
	j->number = m->exchange;
	j->id = ++ch->front->last_id;
	j->start = (struct work_start){ j->id, span_z(exchange_mech(m->mech)), m->has_initial,
					arena_span(&j->arena, m->initial), arena_span(&j->arena, m->service),
					arena_span(&j->arena, m->remote_addr), arena_span(&j->arena, m->local_name) };
	htab_put(&ch->exchanges, key_of(&m->exchange), j);
	ch->front->n_jobs++;
	return j;
}

static void refuse_call(struct channel *ch, uint32_t call, enum auth_status status, const char *text)
{
	struct auth_answer a = { .status = status, .text = span_z(text) };

	if (ipc_reply(&ch->ipc, call, &auth_answer_desc, &a, NULL) < 0)
		log_error("a front end does not take its answer");
}

static void on_start(void *arg, struct ipc *c, uint32_t call, const void *in, int *fd)
{
	struct channel *ch = arg;
	const struct auth_start *m = in;
	struct front *f = ch->front;
	const char *why = objection(f, m);
	struct job *j;
	uint64_t wait;

	if (!why && htab_get(&ch->exchanges, key_of(&m->exchange)))
		why = "This exchange runs already";
	if (why) {
		refuse_call(ch, call, AUTH_REFUSED, why);
	} else if (ch->exchanges.n >= FRONT_EXCHANGES_MAX) {
		refuse_call(ch, call, AUTH_TEMP, "Too many logins at once");
	} else {
		j = job_new(ch, call, m);
		wait = penalty_before(&f->penalties, m->remote_addr, f->settings->auth.auth_failure_delay_ms);
		j->state = WAITING;
		if (wait)
			start_timer(j, wait, on_waited);
		else
			begin(j);
	}
	wipe(m->initial);
}

static void on_step(void *arg, struct ipc *c, uint32_t call, const void *in, int *fd)
{
	struct channel *ch = arg;
	const struct auth_step *m = in;
	struct job *j = htab_get(&ch->exchanges, key_of(&m->exchange));
	struct work_step s;

	if (!j || j->state != CLIENT) {
		refuse_call(ch, call, AUTH_TEMP, "There is no such exchange");
		wipe(m->response);
		return;
	}
	j->call = call;
	s = (struct work_step){ j->id, m->response };
	work(j, &work_step_desc, &s);
	wipe(m->response);
}

static void on_abort(void *arg, struct ipc *c, uint32_t call, const void *in, int *fd)
{
	struct channel *ch = arg;
	const struct auth_abort *m = in;
	struct job *j = htab_get(&ch->exchanges, key_of(&m->exchange));

	if (j)
		job_free(j, true);
}

static void on_redeem(void *arg, struct ipc *c, uint32_t call, const void *in, int *fd)
{
	struct channel *ch = arg;
	const struct ticket_redeem *m = in;
	struct ticket_user u = { .status = MSG_NO, .text = SPAN_LIT("The ticket is not valid") };

	if (!ticket_redeem(&ch->front->tickets, m->ticket, m->service, &ch->front->loop->tick, &u))
		log_warn("a ticket for %.*s is not valid", SPAN_ARG(m->service));
	if (ipc_reply(c, call, &ticket_user_desc, &u, NULL) < 0)
		log_error("a ticket's owner does not fit into a frame");
}

/* ---- channels ---- */

static void free_jobs(struct channel *ch)
{
	size_t pos;
	void *j;

	for (;;) {
		pos = 0;
		if (!htab_next(&ch->exchanges, &pos, NULL, &j))
			break;
		job_free(j, true);
	}
	htab_fini(&ch->exchanges);
}

static void channel_free(struct channel *ch)
{
	struct channel **at = &ch->front->channels;

	while (*at != ch)
		at = &(*at)->next;
	*at = ch->next;
	free_jobs(ch);
	ipc_close(&ch->ipc);
	free(ch);
}

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
	if (why->kind != ERR_NONE)
		log_error("channel %s: %s", c->ops->name, why->msg);
	channel_free(arg);
}

static const struct ipc_rule auth_rules[] = {
	{ &auth_start_desc, ~0u, on_start },
	{ &auth_step_desc, ~0u, on_step },
	{ &auth_abort_desc, ~0u, on_abort },
};
static const struct ipc_rule ticket_rules[] = { { &ticket_redeem_desc, ~0u, on_redeem } };
static const struct ipc_ops auth_ops = { "auth", auth_rules, ARRAY_LEN(auth_rules), on_lost, NULL };
static const struct ipc_ops ticket_ops = { "ticket", ticket_rules, ARRAY_LEN(ticket_rules), on_lost, NULL };

static void on_pam_lost(void *arg, struct ipc *c, const struct err *why)
{
	if (why->kind != ERR_NONE)
		log_error("channel pam: %s", why->msg);
}

static const struct ipc_ops pam_ops = { "pam", NULL, 0, on_pam_lost, NULL };

static void push_mechs(struct front *f, struct channel *ch)
{
	struct auth_mech v[8];
	struct auth_mechs m = { { v, 0 } };
	size_t i;

	for (i = 0; i < f->settings->auth.auth_mechanisms.n && m.mechs.n < ARRAY_LEN(v); i++) {
		const char *name = exchange_mech(span_z(f->settings->auth.auth_mechanisms.v[i]));

		if (name)
			v[m.mechs.n++] = (struct auth_mech){ span_z(name), is_plaintext(span_z(name)) };
	}
	if (ipc_send(&ch->ipc, &auth_mechs_desc, &m, NULL) < 0)
		log_error("a front end does not take the list of mechanisms");
}

static struct channel *channel_new(struct front *f, const struct ipc_ops *ops, int *fd)
{
	struct channel *ch = xnew(struct channel);

	ch->front = f;
	ch->next = f->channels;
	f->channels = ch;
	ipc_init(&ch->ipc, f->loop, ops, ch);
	ch->ipc.is_secret = true;
	ipc_attach(&ch->ipc, fd);
	return ch;
}

void front_attach(struct front *f, int *fd)
{
	push_mechs(f, channel_new(f, &auth_ops, fd));
}

void front_attach_tickets(struct front *f, int *fd)
{
	channel_new(f, &ticket_ops, fd)->has_tickets = true;
}

void front_attach_pam(struct front *f, int *fd)
{
	ipc_close(&f->pam);
	ipc_init(&f->pam, f->loop, &pam_ops, f);
	f->pam.is_secret = true;
	ipc_attach(&f->pam, fd);
}

/* ---- life ---- */

/* The client of an exchange went quiet, or its front end forgot it. */
static void drop_quiet(struct channel *ch, uint64_t now)
{
	struct job **old = xcalloc(ch->exchanges.n + 1, sizeof(*old));
	size_t pos = 0, n = 0, i;
	void *v;

	while (htab_next(&ch->exchanges, &pos, NULL, &v)) {
		struct job *j = v;

		if (j->state == CLIENT && now - j->since_ms > FRONT_CLIENT_MS)
			old[n++] = j;
	}
	for (i = 0; i < n; i++)
		job_free(old[i], true);
	free(old);
}

static void on_sweep(uv_timer_t *t)
{
	struct front *f = t->data;
	struct channel *ch;

	if (!f)
		return;
	ticket_sweep(&f->tickets);
	for (ch = f->channels; ch; ch = ch->next)
		drop_quiet(ch, clock_mono_ms());
}

struct front *front_new(struct loop *loop, const struct settings *s, pool_spawn_fn *spawn, void *arg)
{
	struct front *f = xnew(struct front);

	f->loop = loop;
	f->settings = s;
	f->pam.fd = -1;
	pool_init(&f->pool, loop, s, spawn, arg);
	ticket_init(&f->tickets, s->auth.auth_ticket_lifetime_ms);
	f->sweep = xnew(uv_timer_t);
	uv_timer_init(&loop->uv, f->sweep);
	f->sweep->data = f;
	uv_timer_start(f->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	return f;
}

void front_free(struct front *f)
{
	while (f->channels)
		channel_free(f->channels);
	ipc_close(&f->pam);
	pool_fini(&f->pool);
	ticket_fini(&f->tickets);
	penalty_fini(&f->penalties);
	f->sweep->data = NULL;
	uv_close((uv_handle_t *)f->sweep, free_handle);
	free(f);
}

void front_configure(struct front *f, const struct settings *s)
{
	struct channel *ch;

	f->settings = s;
	f->tickets.lifetime_ms = s->auth.auth_ticket_lifetime_ms;
	pool_configure(&f->pool, s);
	for (ch = f->channels; ch; ch = ch->next) {
		if (!ch->has_tickets)
			push_mechs(f, ch);
	}
}

uint64_t front_count(const struct front *f)
{
	return f->n_jobs;
}
