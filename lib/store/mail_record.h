/* mail_record.h: what the index keeps of a message: made in one pass over its bytes, stored as two blobs
 *
 * KEYS is what SEARCH, SORT and THREAD read for every message; BODY what FETCH ENVELOPE, BODYSTRUCTURE and BODY[part]
 * need. Both begin with a version byte and are read without copying.
 */
#ifndef STORE_MAIL_RECORD_H
#define STORE_MAIL_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"
#include "base/str.h"
#include "proto/mime.h"

/* Folded, decoded UTF-8 (header_decode.h, sort_key.h), ready to be compared or searched in. */
struct mail_keys {
	struct span subject;            /* whole, for SEARCH SUBJECT */
	struct span base_subject;       /* RFC 5256 section 2.1; a tail or copy of its own */
	bool is_reply;
	struct span from, to, cc, bcc;  /* whole fields, for SEARCH FROM, ... */
	struct span from_key, to_key, cc_key, from_display, to_display;
	struct span message_id;         /* normalised; empty: none */
	struct span references;         /* message ids in order, NUL between: References, else the first of In-Reply-To */
	bool is_cut;                    /* a field was too long to keep whole: look into the file */
	int sent_zone_min;              /* of the Date field, east of UTC: SENTON and the like want the day as written */
};

/* Where a part lies in the file. */
struct mail_part {
	struct span section;            /* "1.2"; "" for the message itself */
	enum mime_kind kind;
	struct span encoding;           /* Content-Transfer-Encoding, for BINARY and SEARCH BODY */
	struct span charset;
	uint64_t header_offset, body_offset;
	struct mime_size header, body;
	struct mime_size inner;         /* MIME_MESSAGE: header of the message in it, which begins at body_offset; text follows */
};

struct mail_body {
	struct span envelope;           /* "(...)", as FETCH shows it */
	struct span structure;          /* BODYSTRUCTURE */
	struct span body;               /* BODY */
	struct span parts;              /* encoded; mail_record_part finds one */
};

struct mail_record {
	int64_t sent_s;                 /* Date field; INT64_MIN when there is none that can be read */
	uint64_t size, vsize;
	bool is_unended;                /* its last byte is no LF */
	struct mail_keys keys;
	struct mail_body body;
};

struct mail_record_maker;

/* Everything lives in a. feed takes chunks of any size. end: *r_r is complete; every sequence of bytes is a message.
 * -1 only for more memory than one message may take (ERR_TEMP). Source: mail_record.c */
struct mail_record_maker *mail_record_begin(struct arena *a);
int mail_record_feed(struct mail_record_maker *m, struct span chunk, struct err *err) WARN_UNUSED;
int mail_record_end(struct mail_record_maker *m, struct mail_record *r_r, struct err *err) WARN_UNUSED;

/* The same for a file, from its beginning; pread only. Blocks. Source: mail_record.c */
int mail_record_read(struct arena *a, int fd, struct mail_record *r_r, struct err *err) WARN_UNUSED;

/* Blobs. decode: -1 for a damaged or foreign one; spans point into blob. Source: mail_record_codec.c */
int mail_keys_encode(struct str *out, const struct mail_keys *k) WARN_UNUSED;
int mail_keys_decode(struct mail_keys *k_r, struct span blob) WARN_UNUSED;
int mail_body_encode(struct str *out, const struct mail_body *b) WARN_UNUSED;
int mail_body_decode(struct mail_body *b_r, struct span blob) WARN_UNUSED;

/* The part of that section (RFC 3501 section 6.4.5: "1", "1.2", "" the whole message); for the parts of a
 * message/rfc822 its own numbers continue. "1" of a message that is no multipart is its body, with the header of the
 * whole. 1 found, 0 none, -1 damaged. next: walks all, *pos 0 at first; false at the end. Source:
 * mail_record_codec.c */
int mail_record_part(struct span parts, struct span section, struct mail_part *p_r) WARN_UNUSED;
bool mail_record_next(struct span parts, size_t *pos, struct mail_part *p_r);

/* ---- the file INDEX_DIR/inbox: records of letters that local delivered, appended best effort ---- */

/* One entry: base name, size, vsize, sent_s and both blobs, with length and checksum, so a torn one is skipped.
 * Source: mail_record_inbox.c */
int mail_inbox_encode(struct str *out, struct span base_name, const struct mail_record *r) WARN_UNUSED;
bool mail_inbox_next(struct span *rest, struct span *base_name_r, struct mail_record *r_r, struct span *keys_blob_r,
		     struct span *body_blob_r);

#define MAIL_INBOX_MAX (4u << 20)       /* bytes; what comes when it is full is not noted */

/* Appends encoded entries to the file below dir, the directory that holds INDEX_DIR: only where INDEX_DIR exists, one
 * write, no lock, no sync. Whatever fails is nobody's concern. Blocks. Source: mail_record_inbox.c */
void mail_inbox_append(int dir, struct span entries);

/* Takes the file away and gives its bytes, for mail_inbox_next, in a; of several sessions one gets it. 1, or 0 when
 * there is none. Blocks. Source: mail_record_inbox.c */
int mail_inbox_take(int dir, struct arena *a, struct span *bytes_r);

#endif
