/* transfer.h: streaming decoders of Content-Transfer-Encoding (RFC 2045 section 6) that forgive what they can */
#ifndef PROTO_TRANSFER_H
#define PROTO_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

enum transfer_kind { TRANSFER_IDENTITY, TRANSFER_BASE64, TRANSFER_QUOTED_PRINTABLE, TRANSFER_UNKNOWN };

#define TRANSFER_HELD_MAX 128

/* Caller's memory, nothing to free. */
struct transfer {
	enum transfer_kind kind;
	uint64_t n_bad;                 /* bytes that were no encoding; 0: the content was sound so far */
	/* private */
	uint32_t bits;
	unsigned char n_bits, n_held;
	bool is_padded;
	char held[TRANSFER_HELD_MAX];   /* "=" and what follows, or blanks that may end a line */
};

/* 7bit, 8bit, binary and a missing one (p NULL) are identity; what is not known is passed through. Source:
 * transfer.c */
enum transfer_kind transfer_kind(struct span encoding);

/* Ready for the first bytes of a part. Source: transfer.c */
void transfer_init(struct transfer *t, enum transfer_kind kind);

/* Append the decoding of the next bytes, in chunks of any size; end: what was still held. -1 at out's limit, and then
 * t is of no more use. Source: transfer.c */
int transfer_feed(struct transfer *t, struct span in, struct str *out) WARN_UNUSED;
int transfer_end(struct transfer *t, struct str *out) WARN_UNUSED;

/* The "Q" of RFC 2047 section 4.2, whole. -1 at out's limit. Source: transfer.c */
int transfer_q(struct span in, struct str *out) WARN_UNUSED;

#endif
