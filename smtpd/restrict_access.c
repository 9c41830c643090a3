#include <string.h>

#include "base/log.h"
#include "proto/address.h"
#include "proto/smtp.h"
#include "smtpd/restrict_run.h"
#include "smtpd/session.h"
#include "smtpd/txn.h"

static enum restrict_about about_of(enum restrict_code code)
{
	switch (code) {
	case RESTRICT_HELO_ACCESS:
		return RESTRICT_ABOUT_HELO;
	case RESTRICT_SENDER_ACCESS:
	case RESTRICT_SASL_ACCESS:
		return RESTRICT_ABOUT_SENDER;
	case RESTRICT_RECIPIENT_ACCESS:
		return RESTRICT_ABOUT_RCPT;
	default:
		return RESTRICT_ABOUT_CLIENT;
	}
}

/* Keys of a stage: a client is asked for by name, then by address. False when there is no such stage. */
static bool keys_of(struct restrict_run *r, struct access_keys *k)
{
	struct session *s = r->s;
	const char *delims = s->svc->global.recipient_delimiter;
	struct span helo = span_z(s->helo), sender = s->txn ? s->txn->sender : SPAN_NULL;

	k->n = 0;
	k->is_dotted = s->svc->has_dotted_access;
	if (r->op->code == RESTRICT_CLIENT_ACCESS && r->stage == 1) {
		access_addr_keys(k, &r->arena, span_z(s->client_addr));
		return true;
	}
	if (r->stage > 0)
		return false;
	switch (r->op->code) {
	case RESTRICT_CLIENT_ACCESS:
		access_domain_keys(k, &r->arena, span_z(s->client_name));
		break;
	case RESTRICT_REVERSE_ACCESS:
		access_domain_keys(k, &r->arena, span_z(s->client_reverse));
		break;
	case RESTRICT_HELO_ACCESS:
		access_domain_keys(k, &r->arena, helo);
		break;
	case RESTRICT_SENDER_ACCESS:
		if (sender.n)
			access_mail_keys(k, &r->arena, sender, delims);
		else if (s->txn)
			k->v[k->n++] = SPAN_LIT("<>");
		break;
	case RESTRICT_RECIPIENT_ACCESS:
		if (r->rcpt)
			access_mail_keys(k, &r->arena, span_z(r->rcpt->address), delims);
		break;
	case RESTRICT_SASL_ACCESS:
		if (s->sasl_user)
			k->v[k->n++] = span_z(s->sasl_user);
		break;
	case RESTRICT_CCERT_ACCESS:
		if (s->ccert)
			k->v[k->n++] = span_z(s->ccert);
		break;
	default:
		break;
	}
	return true;
}

static enum restrict_rc refuse(struct restrict_run *r, uint64_t code, struct span text, const char *otherwise)
{
	const char *dsn = code < 500 ? "4.7.1" : "5.7.1";
	struct span status, rest;
	char line[600], own[12];
	int ignored;

	snprintf(line, sizeof(line), "%u %.*s", (unsigned)code, SPAN_ARG(span_sub(text, 0, 500)));
	if (smtp_reply_split(span_z(line), &ignored, &status, &rest) && status.n) {
		snprintf(own, sizeof(own), "%.*s", SPAN_ARG(status));
		dsn = own;
		text = rest;
	}
	return restrict_run_refuse(r, code, dsn, about_of(r->op->code), "%.*s",
				   SPAN_ARG(text.n ? text : span_z(otherwise)));
}

static void note(struct restrict_run *r, const char *kind, const char *verb, struct span text)
{
	const char *rcpt = r->rcpt ? r->rcpt->address : NULL;

	session_log(r->s, kind, rcpt, arena_printf(&r->arena, "%s triggers %s action%s%.*s",
		restrict_run_subject(r, about_of(r->op->code)), verb, text.n ? ": " : "", SPAN_ARG(text)));
}

/* "Name: value" on one line. */
static bool is_field(struct span text)
{
	ptrdiff_t colon = span_chr(text, ':');
	ptrdiff_t i;

	for (i = 0; i < colon && text.p[i] > ' ' && text.p[i] <= '~'; i++)
		;
	return colon > 0 && i == colon && span_chr(text, '\n') < 0;
}

/* Actions that change the message; they need one. */
static enum restrict_rc change(struct restrict_run *r, enum access_action action, struct span text)
{
	struct txn *t = r->s->txn;
	struct txn_rcpt *bcc;

	if (!t)
		return RESTRICT_RC_DUNNO;
	if (action == ACCESS_HOLD) {
		if (!t->hold)
			note(r, "hold", "HOLD", text);
		t->hold = true;
	} else if (action == ACCESS_DISCARD) {
		note(r, "discard", "DISCARD", text);
		t->discard = true;
		return RESTRICT_RC_PERMIT;
	} else if (action == ACCESS_REDIRECT && span_chr(text, '@') > 0) {
		note(r, "redirect", "REDIRECT", text);
		t->redirect = arena_span(&t->arena, text);
	} else if (action == ACCESS_BCC && span_chr(text, '@') > 0) {
		note(r, "bcc", "BCC", text);
		bcc = arena_new(&t->arena, struct txn_rcpt);
		bcc->address = arena_span(&t->arena, text);
		bcc->next = t->bcc;
		t->bcc = bcc;
	} else if (action == ACCESS_PREPEND && is_field(text)) {
		(void)!str_addf(&t->prepend, "%.*s\n", SPAN_ARG(text));
	} else {
		log_warn("access table %s: '%.*s' is no address or header", r->map, SPAN_ARG(text));
	}
	return RESTRICT_RC_DUNNO;
}

static enum restrict_rc broken(struct restrict_run *r, const char *why)
{
	log_warn("access table %s: '%.*s': %s", r->map, SPAN_ARG(r->value), why);
	r->reply = "451 4.3.5 Server configuration error";
	return RESTRICT_RC_REJECT;
}

static enum restrict_rc more_restrictions(struct restrict_run *r, struct span text)
{
	const char *word = arena_strndup(&r->arena, text.p, text.n);
	struct restrict_prog *prog = arena_new(&r->arena, struct restrict_prog);
	struct conf_list words = { &word, 1 };
	struct err err = ERR_INIT;

	if (restrict_compile(prog, &r->arena, r->s->svc->layer, "value", &words, &err) < 0)
		return broken(r, err.msg);
	return restrict_run_push(r, prog, r->warns) < 0 ? broken(r, "nested too deep") : RESTRICT_RC_DUNNO;
}

static enum restrict_rc act(struct restrict_run *r)
{
	const struct smtpd_conf *conf = &r->s->svc->conf;
	struct span text, code;
	enum access_action action = access_parse(r->value, &text);
	uint64_t number = 0;

	switch (action) {
	case ACCESS_DUNNO:
		return RESTRICT_RC_DUNNO;
	case ACCESS_OK:
		return RESTRICT_RC_PERMIT;
	case ACCESS_REJECT:
		return refuse(r, conf->access_map_reject_code, text, "Access denied");
	case ACCESS_DEFER:
		return refuse(r, conf->access_map_defer_code, text, "Access denied");
	case ACCESS_REPLY:
		if (span_word(&text, " \t", &code) && span_u64(code, 599, &number) == 0)
			return refuse(r, number, span_trim(text), "Access denied");
		return RESTRICT_RC_DUNNO;
	case ACCESS_DEFER_IF_PERMIT:
		refuse(r, 450, text, "Service unavailable");
		return restrict_run_defer_if(r, true);
	case ACCESS_DEFER_IF_REJECT:
		refuse(r, 450, text, "Service unavailable");
		return restrict_run_defer_if(r, false);
	case ACCESS_WARN:
		note(r, "warn", "WARN", text);
		return RESTRICT_RC_DUNNO;
	case ACCESS_INFO:
		note(r, "info", "INFO", text);
		return RESTRICT_RC_DUNNO;
	case ACCESS_FILTER:
		return broken(r, "the FILTER action is not supported yet");
	case ACCESS_RESTRICTIONS:
		return more_restrictions(r, text);
	default:
		return change(r, action, text);
	}
}

static enum restrict_rc on_access(struct restrict_run *r)
{
	struct access_keys keys;

	if (r->found)
		return act(r);
	r->stage++;
	return keys_of(r, &keys) ? restrict_run_lookup(r, r->map, &keys, on_access) : RESTRICT_RC_DUNNO;
}

enum restrict_rc restrict_access_op(struct restrict_run *r, const struct restrict_op *op)
{
	struct access_keys keys;

	keys_of(r, &keys);
	return restrict_run_lookup(r, op->map, &keys, on_access);
}

/* ---- who may use this sender ---- */

static enum restrict_rc login_verdict(struct restrict_run *r, bool known)
{
	struct session *s = r->s;
	enum restrict_code code = r->op->code;
	struct span rest = r->value, owner;

	if (!s->sasl_user) {
		if (known && code != RESTRICT_AUTH_LOGIN_MISMATCH && code != RESTRICT_KNOWN_LOGIN_MISMATCH)
			return restrict_run_refuse(r, 553, "5.7.1", RESTRICT_ABOUT_SENDER, "not logged in");
		return RESTRICT_RC_DUNNO;
	}
	if (code == RESTRICT_UNAUTH_LOGIN_MISMATCH || (!known && code == RESTRICT_KNOWN_LOGIN_MISMATCH))
		return RESTRICT_RC_DUNNO;
	while (known && span_word(&rest, ", \t\r\n", &owner)) {
		if (span_eq_nocase(owner, s->sasl_user))
			return RESTRICT_RC_DUNNO;
	}
	return restrict_run_refuse(r, 553, "5.7.1", RESTRICT_ABOUT_SENDER, "not owned by user %s", s->sasl_user);
}

/* Without smtpd_sender_login_maps a login owns the address it is named after, with any extension. */
static enum restrict_rc own_address(struct restrict_run *r)
{
	struct session *s = r->s;
	struct span local, domain, base, ext, user = span_z(s->sasl_user), user_local, user_domain;

	if (!s->sasl_user)
		return RESTRICT_RC_DUNNO;
	address_split(s->txn->sender, &local, &domain);
	address_extension(local, s->svc->global.recipient_delimiter, &base, &ext);
	if (!address_split(user, &user_local, &user_domain))
		user_domain = span_z(s->svc->global.myorigin);
	r->value = user;
	return login_verdict(r, span_eq_nocase(domain, arena_span(&r->arena, user_domain).p) &&
			     span_eq_nocase(base, arena_span(&r->arena, user_local).p));
}

static enum restrict_rc on_owner(struct restrict_run *r);

static enum restrict_rc next_map(struct restrict_run *r)
{
	const struct conf_list *maps = &r->s->svc->conf.smtpd_sender_login_maps;
	struct session *s = r->s;
	struct access_keys keys = { .n = 0 };
	struct span local, domain, base, ext;

	if (r->map_at == maps->n)
		return login_verdict(r, false);
	/* whole address, without its extension, then the domain as "@domain" (Postfix's order) */
	address_split(s->txn->sender, &local, &domain);
	keys.v[keys.n++] = s->txn->sender;
	if (address_extension(local, s->svc->global.recipient_delimiter, &base, &ext))
		keys.v[keys.n++] = span_z(arena_printf(&r->arena, "%.*s@%.*s", SPAN_ARG(base), SPAN_ARG(domain)));
	if (span_eq_nocase(domain, s->svc->global.myorigin))
		keys.v[keys.n++] = local;
	keys.v[keys.n++] = span_z(arena_printf(&r->arena, "@%.*s", SPAN_ARG(domain)));
	return restrict_run_lookup(r, maps->v[r->map_at++], &keys, on_owner);
}

static enum restrict_rc on_owner(struct restrict_run *r)
{
	return r->found ? login_verdict(r, true) : next_map(r);
}

enum restrict_rc restrict_access_login(struct restrict_run *r, enum restrict_code code)
{
	struct session *s = r->s;

	/* the null sender belongs to nobody, a local user on our own socket is known to the kernel, and where nobody can
	 * log in this cannot be asked for */
	if (!s->txn || s->txn->sender.n == 0 || s->unix_user || !s->svc->conf.smtpd_sasl_auth_enable)
		return RESTRICT_RC_DUNNO;
	return s->svc->conf.smtpd_sender_login_maps.n ? next_map(r) : own_address(r);
}
