/* scheme.h: password verifiers in Dovecot's form {SCHEME}data: checks all known ones, makes the modern ones */
#ifndef AUTH_SCHEME_H
#define AUTH_SCHEME_H

#include "base/err.h"
#include "base/span.h"
#include "base/str.h"

#define SCHEME_PASSWORD_MAX 1024        /* bytes of a password anybody may send */

enum scheme_rc { SCHEME_BAD = -1, SCHEME_MISMATCH = 0, SCHEME_MATCH = 1 };

/* Cost of new ARGON2ID verifiers (OWASP's second choice: 19 MiB, 2 passes) and of new SCRAM ones. */
#define SCHEME_ARGON2_PASSES 2
#define SCHEME_ARGON2_KIB 19456
#define SCHEME_SCRAM_ROUNDS 32768

/* Splits "{SCHEME}data" into both; without braces the scheme is fallback. false when a brace is left open or the name
 * is empty. Source: scheme.c */
bool scheme_split(struct span stored, const char *fallback, struct span *name_r, struct span *data_r);

/* True when a check of this scheme exists (suffixes .HEX, .b64, .base64 included). Source: scheme.c */
bool scheme_is_known(struct span name);

/* Compares in constant time. SCHEME_BAD with err for an unknown scheme or a damaged verifier. Blocks for the time of
 * the hash (ARGON2ID: tens of milliseconds). Source: scheme.c */
enum scheme_rc scheme_verify(struct span stored, const char *fallback, struct span password, struct err *err);

/* Appends a new verifier with a random salt: ARGON2ID, SCRAM-SHA-256, SCRAM-SHA-1, SHA512-CRYPT, BLF-CRYPT, PLAIN or
 * CRAM-MD5. -1 ERR_PERM for another scheme or a password with NUL or over SCHEME_PASSWORD_MAX. Source: scheme.c */
int scheme_generate(struct str *out, const char *name, struct span password, struct err *err) WARN_UNUSED;

/* Does about the work of checking an ARGON2ID verifier, for a name that does not exist. Source: scheme.c */
void scheme_dummy(struct span password);

#endif
