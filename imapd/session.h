/* session.h: one IMAP session of a user who has logged in, in a process of its own: blocking */
#ifndef IMAPD_SESSION_H
#define IMAPD_SESSION_H

#include "imapd/start.h"
#include "io/stream.h"

struct session {
	struct stream io;
	const struct imap_start *start;
};

/* Takes fd (of the client, or of login's relay), answers the tag that logged in and serves until LOGOUT or the end of
 * the line. Source: session.c */
void session_run(struct session *s, const struct imap_start *start, int fd);

#endif
