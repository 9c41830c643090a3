/* stream.h: a buffered byte stream over a socket, a TLS session or memory; never blocks */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "base/str.h"

enum io_rc { IO_ERR = -1, IO_AGAIN = 0, IO_OK = 1, IO_EOF = 2, IO_TOOLONG = 3 };

/* What lies between the stream and its descriptor. read/write: IO_OK with *n_r > 0, IO_AGAIN, IO_EOF (read) or IO_ERR.
 * *events (STREAM_READ | STREAM_WRITE) is what to wait for after IO_AGAIN when it is not the plain one. */
struct stream_hook {
	enum io_rc (*read)(void *state, char *p, size_t n, size_t *n_r, unsigned *events, struct err *err);
	enum io_rc (*write)(void *state, const char *p, size_t n, size_t *n_r, unsigned *events, struct err *err);
	void (*free)(void *state);      /* also says goodbye (TLS close_notify) where that does not block */
};

enum stream_events { STREAM_READ = 1, STREAM_WRITE = 2 };

/* Caller's memory. Buffers are taken at first use and given back by stream_idle. */
struct stream {
	int fd;
	bool has_eof;
	bool is_dead;                   /* a write failed: nothing more leaves */
	struct str in, out;
	size_t in_at;                   /* bytes of in already taken */
	size_t out_at;                  /* bytes of out already sent */
	unsigned extra_events;
	const struct stream_hook *hook;
	void *hook_state;
};

/* Takes fd (a non-blocking socket, or -1 with a hook). in_max: longest unread input; out_max: longest unsent output,
 * both in bytes. Source: stream.c */
void stream_init(struct stream *s, int fd, size_t in_max, size_t out_max);

/* Frees the hook's state and buffers, closes the descriptor; idempotent. Source: stream.c */
void stream_fini(struct stream *s);

/* Puts a layer under the stream from here on; what was buffered as input must have been dropped before by the
 * caller (a STARTTLS injection otherwise), unsent output must be flushed: BUG if not. Takes state. Source: stream.c */
void stream_set_hook(struct stream *s, const struct stream_hook *hook, void *state);

/* One read into the buffer: IO_OK, IO_AGAIN, IO_EOF, IO_ERR, or IO_TOOLONG when the buffer is full. Source: stream.c */
enum io_rc stream_fill(struct stream *s, struct err *err) WARN_UNUSED;

/* The next line from the buffer, without its end, valid until the next stream_fill: IO_OK; IO_AGAIN when more input is
 * needed; IO_EOF after the last line; IO_TOOLONG when more than max bytes came without an end (nothing is taken).
 * *is_bare_r (may be NULL) tells that the line ended in LF alone; a CR inside the line stays in it. Source: stream.c */
enum io_rc stream_getline(struct stream *s, size_t max, struct span *line_r, bool *is_bare_r) WARN_UNUSED;

/* What is buffered and not taken; skip takes n bytes of it; drop takes all. Source: stream.c */
struct span stream_peek(const struct stream *s);
void stream_skip(struct stream *s, size_t n);
void stream_drop_input(struct stream *s);

/* Append output; 0, or -1 when out_max would be exceeded (the caller ends the session). Source: stream.c */
int stream_put(struct stream *s, const void *p, size_t n) WARN_UNUSED;
int stream_putz(struct stream *s, const char *z) WARN_UNUSED;

/* Sends what is buffered: IO_OK when all has left, IO_AGAIN, IO_ERR. Source: stream.c */
enum io_rc stream_flush(struct stream *s, struct err *err) WARN_UNUSED;
size_t stream_pending(const struct stream *s);          /* unsent bytes */

/* What to wait for: STREAM_READ always, STREAM_WRITE while output is unsent or the layer below asks. Source:
 * stream.c */
unsigned stream_events(const struct stream *s);

/* Gives back empty buffers of a quiet connection. Source: stream.c */
void stream_idle(struct stream *s);

/* A stream over memory for tests and fuzzers: input comes chunk bytes at a time and then EOF, output is appended to
 * *output. input and output stay the caller's. Source: stream_mem.c */
void stream_init_mem(struct stream *s, struct span input, size_t chunk, struct str *output, size_t in_max,
		     size_t out_max);

#endif
