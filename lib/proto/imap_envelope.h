/* imap_envelope.h: ENVELOPE, BODY and BODYSTRUCTURE of a parsed message (RFC 3501 section 7.4.2) */
#ifndef PROTO_IMAP_ENVELOPE_H
#define PROTO_IMAP_ENVELOPE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"
#include "proto/mime.h"

/* Appends "(date subject from ...)"; env may be NULL for a message without any of the fields. Words that are no address
 * become MISSING_MAILBOX, MISSING_DOMAIN, INVALID_ROUTE or SYNTAX_ERROR, as clients know them from Dovecot.
 * -1 at out's limit. Source: imap_envelope.c */
int imap_envelope(struct str *out, const struct mime_envelope *env) WARN_UNUSED;

/* Appends "(...)" of a part and all below it: BODY, or BODYSTRUCTURE with is_extended. A multipart without parts shows
 * an empty text/plain. Iterative. -1 at out's limit. Source: imap_envelope.c */
int imap_envelope_body(struct str *out, const struct mime_part *root, bool is_extended) WARN_UNUSED;

#endif
