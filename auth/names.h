/* names.h: from what a client typed to the names under which its account may be stored */
#ifndef AUTH_NAMES_H
#define AUTH_NAMES_H

#include "auth/settings.h"

/* In the arena; NULL where there is none. All folded. */
struct names {
	const char *full;               /* user@domain; the bare name when no realm is known */
	const char *bare;               /* the part before @, if the domain is the default realm or in mydestination */
	const char *unix_name;          /* the same, only without a domain or when it is in mydestination */
};

/* -1 ERR_PERM for a name that no account can have, before anything is looked up. Source: names.c */
int names_resolve(struct names *out_r, const struct settings *s, struct span typed, struct arena *arena,
		  struct err *err) WARN_UNUSED;

#endif
