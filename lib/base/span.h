/* span.h: a view of bytes that somebody else owns; it may hold NUL bytes and has no terminator */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* p may be NULL only when n is 0. A span never outlives the handler that got it: copy it with arena_span to keep it. */
struct span {
	const char *p;
	size_t n;
};

#define SPAN_NULL ((struct span){ NULL, 0 })
#define SPAN_LIT(lit) ((struct span){ (lit), sizeof(lit) - 1 })
#define SPAN_ARG(s) (int)((s).n > 4000 ? 4000 : (s).n), ((s).p ? (s).p : "")   /* for %.*s */

static inline struct span span_z(const char *z)
{
	return (struct span){ z, z ? strlen(z) : 0 };
}

/* Comparisons; the nocase ones fold ASCII only. Source: span.c */
bool span_eq(struct span a, struct span b);
bool span_eqz(struct span a, const char *z);
bool span_eq_nocase(struct span a, const char *z);
bool span_same_nocase(struct span a, struct span b);
bool span_starts(struct span a, const char *z);
bool span_starts_nocase(struct span a, const char *z);
bool span_ends_nocase(struct span a, const char *z);

/* Order by bytes, shorter first at equal prefix; as for qsort. Source: span.c */
int span_cmp(struct span a, struct span b);

/* Index of the first or last c, or -1. Source: span.c */
ptrdiff_t span_chr(struct span s, char c);
ptrdiff_t span_rchr(struct span s, char c);

/* The part from `from` on, at most n bytes; clamped to s. Source: span.c */
struct span span_sub(struct span s, size_t from, size_t n);
struct span span_from(struct span s, size_t from);

/* Without leading and trailing space, tab, CR and LF. Source: span.c */
struct span span_trim(struct span s);

/* Splits at the first sep: true and both parts, or false with head = in and an empty tail. Source: span.c */
bool span_cut(struct span in, char sep, struct span *head_r, struct span *tail_r);

/* Takes the next word that is bounded by bytes of seps from *in; false at the end. Source: span.c */
bool span_word(struct span *in, const char *seps, struct span *word_r);

/* Decimal digits only, no sign, no blanks; -1 when empty, not a number, or above max. Source: span.c */
int span_u64(struct span s, uint64_t max, uint64_t *out_r);

/* True when a NUL byte is among the bytes. Source: span.c */
bool span_has_nul(struct span s);

#endif
