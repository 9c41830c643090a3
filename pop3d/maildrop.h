/* maildrop.h: the messages of a session, fixed at its begin (RFC 1939 section 5): INBOX, as the index has it; blocks */
#ifndef POP3D_MAILDROP_H
#define POP3D_MAILDROP_H

#include "base/err.h"
#include "store/mail_store.h"
#include "store/mailbox.h"
#include "store/uidlist.h"

struct message {
	uint32_t uid, at;               /* at: index in the mailbox's v */
	uint64_t size;                  /* octets as RETR sends them, UINT64_MAX: not known yet */
	bool is_deleted;                /* DELE */
	bool is_gone;                   /* somebody else removed it */
};

struct maildrop {
	struct mail_store store;
	struct mailbox *box;
	struct uidlist uids;            /* only where a UIDL is made of more than the index has */
	bool has_uids;
	struct arena arena;
	struct message *v;              /* by UID; message number i + 1 */
	size_t n;
	size_t n_closed;                /* messages left out, as their files cannot be opened */
	struct err closed;              /* why, of the first */
	bool has_fast_sizes;
	int lock;                       /* of pop3_lock_session, -1: none */
};

#define MAILDROP_INIT { .store = { .root = MAILDIR_INIT, .index_dir = -1 }, .lock = -1 }

/* Opens the store, its folders made if need be; no message yet. -1 ERR_SYS, ERR_CONF. Source: maildrop.c */
int maildrop_open(struct maildrop *d, const struct mail_store_options *opt, struct err *err) WARN_UNUSED;

/* One session at a time: -1 ERR_TEMP when another one has the mailbox. The lock ends with the process or
 * maildrop_close. Source: maildrop.c */
int maildrop_lock(struct maildrop *d, struct err *err) WARN_UNUSED;

/* Lists the messages, with UIDs; what the user has no right to read, and whose size is not known without, is left out and
 * counted in n_closed. -1 ERR_SYS or ERR_TEMP. Source: maildrop.c */
int maildrop_load(struct maildrop *d, struct err *err) WARN_UNUSED;

/* Gives the lock back too; idempotent. Source: maildrop.c */
void maildrop_close(struct maildrop *d);

/* Finds the sizes of all that have none yet, at once; those that cannot be read stay unknown. Source: maildrop.c */
int maildrop_measure(struct maildrop *d, struct err *err) WARN_UNUSED;

/* The exact size; reads the message when nobody knows. A message that is gone has 0. Source: maildrop.c */
int maildrop_size(struct maildrop *d, struct message *m, uint64_t *n_r, struct err *err) WARN_UNUSED;

/* Appends the unique id: the one that a server before us has told, else in the format. Source: maildrop.c */
int maildrop_uidl(struct maildrop *d, const struct message *m, const char *format, struct str *out, struct err *err)
	WARN_UNUSED;

/* A descriptor of the message's file for the caller to close; -1 ERR_PERM: it is gone, ERR_SYS. Source: maildrop.c */
int maildrop_read(struct maildrop *d, struct message *m, struct err *err) WARN_UNUSED;

/* Sets the flag S, moving the file from new/ to cur/; best effort. Source: maildrop.c */
void maildrop_set_seen(struct maildrop *d, const struct message *m);

/* Removes what DELE marked; *n_r counts what is gone now. -1 when some are left. Source: maildrop.c */
int maildrop_expunge(struct maildrop *d, uint64_t *n_r, struct err *err) WARN_UNUSED;

#endif
