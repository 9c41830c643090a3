#include "qmgr/active.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/delay.h"
#include "qmgr/agents.h"
#include "qmgr/bounce.h"
#include "qmgr/route.h"
#include "qmgr/turns.h"

/* bodies of fresh messages kept in memory; beyond it they are read again */
#define BODY_BYTES_MAX ((size_t)64 << 20)
#define TEXT_BYTES_MAX ((size_t)8 << 20)
#define DEATHS_MAX 2
#define LOADED_CHUNK 768                        /* an ordinary deferred message; thousands come due at once */

struct active *active_find(const struct qmgr *q, uint64_t id)
{
	return htab_get(&q->active, qmgr_id_key(&id));
}

uint64_t active_backoff_ms(const struct qmgr *q, uint32_t attempts)
{
	uint64_t ms = q->conf.minimal_backoff_time_ms;

	for (; attempts > 1 && ms < q->conf.maximal_backoff_time_ms; attempts--)
		ms *= 2;
	return ms < q->conf.maximal_backoff_time_ms ? ms : q->conf.maximal_backoff_time_ms;
}

struct work *active_work(const struct active *a, uint32_t no)
{
	size_t low = 0, high = a->n_works;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (active_rcpt(a->works[mid])->no < no)
			low = mid + 1;
		else
			high = mid;
	}
	return low < a->n_works && active_rcpt(a->works[low])->no == no ? a->works[low] : NULL;
}

static struct work *add_work(struct active *a, size_t at)
{
	struct work *w = arena_new(&a->arena, struct work);

	w->a = a;
	w->at = at;
	if (a->n_works == a->cap_works) {
		a->cap_works = a->cap_works ? a->cap_works * 2 : 1;
		a->works = xrealloc(a->works, a->cap_works * sizeof(struct work *));
	}
	w->index = a->n_works;
	a->works[a->n_works++] = w;
	a->n_in[WORK_NEW]++;
	return w;
}

static void add_missing_works(struct active *a)
{
	size_t i, from = a->n_works ? a->works[a->n_works - 1]->at + 1 : 0;

	for (i = from; i < a->m.n_rcpts; i++) {
		if (a->m.rcpts[i].state == QUEUE_WAITING)
			add_work(a, i);
	}
}

static struct active *begin(struct qmgr *q, struct active *a)
{
	size_t i, waiting = 0;
	char id[QUEUE_ID_LEN + 1];

	a->q = q;
	a->began_ms = clock_wall_ms();
	htab_put(&q->active, qmgr_id_key(&a->m.id), a);
	TAILQ_INSERT_TAIL(&q->actives, a, link);
	q->n_active++;
	if (q->n_active > q->n_peak)
		q->n_peak = q->n_active;
	for (i = 0; i < a->m.n_rcpts; i++)
		waiting += a->m.rcpts[i].state == QUEUE_WAITING;
	add_missing_works(a);
	queue_id_print(id, a->m.id);
	log_info("%s: from=<%.*s>, size=%llu, nrcpt=%zu (queue active)", id, SPAN_ARG(a->m.sender),
		 (unsigned long long)a->m.size, waiting);
	return a;
}

void active_begin(struct qmgr *q, const struct queue_msg *m, struct arena *arena, struct str *body)
{
	struct active *a = xnew(struct active);

	a->m = *m;
	a->arena = *arena;
	*arena = (struct arena){ 0 };
	str_init(&a->body, QUEUE_INLINE_MAX);
	if (!m->large && q->body_bytes + body->n <= BODY_BYTES_MAX) {
		a->body = *body;
		a->has_body = true;
		q->body_bytes += body->n;
		str_init(body, QUEUE_INLINE_MAX);
	}
	active_step(begin(q, a));
}

struct active *active_load(struct qmgr *q, uint64_t id)
{
	struct active *a;
	struct err err = ERR_INIT;
	enum queue_rc rc;
	char name[QUEUE_ID_LEN + 1];

	if (active_find(q, id))
		return NULL;
	a = xnew(struct active);
	str_init(&a->body, QUEUE_INLINE_MAX);
	arena_init(&a->arena, LOADED_CHUNK);
	rc = queue_get(q->queue, id, &a->arena, &a->m, &err);
	if (rc == QUEUE_FOUND && !a->m.held)
		return begin(q, a);
	if (rc == QUEUE_ERR && err.kind == ERR_SYS) {
		q->fatal(q, &err);
	} else if (rc == QUEUE_ERR) {
		queue_id_print(name, id);
		log_error("%s: %s; it stays in the queue and is not tried", name, err.msg);
		htab_put(&q->damaged, qmgr_id_key(&id), q);
	}
	arena_fini(&a->arena);
	free(a);
	return NULL;
}

static void drop_body(struct active *a)
{
	if (a->has_body)
		a->q->body_bytes -= a->body.n;
	a->has_body = false;
	str_fini(&a->body);
}

void active_detach(struct work *w)
{
	ipc_cancel(&w->req);
	turns_leave(w);
	if (w->state == WORK_LENT && w->agent)
		TAILQ_REMOVE(agents_lent(w->agent), w, link);
	w->agent = NULL;
}

static void drop(struct active *a)
{
	size_t i;

	for (i = 0; i < a->n_works; i++)
		active_detach(a->works[i]);
	drop_body(a);
	htab_del(&a->q->active, qmgr_id_key(&a->m.id));
	TAILQ_REMOVE(&a->q->actives, a, link);
	a->q->n_active--;
	free(a->works);
	arena_fini(&a->arena);
	free(a);
}

void active_drop_all(struct qmgr *q)
{
	while (!TAILQ_EMPTY(&q->actives))
		drop(TAILQ_FIRST(&q->actives));
}

/* ---- results ---- */

/* Of what was said about a recipient: with a hundred thousand of them the record must still hold it. */
static size_t text_max(const struct active *a, size_t most)
{
	size_t share = TEXT_BYTES_MAX / a->m.n_rcpts;

	return share < most ? share : most;
}

void active_result(struct work *w, enum active_verdict verdict, struct span dsn, struct span text, struct span mta,
		   bool is_lazy)
{
	struct active *a = w->a;
	struct queue_rcpt *r = active_rcpt(w);

	if (w->state == WORK_DONE)
		return;
	active_detach(w);
	active_enter(w, WORK_DONE);
	r->attempts++;
	r->dsn = arena_span(&a->arena, span_sub(dsn, 0, 16));
	r->text = arena_span(&a->arena, span_sub(text, 0, text_max(a, 2000)));
	r->mta = arena_span(&a->arena, span_sub(mta, 0, text_max(a, 255)));
	if (!is_lazy)
		a->has_eager = true;
	switch (verdict) {
	case ACTIVE_SENT:
		r->state = r->notify & QUEUE_SUCCESS ? QUEUE_SENT : QUEUE_CLOSED;
		r->action = w->transport && agents_relays(w->transport->name) ? QUEUE_RELAYED : QUEUE_DELIVERED;
		break;
	case ACTIVE_BOUNCED:
		r->state = QUEUE_FAILED;
		break;
	case ACTIVE_DEFERRED:
		break;
	}
}

void active_decide(struct work *w, enum active_verdict verdict, const char *dsn, struct span text)
{
	static const char *const words[] = { "sent", "deferred", "bounced" };
	struct active *a = w->a;
	struct queue_rcpt *r = active_rcpt(w);
	uint64_t now = clock_wall_ms();
	char id[QUEUE_ID_LEN + 1], all[DELAY_TEXT], before[DELAY_TEXT], here[DELAY_TEXT];
	bool has_orig = r->orig.n && !span_eq(r->orig, r->addr);

	queue_id_print(id, a->m.id);
	log_info("%s: to=<%.*s>, %s%.*s%srelay=none, delay=%s, delays=%s/%s/0/0, dsn=%s, status=%s (%.*s)", id,
		 SPAN_ARG(r->addr),
		 has_orig ? "orig_to=<" : "", SPAN_ARG(has_orig ? r->orig : SPAN_NULL), has_orig ? ">, " : "",
		 delay_format(all, now - a->m.arrival_ms), delay_format(before, a->began_ms - a->m.arrival_ms),
		 delay_format(here, now - a->began_ms), dsn, words[verdict], SPAN_ARG(text));
	active_result(w, verdict, span_z(dsn), text, SPAN_NULL, false);
}

/* ---- commits ---- */

static void failed_commit(struct active *a, struct write_job *job)
{
	char id[QUEUE_ID_LEN + 1];

	if (a->has_failed_commit)
		return;
	a->has_failed_commit = true;
	queue_id_print(id, a->m.id);
	log_warn("%s: the queue cannot be written (%s); trying again", id, job->err.msg);
}

static void on_saved(void *arg, struct write_job *job)
{
	struct active *a = arg;

	if (job->rc < 0) {
		failed_commit(a, job);
		writer_submit(a->q->writer, job, true);
		return;
	}
	if (a->is_saving) {
		bool has_marks = a->has_late_marks;

		a->is_saving = false;
		a->has_late_marks = false;
		active_step(a);
		if (has_marks && !a->is_saving)
			active_save(a);
	}
}

/* The record as it is when the writer takes it, so that many marks cost one encoding. */
static void fill_mark(void *arg, struct write_job *job)
{
	struct active *a = arg;

	a->has_lazy_job = false;
	writer_put(job, WRITE_UPDATE, a->m.id, &a->m, SPAN_NULL);
}

static void on_marked(void *arg, struct write_job *job)
{
	/* the message may have left memory: its own last commit came in the same order and says what counts */
	if (job->rc < 0)
		log_warn("marks of delivery could not be written: %s", job->err.msg);
}

void active_save(struct active *a)
{
	struct write_job *job;

	if (a->is_finishing)
		return;
	if (!a->has_lazy_job) {
		job = writer_job(on_marked, a);
		job->prepare = fill_mark;
		a->has_lazy_job = true;
		writer_submit(a->q->writer, job, !a->has_eager);
	} else if (a->has_eager) {
		writer_flush(a->q->writer);
	}
}

static void save_expansion(struct active *a)
{
	struct write_job *job = writer_job(on_saved, a);

	a->is_saving = true;
	a->is_expanded = false;         /* what expands meanwhile has to be saved too */
	writer_put(job, WRITE_UPDATE, a->m.id, &a->m, SPAN_NULL);
	writer_submit(a->q->writer, job, false);
}

/* ---- the end of a pass ---- */

/* Notices that were committed together with the marks of the recipients they are about. */
static void begin_notices(struct qmgr *q, const struct write_job *job)
{
	size_t i;

	for (i = 0; i < job->n_ops; i++) {
		const struct write_op *op = &job->ops[i];
		struct arena arena = { 0 };
		struct str body = STR_INIT(QUEUE_INLINE_MAX);
		struct queue_msg m;
		struct err err = ERR_INIT;

		if (op->kind != WRITE_ADD)
			continue;
		BUG(queue_decode(&m, op->id, str_span(&op->record), &arena, &err) < 0);
		BUG(str_add_span(&body, op->body) < 0);
		active_begin(q, &m, &arena, &body);
		str_fini(&body);
	}
}

static void submit_end(struct active *a, struct write_job *job, enum write_kind kind, bool is_lazy)
{
	a->is_finishing = true;
	writer_put(job, kind, a->m.id, kind == WRITE_DELETE ? NULL : &a->m, SPAN_NULL);
	if (job->n_ops > 1) {           /* on_finished looks at the first one */
		struct write_op last = job->ops[job->n_ops - 1];

		memmove(job->ops + 1, job->ops, (job->n_ops - 1) * sizeof(*job->ops));
		job->ops[0] = last;
	}
	writer_submit(a->q->writer, job, is_lazy);
}

static void on_finished(void *arg, struct write_job *job);

static void set_held(struct active *a)
{
	char id[QUEUE_ID_LEN + 1];

	if (a->m.held == a->wants_hold)
		return;
	a->m.held = a->wants_hold;
	queue_id_print(id, a->m.id);
	log_info("%s: %s", id, a->m.held ? "placed on hold" : "released from hold");
}

/* An admin's word that came while the end was being written; false when there was none. */
static bool take_late_word(struct active *a)
{
	uint64_t now = clock_wall_ms();
	bool is_retry = a->wants_retry && !a->wants_hold && a->m.due_ms > now;

	if (!a->wants_delete && a->wants_hold == a->m.held && !is_retry)
		return false;
	set_held(a);
	a->m.due_ms = a->wants_hold ? 0 : now;
	submit_end(a, writer_job(on_finished, a), a->wants_delete ? WRITE_DELETE : WRITE_UPDATE, false);
	return true;
}

static void on_finished(void *arg, struct write_job *job)
{
	struct active *a = arg;
	struct qmgr *q = a->q;
	uint64_t id = a->m.id, due = a->m.due_ms;
	bool is_gone = job->ops[0].kind == WRITE_DELETE, large = a->m.large;
	char name[QUEUE_ID_LEN + 1];

	if (job->rc < 0) {
		failed_commit(a, job);
		writer_submit(q->writer, job, true);
		return;
	}
	if (!is_gone && take_late_word(a)) {
		begin_notices(q, job);
		return;
	}
	drop(a);
	if (is_gone) {
		queue_id_print(name, id);
		log_info("%s: removed", name);
		if (large)
			queue_large_unlink(q->queue, id);
	} else if (due && due < q->next_due_ms) {
		q->next_due_ms = due;
	}
	begin_notices(q, job);
}

static uint64_t lifetime_ms(const struct active *a)
{
	return a->m.sender.n ? a->q->conf.maximal_queue_lifetime_ms : a->q->conf.bounce_queue_lifetime_ms;
}

/* Old age turns what was deferred into failure. */
static void expire(struct active *a)
{
	uint64_t now = clock_wall_ms();
	char id[QUEUE_ID_LEN + 1];
	bool any = false;
	size_t i;

	if (now < a->m.arrival_ms + lifetime_ms(a))
		return;
	for (i = 0; i < a->m.n_rcpts; i++) {
		if (a->m.rcpts[i].state == QUEUE_WAITING && a->m.rcpts[i].attempts > 0) {
			a->m.rcpts[i].state = QUEUE_FAILED;
			any = true;
		}
	}
	queue_id_print(id, a->m.id);
	if (any)
		log_info("%s: from=<%.*s>, status=expired, returned to sender", id, SPAN_ARG(a->m.sender));
}

static bool is_still_waiting(const struct active *a, uint32_t *attempts_r)
{
	bool any = false;
	size_t i;

	*attempts_r = 0;
	for (i = 0; i < a->m.n_rcpts; i++) {
		const struct queue_rcpt *r = &a->m.rcpts[i];

		if (r->state != QUEUE_WAITING)
			continue;
		any = true;
		if (r->attempts > *attempts_r)
			*attempts_r = r->attempts;
	}
	return any;
}

static void finish(struct active *a)
{
	struct write_job *job = writer_job(on_finished, a);
	uint32_t attempts;
	uint64_t now = clock_wall_ms();

	if (a->wants_delete) {
		submit_end(a, job, WRITE_DELETE, false);
		return;
	}
	if (!a->wants_hold)
		expire(a);
	bounce_write(a, job);
	if (!is_still_waiting(a, &attempts)) {
		submit_end(a, job, WRITE_DELETE, !a->has_eager && !job->has_add);
		return;
	}
	set_held(a);
	a->m.due_ms = a->wants_hold ? 0 : a->wants_retry ? now : now + active_backoff_ms(a->q, attempts);
	submit_end(a, job, WRITE_UPDATE, false);
}

/* ---- going on ---- */

/* An admin's word takes what nobody is working on out of delivery at once. */
static void withdraw(struct active *a)
{
	size_t i;

	for (i = 0; i < a->n_works; i++) {
		struct work *w = a->works[i];

		if (w->state == WORK_LENT || w->state == WORK_DONE)
			continue;
		active_detach(w);
		active_enter(w, WORK_DONE);
	}
	a->has_eager = true;
}

static void ask_new(struct active *a)
{
	for (; a->new_from < a->n_works; a->new_from++) {
		struct work *w = a->works[a->new_from];

		if (w->state == WORK_NEW)
			route_ask(w);
		if (w->state == WORK_NEW)
			return;         /* resolve is away or busy */
	}
}

static void queue_ready(struct active *a)
{
	size_t i;

	for (i = 0; i < a->n_works && a->n_in[WORK_READY] > a->n_queued; i++) {
		struct work *w = a->works[i];

		if (w->state != WORK_READY || w->is_queued)
			continue;
		if (w->deaths >= DEATHS_MAX)
			active_decide(w, ACTIVE_DEFERRED, "4.3.0", SPAN_LIT("delivery agent died"));
		else
			agents_queue(w);
	}
}

void active_step(struct active *a)
{
	if (a->is_finishing || a->is_saving || a->is_waiting_hello)
		return;
	add_missing_works(a);
	if (a->wants_hold || a->wants_delete)
		withdraw(a);
	ask_new(a);
	if (a->n_in[WORK_ASKED] || a->n_in[WORK_NEW])
		return;
	if (a->is_expanded) {
		save_expansion(a);
		return;
	}
	queue_ready(a);
	if (a->n_in[WORK_READY])
		agents_pump(a->q);
	else if (a->n_in[WORK_LENT] == 0)
		finish(a);
}

void active_lent(struct active *a)
{
	if (a->has_body && a->n_in[WORK_READY] == 0)
		drop_body(a);
}
