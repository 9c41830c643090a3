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
	uint64_t quota;                 /* bytes, 0: none */
	uint64_t instance;              /* drawn by master at its start */
	int watch_fd;                   /* for watch_init */
	bool had_crash;                 /* the last session on this Maildir died by a signal: no index of it is trusted */
	const struct imapd_conf *conf;
};

#endif
