/* passdb.h: the stores of auth_passdb in their order: finding an account, checking its password */
#ifndef AUTH_PASSDB_H
#define AUTH_PASSDB_H

#include "auth/names.h"
#include "auth/passwd_file.h"
#include "auth/settings.h"
#include "store/users.h"

#define PASSDB_MAX 8

enum passdb_kind { PASSDB_USERS, PASSDB_FILE, PASSDB_PAM };

struct passdb {
	enum passdb_kind kind;
	const char *path;               /* of a passwd-file, else NULL */
	struct users *users;
	struct passwd_file *file;
};

struct passdb_chain {
	const struct settings *settings;
	struct passdb v[PASSDB_MAX];
	size_t n;
};

/* What was found. Strings live in the arena of the call. */
struct passdb_user {
	struct account account;
	const char *system_user;        /* NULL for virtual users */
	bool needs_no_password;
	const char *allow_nets;         /* where its clients may come from, or NULL */
};

/* How far a check has come, so that it goes on after PAM has answered. Zeroed at first. */
struct passdb_walk {
	size_t at;
	bool is_known, did_hash, had_temp;
	const char *backend;            /* for the log: the first that knew the name, else the last asked */
};

enum passdb_rc { PASSDB_OK, PASSDB_NO, PASSDB_TEMP, PASSDB_ASK_PAM };

/* Names the stores of auth_passdb; opens no file yet. settings must outlive c. -1 ERR_CONF for an unknown kind.
 * Source: passdb.c */
int passdb_open(struct passdb_chain *c, const struct settings *s, struct err *err) WARN_UNUSED;
void passdb_close(struct passdb_chain *c);

/* The account in the first store that has it, with its verifiers, one per line. PAM is not asked. Source: passdb.c */
enum map_rc passdb_find(struct passdb_chain *c, const struct names *n, struct arena *arena, struct passdb_user *user_r,
			struct str *secrets, struct err *err);

/* Tries password in the stores from w->at on. PASSDB_ASK_PAM: the store at w->at is PAM; passdb_after_pam takes its
 * answer and goes on. PASSDB_TEMP when none matched and one could not be asked. Failures are logged here when
 * auth_verbose; who says where from for the log. Blocks for hashes. Source: passdb.c */
enum passdb_rc passdb_check(struct passdb_chain *c, struct passdb_walk *w, const struct names *n, struct span password,
			    const char *who, struct arena *arena, struct passdb_user *user_r);
enum passdb_rc passdb_after_pam(struct passdb_chain *c, struct passdb_walk *w, enum passdb_rc pam,
				const struct names *n, struct span password, const char *who, struct arena *arena,
				struct passdb_user *user_r);

/* A client at this address may be the user, by allow_nets. Source: passdb.c */
bool passdb_may_come(const struct passdb_user *user, struct span address);

/* The data of the first verifier of that scheme among the lines; false when there is none. Source: passdb.c */
bool passdb_pick(struct span secrets, const char *scheme, struct span *data_r);

#endif
