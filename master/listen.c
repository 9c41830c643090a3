#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define BACKLOG 4096            /* the kernel cuts it to net.core.somaxconn */

/* One opening: what is asked for, and where errors go. */
struct opening {
	struct listeners *l;
	const struct config *c;
	const struct listeners *old;
	uint64_t deadline_ms;
	struct conf_errors *errors;
	const struct mastercf_service *row;
};

static struct listener *add(struct listeners *l, const char *key, const char *service, const char *command, int fd)
{
	struct listener *n;

	l->v = xrealloc(l->v, (l->n + 1) * sizeof(*l->v));
	n = &l->v[l->n++];
	*n = (struct listener){ xstrdup(key), xstrdup(service), xstrdup(command), NULL, 0, false, fd };
	return n;
}

static void complete(struct listener *n, const struct opening *o)
{
	struct str text = STR_INIT(48u << 10);
	const struct mastercf_service *s = o->row;

	if (mastercf_add_options(s, &text) < 0)
		conf_error(o->errors, "%s:%u: the options of service %s are too long", o->c->services.file, s->line,
			   s->name);
	n->overrides = str_detach(&text);
	n->max_sessions = s->max_sessions == 0 ? o->c->master.default_process_limit
			  : s->max_sessions == MASTERCF_UNLIMITED ? 0 : s->max_sessions;
}

/* A socket that is there already stays the same object: no connection in its queue is lost. */
static int take_over(const struct listeners *old, const char *key)
{
	size_t i;

	for (i = 0; old && i < old->n; i++) {
		if (strcmp(old->v[i].key, key) == 0)
			return fcntl(old->v[i].fd, F_DUPFD_CLOEXEC, 10);
	}
	return -1;
}

/* ---- inet ---- */

static void address_text(const struct addrinfo *ai, char *out, size_t n)
{
	char host[64] = "?", port[8] = "?";

	(void)getnameinfo(ai->ai_addr, ai->ai_addrlen, host, sizeof(host), port, sizeof(port),
			  NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(out, n, ai->ai_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* From 127.0.0.1:25 to 0.0.0.0:25 at a reload, or back: the old socket serves until the switch. */
static bool share_port(const struct opening *o, int fd)
{
	bool found = false;
	char port[8];
	int on = 1;
	size_t i;

	snprintf(port, sizeof(port), ":%u", o->row->port);
	for (i = 0; o->old && i < o->old->n; i++) {
		const struct listener *l = &o->old->v[i];

		if (!l->is_unix && strcmp(strrchr(l->key, ':'), port) == 0)
			found |= setsockopt(l->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0;
	}
	return found && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0;
}

static int bind_retry(const struct opening *o, int fd, const struct addrinfo *ai)
{
	const struct timespec pause = { 0, 50 * 1000000l };

	for (;;) {
		if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0)
			return 0;
		if (errno != EADDRINUSE)
			return -1;
		if (share_port(o, fd))
			return bind(fd, ai->ai_addr, ai->ai_addrlen);
		if (clock_mono_ms() >= o->deadline_ms) {
			errno = EADDRINUSE;
			return -1;
		}
		nanosleep(&pause, NULL);
	}
}

static int open_inet(const struct opening *o, const struct addrinfo *ai)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, saved;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    (ai->ai_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
	    bind_retry(o, fd, ai) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static void explain(const struct opening *o, const char *address)
{
	const struct mastercf_service *s = o->row;

	if (errno == EADDRINUSE)
		conf_error(o->errors,
			   "%s:%u: service %s: %s is in use by another program; find it with "
			   "\"ss -ltnp sport = :%u\" and stop it, or "
			   "change the port here",
			   o->c->services.file, s->line, s->name, address, s->port);
	else if (errno == EACCES)
		conf_error(o->errors,
			   "%s:%u: service %s: %s: only root may listen on ports below 1024; change the port here",
			   o->c->services.file, s->line, s->name, address);
	else if (errno == EADDRNOTAVAIL)
		conf_error(o->errors, "%s:%u: service %s: %s is no address of this machine; see inet_interfaces",
			   o->c->services.file, s->line, s->name, address);
	else
		conf_error(o->errors, "%s:%u: service %s: %s: %s", o->c->services.file, s->line, s->name, address,
			   strerror(errno));
}

/* is_optional: one of several addresses that stand for "all"; a machine without IPv6 has no ::. */
static void add_inet(const struct opening *o, const struct addrinfo *ai, bool is_optional)
{
	char address[80];
	size_t i;
	int fd;

	address_text(ai, address, sizeof(address));
	for (i = 0; i < o->l->n; i++) {
		if (strcmp(o->l->v[i].key, address) == 0)
			return;         /* two names of one address */
	}
	fd = take_over(o->old, address);
	if (fd < 0)
		fd = open_inet(o, ai);
	if (fd >= 0)
		complete(add(o->l, address, o->row->name, o->row->command, fd), o);
	else if (!is_optional || (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL))
		explain(o, address);
}

static bool has_protocol(const struct config *c, const char *name)
{
	const struct conf_list *l = &c->global.inet_protocols;

	return conf_list_has(l, SPAN_LIT("all")) || conf_list_has(l, span_z(name));
}

static void add_host(const struct opening *o, const char *host, bool is_optional)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *all, *ai;
	bool has4 = has_protocol(o->c, "ipv4"), has6 = has_protocol(o->c, "ipv6");
	char port[8];
	int rc;

	snprintf(port, sizeof(port), "%u", o->row->port);
	hints.ai_family = has4 && has6 ? AF_UNSPEC : has6 ? AF_INET6 : AF_INET;
	rc = getaddrinfo(host, port, &hints, &all);
	if (rc != 0) {
		if (!is_optional)
			conf_error(o->errors, "%s:%u: service %s: address %s: %s", o->c->services.file, o->row->line,
				   o->row->name, host, gai_strerror(rc));
		return;
	}
	for (ai = all; ai; ai = ai->ai_next)
		add_inet(o, ai, is_optional);
	freeaddrinfo(all);
}

static void add_all(const struct opening *o)
{
	const struct conf_list *listen_on = &o->c->login.listen;
	size_t i;

	if (strcmp(o->row->command, "login") != 0) {
		add_host(o, "0.0.0.0", true);
		add_host(o, "::", true);
		return;
	}
	for (i = 0; i < listen_on->n; i++) {
		bool is_any = strcmp(listen_on->v[i], "*") == 0 || strcmp(listen_on->v[i], "::") == 0;

		add_host(o, strcmp(listen_on->v[i], "*") == 0 ? "0.0.0.0" : listen_on->v[i], is_any);
	}
}

static void add_row(const struct opening *o)
{
	const struct conf_list *on = &o->c->global.inet_interfaces;
	size_t i;

	if (o->row->host) {
		add_host(o, o->row->host, false);
		return;
	}
	for (i = 0; i < on->n; i++) {
		if (strcmp(on->v[i], "all") == 0) {
			add_all(o);
		} else if (strcmp(on->v[i], "loopback-only") == 0) {
			add_host(o, "127.0.0.1", true);
			add_host(o, "::1", true);
		} else {
			add_host(o, on->v[i], false);
		}
	}
}

/* ---- unix ---- */

int listen_add_unix(struct listeners *l, const char *path, mode_t mode, const char *service, const char *command,
		    struct err *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd, rc = -1;

	if (strlen(path) >= sizeof(a.sun_path))
		return err_set(err, ERR_CONF,
			       "%s: a socket's path has at most %zu bytes; choose a shorter run_directory", path,
			       sizeof(a.sun_path) - 1);
	memcpy(a.sun_path, path, strlen(path));
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(err, "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0) {
		mode_t was = umask(0777 & ~mode);       /* never wider than it is meant to be, not even for a moment */

		rc = bind(fd, (struct sockaddr *)&a, sizeof(a));
		umask(was);
	}
	if (rc < 0 || listen(fd, BACKLOG) < 0) {
		err_sys(err, "socket %s", path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	add(l, path, service, command, fd)->is_unix = true;
	return 0;
}

static void add_unix_row(const struct opening *o)
{
	char path[256];
	struct err err = ERR_INIT;
	int fd;

	if (strcmp(o->row->command, "smtpd") != 0 && strcmp(o->row->command, "login") != 0)
		return;                 /* Postfix's rows of inner daemons: topology.c knows them */
	snprintf(path, sizeof(path), "%s/%s", o->c->global.run_directory, o->row->name);
	fd = take_over(o->old, path);
	if (fd >= 0)
		add(o->l, path, o->row->name, o->row->command, fd)->is_unix = true;
	else if (listen_add_unix(o->l, path, o->row->is_private ? 0600 : 0666, o->row->name, o->row->command,
				 &err) < 0) {
		conf_error(o->errors, "%s:%u: service %s: %s", o->c->services.file, o->row->line, o->row->name,
			   err.msg);
		return;
	}
	complete(&o->l->v[o->l->n - 1], o);
}

int listen_open(struct listeners *l, const struct config *c, const struct listeners *old, uint64_t retry_ms,
		struct conf_errors *errors)
{
	struct opening o = { l, c, old, clock_mono_ms() + retry_ms, errors, NULL };
	size_t i, before = errors->n;

	for (i = 0; i < c->services.n; i++) {
		o.row = &c->services.v[i];
		if (o.row->type == MASTERCF_INET)
			add_row(&o);
		else
			add_unix_row(&o);
	}
	return errors->n > before ? -1 : 0;
}

void listen_fini(struct listeners *l, bool is_end)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		struct listener *n = &l->v[i];

		close(n->fd);
		if (is_end && n->is_unix)
			unlink(n->key);
		free(n->key);
		free(n->service);
		free(n->command);
		free(n->overrides);
	}
	free(l->v);
	*l = (struct listeners){ 0 };
}
