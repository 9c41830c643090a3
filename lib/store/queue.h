/* queue.h: the mail queue on disk: an LMDB environment for envelopes, schedule and small bodies, files for large
 * ones */
#ifndef STORE_QUEUE_H
#define STORE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "base/str.h"

#define QUEUE_INLINE_MAX ((size_t)48 * 1024)    /* a larger body is a file in large/ */
#define QUEUE_ID_LEN 13                         /* characters of a printed id */
#define QUEUE_RCPT_MAX 100000                   /* recipients of one message, expansions included */
#define QUEUE_RCPT_BYTES ((size_t)24 << 20)     /* what all of them may measure, or no record could hold them */

/* What a recipient is. Only ADDRESS comes from the wire; the others come from alias tables and .forward files. */
enum queue_kind { QUEUE_ADDRESS, QUEUE_COMMAND, QUEUE_FILE, QUEUE_INCLUDE };

/* WAITING: to be tried. SENT, FAILED: settled, and a notice about it may still have to be written.
 * CLOSED: settled, and nobody waits for word about it (told, expanded, or not wanted). */
enum queue_state { QUEUE_WAITING, QUEUE_SENT, QUEUE_FAILED, QUEUE_CLOSED };

/* RFC 3461 4.1; 0: the client said nothing. */
enum queue_notify { QUEUE_NEVER = 1, QUEUE_SUCCESS = 2, QUEUE_FAILURE = 4, QUEUE_DELAY = 8 };

/* How a SENT recipient left us, for the Action field of a notice (RFC 3464 2.3.3). */
enum queue_action { QUEUE_DELIVERED, QUEUE_RELAYED, QUEUE_EXPANDED };

/* The low bits are enum env_flags of svc/msg_queue.h. */
enum queue_flag {
	QUEUE_8BITMIME = 1, QUEUE_SMTPUTF8 = 2, QUEUE_RET_FULL = 4, QUEUE_RET_HDRS = 8, QUEUE_AUTHENTICATED = 16,
	QUEUE_LOCAL = 64,               /* given by sendmail(1) on this machine */
	QUEUE_BOUNCE = 1 << 16,         /* a notice written by qmgr itself */
	QUEUE_WARNED = 1 << 17,         /* the sender was told of the delay */
};

/* One recipient. Spans belong to the message's arena. */
struct queue_rcpt {
	uint32_t no;                    /* never changes, never reused in its message */
	uint32_t parent;                /* no of the recipient that was expanded to this one; own no: from the client */
	uint32_t depth;                 /* expansions between the client's recipient and this one */
	uint32_t attempts;
	uint8_t kind;                   /* enum queue_kind */
	uint8_t state;                  /* enum queue_state */
	uint8_t notify;                 /* bits of enum queue_notify */
	uint8_t action;                 /* enum queue_action, once SENT or CLOSED */
	uint8_t is_final;               /* it expanded to itself: no alias or .forward applies again */
	struct span addr;               /* address, or the text of the command, file name, include */
	struct span orig;               /* as given at RCPT, for X-Original-To and orig_to= */
	struct span orcpt;              /* ORCPT, "rfc822;user@host", or empty */
	struct span as_user;            /* whose rights a command, file or include has; empty: default_privs */
	struct span delivered_to;       /* addresses whose .forward or alias led here, one per line, newest last */
	struct span sender;             /* owner-alias in place of the envelope's sender, or empty */
	struct span dsn;                /* "4.4.1" of the last attempt */
	struct span text;               /* its words */
	struct span mta;                /* the host that said them, or empty */
	struct span via;                /* "transport:nexthop" that local passed it to, or empty */
};

/* A message without its body. Spans and recipients belong to the arena given to queue_decode. */
struct queue_msg {
	uint64_t id;
	uint64_t due_ms;                /* next attempt, wall clock; 0: not in the schedule (being tried, or held) */
	uint64_t arrival_ms;
	uint64_t size;                  /* bytes of the body */
	bool held;
	bool large;                     /* the body is large/<id> */
	uint32_t flags;                 /* enum queue_flag */
	uint32_t next_no;               /* number of the next recipient to be added */
	struct span sender;             /* empty: the null sender */
	struct span envid;              /* ENVID, decoded, or empty */
	struct span client_name, client_addr, helo, protocol;
	struct span sasl_method, sasl_user;
	struct queue_rcpt *rcpts;
	size_t n_rcpts, cap_rcpts;
	size_t rcpt_bytes;              /* sum of queue_rcpt_bytes; who adds a recipient counts it */
};

/* What a recipient takes of a record before anything was tried. */
static inline size_t queue_rcpt_bytes(const struct queue_rcpt *r)
{
	return 64 + r->addr.n + r->orig.n + r->orcpt.n + r->as_user.n + r->delivered_to.n + r->sender.n + r->via.n;
}

/* What people are told of it: a command or a file that an address led to is its owner's business. */
static inline struct span queue_rcpt_name(const struct queue_rcpt *r)
{
	return r->kind == QUEUE_ADDRESS || !r->orig.n ? r->addr : r->orig;
}

/* ---- records (queue_codec.c): no I/O, any thread ---- */

/* Appends the record of m to *out; -1 only if out's limit would be exceeded. Source: queue_codec.c */
int queue_encode(struct str *out, const struct queue_msg *m) WARN_UNUSED;

/* Reads a record of any version this program knows; trusts no byte of it. Spans point into the arena. ERR_PERM for a
 * damaged record. Source: queue_codec.c */
int queue_decode(struct queue_msg *m_r, uint64_t id, struct span record, struct arena *a, struct err *err) WARN_UNUSED;

/* The part of a record that the indexes are made of; -1 for a damaged one. Source: queue_codec.c */
int queue_decode_head(struct span record, uint64_t *due_ms_r, bool *held_r, bool *large_r) WARN_UNUSED;

/* Adds an empty WAITING recipient with the next number; valid until the next call. Its parent is itself.
 * Memory comes from a. Source: queue_codec.c */
struct queue_rcpt *queue_add_rcpt(struct queue_msg *m, struct arena *a);

/* ---- ids (queue_id.c) ---- */

/* 13 characters in Crockford's base 32 (no I, L, O, U), NUL-terminated: sorts as the number does and is what
 * Postfix log readers accept as a long queue id. Source: queue_id.c */
void queue_id_print(char out[QUEUE_ID_LEN + 1], uint64_t id);

/* Reads one; case does not matter. -1 when it is not an id. Source: queue_id.c */
int queue_id_parse(struct span s, uint64_t *id_r) WARN_UNUSED;

/* ---- the environment (queue.c) ---- */

struct queue;

struct queue_options {
	uint64_t map_size;              /* most bytes of data.mdb; 0: 32 GiB, or twice the file if that is more */
	uint64_t reserve;               /* bytes of the file system that new messages must leave free for done marks */
	uint64_t wait_ms;               /* for a process that is leaving it */
};

/* Opens dir/queue and dir/large, makes them when missing, removes large files without a row, puts messages that
 * were being tried into the schedule. One process at a time: a second one gets ERR_CONF, after wait_ms. Blocks.
 * Source: queue.c */
int queue_open(struct queue **q_r, const char *dir, const struct queue_options *opt, struct err *err) WARN_UNUSED;

/* Takes NULL; sets *q to NULL. No transaction may be open. Source: queue.c */
void queue_close(struct queue **q);

/* The first of n new ids, all above any that was ever given; n below a million. Only the loop's thread calls it, never
 * blocks. Source: queue.c */
uint64_t queue_new_ids(struct queue *q, uint64_t n);

/* How many messages a recovery found waiting without a schedule; files without a row it removed. Source: queue.c */
void queue_recovered(const struct queue *q, size_t *messages_r, size_t *files_r);

/* ---- writing: one thread only; everything blocks on the disk ---- */

struct queue_txn {
	struct queue *q;
	void *txn;
	uint64_t mark;                  /* new high-water mark, 0: unchanged */
	bool checked;                   /* free space was looked at */
};

/* Errors of all of these: TEMP with dsn 4.3.1 when map or disk are full (nothing is lost: abort and answer 452),
 * SYS for anything else (EIO, MDB_PANIC, a damaged map): the process must end and be started again. After any error
 * only queue_abort may follow. Source: queue.c */
int queue_begin(struct queue *q, struct queue_txn *t, struct err *err) WARN_UNUSED;

/* A new message. body is stored when its record is not large; else large/<id> was synced before. ERR_PROTO when
 * there is a message of that id: nothing was changed and the transaction may go on. Source: queue.c */
int queue_add(struct queue_txn *t, uint64_t id, struct span record, struct span body, struct err *err) WARN_UNUSED;

/* Replaces the record of an existing message and moves it in the indexes as its head says. A message that is gone stays
 * gone. Source: queue.c */
int queue_update(struct queue_txn *t, uint64_t id, struct span record, struct err *err) WARN_UNUSED;

/* Makes what is due later than latest_ms due then, a thousand at most; *n_r: how many it were. Source: queue.c */
#define QUEUE_PULL_MAX 1000
int queue_pull(struct queue_txn *t, uint64_t latest_ms, size_t *n_r, struct err *err) WARN_UNUSED;

/* Forgets a message; the caller unlinks a large body after the commit. No error when it is gone. Source: queue.c */
int queue_delete(struct queue_txn *t, uint64_t id, struct err *err) WARN_UNUSED;

/* Durable on return. Source: queue.c */
int queue_commit(struct queue_txn *t, struct err *err) WARN_UNUSED;

/* Idempotent; also after a failed commit. Source: queue.c */
void queue_abort(struct queue_txn *t);

/* ---- reading: any one thread besides the writer; may fault pages in, does not wait for the writer ---- */

enum queue_rc { QUEUE_ERR = -1, QUEUE_NONE = 0, QUEUE_FOUND = 1 };

/* A consistent view; spans it gives live until queue_view_end. Keep it short: pages freed meanwhile cannot be
 * reused. */
struct queue_view {
	struct queue *q;
	void *txn;
};

/* -1 ERR_SYS or ERR_TEMP and no view; end is idempotent. Source: queue.c */
int queue_view_begin(struct queue *q, struct queue_view *v, struct err *err) WARN_UNUSED;
void queue_view_end(struct queue_view *v);

/* The record and the small body of a message. Source: queue.c */
enum queue_rc queue_view_record(struct queue_view *v, uint64_t id, struct span *record_r, struct err *err) WARN_UNUSED;
enum queue_rc queue_view_body(struct queue_view *v, uint64_t id, struct span *body_r, struct err *err) WARN_UNUSED;

/* Reads and decodes one message in a view of its own. QUEUE_ERR with ERR_PERM: damaged. Source: queue.c */
enum queue_rc queue_get(struct queue *q, uint64_t id, struct arena *a, struct queue_msg *m_r,
			struct err *err) WARN_UNUSED;

/* Returns false to stop. */
typedef bool queue_due_fn(void *arg, uint64_t id, uint64_t due_ms);
typedef bool queue_list_fn(void *arg, uint64_t id, struct span record);

/* Calls fn for each message due at now_ms or before, oldest first; *next_ms_r is the time of the first that was not
 * visited, UINT64_MAX if there is none. fn must not write. Source: queue.c */
int queue_due(struct queue *q, uint64_t now_ms, queue_due_fn *fn, void *arg, uint64_t *next_ms_r,
	      struct err *err) WARN_UNUSED;

/* Calls fn for up to max messages with ids above after, in order of id; *last_r is the last one visited, and the return
 * value QUEUE_FOUND when there may be more. Source: queue.c */
enum queue_rc queue_list(struct queue *q, uint64_t after, size_t max, queue_list_fn *fn, void *arg, uint64_t *last_r,
			 struct err *err) WARN_UNUSED;

/* The same over held messages only; record is empty. Source: queue.c */
enum queue_rc queue_list_held(struct queue *q, uint64_t after, size_t max, queue_list_fn *fn, void *arg,
			      uint64_t *last_r,
			      struct err *err) WARN_UNUSED;

/* ---- large bodies: any thread ---- */

/* Creates large/<id>, open for writing only; caller closes. Source: queue_large.c */
int queue_large_create(struct queue *q, uint64_t id, int *fd_r, struct err *err) WARN_UNUSED;

/* Checks that the file has exactly size bytes, syncs it and the directory. Blocks. ERR_TEMP 4.3.1 when the disk is
 * full, 4.3.0 when the length differs or the sync fails: the caller unlinks and never syncs it again. Source:
 * queue_large.c */
int queue_large_sync(struct queue *q, uint64_t id, int fd, uint64_t size, struct err *err) WARN_UNUSED;

/* Opens it read-only; caller closes. Source: queue_large.c */
int queue_large_open(struct queue *q, uint64_t id, int *fd_r, struct err *err) WARN_UNUSED;

/* Removes it; a missing one is no error. Source: queue_large.c */
void queue_large_unlink(struct queue *q, uint64_t id);

#endif
