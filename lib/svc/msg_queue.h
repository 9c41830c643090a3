/* msg_queue.h: smtpd hands letters to qmgr over a channel of its own, so a verdict never waits behind a body
 *
 * qmgr -> smtpd   enq_grant                       a block of queue ids, at attach and for each enq_want
 * smtpd -> qmgr   enq_want                        the last block runs low
 *                 enq_begin (a call: answered with enq_result after the commit, or early with a refusal)
 *                 enq_rcpts …                      until all recipients are told
 *                 enq_body …                       up to IPC_BODY_MAX bytes in all; or
 *                 enq_large (a call: answered with enq_large_fd and a write-only descriptor)
 *                 enq_end | enq_abort
 * Lines of content end in LF and hold no CR. Several letters may be under way; each frame names its queue id. The end
 * of the channel aborts those without enq_end.
 */
#ifndef SVC_MSG_QUEUE_H
#define SVC_MSG_QUEUE_H

#include "io/ipc.h"

enum msg_queue { MSG_ENQ_GRANT = 0x300, MSG_ENQ_WANT, MSG_ENQ_BEGIN, MSG_ENQ_RCPTS, MSG_ENQ_BODY, MSG_ENQ_LARGE,
		 MSG_ENQ_LARGE_FD, MSG_ENQ_END, MSG_ENQ_ABORT, MSG_ENQ_RESULT };

enum rcpt_kind { RCPT_ADDRESS, RCPT_COMMAND, RCPT_FILE, RCPT_INCLUDE };

enum env_flags { ENV_8BITMIME = 1, ENV_SMTPUTF8 = 2, ENV_RET_FULL = 4, ENV_RET_HDRS = 8, ENV_AUTHENTICATED = 16,
		 ENV_HOLD = 32, ENV_LOCAL_ORIGIN = 64 };

#define ENQ_GRANT_FIELDS(S, U64, STR, LIST) U64(S, first) U64(S, count)
IPC_STRUCT(enq_grant, ENQ_GRANT_FIELDS)

extern const struct ipc_desc enq_want_desc;     /* smtpd -> qmgr: fewer than a quarter of the ids are left */

#define ENQ_BEGIN_FIELDS(S, U64, STR, LIST)                                                                      \
	U64(S, qid) STR(S, sender) STR(S, envid) U64(S, flags) STR(S, client_name) STR(S, client_addr)            \
	STR(S, helo) STR(S, proto) STR(S, sasl_method) STR(S, sasl_user) U64(S, arrival_ms)
IPC_STRUCT(enq_begin, ENQ_BEGIN_FIELDS)

/* notify: bits of enum smtp_notify */
#define ENQ_RCPT_FIELDS(S, U64, STR, LIST) STR(S, address) STR(S, orig) STR(S, orcpt) U64(S, notify)
IPC_STRUCT(enq_rcpt, ENQ_RCPT_FIELDS)
#define ENQ_RCPTS_FIELDS(S, U64, STR, LIST) U64(S, qid) LIST(S, rcpts, enq_rcpt)
IPC_STRUCT(enq_rcpts, ENQ_RCPTS_FIELDS)

#define ENQ_BODY_FIELDS(S, U64, STR, LIST) U64(S, qid) STR(S, data)
IPC_STRUCT(enq_body, ENQ_BODY_FIELDS)

#define ENQ_LARGE_FIELDS(S, U64, STR, LIST) U64(S, qid)
IPC_STRUCT(enq_large, ENQ_LARGE_FIELDS)

/* status: enum msg_status of msg_resolve.h; the descriptor comes with MSG_OK. */
#define ENQ_LARGE_FD_FIELDS(S, U64, STR, LIST) U64(S, status) STR(S, dsn) STR(S, text)
IPC_STRUCT(enq_large_fd, ENQ_LARGE_FD_FIELDS)

/* size: bytes of the whole letter; qmgr compares it with what came. */
#define ENQ_END_FIELDS(S, U64, STR, LIST) U64(S, qid) U64(S, size)
IPC_STRUCT(enq_end, ENQ_END_FIELDS)

#define ENQ_ABORT_FIELDS(S, U64, STR, LIST) U64(S, qid)
IPC_STRUCT(enq_abort, ENQ_ABORT_FIELDS)

/* MSG_OK: durable. MSG_TEMP with dsn 4.3.0 or 4.3.1 (452). */
#define ENQ_RESULT_FIELDS(S, U64, STR, LIST) U64(S, status) STR(S, dsn) STR(S, text)
IPC_STRUCT(enq_result, ENQ_RESULT_FIELDS)

#endif
