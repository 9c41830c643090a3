/* protocol.h: what login needs to know of POP3 or IMAP before the user is known */
#ifndef LOGIN_PROTOCOL_H
#define LOGIN_PROTOCOL_H

#include "base/span.h"
#include "base/str.h"
#include "io/stream.h"
#include "svc/msg_auth.h"

struct session;

/* Why a session is refused or ends early; the protocol finds the words. */
enum refusal { REFUSE_LINE_TOO_LONG, REFUSE_TIMEOUT, REFUSE_TOO_MANY_BAD, REFUSE_TOO_MANY_CONNECTIONS, REFUSE_PLAINTEXT,
	       REFUSE_NO_MECHANISM, REFUSE_BAD_BASE64, REFUSE_CANCELLED, REFUSE_FULL, REFUSE_FAILED };

struct protocol {
	const char *name;               /* service for auth, tickets and ALPN: "pop3" */
	const char *log_tag;            /* "pop3-login" */
	const char *dovecot_tag;        /* "dovecot:pop3-login", with syslog_name = dovecot */
	const char *parent;             /* program behind CHAN_SESSION: "pop3d" */
	void (*greet)(struct session *s);

	/* Takes one line (or what its grammar has) from s->io and acts on it: IO_OK, or what stopped it. */
	enum io_rc (*input)(struct session *s);

	/* TLS is there: forget what was said before it. */
	void (*forget)(struct session *s);

	/* Adds what the child repeats of what was announced before login; NULL: nothing. */
	void (*announce)(const struct session *s, struct str *out);

	/* AUTH_FAIL, AUTH_TEMP or AUTH_REFUSED; text may be empty. */
	void (*failed)(struct session *s, enum auth_status status, struct span text);
	void (*refuse)(struct session *s, enum refusal why);
};

extern const struct protocol pop3_protocol, imap_protocol;

/* By a service's name or login_protocol: "pop3", "imaps", …; NULL when there is none. Source: protocol.c */
const struct protocol *protocol_find(const char *name);

/* "pop3s", "imaps": TLS from the first byte. Source: protocol.c */
bool protocol_is_implicit_tls(const char *name);

/* The verb of an HTTP request: a browser or a cross-protocol attack. Source: protocol.c */
bool protocol_is_http(struct span verb);

#endif
