#include "imapd/commands.h"
#include "imapd/search.h"
#include "imapd/sort_order.h"

/* The keys of the messages that were found, column by column. */
struct gather {
	struct arena *a;
	const struct imap_search *req;
	struct sort_column *cols;
	size_t at;
};

static struct span text_of(enum imap_search_sort by, const struct mail_keys *k)
{
	switch (by) {
	case IMAP_SEARCH_SUBJECT:
		return k->base_subject;
	case IMAP_SEARCH_SORT_FROM:
		return k->from_key;
	case IMAP_SEARCH_SORT_TO:
		return k->to_key;
	case IMAP_SEARCH_SORT_CC:
		return k->cc_key;
	case IMAP_SEARCH_DISPLAYFROM:
		return k->from_display;
	default:
		return k->to_display;
	}
}

static bool is_number(enum imap_search_sort by)
{
	return by == IMAP_SEARCH_ARRIVAL || by == IMAP_SEARCH_DATE || by == IMAP_SEARCH_SIZE;
}

static bool gather_one(void *arg, size_t i, const struct index_msg *m, const struct mail_keys *k, const struct mail_body *body)
{
	struct gather *g = arg;
	size_t c;

	for (c = 0; c < g->req->n_sort; c++) {
		enum imap_search_sort by = g->req->sort[c].by;

		if (!is_number(by)) {
			if (k)
				((struct span *)g->cols[c].texts)[g->at] = arena_span(g->a, text_of(by, k));
		} else if (m)
			((int64_t *)g->cols[c].numbers)[g->at] = by == IMAP_SEARCH_ARRIVAL ? m->internal_s
				: by == IMAP_SEARCH_SIZE ? (int64_t)m->vsize
				: m->state & INDEX_HAS_RECORD ? m->sent_s : m->internal_s;
	}
	g->at++;
	return true;
}

static int sort(struct session *s, const struct imap_search *req, uint32_t *hits, size_t n, struct err *err)
{
	struct gather g = { .a = &s->tick, .req = req };
	unsigned what = 0;
	bool needs_record = false;
	uint32_t *order, *sorted;
	size_t c, i;

	g.cols = arena_alloc(&s->tick, (req->n_sort + 1) * sizeof(*g.cols));
	for (c = 0; c < req->n_sort; c++) {
		enum imap_search_sort by = req->sort[c].by;

		g.cols[c].is_reverse = req->sort[c].is_reverse;
		if (is_number(by))
			g.cols[c].numbers = arena_alloc(&s->tick, (n + 1) * sizeof(int64_t));
		else
			g.cols[c].texts = arena_alloc(&s->tick, (n + 1) * sizeof(struct span));
		what |= by == IMAP_SEARCH_SIZE ? MAILBOX_FACTS : is_number(by) ? MAILBOX_DATES : MAILBOX_KEYS;
		needs_record = needs_record || by != IMAP_SEARCH_ARRIVAL;
	}
	if (needs_record && mailbox_ensure(s->box, hits, n, err) < 0)
		return -1;
	/* two sweeps, each along its table, beat one that goes to and fro */
	if (what & MAILBOX_FACTS && mailbox_walk(s->box, hits, n, what & MAILBOX_DATES, gather_one, &g, err) < 0)
		return -1;
	g.at = 0;
	if (what & MAILBOX_KEYS && mailbox_walk(s->box, hits, n, MAILBOX_KEYS, gather_one, &g, err) < 0)
		return -1;
	order = arena_alloc(&s->tick, (n + 1) * sizeof(*order));
	sorted = arena_alloc(&s->tick, (n + 1) * sizeof(*sorted));
	sort_order(order, n, g.cols, req->n_sort);
	for (i = 0; i < n; i++)
		sorted[i] = hits[order[i]];
	memcpy(hits, sorted, n * sizeof(*hits));
	return 0;
}

enum cmd_rc cmd_sort(struct session *s, struct command *c)
{
	struct imap_search req;
	struct err err = ERR_INIT;
	uint32_t *hits;
	size_t n;
	int rc;

	if (!search_answer_parse(s, c, IMAP_SEARCH_SORT, &req, &rc))
		return rc;
	if (search_run(s, &req, &hits, &n, &err) < 0 || sort(s, &req, hits, n, &err) < 0) {
		if (req.returns & IMAP_SEARCH_SAVE && err.kind != ERR_PROTO)
			session_save(s, NULL, 0);
		return session_fail(s, c, NULL, &err);
	}
	return search_answer(s, c, &req, IMAP_SEARCH_SORT, hits, n);
}
