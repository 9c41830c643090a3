/* imap_store_args.h: arguments of STORE behind the set (RFC 3501 section 6.4.6, RFC 7162 section 3.1.3) */
#ifndef PROTO_IMAP_STORE_ARGS_H
#define PROTO_IMAP_STORE_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "proto/imap_parse.h"
#include "proto/imap_seqset.h"

enum imap_store_mode { IMAP_STORE_REPLACE, IMAP_STORE_ADD, IMAP_STORE_REMOVE };

struct imap_store {
	struct imap_seqset set;
	enum imap_store_mode mode;
	bool is_silent;
	bool has_unchangedsince;
	uint64_t unchangedsince;
	struct imap_flags flags;
};

/* At the space behind the verb, up to the end: "1:3 (UNCHANGEDSINCE 9) +FLAGS.SILENT (\Seen)". -1 ERR_PROTO.
 * Source: imap_store_args.c */
int imap_store_args_parse(struct imap_parse *p, struct imap_store *out_r, struct err *err) WARN_UNUSED;

#endif
