#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/attr.h"
#include "base/clock.h"
#include "logger.h"

static int set_up(void **state)
{
	setenv("TZ", "UTC", 1);
	tzset();
	clock_fake_ms(1763795897000ull);
	return 0;
}

static void test_file_lines(void **state)
{
	static const struct {
		const char *label, *in, *out;
	} rows[] = {
		{ "info", "1 1763795897123 smtpd connect from a[1]",
		  "Nov 22 07:18:17 host surat/smtpd[42]: connect from a[1]\n" },
		{ "whole name", "1 1763795897123 postfix/submission/smtpd: x",
		  "Nov 22 07:18:17 host postfix/submission/smtpd[42]: x\n" },
		{ "warning", "2 1763795897123 qmgr warning: x", "Nov 22 07:18:17 host surat/qmgr[42]: warning: x\n" },
		{ "one digit day", "1 1762000000000 local y", "Nov  1 12:26:40 host surat/local[42]: y\n" },
		{ "empty text", "1 1763795897123 smtpd ", "Nov 22 07:18:17 host surat/smtpd[42]: \n" },
		{ "stderr", "AddressSanitizer: oops",
		  "Nov 22 07:18:17 host surat[42]: warning: AddressSanitizer: oops\n" },
		{ "level too high", "9 1763795897123 smtpd x",
		  "Nov 22 07:18:17 host surat[42]: warning: 9 1763795897123 smtpd x\n" },
		{ "no number", "1 17x smtpd x", "Nov 22 07:18:17 host surat[42]: warning: 1 17x smtpd x\n" },
		{ "no tag", "1 17  x", "Nov 22 07:18:17 host surat[42]: warning: 1 17  x\n" },
		{ "huge time", "1 99999999999999999999 a x",
		  "Nov 22 07:18:17 host surat[42]: warning: 1 99999999999999999999 a x\n" },
		{ "only a level", "1", "Nov 22 07:18:17 host surat[42]: warning: 1\n" },
		{ "control characters", "1 1763795897123 smtpd a\x1b[2Jb\r",
		  "Nov 22 07:18:17 host surat/smtpd[42]: a\\x1b[2Jb\\x0d\n" },
		{ "name of its own", "1 1763795897123 dovecot:pop3-login Login: x",
		  "Nov 22 07:18:17 host dovecot[42]: pop3-login: Login: x\n" },
		{ "name alone", "1 1763795897123 dovecot: pop3(a)<1><b>: x",
		  "Nov 22 07:18:17 host dovecot[42]: pop3(a)<1><b>: x\n" },
		{ "8 bit stays", "1 1763795897123 smtpd \xc3\xa4", "Nov 22 07:18:17 host surat/smtpd[42]: \xc3\xa4\n" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct logger_line l = logger_parse(span_z(rows[i].in));
		struct str out = STR_INIT(4096);

		if (logger_format(&out, &l, "surat", "host", 42, -1) < 0 || strcmp(out.p, rows[i].out) != 0)
			fail_msg("%s: %s", rows[i].label, out.p);
		str_fini(&out);
	}
}

static void test_syslog_packets(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "0 1763795897123 smtpd d", "<23>Nov 22 07:18:17 postfix/smtpd[7]: d" },
		{ "1 1763795897123 smtpd i", "<22>Nov 22 07:18:17 postfix/smtpd[7]: i" },
		{ "2 1763795897123 smtpd w", "<20>Nov 22 07:18:17 postfix/smtpd[7]: w" },
		{ "3 1763795897123 smtpd e", "<19>Nov 22 07:18:17 postfix/smtpd[7]: e" },
		{ "4 1763795897123 smtpd f", "<18>Nov 22 07:18:17 postfix/smtpd[7]: f" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct logger_line l = logger_parse(span_z(rows[i].in));
		struct str out = STR_INIT(4096);

		assert_int_equal(logger_format(&out, &l, "postfix", "host", 7, LOG_MAIL), 0);
		assert_string_equal(out.p, rows[i].out);
		str_fini(&out);
	}
}

static void test_limit(void **state)
{
	struct logger_line l = logger_parse(SPAN_LIT("1 1763795897123 smtpd 0123456789"));
	struct str out = STR_INIT(40);

	assert_int_equal(logger_format(&out, &l, "surat", "host", 1, -1), -1);
	str_fini(&out);
}

static void test_facility(void **state)
{
	static const struct { const char *word; int code; } rows[] = {
		{ "mail", LOG_MAIL }, { "local3", LOG_LOCAL3 }, { "AUTH", LOG_AUTH }, { "uucp", LOG_UUCP },
	};
	struct arena a = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf c = { .dir = "/etc/surat" };
		struct conf_errors errors = { 0 };
		struct global_conf g;
		struct err err = ERR_INIT;

		assert_int_equal(conf_parse(&c, "main.cf", span_z(arena_printf(&a, "syslog_facility = %s\n", rows[i].word)),
					    &errors), 0);
		assert_int_equal(global_conf_read(&g, &c, &a, &err), 0);
		assert_int_equal(logger_facility(g.syslog_facility), rows[i].code);
		conf_fini(&c);
	}
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_lines),
		cmocka_unit_test(test_syslog_packets),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_facility),
	};

	return cmocka_run_group_tests_name("logger", tests, set_up, NULL);
}
