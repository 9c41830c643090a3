/* search_text.h: looks for several needles in folded text that comes in pieces */
#ifndef IMAPD_SEARCH_TEXT_H
#define IMAPD_SEARCH_TEXT_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

#define SEARCH_TEXT_CHUNK 65536         /* bytes of one piece at most */

/* One thing to look for; folded by sort_key_fold, not empty. */
struct search_needle {
	struct span text;
	bool is_found;
};

/* Caller's memory. */
struct search_text {
	struct search_needle **needles;         /* the caller's */
	size_t n, n_left;                       /* n_left: not found yet */
	size_t longest;
	struct str folded;                      /* what may be the beginning of a match, then the newest piece */
};

/* needles outlive t. fini is idempotent. Source: search_text.c */
void search_text_init(struct search_text *t, struct search_needle **needles, size_t n);
void search_text_fini(struct search_text *t);

/* Nothing is found yet. Source: search_text.c */
void search_text_reset(struct search_text *t);

/* What comes next does not continue what was there; a needle that somebody else found is not looked for any more.
 * Source: search_text.c */
void search_text_break(struct search_text *t);

/* The next piece, UTF-8 with whole characters, of any size; folds it. Source: search_text.c */
void search_text_feed(struct search_text *t, struct span utf8);

/* True when no byte is above 127; fast. Source: search_text.c */
bool search_text_is_ascii(struct span s);

/* The needle occurs in text; both folded. Source: search_text.c */
bool search_text_has(struct span text, struct span needle);

#endif
