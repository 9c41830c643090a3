/* uidlist.h: dovecot-uidlist, the file that gives the messages of a Maildir their UIDs; Dovecot may write it too
 *
 *   3 V1273668413 N41 G0123456789abcdef0123456789abcdef      version, UIDVALIDITY, next UID, GUID of the mailbox
 *   40 W1234 :1273668413.M1P2.host,S=1200                  UID, extensions (W: octets with CRLF; P: POP3 id), base name
 *
 * The file "dovecot-uidlist.lock", made with O_EXCL, is both the lock and the next version: renaming it onto the list
 * releases it. New records are appended without a sync as long as their UIDs are below the next UID that the header
 * has promised durably; otherwise the list is written anew with a promise ahead, synced and renamed. So after a power
 * cut records may be missing (their messages get new UIDs), but no UID that was told is ever given to another message.
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
#include <sys/stat.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/htab.h"
#include "base/span.h"
#include "base/str.h"
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
	uint32_t header_next;           /* next UID in the header of the file */
	uint32_t promised;              /* UIDs below are on disk as used, whatever happens */
	uint32_t reserve;
	char guid[33];
	struct uidlist_rec *v;          /* by UID */
	size_t n, cap;
	struct htab by_base;            /* -> index + 1 */
	struct stat seen;               /* of the file that was read */
	bool must_rewrite;              /* no file, an old version, or a broken one */
	bool is_volatile;               /* it could not be written: UIDs are good for this session only */
	bool has_new_sizes;
};

/* Reads the list of the Maildir that the descriptor dir is open on; a missing or broken file is no error. reserve: how
 * many UIDs a durable write promises ahead (0 for short sessions). Blocks. ERR_SYS. Source: uidlist.c */
int uidlist_open(struct uidlist *u, int dir, uint32_t reserve, struct err *err) WARN_UNUSED;

/* Sets the uid of every entry of the scan: known ones keep theirs, new ones get the next in the order of the scan, and
 * are on disk before this returns. When the file system is full or read-only the session gets UIDs that are not kept
 * (is_volatile). Records of messages that are gone leave at the next rewrite. Blocks: waits up to 30 s for the lock.
 * -1 ERR_TEMP when the lock stays, ERR_SYS. Source: uidlist.c */
int uidlist_sync(struct uidlist *u, struct maildir_scan *s, struct err *err) WARN_UNUSED;

/* How many records have no entry in s: when there are some, scan again before uidlist_sync, lest a message that was
 * being renamed loses its UID. Source: uidlist.c */
size_t uidlist_missing(const struct uidlist *u, const struct maildir_scan *s);

/* The record of a base name, or NULL; until the next sync. Source: uidlist.c */
const struct uidlist_rec *uidlist_find(const struct uidlist *u, struct span base);

/* Remembers a size that was computed; it is kept when the list is next written or saved. Source: uidlist.c */
void uidlist_set_vsize(struct uidlist *u, struct span base, uint64_t vsize);

/* Writes sizes that were set, best effort and without waiting for the lock. Blocks. Source: uidlist.c */
void uidlist_save(struct uidlist *u);

/* Idempotent. Source: uidlist.c */
void uidlist_close(struct uidlist *u);

/* Reads the text of a list into u (as uidlist_open does from the file); false when its header is unusable. For the
 * fuzzer and for tools. Source: uidlist.c */
bool uidlist_parse(struct uidlist *u, struct span text);

/* Appends the text of the whole list; -1: out's limit. Source: uidlist.c */
int uidlist_format(const struct uidlist *u, uint32_t next_uid, struct str *out) WARN_UNUSED;

#endif
