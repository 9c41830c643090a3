#include "auth/scheme.h"

#include <argon2.h>
#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "auth/scheme_impl.h"
#include "base/base64.h"
#include "base/mem.h"
#include "base/random.h"

bool scheme_equal(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

int scheme_digest(const char *name, struct span data, struct span salt, unsigned char *out, size_t *n_r)
{
	const EVP_MD *md = EVP_get_digestbyname(name);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned n = 0;
	int ok = md && ctx && EVP_DigestInit_ex(ctx, md, NULL) && EVP_DigestUpdate(ctx, data.p, data.n) &&
		 EVP_DigestUpdate(ctx, salt.p, salt.n) && EVP_DigestFinal_ex(ctx, out, &n);

	EVP_MD_CTX_free(ctx);
	*n_r = n;
	return ok ? 0 : -1;
}

static enum scheme_rc bad(struct err *err, const struct scheme *s)
{
	return (enum scheme_rc)err_set(err, ERR_TEMP, "the stored %s verifier is damaged", s->name);
}

static enum scheme_rc verify_plain(const struct scheme *s, struct span data, struct span password, struct err *err)
{
	unsigned char a[32], b[32];
	size_t n;

	/* Hashed first, so that not even the length of the stored word shows. */
	if (scheme_digest("SHA256", data, SPAN_NULL, a, &n) < 0 ||
	    scheme_digest("SHA256", password, SPAN_NULL, b, &n) < 0)
		return bad(err, s);
	return CRYPTO_memcmp(a, b, sizeof(a)) == 0 ? SCHEME_MATCH : SCHEME_MISMATCH;
}

/* digest(password + salt), then the salt; the salt is empty where the row has an exact size. */
static enum scheme_rc verify_digest(const struct scheme *s, struct span data, struct span password, struct err *err)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	const EVP_MD *type = EVP_get_digestbyname(s->digest);
	size_t n = type ? (size_t)EVP_MD_get_size(type) : 0;
	struct span salt;

	if (n == 0 || data.n < n)
		return bad(err, s);
	salt = span_from(data, n);
	if (scheme_digest(s->digest, password, salt, md, &n) < 0)
		return bad(err, s);
	return scheme_equal(span_sub(data, 0, n), (struct span){ (char *)md, n }) ? SCHEME_MATCH : SCHEME_MISMATCH;
}

/* What stands in passwd files where no password is to match. */
static bool is_locked(struct span data)
{
	return span_starts(data, "!") || span_starts(data, "*") || span_eqz(data, "x");
}

/* Everything crypt(3) knows: $1$ $2b$ $5$ $6$ $y$ and DES. */
static enum scheme_rc verify_crypt(const struct scheme *s, struct span data, struct span password, struct err *err)
{
	struct crypt_data *cd;
	char *key, *setting, *res;
	enum scheme_rc rc;

	if (is_locked(data)) {
		scheme_dummy(password);
		return SCHEME_MISMATCH;
	}
	cd = xnew(struct crypt_data);
	key = xstrndup(password.p, password.n);
	setting = xstrndup(data.p, data.n);
	res = data.n ? crypt_r(key, setting, cd) : NULL;
	if (!res || res[0] == '*')
		rc = bad(err, s);
	else
		rc = scheme_equal(span_z(res), data) ? SCHEME_MATCH : SCHEME_MISMATCH;
	explicit_bzero(key, password.n);
	explicit_bzero(cd, sizeof(*cd));
	free(key);
	free(setting);
	free(cd);
	return rc;
}

static enum scheme_rc verify_argon2(const struct scheme *s, struct span data, struct span password, struct err *err)
{
	char *encoded = xstrndup(data.p, data.n);
	argon2_type type = span_starts(data, "$argon2id$") ? Argon2_id : span_starts(data, "$argon2i$") ? Argon2_i :
													  Argon2_d;
	int rc = type == Argon2_d ? ARGON2_DECODING_FAIL : argon2_verify(encoded, password.p, password.n, type);

	free(encoded);
	if (rc == ARGON2_OK)
		return SCHEME_MATCH;
	if (rc == ARGON2_VERIFY_MISMATCH)
		return SCHEME_MISMATCH;
	return (enum scheme_rc)err_set(err, ERR_TEMP, "%s: %s", s->name, argon2_error_message(rc));
}

/* Dovecot: $1$salt$rounds$hex of PBKDF2-HMAC-SHA1; the salt is used as the text it is. */
static enum scheme_rc verify_pbkdf2(const struct scheme *s, struct span data, struct span password, struct err *err)
{
	struct span rest, salt, rounds, hex;
	unsigned char md[20];
	char text[41];
	uint64_t n;
	size_t i;

	if (!span_starts(data, "$1$"))
		return bad(err, s);
	rest = span_from(data, 3);
	if (!span_cut(rest, '$', &salt, &rest) || !span_cut(rest, '$', &rounds, &hex) || hex.n != 40 ||
	    span_u64(rounds, 100000000, &n) < 0 || n == 0)
		return bad(err, s);
	if (!PKCS5_PBKDF2_HMAC_SHA1(password.p, (int)password.n, (const unsigned char *)salt.p, (int)salt.n, (int)n,
				    sizeof(md), md))
		return bad(err, s);
	for (i = 0; i < sizeof(md); i++)
		snprintf(text + 2 * i, 3, "%02x", md[i]);
	return scheme_equal((struct span){ text, 40 }, hex) ? SCHEME_MATCH : SCHEME_MISMATCH;
}

static const struct scheme schemes[] = {
	{ "ARGON2ID", ENC_NONE, 0, NULL, verify_argon2 },
	{ "ARGON2I", ENC_NONE, 0, NULL, verify_argon2 },
	{ "ARGON2", ENC_NONE, 0, NULL, verify_argon2 },
	{ "SCRAM-SHA-256", ENC_NONE, 0, "SHA256", scheme_scram_verify },
	{ "SCRAM-SHA-1", ENC_NONE, 0, "SHA1", scheme_scram_verify },
	{ "BLF-CRYPT", ENC_NONE, 0, NULL, verify_crypt },
	{ "SHA512-CRYPT", ENC_NONE, 0, NULL, verify_crypt },
	{ "SHA256-CRYPT", ENC_NONE, 0, NULL, verify_crypt },
	{ "MD5-CRYPT", ENC_NONE, 0, NULL, verify_crypt },
	{ "MD5", ENC_NONE, 0, NULL, verify_crypt },
	{ "DES-CRYPT", ENC_NONE, 0, NULL, verify_crypt },
	{ "YESCRYPT", ENC_NONE, 0, NULL, verify_crypt },
	{ "CRYPT", ENC_NONE, 0, NULL, verify_crypt },
	{ "PBKDF2", ENC_NONE, 0, NULL, verify_pbkdf2 },
	{ "SSHA512", ENC_B64, 0, "SHA512", verify_digest },
	{ "SSHA256", ENC_B64, 0, "SHA256", verify_digest },
	{ "SSHA", ENC_B64, 0, "SHA1", verify_digest },
	{ "SHA512", ENC_B64, 64, "SHA512", verify_digest },
	{ "SHA256", ENC_B64, 32, "SHA256", verify_digest },
	{ "SHA1", ENC_B64, 20, "SHA1", verify_digest },
	{ "SHA", ENC_B64, 20, "SHA1", verify_digest },
	{ "SMD5", ENC_B64, 0, "MD5", verify_digest },
	{ "LDAP-MD5", ENC_B64, 16, "MD5", verify_digest },
	{ "PLAIN-MD5", ENC_HEX, 16, "MD5", verify_digest },
	{ "CRAM-MD5", ENC_HEX, 32, NULL, scheme_cram_verify },
	{ "HMAC-MD5", ENC_HEX, 32, NULL, scheme_cram_verify },
	{ "PLAIN", ENC_NONE, 0, NULL, verify_plain },
	{ "CLEARTEXT", ENC_NONE, 0, NULL, verify_plain },
	{ "CLEAR", ENC_NONE, 0, NULL, verify_plain },
};

static const struct scheme *find(struct span name, enum scheme_encoding *forced_r)
{
	struct span base, suffix;
	size_t i;

	*forced_r = ENC_NONE;
	if (span_cut(name, '.', &base, &suffix)) {
		if (span_eq_nocase(suffix, "hex"))
			*forced_r = ENC_HEX;
		else if (span_eq_nocase(suffix, "b64") || span_eq_nocase(suffix, "base64"))
			*forced_r = ENC_B64;
		else
			return NULL;
	}
	for (i = 0; i < ARRAY_LEN(schemes); i++) {
		if (span_eq_nocase(base, schemes[i].name))
			return &schemes[i];
	}
	return NULL;
}

bool scheme_is_known(struct span name)
{
	enum scheme_encoding forced;

	return find(name, &forced) != NULL;
}

bool scheme_split(struct span stored, const char *fallback, struct span *name_r, struct span *data_r)
{
	*name_r = span_z(fallback);
	*data_r = stored;
	if (stored.n == 0 || stored.p[0] != '{')
		return name_r->n > 0;
	return span_cut(span_from(stored, 1), '}', name_r, data_r) && name_r->n > 0;
}

static int decode_hex(struct str *out, struct span in)
{
	size_t i;

	if (in.n % 2)
		return -1;
	for (i = 0; i < in.n; i += 2) {
		char pair[3] = { in.p[i], in.p[i + 1], '\0' };
		char *end;

		if (!strchr("0123456789abcdefABCDEF", pair[0]) || !strchr("0123456789abcdefABCDEF", pair[1]))
			return -1;
		if (str_addc(out, (char)strtoul(pair, &end, 16)) < 0)
			return -1;
	}
	return 0;
}

/* As Dovecot: of a digest with a known size the other notation is taken too when the length says so. */
static int decode(struct str *out, const struct scheme *s, enum scheme_encoding forced, struct span in)
{
	enum scheme_encoding enc = forced != ENC_NONE ? forced : s->encoding;

	if (forced == ENC_NONE && s->size > 0)
		enc = in.n == 2 * s->size ? ENC_HEX : ENC_B64;
	if (enc == ENC_NONE)
		return str_add_span(out, in);
	if (enc == ENC_HEX)
		return decode_hex(out, in);
	return base64_decode(out, in);
}

enum scheme_rc scheme_verify(struct span stored, const char *fallback, struct span password, struct err *err)
{
	struct span name, data;
	const struct scheme *s;
	enum scheme_encoding forced;
	struct str raw = STR_INIT(SCHEME_RAW_MAX);
	enum scheme_rc rc = SCHEME_BAD;

	if (password.n > SCHEME_PASSWORD_MAX || span_has_nul(password))
		return SCHEME_MISMATCH;
	if (!scheme_split(stored, fallback, &name, &data) || span_has_nul(data))
		return (enum scheme_rc)err_set(err, ERR_TEMP, "the stored verifier is damaged");
	s = find(name, &forced);
	if (!s)
		return (enum scheme_rc)err_set(err, ERR_TEMP, "unknown password scheme %.*s", SPAN_ARG(name));
	if (decode(&raw, s, forced, data) < 0 || (s->size > 0 && raw.n != s->size))
		rc = bad(err, s);
	else
		rc = s->verify(s, str_span(&raw), password, err);
	explicit_bzero(raw.p, raw.n);
	str_fini(&raw);
	return rc;
}

static int generate_argon2(struct str *out, struct span password, struct err *err)
{
	unsigned char salt[16];
	char encoded[160];
	int rc;

	random_bytes(salt, sizeof(salt));
	rc = argon2id_hash_encoded(SCHEME_ARGON2_PASSES, SCHEME_ARGON2_KIB, 1, password.p, password.n, salt,
				   sizeof(salt), 32, encoded, sizeof(encoded));
	if (rc != ARGON2_OK)
		return err_set(err, ERR_TEMP, "ARGON2ID: %s", argon2_error_message(rc));
	return str_addf(out, "{ARGON2ID}%s", encoded);
}

static int generate_crypt(struct str *out, const char *name, const char *prefix, struct span password, struct err *err)
{
	struct crypt_data *cd = xnew(struct crypt_data);
	char *key = xstrndup(password.p, password.n);
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	char *res = NULL;
	int rc;

	if (crypt_gensalt_rn(prefix, 0, NULL, 0, setting, sizeof(setting)))
		res = crypt_r(key, setting, cd);
	if (!res || res[0] == '*')
		rc = err_set(err, ERR_TEMP, "crypt(3) failed for %s", name);
	else
		rc = str_addf(out, "{%s}%s", name, res);
	explicit_bzero(key, password.n);
	explicit_bzero(cd, sizeof(*cd));
	free(key);
	free(cd);
	return rc;
}

static int generate_cram(struct str *out, struct span password)
{
	unsigned char context[32];
	char hex[65];
	size_t i;

	scheme_cram_context(password, context);
	for (i = 0; i < sizeof(context); i++)
		snprintf(hex + 2 * i, 3, "%02x", context[i]);
	return str_addf(out, "{CRAM-MD5}%s", hex);
}

int scheme_generate(struct str *out, const char *name, struct span password, struct err *err)
{
	struct span n = span_z(name);

	if (password.n == 0 || password.n > SCHEME_PASSWORD_MAX || span_has_nul(password))
		return err_set(err, ERR_PERM, "a password has 1 to %d bytes and no NUL", SCHEME_PASSWORD_MAX);
	if (span_eq_nocase(n, "ARGON2ID"))
		return generate_argon2(out, password, err);
	if (span_eq_nocase(n, "SCRAM-SHA-256") || span_eq_nocase(n, "SCRAM-SHA-1"))
		return scheme_scram_generate(out, name, password, err);
	if (span_eq_nocase(n, "SHA512-CRYPT"))
		return generate_crypt(out, "SHA512-CRYPT", "$6$", password, err);
	if (span_eq_nocase(n, "BLF-CRYPT"))
		return generate_crypt(out, "BLF-CRYPT", "$2b$", password, err);
	if (span_eq_nocase(n, "CRAM-MD5"))
		return generate_cram(out, password);
	if (span_eq_nocase(n, "PLAIN"))
		return str_addf(out, "{PLAIN}%.*s", (int)password.n, password.p);
	return err_set(err, ERR_PERM, "password scheme %s cannot be made here", name);
}

void scheme_dummy(struct span password)
{
	static const unsigned char salt[16] = "no such account";
	unsigned char hash[32];
	int rc = argon2id_hash_raw(SCHEME_ARGON2_PASSES, SCHEME_ARGON2_KIB, 1, password.p, password.n, salt,
				   sizeof(salt), hash, sizeof(hash));

	(void)rc;       /* only the time it takes matters */
}
