#include "smtpd/service.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const struct {
	const char *name;
	unsigned bit;
} ehlo_words[] = {
	{ "pipelining", SERVICE_EHLO_PIPELINING }, { "size", SERVICE_EHLO_SIZE }, { "vrfy", SERVICE_EHLO_VRFY },
	{ "starttls", SERVICE_EHLO_STARTTLS }, { "auth", SERVICE_EHLO_AUTH }, { "dsn", SERVICE_EHLO_DSN },
	{ "8bitmime", SERVICE_EHLO_8BITMIME }, { "smtputf8", SERVICE_EHLO_SMTPUTF8 },
	{ "chunking", SERVICE_EHLO_CHUNKING },
	{ "enhancedstatuscodes", SERVICE_EHLO_STATUS }, { "etrn", 0 }, { "xclient", 0 }, { "xforward", 0 },
	{ "silent-discard", 0 },
}, rewrite_words[] = {
	{ "permit_inet_interfaces", SERVICE_REWRITE_INET }, { "permit_mynetworks", SERVICE_REWRITE_NETWORKS },
	{ "permit_sasl_authenticated", SERVICE_REWRITE_SASL }, { "permit_tls_all_clientcerts", SERVICE_REWRITE_CCERTS },
};

static int read_ehlo(struct service *svc, struct err *err)
{
	const struct conf_list *l = &svc->conf.smtpd_discard_ehlo_keywords;
	size_t i, k;

	for (i = 0; i < l->n; i++) {
		for (k = 0; k < ARRAY_LEN(ehlo_words) && strcasecmp(l->v[i], ehlo_words[k].name) != 0; k++)
			;
		if (k == ARRAY_LEN(ehlo_words))
			return err_set(err, ERR_CONF, "smtpd_discard_ehlo_keywords: unknown word '%s'", l->v[i]);
		svc->ehlo_off |= ehlo_words[k].bit;
	}
	if (!svc->global.smtputf8_enable)
		svc->ehlo_off |= SERVICE_EHLO_SMTPUTF8;
	if (svc->conf.disable_vrfy_command)
		svc->ehlo_off |= SERVICE_EHLO_VRFY;
	return 0;
}

static int read_rewrite(struct service *svc, struct err *err)
{
	const struct conf_list *l = &svc->conf.local_header_rewrite_clients;
	size_t i, k;

	for (i = 0; i < l->n; i++) {
		for (k = 0; k < ARRAY_LEN(rewrite_words) && strcasecmp(l->v[i], rewrite_words[k].name) != 0; k++)
			;
		if (k == ARRAY_LEN(rewrite_words))
			return err_set(err, ERR_CONF, "local_header_rewrite_clients: '%s' is not supported", l->v[i]);
		svc->rewrite |= rewrite_words[k].bit;
	}
	return 0;
}

static int read_lists(struct service *svc, struct err *err)
{
	const struct conf_list *lists[RESTRICT_LISTS] = {
		&svc->conf.smtpd_client_restrictions, &svc->conf.smtpd_helo_restrictions,
		&svc->conf.smtpd_sender_restrictions, &svc->conf.smtpd_relay_restrictions,
		&svc->conf.smtpd_recipient_restrictions, &svc->conf.smtpd_data_restrictions,
		&svc->conf.smtpd_end_of_data_restrictions,
	};
	size_t i;

	for (i = 0; i < RESTRICT_LISTS; i++) {
		if (restrict_compile(&svc->lists[i], &svc->arena, svc->layer, restrict_list_name(i), lists[i], err) < 0)
			return -1;
	}
	return 0;
}

static int read_networks(struct service *svc, struct err *err)
{
	struct arena *a = &svc->arena;

	return netlist_compile(&svc->mynetworks, a, "mynetworks", &svc->global.mynetworks, err) < 0 ||
	       netlist_compile(&svc->event_exceptions, a, "smtpd_client_event_limit_exceptions",
			       &svc->conf.smtpd_client_event_limit_exceptions, err) < 0 ||
	       netlist_compile(&svc->newline_exclusions, a, "smtpd_forbid_bare_newline_exclusions",
			       &svc->conf.smtpd_forbid_bare_newline_exclusions, err) < 0 ||
	       netlist_compile(&svc->auth_exceptions, a, "smtpd_sasl_exceptions_networks",
			       &svc->conf.smtpd_sasl_exceptions_networks, err) < 0 ? -1 : 0;
}

enum { TLS_12 = 1, TLS_13 = 2, TLS_BOTH = 3 };

/* The versions that word names, with those before TLS 1.2, which are never used, left out; -1 for another word. */
static int versions_of(const char *word)
{
	static const struct {
		const char *name;
		int bits, above;        /* it, and it with all later ones */
	} names[] = {
		{ "SSLv2", 0, TLS_BOTH }, { "SSLv3", 0, TLS_BOTH }, { "TLSv1", 0, TLS_BOTH },
		{ "TLSv1.1", 0, TLS_BOTH },
		{ "TLSv1.2", TLS_12, TLS_BOTH }, { "TLSv1.3", TLS_13, TLS_13 },
	};
	bool is_min = strncmp(word, ">=", 2) == 0, is_max = strncmp(word, "<=", 2) == 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		if (strcasecmp(word + (is_min || is_max ? 2 : 0), names[i].name) == 0)
			return is_min ? names[i].above : is_max ? (TLS_BOTH & ~names[i].above) | names[i].bits :
			       names[i].bits;
	}
	return -1;
}

/* Postfix's list: "!version" takes away, ">=" and "<=" are bounds, versions alone are all that remains. */
static int read_protocols(struct tls_params *p, const char *name, const char *value, struct err *err)
{
	int left = TLS_BOTH, named = 0;
	bool has_names = false;
	struct span rest = span_z(value), word;
	char z[16];

	while (span_word(&rest, " \t\r\n,:", &word)) {
		bool is_not = word.p[0] == '!';
		int bits;

		snprintf(z, sizeof(z), "%.*s", (int)(word.n - is_not), word.p + is_not);
		bits = versions_of(z);
		if (bits < 0)
			return err_set(err, ERR_CONF, "%s: unknown version '%.*s'", name, SPAN_ARG(word));
		if (is_not)
			left &= ~bits;
		else if (z[0] == '>' || z[0] == '<')
			left &= bits;
		else
			named |= bits;
		has_names |= !is_not && z[0] != '>' && z[0] != '<';
	}
	left &= has_names ? named : TLS_BOTH;
	if (left == 0)
		return err_set(err, ERR_CONF, "%s = %s leaves neither TLSv1.2 nor TLSv1.3", name, value);
	p->min_protocol = left & TLS_12 ? "TLSv1.2" : "TLSv1.3";
	p->max_protocol = left & TLS_13 ? "TLSv1.3" : "TLSv1.2";
	return 0;
}

static int add_excluded(struct str *out, const struct conf_list *l)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < l->n; i++)
		rc |= str_addf(out, ":!%s", l->v[i]);
	return rc;
}

static int read_ciphers(struct service *svc, struct tls_params *p, struct err *err)
{
	const struct smtpd_conf *conf = &svc->conf;
	bool is_high = svc->tls_enforced ? conf->smtpd_tls_mandatory_ciphers == SMTPD_TLS_MANDATORY_CIPHERS_HIGH :
					   conf->smtpd_tls_ciphers == SMTPD_TLS_CIPHERS_HIGH;
	struct str list = STR_INIT(10000);
	int rc = str_addf(&list, "%s:!aNULL:!eNULL", is_high ? conf->tls_high_cipherlist : conf->tls_medium_cipherlist);

	rc |= add_excluded(&list, &conf->smtpd_tls_exclude_ciphers);
	if (svc->tls_enforced)
		rc |= add_excluded(&list, &conf->smtpd_tls_mandatory_exclude_ciphers);
	if (rc == 0)
		p->ciphers = arena_strdup(&svc->arena, list.p);
	str_fini(&list);
	p->prefers_server_ciphers = conf->tls_preempt_cipherlist;
	return rc == 0 ? 0 : err_set(err, ERR_CONF, "the list of TLS ciphers is too long");
}

static int read_tls(struct service *svc, const struct service_keys *keys, struct err *err)
{
	const struct smtpd_conf *conf = &svc->conf;
	enum smtpd_tls_security_level level = conf->smtpd_tls_security_level;
	struct tls_params p = { .pem = keys->pem, .alpn = "smtp", .client_ca_pem = keys->client_ca,
				.ticket_key = keys->ticket_key,
				.wants_client_cert = conf->smtpd_tls_ask_ccert || conf->smtpd_tls_req_ccert };
	int rc;

	svc->tls_enforced = level == SMTPD_TLS_SECURITY_LEVEL_ENCRYPT || conf->smtpd_tls_wrappermode;
	svc->tls_offered = level != SMTPD_TLS_SECURITY_LEVEL_NONE && !conf->smtpd_tls_wrappermode &&
			   (keys->pem.n > 0 || level != SMTPD_TLS_SECURITY_LEVEL_UNSET);
	rc = svc->tls_enforced ?
		read_protocols(&p, "smtpd_tls_mandatory_protocols", conf->smtpd_tls_mandatory_protocols, err) :
		read_protocols(&p, "smtpd_tls_protocols", conf->smtpd_tls_protocols, err);
	if (rc < 0 || read_ciphers(svc, &p, err) < 0)
		return -1;
	if (keys->pem.n == 0)
		return conf->smtpd_tls_wrappermode ?
			err_set(err, ERR_CONF, "service %s: smtpd_tls_wrappermode needs smtpd_tls_cert_file",
				svc->name) : 0;
	svc->tls = tls_ctx_new(&p, err);
	return svc->tls ? 0 : err_wrap(err, "TLS with %s", conf->smtpd_tls_chain_files.n ?
				       conf->smtpd_tls_chain_files.v[0] : conf->smtpd_tls_cert_file);
}

struct service *service_new(const char *name, const struct conf *layer, const struct service_keys *keys,
			    struct err *err)
{
	struct service *svc = xnew(struct service);
	struct auth_conf auth;

	svc->refs = 1;
	svc->layer = layer;
	svc->name = arena_strdup(&svc->arena, name);
	if (smtpd_conf_read(&svc->conf, layer, &svc->arena, err) < 0 ||
	    global_conf_read(&svc->global, layer, &svc->arena, err) < 0 ||
	    auth_conf_read(&auth, layer, &svc->arena, err) < 0 || read_ehlo(svc, err) < 0 ||
	    read_rewrite(svc, err) < 0 ||
	    read_lists(svc, err) < 0 || read_networks(svc, err) < 0 || read_tls(svc, keys, err) < 0) {
		service_unref(&svc);
		return NULL;
	}
	svc->log_name = arena_printf(&svc->arena, "%s/smtpd:", svc->global.syslog_name);
	svc->plaintext_ok = !auth.disable_plaintext_auth || auth.auth_allow_cleartext;
	return svc;
}

struct service *service_ref(struct service *svc)
{
	svc->refs++;
	return svc;
}

void service_own(struct service *svc, struct conf **layer, struct conf *base)
{
	svc->own_layer = *layer;
	*layer = NULL;
	svc->own_base = conf_ref(base);
}

void service_unref(struct service **svc)
{
	struct service *x = *svc;

	*svc = NULL;
	if (!x || --x->refs > 0)
		return;
	tls_ctx_unref(&x->tls);
	arena_fini(&x->arena);
	conf_unref(&x->own_layer);
	conf_unref(&x->own_base);
	free(x);
}
