#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/smtp.h"

#define EXT_ALL (SMTP_EXT_SIZE | SMTP_EXT_8BITMIME | SMTP_EXT_SMTPUTF8 | SMTP_EXT_DSN | SMTP_EXT_AUTH)

static void test_split(void **state)
{
	struct span verb, args;

	smtp_split(span_z("MAIL FROM:<a@b> "), &verb, &args);
	assert_true(span_eqz(verb, "MAIL") && span_eqz(args, "FROM:<a@b>"));
	smtp_split(span_z("QUIT"), &verb, &args);
	assert_true(span_eqz(verb, "QUIT") && args.n == 0);
	smtp_split(span_z("  "), &verb, &args);
	assert_true(verb.n == 0 && args.n == 0);
}

static const struct {
	const char *label, *in, *want;
} mails[] = {
	{ "plain", "FROM:<a@b>", "a@b size=0 body=0 ret=0 utf8=0 envid= auth=-" },
	{ "null", "FROM:<>", " size=0 body=0 ret=0 utf8=0 envid= auth=-" },
	{ "lower case and blanks", "from : <a@b>", "a@b size=0 body=0 ret=0 utf8=0 envid= auth=-" },
	{ "all", "FROM:<a@b> SIZE=12 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x+2By AUTH=u+40d",
	  "a@b size=12 body=1 ret=2 utf8=1 envid=x+y auth=u@d" },
	{ "auth nobody", "FROM:<a@b> AUTH=<>", "a@b size=0 body=0 ret=0 utf8=0 envid= auth=" },
	{ "utf8", "FROM:<\xc3\xa9@b> SMTPUTF8", "\xc3\xa9@b size=0 body=0 ret=0 utf8=1 envid= auth=-" },
	{ "utf8 undeclared", "FROM:<\xc3\xa9@b>", "553 5.6.7 Must declare SMTPUTF8 to send unicode address" },
	{ "bad utf8", "FROM:<\xc3@b> SMTPUTF8", "501 5.1.7 Bad sender address syntax" },
	{ "no keyword", "<a@b>", "501 5.5.4 Syntax: MAIL FROM:<address>" },
	{ "to", "TO:<a@b>", "501 5.5.4 Syntax: MAIL FROM:<address>" },
	{ "nothing", "FROM:", "501 5.5.4 Syntax: MAIL FROM:<address>" },
	{ "bare", "FROM:a@b", "501 5.1.7 Bad sender address syntax" },
	{ "bad size", "FROM:<a@b> SIZE=-1", "501 5.5.4 Bad message size syntax" },
	{ "no size", "FROM:<a@b> SIZE=", "501 5.5.4 Bad message size syntax" },
	{ "size with a letter", "FROM:<a@b> SIZE=99999999999999999999k", "501 5.5.4 Bad message size syntax" },
	{ "size 2^63", "FROM:<a@b> SIZE=9223372036854775808", "a@b size=9223372036854775807 body=0 ret=0 utf8=0 envid= auth=-" },
	{ "20 digits", "FROM:<a@b> SIZE=99999999999999999999", "a@b size=9223372036854775807 body=0 ret=0 utf8=0 envid= auth=-" },
	{ "bad body", "FROM:<a@b> BODY=BINARYMIME", "555 5.5.4 Unsupported option: BODY=BINARYMIME" },
	{ "unknown", "FROM:<a@b> FOO=1", "555 5.5.4 Unsupported option: FOO=1" },
	{ "ret twice", "FROM:<a@b> RET=FULL RET=FULL", "501 5.5.4 Bad RET parameter syntax" },
	{ "envid line break", "FROM:<a@b> ENVID=a+0D+0Ab", "501 5.5.4 Bad ENVID parameter syntax" },
	{ "envid nul", "FROM:<a@b> ENVID=a+00", "501 5.5.4 Bad ENVID parameter syntax" },
	{ "envid short", "FROM:<a@b> ENVID=a+4", "501 5.5.4 Bad ENVID parameter syntax" },
	{ "envid control", "FROM:<a@b> ENVID=a+01", "501 5.5.4 Bad ENVID parameter syntax" },
	{ "envid delete", "FROM:<a@b> ENVID=a+7F", "501 5.5.4 Bad ENVID parameter syntax" },
	{ "envid 8 bit", "FROM:<a@b> ENVID=a+E9", "501 5.5.4 Bad ENVID parameter syntax" },
	{ "envid blank", "FROM:<a@b> ENVID=a+20b", "a@b size=0 body=0 ret=0 utf8=0 envid=a b auth=-" },
	{ "envid lower", "FROM:<a@b> ENVID=a+4a", "a@b size=0 body=0 ret=0 utf8=0 envid=aJ auth=-" },
	{ "envid bare =", "FROM:<a@b> ENVID=a=b", "a@b size=0 body=0 ret=0 utf8=0 envid=a=b auth=-" },
	{ "envid no hex", "FROM:<a@b> ENVID=a+4g", "501 5.5.4 Bad ENVID parameter syntax" },
};

static void test_mail(void **state)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(mails); i++) {
		struct arena a = { 0 };
		struct str out = STR_INIT(1000);
		struct smtp_mail m;
		struct err err;

		if (smtp_parse_mail(&a, span_z(mails[i].in), EXT_ALL, 0, &m, &err) < 0) {
			assert_int_equal(str_addz(&out, err.msg), 0);
		} else {
			assert_int_equal(address_format(&out, &m.from), 0);
			assert_int_equal(str_addf(&out, " size=%llu body=%d ret=%d utf8=%d envid=%.*s auth=%.*s",
						  (unsigned long long)m.size,
				m.body, m.ret, m.smtputf8, SPAN_ARG(m.envid),
				SPAN_ARG(m.has_auth ? m.auth : SPAN_LIT("-"))), 0);
		}
		if (!span_eqz(str_span(&out), mails[i].want))
			fail_msg("%s: '%s'", mails[i].label, out.p);
		str_fini(&out);
		arena_fini(&a);
	}
}

static void test_extensions_off(void **state)
{
	static const char *const words[] = { "SIZE=1", "BODY=7BIT", "SMTPUTF8", "RET=FULL", "ENVID=x", "AUTH=<>" };
	struct arena a = { 0 };
	struct smtp_mail m;
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_LEN(words); i++) {
		char *in = arena_printf(&a, "FROM:<a@b> %s", words[i]);

		assert_int_equal(smtp_parse_mail(&a, span_z(in), 0, 0, &m, &err), -1);
		assert_int_equal(strncmp(err.msg, "555 5.5.4", 9), 0);
	}
	arena_fini(&a);
}

#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define X493 X100 X100 X100 X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 "xxx"

static void test_rcpt(void **state)
{
	static const struct {
		const char *label, *in, *want;
	} rows[] = {
		{ "plain", "TO:<a@b>", "a@b 0 " },
		{ "all", "TO:<a@b> NOTIFY=SUCCESS,delay,FAILURE ORCPT=rfc822;x+2By@b", "a@b 14 rfc822;x+y@b" },
		{ "never", "TO:<a@b> NOTIFY=NEVER", "a@b 1 " },
		{ "never and more", "TO:<a@b> NOTIFY=NEVER,DELAY", "501 5.5.4 Error: Bad NOTIFY parameter syntax" },
		{ "empty notify", "TO:<a@b> NOTIFY=", "501 5.5.4 Error: Bad NOTIFY parameter syntax" },
		{ "notify empty words", "TO:<a@b> NOTIFY=,DELAY,", "a@b 8 " },
		{ "notify commas", "TO:<a@b> NOTIFY=,", "501 5.5.4 Error: Bad NOTIFY parameter syntax" },
		{ "orcpt bare =", "TO:<a@b> ORCPT=rfc822;SRS0=x=y@b", "a@b 0 rfc822;SRS0=x=y@b" },
		{ "notify word twice", "TO:<a@b> NOTIFY=DELAY,DELAY", "a@b 8 " },
		{ "notify twice", "TO:<a@b> NOTIFY=DELAY NOTIFY=DELAY", "501 5.5.4 Error: Bad NOTIFY parameter syntax" },
		{ "orcpt no type", "TO:<a@b> ORCPT=x@b", "501 5.5.4 Error: Bad ORCPT parameter syntax" },
		{ "orcpt line break", "TO:<a@b> ORCPT=rfc822;x+0A@b", "501 5.5.4 Error: Bad ORCPT parameter syntax" },
		{ "orcpt 8 bit", "TO:<a@b> ORCPT=rfc822;x+E9@b", "501 5.5.4 Error: Bad ORCPT parameter syntax" },
		{ "orcpt control", "TO:<a@b> ORCPT=rfc822;x+01@b", "501 5.5.4 Error: Bad ORCPT parameter syntax" },
		{ "empty orcpt", "TO:<a@b> ORCPT=rfc822;", "501 5.5.4 Error: Bad ORCPT parameter syntax" },
		{ "orcpt of 500", "TO:<a@b> ORCPT=rfc822;" X493, "a@b 0 rfc822;" X493 },
		{ "orcpt of 501", "TO:<a@b> ORCPT=rfc822;x" X493, "501 5.5.4 Error: Bad ORCPT parameter syntax" },
		{ "null", "TO:<>", "501 5.1.3 Bad recipient address syntax" },
		{ "local", "TO:<postmaster>", "postmaster 0 " },
		{ "unknown", "TO:<a@b> FOO", "555 5.5.4 Unsupported option: FOO" },
		{ "utf8 off", "TO:<\xc3\xa9@b>", "553 5.6.7 Must declare SMTPUTF8 to send unicode address" },
		{ "syntax", "FROM:<a@b>", "501 5.5.4 Syntax: RCPT TO:<address>" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena a = { 0 };
		struct str out = STR_INIT(1000);
		struct smtp_rcpt r;
		struct err err;

		if (smtp_parse_rcpt(&a, span_z(rows[i].in), EXT_ALL, ADDRESS_NO_DOMAIN_OK, &r, &err) < 0) {
			assert_int_equal(str_addz(&out, err.msg), 0);
		} else {
			assert_int_equal(address_format(&out, &r.to), 0);
			assert_int_equal(str_addf(&out, " %u %.*s", r.notify, SPAN_ARG(r.orcpt)), 0);
		}
		if (!span_eqz(str_span(&out), rows[i].want))
			fail_msg("%s: '%s'", rows[i].label, out.p);
		str_fini(&out);
		arena_fini(&a);
	}
}

static void test_bdat(void **state)
{
	static const char *const bad[] = { "", "x", "-1", "1 FIRST", "1 LAST x", "18446744073709551616",
					   "9223372036854775808" };
	struct err err;
	uint64_t n;
	bool last;
	size_t i;

	assert_int_equal(smtp_parse_bdat(span_z("1000"), &n, &last, &err), 0);
	assert_true(n == 1000 && !last);
	assert_int_equal(smtp_parse_bdat(span_z("0 last"), &n, &last, &err), 0);
	assert_true(n == 0 && last);
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		if (smtp_parse_bdat(span_z(bad[i]), &n, &last, &err) == 0)
			fail_msg("'%s' was taken", bad[i]);
	}
}

static void test_xtext(void **state)
{
	struct str out = STR_INIT(100);

	assert_int_equal(smtp_xtext_decode(&out, SPAN_LIT("a+2Bb+3Dc+20+C3+A9")), 0);
	assert_string_equal(out.p, "a+b=c \xc3\xa9");
	str_fini(&out);
}

static void test_reply(void **state)
{
	struct str out = STR_INIT(1000), small = STR_INIT(10);
	struct span dsn, text;
	int code;

	assert_int_equal(smtp_reply(&out, 250, NULL, SPAN_LIT("host\nSIZE 1\nDSN")), 0);
	assert_string_equal(out.p, "250-host\r\n250-SIZE 1\r\n250 DSN\r\n");
	str_reset(&out);
	assert_int_equal(smtp_reply(&out, 554, "5.7.1", SPAN_LIT("a\rb\x1b")), 0);
	assert_string_equal(out.p, "554 5.7.1 a?b?\r\n");
	assert_int_equal(smtp_reply(&small, 554, "5.7.1", SPAN_LIT("abc")), -1);
	assert_int_equal(small.n, 0);
	assert_true(smtp_reply_split(span_z("554 5.7.1 No way"), &code, &dsn, &text));
	assert_true(code == 554 && span_eqz(dsn, "5.7.1") && span_eqz(text, "No way"));
	assert_true(smtp_reply_split(span_z("250 ok then"), &code, &dsn, &text));
	assert_true(code == 250 && dsn.n == 0 && span_eqz(text, "ok then"));
	assert_false(smtp_reply_split(span_z("REJECT x"), &code, &dsn, &text));
	assert_false(smtp_reply_split(span_z("199 x"), &code, &dsn, &text));
	assert_false(smtp_reply_split(span_z("2500"), &code, &dsn, &text));
	str_fini(&out);
	str_fini(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split), cmocka_unit_test(test_mail), cmocka_unit_test(test_extensions_off),
		cmocka_unit_test(test_rcpt), cmocka_unit_test(test_bdat), cmocka_unit_test(test_xtext),
		cmocka_unit_test(test_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
