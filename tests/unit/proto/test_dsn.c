#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/dsn.h"

static const char original[] = "From: tito@example.com\r\nSubject: hello\r\n\r\nDear Iqbal,\r\n\r\nbye\r\n";

static struct dsn_notice notice(const struct dsn_rcpt *rcpts, size_t n)
{
	return (struct dsn_notice){
		.kind = DSN_FAILURE, .hostname = SPAN_LIT("mail.example.com"), .from_domain = SPAN_LIT("example.com"),
		.to = SPAN_LIT("tito@example.com"), .queue_id = SPAN_LIT("1A2B3C4D5E6F0"),
		.message_id = SPAN_LIT("x@mail.example.com"),
		.boundary = SPAN_LIT("B0UND"), .envid = SPAN_LIT("env1"), .now_ms = 1795328520000,
		.arrival_ms = 1795328500000,
		.full = true, .original = SPAN_LIT(original), .rcpts = rcpts, .n_rcpts = n,
	};
}

/* ---- a small reader of its own, so that the writer is not checked by itself ---- */

struct parts {
	char *text;
	char *header, *words, *report, *returned;
};

static char *cut_at(char *at, const char *mark)
{
	char *p = at ? strstr(at, mark) : NULL;

	if (!p)
		fail_msg("'%s' is missing", mark);
	*p = '\0';
	return p + strlen(mark);
}

static struct parts split(const struct dsn_notice *n)
{
	struct str out = STR_INIT(1 << 20);
	struct parts p;
	char *at;
	size_t i, line = 0;

	assert_int_equal(dsn_format(&out, n), 0);
	assert_int_equal(strlen(out.p), out.n);
	for (i = 0; i < out.n; i++) {
		assert_true(out.p[i] != '\n' || (i > 0 && out.p[i - 1] == '\r'));
		assert_true(out.p[i] != '\r' || out.p[i + 1] == '\n');
		line = out.p[i] == '\n' ? 0 : line + 1;
		assert_true(line <= 999);
	}
	p.text = p.header = str_detach(&out);
	at = cut_at(p.text, "\r\n\r\n");
	p.words = cut_at(at, "--B0UND\r\n");
	p.report = cut_at(p.words, "\r\n--B0UND\r\n");
	p.returned = cut_at(p.report, "\r\n--B0UND\r\n");
	assert_string_equal(cut_at(p.returned, "\r\n--B0UND--\r\n"), "");
	return p;
}

static void has(const char *where, const char *what)
{
	if (!strstr(where, what))
		fail_msg("'%s' is not in:\n%s", what, where);
}

static void failure(void **state)
{
	const struct dsn_rcpt r = { .action = DSN_ACT_FAILED, .addr = SPAN_LIT("nobody@example.com"),
		.orcpt = SPAN_LIT("rfc822;no@x.org"),
				    .orig = SPAN_LIT("no@x.org"), .status = SPAN_LIT("5.1.1"),
				    .text = SPAN_LIT("550 5.1.1 no such user"),
				    .mta = SPAN_LIT("mx.example.net"), .last_ms = 1795328510000 };
	struct dsn_notice n = notice(&r, 1);
	struct parts p = split(&n);

	has(p.header, "To: <tito@example.com>\r\n");
	has(p.header, "From: Mail Delivery System <MAILER-DAEMON@example.com>\r\n");
	has(p.header, "Auto-Submitted: auto-replied\r\n");
	has(p.header, "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"B0UND\"");
	has(p.words,
	    "<nobody@example.com> (expanded from <no@x.org>):\r\n    host mx.example.net said:\r\n    550 5.1.1 no such user\r\n");
	has(p.report, "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.example.com\r\n");
	has(p.report, "Original-Envelope-Id: env1\r\n");
	has(p.report,
	    "\r\n\r\nOriginal-Recipient: rfc822;no@x.org\r\nFinal-Recipient: rfc822; nobody@example.com\r\nAction: failed\r\n"
		      "Status: 5.1.1\r\nRemote-MTA: dns; mx.example.net\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n");
	has(p.returned,
	    "Content-Type: message/rfc822\r\n\r\nFrom: tito@example.com\r\nSubject: hello\r\n\r\nDear Iqbal,");
	free(p.text);
}

static void copy_for_the_postmaster(void **state)
{
	const struct dsn_rcpt r = { .action = DSN_ACT_FAILED, .addr = SPAN_LIT("a@b"), .status = SPAN_LIT("5.1.1") };
	struct dsn_notice n = notice(&r, 1);
	struct parts p;

	n.is_copy = true;
	p = split(&n);
	has(p.header, "Subject: Postmaster Copy: Undelivered Mail\r\n");
	has(p.header, "Auto-Submitted: auto-generated\r\n");
	assert_null(strstr(p.words, "Your message"));
	free(p.text);
}

static void kinds(void **state)
{
	static const struct { enum dsn_kind kind; enum dsn_action action; const char *status, *subject,
		*in_report; } rows[] = {
		{ DSN_FAILURE, DSN_ACT_FAILED, "5.2.2", "Undelivered", "Action: failed\r\nStatus: 5.2.2\r\n" },
		{ DSN_DELAY, DSN_ACT_DELAYED, "4.4.1", "Delayed", "Will-Retry-Until: " },
		{ DSN_SUCCESS, DSN_ACT_RELAYED, "2.0.0", "Success", "Action: relayed\r\nStatus: 2.0.0\r\n" },
		{ DSN_SUCCESS, DSN_ACT_DELIVERED, "", "Success", "Action: delivered\r\nStatus: 2.0.0\r\n" },
		{ DSN_SUCCESS, DSN_ACT_EXPANDED, "7.0.0", "Success", "Action: expanded\r\nStatus: 2.0.0\r\n" },
		{ DSN_FAILURE, DSN_ACT_FAILED, "5.1.1\r\nX: y", "Undelivered", "Status: 5.0.0\r\n" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const struct dsn_rcpt r = { .action = rows[i].action, .addr = SPAN_LIT("a@b"),
			.status = span_z(rows[i].status),
					    .text = SPAN_LIT("words") };
		struct dsn_notice n = notice(&r, 1);
		struct parts p;

		n.kind = rows[i].kind;
		n.full = false;
		n.until_ms = n.now_ms;
		p = split(&n);
		has(p.header, rows[i].subject);
		has(p.report, rows[i].in_report);
		has(p.report, "Diagnostic-Code: X-Surat; words\r\n");
		has(p.returned,
		    "Content-Type: text/rfc822-headers\r\n\r\nFrom: tito@example.com\r\nSubject: hello\r\n");
		assert_null(strstr(p.returned, "Dear"));
		free(p.text);
	}
}

/* A hostile server's reply and a hostile envelope must not make lines or fields of their own. */
static void injection(void **state)
{
	const struct dsn_rcpt r = { .action = DSN_ACT_FAILED, .addr = SPAN_LIT("a@b\r\nBcc: x"),
		.status = SPAN_LIT("5.0.0"),
				    .orcpt = SPAN_LIT("rfc822;x\r\nAction: delivered"),
				    .text = SPAN_LIT("553-\r\n--B0UND--\r\n\x1b[1m\0z"),
				    .mta = SPAN_LIT("mx\nStatus: 2.0.0") };
	struct dsn_notice n = notice(&r, 1);
	struct parts p;

	n.to = SPAN_LIT("t@e>\r\nX-Evil: 1\r\n\r\n");
	n.envid = SPAN_LIT("e\r\nAction: delivered");
	p = split(&n);
	assert_null(strstr(p.header, "\nX-Evil"));
	assert_null(strstr(p.report, "\nAction: delivered"));
	assert_null(strstr(p.report, "\nStatus: 2"));
	assert_null(strstr(p.report, "\nBcc"));
	assert_null(strchr(p.words, '\x1b'));
	free(p.text);
}

static void long_words_fold(void **state)
{
	char buf[5000];
	const struct dsn_rcpt r = { .action = DSN_ACT_FAILED, .addr = SPAN_LIT("a@b"), .status = SPAN_LIT("5.0.0"),
				    .text = { buf, sizeof(buf) } };
	struct dsn_notice n = notice(&r, 1);
	struct parts p;

	memset(buf, 'x', sizeof(buf));
	p = split(&n);          /* split() checks the length of lines */
	free(p.text);
	for (size_t i = 7; i < sizeof(buf); i += 8)
		buf[i] = ' ';
	p = split(&n);
	free(p.text);
}

static void eight_bit(void **state)
{
	const struct dsn_rcpt r = { .action = DSN_ACT_FAILED, .addr = SPAN_LIT("jürgen@example.com"),
		.status = SPAN_LIT("5.0.0") };
	struct dsn_notice n = notice(&r, 1);
	struct parts p;

	n.utf8 = true;
	n.original = SPAN_LIT("Subject: ü\r\n\r\n");
	p = split(&n);
	has(p.header, "report-type=global-delivery-status");
	has(p.words, "charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n");
	has(p.report, "message/global-delivery-status");
	has(p.report, "Final-Recipient: utf-8; jürgen@example.com");
	has(p.returned, "message/global\r\nContent-Transfer-Encoding: 8bit\r\n");
	free(p.text);
}

static void line_ends_of_the_queue(void **state)
{
	const struct dsn_rcpt r = { .action = DSN_ACT_FAILED, .addr = SPAN_LIT("a@b"), .status = SPAN_LIT("5.0.0") };
	struct dsn_notice n = notice(&r, 1);
	struct str out = STR_INIT(1 << 16);

	n.lf = true;
	n.full = false;
	n.original = SPAN_LIT("Subject: x\n\nbody\n");
	assert_int_equal(dsn_format(&out, &n), 0);
	assert_null(strchr(out.p, '\r'));
	has(out.p, "text/rfc822-headers\n\nSubject: x\n\n--B0UND--\n");
	str_fini(&out);
}

static void limit_leaves_nothing(void **state)
{
	const struct dsn_rcpt r = { .addr = SPAN_LIT("a@b") };
	struct dsn_notice n = notice(&r, 1);
	size_t max;

	for (max = 0; max < 1000; max += 10) {
		struct str out = STR_INIT(max);

		assert_int_equal(dsn_format(&out, &n), -1);
		assert_int_equal(out.n, 0);
		str_fini(&out);
	}
}

static void status(void **state)
{
	static const struct { const char *s; bool ok; } rows[] = {
		{ "5.1.1", true }, { "4.999.999", true }, { "2.0.0", true }, { "3.0.0", false }, { "5.1",
			false }, { "5.1.", false },
		{ "5..1", false }, { "5.1.1 ", false }, { "5.1234.1", false }, { "", false }, { "5.1.1.1",
			false }, { "5.0001.1", false },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		if (dsn_status_valid(span_z(rows[i].s)) != rows[i].ok)
			fail_msg("%s", rows[i].s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failure), cmocka_unit_test(kinds), cmocka_unit_test(copy_for_the_postmaster), cmocka_unit_test(injection),
		cmocka_unit_test(long_words_fold),
		cmocka_unit_test(eight_bit), cmocka_unit_test(line_ends_of_the_queue),
		cmocka_unit_test(limit_leaves_nothing), cmocka_unit_test(status),
	};

	return cmocka_run_group_tests_name("dsn", tests, NULL, NULL);
}
