#include "qmgr/qmgr.h"

#include <malloc.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "qmgr/active.h"
#include "qmgr/agents.h"
#include "qmgr/enqueue.h"

#define TRIM_FROM 500
#define LOAD_MAX 500            /* messages taken from the disk in one turn */

/* Half the room is for new mail: a long queue coming due must not send it to the disk and back. */
static uint64_t load_limit(const struct qmgr *q)
{
	return (q->conf.qmgr_message_active_limit + 1) / 2;
}

struct due_list {
	struct qmgr *q;
	uint64_t ids[LOAD_MAX];
	size_t n;
};

static bool on_due(void *arg, uint64_t id, uint64_t due_ms)
{
	struct due_list *l = arg;

	if (active_find(l->q, id) || htab_get(&l->q->damaged, qmgr_id_key(&id)))
		return true;
	if (l->n == LOAD_MAX || l->q->n_active + l->n >= load_limit(l->q))
		return false;
	l->ids[l->n++] = id;
	return true;
}

static void load_due(struct qmgr *q)
{
	uint64_t now = clock_wall_ms();
	struct due_list l = { .q = q };
	struct err err = ERR_INIT;
	size_t i;

	if (!q->hello_done || now < q->next_due_ms || q->n_active >= load_limit(q))
		return;
	if (queue_due(q->queue, now, on_due, &l, &q->next_due_ms, &err) < 0) {
		q->fatal(q, &err);
		return;
	}
	for (i = 0; i < l.n; i++) {
		struct active *a = active_load(q, l.ids[i]);

		if (a)
			active_step(a);
	}
}

static void on_pulled(void *arg, struct write_job *job);

/* What was put off while the clock was ahead would else wait until it is there again. */
static void pull_schedule(struct qmgr *q)
{
	struct write_job *job = writer_job(on_pulled, q);

	writer_put(job, WRITE_PULL, clock_wall_ms() + q->conf.maximal_backoff_time_ms, NULL, SPAN_NULL);
	writer_submit(q->writer, job, false);
}

static void on_pulled(void *arg, struct write_job *job)
{
	struct qmgr *q = arg;

	if (job->rc < 0) {
		log_warn("the schedule cannot be set right: %s", job->err.msg);
		return;
	}
	if (job->ops[0].n == 0)
		return;
	log_warn("%zu messages were put off for longer than maximal_backoff_time, as by a clock that was ahead: they are "
		 "tried after that time", job->ops[0].n);
	q->next_due_ms = 0;
	if (job->ops[0].n == QUEUE_PULL_MAX)
		pull_schedule(q);
}

static void look_at_clock(struct qmgr *q)
{
	uint64_t now = clock_wall_ms();

	if (now < q->wall_ms)
		pull_schedule(q);
	q->wall_ms = now;
}

static void step_stalled(struct qmgr *q)
{
	struct active *a;

	q->has_stalled = false;
	TAILQ_FOREACH(a, &q->actives, link)
		active_step(a);
}

/* What thousands of messages have used is given back once few of them are left: malloc keeps it, and a queue that
 * waits for hours should cost the disk, not the memory. */
static void trim(struct qmgr *q)
{
	if (q->n_peak < TRIM_FROM || q->n_active > q->n_peak / 10)
		return;
	malloc_trim(0);
	q->n_peak = q->n_active;
}

void qmgr_run(struct qmgr *q)
{
	look_at_clock(q);
	if (q->has_stalled)
		step_stalled(q);
	agents_tick(q);
	load_due(q);
}

static void on_tick(uv_timer_t *t)
{
	if (!t->data)
		return;
	qmgr_run(t->data);
	trim(t->data);
}

static void on_failed_disk(void *arg, const struct err *err)
{
	struct qmgr *q = arg;

	q->fatal(q, err);
}

void qmgr_start(struct qmgr *q)
{
	TAILQ_INIT(&q->actives);
	TAILQ_INIT(&q->agents);
	TAILQ_INIT(&q->doors);
	ipc_init(&q->resolve, q->loop, NULL, q);
	q->writer = writer_new(&q->loop->uv, q->queue, on_failed_disk, q);
	q->started_ms = clock_mono_ms();
	q->first_id = queue_new_ids(q->queue, 1);
	q->next_job = clock_wall_ms() << 20;    /* jobs of the last qmgr, reported again, have other numbers */
	q->tick = xnew(uv_timer_t);
	uv_timer_init(&q->loop->uv, q->tick);
	q->tick->data = q;
	uv_timer_start(q->tick, on_tick, 1000, 1000);
	pull_schedule(q);
}

static void free_handle(uv_handle_t *h)
{
	free(h);
}

void qmgr_stop(struct qmgr *q)
{
	writer_free(q->writer);
	q->writer = NULL;
	ipc_flush_unsent(q->loop);      /* what the last commit answers */
	q->tick->data = NULL;
	uv_close((uv_handle_t *)q->tick, free_handle);
	enqueue_fini(q);
	active_drop_all(q);
	ipc_close(&q->resolve);
	agents_fini(q);
	htab_fini(&q->active);
	htab_fini(&q->damaged);
}
