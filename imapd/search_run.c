#include "imapd/search.h"

#include "base/clock.h"
#include "imapd/session.h"

struct run {
	struct session *s;
	struct mailbox *box;
	struct search_plan plan;
	struct search_file file;
	uint8_t *is_in;                 /* for each message of the view */
	uint32_t *open;                 /* not decided yet, ascending */
	size_t n_open, at;              /* at: of open, how many are looked at in this stage */
	size_t n_kept;
	enum search_stage stage;
	struct err *err;
	bool has_failed;
};

/* Reads the file of a message for the leaves. A message that is gone does not fit. */
static bool look_into_file(struct run *r, size_t i, const struct mail_body *body, struct search_msg *m)
{
	struct err err = ERR_INIT;
	int fd = mailbox_file(r->box, i, NULL, &err), rc;

	if (fd < 0) {
		if (err.kind == ERR_PERM)
			return false;
		*r->err = err;
		r->has_failed = true;
		return false;
	}
	rc = search_file_run(&r->file, fd, body ? body->parts : SPAN_NULL, r->err);
	close(fd);
	r->has_failed = rc < 0;
	m->has_file = rc == 0;
	return rc == 0;
}

static bool stage_one(void *arg, size_t i, const struct index_msg *facts, const struct mail_keys *keys, const struct mail_body *body)
{
	struct run *r = arg;
	struct search_msg m = { (uint32_t)i + 1, &r->box->v[i], facts, keys, false };
	enum search_verdict v = SEARCH_OPEN;

	if (r->stage != SEARCH_FILE || look_into_file(r, i, body, &m))
		v = search_eval(r->plan.root, &m);
	if (v == SEARCH_OPEN && r->stage != SEARCH_FILE)
		r->open[r->n_kept++] = (uint32_t)i;
	r->is_in[i] = v == SEARCH_IN;
	return !r->has_failed;
}

/* All that is not decided, with what the stage adds to what was known. */
static int run_stage(struct run *r, enum search_stage stage, unsigned what, struct err *err)
{
	size_t i;
	int rc = 0;

	r->stage = stage;
	r->n_kept = 0;
	if (what & (MAILBOX_KEYS | MAILBOX_BODY))
		rc = mailbox_ensure(r->box, r->open, r->n_open, err);
	if (rc == 0 && what) {
		/* the list that is walked must stay while a shorter one is written */
		uint32_t *sel = arena_alloc(&r->s->tick, (r->n_open + 1) * sizeof(*sel));

		memcpy(sel, r->open, r->n_open * sizeof(*sel));
		rc = mailbox_walk(r->box, sel, r->n_open, what, stage_one, r, err);
	} else {
		for (i = 0; rc == 0 && i < r->n_open && stage_one(r, r->open[i], NULL, NULL, NULL); i++)
			;
	}
	r->n_open = r->n_kept;
	return rc < 0 || r->has_failed ? -1 : 0;
}

struct unsized {
	uint32_t *v;
	size_t n;
};

static bool note_unsized(void *arg, size_t i, const struct index_msg *m, const struct mail_keys *k, const struct mail_body *body)
{
	struct unsized *u = arg;

	if (m && m->vsize == UINT64_MAX)
		u->v[u->n++] = (uint32_t)i;
	return true;
}

static int ensure_sizes(struct run *r, struct err *err)
{
	struct unsized u = { arena_alloc(&r->s->tick, (r->n_open + 1) * sizeof(uint32_t)), 0 };

	if (mailbox_walk(r->box, r->open, r->n_open, MAILBOX_FACTS, note_unsized, &u, err) < 0)
		return -1;
	return u.n ? mailbox_ensure(r->box, u.v, u.n, err) : 0;
}

static bool has_stage(const struct run *r, enum search_stage stage)
{
	return r->n_open && r->plan.stages & 1u << stage;
}

static int run_stages(struct run *r, struct err *err)
{
	unsigned what = 0;
	size_t i;
	int rc;

	for (i = 0; i < r->box->n; i++) {
		if (!r->box->v[i].is_gone)
			r->open[r->n_open++] = (uint32_t)i;
	}
	/* where all keys need more than the view it decides nothing */
	if (has_stage(r, SEARCH_VIEW) || !r->plan.stages) {
		if (run_stage(r, SEARCH_VIEW, 0, err) < 0)
			return -1;
	}
	if (has_stage(r, SEARCH_FACTS)) {
		what |= r->plan.needs_dates ? MAILBOX_DATES : MAILBOX_FACTS;
		if ((r->plan.needs_sizes && ensure_sizes(r, err) < 0) || run_stage(r, SEARCH_FACTS, what, err) < 0)
			return -1;
	}
	if (has_stage(r, SEARCH_KEYS) || (r->n_open && r->plan.has_sent)) {
		what |= MAILBOX_KEYS;
		if (run_stage(r, SEARCH_KEYS, what, err) < 0)
			return -1;
	}
	if (r->n_open && r->plan.n_leaves) {
		what |= r->plan.needs_parts ? MAILBOX_BODY : 0u;
		search_file_init(&r->file, &r->s->tick, r->plan.leaves, r->plan.n_leaves);
		rc = run_stage(r, SEARCH_FILE, what, err);
		search_file_fini(&r->file);
		return rc;
	}
	return 0;
}

int search_run(struct session *s, const struct imap_search *req, uint32_t **hits_r, size_t *n_r, struct err *err)
{
	struct mailbox *box = s->box;
	struct run r = { .s = s, .box = box, .err = err };
	struct search_context cx = { .saved = &s->saved, .keywords = &box->keywords, .now_s = (int64_t)(clock_wall_ms() / 1000) };
	size_t i, n = 0;

	if (mailbox_load(box, err) < 0)
		return -1;
	cx.n = (uint32_t)box->n;
	cx.uid_max = box->n ? box->v[box->n - 1].uid : 0;
	if (search_plan_make(&r.plan, &s->tick, req->root, &cx, err) < 0)
		return -1;
	r.is_in = arena_alloc(&s->tick, box->n + 1);
	r.open = arena_alloc(&s->tick, (box->n + 1) * sizeof(*r.open));
	if (run_stages(&r, err) < 0)
		return -1;
	for (i = 0; i < box->n; i++) {
		if (r.is_in[i])
			r.open[n++] = (uint32_t)i;
	}
	*hits_r = r.open;
	*n_r = n;
	return 0;
}
