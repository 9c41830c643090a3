/* index_priv.h: what the index_*.c files share */
#ifndef STORE_INDEX_PRIV_H
#define STORE_INDEX_PRIV_H

#include <lmdb.h>

#include "store/index.h"
#include "store/index_state.h"

/* Keys: FOLDER '/' and the name. MSG, NAME, KEYS, BODY: folder and UID, big-endian. GONE: folder, modseq, UID. META:
 * words, and one row for each deleted folder whose messages are still there. */
enum index_table {
	INDEX_T_META, INDEX_T_FOLDER, INDEX_T_MSG, INDEX_T_NAME, INDEX_T_KEYS, INDEX_T_BODY, INDEX_T_GONE, INDEX_TABLES
};

struct index {
	struct index_options opt;
	struct index_files files;
	bool is_memory;                 /* for good */
	bool is_full;                   /* becomes memory with the next begin */
	bool has_txn;
	bool has_dead;                  /* perhaps: rows of deleted folders */
	uint64_t generation;
	uint64_t write_ms;              /* the last commit, 0: none since the last mark */
	MDB_env *env;
	MDB_dbi dbi[INDEX_TABLES];
	MDB_txn *idle;                  /* a read transaction kept for the next */
	MDB_cursor *reading[INDEX_TABLES], *writing[INDEX_TABLES];
	bool has_last[INDEX_TABLES];    /* in this write transaction: no key is above last */
	unsigned char last[INDEX_TABLES][16];
};

#define INDEX_KEY 8
#define INDEX_GONE_KEY 16

static inline MDB_val index_val(const void *p, size_t n)
{
	return (MDB_val){ n, (void *)(uintptr_t)p };
}

static inline void index_put32(unsigned char *to, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(to, &v, sizeof(v));
}

static inline uint32_t index_get32(const void *from)
{
	uint32_t v;

	memcpy(&v, from, sizeof(v));
	return __builtin_bswap32(v);
}

static inline void index_key(unsigned char key[INDEX_KEY], uint32_t folder, uint32_t uid)
{
	index_put32(key, folder);
	index_put32(key + 4, uid);
}

/* Fills err for what LMDB said, -1; a full disk lets the next begin go to memory. Source: index.c */
int index_fail(struct index *x, int rc, const char *what, struct err *err);

/* The transaction's cursor in a table, opened when first asked for; 0 or what LMDB says. Source: index.c */
int index_cursor(struct index_txn *t, enum index_table table, MDB_cursor **c_r);

/* Puts with MDB_APPEND where key is above all. Source: index.c */
int index_put(struct index_txn *t, enum index_table table, MDB_val k, MDB_val v);

/* A number in META; 0 for none. Source: index_folder.c */
int index_meta_get(MDB_txn *txn, MDB_dbi dbi, const char *name, uint64_t *v_r);
int index_meta_put(MDB_txn *txn, MDB_dbi dbi, const char *name, uint64_t v);

/* Removes some rows of deleted folders. Source: index_folder.c */
int index_folder_reap(struct index_txn *t, unsigned n_max);

/* The clock as a modseq. Source: index_folder.c */
uint64_t index_folder_clock_modseq(void);

/* The highest modseq of all folders, those deleted too. Source: index_folder.c */
uint64_t index_folder_max_modseq(struct index *x, MDB_txn *txn);

#endif
