/* mailbox.h: an open folder as an IMAP session sees it: numbered messages, flags, changes of others
 *
 * Three things are kept apart. The disk: Maildir, dovecot-uidlist, dovecot-keywords, the truth. The index: what was
 * found there last, shared by all sessions. The view: what this session has told its client, numbered from 1; it
 * changes only in mailbox_sync, so that sequence numbers mean what the client thinks they mean.
 *
 *        disk ──(directory times differ, or a change of our own)──▶ index ──mailbox_sync──▶ view ──▶ untagged answers
 *
 * All of it blocks, for one session in one process. Every call: ERR_SYS and ERR_TEMP mean try again, nothing is lost;
 * ERR_PERM is the client's fault. A broken index is renewed inside and never an error.
 */
#ifndef STORE_MAILBOX_H
#define STORE_MAILBOX_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"
#include "store/index.h"
#include "store/keywords.h"
#include "store/mail_record.h"
#include "store/mail_store.h"

/* A message of the view. */
struct mailbox_msg {
	uint32_t uid;
	uint32_t flags;                 /* enum index_flag, as last told to the client */
	uint64_t modseq;                /* 0 after mailbox_store: others changed it too, the next mailbox_sync reports it */
	bool is_recent;                 /* this session is the first to see it */
	bool is_gone;                   /* expunged, and the client has not been told yet */
	bool is_unsure;                 /* others may have changed it while the session rested: the next mailbox_sync reports it */
};

/* Numbers for SELECT and STATUS. */
struct mailbox_status {
	uint32_t validity, uid_next;
	uint32_t n, n_unseen, n_deleted, n_recent;
	uint32_t first_unseen;          /* sequence number, 0: none */
	uint64_t modseq;                /* HIGHESTMODSEQ */
	uint64_t bytes;                 /* only with MAILBOX_SIZES */
};

struct mailbox_private;

/* An open folder. */
struct mailbox {
	struct mail_store *store;
	const char *folder;             /* as on disk: "", ".Sent" */
	struct maildir md;
	bool is_read_only;              /* EXAMINE: nothing of new/ moves to cur/, no flags change */
	bool is_volatile;               /* dovecot-uidlist cannot be written: UIDs hold for this session only (UIDNOTSTICKY) */
	struct keywords keywords;
	struct mailbox_status now;      /* as of the last sync */
	struct mailbox_msg *v;          /* the view, by uid; v[i] is sequence number i + 1. Loaded by mailbox_load */
	size_t n;                       /* its length; right even before it is loaded */
	bool is_loaded;
	struct mailbox_private *p;
};

/* KEEP_NEW: what is in new/ stays there until it gets flags (POP3). */
enum mailbox_flags { MAILBOX_READ_ONLY = 1, MAILBOX_SIZES = 2, MAILBOX_KEEP_NEW = 4 };

/* Opens a folder, brings the index up to date with the disk, moves what is in new/ to cur/ (unless read-only). When
 * nothing has changed it costs a few stats and one index record, whatever the size. 1 ok, 0 no such folder, -1.
 * Source: mailbox.c */
int mailbox_open(struct mailbox **b_r, struct mail_store *s, const char *folder, unsigned flags,
		 struct err *err) WARN_UNUSED;

/* Takes NULL; sets *b to NULL. Source: mailbox.c */
void mailbox_close(struct mailbox **b);

/* The view in a few words, so that another process of the same session can go on with it: bytes for whoever carries
 * them, without pointers. */
struct mailbox_place {
	uint64_t validity, id, generation, modseq, uid_next, n, recent_from, n_recent;
	struct index_file keywords;
};

/* False: it cannot be said in so few words: something is known and not told yet, or holds for this process only.
 * Source: mailbox_place.c */
bool mailbox_place(const struct mailbox *b, struct mailbox_place *p_r) WARN_UNUSED;

/* Opens a folder with the view as it was there; nothing is read of the disk until mailbox_sync, which may
 * find it lost. 1 ok; 0 there is no such folder, or it is another one now; -1. Source: mailbox_place.c */
int mailbox_resume(struct mailbox **b_r, struct mail_store *s, const char *folder, unsigned flags,
		   const struct mailbox_place *place, struct err *err) WARN_UNUSED;

/* STATUS without opening: brings the index up to date, moves nothing. 1, 0, -1. Source: mailbox.c */
int mailbox_status(struct mail_store *s, const char *folder, unsigned flags, struct mailbox_status *st_r,
		   struct err *err)
	WARN_UNUSED;

/* Makes b->v valid (one walk over the fixed parts at the first call, nothing later). Source: mailbox_view.c */
int mailbox_load(struct mailbox *b, struct err *err) WARN_UNUSED;

/* ---- the view follows ---- */

/* What mailbox_sync changed in the view, in the order to tell it; arrays live until the next sync. */
struct mailbox_changes {
	uint32_t *expunged;             /* sequence numbers, each counted after the ones before it were removed (RFC 3501 7.4.1) */
	uint32_t *expunged_uids;        /* the same messages by UID, ascending, for VANISHED */
	size_t n_expunged;
	uint32_t *changed;              /* sequence numbers (after the expunges) whose flags or modseq changed by others */
	size_t n_changed;
	bool has_new;                   /* b->n grew: tell EXISTS (and RECENT) */
	bool has_new_keywords;          /* tell FLAGS and PERMANENTFLAGS */
	bool is_lost;                   /* the folder was deleted, or its UIDVALIDITY changed: the session cannot go on */
};

/* Looks at the disk when its times changed, then makes the view follow the index. Without may_expunge messages that
 * are gone stay in the view, is_gone (RFC 3501 section 7.4.1: no EXPUNGE during FETCH, STORE, SEARCH). Changes made
 * through this session are in the view already, and not reported again. Source: mailbox_sync.c */
int mailbox_sync(struct mailbox *b, bool may_expunge, struct mailbox_changes *ch_r, struct err *err) WARN_UNUSED;

/* A call has found that the folder, or what is known of it, is not the client's any more: the next mailbox_sync would say
 * is_lost. Source: mailbox_sync.c */
bool mailbox_is_lost(const struct mailbox *b);

/* The index of a UID in v, or of the first above it; *found_r tells. Needs mailbox_load. Source: mailbox_view.c */
size_t mailbox_find(const struct mailbox *b, uint32_t uid, bool *found_r);

/* ---- reading: i is an index in v ---- */

/* internal_s, vsize, size */
enum mailbox_want { MAILBOX_WANT_DATE = 1, MAILBOX_WANT_SIZE = 2, MAILBOX_WANT_OCTETS = 4 };

/* Facts about a message, fixed part. What is wanted and nobody knows is looked for in the file. ERR_PERM: it is gone.
 * Source: mailbox_read.c */
int mailbox_msg(struct mailbox *b, size_t i, unsigned want, struct index_msg *m_r, struct err *err) WARN_UNUSED;

/* The name of its file up to the flags, in a. ERR_PERM: it is gone. Source: mailbox_read.c */
int mailbox_base_name(struct mailbox *b, size_t i, struct arena *a, struct span *base_r, struct err *err) WARN_UNUSED;

struct mailbox_name {
	char z[NAME_MAX + 1];
};

/* The names of the files of sel[0..n), as of now, in one look into the index; "" for one that is gone. Source:
 * mailbox_read.c */
int mailbox_names(struct mailbox *b, const uint32_t *sel, size_t n, struct mailbox_name *names_r, struct err *err) WARN_UNUSED;

/* A descriptor of the file for the caller to close. octets_r: its size; NULL spares a system call where all is read by
 * pread(2), which refuses what is no file. ERR_PERM: it is gone. Source: mailbox_read.c */
int mailbox_file(struct mailbox *b, size_t i, uint64_t *octets_r, struct err *err) WARN_UNUSED;
int mailbox_file_named(struct mailbox *b, const struct mailbox_name *name, uint64_t *octets_r, struct err *err) WARN_UNUSED;

/* The body of a message, from the index; one that has none is read and parsed, and kept. Spans live until the next call
 * of it or of mailbox_sync. ERR_PERM: it is gone. Source: mailbox_read.c */
int mailbox_body(struct mailbox *b, size_t i, struct mail_body *b_r, struct err *err) WARN_UNUSED;

/* Makes sure that the messages sel[0..n) (indexes in v, ascending) have their records, in few transactions; called
 * before a walk. One that cannot be read has a date at least. Source: mailbox_read.c */
int mailbox_ensure(struct mailbox *b, const uint32_t *sel, size_t n, struct err *err) WARN_UNUSED;

/* The same for date and size of their files, which a look at many has left out. A message whose file is not there has
 * none afterwards. Costs next to nothing where all are known. Source: mailbox_dates.c */
int mailbox_ensure_dates(struct mailbox *b, const uint32_t *sel, size_t n, struct err *err) WARN_UNUSED;

/* One sweep over all messages of the view in order, with what `what` asks for (others NULL): for SEARCH, SORT, THREAD
 * and FETCH of many. Records must be there (mailbox_ensure): a message without is passed with NULL. DATES are FACTS with
 * a date: looked for before, and a message that has none then is passed with NULL, as one that is gone. fn returns false
 * to stop. No other call on b meanwhile, except mailbox_file. Source: mailbox_read.c */
enum mailbox_what { MAILBOX_FACTS = 1, MAILBOX_KEYS = 2, MAILBOX_BODY = 4, MAILBOX_DATES = 8 | MAILBOX_FACTS };
typedef bool mailbox_walk_fn(void *arg, size_t i, const struct index_msg *m, const struct mail_keys *k,
			     const struct mail_body *body);
int mailbox_walk(struct mailbox *b, const uint32_t *sel, size_t n, unsigned what, mailbox_walk_fn *fn, void *arg,
		 struct err *err) WARN_UNUSED;

/* UIDs expunged above modseq, ascending, into a; *is_complete_r false: the log does not reach back that far, and
 * every UID asked for that is not in the view counts (RFC 7162 section 3.2.5.1). Source: mailbox_view.c */
int mailbox_gone(struct mailbox *b, uint64_t modseq, struct arena *a, uint32_t **uids_r, size_t *n_r,
		 bool *is_complete_r,
		 struct err *err) WARN_UNUSED;

/* ---- changing ---- */

enum mailbox_store_how { MAILBOX_ADD, MAILBOX_REMOVE, MAILBOX_REPLACE };

/* STORE: changes the flags of sel (indexes in v) on disk and in the index, one modseq for all, and in the view.
 * unchanged_since UINT64_MAX: no condition; messages with a higher modseq are left alone and listed in modified_r
 * (arena a, indexes in v). Messages that are gone are skipped. Source: mailbox_store.c */
int mailbox_store(struct mailbox *b, const uint32_t *sel, size_t n, enum mailbox_store_how how, uint32_t flags,
		  uint64_t unchanged_since, struct arena *a, uint32_t **modified_r, size_t *n_modified_r, struct err *err)
	WARN_UNUSED;

/* Removes the files of sel; the view follows at the next mailbox_sync(may_expunge), which reports them.
 * Source: mailbox_store.c */
int mailbox_expunge(struct mailbox *b, const uint32_t *sel, size_t n, struct err *err) WARN_UNUSED;

/* A message on its way into a folder: APPEND. msg may refuse for quota ([OVERQUOTA], ERR_PERM with dsn 5.2.2) by
 * size, the octets that will come. add takes chunks, stored as they come. Several are added, then all become visible
 * and durable together or none does (RFC 3502). Source: mailbox_append.c */
struct mailbox_append;

/* keywords: names, mapped to the letters of the target, added there if new (keywords_flag). *a_r for the
 * caller to end with commit or abort. 1, 0 no such folder, -1. Source: mailbox_append.c */
int mailbox_append_begin(struct mailbox_append **a_r, struct mail_store *s, const char *folder,
			 struct err *err) WARN_UNUSED;
int mailbox_append_msg(struct mailbox_append *a, uint64_t size, uint32_t system_flags, const struct span *keywords,
		       size_t n_keywords, int64_t internal_s, struct err *err) WARN_UNUSED;
int mailbox_append_data(struct mailbox_append *a, struct span bytes, struct err *err) WARN_UNUSED;

/* What came into a folder, one UID per message in the order they were given; another session's may lie between. */
struct mailbox_added {
	uint32_t validity;
	uint32_t *uids;                 /* for the caller to free */
	size_t n;
};
/* After an error nothing of it is left. Both end *a and set it to NULL. Source: mailbox_append.c */
int mailbox_append_commit(struct mailbox_append **a, struct mailbox_added *added_r, struct err *err) WARN_UNUSED;
void mailbox_append_abort(struct mailbox_append **a);

/* COPY by link(2), records and keywords too; durable on return. MOVE renames, and the messages are expunged here as by
 * mailbox_expunge. from_uids: those that still were there, in the order of added_r->uids. All or nothing for COPY
 * (RFC 3501 section 6.4.7). 1, 0 no such folder (TRYCREATE), -1. Source: mailbox_copy.c */
int mailbox_copy(struct mailbox *b, const uint32_t *sel, size_t n, const char *to, bool is_move,
		 struct mailbox_added *added_r, uint32_t **from_uids_r, struct err *err) WARN_UNUSED;

#endif
