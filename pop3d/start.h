/* start.h: what a child is told about its one session; made by the parent, owned by the request's arena */
#ifndef POP3D_START_H
#define POP3D_START_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/span.h"
#include "conf/params.h"

struct start {
	const char *user;               /* canonical, for logs */
	const char *system_user;        /* for initgroups, or "" */
	const char *home, *mail, *index;
	uid_t uid;
	gid_t gid;
	uint64_t quota;                 /* bytes, 0: none */
	const char *session;            /* id of the log lines */
	struct span input;              /* what the client sent behind its login */
	bool changes_user;              /* the suite runs as root */
	bool is_sandboxed;
	const char *log_tag;            /* "pop3", or "dovecot:" with syslog_name = dovecot */
	const struct pop3d_conf *conf;
};

#endif
