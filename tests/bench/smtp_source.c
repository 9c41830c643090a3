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
#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "conn.h"

#define OPENING_MAX 200         /* connections without their first reply: the listen queue is finite */

enum step { GREETING, EHLO, AUTH, ENVELOPE, BODY, QUIT };

struct client {
	struct conn conn;
	enum step step;
	int replies_left;
	struct str in;
};

static struct {
	int connections, messages, recipients;
	bool is_idle, is_tls, is_single;
	size_t size;
	const char *from, *to, *user, *password;
	struct str auth, envelope, body;
	int started, finished, open, greeted;
	struct conn_plan plan;
	struct client *clients;
	uint64_t begin_ms;
} bench = { .connections = 1, .messages = 1, .recipients = 1, .size = 5000, .from = "bench@example.com",
	    .to = "tito@example.com", .plan = { .name = "smtp_source" } };

static void open_one(struct client *c);

static NORETURN void die(const char *what, const char *detail)
{
	conn_die(&bench.plan, what, detail);
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

static void say(struct client *c, const char *p, size_t n, enum step step, int replies)
{
	c->step = step;
	c->replies_left = replies;
	conn_say(&bench.plan, &c->conn, p, n, c);
}

static void next_letter(struct client *c)
{
	if (bench.started < bench.messages) {
		bench.started++;
		say(c, bench.envelope.p, bench.envelope.n, ENVELOPE, bench.recipients + 2);
	} else {
		say(c, "QUIT\r\n", 6, QUIT, 1);
	}
}

static void on_quit(struct client *c)
{
	conn_close(&c->conn);
	str_fini(&c->in);
	if (bench.is_single && bench.started < bench.messages)
		open_one(c);
	else
		bench.open--;
}

static void on_step_done(struct client *c)
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

static void on_line(struct client *c, const char *line, size_t n)
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

static void on_input(struct client *c)
{
	char buf[4096], *lf;
	ssize_t n;

	while (c->conn.fd >= 0 && (n = conn_recv(&c->conn, buf, sizeof(buf))) > 0) {
		if (str_add(&c->in, buf, (size_t)n) < 0)
			die("reply", "too long");
		while (c->in.n && (lf = memchr(c->in.p, '\n', c->in.n))) {
			size_t len = (size_t)(lf - c->in.p);
			int fd = c->conn.fd;

			on_line(c, c->in.p, len);
			if (c->conn.fd != fd || !c->in.n)
				return;         /* closed, or the next connection */
			str_drop(&c->in, len + 1);
		}
		if (!c->conn.tls)
			return;                 /* the rest comes with the next event */
	}
	if (c->conn.fd >= 0 && (n == 0 || errno != EAGAIN))
		die("connection", n ? strerror(errno) : "closed by the server");
}

static void open_one(struct client *c)
{
	str_init(&c->in, 65536);
	c->step = GREETING;
	c->replies_left = 1;
	conn_open(&bench.plan, &c->conn, (int)(c - bench.clients), c);
	if (bench.plan.tls)
		on_input(c);
}

/* Handles what has come; false when nothing came for half a minute. */
static bool turn(void)
{
	struct epoll_event ev[256];
	int i, n = epoll_wait(bench.plan.ep, ev, ARRAY_LEN(ev), 30000);

	for (i = 0; i < n; i++) {
		struct client *c = ev[i].data.ptr;

		if (c->conn.fd >= 0 && ev[i].events & EPOLLOUT)
			conn_push(&bench.plan, &c->conn, c);
		if (c->conn.fd >= 0 && ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
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
		case 'b': bench.plan.addresses = (int)strtol(optarg, NULL, 10); break;
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
	bench.plan.host = argv[optind];
	bench.plan.port = argv[optind + 1];
}

int main(int argc, char **argv)
{
	int i;

	parse_args(argc, argv);
	conn_plan_init(&bench.plan, bench.is_tls);
	make_auth();
	make_letter();
	bench.clients = xcalloc((size_t)bench.connections, sizeof(*bench.clients));
	bench.open = bench.is_idle ? 0 : bench.connections;
	bench.begin_ms = clock_mono_ms();
	for (i = 0; i < bench.connections; i++) {
		while (i - bench.greeted >= OPENING_MAX && turn())
			;
		open_one(&bench.clients[i]);
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
