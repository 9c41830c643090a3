#include "store/users.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/users_db.h"

struct users {
	char *paths[2];
	struct users_db dbs[2];
	unsigned flags;
};

enum { ACCOUNTS, SECRETS };

int users_db_error(struct err *err, int rc, const char *path)
{
	if (rc > 0) {
		errno = rc;
		return err_sys(err, "%s", path);
	}
	return err_set(err, ERR_TEMP, "%s: %s", path, mdb_strerror(rc));
}

void users_db_close(struct users_db *db)
{
	if (db->txn)
		mdb_txn_abort(db->txn);
	if (db->env)
		mdb_env_close(db->env);
	db->txn = NULL;
	db->env = NULL;
}

/* A file cut short would be a SIGBUS at the first lookup. */
static int check_size(struct users_db *db, const char *path, off_t size, struct err *err)
{
	MDB_envinfo info;
	MDB_stat st;

	mdb_env_info(db->env, &info);
	mdb_env_stat(db->env, &st);
	if ((uint64_t)size < (uint64_t)(info.me_last_pgno + 1) * st.ms_psize)
		return err_set(err, ERR_TEMP, "%s is cut short", path);
	return 0;
}

static int open_env(struct users_db *db, const char *path, off_t size, struct err *err)
{
	int rc = mdb_env_create(&db->env);

	if (rc == 0)
		rc = mdb_env_open(db->env, path, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS, 0);
	if (rc == 0 && check_size(db, path, size, err) < 0) {
		users_db_close(db);
		return -1;
	}
	if (rc == 0)
		rc = mdb_txn_begin(db->env, NULL, MDB_RDONLY, &db->txn);
	if (rc == 0)
		rc = mdb_dbi_open(db->txn, NULL, 0, &db->dbi);
	if (rc != 0) {
		users_db_close(db);
		return users_db_error(err, rc, path);
	}
	mdb_txn_reset(db->txn);
	return 0;
}

/* While the old file is open its inode number cannot be given to another, so comparing numbers is enough. */
enum map_rc users_db_refresh(struct users_db *db, const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		char dir[4096];

		if (errno != ENOENT || db->has_been_seen)
			return err_sys(err, "%s", path);
		snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
		return stat(dir, &st) < 0 ? (enum map_rc)err_sys(err, "accounts in %s", dir) : MAP_NONE;
	}
	if (db->env && st.st_ino == db->ino && st.st_dev == db->dev)
		return MAP_FOUND;
	users_db_close(db);
	if (open_env(db, path, st.st_size, err) < 0)
		return MAP_TEMP;
	db->ino = st.st_ino;
	db->dev = st.st_dev;
	db->has_been_seen = true;
	return MAP_FOUND;
}

enum map_rc users_db_get(struct users_db *db, struct span key, struct span *value_r, struct err *err)
{
	MDB_val k = { key.n, (void *)key.p }, v;
	int rc;

	/* LMDB takes keys of 1 to 511 bytes; what cannot be a key is not in the store. */
	if (key.n == 0 || key.n > ACCOUNT_NAME_MAX)
		return MAP_NONE;
	rc = mdb_get(db->txn, db->dbi, &k, &v);
	if (rc == MDB_NOTFOUND)
		return MAP_NONE;
	if (rc != 0)
		return (enum map_rc)users_db_error(err, rc, "user store");
	*value_r = (struct span){ v.mv_data, v.mv_size };
	return MAP_FOUND;
}

void users_db_done(struct users_db *db)
{
	mdb_txn_reset(db->txn);
}

struct users *users_open(const char *dir, unsigned flags)
{
	static const char *const names[] = { "users.mdb", "secrets.mdb" };
	struct users *u = xnew(struct users);
	struct str s = STR_INIT(4096);
	size_t i;

	u->flags = flags;
	for (i = 0; i < ARRAY_LEN(names); i++) {
		str_reset(&s);
		if (str_addf(&s, "%s/%s", dir, names[i]) < 0)
			log_fatal("data directory: the path is too long");
		u->paths[i] = xstrdup(s.p);
	}
	str_fini(&s);
	return u;
}

void users_close(struct users *u)
{
	size_t i;

	if (!u)
		return;
	for (i = 0; i < ARRAY_LEN(u->dbs); i++) {
		users_db_close(&u->dbs[i]);
		free(u->paths[i]);
	}
	free(u);
}

/* Opens what is there now and starts a read transaction. */
static enum map_rc begin(struct users *u, int which, struct err *err)
{
	struct users_db *db = &u->dbs[which];
	enum map_rc rc = users_db_refresh(db, u->paths[which], err);
	int lrc;

	if (rc != MAP_FOUND)
		return rc;
	lrc = mdb_txn_renew(db->txn);
	return lrc == 0 ? MAP_FOUND : (enum map_rc)users_db_error(err, lrc, u->paths[which]);
}

enum map_rc users_get(struct users *u, struct span name, struct account *a_r, struct arena *arena, struct err *err)
{
	enum map_rc rc = begin(u, ACCOUNTS, err);
	struct span record;

	if (rc != MAP_FOUND)
		return rc;
	rc = users_db_get(&u->dbs[ACCOUNTS], name, &record, err);
	if (rc == MAP_FOUND && account_decode(a_r, name, record, arena, err) < 0)
		rc = MAP_TEMP;
	users_db_done(&u->dbs[ACCOUNTS]);
	return rc;
}

enum map_rc users_get_secrets(struct users *u, struct span name, struct str *out, struct err *err)
{
	enum map_rc rc;
	struct span value;

	BUG(!(u->flags & USERS_WITH_SECRETS));
	str_reset(out);
	rc = begin(u, SECRETS, err);
	if (rc != MAP_FOUND)
		return rc;
	rc = users_db_get(&u->dbs[SECRETS], name, &value, err);
	if (rc == MAP_FOUND && value.n == 0)
		rc = MAP_NONE;
	else if (rc == MAP_FOUND && (str_add_span(out, value) < 0 || span_has_nul(value)))
		rc = (enum map_rc)err_set(err, ERR_TEMP, "the verifiers of %.*s are damaged", SPAN_ARG(name));
	users_db_done(&u->dbs[SECRETS]);
	return rc;
}

static int visit_all(struct users_db *db, users_visit_fn *fn, void *arg, struct err *err)
{
	struct arena arena = { 0 };
	struct account a;
	MDB_cursor *cur;
	MDB_val k, v;
	int lrc = mdb_cursor_open(db->txn, db->dbi, &cur), rc = 0;

	if (lrc != 0)
		return users_db_error(err, lrc, "user store");
	while (rc == 0 && (lrc = mdb_cursor_get(cur, &k, &v, MDB_NEXT)) == 0) {
		arena_reset(&arena);
		rc = account_decode(&a, (struct span){ k.mv_data, k.mv_size }, (struct span){ v.mv_data, v.mv_size },
				    &arena, err);
		if (rc == 0 && !fn(arg, &a))
			break;
	}
	mdb_cursor_close(cur);
	arena_fini(&arena);
	if (rc == 0 && lrc != 0 && lrc != MDB_NOTFOUND)
		rc = users_db_error(err, lrc, "user store");
	return rc;
}

int users_each(struct users *u, users_visit_fn *fn, void *arg, struct err *err)
{
	enum map_rc rc = begin(u, ACCOUNTS, err);
	int n;

	if (rc != MAP_FOUND)
		return rc == MAP_NONE ? 0 : -1;
	n = visit_all(&u->dbs[ACCOUNTS], fn, arg, err);
	users_db_done(&u->dbs[ACCOUNTS]);
	return n;
}
