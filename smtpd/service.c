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
	{ "8bitmime", SERVICE_EHLO_8BITMIME }, { "smtputf8", SERVICE_EHLO_SMTPUTF8 }, { "chunking", SERVICE_EHLO_CHUNKING },
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
		&svc->conf.smtpd_client_restrictions, &svc->conf.smtpd_helo_restrictions, &svc->conf.smtpd_sender_restrictions,
		&svc->conf.smtpd_relay_restrictions, &svc->conf.smtpd_recipient_restrictions, &svc->conf.smtpd_data_restrictions,
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

static int read_tls(struct service *svc, struct span pem, struct span ca, struct err *err)
{
	enum smtpd_tls_security_level level = svc->conf.smtpd_tls_security_level;
	struct tls_params p = { .pem = pem, .alpn = "smtp", .client_ca_pem = ca,
				.wants_client_cert = svc->conf.smtpd_tls_ask_ccert || svc->conf.smtpd_tls_req_ccert };

	svc->tls_enforced = level == SMTPD_TLS_SECURITY_LEVEL_ENCRYPT || svc->conf.smtpd_tls_wrappermode;
	svc->tls_offered = level != SMTPD_TLS_SECURITY_LEVEL_NONE && !svc->conf.smtpd_tls_wrappermode &&
			   (pem.n > 0 || level != SMTPD_TLS_SECURITY_LEVEL_UNSET);
	if (pem.n == 0)
		return svc->conf.smtpd_tls_wrappermode ?
			err_set(err, ERR_CONF, "service %s: smtpd_tls_wrappermode needs smtpd_tls_cert_file", svc->name) : 0;
	if (strstr(svc->tls_enforced ? svc->conf.smtpd_tls_mandatory_protocols : svc->conf.smtpd_tls_protocols, ">=TLSv1.3"))
		p.min_protocol = "TLSv1.3";
	svc->tls = tls_ctx_new(&p, err);
	return svc->tls ? 0 : -1;
}

struct service *service_new(const char *name, const struct conf *layer, struct span pem, struct span ca,
	struct err *err)
{
	struct service *svc = xnew(struct service);
	struct auth_conf auth;

	svc->refs = 1;
	svc->layer = layer;
	svc->name = arena_strdup(&svc->arena, name);
	if (smtpd_conf_read(&svc->conf, layer, &svc->arena, err) < 0 ||
	    global_conf_read(&svc->global, layer, &svc->arena, err) < 0 ||
	    auth_conf_read(&auth, layer, &svc->arena, err) < 0 || read_ehlo(svc, err) < 0 || read_rewrite(svc, err) < 0 ||
	    read_lists(svc, err) < 0 || read_networks(svc, err) < 0 || read_tls(svc, pem, ca, err) < 0) {
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

void service_unref(struct service **svc)
{
	struct service *x = *svc;

	*svc = NULL;
	if (!x || --x->refs > 0)
		return;
	tls_ctx_unref(&x->tls);
	arena_fini(&x->arena);
	free(x);
}
