#include "store/index_priv.h"

_Static_assert(sizeof(struct index_msg) == 64, "FORMAT of index.c goes up with it");

static const enum index_table part_tables[INDEX_PARTS] = {
	[INDEX_NAME] = INDEX_T_NAME, [INDEX_KEYS] = INDEX_T_KEYS, [INDEX_BODY] = INDEX_T_BODY,
};

/* 1, 0, -1; the cursor makes the next UID cheap to find. */
static int get(struct index_txn *t, enum index_table table, uint32_t folder, uint32_t uid, MDB_val *v_r, struct err *err)
{
	unsigned char key[INDEX_KEY];
	MDB_val k = index_val(key, sizeof(key));
	MDB_cursor *c;
	int rc = index_cursor(t, table, &c);

	index_key(key, folder, uid);
	if (rc == 0)
		rc = mdb_cursor_get(c, &k, v_r, MDB_SET_KEY);
	if (rc == MDB_NOTFOUND)
		return 0;
	return rc ? index_fail(t->x, rc, "read", err) : 1;
}

static int put(struct index_txn *t, enum index_table table, uint32_t folder, uint32_t uid, MDB_val v, struct err *err)
{
	unsigned char key[INDEX_KEY];
	int rc;

	index_key(key, folder, uid);
	rc = index_put(t, table, index_val(key, sizeof(key)), v);
	return rc ? index_fail(t->x, rc, "write", err) : 0;
}

int index_msg_get(struct index_txn *t, uint32_t folder, uint32_t uid, struct index_msg *m_r, struct err *err)
{
	MDB_val v;
	int rc = get(t, INDEX_T_MSG, folder, uid, &v, err);

	if (rc <= 0)
		return rc;
	if (v.mv_size != sizeof(*m_r))
		return index_fail(t->x, MDB_CORRUPTED, "read", err);
	memcpy(m_r, v.mv_data, sizeof(*m_r));
	return 1;
}

int index_msg_put(struct index_txn *t, uint32_t folder, const struct index_msg *m, struct err *err)
{
	return put(t, INDEX_T_MSG, folder, m->uid, index_val(m, sizeof(*m)), err);
}

int index_msg_del(struct index_txn *t, uint32_t folder, uint32_t uid, struct err *err)
{
	static const enum index_table tables[] = { INDEX_T_MSG, INDEX_T_NAME, INDEX_T_KEYS, INDEX_T_BODY };
	unsigned char key[INDEX_KEY];
	MDB_val k = index_val(key, sizeof(key));
	size_t i;
	int rc;

	index_key(key, folder, uid);
	for (i = 0; i < ARRAY_LEN(tables); i++) {
		rc = mdb_del(t->txn, t->x->dbi[tables[i]], &k, NULL);
		if (rc && rc != MDB_NOTFOUND)
			return index_fail(t->x, rc, "delete", err);
		if (rc == MDB_NOTFOUND && i == 0)
			return 0;
	}
	return 1;
}

int index_part_get(struct index_txn *t, uint32_t folder, uint32_t uid, enum index_part part, struct span *v_r,
		   struct err *err)
{
	MDB_val v;
	int rc = get(t, part_tables[part], folder, uid, &v, err);

	if (rc == 1)
		*v_r = (struct span){ v.mv_data, v.mv_size };
	return rc;
}

int index_part_put(struct index_txn *t, uint32_t folder, uint32_t uid, enum index_part part, struct span v,
		   struct err *err)
{
	return put(t, part_tables[part], folder, uid, index_val(v.p ? v.p : "", v.n), err);
}

/* Rows are taken many at a time: the first line of each lies where memory must be waited for, and the processor waits
 * for several at once when nothing else stands between them. */
#define ROWS 32
#define LINE 64

struct row {
	uint32_t uid;
	struct span v;
};

/* The rows of a folder from a UID on. */
struct walk {
	MDB_cursor *c;
	struct row rows[ROWS];
	bool has_begun, is_over;
};

/* The next rows: how many, or -1. */
static int walk_rows(struct walk *w, struct index_txn *t, enum index_table table, uint32_t folder, uint32_t from, struct err *err)
{
	unsigned char first[INDEX_KEY];
	MDB_val k = index_val(first, sizeof(first)), v;
	int n, rc = w->has_begun ? 0 : index_cursor(t, table, &w->c);

	index_key(first, folder, from);
	for (n = 0; n < ROWS && rc == 0 && !w->is_over; n++) {
		rc = mdb_cursor_get(w->c, &k, &v, w->has_begun ? MDB_NEXT : MDB_SET_RANGE);
		w->has_begun = true;
		if (rc == 0 && k.mv_size != INDEX_KEY)
			rc = MDB_CORRUPTED;
		w->is_over = rc == MDB_NOTFOUND || (rc == 0 && memcmp(k.mv_data, first, 4) != 0);
		if (rc || w->is_over)
			break;
		__builtin_prefetch((const char *)v.mv_data + LINE);
		w->rows[n] = (struct row){ index_get32((const char *)k.mv_data + 4), { v.mv_data, v.mv_size } };
	}
	return rc && rc != MDB_NOTFOUND ? index_fail(t->x, rc, "walk", err) : n;
}

int index_msg_walk(struct index_txn *t, uint32_t folder, uint32_t from, bool (*fn)(void *arg, const struct index_msg *m),
		   void *arg, struct err *err)
{
	struct walk w = { 0 };
	struct index_msg copy;
	int i, n;

	while ((n = walk_rows(&w, t, INDEX_T_MSG, folder, from, err)) > 0) {
		for (i = 0; i < n; i++) {
			const struct index_msg *m = (const void *)w.rows[i].v.p;

			if (w.rows[i].v.n != sizeof(copy))
				return index_fail(t->x, MDB_CORRUPTED, "walk", err);
			if ((uintptr_t)m % _Alignof(struct index_msg)) {
				memcpy(&copy, m, sizeof(copy));
				m = &copy;
			}
			if (!fn(arg, m))
				return 0;
		}
	}
	return n;
}

int index_part_walk(struct index_txn *t, uint32_t folder, uint32_t from, enum index_part part,
		    bool (*fn)(void *arg, uint32_t uid, struct span v), void *arg, struct err *err)
{
	struct walk w = { 0 };
	int i, n;

	while ((n = walk_rows(&w, t, part_tables[part], folder, from, err)) > 0) {
		for (i = 0; i < n; i++) {
			if (!fn(arg, w.rows[i].uid, w.rows[i].v))
				return 0;
		}
	}
	return n;
}
