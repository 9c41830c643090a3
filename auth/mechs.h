/* mechs.h: which mechanisms an account's verifiers serve, for "surat user" and "surat check" */
#ifndef AUTH_MECHS_H
#define AUTH_MECHS_H

#include "auth/passdb.h"

/* Adds a warning for each mechanism of auth_mechanisms that no stored account can use; nothing where a store cannot be
 * read or there is no account yet. Blocks on files. Source: mechs.c */
void mechs_check(struct passdb_chain *c, struct conf_errors *errors);

/* Appends the verifiers that a new password gets, one per line: by auth_password_scheme, SCRAM-SHA-256, and what else
 * auth_mechanisms needs. -1 ERR_PERM for an unusable password. Blocks for the hashes. Source: mechs.c */
int mechs_make(struct str *out, const struct settings *s, struct span password, struct err *err) WARN_UNUSED;

#endif
