#include "imapd/session.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/clock.h"
#include "svc/session_parent.h"

#define OUT_ENOUGH 65536u               /* pending output that is worth a system call and waking the client */

int session_end(struct session *s, const char *reason)
{
	if (!s->reason)
		s->reason = reason;
	return -1;
}

/* ---- output ---- */

static int wait_writable(struct session *s)
{
	uint64_t deadline = clock_mono_ms() + s->reader_ms;

	for (;;) {
		struct pollfd p = { s->io.fd, POLLOUT, 0 };
		uint64_t now = clock_mono_ms();
		int n = now < deadline ? poll(&p, 1, (int)(deadline - now)) : 0;

		if (n > 0)
			return 0;
		if (n == 0)
			return session_end(s, "Client does not read");
		if (errno != EINTR)
			return session_end(s, "Internal error");
	}
}

int session_flush(struct session *s)
{
	struct err err = ERR_INIT;

	while (stream_pending(&s->io)) {
		size_t before = stream_pending(&s->io);
		enum io_rc rc = stream_flush(&s->io, &err);

		if (rc == IO_ERR)
			return session_end(s, "Connection closed");
		s->counts.out_bytes += before - stream_pending(&s->io);
		if (rc == IO_AGAIN && wait_writable(s) < 0)
			return -1;
	}
	return 0;
}

int session_put(struct session *s, struct span bytes)
{
	if (s->reason)
		return -1;
	while (bytes.n) {
		struct span part = span_sub(bytes, 0, OUT_ENOUGH);

		if (stream_put(&s->io, part.p, part.n) < 0)
			return session_end(s, "Internal error");
		if (stream_pending(&s->io) >= OUT_ENOUGH && session_flush(s) < 0)
			return -1;
		bytes = span_from(bytes, part.n);
	}
	return 0;
}

int session_vputf(struct session *s, const char *fmt, va_list ap)
{
	char line[512], *long_line = NULL;
	va_list again;
	int n, rc;

	va_copy(again, ap);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	BUG(n < 0);
	if ((size_t)n >= sizeof(line))
		BUG(vasprintf(&long_line, fmt, again) != n);
	va_end(again);
	rc = session_put(s, (struct span){ long_line ? long_line : line, (size_t)n });
	free(long_line);
	return rc;
}

int session_putf(struct session *s, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = session_vputf(s, fmt, ap);
	va_end(ap);
	return rc;
}

/* ---- input ---- */

static enum session_wait fill(struct session *s, bool *again_r)
{
	struct err err = ERR_INIT;
	size_t before = stream_peek(&s->io).n;
	enum io_rc rc = stream_fill(&s->io, &err);

	*again_r = rc == IO_AGAIN;
	if (rc == IO_OK) {
		s->counts.in_bytes += stream_peek(&s->io).n - before;
		return WAIT_INPUT;
	}
	if (rc == IO_TOOLONG)
		(void)session_end(s, "Too long input");
	else if (rc != IO_AGAIN)
		(void)session_end(s, session_child_must_end() ? SESSION_KICKED : "Connection closed");
	return WAIT_END;
}

enum session_wait session_wait(struct session *s, bool with_watch, uint64_t ms)
{
	uint64_t deadline = clock_mono_ms() + ms;

	if (s->reason || session_flush(s) < 0)
		return WAIT_END;
	for (;;) {
		struct pollfd p[2] = { { s->io.fd, POLLIN, 0 }, { with_watch ? s->watch.fd : -1, POLLIN, 0 } };
		uint64_t now = clock_mono_ms();
		enum session_wait rc;
		bool again;
		int n;

		/* read first: a layer below may hold input of which poll knows nothing */
		rc = fill(s, &again);
		if (!again)
			return rc;
		n = poll(p, 2, now < deadline ? (int)(deadline - now) : 0);
		if (n < 0 && errno != EINTR) {
			(void)session_end(s, "Internal error");
			return WAIT_END;
		}
		if (n == 0)
			return WAIT_TIME;
		if (n > 0 && p[1].revents && !p[0].revents)
			return WAIT_CHANGE;
	}
}

int session_fill(struct session *s, uint64_t ms)
{
	switch (session_wait(s, false, ms)) {
	case WAIT_INPUT:
		return 0;
	case WAIT_TIME:
		return session_end(s, SESSION_IDLE);
	default:
		return -1;
	}
}
