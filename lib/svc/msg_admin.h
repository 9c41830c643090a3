/* msg_admin.h: what surat queue asks of qmgr over the socket "queue" in run_directory
 *
 * tool -> qmgr   adm_list   answered with adm_rows … and adm_done
 *                adm_show   answered with adm_message, adm_rows … and adm_done
 *                adm_act    answered with adm_done, after the commit
 * adm_rows carry a stream of bytes: a record of thousands of recipients takes several frames.
 */
#ifndef SVC_MSG_ADMIN_H
#define SVC_MSG_ADMIN_H

#include "io/ipc.h"

#define ADMIN_SOCKET "queue"

enum msg_admin { MSG_ADM_LIST = 0x900, MSG_ADM_ROWS, MSG_ADM_SHOW, MSG_ADM_MESSAGE, MSG_ADM_ACT, MSG_ADM_DONE };

enum adm_what { ADM_RETRY, ADM_HOLD, ADM_RELEASE, ADM_DELETE };

/* The largest record, and so the most that a reader of rows has to gather before it can go on. */
#define ADM_RECORD_MAX ((size_t)64 << 20)

/* One row of a list: this head, then the record as queue_decode reads it. Rows are not aligned: copy the head. */
struct adm_row {
	uint64_t id;
	uint32_t len;           /* of the record */
	uint32_t is_active;
};

extern const struct ipc_desc adm_list_desc;

#define ADM_ROWS_FIELDS(S, U64, STR, LIST) STR(S, data)
IPC_STRUCT(adm_rows, ADM_ROWS_FIELDS)

#define ADM_SHOW_FIELDS(S, U64, STR, LIST) U64(S, qid)
IPC_STRUCT(adm_show, ADM_SHOW_FIELDS)

/* found: 0 when there is no such message. record, body: how many bytes of them the rows bring, one after the other; a
 * large body comes as a read-only descriptor instead. */
#define ADM_MESSAGE_FIELDS(S, U64, STR, LIST) U64(S, found) U64(S, is_active) U64(S, record) U64(S, body)
IPC_STRUCT(adm_message, ADM_MESSAGE_FIELDS)

/* what: enum adm_what; qid 0: all messages. */
#define ADM_ACT_FIELDS(S, U64, STR, LIST) U64(S, what) U64(S, qid)
IPC_STRUCT(adm_act, ADM_ACT_FIELDS)

/* count: messages listed or changed; text: what went wrong, or empty. */
#define ADM_DONE_FIELDS(S, U64, STR, LIST) U64(S, count) STR(S, text)
IPC_STRUCT(adm_done, ADM_DONE_FIELDS)

#endif
