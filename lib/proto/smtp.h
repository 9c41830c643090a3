/* smtp.h: SMTP command lines and replies: MAIL and RCPT parameters, BDAT, xtext, reply formatting */
#ifndef PROTO_SMTP_H
#define PROTO_SMTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "base/str.h"
#include "proto/address.h"

enum smtp_body_type { SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };
enum smtp_ret { SMTP_RET_NONE, SMTP_RET_FULL, SMTP_RET_HDRS };

/* NOTIFY of RFC 3461 section 4.1; 0 when the client did not say. */
enum smtp_notify { SMTP_NOTIFY_NEVER = 1, SMTP_NOTIFY_SUCCESS = 2, SMTP_NOTIFY_FAILURE = 4, SMTP_NOTIFY_DELAY = 8 };

/* Spans point into the command line or the arena. */
struct smtp_mail {
	struct address from;
	uint64_t size;                  /* SIZE=, 0 when not given */
	enum smtp_body_type body;
	enum smtp_ret ret;
	bool smtputf8;
	struct span envid;              /* decoded from xtext; empty when not given */
	bool has_auth;
	struct span auth;               /* AUTH= decoded; empty for "<>" */
};

struct smtp_rcpt {
	struct address to;
	unsigned notify;                /* enum smtp_notify */
	struct span orcpt;              /* "type;address" decoded; empty when not given */
};

enum smtp_extensions {                  /* what the session has announced; others are 555 */
	SMTP_EXT_SIZE = 1,
	SMTP_EXT_8BITMIME = 2,
	SMTP_EXT_SMTPUTF8 = 4,
	SMTP_EXT_DSN = 8,
	SMTP_EXT_AUTH = 16,
};

/* Splits a line without its CRLF into verb and arguments (blanks around both removed). Source: smtp.c */
void smtp_split(struct span line, struct span *verb_r, struct span *args_r);

/* The arguments of MAIL and RCPT (RFC 5321 section 4.1.1.2 f., RFC 1870, 6152, 6531, 3461, 4954). extensions:
 * enum smtp_extensions; addr_flags: enum address_flags beyond what the command implies. -1: err->msg is the whole
 * reply, "501 5.1.7 Bad sender address syntax". Source: smtp.c */
int smtp_parse_mail(struct arena *a, struct span args, unsigned extensions, unsigned addr_flags,
	struct smtp_mail *out_r, struct err *err) WARN_UNUSED;
int smtp_parse_rcpt(struct arena *a, struct span args, unsigned extensions, unsigned addr_flags,
	struct smtp_rcpt *out_r, struct err *err) WARN_UNUSED;

/* "1000 LAST" (RFC 3030). -1 as above. Source: smtp.c */
int smtp_parse_bdat(struct span args, uint64_t *size_r, bool *last_r, struct err *err) WARN_UNUSED;

/* Appends what xtext (RFC 3461 section 4) stands for, "=" also bare; -1 on a bad "+" sequence, a byte outside "!".."~",
 * CR, LF or NUL, or the limit. Source: smtp.c */
int smtp_xtext_decode(struct str *out, struct span in) WARN_UNUSED;

/* Appends a reply; each "\n" in text starts a further line ("250-a\r\n250 b\r\n"); dsn "" or NULL for none. Bytes that
 * would break the protocol (controls, CR) become "?"; lines are cut at 510 bytes. -1 only at out's limit. Source:
 * smtp.c */
int smtp_reply(struct str *out, int code, const char *dsn, struct span text) WARN_UNUSED;

/* Takes "554 5.7.1 text" apart; false when it does not begin with a code 200..599. dsn_r "" without one. Source:
 * smtp.c */
bool smtp_reply_split(struct span line, int *code_r, struct span *dsn_r, struct span *text_r);

#endif
