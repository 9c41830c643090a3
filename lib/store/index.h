/* index.h: the LMDB cache beside a Maildir: all folders of one user in one environment; may be deleted at any moment
 *
 * It is written without syncs between two marks in the file "state": "dirty INSTANCE" before the first write, "clean"
 * after a sync. INSTANCE is what master drew at its start, so it is another one after a crash of the machine.
 *
 * what is found at open                    what is done
 * no environment, or another version       made anew
 * clean, size and time as the mark says    used, its folders are compared with the directory times
 * clean, but another file (backup, damage) set aside and made anew
 * dirty, our instance                      used the same: page cache and file agree
 * dirty, another instance                  set aside and made anew: the machine went down with writes unsynced; but
 *                                          used when another process has it open, since that lives on this machine
 * a session of the user died by a signal   the same (the parent tells)
 * unreadable, MDB_CORRUPTED, ...           the same, also in the middle of a session
 * no room, read-only, a network mount      an environment in memory, for this session only
 *
 * Every call may find the environment broken: then it answers -1 with ERR_SYS, and index_renew makes a new one.
 * Sessions that have the old one open find the new one at their next index_begin.
 */
#ifndef STORE_INDEX_H
#define STORE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

#define INDEX_DIR "surat-index"         /* in the Maildir, unless mail_location says INDEX= */
#define INDEX_INBOX "inbox"             /* in it: records that local leaves of what it delivered (mail_record.h) */

struct index;

struct index_options {
	int dir;                        /* where INDEX_DIR is or will be; borrowed, stays open as long as the index */
	uint64_t instance;              /* of daemon.h */
	bool is_suspect;                /* a session died by a signal: do not trust what is there */
	bool is_memory;                 /* INDEX=MEMORY */
};

/* The time of a directory when it was looked at last (mailbox_disk.c says when that is trusted). */
struct index_time {
	int64_t s;
	uint32_t ns;
	uint32_t due_s;                 /* one more look is due from this second since 1970 on; 0: none */
};

/* A file as it was read: another inode, size or time means it changed. */
struct index_file {
	uint64_t ino, size;
	int64_t s, ns;
};

/* Numbers of a folder, kept right by mailbox.c with each change. */
struct index_folder {
	uint32_t id;                    /* key of its messages; never reused in this environment */
	uint32_t validity, uid_next;
	uint32_t n, n_unseen, n_deleted, n_recent;
	uint32_t first_unseen, first_unseen_uid;        /* its sequence number and UID, 0: none */
	uint32_t first_recent;          /* messages from this UID on are recent: no session has had them */
	uint32_t first_new;             /* no message below this UID is in new/; 0: none is */
	uint32_t n_unsized;             /* messages whose vsize is not known yet */
	uint32_t n_gone;                /* entries in the log of expunges; kept by index_gone_add */
	uint32_t n_recordless;          /* messages without INDEX_HAS_RECORD */
	uint32_t n_undated;             /* messages with INDEX_NO_DATE */
	uint32_t reserved;
	uint64_t bytes;                 /* sum of the vsizes that are known (STATUS=SIZE) */
	uint64_t modseq;                /* HIGHESTMODSEQ; never falls, above all that was told before a rebuild */
	uint64_t flags_modseq, gone_modseq;     /* of the last change of flags, of the last expunge */
	uint64_t gone_floor;            /* expunges at or below this modseq are not in the log */
	struct index_time new_time, cur_time;
	struct index_file uidlist;      /* dovecot-uidlist as it was read or written last */
};

enum index_flag {
	INDEX_ANSWERED = 1, INDEX_FLAGGED = 2, INDEX_DELETED = 4, INDEX_SEEN = 8, INDEX_DRAFT = 16,
	INDEX_KEYWORD = 32              /* the letter 'a'; 'b' is twice that, up to 'z' */
};
#define INDEX_SYSTEM_FLAGS 31u
#define INDEX_KEYWORDS 26

/* UNENDED: its last line has no end (known with the record only); POP3 sends one. */
enum index_state { INDEX_IN_NEW = 1, INDEX_HAS_RECORD = 2, INDEX_UNENDED = 4 };

/* Of a file that nobody has looked at yet; then its size is not known either. A record comes with a date. */
#define INDEX_NO_DATE INT64_MIN

/* The fixed part of a message. */
struct index_msg {
	uint32_t uid;
	uint32_t flags;                 /* enum index_flag */
	uint64_t modseq;
	int64_t internal_s;             /* INTERNALDATE, seconds since 1970; INDEX_NO_DATE */
	int64_t saved_s;                /* when it came into this folder */
	int64_t sent_s;                 /* Date field, or internal_s; valid with INDEX_HAS_RECORD */
	uint64_t size;                  /* octets of the file; UINT64_MAX: not known */
	uint64_t vsize;                 /* RFC822.SIZE: with CRLF; UINT64_MAX: not known */
	uint32_t state;                 /* enum index_state */
	uint32_t reserved;
};

/* The variable parts of a message, each a table of its own: NAME: the file's name with flags. KEYS and BODY: the blobs
 * of mail_record.h. */
enum index_part { INDEX_NAME, INDEX_KEYS, INDEX_BODY, INDEX_PARTS };

/* Opens or makes. dir's user rights apply. Succeeds whatever is on disk, in memory if need be; -1 only when not even
 * that is possible. Blocks. Source: index.c */
int index_open(struct index **x_r, const struct index_options *opt, struct err *err) WARN_UNUSED;

/* Syncs and writes "clean" when it is dirty and nobody else has it open; sets *x to NULL. Takes NULL. Blocks.
 * Source: index.c */
void index_close(struct index **x);

/* For a session that has been quiet for a second: gives back map and descriptors until the next index_begin. What was
 * written less than 30 s ago stays dirty: call it again after so many milliseconds as it returns (0: need not be),
 * then it syncs and marks clean. No transaction may be open. Blocks. Source: index.c */
unsigned index_rest(struct index *x);

/* Sets the environment aside and makes a new, empty one. No transaction may be open. Source: index.c */
int index_renew(struct index *x, struct err *err) WARN_UNUSED;

/* It will not outlive the session. Source: index.c */
bool index_is_memory(const struct index *x);

/* Another number whenever a new environment was made: what was read before is void. Source: index.c */
uint64_t index_generation(const struct index *x);

/* ---- transactions: one at a time per process ---- */

struct index_txn {
	struct index *x;
	void *txn;
	bool is_write;
};

/* Reading sees one moment; spans live until the end. Writing waits for other sessions' writers, which are short. A
 * write into a clean environment first marks it dirty, durably. -1 ERR_SYS. commit: -1 when full (ERR_TEMP: the
 * index is in memory from the next begin on, generation changes) or broken. end aborts what was not committed;
 * idempotent. Source: index.c */
int index_begin(struct index *x, bool is_write, struct index_txn *t_r, struct err *err) WARN_UNUSED;
int index_commit(struct index_txn *t, struct err *err) WARN_UNUSED;
void index_end(struct index_txn *t);

/* ---- folders: name as on disk: "" for INBOX, ".Sent", ".a.b" ---- */

/* 1 found, 0 none, -1. put with id 0 draws one and starts modseq above all before (the time since 1970,
 * in 4096ths of a millisecond), and gone_floor there. delete forgets all messages too; rename replaces what had the name. Source:
 * index_folder.c */
int index_folder_get(struct index_txn *t, struct span name, struct index_folder *f_r, struct err *err) WARN_UNUSED;
int index_folder_put(struct index_txn *t, struct span name, struct index_folder *f, struct err *err) WARN_UNUSED;
int index_folder_delete(struct index_txn *t, struct span name, struct err *err) WARN_UNUSED;
int index_folder_rename(struct index_txn *t, struct span from, struct span to, struct err *err) WARN_UNUSED;

/* What the next change of a folder gets: above f->modseq and not below the clock, so that it is also above what was
 * told from an index in memory meanwhile. Source: index_folder.c */
uint64_t index_folder_next_modseq(const struct index_folder *f);

/* ---- messages ---- */

/* 1 found, 0 none, -1. del takes all parts. Source: index_msg.c */
int index_msg_get(struct index_txn *t, uint32_t folder, uint32_t uid, struct index_msg *m_r, struct err *err) WARN_UNUSED;
int index_msg_put(struct index_txn *t, uint32_t folder, const struct index_msg *m, struct err *err) WARN_UNUSED;
int index_msg_del(struct index_txn *t, uint32_t folder, uint32_t uid, struct err *err) WARN_UNUSED;

/* The same for one part. Looking for one UID after the other in ascending order is cheap. Source: index_msg.c */
int index_part_get(struct index_txn *t, uint32_t folder, uint32_t uid, enum index_part part, struct span *v_r,
		   struct err *err) WARN_UNUSED;
int index_part_put(struct index_txn *t, uint32_t folder, uint32_t uid, enum index_part part, struct span v,
		   struct err *err) WARN_UNUSED;

/* Walks by ascending UID from `from` on: fn returns false to stop. m is the mapped record itself (8-byte aligned or a
 * copy). -1 or the number of calls is not told: only success. The table must not be changed meanwhile.
 * Source: index_msg.c */
int index_msg_walk(struct index_txn *t, uint32_t folder, uint32_t from, bool (*fn)(void *arg, const struct index_msg *m),
		   void *arg, struct err *err) WARN_UNUSED;
int index_part_walk(struct index_txn *t, uint32_t folder, uint32_t from, enum index_part part,
		    bool (*fn)(void *arg, uint32_t uid, struct span v), void *arg, struct err *err) WARN_UNUSED;

/* ---- the log of expunges, for VANISHED (RFC 7162) ---- */

/* Adds; forgets the oldest over 10,000 entries per folder and raises f->gone_floor then (put f afterwards). walk: those
 * above modseq, in any order. Source: index_gone.c */
int index_gone_add(struct index_txn *t, struct index_folder *f, uint64_t modseq, uint32_t uid, struct err *err) WARN_UNUSED;
int index_gone_walk(struct index_txn *t, uint32_t folder, uint64_t modseq, void (*fn)(void *arg, uint32_t uid), void *arg,
		    struct err *err) WARN_UNUSED;

#endif
