#include <stdlib.h>

#include "auth/exchange_impl.h"
#include "auth/scheme.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/mail_location.h"

/* In the order they are offered when the configuration does not say. */
static const char *const mechs[] = { "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256" };

/* ---- callbacks ---- */

static int on_getopt(void *ctx, const char *plugin, const char *option, const char **result, unsigned *len)
{
	static const struct {
		const char *name, *value;
	} options[] = {
		{ "auxprop_plugin", "surat" },
		{ "pwcheck_method", "surat" },
		{ "mech_list", "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(options); i++) {
		if (strcmp(option, options[i].name) == 0) {
			*result = options[i].value;
			if (len)
				*len = (unsigned)strlen(*result);
			return SASL_OK;
		}
	}
	return SASL_FAIL;
}

/* libsasl2 may put names and secrets into its messages; what matters we log ourselves. */
static int on_log(void *ctx, int level, const char *message)
{
	return SASL_OK;
}

/* Only these modules; sasldb and SQL modules would look for stores of their own. */
static int on_verifyfile(void *ctx, const char *file, sasl_verify_type_t type)
{
	static const char *const allowed[] = { "libplain.", "liblogin.", "libcrammd5.", "libscram." };
	const char *base = strrchr(file, '/');
	size_t i;

	base = base ? base + 1 : file;
	for (i = 0; type == SASL_VRFY_PLUGIN && i < ARRAY_LEN(allowed); i++) {
		if (strncmp(base, allowed[i], strlen(allowed[i])) == 0)
			return SASL_OK;
	}
	return type == SASL_VRFY_PLUGIN ? SASL_CONTINUE : SASL_OK;
}

/* A name that cannot be one fails here, before anything is looked up. */
static int on_canon_user(sasl_conn_t *conn, void *ctx, const char *in, unsigned n, unsigned flags, const char *realm,
			 char *out, unsigned out_max, unsigned *out_len)
{
	struct exchange *x = ctx;
	struct err err = ERR_INIT;
	struct names names;
	size_t len;

	if (names_resolve(&names, x->chain->settings, (struct span){ in, n }, &x->arena, &err) < 0) {
		if (x->chain->settings->auth.auth_verbose)
			log_info("sasl(?,%s): %s", x->who, err.msg);
		return SASL_BADAUTH;
	}
	len = strlen(names.full);
	if (len >= out_max)
		return SASL_BADAUTH;
	if (flags & SASL_CU_AUTHID)
		x->names = names;
	memcpy(out, names.full, len + 1);
	*out_len = (unsigned)len;
	return SASL_OK;
}

/* The check itself waits until libsasl2 is done, for PAM answers from another process. */
static int on_checkpass(sasl_conn_t *conn, void *ctx, const char *user, const char *pass, unsigned n,
			struct propctx *props)
{
	struct exchange *x = ctx;
	struct span password = { pass, n };

	str_reset(&x->password);
	if (n == 0 || span_has_nul(password) || str_add_span(&x->password, password) < 0)
		return SASL_BADAUTH;
	return SASL_OK;
}

typedef int callback_fn(void);

static sasl_callback_t callback(unsigned long id, callback_fn *fn, void *ctx)
{
	return (sasl_callback_t){ id, fn, ctx };
}

/* libsasl2 keeps all callbacks as one function type. */
#define FN(f) ((callback_fn *)(void *)(f))

/* ---- process ---- */

int exchange_init(struct err *err)
{
	/* libsasl2 keeps the pointer for the life of the process */
	sasl_callback_t *cb = xcalloc(4, sizeof(*cb));
	size_t i;

	cb[0] = callback(SASL_CB_GETOPT, FN(on_getopt), NULL);
	cb[1] = callback(SASL_CB_LOG, FN(on_log), NULL);
	cb[2] = callback(SASL_CB_VERIFYFILE, FN(on_verifyfile), NULL);
	cb[3] = callback(SASL_CB_LIST_END, NULL, NULL);
	if (sasl_auxprop_add_plugin("surat", exchange_auxprop_init) != SASL_OK || sasl_server_init(cb, NULL) != SASL_OK)
		return err_set(err, ERR_CONF, "libsasl2 does not start");
	for (i = 0; i < ARRAY_LEN(mechs); i++) {
		if (!exchange_mech(span_z(mechs[i])))
			return err_set(err, ERR_CONF, "the libsasl2 module of %s is missing: install libsasl2-modules",
				       mechs[i]);
	}
	return 0;
}

const char *exchange_mech(struct span name)
{
	const char **all = sasl_global_listmech();
	size_t i;

	for (i = 0; i < ARRAY_LEN(mechs); i++) {
		if (!span_eq_nocase(name, mechs[i]))
			continue;
		for (; all && *all; all++) {
			if (strcmp(*all, mechs[i]) == 0)
				return mechs[i];
		}
	}
	return NULL;
}

/* ---- one exchange ---- */

static char *dup_span(struct exchange *x, struct span s)
{
	return arena_strndup(&x->arena, s.p, s.n);
}

struct exchange *exchange_new(struct passdb_chain *c, const char *seed, const struct work_start *start)
{
	static const sasl_security_properties_t none = { .max_ssf = 0, .maxbufsize = 0 };
	struct exchange *x = xnew(struct exchange);
	const char *fqdn;

	x->chain = c;
	x->seed = seed;
	str_init(&x->password, SCHEME_PASSWORD_MAX);
	x->mech = dup_span(x, start->mech);
	x->who = dup_span(x, start->remote_addr);
	x->is_smtp = span_eqz(start->service, "smtp");
	x->callbacks[0] = callback(SASL_CB_GETOPT, FN(on_getopt), x);
	x->callbacks[1] = callback(SASL_CB_CANON_USER, FN(on_canon_user), x);
	x->callbacks[2] = callback(SASL_CB_SERVER_USERDB_CHECKPASS, FN(on_checkpass), x);
	x->callbacks[3] = callback(SASL_CB_LOG, FN(on_log), x);
	x->callbacks[4] = callback(SASL_CB_LIST_END, NULL, NULL);
	/* without a name of its own libsasl2 would ask the DNS for ours */
	fqdn = start->local_name.n ? dup_span(x, start->local_name) : x->chain->settings->global.myhostname;
	if (sasl_server_new(x->is_smtp ? "smtp" : dup_span(x, start->service), fqdn, NULL, NULL, NULL, x->callbacks, 0,
			    &x->conn) == SASL_OK)
		(void)!sasl_setprop(x->conn, SASL_SEC_PROPS, &none);
	return x;
}

void exchange_free(struct exchange *x)
{
	if (!x)
		return;
	if (x->conn)
		sasl_dispose(&x->conn);
	explicit_bzero(x->password.p, x->password.n);
	str_fini(&x->password);
	arena_fini(&x->arena);
	free(x);
}

static void refuse(struct work_answer *out_r, enum work_status status, const char *text)
{
	*out_r = (struct work_answer){ .status = status, .text = span_z(text) };
}

/* An account may say where its mail is and leave the index to mail_location. */
static int find_mail(const struct settings *s, const struct account *a, struct mail_location *loc_r, struct arena *arena,
		     struct err *err)
{
	struct account plain = *a;
	struct mail_location general;

	if (mail_location_expand(loc_r, a, s->store.mail_location, arena, err) < 0)
		return -1;
	if (!a->mail || loc_r->index)
		return 0;
	plain.mail = NULL;
	if (mail_location_expand(&general, &plain, s->store.mail_location, arena, err) < 0)
		return -1;
	loc_r->index = general.index;
	return 0;
}

/* The name is for the front end's log. */
static void refuse_login(const struct exchange *x, struct work_answer *out_r)
{
	refuse(out_r, WORK_FAIL, "");
	if (x->names.full)
		out_r->user = span_z(x->names.full);
}

/* Where the mailbox is and whose it is; smtp needs only the name. */
static void finish_mailbox(struct exchange *x, struct work_answer *out_r)
{
	const struct settings *s = x->chain->settings;
	struct account *a = &x->user.account;
	struct mail_location loc;
	struct err err = ERR_INIT;

	if ((!x->user.system_user && settings_complete(s, a, &x->arena, &err) < 0) ||
	    find_mail(s, a, &loc, &x->arena, &err) < 0) {
		log_error("%s: %s", a->name, err.msg);
		refuse(out_r, WORK_TEMP, "Internal error: see the server's log");
		return;
	}
	if (!settings_allow_ids(s, a->uid, a->gid)) {
		log_error("%s: uid %u, gid %u is not allowed to have a mailbox: see first_valid_uid "
			  "and first_valid_gid",
			  a->name, a->uid, a->gid);
		refuse(out_r, WORK_REFUSED, "This account has no mailbox");
		return;
	}
	out_r->system_user = span_z(x->user.system_user);
	out_r->uid = a->uid;
	out_r->gid = a->gid;
	out_r->home = span_z(a->home);
	out_r->mail = span_z(loc.path);
	out_r->index = span_z(loc.index);
	out_r->quota = a->quota ? a->quota : s->store.quota_storage;
}

static void finish(struct exchange *x, struct work_answer *out_r)
{
	const struct account *a = &x->user.account;

	/* told as a wrong password, that nobody learns from elsewhere that it is right */
	if (!passdb_may_come(&x->user, span_z(x->who))) {
		log_info("sasl(%s,%s): allow_nets check failed: IP not in allowed networks", a->name, x->who);
		refuse_login(x, out_r);
		return;
	}
	if (a->disabled) {
		log_info("sasl(%s,%s): account disabled", a->name, x->who);
		refuse(out_r, WORK_REFUSED, "This account is disabled");
		return;
	}
	*out_r = (struct work_answer){ .status = WORK_OK, .user = span_z(a->name) };
	if (!x->is_smtp)
		finish_mailbox(x, out_r);
}

static void finish_check(struct exchange *x, enum passdb_rc rc, struct work_answer *out_r)
{
	switch (rc) {
	case PASSDB_OK:
		finish(x, out_r);
		break;
	case PASSDB_ASK_PAM:
		*out_r = (struct work_answer){ .status = WORK_PAM, .user = span_z(x->names.unix_name),
					       .password = str_span(&x->password) };
		break;
	case PASSDB_TEMP:
		refuse(out_r, WORK_TEMP, "Temporary authentication failure");
		break;
	case PASSDB_NO:
		refuse_login(x, out_r);
		break;
	}
}

static bool is_plaintext(const struct exchange *x)
{
	return strcmp(x->mech, "PLAIN") == 0 || strcmp(x->mech, "LOGIN") == 0;
}

/* In the form of passdb_check's lines, which fail2ban's filter for Dovecot knows; it wants letters before "(". */
static void log_sasl_failure(struct exchange *x)
{
	/* of PLAIN and LOGIN: broken ones, and those who would act for another; nobody was looked up */
	const char *why = is_plaintext(x) ? "invalid credentials" : x->is_found ? "Password mismatch" : "unknown user";

	if (x->chain->settings->auth.auth_verbose && x->names.full)
		log_info("sasl(%s,%s): %s", x->names.full, x->who, why);
}

static void take_result(struct exchange *x, int rc, const char *out, unsigned n, struct work_answer *out_r)
{
	struct span password = str_span(&x->password);

	if (rc == SASL_CONTINUE) {
		*out_r = (struct work_answer){ .status = WORK_CONTINUE, .challenge = { n ? out : NULL, n } };
	} else if (rc == SASL_OK && password.n > 0 && x->names.full) {
		finish_check(x, passdb_check(x->chain, &x->walk, &x->names, password, x->who, &x->arena, &x->user),
			     out_r);
	} else if (rc == SASL_OK && x->is_found) {
		finish(x, out_r);
	} else if (x->had_temp) {
		refuse(out_r, WORK_TEMP, "Temporary authentication failure");
	} else if (rc == SASL_NOMEM || rc == SASL_UNAVAIL) {
		refuse(out_r, WORK_TEMP, "Temporary authentication failure");
	} else {
		log_sasl_failure(x);
		refuse_login(x, out_r);
	}
}

void exchange_start(struct exchange *x, const struct work_start *start, struct work_answer *out_r)
{
	const char *in = start->has_initial ? start->initial.n ? start->initial.p : "" : NULL, *out = NULL;
	unsigned n = 0;
	int rc;

	if (!x->conn) {
		refuse(out_r, WORK_TEMP, "Temporary authentication failure");
		return;
	}
	if (start->initial.n > EXCHANGE_INPUT_MAX) {
		refuse(out_r, WORK_FAIL, "");
		return;
	}
	rc = sasl_server_start(x->conn, x->mech, in, (unsigned)start->initial.n, &out, &n);
	take_result(x, rc, out, n, out_r);
}

void exchange_step(struct exchange *x, struct span input, struct work_answer *out_r)
{
	const char *out = NULL;
	unsigned n = 0;
	int rc;

	if (input.n > EXCHANGE_INPUT_MAX || ++x->steps > EXCHANGE_STEPS_MAX) {
		refuse(out_r, WORK_FAIL, "");
		return;
	}
	rc = sasl_server_step(x->conn, input.n ? input.p : "", (unsigned)input.n, &out, &n);
	take_result(x, rc, out, n, out_r);
}

void exchange_resume(struct exchange *x, enum passdb_rc pam, struct work_answer *out_r)
{
	finish_check(x, passdb_after_pam(x->chain, &x->walk, pam, &x->names, str_span(&x->password), x->who, &x->arena,
					 &x->user), out_r);
}
