/* msg_auth.h: smtpd and login lead SASL exchanges that auth serves; pop3d and imapd redeem the tickets; auth asks PAM
 *
 * auth -> front end   auth_mechs (at attach and when it changes)
 * front end -> auth   auth_start, auth_step (calls, answered with auth_answer), auth_abort
 * parent -> auth      ticket_redeem (a call, answered with ticket_user)
 * auth -> auth-pam    pam_check (a call, answered with pam_result)
 */
#ifndef SVC_MSG_AUTH_H
#define SVC_MSG_AUTH_H

#include "io/ipc.h"

enum msg_auth { MSG_AUTH_MECHS = 0x500, MSG_AUTH_START, MSG_AUTH_STEP, MSG_AUTH_ABORT, MSG_AUTH_ANSWER,
		MSG_TICKET_REDEEM, MSG_TICKET_USER, MSG_PAM_CHECK, MSG_PAM_RESULT };

/* is_plaintext: sends the password in clear (PLAIN, LOGIN): only under TLS unless cleartext is allowed. */
#define AUTH_MECH_FIELDS(S, U64, STR, LIST) STR(S, name) U64(S, is_plaintext)
IPC_STRUCT(auth_mech, AUTH_MECH_FIELDS)
#define AUTH_MECHS_FIELDS(S, U64, STR, LIST) LIST(S, mechs, auth_mech)
IPC_STRUCT(auth_mechs, AUTH_MECHS_FIELDS)

/* exchange: chosen by the front end, unique on its channel while the exchange runs. initial and response are decoded
 * bytes, not base64; has_initial tells "" from none. service: "smtp", "pop3", "imap". */
#define AUTH_START_FIELDS(S, U64, STR, LIST)                                                                     \
	U64(S, exchange) STR(S, mech) U64(S, has_initial) STR(S, initial) STR(S, service) STR(S, remote_addr)     \
	STR(S, local_addr) STR(S, local_name) U64(S, is_secure)
IPC_STRUCT(auth_start, AUTH_START_FIELDS)

#define AUTH_STEP_FIELDS(S, U64, STR, LIST) U64(S, exchange) STR(S, response)
IPC_STRUCT(auth_step, AUTH_STEP_FIELDS)

#define AUTH_ABORT_FIELDS(S, U64, STR, LIST) U64(S, exchange)
IPC_STRUCT(auth_abort, AUTH_ABORT_FIELDS)

/* CONTINUE: challenge. OK: user in canonical form and a ticket (services pop3, imap). FAIL: wrong name or password;
 * user, if it can be one, for the log. TEMP: try later (text says why). REFUSED: definite, text for the client
 * (disabled account, bad mechanism). */
enum auth_status { AUTH_CONTINUE, AUTH_OK, AUTH_FAIL, AUTH_TEMP, AUTH_REFUSED };

#define AUTH_ANSWER_FIELDS(S, U64, STR, LIST) U64(S, status) STR(S, challenge) STR(S, user) STR(S, ticket) STR(S, text)
IPC_STRUCT(auth_answer, AUTH_ANSWER_FIELDS)

/* A ticket works once, for one service, within a minute. */
#define TICKET_REDEEM_FIELDS(S, U64, STR, LIST) STR(S, ticket) STR(S, service)
IPC_STRUCT(ticket_redeem, TICKET_REDEEM_FIELDS)

/* status: enum msg_status. mail: absolute path of the Maildir; index: of the index folder or ""; system_user: name for
 * initgroups, "" for virtual users; quota in bytes, 0 none. */
#define TICKET_USER_FIELDS(S, U64, STR, LIST)                                                                    \
	U64(S, status) STR(S, user) U64(S, uid) U64(S, gid) STR(S, system_user) STR(S, home) STR(S, mail)         \
	STR(S, index) U64(S, quota) STR(S, text)
IPC_STRUCT(ticket_user, TICKET_USER_FIELDS)

#define PAM_CHECK_FIELDS(S, U64, STR, LIST) STR(S, service) STR(S, user) STR(S, password) STR(S, remote_addr)
IPC_STRUCT(pam_check, PAM_CHECK_FIELDS)
#define PAM_RESULT_FIELDS(S, U64, STR, LIST) U64(S, status) STR(S, text)
IPC_STRUCT(pam_result, PAM_RESULT_FIELDS)

#endif
