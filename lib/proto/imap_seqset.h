/* imap_seqset.h: sets of sequence numbers or UIDs, kept as ranges (RFC 3501 section 9) */
#ifndef PROTO_IMAP_SEQSET_H
#define PROTO_IMAP_SEQSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "base/str.h"
#include "proto/imap_parse.h"

struct imap_seqset_range {
	uint32_t lo, hi;                /* 1 <= lo <= hi */
};

/* Ranges ascend and neither overlap nor touch. Zeroed is the empty set; memory is the arena's. */
struct imap_seqset {
	struct imap_seqset_range *ranges;
	size_t n, cap;
	bool has_star;                  /* also star_from:*; "*" alone has UINT32_MAX there */
	bool has_saved;                 /* also "$" (RFC 5182) */
	uint32_t star_from;
};

/* "1,3:5,*:7,$" at the cursor. -1 ERR_PROTO. Source: imap_seqset.c */
int imap_seqset_parse(struct imap_parse *p, struct imap_seqset *set_r, struct err *err) WARN_UNUSED;

/* The numbers of 1..max that the set means when max is the greatest in the mailbox (0: empty, and so is the result);
 * "n:*" always holds max. saved: what "$" stands for, NULL for nothing. Source: imap_seqset.c */
void imap_seqset_resolve(const struct imap_seqset *set, uint32_t max, const struct imap_seqset *saved, struct arena *a,
                         struct imap_seqset *out_r);

/* The greatest number that is written out, 0 when there is none; a sequence number above EXISTS is an error.
 * Source: imap_seqset.c */
uint32_t imap_seqset_greatest(const struct imap_seqset *set);

/* Of the ranges alone, for resolved sets. has is a binary search. Source: imap_seqset.c */
bool imap_seqset_has(const struct imap_seqset *set, uint32_t n);
uint64_t imap_seqset_count(const struct imap_seqset *set);

/* Where imap_seqset_next is; zeroed: before the first. */
struct imap_seqset_iter {
	size_t i;
	uint32_t past;                  /* numbers of range i already given */
};

/* Gives the numbers of the ranges in order, false after the last. Source: imap_seqset.c */
bool imap_seqset_next(const struct imap_seqset *set, struct imap_seqset_iter *it, uint32_t *n_r);

/* Adds lo..hi; lo is not below the last range's lo. Grows in a. Source: imap_seqset.c */
void imap_seqset_add(struct imap_seqset *set, struct arena *a, uint32_t lo, uint32_t hi);

/* Appends "1:3,7,9:*"; nothing for the empty set. -1 at out's limit. Source: imap_seqset.c */
int imap_seqset_format(struct str *out, const struct imap_seqset *set) WARN_UNUSED;

struct imap_seqset_writer {
	struct str *out;
	uint32_t lo, hi;                /* the run that is not written yet; 0: none */
	bool has_any;
};

/* Numbers in the order they come (COPYUID pairs two lists), runs as ranges; out gets nothing if there is none.
 * -1 at out's limit. Source: imap_seqset.c */
void imap_seqset_write_begin(struct imap_seqset_writer *w, struct str *out);
int imap_seqset_write(struct imap_seqset_writer *w, uint32_t n) WARN_UNUSED;
int imap_seqset_write_end(struct imap_seqset_writer *w) WARN_UNUSED;

#endif
