#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/received.h"

static struct received base(void)
{
	return (struct received){
		.helo = SPAN_LIT("h.example"), .client_name = SPAN_LIT("unknown"), .client_addr = SPAN_LIT("192.0.2.1"),
		.by = SPAN_LIT("mx.example.com"), .mail_name = SPAN_LIT("Surat"), .esmtp = true, .id = SPAN_LIT("4bC"),
	};
}

static void check(const struct received *r, const char *want)
{
	struct str out = STR_INIT(2000);

	assert_int_equal(received_format(&out, r, "\n"), 0);
	assert_string_equal(out.p, want);
	str_fini(&out);
}

static void test_forms(void **state)
{
	struct received r = base();

	check(&r, "Received: from h.example (unknown [192.0.2.1])\n\tby mx.example.com (Surat) with ESMTP id 4bC;\n"
		  "\tThu, 1 Jan 1970 00:00:00 +0000 (UTC)\n");
	r.rcpt = SPAN_LIT("a@b");
	r.client_addr = SPAN_LIT("2001:db8::1");
	r.tls = SPAN_LIT("TLSv1.3 with cipher X (256/256 bits)");
	r.sasl_user = SPAN_LIT("tito");
	r.is_tls = r.is_auth = true;
	check(&r, "Received: from h.example (unknown [IPv6:2001:db8::1])\n\t(using TLSv1.3 with cipher X (256/256 bits))\n"
		  "\t(Authenticated sender: tito)\n\tby mx.example.com (Surat) with ESMTPSA id 4bC\n"
		  "\tfor <a@b>; Thu, 1 Jan 1970 00:00:00 +0000 (UTC)\n");
	r = base();
	r.uid = SPAN_LIT("1000");
	check(&r, "Received: by mx.example.com (Surat, from userid 1000)\n\tid 4bC;\n\tThu, 1 Jan 1970 00:00:00 +0000 (UTC)\n");
	r.rcpt = SPAN_LIT("a@b");
	check(&r, "Received: by mx.example.com (Surat, from userid 1000)\n\tid 4bC\n"
		  "\tfor <a@b>; Thu, 1 Jan 1970 00:00:00 +0000 (UTC)\n");
}

static void test_hostile(void **state)
{
	struct received r = base();

	r.helo = SPAN_LIT("a\r\nX: y (");
	check(&r, "Received: from a??X: y ? (unknown [192.0.2.1])\n\tby mx.example.com (Surat) with ESMTP id 4bC;\n"
		  "\tThu, 1 Jan 1970 00:00:00 +0000 (UTC)\n");
}

static void test_full(void **state)
{
	struct str out = STR_INIT(60);
	struct received r = base();

	assert_int_equal(received_format(&out, &r, "\r\n"), -1);
	assert_int_equal(out.n, 0);
	str_fini(&out);
}

static void test_proto(void **state)
{
	assert_string_equal(received_proto(false, false, true, true), "SMTP");
	assert_string_equal(received_proto(true, false, false, true), "ESMTPA");
	assert_string_equal(received_proto(true, false, true, false), "ESMTPS");
	assert_string_equal(received_proto(true, true, true, true), "UTF8SMTPSA");
}

static int utc(void **state)
{
	setenv("TZ", "UTC0", 1);
	tzset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms), cmocka_unit_test(test_hostile), cmocka_unit_test(test_full),
		cmocka_unit_test(test_proto),
	};

	return cmocka_run_group_tests(tests, utc, NULL);
}
