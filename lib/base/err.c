#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A cut inside a UTF-8 sequence would make the reply or the log line invalid. */
static void cut_at_char(char *msg, size_t size, int wanted)
{
	size_t n;

	if (wanted < 0 || (size_t)wanted < size)
		return;
	n = size - 1;
	while (n > 0 && ((unsigned char)msg[n - 1] & 0xc0) == 0x80)
		n--;
	if (n > 0 && (unsigned char)msg[n - 1] >= 0xc0)
		n--;
	msg[n] = '\0';
}

static PRINTF(2, 0) void fill(struct err *err, const char *fmt, va_list ap)
{
	cut_at_char(err->msg, sizeof(err->msg), vsnprintf(err->msg, sizeof(err->msg), fmt, ap));
}

static PRINTF(2, 3) void append(struct err *err, const char *fmt, ...)
{
	size_t n = strlen(err->msg);
	va_list ap;

	va_start(ap, fmt);
	cut_at_char(err->msg + n, sizeof(err->msg) - n, vsnprintf(err->msg + n, sizeof(err->msg) - n, fmt, ap));
	va_end(ap);
}

static PRINTF(5, 0) void set(struct err *err, enum err_kind kind, int sys, const char *dsn, const char *fmt, va_list ap)
{
	err->kind = kind;
	err->sys = sys;
	snprintf(err->dsn, sizeof(err->dsn), "%s", dsn);
	fill(err, fmt, ap);
}

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(err, kind, 0, "", fmt, ap);
	va_end(ap);
	return -1;
}

int err_dsn(struct err *err, enum err_kind kind, const char *dsn, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set(err, kind, 0, dsn, fmt, ap);
	va_end(ap);
	return -1;
}

int err_sys(struct err *err, const char *fmt, ...)
{
	int sys = errno;
	va_list ap;

	va_start(ap, fmt);
	set(err, ERR_SYS, sys, "", fmt, ap);
	va_end(ap);
	append(err, ": %s", strerrordesc_np(sys) ? strerrordesc_np(sys) : "unknown error");
	return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char old[sizeof(err->msg)];
	va_list ap;

	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	fill(err, fmt, ap);
	va_end(ap);
	append(err, ": %s", old);
	return -1;
}

bool err_is_temporary(const struct err *err)
{
	return err->kind == ERR_TEMP || err->kind == ERR_SYS || err->kind == ERR_CONF;
}
