/* sasl.h: SASL exchanges that a front end (smtpd, login) leads for its clients and auth decides */
#ifndef SVC_SASL_H
#define SVC_SASL_H

#include <stdbool.h>

#include "base/span.h"
#include "base/str.h"
#include "io/ipc.h"
#include "io/loop.h"
#include "svc/msg_auth.h"

/* Longest decoded response and challenge, in bytes (RFC 4954 section 4 allows lines of 12288 octets). */
#define SASL_DATA_MAX 9216
#define SASL_LINE_MAX 12288

struct sasl_mech {
	char name[24];                  /* upper case */
	bool is_plaintext;
};

/* The way to auth, one per worker. Caller's memory at a fixed address. */
struct sasl {
	struct ipc ipc;
	struct sasl_mech *mechs;        /* as auth told last; kept while auth is away */
	size_t n_mechs;
	uint64_t last_exchange;
};

/* Source: sasl.c */
void sasl_init(struct sasl *a, struct loop *loop);
void sasl_fini(struct sasl *a);

/* Takes *fd, a new end of CHAN_AUTH; an older one is given up and its exchanges end with AUTH_TEMP. Source: sasl.c */
void sasl_attach(struct sasl *a, int *fd);

/* auth has told what it offers, be it nothing. Source: sasl.c */
bool sasl_is_known(const struct sasl *a);

/* The offered mechanism of that name in any case, or NULL. Source: sasl.c */
const struct sasl_mech *sasl_mech(const struct sasl *a, struct span name);

/* Appends " PLAIN LOGIN": those that send no password in clear, and with may_plaintext all. -1: out's limit.
 * Source: sasl.c */
int sasl_list(const struct sasl *a, bool may_plaintext, struct str *out) WARN_UNUSED;

/* Who asks; spans are needed for the call of sasl_begin only. */
struct sasl_peer {
	const char *service;            /* "smtp", "pop3", "imap" */
	struct span remote_addr, local_addr, local_name;
	bool is_secure;
};

/* Spans live until the callback returns. challenge is decoded; text is for the client, or "". */
struct sasl_result {
	enum auth_status status;
	struct span challenge, user, ticket, text;
};

typedef void sasl_fn(void *arg, const struct sasl_result *r);

/* Embedded in the session; zeroed means idle. Must stay where it is while is_open. */
struct sasl_exchange {
	struct sasl *a;
	struct ipc_req req;
	uint64_t id;
	bool is_open;                   /* begun, and not yet OK, FAIL, TEMP, REFUSED or aborted */
	sasl_fn *fn;
	void *arg;
};

/* Starts an exchange; fn comes from the loop, exactly once for the begin and once for each step, unless the exchange is
 * aborted before. initial: decoded bytes, NULL when the client sent none. After any status but AUTH_CONTINUE the
 * exchange is over. -1: auth is away or the data is too long: nothing was begun, tell the client to try later.
 * Source: sasl.c */
int sasl_begin(struct sasl_exchange *x, struct sasl *a, struct span mech, const struct span *initial,
	       const struct sasl_peer *peer, sasl_fn *fn, void *arg) WARN_UNUSED;

/* The client's response to a challenge. -1 as for sasl_begin; the exchange is then over. Source: sasl.c */
int sasl_step(struct sasl_exchange *x, struct span response) WARN_UNUSED;

/* The client said "*", or has gone: fn is not called any more. Harmless when nothing is open. Source: sasl.c */
void sasl_abort(struct sasl_exchange *x);

/* Appends the bytes of a base64 line to out; an initial response of "=" means zero bytes (RFC 4954 section 4, RFC 5034
 * section 4). -1: not base64, or longer than SASL_DATA_MAX. Source: sasl.c */
int sasl_decode(struct str *out, struct span line, bool is_initial) WARN_UNUSED;

#endif
