/* session.h: one POP3 session in the TRANSACTION state, in a process of its own: blocking, one user */
#ifndef POP3D_SESSION_H
#define POP3D_SESSION_H

#include <stdbool.h>

#include "conf/params.h"
#include "io/stream.h"
#include "pop3d/maildrop.h"
#include "svc/child_start.h"

struct session {
	struct stream io;
	struct maildrop *box;
	const struct child_start *start;
	const struct pop3d_conf *conf;  /* of start */
	uint64_t idle_ms;
	unsigned n_bad;
	bool has_quit;
	const char *reason;             /* why it ended, for the log */
	uint64_t n_top, top_bytes, n_retr, retr_bytes, n_deleted, total, in_bytes, out_bytes;
};

/* Takes fd (of the client, or of login's relay) and serves until QUIT or the end of the line; logs how it ended. box is
 * open, not loaded. Source: session.c */
void session_run(struct session *s, int fd, const struct child_start *start, struct maildrop *box);

/* The part of session_run behind the connection: s->io, start, conf, box and idle_ms are set. Source: session.c */
void session_serve(struct session *s);

/* Buffers output and sends when much is there. -1: the client is gone (s->reason is set). Source: session.c */
int session_put(struct session *s, const char *p, size_t n) WARN_UNUSED;
int session_putf(struct session *s, const char *fmt, ...) PRINTF(2, 3) WARN_UNUSED;

/* Runs one command line; -1: the session is over. Source: commands.c */
int command_run(struct session *s, struct span line) WARN_UNUSED;

#endif
