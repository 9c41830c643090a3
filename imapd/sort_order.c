#include "imapd/sort_order.h"

#include "base/mem.h"

#define FEW 24          /* entries that are sorted by insertion */
#define DIGITS 8        /* bytes of a key */

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
	unsigned char b[DIGITS] = { 0 };
	uint64_t key = 0;
	size_t i;

	if (at < s.n)
		memcpy(b, s.p + at, s.n - at < DIGITS ? s.n - at : DIGITS);
	for (i = 0; i < DIGITS; i++)
		key = key << 8 | b[i];
	return key;
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
static void push_equal(struct runs *runs, const struct sort_entry *v, const struct run *r, const struct sort_column *cols,
		       size_t n_cols)
{
	const struct sort_column *c = &cols[r->col];
	size_t i, k;

	for (i = 0; i < r->n; i = k) {
		bool has_more = false;

		for (k = i; k < r->n && v[r->start + k].key == v[r->start + i].key; k++)
			has_more = has_more || (c->texts && c->texts[v[r->start + k].i].n > r->at + DIGITS);
		if (k - i > 1 && has_more)
			push(runs, (struct run){ r->start + i, k - i, r->col, r->at + DIGITS });
		else if (k - i > 1 && r->col + 1 < n_cols)
			push(runs, (struct run){ r->start + i, k - i, r->col + 1, 0 });
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
		const struct sort_column *c = &cols[r.col];

		for (i = r.start; i < r.start + r.n; i++) {
			v[i].key = c->texts ? text_key(c->texts[v[i].i], r.at) : sort_order_key(c->numbers[v[i].i]);
			if (c->is_reverse)
				v[i].key = ~v[i].key;
		}
		sort_order_entries(v + r.start, v + n, r.n);
		push_equal(&runs, v, &r, cols, n_cols);
	}
	for (i = 0; i < n; i++)
		order_r[i] = v[i].i;
	free(v);
	free(runs.v);
}
