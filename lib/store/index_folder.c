#include "store/index_priv.h"

#include "base/clock.h"

#define NAME_MAX_BYTES 500      /* LMDB takes keys of 511 */
#define MODSEQ_SHIFT 12         /* so that it stays exact in a double until 2039 */

_Static_assert(sizeof(struct index_folder) == 168, "FORMAT of index.c goes up with it");

int index_meta_get(MDB_txn *txn, MDB_dbi dbi, const char *name, uint64_t *v_r)
{
	MDB_val k = index_val(name, strlen(name)), v;
	int rc = mdb_get(txn, dbi, &k, &v);

	*v_r = 0;
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc == 0 && v.mv_size != sizeof(*v_r))
		return MDB_CORRUPTED;
	if (rc == 0)
		memcpy(v_r, v.mv_data, sizeof(*v_r));
	return rc;
}

int index_meta_put(MDB_txn *txn, MDB_dbi dbi, const char *name, uint64_t n)
{
	MDB_val k = index_val(name, strlen(name)), v = index_val(&n, sizeof(n));

	return mdb_put(txn, dbi, &k, &v, 0);
}

/* INBOX has no name, and LMDB no empty key. */
static int make_key(char *buf, struct span name, MDB_val *k_r, struct err *err)
{
	if (name.n > NAME_MAX_BYTES)
		return err_set(err, ERR_PERM, "the name of the folder is too long");
	buf[0] = '/';
	if (name.n)
		memcpy(buf + 1, name.p, name.n);
	*k_r = index_val(buf, name.n + 1);
	return 0;
}

/* 1, 0, -1 */
static int get(struct index_txn *t, MDB_val *k, struct index_folder *f_r, struct err *err)
{
	MDB_val v;
	int rc = mdb_get(t->txn, t->x->dbi[INDEX_T_FOLDER], k, &v);

	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc == 0 && v.mv_size != sizeof(*f_r))
		rc = MDB_CORRUPTED;
	if (rc)
		return index_fail(t->x, rc, "read a folder", err);
	memcpy(f_r, v.mv_data, sizeof(*f_r));
	return 1;
}

int index_folder_get(struct index_txn *t, struct span name, struct index_folder *f_r, struct err *err)
{
	char buf[NAME_MAX_BYTES + 1];
	MDB_val k;

	return make_key(buf, name, &k, err) < 0 ? -1 : get(t, &k, f_r, err);
}

uint64_t index_folder_clock_modseq(void)
{
	return (clock_wall_us() << MODSEQ_SHIFT) / 1000;
}

uint64_t index_folder_next_modseq(const struct index_folder *f)
{
	uint64_t now = index_folder_clock_modseq();

	return now > f->modseq ? now : f->modseq + 1;
}

/* An id that no folder of this environment had, and a start above every modseq told before. */
static int draw(struct index_txn *t, struct index_folder *f)
{
	MDB_dbi meta = t->x->dbi[INDEX_T_META];
	uint64_t id, modseq, now = index_folder_clock_modseq();
	int rc = index_meta_get(t->txn, meta, "id", &id);

	if (rc == 0)
		rc = index_meta_put(t->txn, meta, "id", id + 1);
	if (rc == 0)
		rc = index_meta_get(t->txn, meta, "modseq", &modseq);
	if (rc)
		return rc;
	f->id = (uint32_t)(id + 1);
	modseq = modseq >= now ? modseq + 1 : now;
	f->modseq = f->modseq > modseq ? f->modseq : modseq;
	f->gone_floor = f->modseq;
	return 0;
}

int index_folder_put(struct index_txn *t, struct span name, struct index_folder *f, struct err *err)
{
	char buf[NAME_MAX_BYTES + 1];
	MDB_val k, v = index_val(f, sizeof(*f));
	int rc = 0;

	if (make_key(buf, name, &k, err) < 0)
		return -1;
	if (f->id == 0)
		rc = draw(t, f);
	if (rc == 0)
		rc = mdb_put(t->txn, t->x->dbi[INDEX_T_FOLDER], &k, &v, 0);
	return rc ? index_fail(t->x, rc, "write a folder", err) : 0;
}

static void dead_key(char key[5], uint32_t id)
{
	key[0] = '-';
	index_put32((unsigned char *)key + 1, id);
}

/* The rows go later, some with each commit: nobody waits for a large folder, and its id does not come again. */
static int bury(struct index_txn *t, const struct index_folder *f)
{
	MDB_dbi meta = t->x->dbi[INDEX_T_META];
	char key[5];
	MDB_val k = index_val(key, sizeof(key)), v = index_val("", 0);
	uint64_t modseq;
	int rc = index_meta_get(t->txn, meta, "modseq", &modseq);

	if (rc == 0 && f->modseq > modseq)
		rc = index_meta_put(t->txn, meta, "modseq", f->modseq);
	dead_key(key, f->id);
	t->x->has_dead = true;
	return rc ? rc : mdb_put(t->txn, meta, &k, &v, 0);
}

/* Removes the row and buries what it had; none is fine. */
static int del(struct index_txn *t, MDB_val *k, struct err *err)
{
	struct index_folder f;
	int rc = get(t, k, &f, err);

	if (rc <= 0)
		return rc;
	rc = bury(t, &f);
	if (rc == 0)
		rc = mdb_del(t->txn, t->x->dbi[INDEX_T_FOLDER], k, NULL);
	return rc ? index_fail(t->x, rc, "delete a folder", err) : 0;
}

int index_folder_delete(struct index_txn *t, struct span name, struct err *err)
{
	char buf[NAME_MAX_BYTES + 1];
	MDB_val k;

	return make_key(buf, name, &k, err) < 0 ? -1 : del(t, &k, err);
}

int index_folder_rename(struct index_txn *t, struct span from, struct span to, struct err *err)
{
	char from_buf[NAME_MAX_BYTES + 1], to_buf[NAME_MAX_BYTES + 1];
	struct index_folder f;
	MDB_val from_k, to_k, v = index_val(&f, sizeof(f));
	int rc;

	if (make_key(from_buf, from, &from_k, err) < 0 || make_key(to_buf, to, &to_k, err) < 0)
		return -1;
	rc = get(t, &from_k, &f, err);
	if (rc <= 0 || span_eq(from, to))
		return rc < 0 ? -1 : 0;
	if (del(t, &to_k, err) < 0)
		return -1;
	rc = mdb_put(t->txn, t->x->dbi[INDEX_T_FOLDER], &to_k, &v, 0);
	if (rc == 0)
		rc = mdb_del(t->txn, t->x->dbi[INDEX_T_FOLDER], &from_k, NULL);
	return rc ? index_fail(t->x, rc, "rename a folder", err) : 0;
}

uint64_t index_folder_max_modseq(struct index *x, MDB_txn *txn)
{
	struct index_folder f;
	uint64_t max = 0;
	MDB_cursor *c;
	MDB_val k, v;

	if (index_meta_get(txn, x->dbi[INDEX_T_META], "modseq", &max) || mdb_cursor_open(txn, x->dbi[INDEX_T_FOLDER], &c))
		return max;
	while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0) {
		if (v.mv_size != sizeof(f))
			continue;
		memcpy(&f, v.mv_data, sizeof(f));
		max = f.modseq > max ? f.modseq : max;
	}
	mdb_cursor_close(c);
	return max;
}

/* Up to *n rows of a table whose keys begin with id. */
static int reap_table(struct index_txn *t, enum index_table table, uint32_t id, unsigned *n)
{
	unsigned char first[INDEX_KEY] = { 0 };
	MDB_cursor *c;
	MDB_val k = index_val(first, sizeof(first)), v;
	int rc = index_cursor(t, table, &c);

	index_put32(first, id);
	if (rc == 0)
		rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	while (rc == 0 && *n && k.mv_size >= 4 && index_get32(k.mv_data) == id) {
		(*n)--;
		rc = mdb_cursor_del(c, 0);
		if (rc == 0)
			rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int index_folder_reap(struct index_txn *t, unsigned n_max)
{
	static const enum index_table tables[] = { INDEX_T_MSG, INDEX_T_NAME, INDEX_T_KEYS, INDEX_T_BODY, INDEX_T_GONE };
	char key[5] = "-";
	MDB_val k = index_val(key, 1), v;
	unsigned n = n_max;
	uint32_t id;
	MDB_cursor *c;
	size_t i;
	int rc = index_cursor(t, INDEX_T_META, &c);

	if (rc == 0)
		rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	if (rc == MDB_NOTFOUND || (rc == 0 && (k.mv_size != sizeof(key) || *(const char *)k.mv_data != '-'))) {
		t->x->has_dead = false;
		return 0;
	}
	if (rc)
		return rc;
	id = index_get32((const char *)k.mv_data + 1);
	for (i = 0; i < ARRAY_LEN(tables) && rc == 0; i++)
		rc = reap_table(t, tables[i], id, &n);
	if (rc == 0 && n) {
		dead_key(key, id);
		k = index_val(key, sizeof(key));
		rc = mdb_del(t->txn, t->x->dbi[INDEX_T_META], &k, NULL);
	}
	return rc;
}
