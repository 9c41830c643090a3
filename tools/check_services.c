#include <arpa/inet.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/clock.h"
#include "conf/cidr.h"
#include "conf/nearest.h"
#include "conf/param.h"
#include "conf/params.h"
#include "conf/source.h"
#include "smtpd/service.h"
#include "tls/tls.h"
#include "tools/check.h"

#define PEM_MAX (1 << 20)

struct told {
	const struct conf *layer;
	struct conf_errors *errors;
};

/* Where smtpd's certificate comes from: its own parameter, or the one for all. */
static const char *cert_param(const struct conf *layer)
{
	const struct conf_value *v = conf_find(layer, "smtpd_tls_cert_file");

	return v && v->file ? "smtpd_tls_cert_file" : "ssl_cert";
}

/* A sentence of TLS names no parameter. */
static void on_wrong(void *arg, const char *text)
{
	const struct told *t = arg;
	struct span name, rest;
	char z[100];

	span_cut(span_z(text), ':', &name, &rest);
	snprintf(z, sizeof(z), "%.*s", SPAN_ARG(name));
	if (param_find(z))
		check_told(t->layer, text, t->errors);
	else
		conf_error_once(t->errors, arena_printf(&t->errors->arena, "%s: %s",
							check_where(t->layer, cert_param(t->layer), t->errors), text));
}

/* 0, or -1 when a file could not be read, which has been told. */
static int read_pem(const struct told *t, const char *name, const char *const *files, size_t n, struct str *pem)
{
	struct err err;
	size_t i;

	for (i = 0; i < n; i++) {
		if (files[i][0] == '\0' || strcmp(files[i], "none") == 0)
			continue;
		if (source_slurp(pem, files[i], &err) == 0 && str_addc(pem, '\n') == 0)
			continue;
		conf_error_once(t->errors, arena_printf(&t->errors->arena, "%s: %s", check_where(t->layer, name, t->errors),
							err.msg));
		return -1;
	}
	return 0;
}

/* read_pem of certificates with their keys, whose dates are looked at. */
static int read_certs(const struct told *t, const char *name, const char *const *files, size_t n, struct str *pem)
{
	size_t i;

	for (i = 0; i < n; i++) {
		size_t before = pem->n;
		struct err err;

		if (i > 0 && strcmp(files[i], files[i - 1]) == 0)
			continue;
		if (read_pem(t, name, files + i, 1, pem) < 0)
			return -1;
		if (tls_check_dates(span_from(str_span(pem), before), (int64_t)(clock_wall_ms() / 1000), &err) < 0)
			conf_error_once(t->errors, arena_printf(&t->errors->arena, CONF_WARNING "%s: %s: %s",
								check_where(t->layer, name, t->errors), files[i], err.msg));
	}
	return 0;
}

static void check_smtpd(const struct conf *layer, const char *service, struct conf_errors *errors)
{
	struct told t = { layer, errors };
	struct str pem = STR_INIT(PEM_MAX), ca = STR_INIT(PEM_MAX);
	struct service_keys keys = { SPAN_NULL, SPAN_NULL, SPAN_NULL };
	struct arena a = { 0 };
	struct smtpd_conf c;
	struct err err;

	if (smtpd_conf_read(&c, layer, &a, &err) == 0) {
		const char *const pair[] = { c.smtpd_tls_cert_file, c.smtpd_tls_key_file };
		int rc = c.smtpd_tls_chain_files.n ?
			read_certs(&t, "smtpd_tls_chain_files", c.smtpd_tls_chain_files.v, c.smtpd_tls_chain_files.n, &pem) :
			read_certs(&t, cert_param(layer), pair, c.smtpd_tls_cert_file[0] ? 2 : 0, &pem);

		rc |= read_pem(&t, "smtpd_tls_CAfile", (const char *const[]){ c.smtpd_tls_CAfile }, 1, &ca);
		if (rc == 0)
			keys = (struct service_keys){ .pem = str_span(&pem), .client_ca = str_span(&ca) };
		/* without its certificate a service is told of elsewhere */
		if (rc == 0 && (pem.n > 0 || !c.smtpd_tls_wrappermode))
			service_check(service, layer, &keys, on_wrong, &t);
	}
	if (pem.n)
		explicit_bzero(pem.p, pem.n);
	str_fini(&pem);
	str_fini(&ca);
	arena_fini(&a);
}

static void check_login(const struct conf *layer, struct conf_errors *errors)
{
	struct told t = { layer, errors };
	struct str pem = STR_INIT(PEM_MAX);
	struct arena a = { 0 };
	struct login_conf c;
	struct cidr net;
	struct err err;
	size_t i;

	if (login_conf_read(&c, layer, &a, &err) == 0) {
		const char *const pair[] = { c.ssl_cert, c.ssl_key };
		struct tls_params p = {
			.min_protocol = c.ssl_min_protocol == SSL_MIN_PROTOCOL_TLSV1_3 ? "TLSv1.3" : "TLSv1.2",
			.ciphers = c.ssl_cipher_list, .ciphersuites = c.ssl_cipher_suites,
		};
		struct tls_ctx *ctx = NULL;

		for (i = 0; i < c.login_trusted_networks.n; i++)
			if (cidr_parse(&net, span_z(c.login_trusted_networks.v[i]), &err) < 0)
				check_told(layer, arena_printf(&a, "login_trusted_networks: %s", err.msg), errors);
		if (c.ssl_cert[0] && c.ssl != SSL_NO && read_certs(&t, "ssl_cert", pair, 2, &pem) == 0) {
			p.pem = str_span(&pem);
			if (!(ctx = tls_ctx_new(&p, &err)))
				check_told(layer, arena_printf(&a, "ssl_cert: %s: %s", c.ssl_cert, err.msg), errors);
			tls_ctx_unref(&ctx);
		}
	}
	if (pem.n)
		explicit_bzero(pem.p, pem.n);
	str_fini(&pem);
	arena_fini(&a);
}

void check_starts(const struct conf *c, const struct mastercf *m, struct conf_errors *errors)
{
	struct conf layer;
	size_t i;

	for (i = 0; i < m->n; i++) {
		check_overlay(&layer, c, m, &m->v[i]);
		if (strcmp(m->v[i].command, "smtpd") == 0)
			check_smtpd(&layer, m->v[i].name, errors);
		else if (strcmp(m->v[i].command, "login") == 0)
			check_login(&layer, errors);
		conf_fini(&layer);
	}
}

/* Lists of words of which a misspelt one goes unheeded. */
static const struct {
	const char *name, *words;
} lists[] = {
	{ "allow_mail_to_commands", "alias forward include" },
	{ "allow_mail_to_files", "alias forward include" },
	{ "notify_classes", "2bounce bounce data delay policy protocol resource software" },
	{ "parent_domain_matches_subdomains", "debug_peer_list fast_flush_domains mynetworks permit_mx_backup_networks "
	  "postscreen_access_list qmqpd_authorized_clients relay_domains smtpd_access_maps smtpd_client_event_limit_exceptions "
	  "transport_maps" },
	{ "prepend_delivered_header", "command file forward" },
	{ "propagate_unmatched_extensions", "alias canonical forward generic include virtual" },
};

static void check_word(const char *where, const char *word, const char *known, struct conf_errors *errors)
{
	struct str hint = STR_INIT(200);
	struct arena a = { 0 };
	struct nearest n;
	struct span rest = span_z(known), one;
	bool found = false;

	nearest_init(&n, word);
	while (!found && span_word(&rest, " ", &one)) {
		found = span_eq_nocase(one, word);
		nearest_offer(&n, arena_strndup(&a, one.p, one.n));
	}
	if (!found)
		conf_error(errors, "%s: '%s' is none of %s%s", where, word, known, nearest_hint(&n, &hint));
	str_fini(&hint);
	arena_fini(&a);
}

/* resolve takes an address, or address@port. */
static bool is_server(const char *text)
{
	unsigned char ip[16];
	char z[100];

	snprintf(z, sizeof(z), "%.*s", (int)strcspn(text, "@"), text);
	return inet_pton(AF_INET, z, ip) == 1 || inet_pton(AF_INET6, z, ip) == 1;
}

void check_words(const struct conf *c, struct conf_errors *errors)
{
	struct arena a = { 0 };
	struct conf_list list;
	struct err err;
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(lists); i++) {
		if (param_read(param_find(lists[i].name), c, &list, &a, &err) < 0)
			continue;
		for (k = 0; k < list.n; k++)
			check_word(check_where(c, lists[i].name, errors), list.v[k], lists[i].words, errors);
	}
	if (param_read(param_find("resolve_dns_server"), c, &list, &a, &err) == 0) {
		for (k = 0; k < list.n; k++)
			if (!is_server(list.v[k]))
				conf_error(errors, "%s: '%s' is neither an address nor address@port",
					   check_where(c, "resolve_dns_server", errors), list.v[k]);
	}
	arena_fini(&a);
}
