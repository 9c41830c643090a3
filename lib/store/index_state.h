/* index_state.h: the file "state" beside the index: whether the environment can be trusted; inside lib/store only */
#ifndef STORE_INDEX_STATE_H
#define STORE_INDEX_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/err.h"

#define INDEX_STATE "state"
#define INDEX_DATA "data.mdb"
#define INDEX_LOCK "lock.mdb"
#define INDEX_STATE_LINE 160

/* VOID: nothing that can be trusted; also a file that is missing, empty or damaged. */
enum index_mark { INDEX_VOID, INDEX_CLEAN, INDEX_DIRTY };

/* One line of fixed length, with a checksum. */
struct index_standing {
	enum index_mark mark;
	uint64_t generation;            /* drawn with each new environment */
	uint64_t instance;              /* DIRTY: whose */
	uint64_t modseq;                /* no folder had a higher one then */
	uint64_t size;                  /* CLEAN: of data.mdb, and its time of modification */
	int64_t s, ns;
};

/* Descriptors; -1 when closed. */
struct index_files {
	int dir;                        /* INDEX_DIR itself */
	int state;
	char line[INDEX_STATE_LINE];    /* as read last, and what it says */
	struct index_standing seen;
};

/* Opens, making what is missing. -1 ERR_SYS, also for a directory on a network. Blocks. Source: index_state.c */
int index_state_open(struct index_files *f, int dir, struct err *err) WARN_UNUSED;

/* Idempotent; gives all locks back. Source: index_state.c */
void index_state_close(struct index_files *f);

/* False when the file is no longer the one in use: somebody removed it. Source: index_state.c */
bool index_state_is_linked(const struct index_files *f);

/* Never fails: what cannot be read is VOID. Cheap when nothing has changed. Source: index_state.c */
void index_state_read(struct index_files *f, struct index_standing *st_r);

/* Writes in place; is_durable syncs. -1 ERR_SYS. Source: index_state.c */
int index_state_write(const struct index_files *f, const struct index_standing *st, bool is_durable, struct err *err)
	WARN_UNUSED;

/* OPENING is held by one process while it decides what to do, and while it enters LMDB's list of readers; USING is shared
 * by all that have the environment open; WRITING is the writer's. They end with the process. alone: true when no other
 * process is USING; ours goes on. Source: index_state.c */
enum index_lock { INDEX_OPENING, INDEX_USING, INDEX_WRITING };
int index_state_lock(const struct index_files *f, enum index_lock which, struct err *err) WARN_UNUSED;
void index_state_unlock(const struct index_files *f, enum index_lock which);
bool index_state_is_alone(const struct index_files *f);

/* False when data.mdb is not one that LMDB of this machine may map: missing, foreign, torn meta pages, shorter than
 * it says. Source: index_state.c */
bool index_state_data_is_sane(const struct index_files *f);

/* What clean says of data.mdb. Source: index_state.c */
int index_state_stamp(const struct index_files *f, struct index_standing *st, struct err *err) WARN_UNUSED;
bool index_state_stamp_holds(const struct index_files *f, const struct index_standing *st);

/* Room for lock.mdb: LMDB maps it, and without blocks behind it a full disk would be a SIGBUS. -1 ERR_SYS.
 * Source: index_state.c */
int index_state_allocate_lock(const struct index_files *f, struct err *err) WARN_UNUSED;

/* True for the f_type of statfs(2) of file systems whose mappings other machines or servers change: NFS, SMB, FUSE, 9p,
 * Ceph and others. Source: index_state.c */
bool index_state_is_network(long type);

#endif
