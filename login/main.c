/*
 * login: IMAP and POP3 clients until their user is known, and under TLS for as long as the session lasts.
 *
 * Event loop, a worker per core, user _surat-login, empty chroot: no file, no socket, no exec. It accepts on listening
 * sockets, asks auth and anvil over channels, and hands clients to the parents of pop3d and imapd.
 * Peers: auth, anvil, pop3d and imapd (session), master (control; certificates as bytes). Files: none.
 */
#include "login/server.h"
#include "svc/daemon.h"

static void on_empty(void *arg)
{
	daemon_exit(arg);
}

static int on_init(struct daemon *d, struct err *err)
{
	if (tls_preload(err) < 0)
		return -1;
	d->sandbox.chroot = arena_printf(&d->arena, "%s/empty", d->run_directory);
	d->sandbox.may = SB_ACCEPT;
	return 0;
}

static int on_start(struct daemon *d, struct err *err)
{
	struct server *srv = d->state;

	server_init(srv, &d->loop);
	srv->on_empty = on_empty;
	srv->on_empty_arg = d;
	return 0;
}

static void on_channel(struct daemon *d, enum channel_kind kind, bool is_server, struct span peer, int *fd)
{
	server_attach(d->state, kind, peer, fd);
}

static int on_listen(struct daemon *d, const struct ctl_listen *l, int *fd, struct err *err)
{
	struct conf layer = { 0 };
	struct service *svc = NULL;

	if (daemon_overlay(d, &layer, l->overrides, err) == 0)
		svc = service_new(arena_strndup(&d->arena, l->service.p, l->service.n), &layer, err);
	conf_fini(&layer);
	if (!svc)
		return -1;
	if (*fd < 0)
		service_unref(&svc);
	else
		listener_new(d->state, svc, fd, l->max_sessions);
	return 0;
}

static int on_cert(struct daemon *d, const struct ctl_cert *m, struct span pem, struct err *err)
{
	struct server *srv = d->state;
	struct conf layer = { 0 };
	int rc;

	srv->ticket_key = d->ticket_key;
	rc = daemon_overlay(d, &layer, m->overrides, err);
	if (rc == 0)
		rc = server_certificate(srv, &layer, m->service, pem, err);
	conf_fini(&layer);
	return rc;
}

static void on_drain(struct daemon *d)
{
	server_drain(d->state);
}

static uint64_t sessions(struct daemon *d)
{
	return ((struct server *)d->state)->n_sessions;
}

int main(int argc, char **argv)
{
	static struct server server;
	static const struct daemon_ops ops = {
		.name = "login", .init = on_init, .start = on_start, .channel = on_channel, .listen = on_listen,
		.cert = on_cert, .drain = on_drain, .sessions = sessions,
	};

	return daemon_main(argc, argv, &ops, &server);
}
