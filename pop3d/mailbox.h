/* mailbox.h: the messages of a session, fixed at its begin (RFC 1939 section 5); blocks */
#ifndef POP3D_MAILBOX_H
#define POP3D_MAILBOX_H

#include "base/err.h"
#include "store/maildir.h"
#include "store/maildir_scan.h"
#include "store/uidlist.h"

struct message {
	struct maildir_entry e;         /* where it was seen last */
	uint64_t size;                  /* octets as RETR sends them, UINT64_MAX: not known yet */
	bool is_deleted;                /* DELE */
	bool is_gone;                   /* somebody else removed it */
};

struct mailbox {
	struct maildir md;
	struct uidlist uids;
	struct maildir_scan scan;
	struct arena arena;
	struct message *v;              /* by UID; message number i + 1 */
	size_t n;
	bool has_fast_sizes;
	int lock;                       /* of pop3_lock_session, -1: none */
};

#define MAILBOX_INIT { .md = MAILDIR_INIT, .lock = -1 }

/* Opens the Maildir at the absolute path mail, made with its missing folders if need be; nothing else. home: where the
 * user's own folders begin, or "". -1 ERR_SYS. Source: mailbox.c */
int mailbox_open(struct mailbox *b, const char *home, const char *mail, struct err *err) WARN_UNUSED;

/* One session at a time: -1 ERR_TEMP when another one has the mailbox. The lock ends with the process or mailbox_close.
 * Source: mailbox.c */
int mailbox_lock(struct mailbox *b, struct err *err) WARN_UNUSED;

/* Lists the messages and gives them UIDs. -1 ERR_SYS or ERR_TEMP. Source: mailbox.c */
int mailbox_load(struct mailbox *b, struct err *err) WARN_UNUSED;

void mailbox_close(struct mailbox *b);

/* The exact size; reads the message where neither its name nor the uidlist tells. A message that is gone has 0.
 * Source: mailbox.c */
int mailbox_size(struct mailbox *b, struct message *m, uint64_t *n_r, struct err *err) WARN_UNUSED;

/* A descriptor of the message's file for the caller to close; -1 ERR_PERM: it is gone, ERR_SYS. Source: mailbox.c */
int mailbox_read(struct mailbox *b, struct message *m, struct err *err) WARN_UNUSED;

/* Sets the flag S, moving the file from new/ to cur/; best effort. Source: mailbox.c */
void mailbox_set_seen(struct mailbox *b, struct message *m);

/* Removes what DELE marked; *n_r counts what is gone now. -1 when some are left. Source: mailbox.c */
int mailbox_expunge(struct mailbox *b, uint64_t quota, uint64_t *n_r, struct err *err) WARN_UNUSED;

#endif
