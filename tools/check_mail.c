#include <errno.h>
#include <unistd.h>

#include "auth/mechs.h"
#include "conf/nearest.h"
#include "conf/params.h"
#include "proto/pop3.h"
#include "proto/restrict.h"
#include "store/folder.h"
#include "store/mail_location.h"
#include "tools/check.h"

static const char *const services[] = { "pop3", "pop3s", "imap", "imaps" };

void check_limits(const struct conf *c, struct conf_errors *errors)
{
	struct arena a = { 0 };
	struct global_conf g;
	struct local_conf l;
	struct err err;

	if (global_conf_read(&g, c, &a, &err) == 0 && local_conf_read(&l, c, &a, &err) == 0) {
		if (l.mailbox_size_limit && (!g.message_size_limit || l.mailbox_size_limit < g.message_size_limit))
			conf_error(errors,
				   "warning: %s: a mailbox may be smaller than one message (message_size_limit): large "
			           "messages are accepted and then returned",
				   check_where(c, "mailbox_size_limit", errors));
		if (l.virtual_mailbox_limit &&
		    (!g.message_size_limit || l.virtual_mailbox_limit < g.message_size_limit))
			conf_error(errors,
				   "warning: %s: a mailbox may be smaller than one message (message_size_limit)",
			           check_where(c, "virtual_mailbox_limit", errors));
		if (*l.home_mailbox && l.home_mailbox[strlen(l.home_mailbox) - 1] != '/')
			conf_error(errors, "warning: %s: '%s' does not end with '/': IMAP and POP3 do not read an mbox file",
			           check_where(c, "home_mailbox", errors), l.home_mailbox);
		if (g.virtual_mailbox_domains.n && g.virtual_mailbox_maps.n && !*g.virtual_mailbox_base)
			conf_error(errors, "%s: virtual_mailbox_base is not set",
				   check_where(c, "virtual_mailbox_domains", errors));
	}
	arena_fini(&a);
}

static void check_protocol(const struct conf *c, const char *name, struct conf_errors *errors)
{
	/* Dovecot's, of its packages too */
	static const char *const others[] = { "lmtp", "sieve", "submission", "managesieve", "doveadm", "none" };
	struct str hint = STR_INIT(200);
	struct nearest n;
	size_t i;

	nearest_init(&n, name);
	for (i = 0; i < ARRAY_LEN(services); i++) {
		if (strcasecmp(name, services[i]) == 0)
			return;
		nearest_offer(&n, services[i]);
	}
	for (i = 0; i < ARRAY_LEN(others) && strcasecmp(name, others[i]) != 0; i++)
		continue;
	if (i < ARRAY_LEN(others))
		conf_error(errors, "warning: %s: '%s' is not served; imap and pop3 are",
			   check_where(c, "protocols", errors), name);
	else
		conf_error(errors, "%s: unknown protocol '%s'%s", check_where(c, "protocols", errors), name,
			   nearest_hint(&n, &hint));
	str_fini(&hint);
}

/* What sessions of IMAP and POP3 would stumble over when somebody logs in. */
void check_mailboxes(const struct conf *c, struct conf_errors *errors)
{
	static const struct account someone = { .name = "user@example.com", .home = "/home/user" };
	struct mail_location where;
	struct arena a = { 0 };
	struct store_conf store;
	struct imapd_conf imapd;
	struct pop3d_conf pop3d;
	struct login_conf login;
	struct err err;
	size_t i;

	if (store_conf_read(&store, c, &a, &err) == 0 &&
	    mail_location_expand(&where, &someone, store.mail_location, &a, &err) < 0)
		conf_error(errors, "%s: %s", check_where(c, "mail_location", errors), err.msg);
	if (imapd_conf_read(&imapd, c, &a, &err) == 0 && folder_defaults_check(imapd.mailbox_defaults, &err) < 0)
		conf_error(errors, "%s: %s", check_where(c, "mailbox_defaults", errors), err.msg);
	if (pop3d_conf_read(&pop3d, c, &a, &err) == 0 && pop3_uidl_check(pop3d.pop3_uidl_format, &err) < 0)
		conf_error(errors, "%s: %s", check_where(c, "pop3_uidl_format", errors), err.msg);
	if (login_conf_read(&login, c, &a, &err) < 0)
		login.protocols.n = 0;
	for (i = 0; i < login.protocols.n; i++)
		check_protocol(c, login.protocols.v[i], errors);
	arena_fini(&a);
}

static bool decides(const struct conf_list *list)
{
	static const char *const words[] = { "reject_unauth_destination", "defer_unauth_destination", "reject", "defer",
		"defer_if_permit", "check_relay_domains" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(words); i++)
		if (conf_list_has(list, span_z(words[i])))
			return true;
	return false;
}

void check_relaying(const struct conf *c, const struct mastercf *m, struct conf_errors *errors)
{
	struct arena a = { 0 };
	struct smtpd_conf smtpd;
	struct conf layer;
	struct err err;
	size_t i;

	for (i = 0; i < m->n; i++) {
		if (strcmp(m->v[i].command, "smtpd") != 0)
			continue;
		check_overlay(&layer, c, m, &m->v[i]);
		if (restrict_check(&layer, &err) == 0 && smtpd_conf_read(&smtpd, &layer, &a, &err) == 0 &&
		    !decides(&smtpd.smtpd_relay_restrictions) && !decides(&smtpd.smtpd_recipient_restrictions))
			conf_error(errors,
				   "%s:%u: service '%s' would relay for everybody: neither "
				   "smtpd_relay_restrictions nor "
			           "smtpd_recipient_restrictions has reject_unauth_destination", m->file, m->v[i].line,
				   m->v[i].name);
		conf_fini(&layer);
	}
	arena_fini(&a);
}

/* A service of login is called after its protocol, or says which it speaks. */
void check_logins(const struct conf *c, const struct mastercf *m, struct conf_errors *errors)
{
	struct arena a = { 0 };
	struct login_conf login;
	struct conf layer;
	struct err err;
	size_t i, j;

	for (i = 0; i < m->n; i++) {
		if (strcmp(m->v[i].command, "login") != 0)
			continue;
		for (j = 0; j < ARRAY_LEN(services) && strcmp(m->v[i].name, services[j]) != 0; j++)
			continue;
		check_overlay(&layer, c, m, &m->v[i]);
		if (login_conf_read(&login, &layer, &a, &err) == 0 &&
		    j == ARRAY_LEN(services) && login.login_protocol != LOGIN_PROTOCOL_POP3 &&
		    login.login_protocol != LOGIN_PROTOCOL_IMAP)
			conf_error(errors,
				   "%s:%u: service '%s': which protocol? Name the service imap, imaps, pop3 or "
				   "pop3s, or say "
				   "-o login_protocol=imap", m->file, m->v[i].line, m->v[i].name);
		conf_fini(&layer);
	}
	arena_fini(&a);
}

/* Transports that something serves; for all others there is no agent yet, and mail waits. */
static bool is_served(struct span transport)
{
	static const char *const known[] = { "local", "virtual", "error", "retry", "discard" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(known) && !span_eqz(transport, known[i]); i++)
		;
	return i < ARRAY_LEN(known);
}

void check_agents(const struct conf *c, struct conf_errors *errors)
{
	static const char *const names[] = { "default_transport", "fallback_transport", "local_transport",
					     "mailbox_transport",
		"relay_transport", "relayhost", "virtual_transport" };
	struct str value = STR_INIT(65536);
	struct span transport, nexthop;
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		const struct conf_value *v = conf_find(c, names[i]);

		str_reset(&value);
		if (!v || !v->file || conf_expand_name(&value, c, names[i], &err) < 0)
			continue;
		span_cut(span_trim(str_span(&value)), ':', &transport, &nexthop);
		if (transport.n == 0)
			continue;
		if (strcmp(names[i], "relayhost") == 0)
			conf_error(errors,
				   "warning: %s: the SMTP client is not built in yet: mail for %s waits in the queue",
				   check_where(c, names[i], errors), value.p);
		else if (!is_served(transport))
			conf_error(errors, "warning: %s: no agent serves '%.*s' yet: mail for it waits in the queue",
			           check_where(c, names[i], errors), SPAN_ARG(transport));
	}
	str_fini(&value);
}

static void check_overlap(const struct conf *c, const char *name, const struct conf_list *list, const char *other,
                          const struct conf_list *others, struct conf_errors *errors)
{
	size_t i, j;

	for (i = 0; i < list->n; i++)
		for (j = 0; j < others->n; j++)
			if (strcasecmp(list->v[i], others->v[j]) == 0 && !strchr(list->v[i], ':'))
				conf_error(errors, "warning: %s: '%s' stands in %s too; a domain belongs to one class",
				           check_where(c, name, errors), list->v[i], other);
}

void check_domains(const struct conf *c, struct conf_errors *errors)
{
	struct arena a = { 0 };
	struct resolve_conf r;
	struct global_conf g;
	struct err err;

	if (global_conf_read(&g, c, &a, &err) == 0 && resolve_conf_read(&r, c, &a, &err) == 0) {
		check_overlap(c, "virtual_mailbox_domains", &g.virtual_mailbox_domains, "mydestination",
			      &g.mydestination, errors);
		check_overlap(c, "virtual_alias_domains", &g.virtual_alias_domains, "mydestination", &g.mydestination,
			      errors);
		check_overlap(c, "virtual_alias_domains", &g.virtual_alias_domains, "virtual_mailbox_domains",
		              &g.virtual_mailbox_domains, errors);
		check_overlap(c, "relay_domains", &r.relay_domains, "mydestination", &g.mydestination, errors);
		check_overlap(c, "relay_domains", &r.relay_domains, "virtual_mailbox_domains",
			      &g.virtual_mailbox_domains, errors);
		if (!strchr(g.myhostname, '.'))
			conf_error(errors, "warning: %s: '%s' is no full name: other servers will refuse it",
			           check_where(c, "myhostname", errors), g.myhostname);
	}
	arena_fini(&a);
}

/* What each source of passwords can answer: PAM sees the password only. */
static bool can_use(const char *mechanism, const char *source)
{
	static const char *const plain[] = { "plain", "login" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(plain); i++)
		if (strcasecmp(mechanism, plain[i]) == 0)
			return true;
	if (strncmp(source, "passwd-file:", 12) == 0)
		return true;
	return strcmp(source, "users") == 0;
}

/* The verifiers of the stored accounts tell more than the kinds of stores do. */
static void check_accounts(const struct conf *c, struct conf_errors *errors)
{
	struct settings s;
	struct passdb_chain chain;
	struct err err;

	if (settings_read(&s, c, geteuid() == 0, &err) < 0) {
		check_told(c, err.msg, errors);
		return;
	}
	if (passdb_open(&chain, &s, &err) < 0)
		check_told(c, err.msg, errors);
	else
		mechs_check(&chain, errors);
	passdb_close(&chain);
	settings_fini(&s);
}

void check_auth(const struct conf *c, struct conf_errors *errors)
{
	static const char *const known[] = { "plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256" };
	struct arena a = { 0 };
	struct auth_conf auth;
	struct err err;
	size_t i, j;
	bool found;

	if (auth_conf_read(&auth, c, &a, &err) < 0)
		auth = (struct auth_conf){ 0 };
	for (i = 0; i < auth.auth_mechanisms.n; i++) {
		for (j = 0, found = false; j < ARRAY_LEN(known); j++)
			found = found || strcasecmp(auth.auth_mechanisms.v[i], known[j]) == 0;
		if (!found) {
			conf_error(errors, "%s: '%s' is none of plain, login, cram-md5, scram-sha-1 and scram-sha-256",
			           check_where(c, "auth_mechanisms", errors), auth.auth_mechanisms.v[i]);
			continue;
		}
		for (j = 0, found = false; j < auth.auth_passdb.n; j++)
			found = found || can_use(auth.auth_mechanisms.v[i], auth.auth_passdb.v[j]);
		if (!found)
			conf_error(errors,
				   "warning: %s: no account can use %s: no source in auth_passdb has what it needs",
			           check_where(c, "auth_mechanisms", errors), auth.auth_mechanisms.v[i]);
	}
	for (i = 0; i < auth.auth_passdb.n; i++)
		if (strncmp(auth.auth_passdb.v[i], "passwd-file:", 12) == 0 &&
		    access(auth.auth_passdb.v[i] + 12, R_OK) < 0)
			conf_error(errors, "warning: %s: cannot read %s: %s", check_where(c, "auth_passdb", errors),
			           auth.auth_passdb.v[i] + 12, strerror(errno));
	arena_fini(&a);
	check_accounts(c, errors);
}
