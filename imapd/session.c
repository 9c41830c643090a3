#include "imapd/session.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/params.h"
#include "imapd/commands.h"
#include "imapd/park.h"
#include "imapd/session_read.h"
#include "svc/child_start.h"

#define OUT_MAX (128u * 1024)
#define LITERALS_MAX 65536u             /* bytes of a command's literals together, but for the messages of APPEND */
#define READ_AHEAD 16384u
#define READER_MS (5 * 60 * 1000u)

void session_init(struct session *s, int fd, const struct child_start *start)
{
	const struct imapd_conf *conf = start->conf;
	size_t line_max = (size_t)conf->imap_max_line_length;
	struct imap_frame_limits limits = { .text_max = line_max, .literal_max = LITERALS_MAX, .nonsync_max = UINT64_MAX };

	*s = (struct session){ .start = start, .conf = conf, .state = SESSION_AUTHENTICATED, .reader_ms = READER_MS };
	if (fd >= 0)
		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	/* a command whole with its literals, and some of what is pipelined behind it */
	stream_init(&s->io, fd, line_max + LITERALS_MAX + READ_AHEAD + start->input.n, OUT_MAX);
	if (start->input.n)
		BUG(str_add_span(&s->io.in, start->input) < 0);
	imap_frame_init(&s->frame, &limits);
	watch_init(&s->watch, -1);
}

void session_fini(struct session *s)
{
	session_unselect(s);
	stream_fini(&s->io);
	arena_fini(&s->tick);
	arena_fini(&s->saved_arena);
}

void session_unselect(struct session *s)
{
	if (!s->box)
		return;
	watch_clear(&s->watch);
	mailbox_close(&s->box);
	free(s->folder);
	s->folder = NULL;
	session_save(s, NULL, 0);
	s->state = SESSION_AUTHENTICATED;
}

/* ---- answers ---- */

static enum cmd_rc answer(struct session *s, struct command *c, const char *word, const char *fmt, va_list ap)
{
	struct span tag = c->tag.n ? c->tag : SPAN_LIT("*");

	if (session_putf(s, "%.*s %s ", SPAN_ARG(tag), word) < 0 ||
	    session_vputf(s, fmt, ap) < 0 || session_put(s, SPAN_LIT("\r\n")) < 0)
		return CMD_END;
	return CMD_DONE;
}

static int tell_changes(struct session *s, const struct command *c)
{
	unsigned flags = c->def ? c->def->flags : 0;

	if (flags & CMD_NO_SYNC)
		return 0;
	return session_sync(s, c->is_uid || !(flags & CMD_NO_EXPUNGE));
}

static enum cmd_rc settle(struct session *s, struct command *c, const char *word, const char *fmt, va_list ap)
{
	s->n_bad = 0;
	return tell_changes(s, c) < 0 ? CMD_END : answer(s, c, word, fmt, ap);
}

enum cmd_rc session_ok(struct session *s, struct command *c, const char *fmt, ...)
{
	enum cmd_rc rc;
	va_list ap;

	va_start(ap, fmt);
	rc = settle(s, c, "OK", fmt, ap);
	va_end(ap);
	return rc;
}

enum cmd_rc session_no(struct session *s, struct command *c, const char *fmt, ...)
{
	enum cmd_rc rc;
	va_list ap;

	va_start(ap, fmt);
	rc = settle(s, c, "NO", fmt, ap);
	va_end(ap);
	return rc;
}

enum cmd_rc session_bad(struct session *s, struct command *c, const char *fmt, ...)
{
	enum cmd_rc rc;
	va_list ap;

	s->n_bad++;
	va_start(ap, fmt);
	rc = answer(s, c, "BAD", fmt, ap);
	va_end(ap);
	return rc;
}

enum cmd_rc session_fail(struct session *s, struct command *c, const char *code, const struct err *err)
{
	if (!s->reason && s->box && mailbox_is_lost(s->box))
		(void)!session_lost(s);
	if (s->reason)
		return CMD_END;
	if (err->kind == ERR_PROTO)
		return session_bad(s, c, "%s", err->msg);
	if (err->kind == ERR_PERM) {
		if (!code && strcmp(err->dsn, "5.2.2") == 0)
			code = "OVERQUOTA";
		if (!code || err->msg[0] == '[')
			return session_no(s, c, "%s", err->msg);
		return session_no(s, c, "[%s] %s", code, err->msg);
	}
	session_log_error(s, err);
	return session_no(s, c, "[%s] Internal error, try again later.", err->kind == ERR_TEMP ? "UNAVAILABLE" : "SERVERBUG");
}

/* ---- the log ---- */

static void add_name(const struct session *s, struct str *out)
{
	(void)!str_addf(out, "imap(%s)<%d><%s>: ", s->start->user, (int)getpid(), s->start->session);
}

void session_log_error(const struct session *s, const struct err *err)
{
	struct str name = STR_INIT(1000);

	add_name(s, &name);
	log_error("%s%s", name.p, err->msg);
	str_fini(&name);
}

void session_log_info(const struct session *s, const char *fmt, ...)
{
	struct str line = STR_INIT(2000);
	char text[1600];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	add_name(s, &line);
	(void)!str_addz(&line, text);
	log_info("%s", line.p);
	str_fini(&line);
}

static bool add_number(const struct session *s, struct str *out, struct span what)
{
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{ "i", s->counts.in_bytes }, { "input", s->counts.in_bytes }, { "o", s->counts.out_bytes }, { "output", s->counts.out_bytes },
		{ "deleted", s->counts.n_deleted }, { "expunged", s->counts.n_expunged }, { "trashed", 0 },
		{ "fetch_hdr_count", s->counts.n_headers }, { "fetch_hdr_bytes", s->counts.header_bytes },
		{ "fetch_body_count", s->counts.n_bodies }, { "fetch_body_bytes", s->counts.body_bytes },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(numbers); i++) {
		if (span_eqz(what, numbers[i].name)) {
			(void)!str_addf(out, "%" PRIu64, numbers[i].value);
			return true;
		}
	}
	return false;
}

/* imap_logout_format: %i, or %{deleted}. */
void session_add_statistics(const struct session *s, struct str *out)
{
	struct span in = span_z(s->conf->imap_logout_format);

	while (in.n) {
		struct span what = span_sub(in, 1, 1);
		size_t n = 2;

		if (in.n > 2 && in.p[1] == '{' && span_chr(in, '}') > 0) {
			n = (size_t)span_chr(in, '}') + 1;
			what = span_sub(in, 2, n - 3);
		}
		if (in.p[0] != '%' || !add_number(s, out, what)) {
			(void)!str_addc(out, in.p[0]);
			n = 1;
		}
		in = span_from(in, n);
	}
}

static void say_end(const struct session *s)
{
	struct str line = STR_INIT(2000);

	add_name(s, &line);
	(void)!str_addf(&line, "Disconnected: %s ", s->reason ? s->reason : "Connection closed");
	session_add_statistics(s, &line);
	log_info("%s", line.p);
	str_fini(&line);
}

/* ---- the session ---- */

/* Of ends that are not the client's own and were not told before. */
static void say_bye(struct session *s)
{
	const char *reason = s->reason, *text = NULL;

	if (reason && strcmp(reason, SESSION_IDLE) == 0)
		text = "Disconnected for inactivity.";
	else if (reason && strcmp(reason, SESSION_KICKED) == 0)
		text = "[UNAVAILABLE] Disconnected by the server.";
	if (!text)
		return;
	s->reason = NULL;
	(void)!session_putf(s, "* BYE %s\r\n", text);
	s->reason = reason;
}

int session_begin(struct session *s)
{
	const char *tag = s->start->tag && s->start->tag[0] ? s->start->tag : "*";
	struct command c = { .def = commands_find(SPAN_LIT("IDLE")) };

	if (!s->start->state.n)
		return session_putf(s, "%s OK [CAPABILITY %s] Logged in\r\n", tag, session_capabilities(s));
	if (session_unpark(s, s->start->state, &c.tag) < 0)
		return -1;
	return c.tag.n ? (int)cmd_idle_resume(s, &c) : 0;
}

void session_finish(struct session *s)
{
	say_bye(s);
	session_unselect(s);
	s->reader_ms = s->reader_ms < 10000 ? s->reader_ms : 10000;
	if (!s->io.is_dead)
		(void)!session_flush(s);
	if (!session_is_parked(s))
		say_end(s);
}

void session_run(struct session *s)
{
	if (session_begin(s) == 0) {
		while (session_command(s) == CMD_DONE)
			;
	}
	session_finish(s);
}
