/* One edit, in order: lock, copy both files to *.new, change the copies, sync them, rename secrets.mdb before
 * users.mdb (an account never shows up before its verifiers), sync the directory. A crash before a rename leaves the
 * old file; the *.new beside it is removed by the next edit. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/random.h"
#include "io/sync_dir.h"
#include "store/users.h"
#include "store/users_db.h"

#define MIN_MAP ((size_t)64 << 20)

enum { ACCOUNTS, SECRETS };

static const struct {
	const char *name, *temp;
	mode_t mode;
} files[] = {
	{ "users.mdb", "users.mdb.new", 0644 },
	{ "secrets.mdb", "secrets.mdb.new", 0600 },
};

struct users_edit {
	char *dir;
	int dirfd, lockfd;
	uid_t owner;
	gid_t group;
	struct users_db dbs[2];
};

static char *path_of(const struct users_edit *e, const char *name)
{
	size_t n = strlen(e->dir) + strlen(name) + 2;
	char *p = xcalloc(1, n);

	snprintf(p, n, "%s/%s", e->dir, name);
	return p;
}

static int lock(struct users_edit *e, struct err *err)
{
	e->dirfd = open(e->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e->dirfd < 0)
		return err_sys(err, "%s", e->dir);
	e->lockfd = openat(e->dirfd, "users.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (e->lockfd < 0)
		return err_sys(err, "%s/users.lock", e->dir);
	while (flock(e->lockfd, LOCK_EX) < 0) {
		if (errno != EINTR)
			return err_sys(err, "%s/users.lock", e->dir);
	}
	return 0;
}

/* Owner and mode: those of the file that is replaced, else the table's. */
static int copy_file(struct users_edit *e, int which, struct err *err)
{
	const char *name = files[which].name;
	char *buf;
	struct stat st;
	ssize_t n = 0;
	int rc = -1, in, out;

	if (unlinkat(e->dirfd, files[which].temp, 0) < 0 && errno != ENOENT)
		return err_sys(err, "%s/%s", e->dir, files[which].temp);
	out = openat(e->dirfd, files[which].temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return err_sys(err, "%s/%s", e->dir, files[which].temp);
	in = openat(e->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	buf = xcalloc(1, 65536);
	if (in < 0 && errno != ENOENT) {
		err_sys(err, "%s/%s", e->dir, name);
		goto out;
	}
	if (in < 0) {
		st = (struct stat){ .st_mode = files[which].mode, .st_uid = which == SECRETS ? e->owner : (uid_t)-1,
				    .st_gid = which == SECRETS ? e->group : (gid_t)-1 };
	} else if (fstat(in, &st) < 0) {
		err_sys(err, "%s/%s", e->dir, name);
		goto out;
	}
	while (in >= 0 && (n = read(in, buf, 65536)) > 0) {
		if (write(out, buf, (size_t)n) != n) {
			n = -1;
			break;
		}
	}
	if (n < 0 || fchown(out, st.st_uid, st.st_gid) < 0 || fchmod(out, st.st_mode & 0777) < 0) {
		err_sys(err, "%s/%s", e->dir, files[which].temp);
		goto out;
	}
	rc = 0;
out:
	explicit_bzero(buf, 65536);
	free(buf);
	if (in >= 0)
		close(in);
	close(out);
	return rc;
}

static int open_copy(struct users_edit *e, int which, struct err *err)
{
	struct users_db *db = &e->dbs[which];
	char *path = path_of(e, files[which].temp);
	struct stat st;
	int rc = -1, lrc;

	if (stat(path, &st) < 0) {
		err_sys(err, "%s", path);
		goto out;
	}
	lrc = mdb_env_create(&db->env);
	if (lrc == 0)
		lrc = mdb_env_set_mapsize(db->env, MIN_MAP + 4 * (size_t)st.st_size);
	if (lrc == 0)
		lrc = mdb_env_open(db->env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS, 0600);
	if (lrc == 0)
		lrc = mdb_txn_begin(db->env, NULL, 0, &db->txn);
	if (lrc == 0)
		lrc = mdb_dbi_open(db->txn, NULL, 0, &db->dbi);
	rc = lrc == 0 ? 0 : users_db_error(err, lrc, path);
out:
	free(path);
	return rc;
}

int users_edit_begin(struct users_edit **e_r, const char *dir, uid_t owner, gid_t group, struct err *err)
{
	struct users_edit *e = xnew(struct users_edit);
	int i;

	e->dir = xstrdup(dir);
	e->dirfd = e->lockfd = -1;
	e->owner = owner;
	e->group = group;
	*e_r = e;
	if (lock(e, err) < 0)
		goto fail;
	for (i = ACCOUNTS; i <= SECRETS; i++) {
		if (copy_file(e, i, err) < 0 || open_copy(e, i, err) < 0)
			goto fail;
	}
	return 0;
fail:
	users_edit_abort(e_r);
	return -1;
}

void users_edit_abort(struct users_edit **e_r)
{
	struct users_edit *e = *e_r;
	int i;

	*e_r = NULL;
	if (!e)
		return;
	for (i = ACCOUNTS; i <= SECRETS; i++) {
		users_db_close(&e->dbs[i]);
		if (e->lockfd >= 0)
			unlinkat(e->dirfd, files[i].temp, 0);
	}
	if (e->lockfd >= 0)
		close(e->lockfd);
	if (e->dirfd >= 0)
		close(e->dirfd);
	free(e->dir);
	free(e);
}

enum map_rc users_edit_get(struct users_edit *e, struct span name, struct account *a_r, struct arena *arena,
			   struct err *err)
{
	struct span record;
	enum map_rc rc = users_db_get(&e->dbs[ACCOUNTS], name, &record, err);

	if (rc == MAP_FOUND && account_decode(a_r, name, record, arena, err) < 0)
		return MAP_TEMP;
	return rc;
}

static int put(struct users_edit *e, int which, struct span key, struct span value, struct err *err)
{
	MDB_val k = { key.n, (void *)key.p }, v = { value.n, (void *)value.p };
	int rc = mdb_put(e->dbs[which].txn, e->dbs[which].dbi, &k, &v, 0);

	return rc == 0 ? 0 : users_db_error(err, rc, files[which].temp);
}

/* Removing what is not there is not an error. */
static int del(struct users_edit *e, int which, struct span key, struct err *err)
{
	MDB_val k = { key.n, (void *)key.p };
	int rc = mdb_del(e->dbs[which].txn, e->dbs[which].dbi, &k, NULL);

	return rc == 0 || rc == MDB_NOTFOUND ? 0 : users_db_error(err, rc, files[which].temp);
}

int users_edit_put(struct users_edit *e, const struct account *a, const char *secrets, struct err *err)
{
	struct str s = STR_INIT(8192);
	struct span name = span_z(a->name);
	int rc = -1;

	if (account_name_fold(&s, name, err) < 0)
		goto out;
	if (!span_eq(str_span(&s), name)) {
		err_set(err, ERR_PERM, "the account name %s is not in lower case", a->name);
		goto out;
	}
	if (secrets && strlen(secrets) > USERS_SECRETS_MAX) {
		err_set(err, ERR_PERM, "the verifiers of %s are too long", a->name);
		goto out;
	}
	str_reset(&s);
	if (account_encode(&s, a, err) < 0 || put(e, ACCOUNTS, name, str_span(&s), err) < 0)
		goto out;
	if (secrets && secrets[0])
		rc = put(e, SECRETS, name, span_z(secrets), err);
	else
		rc = secrets ? del(e, SECRETS, name, err) : 0;
out:
	str_fini(&s);
	return rc;
}

int users_edit_delete(struct users_edit *e, struct span name, struct err *err)
{
	struct span record;
	enum map_rc rc = users_db_get(&e->dbs[ACCOUNTS], name, &record, err);

	if (rc == MAP_TEMP)
		return -1;
	if (rc == MAP_NONE)
		return err_set(err, ERR_PERM, "there is no account %.*s", SPAN_ARG(name));
	return del(e, ACCOUNTS, name, err) < 0 ? -1 : del(e, SECRETS, name, err);
}

/* Not a name any account can have. What is derived from it must outlive restarts. */
static int ensure_seed(struct users_edit *e, struct err *err)
{
	struct str text = STR_INIT(64);
	unsigned char raw[32];
	struct span value;
	enum map_rc found = users_db_get(&e->dbs[SECRETS], SPAN_LIT(USERS_SEED), &value, err);
	int rc = 0;

	if (found != MAP_NONE)
		return found == MAP_FOUND ? 0 : -1;
	random_bytes(raw, sizeof(raw));
	if (base64_encode(&text, (struct span){ (char *)raw, sizeof(raw) }) == 0)
		rc = put(e, SECRETS, SPAN_LIT(USERS_SEED), str_span(&text), err);
	str_fini(&text);
	return rc;
}

/* mdb_txn_commit syncs data and meta page. */
static int commit_copy(struct users_edit *e, int which, struct err *err)
{
	struct users_db *db = &e->dbs[which];
	int rc = mdb_txn_commit(db->txn);

	db->txn = NULL;
	if (rc == 0)
		rc = mdb_env_sync(db->env, 1);
	users_db_close(db);
	return rc == 0 ? 0 : users_db_error(err, rc, files[which].temp);
}

static int rename_copy(struct users_edit *e, int which, struct err *err)
{
	if (renameat(e->dirfd, files[which].temp, e->dirfd, files[which].name) < 0)
		return err_sys(err, "%s/%s", e->dir, files[which].name);
	return 0;
}

int users_edit_commit(struct users_edit **e_r, struct err *err)
{
	struct users_edit *e = *e_r;
	int rc = -1;

	if (ensure_seed(e, err) == 0 && commit_copy(e, SECRETS, err) == 0 && commit_copy(e, ACCOUNTS, err) == 0 &&
	    rename_copy(e, SECRETS, err) == 0 && rename_copy(e, ACCOUNTS, err) == 0) {
		rc = sync_dir(e->dirfd) < 0 ? err_sys(err, "%s", e->dir) : 0;
	}
	users_edit_abort(e_r);
	return rc;
}
