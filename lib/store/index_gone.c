#include "store/index_priv.h"

#define GONE_MAX 10000

static void make_key(unsigned char key[INDEX_GONE_KEY], uint32_t folder, uint64_t modseq, uint32_t uid)
{
	index_put32(key, folder);
	index_put32(key + 4, (uint32_t)(modseq >> 32));
	index_put32(key + 8, (uint32_t)modseq);
	index_put32(key + 12, uid);
}

static uint64_t modseq_of(MDB_val k)
{
	const unsigned char *p = k.mv_data;

	return (uint64_t)index_get32(p + 4) << 32 | index_get32(p + 8);
}

static bool is_of(MDB_val k, uint32_t folder)
{
	return k.mv_size == INDEX_GONE_KEY && index_get32(k.mv_data) == folder;
}

/* The oldest goes; what is left of its modseq is of no use but does no harm. */
static int forget_oldest(struct index_txn *t, struct index_folder *f)
{
	unsigned char key[INDEX_GONE_KEY];
	MDB_val k = index_val(key, sizeof(key)), v;
	MDB_cursor *c;
	int rc = index_cursor(t, INDEX_T_GONE, &c);

	make_key(key, f->id, 0, 0);
	if (rc == 0)
		rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	if (rc == MDB_NOTFOUND || (rc == 0 && !is_of(k, f->id))) {
		f->n_gone = 0;
		return 0;
	}
	if (rc)
		return rc;
	if (modseq_of(k) > f->gone_floor)
		f->gone_floor = modseq_of(k);
	f->n_gone--;
	return mdb_cursor_del(c, 0);
}

int index_gone_add(struct index_txn *t, struct index_folder *f, uint64_t modseq, uint32_t uid, struct err *err)
{
	unsigned char key[INDEX_GONE_KEY];
	int rc;

	make_key(key, f->id, modseq, uid);
	rc = index_put(t, INDEX_T_GONE, index_val(key, sizeof(key)), index_val("", 0));
	f->n_gone++;
	while (rc == 0 && f->n_gone > GONE_MAX)
		rc = forget_oldest(t, f);
	return rc ? index_fail(t->x, rc, "note what is gone", err) : 0;
}

int index_gone_walk(struct index_txn *t, uint32_t folder, uint64_t modseq, void (*fn)(void *arg, uint32_t uid), void *arg,
		    struct err *err)
{
	unsigned char key[INDEX_GONE_KEY];
	MDB_val k = index_val(key, sizeof(key)), v;
	MDB_cursor *c;
	int rc = index_cursor(t, INDEX_T_GONE, &c);

	make_key(key, folder, modseq + 1, 0);
	if (rc == 0)
		rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
	for (; rc == 0 && is_of(k, folder); rc = mdb_cursor_get(c, &k, &v, MDB_NEXT))
		fn(arg, index_get32((const char *)k.mv_data + 12));
	return rc == 0 || rc == MDB_NOTFOUND ? 0 : index_fail(t->x, rc, "read what is gone", err);
}
