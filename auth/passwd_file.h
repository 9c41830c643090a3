/* passwd_file.h: Dovecot's passwd-file: user:{SCHEME}password:uid:gid:gecos:home:shell:extra_fields */
#ifndef AUTH_PASSWD_FILE_H
#define AUTH_PASSWD_FILE_H

#include "base/arena.h"
#include "conf/map.h"
#include "store/account.h"

#define PASSWD_FILE_MAX ((size_t)256 << 20)

struct passwd_file;

/* Strings live in the arena of whoever filled it. */
struct passwd_entry {
	struct account account;
	const char *password;           /* as stored; "" when there is none */
	bool needs_no_password;         /* nopassword */
	const char *allow_nets;         /* where clients may come from, or NULL */
	const char *fault;              /* what is wrong with its line; then only the name may be used */
};

/* One line without its newline. True when *out_r is filled; false with err->kind ERR_NONE for an empty line or a
 * comment, ERR_CONF for a line that is none (out_r->account.name is set if it got that far). Extra fields read:
 * userdb_home, userdb_mail, userdb_uid, userdb_gid, userdb_quota_rule, nopassword, nologin, disabled, allow_nets;
 * others are skipped. Looks names of users and groups up. Source: passwd_file.c */
bool passwd_file_line(struct passwd_entry *out_r, struct span line, struct arena *arena, struct err *err);

/* Opens nothing yet. Source: passwd_file.c */
struct passwd_file *passwd_file_open(const char *path);

/* The entry of this folded name. The file is read again when it has changed; each faulty line gets a warning in the
 * log. MAP_TEMP when the file cannot be read, or the name has only a faulty line. Entry lives until the next call.
 * Source: passwd_file.c */
enum map_rc passwd_file_get(struct passwd_file *f, struct span name, const struct passwd_entry **entry_r,
			    struct err *err);

/* Visits all entries in the file's order, faulty ones too; a line without a name is called "line 7". Stops when fn
 * returns false. 0/-1. Source: passwd_file.c */
typedef bool passwd_file_visit_fn(void *arg, const struct passwd_entry *e);
int passwd_file_each(struct passwd_file *f, passwd_file_visit_fn *fn, void *arg, struct err *err) WARN_UNUSED;

/* Takes NULL; wipes what was read. Source: passwd_file.c */
void passwd_file_close(struct passwd_file *f);

#endif
