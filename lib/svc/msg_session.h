/* msg_session.h: login hands an authenticated client to the parent of pop3d or imapd
 *
 * login -> parent   session_start, a call: plain clients send their own descriptor along; for TLS clients the parent
 *                   makes a socketpair and its answer brings login's end, over which login relays.
 */
#ifndef SVC_MSG_SESSION_H
#define SVC_MSG_SESSION_H

#include "io/ipc.h"

enum msg_session { MSG_SESSION_START = 0x700, MSG_SESSION_STARTED };

/* input: bytes the client sent behind its login (pipelining). tag: of the IMAP command that logged in, else "". capa: how
 * a POP3 client may log in, as lines of CAPA, else "". */
#define SESSION_START_FIELDS(S, U64, STR, LIST)                                                                  \
	STR(S, ticket) STR(S, service) U64(S, is_tls) STR(S, remote_addr) STR(S, local_addr) STR(S, session)      \
	STR(S, tag) STR(S, capa) STR(S, input)
IPC_STRUCT(session_start, SESSION_START_FIELDS)

#define SESSION_FULL 3u         /* as MSG_TEMP: the user has as many sessions from there as mail_max_userip_connections allows */

/* status: enum msg_status or SESSION_FULL. MSG_OK: the child answers the client from here on (it says +OK itself). */
#define SESSION_STARTED_FIELDS(S, U64, STR, LIST) U64(S, status) U64(S, pid) STR(S, text)
IPC_STRUCT(session_started, SESSION_STARTED_FIELDS)

#endif
