/* session.h: a client of login, from accept to the hand-over or, under TLS, to the end of its relay
 *
 *   CONNECT ─anvil─▶ (TLS) ─handshake─▶ OPEN ─line─▶ command ─▶ attempt ─auth─▶ hand-over ─parent─▶ plain: gone
 *                                        ▲  └─STLS─▶ (TLS)        │ failed                        └─▶ TLS: relay ─▶ end
 *                                        └────────────────────────┘
 *
 * One operation is pending at a time: while it is, input stays in the buffer. No handler frees a session: it calls
 * session_end, and session_run destroys it when the last reply has left.
 */
#ifndef LOGIN_SESSION_H
#define LOGIN_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "io/ipc.h"
#include "io/stream.h"
#include "login/protocol.h"
#include "login/server.h"
#include "proto/imap_frame.h"
#include "svc/sasl.h"

#define SESSION_IN_MAX 16384u           /* the longest SASL line fits; also what may be pipelined behind a login */
#define SESSION_OUT_MAX 32768u
#define SESSION_COMMANDS_MAX 200        /* before login */
#define SESSION_BAD_MAX 10

struct relay;

enum session_phase { SESSION_OPEN, SESSION_FLUSH_FOR_TLS, SESSION_HANDSHAKE, SESSION_RELAY };

struct session {
	LIST_ENTRY(session) link;
	struct server *srv;
	struct service *svc;
	const struct protocol *proto;
	struct stream io;
	uv_poll_t poll;
	uv_timer_t timer;
	uint8_t n_handles;
	uint8_t watched;                /* events that poll waits for */
	uint8_t phase;                  /* enum session_phase */
	bool is_pending;                /* an answer is awaited: no input is read */
	bool is_ending;
	bool is_dead;                   /* destroyed, waits for its handles */
	bool is_running;                /* inside session_run */
	bool is_tls;
	bool is_counted;                /* anvil holds a connection of ours */
	bool has_logged_in;
	bool exposed_password;          /* the attempt that is refused now had it on the line */
	uint16_t n_commands, n_bad, n_attempts;
	uint64_t started_ms;
	char id[20];                    /* for logs: session=<id> */
	char remote[48], local[48];
	const char *reason;             /* why it ends, for the log; a literal */
	const char *obstacle;           /* what kept it from logging in, for the log; a literal */
	char *tls_error;
	struct ipc_req req;
	struct sasl_exchange exchange;
	char *user;                     /* of the attempt, later in canonical form */
	char *name;                     /* what USER said */
	char *tag;                      /* of the IMAP command that was read last */
	struct imap_frame frame;
	char mech[24];                  /* of the last attempt */
	uint8_t mech_step;              /* responses seen of it */
	struct str initial;             /* of the attempt that begins */
	bool has_initial;
	struct relay *relay;
};

/* Takes fd. svc gets one more reference. Source: session.c */
void session_new(struct server *srv, struct service *svc, int fd, const struct sockaddr *peer,
		 const struct sockaddr *own);

/* Goes on with what is buffered and what can be read; ends, flushes, destroys. Source: session.c */
void session_run(struct session *s);

/* Closes when the output has left; reason is a literal for the log. The first reason counts. Source: session.c */
void session_end(struct session *s, const char *reason);

/* At once, whatever is unsent. Source: session.c */
void session_destroy(struct session *s);

/* Output; a client that does not read its replies is ended. Source: session.c */
void session_put(struct session *s, const char *fmt, ...) PRINTF(2, 3);

/* Starts TLS once the output has left; input and what the client said so far are forgotten. Source: session.c */
void session_starttls(struct session *s);

/* Passwords in clear may be sent: TLS, or a client that counts as secured, or the configuration. Source: session.c */
bool session_may_plaintext(const struct session *s);

/* The client is of this machine or of login_trusted_networks. Source: session.c */
bool session_is_local(const struct session *s);

/* TLS can be started. Source: session.c */
bool session_offers_tls(const struct session *s);

/* For protocol->forget: who and how of the attempts so far. Source: session.c */
void session_forget(struct session *s);

/* A call is out: no input until session_resume, which its reply handler calls first and session_run last.
 * Source: session.c */
void session_await(struct session *s);
void session_resume(struct session *s);

/* Does not watch the descriptor until the next session_run: it is lent to a parent. Source: session.c */
void session_unwatch(struct session *s);

/* ---- attempt.c: an authentication from its command to the hand-over ---- */

/* mech in any case; initial: decoded, or NULL. Answers the client itself, later. Source: attempt.c */
void attempt_begin(struct session *s, struct span mech, const struct span *initial);

/* Appends " PLAIN SCRAM-SHA-256": what may be offered now. Source: attempt.c */
void attempt_mechs(const struct session *s, struct str *out);

/* A name or password outside of TLS, where none may be sent: refuses it. is_password: it is out. Source: attempt.c */
void attempt_disallow(struct session *s, struct span user, bool is_password);

/* USER and PASS, LOGIN: as PLAIN. Source: attempt.c */
void attempt_password(struct session *s, struct span user, struct span password);

/* A line that answers a challenge: base64 or "*". Source: attempt.c */
void attempt_response(struct session *s, struct span line);

/* ---- handover.c ---- */

/* Asks the protocol's parent to serve this client. Source: handover.c */
void handover_start(struct session *s, struct span ticket);

/* ---- relay.c ---- */

/* Relays between the client's TLS and *fd (taken). Source: relay.c */
void relay_start(struct session *s, int *fd);
void relay_run(struct session *s);
void relay_free(struct session *s);

/* ---- journal.c: log lines in Dovecot's grammar ---- */

/* Source: journal.c */
void journal_login(const struct session *s, uint64_t pid);
void journal_end(const struct session *s);

#endif
