/* The queue in LMDB.
 *
 * Tables: msg (id -> record), body (id -> bytes), due (time, id -> nothing), held (id -> nothing), counters. All
 * keys are big-endian, so that memcmp orders them. Files: large/<id>.
 *
 * What each crash point leaves, and who repairs it:
 *
 *   point                                        on disk afterwards               repaired by
 *   -------------------------------------------  -------------------------------  ----------------------------------------
 *   large/<id> created, being written            file without a row               queue_open removes it; client had no 250
 *   large/<id> synced, row not committed         file without a row               the same
 *   row committed, 250 not sent                  whole message                    it is delivered; the client may send again
 *   being tried (due = 0, not held)              row without schedule             queue_open sets it due
 *   delivered, done mark not committed           recipient still WAITING          agents: HELLO names what they did; local
 *                                                                                 finds its own file by name
 *   expansion committed                          old recipient settled, new ones  nothing to repair: one transaction
 *   expansion not committed                      old recipient WAITING            it is expanded again, nothing was sent
 *   notice and mark of the failed recipients     both or neither                  nothing to repair: one transaction
 *   row deleted, large/<id> not yet unlinked     file without a row               queue_open removes it
 *   id drawn, nothing committed                  nothing                          ids start at the high-water mark, which is
 *                                                                                 always above every committed id
 *
 * A failed commit leaves the last good state: LMDB writes its meta page after the data. What the kernel did with pages
 * after EIO is unknown, so that error is SYS and the process ends. */
#include "store/queue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/sync_dir.h"
#include "store/queue_priv.h"

#define DEFAULT_MAP ((uint64_t)32 << 30)
#define DEFAULT_RESERVE ((uint64_t)8 << 20)
#define LOCK_FILE_SIZE (32 * 1024)      /* LMDB maps about 8 KiB of it */
#define ID_TICKS 20                     /* low bits of an id: numbers within one millisecond */
/* a second: every restart moves ids ahead by that much at most */
#define MARK_AHEAD ((uint64_t)1000 << ID_TICKS)

static int lmdb_err(struct err *err, int rc, const char *what)
{
	if (rc == MDB_MAP_FULL || rc == ENOSPC || rc == EDQUOT || rc == MDB_TXN_FULL)
		return err_dsn(err, ERR_TEMP, "4.3.1", "queue: %s: %s", what,
			       rc == MDB_MAP_FULL ? "the queue's map is full" : "the queue's file system is full");
	err_dsn(err, ERR_SYS, "4.3.0", "queue: %s: %s", what, mdb_strerror(rc));
	err->sys = rc > 0 ? rc : EIO;
	return -1;
}

static void put_be64(unsigned char *to, uint64_t v)
{
	size_t i;

	for (i = 0; i < 8; i++)
		to[i] = (unsigned char)(v >> (56 - 8 * i));
}

static uint64_t get_be64(const void *from)
{
	const unsigned char *p = from;
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static MDB_val val(const void *p, size_t n)
{
	return (MDB_val){ n, (void *)p };
}

static struct span val_span(MDB_val v)
{
	return (struct span){ v.mv_data, v.mv_size };
}

/* ---- opening ---- */

/* A directory below dir, made when missing; its entry is durable. */
static int open_dir(int *fd_r, const char *dir, const char *name, struct err *err)
{
	int top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (top < 0)
		return err_sys(err, "open %s", dir);
	if (mkdirat(top, name, 0700) == 0) {
		if (sync_dir(top) < 0)
			rc = err_sys(err, "sync %s", dir);
	} else if (errno != EEXIST) {
		rc = err_sys(err, "create %s/%s", dir, name);
	}
	if (rc == 0) {
		*fd_r = openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (*fd_r < 0)
			rc = err_sys(err, "open %s/%s", dir, name);
	}
	close(top);
	return rc;
}

/* LMDB maps lock.mdb: without blocks behind it a full disk would be a SIGBUS at the first lock. */
static int allocate_lock(struct queue *q, struct err *err)
{
	int fd = openat(q->lock_fd, "lock.mdb", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int rc;

	if (fd < 0)
		return err_sys(err, "create queue/lock.mdb");
	rc = posix_fallocate(fd, 0, LOCK_FILE_SIZE);
	close(fd);
	if (rc == ENOSPC || rc == EDQUOT)
		return err_dsn(err, ERR_TEMP, "4.3.1", "no room for queue/lock.mdb");
	return 0;       /* a file system that cannot allocate ahead has its own ways */
}

static int open_env(struct queue *q, const char *dir, uint64_t map_size, struct err *err)
{
	char path[4096];
	struct stat st;
	int rc, dead;

	if (map_size == 0) {
		map_size = DEFAULT_MAP;
		if (fstatat(q->lock_fd, "data.mdb", &st, 0) == 0 && (uint64_t)st.st_size > map_size / 2)
			map_size = (uint64_t)st.st_size * 2;
	}
	if ((size_t)snprintf(path, sizeof(path), "%s/queue", dir) >= sizeof(path))
		return err_set(err, ERR_CONF, "queue_directory is too long");
	rc = mdb_env_create(&q->env);
	if (rc == 0)
		rc = mdb_env_set_maxdbs(q->env, 8);
	if (rc == 0)
		rc = mdb_env_set_mapsize(q->env, (size_t)map_size);
	if (rc == 0)
		rc = mdb_env_open(q->env, path, MDB_NOTLS | MDB_NORDAHEAD, 0600);
	if (rc == 0)
		rc = mdb_reader_check(q->env, &dead);
	return rc ? lmdb_err(err, rc, "open data.mdb") : 0;
}

static int get_counter(MDB_txn *txn, MDB_dbi dbi, const char *name, uint64_t *v_r)
{
	MDB_val k = val(name, strlen(name)), v;
	int rc = mdb_get(txn, dbi, &k, &v);

	if (rc == 0 && v.mv_size == 8)
		*v_r = get_be64(v.mv_data);
	return rc == 0 && v.mv_size != 8 ? MDB_CORRUPTED : rc;
}

static int put_counter(MDB_txn *txn, MDB_dbi dbi, const char *name, uint64_t n)
{
	unsigned char b[8];
	MDB_val k = val(name, strlen(name)), v = val(b, sizeof(b));

	put_be64(b, n);
	return mdb_put(txn, dbi, &k, &v, 0);
}

static int open_tables(struct queue *q, MDB_txn *txn)
{
	struct { const char *name; MDB_dbi *dbi; } tables[] = {
		{ "msg", &q->msg }, { "body", &q->body }, { "due", &q->due }, { "held", &q->held },
		{ "counters", &q->counters },
	};
	uint64_t mark = 0;
	size_t i;
	int rc;

	for (i = 0; i < ARRAY_LEN(tables); i++) {
		rc = mdb_dbi_open(txn, tables[i].name, MDB_CREATE, tables[i].dbi);
		if (rc)
			return rc;
	}
	rc = get_counter(txn, q->counters, "mark", &mark);
	if (rc && rc != MDB_NOTFOUND)
		return rc;
	q->last_id = mark;
	q->mark = mark;
	return 0;
}

struct id_list {
	uint64_t *v;
	size_t n, cap;
};

static void id_list_add(struct id_list *l, uint64_t id)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->v = xrealloc(l->v, l->cap * sizeof(*l->v));
	}
	l->v[l->n++] = id;
}

static int find_unscheduled(struct queue *q, MDB_txn *txn, struct id_list *l)
{
	MDB_cursor *c;
	MDB_val k, v;
	uint64_t due;
	bool held, large;
	int rc = mdb_cursor_open(txn, q->msg, &c);

	if (rc)
		return rc;
	for (rc = mdb_cursor_get(c, &k, &v, MDB_FIRST); rc == 0; rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) {
		if (k.mv_size == 8 && queue_decode_head(val_span(v), &due, &held, &large) == 0 && !held && due == 0)
			id_list_add(l, get_be64(k.mv_data));
	}
	mdb_cursor_close(c);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Messages that were being tried when the last process ended get their time of arrival, which is in their id; ids
 * may be ahead of the clock when it was set back or processes died often. */
static int recover(struct queue *q, struct queue_txn *t, struct err *err)
{
	struct id_list l = { 0 };
	struct queue_view v = { q, t->txn };
	int rc = find_unscheduled(q, t->txn, &l);
	size_t i;

	if (rc)
		rc = lmdb_err(err, rc, "recover");
	for (i = 0; rc == 0 && i < l.n; i++) {
		uint64_t now = clock_wall_ms(), arrival = (l.v[i] >> ID_TICKS) + 1;
		struct span old;
		char *record;

		if (queue_view_record(&v, l.v[i], &old, err) != QUEUE_FOUND) {
			rc = -1;
			break;
		}
		record = xstrndup(old.p, old.n);
		queue_record_set_due(record, arrival < now ? arrival : now);
		rc = queue_update(t, l.v[i], (struct span){ record, old.n }, err);
		free(record);
	}
	q->recovered_messages = l.n;
	free(l.v);
	return rc;
}

static int remove_orphans(struct queue *q, struct err *err)
{
	int fd = openat(q->large_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct queue_view v;
	struct dirent *e;
	int rc = 0;

	if (!d) {
		err_sys(err, "read large/");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (queue_view_begin(q, &v, err) < 0) {
		closedir(d);
		return -1;
	}
	while (rc == 0 && (e = readdir(d))) {
		struct span record;
		uint64_t id;
		enum queue_rc found;

		if (queue_id_parse(span_z(e->d_name), &id) < 0)
			continue;
		found = queue_view_record(&v, id, &record, err);
		if (found == QUEUE_ERR)
			rc = -1;
		if (found == QUEUE_NONE && unlinkat(q->large_fd, e->d_name, 0) == 0)
			q->recovered_files++;
	}
	queue_view_end(&v);
	closedir(d);
	return rc;
}

static int set_up(struct queue *q, struct err *err)
{
	struct queue_txn t;
	int rc;

	if (queue_begin(q, &t, err) < 0)
		return -1;
	rc = open_tables(q, t.txn);
	if (rc) {
		lmdb_err(err, rc, "open tables");
	} else if (recover(q, &t, err) == 0 && queue_commit(&t, err) == 0) {
		return remove_orphans(q, err);
	}
	queue_abort(&t);
	return -1;
}

/* -1: another process has the queue, and keeps it. */
static int lock(const struct queue *q, uint64_t wait_ms)
{
	const struct timespec pause = { .tv_nsec = 10000000 };
	uint64_t deadline = clock_mono_ms() + wait_ms;

	while (flock(q->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (clock_mono_ms() >= deadline)
			return -1;
		nanosleep(&pause, NULL);
	}
	return 0;
}

int queue_open(struct queue **q_r, const char *dir, const struct queue_options *opt, struct err *err)
{
	struct queue *q = xnew(struct queue);

	q->lock_fd = q->large_fd = -1;
	q->reserve = opt && opt->reserve ? opt->reserve : DEFAULT_RESERVE;
	if (open_dir(&q->lock_fd, dir, "queue", err) < 0 || open_dir(&q->large_fd, dir, "large", err) < 0)
		goto fail;
	if (lock(q, opt ? opt->wait_ms : 0) < 0) {
		err_set(err, ERR_CONF, "%s/queue is in use by another process", dir);
		goto fail;
	}
	if (allocate_lock(q, err) < 0 || open_env(q, dir, opt ? opt->map_size : 0, err) < 0 || set_up(q, err) < 0)
		goto fail;
	if (sync_dir(q->lock_fd) < 0) {
		err_sys(err, "sync %s/queue", dir);
		goto fail;
	}
	*q_r = q;
	return 0;
fail:
	queue_close(&q);
	return -1;
}

void queue_close(struct queue **qp)
{
	struct queue *q = *qp;

	if (!q)
		return;
	if (q->env)
		mdb_env_close(q->env);
	if (q->large_fd >= 0)
		close(q->large_fd);
	if (q->lock_fd >= 0)
		close(q->lock_fd);
	free(q);
	*qp = NULL;
}

void queue_recovered(const struct queue *q, size_t *messages_r, size_t *files_r)
{
	*messages_r = q->recovered_messages;
	*files_r = q->recovered_files;
}

uint64_t queue_new_ids(struct queue *q, uint64_t n)
{
	uint64_t now = clock_wall_ms() << ID_TICKS;
	uint64_t first = now > q->last_id ? now : q->last_id + 1;

	q->last_id = first + n - 1;
	return first;
}

/* ---- writing ---- */

int queue_begin(struct queue *q, struct queue_txn *t, struct err *err)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(q->env, NULL, 0, &txn);

	*t = (struct queue_txn){ .q = q };
	if (rc)
		return lmdb_err(err, rc, "begin");
	t->txn = txn;
	return 0;
}

/* Moves one message in an index from the key of its old head to that of the new one; 0 stands for "not in it". */
static int move_key(MDB_txn *txn, MDB_dbi dbi, const unsigned char *from, const unsigned char *to, size_t n)
{
	MDB_val k, none = val("", 0);
	int rc = 0;

	if (from && to && memcmp(from, to, n) == 0)
		return 0;
	if (from) {
		k = val(from, n);
		rc = mdb_del(txn, dbi, &k, NULL);
		if (rc == MDB_NOTFOUND)
			rc = 0;
	}
	if (rc == 0 && to) {
		k = val(to, n);
		rc = mdb_put(txn, dbi, &k, &none, 0);
	}
	return rc;
}

struct head {
	uint64_t due_ms;
	bool held;
};

static int move_indexes(struct queue_txn *t, uint64_t id, struct head from, struct head to)
{
	unsigned char old_due[16], new_due[16];
	int rc;

	put_be64(old_due, from.due_ms);
	put_be64(old_due + 8, id);
	put_be64(new_due, to.due_ms);
	put_be64(new_due + 8, id);
	rc = move_key(t->txn, t->q->due, from.due_ms ? old_due : NULL, to.due_ms ? new_due : NULL, 16);
	if (rc == 0)
		rc = move_key(t->txn, t->q->held, from.held ? old_due + 8 : NULL, to.held ? new_due + 8 : NULL, 8);
	return rc;
}

/* Deletions need new pages first, so accepting stops while there is still room for them. */
static int check_reserve(struct queue *q, struct err *err)
{
	struct statvfs sv;

	if (fstatvfs(q->large_fd, &sv) == 0 && (uint64_t)sv.f_bavail * sv.f_frsize < q->reserve)
		return err_dsn(err, ERR_TEMP, "4.3.1", "the queue's file system is full");
	return 0;
}

int queue_add(struct queue_txn *t, uint64_t id, struct span record, struct span body, struct err *err)
{
	struct queue *q = t->q;
	struct head head;
	unsigned char key[8];
	MDB_val k = val(key, 8), v = val(record.p, record.n);
	uint64_t mark = t->mark ? t->mark : q->mark;
	bool large;
	int rc;

	BUG(queue_decode_head(record, &head.due_ms, &head.held, &large) < 0);
	if (!t->checked && check_reserve(q, err) < 0)
		return -1;
	t->checked = true;
	put_be64(key, id);
	rc = mdb_put(t->txn, q->msg, &k, &v, MDB_NOOVERWRITE);
	if (rc == MDB_KEYEXIST)
		return err_dsn(err, ERR_PROTO, "4.3.0", "queue: the id is in use");
	if (rc == 0 && !large) {
		v = val(body.p ? body.p : "", body.n);
		rc = mdb_put(t->txn, q->body, &k, &v, 0);
	}
	if (rc == 0)
		rc = move_indexes(t, id, (struct head){ 0 }, head);
	if (rc == 0 && id >= mark) {
		t->mark = id + MARK_AHEAD;
		rc = put_counter(t->txn, q->counters, "mark", t->mark);
	}
	return rc ? lmdb_err(err, rc, "add a message") : 0;
}

/* The head of what is stored; MDB_NOTFOUND when the message is gone. A damaged one counts as being in no index. */
static int stored_head(struct queue_txn *t, MDB_val *k, struct head *head_r)
{
	MDB_val old;
	bool large;
	int rc = mdb_get(t->txn, t->q->msg, k, &old);

	if (rc == 0 && queue_decode_head(val_span(old), &head_r->due_ms, &head_r->held, &large) < 0)
		*head_r = (struct head){ 0 };
	return rc;
}

int queue_update(struct queue_txn *t, uint64_t id, struct span record, struct err *err)
{
	struct head from, to;
	unsigned char key[8];
	MDB_val k = val(key, 8), v = val(record.p, record.n);
	bool large;
	int rc;

	BUG(queue_decode_head(record, &to.due_ms, &to.held, &large) < 0);
	put_be64(key, id);
	rc = stored_head(t, &k, &from);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc == 0)
		rc = mdb_put(t->txn, t->q->msg, &k, &v, 0);
	if (rc == 0)
		rc = move_indexes(t, id, from, to);
	return rc ? lmdb_err(err, rc, "update a message") : 0;
}

/* A row whose message is missing or damaged leaves the schedule. */
static int pull_one(struct queue_txn *t, const unsigned char row[16], uint64_t latest_ms, struct err *err)
{
	uint64_t due;
	MDB_val k = val(row, 16), msg = val(row + 8, 8), old;
	bool held, large;
	char *copy;
	int rc = mdb_get(t->txn, t->q->msg, &msg, &old);

	if (rc == 0 && queue_decode_head(val_span(old), &due, &held, &large) == 0 && due == get_be64(row)) {
		copy = xstrndup(old.mv_data, old.mv_size);
		queue_record_set_due(copy, latest_ms);
		rc = queue_update(t, get_be64(row + 8), (struct span){ copy, old.mv_size }, err);
		free(copy);
		return rc;
	}
	if (rc == 0 || rc == MDB_NOTFOUND)
		rc = mdb_del(t->txn, t->q->due, &k, NULL);
	return rc ? lmdb_err(err, rc, "set the schedule right") : 0;
}

int queue_pull(struct queue_txn *t, uint64_t latest_ms, size_t *n_r, struct err *err)
{
	unsigned char row[16];
	MDB_cursor *c;
	MDB_val k, none;
	int rc = 0;

	for (*n_r = 0; *n_r < QUEUE_PULL_MAX; (*n_r)++) {
		rc = mdb_cursor_open(t->txn, t->q->due, &c);
		if (rc)
			break;
		rc = mdb_cursor_get(c, &k, &none, MDB_LAST);
		mdb_cursor_close(c);
		if (rc || k.mv_size != 16 || get_be64(k.mv_data) <= latest_ms)
			break;
		memcpy(row, k.mv_data, sizeof(row));
		if (pull_one(t, row, latest_ms, err) < 0)
			return -1;
	}
	return rc && rc != MDB_NOTFOUND ? lmdb_err(err, rc, "read the schedule") : 0;
}

int queue_delete(struct queue_txn *t, uint64_t id, struct err *err)
{
	struct head from;
	unsigned char key[8];
	MDB_val k = val(key, 8);
	int rc;

	put_be64(key, id);
	rc = stored_head(t, &k, &from);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc == 0)
		rc = move_indexes(t, id, from, (struct head){ 0 });
	if (rc == 0)
		rc = mdb_del(t->txn, t->q->msg, &k, NULL);
	if (rc == 0) {
		rc = mdb_del(t->txn, t->q->body, &k, NULL);
		if (rc == MDB_NOTFOUND)
			rc = 0;
	}
	return rc ? lmdb_err(err, rc, "delete a message") : 0;
}

int queue_commit(struct queue_txn *t, struct err *err)
{
	int rc = mdb_txn_commit(t->txn);

	t->txn = NULL;
	if (rc)
		return lmdb_err(err, rc, "commit");
	if (t->mark)
		t->q->mark = t->mark;
	return 0;
}

void queue_abort(struct queue_txn *t)
{
	if (t->txn)
		mdb_txn_abort(t->txn);
	t->txn = NULL;
}

/* ---- reading ---- */

int queue_view_begin(struct queue *q, struct queue_view *v, struct err *err)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(q->env, NULL, MDB_RDONLY, &txn);

	*v = (struct queue_view){ .q = q };
	if (rc)
		return lmdb_err(err, rc, "read");
	v->txn = txn;
	return 0;
}

void queue_view_end(struct queue_view *v)
{
	if (v->txn)
		mdb_txn_abort(v->txn);
	v->txn = NULL;
}

static enum queue_rc view_get(struct queue_view *v, MDB_dbi dbi, uint64_t id, struct span *out_r, struct err *err)
{
	unsigned char key[8];
	MDB_val k = val(key, 8), found;
	int rc;

	put_be64(key, id);
	rc = mdb_get(v->txn, dbi, &k, &found);
	if (rc == MDB_NOTFOUND)
		return QUEUE_NONE;
	if (rc) {
		lmdb_err(err, rc, "read");
		return QUEUE_ERR;
	}
	*out_r = val_span(found);
	return QUEUE_FOUND;
}

enum queue_rc queue_view_record(struct queue_view *v, uint64_t id, struct span *record_r, struct err *err)
{
	return view_get(v, v->q->msg, id, record_r, err);
}

enum queue_rc queue_view_body(struct queue_view *v, uint64_t id, struct span *body_r, struct err *err)
{
	return view_get(v, v->q->body, id, body_r, err);
}

enum queue_rc queue_get(struct queue *q, uint64_t id, struct arena *a, struct queue_msg *m_r, struct err *err)
{
	struct queue_view v;
	struct span record;
	enum queue_rc rc;

	if (queue_view_begin(q, &v, err) < 0)
		return QUEUE_ERR;
	rc = queue_view_record(&v, id, &record, err);
	if (rc == QUEUE_FOUND && queue_decode(m_r, id, record, a, err) < 0)
		rc = QUEUE_ERR;
	queue_view_end(&v);
	return rc;
}

int queue_due(struct queue *q, uint64_t now_ms, queue_due_fn *fn, void *arg, uint64_t *next_ms_r, struct err *err)
{
	struct queue_view v;
	MDB_cursor *c;
	MDB_val k, none;
	int rc;

	*next_ms_r = UINT64_MAX;
	if (queue_view_begin(q, &v, err) < 0)
		return -1;
	rc = mdb_cursor_open(v.txn, q->due, &c);
	if (rc == 0) {
		for (rc = mdb_cursor_get(c, &k, &none, MDB_FIRST); rc == 0;
		     rc = mdb_cursor_get(c, &k, &none, MDB_NEXT)) {
			uint64_t due = k.mv_size == 16 ? get_be64(k.mv_data) : UINT64_MAX;

			if (due > now_ms || !fn(arg, get_be64((char *)k.mv_data + 8), due)) {
				*next_ms_r = due;
				break;
			}
		}
		mdb_cursor_close(c);
	}
	queue_view_end(&v);
	return rc && rc != MDB_NOTFOUND ? lmdb_err(err, rc, "read the schedule") : 0;
}

static enum queue_rc list(struct queue *q, MDB_dbi dbi, uint64_t after, size_t max, queue_list_fn *fn, void *arg,
			  uint64_t *last_r, struct err *err)
{
	struct queue_view v;
	MDB_cursor *c;
	unsigned char key[8];
	MDB_val k = val(key, 8), data;
	size_t n;
	int rc;

	*last_r = after;
	if (after == UINT64_MAX)
		return QUEUE_NONE;
	if (queue_view_begin(q, &v, err) < 0)
		return QUEUE_ERR;
	put_be64(key, after + 1);
	rc = mdb_cursor_open(v.txn, dbi, &c);
	if (rc == 0) {
		rc = mdb_cursor_get(c, &k, &data, MDB_SET_RANGE);
		for (n = 0; rc == 0 && n < max; n++, rc = mdb_cursor_get(c, &k, &data, MDB_NEXT)) {
			*last_r = k.mv_size == 8 ? get_be64(k.mv_data) : *last_r;
			if (!fn(arg, *last_r, val_span(data)))
				break;
		}
		mdb_cursor_close(c);
	}
	queue_view_end(&v);
	if (rc == 0)
		return QUEUE_FOUND;
	if (rc == MDB_NOTFOUND)
		return QUEUE_NONE;
	lmdb_err(err, rc, "list");
	return QUEUE_ERR;
}

enum queue_rc queue_list(struct queue *q, uint64_t after, size_t max, queue_list_fn *fn, void *arg, uint64_t *last_r,
			 struct err *err)
{
	return list(q, q->msg, after, max, fn, arg, last_r, err);
}

enum queue_rc queue_list_held(struct queue *q, uint64_t after, size_t max, queue_list_fn *fn, void *arg,
			      uint64_t *last_r,
			      struct err *err)
{
	return list(q, q->held, after, max, fn, arg, last_r, err);
}
