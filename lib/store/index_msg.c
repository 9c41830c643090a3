#include "store/index_priv.h"

#define LINE 64                 /* bytes of memory that come together */
#define AHEAD 256               /* bytes: the next row or two, of 100 to 500 */
#define AHEAD_LINES 8

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

/* LMDB fills a page from its end, so the rows to come lie below this one: memory is asked for them in time. */
static void fetch_ahead(const char *row)
{
	size_t i;

	for (i = 0; i < AHEAD_LINES; i++)
		__builtin_prefetch(row - AHEAD - i * LINE);
}

/* The rows of a folder from a UID on: 1 with the next one, 0 at the end, -1. */
struct walk {
	MDB_cursor *c;
	MDB_val k, v;
	unsigned char folder[4];
	bool has_begun;
};

static int walk_begin(struct walk *w, struct index_txn *t, enum index_table table, uint32_t folder, struct err *err)
{
	int rc = index_cursor(t, table, &w->c);

	w->has_begun = false;
	index_put32(w->folder, folder);
	return rc ? index_fail(t->x, rc, "walk", err) : 0;
}

static int walk_next(struct walk *w, struct index_txn *t, uint32_t from, struct err *err)
{
	unsigned char key[INDEX_KEY];
	int rc;

	if (w->has_begun) {
		rc = mdb_cursor_get(w->c, &w->k, &w->v, MDB_NEXT);
	} else {
		index_key(key, index_get32(w->folder), from);
		w->k = index_val(key, sizeof(key));
		rc = mdb_cursor_get(w->c, &w->k, &w->v, MDB_SET_RANGE);
		w->has_begun = true;
	}
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc == 0 && w->k.mv_size != INDEX_KEY)
		rc = MDB_CORRUPTED;
	if (rc)
		return index_fail(t->x, rc, "walk", err);
	fetch_ahead(w->v.mv_data);
	return memcmp(w->k.mv_data, w->folder, 4) == 0;
}

int index_msg_walk(struct index_txn *t, uint32_t folder, uint32_t from, bool (*fn)(void *arg, const struct index_msg *m),
		   void *arg, struct err *err)
{
	struct index_msg copy;
	struct walk w;
	int rc;

	if (walk_begin(&w, t, INDEX_T_MSG, folder, err) < 0)
		return -1;
	while ((rc = walk_next(&w, t, from, err)) == 1) {
		const struct index_msg *m = w.v.mv_data;

		if (w.v.mv_size != sizeof(copy))
			return index_fail(t->x, MDB_CORRUPTED, "walk", err);
		if ((uintptr_t)m % _Alignof(struct index_msg)) {
			memcpy(&copy, m, sizeof(copy));
			m = &copy;
		}
		if (!fn(arg, m))
			return 0;
	}
	return rc;
}

int index_part_walk(struct index_txn *t, uint32_t folder, uint32_t from, enum index_part part,
		    bool (*fn)(void *arg, uint32_t uid, struct span v), void *arg, struct err *err)
{
	struct walk w;
	int rc;

	if (walk_begin(&w, t, part_tables[part], folder, err) < 0)
		return -1;
	while ((rc = walk_next(&w, t, from, err)) == 1) {
		if (!fn(arg, index_get32((const char *)w.k.mv_data + 4), (struct span){ w.v.mv_data, w.v.mv_size }))
			return 0;
	}
	return rc;
}
