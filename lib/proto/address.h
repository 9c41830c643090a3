/* address.h: addresses of the envelope (RFC 5321, RFC 6531) and address lists of headers (RFC 5322) */
#ifndef PROTO_ADDRESS_H
#define PROTO_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "base/str.h"

#define ADDRESS_LOCAL_MAX 64            /* RFC 5321 section 4.5.3.1.1; asked for with ADDRESS_STRICT only (VERP, SRS) */
#define ADDRESS_DOMAIN_MAX 255
#define ADDRESS_MAX 254                 /* RFC 3696 erratum 1690: a path of 256 without its brackets */

/* An address taken apart. Both empty: the null reverse-path. */
struct address {
	struct span local;      /* without quotes and backslashes */
	struct span domain;     /* as written, no trailing dot; "[192.0.2.1]" for a literal; empty when there is none */
};

enum address_flags {
	ADDRESS_NULL_OK = 1,            /* "<>" */
	ADDRESS_NO_DOMAIN_OK = 2,       /* "<postmaster>", "<root>" */
	ADDRESS_BARE_OK = 4,            /* "a@b", "< a@b >", "<<a@b>>" (Postfix without strict_rfc821_envelopes) */
	ADDRESS_UTF8 = 8,               /* bytes over 127, as well-formed UTF-8 only */
	ADDRESS_STRICT = 16,            /* local part of at most 64 bytes, no misplaced dots */
};

/* Path of RFC 5321 section 4.1.2 at the start of in: source route stripped, local part unquoted into the arena, the
 * rest of out_r points into in. rest_r is what follows the path. -1 ERR_PROTO with a reason. Source: address.c */
int address_parse_path(struct arena *a, struct span in, unsigned flags, struct address *out_r, struct span *rest_r,
	struct err *err) WARN_UNUSED;

/* The same for a whole Mailbox without brackets ("a@b", "\"x y\"@b"). Source: address.c */
int address_parse(struct arena *a, struct span in, unsigned flags, struct address *out_r, struct err *err) WARN_UNUSED;

/* Appends local@domain, the local part quoted when it is not a dot-string; nothing for the null path. -1 only at
 * out's limit. Source: address.c */
int address_format(struct str *out, const struct address *addr) WARN_UNUSED;

/* Splits text at its last "@"; false when there is none, and then all is local part. Quotes stay. Source: address.c */
bool address_split(struct span text, struct span *local_r, struct span *domain_r);

/* Cuts "user+ext" at the first byte that is in delims: false without one. A name that begins with a delimiter and
 * "mailer-daemon", "double-bounce" are never cut (as in Postfix). Source: address.c */
bool address_extension(struct span local, const char *delims, struct span *base_r, struct span *ext_r);

/* Appends the domain as tables hold it: lower case, A-labels (RFC 5891), no trailing dot; literals unchanged but in
 * lower case. -1 ERR_PROTO for what is no domain. Source: address.c */
int address_domain_normal(struct str *out, struct span domain, struct err *err) WARN_UNUSED;

/* A syntactically valid host or domain name: labels of 1..63 letters, digits, "-", "_" (bytes over 127 in well-formed
 * UTF-8 if utf8), 255 bytes at most, a trailing dot allowed. Source: address.c */
bool address_domain_valid(struct span domain, bool utf8);

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321 section 4.1.3). Source: address.c */
bool address_literal_valid(struct span domain);

/* One mailbox of a list; spans are valid during the call. name is the display name without quotes, "" if none. */
typedef int address_list_fn(void *arg, struct span name, const struct address *addr, struct err *err);

/* Walks an address-list of RFC 5322 section 3.4 (groups, comments, folding, obsolete routes): calls fn for each
 * mailbox, at most max of them. Iterative, time linear in in. -1: bad syntax, over max, or fn's -1.
 * Source: address.c */
int address_list(struct span in, size_t max, address_list_fn *fn, void *arg, struct err *err) WARN_UNUSED;

#endif
