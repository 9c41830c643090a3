/* RFC 5802 3: SaltedPassword = PBKDF2(password, salt, i); StoredKey = H(HMAC(Salted, "Client Key"));
 * ServerKey = HMAC(Salted, "Server Key"). Dovecot's text: i,salt,StoredKey,ServerKey in base64. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <utf8proc.h>

#include "auth/scheme_impl.h"
#include "base/base64.h"
#include "base/random.h"
#include "base/utf8.h"

struct keys {
	unsigned char stored[EVP_MAX_MD_SIZE], server[EVP_MAX_MD_SIZE];
	size_t n;
};

enum typed { AS_TYPED, PREPARED };

/* SASLprep (RFC 4013) in the part that changes a password: compatibility forms, invisible characters. */
static int prepare(struct str *out, struct span password)
{
	utf8proc_uint8_t *folded = NULL;
	utf8proc_ssize_t n;
	int rc;

	if (utf8_is_ascii(password) || !utf8_valid(password))
		return str_add_span(out, password);
	n = utf8proc_map((const utf8proc_uint8_t *)password.p, (utf8proc_ssize_t)password.n, &folded,
			 UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_IGNORE);
	if (n < 0)
		return str_add_span(out, password);
	rc = str_add(out, folded, (size_t)n);
	explicit_bzero(folded, (size_t)n);
	free(folded);
	return rc;
}

static int derive(struct keys *k, const EVP_MD *md, enum typed typed, struct span password, struct span salt,
		  uint64_t rounds)
{
	struct str prepared = STR_INIT(16 * SCHEME_PASSWORD_MAX);
	unsigned char salted[EVP_MAX_MD_SIZE], client[EVP_MAX_MD_SIZE];
	int n = EVP_MD_get_size(md), ok;
	unsigned len;

	k->n = (size_t)n;
	ok = (typed == PREPARED ? prepare(&prepared, password) : str_add_span(&prepared, password)) == 0 &&
	     PKCS5_PBKDF2_HMAC(prepared.p, (int)prepared.n, (const unsigned char *)salt.p, (int)salt.n, (int)rounds, md,
			       n, salted) &&
	     HMAC(md, salted, n, (const unsigned char *)"Client Key", 10, client, &len) &&
	     EVP_Digest(client, (size_t)n, k->stored, &len, md, NULL) &&
	     HMAC(md, salted, n, (const unsigned char *)"Server Key", 10, k->server, &len);
	explicit_bzero(salted, sizeof(salted));
	explicit_bzero(client, sizeof(client));
	explicit_bzero(prepared.p, prepared.n);
	str_fini(&prepared);
	return ok ? 0 : -1;
}

static bool is_same(const struct keys *k, const struct str *stored)
{
	return scheme_equal(str_span(stored), (struct span){ (const char *)k->stored, k->n });
}

/* Dovecot makes verifiers without SASLprep. */
static bool is_same_typed(const EVP_MD *md, struct span password, const struct str *salt, uint64_t rounds,
			  const struct str *stored)
{
	struct keys k;
	bool ok = derive(&k, md, AS_TYPED, password, str_span(salt), rounds) == 0 && is_same(&k, stored);

	explicit_bzero(&k, sizeof(k));
	return ok;
}

enum scheme_rc scheme_scram_verify(const struct scheme *s, struct span data, struct span password, struct err *err)
{
	const EVP_MD *md = EVP_get_digestbyname(s->digest);
	struct span rounds, salt64, stored64, server64;
	struct str salt = STR_INIT(256), stored = STR_INIT(EVP_MAX_MD_SIZE), server = STR_INIT(EVP_MAX_MD_SIZE);
	struct keys k;
	uint64_t n;
	enum scheme_rc rc = SCHEME_BAD;

	if (!span_cut(data, ',', &rounds, &data) || !span_cut(data, ',', &salt64, &data) ||
	    !span_cut(data, ',', &stored64, &server64) || span_u64(rounds, 100000000, &n) < 0 || n == 0 ||
	    base64_decode(&salt, salt64) < 0 || base64_decode(&stored, stored64) < 0 ||
	    base64_decode(&server, server64) < 0 || derive(&k, md, PREPARED, password, str_span(&salt), n) < 0 ||
	    stored.n != k.n || server.n != k.n)
		err_set(err, ERR_TEMP, "the stored %s verifier is damaged", s->name);
	else
		rc = is_same(&k, &stored) || (!utf8_is_ascii(password) && is_same_typed(md, password, &salt, n, &stored)) ?
			SCHEME_MATCH : SCHEME_MISMATCH;
	explicit_bzero(&k, sizeof(k));
	str_fini(&salt);
	str_fini(&stored);
	str_fini(&server);
	return rc;
}

int scheme_scram_make(struct str *out, const char *name, struct span password, struct span salt, struct err *err)
{
	bool is_256 = span_ends_nocase(span_z(name), "256");
	struct keys k;
	int rc;

	if (derive(&k, is_256 ? EVP_sha256() : EVP_sha1(), PREPARED, password, salt, SCHEME_SCRAM_ROUNDS) < 0)
		return err_set(err, ERR_TEMP, "%s: cannot derive the keys", name);
	rc = str_addf(out, "{%s}%d,", is_256 ? "SCRAM-SHA-256" : "SCRAM-SHA-1", SCHEME_SCRAM_ROUNDS) |
	     base64_encode(out, salt) | str_addc(out, ',') |
	     base64_encode(out, (struct span){ (char *)k.stored, k.n }) | str_addc(out, ',') |
	     base64_encode(out, (struct span){ (char *)k.server, k.n });
	explicit_bzero(&k, sizeof(k));
	return rc < 0 ? err_set(err, ERR_PERM, "the verifiers are too long") : 0;
}

int scheme_scram_generate(struct str *out, const char *name, struct span password, struct err *err)
{
	unsigned char salt[16];

	random_bytes(salt, sizeof(salt));
	return scheme_scram_make(out, name, password, (struct span){ (char *)salt, sizeof(salt) }, err);
}
