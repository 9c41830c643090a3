/* msg_anvil.h: front ends tell anvil of connections and events and hear counts and rates; no blocking */
#ifndef SVC_MSG_ANVIL_H
#define SVC_MSG_ANVIL_H

#include "io/ipc.h"

enum msg_anvil { MSG_ANVIL_CONNECT = 0x600, MSG_ANVIL_DISCONNECT, MSG_ANVIL_EVENT, MSG_ANVIL_COUNTS };

enum anvil_event { ANVIL_MAIL, ANVIL_RCPT, ANVIL_NEWTLS, ANVIL_AUTH, ANVIL_LOGIN, ANVIL_LOGOUT };

/* ident: "service:address" ("smtp:192.0.2.1"), or "service:user:address" for LOGIN and LOGOUT. connect and event are
 * calls answered with anvil_counts; disconnect is not. What a lost channel had open counts as disconnected. */
#define ANVIL_CONNECT_FIELDS(S, U64, STR, LIST) STR(S, ident)
IPC_STRUCT(anvil_connect, ANVIL_CONNECT_FIELDS)
#define ANVIL_DISCONNECT_FIELDS(S, U64, STR, LIST) STR(S, ident)
IPC_STRUCT(anvil_disconnect, ANVIL_DISCONNECT_FIELDS)
#define ANVIL_EVENT_FIELDS(S, U64, STR, LIST) STR(S, ident) U64(S, event)
IPC_STRUCT(anvil_occurred, ANVIL_EVENT_FIELDS)

/* count: open now; rate: of connects or of that event per anvil_rate_time_unit. */
#define ANVIL_COUNTS_FIELDS(S, U64, STR, LIST) U64(S, count) U64(S, rate)
IPC_STRUCT(anvil_counts, ANVIL_COUNTS_FIELDS)

#endif
