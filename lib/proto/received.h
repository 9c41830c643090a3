/* received.h: the Received: field that smtpd puts in front of a message (RFC 5321 section 4.4), as Postfix writes it */
#ifndef PROTO_RECEIVED_H
#define PROTO_RECEIVED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

/* NULL or empty spans leave their part out. */
struct received {
	struct span uid;                /* "1000": a local program handed it in, helo to tls then mean nothing */
	struct span helo;               /* as the client said it */
	struct span client_name;        /* reverse name, "unknown" */
	struct span client_addr;        /* "192.0.2.1", "2001:db8::1" */
	struct span tls;                /* "TLSv1.3 with cipher X (256/256 bits)" when it shall be shown */
	struct span sasl_user;          /* when smtpd_sasl_authenticated_header */
	struct span by;                 /* myhostname */
	struct span mail_name;          /* "Surat" */
	bool esmtp, utf8, is_tls, is_auth;      /* SMTP, ESMTPS, ESMTPSA, UTF8SMTPS... (RFC 3848, 6531) */
	struct span id;                 /* queue id */
	struct span rcpt;               /* the recipient when there is exactly one */
	int64_t time_s;
};

/* Appends the field with its line end eol ("\n" or "\r\n"), folded with tabs. Bytes from the client that would break
 * out of their place become "?". -1 only at out's limit. Source: received.c */
int received_format(struct str *out, const struct received *r, const char *eol) WARN_UNUSED;

/* "ESMTPSA" and so on; a constant. Source: received.c */
const char *received_proto(bool esmtp, bool utf8, bool is_tls, bool is_auth);

#endif
