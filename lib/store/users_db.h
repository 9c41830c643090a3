/* users_db.h: one LMDB file of the user store, for the reader (users.c) and the editor (users_edit.c) only */
#ifndef STORE_USERS_DB_H
#define STORE_USERS_DB_H

#include <lmdb.h>
#include <sys/stat.h>

#include "conf/map.h"

struct users_db {
	MDB_env *env;
	MDB_txn *txn;           /* reader: reset between lookups; editor: the one write transaction */
	MDB_dbi dbi;
	dev_t dev;
	ino_t ino;
	bool has_been_seen;
};

/* Fills err for an LMDB return code; always -1. Source: users.c */
int users_db_error(struct err *err, int rc, const char *path);

/* Makes db show the file that is at path now, without locks. MAP_NONE when there is none. Source: users.c */
enum map_rc users_db_refresh(struct users_db *db, const char *path, struct err *err);

/* value_r points into the map until users_db_done. Source: users.c */
enum map_rc users_db_get(struct users_db *db, struct span key, struct span *value_r, struct err *err);
void users_db_done(struct users_db *db);

/* Idempotent. Source: users.c */
void users_db_close(struct users_db *db);

#endif
