/* msg_deliver.h: qmgr lends letters to delivery agents (local, smtp), which answer with one result per recipient
 *
 * agent -> qmgr   dlv_hello (first), dlv_credit, dlv_result
 * qmgr -> agent   dlv_job: the body inline up to IPC_BODY_MAX bytes, else a read-only descriptor comes with the frame
 * An agent that loses qmgr finishes its jobs and tells the next qmgr in dlv_hello what runs and what is done.
 */
#ifndef SVC_MSG_DELIVER_H
#define SVC_MSG_DELIVER_H

#include "io/ipc.h"
#include "svc/msg_resolve.h"

enum msg_deliver { MSG_DLV_HELLO = 0x400, MSG_DLV_CREDIT, MSG_DLV_JOB, MSG_DLV_RESULT };

enum dlv_status { DLV_SENT, DLV_DEFERRED, DLV_BOUNCED, DLV_EXPANDED };

/* index: the recipient's number in the queue record. text: what the log and a failure notice say. is_lazy: a Maildir
 * delivery, whose done mark may wait up to 1 s for a commit. EXPANDED: news replace the recipient. mta: the remote
 * host that said text, or empty. A list longer than a frame comes in several results: offset is where this part
 * begins, more says that another follows. A result that qmgr did not see (it died) is sent again after HELLO. */
#define DLV_RCPT_RESULT_FIELDS(S, U64, STR, LIST)                                                                \
	U64(S, index) U64(S, status) STR(S, dsn) STR(S, text) U64(S, is_lazy) LIST(S, news, route_new)            \
	U64(S, has_sender) STR(S, sender) STR(S, mta) U64(S, offset) U64(S, more)
IPC_STRUCT(dlv_rcpt_result, DLV_RCPT_RESULT_FIELDS)

#define DLV_RESULT_FIELDS(S, U64, STR, LIST) U64(S, qid) U64(S, job) LIST(S, rcpts, dlv_rcpt_result)
IPC_STRUCT(dlv_result, DLV_RESULT_FIELDS)

/* transports: the names this agent serves, blank-separated ("local virtual"). running: jobs still under way; more: another
 * HELLO goes on with the list, which no frame holds. */
#define DLV_RUNNING_FIELDS(S, U64, STR, LIST) U64(S, qid) U64(S, job) U64(S, index)
IPC_STRUCT(dlv_running, DLV_RUNNING_FIELDS)
#define DLV_HELLO_FIELDS(S, U64, STR, LIST) STR(S, transports) LIST(S, running, dlv_running) U64(S, more)
IPC_STRUCT(dlv_hello, DLV_HELLO_FIELDS)

#define DLV_CREDIT_FIELDS(S, U64, STR, LIST) U64(S, jobs)
IPC_STRUCT(dlv_credit, DLV_CREDIT_FIELDS)

/* address: final form; orig: as at RCPT (X-Original-To); user, extension, uid, gid, maildir, quota as in struct route;
 * kind and as_user as in the queue. is_final: it expanded to itself, so no .forward applies. is_passed:
 * mailbox_transport or fallback_transport led to this agent, so neither applies again. delivered_to: addresses
 * whose alias or .forward led here, one per line, oldest first: each becomes a Delivered-To line above the message.
 * holder: of a command, file or list, the address whose alias or .forward names it. */
#define DLV_RCPT_FIELDS(S, U64, STR, LIST)                                                                       \
	U64(S, index) STR(S, address) STR(S, orig) U64(S, kind) STR(S, as_user) STR(S, user) STR(S, extension)    \
	U64(S, uid) U64(S, gid) STR(S, maildir) U64(S, quota) U64(S, is_final) STR(S, delivered_to) STR(S, orcpt) \
	U64(S, notify) U64(S, is_passed) STR(S, holder)
IPC_STRUCT(dlv_rcpt, DLV_RCPT_FIELDS)

#define DLV_JOB_FIELDS(S, U64, STR, LIST)                                                                        \
	U64(S, qid) U64(S, job) STR(S, transport) STR(S, nexthop) STR(S, sender) STR(S, envid) U64(S, flags)      \
	U64(S, arrival_ms) U64(S, queued_ms) U64(S, attempts) U64(S, size) LIST(S, rcpts, dlv_rcpt) STR(S, body)
IPC_STRUCT(dlv_job, DLV_JOB_FIELDS)

#endif
