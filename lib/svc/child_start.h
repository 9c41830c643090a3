/* child_start.h: what a child of pop3d or imapd is told about its one session; made by the parent for that session */
#ifndef SVC_CHILD_START_H
#define SVC_CHILD_START_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/span.h"
#include "io/sandbox.h"
#include "store/mail_store.h"

#define CHILD_MAY (SB_OPEN | SB_CHANGE_FILES)

struct child_start {
	const char *user;               /* canonical, for logs */
	const char *system_user;        /* for initgroups, or "" */
	const char *home, *mail;        /* absolute */
	const char *index;              /* folder of the index, absolute; "": beside the letters; "MEMORY" */
	uid_t uid;
	gid_t gid;
	uint64_t quota;                 /* bytes, 0: none */
	uint64_t quota_messages;        /* 0: none */
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

/* The first steps of a child, in this order. become: the user, when the suite runs as root; ends with the parent from then
 * on. store: what start says of the mailbox, for mail_store_open; host must outlive it. lock_in: gives up every path but
 * mailbox, index and the readable ones (n of them), and all calls but CHILD_MAY. -1 ERR_SYS. Source: session_child.c */
int child_start_become(const struct child_start *start, struct err *err) WARN_UNUSED;
struct mail_store_options child_start_store(const struct child_start *start, const char *host);
int child_start_lock_in(const struct child_start *start, const char *const *readable, size_t n,
			struct err *err) WARN_UNUSED;

#endif
