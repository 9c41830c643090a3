/* Group commit. The loop's thread pushes jobs on a list under a mutex and wakes the writer; the writer takes the
 * whole list into one transaction, and while that commit waits for the disk the next list gathers. Results go back
 * through uv_async. */
#include "qmgr/writer.h"

#include "base/mem.h"
#include "svc/msg_admin.h"

#define LAZY_MS 1000
#define RECORD_MAX ADM_RECORD_MAX

struct job_list {
	struct write_job *head, **tail;
};

struct writer {
	struct queue *queue;
	void (*fatal)(void *arg, const struct err *err);
	void *arg;
	uv_thread_t thread;
	uv_mutex_t mutex;
	uv_cond_t wake;
	uv_async_t *back;
	uv_timer_t *timer;
	struct job_list lazy;           /* the loop's thread only */
	struct job_list todo, done;     /* under the mutex */
	uint64_t commits, jobs;
	bool is_ending;
	bool has_failed;
	struct err failure;
};

static void list_init(struct job_list *l)
{
	l->head = NULL;
	l->tail = &l->head;
}

static void list_put(struct job_list *l, struct write_job *job)
{
	job->next = NULL;
	*l->tail = job;
	l->tail = &job->next;
}

static void list_move(struct job_list *to, struct job_list *from)
{
	if (!from->head)
		return;
	*to->tail = from->head;
	to->tail = from->tail;
	list_init(from);
}

/* ---- the writer's thread ---- */

static int apply(struct queue_txn *t, const struct write_job *job, struct err *err)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < job->n_ops && rc == 0; i++) {
		struct write_op *op = &job->ops[i];

		switch (op->kind) {
		case WRITE_ADD:
			rc = queue_add(t, op->id, str_span(&op->record), op->body, err);
			break;
		case WRITE_UPDATE:
			rc = queue_update(t, op->id, str_span(&op->record), err);
			break;
		case WRITE_DELETE:
			rc = queue_delete(t, op->id, err);
			break;
		case WRITE_PULL:
			rc = queue_pull(t, op->id, &op->n, err);
			break;
		}
	}
	return rc;
}

static void set_result(struct write_job *from, bool adds_only, const struct err *err)
{
	for (; from; from = from->next) {
		if (adds_only && !from->has_add)
			continue;
		from->rc = err ? -1 : 0;
		if (err)
			from->err = *err;
	}
}

/* A job whose first addition is refused for itself (its id is in use) has changed nothing; the others go on. */
static int write_all(struct queue *q, struct write_job *jobs, bool with_adds, struct err *err)
{
	struct queue_txn t;
	struct write_job *j;

	if (queue_begin(q, &t, err) < 0)
		return -1;
	for (j = jobs; j; j = j->next) {
		if (j->has_add && !with_adds)
			continue;
		j->rc = apply(&t, j, err);
		if (j->rc < 0 && err->kind == ERR_PROTO) {
			j->err = *err;
		} else if (j->rc < 0) {
			queue_abort(&t);
			return -1;
		}
	}
	return queue_commit(&t, err);
}

/* Full: new messages are refused, marks and deletions are tried alone, since they make room. */
static int write_list(struct queue *q, struct write_job *jobs, struct err *err)
{
	struct err refused;

	if (write_all(q, jobs, true, err) == 0)
		return 0;
	if (err->kind != ERR_TEMP)
		return -1;
	refused = *err;
	if (write_all(q, jobs, false, err) == 0) {
		set_result(jobs, true, &refused);
		return 0;
	}
	if (err->kind != ERR_TEMP)
		return -1;
	set_result(jobs, false, err);
	return 0;
}

static void run(void *arg)
{
	struct writer *w = arg;

	uv_mutex_lock(&w->mutex);
	for (;;) {
		struct job_list mine;
		struct err err = ERR_INIT;
		int rc;

		while (!w->todo.head && !w->is_ending)
			uv_cond_wait(&w->wake, &w->mutex);
		if (!w->todo.head || w->has_failed)
			break;
		list_init(&mine);
		list_move(&mine, &w->todo);
		uv_mutex_unlock(&w->mutex);
		rc = write_list(w->queue, mine.head, &err);
		uv_mutex_lock(&w->mutex);
		w->commits++;
		if (rc < 0) {           /* nobody may be told anything about these jobs any more */
			w->has_failed = true;
			w->failure = err;
		}
		list_move(&w->done, &mine);
		uv_async_send(w->back);
	}
	uv_mutex_unlock(&w->mutex);
}

/* ---- the loop's thread ---- */

static void job_free(struct write_job *job)
{
	size_t i;

	for (i = 0; i < job->n_ops; i++) {
		str_fini(&job->ops[i].record);
		str_fini(&job->ops[i].own);
	}
	free(job->ops);
	free(job);
}

static void take_results(struct writer *w)
{
	struct job_list mine;
	bool has_failed;

	list_init(&mine);
	uv_mutex_lock(&w->mutex);
	list_move(&mine, &w->done);
	has_failed = w->has_failed;
	uv_mutex_unlock(&w->mutex);
	while (mine.head) {
		struct write_job *job = mine.head;

		mine.head = job->next;
		if (!has_failed) {
			job->is_resubmitted = false;
			job->fn(job->arg, job);
		}
		if (has_failed || !job->is_resubmitted)
			job_free(job);
	}
	if (has_failed)
		w->fatal(w->arg, &w->failure);
}

static void on_back(uv_async_t *h)
{
	if (h->data)
		take_results(h->data);
}

void writer_flush(struct writer *w)
{
	struct write_job *j;

	for (j = w->lazy.head; j; j = j->next) {
		if (j->prepare)
			j->prepare(j->arg, j);
		j->prepare = NULL;
		w->jobs++;
	}
	uv_timer_stop(w->timer);
	uv_mutex_lock(&w->mutex);
	list_move(&w->todo, &w->lazy);
	uv_cond_signal(&w->wake);
	uv_mutex_unlock(&w->mutex);
}

static void on_timer(uv_timer_t *h)
{
	if (h->data)
		writer_flush(h->data);
}

struct writer *writer_new(uv_loop_t *loop, struct queue *q, void (*fatal)(void *arg, const struct err *err), void *arg)
{
	struct writer *w = xnew(struct writer);

	w->queue = q;
	w->fatal = fatal;
	w->arg = arg;
	list_init(&w->lazy);
	list_init(&w->todo);
	list_init(&w->done);
	w->back = xnew(uv_async_t);
	w->timer = xnew(uv_timer_t);
	BUG(uv_mutex_init(&w->mutex) != 0 || uv_cond_init(&w->wake) != 0);
	BUG(uv_async_init(loop, w->back, on_back) != 0);
	uv_timer_init(loop, w->timer);
	w->back->data = w->timer->data = w;
	BUG(uv_thread_create(&w->thread, run, w) != 0);
	return w;
}

static void free_handle(uv_handle_t *h)
{
	free(h);
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	writer_flush(w);
	uv_mutex_lock(&w->mutex);
	w->is_ending = true;
	uv_cond_signal(&w->wake);
	uv_mutex_unlock(&w->mutex);
	uv_thread_join(&w->thread);
	take_results(w);
	w->back->data = w->timer->data = NULL;
	uv_close((uv_handle_t *)w->back, free_handle);
	uv_close((uv_handle_t *)w->timer, free_handle);
	uv_cond_destroy(&w->wake);
	uv_mutex_destroy(&w->mutex);
	while (w->todo.head || w->lazy.head) {
		struct job_list *l = w->todo.head ? &w->todo : &w->lazy;
		struct write_job *job = l->head;

		l->head = job->next;
		job_free(job);
	}
	free(w);
}

struct write_job *writer_job(write_fn *fn, void *arg)
{
	struct write_job *job = xnew(struct write_job);

	job->fn = fn;
	job->arg = arg;
	return job;
}

void writer_put(struct write_job *job, enum write_kind kind, uint64_t id, const struct queue_msg *m, struct span body)
{
	struct write_op *op;

	job->ops = xrealloc(job->ops, (job->n_ops + 1) * sizeof(*job->ops));
	op = &job->ops[job->n_ops++];
	*op = (struct write_op){ kind, id, 0, STR_INIT(RECORD_MAX), body, STR_INIT(QUEUE_INLINE_MAX) };
	if (kind == WRITE_ADD || kind == WRITE_UPDATE)
		BUG(queue_encode(&op->record, m) < 0);
	if (kind == WRITE_ADD)
		job->has_add = true;
}

void writer_own_body(struct write_job *job, struct str *body)
{
	struct write_op *op = &job->ops[job->n_ops - 1];

	op->own = *body;
	op->body = str_span(&op->own);
	str_init(body, QUEUE_INLINE_MAX);
}

void writer_submit(struct writer *w, struct write_job *job, bool is_lazy)
{
	job->is_resubmitted = true;
	list_put(&w->lazy, job);
	if (!is_lazy)
		writer_flush(w);
	else if (!uv_is_active((uv_handle_t *)w->timer))
		uv_timer_start(w->timer, on_timer, LAZY_MS, 0);
}

void writer_counts(struct writer *w, uint64_t *commits_r, uint64_t *jobs_r)
{
	uv_mutex_lock(&w->mutex);
	*commits_r = w->commits;
	uv_mutex_unlock(&w->mutex);
	*jobs_r = w->jobs;
}
