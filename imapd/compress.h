/* compress.h: DEFLATE under a session's stream (RFC 4978), in bounded memory */
#ifndef IMAPD_COMPRESS_H
#define IMAPD_COMPRESS_H

#include "base/err.h"
#include "io/stream.h"

/* From here on both directions are compressed: nothing may be buffered in the stream, whose descriptor stays its
 * own. What is pending at a stream_flush leaves as one batch with a sync flush. About 200 KB as long as the stream
 * lives. -1 ERR_TEMP: no memory, the stream is as before. Source: compress.c */
int compress_start(struct stream *io, struct err *err) WARN_UNUSED;

#endif
