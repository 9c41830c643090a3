#include <string.h>

#include "smtpd/cmd.h"
#include "smtpd/restrict_run.h"
#include "smtpd/session.h"
#include "smtpd/txn.h"
#include "svc/msg_anvil.h"

/* Parameters are taken after HELO as well: some clients send them there, and we know what they mean. */
static unsigned extensions(const struct session *s)
{
	unsigned off = s->svc->ehlo_off, ext = 0;

	ext |= off & SERVICE_EHLO_SIZE ? 0 : SMTP_EXT_SIZE;
	ext |= off & SERVICE_EHLO_8BITMIME ? 0 : SMTP_EXT_8BITMIME;
	ext |= off & SERVICE_EHLO_SMTPUTF8 ? 0 : SMTP_EXT_SMTPUTF8;
	ext |= off & SERVICE_EHLO_DSN ? 0 : SMTP_EXT_DSN;
	ext |= s->svc->conf.smtpd_sasl_auth_enable && !(off & SERVICE_EHLO_AUTH) ? SMTP_EXT_AUTH : 0;
	return ext;
}

static void accept_sender(struct session *s, const char *reply)
{
	if (reply) {
		session_reject(s, NULL, reply);
		session_reset(s);
	} else {
		session_reply(s, 250, "2.1.0", "Ok");
	}
}

/* The rate is within its limit. */
static void begin(struct session *s)
{
	uint64_t max = s->svc->global.message_size_limit;

	if (max && s->txn->mail.size > max) {
		session_reject(s, NULL, "552 5.3.4 Message size exceeds fixed limit");
		session_reset(s);
	} else if (!ipc_is_attached(&s->srv->queue)) {
		session_reply(s, 451, "4.3.0", "Error: the mail queue is not available");
		session_reset(s);
	} else if (s->svc->conf.smtpd_delay_reject) {
		accept_sender(s, NULL);
	} else {
		restrict_run_start(s, 1u << RESTRICT_SENDER, NULL, accept_sender);
	}
}

static void on_rate(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	struct session *s = arg;

	session_resume(s);
	if (session_over_limit(s, rc, reply, s->svc->conf.smtpd_client_message_rate_limit,
			       "Message delivery request rate")) {
		session_reply(s, 450, "4.7.1", "Error: too much mail from %s", s->client_addr);
		session_reset(s);
	} else {
		begin(s);
	}
	session_run(s);
}

void cmd_mail(struct session *s, struct span args)
{
	unsigned flags = ADDRESS_NO_DOMAIN_OK | (s->svc->global.strict_rfc821_envelopes ? 0 : ADDRESS_BARE_OK);
	struct txn *t;
	struct err err = ERR_INIT;
	struct arena *a;

	if (s->svc->conf.smtpd_helo_required && !s->helo) {
		session_reply(s, 503, "5.5.1", "Error: send HELO/EHLO first");
		return;
	}
	t = s->txn = txn_new();
	a = &t->arena;
	args = arena_span(a, args);
	if (smtp_parse_mail(a, args, extensions(s), flags, &t->mail, &err) < 0) {
		txn_refuse_syntax(s, args, err.msg);
		session_reset(s);
		return;
	}
	t->sender = span_z(txn_address(s, &t->mail.from));
	if (!session_event(s, ANVIL_MAIL, s->svc->conf.smtpd_client_message_rate_limit, on_rate))
		begin(s);
}
