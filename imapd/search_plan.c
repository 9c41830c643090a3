#include "imapd/search.h"

#include <strings.h>

#include "imapd/search_address.h"
#include "proto/sort_key.h"

struct maker {
	struct search_plan *plan;
	struct arena *a;
	const struct search_context *cx;
};

/* The first second of a day in the server's zone. */
static int64_t day_begins(int32_t day)
{
	struct tm tm = { .tm_year = 70, .tm_mday = 1, .tm_isdst = -1 };
	time_t t;

	tm.tm_mday += day;
	t = mktime(&tm);
	return (int64_t)t;
}

/* Numbers above those of the folder are nobody's: clients search in 1:1000000. */
static void resolve_set(struct maker *k, struct search_node *n, const struct imap_search_node *in)
{
	struct imap_seqset own = in->set;

	/* "$" are UIDs, also among sequence numbers */
	own.has_saved = false;
	imap_seqset_resolve(&own, in->op == IMAP_SEARCH_SEQ ? k->cx->n : k->cx->uid_max, NULL, k->a, &n->set);
	if (in->set.has_saved && k->cx->saved)
		n->saved = *k->cx->saved;
}

static void resolve_keyword(struct maker *k, struct search_node *n, struct span name)
{
	size_t i;

	for (i = 0; i < INDEX_KEYWORDS; i++) {
		struct span have = k->cx->keywords->name[i];

		if (have.n && span_same_nocase(have, name)) {
			n->op = IMAP_SEARCH_FLAG;
			n->flags = (uint32_t)INDEX_KEYWORD << i;
			return;
		}
	}
	n->op = IMAP_SEARCH_ALL;        /* nobody has it */
	n->is_not = !n->is_not;
}

static enum search_key key_of(struct span name)
{
	if (span_eq_nocase(name, "subject"))
		return SEARCH_KEY_SUBJECT;
	if (span_eq_nocase(name, "from"))
		return SEARCH_KEY_FROM;
	if (span_eq_nocase(name, "to"))
		return SEARCH_KEY_TO;
	if (span_eq_nocase(name, "cc"))
		return SEARCH_KEY_CC;
	return span_eq_nocase(name, "bcc") ? SEARCH_KEY_BCC : SEARCH_KEY_NONE;
}

static int add_leaf(struct maker *k, struct search_node *n, const struct imap_search_node *in, struct err *err)
{
	struct str folded = STR_INIT(in->text.n * 32u + 64u);
	int rc = sort_key_fold(&folded, in->text);

	if (in->op == IMAP_SEARCH_HEADER)
		sort_key_blanks(&folded, 0);
	if (rc == 0 && in->op != IMAP_SEARCH_HEADER && !folded.n)
		n->op = IMAP_SEARCH_ALL;        /* an empty string is in every text */
	else if (rc == 0) {
		n->leaf = &k->plan->leaves[k->plan->n_leaves++];
		n->leaf->where = in->op == IMAP_SEARCH_HEADER ? SEARCH_IN_FIELD
			       : in->op == IMAP_SEARCH_BODY ? SEARCH_IN_BODY : SEARCH_IN_TEXT;
		n->leaf->name = in->name;
		n->leaf->needle.text = arena_span(k->a, str_span(&folded));
		n->key = in->op == IMAP_SEARCH_HEADER ? key_of(in->name) : SEARCH_KEY_NONE;
		n->stage = n->key ? SEARCH_KEYS : SEARCH_FILE;
		n->leaf->is_address = n->key > SEARCH_KEY_SUBJECT && search_address_may(n->leaf->needle.text);
		k->plan->needs_parts = k->plan->needs_parts || in->op != IMAP_SEARCH_HEADER;
	}
	str_fini(&folded);
	return rc < 0 ? err_set(err, ERR_PROTO, "A string is too long") : 0;
}

static void set_day(struct search_node *n, int32_t day)
{
	n->stage = SEARCH_FACTS;
	n->day = day;
	n->from_s = day_begins(day);
	n->to_s = day_begins(day + 1);
}

static int fill(struct maker *k, struct search_node *n, const struct imap_search_node *in, struct err *err)
{
	switch (in->op) {
	case IMAP_SEARCH_AND:
	case IMAP_SEARCH_OR:
	case IMAP_SEARCH_ALL:
		return 0;
	case IMAP_SEARCH_SEQ:
	case IMAP_SEARCH_UID:
		resolve_set(k, n, in);
		return 0;
	case IMAP_SEARCH_FLAG:
		n->flags = in->flag & INDEX_SYSTEM_FLAGS;
		n->wants_recent = in->flag & IMAP_FLAG_RECENT;
		return 0;
	case IMAP_SEARCH_KEYWORD:
		resolve_keyword(k, n, in->text);
		return 0;
	case IMAP_SEARCH_HEADER:
	case IMAP_SEARCH_BODY:
	case IMAP_SEARCH_TEXT:
		return add_leaf(k, n, in, err);
	case IMAP_SEARCH_BEFORE:
	case IMAP_SEARCH_ON:
	case IMAP_SEARCH_SINCE:
	case IMAP_SEARCH_SENTBEFORE:
	case IMAP_SEARCH_SENTON:
	case IMAP_SEARCH_SENTSINCE:
		if (in->op >= IMAP_SEARCH_SENTBEFORE)
			k->plan->has_sent = true;
		else
			k->plan->needs_dates = true;
		set_day(n, in->day);
		return 0;
	case IMAP_SEARCH_LARGER:
	case IMAP_SEARCH_SMALLER:
		k->plan->needs_sizes = true;
		n->stage = SEARCH_FACTS;
		n->number = in->number;
		return 0;
	case IMAP_SEARCH_YOUNGER:
	case IMAP_SEARCH_OLDER:
		k->plan->needs_dates = true;
		n->stage = SEARCH_FACTS;
		n->from_s = in->number > (uint64_t)INT64_MAX / 2 ? INT64_MIN : k->cx->now_s - (int64_t)in->number;
		return 0;
	case IMAP_SEARCH_MODSEQ:
		n->number = in->number;
		return 0;
	}
	return err_set(err, ERR_PROTO, "Unknown search key");
}

/* Among its siblings a node stands behind those that cost as much or less. */
static void insert(struct search_node *parent, struct search_node *n)
{
	struct search_node **at = &parent->child;

	while (*at && (*at)->stage <= n->stage)
		at = &(*at)->next;
	n->next = *at;
	*at = n;
}

static size_t count(const struct imap_search_node *in)
{
	size_t n = 1;

	for (in = in->child; in; in = in->next)
		n += count(in);
	return n;
}

static int make(struct maker *k, struct search_node *n, const struct imap_search_node *in, struct err *err)
{
	const struct imap_search_node *c;

	n->op = in->op;
	n->is_not = in->is_not;
	n->stage = SEARCH_VIEW;
	if (fill(k, n, in, err) < 0)
		return -1;
	for (c = in->child; c; c = c->next) {
		struct search_node *below = arena_new(k->a, struct search_node);

		if (make(k, below, c, err) < 0)
			return -1;
		insert(n, below);
		n->stage = below->stage > n->stage ? below->stage : n->stage;
	}
	if (!in->child)
		k->plan->stages |= 1u << n->stage;
	return 0;
}

int search_plan_make(struct search_plan *p_r, struct arena *a, const struct imap_search_node *root,
		     const struct search_context *cx, struct err *err)
{
	struct maker k = { p_r, a, cx };

	*p_r = (struct search_plan){ 0 };
	p_r->leaves = arena_alloc(a, count(root) * sizeof(*p_r->leaves));
	p_r->root = arena_new(a, struct search_node);
	return make(&k, p_r->root, root, err);
}
