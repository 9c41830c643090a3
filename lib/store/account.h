/* account.h: one mail account: the rules for its name and paths, and its record in the user store */
#ifndef STORE_ACCOUNT_H
#define STORE_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"
#include "base/str.h"

#define ACCOUNT_NAME_MAX 254    /* RFC 5321 4.5.3.1.3, without the angle brackets */
#define ACCOUNT_PATH_MAX 1024

/* Strings belong to the arena that filled them, or to the caller who made the struct; NULL means unset. */
struct account {
	const char *name;       /* folded: user@domain or a bare name */
	bool has_ids;
	uint32_t uid, gid;
	const char *home;       /* absolute */
	const char *mail;       /* as mail_location: "maildir:~/Maildir" */
	uint64_t quota;         /* bytes, 0 for none */
	bool disabled;          /* no login; letters are still delivered */
	const char *comment;
};

/* Appends the folded form of name (ASCII lower case). -1 ERR_PERM for a name that no account can have: empty, over
 * ACCOUNT_NAME_MAX, not UTF-8, with control characters, white space, '/', '\', ':', '%', quotes or angle brackets,
 * with a part that is empty, starts with '.' or '-', or contains "..", or with two '@'. Source: account.c */
int account_name_fold(struct str *out, struct span name, struct err *err) WARN_UNUSED;

/* The parts around '@'; false with local = name and an empty domain when there is none. Source: account.c */
bool account_name_split(struct span name, struct span *local_r, struct span *domain_r);

/* -1 ERR_PERM unless path is UTF-8 without control characters or ".." components, at most ACCOUNT_PATH_MAX long,
 * and starts with '/'. Source: account.c */
int account_path_check(struct span path, struct err *err) WARN_UNUSED;

/* Appends the record: a version line, then one "key=value" line per set field. -1 ERR_PERM for a value that breaks
 * the rules above. Source: account.c */
int account_encode(struct str *out, const struct account *a, struct err *err) WARN_UNUSED;

/* Reads a record back; unknown keys are skipped, an unknown version or a bad value is ERR_TEMP (the store is
 * damaged or newer, the account may well exist). Source: account.c */
int account_decode(struct account *a_r, struct span name, struct span record, struct arena *arena, struct err *err)
	WARN_UNUSED;

#endif
