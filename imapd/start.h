/* start.h: what a session knows from the beginning; made by child.c, lives as long as the process */
#ifndef IMAPD_START_H
#define IMAPD_START_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "conf/params.h"

struct imap_start {
	const char *user;               /* canonical, for logs */
	const char *home, *mail;        /* absolute */
	const char *index;              /* folder of the indexes, absolute, exists; "": beside the Maildir; "MEMORY" */
	const char *session;            /* id of the log lines */
	const char *remote;             /* address of the client */
	const char *tag;                /* of the command that logged in: the session answers it */
	struct span input;              /* what the client sent behind its login */
	struct span state;              /* n > 0: the session goes on where another process left it (park.h) */
	int watch_fd;                   /* for watch_init */
	const struct imapd_conf *conf;
};

#endif
