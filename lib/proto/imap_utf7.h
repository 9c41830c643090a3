/* imap_utf7.h: mailbox names in modified UTF-7 (RFC 3501 section 5.1.3), strictly */
#ifndef PROTO_IMAP_UTF7_H
#define PROTO_IMAP_UTF7_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

/* Appends UTF-8. -1: out's limit, or not the one canonical form: bytes outside printable ASCII, printable ASCII or
 * control characters inside base64, lone surrogates, bits or shifts that are superfluous. Source: imap_utf7.c */
int imap_utf7_decode(struct str *out, struct span in) WARN_UNUSED;

/* Appends modified UTF-7. -1: out's limit, broken UTF-8, or a control character (below space, or DEL).
 * Source: imap_utf7.c */
int imap_utf7_encode(struct str *out, struct span utf8) WARN_UNUSED;

/* imap_utf7_decode would take it. Source: imap_utf7.c */
bool imap_utf7_valid(struct span in);

#endif
