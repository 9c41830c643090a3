/* imap_source: runs IMAP sessions over N connections at once and says how long it took; the load of the benchmarks.
 *
 * imap_source [-c connections] [-n sessions] [-u user] [-p password] [-x command]... [-b addresses] [-T] [-i] host port
 * A session is LOGIN, each command of -x in turn, LOGOUT. -u may hold one %d, which counts connections from 0.
 * -b: connects from 127.0.0.1, .2, ... in turn. -T: TLS from the first byte. -i: IDLE in the place of LOGOUT;
 * reports when all idle, and holds them until a byte comes on standard input. Prints one JSON line. One thread;
 * epoll; a command that fails ends it.
 *
 * Each connection: greeting → LOGIN → command… → LOGOUT → closed by the server → the next session
 */
#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "conn.h"

#define OPENING_MAX 100         /* connections without a login: the listen queue is finite */
#define COMMANDS_MAX 16
#define TAG "q7zt"              /* no line of a letter begins with it */
#define HEAD_MAX 160

struct client {
	struct conn conn;
	int i, step;            /* -1: greeting; 0: LOGIN; then the commands; the last is LOGOUT or IDLE */
	bool is_in;             /* logged in */
	size_t head_n;
	char head[HEAD_MAX];    /* how the current line begins */
	struct str out;
};

static struct {
	int connections, sessions, n_commands;
	const char *user, *password, *commands[COMMANDS_MAX];
	bool is_idle;
	int started, finished, open, in;
	uint64_t bytes, begin_ms;
	struct conn_plan plan;
	struct client *clients;
} bench = { .connections = 1, .sessions = 1, .user = "", .password = "", .plan = { .name = "imap_source" } };

static void on_input(struct client *c);

static void open_next(struct client *c)
{
	bench.started++;
	c->step = -1;
	c->is_in = false;
	c->head_n = 0;
	conn_open(&bench.plan, &c->conn, c->i, c);
	if (bench.plan.tls)
		on_input(c);            /* the client speaks first */
}

static void say_next(struct client *c)
{
	int rc;

	c->step++;
	str_reset(&c->out);
	if (c->step == 0) {
		char user[256];

		snprintf(user, sizeof(user), bench.user, c->i);
		rc = str_addf(&c->out, TAG " LOGIN \"%s\" \"%s\"\r\n", user, bench.password);
	} else if (c->step <= bench.n_commands) {
		rc = str_addf(&c->out, TAG " %s\r\n", bench.commands[c->step - 1]);
	} else {
		rc = str_addf(&c->out, TAG " %s\r\n", bench.is_idle ? "IDLE" : "LOGOUT");
	}
	if (rc < 0)
		conn_die(&bench.plan, "command", "too long");
	conn_say(&bench.plan, &c->conn, c->out.p, c->out.n, c);
}

static void on_line(struct client *c)
{
	bool is_mine = c->head_n > sizeof(TAG) && !memcmp(c->head, TAG " ", sizeof(TAG));
	bool is_good = is_mine && !memcmp(c->head + sizeof(TAG), "OK", 2);

	if (is_mine && !is_good) {
		c->head[c->head_n < HEAD_MAX ? c->head_n : HEAD_MAX - 1] = 0;
		conn_die(&bench.plan, "refused", c->head);
	}
	if (is_mine && c->step == 0) {
		c->is_in = true;
		bench.in++;
	}
	if (bench.is_idle && c->step > bench.n_commands && c->head[0] == '+')
		bench.open++;
	else if (c->step < 0 || (is_mine && c->step <= bench.n_commands))
		say_next(c);
}

static void on_bytes(struct client *c, const char *p, size_t n)
{
	bench.bytes += n;
	while (n) {
		const char *lf = memchr(p, '\n', n);
		size_t len = lf ? (size_t)(lf - p) + 1 : n;
		size_t keep = HEAD_MAX - c->head_n < len ? HEAD_MAX - c->head_n : len;

		if (keep)
			memcpy(c->head + c->head_n, p, keep);
		c->head_n += keep;
		if (lf) {
			on_line(c);
			c->head_n = 0;
		}
		p += len;
		n -= len;
	}
}

static void on_end(struct client *c, ssize_t n)
{
	if (c->step <= bench.n_commands)
		conn_die(&bench.plan, "connection", n ? strerror(errno) : "closed by the server");
	conn_close(&c->conn);
	bench.in--;
	bench.finished++;
	if (bench.started < bench.sessions)
		open_next(c);
	else
		bench.open--;
}

static void on_input(struct client *c)
{
	char buf[65536];
	ssize_t n;

	while ((n = conn_recv(&c->conn, buf, sizeof(buf))) > 0)
		on_bytes(c, buf, (size_t)n);
	if (n == 0 || errno != EAGAIN)
		on_end(c, n);
}

/* Handles what has come; false when nothing came for two minutes. */
static bool turn(void)
{
	struct epoll_event ev[256];
	int i, n = epoll_wait(bench.plan.ep, ev, ARRAY_LEN(ev), 120000);

	for (i = 0; i < n; i++) {
		struct client *c = ev[i].data.ptr;

		if (c->conn.fd >= 0 && ev[i].events & EPOLLOUT)
			conn_push(&bench.plan, &c->conn, c);
		if (c->conn.fd >= 0)
			on_input(c);
	}
	return n > 0;
}

static void report(void)
{
	double s = (double)(clock_mono_ms() - bench.begin_ms) / 1000;

	printf("{\"connections\": %d, \"sessions\": %d, \"bytes\": %llu, \"seconds\": %.3f, \"per_second\": %.1f}\n",
	       bench.connections, bench.finished, (unsigned long long)bench.bytes, s, s > 0 ? bench.finished / s : 0);
	fflush(stdout);
}

static bool parse_args(int argc, char **argv)
{
	bool is_tls = false;
	int opt;

	while ((opt = getopt(argc, argv, "c:n:u:p:x:b:Ti")) != -1) {
		switch (opt) {
		case 'c': bench.connections = (int)strtol(optarg, NULL, 10); break;
		case 'n': bench.sessions = (int)strtol(optarg, NULL, 10); break;
		case 'u': bench.user = optarg; break;
		case 'p': bench.password = optarg; break;
		case 'b': bench.plan.addresses = (int)strtol(optarg, NULL, 10); break;
		case 'x':
			if (bench.n_commands == COMMANDS_MAX)
				conn_die(&bench.plan, "commands", "too many");
			bench.commands[bench.n_commands++] = optarg;
			break;
		case 'T': is_tls = true; break;
		case 'i': bench.is_idle = true; break;
		default: exit(2);
		}
	}
	if (argc - optind != 2 || bench.connections < 1)
		conn_die(&bench.plan, "usage",
			 "imap_source [-c N] [-n N] [-u U -p P] [-x COMMAND]... [-b N] [-Ti] host port");
	bench.plan.host = argv[optind];
	bench.plan.port = argv[optind + 1];
	return is_tls;
}

int main(int argc, char **argv)
{
	int i;

	conn_plan_init(&bench.plan, parse_args(argc, argv));
	bench.clients = xcalloc((size_t)bench.connections, sizeof(*bench.clients));
	bench.open = bench.is_idle ? 0 : bench.connections;
	bench.begin_ms = clock_mono_ms();
	for (i = 0; i < bench.connections; i++) {
		while (bench.started - bench.finished - bench.in >= OPENING_MAX && turn())
			;
		bench.clients[i].i = i;
		str_init(&bench.clients[i].out, 1 << 20);
		open_next(&bench.clients[i]);
	}
	while (bench.is_idle ? bench.open < bench.connections : bench.open > 0) {
		if (!turn())
			conn_die(&bench.plan, "server", "silent for two minutes");
	}
	report();
	if (bench.is_idle)
		(void)getchar();
	return 0;
}
