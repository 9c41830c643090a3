/* daemon_log.h: log lines travel as datagrams to logger: "level milliseconds tag text\n", many in one */
#ifndef SVC_DAEMON_LOG_H
#define SVC_DAEMON_LOG_H

/* Sends log lines of this process to fd (a non-blocking datagram socket) under the name tag ("smtpd"); lines are
 * gathered and leave with daemon_log_flush, when a batch is full, or at once from warnings up. Lines that the
 * socket does not take are counted, and the count is reported when it takes lines again; nothing ever waits.
 * A tag "name:program" brings its own syslog_name, in the form "name[pid]: program: text". Source: daemon_log.c */
void daemon_log_open(int fd, const char *tag);
void daemon_log_tag(const char *tag);
void daemon_log_flush(void);

#endif
