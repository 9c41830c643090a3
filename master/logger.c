#include "logger.h"

#include <syslog.h>

#include "base/clock.h"

struct logger_line logger_parse(struct span line)
{
	struct logger_line l = { .wall_ms = clock_wall_ms(), .level = LOG_LV_WARNING, .text = line };
	struct span level, ms, tag, rest;
	uint64_t n, at;

	if (span_cut(line, ' ', &level, &rest) && span_u64(level, LOG_LV_FATAL, &n) == 0 &&
	    span_cut(rest, ' ', &ms, &rest) &&
	    span_u64(ms, 1ull << 53, &at) == 0 && span_cut(rest, ' ', &tag, &rest) && tag.n)
		l = (struct logger_line){ (enum log_level)n, at, tag, rest };
	return l;
}

static int add_time(struct str *out, uint64_t wall_ms)
{
	time_t t = (time_t)(wall_ms / 1000);
	char text[32];
	struct tm tm;

	if (!localtime_r(&t, &tm) || strftime(text, sizeof(text), "%b %e %H:%M:%S ", &tm) == 0)
		return str_addz(out, "Jan  1 00:00:00 ");
	return str_addz(out, text);
}

/* Control characters were escaped where the line was made; stderr bypasses that. */
static int add_text(struct str *out, struct span text)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < text.n && rc == 0; i++) {
		unsigned char c = (unsigned char)text.p[i];

		rc = c < 32 || c == 127 ? str_addf(out, "\\x%02x", c) : str_addc(out, (char)c);
	}
	return rc;
}

/* "surat/smtpd[12]: "; a tag "dovecot:pop3-login" brings its own name, in the form that readers of Dovecot's log know:
 * "dovecot[12]: pop3-login: ", and "dovecot:" leaves the rest to the text. */
static int add_origin(struct str *out, struct span tag, const char *name, pid_t pid)
{
	struct span own, program;

	if (!span_cut(tag, ':', &own, &program))
		return str_addf(out, "%s%s%.*s[%d]: ", name, tag.n ? "/" : "", SPAN_ARG(tag), (int)pid);
	return str_addf(out, "%.*s[%d]: %.*s%s", SPAN_ARG(own), (int)pid, SPAN_ARG(program), program.n ? ": " : "");
}

int logger_format(struct str *out, const struct logger_line *l, const char *name, const char *host, pid_t pid,
		  int facility)
{
	static const int priorities[] = { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR, LOG_CRIT };
	bool is_syslog = facility >= 0;

	if ((is_syslog && str_addf(out, "<%d>", facility | priorities[l->level]) < 0) ||
	    add_time(out, l->wall_ms) < 0 ||
	    (!is_syslog && str_addf(out, "%s ", host) < 0) ||
	    add_origin(out, l->tag, name, pid) < 0 ||
	    (l->tag.n == 0 && str_addz(out, "warning: ") < 0) || add_text(out, l->text) < 0)
		return -1;
	return is_syslog ? 0 : str_addc(out, '\n');
}

int logger_facility(enum syslog_facility f)
{
	static const int codes[] = { LOG_AUTH, LOG_AUTHPRIV, LOG_CRON, LOG_DAEMON, LOG_FTP, LOG_KERN, LOG_LPR, LOG_MAIL,
				     LOG_NEWS, LOG_SYSLOG, LOG_USER, LOG_UUCP, LOG_LOCAL0, LOG_LOCAL1, LOG_LOCAL2,
				     LOG_LOCAL3, LOG_LOCAL4, LOG_LOCAL5, LOG_LOCAL6, LOG_LOCAL7 };

	return (size_t)f < ARRAY_LEN(codes) ? codes[f] : LOG_MAIL;
}
