/* rig.h: a worker of login with a fake auth, a fake anvil and a fake parent in one loop, and clients with scripts */
#ifndef TESTS_LOGIN_RIG_H
#define TESTS_LOGIN_RIG_H

#include <openssl/ssl.h>

#include "login/server.h"
#include "login/session.h"
#include "svc/msg_anvil.h"
#include "svc/msg_auth.h"
#include "svc/msg_resolve.h"
#include "svc/msg_session.h"

struct rig {
	struct loop loop;
	struct server srv;
	struct service *svc;
	struct ipc auth, anvil, parent, imap_parent; /* the far ends */
	/* what the fakes saw */
	unsigned n_starts, n_aborts, n_redeems;
	char last_initial[256], last_mech[32];
	size_t last_initial_n;
	bool was_secure;
	uint64_t anvil_count;
	unsigned n_connects, n_disconnects;
	char input[4096], ticket[32], session[32], service[8], capa[64];
	bool was_tls;
	/* what they do */
	bool auth_is_mute, parent_refuses, parent_is_mute;
	enum auth_status status;        /* instead of FAIL for a wrong password */
	const char *text;
	int child;                      /* the parent's end of a session */
	struct str log;
	size_t chunk;                   /* of what clients send */
};

struct client {
	struct rig *g;
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	struct str in;
};

/* options: "name = value" lines over the defaults. */
void rig_open(struct rig *g, const char *service, const char *options);
void rig_close(struct rig *g);
void rig_detach_auth(struct rig *g);
void rig_spin(struct rig *g);

/* A client from that address; the server's is 192.0.2.25. */
void client_open(struct client *c, struct rig *g, const char *address);
void client_close(struct client *c);
void client_send(struct client *c, const void *p, size_t n);

/* Handshake as a client; true when it worked. */
bool client_tls(struct client *c);

/* Reads what there is into c->in; false at the end of the line. */
bool client_read(struct client *c);

/* Lines: "C: text" sends text and CRLF, "R: bytes" sends them (\r \n \0 \xNN), "S: text" expects that line, "S* text"
 * one that begins so, "T" starts TLS, "E" expects the end, "P: text" lets the child write a line, "Q: text" expects the
 * child to have received the line. */
void client_script(struct client *c, const char *label, const char *script);

/* A client's whole time before login. options as in rig_open, address as in client_open, text as in client_script. */
struct rig_script {
	const char *label, *service, *options, *address, *text;
	const char *log;                /* must stand in the log; NULL: nothing to see */
};

/* Each in one piece, in pieces of 7, of 2 and of 1 byte; no password may stand in the log. */
void rig_scripts(const struct rig_script *v, size_t n);

#endif
