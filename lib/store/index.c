/* Opening decides, under the lock OPENING, whether the environment that lies there is used; all else is short.
 *
 * Who writes takes LMDB's lock, then looks at the mark: "clean" becomes "dirty", synced, before the first page is
 * written. Who marks clean holds the same lock over the sync. So the mark on disk never says more than is true:
 *
 *   killed between                          found                     done
 *   void written, new environment made      void                      made anew
 *   dirty written, first commit             dirty, whole              used
 *   pages written, meta page not            the commit before         used; LMDB's mutex says that its owner died
 *   synced, clean not written               dirty, whole              used
 *   commit, file made as long as it says    file too short            set aside, which is safe
 *
 * LMDB's own locks are mutexes, and who is killed just as it is woken as the next owner of one leaves all others asleep. So
 * nobody waits there: WRITING, which the kernel gives back, is held around the writers' mutex, OPENING around the readers'.
 * The next writer after one that was killed may take the readers' too, but of two that meet nobody can be left asleep.
 *
 * A power cut leaves dirty with an instance of the past, or what was synced before "clean". */
#include "store/index_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"

#define FORMAT 3
#define MAP_SIZE (sizeof(size_t) > 4 ? (size_t)64 << 30 : (size_t)1 << 30)
#define SETTLE_MS 30000
#define MODSEQ_MARGIN ((uint64_t)1 << 28)       /* what may have been given since the last mark, by a clock that was set back */
#define REAP_ROWS 500

static const char *const table_names[] = { "meta", "folder", "msg", "name", "keys", "body", "gone" };

/* LMDB calls a short write EIO; where that is a broken disk, memory is the better place too. */
static bool is_full(int rc)
{
	return rc == ENOSPC || rc == EDQUOT || rc == EFBIG || rc == EROFS || rc == EIO;
}

int index_fail(struct index *x, int rc, const char *what, struct err *err)
{
	if (is_full(rc) || (x->is_memory && rc == MDB_MAP_FULL)) {
		x->is_full = true;
		return err_dsn(err, ERR_TEMP, "4.3.1", "index: %s: %s", what, mdb_strerror(rc));
	}
	if (rc == MDB_TXN_FULL)
		return err_dsn(err, ERR_TEMP, "4.3.1", "index: %s: too much in one transaction", what);
	err_dsn(err, ERR_SYS, "4.3.0", "index: %s: %s", what, mdb_strerror(rc));
	err->sys = rc > 0 ? rc : EIO;
	return -1;
}

/* ---- the environment ---- */

static void close_env(struct index *x)
{
	size_t i;

	for (i = 0; i < INDEX_TABLES; i++)
		if (x->reading[i])
			mdb_cursor_close(x->reading[i]);
	memset(x->reading, 0, sizeof(x->reading));
	if (x->idle)
		mdb_txn_abort(x->idle);
	x->idle = NULL;
	if (x->env)
		mdb_env_close(x->env);
	x->env = NULL;
}

static uint64_t version_of(void)
{
	return (uint64_t)FORMAT << 32 | sizeof(struct index_msg) << 16 | sizeof(struct index_folder);
}

static int open_tables(struct index *x, MDB_txn *txn, bool is_new, uint64_t modseq)
{
	uint64_t version;
	size_t i;
	int rc;

	for (i = 0; i < INDEX_TABLES; i++) {
		rc = mdb_dbi_open(txn, table_names[i], is_new ? MDB_CREATE : 0, &x->dbi[i]);
		if (rc)
			return rc;
	}
	if (is_new) {
		rc = index_meta_put(txn, x->dbi[INDEX_T_META], "version", version_of());
		return rc ? rc : index_meta_put(txn, x->dbi[INDEX_T_META], "modseq", modseq);
	}
	rc = index_meta_get(txn, x->dbi[INDEX_T_META], "version", &version);
	if (rc == 0 && version != version_of())
		rc = MDB_VERSION_MISMATCH;
	x->has_dead = true;
	return rc;
}

static int open_env(struct index *x, const char *path, unsigned flags, bool is_new, uint64_t modseq)
{
	MDB_txn *txn;
	int dead, rc = mdb_env_create(&x->env);

	if (rc) {
		x->env = NULL;
		return rc;
	}
	rc = mdb_env_set_maxdbs(x->env, INDEX_TABLES);
	if (rc == 0)
		rc = mdb_env_set_mapsize(x->env, MAP_SIZE);
	if (rc == 0)
		rc = mdb_env_open(x->env, path, flags | MDB_NOSYNC | MDB_NOMETASYNC | MDB_NOTLS, 0600);
	if (rc == 0 && !(flags & MDB_NOLOCK))
		rc = mdb_reader_check(x->env, &dead);
	if (rc == 0)
		rc = mdb_txn_begin(x->env, NULL, is_new ? 0 : MDB_RDONLY, &txn);
	if (rc == 0) {
		rc = open_tables(x, txn, is_new, modseq);
		if (rc == 0)
			rc = mdb_txn_commit(txn);
		else
			mdb_txn_abort(txn);
	}
	if (rc)
		close_env(x);
	return rc;
}

static int open_memory(struct index *x, struct err *err)
{
	int fd = memfd_create("surat-index", MFD_CLOEXEC), rc;
	char path[64];

	if (fd < 0)
		return err_sys(err, "index in memory");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	x->is_memory = true;
	x->is_full = false;
	rc = open_env(x, path, MDB_NOSUBDIR | MDB_NOLOCK, true, 0);
	close(fd);
	if (rc)
		return index_fail(x, rc, "open in memory", err);
	random_bytes(&x->generation, sizeof(x->generation));
	return 0;
}

static int open_disk_env(struct index *x, bool is_new, uint64_t modseq)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", x->files.dir);
	return open_env(x, path, 0, is_new, modseq);
}

/* What the mark says of the file that is there. Others may be writing meanwhile, so what looks wrong is looked at
 * again. */
static bool is_trusted(struct index *x, struct index_standing *st)
{
	unsigned tries;

	for (tries = 0; tries < 5; tries++) {
		index_state_read(&x->files, st);
		if (st->mark == INDEX_VOID)
			return false;
		/* who has it open has seen that it is good, and the machine has not gone down since */
		if (st->mark == INDEX_DIRTY && st->instance != x->opt.instance && index_state_is_alone(&x->files))
			return false;
		if (index_state_data_is_sane(&x->files) &&
		    (st->mark == INDEX_DIRTY || index_state_stamp_holds(&x->files, st)))
			return true;
		if (index_state_is_alone(&x->files))
			return false;
		nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
	}
	return false;
}

/* Removes what is there, for good: processes that have it open go on with it until their next begin. The lock file
 * first, so that never a new environment meets an old lock. */
static int make_anew(struct index *x, const struct index_standing *old, struct err *err)
{
	struct index_standing st = { .mark = INDEX_VOID, .modseq = old->modseq };
	int rc;

	if (index_state_write(&x->files, &st, old->mark == INDEX_CLEAN, err) < 0)
		return -1;
	if ((unlinkat(x->files.dir, INDEX_LOCK, 0) < 0 && errno != ENOENT) ||
	    (unlinkat(x->files.dir, INDEX_DATA, 0) < 0 && errno != ENOENT))
		return err_sys(err, "set the index aside");
	if (index_state_allocate_lock(&x->files, err) < 0)
		return -1;
	/* with a sane clock the start is now: never ahead of it, or what starts without knowing this one would fall behind */
	if (st.modseq > index_folder_clock_modseq())
		st.modseq += MODSEQ_MARGIN;
	rc = open_disk_env(x, true, st.modseq);
	if (rc)
		return index_fail(x, rc, "make", err);
	st.mark = INDEX_DIRTY;
	st.instance = x->opt.instance;
	do
		random_bytes(&st.generation, sizeof(st.generation));
	while (st.generation == 0);
	x->generation = st.generation;
	x->write_ms = clock_mono_ms();
	if (index_state_write(&x->files, &st, false, err) == 0)
		return 0;
	close_env(x);
	return -1;
}

/* A foreign user's or a machine's limit is no reason to throw an index away. */
static bool is_limit(int rc)
{
	return rc == ENOMEM || rc == EMFILE || rc == ENFILE || rc == EACCES || rc == EPERM || rc == EINTR || rc == EAGAIN;
}

static int open_disk_locked(struct index *x, struct err *err)
{
	struct index_standing st;
	int rc;

	if (is_trusted(x, &st) && !x->opt.is_suspect) {
		if (index_state_allocate_lock(&x->files, err) < 0)
			return -1;
		rc = open_disk_env(x, false, 0);
		x->generation = st.generation;
		if (rc == 0)
			return 0;
		if (is_full(rc) || is_limit(rc))
			return index_fail(x, rc, "open", err);
	}
	return make_anew(x, &st, err);
}

static int open_disk(struct index *x, struct err *err)
{
	int rc = -1;

	index_state_close(&x->files);
	if (index_state_open(&x->files, x->opt.dir, err) < 0)
		return -1;
	if (index_state_lock(&x->files, INDEX_OPENING, err) == 0) {
		rc = open_disk_locked(x, err);
		if (rc == 0 && index_state_lock(&x->files, INDEX_USING, err) < 0)
			rc = -1;
		index_state_unlock(&x->files, INDEX_OPENING);
	}
	if (rc < 0) {
		close_env(x);
		index_state_close(&x->files);
	}
	x->opt.is_suspect = false;
	return rc;
}

static int open_any(struct index *x, struct err *err)
{
	struct err why = ERR_INIT;

	close_env(x);
	if (!x->is_memory && !x->is_full && open_disk(x, &why) == 0)
		return 0;
	index_state_close(&x->files);
	return open_memory(x, err);
}

/* True when nobody has made another environment, or removed ours. */
static bool is_current(struct index *x, struct index_standing *st_r)
{
	index_state_read(&x->files, st_r);
	return st_r->generation == x->generation && index_state_is_linked(&x->files);
}

/* Writers look at the state once more when they have the lock. */
static int ready(struct index *x, bool skips_look, struct err *err)
{
	struct index_standing st;

	if (x->env && !x->is_full && (x->is_memory || skips_look || is_current(x, &st)))
		return 0;
	return open_any(x, err);
}

/* ---- marks ---- */

static int begin_locked(struct index *x, MDB_txn **txn_r)
{
	struct err err = ERR_INIT;
	int rc;

	if (!x->is_memory && index_state_lock(&x->files, INDEX_WRITING, &err) < 0)
		return err.sys;
	rc = mdb_txn_begin(x->env, NULL, 0, txn_r);
	if (rc && !x->is_memory)
		index_state_unlock(&x->files, INDEX_WRITING);
	return rc;
}

static void abort_locked(struct index *x, MDB_txn *txn)
{
	mdb_txn_abort(txn);
	if (!x->is_memory)
		index_state_unlock(&x->files, INDEX_WRITING);
}

/* With the writers' lock held and all synced. */
static void mark_clean(struct index *x, MDB_txn *txn, struct index_standing *st)
{
	uint64_t modseq = index_folder_max_modseq(x, txn);
	struct err err = ERR_INIT;

	if (index_state_stamp(&x->files, st, &err) < 0)
		return;
	st->mark = INDEX_CLEAN;
	st->instance = 0;
	st->modseq = modseq > st->modseq ? modseq : st->modseq;
	(void)!index_state_write(&x->files, st, true, &err);
}

/* Syncs and marks clean when it is dirty. Others may write during the sync; then there is a little more to do. */
static void settle(struct index *x)
{
	struct index_standing st;
	MDB_envinfo before;
	MDB_txn *txn;

	x->write_ms = 0;
	if (!is_current(x, &st) || st.mark != INDEX_DIRTY || mdb_env_info(x->env, &before) || mdb_env_sync(x->env, 1) ||
	    begin_locked(x, &txn))
		return;
	if (is_current(x, &st) && st.mark == INDEX_DIRTY &&
	    (mdb_txn_id(txn) == before.me_last_txnid + 1 || mdb_env_sync(x->env, 1) == 0))
		mark_clean(x, txn, &st);
	abort_locked(x, txn);
}

int index_open(struct index **x_r, const struct index_options *opt, struct err *err)
{
	struct index *x = xnew(struct index);

	x->opt = *opt;
	x->is_memory = opt->is_memory;
	x->files.dir = x->files.state = -1;
	if (open_any(x, err) == 0) {
		*x_r = x;
		return 0;
	}
	free(x);
	return -1;
}

void index_close(struct index **xp)
{
	struct index *x = *xp;
	struct err err = ERR_INIT;

	if (!x)
		return;
	BUG(x->has_txn);
	if (!x->env && !x->is_memory && x->write_ms)
		(void)!open_disk(x, &err);
	if (x->env && !x->is_memory && index_state_is_alone(&x->files))
		settle(x);
	close_env(x);
	index_state_close(&x->files);
	free(x);
	*xp = NULL;
}

unsigned index_rest(struct index *x)
{
	uint64_t quiet = clock_mono_ms() - x->write_ms;
	struct err err = ERR_INIT;

	BUG(x->has_txn);
	if (x->is_memory || x->is_full)
		return 0;
	if (x->write_ms && quiet >= SETTLE_MS && (x->env || open_disk(x, &err) == 0) && index_state_is_alone(&x->files))
		settle(x);
	close_env(x);
	index_state_close(&x->files);
	if (!x->write_ms)
		return 0;
	return quiet < SETTLE_MS ? (unsigned)(SETTLE_MS - quiet) : SETTLE_MS;
}

int index_renew(struct index *x, struct err *err)
{
	struct index_standing st;

	BUG(x->has_txn);
	/* somebody else was faster, or it is clear already that there is no disk to write to */
	if (x->env && !x->is_memory && !x->is_full && is_current(x, &st))
		x->opt.is_suspect = true;
	return open_any(x, err);
}

bool index_is_memory(const struct index *x)
{
	return x->is_memory;
}

uint64_t index_generation(const struct index *x)
{
	return x->generation;
}

/* ---- transactions ---- */

/* The first of an environment: it takes a place in the list of readers. */
static int begin_idle(struct index *x)
{
	struct err err = ERR_INIT;
	int dead, rc;

	if (!x->is_memory && index_state_lock(&x->files, INDEX_OPENING, &err) < 0)
		return err.sys;
	rc = mdb_txn_begin(x->env, NULL, MDB_RDONLY, &x->idle);
	if (rc == MDB_READERS_FULL && mdb_reader_check(x->env, &dead) == 0)
		rc = mdb_txn_begin(x->env, NULL, MDB_RDONLY, &x->idle);
	if (rc)
		x->idle = NULL;
	if (!x->is_memory)
		index_state_unlock(&x->files, INDEX_OPENING);
	return rc;
}

static int begin_read(struct index *x, MDB_txn **txn_r)
{
	int rc = x->idle ? mdb_txn_renew(x->idle) : begin_idle(x);
	size_t i;

	*txn_r = x->idle;
	for (i = 0; i < INDEX_TABLES && rc == 0; i++)
		if (x->reading[i])
			rc = mdb_cursor_renew(x->idle, x->reading[i]);
	return rc;
}

/* 1 begun, 0 the environment is another one now, -1. */
static int begin_write(struct index *x, MDB_txn **txn_r, struct err *err)
{
	struct index_standing st;
	int rc = begin_locked(x, txn_r);

	if (rc)
		return index_fail(x, rc, "begin", err);
	memset(x->has_last, 0, sizeof(x->has_last));
	if (x->is_memory)
		return 1;
	if (is_current(x, &st)) {
		if (st.mark == INDEX_DIRTY)
			return 1;
		st.mark = INDEX_DIRTY;
		st.instance = x->opt.instance;
		if (index_state_write(&x->files, &st, true, err) == 0)
			return 1;
		x->is_full = true;
	}
	abort_locked(x, *txn_r);
	return 0;
}

int index_begin(struct index *x, bool is_write, struct index_txn *t_r, struct err *err)
{
	MDB_txn *txn = NULL;
	unsigned tries;
	int rc = 0;

	BUG(x->has_txn);
	*t_r = (struct index_txn){ .x = x, .is_write = is_write };
	for (tries = 0; rc == 0 && tries < 8; tries++) {
		if (ready(x, is_write && tries == 0, err) < 0)
			return -1;
		if (is_write) {
			rc = begin_write(x, &txn, err);
			continue;
		}
		rc = begin_read(x, &txn);
		if (rc == MDB_READERS_FULL) {
			x->is_full = true;
			rc = 0;
			continue;
		}
		if (rc)
			return index_fail(x, rc, "begin", err);
		rc = 1;
	}
	if (rc == 0)
		return err_set(err, ERR_TEMP, "index: it is made anew again and again");
	if (rc < 0)
		return -1;
	x->has_txn = true;
	t_r->txn = txn;
	return 0;
}

/* LMDB leaves out pages at the end that were freed again; without them a file cut short could not be told from a
 * whole one, and reading behind the end is a SIGBUS. */
static void keep_length(struct index *x)
{
	MDB_envinfo info;
	mdb_filehandle_t fd;
	struct stat st;
	off_t want;

	if (mdb_env_get_fd(x->env, &fd) || mdb_env_info(x->env, &info) || fstat(fd, &st) < 0)
		return;
	want = (off_t)((info.me_last_pgno + 1) * (size_t)sysconf(_SC_PAGESIZE));
	if (st.st_size < want)
		(void)!ftruncate(fd, want);
}

static void finish(struct index_txn *t)
{
	if (t->is_write && !t->x->is_memory)
		index_state_unlock(&t->x->files, INDEX_WRITING);
	t->txn = NULL;
	t->x->has_txn = false;
	memset(t->x->writing, 0, sizeof(t->x->writing));        /* LMDB has freed them */
}

int index_commit(struct index_txn *t, struct err *err)
{
	struct index *x = t->x;
	int rc = 0;

	BUG(!t->txn);
	if (!t->is_write) {
		index_end(t);
		return 0;
	}
	if (x->has_dead)
		rc = index_folder_reap(t, REAP_ROWS);
	if (rc) {
		index_end(t);
		return index_fail(x, rc, "forget a folder", err);
	}
	rc = mdb_txn_commit(t->txn);
	finish(t);
	if (rc)
		return index_fail(x, rc, "commit", err);
	if (!x->is_memory)
		keep_length(x);
	x->write_ms = clock_mono_ms();
	return 0;
}

void index_end(struct index_txn *t)
{
	if (!t->txn)
		return;
	if (t->is_write)
		mdb_txn_abort(t->txn);
	else
		mdb_txn_reset(t->txn);
	finish(t);
}

int index_cursor(struct index_txn *t, enum index_table table, MDB_cursor **c_r)
{
	MDB_cursor **c = t->is_write ? &t->x->writing[table] : &t->x->reading[table];
	int rc = 0;

	if (!*c)
		rc = mdb_cursor_open(t->txn, t->x->dbi[table], c);
	*c_r = *c;
	return rc;
}

int index_put(struct index_txn *t, enum index_table table, MDB_val k, MDB_val v)
{
	struct index *x = t->x;
	unsigned flags = 0;
	MDB_cursor *c;
	MDB_val last;
	int rc = index_cursor(t, table, &c);

	if (rc == 0 && !x->has_last[table]) {
		rc = mdb_cursor_get(c, &last, NULL, MDB_LAST);
		if (rc == 0)
			memcpy(x->last[table], last.mv_data, k.mv_size);
		else if (rc == MDB_NOTFOUND)
			memset(x->last[table], 0, k.mv_size);
		x->has_last[table] = rc == 0 || rc == MDB_NOTFOUND;
		rc = x->has_last[table] ? 0 : rc;
	}
	if (rc)
		return rc;
	if (memcmp(k.mv_data, x->last[table], k.mv_size) > 0) {
		flags = MDB_APPEND;
		memcpy(x->last[table], k.mv_data, k.mv_size);
	}
	return mdb_cursor_put(c, &k, &v, flags);
}
