/* msg_work.h: auth and its worker processes: one SASL exchange stays with one worker
 *
 * auth -> worker  work_start, work_step, work_resume (calls, answered with work_answer), work_abort
 */
#ifndef AUTH_MSG_WORK_H
#define AUTH_MSG_WORK_H

#include "io/ipc.h"

enum msg_work { MSG_WORK_START = 0x580, MSG_WORK_STEP, MSG_WORK_RESUME, MSG_WORK_ABORT, MSG_WORK_ANSWER };

#define WORK_START_FIELDS(S, U64, STR, LIST)                                                                     \
	U64(S, exchange) STR(S, mech) U64(S, has_initial) STR(S, initial) STR(S, service) STR(S, remote_addr)     \
	STR(S, local_name)
IPC_STRUCT(work_start, WORK_START_FIELDS)

#define WORK_STEP_FIELDS(S, U64, STR, LIST) U64(S, exchange) STR(S, response)
IPC_STRUCT(work_step, WORK_STEP_FIELDS)

/* status: what PAM said, enum msg_status. */
#define WORK_RESUME_FIELDS(S, U64, STR, LIST) U64(S, exchange) U64(S, status)
IPC_STRUCT(work_resume, WORK_RESUME_FIELDS)

#define WORK_ABORT_FIELDS(S, U64, STR, LIST) U64(S, exchange)
IPC_STRUCT(work_abort, WORK_ABORT_FIELDS)

/* As auth_status, and PAM: auth asks auth-pam about user and password, then sends work_resume. After any but CONTINUE
 * and PAM the worker has forgotten the exchange. user to quota: with OK; text: with TEMP and REFUSED. */
enum work_status { WORK_CONTINUE, WORK_OK, WORK_FAIL, WORK_TEMP, WORK_REFUSED, WORK_PAM };

#define WORK_ANSWER_FIELDS(S, U64, STR, LIST)                                                                    \
	U64(S, status) STR(S, challenge) STR(S, user) STR(S, password) STR(S, system_user) U64(S, uid) U64(S, gid) \
	STR(S, home) STR(S, mail) STR(S, index) U64(S, quota) STR(S, text)
IPC_STRUCT(work_answer, WORK_ANSWER_FIELDS)

#endif
