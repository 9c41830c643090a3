#include "imapd/session_read.h"

#include <malloc.h>

#include "base/clock.h"
#include "conf/params.h"
#include "imapd/commands.h"
#include "imapd/park.h"
#include "svc/daemon_log.h"

#define QUIET_MS 1000                   /* a session that waits so long gives back what it can */
#define LITERAL_MS (5 * 60 * 1000u)     /* and a client in the middle of a command may wait so long */
#define SWALLOW_MAX (64u * 1024 * 1024)
#define BAD_MAX 20                      /* commands in a row that were none */

/* ---- input ---- */

void session_rest(struct session *s)
{
	uint64_t now = clock_mono_ms();
	unsigned due_ms;

	if (s->is_resting && now < s->settle_ms)
		return;
	due_ms = index_rest(mail_store_index(&s->store));
	s->settle_ms = due_ms ? now + due_ms : UINT64_MAX;
	if (s->is_resting)
		return;
	s->is_resting = true;
	daemon_log_flush();
	stream_idle(&s->io);
	malloc_trim(0);
}

/* The index wants to be written out when some time has passed; the process wants to go. */
static int wait_at_rest(struct session *s, uint64_t deadline)
{
	uint64_t now = clock_mono_ms(), park_ms = s->silent_ms + s->conf->imap_hibernate_timeout_ms;

	for (; now < deadline; now = clock_mono_ms()) {
		uint64_t at = s->settle_ms < park_ms ? s->settle_ms : park_ms;

		at = at < deadline ? at : deadline;
		switch (session_wait(s, false, at > now ? at - now : 0)) {
		case WAIT_INPUT:
			return 0;
		case WAIT_TIME:
			break;
		default:
			return -1;
		}
		if (at == park_ms && session_park(s, SPAN_NULL) < 0)
			return -1;
		park_ms = at == park_ms ? UINT64_MAX : park_ms;
		session_rest(s);
	}
	return session_end(s, SESSION_IDLE);
}

static int wait_for_command(struct session *s)
{
	uint64_t deadline;

	if (stream_peek(&s->io).n)
		return session_fill(s, LITERAL_MS);
	s->silent_ms = s->silent_ms ? s->silent_ms : clock_mono_ms();
	deadline = s->silent_ms + s->conf->imap_idle_timeout_ms;
	switch (session_wait(s, false, QUIET_MS)) {
	case WAIT_INPUT:
		return 0;
	case WAIT_TIME:
		arena_fini(&s->tick);
		session_rest(s);
		return wait_at_rest(s, deadline);
	default:
		return -1;
	}
}

int session_frame(struct session *s, enum imap_frame_rc *rc_r, struct span *text_r)
{
	for (;;) {
		struct span in = stream_peek(&s->io);
		size_t used = 0;

		*rc_r = imap_frame_next(&s->frame, in, &used);
		switch (*rc_r) {
		case IMAP_FRAME_MORE:
			if ((s->is_inside ? session_fill(s, LITERAL_MS) : wait_for_command(s)) < 0)
				return -1;
			continue;
		case IMAP_FRAME_COMMAND:
		case IMAP_FRAME_BAD:
			*text_r = span_sub(in, 0, s->frame.text_n);
			stream_skip(&s->io, used);
			return 0;
		case IMAP_FRAME_TOO_LONG:
			(void)!session_putf(s, "* BYE [TOOBIG] IMAP command line is too long.\r\n");
			return session_end(s, "Too long command");
		default:
			*text_r = span_sub(in, 0, used);
			while (text_r->n && (text_r->p[text_r->n - 1] == '\n' || text_r->p[text_r->n - 1] == '\r'))
				text_r->n--;
			s->n_announced = used;
			return 0;
		}
	}
}

void session_take_announced(struct session *s)
{
	stream_skip(&s->io, s->n_announced);
	s->n_announced = 0;
}

int session_literal(struct session *s, uint64_t *left, struct span *piece_r)
{
	if (stream_peek(&s->io).n == 0 && session_fill(s, LITERAL_MS) < 0)
		return -1;
	*piece_r = span_sub(stream_peek(&s->io), 0, *left < SIZE_MAX ? (size_t)*left : SIZE_MAX);
	*left -= piece_r->n;
	stream_skip(&s->io, piece_r->n);
	return 0;
}

int session_swallow(struct session *s)
{
	for (;;) {
		uint64_t left = s->frame.literal.n;
		enum imap_frame_rc rc;
		struct span text;

		session_take_announced(s);
		if (s->frame.literal.is_sync) {
			imap_frame_init(&s->frame, &s->frame.limits);
			return 0;
		}
		if (left > SWALLOW_MAX) {
			(void)!session_putf(s, "* BYE [TOOBIG] Literal is too big.\r\n");
			return session_end(s, "Too big literal");
		}
		imap_frame_stream(&s->frame);
		while (left) {
			if (session_literal(s, &left, &text) < 0)
				return -1;
		}
		if (session_frame(s, &rc, &text) < 0)
			return -1;
		if (rc == IMAP_FRAME_COMMAND || rc == IMAP_FRAME_BAD)
			return 0;
	}
}

/* ---- commands ---- */

/* Why the command may not run, NULL when it may. */
static const char *refusal(const struct session *s, struct command *c)
{
	if (!c->def)
		return "Unknown command";
	if (c->is_uid && !(c->def->flags & CMD_UID))
		return "Unknown command";
	/* all others are legal from login to logout */
	return c->def->states & s->state ? NULL : "No mailbox selected";
}

static int parse(struct session *s, struct span text, struct command *c, struct err *err)
{
	struct imap_command head = { 0 };
	int rc;

	imap_parse_init(&c->args, &s->tick, text);
	rc = imap_parse_command(&c->args, &head, err);
	c->tag = head.tag;
	c->verb = head.verb;
	c->is_uid = span_starts(c->verb, "UID ");
	if (c->is_uid)
		c->verb = span_from(c->verb, 4);
	if (rc == 0)
		c->def = commands_find(c->verb);
	return rc;
}

/* c->args is at the literal that is the name of the folder: it is read like that of any other command. */
static bool is_name_literal(const struct command *c)
{
	struct span rest = span_trim(span_from(c->args.in, c->args.at));

	return rest.n && (rest.p[0] == '{' || rest.p[0] == '~') && span_chr(rest, '\n') < 0 && span_chr(rest, ' ') < 0;
}

static enum cmd_rc run(struct session *s, struct command *c)
{
	s->is_resting = false;
	s->silent_ms = 0;
	return c->def->fn(s, c);
}

/* 1: APPEND takes over; 0: the literal was accepted or the command refused; -1: over. */
static int take_literal(struct session *s, enum imap_frame_rc frc, struct span text, enum cmd_rc *rc_r)
{
	struct err err = ERR_INIT;
	struct command c = { .has_literal = true };
	const char *why = NULL;

	/* APPEND reads on while it needs its words */
	text = arena_span(&s->tick, text);
	if (parse(s, text, &c, &err) < 0 && c.tag.n == 0)
		why = "Invalid tag";
	else if (c.def && (c.def->flags & CMD_LITERAL) && !is_name_literal(&c) && !refusal(s, &c)) {
		session_take_announced(s);
		*rc_r = run(s, &c);
		return 1;
	}
	if (!why && frc == IMAP_FRAME_TOO_BIG)
		why = "[TOOBIG] Literal is too big";
	else if (!why && s->frame.literal.is_sync && c.def)
		why = refusal(s, &c);
	if (!why) {
		if (s->frame.literal.is_sync && session_putf(s, "+ OK\r\n") < 0)
			return -1;
		imap_frame_accept(&s->frame);
		return 0;
	}
	if (session_swallow(s) < 0)
		return -1;
	*rc_r = session_bad(s, &c, "%s", why);
	return 1;
}

static enum cmd_rc run_text(struct session *s, struct span text)
{
	struct err err = ERR_INIT;
	struct command c = { 0 };
	const char *why;

	if (parse(s, text, &c, &err) < 0)
		return session_bad(s, &c, "%s", err.msg);
	why = refusal(s, &c);
	if (why)
		return session_bad(s, &c, "%s: %.*s", why, SPAN_ARG(c.verb));
	return run(s, &c);
}

enum cmd_rc session_command(struct session *s)
{
	enum cmd_rc rc = CMD_DONE;
	enum imap_frame_rc frc;
	struct command none = { 0 };
	struct err err = ERR_INIT;
	struct span text;
	int took;

	s->is_inside = false;
	for (;;) {
		if (session_frame(s, &frc, &text) < 0)
			return CMD_END;
		s->is_inside = true;
		if (frc == IMAP_FRAME_COMMAND) {
			rc = run_text(s, text);
			break;
		}
		if (frc == IMAP_FRAME_BAD) {
			(void)!parse(s, text, &none, &err);
			rc = session_bad(s, &none, "NUL in command");
			break;
		}
		took = take_literal(s, frc, text, &rc);
		if (took < 0)
			return CMD_END;
		if (took > 0)
			break;
		arena_reset(&s->tick);
	}
	arena_reset(&s->tick);
	if (rc == CMD_DONE && s->n_bad >= BAD_MAX) {
		(void)!session_putf(s, "* BYE Too many invalid IMAP commands.\r\n");
		(void)session_end(s, "Too many invalid IMAP commands");
	}
	return s->reason ? CMD_END : rc;
}
