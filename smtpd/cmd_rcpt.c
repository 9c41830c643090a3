#include <string.h>

#include "base/log.h"
#include "proto/address.h"
#include "smtpd/cmd.h"
#include "smtpd/restrict_run.h"
#include "smtpd/session.h"
#include "smtpd/txn.h"
#include "svc/msg_anvil.h"
#include "svc/msg_resolve.h"

static void cmd_rcpt_done(struct session *s, const char *reply)
{
	struct txn *t = s->txn;

	if (reply) {
		t->n_refused++;
		session_reject(s, t->try.address, reply);
	} else if (txn_open(s) < 0) {
		t->n_refused++;
		session_reply(s, 451, "4.3.0", "Error: the mail queue is not available");
	} else {
		if (t->n_rcpts == 0)
			t->first = t->try;
		txn_add_rcpt(t, span_z(t->try.fallback ? t->try.fallback : t->try.address),
			     span_z(t->try.fallback ? t->try.address : NULL), t->try.orcpt, t->try.notify);
		session_reply(s, 250, "2.1.5", "Ok");
	}
}

static const char *temporary(struct session *s)
{
	return arena_printf(&s->srv->loop->tick, "451 4.3.0 <%s>: Temporary lookup failure", s->txn->try.address);
}

static void on_verdict(void *arg, enum ipc_rc rc, const void *reply, int *fd);

static bool is_postmaster(const struct txn_try *try)
{
	struct span local, domain;

	address_split(span_z(try->address), &local, &domain);
	return span_eq_nocase(local, "postmaster");
}

/* RFC 5321 section 4.5.1: every domain of ours has a postmaster; one without a mailbox is the postmaster of this host.
 * False when there is no more to ask. */
static bool ask_our_postmaster(struct session *s)
{
	struct txn_try *try = &s->txn->try;
	struct rcpt_check m = { .sender = s->txn->sender, .has_letter = 1, .size = s->txn->mail.size };

	if (try->fallback || !is_postmaster(try))
		return false;
	try->fallback = arena_printf(&s->txn->arena, "postmaster@%s", s->svc->global.myhostname);
	m.address = span_z(try->fallback);
	if (session_call(s, &s->srv->resolve, &rcpt_check_desc, &m, &rcpt_verdict_desc, on_verdict) == 0)
		return true;
	try->fallback = NULL;
	return false;
}

static void on_verdict(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	const struct rcpt_verdict *v = reply;
	struct session *s = arg;
	struct txn_try *try = &s->txn->try;
	unsigned lists = 1u << RESTRICT_RELAY | 1u << RESTRICT_RECIPIENT;

	session_resume(s);
	if (rc != IPC_OK || v->status == MSG_TEMP) {
		if (rc == IPC_OK && v->text.n)
			log_warn("%s: lookup of <%s>: %.*s", session_queue_id(s), try->address, SPAN_ARG(v->text));
		try->done(s, temporary(s));
		session_run(s);
		return;
	}
	if (try->fallback && (v->status != MSG_OK || v->class == ADDR_OTHER)) {
		try->fallback = NULL;           /* the first verdict stands */
	} else {
		try->status = v->status;
		try->class = v->class;
		try->dsn = arena_strndup(&s->txn->arena, v->dsn.p ? v->dsn.p : "", v->dsn.n);
		try->text = arena_strndup(&s->txn->arena, v->text.p ? v->text.p : "", v->text.n);
		if (v->status == MSG_NO && (v->class != ADDR_OTHER || try->is_bare) &&
		    ask_our_postmaster(s))
			return;
	}
	/* RFC 5321 section 4.5.1: the way to the postmaster stays open to those who are locked out */
	if (try->is_bare && is_postmaster(try))
		lists = 1u << RESTRICT_RELAY;
	else if (s->svc->conf.smtpd_delay_reject)
		lists |= 1u << RESTRICT_CLIENT | 1u << RESTRICT_HELO | 1u << RESTRICT_SENDER;
	restrict_run_start(s, lists, try, try->done);
	session_run(s);
}

static void ask(struct session *s)
{
	struct rcpt_check m = { span_z(s->txn->try.address), s->txn->sender, 1, s->txn->mail.size };

	if (session_call(s, &s->srv->resolve, &rcpt_check_desc, &m, &rcpt_verdict_desc, on_verdict) < 0)
		s->txn->try.done(s, temporary(s));
}

static void on_rate(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	struct session *s = arg;

	session_resume(s);
	if (session_over_limit(s, rc, reply, s->svc->conf.smtpd_client_recipient_rate_limit, "Recipient address rate"))
		session_reply(s, 450, "4.7.1", "Error: too many recipients from %s", s->client_addr);
	else
		ask(s);
	session_run(s);
}

/* Recipients over the limit are the client's to send again (RFC 5321 section 4.5.3.1.10); they count as errors only
 * after smtpd_recipient_overshoot_limit. */
static void too_many(struct session *s)
{
	session_reply(s, 452, "4.5.3", "Error: too many recipients");
	if (s->overshoot < s->svc->conf.smtpd_recipient_overshoot_limit) {
		s->overshoot++;
		s->errors--;
	}
}

/* "user%other@us", "other!user@us", "user@other"@us: routes chosen by the sender, never for strangers. */
static bool is_routed(const struct session *s, const char *address, struct span local)
{
	if (!s->svc->looks_into_quotes && address[0] == '"')
		return false;
	return span_chr(local, '%') >= 0 || span_chr(local, '!') >= 0 || span_chr(local, '@') >= 0;
}

void cmd_rcpt(struct session *s, struct span args)
{
	unsigned flags = ADDRESS_NO_DOMAIN_OK | (s->svc->global.strict_rfc821_envelopes ? 0 : ADDRESS_BARE_OK);
	unsigned ext = s->svc->ehlo_off & SERVICE_EHLO_DSN ? 0 : SMTP_EXT_DSN;
	struct txn *t = s->txn;
	struct smtp_rcpt r;
	struct err err = ERR_INIT;

	if (t->n_rcpts + t->n_twice >= s->svc->conf.smtpd_recipient_limit) {
		too_many(s);
		return;
	}
	if (t->mail.smtputf8)
		flags |= ADDRESS_UTF8;
	if (smtp_parse_rcpt(&s->srv->loop->tick, args, ext, flags, &r, &err) < 0) {
		t->n_refused++;
		txn_refuse_syntax(s, args, err.msg);
		return;
	}
	t->try = (struct txn_try){ .address = txn_address(s, &r.to), .notify = r.notify, .is_bare = r.to.domain.n == 0,
				   .done = cmd_rcpt_done };
	t->try.is_routed = is_routed(s, t->try.address, r.to.local);
	t->try.orcpt = arena_span(&t->arena, r.orcpt);
	if (!session_event(s, ANVIL_RCPT, s->svc->conf.smtpd_client_recipient_rate_limit, on_rate))
		ask(s);
}

static void cmd_vrfy_done(struct session *s, const char *reply)
{
	struct txn *t = s->txn;

	if (reply)
		session_reject(s, t->try.address, reply);
	else
		session_reply(s, 252, "2.0.0", "%s", t->try.address);
	s->txn = t->outer;
	t->outer = NULL;
	txn_free(&t);
}

/* RFC 5321 section 3.5: the verdict that RCPT would get, and 252 at best, since what accepts mail may still be a
 * list or another host. It leaves no trace in the client's transaction. */
void cmd_vrfy(struct session *s, struct span args)
{
	struct txn *t;
	struct address addr;
	struct err err;

	if (s->svc->conf.disable_vrfy_command) {
		session_reply(s, 502, "5.5.1", "VRFY command is disabled");
		return;
	}
	if (!s->helo && s->svc->conf.smtpd_helo_required) {
		session_reply(s, 503, "5.5.1", "Error: send HELO/EHLO first");
		return;
	}
	if (span_ends_nocase(args, " SMTPUTF8"))
		args = span_trim(span_sub(args, 0, args.n - 9));
	if (args.n >= 2 && args.p[0] == '<' && args.p[args.n - 1] == '>')
		args = span_sub(args, 1, args.n - 2);
	if (args.n == 0 || address_parse(&s->srv->loop->tick, args, ADDRESS_NO_DOMAIN_OK | ADDRESS_UTF8, &addr,
					 &err) < 0) {
		session_reply(s, 501, args.n ? "5.1.3" : "5.5.4",
			      args.n ? "Bad recipient address syntax" : "Syntax: VRFY address");
		return;
	}
	t = txn_new();
	t->outer = s->txn;
	if (t->outer) {
		t->sender = t->outer->sender;
		t->mail = t->outer->mail;
	}
	s->txn = t;
	t->try = (struct txn_try){ .address = txn_address(s, &addr), .is_bare = addr.domain.n == 0,
				   .done = cmd_vrfy_done };
	t->try.is_routed = is_routed(s, t->try.address, addr.local);
	ask(s);
}
