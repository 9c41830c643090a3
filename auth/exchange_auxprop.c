#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "auth/exchange_impl.h"
#include "auth/scheme.h"
#include "auth/scheme_impl.h"
#include "base/base64.h"
#include "base/log.h"
#include "base/random.h"

#define CRAM_SECRET "cmusaslsecretCRAM-MD5"

/* Dovecot: outer then inner state, little-endian. libsasl2: inner then outer, in network order. */
static void to_sasl_cram(const unsigned char in[32], unsigned char out[32])
{
	size_t i;

	for (i = 0; i < 32; i++) {
		size_t half = i < 16 ? 16 : 0, at = i % 16;

		out[i] = in[half + (at & ~(size_t)3) + (3 - (at & 3))];
	}
}

static int hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool unhex(struct span in, unsigned char *out, size_t n)
{
	size_t i;

	if (in.n != 2 * n)
		return false;
	for (i = 0; i < n; i++) {
		int hi = hex_value(in.p[2 * i]), lo = hex_value(in.p[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		out[i] = (unsigned char)(hi << 4 | lo);
	}
	return true;
}

/* Without a stored verifier: random bytes, which no response matches. */
static void cram_secret(struct span secrets, unsigned char out[32])
{
	unsigned char context[32];
	struct span data;

	random_bytes(context, sizeof(context));
	if (passdb_pick(secrets, "PLAIN", &data) || passdb_pick(secrets, "CLEARTEXT", &data))
		scheme_cram_context(data, context);
	else if (passdb_pick(secrets, "CRAM-MD5", &data) && !unhex(data, context, sizeof(context)))
		random_bytes(context, sizeof(context));
	to_sasl_cram(context, out);
	explicit_bzero(context, sizeof(context));
}

/* The same salt at each try of a name that has no verifier, as a real one would have. */
static void derived_salt(const struct exchange *x, unsigned char salt[32])
{
	unsigned n;

	HMAC(EVP_sha256(), x->seed, (int)strlen(x->seed), (const unsigned char *)x->names.full, strlen(x->names.full),
	     salt, &n);
}

static int put_b64(struct str *out, const void *p, size_t n)
{
	return base64_encode(out, (struct span){ p, n });
}

static int fake_scram(const struct exchange *x, struct str *out, size_t n_hash)
{
	unsigned char salt[32], keys[128];

	derived_salt(x, salt);
	random_bytes(keys, sizeof(keys));
	return str_addf(out, "%s$%d:", x->mech, SCHEME_SCRAM_ROUNDS) | put_b64(out, salt, 16) | str_addc(out, '$') |
	       put_b64(out, keys, n_hash) | str_addc(out, ':') | put_b64(out, keys + 64, n_hash);
}

/* RFC 5803 text: "SCHEME$rounds:salt$StoredKey:ServerKey", from Dovecot's "rounds,salt,StoredKey,ServerKey". */
static int stored_scram(const struct exchange *x, struct str *out, struct span data)
{
	struct span rounds, salt, stored, server;

	if (!span_cut(data, ',', &rounds, &data) || !span_cut(data, ',', &salt, &data) ||
	    !span_cut(data, ',', &stored, &server))
		return -1;
	return str_addf(out, "%s$%.*s:%.*s$%.*s:%.*s", x->mech, SPAN_ARG(rounds), SPAN_ARG(salt), SPAN_ARG(stored),
			SPAN_ARG(server));
}

static int plain_scram(const struct exchange *x, struct str *out, struct span password)
{
	struct str made = STR_INIT(512);
	struct err err = ERR_INIT;
	unsigned char salt[32];
	struct span name, data;
	int rc = -1;

	derived_salt(x, salt);
	if (scheme_scram_make(&made, x->mech, password, (struct span){ (char *)salt, 16 }, &err) == 0 &&
	    scheme_split(str_span(&made), NULL, &name, &data))
		rc = stored_scram(x, out, data);
	explicit_bzero(made.p, made.n);
	str_fini(&made);
	return rc;
}

static void scram_secret(const struct exchange *x, struct span secrets, struct str *out)
{
	size_t n_hash = strstr(x->mech, "256") ? 32 : 20;
	struct span data;
	int rc = -1;

	if (passdb_pick(secrets, x->mech, &data))
		rc = stored_scram(x, out, data);
	else if (passdb_pick(secrets, "PLAIN", &data) || passdb_pick(secrets, "CLEARTEXT", &data))
		rc = plain_scram(x, out, data);
	if (rc < 0) {
		str_reset(out);
		(void)!fake_scram(x, out, n_hash);
	}
}

static void fill(struct exchange *x, sasl_server_params_t *sparams, struct span secrets)
{
	const struct propval *p = sparams->utils->prop_get(sparams->propctx);
	struct str text = STR_INIT(1024);
	unsigned char cram[32];

	for (; p && p->name; p++) {
		if (strcmp(p->name, "*" CRAM_SECRET) == 0 && strcmp(x->mech, "CRAM-MD5") == 0) {
			cram_secret(secrets, cram);
			sparams->utils->prop_set(sparams->propctx, p->name, (const char *)cram, sizeof(cram));
			explicit_bzero(cram, sizeof(cram));
		} else if (strcmp(p->name, "*authPassword") == 0 && strncmp(x->mech, "SCRAM-", 6) == 0) {
			scram_secret(x, secrets, &text);
			sparams->utils->prop_set(sparams->propctx, p->name, text.p, (int)text.n);
		}
	}
	explicit_bzero(text.p, text.n);
	str_fini(&text);
}

static int lookup(void *glob, sasl_server_params_t *sparams, unsigned flags, const char *user, unsigned n)
{
	struct str secrets = STR_INIT(USERS_SECRETS_MAX);
	struct err err = ERR_INIT;
	sasl_callback_ft fn = NULL;
	void *ctx = NULL;
	struct exchange *x;
	enum map_rc rc;

	if (flags & SASL_AUXPROP_AUTHZID)
		return SASL_OK;
	if (sparams->utils->getcallback(sparams->utils->conn, SASL_CB_SERVER_USERDB_CHECKPASS, &fn, &ctx) != SASL_OK)
		return SASL_UNAVAIL;
	x = ctx;
	if (!x->names.full || strcmp(x->mech, "PLAIN") == 0 || strcmp(x->mech, "LOGIN") == 0)
		return SASL_OK;
	rc = passdb_find(x->chain, &x->names, &x->arena, &x->user, &secrets, &err);
	x->is_found = rc == MAP_FOUND;
	if (rc == MAP_TEMP) {
		log_warn("sasl(%s,%s): %s", x->names.full, x->who, err.msg);
		x->had_temp = true;
	} else {
		fill(x, sparams, str_span(&secrets));
	}
	explicit_bzero(secrets.p, secrets.n);
	str_fini(&secrets);
	return rc == MAP_TEMP ? SASL_UNAVAIL : SASL_OK;
}

int exchange_auxprop_init(const sasl_utils_t *utils, int max_version, int *out_version, sasl_auxprop_plug_t **plug,
			  const char *name)
{
	static char plugin_name[] = "surat";
	static sasl_auxprop_plug_t self = { .auxprop_lookup = lookup, .name = plugin_name };

	if (max_version < SASL_AUXPROP_PLUG_VERSION)
		return SASL_BADVERS;
	*out_version = SASL_AUXPROP_PLUG_VERSION;
	*plug = &self;
	return SASL_OK;
}
