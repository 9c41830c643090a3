#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>

#include "base/mem.h"
#include "conf/map_types.h"

#define LMDB_KEY_MAX 511

/* Opened without locks: the file is never written in place, only replaced by rename (map_build.c). */
struct lmdb_map {
	char *path;
	struct map_file file;
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
};

static void forget(struct lmdb_map *m)
{
	if (m->txn)
		mdb_txn_abort(m->txn);
	if (m->env)
		mdb_env_close(m->env);
	m->txn = NULL;
	m->env = NULL;
}

static int open_env(struct lmdb_map *m, struct err *err)
{
	int rc = mdb_env_create(&m->env);

	if (rc == 0)
		rc = mdb_env_open(m->env, m->path, MDB_RDONLY | MDB_NOLOCK | MDB_NOSUBDIR, 0);
	if (rc == 0)
		rc = mdb_txn_begin(m->env, NULL, MDB_RDONLY, &m->txn);
	if (rc == 0)
		rc = mdb_dbi_open(m->txn, NULL, 0, &m->dbi);
	if (rc == 0)
		return 0;
	forget(m);
	err_set(err, ERR_TEMP, "cannot open table %s: %s", m->path, mdb_strerror(rc));
	err->sys = rc > 0 ? rc : 0;
	return -1;
}

static int refresh(struct lmdb_map *m, struct err *err)
{
	int rc = map_file_changed(&m->file, m->path, err);

	if (rc < 0 && err->sys == ENOENT)
		err_set(err, ERR_CONF, "table %s does not exist; to make it run: surat map %.*s", m->path,
		        (int)strlen(m->path) - 5, m->path);
	if (rc == 0 && m->env)
		return 0;
	forget(m);
	if (rc >= 0)
		rc = open_env(m, err);
	if (rc < 0)
		m->file = (struct map_file){ 0 };
	return rc;
}

static int lmdb_open(void **state_r, const char *name, struct err *err)
{
	struct lmdb_map *m = *state_r = xnew(struct lmdb_map);
	size_t size = strlen(name) + sizeof(".lmdb");

	m->path = xcalloc(1, size);
	snprintf(m->path, size, "%s%s", name, span_ends_nocase(span_z(name), ".lmdb") ? "" : ".lmdb");
	return refresh(m, err);
}

static enum map_rc lmdb_get(void *state, struct span key, struct str *value, struct err *err)
{
	struct lmdb_map *m = state;
	MDB_val k = { key.n, (void *)key.p }, v;
	int rc;

	if (refresh(m, err) < 0)
		return MAP_TEMP;
	if (!key.n || key.n > LMDB_KEY_MAX)
		return MAP_NONE;
	rc = mdb_get(m->txn, m->dbi, &k, &v);
	if (rc == MDB_NOTFOUND)
		return MAP_NONE;
	if (rc == 0 && str_add(value, v.mv_data, v.mv_size) == 0)
		return MAP_FOUND;
	err_set(err, ERR_TEMP, "cannot read table %s: %s", m->path, rc ? mdb_strerror(rc) : "the value is too long");
	return MAP_TEMP;
}

static void lmdb_close(void *state)
{
	struct lmdb_map *m = state;

	forget(m);
	free(m->path);
	free(m);
}

const struct map_type map_lmdb_type = { "lmdb", MAP_FOLDS, lmdb_open, lmdb_get, lmdb_close };
