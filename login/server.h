/* server.h: a worker of login: channels, certificates, listeners, the list of sessions */
#ifndef LOGIN_SERVER_H
#define LOGIN_SERVER_H

#include <sys/queue.h>
#include <uv.h>

#include "conf/cidr.h"
#include "conf/conf.h"
#include "conf/params.h"
#include "io/ipc.h"
#include "io/loop.h"
#include "login/protocol.h"
#include "svc/sasl.h"
#include "svc/topology.h"
#include "tls/tls.h"

#define SERVER_PARENTS 2                /* pop3d, imapd */

struct session;

/* What a listener of master.cf means; shared by it and its sessions, does not change once made. */
struct service {
	unsigned refs;
	struct arena arena;
	const char *name;
	const struct protocol *proto;
	const char *log_tag;            /* "surat/pop3-login:", "dovecot:pop3-login" */
	bool is_implicit_tls;
	bool may_cleartext;             /* passwords outside of TLS */
	struct login_conf conf;
	struct imapd_conf imap;         /* what ID says and logs */
	struct cidr *trusted;
	size_t n_trusted;
};

struct listener {
	struct listener *next;
	struct server *srv;
	struct service *svc;
	int fd;
	uint64_t max_sessions;
	bool is_paused;
	uint64_t patient_until_ms;      /* until then it waits for the daemons that sessions ask */
	uv_poll_t poll;
	uv_timer_t timer;
	uint8_t n_handles;
};

/* Contexts made from the PEM bytes of a service ("": of all without their own), one for each protocol's ALPN. */
struct certificate {
	struct certificate *next;
	const struct protocol *proto;
	char *service;
	struct tls_ctx *ctx;
};

struct server {
	struct loop *loop;
	struct sasl sasl;
	struct ipc anvil;
	struct ipc parents[SERVER_PARENTS];     /* in the order of server.c's names */
	struct certificate *certs;
	struct span ticket_key;         /* as in tls_params; set before the first certificate */
	struct listener *listeners;
	LIST_HEAD(, session) sessions;
	uint64_t n_sessions;
	bool is_draining;
	void (*on_empty)(void *arg);    /* draining and the last session has ended */
	void *on_empty_arg;
};

/* Source: server.c */
void server_init(struct server *srv, struct loop *loop);

/* Ends all sessions without a word. Source: server.c */
void server_fini(struct server *srv);

/* Takes *fd, the new end of a channel; peer: the program at the other end. Source: server.c */
void server_attach(struct server *srv, enum channel_kind kind, struct span peer, int *fd);

/* The channel to the parent of a protocol; it may be detached. Source: server.c */
struct ipc *server_parent(struct server *srv, const struct protocol *proto);

/* Makes contexts from new bytes; on -1 the old ones stay. srv may be zeroed but for this. Source: server.c */
int server_certificate(struct server *srv, const struct conf *c, struct span service, struct span pem, struct err *err)
	WARN_UNUSED;

/* NULL when there is no certificate. Source: server.c */
struct tls_ctx *server_tls(const struct server *srv, const struct service *svc);

/* layer: main.cf with the listener's overrides; it is used only here. -1 ERR_CONF. Source: service.c */
struct service *service_new(const char *name, const struct conf *layer, struct err *err) WARN_UNUSED;
struct service *service_ref(struct service *svc);
void service_unref(struct service **svc);

/* Accepts on *fd (taken) once the daemons that sessions ask are there, after five seconds anyhow; max_sessions 0: no limit of its own. Takes svc. Source: listener.c */
void listener_new(struct server *srv, struct service *svc, int *fd, uint64_t max_sessions);
void listener_close_all(struct server *srv);

/* Takes nothing new; on_empty comes when the last session has ended. Source: server.c */
void server_drain(struct server *srv);

/* Source: server.c */
void server_add(struct server *srv, struct session *s);
void server_remove(struct server *srv, struct session *s);

#endif
