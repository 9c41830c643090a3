#include <string.h>

#include "proto/address.h"
#include "smtpd/restrict_run.h"
#include "smtpd/session.h"
#include "smtpd/txn.h"
#include "svc/msg_resolve.h"

static bool is_loopback(const char *addr)
{
	return strncmp(addr, "127.", 4) == 0 || strcmp(addr, "::1") == 0;
}

static enum restrict_rc permit_if(bool yes)
{
	return yes ? RESTRICT_RC_PERMIT : RESTRICT_RC_DUNNO;
}

static bool is_ours(const struct restrict_run *r)
{
	return r->rcpt && r->rcpt->class != ADDR_OTHER && !r->rcpt->is_routed;
}

static enum restrict_rc unauth_destination(struct restrict_run *r, uint64_t code)
{
	if (!r->rcpt || is_ours(r))
		return RESTRICT_RC_DUNNO;
	r->reply = arena_printf(&r->arena, "%u %c.7.1 <%s>: Relay access denied", (unsigned)code,
				code < 500 ? '4' : '5', r->rcpt->address);
	return RESTRICT_RC_REJECT;
}

/* No top-level domain is a number, so 192.0.2.1 without brackets is no name. */
static bool is_fqdn(struct span domain, bool utf8)
{
	ptrdiff_t dot;
	uint64_t n;

	if (address_literal_valid(domain))
		return true;
	if (!address_domain_valid(domain, utf8))
		return false;
	if (domain.p[domain.n - 1] == '.')
		domain.n--;
	dot = span_rchr(domain, '.');
	return dot > 0 && span_u64(span_from(domain, (size_t)dot + 1), UINT64_MAX, &n) < 0;
}

static enum restrict_rc non_fqdn_address(struct restrict_run *r, struct span addr, bool is_bare,
	enum restrict_about about)
{
	struct span local, domain;

	if (addr.n == 0)
		return RESTRICT_RC_DUNNO;
	address_split(addr, &local, &domain);
	if (!is_bare && is_fqdn(domain, true))
		return RESTRICT_RC_DUNNO;
	return restrict_run_refuse(r, r->s->svc->conf.non_fqdn_reject_code, "5.5.2", about,
				   "need fully-qualified address");
}

/* A HELO name may be an address literal, or (as clients do) the address without its brackets; no other number. */
static bool is_helo_name(struct arena *a, struct span helo)
{
	size_t i;

	for (i = 0; i < helo.n && ((helo.p[i] >= '0' && helo.p[i] <= '9') || helo.p[i] == '.'); i++)
		;
	if (i == helo.n)
		return address_literal_valid(span_z(arena_printf(a, "[%.*s]", SPAN_ARG(helo))));
	return address_literal_valid(helo) || address_domain_valid(helo, false);
}

static enum restrict_rc helo_name(struct restrict_run *r, enum restrict_code code)
{
	struct span helo = span_z(r->s->helo);
	const struct smtpd_conf *conf = &r->s->svc->conf;

	if (!r->s->helo)
		return RESTRICT_RC_DUNNO;
	if (code == RESTRICT_INVALID_HELO && !is_helo_name(&r->arena, helo))
		return restrict_run_refuse(r, conf->invalid_hostname_reject_code, "5.5.2", RESTRICT_ABOUT_HELO,
					   "Invalid name");
	if (code == RESTRICT_NON_FQDN_HELO && !is_fqdn(helo, false))
		return restrict_run_refuse(r, conf->non_fqdn_reject_code, "5.5.2", RESTRICT_ABOUT_HELO,
					   "need fully-qualified hostname");
	return RESTRICT_RC_DUNNO;
}

static enum restrict_rc client_name(struct restrict_run *r, bool reverse)
{
	unsigned status = reverse ? r->s->reverse_status : r->s->name_status;
	/* without an answer of the DNS it can only be later */
	uint64_t code = status == MSG_TEMP ? 450 : r->s->svc->conf.unknown_client_reject_code;

	if (status == MSG_OK)
		return RESTRICT_RC_DUNNO;
	return restrict_run_refuse(r, code, "5.7.25", RESTRICT_ABOUT_CLIENT, "cannot find your %shostname, [%s]",
				   reverse ? "reverse " : "", r->s->client_addr);
}

static uint64_t unlisted_code(const struct smtpd_conf *conf, unsigned class)
{
	switch (class) {
	case ADDR_LOCAL:
		return conf->unknown_local_recipient_reject_code;
	case ADDR_VIRTUAL_ALIAS:
		return conf->unknown_virtual_alias_reject_code;
	case ADDR_VIRTUAL_MAILBOX:
		return conf->unknown_virtual_mailbox_reject_code;
	case ADDR_RELAY:
		return conf->unknown_relay_recipient_reject_code;
	default:
		return 550;
	}
}

static enum restrict_rc unlisted_rcpt(struct restrict_run *r)
{
	const char *dsn, *text;
	uint64_t code;

	if (!r->rcpt || r->did_unlisted_rcpt)
		return RESTRICT_RC_DUNNO;
	r->did_unlisted_rcpt = true;
	if (r->rcpt->status != MSG_NO)
		return RESTRICT_RC_DUNNO;
	dsn = r->rcpt->dsn[0] ? r->rcpt->dsn : "5.1.1";
	text = r->rcpt->text[0] ? r->rcpt->text : "User unknown";
	/* the codes are for unknown users; what an error: transport says stands */
	if (strcmp(dsn, "5.1.1") == 0)
		code = unlisted_code(&r->s->svc->conf, r->rcpt->class);
	else
		code = dsn[0] == '4' ? 450 : strcmp(dsn, "5.2.2") == 0 ? 552 : 550;
	return restrict_run_refuse(r, code, dsn, RESTRICT_ABOUT_RCPT, "%s", text);
}

static void on_sender(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	const struct rcpt_verdict *v = reply;
	struct session *s = arg;
	struct restrict_run *r = s->run;

	session_resume(s);
	if (rc != IPC_OK || v->status == MSG_TEMP)
		restrict_run_resume(r, restrict_run_temporary(r));
	else if (v->status == MSG_NO)
		restrict_run_resume(r, restrict_run_refuse(r, span_starts(v->dsn, "4") ? 450 : 550, "5.1.0",
							   RESTRICT_ABOUT_SENDER, "%.*s",
							   SPAN_ARG(v->text.n ? v->text : SPAN_LIT("User unknown"))));
	else
		restrict_run_resume(r, RESTRICT_RC_DUNNO);
	session_run(s);
}

static enum restrict_rc unlisted_sender(struct restrict_run *r)
{
	struct rcpt_check m;

	if (!r->s->txn || r->s->txn->sender.n == 0 || r->did_unlisted_sender)
		return RESTRICT_RC_DUNNO;
	r->did_unlisted_sender = true;
	m = (struct rcpt_check){ .address = r->s->txn->sender };
	if (session_call(r->s, &r->s->srv->resolve, &rcpt_check_desc, &m, &rcpt_verdict_desc, on_sender) < 0)
		return restrict_run_temporary(r);
	return RESTRICT_RC_WAIT;
}

static void after_sleep(struct session *s)
{
	restrict_run_resume(s->run, RESTRICT_RC_DUNNO);
}

/* The generic words, which speak of what the list is about. */
static enum restrict_rc plain_word(struct restrict_run *r, const struct restrict_op *op)
{
	const struct smtpd_conf *conf = &r->s->svc->conf;
	enum restrict_about about = restrict_run_about(r);

	switch (op->code) {
	case RESTRICT_REJECT:
		return restrict_run_refuse(r, conf->reject_code, "5.7.1", about, "Access denied");
	case RESTRICT_DEFER:
		return restrict_run_refuse(r, conf->defer_code, "4.3.2", about, "Try again later");
	case RESTRICT_DEFER_IF_PERMIT:
	case RESTRICT_DEFER_IF_REJECT:
		restrict_run_refuse(r, 450, "4.7.0", about, "%s requested", op->name);
		return restrict_run_defer_if(r, op->code == RESTRICT_DEFER_IF_PERMIT);
	case RESTRICT_SLEEP:
		session_sleep(r->s, op->seconds * 1000, after_sleep);
		return RESTRICT_RC_WAIT;
	default:
		return RESTRICT_RC_PERMIT;
	}
}

static enum restrict_rc session_word(struct restrict_run *r, enum restrict_code code)
{
	struct session *s = r->s;

	if (code == RESTRICT_REJECT_PLAINTEXT && !s->tls && !s->unix_user) {
		r->reply = arena_printf(&r->arena, "%u %c.7.1 Session encryption is required",
					(unsigned)s->svc->conf.plaintext_reject_code,
					s->svc->conf.plaintext_reject_code < 500 ? '4' : '5');
		return RESTRICT_RC_REJECT;
	}
	if (code == RESTRICT_REJECT_PIPELINING && s->txn && s->txn->improper) {
		r->reply = arena_printf(&r->arena, "503 5.5.0 %s rejected: Improper use of SMTP command pipelining",
					restrict_run_subject(r, restrict_run_about(r)));
		return RESTRICT_RC_REJECT;
	}
	if (code == RESTRICT_MULTI_RCPT_BOUNCE && s->txn && s->txn->sender.n == 0 &&
	    s->txn->n_rcpts + (r->list < RESTRICT_DATA) > 1)
		return restrict_run_refuse(r, s->svc->conf.multi_recipient_bounce_reject_code, "5.5.3",
					   restrict_run_about(r),
					   "Multi-recipient bounce");
	return RESTRICT_RC_DUNNO;
}

/* A table of one line per restriction. */
enum restrict_rc restrict_check_op(struct restrict_run *r, const struct restrict_op *op)
{
	struct session *s = r->s;
	struct span sender = s->txn ? s->txn->sender : SPAN_NULL;

	r->map_at = r->stage = 0;
	switch (op->code) {
	case RESTRICT_PERMIT:
	case RESTRICT_REJECT:
	case RESTRICT_DEFER:
	case RESTRICT_DEFER_IF_PERMIT:
	case RESTRICT_DEFER_IF_REJECT:
	case RESTRICT_SLEEP:
		return plain_word(r, op);
	case RESTRICT_PERMIT_MYNETWORKS:
		return permit_if(s->is_trusted);
	case RESTRICT_PERMIT_SASL:
		return permit_if(s->sasl_user || s->unix_user);
	case RESTRICT_PERMIT_ALL_CCERTS:
		return permit_if(s->ccert != NULL);
	case RESTRICT_PERMIT_AUTH_DEST:
		return permit_if(is_ours(r));
	case RESTRICT_PERMIT_INET_INTERFACES:
		return permit_if(s->is_local || is_loopback(s->client_addr));
	case RESTRICT_REJECT_UNAUTH_DEST:
		return unauth_destination(r, s->svc->conf.relay_domains_reject_code);
	case RESTRICT_DEFER_UNAUTH_DEST:
		return unauth_destination(r, 454);
	case RESTRICT_REJECT_PIPELINING:
	case RESTRICT_REJECT_PLAINTEXT:
	case RESTRICT_MULTI_RCPT_BOUNCE:
		return session_word(r, op->code);
	case RESTRICT_NON_FQDN_SENDER:
		return non_fqdn_address(r, sender, s->txn && s->txn->mail.from.domain.n == 0, RESTRICT_ABOUT_SENDER);
	case RESTRICT_NON_FQDN_RECIPIENT:
		return non_fqdn_address(r, span_z(r->rcpt ? r->rcpt->address : NULL), r->rcpt && r->rcpt->is_bare,
					RESTRICT_ABOUT_RCPT);
	case RESTRICT_NON_FQDN_HELO:
	case RESTRICT_INVALID_HELO:
		return helo_name(r, op->code);
	case RESTRICT_UNKNOWN_CLIENT:
	case RESTRICT_UNKNOWN_REVERSE:
		return client_name(r, op->code == RESTRICT_UNKNOWN_REVERSE);
	case RESTRICT_UNLISTED_RECIPIENT:
		return r->tail_done && !s->svc->conf.smtpd_reject_unlisted_recipient ? RESTRICT_RC_DUNNO :
		       unlisted_rcpt(r);
	case RESTRICT_UNLISTED_SENDER:
		return r->tail_done && !s->svc->conf.smtpd_reject_unlisted_sender ? RESTRICT_RC_DUNNO :
		       unlisted_sender(r);
	case RESTRICT_LOGIN_MISMATCH:
	case RESTRICT_AUTH_LOGIN_MISMATCH:
	case RESTRICT_KNOWN_LOGIN_MISMATCH:
	case RESTRICT_UNAUTH_LOGIN_MISMATCH:
		return restrict_access_login(r, op->code);
	case RESTRICT_CLIENT_ACCESS:
	case RESTRICT_HELO_ACCESS:
	case RESTRICT_SENDER_ACCESS:
	case RESTRICT_RECIPIENT_ACCESS:
	case RESTRICT_SASL_ACCESS:
	case RESTRICT_REVERSE_ACCESS:
	case RESTRICT_CCERT_ACCESS:
		return restrict_access_op(r, op);
	}
	return RESTRICT_RC_DUNNO;
}
