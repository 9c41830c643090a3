/* imap_frame.h: finds the end of one IMAP command, literals and all, in a buffer that grows (RFC 3501 section 4.3) */
#ifndef PROTO_IMAP_FRAME_H
#define PROTO_IMAP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/span.h"

/*
 * For commands only; the lines of an AUTHENTICATE exchange and IDLE's DONE are plain lines.
 *
 *         +---- accept ----> literal bytes --+        + stream -> the caller reads them
 *         |                                  v
 *   TEXT --- line ends in {n} --> LITERAL  TEXT --- line ends --> COMMAND or BAD, then TEXT of the next
 *     +--- more than text_max --> TOO_LONG, for good
 */

enum imap_frame_rc {
	IMAP_FRAME_MORE,        /* no end among the bytes so far */
	IMAP_FRAME_SYNC,        /* "{n}": the client waits for "+ ..." */
	IMAP_FRAME_NONSYNC,     /* "{n+}": the bytes follow (RFC 7888) */
	IMAP_FRAME_TOO_BIG,     /* a literal as above, but over a limit: refuse, or stream it nevertheless */
	IMAP_FRAME_COMMAND,     /* all there */
	IMAP_FRAME_BAD,         /* all there, but with a NUL byte outside literals: answer BAD and drop it */
	IMAP_FRAME_TOO_LONG,    /* where the command ends is unknown: say so and close; stays until init */
};

struct imap_frame_limits {
	size_t text_max;                /* bytes of a command outside its literals, line ends included */
	uint64_t literal_max;           /* bytes of a command's accepted literals together */
	uint64_t nonsync_max;           /* bytes of one "{n+}": 4096 under LITERAL- (RFC 7888 5), else UINT64_MAX */
};

/* {n}, {n+}, ~{n} or ~{n+}. */
struct imap_frame_literal {
	uint64_t n;
	bool is_sync;
	bool is_binary;                 /* literal8 (RFC 3516): may hold NUL */
};

/* Caller's memory, no pointers inside. Read text_n after COMMAND and literal after the three kinds of literal. */
struct imap_frame {
	struct imap_frame_limits limits;
	struct imap_frame_literal literal;
	size_t text_n;                  /* of a complete command: its bytes without the last line end */
	size_t at;                      /* bytes at the front of the buffer that were looked at */
	size_t line_at;                 /* where the line began */
	size_t n_text;                  /* bytes outside literals so far */
	uint64_t n_literal;             /* bytes of accepted literals so far */
	uint64_t left;                  /* bytes of the accepted literal still to come */
	uint8_t state;
	bool in_quotes, is_escaped, has_nul;
};

/* Ready for a command; also after a refused synchronizing literal, which the client does not send.
 * Source: imap_frame.c */
void imap_frame_init(struct imap_frame *f, const struct imap_frame_limits *limits);

/* buffered: all bytes since the start of the command (or since the streamed literal), the same ones as in the call
 * before and perhaps more. No byte is looked at twice. *used_r for a literal: bytes up to and with the line end of its
 * announcement; for COMMAND and BAD: bytes of the command with its line end, to be taken out of the buffer before the
 * next call, which starts a new command; else 0. A line ends at CRLF or a bare LF; a "{n}" inside quotes is none.
 * After a literal call accept or stream before the next call. Source: imap_frame.c */
enum imap_frame_rc imap_frame_next(struct imap_frame *f, struct span buffered, size_t *used_r) WARN_UNUSED;

/* The literal's bytes will stand in the buffer behind its announcement, as part of the command's text: for SYNC after
 * "+ OK" was sent, for NONSYNC at once. Never after TOO_BIG. Source: imap_frame.c */
void imap_frame_accept(struct imap_frame *f);

/* The caller takes *used_r bytes out of the buffer and reads (APPEND) or swallows (a refused "{n+}", RFC 7888
 * section 4) the literal.n bytes that follow by itself; the next call's buffer begins behind them, inside the same
 * command. Source: imap_frame.c */
void imap_frame_stream(struct imap_frame *f);

/* When line (without its line end) ends in a literal's announcement: true, and how many of its bytes come before it.
 * Does not look at quotes. Source: imap_frame.c */
bool imap_frame_announces(struct span line, struct imap_frame_literal *lit_r, size_t *before_r);

#endif
