#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "proto/imap_seqset.h"

static struct arena arena;

static int parse(const char *text, struct imap_seqset *set, struct err *err)
{
	struct imap_parse p;

	imap_parse_init(&p, &arena, span_z(text));
	return imap_seqset_parse(&p, set, err) < 0 ? -1 : imap_parse_end(&p, err);
}

static void test_parse(void **state)
{
	static const struct {
		const char *text, *want;
		uint32_t greatest;
		uint32_t max;
		const char *resolved;
	} rows[] = {
		{ "1", "1", 1, 5, "1" },
		{ "3,1,2", "1:3", 3, 5, "1:3" },
		{ "1,3:5,*:7,$", "1,3:5,7:*,$", 7, 9, "1,3:5,7:9" },
		{ "1,3:5,*:7,$", "1,3:5,7:*,$", 7, 6, "1,3:6" },
		{ "5:3", "3:5", 5, 4, "3:4" },
		{ "*", "*", 0, 5, "5" },
		{ "*:*", "*", 0, 5, "5" },
		{ "*,2", "2,*", 2, 5, "2,5" },
		{ "3:*,6:*", "3:*", 3, 5, "3:5" },
		{ "6:*", "6:*", 6, 5, "5" },
		{ "1:*", "1:*", 1, 0, "" },
		{ "$", "$", 0, 1000, "100:102" },
		{ "1:4,2:3,5", "1:5", 5, 9, "1:5" },
		{ "9,7,5", "5,7,9", 9, 8, "5,7" },
		{ "4294967295,4294967294", "4294967294:4294967295", 4294967295u, 4294967295u, "4294967294:4294967295" },
		{ "1:4294967295", "1:4294967295", 4294967295u, 3, "1:3" },
		{ "1:2,2:3,3:4294967295,7:*", "1:4294967295,7:*", 4294967295u, 10, "1:10" },
		{ "", NULL, 0, 0, NULL }, { "0", NULL, 0, 0, NULL }, { "1,", NULL, 0, 0, NULL },
		{ ",1", NULL, 0, 0, NULL },
		{ "1:", NULL, 0, 0, NULL }, { ":1", NULL, 0, 0, NULL }, { "1:2:3", NULL, 0, 0, NULL },
		{ "4294967296", NULL, 0, 0, NULL }, { "a", NULL, 0, 0, NULL }, { "1, 2", NULL, 0, 0, NULL },
		{ "$:1", NULL, 0, 0, NULL }, { "1-2", NULL, 0, 0, NULL }, { "**", NULL, 0, 0, NULL },
	};
	static struct imap_seqset_range saved_ranges[] = { { 100, 102 } };
	static const struct imap_seqset saved = { .ranges = saved_ranges, .n = 1 };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(1000);
		struct imap_seqset set, resolved;
		struct err err = ERR_INIT;
		int rc = parse(rows[i].text, &set, &err);

		if (rc != (rows[i].want ? 0 : -1))
			fail_msg("%s: %d %s", rows[i].text, rc, err.msg);
		if (rc < 0)
			continue;
		assert_int_equal(imap_seqset_format(&out, &set), 0);
		if (strcmp(out.p, rows[i].want) != 0 || imap_seqset_greatest(&set) != rows[i].greatest)
			fail_msg("%s: %s %u", rows[i].text, out.p, imap_seqset_greatest(&set));
		str_reset(&out);
		imap_seqset_resolve(&set, rows[i].max, &saved, &arena, &resolved);
		assert_int_equal(imap_seqset_format(&out, &resolved), 0);
		if (strcmp(out.p, rows[i].resolved) != 0)
			fail_msg("%s of %u: %s", rows[i].text, rows[i].max, out.p);
		str_fini(&out);
	}
}

/* Any set against a plain array of what it holds. */
static void test_model(void **state)
{
	uint32_t seed = 7, i, k, n;
	int round;

	for (round = 0; round < 300; round++) {
		bool has[101] = { false };
		struct str text = STR_INIT(10000);
		struct imap_seqset set, resolved;
		struct imap_seqset_iter it = { 0 };
		struct err err = ERR_INIT;
		uint64_t count = 0;

		for (i = 0; i < 1 + seed % 20; i++) {
			uint32_t a, b;

			seed = seed * 1103515245 + 12345;
			a = 1 + (seed >> 16) % 100;
			b = 1 + (seed >> 8) % 100;
			assert_int_equal(str_addf(&text, "%s%u:%u", i ? "," : "", a, b), 0);
			for (k = a < b ? a : b; k <= (a < b ? b : a); k++)
				has[k] = true;
		}
		assert_int_equal(parse(text.p, &set, &err), 0);
		imap_seqset_resolve(&set, 90, NULL, &arena, &resolved);
		for (k = 1; k <= 100; k++) {
			assert_int_equal(imap_seqset_has(&set, k), has[k]);
			assert_int_equal(imap_seqset_has(&resolved, k), has[k] && k <= 90);
			count += has[k];
		}
		assert_int_equal(imap_seqset_count(&set), count);
		for (k = 1; imap_seqset_next(&set, &it, &n); k++) {
			while (k < n)
				assert_false(has[k++]);
			assert_true(k <= 100 && has[k]);
			count--;
		}
		assert_int_equal(count, 0);
		str_fini(&text);
	}
}

static void test_ends(void **state)
{
	struct imap_seqset set = { 0 };
	struct imap_seqset_iter it = { 0 };
	uint32_t n;

	assert_false(imap_seqset_has(&set, 1));
	assert_false(imap_seqset_next(&set, &it, &n));
	imap_seqset_add(&set, &arena, UINT32_MAX - 1, UINT32_MAX);
	imap_seqset_add(&set, &arena, UINT32_MAX, UINT32_MAX);
	assert_int_equal(set.n, 1);
	assert_true(imap_seqset_next(&set, &it, &n) && n == UINT32_MAX - 1);
	assert_true(imap_seqset_next(&set, &it, &n) && n == UINT32_MAX);
	assert_false(imap_seqset_next(&set, &it, &n));
}

static void test_add(void **state)
{
	struct imap_seqset set = { 0 };
	struct str out = STR_INIT(100000), want = STR_INIT(100000);
	uint32_t i;

	for (i = 1; i < 3000; i += 3) {
		imap_seqset_add(&set, &arena, i, i);
		imap_seqset_add(&set, &arena, i + 1, i + 1);
		assert_int_equal(str_addf(&want, "%s%u:%u", i > 1 ? "," : "", i, i + 1), 0);
	}
	assert_int_equal(imap_seqset_format(&out, &set), 0);
	assert_string_equal(out.p, want.p);
	str_fini(&out);
	str_fini(&want);
}

static void test_write(void **state)
{
	static const struct {
		uint32_t in[6];
		const char *want;
	} rows[] = {
		{ { 0 }, "" }, { { 7 }, "7" }, { { 1, 2, 3 }, "1:3" }, { { 1, 2, 4, 5, 6 }, "1:2,4:6" },
		{ { 9, 3, 4, 1 }, "9,3:4,1" }, { { 5, 5 }, "5,5" }, { { UINT32_MAX, 1 }, "4294967295,1" },
	};
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(1000);
		struct imap_seqset_writer w;

		imap_seqset_write_begin(&w, &out);
		for (k = 0; rows[i].in[k]; k++)
			assert_int_equal(imap_seqset_write(&w, rows[i].in[k]), 0);
		assert_int_equal(imap_seqset_write_end(&w), 0);
		if (strcmp(out.p, rows[i].want) != 0)
			fail_msg("row %zu: %s", i, out.p);
		str_fini(&out);
	}
}

static int teardown(void **state)
{
	arena_fini(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_write),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
