/* charset.h: text in any charset to UTF-8; what cannot be converted becomes U+FFFD */
#ifndef PROTO_CHARSET_H
#define PROTO_CHARSET_H

#include <iconv.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum charset_kind { CHARSET_UTF8, CHARSET_LATIN1, CHARSET_ICONV };

/* An open conversion, in chunks of any size. */
struct charset {
	enum charset_kind kind;
	iconv_t cd;
	size_t n_held;
	char held[16];                  /* a sequence that is not complete yet */
};

/* -1: nobody knows a charset of that name. UTF-8, US-ASCII and ISO-8859-1 need no iconv; others read a gconv module
 * from disk the first time in a process. close is idempotent. Source: charset.c */
int charset_open(struct charset *c, struct span name) WARN_UNUSED;
void charset_close(struct charset *c);

/* Appends UTF-8; is_end: what is incomplete is broken. -1 at out's limit. Source: charset.c */
int charset_convert(struct charset *c, struct span in, bool is_end, struct str *out) WARN_UNUSED;

/* Appends in where it is well-formed UTF-8, U+FFFD for each byte that is not. -1 at out's limit. Source: charset.c */
int charset_repair(struct span in, struct str *out) WARN_UNUSED;

#endif
