/* logger.h: takes the lines of all daemons and writes them to a file or to syslog, in Postfix's line form */
#ifndef MASTER_LOGGER_H
#define MASTER_LOGGER_H

#include <sys/types.h>

#include "base/log.h"
#include "base/str.h"
#include "conf/params.h"

/* One line as it came: "level milliseconds tag text". */
struct logger_line {
	enum log_level level;
	uint64_t wall_ms;
	struct span tag;                /* "smtpd"; empty for what a process wrote to its stderr */
	struct span text;
};

/* Never fails: bytes without the head are text of level warning at the present time. Source: logger.c */
struct logger_line logger_parse(struct span line);

/* "Nov 22 06:38:17 host surat/smtpd[123]: text\n", or with facility >= 0 a packet for syslog:
 * "<22>Nov 22 06:38:17 surat/smtpd[123]: text". -1: out's limit. Source: logger.c */
int logger_format(struct str *out, const struct logger_line *l, const char *name, const char *host, pid_t pid,
		  int facility) WARN_UNUSED;

/* The code of syslog(3) for the parameter. Source: logger.c */
int logger_facility(enum syslog_facility f);

#endif
