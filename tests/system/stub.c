/* stub: stands for any daemon in tests of master: takes channels and sockets, greets, echoes, drains like a real one
 *
 * A client gets "PROGRAM WORKER PID CHANNELS MYHOSTNAME CERTS OVERRIDES\r\n", then its lines back; "crash" aborts the
 * process. With data_directory/fail-PROGRAM there, init fails.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/params.h"
#include "svc/daemon.h"
#include "svc/msg_admin.h"

struct listen;

struct sub {
	struct daemon *d;
	struct listen *listens;
	uint64_t n_clients;
	char channels[256];
	char certs[256];
	char *conf_name;
	int queue_fd;                   /* of qmgr; -1: none, or served */
};

struct client {
	struct sub *s;
	int fd;
	uv_poll_t poll;
};

struct listen {
	struct listen *next;
	struct sub *s;
	int fd;
	char *overrides;
	uv_poll_t poll;
};

static void free_handle(uv_handle_t *h)
{
	free(h->data);
}

static void client_end(struct client *c)
{
	struct sub *s = c->s;

	close(c->fd);
	uv_close((uv_handle_t *)&c->poll, free_handle);
	if (--s->n_clients == 0 && s->d->is_draining)
		daemon_exit(s->d);
}

static void on_input(uv_poll_t *h, int status, int events)
{
	struct client *c = h->data;
	char buf[512];
	ssize_t n = read(c->fd, buf, sizeof(buf));

	if (n <= 0) {
		client_end(c);
		return;
	}
	if (n >= 5 && memcmp(buf, "crash", 5) == 0)
		abort();
	(void)!write(c->fd, buf, (size_t)n);
}

static void on_connect(uv_poll_t *h, int status, int events)
{
	struct listen *l = h->data;
	struct sub *s = l->s;
	char hello[1024];
	struct client *c;
	int n, fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	c = xnew(struct client);
	c->s = s;
	c->fd = fd;
	s->n_clients++;
	uv_poll_init(&s->d->loop.uv, &c->poll, fd);
	c->poll.data = c;
	uv_poll_start(&c->poll, UV_READABLE, on_input);
	n = snprintf(hello, sizeof(hello), "%s %d %d channels=%s name=%s certs=%s options=%s\r\n", s->d->program,
		     (int)s->d->worker, (int)getpid(), s->channels, s->conf_name, s->certs, l->overrides);
	(void)!write(fd, hello, (size_t)n);
}

static int read_name(struct sub *s, struct err *err)
{
	struct str name = STR_INIT(256);
	int rc = conf_expand_name(&name, s->d->conf, "myhostname", err);

	free(s->conf_name);
	s->conf_name = str_detach(&name);
	return rc;
}

/* qmgr binds its own socket while it may. */
static int bind_queue(struct daemon *d, struct err *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct sub *s = d->state;

	if (snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/" ADMIN_SOCKET, d->run_directory) >= (int)sizeof(sa.sun_path))
		return err_set(err, ERR_CONF, "%s is too long", d->run_directory);
	unlink(sa.sun_path);
	s->queue_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(s->queue_fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || chmod(sa.sun_path, 0666) < 0 ||
	    listen(s->queue_fd, 64) < 0)
		return err_sys(err, "listen on %s", sa.sun_path);
	return 0;
}

static int on_listen(struct daemon *d, const struct ctl_listen *m, int *fd, struct err *err);

static int on_init(struct daemon *d, struct err *err)
{
	struct sub *s = d->state;
	struct global_conf g;

	s->d = d;
	if (global_conf_read(&g, d->conf, &d->arena, err) < 0)
		return -1;
	if (access(arena_printf(&d->arena, "%s/fail-%s", g.data_directory, d->program), F_OK) == 0)
		return err_set(err, ERR_CONF, "%s was told to fail", d->program);
	d->sandbox.may = SB_ACCEPT;
	d->sandbox.chroot = arena_printf(&d->arena, "%s/empty", d->run_directory);
	if (strcmp(d->program, "qmgr") == 0 && bind_queue(d, err) < 0)
		return -1;
	return read_name(s, err);
}

static int on_start(struct daemon *d, struct err *err)
{
	const struct ctl_listen none = { 0 };
	struct sub *s = d->state;

	log_info("stub is up");
	return on_listen(d, &none, &s->queue_fd, err);
}

static void on_channel(struct daemon *d, enum channel_kind kind, bool is_server, struct span peer, int *fd)
{
	struct sub *s = d->state;
	size_t n = strlen(s->channels);

	snprintf(s->channels + n, sizeof(s->channels) - n, "%s%s", n ? "," : "", topology_channel_name(kind));
	*fd = -1;       /* stays open for the process's life */
}

static int on_listen(struct daemon *d, const struct ctl_listen *m, int *fd, struct err *err)
{
	struct sub *s = d->state;
	struct listen *l;
	char *nl;

	if (*fd < 0)
		return 0;
	l = xnew(struct listen);
	l->s = s;
	l->next = s->listens;
	s->listens = l;
	l->fd = *fd;
	*fd = -1;
	l->overrides = xstrndup(m->overrides.p ? m->overrides.p : "", m->overrides.n);
	while ((nl = strchr(l->overrides, '\n')))
		*nl = ';';
	uv_poll_init(&d->loop.uv, &l->poll, l->fd);
	l->poll.data = l;
	uv_poll_start(&l->poll, UV_READABLE, on_connect);
	return 0;
}

static int on_cert(struct daemon *d, const struct ctl_cert *m, struct span pem, struct err *err)
{
	struct sub *s = d->state;

	snprintf(s->certs, sizeof(s->certs), "%.*s:%.*s:%zu", SPAN_ARG(m->name), SPAN_ARG(m->service), pem.n);
	return 0;
}

static int on_reload(struct daemon *d, struct err *err)
{
	log_info("stub reloads");
	return read_name(d->state, err);
}

static void on_drain(struct daemon *d)
{
	struct sub *s = d->state;
	struct listen *l;

	for (l = s->listens; l; l = l->next) {
		uv_poll_stop(&l->poll);
		close(l->fd);
	}
	if (s->n_clients == 0)
		daemon_exit(d);
}

static uint64_t on_sessions(struct daemon *d)
{
	return ((struct sub *)d->state)->n_clients;
}

int main(int argc, char **argv)
{
	static struct sub s = { .queue_fd = -1 };
	static const struct daemon_ops ops = { .name = "stub", .init = on_init, .start = on_start,
					       .channel = on_channel,
					       .listen = on_listen, .cert = on_cert, .reload = on_reload,
					       .drain = on_drain,
					       .sessions = on_sessions };

	return daemon_main(argc, argv, &ops, &s);
}
