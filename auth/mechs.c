#include "auth/mechs.h"

#include "auth/scheme.h"

static bool is_mech(const char *a, const char *b)
{
	return span_eq_nocase(span_z(a), b);
}

static bool serves(const char *mech, struct span secrets)
{
	struct span data;

	if (is_mech(mech, "plain") || is_mech(mech, "login"))
		return secrets.n > 0;
	return passdb_pick(secrets, mech, &data) || passdb_pick(secrets, "PLAIN", &data) ||
	       passdb_pick(secrets, "CLEARTEXT", &data);
}

struct survey {
	struct passdb_chain *chain;
	struct passdb *at;
	bool serves[16];
	unsigned n_accounts;
	bool is_blind;                  /* a store could not be read */
};

static void look_at(struct survey *v, struct span secrets)
{
	const struct conf_list *mechs = &v->chain->settings->auth.auth_mechanisms;
	size_t i;

	v->n_accounts++;
	for (i = 0; i < mechs->n && i < ARRAY_LEN(v->serves); i++)
		v->serves[i] = v->serves[i] || serves(mechs->v[i], secrets);
}

static bool look_at_user(void *arg, const struct account *a)
{
	struct survey *v = arg;
	struct str secrets = STR_INIT(USERS_SECRETS_MAX);
	struct err err;
	enum map_rc rc = users_get_secrets(v->at->users, span_z(a->name), &secrets, &err);

	if (rc == MAP_TEMP)
		v->is_blind = true;
	else
		look_at(v, str_span(&secrets));
	explicit_bzero(secrets.p, secrets.n);
	str_fini(&secrets);
	return !v->is_blind;
}

static bool look_at_entry(void *arg, const struct passwd_entry *e)
{
	if (e->fault)
		return true;
	look_at(arg, span_z(e->password));
	return true;
}

void mechs_check(struct passdb_chain *c, struct conf_errors *errors)
{
	const struct conf_list *mechs = &c->settings->auth.auth_mechanisms;
	struct survey v = { .chain = c };
	struct err err = ERR_INIT;
	size_t i;
	int rc;

	for (i = 0; i < c->n && !v.is_blind; i++) {
		v.at = &c->v[i];
		rc = v.at->kind == PASSDB_USERS ? users_each(v.at->users, look_at_user, &v, &err) :
		     v.at->kind == PASSDB_FILE ? passwd_file_each(v.at->file, look_at_entry, &v, &err) : 0;
		v.is_blind = v.is_blind || rc < 0;
	}
	if (v.is_blind || v.n_accounts == 0)
		return;
	for (i = 0; i < mechs->n && i < ARRAY_LEN(v.serves); i++) {
		if (!v.serves[i] && !is_mech(mechs->v[i], "plain") && !is_mech(mechs->v[i], "login"))
			conf_error(errors,
				   "warning: auth_mechanisms: no account can use %s: none has a verifier for it; "
				   "set the "
				   "passwords again with \"surat user passwd\"", mechs->v[i]);
	}
}

static int add(struct str *out, const char *scheme, struct span password, struct err *err)
{
	if (out->n > 0 && str_addc(out, '\n') < 0)
		return err_set(err, ERR_PERM, "the verifiers are too long");
	return scheme_generate(out, scheme, password, err);
}

int mechs_make(struct str *out, const struct settings *s, struct span password, struct err *err)
{
	static const struct {
		const char *mech, *scheme;
	} extra[] = { { "scram-sha-1", "SCRAM-SHA-1" }, { "cram-md5", "CRAM-MD5" } };
	const struct conf_list *mechs = &s->auth.auth_mechanisms;
	const char *first = NULL;
	size_t i, j;

	switch (s->auth.auth_password_scheme) {
	case AUTH_PASSWORD_SCHEME_ARGON2ID:
		first = "ARGON2ID";
		break;
	case AUTH_PASSWORD_SCHEME_SHA512_CRYPT:
		first = "SHA512-CRYPT";
		break;
	case AUTH_PASSWORD_SCHEME_BCRYPT:
		first = "BLF-CRYPT";
		break;
	case AUTH_PASSWORD_SCHEME_SCRAM_SHA_256:
		break;
	}
	if ((first && add(out, first, password, err) < 0) || add(out, "SCRAM-SHA-256", password, err) < 0)
		return -1;
	for (i = 0; i < ARRAY_LEN(extra); i++) {
		for (j = 0; j < mechs->n; j++) {
			if (is_mech(mechs->v[j], extra[i].mech) && add(out, extra[i].scheme, password, err) < 0)
				return -1;
		}
	}
	return 0;
}
