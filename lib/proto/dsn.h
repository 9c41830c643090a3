/* dsn.h: delivery status notifications (RFC 3464 in RFC 6522, RFC 6533 for UTF-8 addresses), formatted; no I/O */
#ifndef PROTO_DSN_H
#define PROTO_DSN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum dsn_kind { DSN_FAILURE, DSN_DELAY, DSN_SUCCESS };

/* RFC 3464 2.3.3 */
enum dsn_action { DSN_ACT_FAILED, DSN_ACT_DELAYED, DSN_ACT_DELIVERED, DSN_ACT_RELAYED, DSN_ACT_EXPANDED };

struct dsn_rcpt {
	enum dsn_action action;
	struct span addr;               /* as it was tried last */
	struct span orcpt;              /* ORCPT as given ("rfc822;user@host", xtext), or empty */
	struct span orig;               /* the address the sender knows, or empty */
	struct span status;             /* "5.1.1"; anything else becomes 5.0.0, 4.0.0 or 2.0.0 */
	struct span text;               /* what was said; control characters are replaced */
	struct span mta;                /* the host that said it, or empty: it was us */
	uint64_t last_ms;               /* last attempt, 0: unknown */
};

struct dsn_notice {
	enum dsn_kind kind;
	struct span hostname;           /* ours: myhostname */
	struct span from_domain;        /* of MAILER-DAEMON@: myorigin */
	struct span to;                 /* the sender of the original */
	struct span queue_id;           /* of the original */
	struct span message_id;         /* for the notice, without angle brackets */
	struct span boundary;           /* characters of a MIME token, not in the original */
	struct span envid;              /* decoded, or empty */
	uint64_t now_ms, arrival_ms;
	uint64_t until_ms;              /* DSN_DELAY: when we shall give up */
	bool utf8;                      /* the original needed SMTPUTF8 */
	bool is_copy;                   /* for the postmaster, of a failure that its sender does not hear of */
	/* lines end by LF, as in the queue and in a Maildir, and so do those of original */
	bool lf;
	bool full;                      /* return the whole original; else its header */
	struct span original;           /* at least its header */
	const struct dsn_rcpt *rcpts;
	size_t n_rcpts;
};

/* Appends the whole message; -1 when it does not fit out's limit (out is then cut back to what it
 * was): try again with full = false or fewer bytes of the original. Source: dsn.c */
int dsn_format(struct str *out, const struct dsn_notice *n) WARN_UNUSED;

/* True for a status of RFC 3463: digit 2, 4 or 5, subject and detail of at most three digits. Source: dsn.c */
bool dsn_status_valid(struct span s);

#endif
