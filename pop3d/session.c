#include "pop3d/session.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "proto/pop3.h"

#define IN_MAX 16384u
#define OUT_MAX (256u * 1024)
#define OUT_ENOUGH 49152u       /* pending output that is worth a system call */

/* ---- waiting ---- */

static int ended(struct session *s, const char *reason)
{
	if (!s->reason)
		s->reason = reason;
	return -1;
}

static int wait_for(struct session *s, short events)
{
	uint64_t deadline = clock_mono_ms() + s->idle_ms;

	for (;;) {
		struct pollfd p = { s->io.fd, events, 0 };
		uint64_t now = clock_mono_ms();
		int n = now < deadline ? poll(&p, 1, (int)(deadline - now)) : 0;

		if (n > 0)
			return 0;
		if (n == 0)
			return ended(s, "Inactivity");
		if (errno != EINTR)
			return ended(s, "Internal error");
	}
}

static int flush(struct session *s)
{
	struct err err = ERR_INIT;

	for (;;) {
		size_t before = stream_pending(&s->io);
		enum io_rc rc = stream_flush(&s->io, &err);

		if (rc == IO_ERR)
			return ended(s, "Connection closed");
		s->out_bytes += before - stream_pending(&s->io);
		if (rc == IO_OK)
			return 0;
		if (wait_for(s, POLLOUT) < 0)
			return -1;
	}
}

static int flush_if_much(struct session *s)
{
	return stream_pending(&s->io) >= OUT_ENOUGH ? flush(s) : 0;
}

int session_put(struct session *s, const char *p, size_t n)
{
	if (stream_put(&s->io, p, n) < 0)
		return ended(s, "Internal error");
	return flush_if_much(s);
}

int session_putf(struct session *s, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	BUG(n < 0 || (size_t)n >= sizeof(line));
	return session_put(s, line, (size_t)n);
}

/* ---- lines ---- */

static int get_line(struct session *s, struct span *line_r)
{
	struct err err = ERR_INIT;

	for (;;) {
		enum io_rc rc = stream_getline(&s->io, POP3_LINE_MAX, line_r, NULL);

		if (rc == IO_OK)
			return 0;
		if (rc == IO_TOOLONG) {
			(void)!session_putf(s, "-ERR Line is too long.\r\n");
			return ended(s, "Input line too long");
		}
		/* everything that was asked for is answered before we wait */
		if (rc == IO_AGAIN && flush(s) < 0)
			return -1;
		if (rc == IO_AGAIN) {
			size_t before = stream_peek(&s->io).n;

			rc = stream_fill(&s->io, &err);
			s->in_bytes += stream_peek(&s->io).n - before;
		}
		if (rc == IO_EOF || rc == IO_ERR)
			return ended(s, "Connection closed");
		if (rc == IO_AGAIN && wait_for(s, POLLIN) < 0)
			return -1;
	}
}

/* ---- the log ---- */

static void add_statistics(const struct session *s, struct str *out)
{
	const char *p;

	for (p = s->conf->pop3_logout_format; *p; p++) {
		uint64_t v;

		if (*p != '%' || !p[1]) {
			(void)str_addc(out, *p);
			continue;
		}
		switch (*++p) {
		case 't': v = s->n_top; break;
		case 'p': v = s->top_bytes; break;
		case 'r': v = s->n_retr; break;
		case 'b': v = s->retr_bytes; break;
		case 'd': v = s->n_deleted; break;
		case 'm': v = s->box->n; break;
		case 's': v = s->total; break;
		case 'i': v = s->in_bytes; break;
		case 'o': v = s->out_bytes; break;
		default:
			(void)str_addc(out, *p);
			continue;
		}
		(void)str_addf(out, "%" PRIu64, v);
	}
}

static void say_end(const struct session *s)
{
	struct str stats = STR_INIT(1000);

	add_statistics(s, &stats);
	log_info("pop3(%s)<%d><%s>: Disconnected: %s %s", s->start->user, (int)getpid(), s->start->session,
		 s->reason ? s->reason : "Connection closed", stats.p);
	str_fini(&stats);
}

/* ---- the session ---- */

/* err: what went wrong on our side, or NULL. */
static int refuse(struct session *s, const char *code, const char *text, const struct err *err)
{
	if (err)
		log_error("pop3(%s)<%d><%s>: %s", s->start->user, (int)getpid(), s->start->session, err->msg);
	(void)!session_putf(s, "-ERR [%s] %s\r\n", code, text);
	return ended(s, text);
}

/* For the log; what is not known yet is added when the client asks. */
static void count_known(struct session *s)
{
	for (size_t i = 0; i < s->box->n; i++) {
		const struct message *m = &s->box->v[i];

		if (m->size != UINT64_MAX && !m->is_gone)
			s->total += m->size;
	}
}

static int welcome(struct session *s)
{
	struct err err = ERR_INIT;

	if (s->conf->pop3_lock_session && maildrop_lock(s->box, &err) < 0) {
		if (err.kind == ERR_TEMP)
			return refuse(s, "IN-USE", "Mailbox is locked by another session.", NULL);
		return refuse(s, "SYS/TEMP", "Internal error: the mailbox cannot be locked.", &err);
	}
	if (maildrop_load(s->box, &err) < 0)
		return refuse(s, "SYS/TEMP", "Internal error: the mailbox cannot be opened.", &err);
	if (s->box->n_closed)
		log_warn("pop3(%s)<%d><%s>: %zu message%s left out: %s", s->start->user, (int)getpid(), s->start->session,
			 s->box->n_closed, s->box->n_closed == 1 ? "" : "s", s->box->closed.msg);
	count_known(s);
	return session_putf(s, "+OK Logged in.\r\n");
}

/* Only QUIT leads to UPDATE (RFC 1939 section 6); RFC 1939 section 3 says the same of the auto-logout timer. */
static void update(struct session *s)
{
	struct err err = ERR_INIT;

	if (maildrop_expunge(s->box, &s->n_deleted, &err) < 0) {
		log_error("pop3(%s)<%d><%s>: %s", s->start->user, (int)getpid(), s->start->session, err.msg);
		(void)!session_putf(s, "-ERR [SYS/TEMP] Some deleted messages not removed.\r\n");
	} else if (s->n_deleted) {
		(void)!session_putf(s, "+OK Logging out, messages deleted.\r\n");
	} else {
		(void)!session_putf(s, "+OK Logging out.\r\n");
	}
	s->reason = "Logged out";
}

void session_serve(struct session *s)
{
	struct span line;

	s->box->has_fast_sizes = s->conf->pop3_fast_size_lookups;
	if (welcome(s) == 0) {
		while (get_line(s, &line) == 0 && command_run(s, line) == 0)
			;
	}
	if (s->has_quit)
		update(s);
	else if (s->reason && strcmp(s->reason, "Inactivity") == 0)
		(void)!session_putf(s, "-ERR Disconnected for inactivity.\r\n");
	s->idle_ms = s->idle_ms < 30000 ? s->idle_ms : 30000;
	(void)!flush(s);
	say_end(s);
}

void session_run(struct session *s, int fd, const struct child_start *start, struct maildrop *box)
{
	*s = (struct session){ .box = box, .start = start, .conf = start->conf };
	s->idle_ms = s->conf->pop3_idle_timeout_ms;
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	stream_init(&s->io, fd, IN_MAX + (unsigned)start->input.n, OUT_MAX);
	BUG(str_add_span(&s->io.in, start->input) < 0);
	session_serve(s);
	stream_fini(&s->io);
}
