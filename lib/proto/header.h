/* header.h: the header block of a message: a streaming filter for smtpd, and a walk over one in memory */
#ifndef PROTO_HEADER_H
#define PROTO_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/span.h"
#include "base/str.h"

#define HEADER_NAME_MAX 250     /* a longer "name:" is no header field */
#define HEADER_ID_MAX 250       /* bytes of Message-ID kept for the log */

/* What the filter calls. bytes: a piece to pass on. end: once, where the header ends, before the empty line;
 * needs_blank when the sender forgot that line. */
struct header_events {
	void (*bytes)(void *arg, struct span s);
	void (*end)(void *arg, bool needs_blank);
};

/* Caller's memory, nothing to free. Lines end in LF or CR LF; memory does not depend on the message. */
struct header_filter {
	const struct header_events *ev;
	void *arg;
	const char *const *drop;        /* NULL-ended names of fields that are left out; NULL for none */
	bool has_date, has_message_id, has_from;
	bool ended;
	unsigned n_received;            /* hops (RFC 5321 section 6.3) */
	char message_id[HEADER_ID_MAX + 1];
	/* private */
	size_t n_id;
	unsigned char state;
	bool dropping, in_id, is_first;
	size_t n_line;
	char line[HEADER_NAME_MAX + 2]; /* start of a line until it is known to be a field */
};

/* ev and drop must outlive h. Source: header.c */
void header_filter_init(struct header_filter *h, const struct header_events *ev, void *arg, const char *const *drop);

/* Feeds content; everything is passed to ev->bytes at last, but dropped fields; "From " lines of an mbox in front of
 * the header become fields "X-Mailbox-Line: From ...", as in Postfix. After the end of the header bytes go
 * through unlooked at. Source: header.c */
void header_filter_feed(struct header_filter *h, struct span in);

/* The message is over: a header without a body ends here. Source: header.c */
void header_filter_finish(struct header_filter *h);

/* The next field of a header block in memory: name without colon, value folded as it stands without the last line end.
 * False at the empty line, the end, or a line that is no field; *in then begins there. Source: header.c */
bool header_next(struct span *in, struct span *name_r, struct span *value_r);

#endif
