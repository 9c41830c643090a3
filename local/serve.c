#include "local/serve.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "local/forward.h"
#include "local/job.h"
#include "local/mbox.h"
#include "local/note.h"
#include "store/quota.h"

#define BATCH_MAX 128
#define CLEAN_ONE_IN 64         /* batches, between looks for forgotten files in tmp/ */

/* A Maildir that the batch writes to. */
struct box {
	char *base, *path;
	struct maildir md;
	struct quota_limit limit;
	struct quota_use use;
	bool has_index;
};

/* An item of the batch: what the parent is told once it is durable. */
struct waiting {
	uint64_t id, slot;
	struct box *box;
	uint64_t size;
	const char *text;
	struct ipc_list news;
	struct span address;
	struct span name;               /* of the file in new/ */
	const struct mail_record *record;       /* for the index of the reader, or NULL */
};

struct serve {
	const struct settings *s;
	struct ipc c;
	struct arena arena;             /* until the batch is committed */
	struct maildir_batch batch;
	struct waiting waiting[BATCH_MAX];
	struct box *boxes[BATCH_MAX];
	size_t n_boxes;
};

/* Where in the batch the last copy of the letter at hand stands, for recipients whose bytes agree. */
struct copy {
	struct span head;
	ptrdiff_t index;
	const struct mail_record *record;
};

static const char *dsn_of(const struct err *err)
{
	if (err->dsn[0])
		return err->dsn;
	if (!err_is_temporary(err))
		return "5.2.0";
	if (err->sys == ENOSPC)
		return "4.3.1";
	if (err->sys == EDQUOT)
		return "4.2.2";
	return err->kind == ERR_CONF ? "4.3.5" : "4.2.0";
}

void serve_failure(struct child_result *res, const struct err *err)
{
	res->status = err_is_temporary(err) ? DLV_DEFERRED : DLV_BOUNCED;
	res->dsn = span_z(dsn_of(err));
	res->text = span_z(err->msg);
	res->news = (struct ipc_list){ 0 };
}

/* A parent that has gone shows at the next wait. */
static void answer(struct serve *v, const struct child_result *res)
{
	struct child_result part = *res;
	struct err err = ERR_INIT;
	size_t at = 0;

	do {
		part.news = msg_resolve_part(&res->news, at);
		at += part.news.n;
		part.more = at < res->news.n;
		if ((ipc_is_full(&v->c) && ipc_flush(&v->c, &err) < 0) ||
		    ipc_send(&v->c, &child_result_desc, &part, NULL) < 0)
			log_warn("a delivery result was lost");
	} while (part.more);
}

static void close_boxes(struct serve *v)
{
	for (size_t i = 0; i < v->n_boxes; i++) {
		if (random_below(CLEAN_ONE_IN) == 0)
			maildir_clean_tmp(&v->boxes[i]->md);
		maildir_close(&v->boxes[i]->md);
		free(v->boxes[i]);
	}
	v->n_boxes = 0;
}

/* The user's own copy is refused, but others wait for theirs: it becomes a recipient like them, to be returned
 * alone. */
static void apart(struct serve *v, struct child_result *res, struct span address)
{
	res->news = job_add_news(&v->arena, res->news, arena_span(&v->arena, address), SPAN_NULL);
	res->status = DLV_EXPANDED;
	res->text = SPAN_LIT("forwarded");
}

/* Best effort, when the parent knows already: what is not noted is read by the reader itself. */
static void leave_notes(struct serve *v, size_t n)
{
	struct str out = STR_INIT(MAIL_INBOX_MAX);
	struct err err = ERR_INIT;

	if (ipc_flush(&v->c, &err) < 0)
		return;
	for (size_t b = 0; b < v->n_boxes; b++) {
		str_reset(&out);
		for (size_t i = 0; i < n; i++)
			if (v->waiting[i].box == v->boxes[b] && v->waiting[i].record)
				note_add(&out, v->waiting[i].name, v->waiting[i].record);
		if (out.n)
			mail_inbox_append(v->boxes[b]->md.fd, str_span(&out));
	}
	str_fini(&out);
}

static void commit(struct serve *v)
{
	struct err results[BATCH_MAX];
	bool already[BATCH_MAX], has_notes = false;
	size_t n = v->batch.n;

	maildir_batch_commit(&v->batch, results, already);
	for (size_t i = 0; i < n; i++) {
		struct waiting *w = &v->waiting[i];
		struct child_result res = { .id = w->id, .slot = w->slot, .status = DLV_SENT, .dsn = SPAN_LIT("2.0.0"),
					    .text = span_z(w->text), .is_lazy = 1, .news = w->news };

		if (results[i].kind != ERR_NONE && w->news.n && !err_is_temporary(&results[i]))
			apart(v, &res, w->address);
		else if (results[i].kind != ERR_NONE)
			serve_failure(&res, &results[i]);
		else if (w->news.n)
			res.status = DLV_EXPANDED;
		if (results[i].kind == ERR_NONE && !already[i])
			quota_add(&w->box->md, &w->box->limit, (int64_t)w->size, 1);
		answer(v, &res);
		if (results[i].kind != ERR_NONE || already[i])
			w->record = NULL;
		has_notes |= w->record != NULL;
	}
	if (has_notes)
		leave_notes(v, n);
	close_boxes(v);
	arena_reset(&v->arena);
}

static struct box *find_box(struct serve *v, struct span base, struct span path, const struct child_rcpt *r,
			    struct err *err)
{
	unsigned link = r->what == CHILD_USER || r->what == CHILD_BOX ? MAILDIR_LINK : 0;
	struct box *b;

	for (size_t i = 0; i < v->n_boxes; i++)
		if (span_eqz(base, v->boxes[i]->base) && span_eqz(path, v->boxes[i]->path) &&
		    v->boxes[i]->limit.bytes == r->quota_bytes && v->boxes[i]->limit.count == r->quota_count)
			return v->boxes[i];
	b = xnew(struct box);
	b->base = arena_strndup(&v->arena, base.p, base.n);
	b->path = arena_strndup(&v->arena, path.p, path.n);
	b->limit = (struct quota_limit){ r->quota_bytes, r->quota_count };
	if (maildir_open(&b->md, b->base, b->path, MAILDIR_CREATE | link, err) == 0) {
		if (quota_read(&b->md, &b->limit, &b->use, err) == 0) {
			b->has_index = note_is_wanted(&b->md);
			v->boxes[v->n_boxes++] = b;
			return b;
		}
		maildir_close(&b->md);
	}
	if (!strstr(err->msg, b->base))
		err_wrap(err, "in %s", b->base);
	free(b);
	return NULL;
}

/* A mailbox always shows who it was for; files as prepend_delivered_header says. */
static unsigned fields_for(const struct settings *s, const struct child_rcpt *r)
{
	const struct conf_list *l = &s->local.prepend_delivered_header;

	return (r->what != CHILD_FILE || conf_list_has(l, SPAN_LIT("file")) ? LETTER_DELIVERED_TO : 0) |
	       (conf_list_has(l, SPAN_LIT("forward")) ? LETTER_CHAIN : 0);
}

/* Copies with the same bytes share the record. */
static const struct mail_record *record_of(struct serve *v, const struct maildir_msg *m, const struct copy *last)
{
	struct mail_record *r;

	if (m->same_as >= 0 && last->record)
		return last->record;
	r = arena_new(&v->arena, struct mail_record);
	return note_make(&v->arena, m, r) ? r : NULL;
}

/* 0: in the batch; -1 with err. */
static int to_maildir(struct serve *v, const struct child_job *job, const struct letter *l, const struct child_rcpt *r,
		      struct span base, struct span path, struct copy *last, struct waiting w, struct err *err)
{
	char *qid = arena_strndup(&v->arena, job->qid.p, job->qid.n);
	struct box *box = find_box(v, base, path, r, err);
	struct maildir_msg m = { .head = letter_head(&v->arena, l, r, fields_for(v->s, r)),
				 .body = l->body,
				 .fd = l->fd,
				 .size = l->size,
				 .retry = job->retry != 0,
				 .same_as = -1 };

	if (!box)
		return -1;
	m.base = maildir_base_name(&v->arena, l->arrival_ms, qid, (unsigned)r->index, v->s->instance,
				   v->s->global.myhostname);
	if (last->index >= 0 && span_eq(last->head, m.head))
		m.same_as = last->index;
	w.size = m.head.n + l->size;
	/* A letter that an earlier attempt delivered is counted already. */
	if (quota_check(&box->limit, &box->use, w.size, err) < 0 && !(m.retry && maildir_has(&box->md, m.base)))
		return -1;
	if (maildir_batch_add(&v->batch, &box->md, &m, err) < 0)
		return -1;
	w.record = box->has_index ? record_of(v, &m, last) : NULL;
	w.name = arena_span(&v->arena, span_z(maildir_batch_name(&v->batch, v->batch.n - 1)));
	*last = (struct copy){ m.head, (ptrdiff_t)v->batch.n - 1, w.record };
	box->use.bytes += w.size;
	box->use.count++;
	w.box = box;
	v->waiting[v->batch.n - 1] = w;
	return 0;
}

static int to_mbox(struct serve *v, const struct letter *l, const struct child_rcpt *r, struct span path,
		   struct err *err)
{
	struct span head = letter_head(&v->arena, l, r, LETTER_FROM_LINE | fields_for(v->s, r));

	return mbox_append(arena_strndup(&v->arena, path.p, path.n), l, head, r->quota_bytes,
			   v->s->local.strict_mailbox_ownership, err);
}

static bool is_maildir(struct span path)
{
	return path.n == 0 || path.p[path.n - 1] == '/';
}

static struct span arena_path(struct arena *a, struct span base, struct span path)
{
	return span_z(arena_printf(a, "%.*s/%.*s", SPAN_ARG(base), SPAN_ARG(path)));
}

/* Into the mailbox base/path: 0 when the batch answers later, 1 when *res is the answer, -1 with err. */
static int to_mailbox(struct serve *v, const struct child_job *job, const struct letter *l, const struct child_rcpt *r,
		      struct copy *last, struct child_result *res, const char *text, struct err *err)
{
	struct waiting w = { .id = job->id, .slot = r->slot, .news = res->news, .text = text };

	if (is_maildir(r->path)) {
		for (size_t i = 0; i < res->news.n; i++) {
			struct route_new *nw = (struct route_new *)res->news.v + i;

			nw->address = arena_span(&v->arena, nw->address);
			nw->as_user = arena_span(&v->arena, nw->as_user);
		}
		w.text = w.text ? w.text : "delivered to maildir";
		w.address = arena_span(&v->arena, r->address);
		return to_maildir(v, job, l, r, r->base, r->path, last, w, err);
	}
	if (to_mbox(v, l, r, arena_path(&v->arena, r->base, r->path), err) < 0)
		return -1;
	res->status = res->news.n ? DLV_EXPANDED : DLV_SENT;
	res->text = span_z(text ? text : "delivered to mailbox");
	return 1;
}

static int to_user(struct serve *v, const struct child_job *job, const struct letter *l, const struct child_rcpt *r,
		   struct copy *last, struct child_result *res, struct err *err)
{
	struct forward f = { 0 };
	int rc = r->what == CHILD_USER ? forward_read(v->s, r, &v->arena, &f, err) : 0;

	if (rc < 0)
		return -1;
	res->news = f.news;
	if (rc > 0 && !f.has_self) {
		res->status = DLV_EXPANDED;
		res->text = SPAN_LIT("forwarded");
		return 1;
	}
	if (r->has_command) {
		res->wants_command = 1;
		return 1;
	}
	rc = to_mailbox(v, job, l, r, last, res, NULL, err);
	if (rc < 0 && f.news.n && !err_is_temporary(err)) {
		apart(v, res, r->address);
		rc = 1;
	}
	return rc;
}

/* An alias or .forward names a file, or, with "/" at its end, a Maildir. */
static int to_file(struct serve *v, const struct child_job *job, const struct letter *l, const struct child_rcpt *r,
		   struct copy *last, struct child_result *res, struct err *err)
{
	const char *text = arena_printf(&v->arena, "delivered to file: %.*s", SPAN_ARG(r->address));

	if (is_maildir(r->address))
		return to_mailbox(v, job, l, r, last, res, text, err);
	if (to_mbox(v, l, r, r->address, err) < 0)
		return -1;
	res->text = span_z(text);
	return 1;
}

static int one(struct serve *v, const struct child_job *job, const struct letter *l, const struct child_rcpt *r,
	       struct copy *last, struct child_result *res, struct err *err)
{
	struct forward f;
	/* a virtual mailbox is the end of all ways: a letter that was there before has been sent again by somebody */
	bool is_end = r->what == CHILD_FILE || (r->what == CHILD_BOX && r->user.n == 0);
	int looped = is_end ? 0 : letter_has_delivered_to(l, r->delivered, err);

	if (looped < 0)
		return -1;
	if (looped)
		return err_dsn(err, ERR_PERM, "5.4.6", "mail forwarding loop for %.*s", SPAN_ARG(r->delivered));
	switch ((enum child_what)r->what) {
	case CHILD_USER:
	case CHILD_BOX:
		return to_user(v, job, l, r, last, res, err);
	case CHILD_FILE:
		return to_file(v, job, l, r, last, res, err);
	case CHILD_INCLUDE:
		if (forward_include(v->s, r, &v->arena, &f, err) < 0)
			return -1;
		res->status = DLV_EXPANDED;
		res->text = SPAN_LIT("forwarded");
		res->news = f.news;
		return 1;
	case CHILD_COMMAND:
		break;
	}
	return err_set(err, ERR_TEMP, "a delivery process was asked for what it cannot do");
}

static void take_job(struct serve *v, const struct child_job *job, int fd)
{
	struct letter l = { job->qid, job->sender, job->arrival_ms, job->body, fd, fd >= 0 ? job->size : job->body.n };
	const struct child_rcpt *rcpts = job->rcpts.v;
	struct copy last = { .index = -1 };

	for (size_t i = 0; i < job->rcpts.n; i++) {
		struct child_result res = {
			.id = job->id, .slot = rcpts[i].slot, .status = DLV_SENT, .dsn = SPAN_LIT("2.0.0")
		};
		struct err err = ERR_INIT;
		int rc = one(v, job, &l, &rcpts[i], &last, &res, &err);

		if (rc < 0)
			serve_failure(&res, &err);
		if (rc != 0)
			answer(v, &res);
		if (v->batch.n == BATCH_MAX || v->n_boxes == BATCH_MAX) {
			commit(v);
			last = (struct copy){ .index = -1 };
		}
	}
}

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
}

void serve_run(const struct settings *s, int fd)
{
	static const struct ipc_ops ops = { .name = "delivery", .lost = on_lost };
	struct serve *v = xnew(struct serve);
	struct arena job_arena = { 0 };
	enum ipc_rc rc;

	v->s = s;
	ipc_init(&v->c, NULL, &ops, v);
	ipc_attach(&v->c, &fd);
	do {
		struct ipc_msg m = { .fd = -1 };
		struct err err = ERR_INIT;

		rc = ipc_wait(&v->c, &m, v->n_boxes ? 0 : UINT64_MAX, &err);
		if (rc == IPC_OK && m.type == MSG_CHILD_JOB) {
			const struct child_job *job = ipc_decode(&child_job_desc, m.body, &job_arena, &err);

			if (job)
				take_job(v, job, m.fd);
		}
		if (m.fd >= 0)
			close(m.fd);
		arena_reset(&job_arena);
		if (rc != IPC_OK)
			commit(v);
	} while (rc != IPC_LOST);
	maildir_batch_fini(&v->batch);
	arena_fini(&v->arena);
	arena_fini(&job_arena);
	ipc_close(&v->c);
	free(v);
}
