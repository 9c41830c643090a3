/* smtp_source: sends letters over N SMTP connections at once and says how long it took; the load of the benchmarks.
 *
 * smtp_source [-c connections] [-m messages] [-s bytes] [-r recipients] [-f from] [-t to] [-b addresses] [-T] [-x]
 *             [-u user -p password] [-i] host port
 * -t may hold one %d, which counts the recipients of a letter from 0. -b: connects from 127.0.0.1, .2, ... in turn.
 * -T: TLS from the first byte. -x: a connection for each letter. -u, -p: AUTH PLAIN. -i only opens the connections,
 * reports, and holds them until a byte comes on standard input. Prints one JSON line. One thread; epoll; an unexpected
 * reply ends it.
 *
 * Each connection: GREETING → EHLO → (AUTH) → (MAIL RCPT… DATA in one write → replies → body → 250)* → QUIT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define OPENING_MAX 200         /* connections without their first reply: the listen queue is finite */

enum step { GREETING, EHLO, AUTH, ENVELOPE, BODY, QUIT };

struct conn {
	int fd;
	SSL *tls;
	enum step step;
	int replies_left;
	struct str in;
	const char *out;
	size_t out_left;
};

static struct {
	int connections, messages, recipients, addresses;
	bool is_idle, is_tls, is_single;
	size_t size;
	const char *from, *to, *host, *port, *user, *password;
	struct str auth, envelope, body;
	SSL_CTX *tls;
	int started, finished, open, greeted;
	int ep;
	struct conn *conns;
	uint64_t begin_ms;
} bench = { .connections = 1, .messages = 1, .recipients = 1, .size = 5000, .from = "bench@example.com",
	    .to = "tito@example.com" };

static void open_one(struct conn *c);

static NORETURN void die(const char *what, const char *detail)
{
	fprintf(stderr, "smtp_source: %s: %s\n", what, detail);
	exit(1);
}

static void add(struct str *s, const char *z)
{
	if (str_addz(s, z) < 0)
		die("letter", "too large");
}

static void make_auth(void)
{
	struct str plain;

	str_init(&bench.auth, 4096);
	str_init(&plain, 1024);
	if (!bench.user)
		return;
	if (str_add(&plain, "", 1) < 0 || str_addz(&plain, bench.user) < 0 || str_add(&plain, "", 1) < 0 ||
	    str_addz(&plain, bench.password ? bench.password : "") < 0)
		die("user", "too long");
	add(&bench.auth, "AUTH PLAIN ");
	if (base64_encode(&bench.auth, str_span(&plain)) < 0)
		die("user", "too long");
	add(&bench.auth, "\r\n");
	str_fini(&plain);
}

static void make_letter(void)
{
	static const char line[] = "The quick brown fox jumps over the lazy dog and carries a letter home again.\r\n";
	char to[512];
	int i;

	str_init(&bench.envelope, 1 << 20);
	str_init(&bench.body, (size_t)1 << 30);
	if (str_addf(&bench.envelope, "MAIL FROM:<%s>\r\n", bench.from) < 0)
		die("sender", "too long");
	for (i = 0; i < bench.recipients; i++) {
		snprintf(to, sizeof(to), bench.to, i);
		if (str_addf(&bench.envelope, "RCPT TO:<%s>\r\n", to) < 0)
			die("recipients", "too many");
	}
	add(&bench.envelope, "DATA\r\n");
	add(&bench.body, "From: bench@example.com\r\nTo: tito@example.com\r\nSubject: load\r\n\r\n");
	while (bench.body.n + sizeof(line) + 3 < bench.size)
		add(&bench.body, line);
	add(&bench.body, ".\r\n");
}

static void arm(struct conn *c)
{
	struct epoll_event ev = { .events = EPOLLIN | (c->out_left ? (uint32_t)EPOLLOUT : 0), .data.ptr = c };

	if (epoll_ctl(bench.ep, EPOLL_CTL_MOD, c->fd, &ev) < 0)
		die("epoll_ctl", strerror(errno));
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

static ssize_t conn_recv(struct conn *c, char *buf, size_t n)
{
	return c->tls ? tls_rc(c, SSL_read(c->tls, buf, (int)n)) : recv(c->fd, buf, n, 0);
}

static void push(struct conn *c)
{
	size_t before = c->out_left;

	while (c->out_left) {
		ssize_t n = conn_send(c);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			die("send", strerror(errno));
		c->out += n;
		c->out_left -= (size_t)n;
	}
	if (before && (c->out_left || before != c->out_left))
		arm(c);
}

static void say(struct conn *c, const char *p, size_t n, enum step step, int replies)
{
	c->out = p;
	c->out_left = n;
	c->step = step;
	c->replies_left = replies;
	push(c);
}

static void next_letter(struct conn *c)
{
	if (bench.started < bench.messages) {
		bench.started++;
		say(c, bench.envelope.p, bench.envelope.n, ENVELOPE, bench.recipients + 2);
	} else {
		say(c, "QUIT\r\n", 6, QUIT, 1);
	}
}

static void on_quit(struct conn *c)
{
	SSL_free(c->tls);
	close(c->fd);
	c->fd = -1;
	str_fini(&c->in);
	if (bench.is_single && bench.started < bench.messages)
		open_one(c);
	else
		bench.open--;
}

static void on_step_done(struct conn *c)
{
	switch (c->step) {
	case GREETING:
		bench.greeted++;
		say(c, "EHLO bench.example.com\r\n", 24, EHLO, 1);
		break;
	case EHLO:
		if (bench.is_idle)
			bench.open++;
		else if (bench.auth.n)
			say(c, bench.auth.p, bench.auth.n, AUTH, 1);
		else
			next_letter(c);
		break;
	case AUTH:
		next_letter(c);
		break;
	case ENVELOPE:
		say(c, bench.body.p, bench.body.n, BODY, 1);
		break;
	case BODY:
		bench.finished++;
		if (bench.is_single)
			say(c, "QUIT\r\n", 6, QUIT, 1);
		else
			next_letter(c);
		break;
	case QUIT:
		on_quit(c);
		break;
	}
}

static void on_line(struct conn *c, const char *line, size_t n)
{
	bool is_good = n >= 4 && (line[0] == '2' || (line[0] == '3' && c->step == ENVELOPE));

	if (!is_good) {
		char text[200];

		snprintf(text, sizeof(text), "%.*s", (int)(n > 150 ? 150 : n), line);
		die("unexpected reply", text);
	}
	if (line[3] == '-')
		return;
	if (--c->replies_left == 0)
		on_step_done(c);
}

static void on_input(struct conn *c)
{
	char buf[4096], *lf;
	ssize_t n;

	while (c->fd >= 0 && (n = conn_recv(c, buf, sizeof(buf))) > 0) {
		if (str_add(&c->in, buf, (size_t)n) < 0)
			die("reply", "too long");
		while (c->in.n && (lf = memchr(c->in.p, '\n', c->in.n))) {
			size_t len = (size_t)(lf - c->in.p);
			int fd = c->fd;

			on_line(c, c->in.p, len);
			if (c->fd != fd || !c->in.n)
				return;         /* closed, or the next connection */
			str_drop(&c->in, len + 1);
		}
		if (!c->tls)
			return;                 /* the rest comes with the next event */
	}
	if (c->fd >= 0 && (n == 0 || errno != EAGAIN))
		die("connection", n ? strerror(errno) : "closed by the server");
}

static void start_tls(struct conn *c)
{
	c->tls = SSL_new(bench.tls);
	if (!c->tls || SSL_set_fd(c->tls, c->fd) != 1)
		die("TLS", "no memory");
	SSL_set_connect_state(c->tls);
	on_input(c);
}

static void open_one(struct conn *c)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(bench.port, NULL, 10)) };
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	int one = 1;

	if (inet_pton(AF_INET, bench.host, &sa.sin_addr) != 1)
		die("not an IPv4 address", bench.host);
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd >= 0 && bench.addresses) {
		from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)((c - bench.conns) % bench.addresses));
		setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
		if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) < 0)
			die("bind", strerror(errno));
	}
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		die("connect", strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	str_init(&c->in, 65536);
	c->step = GREETING;
	c->replies_left = 1;
	c->tls = NULL;
	if (epoll_ctl(bench.ep, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		die("epoll_ctl", strerror(errno));
	if (bench.is_tls)
		start_tls(c);
}

/* Handles what has come; false when nothing came for half a minute. */
static bool turn(void)
{
	struct epoll_event ev[256];
	int i, n = epoll_wait(bench.ep, ev, ARRAY_LEN(ev), 30000);

	for (i = 0; i < n; i++) {
		struct conn *c = ev[i].data.ptr;

		if (c->fd >= 0 && ev[i].events & EPOLLOUT)
			push(c);
		if (c->fd >= 0 && ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			on_input(c);
	}
	return n > 0;
}

static void report(void)
{
	double s = (double)(clock_mono_ms() - bench.begin_ms) / 1000;

	printf("{\"connections\": %d, \"messages\": %d, \"recipients\": %d, \"bytes\": %zu, \"seconds\": %.3f, "
	       "\"per_second\": %.1f}\n",
	       bench.connections, bench.finished, bench.recipients, bench.body.n, s, s > 0 ? bench.finished / s : 0);
	fflush(stdout);
}

static void parse_args(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "c:m:s:r:f:t:b:u:p:Txi")) != -1) {
		switch (opt) {
		case 'c': bench.connections = (int)strtol(optarg, NULL, 10); break;
		case 'm': bench.messages = (int)strtol(optarg, NULL, 10); break;
		case 's': bench.size = strtoul(optarg, NULL, 10); break;
		case 'r': bench.recipients = (int)strtol(optarg, NULL, 10); break;
		case 'f': bench.from = optarg; break;
		case 't': bench.to = optarg; break;
		case 'b': bench.addresses = (int)strtol(optarg, NULL, 10); break;
		case 'u': bench.user = optarg; break;
		case 'p': bench.password = optarg; break;
		case 'T': bench.is_tls = true; break;
		case 'x': bench.is_single = true; break;
		case 'i': bench.is_idle = true; break;
		default: exit(2);
		}
	}
	if (argc - optind != 2 || bench.connections < 1)
		die("usage", "smtp_source [-c N] [-m N] [-s BYTES] [-r N] [-f FROM] [-t TO] [-b N] [-Tx] [-u U -p P] [-i] host port");
	bench.host = argv[optind];
	bench.port = argv[optind + 1];
}

static void init_tls(void)
{
	bench.tls = SSL_CTX_new(TLS_client_method());
	if (!bench.tls)
		die("TLS", "no context");
	SSL_CTX_set_mode(bench.tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
			 SSL_MODE_RELEASE_BUFFERS);
}

int main(int argc, char **argv)
{
	struct rlimit files;
	int i;

	parse_args(argc, argv);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	make_auth();
	make_letter();
	if (bench.is_tls)
		init_tls();
	bench.ep = epoll_create1(0);
	bench.conns = xcalloc((size_t)bench.connections, sizeof(*bench.conns));
	bench.open = bench.is_idle ? 0 : bench.connections;
	bench.begin_ms = clock_mono_ms();
	for (i = 0; i < bench.connections; i++) {
		while (i - bench.greeted >= OPENING_MAX && turn())
			;
		open_one(&bench.conns[i]);
	}
	while (bench.is_idle ? bench.open < bench.connections : bench.open > 0) {
		if (!turn())
			die("server", "silent for 30 s");
	}
	report();
	if (bench.is_idle)
		(void)getchar();
	return 0;
}
