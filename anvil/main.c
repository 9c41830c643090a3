/* anvil: counts connections and events of clients, and how long an address that fails to log in has to wait.
 *
 * user _surat-anvil; peers smtpd, login (CHAN_ANVIL); no files, no sockets; everything it knows dies with it.
 */
#include <time.h>

#include "anvil/service.h"
#include "svc/daemon.h"

struct anvil {
	struct anvil_conf conf;
	struct service *service;
};

static int init(struct daemon *d, struct err *err)
{
	struct anvil *s = d->state;

	tzset();        /* reads the time zone's file, which the sandbox hides */
	return anvil_conf_read(&s->conf, d->conf, &d->arena, err);
}

static int start(struct daemon *d, struct err *err)
{
	struct anvil *s = d->state;

	s->service = service_new(&d->loop, &s->conf);
	return 0;
}

static void channel(struct daemon *d, enum channel_kind kind, bool is_server, struct span peer, int *fd)
{
	struct anvil *s = d->state;

	if (kind == CHAN_ANVIL && is_server)
		service_attach(s->service, fd);
}

static int reload(struct daemon *d, struct err *err)
{
	struct anvil *s = d->state;

	if (anvil_conf_read(&s->conf, d->conf, &d->arena, err) < 0)
		return -1;
	service_configure(s->service, &s->conf);
	return 0;
}

static void drain(struct daemon *d)
{
	struct anvil *s = d->state;

	service_report(s->service);
	daemon_exit(d);
}

static const struct daemon_ops ops = {
	.name = "anvil",
	.init = init,
	.start = start,
	.channel = channel,
	.reload = reload,
	.drain = drain,
};

int main(int argc, char **argv)
{
	struct anvil s = { 0 };

	return daemon_main(argc, argv, &ops, &s);
}
