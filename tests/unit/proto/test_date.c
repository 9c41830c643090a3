#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/date.h"

static void test_format(void **state)
{
	static const struct {
		int64_t t;
		int offset;
		const char *want;
	} rows[] = {
		{ 0, 0, "Thu, 1 Jan 1970 00:00:00 +0000" }, { 951827696, 0, "Tue, 29 Feb 2000 12:34:56 +0000" },
		{ 1795328521, 420, "Sun, 22 Nov 2026 13:22:01 +0700" },
		{ 1795328521, -570, "Sat, 21 Nov 2026 20:52:01 -0930" },
		{ -1, 0, "Wed, 31 Dec 1969 23:59:59 +0000" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(100);
		int64_t t;
		int offset;

		assert_int_equal(date_format(&out, rows[i].t, rows[i].offset), 0);
		assert_string_equal(out.p, rows[i].want);
		assert_int_equal(date_parse(str_span(&out), &t, &offset), 0);
		assert_int_equal(t, rows[i].t);
		assert_int_equal(offset, rows[i].offset);
		str_fini(&out);
	}
}

static void test_parse(void **state)
{
	static const struct {
		const char *in;
		int64_t t;
		int offset;
	} rows[] = {
		{ "Thu, 1 Jan 1970 00:00:00 +0000", 0, 0 }, { "1 Jan 1970 00:00 +0000", 0, 0 },
		{ "Thu, 01 Jan 70 01:00:00 +0100", 0, 60 }, { "Thu, 1 Jan 1970 00:00:00 GMT", 0, 0 },
		{ "Thu, 1 Jan 1970 00:00:00 EST", 18000, -300 }, { "Thu, 1 Jan 1970 00:00:00 Z", 0, 0 },
		{ "Thu (day), 1 (x(y)) Jan 1970 00:00:00 +0000 (UTC)", 0, 0 },
		{ " Thu ,1 Jan 1970\r\n 00 : 00 : 00 +0000", 0, 0 },
		{ "1 January 1970 00:00:00 +0000", 0, 0 }, { "1 Jan 126 00:00:00", 1767225600, 0 },
		{ "29 Feb 2000 12:34:56 -0000", 951827696, 0 }, { "1 Jan 1970 00:00:60 +0000", 59, 0 },
	};
	static const char *const bad[] = {
		"", "Thu", "Foo, 1 Jan 1970 00:00:00 +0000", "32 Jan 1970 00:00:00 +0000", "29 Feb 2001 00:00:00 +0000",
		"1 Foo 1970 00:00:00 +0000", "1 Jan 1970 24:00:00 +0000", "1 Jan 1970 00:60:00 +0000",
		"1 Jan 1970 00:00:61 +0000",
		"1 Jan 1970 00 +0000", "1 Jan 99999 00:00:00 +0000", "1 Jan 1970 00:00:00 +00",
		"1 Jan 1970 00:00:00 +0060", "(", "(((",
		"0 Jan 1970 00:00:00 +0000", "1 Jan 1899 00:00:00 +0000",
	};
	size_t i;
	int64_t t;
	int offset;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		if (date_parse(span_z(rows[i].in), &t, &offset) < 0 || t != rows[i].t || offset != rows[i].offset)
			fail_msg("'%s': %lld %d", rows[i].in, (long long)t, offset);
	}
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		if (date_parse(span_z(bad[i]), &t, &offset) == 0)
			fail_msg("'%s' was taken", bad[i]);
	}
}

static void test_zone(void **state)
{
	struct str out = STR_INIT(100);

	setenv("TZ", "WIB-7", 1);
	tzset();
	assert_int_equal(date_local_offset_min(0), 420);
	assert_int_equal(date_format_zone(&out, 0), 0);
	assert_string_equal(out.p, "Thu, 1 Jan 1970 07:00:00 +0700 (WIB)");
	str_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format), cmocka_unit_test(test_parse), cmocka_unit_test(test_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
