/* sendmail_smtp.h: hands a letter to smtpd over its local socket, blocking */
#ifndef TOOLS_SENDMAIL_SMTP_H
#define TOOLS_SENDMAIL_SMTP_H

#include "base/err.h"
#include "tools/sendmail_letter.h"

/* What -f, -N, -R and -V ask for; strings are borrowed, NULL when not given. */
struct sendmail_envelope {
	const char *sender;             /* "" for the null sender */
	const char *notify;             /* "never" or a list of success, failure, delay */
	const char *ret;                /* "full" or "hdrs" */
	const char *envid;
};

/* Connects to the socket at path. The descriptor, or -1: ERR_TEMP when the mail system is down. Source:
 * sendmail_smtp.c */
int sendmail_connect(const char *path, struct err *err) WARN_UNUSED;

/* A whole SMTP session on fd. 0 when the letter is on disk; -1: ERR_TEMP or ERR_SYS to try later, ERR_PERM with the
 * server's words. A refused recipient among others is told on standard error and counts as ERR_PERM in the end.
 * Source: sendmail_smtp.c */
int sendmail_submit(int fd, const struct sendmail_envelope *env, const struct letter *l, struct err *err) WARN_UNUSED;

/* -bs: carries bytes between standard input, output and fd until the server ends. Source: sendmail_smtp.c */
int sendmail_relay(int fd, struct err *err) WARN_UNUSED;

#endif
