#include "imapd/session.h"

#include <stdlib.h>

/* UIDs of resolved ranges as indexes; those that are not there are left out. */
static size_t pick_uids(const struct mailbox *b, const struct imap_seqset *set, uint32_t *to)
{
	size_t i, n = 0;

	for (i = 0; i < set->n; i++) {
		bool found;
		size_t at = mailbox_find(b, set->ranges[i].lo, &found);

		for (; at < b->n && b->v[at].uid <= set->ranges[i].hi; at++)
			to[n++] = (uint32_t)at;
	}
	return n;
}

static size_t pick_numbers(const struct imap_seqset *set, uint32_t *to)
{
	struct imap_seqset_iter it = { 0 };
	uint32_t number;
	size_t n = 0;

	while (imap_seqset_next(set, &it, &number))
		to[n++] = number - 1;
	return n;
}

static size_t merge(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b, uint32_t *to)
{
	size_t i = 0, k = 0, n = 0;

	while (i < n_a || k < n_b) {
		bool take_a = k == n_b || (i < n_a && a[i] <= b[k]);
		uint32_t v = take_a ? a[i++] : b[k++];

		if (n == 0 || to[n - 1] != v)
			to[n++] = v;
	}
	return n;
}

/* Only "n:*" may be asked of an empty folder (RFC 3501 section 6.4.8 has it for UIDs; clients send "1:*" all the
 * same). */
static int check_numbers(const struct mailbox *b, const struct imap_seqset *set, struct err *err)
{
	uint32_t greatest = imap_seqset_greatest(set);

	if (greatest <= b->n || (b->n == 0 && set->has_star && greatest <= 1))
		return 0;
	return err_set(err, ERR_PROTO, "Invalid messageset: there is no message %u", greatest);
}

int session_resolve(struct session *s, const struct imap_seqset *set, bool is_uid, uint32_t **sel_r, size_t *n_r,
		    struct err *err)
{
	struct mailbox *b = s->box;
	struct imap_seqset all = { 0 };
	uint32_t *sel, *saved;
	size_t n;

	if (mailbox_load(b, err) < 0 || (!is_uid && check_numbers(b, set, err) < 0))
		return -1;
	sel = arena_alloc(&s->tick, (b->n + 1) * sizeof(*sel));
	if (is_uid) {
		imap_seqset_resolve(set, b->n ? b->v[b->n - 1].uid : 0, &s->saved, &s->tick, &all);
		n = pick_uids(b, &all, sel);
	} else {
		imap_seqset_resolve(set, (uint32_t)b->n, NULL, &s->tick, &all);
		n = pick_numbers(&all, sel);
		if (set->has_saved && s->saved.n) {
			uint32_t *both = arena_alloc(&s->tick, (b->n + 1) * sizeof(*both));

			saved = arena_alloc(&s->tick, (b->n + 1) * sizeof(*saved));
			n = merge(sel, n, saved, pick_uids(b, &s->saved, saved), both);
			sel = both;
		}
	}
	*sel_r = sel;
	*n_r = n;
	return 0;
}

void session_save(struct session *s, const uint32_t *uids, size_t n)
{
	size_t i;

	arena_reset(&s->saved_arena);
	s->saved = (struct imap_seqset){ 0 };
	for (i = 0; i < n; i++)
		imap_seqset_add(&s->saved, &s->saved_arena, uids[i], uids[i]);
}
