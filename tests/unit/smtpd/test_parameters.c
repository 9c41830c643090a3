/* Each row changes one parameter: what it wants is seen with the setting, and not without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "tests/session/smtpd/fixture.h"

#define HELO "HELO c.example\n"
#define MAIL HELO "MAIL FROM:<a@b.example>\n"
#define RCPT MAIL "RCPT TO:<tito@example.com>\n"
#define LETTER RCPT "DATA\nhello\n.\n"
#define AUTH "smtpd_sasl_auth_enable = yes\ndisable_plaintext_auth = no\n"
#define SENDERS "smtpd_sender_restrictions = check_sender_access inline:{b.example=REJECT, .z.example=REJECT, d.example=DEFER}\n"

enum seen { REPLY, ALL_REPLIES, LOG, BODY };

static const struct row {
	const char *setting, *common;   /* common stands in both runs */
	const char *input;              /* a line at a time; \1 is a bare newline, \2 a CRLF within one packet */
	enum seen where;
	const char *want;
	const char *ptr;                /* the client's name, NULL for client.example */
	unsigned wait_ms;
} rows[] = {
	{ "smtpd_banner = hello $myhostname", "", "NOOP\n", REPLY, "220 hello mx.example.com\r\n" },
	{ "mail_name = Other", "", "NOOP\n", REPLY, "220 mx.example.com ESMTP Other\r\n" },
	{ "mail_name = Other", "", LETTER, BODY, "by mx.example.com (Other) with SMTP" },
	{ "myhostname = other.example", "", HELO, REPLY, "250 other.example\r\n" },
	{ "mydomain = other.example", "smtpd_banner = ESMTP $mydomain\n", HELO, REPLY, "220 ESMTP other.example\r\n" },
	{ "myorigin = other.example", "", HELO "MAIL FROM:<root>\nRCPT TO:<nobody@example.com>\n", LOG,
	  "from=<root@other.example>" },
	{ "message_size_limit = 1000", "", "EHLO c\n", REPLY, "250-SIZE 1000\r\n" },
	{ "message_size_limit = 5", "", LETTER, REPLY, "552 5.3.4 " },
	{ "smtputf8_enable = no", "", "EHLO c\nMAIL FROM:<a@b.example> SMTPUTF8\n", REPLY, "555 5.5.4 " },
	{ "strict_rfc821_envelopes = yes", "", HELO "MAIL FROM:a@b.example\n", REPLY, "501 5.1.7 " },
	{ "smtpd_helo_required = yes", "", "MAIL FROM:<a@b.example>\n", REPLY, "503 5.5.1 Error: send HELO" },
	{ "smtpd_timeout = 1s", "", "", REPLY, "421 4.4.2 mx.example.com Error: timeout exceeded", NULL, 1300 },
	{ "smtpd_starttls_timeout = 1s", "smtpd_tls_security_level = may\n", HELO "STARTTLS\n", LOG,
	  "timeout after STARTTLS", NULL, 1300 },
	{ "smtpd_error_sleep_time = 1s", "smtpd_soft_error_limit = 0\nsmtpd_error_sleep_time = 0\n", "FOO\nNOOP\n", ALL_REPLIES,
	  "220 mx.example.com ESMTP Surat\r\n" },
	{ "smtpd_soft_error_limit = 0", "", "FOO\nNOOP\n", ALL_REPLIES, "220 mx.example.com ESMTP Surat\r\n" },
	{ "smtpd_hard_error_limit = 2", "", "FOO\nFOO\n", REPLY, "421 4.7.0 mx.example.com Error: too many errors" },
	{ "smtpd_junk_command_limit = 1", "smtpd_hard_error_limit = 2\n", "NOOP\nNOOP\nNOOP\nNOOP\n", REPLY, "421 4.7.0 " },
	{ "smtpd_junk_command_limit = 2", "smtpd_hard_error_limit = 2\n", "HELO c\nEHLO c\nHELO c\nEHLO c\nHELO c\n", REPLY,
	  "421 4.7.0 " },
	{ "smtpd_noop_commands = FOO", "", "FOO\n", REPLY, "250 2.0.0 Ok\r\n" },
	{ "smtpd_forbidden_commands = FOO", "", "FOO\n", REPLY, "Goodbye" },
	{ "smtpd_forbidden_commands = regexp:{{/^[^A-Z]/ Bogus}}", "", "1FOO\n", REPLY, "Goodbye" },
	{ "smtpd_noop_commands = pcre:{{/^FO+$$/ x}}", "", "FOOO\n", REPLY, "250 2.0.0 Ok\r\n" },
	{ "smtpd_forbid_unauth_pipelining = no", "", "HELO c\2NOOP\n", REPLY, "250 2.0.0 Ok\r\n" },
	{ "smtpd_forbid_bare_newline = reject", "", RCPT "DATA\na\1b\n.\n", REPLY, "550 5.5.2 Error: bare <LF> received" },
	{ "smtpd_forbid_bare_newline = note", "", RCPT "DATA\na\1b\n.\n", LOG, "bare <LF> received after DATA" },
	{ "smtpd_forbid_bare_newline_exclusions = 192.0.2.0/24", "smtpd_forbid_bare_newline = reject\n",
	  RCPT "DATA\na\1b\n.\n", REPLY, "Ok: queued as" },
	{ "smtpd_forbid_bare_newline_reject_code = 450", "smtpd_forbid_bare_newline = reject\n",
	  RCPT "DATA\na\1b\n.\n", REPLY, "450 4.5.2 Error: bare <LF> received" },
	{ "smtpd_recipient_limit = 1", "", RCPT "RCPT TO:<iqbal@example.com>\n", REPLY, "452 4.5.3 " },
	{ "smtpd_recipient_overshoot_limit = 1", "smtpd_recipient_limit = 1\nsmtpd_hard_error_limit = 2\n",
	  RCPT "RCPT TO:<rcpt1@example.com>\nRCPT TO:<rcpt2@example.com>\nRCPT TO:<rcpt3@example.com>\n", REPLY,
	  "421 4.7.0 " },
	{ "line_length_limit = 512", "smtpd_timeout = 10s\n", "NOOP 0123456789012345678901234567890123456789012345678901234567890123456789"
	  "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
	  "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
	  "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
	  "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890\n",
	  REPLY, "500 5.5.2 Error: command line too long" },
	{ "hopcount_limit = 1", "", RCPT "DATA\nReceived: a\nReceived: b\n\n.\n", REPLY, "554 5.4.0 Error: too many hops" },
	{ "disable_vrfy_command = yes", "", "VRFY tito@example.com\n", REPLY, "502 5.5.1 " },
	{ "smtpd_discard_ehlo_keywords = pipelining, dsn", "", "EHLO c\n", REPLY, "250-mx.example.com\r\n250-SIZE" },
	/* ---- counts: anvil says 5 to each ---- */
	{ "smtpd_client_connection_count_limit = 4", "", "", REPLY, "421 4.7.0 mx.example.com Error: too many connections" },
	{ "smtpd_client_connection_rate_limit = 4", "", "", REPLY, "421 4.7.0 mx.example.com Error: too many connections" },
	{ "smtpd_client_message_rate_limit = 4", "", MAIL, REPLY, "450 4.7.1 Error: too much mail" },
	{ "smtpd_client_recipient_rate_limit = 4", "", RCPT, REPLY, "450 4.7.1 Error: too many recipients" },
	{ "smtpd_client_auth_rate_limit = 4", AUTH, "EHLO c\nAUTH PLAIN\n", REPLY, "450 4.7.1 Error: too many AUTH" },
	{ "smtpd_client_new_tls_session_rate_limit = 4", "", HELO "STARTTLS\n", REPLY, "454 4.7.0 Error: too many new TLS" },
	{ "smtpd_client_event_limit_exceptions = 192.0.2.1", "smtpd_client_message_rate_limit = 4\n", MAIL, REPLY,
	  "250 2.1.0 " },
	{ "smtpd_client_event_limit_exceptions = client.example", "smtpd_client_message_rate_limit = 4\n", MAIL, REPLY,
	  "250 2.1.0 " },
	{ "mynetworks = 192.0.2.0/24", "", MAIL "RCPT TO:<a@far.example>\n", REPLY, "250 2.1.5 " },
	{ "mynetworks = .example", "", MAIL "RCPT TO:<a@far.example>\n", REPLY, "250 2.1.5 " },
	{ "mynetworks = .other.example", "mynetworks = .example\n", MAIL "RCPT TO:<a@far.example>\n", REPLY, "554 5.7.1 " },
	{ "smtpd_client_port_logging = yes", "", "", LOG, "connect from client.example[192.0.2.1]:4321" },
	{ "smtpd_peername_lookup = no", "", "", LOG, "connect from unknown[192.0.2.1]" },
	/* ---- who may do what ---- */
	{ "smtpd_sasl_auth_enable = yes", "disable_plaintext_auth = no\n", "EHLO c\n", REPLY, "AUTH PLAIN LOGIN CRAM-MD5\r\n" },
	{ "disable_plaintext_auth = no", "smtpd_sasl_auth_enable = yes\n", "EHLO c\n", REPLY, "AUTH PLAIN" },
	{ "auth_allow_cleartext = yes", "smtpd_sasl_auth_enable = yes\n", "EHLO c\n", REPLY, "AUTH PLAIN" },
	{ "smtpd_sasl_security_options = noplaintext, noanonymous", AUTH, "EHLO c\n", REPLY, "AUTH CRAM-MD5\r\n" },
	{ "smtpd_sasl_exceptions_networks = 192.0.2.1", AUTH, "EHLO c\nAUTH PLAIN\n", REPLY, "504 5.5.4 " },
	{ "smtpd_sasl_response_limit = 512", AUTH, "EHLO c\nAUTH PLAIN\n0123456789012345678901234567890123456789012345678901234567890123456789"
	  "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
	  "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
	  "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
	  "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890\n",
	  REPLY, "500 5.5.6 " },
	{ "smtpd_tls_auth_only = yes", AUTH, "EHLO c\nAUTH PLAIN\n", REPLY, "538 5.7.11 " },
	{ "smtpd_tls_security_level = none", "", HELO "STARTTLS\n", REPLY, "502 5.5.1 " },
	{ "smtpd_tls_security_level = encrypt", "", MAIL, REPLY, "530 5.7.0 " },
	{ "smtpd_delay_reject = no", "smtpd_client_restrictions = reject\n", "", REPLY, "554 5.7.1 " },
	{ "smtpd_reject_unlisted_recipient = no", "", MAIL "RCPT TO:<nobody@example.com>\n", REPLY, "250 2.1.5 " },
	{ "smtpd_reject_unlisted_sender = yes", "", HELO "MAIL FROM:<nobody@example.com>\nRCPT TO:<tito@example.com>\n", REPLY,
	  "550 5.1.0 " },
	{ "parent_domain_matches_subdomains = relay_domains", SENDERS,
	  HELO "MAIL FROM:<x@sub.b.example>\nRCPT TO:<tito@example.com>\n", REPLY, "250 2.1.5 " },
	{ "parent_domain_matches_subdomains =", SENDERS,
	  HELO "MAIL FROM:<x@sub.z.example>\nRCPT TO:<tito@example.com>\n", REPLY, "554 5.7.1 " },
	{ "resolve_dequoted_address = no", "", MAIL "RCPT TO:<\"x@y\"@example.com>\n", REPLY, "250 2.1.5 " },
	{ "smtpd_restriction_classes = easy\neasy = permit", "smtpd_relay_restrictions = check_sender_access "
	  "inline:{b.example=easy}, reject_unauth_destination\n", MAIL "RCPT TO:<a@far.example>\n", REPLY, "250 2.1.5 " },
	/* ---- the text behind refusals ---- */
	{ "smtpd_reject_footer = Call $server_name\\nor write", "", MAIL "RCPT TO:<nobody@example.com>\n", REPLY,
	  "User unknown in local recipient table\r\n550-5.1.1 Call mx.example.com\r\n550 5.1.1 or write\r\n" },
	{ "smtpd_reject_footer = \\c; from $client_address:${client_port}", "", "FOO\n", REPLY,
	  "500 5.5.2 Error: command not recognized; from 192.0.2.1:4321\r\n" },
	{ "smtpd_reject_footer = at $localtime", "", "FOO\n", REPLY, "\r\n500 5.5.2 at " },
	{ "smtpd_reject_footer = $helo_name $sender_name $sender_domain ${recipient_name}@$recipient_domain $client_name", "",
	  "HELO a\\nb\nMAIL FROM:<\"x\\\\\\\"n\"@y.example>\nRCPT TO:<nobody@example.com>\n", REPLY,
	  "550 5.1.1 a?nb \"x___\"n\" y.example nobody@example.com client.example" },
	{ "smtpd_reject_footer = $ccert", "", "FOO\n", LOG, "smtpd_reject_footer: " },
	/* ---- codes ---- */
	{ "access_map_reject_code = 559", SENDERS, RCPT, REPLY, "559 5.7.1 " },
	{ "access_map_defer_code = 459", SENDERS, HELO "MAIL FROM:<a@d.example>\nRCPT TO:<tito@example.com>\n", REPLY,
	  "459 4.7.1 " },
	{ "reject_code = 559", "smtpd_sender_restrictions = reject\n", RCPT, REPLY, "559 5.7.1 " },
	{ "defer_code = 459", "smtpd_sender_restrictions = defer\n", RCPT, REPLY, "459 4.3.2 " },
	{ "invalid_hostname_reject_code = 559", "smtpd_helo_restrictions = reject_invalid_helo_hostname\n",
	  "HELO -x-\nMAIL FROM:<a@b.example>\nRCPT TO:<tito@example.com>\n", REPLY, "559 5.5.2 " },
	{ "non_fqdn_reject_code = 559", "smtpd_helo_restrictions = reject_non_fqdn_helo_hostname\n",
	  "HELO x\nMAIL FROM:<a@b.example>\nRCPT TO:<tito@example.com>\n", REPLY, "559 5.5.2 " },
	{ "plaintext_reject_code = 559", "smtpd_client_restrictions = reject_plaintext_session\n", RCPT, REPLY,
	  "559 5.7.1 " },
	{ "relay_domains_reject_code = 559", "", MAIL "RCPT TO:<a@far.example>\n", REPLY, "559 5.7.1 " },
	{ "unknown_client_reject_code = 559", "smtpd_client_restrictions = reject_unknown_client_hostname\n", RCPT, REPLY,
	  "559 5.7.25 ", "" },
	{ "multi_recipient_bounce_reject_code = 559", "smtpd_data_restrictions = reject_multi_recipient_bounce\n",
	  HELO "MAIL FROM:<>\nRCPT TO:<tito@example.com>\nRCPT TO:<iqbal@example.com>\nDATA\n", REPLY, "559 5.5.3 " },
	{ "unknown_local_recipient_reject_code = 559", "", MAIL "RCPT TO:<nobody@example.com>\n", REPLY, "559 5.1.1 " },
	{ "unknown_virtual_alias_reject_code = 559", "", MAIL "RCPT TO:<nobody@alias.example>\n", REPLY, "559 5.1.1 " },
	{ "unknown_virtual_mailbox_reject_code = 559", "", MAIL "RCPT TO:<nobody@box.example>\n", REPLY, "559 5.1.1 " },
	{ "unknown_relay_recipient_reject_code = 559", "", MAIL "RCPT TO:<nobody@relay.example>\n", REPLY, "559 5.1.1 " },
	/* ---- what is written ---- */
	{ "always_add_missing_headers = yes", "", LETTER, BODY, "\nMessage-Id: <" },
	{ "local_header_rewrite_clients = permit_mynetworks", "mynetworks = 192.0.2.0/24\nlocal_header_rewrite_clients =\n",
	  LETTER, BODY, "\nDate: " },
	{ "smtpd_sasl_authenticated_header = yes", AUTH, "EHLO c\nAUTH PLAIN AHRpdG9AZXhhbXBsZS5jb20Ac2VjcmV0\n"
	  "MAIL FROM:<a@b.example>\nRCPT TO:<tito@example.com>\nDATA\n.\n", BODY, "(Authenticated sender: tito@example.com)" },
};

static void take(int fd, struct str *out)
{
	char buf[4096];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		assert_int_equal(str_add(out, buf, (size_t)n), 0);
}

/* The input in packets as row.input says, and what came back. */
static void converse(struct fixture *f, const char *input, unsigned wait_ms, struct str *out)
{
	struct span rest = span_z(input), line;
	int fd = fixture_connect(f, "192.0.2.1", NULL);
	uint64_t until = clock_mono_ms() + wait_ms;
	size_t i;

	fixture_settle(f);
	while (rest.n) {
		struct str packet = STR_INIT(10000);

		span_cut(rest, '\n', &line, &rest);
		for (i = 0; i < line.n; i++)
			assert_int_equal(line.p[i] == 2 ? str_addz(&packet, "\r\n") :
					 str_addc(&packet, line.p[i] == 1 ? '\n' : line.p[i]), 0);
		assert_int_equal(str_addz(&packet, "\r\n"), 0);
		(void)!send(fd, packet.p, packet.n, MSG_NOSIGNAL);
		str_fini(&packet);
		fixture_settle(f);
		take(fd, out);
	}
	while (wait_ms && clock_mono_ms() < until) {
		poll(NULL, 0, 10);
		loop_turn(&f->loop, false);
	}
	fixture_settle(f);
	take(fd, out);
	close(fd);
	fixture_settle(f);
}

static bool is_seen(const struct row *r, const char *setting, char *pem)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct str out = STR_INIT(100000);
	struct err err = ERR_INIT;
	const char *text;
	bool seen;

	fixture_init(f);
	f->pem = span_z(pem);
	f->count = f->rate = 5;
	if (r->ptr)
		snprintf(f->ptr, sizeof(f->ptr), "%s", r->ptr);
	assert_int_equal(str_addf(&f->settings, "%s%s\n", r->common, setting), 0);
	if (fixture_configure(f, &err) < 0)
		fail_msg("%s: %s", r->setting, err.msg);
	converse(f, r->input, r->wait_ms, &out);
	text = r->where == LOG ? f->log.p : r->where == BODY ? f->body.p : out.p;
	seen = text && (r->where == ALL_REPLIES ? strcmp(text, r->want) == 0 : strstr(text, r->want) != NULL);
	str_fini(&out);
	fixture_fini(f);
	free(f);
	return seen;
}

static void test_each(void **state)
{
	char *pem = fixture_make_pem();
	unsigned wrong = 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		bool before = is_seen(&rows[i], "", pem), with = is_seen(&rows[i], rows[i].setting, pem);

		if (before || !with)
			print_error("%s: '%s' is %s\n", rows[i].setting, rows[i].want,
				    before ? "seen without it" : "not seen");
		wrong += before || !with;
	}
	free(pem);
	assert_int_equal(wrong, 0);
}

/* Errors and junk are counted from the last message that was taken. */
static void test_forgiven(void **state)
{
	static const struct row errors = { "smtpd_hard_error_limit = 2", "", "FOO\n" LETTER "FOO\n", REPLY, "421 " };
	static const struct row junk = { "smtpd_junk_command_limit = 2", "smtpd_hard_error_limit = 2\n",
					 "NOOP\nNOOP\n" LETTER "NOOP\nNOOP\n", REPLY, "421 " };
	char *pem = fixture_make_pem();

	assert_false(is_seen(&errors, errors.setting, pem));
	assert_false(is_seen(&junk, junk.setting, pem));
	free(pem);
}

static void test_refused(void **state)
{
	static const struct { const char *conf, *error; } bad[] = {
		{ "smtpd_sasl_security_options = noactive", "smtpd_sasl_security_options: 'noactive' is not supported" },
		{ "smtpd_sasl_tls_security_options = x", "smtpd_sasl_tls_security_options: 'x' is not supported" },
		{ "smtpd_sasl_security_options = noplaintxt", "'noplaintxt' is not supported; did you mean 'noplaintext'?" },
		{ "smtpd_forbidden_commands = GET regexp:/etc/x", "smtpd_forbidden_commands: 'regexp:/etc/x': only tables within" },
		{ "smtpd_forbidden_commands = inline:{GET}", "smtpd_forbidden_commands: " },
		{ "smtpd_noop_commands = hash:/etc/x", "smtpd_noop_commands: 'hash:/etc/x': only tables within" },
		{ "smtpd_discard_ehlo_keywords = pipelning", "smtpd_discard_ehlo_keywords: 'pipelning' is not supported; did you mean "
		  "'pipelining'?" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		struct fixture *f = calloc(1, sizeof(*f));
		struct err err = ERR_INIT;

		fixture_init(f);
		assert_int_equal(str_addf(&f->settings, "%s\n", bad[i].conf), 0);
		if (fixture_configure(f, &err) == 0 || !strstr(err.msg, bad[i].error))
			fail_msg("%s: %s", bad[i].conf, err.msg);
		fixture_fini(f);
		free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each), cmocka_unit_test(test_forgiven), cmocka_unit_test(test_refused),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
