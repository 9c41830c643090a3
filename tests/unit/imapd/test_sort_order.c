#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "imapd/sort_order.h"

static const struct span *texts;
static const int64_t *numbers;
static bool reverse_text;

static int slow(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int c = span_cmp(texts[x], texts[y]);

	c = reverse_text ? -c : c;
	if (c == 0)
		c = numbers[x] < numbers[y] ? -1 : numbers[x] > numbers[y];
	return c ? c : x < y ? -1 : 1;
}

static void test_random(void **state)
{
	enum { N = 3000 };
	static struct span t[N];
	static int64_t d[N];
	static char bytes[N][40];
	uint32_t got[N], want[N], seed = 1;
	size_t i, k, round;

	for (round = 0; round < 8; round++) {
		struct sort_column cols[] = { { .texts = t, .is_reverse = round & 1 }, { .numbers = d } };

		for (i = 0; i < N; i++) {
			size_t len = (seed = seed * 1103515245 + 12345) >> 16 & (round & 2 ? 3 : 31);

			for (k = 0; k < len; k++)
				bytes[i][k] = round & 4 && k < 17 ? 'A' : (char)('A' + ((seed = seed * 1103515245 + 12345) >> 20 & 3));
			t[i] = (struct span){ bytes[i], len };
			d[i] = (int64_t)((seed = seed * 1103515245 + 12345) >> 16 & 7) - 4;
			want[i] = (uint32_t)i;
		}
		texts = t;
		numbers = d;
		reverse_text = round & 1;
		qsort(want, N, sizeof(*want), slow);
		sort_order(got, N, cols, 2);
		for (i = 0; i < N; i++) {
			if (got[i] != want[i])
				fail_msg("round %zu, place %zu: %u, not %u", round, i, got[i], want[i]);
		}
	}
}

static void test_few(void **state)
{
	int64_t d[] = { 5, INT64_MIN, INT64_MAX, 5, -1 };
	struct sort_column up = { .numbers = d }, down = { .numbers = d, .is_reverse = true };
	uint32_t got[5];
	static const uint32_t want_up[] = { 1, 4, 0, 3, 2 }, want_down[] = { 2, 0, 3, 4, 1 };

	sort_order(got, 5, &up, 1);
	assert_memory_equal(got, want_up, sizeof(got));
	sort_order(got, 5, &down, 1);
	assert_memory_equal(got, want_down, sizeof(got));
	sort_order(got, 0, &up, 1);
	sort_order(got, 1, NULL, 0);
	assert_int_equal(got[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random), cmocka_unit_test(test_few) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
