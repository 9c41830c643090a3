#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"

static void test_arena_rewinds_to_a_mark(void **state)
{
	struct arena a = { 0 };
	struct arena_mark m;
	char *first = arena_strdup(&a, "kept");

	m = arena_mark(&a);
	arena_alloc(&a, 100000);
	arena_rewind(&a, m);
	assert_string_equal(first, "kept");
	assert_int_equal(a.used, 16);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_arena_rewinds_to_a_mark) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
