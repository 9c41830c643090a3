/* imap_id.h: the ID command: what client and server say of themselves (RFC 2971) */
#ifndef PROTO_IMAP_ID_H
#define PROTO_IMAP_ID_H

#include "base/str.h"
#include "proto/imap_parse.h"

#define IMAP_ID_PAIRS 30        /* RFC 2971 section 3.3 */

/* Zeroed: NIL. Values may have p NULL: NIL. */
struct imap_id {
	struct { struct span field, value; } v[IMAP_ID_PAIRS];
	size_t n;
};

/* The argument of ID, with the space before it. -1 ERR_PROTO: no list, a field of more than 30 octets, a value of more
 * than 1024, more than 30 pairs. Source: imap_id.c */
int imap_id_parse(struct imap_parse *p, struct imap_id *id_r, struct err *err) WARN_UNUSED;

/* Appends the answer's list for imap_id_send: "name * version 3": pairs of a field and its value, "*" for what is true;
 * a word without a value is left out. NIL for an empty setting. -1 at out's limit. Source: imap_id.c */
int imap_id_print(struct str *out, const char *setting) WARN_UNUSED;

/* Appends "name=x, version=y": the client's fields that imap_id_log names, "*" for all; false when there are none. What
 * does not fit is left out. Source: imap_id.c */
bool imap_id_log(struct str *out, const struct imap_id *id, const char *setting);

#endif
