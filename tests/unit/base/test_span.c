#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/span.h"

static const struct {
	const char *text;
	uint64_t max;
	bool is_good;
	uint64_t value;
} numbers[] = {
	{ "0", 0, true, 0 },
	{ "2", 0, false, 0 },
	{ "9", 8, false, 0 },
	{ "8", 8, true, 8 },
	{ "65535", 65535, true, 65535 },
	{ "65536", 65535, false, 0 },
	{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
	{ "18446744073709551616", UINT64_MAX, false, 0 },
	{ "007", 7, true, 7 },
	{ "", UINT64_MAX, false, 0 },
	{ "+1", UINT64_MAX, false, 0 },
	{ "1 ", UINT64_MAX, false, 0 },
};

static void test_numbers_respect_the_bound(void **state)
{
	uint64_t v;
	size_t i;

	for (i = 0; i < ARRAY_LEN(numbers); i++) {
		print_message("# '%s' up to %llu\n", numbers[i].text, (unsigned long long)numbers[i].max);
		assert_int_equal(span_u64(span_z(numbers[i].text), numbers[i].max, &v), numbers[i].is_good ? 0 : -1);
		if (numbers[i].is_good)
			assert_true(v == numbers[i].value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_numbers_respect_the_bound) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
