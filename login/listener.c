#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "login/session.h"

#define ACCEPT_BURST 32         /* then others have their turn */
#define PAUSE_MS 250
#define PATIENCE_MS 5000        /* so long clients wait in the kernel's queue for daemons that start when we do */
#define PEERS_LOOK_MS 10

static void on_readable(uv_poll_t *p, int status, int events);

/* A client that comes before the daemons we ask could not log in. */
static bool is_early(const struct listener *l)
{
	struct server *srv = l->srv;

	if (sasl_is_known(&srv->sasl) && ipc_is_attached(&srv->anvil) && ipc_is_attached(server_parent(srv, l->svc->proto)))
		return false;
	return clock_mono_ms() < l->patient_until_ms;
}

static void watch(uv_timer_t *t)
{
	struct listener *l = t->data;

	if (is_early(l))
		uv_timer_start(t, watch, PEERS_LOOK_MS, 0);
	else
		uv_poll_start(&l->poll, UV_READABLE, on_readable);
}

/* No descriptors or too many sessions: the kernel's queue keeps the clients, another worker may take them. */
static void pause_accepting(struct listener *l)
{
	uv_poll_stop(&l->poll);
	uv_timer_start(&l->timer, watch, PAUSE_MS, 0);
}

static bool is_full(const struct listener *l)
{
	const struct server *srv = l->srv;

	return srv->n_sessions >= l->svc->conf.login_sessions_per_worker ||
	       (l->max_sessions && srv->n_sessions >= l->max_sessions);
}

static void accept_one(struct listener *l, int fd, const struct sockaddr_storage *peer)
{
	struct sockaddr_storage own = { 0 };
	socklen_t n = sizeof(own);

	(void)getsockname(fd, (struct sockaddr *)&own, &n);
	session_new(l->srv, l->svc, fd, (const struct sockaddr *)peer, (struct sockaddr *)&own);
}

static void on_readable(uv_poll_t *p, int status, int events)
{
	struct listener *l = p->data;
	int i;

	for (i = 0; i < ACCEPT_BURST; i++) {
		struct sockaddr_storage peer = { 0 };
		socklen_t n = sizeof(peer);
		int fd;

		if (is_full(l)) {
			if (!l->is_paused)
				log_warn("service %s: %llu sessions, no more are taken; see login_sessions_per_worker and maxproc",
					 l->svc->name, (unsigned long long)l->srv->n_sessions);
			l->is_paused = true;
			pause_accepting(l);
			return;
		}
		l->is_paused = false;
		fd = accept4(l->fd, (struct sockaddr *)&peer, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			accept_one(l, fd, &peer);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_warn("service %s: cannot accept: %m", l->svc->name);
			pause_accepting(l);
			return;
		}
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

void listener_new(struct server *srv, struct service *svc, int *fd, uint64_t max_sessions)
{
	struct listener *l = xnew(struct listener);

	l->srv = srv;
	l->svc = svc;
	l->fd = *fd;
	*fd = -1;
	l->max_sessions = max_sessions;
	BUG(uv_poll_init(&srv->loop->uv, &l->poll, l->fd) != 0);
	uv_timer_init(&srv->loop->uv, &l->timer);
	l->poll.data = l->timer.data = l;
	l->n_handles = 2;
	l->next = srv->listeners;
	srv->listeners = l;
	l->patient_until_ms = clock_mono_ms() + PATIENCE_MS;
	watch(&l->timer);
}

static void on_closed(uv_handle_t *h)
{
	struct listener *l = h->data;

	if (--l->n_handles > 0)
		return;
	service_unref(&l->svc);
	free(l);
}

void listener_close_all(struct server *srv)
{
	while (srv->listeners) {
		struct listener *l = srv->listeners;

		srv->listeners = l->next;
		uv_close((uv_handle_t *)&l->poll, on_closed);
		uv_close((uv_handle_t *)&l->timer, on_closed);
		close(l->fd);
	}
}
