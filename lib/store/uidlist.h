/* uidlist.h: dovecot-uidlist, the file that gives the messages of a Maildir their UIDs; Dovecot may write it too
 *
 *   3 V1273668413 N41 G0123456789abcdef0123456789abcdef      version, UIDVALIDITY, next UID, GUID of the mailbox
 *   40 W1234 :1273668413.M1P2.host,S=1200                  UID, extensions (W: octets with CRLF; P: POP3 id), base name
 *
 * The file "dovecot-uidlist.lock", made with O_EXCL, is both the lock and the next version: renaming it onto the list
 * releases it. New records are appended and synced before their UIDs are told: no UID is ever given to another
 * message.
 *
 * what was cut short                     what is found                        who repairs it
 * .lock made, nothing written            list whole, stale .lock              next writer removes it after 120 s
 * .lock written, not renamed             the same                             the same
 * rename seen, directory not synced      old or new list, both whole          nobody needs to
 * append torn                            last line without its end            skipped, next writer writes the list anew
 * list unreadable                        no header                            new UIDVALIDITY, all UIDs new
 */
#ifndef STORE_UIDLIST_H
#define STORE_UIDLIST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/htab.h"
#include "base/span.h"
#include "base/str.h"
#include "store/index.h"
#include "store/maildir_scan.h"

#define UIDLIST_NAME "dovecot-uidlist"
#define UIDLIST_LOCK UIDLIST_NAME ".lock"

struct uidlist_rec {
	uint32_t uid;
	bool is_known_gone;             /* not in the last scan */
	uint64_t vsize;                 /* octets with CRLF line ends, UINT64_MAX unknown */
	struct span base;
	struct span pop3_id;            /* the id to show instead of ours, after a migration; or empty */
	struct span other;              /* extensions that we do not know, " X1 Y2" */
};

/* Caller's memory. */
struct uidlist {
	struct arena arena;
	int dir;                        /* of the Maildir; borrowed */
	uint32_t validity, next_uid;
	bool has_past;                  /* it is on disk, UIDs of it may have been told */
	char guid[33];
	struct uidlist_rec *v;          /* by UID */
	size_t n, cap;
	struct htab by_base;            /* -> index + 1 */
	size_t n_by_base;               /* records that stand in it; the others are put there before it is used */
	struct index_file file;         /* as it was read or written last; ino 0: there was none */
	mode_t mode;
	bool must_rewrite;              /* no file, an old version, or a broken one */
	bool is_volatile;               /* it could not be written: UIDs are good for this session only */
};

/* Reads the list of the Maildir that the descriptor dir is open on; a missing or broken file is no error. Blocks.
 * ERR_SYS. Source: uidlist.c */
int uidlist_open(struct uidlist *u, int dir, struct err *err) WARN_UNUSED;

/* Sets the uid of every entry of the scan: known ones keep theirs, new ones get the next in the order of the scan, and
 * are on disk before this returns. lock is the descriptor of UIDLIST_LOCK, which the caller holds; it is released in any
 * case. -1: it cannot be had, for the file system is full or read-only; then, and when the list cannot be written for
 * that reason, the session gets UIDs that are not kept (is_volatile). Records of messages that are gone leave at the
 * next rewrite. Blocks. ERR_SYS. Source: uidlist.c */
int uidlist_sync_held(struct uidlist *u, struct maildir_scan *s, int lock, struct err *err) WARN_UNUSED;

/* Adds a message that was told under this UID while the list could not be written; in the order of UIDs. Nothing
 * happens when the UID is not above those of the list. Source: uidlist.c */
void uidlist_recall(struct uidlist *u, uint32_t uid, struct span base);

/* This message gets a new UID at the next sync: it was told to be gone. Source: uidlist.c */
void uidlist_forget(struct uidlist *u, struct span base);

/* How many records have no entry in s: when there are some, scan again before uidlist_sync_held, lest a message that was
 * being renamed loses its UID. Quick when s is in order. Source: uidlist.c */
size_t uidlist_missing(const struct uidlist *u, const struct maildir_scan *s);

/* The record of a base name, or NULL; until the next sync. Source: uidlist.c */
const struct uidlist_rec *uidlist_find(struct uidlist *u, struct span base);

/* ---- without its records in memory ---- */

/* A list as it was left; kept by the index. */
struct uidlist_note {
	struct index_file file;
	uint32_t validity, next_uid;
};

struct uidlist_new {
	struct span base;
	uint32_t uid;                   /* 0; then its UID */
	bool is_old;                    /* it may have been here before: the list is searched for it */
};

enum uidlist_rc { UIDLIST_FAILED = -1, UIDLIST_OTHER = 0, UIDLIST_DONE = 1 };

/* Gives UIDs to the n messages of v, in this order, under UIDLIST_LOCK, which the caller holds and keeps, by
 * appending to the list that *note knows. Reads nothing of it, or, when others have appended since, their records: a
 * message of v that is among them has its UID already. On disk before it returns: each append is synced, for a
 * promise ahead of use would make Dovecot, which takes UIDs below the header's next for old ones, number these
 * messages anew (seen with 2.3.19). UIDLIST_OTHER: the list is not that one any more, others numbered messages
 * that v does not have, or one of v has a record from before it was away: to be read whole. n 0 only brings *note up to date. UIDLIST_FAILED: ERR_SYS, nothing is
 * given. Blocks. Source: uidlist_extend.c */
enum uidlist_rc uidlist_extend(int dir, struct uidlist_note *note, struct uidlist_new *v, size_t n,
			       struct err *err) WARN_UNUSED;

/* Whether a record may have a POP3 id, a migration's: read through, but not parsed. Source: uidlist_extend.c */
bool uidlist_has_pop3_ids(int dir);

/* The file as it is now; zeroed: there is none. ino tells it from one that had the number of its inode before it: a
 * rewritten list often gets that of the last but one. Source: uidlist_extend.c */
int uidlist_stat(int dir, struct index_file *f_r, struct err *err) WARN_UNUSED;
bool uidlist_same(const struct index_file *a, const struct index_file *b);

/* Idempotent. Source: uidlist.c */
void uidlist_close(struct uidlist *u);

/* Reads the text of a list into u (as uidlist_open does from the file); false when its header is unusable. For the
 * fuzzer and for tools. Source: uidlist.c */
bool uidlist_parse(struct uidlist *u, struct span text);

/* Appends the text of the whole list; -1: out's limit. Source: uidlist.c */
int uidlist_format(const struct uidlist *u, struct str *out) WARN_UNUSED;

#endif
