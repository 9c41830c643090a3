/* ipc.h: typed messages with at most one descriptor each, over the socketpairs that master makes
 *
 * A frame is {u32 length of all, u16 type, u16 flags, u32 id} in host order, then fields {u16 tag, u32 length, bytes}.
 * Fields with the value 0 or "" are left out. A frame has at most IPC_FRAME_MAX bytes. A field list (IPC_STRUCT) makes
 * the struct, IPC_DESC the table that encodes and decodes it. A rule table says what a channel may receive in
 * which phase; anything else ends that channel and nothing more.
 */
#ifndef IO_IPC_H
#define IO_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"
#include "base/str.h"

struct loop;
struct ipc;
struct ipc_desc;

#define IPC_FRAME_MAX 65536u
#define IPC_BODY_MAX 49152u             /* bytes of a letter in one frame; larger bodies travel by descriptor */

/* ---- messages as structs ---- */

enum ipc_kind { IPC_U64, IPC_STR, IPC_LIST };

struct ipc_field {
	const char *name;
	uint8_t kind;
	uint16_t offset;
	const struct ipc_desc *sub;     /* IPC_LIST: what an element is */
};

struct ipc_desc {
	const char *name;
	uint16_t type;                  /* 0 for list elements */
	uint16_t size;
	const struct ipc_field *fields;
	size_t n_fields;
};

struct ipc_list {
	void *v;                        /* array of the element's struct */
	size_t n;
};

/* #define FOO_FIELDS(S, U64, STR, LIST) STR(S, name) U64(S, size) LIST(S, rcpts, enq_rcpt)
 * IPC_STRUCT(foo, FOO_FIELDS)                          in the header: struct foo and extern foo_desc
 * IPC_DESC(foo, FOO_FIELDS, MSG_FOO)                   in one .c file */
#define IPC_M_U64(S, name) uint64_t name;
#define IPC_M_STR(S, name) struct span name;
#define IPC_M_LIST(S, name, elem) struct ipc_list name;
#define IPC_F_U64(S, name) { #name, IPC_U64, offsetof(struct S, name), NULL },
#define IPC_F_STR(S, name) { #name, IPC_STR, offsetof(struct S, name), NULL },
#define IPC_F_LIST(S, name, elem) { #name, IPC_LIST, offsetof(struct S, name), &elem##_desc },
#define IPC_STRUCT(S, FIELDS)                                   \
	struct S {                                              \
		FIELDS(S, IPC_M_U64, IPC_M_STR, IPC_M_LIST)     \
	};                                                      \
	extern const struct ipc_desc S##_desc;
#define IPC_DESC(S, FIELDS, number)                                                                      \
	static const struct ipc_field S##_fields[] = { FIELDS(S, IPC_F_U64, IPC_F_STR, IPC_F_LIST) };    \
	const struct ipc_desc S##_desc = { #S, number, sizeof(struct S), S##_fields,                     \
					   sizeof(S##_fields) / sizeof(S##_fields[0]) };

/* For messages without fields. */
#define IPC_EMPTY(S, number) const struct ipc_desc S##_desc = { #S, number, 0, NULL, 0 };

/* Appends the fields of in to out; -1 when out's limit would be exceeded. Source: ipc_codec.c */
int ipc_encode(struct str *out, const struct ipc_desc *d, const void *in) WARN_UNUSED;

/* A zeroed struct in the arena filled from bytes; spans point into bytes. NULL with ERR_PROTO when the bytes are
 * not such a message: never trusts a length, a tag or a count. Source: ipc_codec.c */
void *ipc_decode(const struct ipc_desc *d, struct span bytes, struct arena *a, struct err *err) WARN_UNUSED;

/* ---- channels ---- */

/* in: the decoded struct, valid until the handler returns (in the loop's tick arena; spans too). *fd: the descriptor
 * that came along or -1; a handler that keeps it sets *fd = -1, else it is closed. The handler may close the
 * channel. */
typedef void ipc_handler_fn(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd);

struct ipc_rule {
	const struct ipc_desc *desc;
	unsigned phases;                /* bits of ipc->phase in which it may come; ~0u for any */
	ipc_handler_fn *fn;
};

struct ipc_ops {
	const char *name;               /* for log lines: "queue", "resolve" */
	const struct ipc_rule *rules;
	size_t n_rules;
	/* The peer is gone or sent nonsense (err says what; ERR_NONE: an orderly end). Pending requests were answered
	 * with IPC_LOST before. The channel is detached: it may be attached again, or freed here. */
	void (*lost)(void *arg, struct ipc *c, const struct err *why);
	/* A full send queue has drained (see ipc_is_full). May be NULL. */
	void (*drained)(void *arg, struct ipc *c);
};

enum ipc_rc { IPC_OK, IPC_LOST, IPC_TIMEOUT };

struct ipc_req;

/* rc IPC_OK: reply is decoded as the call's reply description, valid until return; fd as for handlers.
 * Otherwise reply is NULL. Called from the event loop only, never from inside ipc_call. */
typedef void ipc_reply_fn(void *arg, enum ipc_rc rc, const void *reply, int *fd);

/* Embedded in its owner; zeroed means idle. While a call is out it must stay where it is. */
struct ipc_req {
	struct ipc *c;                  /* NULL: not pending */
	uint32_t id;
	const struct ipc_desc *reply;
	ipc_reply_fn *fn;
	void *arg;
	uint64_t deadline_ms;
};

struct ipc_out_fd {
	size_t at;                      /* offset of its frame in out */
	int fd;
};

/* Caller's memory at a fixed address while attached. */
struct ipc {
	struct loop *loop;              /* NULL: blocking use (children of local, imapd, pop3d; auth workers; tools) */
	const struct ipc_ops *ops;
	void *arg;
	int fd;                         /* -1: detached */
	unsigned phase;                 /* the owner's bit for rules; 1 at attach */
	struct str in, out;
	size_t in_at;
	int in_fds[32];
	size_t n_in_fds;
	struct ipc_out_fd *out_fds;
	size_t n_out_fds;
	struct ipc_req **reqs;          /* slots; the id's low half is the slot */
	size_t n_reqs;
	size_t n_pending;
	uint16_t generation;
	bool is_unsent;
	bool was_full;
	bool is_secret;                 /* set behind ipc_init: buffers are wiped, for channels that carry passwords */
	int watched;                    /* events that poll waits for */
	struct ipc *next_unsent;
	uv_poll_t *poll;
	uv_timer_t *timer;
};

/* Detached channel. ops and arg stay the caller's. Source: ipc.c */
void ipc_init(struct ipc *c, struct loop *loop, const struct ipc_ops *ops, void *arg);

/* Takes *fd (sets -1), makes it non-blocking when there is a loop; an end from before is closed. Source: ipc.c */
void ipc_attach(struct ipc *c, int *fd);

static inline bool ipc_is_attached(const struct ipc *c)
{
	return c->fd >= 0;
}

/* Closes the end, drops what was not sent, answers pending requests with IPC_LOST unless cancelled; does not call
 * ops->lost. The struct may be freed right after. Source: ipc.c */
void ipc_close(struct ipc *c);

/* A message without answer. Takes *fd if fd is not NULL and *fd >= 0 (sets -1, also on failure). Never blocks: the
 * frame leaves at the end of the turn (blocking use: at the next ipc_flush or ipc_wait). -1: detached, too large, or
 * the queue is over its hard limit. Source: ipc.c */
int ipc_send(struct ipc *c, const struct ipc_desc *d, const void *in, int *fd) WARN_UNUSED;

/* The same as answer to request id. Source: ipc.c */
int ipc_reply(struct ipc *c, uint32_t id, const struct ipc_desc *d, const void *in, int *fd) WARN_UNUSED;

/* A message that is answered: fn(arg, ...) comes exactly once, unless this returns -1 (as ipc_send) or ipc_cancel is
 * called. timeout_ms 0: none. Timeouts are checked once a second. Source: ipc.c */
int ipc_call(struct ipc *c, const struct ipc_desc *d, const void *in, int *fd, const struct ipc_desc *reply,
	     struct ipc_req *req, ipc_reply_fn *fn, void *arg, uint64_t timeout_ms) WARN_UNUSED;

/* After this fn is never called; harmless when nothing is pending. Source: ipc.c */
void ipc_cancel(struct ipc_req *req);

/* True when more than half a megabyte waits to be sent: stop reading from whoever fills it until ops->drained.
 * Beyond 4 MiB ipc_send fails. Source: ipc.c */
bool ipc_is_full(const struct ipc *c);

/* Source: ipc.c; called by the loop only. */
void ipc_flush_unsent(struct loop *l);

/* ---- blocking use (loop is NULL) ---- */

/* One message as it came; body and fd belong to the channel until the next wait (take fd by setting it -1). */
struct ipc_msg {
	uint16_t type;
	bool is_reply;
	uint32_t id;
	struct span body;
	int fd;
};

/* Sends everything; blocks. 0/-1. Source: ipc.c */
int ipc_flush(struct ipc *c, struct err *err) WARN_UNUSED;

/* Flushes, then waits for the next message at most timeout_ms (UINT64_MAX: for ever). IPC_LOST at the peer's orderly
 * end has err->kind ERR_NONE. Source: ipc.c */
enum ipc_rc ipc_wait(struct ipc *c, struct ipc_msg *m, uint64_t timeout_ms, struct err *err) WARN_UNUSED;

/* Sends a request and waits for its answer, decoded into a; messages that are not the answer are ERR_PROTO, and a
 * descriptor that comes along is closed. NULL on failure. Source: ipc.c */
void *ipc_call_wait(struct ipc *c, const struct ipc_desc *d, const void *in, const struct ipc_desc *reply,
		    struct arena *a, uint64_t timeout_ms, struct err *err) WARN_UNUSED;

#endif
