#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "proto/delay.h"

static const struct {
	const char *label;
	uint64_t ms;
	const char *want;
} rows[] = {
	{ "nothing", 0, "0" },
	{ "hardly anything", 3, "0.01" },
	{ "hundredths", 25, "0.02" },
	{ "nearly a tenth", 99, "0.09" },
	{ "tenths", 123, "0.12" },
	{ "nearly a second", 999, "0.99" },
	{ "seconds", 1234, "1.2" },
	{ "nearly ten", 9999, "9.9" },
	{ "full seconds", 12345, "12" },
	{ "full seconds, rounded", 12500, "13" },
	{ "minutes", 123456, "123" },
	{ "the largest", UINT64_MAX, "18446744073709552" },
};

static void format(void **state)
{
	char out[DELAY_TEXT];
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		print_message("# %s\n", rows[i].label);
		assert_string_equal(delay_format(out, rows[i].ms), rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(format) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
