#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "imapd/print.h"

static void test_numbers(void **state)
{
	static const struct {
		uint64_t n;
		const char *want;
	} rows[] = { { 0, "0" }, { 9, "9" }, { 10, "10" }, { 4294967295, "4294967295" }, { UINT64_MAX, "18446744073709551615" } };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(100);
		char buf[PRINT_U64_MAX + 1] = "";

		(void)print_u64(buf, rows[i].n);
		assert_string_equal(buf, rows[i].want);
		assert_int_equal(str_add_u64(&out, rows[i].n), 0);
		assert_string_equal(out.p, rows[i].want);
		str_fini(&out);
	}
}

static void test_dates(void **state)
{
	static const struct {
		int64_t unix_s;
		int offset;
		const char *want;
	} rows[] = {
		{ 0, 0, "\"01-Jan-1970 00:00:00 +0000\"" },
		{ -1, 0, "\"31-Dec-1969 23:59:59 +0000\"" },
		{ 837596665, -420, "\"17-Jul-1996 02:44:25 -0700\"" },
		{ 1795328521, 330, "\"22-Nov-2026 11:52:01 +0530\"" },
		{ 951782400, 0, "\"29-Feb-2000 00:00:00 +0000\"" },
		{ 1709164800, 60, "\"29-Feb-2024 01:00:00 +0100\"" },
		{ INT64_MAX, 0, "\"01-Jan-9999 00:00:00 +0000\"" },
		{ INT64_MIN, 0, "\"01-Jan-0001 00:00:00 +0000\"" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		char buf[PRINT_DATE_MAX + 1], *end = print_internaldate(buf, rows[i].unix_s, rows[i].offset);

		assert_int_equal(end - buf, PRINT_DATE_MAX);
		*end = '\0';
		if (i < 6 && strcmp(buf, rows[i].want) != 0)
			fail_msg("%lld: %s", (long long)rows[i].unix_s, buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_numbers), cmocka_unit_test(test_dates) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
