/* mime.h: the structure of a message (RFC 2045, RFC 2046) in one pass: a push parser that leaves a tree of parts */
#ifndef PROTO_MIME_H
#define PROTO_MIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

/* Over a limit nothing fails: deeper multiparts are leaves, later parts belong to the last one, fields and parameters
 * that do not fit are left out. */
struct mime_limits {
	unsigned depth_max;             /* multiparts and messages inside each other */
	unsigned parts_max;             /* in all */
	unsigned params_max;            /* per field */
	size_t boundary_max;            /* bytes of a boundary that are compared */
	size_t field_max;               /* bytes of one field that are looked at */
	size_t stored_max;              /* bytes of field values kept, in all */
};

#define MIME_LIMITS_DEFAULT { .depth_max = 100, .parts_max = 10000, .params_max = 200, .boundary_max = 1000, \
	.field_max = 1u << 20, .stored_max = 4u << 20 }

/* octets: as stored. crlf_octets: with each bare LF counted as CR LF. lines: line ends. */
struct mime_size {
	uint64_t octets, crlf_octets, lines;
};

/* RFC 2231 continuations are joined. A name that ends in "*" has an encoded value (charset'lang'%XX):
 * header_decode.h. */
struct mime_param {
	struct span name, value;
	struct mime_param *next;
};

struct mime_text {
	struct span text;
	struct mime_text *next;
};

/* All fields of a name are kept, in order, for addresses; for the others first is the last one seen. Unfolded. */
struct mime_field {
	struct mime_text *first, *last;
};

enum mime_envelope_field {
	MIME_DATE, MIME_SUBJECT, MIME_FROM, MIME_SENDER, MIME_REPLY_TO, MIME_TO, MIME_CC, MIME_BCC, MIME_IN_REPLY_TO,
	MIME_MESSAGE_ID, MIME_REFERENCES, MIME_ENVELOPE_FIELDS
};

struct mime_envelope {
	struct mime_field field[MIME_ENVELOPE_FIELDS];
};

enum mime_kind { MIME_OTHER, MIME_TEXT, MIME_MULTIPART, MIME_MESSAGE };

/* A span with p NULL: the field is missing (or not usable); with n 0: it is empty. */
struct mime_part {
	struct mime_part *parent, *child, *last_child, *next;
	enum mime_kind kind;
	unsigned depth;
	unsigned number;                /* among its siblings, from 1 */
	bool is_digest;                 /* multipart/digest: parts without a type are messages */
	struct span type, subtype;      /* as written; both empty when Content-Type is broken */
	struct span id, description, encoding, md5, location, disposition;
	struct mime_param *params, *disposition_params;
	struct mime_text *languages;
	struct mime_envelope *envelope; /* of the whole message and of the child of a message/rfc822, else NULL */
	uint64_t header_offset, body_offset;
	struct mime_size header;        /* with the empty line */
	struct mime_size body;          /* without the line end before a boundary */
};

struct mime_boundary;

struct mime_mark {
	uint64_t octets, lines, bare;
};

/* Caller's memory, nothing to free but the arena. */
struct mime {
	struct mime_part *root;         /* valid after mime_end */
	/* private */
	struct arena *arena;
	struct mime_limits lim;
	struct mime_part *cur;
	struct mime_boundary *open, *match;
	struct mime_mark here, line_end, start;         /* start: of cur's header */
	unsigned n_parts;
	size_t stored, n_line, n_field, field_cap;
	char *line, *field;
	unsigned char state, field_state;
	bool last_cr, match_is_final, is_over;
};

/* Everything the tree holds lives in a. lim NULL for the defaults. Source: mime.c */
void mime_init(struct mime *m, struct arena *a, const struct mime_limits *lim);

/* The next bytes, in chunks of any size: the result does not depend on them. -1 (ERR_PROTO) only after mime_end.
 * Source: mime.c */
int mime_feed(struct mime *m, struct span chunk, struct err *err) WARN_UNUSED;

/* The message is over; m->root is the tree. Every sequence of bytes is a message. -1 when called twice. Source:
 * mime.c */
int mime_end(struct mime *m, struct err *err) WARN_UNUSED;

/* The first parameter of that name (ASCII case), or NULL. Source: mime_header.c */
const struct mime_param *mime_param(const struct mime_param *list, const char *name);

#endif
