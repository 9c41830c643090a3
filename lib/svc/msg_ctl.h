/* msg_ctl.h: what master and a daemon tell each other over descriptor 3 */
#ifndef SVC_MSG_CTL_H
#define SVC_MSG_CTL_H

#include "io/ipc.h"

enum msg_ctl { MSG_CTL_INIT = 0x100, MSG_CTL_CONF, MSG_CTL_CERT, MSG_CTL_CHANNEL, MSG_CTL_LISTEN, MSG_CTL_RELOAD,
	       MSG_CTL_DRAIN, MSG_CTL_STATUS, MSG_CTL_STATUS_REPLY, MSG_CTL_READY, MSG_CTL_FAILED, MSG_CTL_PEERS,
	       MSG_CTL_WHO, MSG_CTL_WHO_REPLY, MSG_CTL_LOST, MSG_CTL_SERVICE };

/* master -> daemon, the first two messages, before any right is given away. instance and
 * ticket_key (for daemons that serve TLS, else empty) are drawn by master at its start. */
#define CTL_INIT_FIELDS(S, U64, STR, LIST)                                                                       \
	STR(S, program) U64(S, worker) U64(S, n_workers) U64(S, instance) U64(S, is_root) STR(S, config_directory) \
	STR(S, run_directory) STR(S, libexec_directory) STR(S, ticket_key)
IPC_STRUCT(ctl_init, CTL_INIT_FIELDS)

/* master -> daemon with a sealed memfd: the snapshot of main.cf (conf_parse reads it). Again before a reload. */
#define CTL_CONF_FIELDS(S, U64, STR, LIST) U64(S, size)
IPC_STRUCT(ctl_conf, CTL_CONF_FIELDS)

/* master -> resolve behind each CONF: what a row of master.cf sets for itself, as "name = value" lines. Rows that set
 * nothing are left out. */
#define CTL_SERVICE_FIELDS(S, U64, STR, LIST) STR(S, service) STR(S, overrides)
IPC_STRUCT(ctl_service, CTL_SERVICE_FIELDS)

/* master -> daemon with a sealed memfd: PEM bytes, certificate chain and key in one; name is the parameter that names
 * the files (smtpd_tls_cert_file, smtpd_tls_CAfile, ssl_cert), service the master.cf service or "", overrides its
 * "name = value" lines. Also when the files change. */
#define CTL_CERT_FIELDS(S, U64, STR, LIST) STR(S, name) STR(S, service) U64(S, size) STR(S, overrides)
IPC_STRUCT(ctl_cert, CTL_CERT_FIELDS)

/* master -> daemon with one end of a channel; kind: enum channel_kind; is_server: the peer asks, we answer. */
#define CTL_CHANNEL_FIELDS(S, U64, STR, LIST) U64(S, kind) U64(S, is_server) STR(S, peer)
IPC_STRUCT(ctl_channel, CTL_CHANNEL_FIELDS)

/* master -> daemon with a listening socket. service: name as in master.cf; address: for logs; overrides: "name = value"
 * lines from -o; max_sessions: of this worker, 0 for no limit; is_unix: a named socket. In the opening without the
 * socket: who could not serve it answers FAILED instead of READY. */
#define CTL_LISTEN_FIELDS(S, U64, STR, LIST)                                                                     \
	STR(S, service) STR(S, address) STR(S, overrides) U64(S, max_sessions) U64(S, is_unix)
IPC_STRUCT(ctl_listen, CTL_LISTEN_FIELDS)

extern const struct ipc_desc ctl_reload_desc;   /* use the last CONF from now on */
/* master -> daemon: take nothing new, leave when the last session has ended. is_stop: the suite ends, sessions should
 * be told so; else a successor has taken over and they may go on as long as they like. May come twice. */
#define CTL_DRAIN_FIELDS(S, U64, STR, LIST) U64(S, is_stop)
IPC_STRUCT(ctl_drain, CTL_DRAIN_FIELDS)
extern const struct ipc_desc ctl_status_desc;   /* answered with ctl_status_reply */
extern const struct ipc_desc ctl_ready_desc;    /* daemon -> master: sandboxed and serving */

/* master -> qmgr and auth: how many peers of that kind will say HELLO (kind: enum channel_kind). */
#define CTL_PEERS_FIELDS(S, U64, STR, LIST) U64(S, kind) U64(S, count)
IPC_STRUCT(ctl_peers, CTL_PEERS_FIELDS)

#define CTL_STATUS_REPLY_FIELDS(S, U64, STR, LIST) U64(S, sessions)
IPC_STRUCT(ctl_status_reply, CTL_STATUS_REPLY_FIELDS)

/* master -> imapd and pop3d, a call of surat who or kick: the sessions with a number above after, in their
 * order, of the user or with the session id match ("": all); is_kick ends them. pid 0: it rests without a process.
 * since: seconds since 1970. */
#define CTL_WHO_FIELDS(S, U64, STR, LIST) U64(S, after) U64(S, is_kick) STR(S, match)
IPC_STRUCT(ctl_who, CTL_WHO_FIELDS)
#define CTL_SESSION_FIELDS(S, U64, STR, LIST)                                                                    \
	STR(S, user) STR(S, service) U64(S, number) U64(S, pid) STR(S, remote_addr) STR(S, session) U64(S, since)
IPC_STRUCT(ctl_session, CTL_SESSION_FIELDS)
#define CTL_WHO_REPLY_FIELDS(S, U64, STR, LIST) U64(S, has_more) LIST(S, sessions, ctl_session)
IPC_STRUCT(ctl_who_reply, CTL_WHO_REPLY_FIELDS)

/* daemon -> master: the channel we ask on is lost and no other has come; if the peer lives, both ends are made anew. */
#define CTL_LOST_FIELDS(S, U64, STR, LIST) U64(S, kind) STR(S, peer)
IPC_STRUCT(ctl_lost, CTL_LOST_FIELDS)

/* daemon -> master: the start or the reload failed, why, and what remedies it; after a failed start it exits.
 * cert and service: a certificate of later on is refused, name and service as in CERT. */
#define CTL_FAILED_FIELDS(S, U64, STR, LIST) STR(S, text) STR(S, cert) STR(S, service)
IPC_STRUCT(ctl_failed, CTL_FAILED_FIELDS)

#endif
