#include "imapd/search.h"

#define DAY_S 86400

static enum search_verdict verdict(bool yes)
{
	return yes ? SEARCH_IN : SEARCH_OUT;
}

static int64_t day_of(int64_t s)
{
	return (s >= 0 ? s : s - (DAY_S - 1)) / DAY_S;
}

static enum search_verdict compare_day(enum imap_search_op op, int64_t have, int32_t day)
{
	if (op == IMAP_SEARCH_SENTBEFORE)
		return verdict(have < day);
	return verdict(op == IMAP_SEARCH_SENTON ? have == day : have >= day);
}

/* The calendar day of the Date field where it was written (RFC 3501 section 6.4.4: disregarding time and timezone). */
static enum search_verdict eval_sent(const struct search_node *n, const struct search_msg *m)
{
	enum search_verdict early, late;

	if (!m->facts || !(m->facts->state & INDEX_HAS_RECORD))
		return SEARCH_OPEN;
	if (m->keys)
		return compare_day(n->op, day_of(m->facts->sent_s + (int64_t)m->keys->sent_zone_min * 60), n->day);
	/* no zone is further from UTC than a day */
	early = compare_day(n->op, day_of(m->facts->sent_s - DAY_S), n->day);
	late = compare_day(n->op, day_of(m->facts->sent_s + DAY_S), n->day);
	return early == late && (n->op != IMAP_SEARCH_SENTON || day_of(m->facts->sent_s) != n->day) ? early : SEARCH_OPEN;
}

static enum search_verdict eval_facts(const struct search_node *n, const struct index_msg *m)
{
	switch (n->op) {
	case IMAP_SEARCH_BEFORE:
		return verdict(m->internal_s < n->from_s);
	case IMAP_SEARCH_ON:
		return verdict(m->internal_s >= n->from_s && m->internal_s < n->to_s);
	case IMAP_SEARCH_SINCE:
		return verdict(m->internal_s >= n->from_s);
	case IMAP_SEARCH_LARGER:
		return m->vsize == UINT64_MAX ? SEARCH_OPEN : verdict(m->vsize > n->number);
	case IMAP_SEARCH_SMALLER:
		return m->vsize == UINT64_MAX ? SEARCH_OPEN : verdict(m->vsize < n->number);
	case IMAP_SEARCH_YOUNGER:
		return verdict(m->internal_s >= n->from_s);
	default:
		return verdict(m->internal_s <= n->from_s);
	}
}

static enum search_verdict eval_leaf(const struct search_node *n, const struct search_msg *m)
{
	struct span key;

	if (n->key && m->keys) {
		key = n->key == SEARCH_KEY_SUBJECT ? m->keys->subject
		    : n->key == SEARCH_KEY_FROM ? m->keys->from
		    : n->key == SEARCH_KEY_TO ? m->keys->to
		    : n->key == SEARCH_KEY_CC ? m->keys->cc : m->keys->bcc;
		if (key.n && search_file_field(n->leaf, key))
			return SEARCH_IN;
		/* an empty key does not tell whether the field is there */
		if (!m->keys->is_cut && (key.n || n->leaf->needle.text.n))
			return SEARCH_OUT;
	}
	return m->has_file ? verdict(n->leaf->needle.is_found) : SEARCH_OPEN;
}

static enum search_verdict eval_children(const struct search_node *n, const struct search_msg *m)
{
	enum search_verdict decided = n->op == IMAP_SEARCH_AND ? SEARCH_OUT : SEARCH_IN, all = !decided;
	const struct search_node *c;

	for (c = n->child; c; c = c->next) {
		enum search_verdict v = search_eval(c, m);

		if (v == decided)
			return v;
		if (v == SEARCH_OPEN)
			all = SEARCH_OPEN;
	}
	return all;
}

static enum search_verdict eval_node(const struct search_node *n, const struct search_msg *m)
{
	switch (n->op) {
	case IMAP_SEARCH_AND:
	case IMAP_SEARCH_OR:
		return eval_children(n, m);
	case IMAP_SEARCH_ALL:
		return SEARCH_IN;
	case IMAP_SEARCH_SEQ:
	case IMAP_SEARCH_UID:
		return verdict(imap_seqset_has(&n->set, n->op == IMAP_SEARCH_SEQ ? m->seq : m->v->uid) ||
			       imap_seqset_has(&n->saved, m->v->uid));
	case IMAP_SEARCH_FLAG:
	case IMAP_SEARCH_KEYWORD:
		return verdict((m->v->flags & n->flags) == n->flags && (!n->wants_recent || m->v->is_recent));
	case IMAP_SEARCH_MODSEQ:
		return verdict(m->v->modseq >= n->number);
	case IMAP_SEARCH_HEADER:
	case IMAP_SEARCH_BODY:
	case IMAP_SEARCH_TEXT:
		return eval_leaf(n, m);
	case IMAP_SEARCH_SENTBEFORE:
	case IMAP_SEARCH_SENTON:
	case IMAP_SEARCH_SENTSINCE:
		return eval_sent(n, m);
	default:
		return m->facts ? eval_facts(n, m->facts) : SEARCH_OPEN;
	}
}

enum search_verdict search_eval(const struct search_node *n, const struct search_msg *m)
{
	enum search_verdict v = eval_node(n, m);

	return n->is_not && v != SEARCH_OPEN ? !v : v;
}
