/* msg_child.h: what local's parent tells the process that is a recipient, and what that answers
 *
 * parent -> child   child_job, with the body inline or with its descriptor
 * child -> parent   child_result, one for each recipient, in any order
 * The parent closes the channel when it wants the child to leave.
 */
#ifndef LOCAL_MSG_CHILD_H
#define LOCAL_MSG_CHILD_H

#include "io/ipc.h"
#include "svc/msg_deliver.h"

enum msg_child { MSG_CHILD_JOB = 0x480, MSG_CHILD_RESULT };

/* What is to be done for a recipient. USER: .forward, then the mailbox; BOX: the mailbox only; COMMAND, FILE and
 * INCLUDE: address is the command or path. */
enum child_what { CHILD_USER, CHILD_BOX, CHILD_COMMAND, CHILD_FILE, CHILD_INCLUDE };

/* slot: the parent's number of the recipient; index: the queue's. delivered: for Delivered-To; orig: for
 * X-Original-To. base and path: the mailbox below a directory that configuration or passwd names; a path without "/"
 * at its end is an mbox; home: of the system user. chain: addresses that led here, for further Delivered-To lines;
 * has_command: the mailbox is the business of mailbox_command or mailbox_transport; holder: as in struct dlv_rcpt. */
#define CHILD_RCPT_FIELDS(S, U64, STR, LIST)                                                                           \
	U64(S, slot) U64(S, index) U64(S, what) STR(S, address) STR(S, delivered) STR(S, orig) STR(S, user)            \
	STR(S, extension) STR(S, home) STR(S, base) STR(S, path) U64(S, quota_bytes) U64(S, quota_count)               \
	STR(S, chain) U64(S, has_command) STR(S, holder)
IPC_STRUCT(child_rcpt, CHILD_RCPT_FIELDS)

/* retry: an earlier attempt may have got through. */
#define CHILD_JOB_FIELDS(S, U64, STR, LIST)                                                                      \
	U64(S, id) STR(S, qid) STR(S, sender) U64(S, arrival_ms) U64(S, retry) U64(S, size)                       \
	LIST(S, rcpts, child_rcpt) STR(S, body)
IPC_STRUCT(child_job, CHILD_JOB_FIELDS)

/* status: enum dlv_status. wants_command: the mailbox is mailbox_command's business (status means nothing then). more:
 * the rest of news follows in another one. */
#define CHILD_RESULT_FIELDS(S, U64, STR, LIST)                                                                   \
	U64(S, id) U64(S, slot) U64(S, status) STR(S, dsn) STR(S, text) U64(S, is_lazy) U64(S, wants_command)     \
	LIST(S, news, route_new) U64(S, more)
IPC_STRUCT(child_result, CHILD_RESULT_FIELDS)

#endif
