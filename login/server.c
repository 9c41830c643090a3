#include "login/server.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "login/session.h"

static const char *const parents[SERVER_PARENTS] = { "pop3d", "imapd" };

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
	if (why->kind != ERR_NONE)
		log_error("channel %s: %s", c->ops->name, why->msg);
}

static const struct ipc_ops anvil_ops = { "anvil", NULL, 0, on_lost, NULL };
static const struct ipc_ops parent_ops = { "session", NULL, 0, on_lost, NULL };

void server_init(struct server *srv, struct loop *loop)
{
	size_t i;

	srv->loop = loop;
	sasl_init(&srv->sasl, loop);
	ipc_init(&srv->anvil, loop, &anvil_ops, srv);
	for (i = 0; i < SERVER_PARENTS; i++)
		ipc_init(&srv->parents[i], loop, &parent_ops, srv);
}

static void free_certificate(struct certificate *c)
{
	tls_ctx_unref(&c->ctx);
	free(c->service);
	free(c);
}

void server_fini(struct server *srv)
{
	size_t i;

	srv->on_empty = NULL;
	listener_close_all(srv);
	while (!LIST_EMPTY(&srv->sessions))
		session_destroy(LIST_FIRST(&srv->sessions));
	sasl_fini(&srv->sasl);
	ipc_close(&srv->anvil);
	for (i = 0; i < SERVER_PARENTS; i++)
		ipc_close(&srv->parents[i]);
	while (srv->certs) {
		struct certificate *c = srv->certs;

		srv->certs = c->next;
		free_certificate(c);
	}
}

void server_attach(struct server *srv, enum channel_kind kind, struct span peer, int *fd)
{
	size_t i;

	if (kind == CHAN_AUTH)
		sasl_attach(&srv->sasl, fd);
	else if (kind == CHAN_ANVIL)
		ipc_attach(&srv->anvil, fd);
	for (i = 0; kind == CHAN_SESSION && i < SERVER_PARENTS; i++) {
		if (span_eqz(peer, parents[i]))
			ipc_attach(&srv->parents[i], fd);
	}
}

struct ipc *server_parent(struct server *srv, const struct protocol *proto)
{
	size_t i = 0;

	while (strcmp(proto->parent, parents[i]) != 0)
		BUG(++i == SERVER_PARENTS);
	return &srv->parents[i];
}

/* ---- certificates ---- */

static void put_certificate(struct server *srv, const struct protocol *proto, struct span service, struct tls_ctx *ctx)
{
	struct certificate *c;

	for (c = srv->certs; c; c = c->next) {
		if (c->proto == proto && span_eqz(service, c->service))
			break;
	}
	if (!c) {
		c = xnew(struct certificate);
		c->proto = proto;
		c->service = xstrndup(service.p, service.n);
		c->next = srv->certs;
		srv->certs = c;
	}
	tls_ctx_unref(&c->ctx);
	c->ctx = ctx;
}

int server_certificate(struct server *srv, const struct conf *conf, struct span service, struct span pem,
		       struct err *err)
{
	static const char *const names[] = { "pop3", "imap" };
	struct arena a = { 0 };
	struct login_conf lc;
	size_t i;
	int rc = login_conf_read(&lc, conf, &a, err);

	for (i = 0; rc == 0 && i < ARRAY_LEN(names); i++) {
		const struct protocol *proto = protocol_find(names[i]);
		struct tls_params p = {
			.pem = pem,
			.min_protocol = lc.ssl_min_protocol == SSL_MIN_PROTOCOL_TLSV1_3 ? "TLSv1.3" : "TLSv1.2",
			.ciphers = lc.ssl_cipher_list,
			.ciphersuites = lc.ssl_cipher_suites,
			.prefers_server_ciphers = lc.ssl_prefer_server_ciphers,
			.alpn = names[i],
			.ticket_key = srv->ticket_key,
		};
		struct tls_ctx *ctx = proto ? tls_ctx_new(&p, err) : NULL;

		if (proto && !ctx)
			rc = err_wrap(err, "TLS with %s", lc.ssl_cert);
		if (ctx)
			put_certificate(srv, proto, service, ctx);
	}
	arena_fini(&a);
	return rc;
}

struct tls_ctx *server_tls(const struct server *srv, const struct service *svc)
{
	struct tls_ctx *fallback = NULL;
	const struct certificate *c;

	if (svc->conf.ssl == SSL_NO)
		return NULL;
	for (c = srv->certs; c; c = c->next) {
		if (c->proto != svc->proto)
			continue;
		if (strcmp(c->service, svc->name) == 0)
			return c->ctx;
		if (c->service[0] == '\0')
			fallback = c->ctx;
	}
	return fallback;
}

/* ---- sessions ---- */

static void tell_if_empty(struct server *srv)
{
	if (srv->is_draining && srv->n_sessions == 0 && srv->on_empty)
		srv->on_empty(srv->on_empty_arg);
}

void server_drain(struct server *srv)
{
	srv->is_draining = true;
	listener_close_all(srv);
	tell_if_empty(srv);
}

void server_add(struct server *srv, struct session *s)
{
	LIST_INSERT_HEAD(&srv->sessions, s, link);
	srv->n_sessions++;
}

void server_remove(struct server *srv, struct session *s)
{
	LIST_REMOVE(s, link);
	srv->n_sessions--;
	tell_if_empty(srv);
}
