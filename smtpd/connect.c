#include <string.h>

#include "base/log.h"
#include "smtpd/cmd.h"
#include "smtpd/restrict_run.h"
#include "smtpd/session.h"
#include "svc/msg_anvil.h"
#include "svc/msg_resolve.h"

static void set_namaddr(struct session *s)
{
	s->namaddr = s->svc->conf.smtpd_client_port_logging ?
		arena_printf(&s->arena, "%s[%s]:%u", s->client_name, s->client_addr, s->client_port) :
		arena_printf(&s->arena, "%s[%s]", s->client_name, s->client_addr);
}

static void refuse(struct session *s, const char *limit, uint64_t n)
{
	log_warn("%s limit exceeded: %llu from %s for service %s", limit, (unsigned long long)n, s->namaddr,
		 s->svc->name);
	session_reply(s, 421, "4.7.0", "%s Error: too many connections from %s", s->svc->global.myhostname,
		      s->client_addr);
	session_close(s);
}

static void welcome(struct session *s)
{
	if (s->svc->conf.smtpd_tls_wrappermode) {
		s->where = "CONNECT";
		s->mode = SESSION_STARTTLS;
	} else {
		connect_greet(s);
	}
}

static void on_counts(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	const struct anvil_counts *c = reply;
	struct session *s = arg;
	const struct smtpd_conf *conf = &s->svc->conf;

	session_resume(s);
	s->in_anvil = rc == IPC_OK;
	if (s->in_anvil && conf->smtpd_client_connection_count_limit &&
	    c->count > conf->smtpd_client_connection_count_limit)
		refuse(s, "Connection concurrency", c->count);
	else if (s->in_anvil && conf->smtpd_client_connection_rate_limit &&
		 c->rate > conf->smtpd_client_connection_rate_limit)
		refuse(s, "Connection rate", c->rate);
	else
		welcome(s);
	session_run(s);
}

/* The name is known: the log hears of the client, anvil counts it. */
static void connected(struct session *s)
{
	const struct smtpd_conf *conf = &s->svc->conf;
	struct anvil_connect m = { span_z(s->ident) };

	set_namaddr(s);
	s->is_trusted = s->unix_user || netlist_match(&s->svc->mynetworks, s->client_name, s->client_addr);
	s->is_exempt = s->unix_user || netlist_match(&s->svc->event_exceptions, s->client_name, s->client_addr);
	log_info("connect from %s", s->namaddr);
	if (!s->is_exempt && (conf->smtpd_client_connection_count_limit || conf->smtpd_client_connection_rate_limit) &&
	    session_call(s, &s->srv->anvil, &anvil_connect_desc, &m, &anvil_counts_desc, on_counts) == 0)
		return;
	welcome(s);
}

static void on_name(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	const struct ptr_name *n = reply;
	struct session *s = arg;

	session_resume(s);
	if (rc == IPC_OK) {
		s->name_status = (uint8_t)n->status;
		s->reverse_status = (uint8_t)n->reverse_status;
		if (n->status == MSG_OK && n->name.n)
			s->client_name = arena_strndup(&s->arena, n->name.p, n->name.n);
		if (n->reverse_status == MSG_OK && n->reverse.n)
			s->client_reverse = arena_strndup(&s->arena, n->reverse.p, n->reverse.n);
	}
	connected(s);
	session_run(s);
}

void connect_begin(struct session *s)
{
	struct ptr_query q = { span_z(s->client_addr) };

	if (s->unix_user) {
		s->client_name = s->client_reverse = "localhost";
		s->name_status = s->reverse_status = MSG_OK;
	} else if (s->svc->conf.smtpd_peername_lookup &&
		   session_call(s, &s->srv->resolve, &ptr_query_desc, &q, &ptr_name_desc, on_name) == 0) {
		return;
	}
	connected(s);
}

static void greet_done(struct session *s, const char *reply)
{
	s->mode = SESSION_COMMAND;
	if (reply) {
		session_reject(s, NULL, reply);
		s->is_denied = true;
		return;
	}
	/* smtpd_banner begins with the host name, so there is no status code */
	session_reply(s, 220, NULL, "%s", s->svc->conf.smtpd_banner);
}

void connect_greet(struct session *s)
{
	s->where = "CONNECT";
	if (s->svc->conf.smtpd_delay_reject)
		greet_done(s, NULL);
	else
		restrict_run_start(s, 1u << RESTRICT_CLIENT, NULL, greet_done);
}
