/* imap_quote.h: strings as an IMAP server sends them: quoted, literal or NIL (RFC 3501 section 4.3) */
#ifndef PROTO_IMAP_QUOTE_H
#define PROTO_IMAP_QUOTE_H

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

/* Append s as it is, quoted when it has no byte over 127, CR, LF or NUL and few quotes and backslashes, else as a
 * literal. CR and LF are left out, NUL becomes U+FFFD. The n form gives NIL for p NULL. -1 at out's limit.
 * Source: imap_quote.c */
int imap_quote_string(struct str *out, struct span s) WARN_UNUSED;
int imap_quote_nstring(struct str *out, struct span s) WARN_UNUSED;

/* For text that people read: runs of blanks become one space, those at the ends go. -1 at out's limit.
 * Source: imap_quote.c */
int imap_quote_text(struct str *out, struct span s) WARN_UNUSED;

#endif
