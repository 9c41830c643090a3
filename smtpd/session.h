/* session.h: one SMTP client: one pending operation at a time, replies gathered into one flush
 *
 *   accept → CONNECT → (wrapper mode: HANDSHAKE) → COMMAND ⇄ AUTH
 *                                                  COMMAND → STARTTLS → HANDSHAKE → COMMAND (everything forgotten)
 *                                                  COMMAND → CONTENT → COMMAND (DATA until its end, BDAT by the byte)
 *                                                  COMMAND → SKIP → COMMAND   (bytes of a refused BDAT)
 * Within COMMAND the protocol state follows from what is there: no helo → helo → txn → recipients → chunks.
 */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/arena.h"
#include "io/ipc.h"
#include "io/stream.h"
#include "smtpd/server.h"
#include "smtpd/service.h"

struct restrict_run;
struct txn;

enum session_mode { SESSION_CONNECT, SESSION_COMMAND, SESSION_AUTH, SESSION_CONTENT, SESSION_SKIP, SESSION_STARTTLS,
		    SESSION_HANDSHAKE };

#define SESSION_COUNTERS 16             /* one per verb that the disconnect line knows, and one for unknown ones */

/* Heap object; freed by session_run only (closing) or by server_fini. */
struct session {
	struct server *srv;
	struct service *svc;
	LIST_ENTRY(session) link;
	struct stream io;
	uv_poll_t *poll;
	uv_timer_t *timer;
	struct ipc_req req;             /* the one pending call */
	struct arena arena;             /* lives as long as the session */
	const char *client_addr;        /* "192.0.2.1" */
	const char *client_name;        /* verified name, or "unknown" */
	const char *client_reverse;     /* what PTR says, or "unknown" */
	const char *namaddr;            /* "name[192.0.2.1]" */
	const char *local_addr;
	const char *ident;              /* "smtp:192.0.2.1", for anvil */
	const char *tls;                /* "TLSv1.3 with cipher X (256/256 bits)", NULL in clear */
	const char *ccert;              /* fingerprint of a trusted client certificate, or NULL */
	char *helo, *helo_before;       /* malloc; NULL before HELO; that of the last HELO while one is examined */
	char *defer_client, *defer_helo; /* malloc; DEFER_IF_PERMIT of their restrictions, or NULL */
	char *sasl_user, *sasl_method;  /* malloc; NULL before AUTH */
	char *held_initial;             /* malloc; first response of AUTH while anvil is asked */
	char *unix_user;                /* malloc; "uid=1000" of a client on a named socket */
	struct txn *txn;
	struct restrict_run *run;       /* restrictions that wait for an answer */
	void (*after_sleep)(struct session *s);
	const char *where;              /* for messages: "CONNECT", "RCPT", "DATA" */
	struct sasl_exchange *exchange; /* malloc; in mode AUTH */
	uint64_t skip;                  /* bytes of a refused chunk still to come */
	uint16_t client_port;
	uint16_t watched;               /* what poll waits for */
	uint32_t errors, junk, overshoot;
	uint8_t mode;                   /* enum session_mode */
	int8_t verb;                    /* counter of the command under way, -1 for none */
	uint8_t name_status, reverse_status;    /* enum msg_status */
	bool pending;                   /* a call is out */
	bool sleeping, slept;           /* of the command under way, for smtpd_error_sleep_time */
	bool closing;                   /* when the output has left */
	bool lost;                      /* the client has gone: nothing is sent any more */
	bool readable;                  /* poll said so, and nothing was read since */
	bool failed;                    /* the command under way got a 4xx or 5xx */
	bool is_denied;                 /* the greeting was a refusal */
	bool esmtp, esmtp_before;       /* EHLO; what it was when the HELO under way began */
	bool is_local;                  /* of this machine */
	bool is_trusted, is_exempt;     /* mynetworks; smtpd_client_event_limit_exceptions */
	bool in_anvil;                  /* which counts a connection of ours */
	bool skip_line, skip_auth;      /* the rest of a line that is too long; it was a response of AUTH */
	bool rearm;                     /* the timer begins anew */
	uint32_t total[SESSION_COUNTERS], done[SESSION_COUNTERS];
};

/* A connected, non-blocking socket becomes a session: takes fd and a reference of svc. local_addr may be "".
 * unix_user: "uid=N" from the kernel for a client on a named socket, else NULL. Source: session.c */
struct session *session_new(struct server *srv, struct service *svc, int fd, const char *addr, unsigned port,
	const char *local_addr, const char *unix_user);

/* The only place that reads input, flushes output or destroys: s may be gone after it. Source: session.c */
void session_run(struct session *s);

/* For session.c and server_fini. Source: session.c */
void session_destroy(struct session *s);

/* ---- for command handlers ---- */

/* A reply; text may hold "\n" for more lines. 4xx and 5xx count as errors. Source: session.c */
void session_reply(struct session *s, int code, const char *dsn, const char *fmt, ...) PRINTF(4, 5);

/* The reply to a message that was taken; errors made so far are forgiven. Source: session.c */
void session_queued(struct session *s);

/* A whole reply, "554 5.7.1 text". Source: session.c */
void session_reply_line(struct session *s, const char *line);

/* Ends the session after the output has left. Source: session.c */
void session_close(struct session *s);

/* One call to another daemon; fn must call session_resume first and session_run last. -1: the peer is away, nothing is
 * pending, the caller answers 4xx. Source: session.c */
int session_call(struct session *s, struct ipc *c, const struct ipc_desc *d, const void *in,
	const struct ipc_desc *reply, ipc_reply_fn *fn) WARN_UNUSED;
void session_resume(struct session *s);

/* Nothing happens for ms; then session_run goes on, or after(s) first when it is not NULL. Source: session.c */
void session_sleep(struct session *s, uint64_t ms, void (*after)(struct session *s));

/* Forgets HELO, AUTH and transaction (after STARTTLS). Source: session.c */
void session_forget(struct session *s);

/* Ends the transaction, if any. Source: session.c */
void session_reset(struct session *s);

/* Tells the log "NOQUEUE: reject: RCPT from name[addr]: REPLY; from=<> to=<> proto= helo=" and the client REPLY.
 * kind: "reject", "reject_warning", "hold"... Source: session.c */
void session_log(struct session *s, const char *kind, const char *rcpt, const char *text);
void session_reject(struct session *s, const char *rcpt, const char *reply);

/* An event for anvil with its limit: true when the client is over it (the caller's reply follows); counts nothing when
 * anvil is away. fn gets the answer when the call is pending (returns 1), 0: no limit applies. Source: session.c */
int session_event(struct session *s, unsigned event, uint64_t limit, ipc_reply_fn *fn);
bool session_over_limit(struct session *s, enum ipc_rc rc, const void *reply, uint64_t limit, const char *what);

/* Source: session.c */
const char *session_queue_id(const struct session *s);          /* or "NOQUEUE" */

#endif
