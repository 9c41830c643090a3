#include "proto/restrict.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "conf/macro.h"
#include "conf/nearest.h"

#define MAX_DEPTH 10
#define MAX_OPS 1000

enum arg { ARG_NONE, ARG_MAP, ARG_SECONDS, ARG_WARN, ARG_UNSUPPORTED, ARG_UNSUPPORTED_WORD };

static const struct {
	const char *name;
	enum arg arg;
	enum restrict_code code;
} names[] = {
	{ "permit", ARG_NONE, RESTRICT_PERMIT },
	{ "reject", ARG_NONE, RESTRICT_REJECT },
	{ "defer", ARG_NONE, RESTRICT_DEFER },
	{ "defer_if_permit", ARG_NONE, RESTRICT_DEFER_IF_PERMIT },
	{ "defer_if_reject", ARG_NONE, RESTRICT_DEFER_IF_REJECT },
	{ "sleep", ARG_SECONDS, RESTRICT_SLEEP },
	{ "warn_if_reject", ARG_WARN, 0 },
	{ "permit_mynetworks", ARG_NONE, RESTRICT_PERMIT_MYNETWORKS },
	{ "permit_sasl_authenticated", ARG_NONE, RESTRICT_PERMIT_SASL },
	{ "permit_tls_all_clientcerts", ARG_NONE, RESTRICT_PERMIT_ALL_CCERTS },
	{ "permit_auth_destination", ARG_NONE, RESTRICT_PERMIT_AUTH_DEST },
	{ "permit_inet_interfaces", ARG_NONE, RESTRICT_PERMIT_INET_INTERFACES },
	{ "reject_unauth_destination", ARG_NONE, RESTRICT_REJECT_UNAUTH_DEST },
	{ "defer_unauth_destination", ARG_NONE, RESTRICT_DEFER_UNAUTH_DEST },
	{ "reject_unauth_pipelining", ARG_NONE, RESTRICT_REJECT_PIPELINING },
	{ "reject_plaintext_session", ARG_NONE, RESTRICT_REJECT_PLAINTEXT },
	{ "reject_non_fqdn_sender", ARG_NONE, RESTRICT_NON_FQDN_SENDER },
	{ "reject_non_fqdn_recipient", ARG_NONE, RESTRICT_NON_FQDN_RECIPIENT },
	{ "reject_non_fqdn_helo_hostname", ARG_NONE, RESTRICT_NON_FQDN_HELO },
	{ "reject_non_fqdn_hostname", ARG_NONE, RESTRICT_NON_FQDN_HELO },
	{ "reject_invalid_helo_hostname", ARG_NONE, RESTRICT_INVALID_HELO },
	{ "reject_invalid_hostname", ARG_NONE, RESTRICT_INVALID_HELO },
	{ "reject_unknown_client_hostname", ARG_NONE, RESTRICT_UNKNOWN_CLIENT },
	{ "reject_unknown_client", ARG_NONE, RESTRICT_UNKNOWN_CLIENT },
	{ "reject_unknown_reverse_client_hostname", ARG_NONE, RESTRICT_UNKNOWN_REVERSE },
	{ "reject_unlisted_sender", ARG_NONE, RESTRICT_UNLISTED_SENDER },
	{ "reject_unlisted_recipient", ARG_NONE, RESTRICT_UNLISTED_RECIPIENT },
	{ "check_recipient_maps", ARG_NONE, RESTRICT_UNLISTED_RECIPIENT },
	{ "reject_sender_login_mismatch", ARG_NONE, RESTRICT_LOGIN_MISMATCH },
	{ "reject_authenticated_sender_login_mismatch", ARG_NONE, RESTRICT_AUTH_LOGIN_MISMATCH },
	{ "reject_known_sender_login_mismatch", ARG_NONE, RESTRICT_KNOWN_LOGIN_MISMATCH },
	{ "reject_unauthenticated_sender_login_mismatch", ARG_NONE, RESTRICT_UNAUTH_LOGIN_MISMATCH },
	{ "reject_multi_recipient_bounce", ARG_NONE, RESTRICT_MULTI_RCPT_BOUNCE },
	{ "check_client_access", ARG_MAP, RESTRICT_CLIENT_ACCESS },
	{ "check_helo_access", ARG_MAP, RESTRICT_HELO_ACCESS },
	{ "check_sender_access", ARG_MAP, RESTRICT_SENDER_ACCESS },
	{ "check_recipient_access", ARG_MAP, RESTRICT_RECIPIENT_ACCESS },
	{ "check_sasl_access", ARG_MAP, RESTRICT_SASL_ACCESS },
	{ "check_reverse_client_hostname_access", ARG_MAP, RESTRICT_REVERSE_ACCESS },
	{ "check_ccert_access", ARG_MAP, RESTRICT_CCERT_ACCESS },
	/* these ask the DNS, a list of it, another mail server or a policy service */
	{ "permit_mx_backup", ARG_UNSUPPORTED, 0 },
	{ "permit_dnswl_client", ARG_UNSUPPORTED_WORD, 0 },
	{ "permit_rhswl_client", ARG_UNSUPPORTED_WORD, 0 },
	{ "permit_tls_clientcerts", ARG_UNSUPPORTED, 0 },
	{ "reject_rbl_client", ARG_UNSUPPORTED_WORD, 0 },
	{ "reject_rbl", ARG_UNSUPPORTED_WORD, 0 },
	{ "reject_maps_rbl", ARG_UNSUPPORTED, 0 },
	{ "reject_rhsbl_client", ARG_UNSUPPORTED_WORD, 0 },
	{ "reject_rhsbl_helo", ARG_UNSUPPORTED_WORD, 0 },
	{ "reject_rhsbl_sender", ARG_UNSUPPORTED_WORD, 0 },
	{ "reject_rhsbl_recipient", ARG_UNSUPPORTED_WORD, 0 },
	{ "reject_rhsbl_reverse_client", ARG_UNSUPPORTED_WORD, 0 },
	{ "reject_unknown_sender_domain", ARG_UNSUPPORTED, 0 },
	{ "reject_unknown_recipient_domain", ARG_UNSUPPORTED, 0 },
	{ "reject_unknown_helo_hostname", ARG_UNSUPPORTED, 0 },
	{ "reject_unknown_hostname", ARG_UNSUPPORTED, 0 },
	{ "reject_unknown_forward_client_hostname", ARG_UNSUPPORTED, 0 },
	{ "reject_unverified_sender", ARG_UNSUPPORTED, 0 },
	{ "reject_unverified_recipient", ARG_UNSUPPORTED, 0 },
	{ "check_policy_service", ARG_UNSUPPORTED_WORD, 0 },
	{ "check_client_a_access", ARG_UNSUPPORTED_WORD, 0 },
	{ "check_client_mx_access", ARG_UNSUPPORTED_WORD, 0 },
	{ "check_client_ns_access", ARG_UNSUPPORTED_WORD, 0 },
	{ "check_reverse_client_hostname_a_access", ARG_UNSUPPORTED_WORD, 0 },
	{ "check_reverse_client_hostname_mx_access", ARG_UNSUPPORTED_WORD, 0 },
	{ "check_reverse_client_hostname_ns_access", ARG_UNSUPPORTED_WORD, 0 },
	{ "check_helo_a_access", ARG_UNSUPPORTED_WORD, 0 },
	{ "check_helo_mx_access", ARG_UNSUPPORTED_WORD, 0 },
	{ "check_helo_ns_access", ARG_UNSUPPORTED_WORD, 0 },
	{ "check_sender_a_access", ARG_UNSUPPORTED_WORD, 0 },
	{ "check_sender_mx_access", ARG_UNSUPPORTED_WORD, 0 },
	{ "check_sender_ns_access", ARG_UNSUPPORTED_WORD, 0 },
	{ "check_recipient_a_access", ARG_UNSUPPORTED_WORD, 0 },
	{ "check_recipient_mx_access", ARG_UNSUPPORTED_WORD, 0 },
	{ "check_recipient_ns_access", ARG_UNSUPPORTED_WORD, 0 },
	{ "check_etrn_access", ARG_UNSUPPORTED_WORD, 0 },
};

static const char *const list_names[RESTRICT_LISTS] = {
	"smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions", "smtpd_relay_restrictions",
	"smtpd_recipient_restrictions", "smtpd_data_restrictions", "smtpd_end_of_data_restrictions",
};

struct compile {
	struct arena *a;
	const struct conf *conf;
	const char *what;
	struct restrict_op *ops;
	size_t n, cap;
	bool warn;
	struct str missing;     /* names that are not supported yet: all are told at once */
	struct err *err;
};

const char *restrict_list_name(enum restrict_list list)
{
	return list_names[list];
}

static int add_op(struct compile *c, struct restrict_op op)
{
	if (c->n == MAX_OPS)
		return err_set(c->err, ERR_CONF, "%s: more than %d restrictions", c->what, MAX_OPS);
	if (c->n == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 8;
		c->ops = xrealloc(c->ops, c->cap * sizeof(*c->ops));
	}
	op.warn = c->warn;
	c->warn = false;
	c->ops[c->n++] = op;
	return 0;
}

/* The words of a class, or false when name is none. */
static bool class_words(const struct conf *conf, const char *name, struct str *text)
{
	struct str classes = STR_INIT(65536);
	struct span rest, word;
	struct err err;
	bool found = false;

	if (conf && conf_raw(conf, "smtpd_restriction_classes") &&
	    conf_expand_name(&classes, conf, "smtpd_restriction_classes", &err) == 0) {
		for (rest = str_span(&classes); !found && macro_word(&rest, &word);)
			found = span_eqz(word, name);
	}
	str_fini(&classes);
	return found && conf_expand_name(text, conf, name, &err) == 0;
}

static int unknown(struct compile *c, const char *word)
{
	struct str hint = STR_INIT(200);
	struct nearest near;
	size_t i;

	nearest_init(&near, word);
	for (i = 0; i < ARRAY_LEN(names); i++)
		nearest_offer(&near, names[i].name);
	err_set(c->err, ERR_CONF, "%s: unknown restriction '%s'%s", c->what, word, nearest_hint(&near, &hint));
	str_fini(&hint);
	return -1;
}

/* What Postfix takes a bare table for. */
static const char *access_of(const char *list)
{
	if (strcmp(list, list_names[RESTRICT_CLIENT]) == 0)
		return "check_client_access";
	if (strcmp(list, list_names[RESTRICT_HELO]) == 0)
		return "check_helo_access";
	return strcmp(list, list_names[RESTRICT_SENDER]) == 0 ? "check_sender_access" : "check_recipient_access";
}

static int compile_words(struct compile *c, struct span text, int depth);

static int compile_class(struct compile *c, const char *word, int depth)
{
	struct str text = STR_INIT(65536);
	bool warn = c->warn;
	size_t i = c->n;
	int rc;

	c->warn = false;
	if (strchr(word, ':'))
		rc = err_set(c->err, ERR_CONF, "%s: '%s' needs the name of its restriction in front: %s %s", c->what,
			     word, access_of(c->what), word);
	else if (!class_words(c->conf, word, &text))
		rc = unknown(c, word);
	else if (depth >= MAX_DEPTH)
		rc = err_set(c->err, ERR_CONF, "%s: restriction class '%s' contains itself or nests too deep", c->what,
			     word);
	else
		rc = compile_words(c, str_span(&text), depth + 1);
	for (; warn && i < c->n; i++)
		c->ops[i].warn = true;
	str_fini(&text);
	return rc;
}

static int compile_word(struct compile *c, const char *word, struct span *rest, int depth)
{
	struct restrict_op op = { .name = word };
	struct span arg;
	size_t i;

	for (i = 0; i < ARRAY_LEN(names) && !span_eq_nocase(span_z(word), names[i].name); i++)
		;
	if (i == ARRAY_LEN(names))
		return compile_class(c, word, depth);
	op.code = names[i].code;
	switch (names[i].arg) {
	case ARG_NONE:
		break;
	case ARG_WARN:
		c->warn = true;
		return 0;
	case ARG_UNSUPPORTED_WORD:
		(void)macro_word(rest, &arg);
		/* fall through */
	case ARG_UNSUPPORTED:
		(void)!str_addf(&c->missing, "%s%s", c->missing.n ? ", " : "", word);
		c->warn = false;
		return 0;
	case ARG_MAP:
		if (!macro_word(rest, &arg) || span_chr(arg, ':') <= 0)
			return err_set(c->err, ERR_CONF, "%s: '%s' needs a table type:name behind it", c->what, word);
		op.map = arena_strndup(c->a, arg.p, arg.n);
		break;
	case ARG_SECONDS:
		if (!macro_word(rest, &arg) || span_u64(arg, 1000, &op.seconds) < 0)
			return err_set(c->err, ERR_CONF, "%s: '%s' needs a number of seconds behind it", c->what, word);
		break;
	}
	return add_op(c, op);
}

static int compile_words(struct compile *c, struct span text, int depth)
{
	struct span word;

	while (macro_word(&text, &word)) {
		if (compile_word(c, arena_strndup(c->a, word.p, word.n), &text, depth) < 0)
			return -1;
	}
	if (c->warn)
		return err_set(c->err, ERR_CONF, "%s: nothing behind 'warn_if_reject'", c->what);
	return 0;
}

int restrict_compile(struct restrict_prog *out_r, struct arena *a, const struct conf *conf, const char *what,
	const struct conf_list *words, struct err *err)
{
	struct compile c = { .a = a, .conf = conf, .what = what, .missing = STR_INIT(150), .err = err };
	struct str text = STR_INIT(65536);
	struct restrict_op *ops;
	size_t i;
	int rc = 0;

	*out_r = (struct restrict_prog){ NULL, 0 };
	for (i = 0; rc == 0 && i < words->n; i++)
		rc = str_addf(&text, "%s ", words->v[i]);
	rc = rc < 0 ? err_set(err, ERR_CONF, "%s: too long", what) : compile_words(&c, str_span(&text), 0);
	if (rc == 0 && c.missing.n)
		rc = err_set(err, ERR_CONF, "%s: not supported yet, take them out: %s", what, c.missing.p);
	if (rc == 0 && c.n) {
		ops = arena_alloc(a, c.n * sizeof(*ops));
		memcpy(ops, c.ops, c.n * sizeof(*ops));
		*out_r = (struct restrict_prog){ ops, c.n };
	}
	free(c.ops);
	str_fini(&c.missing);
	str_fini(&text);
	return rc;
}

static int compile_named(struct restrict_prog *out_r, struct arena *a, const struct conf *c, const char *name,
			 struct err *err)
{
	struct str text = STR_INIT(65536);
	const char *word[1];
	struct conf_list words = { word, 1 };
	int rc = conf_expand_name(&text, c, name, err);

	word[0] = text.p;
	if (rc == 0)
		rc = restrict_compile(out_r, a, c, name, &words, err);
	str_fini(&text);
	return rc;
}

int restrict_check(const struct conf *c, struct err *err)
{
	struct restrict_prog prog;
	struct arena a = { 0 };
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < RESTRICT_LISTS; i++)
		rc = compile_named(&prog, &a, c, list_names[i], err);
	arena_fini(&a);
	return rc;
}

static void check_layer(const struct conf *c, struct conf_errors *errors)
{
	struct arena a = { 0 };
	size_t i;

	for (i = 0; i < RESTRICT_LISTS; i++) {
		const struct conf_value *v = conf_find(c, list_names[i]);
		struct restrict_prog prog;
		struct err err = ERR_INIT;

		if (compile_named(&prog, &a, c, list_names[i], &err) == 0)
			continue;
		conf_error_once(errors, v && v->file ? arena_printf(&a, "%s:%u: %s", v->file, v->line, err.msg) :
				err.msg);
	}
	arena_fini(&a);
}

int restrict_check_all(const struct conf *c, const struct mastercf *m, struct conf_errors *errors)
{
	size_t before = conf_errors_wrong(errors), i;
	struct conf layer;
	struct err err;

	check_layer(c, errors);
	for (i = 0; i < m->n; i++) {
		if (strcmp(m->v[i].command, "smtpd") != 0)
			continue;
		if (mastercf_overlay(&layer, c, m, &m->v[i], &err) == 0)
			check_layer(&layer, errors);
		conf_fini(&layer);
	}
	return conf_errors_wrong(errors) > before ? -1 : 0;
}
