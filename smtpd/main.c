/* smtpd: the SMTP server. Peers: resolve (verdicts, tables, client names), auth (SASL), anvil (counts), qmgr
 * (messages). Privileges: none; an empty chroot, no file, no socket of its own but accept on listeners that master
 * opened. Several workers share the listeners; each takes one connection per turn of its loop, so that load spreads. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "smtpd/server.h"
#include "smtpd/service.h"
#include "smtpd/session.h"
#include "svc/daemon.h"

#define PATIENCE_MS 5000        /* so long clients wait in the kernel's queue for daemons that start when we do */
#define PEERS_LOOK_MS 10
#define ROOM_LOOK_MS 200

struct listener {
	struct listener *next;
	struct state *state;
	uv_poll_t poll;
	int fd;
	char *name, *overrides;
	struct service *svc;
	uint64_t max_sessions;
	bool is_unix, is_paused;
};

/* Chain and key, or authorities, of one service ("" for all). */
struct cert {
	struct cert *next;
	char *name, *service;
	char *pem;
	size_t n;
};

struct state {
	struct daemon *d;
	struct server server;
	struct listener *listeners;
	struct cert *certs;
	uint64_t patient_until_ms;      /* 0: no more */
};

static struct span find_cert(const struct state *st, const char *name, const char *service)
{
	const struct cert *c, *best = NULL;

	for (c = st->certs; c; c = c->next) {
		if (strcmp(c->name, name) == 0 && (strcmp(c->service, service) == 0 || (!best && !c->service[0])))
			best = c;
	}
	return best ? (struct span){ best->pem, best->n } : SPAN_NULL;
}

/* Sessions of before keep the old service, and that its configuration. */
static int make_service(struct state *st, struct listener *l, struct err *err)
{
	struct conf *layer = xnew(struct conf);
	struct service_keys keys = { find_cert(st, "smtpd_tls_cert_file", l->name),
				     find_cert(st, "smtpd_tls_CAfile", l->name), st->d->ticket_key };
	struct service *svc = NULL;
	int rc = daemon_overlay(st->d, layer, span_z(l->overrides), err);

	layer->refs = 1;
	if (rc == 0 && !(svc = service_new(l->name, layer, &keys, err)))
		rc = err_wrap(err, "service %s", l->name);
	if (svc) {
		service_own(svc, &layer, st->d->conf);
		service_unref(&l->svc);
		l->svc = svc;
	}
	conf_unref(&layer);
	return rc;
}

static void peer_name(const struct sockaddr_storage *ss, char *addr, size_t n, unsigned *port)
{
	const struct sockaddr_in6 *v6 = (const void *)ss;
	const struct sockaddr_in *v4 = (const void *)ss;

	snprintf(addr, n, "unknown");
	*port = 0;
	if (ss->ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, addr, (socklen_t)n);
		*port = ntohs(v4->sin_port);
	} else if (ss->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, addr, (socklen_t)n);
		*port = ntohs(v6->sin6_port);
	} else if (ss->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, addr, (socklen_t)n);
		*port = ntohs(v6->sin6_port);
	}
}

static bool is_full(const struct listener *l)
{
	const struct state *st = l->state;

	return st->server.n_sessions >= l->svc->conf.smtpd_sessions_per_worker ||
	       (l->max_sessions && st->server.n_sessions >= l->max_sessions);
}

/* A client that comes before the daemons we ask would hear 451, and of no AUTH. */
static bool is_early(struct state *st)
{
	if (st->patient_until_ms && (server_is_whole(&st->server) || clock_mono_ms() >= st->patient_until_ms))
		st->patient_until_ms = 0;
	return st->patient_until_ms != 0;
}

static void welcome(struct listener *l, int fd, const struct sockaddr_storage *peer)
{
	struct sockaddr_storage self = { 0 };
	socklen_t n = sizeof(self), cred_n;
	char addr[64], local[64], user[32];
	struct ucred cred = { .uid = (uid_t)-1 };
	unsigned port, ignored;

	if (l->is_unix) {
		cred_n = sizeof(cred);
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_n) < 0) {
			close(fd);
			return;
		}
		snprintf(user, sizeof(user), "uid=%u", (unsigned)cred.uid);
		session_new(&l->state->server, l->svc, fd, "127.0.0.1", 0, "127.0.0.1", user);
		return;
	}
	(void)getsockname(fd, (struct sockaddr *)&self, &n);
	peer_name(peer, addr, sizeof(addr), &port);
	peer_name(&self, local, sizeof(local), &ignored);
	session_new(&l->state->server, l->svc, fd, addr, port, local, NULL);
}

static void on_connection(uv_poll_t *p, int status, int events);

static void on_room(uv_timer_t *t)
{
	struct listener *l = t->data;

	if (l->is_paused && l->fd >= 0 && !is_full(l) && !is_early(l->state)) {
		l->is_paused = false;
		uv_poll_start(&l->poll, UV_READABLE, on_connection);
	}
	if (l->is_paused)
		return;
	uv_timer_stop(t);
	uv_close((uv_handle_t *)t, (uv_close_cb)free);
}

/* Full, or out of descriptors: other workers take the rest; look again shortly. Or too early for anybody. */
static void pause_listener(struct listener *l, unsigned look_ms)
{
	uv_timer_t *t = xnew(uv_timer_t);

	l->is_paused = true;
	uv_poll_stop(&l->poll);
	uv_timer_init(&l->state->d->loop.uv, t);
	t->data = l;
	uv_timer_start(t, on_room, look_ms, look_ms);
}

static void on_connection(uv_poll_t *p, int status, int events)
{
	struct listener *l = p->data;
	struct sockaddr_storage peer = { 0 };
	socklen_t n = sizeof(peer);
	int fd;

	if (is_full(l)) {
		log_warn("service %s: %zu sessions in this worker, the limit", l->name, l->state->server.n_sessions);
		pause_listener(l, ROOM_LOOK_MS);
		return;
	}
	fd = accept4(l->fd, (struct sockaddr *)&peer, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		welcome(l, fd, &peer);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		log_warn("accept: %s", strerror(errno));
		pause_listener(l, ROOM_LOOK_MS);
	}
}

static void on_empty(void *arg)
{
	daemon_exit(arg);
}

/* ---- daemon calls ---- */

static int smtpd_init(struct daemon *d, struct err *err)
{
	struct state *st = d->state;

	st->d = d;
	tzset();
	d->sandbox.chroot = arena_printf(&d->arena, "%s/empty", d->run_directory);
	d->sandbox.may = SB_ACCEPT;
	return 0;
}

static int smtpd_start(struct daemon *d, struct err *err)
{
	struct state *st = d->state;

	server_init(&st->server, &d->loop);
	st->server.on_empty = on_empty;
	st->server.on_empty_arg = d;
	st->patient_until_ms = clock_mono_ms() + PATIENCE_MS;
	return 0;
}

static void smtpd_channel(struct daemon *d, enum channel_kind kind, bool is_server, struct span peer, int *fd)
{
	struct state *st = d->state;

	server_attach(&st->server, kind, fd);
}

static void free_listener(struct listener *l)
{
	service_unref(&l->svc);
	free(l->name);
	free(l->overrides);
	free(l);
}

static int smtpd_listen(struct daemon *d, const struct ctl_listen *m, int *fd, struct err *err)
{
	struct state *st = d->state;
	struct listener *l = xnew(struct listener);
	int rc;

	st->d = d;
	l->state = st;
	l->fd = -1;
	l->name = xstrndup(m->service.p ? m->service.p : "", m->service.n);
	l->overrides = xstrndup(m->overrides.p ? m->overrides.p : "", m->overrides.n);
	l->max_sessions = m->max_sessions;
	l->is_unix = m->is_unix;
	rc = make_service(st, l, err);
	if (rc < 0 || *fd < 0) {
		free_listener(l);
		return rc;
	}
	l->fd = *fd;
	*fd = -1;
	BUG(uv_poll_init(&d->loop.uv, &l->poll, l->fd) != 0);
	l->poll.data = l;
	l->next = st->listeners;
	st->listeners = l;
	if (is_early(st))
		pause_listener(l, PEERS_LOOK_MS);
	else
		uv_poll_start(&l->poll, UV_READABLE, on_connection);
	return 0;
}

static void set_cert(struct state *st, struct span name, struct span service, struct span pem)
{
	struct cert *c;

	for (c = st->certs; c && !(span_eqz(name, c->name) && span_eqz(service, c->service)); c = c->next)
		;
	if (!c) {
		c = xnew(struct cert);
		c->name = xstrndup(name.p, name.n);
		c->service = xstrndup(service.p ? service.p : "", service.n);
		c->next = st->certs;
		st->certs = c;
	}
	if (c->pem)
		explicit_bzero(c->pem, c->n);
	free(c->pem);
	c->pem = xstrndup(pem.p ? pem.p : "", pem.n);
	c->n = pem.n;
}

static int smtpd_reload(struct daemon *d, struct err *err)
{
	struct state *st = d->state;
	struct listener *l;

	for (l = st->listeners; l; l = l->next) {
		if (make_service(st, l, err) < 0)
			return -1;
	}
	return 0;
}

static int smtpd_cert(struct daemon *d, const struct ctl_cert *m, struct span pem, struct err *err)
{
	set_cert(d->state, m->name, m->service, pem);
	return smtpd_reload(d, err);
}

static void smtpd_drain(struct daemon *d)
{
	struct state *st = d->state;
	struct listener *l;

	for (l = st->listeners; l; l = l->next) {
		if (l->fd < 0)
			continue;
		uv_poll_stop(&l->poll);
		uv_close((uv_handle_t *)&l->poll, NULL);
		close(l->fd);
		l->fd = -1;
		l->is_paused = false;
	}
	st->server.is_stopping = d->is_stopping;
	server_drain(&st->server);
}

static uint64_t smtpd_sessions(struct daemon *d)
{
	struct state *st = d->state;

	return st->server.n_sessions;
}

static const struct daemon_ops ops = {
	.name = "smtpd", .init = smtpd_init, .start = smtpd_start, .channel = smtpd_channel, .listen = smtpd_listen,
	.cert = smtpd_cert, .reload = smtpd_reload, .drain = smtpd_drain, .sessions = smtpd_sessions,
};

int main(int argc, char **argv)
{
	static struct state state;

	return daemon_main(argc, argv, &ops, &state);
}
