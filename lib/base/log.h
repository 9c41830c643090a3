/* log.h: one line per event, written where the decision is made; control characters always arrive escaped */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/attr.h"

enum log_level { LOG_LV_DEBUG, LOG_LV_INFO, LOG_LV_WARNING, LOG_LV_ERROR, LOG_LV_FATAL };

/* Receives one escaped line without newline; must not block and must not log. */
typedef void log_sink_fn(void *arg, enum log_level level, const char *line);

/* info lines are bare ("A1B2C3: from=<…>"); the others get Postfix's "warning: ", "error: ", "fatal: " in front.
 * A line over 2000 bytes is cut. log_fatal ends the process with exit(1).
 * Source: log.c */
void log_debug(const char *fmt, ...) PRINTF(1, 2);
void log_info(const char *fmt, ...) PRINTF(1, 2);
void log_warn(const char *fmt, ...) PRINTF(1, 2);
void log_error(const char *fmt, ...) PRINTF(1, 2);
NORETURN void log_fatal(const char *fmt, ...) PRINTF(1, 2);

/* Where lines go; NULL gives the default back (stderr with the tag in front). Source: log.c */
void log_set_sink(log_sink_fn *fn, void *arg);

/* The name in front of lines on stderr ("surat/smtpd"); z must outlive the process. Source: log.c */
void log_set_tag(const char *z);

/* The name of this process's lines from here on, instead of the tag, until NULL: one process serves listeners that have
 * names of their own. z must live until then. log_name is the one in force. Source: log.c */
void log_as(const char *z);
const char *log_name(void);

/* Lines below this level are dropped before they are formatted; default LOG_LV_INFO. Source: log.c */
void log_set_level(enum log_level level);

#endif
