/* mailbox_priv.h: what the files of mailbox.h share */
#ifndef STORE_MAILBOX_PRIV_H
#define STORE_MAILBOX_PRIV_H

#include <limits.h>

#include "base/str.h"
#include "store/mailbox.h"
#include "store/maildir_scan.h"
#include "store/uidlist.h"

/* What is behind the view. */
struct mailbox_private {
	uint32_t validity, id;          /* of the folder, and its key in the index of that generation */
	uint64_t generation;
	uint64_t modseq;                /* the view shows what was changed up to this */
	uint32_t uid_next;              /* and UIDs below this */
	uint32_t recent_from;           /* until it is loaded: messages from this UID on are recent here */
	size_t cap;
	size_t n_gone;                  /* messages of the view that are gone and not told */
	bool is_lost;
	bool is_resumed;                /* the client knows UIDs and flags of a view that is not loaded yet */
	unsigned look;                  /* enum disk_flags of a look at the disk */
	struct index_txn *walk;         /* open while mailbox_walk calls */
	struct arena changes;           /* of the last sync */
	struct str body;                /* the blob handed out last */
};

enum disk_flags {
	DISK_TAKE_NEW = 1,              /* what is in new/ goes to cur/, and what is recent is ours */
	DISK_LOCK = 2,                  /* with UIDLIST_LOCK, for messages of our own */
	DISK_OPEN = 4,                  /* try again to write a list that could not be written */
	DISK_AGAIN = 8                  /* read both directories whatever their times say */
};

/* A folder in a write transaction, its record as of now. Caller's memory; zeroed is over. */
struct disk {
	struct mail_store *store;
	const char *folder;
	const struct maildir *md;
	struct index_txn *t;            /* &txn, or that of another folder */
	struct index_txn txn;
	struct index_folder f;
	uint64_t modseq;                /* given to what this transaction changes, 0: nothing yet */
	int lock;                       /* descriptor of UIDLIST_LOCK, -1: not held */
	bool is_busy;                   /* somebody else has the lock */
	bool is_volatile;               /* dovecot-uidlist cannot be written: UIDs are good for the index only */
	bool is_own;                    /* cur/ is as we know it, between own_begin and own_end */
	uint32_t recent_from, n_recent; /* before they were claimed */
	bool is_unseen_unsure;          /* first_unseen is to be looked for from first_unseen_uid on */
	struct arena arena;
};

/* ---- mailbox.c ---- */

/* A folder with nothing in it yet; mailbox_close frees it. Source: mailbox.c */
struct mailbox *mailbox_new(struct mail_store *s, const char *folder, unsigned flags);

/* ---- mailbox_disk.c ---- */

/* Of the moment before what is recent was claimed. */
struct disk_claim {
	uint32_t recent_from, n_recent;
	bool is_volatile;
};

/* Begins a read transaction *t with the folder's record, brought up to date with the disk before; flags: not
 * DISK_LOCK. claim may be NULL. The caller ends t. Source: mailbox_disk.c */
int mailbox_disk_read(struct mail_store *s, const char *folder, const struct maildir *md, unsigned flags,
		      struct index_txn *t, struct index_folder *f_r, struct disk_claim *claim, struct err *err) WARN_UNUSED;

/* Begins a write transaction, up to date with the disk. *d is over after -1. Source: mailbox_disk.c */
int mailbox_disk_begin(struct disk *d, struct mail_store *s, const char *folder, const struct maildir *md,
		       unsigned flags,
		       struct err *err) WARN_UNUSED;

/* The same without a look at the disk, unless the index has lost the folder. -1 ERR_TEMP: it is another one than
 * validity says. Source: mailbox_disk.c */
int mailbox_disk_begin_index(struct disk *d, struct mail_store *s, const char *folder, const struct maildir *md,
			     uint32_t validity, struct err *err) WARN_UNUSED;

/* Another folder in the transaction of with, without a look at the disk. Its commit is part of that of with, and comes
 * before. -1 ERR_TEMP: the index does not have it. Source: mailbox_disk.c */
int mailbox_disk_join(struct disk *d, struct disk *with, const char *folder, const struct maildir *md, struct err *err)
	WARN_UNUSED;

/* Around renames of our own in cur/: its time after them is remembered. Source: mailbox_disk.c */
void mailbox_disk_own_begin(struct disk *d);
void mailbox_disk_own_end(struct disk *d);

/* UIDs for messages that we are about to index, in this order, on disk on return; needs DISK_LOCK. Source:
 * mailbox_disk.c */
int mailbox_disk_number(struct disk *d, struct uidlist_new *v, size_t n, struct err *err) WARN_UNUSED;

/* Keeps d->f, and (not after join) commits. end aborts what was not committed; idempotent. Source: mailbox_disk.c */
int mailbox_disk_commit(struct disk *d, struct err *err) WARN_UNUSED;
void mailbox_disk_end(struct disk *d);

/* ---- mailbox_index.c: the records of messages and the numbers of their folder ---- */

/* m->uid is above all; m->modseq is set. Source: mailbox_index.c */
int mailbox_index_add(struct disk *d, struct index_msg *m, struct span name, struct err *err) WARN_UNUSED;
int mailbox_index_del(struct disk *d, const struct index_msg *m, struct err *err) WARN_UNUSED;

/* Flags of m become `flags`, with the transaction's modseq; m is put. Source: mailbox_index.c */
int mailbox_index_flags(struct disk *d, struct index_msg *m, uint32_t flags, struct err *err) WARN_UNUSED;

/* It has a record now, which tells its vsize; m is not put. Source: mailbox_index.c */
void mailbox_index_has_record(struct disk *d, struct index_msg *m, uint64_t vsize);

/* Its date is known now; m is not put. Source: mailbox_index.c */
void mailbox_index_has_date(struct disk *d, struct index_msg *m, int64_t internal_s);

/* Puts d->f. Source: mailbox_index.c */
int mailbox_index_settle(struct disk *d, struct err *err) WARN_UNUSED;

/* The name of a message: 1, 0 none, -1. Source: mailbox_index.c */
int mailbox_index_name(struct mail_store *s, struct index_txn *t, uint32_t folder, uint32_t uid,
		       char name[NAME_MAX + 1],
		       struct err *err) WARN_UNUSED;

/* ---- mailbox_twins.c: two files with one base name in cur/, as a backup that is put back leaves them ---- */

/* e is of a message whose file the index knows as name: that one is meant, if it is there. Source: mailbox_twins.c */
void mailbox_twins_prefer(struct maildir_scan *s, int cur, struct maildir_entry *e, struct span name);

/* The others get base names of their own, and are added to s. Best effort. Source: mailbox_twins.c */
void mailbox_twins_part(struct disk *d, struct maildir_scan *s);

/* ---- mailbox_dates.c ---- */

/* Date and size of m from its file, under the name that the index has; m is not put. 1, 0 there is none, -1 the index
 * fails. Source: mailbox_dates.c */
int mailbox_dates_look(struct disk *d, struct index_msg *m, struct err *err) WARN_UNUSED;

/* ---- mailbox_inbox.c: records that local has left ---- */

/* Gives them to the messages they are of. Best effort but for the index: -1. Source: mailbox_inbox.c */
int mailbox_inbox_take(struct disk *d, struct err *err) WARN_UNUSED;

/* Keeps a record of m, whose date is known if sent_s is not, and puts m. Source: mailbox_inbox.c */
int mailbox_inbox_keep(struct disk *d, struct index_msg *m, int64_t sent_s, uint64_t size, uint64_t vsize,
		       struct span keys,
		       struct span body, struct err *err) WARN_UNUSED;

/* ---- mailbox_view.c ---- */

/* Appends a message to the view. Source: mailbox_view.c */
struct mailbox_msg *mailbox_view_push(struct mailbox *b);

/* Loads the view as it was at p->modseq. Source: mailbox_view.c */
int mailbox_view_load(struct mailbox *b, struct index_txn *t, const struct index_folder *f,
		      struct err *err) WARN_UNUSED;

/* The folder as the index has it, without a look at the disk unless it was lost. The caller ends t. -1 ERR_TEMP when
 * it is another one now. Source: mailbox_view.c */
int mailbox_view_read(struct mailbox *b, struct index_txn *t, struct index_folder *f_r, struct err *err) WARN_UNUSED;

#endif
