#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"
#include "smtpd/cmd.h"
#include "smtpd/session.h"
#include "svc/msg_anvil.h"

/* Passwords in clear travel under TLS, or on this machine, or where the administrator said so. */
static bool may_plaintext(const struct session *s)
{
	const struct smtpd_conf *conf = &s->svc->conf;
	const struct conf_list *options = s->tls ? &conf->smtpd_sasl_tls_security_options :
		&conf->smtpd_sasl_security_options;

	return !conf_list_has(options, SPAN_LIT("noplaintext")) && (s->tls || s->is_local || s->svc->plaintext_ok);
}

static bool needs_tls(const struct session *s)
{
	return (s->svc->conf.smtpd_tls_auth_only || s->svc->tls_enforced) && !s->tls;
}

static bool is_enabled(const struct session *s)
{
	/* the kernel has named a local program already */
	return s->svc->conf.smtpd_sasl_auth_enable && s->esmtp && !s->unix_user && s->srv->sasl.n_mechs &&
	       !netlist_match(&s->svc->auth_exceptions, s->client_name, s->client_addr);
}

bool cmd_auth_offer(const struct session *s, struct str *out)
{
	size_t before = out->n;

	if (!is_enabled(s) || needs_tls(s))
		return false;
	return sasl_list(&s->srv->sasl, may_plaintext(s), out) == 0 && out->n > before;
}

static void leave(struct session *s)
{
	free(s->exchange);
	s->exchange = NULL;
	s->mode = SESSION_COMMAND;
}

static void forget_method(struct session *s)
{
	free(s->sasl_method);
	s->sasl_method = NULL;
	leave(s);
}

/* The words after which fail2ban's postfix[mode=auth] looks. */
static void log_failure(struct session *s, const struct sasl_result *a)
{
	log_warn("%s: SASL %s authentication failed: %.*s%s%.*s", s->namaddr, s->sasl_method,
		 SPAN_ARG(a->text.n ? a->text : SPAN_LIT("authentication failure")),
		 a->user.n ? ", sasl_username=" : "", SPAN_ARG(a->user));
}

static void challenge(struct session *s, struct span bytes)
{
	struct str text = STR_INIT(65536);

	if (base64_encode(&text, bytes) < 0 || stream_putz(&s->io, "334 ") < 0 ||
	    stream_put(&s->io, text.p, text.n) < 0 ||
	    stream_putz(&s->io, "\r\n") < 0)
		session_close(s);
	str_fini(&text);
}

static void answered(struct session *s, const struct sasl_result *a)
{
	switch (a->status) {
	case AUTH_CONTINUE:
		challenge(s, a->challenge);
		return;
	case AUTH_OK:
		s->sasl_user = xstrndup(a->user.p ? a->user.p : "", a->user.n);
		leave(s);
		session_reply(s, 235, "2.7.0", "Authentication successful");
		return;
	case AUTH_FAIL:
	case AUTH_REFUSED:
		log_failure(s, a);
		session_reply(s, 535, "5.7.8", "Error: authentication failed: %.*s",
			      SPAN_ARG(a->status == AUTH_REFUSED && a->text.n ? a->text :
				       SPAN_LIT("authentication failure")));
		break;
	default:
		log_warn("%s: SASL %s authentication failed: Temporary authentication failure: %.*s", s->namaddr,
			 s->sasl_method, SPAN_ARG(a->text));
		session_reply(s, 454, "4.7.0", "Temporary authentication failure");
		break;
	}
	forget_method(s);
}

static void on_answer(void *arg, const struct sasl_result *r)
{
	struct session *s = arg;

	session_resume(s);
	answered(s, r);
	session_run(s);
}

static void away(struct session *s)
{
	answered(s, &(struct sasl_result){ .status = AUTH_TEMP,
		.text = SPAN_LIT("Connection lost to authentication server") });
}

static void start(struct session *s, const struct span *initial)
{
	struct sasl_peer peer = {
		.service = "smtp", .remote_addr = span_z(s->client_addr), .local_addr = span_z(s->local_addr),
		.local_name = span_z(s->svc->global.myhostname), .is_secure = s->tls || s->is_local,
	};

	s->mode = SESSION_AUTH;
	s->exchange = xnew(struct sasl_exchange);
	if (sasl_begin(s->exchange, &s->srv->sasl, span_z(s->sasl_method), initial, &peer, on_answer, s) < 0)
		away(s);
	else
		s->pending = true;
}

/* Decodes the first response that came with the command, and begins. */
static void begin(struct session *s)
{
	struct str bytes = STR_INIT(SASL_DATA_MAX);
	struct span initial;

	if (s->held_initial && sasl_decode(&bytes, span_z(s->held_initial), true) < 0) {
		session_reply(s, 501, "5.5.2", "Error: invalid base64");
		forget_method(s);
	} else {
		initial = str_span(&bytes);
		start(s, s->held_initial ? &initial : NULL);
	}
	if (s->held_initial)
		explicit_bzero(s->held_initial, strlen(s->held_initial));
	free(s->held_initial);
	s->held_initial = NULL;
	explicit_bzero(bytes.p, bytes.n);
	str_fini(&bytes);
}

static void on_rate(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	struct session *s = arg;

	session_resume(s);
	if (session_over_limit(s, rc, reply, s->svc->conf.smtpd_client_auth_rate_limit, "AUTH command rate")) {
		session_reply(s, 450, "4.7.1", "Error: too many AUTH commands from %s", s->client_addr);
		free(s->held_initial);
		s->held_initial = NULL;
		forget_method(s);
	} else {
		begin(s);
	}
	session_run(s);
}

void cmd_auth(struct session *s, struct span args)
{
	const struct sasl_mech *m;
	struct span name, initial, extra;
	bool has_initial;

	if (!s->svc->conf.smtpd_sasl_auth_enable || !s->esmtp) {
		session_reply(s, 503, "5.5.1", "Error: authentication not enabled");
	} else if (s->sasl_user) {
		session_reply(s, 503, "5.5.1", "Error: already authenticated");
	} else if (needs_tls(s)) {
		session_reply(s, 538, "5.7.11", "Encryption required for requested authentication mechanism");
	} else if (!ipc_is_attached(&s->srv->sasl.ipc)) {
		session_reply(s, 454, "4.7.0", "Temporary authentication failure");
	} else if (!span_word(&args, " \t", &name)) {
		session_reply(s, 501, "5.5.4", "Syntax: AUTH mechanism");
	} else if (!(m = sasl_mech(&s->srv->sasl, name)) || !is_enabled(s)) {
		session_reply(s, 504, "5.5.4", "Error: authentication mechanism not supported");
	} else if (m->is_plaintext && !may_plaintext(s)) {
		session_reply(s, 538, "5.7.11", "Encryption required for requested authentication mechanism");
	} else if ((has_initial = span_word(&args, " \t", &initial)) && span_word(&args, " \t", &extra)) {
		session_reply(s, 501, "5.5.4", "Syntax: AUTH mechanism");
	} else {
		s->sasl_method = xstrdup(m->name);
		if (has_initial)
			s->held_initial = xstrndup(initial.p, initial.n);
		if (!session_event(s, ANVIL_AUTH, s->svc->conf.smtpd_client_auth_rate_limit, on_rate))
			begin(s);
	}
}

static void give_up(struct session *s, const char *dsn, const char *text)
{
	sasl_abort(s->exchange);
	session_reply(s, 501, dsn, "%s", text);
	forget_method(s);
}

static void respond(struct session *s, struct span line)
{
	struct str bytes = STR_INIT(SASL_DATA_MAX);

	if (span_eqz(line, "*"))
		give_up(s, "5.7.0", "Authentication aborted");
	else if (sasl_decode(&bytes, line, false) < 0)
		give_up(s, "5.5.2", "Error: invalid base64");
	else if (sasl_step(s->exchange, str_span(&bytes)) < 0)
		away(s);
	else
		s->pending = true;
	explicit_bzero(bytes.p, bytes.n);
	str_fini(&bytes);
}

enum io_rc cmd_auth_step(struct session *s)
{
	struct span line;
	enum io_rc rc = stream_getline(&s->io, (size_t)s->svc->conf.smtpd_sasl_response_limit, &line, NULL);

	if (rc == IO_TOOLONG) {
		sasl_abort(s->exchange);
		forget_method(s);
		s->skip_line = s->skip_auth = true;
		return IO_OK;
	}
	if (rc != IO_OK)
		return rc;
	s->rearm = true;
	respond(s, line);
	return IO_OK;
}
