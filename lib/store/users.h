/* users.h: the user store in data_directory: users.mdb (accounts) and secrets.mdb (password verifiers) */
#ifndef STORE_USERS_H
#define STORE_USERS_H

#include <sys/types.h>

#include "base/arena.h"
#include "conf/map.h"
#include "store/account.h"

struct users;
struct users_edit;

#define USERS_SECRETS_MAX 8192          /* bytes of all verifiers of one account */

#define USERS_SEED ".seed"               /* users_get_secrets of this name: random text, made with the first account */

enum users_flags { USERS_WITH_SECRETS = 1 };

/* A reader. Opens nothing yet: files are opened without locks at the first lookup, and again whenever they have been
 * replaced. A missing file in an existing dir is an empty store until it has been seen once. Source: users.c */
struct users *users_open(const char *dir, unsigned flags);

/* The account with this folded name; strings live in arena. MAP_TEMP with err when the store cannot be read.
 * Blocks on a page of the file at most. Source: users.c */
enum map_rc users_get(struct users *u, struct span name, struct account *a_r, struct arena *arena, struct err *err);

/* The verifiers of an account, one "{SCHEME}..." per line; *out is reset first. The caller wipes it. MAP_NONE also
 * for an account without any. Needs USERS_WITH_SECRETS. Source: users.c */
enum map_rc users_get_secrets(struct users *u, struct span name, struct str *out, struct err *err);

/* Visits all accounts in order of their names until fn returns false. a lives only during the call. Source: users.c */
typedef bool users_visit_fn(void *arg, const struct account *a);
int users_each(struct users *u, users_visit_fn *fn, void *arg, struct err *err) WARN_UNUSED;

/* Takes NULL. Source: users.c */
void users_close(struct users *u);

/* An edit works on copies of both files and replaces them by rename at commit. Waits for another writer's lock.
 * owner and group get secrets.mdb when it is made new (-1: the caller's). -1 ERR_SYS. Source: users_edit.c */
int users_edit_begin(struct users_edit **e_r, const char *dir, uid_t owner, gid_t group, struct err *err) WARN_UNUSED;

/* Inside an edit: as users_get, with what the edit changed. Source: users_edit.c */
enum map_rc users_edit_get(struct users_edit *e, struct span name, struct account *a_r, struct arena *arena,
			   struct err *err);

/* Sets an account; its name must be folded. secrets: lines as above, "" for none, NULL to leave them.
 * -1 ERR_PERM for a bad record, ERR_SYS/ERR_TEMP when it cannot be written. Source: users_edit.c */
int users_edit_put(struct users_edit *e, const struct account *a, const char *secrets, struct err *err) WARN_UNUSED;

/* Removes an account and its verifiers; ERR_PERM when there is none. Source: users_edit.c */
int users_edit_delete(struct users_edit *e, struct span name, struct err *err) WARN_UNUSED;

/* Both end the edit and set *e to NULL. Commit is durable on return: files synced, renamed, directory synced.
 * abort takes NULL. Source: users_edit.c */
int users_edit_commit(struct users_edit **e, struct err *err) WARN_UNUSED;
void users_edit_abort(struct users_edit **e);

#endif
