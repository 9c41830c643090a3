#include <string.h>

#include "base/log.h"
#include "smtpd/cmd.h"
#include "smtpd/session.h"
#include "svc/msg_anvil.h"

static void ready(struct session *s)
{
	/* RFC 3207 section 4.2: what came in clear behind STARTTLS is thrown away, never read as commands */
	session_reply(s, 220, "2.0.0", "Ready to start TLS");
	s->mode = SESSION_STARTTLS;
}

static void on_rate(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	struct session *s = arg;

	session_resume(s);
	if (session_over_limit(s, rc, reply, s->svc->conf.smtpd_client_new_tls_session_rate_limit,
			       "New TLS session rate")) {
		session_reply(s, 454, "4.7.0", "Error: too many new TLS sessions from %s", s->client_addr);
		s->mode = SESSION_COMMAND;
	} else {
		ready(s);
	}
	session_run(s);
}

void cmd_starttls(struct session *s, struct span args)
{
	if (args.n)
		session_reply(s, 501, "5.5.4", "Syntax: STARTTLS");
	else if (s->tls)
		session_reply(s, 554, "5.5.1", "Error: TLS already active");
	else if (!s->svc->tls_offered || (s->svc->ehlo_off & SERVICE_EHLO_STARTTLS) || s->unix_user)
		session_reply(s, 502, "5.5.1", "Error: command not implemented");
	else if (!s->svc->tls)
		session_reply(s, 454, "4.7.0", "TLS not available due to local problem");
	else if (!session_event(s, ANVIL_NEWTLS, s->svc->conf.smtpd_client_new_tls_session_rate_limit, on_rate))
		ready(s);
}

enum io_rc cmd_starttls_step(struct session *s)
{
	struct err err = ERR_INIT;
	enum io_rc rc = stream_flush(&s->io, &err);

	if (rc != IO_OK)
		return rc;
	stream_drop_input(&s->io);
	if (tls_accept(&s->io, s->svc->tls, &err) < 0) {
		log_warn("TLS cannot start for %s: %s", s->namaddr, err.msg);
		return IO_ERR;
	}
	s->mode = SESSION_HANDSHAKE;
	s->rearm = true;
	return IO_OK;
}

static void established(struct session *s)
{
	struct tls_info info;

	tls_info(&s->io, &info);
	s->tls = arena_printf(&s->arena, "%s with cipher %s (%d/%d bits)", info.protocol, info.cipher, info.bits,
		info.alg_bits);
	if (info.has_client_cert && info.is_client_trusted)
		s->ccert = arena_strdup(&s->arena, info.client_fingerprint);
	if (s->svc->conf.smtpd_tls_loglevel > 0)
		log_info("%s TLS connection established from %s: %s",
			 s->ccert ? "Trusted" : info.has_client_cert ? "Untrusted" :
			 "Anonymous", s->namaddr, s->tls);
	session_forget(s);
	s->mode = SESSION_COMMAND;
	s->rearm = true;
	if (s->svc->conf.smtpd_tls_req_ccert && s->svc->tls_enforced && !s->ccert) {
		session_reply(s, 421, "4.7.1", "%s Error: TLS client certificate required", s->svc->global.myhostname);
		session_close(s);
	} else if (s->svc->conf.smtpd_tls_wrappermode) {
		connect_greet(s);
	} else {
		tls_acknowledge(&s->io);
	}
}

enum io_rc cmd_starttls_handshake(struct session *s)
{
	struct err err = ERR_INIT;
	enum io_rc rc = tls_handshake(&s->io, &err);

	if (rc == IO_OK)
		established(s);
	else if (rc == IO_ERR)
		log_info("SSL_accept error from %s: %s", s->namaddr, err.msg);
	return rc;
}
