#include <string.h>

#include "base/log.h"
#include "smtpd/cmd.h"
#include "smtpd/content.h"
#include "smtpd/restrict_run.h"
#include "smtpd/session.h"
#include "smtpd/txn.h"

static void refuse(struct session *s, const char *reply)
{
	const struct txn_try *rcpt = txn_sole_rcpt(s->txn);

	session_reject(s, rcpt ? rcpt->address : NULL, reply);
}

/* ---- the end of a message ---- */

static void end_done(struct session *s, const char *reply)
{
	struct txn *t = s->txn;

	if (reply) {
		refuse(s, reply);
		session_reset(s);
	} else if (t->discard) {
		session_queued(s);
		session_reset(s);
	} else {
		content_submit(t->content);
	}
}

static bool is_newline_refused(struct session *s)
{
	const struct smtp_body *b = &s->txn->content->body;
	enum smtpd_forbid_bare_newline policy = s->svc->conf.smtpd_forbid_bare_newline;

	if (!b->bare_lf && !b->bare_cr)
		return false;
	if (policy != SMTPD_FORBID_BARE_NEWLINE_NOTE && policy != SMTPD_FORBID_BARE_NEWLINE_REJECT)
		return false;
	if (netlist_match(&s->svc->newline_exclusions, s->client_name, s->client_addr))
		return false;
	log_info("bare <%s> received after %s from %s", b->bare_lf ? "LF" : "CR", s->where, s->namaddr);
	return policy == SMTPD_FORBID_BARE_NEWLINE_REJECT;
}

static void message_end(struct session *s)
{
	struct content *c = s->txn->content;
	char reply[100] = "";
	bool bare = is_newline_refused(s);

	content_finish(c);
	s->mode = SESSION_COMMAND;
	s->where = "END-OF-MESSAGE";
	if (c->body.too_big)
		snprintf(reply, sizeof(reply), "552 5.3.4 Error: message file too big");
	else if (bare)
		snprintf(reply, sizeof(reply), "%u %c.5.2 Error: bare <%s> received",
			 (unsigned)s->svc->conf.smtpd_forbid_bare_newline_reject_code,
			 s->svc->conf.smtpd_forbid_bare_newline_reject_code < 500 ? '4' : '5',
			 c->body.bare_lf ? "LF" : "CR");
	else if (c->header.n_received > s->svc->conf.hopcount_limit)
		snprintf(reply, sizeof(reply), "554 5.4.0 Error: too many hops");
	if (reply[0])
		end_done(s, reply);
	else if (c->fail[0])
		content_submit(c);
	else
		restrict_run_start(s, 1u << RESTRICT_END_OF_DATA, txn_sole_rcpt(s->txn), end_done);
}

/* ---- DATA and BDAT ---- */

static bool has_rcpts(struct session *s)
{
	if (s->txn && s->txn->n_rcpts)
		return true;
	if (s->txn && s->txn->n_refused)
		session_reply(s, 554, "5.5.1", "Error: no valid recipients");
	else
		session_reply(s, 503, "5.5.1", "Error: need %s command", s->txn ? "RCPT" : "MAIL");
	return false;
}

static void data_done(struct session *s, const char *reply)
{
	if (reply) {
		refuse(s, reply);
		return;
	}
	content_new(s, SMTP_BODY_DATA);
	s->mode = SESSION_CONTENT;
	session_reply(s, 354, NULL, "End data with <CR><LF>.<CR><LF>");
}

void cmd_data(struct session *s, struct span args)
{
	if (args.n)
		session_reply(s, 501, "5.5.4", "Syntax: DATA");
	else if (has_rcpts(s))
		restrict_run_start(s, 1u << RESTRICT_DATA, txn_sole_rcpt(s->txn), data_done);
}

/* The bytes of a chunk that was refused still come; they are no commands. */
static void skip_chunk(struct session *s, uint64_t size)
{
	s->skip = size;
	s->mode = size ? SESSION_SKIP : SESSION_COMMAND;
}

static void chunk_begins(struct session *s)
{
	struct content *c = s->txn->content;

	c->chunk_size = c->chunk_left = s->skip;
	s->skip = 0;
	s->mode = SESSION_CONTENT;
	content_spill(c);       /* of the chunks before, which may each have been too short for it */
}

static void bdat_done(struct session *s, const char *reply)
{
	bool last = s->txn->is_last_chunk;

	if (reply) {
		refuse(s, reply);
		session_reset(s);
		skip_chunk(s, s->skip);
		return;
	}
	content_new(s, SMTP_BODY_BDAT);
	s->txn->content->is_last = last;
	chunk_begins(s);
}

void cmd_bdat(struct session *s, struct span args)
{
	struct err err = ERR_INIT;
	uint64_t size;
	bool last;

	if (smtp_parse_bdat(args, &size, &last, &err) < 0) {
		/* how many bytes of content follow is not known: no byte after this can be trusted to be a command */
		session_reply_line(s, err.msg);
		session_close(s);
		return;
	}
	if (!s->esmtp || (s->svc->ehlo_off & SERVICE_EHLO_CHUNKING)) {
		session_reply(s, 502, "5.5.1", "Error: command not implemented");
		skip_chunk(s, size);
	} else if (!has_rcpts(s)) {
		skip_chunk(s, size);
	} else if (s->txn->content) {
		s->txn->content->is_last = last;
		s->skip = size;
		chunk_begins(s);
	} else {
		s->skip = size;
		s->txn->is_last_chunk = last;
		restrict_run_start(s, 1u << RESTRICT_DATA, txn_sole_rcpt(s->txn), bdat_done);
	}
}

static void chunk_end(struct session *s)
{
	struct content *c = s->txn->content;

	if (c->is_last) {
		message_end(s);
	} else if (c->body.too_big || c->fail[0]) {
		s->mode = SESSION_COMMAND;
		session_reply_line(s, c->fail[0] ? c->fail : "552 5.3.4 Error: message file too big");
		session_reset(s);
	} else {
		s->mode = SESSION_COMMAND;
		session_reply(s, 250, "2.0.0", "Ok: %llu bytes", (unsigned long long)c->chunk_size);
	}
}

enum io_rc cmd_data_step(struct session *s)
{
	struct content *c = s->txn->content;
	bool is_chunk = c->body.mode == SMTP_BODY_BDAT, ended;
	struct span in = stream_peek(&s->io), rest;

	if (is_chunk && c->chunk_left < in.n)
		in.n = (size_t)c->chunk_left;
	if (in.n == 0 && !(is_chunk && c->chunk_left == 0))
		return s->io.has_eof ? IO_EOF : IO_AGAIN;
	if (ipc_is_full(&s->srv->queue))
		return IO_AGAIN;
	rest = in;
	ended = content_feed(c, &rest);
	if (is_chunk) {
		c->chunk_left -= in.n;
		ended = c->chunk_left == 0;
		rest.n = 0;
	}
	stream_skip(&s->io, in.n - rest.n);
	s->rearm = true;
	if (!ended)
		content_spill(c);
	else if (is_chunk)
		chunk_end(s);
	else
		message_end(s);
	return IO_OK;
}

enum io_rc cmd_data_skip(struct session *s)
{
	size_t n = stream_peek(&s->io).n;

	if (n == 0)
		return s->io.has_eof ? IO_EOF : IO_AGAIN;
	if (n > s->skip)
		n = (size_t)s->skip;
	stream_skip(&s->io, n);
	s->skip -= n;
	s->rearm = true;
	if (s->skip == 0)
		s->mode = SESSION_COMMAND;
	return IO_OK;
}
