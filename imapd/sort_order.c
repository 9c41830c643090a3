#include "imapd/sort_order.h"

#include <endian.h>

#include "base/mem.h"

#define FEW 64          /* keys that are sorted by insertion */
#define FEW_TEXTS 24    /* and texts, each compared to its end */
#define DIGITS 8        /* bytes of a key */
#define AHEAD 12        /* texts that are fetched before they are read */

/* Entries with equal keys so far: to be sorted by column col from byte at on. */
struct run {
	size_t start, n, col, at;
};

struct runs {
	struct run *v;
	size_t n, cap;
};

static void insertion(struct sort_entry *v, size_t n)
{
	size_t i, k;

	for (i = 1; i < n; i++) {
		struct sort_entry e = v[i];

		for (k = i; k && v[k - 1].key > e.key; k--)
			v[k] = v[k - 1];
		v[k] = e;
	}
}

void sort_order_entries(struct sort_entry *v, struct sort_entry *tmp, size_t n)
{
	uint32_t count[DIGITS][256] = { 0 };
	struct sort_entry *from = v, *to = tmp, *swap;
	unsigned d;
	size_t i;

	if (n <= FEW) {
		insertion(v, n);
		return;
	}
	for (i = 0; i < n; i++) {
		for (d = 0; d < DIGITS; d++)
			count[d][v[i].key >> 8 * d & 255]++;
	}
	for (d = 0; d < DIGITS; d++) {
		uint32_t sum = 0, b, c;

		if (count[d][from[0].key >> 8 * d & 255] == n)
			continue;       /* all have the same byte here */
		for (b = 0; b < 256; b++) {
			c = count[d][b];
			count[d][b] = sum;
			sum += c;
		}
		for (i = 0; i < n; i++)
			to[count[d][from[i].key >> 8 * d & 255]++] = from[i];
		swap = from;
		from = to;
		to = swap;
	}
	if (from != v)
		memcpy(v, from, n * sizeof(*v));
}

static uint64_t text_key(struct span s, size_t at)
{
	uint64_t key = 0;
	unsigned shift;

	if (at + DIGITS <= s.n) {
		memcpy(&key, s.p + at, DIGITS);
		return be64toh(key);
	}
	for (shift = 8 * DIGITS; at < s.n; at++) {
		shift -= 8;
		key |= (uint64_t)(unsigned char)s.p[at] << shift;
	}
	return key;
}

/* The next keys of a run. */
static void load_keys(struct sort_entry *v, const struct run *r, const struct sort_column *c)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		struct sort_entry *e = &v[i];

		if (c->texts && i + 2 * AHEAD < r->n)
			__builtin_prefetch(&c->texts[e[2 * AHEAD].i]);
		if (c->texts && i + AHEAD < r->n)
			__builtin_prefetch(c->texts[e[AHEAD].i].p + r->at);
		e->key = c->texts ? text_key(c->texts[e->i], r->at) : sort_order_key(c->numbers[e->i]);
		e->has_more = c->texts && c->texts[e->i].n > r->at + DIGITS;
		if (c->is_reverse)
			e->key = ~e->key;
	}
}

/* Column col from byte at on, then those behind it. */
static int compare(const struct sort_column *cols, size_t n_cols, const struct run *r, uint32_t a, uint32_t b)
{
	size_t col, at = r->at;
	int c = 0;

	for (col = r->col; col < n_cols && c == 0; col++, at = 0) {
		const struct sort_column *k = &cols[col];

		if (k->texts)
			c = span_cmp(span_from(k->texts[a], at), span_from(k->texts[b], at));
		else
			c = k->numbers[a] < k->numbers[b] ? -1 : k->numbers[a] > k->numbers[b];
		c = k->is_reverse ? -c : c;
	}
	return c;
}

static void sort_few(struct sort_entry *v, const struct run *r, const struct sort_column *cols, size_t n_cols)
{
	size_t i, k;

	for (i = 1; i < r->n; i++) {
		struct sort_entry e = v[i];

		for (k = i; k && compare(cols, n_cols, r, v[k - 1].i, e.i) > 0; k--)
			v[k] = v[k - 1];
		v[k] = e;
	}
}

static void push(struct runs *r, struct run run)
{
	if (r->n == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 64;
		r->v = xrealloc(r->v, r->cap * sizeof(*r->v));
	}
	r->v[r->n++] = run;
}

/* Runs of equal keys go on with the next bytes, or with the next column. */
static void push_equal(struct runs *runs, struct sort_entry *v, const struct run *r, const struct sort_column *cols,
		       size_t n_cols)
{
	size_t i, k;

	for (i = 0; i < r->n; i = k) {
		bool has_more = false;
		struct run next;

		for (k = i; k < r->n && v[r->start + k].key == v[r->start + i].key; k++)
			has_more = has_more || v[r->start + k].has_more;
		if (k - i < 2 || (!has_more && r->col + 1 == n_cols))
			continue;
		next = has_more ? (struct run){ r->start + i, k - i, r->col, r->at + DIGITS }
				: (struct run){ r->start + i, k - i, r->col + 1, 0 };
		if (next.n <= FEW_TEXTS)
			sort_few(v + next.start, &next, cols, n_cols);
		else
			push(runs, next);
	}
}

void sort_order(uint32_t *order_r, size_t n, const struct sort_column *cols, size_t n_cols)
{
	struct sort_entry *v = xrealloc(NULL, (n + 1) * 2 * sizeof(*v));
	struct runs runs = { 0 };
	size_t i;

	for (i = 0; i < n; i++)
		v[i].i = (uint32_t)i;
	if (n_cols)
		push(&runs, (struct run){ 0, n, 0, 0 });
	while (runs.n) {
		struct run r = runs.v[--runs.n];

		load_keys(v + r.start, &r, &cols[r.col]);
		sort_order_entries(v + r.start, v + n, r.n);
		push_equal(&runs, v, &r, cols, n_cols);
	}
	for (i = 0; i < n; i++)
		order_r[i] = v[i].i;
	free(v);
	free(runs.v);
}
