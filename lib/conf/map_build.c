#include "conf/map_build.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/replace.h"

#define LMDB_KEY_MAX 511

struct build {
	const char *name;
	struct str path;        /* NAME.lmdb */
	struct str temp;        /* NAME.lmdb.XXXXXX */
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	size_t count;
};

static int lmdb_err(struct build *b, int rc, struct err *err)
{
	return err_set(err, rc == MDB_MAP_FULL ? ERR_CONF : ERR_TEMP, "cannot write %s: %s", b->temp.p,
		       mdb_strerror(rc));
}

static int put_entry(struct build *b, const struct source *src, struct span key, struct span value,
                     struct conf_errors *warnings, struct err *err)
{
	MDB_val k = { key.n, (void *)key.p }, v = { value.n, (void *)value.p };
	int rc;

	if (key.n > LMDB_KEY_MAX) {
		conf_error(warnings, "warning: %s:%u: the key is longer than %d bytes and is left out", src->file,
			   src->line, LMDB_KEY_MAX);
		return 0;
	}
	rc = mdb_put(b->txn, b->dbi, &k, &v, MDB_NOOVERWRITE);
	if (rc == MDB_KEYEXIST) {
		conf_error(warnings, "warning: %s:%u: '%.*s' stands there twice; the first counts", src->file,
			   src->line, SPAN_ARG(key));
		return 0;
	}
	b->count += rc == 0;
	return rc == 0 ? 0 : lmdb_err(b, rc, err);
}

static int fill(struct build *b, enum map_syntax syntax, struct source *src, struct conf_errors *warnings,
                struct err *err)
{
	struct str key = STR_INIT(SOURCE_MAX);
	struct span value;
	int rc = mdb_env_create(&b->env), put = 0;

	if (rc == 0)
		rc = mdb_env_set_mapsize(b->env, src->text.n * 8 + ((size_t)16 << 20));
	if (rc == 0)
		rc = mdb_env_open(b->env, b->temp.p, MDB_NOSUBDIR | MDB_NOLOCK, 0600);
	if (rc == 0)
		rc = mdb_txn_begin(b->env, NULL, 0, &b->txn);
	if (rc == 0)
		rc = mdb_dbi_open(b->txn, NULL, 0, &b->dbi);
	while (rc == 0 && put == 0 && map_source_next(src, syntax, &key, &value, warnings))
		put = put_entry(b, src, str_span(&key), value, warnings, err);
	str_fini(&key);
	if (put < 0)
		return -1;
	if (rc == 0) {
		rc = mdb_txn_commit(b->txn);
		b->txn = NULL;
	}
	return rc == 0 ? 0 : lmdb_err(b, rc, err);
}

/* Rights of the source go over before the name does, so that no reader finds a file it may not open. */
static int publish(struct build *b, struct err *err)
{
	struct stat st;
	int fd = open(b->temp.p, O_RDWR | O_CLOEXEC), rc = -1;

	if (fd < 0 || stat(b->name, &st) < 0) {
		err_sys(err, "cannot open %s", b->temp.p);
	} else if (geteuid() == 0 && fchown(fd, st.st_uid, st.st_gid) < 0) {
		err_sys(err, "cannot give %s its owner", b->temp.p);
	} else if (fchmod(fd, st.st_mode & 0666) < 0 || fsync(fd) < 0) {
		err_sys(err, "cannot write %s", b->temp.p);
	} else {
		rc = replace_commit(b->temp.p, b->path.p, err);
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

static int make_temp(struct build *b, struct err *err)
{
	int fd;

	if (str_addf(&b->path, "%s.lmdb", b->name) < 0 || str_addf(&b->temp, "%s.XXXXXX", b->path.p) < 0)
		return err_set(err, ERR_CONF, "the name %s is too long", b->name);
	fd = mkostemp(b->temp.p, O_CLOEXEC);
	if (fd < 0) {
		str_reset(&b->temp);
		return err_sys(err, "cannot make a file beside %s", b->name);
	}
	close(fd);
	return 0;
}

int map_build(const char *name, enum map_syntax syntax, size_t *count_r, struct conf_errors *warnings, struct err *err)
{
	struct build b = { .name = name, .path = STR_INIT(4096), .temp = STR_INIT(4096) };
	struct source src;
	int rc = source_open(&src, name, SOURCE_MAX, err);

	if (rc == 0)
		rc = make_temp(&b, err);
	if (rc == 0)
		rc = fill(&b, syntax, &src, warnings, err);
	if (b.txn)
		mdb_txn_abort(b.txn);
	if (b.env)
		mdb_env_close(b.env);
	if (rc == 0)
		rc = publish(&b, err);
	if (rc < 0 && b.temp.n)
		unlink(b.temp.p);
	*count_r = b.count;
	source_fini(&src);
	str_fini(&b.path);
	str_fini(&b.temp);
	return rc;
}

int map_build_visit(const char *name, void (*visit)(void *arg, struct span key, struct span value), void *arg,
                    struct err *err)
{
	struct str path = STR_INIT(4096);
	MDB_cursor *cursor = NULL;
	MDB_env *env = NULL;
	MDB_txn *txn = NULL;
	MDB_val k, v;
	MDB_dbi dbi;
	int rc = str_addf(&path, "%s.lmdb", name) < 0 ? ENAMETOOLONG : mdb_env_create(&env);

	if (rc == 0)
		rc = mdb_env_open(env, path.p, MDB_RDONLY | MDB_NOLOCK | MDB_NOSUBDIR, 0);
	if (rc == 0)
		rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
	if (rc == 0)
		rc = mdb_dbi_open(txn, NULL, 0, &dbi);
	if (rc == 0)
		rc = mdb_cursor_open(txn, dbi, &cursor);
	while (rc == 0 && (rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0)
		visit(arg, (struct span){ k.mv_data, k.mv_size }, (struct span){ v.mv_data, v.mv_size });
	if (rc != MDB_NOTFOUND)
		err_set(err, ERR_TEMP, "cannot read %s: %s", path.p, mdb_strerror(rc));
	if (cursor)
		mdb_cursor_close(cursor);
	if (txn)
		mdb_txn_abort(txn);
	if (env)
		mdb_env_close(env);
	str_fini(&path);
	return rc == MDB_NOTFOUND ? 0 : -1;
}
