/* scheme_impl.h: what the files of the password schemes share; scheme*.c and exchange_auxprop.c include it */
#ifndef AUTH_SCHEME_IMPL_H
#define AUTH_SCHEME_IMPL_H

#include "auth/scheme.h"

#define SCHEME_RAW_MAX 512      /* decoded bytes of a verifier */

enum scheme_encoding { ENC_NONE, ENC_HEX, ENC_B64 };

/* A row of the table. data is text for ENC_NONE, else decoded bytes. size: bytes of the digest when raw. */
struct scheme {
	const char *name;
	enum scheme_encoding encoding;
	size_t size;            /* exact raw size, 0 for any */
	const char *digest;     /* of OpenSSL, NULL if none */
	enum scheme_rc (*verify)(const struct scheme *s, struct span data, struct span password, struct err *err);
};

/* Equal length and bytes, in time that depends on the length only. Source: scheme.c */
bool scheme_equal(struct span a, struct span b);

/* Digest of data followed by salt; n_r bytes in out (64 has room for all). Source: scheme.c */
int scheme_digest(const char *name, struct span data, struct span salt, unsigned char *out, size_t *n_r);

/* As scheme_verify and scheme_generate, for SCRAM-SHA-1 and SCRAM-SHA-256. Source: scheme_scram.c */
enum scheme_rc scheme_scram_verify(const struct scheme *s, struct span data, struct span password, struct err *err);
int scheme_scram_generate(struct str *out, const char *name, struct span password, struct err *err) WARN_UNUSED;

/* The same with a given salt. Source: scheme_scram.c */
int scheme_scram_make(struct str *out, const char *name, struct span password, struct span salt, struct err *err)
	WARN_UNUSED;

/* The two intermediate states of HMAC-MD5 as Dovecot's CRAM-MD5 stores them: 32 bytes. Source: scheme_cram.c */
void scheme_cram_context(struct span password, unsigned char out[32]);
enum scheme_rc scheme_cram_verify(const struct scheme *s, struct span data, struct span password, struct err *err);

#endif
