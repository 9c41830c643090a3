/* fetch.h: one FETCH while it runs, shared by cmd_fetch.c and the fetch_*.c that write its answers */
#ifndef IMAPD_FETCH_H
#define IMAPD_FETCH_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"
#include "imapd/fetch_flags.h"
#include "imapd/fetch_range.h"
#include "proto/imap_fetch_items.h"
#include "store/mailbox.h"

struct session;

#define FETCH_BUFFER (256u << 10)       /* bytes of answers gathered before they go to the session */

struct fetch {
	struct session *s;
	struct mailbox *box;
	const struct imap_fetch *req;
	struct span *names;             /* of each item that names a section, as the answer shows it */
	bool shows_uid, shows_modseq;
	struct str out;
	uint64_t n_given;               /* pieces that went to the session */
	bool is_first;                  /* nothing stands in this line yet */
	struct fetch_flags flags;
	struct arena scratch;           /* of one message */
	bool has_gone;                  /* a message could not be shown: it is not there any more */
	bool has_unreadable;            /* nor could another: its file cannot be opened */
	bool has_unknown_cte;           /* BINARY of an encoding that nobody knows */
	bool is_over;                   /* the session is at its end */
};

/* The file of one message while its sections are read. */
struct fetch_file {
	int fd;
	uint64_t octets;                /* of the file */
	struct span parts;              /* mail_record.h; p NULL when no item needs them */
};

enum fetch_piece_kind { FETCH_PIECE_NIL, FETCH_PIECE_TEXT, FETCH_PIECE_RANGE };

/* What a section is: bytes of the file, text made from it, or nothing. */
struct fetch_piece {
	enum fetch_piece_kind kind;
	struct span text;               /* TEXT: CRLF and no NUL already */
	struct fetch_range range;       /* RANGE */
	struct span encoding;           /* of a part that has no parts, for BINARY */
};

/* True when the item cannot be answered without the table of parts. Source: fetch_section.c */
bool fetch_section_needs_parts(const struct imap_fetch_item *it);

/* Finds the section of it (RFC 3501 section 6.4.5); text of FIELDS is appended to `text`, which the piece points
 * into. Blocks.
 * -1 ERR_SYS, ERR_TEMP. Source: fetch_section.c */
int fetch_section_find(const struct fetch_file *file, const struct imap_fetch_item *it, struct str *text,
		       struct fetch_piece *p_r, struct err *err) WARN_UNUSED;

/* Appends the fields of a header (with CRLF) that it asks for, and the empty line. -1 at out's limit. Source:
 * fetch_header.c */
int fetch_header_filter(struct str *out, struct span header, const struct imap_fetch_item *it) WARN_UNUSED;

/* ---- answers; -1: f->is_over, or err tells (then nothing that was announced is missing). ---- */

/* BODY[...], RFC822..., BINARY[...] and BINARY.SIZE[...]: item number n of file's message. Source: fetch_body.c */
int fetch_body_write(struct fetch *f, const struct fetch_file *file, size_t n, struct err *err) WARN_UNUSED;

/* "* 1 FETCH (UID 5 ...)": all items of message i of the view. m, body, file: what the items need, else NULL.
 * adds_flags: FLAGS changed on the way (\Seen). Source: fetch_line.c */
int fetch_line_write(struct fetch *f, size_t i, const struct index_msg *m, const struct mail_body *body,
		     const struct fetch_file *file, bool adds_flags, struct err *err) WARN_UNUSED;

/* Gives bytes, or what is gathered, to the session. -1: f->is_over. Source: fetch_line.c */
int fetch_line_give(struct fetch *f, struct span bytes) WARN_UNUSED;
int fetch_line_flush(struct fetch *f) WARN_UNUSED;

/* Ends the session in the middle of an answer; -1. Source: fetch_line.c */
int fetch_line_abort(struct fetch *f, const char *reason);

#endif
