/* imap_pattern.h: the wildcards of LIST: "*" is anything, "%" all but the separator (RFC 3501 section 6.3.8) */
#ifndef PROTO_IMAP_PATTERN_H
#define PROTO_IMAP_PATTERN_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/span.h"

#define IMAP_PATTERN_MAX 1000   /* bytes of reference and pattern together, once runs of wildcards are one */

struct imap_pattern {
	struct span text;
	char sep;
};

enum { IMAP_PATTERN_SELF = 1, IMAP_PATTERN_CHILD = 2 };

/* Reference and pattern joined as they are, in the arena. -1: longer than IMAP_PATTERN_MAX. Source: imap_pattern.c */
int imap_pattern_init(struct imap_pattern *pat, struct arena *a, struct span reference, struct span pattern,
                      char sep) WARN_UNUSED;

/* Bits: SELF: the name matches; CHILD: some name below it (name, separator, anything) may match. "INBOX" as the first
 * part of the name matches in any case. Names and patterns have the same encoding. Time: name times pattern.
 * Source: imap_pattern.c */
unsigned imap_pattern_match(const struct imap_pattern *pat, struct span name);

#endif
