/* POP3 before login, as transcripts; each in one piece, in pieces of 7, of 2 and of 1 byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <malloc.h>
#include <unistd.h>

#include "rig.h"

#define GREET "S: +OK Surat ready.\n"
#define REMOTE "203.0.113.9"

static const struct rig_script scripts[] = {
	{ "login on an open line", "pop3", "disable_plaintext_auth = no\n", REMOTE,
	  GREET "C: USER tito\nS: +OK\nC: PASS good\nS: +OK Logged in.\nC: STAT\nQ: STAT\nP: +OK 0 0\nS: +OK 0 0\n",
	  "Login: user=<tito@example.com>, method=PLAIN, rip=203.0.113.9, lip=192.0.2.25, mpid=4711, session=<" },
	{ "local clients count as secured", "pop3", "", "192.0.2.25",
	  GREET "C: USER tito\nS: +OK\nC: PASS good\nS: +OK Logged in.\n", "mpid=4711, secured, session=<" },
	{ "trusted networks too", "pop3", "login_trusted_networks = 203.0.113.0/24\n", REMOTE,
	  GREET "C: USER tito\nS: +OK\nC: PASS good\nS: +OK Logged in.\n", "secured" },
	{ "no password in clear", "pop3", "", REMOTE,
	  GREET "C: USER tito\nS: -ERR [AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.\n"
		"C: AUTH PLAIN AHRpdG8AZ29vZA==\n"
		"S: -ERR [AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.\n"
		"C: QUIT\nS: +OK Logging out\nE\n",
	  "Aborted login (tried to use disallowed plaintext auth): user=<tito>, method=PLAIN, rip=203.0.113.9, lip=192.0.2.25, "
	  "session=<" },
	{ "USER and PASS in the clear, unasked", "pop3", "", REMOTE,
	  GREET "R: USER tito\\r\\nPASS good\\r\\nQUIT\\r\\n\n"
		"S: -ERR [AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.\n"
		"S: -ERR [AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.\n"
		"S: +OK Logging out\nE\n",
	  "(tried to use disallowed plaintext auth): user=<tito>, rip=" },
	{ "the new name of it", "pop3", "auth_allow_cleartext = yes\n", REMOTE,
	  GREET "C: USER tito\nS: +OK\nC: PASS good\nS: +OK Logged in.\n", NULL },
	{ "ssl = required beats it", "pop3", "disable_plaintext_auth = no\nssl = required\n", REMOTE,
	  GREET "C: USER tito\nS: -ERR [AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.\n"
		"C: AUTH CRAM-MD5\nS: -ERR [AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.\n", NULL },
	{ "CAPA before TLS", "pop3", "", REMOTE,
	  GREET "C: CAPA\nS: +OK\nS: TOP\nS: UIDL\nS: RESP-CODES\nS: AUTH-RESP-CODE\nS: PIPELINING\nS: STLS\n"
		"S: SASL CRAM-MD5\nS: EXPIRE NEVER\nS: IMPLEMENTATION Surat\nS: .\n", NULL },
	{ "CAPA after TLS", "pop3", "", REMOTE,
	  GREET "C: STLS\nS: +OK Begin TLS negotiation now.\nT\nC: capa\nS: +OK\nS: TOP\nS: UIDL\nS: RESP-CODES\n"
		"S: AUTH-RESP-CODE\nS: PIPELINING\nS: USER\nS: SASL PLAIN LOGIN CRAM-MD5\nS: EXPIRE NEVER\n"
		"S: IMPLEMENTATION Surat\nS: .\nC: STLS\nS: -ERR TLS is already active.\n", NULL },
	{ "no STLS without TLS", "pop3", "ssl = no\n", REMOTE,
	  GREET "C: CAPA\nS: +OK\nS: TOP\nS: UIDL\nS: RESP-CODES\nS: AUTH-RESP-CODE\nS: PIPELINING\nS: SASL CRAM-MD5\n"
		"S: EXPIRE NEVER\nS: IMPLEMENTATION Surat\nS: .\nC: STLS\nS: -ERR TLS support isn't enabled.\n", NULL },
	{ "login under STLS and the relay", "pop3", "", REMOTE,
	  GREET "C: STLS\nS: +OK Begin TLS negotiation now.\nT\nC: USER tito\nS: +OK\nC: PASS good\nS: +OK Logged in.\n"
		"C: STAT\nQ: STAT\nP: +OK 0 0\nS: +OK 0 0\n", "mpid=4711, TLS, session=<" },
	{ "implicit TLS", "pop3s", "", REMOTE,
	  "T\n" GREET "C: AUTH PLAIN AHRpdG8AZ29vZA==\nS: +OK Logged in.\n", "TLS, session=<" },
	{ "implicit TLS by option", "995", "login_protocol = pop3\nlogin_tls_wrappermode = yes\n", REMOTE, "T\n" GREET, NULL },
	{ "what came before TLS is forgotten", "pop3", "disable_plaintext_auth = no\n", REMOTE,
	  GREET "C: USER tito\nS: +OK\nC: STLS\nS: +OK Begin TLS negotiation now.\nT\nC: PASS good\n"
		"S: -ERR No username given.\n", NULL },
	{ "AUTH with challenges", "pop3", "", "192.0.2.25",
	  GREET "C: AUTH PLAIN\nS: + \nC: AHRpdG8AZ29vZA==\nS: +OK Logged in.\n", "method=PLAIN" },
	{ "AUTH CRAM-MD5 in the clear", "pop3", "", REMOTE,
	  GREET "C: auth cram-md5\nS: + PGNoYWxsZW5nZT4=\nC: AHRpdG8AZ29vZA==\nS: +OK Logged in.\n", "method=CRAM-MD5" },
	{ "AUTH is cancelled", "pop3", "", "192.0.2.25",
	  GREET "C: AUTH PLAIN\nS: + \nC: *\nS: -ERR Authentication aborted by client.\nC: NOOP\n"
		"S: -ERR Unknown command.\n", NULL },
	{ "bad base64", "pop3", "", "192.0.2.25",
	  GREET "C: AUTH PLAIN !!!\nS: -ERR Invalid base64 data in authentication response.\n"
		"C: AUTH PLAIN\nS: + \nC: x\nS: -ERR Invalid base64 data in authentication response.\n"
		"C: AUTH PLAIN =\nS: -ERR [AUTH] Authentication failed.\n", NULL },
	{ "AUTH lists", "pop3", "", "192.0.2.25", GREET "C: AUTH\nS: +OK\nS: PLAIN\nS: LOGIN\nS: CRAM-MD5\nS: .\n", NULL },
	{ "unknown mechanism", "pop3", "", "192.0.2.25",
	  GREET "C: AUTH GSSAPI\nS: -ERR Unsupported authentication mechanism.\nC: QUIT\nS: +OK Logging out\nE\n",
	  "Aborted login (tried to use unsupported auth mechanism): user=<>, method=GSSAPI, rip=" },
	{ "another works", "pop3", "", "192.0.2.25",
	  GREET "C: AUTH A-NAME-THAT-IS-LONGER-THAN-ANY\nS: -ERR Unsupported authentication mechanism.\n"
		"C: AUTH PLAIN AHRpdG8AYmFk\nS: -ERR [AUTH] Authentication failed.\nC: QUIT\nS: +OK Logging out\nE\n",
	  "Aborted login (auth failed, 1 attempts in 0 secs): user=<tito>, method=PLAIN, rip=" },
	{ "wrong password three times", "pop3", "", "192.0.2.25",
	  GREET "C: USER tito\nS: +OK\nC: PASS bad\nS: -ERR [AUTH] Authentication failed.\n"
		"C: PASS good\nS: -ERR No username given.\n"
		"C: USER tito\nS: +OK\nC: PASS bad\nS: -ERR [AUTH] Authentication failed.\n"
		"C: AUTH PLAIN AHRpdG8AYmFk\nS: -ERR [AUTH] Authentication failed.\nE\n",
	  "Disconnected: Too many authentication failures (auth failed, 3 attempts in 0 secs): user=<tito>, method=PLAIN, "
	  "rip=192.0.2.25, lip=192.0.2.25, secured, session=<" },
	{ "the client goes after a failure", "pop3", "", "192.0.2.25",
	  GREET "C: USER tito\nS: +OK\nC: PASS bad\nS: -ERR [AUTH] Authentication failed.\nC: QUIT\nS: +OK Logging out\nE\n",
	  "Aborted login (auth failed, 1 attempts in 0 secs): user=<tito>, method=PLAIN, rip=192.0.2.25," },
	{ "nobody tries", "pop3", "", REMOTE, GREET "C: QUIT\nS: +OK Logging out\nE\n",
	  "Aborted login (no auth attempts in 0 secs): user=<>, rip=203.0.113.9, lip=192.0.2.25, session=<" },
	{ "pipelined behind the login", "pop3", "", "192.0.2.25",
	  GREET "R: USER tito\\r\\nPASS good\\r\\nSTAT\\r\\nLIST\\r\\n\nS: +OK\nS: +OK Logged in.\n", NULL },
	{ "password with spaces and 8 bit", "pop3", "", "192.0.2.25",
	  GREET "C: USER tito\nS: +OK\nR: PASS  p\\xc3\\xa4ss \\xff \\r\\n\nS: -ERR [AUTH] Authentication failed.\n", NULL },
	{ "broken UTF-8 in the name", "pop3", "", "192.0.2.25",
	  GREET "R: USER \\xc3\\x28\\r\\nPASS x\\r\\n\nS: +OK\nS: -ERR [AUTH] Authentication failed.\n"
		"C: QUIT\nS: +OK Logging out\nE\n", "Aborted login (auth failed, 1 attempts in 0 secs): user=<" },
	{ "NUL in a line", "pop3", "", "192.0.2.25", GREET "R: USER ti\\0to\\r\\n\nS: -ERR Unknown command.\n", NULL },
	{ "control characters reach the log escaped", "pop3", "", "192.0.2.25",
	  GREET "R: USER a\\x1b[2Jb\\rc\\r\\nPASS x\\r\\n\nS: +OK\nS: -ERR [AUTH] Authentication failed.\n"
		"C: QUIT\nS: +OK Logging out\nE\n",
	  "user=<a\\x1b[2Jb\\x0dc>" },
	{ "an HTTP request", "pop3", "", REMOTE,
	  GREET "R: POST / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\nUSER a\\r\\n\nS: -ERR Unknown command.\nE\n",
	  "Disconnected: HTTP request (" },
	{ "ten wrong commands", "pop3", "", REMOTE,
	  GREET "R: a\\r\\nb\\r\\nc\\r\\nd\\r\\ne\\r\\nf\\r\\ng\\r\\nh\\r\\ni\\r\\nj\\r\\nk\\r\\n\n"
		"S: -ERR Unknown command.\nS: -ERR Unknown command.\nS: -ERR Unknown command.\nS: -ERR Unknown command.\n"
		"S: -ERR Unknown command.\nS: -ERR Unknown command.\nS: -ERR Unknown command.\nS: -ERR Unknown command.\n"
		"S: -ERR Unknown command.\nS: -ERR Unknown command.\nS: -ERR Too many invalid commands.\nE\n",
	  "Disconnected: Too many invalid commands (" },
	{ "APOP is not there", "pop3", "", REMOTE, GREET "C: APOP tito 0123\nS: -ERR Unknown command.\n", NULL },
	{ "missing arguments", "pop3", "", "192.0.2.25",
	  GREET "C: USER\nS: -ERR Missing argument.\nC: USER tito\nS: +OK\nC: PASS\nS: -ERR Missing argument.\n", NULL },
	{ "lines that end in LF", "pop3", "", "192.0.2.25",
	  GREET "R: USER tito\\nPASS good\\n\nS: +OK\nS: +OK Logged in.\n", NULL },
};

static void test_scripts(void **state)
{
	rig_scripts(scripts, ARRAY_LEN(scripts));
}

/* CVE-2011-0411: whoever sits on the line sends commands in the packet of STLS. */
static void test_injection(void **state)
{
	struct rig g;
	struct client c;

	rig_open(&g, "pop3", "disable_plaintext_auth = no\n");
	client_open(&c, &g, REMOTE);
	client_script(&c, "greeting", GREET);
	client_script(&c, "injected", "R: STLS\\r\\nUSER evil\\r\\nPASS good\\r\\n\nS: +OK Begin TLS negotiation now.\n");
	assert_true(client_tls(&c));
	client_script(&c, "after", "C: PASS good\nS: -ERR No username given.\nC: USER tito\nS: +OK\nC: PASS good\n"
				   "S: +OK Logged in.\n");
	assert_int_equal(g.n_starts, 1);
	assert_memory_equal(g.last_initial, "\0tito\0good", 10);
	assert_true(g.was_secure && g.was_tls);
	client_close(&c);
	rig_close(&g);
}

static void test_handover(void **state)
{
	struct rig g;
	struct client c;

	rig_open(&g, "pop3", "");
	client_open(&c, &g, "192.0.2.25");
	client_script(&c, "login", GREET "R: USER tito\\r\\nPASS good\\r\\nSTAT\\r\\nLI\nS: +OK\nS: +OK Logged in.\n");
	assert_string_equal(g.input, "STAT\r\nLI");
	assert_string_equal(g.ticket, "TICKET1");
	assert_string_equal(g.capa, "USER\r\nSASL PLAIN LOGIN CRAM-MD5\r\n");
	assert_int_equal(strlen(g.session), 16);
	assert_false(g.was_tls);
	assert_int_equal(g.srv.n_sessions, 0);
	assert_int_equal(g.n_disconnects, 1);
	client_close(&c);
	rig_close(&g);
}

static void test_parent_refuses(void **state)
{
	static const char *const services[] = { "pop3", "pop3s" };
	size_t i;

	for (i = 0; i < 2; i++) {
		struct rig g;
		struct client c;

		rig_open(&g, services[i], "");
		g.parent_refuses = true;
		client_open(&c, &g, "192.0.2.25");
		client_script(&c, services[i], i ? "T\n" GREET : GREET);
		client_script(&c, services[i], "C: USER tito\nS: +OK\nC: PASS good\nS: -ERR [SYS/TEMP] No room.\nE\n");
		assert_non_null(strstr(g.log.p, "Internal login failure (internal failure, 1 successful auths)"));
		client_close(&c);
		rig_close(&g);
	}
}

static void test_parent_away(void **state)
{
	struct rig g;
	struct client c;

	rig_open(&g, "pop3", "");
	g.parent_is_mute = true;
	client_open(&c, &g, "192.0.2.25");
	client_script(&c, "mute", GREET "C: USER tito\nS: +OK\nC: PASS good\n");
	ipc_close(&g.parent);
	client_script(&c, "gone", "S: -ERR [SYS/TEMP] Temporary authentication failure.\nE\n");
	client_close(&c);
	client_open(&c, &g, "192.0.2.25");
	client_script(&c, "away", GREET "C: USER tito\nS: +OK\nC: PASS good\n"
				  "S: -ERR [SYS/TEMP] Temporary authentication failure.\nE\n");
	client_close(&c);
	rig_close(&g);
}

static void test_auth_away(void **state)
{
	struct rig g;
	struct client c;

	rig_open(&g, "pop3", "");
	g.auth_is_mute = true;
	client_open(&c, &g, "192.0.2.25");
	client_script(&c, "mute", GREET "C: USER tito\nS: +OK\nC: PASS good\n");
	rig_detach_auth(&g);
	client_script(&c, "gone", "S: -ERR [SYS/TEMP] Temporary authentication failure.\n");
	client_script(&c, "away", "C: USER tito\nS: +OK\nC: PASS good\n"
				  "S: -ERR [SYS/TEMP] Temporary authentication failure.\n");
	client_close(&c);
	rig_close(&g);
}

static void test_statuses(void **state)
{
	static const struct {
		enum auth_status status;
		const char *text, *want, *log;
	} rows[] = {
		{ AUTH_FAIL, NULL, "S: -ERR [AUTH] Authentication failed.\n", "(auth failed, 1 attempts in 0 secs)" },
		{ AUTH_TEMP, NULL, "S: -ERR [SYS/TEMP] Temporary authentication failure.\n", "(temporary authentication failure)" },
		{ AUTH_TEMP, "Later.", "S: -ERR [SYS/TEMP] Later.\n", "(temporary authentication failure)" },
		{ AUTH_REFUSED, "Account is disabled.", "S: -ERR [AUTH] Account is disabled.\n",
		  "(login disabled, 1 successful auths): user=<tito>" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig g;
		struct client c;
		char script[500];

		rig_open(&g, "pop3", "");
		g.status = rows[i].status;
		g.text = rows[i].text;
		client_open(&c, &g, "192.0.2.25");
		snprintf(script, sizeof(script), GREET "C: USER tito\nS: +OK\nC: PASS bad\n%sC: QUIT\nS: +OK Logging out\nE\n",
			 rows[i].want);
		client_script(&c, rows[i].want, script);
		assert_non_null(strstr(g.log.p, rows[i].log));
		/* our own trouble is no guess of theirs */
		client_close(&c);
		rig_close(&g);
	}
}

static void test_limits(void **state)
{
	struct rig g;
	struct client c;
	char line[20000];

	rig_open(&g, "pop3", "login_client_connection_count_limit = 5\n");
	memset(line, 'x', sizeof(line));
	client_open(&c, &g, REMOTE);
	client_script(&c, "long", GREET);
	client_send(&c, line, 3000);
	client_script(&c, "long", "S: -ERR Line is too long.\nE\n");
	client_close(&c);
	/* an answer of SASL may be longer, but not without end */
	client_open(&c, &g, "192.0.2.25");
	client_script(&c, "sasl", GREET "C: AUTH PLAIN\nS: + \n");
	client_send(&c, line, sizeof(line));
	client_script(&c, "sasl", "S: -ERR Line is too long.\nE\n");
	client_close(&c);
	assert_int_equal(g.n_aborts, 1);
	g.anvil_count = 6;
	client_open(&c, &g, REMOTE);
	client_script(&c, "many", "S: -ERR [SYS/TEMP] Too many connections from your address.\nE\n");
	client_close(&c);
	client_open(&c, &g, "192.0.2.25");
	client_script(&c, "many, but local", GREET);
	client_close(&c);
	assert_int_equal(g.n_connects, g.n_disconnects);
	assert_int_equal(g.srv.n_sessions, 0);
	rig_close(&g);
}

static void wait_turns(struct rig *g, unsigned ms)
{
	unsigned i;

	for (i = 0; i < ms / 10; i++) {
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
		rig_spin(g);
	}
}

/* The login timer, with a service that gives 5 s (the least there is) and the test's patience. */
static void test_timeout(void **state)
{
	struct rig g;
	struct client c, tls;

	rig_open(&g, "pop3", "");
	g.svc->conf.login_timeout_ms = 100;
	client_open(&c, &g, REMOTE);
	client_script(&c, "greeting", GREET);
	client_open(&tls, &g, REMOTE);
	client_script(&tls, "STLS and silence", GREET "C: STLS\nS: +OK Begin TLS negotiation now.\n");
	wait_turns(&g, 200);
	client_script(&c, "timeout", "S: -ERR Disconnected for inactivity.\nE\n");
	client_script(&tls, "timeout in the handshake", "E\n");
	assert_non_null(strstr(g.log.p, "Disconnected: Inactivity (no auth attempts in 0 secs): "));
	client_close(&c);
	client_close(&tls);
	rig_close(&g);
}

static void test_bad_tls(void **state)
{
	struct rig g;
	struct client c;

	rig_open(&g, "pop3s", "");
	client_open(&c, &g, REMOTE);
	client_script(&c, "plain client", "R: GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n\n");
	(void)client_read(&c);
	client_close(&c);
	assert_non_null(strstr(g.log.p, "Disconnected: Connection closed (no auth attempts in 0 secs): user=<>, "
					"rip=203.0.113.9, "
					"lip=192.0.2.25, TLS handshaking: SSL_accept() failed: error:"));
	rig_close(&g);
}

/* A child that sends without end to a client that does not read, and the other way: nothing grows. */
static void test_relay_pressure(void **state)
{
	enum { TOTAL = 4 << 20 };
	struct rig g;
	struct client c;
	char block[8192];
	size_t sent = 0, got = 0, i;
	bool child_is_blocked = false;

	for (i = 0; i < sizeof(block); i++)
		block[i] = (char)('a' + i % 23);
	rig_open(&g, "pop3s", "");
	client_open(&c, &g, REMOTE);
	client_script(&c, "login", "T\n" GREET "C: AUTH PLAIN AHRpdG8AZ29vZA==\nS: +OK Logged in.\n");
	while (got < TOTAL) {
		size_t n = TOTAL - sent < sizeof(block) ? TOTAL - sent : sizeof(block);
		ssize_t put = n ? send(g.child, block + sent % 8192 % 23, n < 4000 ? n : 4000, MSG_DONTWAIT) : 0;

		if (put > 0) {
			for (i = 0; i < (size_t)put; i++)
				assert_true(block[sent % 8192 % 23 + i] == (char)('a' + (sent % 8192 % 23 + i) % 23));
			sent += (size_t)put;
		}
		child_is_blocked |= n && put < 0;
		loop_turn(&g.loop, false);
		assert_true(LIST_FIRST(&g.srv.sessions)->io.out.n <= SESSION_OUT_MAX + 32768);
		if (child_is_blocked || sent == TOTAL) {
			char buf[3000];
			int k = SSL_read(c.ssl, buf, sizeof(buf));

			got += k > 0 ? (size_t)k : 0;
		}
	}
	assert_true(child_is_blocked);
	assert_int_equal(got, TOTAL);
	client_close(&c);
	rig_close(&g);
}

/* Whatever the child wrote in one go arrives whole, though the relay gives way to others after some rounds. */
static void test_relay_leaves_nothing(void **state)
{
	struct rig g;
	struct client c;
	char *block = calloc(1, 160000);
	size_t n;

	rig_open(&g, "pop3s", "");
	client_open(&c, &g, REMOTE);
	client_script(&c, "login", "T\n" GREET "C: AUTH PLAIN AHRpdG8AZ29vZA==\nS: +OK Logged in.\n");
	for (n = 1000; n < 150000; n += 3000) {
		assert_int_equal(send(g.child, block, n, 0), n);
		assert_true(client_read(&c));
		assert_int_equal(c.in.n, n);
		str_reset(&c.in);
	}
	client_close(&c);
	rig_close(&g);
	free(block);
}

static void test_relay_ends(void **state)
{
	struct rig g;
	struct client c;
	char buf[64];

	rig_open(&g, "pop3s", "");
	/* the client says goodbye: the child sees the end and may still answer */
	client_open(&c, &g, REMOTE);
	client_script(&c, "login", "T\n" GREET "C: AUTH PLAIN AHRpdG8AZ29vZA==\nS: +OK Logged in.\nC: QUIT\nQ: QUIT\n");
	SSL_shutdown(c.ssl);
	rig_spin(&g);
	assert_int_equal(recv(g.child, buf, sizeof(buf), 0), 0);
	assert_int_equal(g.srv.n_sessions, 1);
	assert_true(write(g.child, "+OK bye\r\n", 9) == 9);
	close(g.child);
	g.child = -1;
	client_script(&c, "last words", "S: +OK bye\nE\n");
	assert_int_equal(g.srv.n_sessions, 0);
	client_close(&c);
	/* the client is torn away */
	client_open(&c, &g, REMOTE);
	client_script(&c, "login", "T\n" GREET "C: AUTH PLAIN AHRpdG8AZ29vZA==\nS: +OK Logged in.\n");
	close(c.fd);
	c.fd = -1;
	rig_spin(&g);
	assert_int_equal(recv(g.child, buf, sizeof(buf), 0), 0);
	close(g.child);
	g.child = -1;
	rig_spin(&g);
	assert_int_equal(g.srv.n_sessions, 0);
	client_close(&c);
	rig_close(&g);
}

static void on_empty(void *arg)
{
	*(bool *)arg = true;
}

static void test_drain(void **state)
{
	struct rig g;
	struct client relayed, fresh;
	bool is_empty = false;

	rig_open(&g, "pop3s", "");
	g.srv.on_empty = on_empty;
	g.srv.on_empty_arg = &is_empty;
	client_open(&relayed, &g, REMOTE);
	client_script(&relayed, "login", "T\n" GREET "C: AUTH PLAIN AHRpdG8AZ29vZA==\nS: +OK Logged in.\n");
	client_open(&fresh, &g, REMOTE);
	client_script(&fresh, "greeting", "T\n" GREET);
	server_drain(&g.srv);
	rig_spin(&g);
	assert_false(is_empty);
	client_script(&relayed, "goes on", "C: STAT\nQ: STAT\nP: +OK 1 2\nS: +OK 1 2\n");
	client_script(&fresh, "goes on", "C: QUIT\nS: +OK Logging out\nE\n");
	client_close(&fresh);
	assert_false(is_empty);
	close(g.child);
	g.child = -1;
	client_script(&relayed, "ends", "E\n");
	assert_true(is_empty);
	client_close(&relayed);
	rig_close(&g);
}

/* CVE-2017-15132: aborted exchanges, lines without end, bad base64, 10,000 times; memory stays, others are served. */
static void test_memory_flat(void **state)
{
	struct rig g;
	struct client other, c;
	struct mallinfo2 before = { 0 }, after;
	int i;

	rig_open(&g, "pop3", "");
	client_open(&other, &g, "192.0.2.25");
	client_script(&other, "other", GREET);
	for (i = 0; i < 1250; i++) {
		if (i == 100)
			before = mallinfo2();
		client_open(&c, &g, "192.0.2.25");
		client_send(&c, "AUTH PLAIN\r\n*\r\nAUTH PLAIN\r\n!\r\nAUTH PLAIN ====\r\nAUTH CRAM-MD5\r\n*\r\nAUTH PLAIN\r\n*\r\n"
				"AUTH PLAIN\r\n*\r\nAUTH PLAIN\r\n*\r\nUSER x\r\nAUTH LOGIN\r\n", 131);
		client_close(&c);
		if (g.log.n > 100000)
			str_reset(&g.log);
	}
	after = mallinfo2();
	assert_true(g.n_aborts >= 8000);
	assert_true(after.uordblks < before.uordblks + 200000);
	assert_int_equal(g.srv.n_sessions, 1);
	client_script(&other, "other", "C: USER tito\nS: +OK\nC: PASS good\nS: +OK Logged in.\n");
	client_close(&other);
	rig_close(&g);
}

static void test_size(void **state)
{
	assert_true(sizeof(struct session) <= 1300);
}

static void test_service(void **state)
{
	static const struct {
		const char *name, *options;
		const char *error;
	} rows[] = {
		{ "pop3", "", NULL }, { "pop3s", "", NULL }, { "10110", "login_protocol = pop3\n", NULL },
		{ "10110", "", "login does not speak 10110" },
		{ "pop3", "login_trusted_networks = 300.0.0.0/8\n", "login_trusted_networks" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct conf_errors errors = { 0 };
		struct conf c = { 0 };
		struct err err = ERR_INIT;
		struct service *svc;

		assert_int_equal(conf_parse(&c, "test", span_z(rows[i].options), &errors), 0);
		svc = service_new(rows[i].name, &c, &err);
		if ((svc != NULL) != (rows[i].error == NULL) || (rows[i].error && !strstr(err.msg, rows[i].error)))
			fail_msg("%s %s: %s", rows[i].name, rows[i].options, err.msg);
		service_unref(&svc);
		conf_fini(&c);
		conf_errors_fini(&errors);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts), cmocka_unit_test(test_injection), cmocka_unit_test(test_handover),
		cmocka_unit_test(test_parent_refuses), cmocka_unit_test(test_parent_away), cmocka_unit_test(test_auth_away),
		cmocka_unit_test(test_statuses), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_timeout), cmocka_unit_test(test_bad_tls), cmocka_unit_test(test_relay_pressure),
		cmocka_unit_test(test_relay_leaves_nothing), cmocka_unit_test(test_relay_ends), cmocka_unit_test(test_drain),
		cmocka_unit_test(test_memory_flat),
		cmocka_unit_test(test_size), cmocka_unit_test(test_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
