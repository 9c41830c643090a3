#include "proto/imap_seqset.h"

#include <stdlib.h>

static uint32_t greater(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static int by_lo(const void *a, const void *b)
{
	const struct imap_seqset_range *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

/* Adds to the last range what overlaps or touches it, so ascending input stays merged. */
static void merge(struct imap_seqset *set, uint32_t lo, uint32_t hi)
{
	struct imap_seqset_range *last = set->n ? &set->ranges[set->n - 1] : NULL;

	if (last && (lo == 1 || lo - 1 <= last->hi))
		last->hi = greater(last->hi, hi);
	else
		set->ranges[set->n++] = (struct imap_seqset_range){ lo, hi };
}

/* Makes ranges 0..n-1, in any order, a set. */
static void normalize(struct imap_seqset *set, size_t n)
{
	size_t i;

	for (i = 1; i < n && set->ranges[i - 1].lo <= set->ranges[i].lo; i++)
		;
	if (i < n)
		qsort(set->ranges, n, sizeof(*set->ranges), by_lo);
	set->n = 0;
	for (i = 0; i < n; i++)
		merge(set, set->ranges[i].lo, set->ranges[i].hi);
}

/* UINT32_MAX + 1 stands for "*". */
#define STAR ((uint64_t)UINT32_MAX + 1)

static int seq_number(struct imap_parse *p, uint64_t *n_r, struct err *err)
{
	uint32_t n = 0;

	if (imap_parse_skip(p, '*')) {
		*n_r = STAR;
		return 0;
	}
	if (imap_parse_nz_number(p, "number in a message set", &n, err) < 0)
		return -1;
	*n_r = n;
	return 0;
}

/* One of the parts between commas. */
static int element(struct imap_parse *p, struct imap_seqset *set, size_t *n, struct err *err)
{
	uint64_t a, b;

	if (imap_parse_skip(p, '$')) {
		set->has_saved = true;
		return 0;
	}
	if (seq_number(p, &a, err) < 0)
		return -1;
	b = a;
	if (imap_parse_skip(p, ':') && seq_number(p, &b, err) < 0)
		return -1;
	if (a > b) {
		uint64_t swap = a;

		a = b;
		b = swap;
	}
	if (b == STAR) {
		uint32_t from = a == STAR ? UINT32_MAX : (uint32_t)a;

		set->star_from = set->has_star ? lesser(set->star_from, from) : from;
		set->has_star = true;
	} else {
		set->ranges[(*n)++] = (struct imap_seqset_range){ (uint32_t)a, (uint32_t)b };
	}
	return 0;
}

int imap_seqset_parse(struct imap_parse *p, struct imap_seqset *set_r, struct err *err)
{
	size_t i, n = 0, cap = 1;

	for (i = p->at; i < p->in.n && p->in.p[i] != ' ' && p->in.p[i] != ')'; i++)
		cap += p->in.p[i] == ',';
	*set_r = (struct imap_seqset){ .cap = cap };
	set_r->ranges = arena_alloc(p->arena, cap * sizeof(*set_r->ranges));
	do {
		if (element(p, set_r, &n, err) < 0)
			return -1;
	} while (imap_parse_skip(p, ','));
	normalize(set_r, n);
	return 0;
}

void imap_seqset_resolve(const struct imap_seqset *set, uint32_t max, const struct imap_seqset *saved, struct arena *a,
                         struct imap_seqset *out_r)
{
	size_t n_saved = set->has_saved && saved ? saved->n : 0, cap = set->n + n_saved + 1, i, n = 0;
	struct imap_seqset out = { .cap = cap };

	*out_r = out;
	if (max == 0)
		return;
	out.ranges = arena_alloc(a, cap * sizeof(*out.ranges));
	for (i = 0; i < set->n + n_saved; i++) {
		struct imap_seqset_range r = i < set->n ? set->ranges[i] : saved->ranges[i - set->n];

		if (r.lo <= max)
			out.ranges[n++] = (struct imap_seqset_range){ r.lo, lesser(r.hi, max) };
	}
	if (set->has_star)
		out.ranges[n++] = (struct imap_seqset_range){ lesser(set->star_from, max), max };
	normalize(&out, n);
	*out_r = out;
}

uint32_t imap_seqset_greatest(const struct imap_seqset *set)
{
	uint32_t hi = set->n ? set->ranges[set->n - 1].hi : 0;

	return set->has_star && set->star_from != UINT32_MAX ? greater(hi, set->star_from) : hi;
}

bool imap_seqset_has(const struct imap_seqset *set, uint32_t n)
{
	size_t lo = 0, hi = set->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (set->ranges[mid].hi < n)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < set->n && set->ranges[lo].lo <= n;
}

uint64_t imap_seqset_count(const struct imap_seqset *set)
{
	uint64_t count = 0;
	size_t i;

	for (i = 0; i < set->n; i++)
		count += (uint64_t)set->ranges[i].hi - set->ranges[i].lo + 1;
	return count;
}

bool imap_seqset_next(const struct imap_seqset *set, struct imap_seqset_iter *it, uint32_t *n_r)
{
	const struct imap_seqset_range *r;

	if (it->i == set->n)
		return false;
	r = &set->ranges[it->i];
	*n_r = r->lo + it->past;
	it->past++;
	if (*n_r == r->hi) {
		it->i++;
		it->past = 0;
	}
	return true;
}

void imap_seqset_add(struct imap_seqset *set, struct arena *a, uint32_t lo, uint32_t hi)
{
	if (set->n == set->cap) {
		size_t cap = set->cap ? 2 * set->cap : 16;
		struct imap_seqset_range *grown = arena_alloc(a, cap * sizeof(*grown));

		if (set->n)
			memcpy(grown, set->ranges, set->n * sizeof(*grown));
		set->ranges = grown;
		set->cap = cap;
	}
	merge(set, lo, hi);
}

/* ---- text ---- */

int imap_seqset_format(struct str *out, const struct imap_seqset *set)
{
	const char *comma = "";
	size_t i;

	for (i = 0; i < set->n; i++, comma = ",") {
		struct imap_seqset_range r = set->ranges[i];

		if (str_addf(out, r.lo == r.hi ? "%s%u" : "%s%u:%u", comma, r.lo, r.hi) < 0)
			return -1;
	}
	if (set->has_star) {
		if (str_addf(out, set->star_from == UINT32_MAX ? "%s*" : "%s%u:*", comma, set->star_from) < 0)
			return -1;
		comma = ",";
	}
	return set->has_saved ? str_addf(out, "%s$", comma) : 0;
}

void imap_seqset_write_begin(struct imap_seqset_writer *w, struct str *out)
{
	*w = (struct imap_seqset_writer){ .out = out };
}

int imap_seqset_write_end(struct imap_seqset_writer *w)
{
	const char *comma = w->has_any ? "," : "";

	if (w->lo == 0)
		return 0;
	w->has_any = true;
	return str_addf(w->out, w->lo == w->hi ? "%s%u" : "%s%u:%u", comma, w->lo, w->hi);
}

int imap_seqset_write(struct imap_seqset_writer *w, uint32_t n)
{
	if (w->lo && w->hi != UINT32_MAX && n == w->hi + 1) {
		w->hi = n;
		return 0;
	}
	if (imap_seqset_write_end(w) < 0)
		return -1;
	w->lo = n;
	w->hi = n;
	return 0;
}
