/* txn.h: one mail transaction: envelope, what restrictions decided about it, and its way into the queue */
#ifndef SMTPD_TXN_H
#define SMTPD_TXN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/htab.h"
#include "base/span.h"
#include "base/str.h"
#include "proto/smtp.h"
#include "store/queue.h"

struct content;
struct session;

struct txn_rcpt {
	struct txn_rcpt *next;
	struct span address, orig, orcpt;       /* orig: as the client said it, "" when the same */
	unsigned notify;
};

/* The recipient under examination. */
struct txn_try {
	const char *address;            /* with a domain */
	const char *fallback;           /* of a postmaster who has no mailbox: our own */
	struct span orcpt;
	unsigned notify;
	bool is_bare;                   /* the client gave no domain */
	bool is_routed;                 /* local part with %, ! or @: sender-specified routing */
	uint64_t status, class;         /* enum msg_status, enum addr_class of resolve's verdict */
	const char *dsn, *text;
	void (*done)(struct session *s, const char *reply);     /* reply NULL: accepted */
};

/* Heap object of a session; everything it points to lives in its arena. */
struct txn {
	struct arena arena;
	struct span sender;             /* with a domain, or ""; NULL for VRFY outside of a transaction */
	struct smtp_mail mail;
	struct txn_rcpt *rcpts, **rcpts_tail;
	struct htab known;              /* of rcpts, as txn_add_rcpt compares them */
	size_t n_rcpts, n_refused, n_twice;
	struct txn_try try, first;      /* under examination; that was accepted first */
	uint64_t qid;
	char id[QUEUE_ID_LEN + 1];      /* "" until the first recipient is accepted */
	char *defer_sender;             /* malloc; DEFER_IF_PERMIT of smtpd_sender_restrictions, or NULL */
	bool hold, discard, improper;
	bool is_last_chunk;             /* of the BDAT that waits for smtpd_data_restrictions */
	struct span redirect;           /* takes the place of all recipients */
	struct txn_rcpt *bcc;
	struct str prepend;             /* header lines of PREPEND actions, each with "\n" */
	struct content *content;        /* from DATA or the first BDAT on */
	struct txn *outer;              /* of one that stands in for VRFY: the client's, or NULL */
};

/* Source: txn.c */
struct txn *txn_new(void);

/* Aborts what qmgr has been told; takes NULL, sets *txn NULL. Source: txn.c */
void txn_free(struct txn **txn);

/* Adds a recipient that was accepted; one that is there already, whatever its case, gets no second copy. Source:
 * txn.c */
void txn_add_rcpt(struct txn *t, struct span address, struct span orig, struct span orcpt, unsigned notify);

/* The recipient when there is exactly one, for checks and log lines after RCPT; else NULL. Source: txn.c */
const struct txn_try *txn_sole_rcpt(const struct txn *t);

/* The reply to MAIL or RCPT that do not parse; the log hears of an address that is none. Source: txn.c */
void txn_refuse_syntax(struct session *s, struct span args, const char *reply);

/* Draws the queue id and logs "ID: client=..."; -1 while qmgr grants none. Source: txn.c */
int txn_open(struct session *s) WARN_UNUSED;

/* local@domain of a parsed address, with $myorigin where it has no domain; in the transaction's arena. Source: txn.c */
const char *txn_address(struct session *s, const struct address *addr);

#endif
