#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define LINE_MAX_BYTES 2000

static void to_stderr(void *arg, enum log_level level, const char *line);

static log_sink_fn *sink = to_stderr;
static void *sink_arg;
static const char *tag = "surat", *as;
static enum log_level min_level = LOG_LV_INFO;

static void to_stderr(void *arg, enum log_level level, const char *line)
{
	(void)arg;
	(void)level;
	fprintf(stderr, "%s: %s\n", log_name(), line);
}

void log_set_sink(log_sink_fn *fn, void *arg)
{
	sink = fn ? fn : to_stderr;
	sink_arg = arg;
}

void log_set_tag(const char *z)
{
	tag = z;
}

void log_as(const char *z)
{
	as = z;
}

const char *log_name(void)
{
	return as ? as : tag;
}

void log_set_level(enum log_level level)
{
	min_level = level;
}

/* Peers choose much of a line's text: no control character and no broken UTF-8 may reach a terminal or a parser. */
static void escape(char *out, size_t size, const char *in)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	while (*in && n + 5 < size) {
		size_t len = utf8_len(in, strnlen(in, 4));
		unsigned char c = (unsigned char)*in;

		if (len == 0 || c < 0x20 || c == 0x7f || (len == 2 && c == 0xc2 && (unsigned char)in[1] < 0xa0)) {
			out[n++] = '\\';
			out[n++] = 'x';
			out[n++] = hex[c >> 4];
			out[n++] = hex[c & 15];
			in++;
			continue;
		}
		memcpy(out + n, in, len);
		n += len;
		in += len;
	}
	out[n] = '\0';
}

static PRINTF(2, 0) void emit(enum log_level level, const char *fmt, va_list ap)
{
	static const char *const prefix[] = { "debug: ", "", "warning: ", "error: ", "fatal: " };
	char raw[LINE_MAX_BYTES], line[LINE_MAX_BYTES + 64];
	int n;

	n = snprintf(raw, sizeof(raw), "%s", prefix[level]);
	vsnprintf(raw + n, sizeof(raw) - (size_t)n, fmt, ap);
	escape(line, sizeof(line), raw);
	sink(sink_arg, level, line);
}

#define LOG_BODY(level)                     \
	do {                                \
		va_list ap;                 \
		if ((level) < min_level)    \
			return;             \
		va_start(ap, fmt);          \
		emit((level), fmt, ap);     \
		va_end(ap);                 \
	} while (0)

void log_debug(const char *fmt, ...)
{
	LOG_BODY(LOG_LV_DEBUG);
}

void log_info(const char *fmt, ...)
{
	LOG_BODY(LOG_LV_INFO);
}

void log_warn(const char *fmt, ...)
{
	LOG_BODY(LOG_LV_WARNING);
}

void log_error(const char *fmt, ...)
{
	LOG_BODY(LOG_LV_ERROR);
}

void log_fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(LOG_LV_FATAL, fmt, ap);
	va_end(ap);
	exit(1);
}
