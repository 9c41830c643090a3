/* sort_key.h: what SORT, THREAD and SEARCH compare: folded text, base subject, address (RFC 5256, RFC 5051) */
#ifndef PROTO_SORT_KEY_H
#define PROTO_SORT_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

/* Appends in, UTF-8, as i;unicode-casemap compares it: title case, decomposed (RFC 5051). Bytes that are no UTF-8
 * become U+FFFD. ASCII needs no table. -1 at out's limit. Source: sort_key.c */
int sort_key_fold(struct str *out, struct span in) WARN_UNUSED;

/* Runs of blanks from byte start of s on become one space: where a field was folded there may be several.
 * Source: sort_key.c */
void sort_key_blanks(struct str *s, size_t start);

/* Appends the base subject (RFC 5256 section 2.1) of a Subject field, decoded and folded. is_reply_r: something that
 * says reply or forward was taken away. -1 at out's limit. Source: sort_key.c */
int sort_key_subject(struct str *out, struct span value, bool *is_reply_r) WARN_UNUSED;

/* Appends the keys of an address list's first entry, folded: to address its local part (a group: its name), to display
 * (may be NULL) for SORT=DISPLAY (RFC 5957) its display name, local@domain when it has none. Nothing for an empty list.
 * -1 at the limit of either. Source: sort_key.c */
int sort_key_first(struct str *address, struct str *display, struct span value) WARN_UNUSED;

#endif
