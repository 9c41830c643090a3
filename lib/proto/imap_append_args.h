/* imap_append_args.h: arguments of APPEND, message by message (RFC 3501 section 6.3.11, RFC 3502) */
#ifndef PROTO_IMAP_APPEND_ARGS_H
#define PROTO_IMAP_APPEND_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "proto/imap_frame.h"
#include "proto/imap_parse.h"

struct imap_append {
	bool is_end;                    /* no further message: the command is complete */
	struct imap_flags flags;
	bool has_date;
	int64_t unix_s;
	int offset_min;
	struct imap_frame_literal literal;
};

/*
 * How APPEND uses frame and parser: at the first literal take the text before its line end, imap_parse_command,
 * imap_parse_sp, imap_parse_mailbox, then imap_append_args_next; stream the literal; frame on; at the next literal or
 * COMMAND parse the new text (imap_parse_init) with imap_append_args_next again, until is_end.
 */

/* At the space before a message's flags, date or literal; all up to the end of the text. Nothing left: is_end (an error
 * for the first message, is_first). -1 ERR_PROTO. Source: imap_append_args.c */
int imap_append_args_next(struct imap_parse *p, bool is_first, struct imap_append *out_r, struct err *err) WARN_UNUSED;

#endif
