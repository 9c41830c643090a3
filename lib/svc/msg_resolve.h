/* msg_resolve.h: smtpd and qmgr ask resolve: is this recipient ours, where does it go, what does a table say, who is
 * this client address. All are calls; a status MSG_TEMP is always a 4xx or a retry. */
#ifndef SVC_MSG_RESOLVE_H
#define SVC_MSG_RESOLVE_H

#include "io/ipc.h"

enum msg_resolve { MSG_RCPT_CHECK = 0x200, MSG_RCPT_VERDICT, MSG_MAP_QUERY, MSG_MAP_VALUE, MSG_PTR_QUERY, MSG_PTR_NAME,
		   MSG_ROUTE_QUERY, MSG_ROUTE, MSG_ROUTE_FULL };

enum msg_status { MSG_OK, MSG_NO, MSG_TEMP };           /* yes; a definite no; not now */

enum addr_class { ADDR_OTHER, ADDR_LOCAL, ADDR_VIRTUAL_ALIAS, ADDR_VIRTUAL_MAILBOX, ADDR_RELAY };

/* smtpd at RCPT (and for reject_unlisted_sender). status MSG_NO: the class is ours and the user does not exist
 * (text "User unknown in local recipient table", dsn 5.1.1). has_letter: there is a letter for it, of size bytes (0:
 * unknown); it is then also MSG_NO when the mailbox is known to be full (5.2.2). What the transport error says is
 * MSG_NO with its own dsn, which may begin with 4. ADDR_OTHER is MSG_OK: relaying is smtpd's decision. */
#define RCPT_CHECK_FIELDS(S, U64, STR, LIST) STR(S, address) STR(S, sender) U64(S, has_letter) U64(S, size)
IPC_STRUCT(rcpt_check, RCPT_CHECK_FIELDS)
#define RCPT_VERDICT_FIELDS(S, U64, STR, LIST) U64(S, status) U64(S, class) STR(S, dsn) STR(S, text)
IPC_STRUCT(rcpt_verdict, RCPT_VERDICT_FIELDS)

/* The first of keys that the table knows. map: "type:name" as it stands in the configuration; resolve serves only
 * tables that the configuration names. One of patterns is asked for the first key only. */
#define MAP_KEY_FIELDS(S, U64, STR, LIST) STR(S, key)
IPC_STRUCT(map_key, MAP_KEY_FIELDS)
#define MAP_QUERY_FIELDS(S, U64, STR, LIST) STR(S, map) LIST(S, keys, map_key)
IPC_STRUCT(map_query, MAP_QUERY_FIELDS)
#define MAP_VALUE_FIELDS(S, U64, STR, LIST) U64(S, status) STR(S, value) STR(S, text)
IPC_STRUCT(map_value, MAP_VALUE_FIELDS)

/* Client name: name is verified (its addresses contain addr), reverse is what PTR said; "" when there is none. */
#define PTR_QUERY_FIELDS(S, U64, STR, LIST) STR(S, address)
IPC_STRUCT(ptr_query, PTR_QUERY_FIELDS)
#define PTR_NAME_FIELDS(S, U64, STR, LIST) U64(S, status) U64(S, reverse_status) STR(S, name) STR(S, reverse)
IPC_STRUCT(ptr_name, PTR_NAME_FIELDS)

/* qmgr: where does this recipient go. kind: enum rcpt_kind of msg_queue.h; as_user: whose rights a command, file or
 * include has ("" for default_privs). is_final: the address came out of its own expansion, so no alias applies to
 * it. offset: of an expansion's members, how many are known already. via: the transport that local chose for it,
 * "transport:nexthop", in place of the one of its class. */
enum route_action { ROUTE_DELIVER, ROUTE_EXPAND, ROUTE_REJECT, ROUTE_DEFER };

#define ROUTE_QUERY_FIELDS(S, U64, STR, LIST)                                                                      \
	STR(S, address) U64(S, kind) STR(S, sender) STR(S, as_user) U64(S, is_final) U64(S, offset) STR(S, via)
IPC_STRUCT(route_query, ROUTE_QUERY_FIELDS)

/* A recipient that takes the place of the one that was asked for. via: the transport it goes to whatever tables say
 * (mailbox_transport, fallback_transport), or empty. */
#define ROUTE_NEW_FIELDS(S, U64, STR, LIST) STR(S, address) U64(S, kind) STR(S, as_user) STR(S, via)
IPC_STRUCT(route_new, ROUTE_NEW_FIELDS)

/* via of a member that allow_mail_to_commands or allow_mail_to_files forbids: the sender gets the letter back. */
#define ROUTE_NO_COMMAND "error:5.7.1 mail to command is restricted"
#define ROUTE_NO_FILE "error:5.7.1 mail to file is restricted"

/* As many of all, a list of struct route_new, from there on as a frame holds; at least one. Source: msg_resolve.c */
struct ipc_list msg_resolve_part(const struct ipc_list *all, size_t from);

/* Appends copies of part to *to; all memory is a's. Source: msg_resolve.c */
void msg_resolve_gather(struct ipc_list *to, const struct ipc_list *part, struct arena *a);

/* DELIVER: transport ("local", "virtual", "smtp", "relay"…), nexthop, address in final form; user and extension for
 * transport local; uid, gid, maildir (absolute), quota (bytes, 0 none) for transport virtual.
 * EXPAND: news; sender is the new envelope sender when owner- rules change it (has_sender). more: these are some of the
 * members, ask for the rest; version: of all of them, another one means that they changed in between.
 * REJECT and DEFER: dsn and text. */
#define ROUTE_FIELDS(S, U64, STR, LIST)                                                                          \
	U64(S, action) U64(S, class) STR(S, transport) STR(S, nexthop) STR(S, address) STR(S, user) STR(S, extension) \
	U64(S, uid) U64(S, gid) STR(S, maildir) U64(S, quota) LIST(S, news, route_new) U64(S, has_sender)         \
	STR(S, sender) STR(S, dsn) STR(S, text) U64(S, more) U64(S, version)
IPC_STRUCT(route, ROUTE_FIELDS)

/* qmgr -> resolve, without answer: the mailbox of that route has refused a letter of size bytes (5.2.2). */
#define ROUTE_FULL_FIELDS(S, U64, STR, LIST) STR(S, transport) STR(S, user) STR(S, maildir) U64(S, size)
IPC_STRUCT(route_full, ROUTE_FULL_FIELDS)

#endif
