#include "smtpd/service.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/nearest.h"

struct word_bit {
	const char *name;
	unsigned bit;
};

static const struct word_bit ehlo_words[] = {
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

/* Tables that stand in main.cf itself can be asked here; files are out of reach. */
static int read_words(struct service_words *w, struct arena *a, const char *name, const struct conf_list *list,
		      struct err *err)
{
	struct err why;
	size_t i;

	w->plain = list;
	w->maps = arena_alloc(a, (list->n + 1) * sizeof(*w->maps));
	for (i = 0; i < list->n; i++) {
		const char *colon = strchr(list->v[i], ':');

		if (!colon)
			continue;
		if (colon[1] != '{')
			return err_set(err, ERR_CONF, "%s: '%s': only tables within main.cf, as regexp:{{/x/ y}}, are "
				       "supported", name, list->v[i]);
		if (map_open(&w->maps[w->n_maps], list->v[i], &why) < 0)
			return err_set(err, ERR_CONF, "%s: %s", name, why.msg);
		w->n_maps++;
	}
	return 0;
}

static int read_commands(struct service *svc, struct err *err)
{
	const struct smtpd_conf *c = &svc->conf;

	return read_words(&svc->forbidden, &svc->arena, "smtpd_forbidden_commands", &c->smtpd_forbidden_commands,
			  err) < 0 ||
	       read_words(&svc->noop, &svc->arena, "smtpd_noop_commands", &c->smtpd_noop_commands, err) < 0 ? -1 : 0;
}

bool service_has_word(const struct service_words *w, struct span verb)
{
	struct str value = STR_INIT(MAP_VALUE_MAX);
	struct err ignored;
	bool found = conf_list_has(w->plain, verb);
	size_t i;

	for (i = 0; i < w->n_maps && !found; i++)
		found = map_get(w->maps[i], verb, &value, &ignored) == MAP_FOUND;
	str_fini(&value);
	return found;
}

static void close_words(struct service_words *w)
{
	while (w->n_maps > 0)
		map_close(&w->maps[--w->n_maps]);
}

static int unknown_word(const char *name, const char *word, struct nearest *n, struct err *err)
{
	struct str hint = STR_INIT(200);

	err_set(err, ERR_CONF, "%s: '%s' is not supported%s", name, word, nearest_hint(n, &hint));
	str_fini(&hint);
	return -1;
}

/* Words for mechanisms that auth does not have would go unheeded. */
static int check_security(const char *name, const struct conf_list *l, struct err *err)
{
	static const char *const known[] = { "noplaintext", "noanonymous" };
	struct nearest n;
	size_t i;

	for (i = 0; i < l->n; i++) {
		if (strcasecmp(l->v[i], known[0]) == 0 || strcasecmp(l->v[i], known[1]) == 0)
			continue;
		nearest_init(&n, l->v[i]);
		nearest_offer(&n, known[0]);
		nearest_offer(&n, known[1]);
		return unknown_word(name, l->v[i], &n, err);
	}
	return 0;
}

static int read_sasl(struct service *svc, struct err *err)
{
	const struct smtpd_conf *c = &svc->conf;

	return check_security("smtpd_sasl_security_options", &c->smtpd_sasl_security_options, err) < 0 ||
	       check_security("smtpd_sasl_tls_security_options", &c->smtpd_sasl_tls_security_options, err) < 0 ? -1 : 0;
}

/* The bits of the words in l, of those that rows (n of them) has. */
static int read_bits(const char *name, const struct conf_list *l, const struct word_bit *rows, size_t n, unsigned *bits,
		     struct err *err)
{
	struct nearest near;
	size_t i, k;

	for (i = 0; i < l->n; i++) {
		nearest_init(&near, l->v[i]);
		for (k = 0; k < n && strcasecmp(l->v[i], rows[k].name) != 0; k++)
			nearest_offer(&near, rows[k].name);
		if (k == n)
			return unknown_word(name, l->v[i], &near, err);
		*bits |= rows[k].bit;
	}
	return 0;
}

static int read_ehlo(struct service *svc, struct err *err)
{
	if (read_bits("smtpd_discard_ehlo_keywords", &svc->conf.smtpd_discard_ehlo_keywords, ehlo_words,
		      ARRAY_LEN(ehlo_words), &svc->ehlo_off, err) < 0)
		return -1;
	if (!svc->global.smtputf8_enable)
		svc->ehlo_off |= SERVICE_EHLO_SMTPUTF8;
	if (svc->conf.disable_vrfy_command)
		svc->ehlo_off |= SERVICE_EHLO_VRFY;
	return 0;
}

static int read_rewrite(struct service *svc, struct err *err)
{
	return read_bits("local_header_rewrite_clients", &svc->conf.local_header_rewrite_clients, rewrite_words,
			 ARRAY_LEN(rewrite_words), &svc->rewrite, err);
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
		return err_set(err, ERR_CONF, "%s: '%s' leaves neither TLSv1.2 nor TLSv1.3", name, value);
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
			err_set(err, ERR_CONF, "smtpd_tls_wrappermode needs smtpd_tls_cert_file") : 0;
	svc->tls = tls_ctx_new(&p, err);
	return svc->tls ? 0 : err_wrap(err, "TLS with %s", conf->smtpd_tls_chain_files.n ?
				       conf->smtpd_tls_chain_files.v[0] : conf->smtpd_tls_cert_file);
}

static int read_all(struct service *svc, struct err *err)
{
	struct resolve_conf resolve;
	struct auth_conf auth;

	if (smtpd_conf_read(&svc->conf, svc->layer, &svc->arena, err) < 0 ||
	    global_conf_read(&svc->global, svc->layer, &svc->arena, err) < 0 ||
	    auth_conf_read(&auth, svc->layer, &svc->arena, err) < 0 ||
	    resolve_conf_read(&resolve, svc->layer, &svc->arena, err) < 0)
		return -1;
	svc->looks_into_quotes = resolve.resolve_dequoted_address;
	svc->has_dotted_access = !conf_list_has(&resolve.parent_domain_matches_subdomains,
						SPAN_LIT("smtpd_access_maps"));
	svc->log_name = arena_printf(&svc->arena, "%s/smtpd:", svc->global.syslog_name);
	svc->plaintext_ok = !auth.disable_plaintext_auth || auth.auth_allow_cleartext;
	return 0;
}

static int (*const parts[])(struct service *svc, struct err *err) = {
	read_ehlo, read_commands, read_rewrite, read_sasl, read_lists, read_networks,
};

static struct service *begin(const char *name, const struct conf *layer)
{
	struct service *svc = xnew(struct service);

	svc->refs = 1;
	svc->layer = layer;
	svc->name = arena_strdup(&svc->arena, name);
	return svc;
}

struct service *service_new(const char *name, const struct conf *layer, const struct service_keys *keys,
			    struct err *err)
{
	struct service *svc = begin(name, layer);
	size_t i;
	int rc = read_all(svc, err);

	for (i = 0; i < ARRAY_LEN(parts) && rc == 0; i++)
		rc = parts[i](svc, err);
	if (rc < 0 || read_tls(svc, keys, err) < 0)
		service_unref(&svc);
	return svc;
}

void service_check(const char *name, const struct conf *layer, const struct service_keys *keys,
		   void (*wrong)(void *arg, const char *text), void *arg)
{
	struct service *svc = begin(name, layer);
	struct err err = ERR_INIT;
	size_t i;

	if (read_all(svc, &err) < 0) {
		wrong(arg, err.msg);
	} else {
		for (i = 0; i < ARRAY_LEN(parts); i++) {
			if (parts[i](svc, &err) < 0)
				wrong(arg, err.msg);
		}
		if (read_tls(svc, keys, &err) < 0)
			wrong(arg, err.msg);
	}
	service_unref(&svc);
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
	close_words(&x->forbidden);
	close_words(&x->noop);
	arena_fini(&x->arena);
	conf_unref(&x->own_layer);
	conf_unref(&x->own_base);
	free(x);
}
