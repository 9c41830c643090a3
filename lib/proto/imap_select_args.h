/* imap_select_args.h: arguments of SELECT and EXAMINE (RFC 3501 section 6.3.1, RFC 7162 section 3.2.5) */
#ifndef PROTO_IMAP_SELECT_ARGS_H
#define PROTO_IMAP_SELECT_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "proto/imap_parse.h"
#include "proto/imap_seqset.h"

struct imap_select {
	struct span mailbox;
	bool is_condstore;              /* also true with QRESYNC */
	bool is_qresync;                /* the caller checks that it was enabled */
	uint32_t uidvalidity;
	uint64_t modseq;                /* the last one known to the client */
	bool has_known_uids;
	struct imap_seqset known_uids;
	bool has_match;                 /* sequence match data: the two sets pair number by number */
	struct imap_seqset match_seqs, match_uids;
};

/* At the space behind the verb, up to the end; sep as for imap_parse_mailbox. -1 ERR_PROTO, also when the match data do
 * not pair or "*" or "$" is in a set of QRESYNC. Source: imap_select_args.c */
int imap_select_args_parse(struct imap_parse *p, char sep, struct imap_select *out_r, struct err *err) WARN_UNUSED;

#endif
