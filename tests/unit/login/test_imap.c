/* IMAP before login, as transcripts; each in one piece, in pieces of 7, of 2 and of 1 byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <malloc.h>
#include <unistd.h>

#include "rig.h"

#define REMOTE "203.0.113.9"
#define OWN "192.0.2.25"
#define BASE "IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE IDLE"
#define PLAIN_CAPS BASE " STARTTLS AUTH=PLAIN AUTH=LOGIN AUTH=CRAM-MD5"
#define GREET_OWN "S: * OK [CAPABILITY " PLAIN_CAPS "] Surat ready.\n"
#define GREET_REMOTE "S: * OK [CAPABILITY " BASE " STARTTLS LOGINDISABLED AUTH=CRAM-MD5] Surat ready.\n"
#define GREET_TLS "S: * OK [CAPABILITY " BASE " AUTH=PLAIN AUTH=LOGIN AUTH=CRAM-MD5] Surat ready.\n"
#define LISTED " OK Pre-login capabilities listed, post-login capabilities have more.\n"
#define ALERT "S: * BAD [ALERT] Plaintext authentication not allowed without SSL/TLS, but your client did it anyway. " \
	"If anyone was listening, the password was exposed.\n"
#define PRIVACY " NO [PRIVACYREQUIRED] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.\n"
#define WRONG " NO [AUTHENTICATIONFAILED] Authentication failed.\n"

static const struct rig_script scripts[] = {
	{ "login on an open line", "imap", "disable_plaintext_auth = no\n", REMOTE,
	  GREET_OWN "C: a1 LOGIN tito good\nS: a1 OK Logged in\nC: a2 NOOP\nQ: a2 NOOP\nP: a2 OK\nS: a2 OK\n",
	  "Login: user=<tito@example.com>, method=PLAIN, rip=203.0.113.9, lip=192.0.2.25, mpid=4711, session=<" },
	{ "quoted strings", "imap", "", OWN, GREET_OWN "C: x login \"ti\\\\to\" \"good\"\nS: x OK Logged in\n", "secured" },
	{ "synchronizing literals", "imap", "", OWN,
	  GREET_OWN "C: a LOGIN {4}\nS: + OK\nC: tito {4}\nS: + OK\nC: good\nS: a OK Logged in\n", "mpid=4711" },
	{ "literals that do not wait", "imap", "", OWN,
	  GREET_OWN "R: a LOGIN {4+}\\r\\ntito {4+}\\r\\ngood\\r\\n\nS: a OK Logged in\n", "mpid=4711" },
	{ "a command inside a literal", "imap", "", OWN,
	  GREET_OWN "R: a LOGIN {16+}\\r\\nx\\r\\nb LOGIN x y\\r\\n good\\r\\nc NOOP\\r\\n\nS: a OK Logged in\n", NULL },
	{ "no password in clear", "imap", "", REMOTE,
	  GREET_REMOTE "C: a LOGIN tito good\n" ALERT "S: a" PRIVACY
		"C: b AUTHENTICATE PLAIN AHRpdG8AZ29vZA==\n" ALERT "S: b" PRIVACY "C: c LOGOUT\nS: * BYE Logging out\n"
		"S: c OK Logout completed.\nE\n",
	  "Aborted login (tried to use disallowed plaintext auth): user=<tito>, method=PLAIN, rip=203.0.113.9, lip=192.0.2.25, "
	  "session=<" },
	{ "no password in clear by LOGIN", "imap", "", REMOTE,
	  GREET_REMOTE "C: a LOGIN tito good\n" ALERT "S: a" PRIVACY "C: c LOGOUT\nS: * BYE Logging out\nS: c OK Logout completed.\nE\n",
	  "(tried to use disallowed plaintext auth): user=<tito>, rip=" },
	{ "ssl = required", "imap", "disable_plaintext_auth = no\nssl = required\n", REMOTE,
	  "S: * OK [CAPABILITY " BASE " STARTTLS LOGINDISABLED] Surat ready.\n"
	  "C: a AUTHENTICATE CRAM-MD5\nS: a" PRIVACY "C: b LOGIN x y\n" ALERT "S: b" PRIVACY
		"C: c AUTHENTICATE PLAIN\nS: c" PRIVACY, NULL },
	{ "no TLS to start", "imap", "ssl = no\n", REMOTE,
	  "S: * OK [CAPABILITY " BASE " LOGINDISABLED AUTH=CRAM-MD5] Surat ready.\n"
	  "C: a STARTTLS\nS: a BAD TLS support isn't enabled.\n", NULL },
	{ "STARTTLS", "imap", "", REMOTE,
	  GREET_REMOTE "C: a STARTTLS\nS: a OK Begin TLS negotiation now.\nT\nC: b capability\n"
		"S: * CAPABILITY " BASE " AUTH=PLAIN AUTH=LOGIN AUTH=CRAM-MD5\nS: b" LISTED
		"C: c STARTTLS\nS: c BAD TLS is already active.\nC: d LOGIN tito good\nS: d OK Logged in\n"
		"C: e SELECT INBOX\nQ: e SELECT INBOX\nP: e OK\nS: e OK\n", "mpid=4711, TLS, session=<" },
	{ "implicit TLS", "imaps", "", REMOTE, "T\n" GREET_TLS "C: a AUTHENTICATE PLAIN AHRpdG8AZ29vZA==\nS: a OK Logged in\n",
	  "TLS, session=<" },
	{ "CAPABILITY and NOOP", "imap", "", REMOTE,
	  GREET_REMOTE "C: a CAPABILITY\nS: * CAPABILITY " BASE " STARTTLS LOGINDISABLED AUTH=CRAM-MD5\nS: a" LISTED
		"C: b noop\nS: b OK NOOP completed.\n", NULL },
	{ "AUTHENTICATE with a challenge", "imap", "", OWN,
	  GREET_OWN "C: a AUTHENTICATE PLAIN\nS: + \nC: AHRpdG8AZ29vZA==\nS: a OK Logged in\n", "method=PLAIN" },
	{ "CRAM-MD5 in the clear", "imap", "", REMOTE,
	  GREET_REMOTE "C: a authenticate cram-md5\nS: + PGNoYWxsZW5nZT4=\nC: AHRpdG8AZ29vZA==\nS: a OK Logged in\n",
	  "method=CRAM-MD5" },
	{ "AUTHENTICATE is cancelled", "imap", "", OWN,
	  GREET_OWN "C: a AUTHENTICATE PLAIN\nS: + \nC: *\nS: a BAD Authentication aborted by client.\n"
		"C: b NOOP\nS: b OK NOOP completed.\n", NULL },
	{ "bad base64", "imap", "", OWN,
	  GREET_OWN "C: a AUTHENTICATE PLAIN !!!\nS: a BAD Invalid base64 data in authentication response.\n"
		"C: b AUTHENTICATE PLAIN\nS: + \nC: x\nS: b BAD Invalid base64 data in authentication response.\n"
		"C: c AUTHENTICATE PLAIN =\nS: c" WRONG
		"C: d AUTHENTICATE PLAIN AHRpdG8A Z29vZA==\nS: d BAD Invalid base64 data in authentication response.\n", NULL },
	{ "unknown mechanism", "imap", "", OWN,
	  GREET_OWN "C: a AUTHENTICATE GSSAPI\nS: a NO Unsupported authentication mechanism.\n"
		    "C: c LOGOUT\nS: * BYE Logging out\nS: c OK Logout completed.\nE\n",
	  "Aborted login (tried to use unsupported auth mechanism): user=<>, method=GSSAPI, rip=" },
	{ "wrong password three times", "imap", "", OWN,
	  GREET_OWN "C: a LOGIN tito bad\nS: a" WRONG "C: b LOGIN tito \"\"\nS: b" WRONG "C: c LOGIN tito bad\nS: c" WRONG
		"S: * BYE Disconnected.\nE\n",
	  "Disconnected: Too many authentication failures (auth failed, 3 attempts in 0 secs): user=<tito>, method=PLAIN, "
	  "rip=192.0.2.25, lip=192.0.2.25, secured, session=<" },
	{ "names that none can be", "imap", "", OWN,
	  GREET_OWN "R: a LOGIN \"\\xc3\\x28\" x\\r\\n\nS: a" WRONG "C: b LOGIN \"\" x\nS: b" WRONG "C: c LOGOUT\n"
		    "S: * BYE Logging out\nS: c OK Logout completed.\nE\n", "Aborted login (auth failed, 2 attempts in 0 secs)" },
	{ "8 bit in the password", "imap", "", OWN, GREET_OWN "R: a LOGIN tito \"p\\xc3\\xa4ss\"\\r\\n\nS: a" WRONG, NULL },
	{ "NUL outside and inside a literal", "imap", "", OWN,
	  GREET_OWN "R: a LOGIN ti\\0to good\\r\\n\nS: * BAD A NUL byte in the command.\n"
		"R: b LOGIN {5+}\\r\\nti\\0to good\\r\\n\nS* b BAD \n", NULL },
	{ "not before login", "imap", "", OWN,
	  GREET_OWN "C: a SELECT INBOX\nS: a BAD No such command before login.\nC: b ENABLE CONDSTORE\n"
		"S: b BAD No such command before login.\nC: c UID FETCH 1 ALL\nS: c BAD No such command before login.\n"
		"C: d\nS* d BAD \nC: e NOOP x\nS* e BAD \nC: f LOGIN tito\nS* f BAD \nC: g LOGIN tito good x\nS* g BAD \n", NULL },
	{ "odd tags", "imap", "", OWN,
	  GREET_OWN "C: * NOOP\nS* * BAD \nC: + NOOP\nS* * BAD \nC:  NOOP\nS* * BAD \nC: (a) NOOP\nS* * BAD \nC: a.B_1]} NOOP\n"
		"S: a.B_1]} OK NOOP completed.\n", NULL },
	{ "ID", "imap", "imap_id_log = *\n", OWN,
	  GREET_OWN "C: a ID NIL\nS: * ID (\"name\" \"Surat\")\nS: a OK ID completed.\n"
		"C: b ID (\"name\" \"mutt\" \"version\" NIL)\nS: * ID (\"name\" \"Surat\")\nS: b OK ID completed.\n"
		"C: c ID ()\nS: * ID (\"name\" \"Surat\")\nS: c OK ID completed.\nC: d ID x\nS* d BAD \nC: e ID (\"a\")\nS* e BAD \n",
	  "ID sent: name=mutt, version=NIL: rip=192.0.2.25, lip=192.0.2.25, session=<" },
	{ "what ID says", "imap", "imap_id_send = name x vendor * support-url * odd\n", OWN,
	  GREET_OWN "C: a ID NIL\nS: * ID (\"name\" \"x\" \"vendor\" \"Surat\" \"support-url\" NIL)\nS: a OK ID completed.\n", NULL },
	{ "ID tells nothing", "imap", "imap_id_send =\n", OWN, GREET_OWN "C: a ID NIL\nS: * ID NIL\nS: a OK ID completed.\n", NULL },
	{ "a literal over the limit", "imap", "", OWN,
	  GREET_OWN "C: a LOGIN {9999999999}\nS: a NO [TOOBIG] Literals before login may have 3072 bytes.\n"
		"C: b LOGIN {2000}\nS: + OK\nC: c\n", NULL },
	{ "a literal over the limit that does not wait", "imap", "", OWN,
	  GREET_OWN "R: a LOGIN {5000+}\\r\\nb LOGIN tito good\\r\\n\nS: * BYE [TOOBIG] Literals before login may have 3072 bytes.\nE\n",
	  "Disconnected: Literal too long (no auth attempts" },
	{ "an HTTP request", "imap", "", REMOTE, GREET_REMOTE "R: GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\na LOGIN x y\\r\\n\nS* GET BAD \nE\n",
	  "Disconnected: HTTP request (" },
	{ "ten wrong commands", "imap", "", REMOTE,
	  GREET_REMOTE "R: a x\\r\\nb x\\r\\nc x\\r\\nd x\\r\\ne x\\r\\nf x\\r\\ng x\\r\\nh x\\r\\ni x\\r\\nj x\\r\\nk x\\r\\n\n"
		"S* a BAD \nS* b BAD \nS* c BAD \nS* d BAD \nS* e BAD \nS* f BAD \nS* g BAD \nS* h BAD \nS* i BAD \nS* j BAD \n"
		"S: * BYE Too many invalid IMAP commands.\nE\n", "Disconnected: Too many invalid commands (" },
	{ "lines that end in LF", "imap", "", OWN, GREET_OWN "R: a LOGIN tito good\\n\nS: a OK Logged in\n", NULL },
	{ "nobody tries", "imap", "", REMOTE, GREET_REMOTE "C: a LOGOUT\nS: * BYE Logging out\nS: a OK Logout completed.\nE\n",
	  "Aborted login (no auth attempts in 0 secs): user=<>, rip=203.0.113.9, lip=192.0.2.25, session=<" },
};

static void test_scripts(void **state)
{
	rig_scripts(scripts, ARRAY_LEN(scripts));
}

/* CVE-2011-0411: whoever sits on the line sends commands, and halves of them, in the packet of STARTTLS. */
static void test_injection(void **state)
{
	static const char *const behind[] = { "b LOGIN tito good\\r\\n", "b LOGIN tito {4+}\\r\\nx", "b LOG", "b LOGIN {4}\\r\\n" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(behind); i++) {
		struct str script = STR_INIT(4096);
		struct rig g;
		struct client c;

		rig_open(&g, "imap", "");
		client_open(&c, &g, REMOTE);
		assert_int_equal(str_addf(&script, GREET_REMOTE "R: a STARTTLS\\r\\n%s\nS: a OK Begin TLS negotiation now.\nT\n"
					  "C: c NOOP\nS: c OK NOOP completed.\n", behind[i]), 0);
		client_script(&c, behind[i], script.p);
		assert_int_equal(g.n_starts, 0);
		client_close(&c);
		rig_close(&g);
		str_fini(&script);
	}
}

/* What follows the login goes to the child, to the byte; under TLS through the relay. */
static void test_pipelined(void **state)
{
	struct rig g;
	struct client c;

	rig_open(&g, "imap", "");
	client_open(&c, &g, OWN);
	client_script(&c, "pipelined", GREET_OWN "R: a.1 LOGIN {4+}\\r\\ntito good\\r\\nb SELECT INBOX\\r\\nc FET\nS: a.1 OK Logged in\n");
	assert_string_equal(g.input, "b SELECT INBOX\r\nc FET");
	assert_string_equal(g.service, "imap");
	assert_string_equal(g.ticket, "TICKET1");
	assert_string_equal(g.capa, "");
	client_close(&c);
	rig_close(&g);
}

static void test_trouble(void **state)
{
	static const struct {
		const char *label;
		enum auth_status status;
		const char *text, *want;
		bool parent_refuses;
	} rows[] = {
		{ "auth cannot", AUTH_TEMP, NULL, "S: a NO [UNAVAILABLE] Temporary authentication failure.\n", false },
		{ "auth says why", AUTH_TEMP, "Later.", "S: a NO [UNAVAILABLE] Later.\n", false },
		{ "disabled", AUTH_REFUSED, "Account is off.", "S: a NO [CONTACTADMIN] Account is off.\n", false },
		{ "words of a failure stay inside", AUTH_FAIL, "no such user", "S: a" WRONG, false },
		{ "the parent refuses", AUTH_OK, NULL, "S: a NO [UNAVAILABLE] No room.\nS: * BYE Disconnected.\nE\n", true },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str script = STR_INIT(4096);
		struct rig g;
		struct client c;

		rig_open(&g, "imap", "");
		g.status = rows[i].status;
		g.text = rows[i].text;
		g.parent_refuses = rows[i].parent_refuses;
		client_open(&c, &g, OWN);
		assert_int_equal(str_addf(&script, GREET_OWN "C: a LOGIN tito %s\n%s", rows[i].parent_refuses ? "good" : "bad",
					  rows[i].want), 0);
		client_script(&c, rows[i].label, script.p);
		client_close(&c);
		rig_close(&g);
		str_fini(&script);
	}
}

static void test_auth_gone(void **state)
{
	struct rig g;
	struct client c;

	rig_open(&g, "imap", "");
	rig_detach_auth(&g);
	client_open(&c, &g, OWN);
	client_script(&c, "auth is away", GREET_OWN "C: a LOGIN tito good\nS: a NO [UNAVAILABLE] Temporary authentication failure.\n"
					  "C: b LOGOUT\nS: * BYE Logging out\nS: b OK Logout completed.\nE\n");
	client_close(&c);
	rig_close(&g);
}

static void send_many(struct client *c, const char *head, char fill, size_t n)
{
	char buf[1000];
	size_t i;

	memset(buf, fill, sizeof(buf));
	client_send(c, head, strlen(head));
	for (i = 0; i < n; i += sizeof(buf))
		client_send(c, buf, sizeof(buf));
}

/* The moment after the start: what auth can do is not known yet. */
static void test_auth_is_late(void **state)
{
	struct rig g;
	struct client c;
	size_t n;

	rig_open(&g, "imap", "");
	n = g.srv.sasl.n_mechs;
	client_open(&c, &g, OWN);
	client_script(&c, "greeting", GREET_OWN);
	g.srv.sasl.n_mechs = 0;
	client_script(&c, "too early", "C: a LOGIN tito good\nS* a NO [UNAVAILABLE] \n");
	g.srv.sasl.n_mechs = n;
	client_script(&c, "again", "C: b LOGIN tito good\nS: b OK Logged in\n");
	client_close(&c);
	rig_close(&g);
}

/* Endless lines and parentheses: a word, and the end; other sessions are unharmed. */
static void test_endless(void **state)
{
	static const struct { const char *head; char fill; } rows[] = {
		{ "a LOGIN ", 'x' }, { "a ID ", '(' }, { "", 'a' }, { "a LOGIN \"", '\\' }, { "a AUTHENTICATE PLAIN ", 'A' },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig g;
		struct client c, other;

		rig_open(&g, "imap", "");
		client_open(&other, &g, OWN);
		client_open(&c, &g, OWN);
		send_many(&c, rows[i].head, rows[i].fill, 40000);
		client_script(&c, rows[i].head, GREET_OWN "S: * BYE Input buffer full, aborting.\nE\n");
		client_script(&other, "other", GREET_OWN "C: a NOOP\nS: a OK NOOP completed.\n");
		assert_non_null(strstr(g.log.p, "Disconnected: Input buffer full"));
		client_close(&c);
		client_close(&other);
		rig_close(&g);
	}
}

/* 8,000 parentheses in a line that ends; 31 fields of ID. */
static void test_bounds(void **state)
{
	struct str line = STR_INIT(20000);
	struct rig g;
	struct client c;
	int i;

	rig_open(&g, "imap", "");
	client_open(&c, &g, OWN);
	send_many(&c, "a ID ", '(', 8000);
	client_script(&c, "parentheses", GREET_OWN "R: \\r\\n\nS* a BAD \n");
	assert_int_equal(str_addz(&line, "b ID ("), 0);
	for (i = 0; i < 31; i++)
		assert_int_equal(str_addf(&line, "%s\"f%d\" \"v\"", i ? " " : "", i), 0);
	assert_int_equal(str_addz(&line, ")\r\n"), 0);
	client_send(&c, line.p, line.n);
	client_script(&c, "fields", "S* b BAD \n");
	client_close(&c);
	rig_close(&g);
	str_fini(&line);
}

/* CVE-2017-15132: exchanges that are given up and half literals leave nothing behind. */
static void test_flat_memory(void **state)
{
	struct rig g;
	struct client c;
	size_t before = 0;
	int i;

	rig_open(&g, "imap", "");
	for (i = 0; i < 60; i++) {
		if (i == 20)
			before = mallinfo2().uordblks;
		client_open(&c, &g, OWN);
		client_script(&c, "aborted", GREET_OWN "C: a AUTHENTICATE PLAIN\nS: + \nC: *\nS* a BAD \nC: b LOGIN {2999}\nS: + OK\nC: x\n");
		client_close(&c);
		str_reset(&g.log);
	}
	if (mallinfo2().uordblks > before + 20000)
		fail_msg("%zu bytes more after 40 sessions", mallinfo2().uordblks - before);
	rig_close(&g);
}

static void test_too_many(void **state)
{
	struct rig g;
	struct client c;

	rig_open(&g, "imap", "login_client_connection_count_limit = 3\n");
	g.anvil_count = 4;
	client_open(&c, &g, REMOTE);
	client_script(&c, "fourth", "S: * BYE [UNAVAILABLE] Too many connections from your address.\nE\n");
	client_close(&c);
	rig_close(&g);
}

static void test_size(void **state)
{
	assert_true(sizeof(struct session) <= 1536);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts), cmocka_unit_test(test_injection), cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_trouble), cmocka_unit_test(test_auth_gone), cmocka_unit_test(test_endless),
		cmocka_unit_test(test_bounds), cmocka_unit_test(test_flat_memory), cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_size), cmocka_unit_test(test_auth_is_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
