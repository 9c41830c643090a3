/* content.h: the content of one message on its way from client to qmgr: decoded, completed, in frames or a large file
 *
 *   bytes → smtp_body → header_filter → buf ──(end, ≤ 48 KiB)──▶ BEGIN RCPTS BODY END in one write
 *                                        └──(more)── BEGIN RCPTS LARGE → descriptor → write … → END
 */
#ifndef SMTPD_CONTENT_H
#define SMTPD_CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "base/str.h"
#include "io/ipc.h"
#include "proto/header.h"
#include "proto/smtp_body.h"

struct session;

/* Heap object of a transaction. */
struct content {
	struct session *s;
	uint64_t qid;
	struct smtp_body body;
	struct header_filter header;
	struct str buf;                 /* decoded and not yet handed on */
	uint64_t written;               /* bytes that went to fd */
	uint64_t chunk_left;            /* BDAT: bytes of the chunk still to come */
	uint64_t chunk_size;
	bool is_last;
	int fd;                         /* the large file, -1 while all is in buf */
	struct ipc_req enq;             /* enq_begin until its answer */
	bool begun, ended, answered, waits;
	char fail[200];                 /* "451 4.3.0 ..." when the message cannot be kept; "" so far so good */
};

/* For DATA or the first BDAT: writes PREPEND lines and Received: into the buffer. Source: content.c */
void content_new(struct session *s, enum smtp_body_mode mode);

/* Tells qmgr to forget what it was told unless the end has been sent; takes NULL, sets *c NULL. Source: content.c */
void content_free(struct content **c);

/* Consumes from *in; true at the end of data. Source: content.c */
bool content_feed(struct content *c, struct span *in);

/* Hands on what is buffered when it is much; may leave the session pending. Source: content.c */
void content_spill(struct content *c);

/* The message is complete: ends line and header. Source: content.c */
void content_finish(struct content *c);

/* Gives the message to qmgr, with the session pending until the commit's answer, and tells the client: "250 2.0.0 Ok:
 * queued as ..." or 45x; at once when it cannot be kept. Source: content.c */
void content_submit(struct content *c);

#endif
