#include "smtpd/cmd.h"

#include <string.h>

#include "base/log.h"
#include "proto/smtp.h"
#include "smtpd/session.h"
#include "smtpd/txn.h"

static void cmd_unsupported(struct session *s, struct span args)
{
	session_reply(s, 502, "5.5.1", "Error: command not implemented");
}

static const char need_helo[] = "503 5.5.1 Error: send HELO/EHLO first";
static const char in_bdat[] = "503 5.5.1 Error: the message has begun with BDAT";
static const char need_rcpt[] = "503 5.5.1 Error: need RCPT command";

const struct cmd cmd_table[] = {
	{ "HELO", cmd_helo, CMD_ST_ANY, CMD_PRE_TLS | CMD_LAST | CMD_JUNK, NULL },
	{ "EHLO", cmd_ehlo, CMD_ST_ANY, CMD_PRE_TLS | CMD_LAST | CMD_JUNK, NULL },
	{ "STARTTLS", cmd_starttls, CMD_ST_NEW | CMD_ST_HELO, CMD_PRE_TLS,
	  "503 5.5.1 Error: MAIL transaction in progress" },
	{ "AUTH", cmd_auth, CMD_ST_HELO, 0, "503 5.5.1 Error: MAIL transaction in progress" },
	{ "MAIL", cmd_mail, CMD_ST_NEW | CMD_ST_HELO, 0, "503 5.5.1 Error: nested MAIL command" },
	{ "RCPT", cmd_rcpt, CMD_ST_MAIL | CMD_ST_RCPT, 0, "503 5.5.1 Error: need MAIL command" },
	{ "DATA", cmd_data, CMD_ST_MAIL | CMD_ST_RCPT, CMD_LAST, need_rcpt },
	{ "BDAT", cmd_bdat, CMD_ST_ANY, 0, NULL },
	{ "RSET", cmd_rset, CMD_ST_ANY, CMD_JUNK, NULL },
	{ "NOOP", cmd_noop, CMD_ST_ANY, CMD_PRE_TLS | CMD_JUNK, NULL },
	{ "VRFY", cmd_vrfy, CMD_ST_ANY, CMD_JUNK, NULL },
	{ "HELP", cmd_help, CMD_ST_ANY, CMD_PRE_TLS | CMD_JUNK, NULL },
	{ "EXPN", cmd_unsupported, CMD_ST_ANY, CMD_JUNK, NULL },
	{ "ETRN", cmd_unsupported, CMD_ST_ANY, CMD_JUNK, NULL },
	{ "QUIT", cmd_quit, CMD_ST_ANY, CMD_PRE_TLS, NULL },
};
const size_t cmd_count = ARRAY_LEN(cmd_table);

_Static_assert(ARRAY_LEN(cmd_table) < SESSION_COUNTERS, "one counter is for unknown verbs");

static unsigned state_of(const struct session *s)
{
	if (!s->txn)
		return s->helo ? CMD_ST_HELO : CMD_ST_NEW;
	return s->txn->content ? CMD_ST_BDAT : s->txn->n_rcpts ? CMD_ST_RCPT : CMD_ST_MAIL;
}

/* Another protocol on our port (SECURITY: one error and a close). */
static bool is_forbidden(struct session *s, struct span verb, struct span line)
{
	if (!service_has_word(&s->svc->forbidden, verb) && span_chr(verb, ':') <= 0)
		return false;
	log_warn("non-SMTP command from %s: %.100s", s->namaddr, line.n ? arena_strndup(&s->srv->loop->tick,
		line.p, line.n) : "");
	session_reply(s, 500, "5.5.1", "Error: I can break rules, too. Goodbye.");
	session_close(s);
	return true;
}

/* RFC 2920 section 3.1: what stands behind a command that must be the last of its group was sent without leave. */
static bool is_improper(struct session *s, const struct cmd *c)
{
	/* what a local program pipes into sendmail -bs comes as it comes */
	if (stream_peek(&s->io).n == 0 || s->unix_user || (s->esmtp && !(c->flags & CMD_LAST)) || c->fn == cmd_quit ||
	    c->fn == cmd_starttls)
		return false;
	log_info("improper command pipelining after %s from %s: %.100s", c->name, s->namaddr,
		 arena_strndup(&s->srv->loop->tick, stream_peek(&s->io).p,
			stream_peek(&s->io).n < 100 ? stream_peek(&s->io).n : 100));
	if (s->txn)
		s->txn->improper = true;
	if (!s->svc->conf.smtpd_forbid_unauth_pipelining)
		return false;
	session_reply(s, 554, "5.5.0", "Error: SMTP protocol synchronization");
	session_close(s);
	return true;
}

static bool has_controls(struct span line)
{
	size_t i;

	for (i = 0; i < line.n; i++) {
		unsigned char c = (unsigned char)line.p[i];

		if ((c < ' ' && c != '\t') || c == 127)
			return true;
	}
	return false;
}

static const char *out_of_order(const struct session *s, const struct cmd *c)
{
	switch (state_of(s)) {
	case CMD_ST_NEW:
		return c->fn == cmd_auth ? need_helo : c->order;
	case CMD_ST_BDAT:
		return c->fn == cmd_rcpt || c->fn == cmd_data ? in_bdat : c->order;
	default:
		return c->order;
	}
}

static void run(struct session *s, const struct cmd *c, struct span args)
{
	if (is_improper(s, c))
		return;
	if ((c->flags & CMD_JUNK) && s->junk++ > s->svc->conf.smtpd_junk_command_limit)
		s->errors++;
	if (s->srv->is_stopping && !s->txn && c->fn != cmd_quit) {
		session_reply(s, 421, "4.3.2", "%s Service restarts, come again", s->svc->global.myhostname);
		session_close(s);
	} else if (s->svc->tls_enforced && !s->tls && !s->unix_user && !(c->flags & CMD_PRE_TLS)) {
		session_reply(s, 530, "5.7.0", "Must issue a STARTTLS command first");
	} else if (!(c->states & state_of(s))) {
		session_reply_line(s, out_of_order(s, c));
	} else {
		c->fn(s, args);
	}
}

void cmd_dispatch(struct session *s, struct span line)
{
	struct span verb, args;
	size_t i;

	smtp_split(line, &verb, &args);
	if (is_forbidden(s, verb, line))
		return;
	for (i = 0; i < cmd_count && !span_eq_nocase(verb, cmd_table[i].name); i++)
		;
	s->verb = (int8_t)i;
	s->total[i]++;
	s->where = i < cmd_count ? cmd_table[i].name : "UNKNOWN";
	/* RFC 5321 section 3.1: after a refusal for a greeting we wait for QUIT */
	if (s->is_denied && (i == cmd_count || cmd_table[i].fn != cmd_quit))
		session_reply(s, 503, "5.7.0", "Error: access denied for %s", s->namaddr);
	else if (has_controls(line))
		session_reply(s, 500, "5.5.2", "Error: invalid character in command");
	else if (service_has_word(&s->svc->noop, verb))
		session_reply(s, 250, "2.0.0", "Ok");
	else if (i == cmd_count)
		session_reply(s, 500, "5.5.2", "Error: command not recognized");
	else
		run(s, &cmd_table[i], args);
}

void cmd_rset(struct session *s, struct span args)
{
	if (args.n) {
		session_reply(s, 501, "5.5.4", "Syntax: RSET");
		return;
	}
	session_reset(s);
	session_reply(s, 250, "2.0.0", "Ok");
}

void cmd_noop(struct session *s, struct span args)
{
	session_reply(s, 250, "2.0.0", "Ok");
}

void cmd_help(struct session *s, struct span args)
{
	session_reply(s, 214, "2.0.0",
		      "EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT\nSee RFC 5321");
}

void cmd_quit(struct session *s, struct span args)
{
	if (args.n) {
		session_reply(s, 501, "5.5.4", "Syntax: QUIT");
		return;
	}
	session_reset(s);
	session_reply(s, 221, "2.0.0", "Bye");
	session_close(s);
}
