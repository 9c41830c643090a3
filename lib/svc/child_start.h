/* child_start.h: what a child of pop3d or imapd is told about its one session; made by the parent for that session */
#ifndef SVC_CHILD_START_H
#define SVC_CHILD_START_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/span.h"
#include "io/sandbox.h"

#define CHILD_MAY (SB_OPEN | SB_CHANGE_FILES)

struct child_start {
	const char *user;               /* canonical, for logs */
	const char *system_user;        /* for initgroups, or "" */
	const char *home, *mail, *index;
	uid_t uid;
	gid_t gid;
	uint64_t quota;                 /* bytes, 0: none */
	const char *session;            /* id of the log lines */
	const char *remote;             /* address of the client */
	const char *tag;                /* of the IMAP command that logged in, or "" */
	const char *capa;               /* USER and SASL, the lines of CAPA that login announced, or "" */
	struct span input;              /* what the client sent behind its login */
	struct span state;              /* what the session left when it came to rest, or n 0: it begins */
	uint64_t instance;              /* drawn by master at its start */
	int watch_fd;                   /* end of the parent's watcher, -1: none */
	bool had_crash;                 /* the last session on this mailbox died by a signal */
	bool changes_user;              /* the suite runs as root */
	bool is_sandboxed;
	const struct sandbox_calls *calls;      /* of CHILD_MAY, or NULL */
	const char *log_tag;            /* "pop3", or "dovecot:" with syslog_name = dovecot */
	const void *conf;               /* struct pop3d_conf, struct imapd_conf */
};

#endif
