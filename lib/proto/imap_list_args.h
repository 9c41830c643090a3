/* imap_list_args.h: arguments of LIST, LSUB and STATUS (RFC 5258, RFC 5819, RFC 6154, RFC 9051 section 6.3.9) */
#ifndef PROTO_IMAP_LIST_ARGS_H
#define PROTO_IMAP_LIST_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "proto/imap_parse.h"

enum {  /* selection options and, but for REMOTE and RECURSIVEMATCH, return options */
	IMAP_LIST_SUBSCRIBED = 1, IMAP_LIST_REMOTE = 2, IMAP_LIST_RECURSIVEMATCH = 4, IMAP_LIST_SPECIAL_USE = 8,
	IMAP_LIST_CHILDREN = 16, IMAP_LIST_STATUS = 32,
};

enum imap_status_item {
	IMAP_STATUS_MESSAGES = 1, IMAP_STATUS_RECENT = 2, IMAP_STATUS_UIDNEXT = 4, IMAP_STATUS_UIDVALIDITY = 8,
	IMAP_STATUS_UNSEEN = 16, IMAP_STATUS_HIGHESTMODSEQ = 32, IMAP_STATUS_SIZE = 64, IMAP_STATUS_DELETED = 128,
};

struct imap_list {
	bool is_extended;               /* in the syntax of RFC 5258: an empty pattern is then nothing special */
	unsigned select;
	struct span reference;
	struct span *patterns;          /* in the arena, one at least */
	size_t n;
	unsigned returns;               /* with what the selection options imply */
	unsigned status;                /* enum imap_status_item, with IMAP_LIST_STATUS */
};

/* At the space behind the verb, up to the end. -1 ERR_PROTO, also for RECURSIVEMATCH alone or with nothing but REMOTE
 * (RFC 5258 section 3.1). Source: imap_list_args.c */
int imap_list_args_parse(struct imap_parse *p, struct imap_list *out_r, struct err *err) WARN_UNUSED;

/* LSUB: reference and one pattern (RFC 3501 section 6.3.9). Source: imap_list_args.c */
int imap_list_args_lsub(struct imap_parse *p, struct imap_list *out_r, struct err *err) WARN_UNUSED;

/* STATUS items at the cursor, "(MESSAGES UNSEEN)", one at least. Source: imap_list_args.c */
int imap_list_args_status(struct imap_parse *p, unsigned *items_r, struct err *err) WARN_UNUSED;

/* "MESSAGES" for one item, NULL for a bit nobody knows. Source: imap_list_args.c */
const char *imap_list_args_status_name(enum imap_status_item item);

#endif
