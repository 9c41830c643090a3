#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"
#include "smtpd/cmd.h"
#include "smtpd/session.h"
#include "svc/msg_anvil.h"
#include "svc/msg_auth.h"

static bool has_word(const struct conf_list *l, const char *word)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		if (strcasecmp(l->v[i], word) == 0)
			return true;
	}
	return false;
}

/* Passwords in clear travel under TLS, or on this machine, or where the administrator said so. */
static bool may_use(const struct session *s, const struct auth_mech *m)
{
	const struct smtpd_conf *conf = &s->svc->conf;
	const struct conf_list *options = s->tls ? &conf->smtpd_sasl_tls_security_options : &conf->smtpd_sasl_security_options;

	if (!m->is_plaintext)
		return true;
	return !has_word(options, "noplaintext") && (s->tls || s->is_local || s->svc->plaintext_ok);
}

static bool is_enabled(const struct session *s)
{
	return s->svc->conf.smtpd_sasl_auth_enable && s->esmtp && s->srv->mechs &&
	       !netlist_match(&s->svc->auth_exceptions, s->client_name, s->client_addr);
}

bool cmd_auth_offer(const struct session *s, struct str *out)
{
	const struct auth_mech *m;
	bool any = false;
	size_t i;

	if (!is_enabled(s) || (s->svc->conf.smtpd_tls_auth_only && !s->tls))
		return false;
	m = s->srv->mechs->mechs.v;
	for (i = 0; i < s->srv->mechs->mechs.n; i++) {
		if (may_use(s, &m[i]) && str_addf(out, " %.*s", SPAN_ARG(m[i].name)) == 0)
			any = true;
	}
	return any;
}

static const struct auth_mech *find_mech(const struct session *s, struct span name)
{
	const struct auth_mech *m = s->srv->mechs->mechs.v;
	size_t i;

	for (i = 0; i < s->srv->mechs->mechs.n; i++) {
		if (span_eq_nocase(m[i].name, arena_strndup(&s->srv->loop->tick, name.p, name.n)))
			return &m[i];
	}
	return NULL;
}

static void leave(struct session *s)
{
	s->mode = SESSION_COMMAND;
}

static void forget_method(struct session *s)
{
	free(s->sasl_method);
	s->sasl_method = NULL;
	leave(s);
}

/* The words after which fail2ban's postfix[mode=auth] looks. */
static void log_failure(struct session *s, const struct auth_answer *a)
{
	log_warn("%s: SASL %s authentication failed: %.*s%s%.*s", s->namaddr, s->sasl_method,
		 SPAN_ARG(a->text.n ? a->text : SPAN_LIT("authentication failure")), a->user.n ? ", sasl_username=" : "",
		 SPAN_ARG(a->user));
}

static void challenge(struct session *s, struct span bytes)
{
	struct str text = STR_INIT(65536);

	if (base64_encode(&text, bytes) < 0 || stream_putz(&s->io, "334 ") < 0 || stream_put(&s->io, text.p, text.n) < 0 ||
	    stream_putz(&s->io, "\r\n") < 0)
		session_close(s);
	str_fini(&text);
}

static void tell_anvil(struct session *s, enum anvil_event event)
{
	struct anvil_occurred m = { .event = event };

	m.ident = span_z(arena_printf(&s->srv->loop->tick, "%s:%s", s->svc->name, s->client_addr));
	(void)!ipc_send(&s->srv->anvil, &anvil_occurred_desc, &m, NULL);
}

static void answered(struct session *s, const struct auth_answer *a)
{
	switch (a->status) {
	case AUTH_CONTINUE:
		challenge(s, a->challenge);
		return;
	case AUTH_OK:
		s->sasl_user = xstrndup(a->user.p ? a->user.p : "", a->user.n);
		tell_anvil(s, ANVIL_AUTH_OK);
		leave(s);
		session_reply(s, 235, "2.7.0", "Authentication successful");
		return;
	case AUTH_FAIL:
	case AUTH_REFUSED:
		log_failure(s, a);
		tell_anvil(s, ANVIL_AUTH_FAILED);
		session_reply(s, 535, "5.7.8", "Error: authentication failed: %.*s",
			      SPAN_ARG(a->status == AUTH_REFUSED && a->text.n ? a->text : SPAN_LIT("authentication failure")));
		break;
	default:
		log_warn("%s: SASL %s authentication failed: Temporary authentication failure: %.*s", s->namaddr, s->sasl_method,
			 SPAN_ARG(a->text));
		session_reply(s, 454, "4.7.0", "Temporary authentication failure");
		break;
	}
	forget_method(s);
}

static void on_answer(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	const struct auth_answer away = { .status = AUTH_TEMP, .text = SPAN_LIT("Connection lost to authentication server") };
	struct session *s = arg;

	session_resume(s);
	answered(s, rc == IPC_OK ? reply : &away);
	session_run(s);
}

static void start(struct session *s, struct span initial, bool has_initial)
{
	struct auth_start m = {
		.exchange = s->exchange = ++s->srv->next_exchange, .mech = span_z(s->sasl_method), .has_initial = has_initial,
		.initial = initial, .service = SPAN_LIT("smtp"), .remote_addr = span_z(s->client_addr),
		.local_addr = span_z(s->local_addr), .local_name = span_z(s->svc->global.myhostname),
		.is_secure = s->tls || s->is_local,
	};

	s->mode = SESSION_AUTH;
	if (session_call(s, &s->srv->auth, &auth_start_desc, &m, &auth_answer_desc, on_answer) < 0)
		answered(s, &(struct auth_answer){ .status = AUTH_TEMP, .text = SPAN_LIT("no connection to the authentication server") });
}

static void on_rate(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	struct session *s = arg;
	struct str initial = STR_INIT(65536);
	char *held = s->held_initial;

	session_resume(s);
	s->held_initial = NULL;
	if (session_over_limit(s, rc, reply, s->svc->conf.smtpd_client_auth_rate_limit, "AUTH command rate")) {
		session_reply(s, 450, "4.7.1", "Error: too many AUTH commands from %s", s->client_addr);
		forget_method(s);
	} else {
		if (held)
			(void)!base64_decode(&initial, span_z(held));
		start(s, str_span(&initial), held != NULL);
	}
	free(held);
	str_fini(&initial);
	session_run(s);
}

/* The first response in the command itself: "=" stands for the empty one (RFC 4954 section 4). */
static void begin(struct session *s, struct span word)
{
	struct str initial = STR_INIT(65536);
	bool empty = span_eqz(word, "=");

	if (word.n && !empty && base64_decode(&initial, word) < 0) {
		session_reply(s, 501, "5.5.2", "Error: invalid base64");
		forget_method(s);
	} else {
		s->held_initial = word.n ? xstrndup(empty ? "" : word.p, empty ? 0 : word.n) : NULL;
		if (!session_event(s, ANVIL_AUTH, s->svc->conf.smtpd_client_auth_rate_limit, on_rate)) {
			start(s, str_span(&initial), word.n > 0);
			free(s->held_initial);
			s->held_initial = NULL;
		}
	}
	explicit_bzero(initial.p, initial.n);
	str_fini(&initial);
}

void cmd_auth(struct session *s, struct span args)
{
	const struct auth_mech *m;
	struct span name, initial;

	if (!s->svc->conf.smtpd_sasl_auth_enable || !s->esmtp) {
		session_reply(s, 503, "5.5.1", "Error: authentication not enabled");
	} else if (s->sasl_user) {
		session_reply(s, 503, "5.5.1", "Error: already authenticated");
	} else if (s->svc->conf.smtpd_tls_auth_only && !s->tls) {
		session_reply(s, 538, "5.7.11", "Encryption required for requested authentication mechanism");
	} else if (!s->srv->mechs || !ipc_is_attached(&s->srv->auth)) {
		session_reply(s, 454, "4.7.0", "Temporary authentication failure");
	} else if (!span_word(&args, " \t", &name)) {
		session_reply(s, 501, "5.5.4", "Syntax: AUTH mechanism");
	} else if (!(m = find_mech(s, name)) || !is_enabled(s)) {
		session_reply(s, 504, "5.5.4", "Error: authentication mechanism not supported");
	} else if (!may_use(s, m)) {
		session_reply(s, 538, "5.7.11", "Encryption required for requested authentication mechanism");
	} else {
		if (!span_word(&args, " \t", &initial))
			initial = SPAN_NULL;
		s->sasl_method = xstrndup(m->name.p, m->name.n);
		begin(s, initial);
	}
}

static void respond(struct session *s, struct span line)
{
	struct str bytes = STR_INIT(65536);
	struct auth_step m = { .exchange = s->exchange };

	if (span_eqz(line, "*")) {
		(void)!ipc_send(&s->srv->auth, &auth_abort_desc, &(struct auth_abort){ s->exchange }, NULL);
		session_reply(s, 501, "5.7.0", "Authentication aborted");
		forget_method(s);
	} else if (base64_decode(&bytes, line) < 0) {
		(void)!ipc_send(&s->srv->auth, &auth_abort_desc, &(struct auth_abort){ s->exchange }, NULL);
		session_reply(s, 501, "5.5.2", "Error: invalid base64");
		forget_method(s);
	} else {
		m.response = str_span(&bytes);
		if (session_call(s, &s->srv->auth, &auth_step_desc, &m, &auth_answer_desc, on_answer) < 0)
			answered(s, &(struct auth_answer){ .status = AUTH_TEMP, .text = SPAN_LIT("no answer") });
	}
	explicit_bzero(bytes.p, bytes.n);
	str_fini(&bytes);
}

enum io_rc cmd_auth_step(struct session *s)
{
	struct span line;
	enum io_rc rc = stream_getline(&s->io, (size_t)s->svc->conf.smtpd_sasl_response_limit, &line, NULL);

	if (rc == IO_TOOLONG) {
		(void)!ipc_send(&s->srv->auth, &auth_abort_desc, &(struct auth_abort){ s->exchange }, NULL);
		forget_method(s);
		s->skip_line = true;
		return IO_OK;
	}
	if (rc != IO_OK)
		return rc;
	s->rearm = true;
	respond(s, line);
	return IO_OK;
}
