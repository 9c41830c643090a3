/* conn: see conn.h. */
#include "conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

void conn_die(const struct conn_plan *p, const char *what, const char *detail)
{
	fprintf(stderr, "%s: %s: %s\n", p->name, what, detail);
	exit(1);
}

void conn_plan_init(struct conn_plan *p, bool is_tls)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	p->ep = epoll_create1(0);
	if (!is_tls)
		return;
	p->tls = SSL_CTX_new(TLS_client_method());
	if (!p->tls)
		conn_die(p, "TLS", "no context");
	SSL_CTX_set_mode(p->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
			 SSL_MODE_RELEASE_BUFFERS);
}

static void bind_local(struct conn_plan *p, struct conn *c, int i)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	int one = 1;

	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)(i % p->addresses));
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) < 0)
		conn_die(p, "bind", strerror(errno));
}

void conn_open(struct conn_plan *p, struct conn *c, int i, void *arg)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(p->port, NULL, 10)) };
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = arg };
	int one = 1;

	if (inet_pton(AF_INET, p->host, &sa.sin_addr) != 1)
		conn_die(p, "not an IPv4 address", p->host);
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd >= 0 && p->addresses)
		bind_local(p, c, i);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		conn_die(p, "connect", strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	c->tls = NULL;
	c->out_left = 0;
	if (epoll_ctl(p->ep, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		conn_die(p, "epoll_ctl", strerror(errno));
	if (!p->tls)
		return;
	c->tls = SSL_new(p->tls);
	if (!c->tls || SSL_set_fd(c->tls, c->fd) != 1)
		conn_die(p, "TLS", "no memory");
	SSL_set_connect_state(c->tls);
}

void conn_close(struct conn *c)
{
	SSL_free(c->tls);
	c->tls = NULL;
	close(c->fd);
	c->fd = -1;
}

/* As send and recv: what TLS waits for is EAGAIN. */
static ssize_t tls_rc(struct conn *c, int n)
{
	int why;

	if (n > 0)
		return n;
	why = SSL_get_error(c->tls, n);
	if (why == SSL_ERROR_ZERO_RETURN)
		return 0;
	errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
	return -1;
}

static ssize_t conn_send(struct conn *c)
{
	if (c->tls)
		return tls_rc(c, SSL_write(c->tls, c->out, (int)c->out_left));
	return send(c->fd, c->out, c->out_left, MSG_NOSIGNAL);
}

ssize_t conn_recv(struct conn *c, char *buf, size_t n)
{
	return c->tls ? tls_rc(c, SSL_read(c->tls, buf, (int)n)) : recv(c->fd, buf, n, 0);
}

void conn_push(struct conn_plan *p, struct conn *c, void *arg)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = arg };
	bool had = c->out_left > 0;

	while (c->out_left) {
		ssize_t n = conn_send(c);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			conn_die(p, "send", strerror(errno));
		c->out += n;
		c->out_left -= (size_t)n;
	}
	if (c->out_left)
		ev.events |= EPOLLOUT;
	if (had && epoll_ctl(p->ep, EPOLL_CTL_MOD, c->fd, &ev) < 0)
		conn_die(p, "epoll_ctl", strerror(errno));
}

void conn_say(struct conn_plan *p, struct conn *c, const char *p_out, size_t n, void *arg)
{
	c->out = p_out;
	c->out_left = n;
	conn_push(p, c, arg);
}
