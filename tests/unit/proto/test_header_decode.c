#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "proto/charset.h"
#include "proto/header_decode.h"

#define FFFD "\xef\xbf\xbd"

static void test_words(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "", "" }, { "plain", "plain" }, { "=?utf-8?Q?caf=C3=A9?=", "caf\xc3\xa9" },
		{ "=?UTF-8?b?Y2Fmw6k=?=", "caf\xc3\xa9" },
		{ "=?iso-8859-1?q?caf=E9_x?=", "caf\xc3\xa9 x" }, { "=?iso-8859-15?q?=A4?=", "\xe2\x82\xac" },
		{ "=?windows-1252?Q?=80?=", "\xe2\x82\xac" }, { "=?koi8-r?B?8NLJ18XU?=",
								"\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82" },
		{ "=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\xe6\x97\xa5\xe6\x9c\xac" }, { "=?utf-8*en?Q?x?=", "x" },
		{ "=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab" }, { "=?utf-8?Q?a?=\r\n =?iso-8859-1?Q?=E9?=", "a\xc3\xa9" },
		{ "=?utf-8?Q?a?= b =?utf-8?Q?c?=", "a b c" }, { "x =?utf-8?Q?a?=, y", "x a, y" },
		{ "=?utf-8?Q?a?==?utf-8?Q?b?=", "ab" },
		{ "=?utf-8?Q?=C3?= =?utf-8?Q?=A9?=", "\xc3\xa9" },
		{ "=?utf-8?B?w6k=?= =?UTF-8?Q?=C3=A9?=", "\xc3\xa9\xc3\xa9" },
		{ "=?utf-8?B?w?= =?utf-8?B?qQ==?=", FFFD }, { "=?utf-8?Q?=FF?=", FFFD }, { "caf\xe9", "caf" FFFD },
		{ "caf\xc3\xa9", "caf\xc3\xa9" }, { "=?nosuch?Q?x?=", "=?nosuch?Q?x?=" },
		{ "=?nosuch?Q?x?= =?utf-8?Q?y?=", "=?nosuch?Q?x?= y" },
		{ "=?utf-8?X?x?=", "=?utf-8?X?x?=" }, { "=?utf-8?Q?x", "=?utf-8?Q?x" },
		{ "=?utf-8?Q?x?", "=?utf-8?Q?x?" }, { "=?", "=?" },
		{ "=?utf-8?Q?a b?=", "=?utf-8?Q?a b?=" }, { "=?\?Q?x?=", "=?\?Q?x?=" },
		{ "=?utf-8?\?x?=", "=?utf-8?\?x?=" },
		{ "=?utf-8?Q?\?=", "" }, { "=?utf-8?Q?=4?=", "=4" }, { "=?utf-8?Q?=zz?=", "=zz" },
		{ "=?a?b?c=?utf-8?Q?x?=", "=?a?b?cx" },
		{ "one\r\n two", "one two" }, { "=?utf-8//IGNORE?Q?x?=", "=?utf-8//IGNORE?Q?x?=" },
		{ "==?utf-8?Q?x?==", "=x=" },
		{ "=?utf-16be?B?ANwAYg==?=", "\xc3\x9c" "b" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(1000), tiny = STR_INIT(1);

		assert_int_equal(header_decode(&out, span_z(rows[i].in)), 0);
		if (strcmp(out.p, rows[i].want) != 0)
			fail_msg("%s: got '%s', want '%s'", rows[i].in, out.p, rows[i].want);
		if (out.n > 1)
			assert_int_equal(header_decode(&tiny, span_z(rows[i].in)), -1);
		str_fini(&out);
		str_fini(&tiny);
	}
}

static void test_charset(void **state)
{
	static const struct {
		const char *name, *in, *want;
	} rows[] = {
		{ "utf-8", "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "UTF8", "\xe2(\xa1", FFFD "(" FFFD },
		{ "us-ascii", "a\xff", "a" FFFD }, { "iso-8859-1", "\xe9\xff", "\xc3\xa9\xc3\xbf" },
		{ "gb18030", "\xc4\xe3\xba\xc3", "\xe4\xbd\xa0\xe5\xa5\xbd" },
		{ "shift_jis", "\x93\xfa\x96\x7b", "\xe6\x97\xa5\xe6\x9c\xac" },
		{ "iso-2022-jp", "\x1b$BF|K\\\x1b(B!", "\xe6\x97\xa5\xe6\x9c\xac!" },
		{ "utf-8", "\xf0\x9f\x98", FFFD FFFD FFFD }, { "euc-kr", "\xbe", FFFD },
		{ "utf-7", "+AOk-x", "\xc3\xa9x" },
	};
	static const char *const unknown[] = { "", "nosuch", "utf-8//TRANSLIT", "a b", "../x",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	struct charset c;
	size_t i, k, chunk;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		for (chunk = 1; chunk < 9; chunk++) {
			struct str out = STR_INIT(1000);
			struct span in = span_z(rows[i].in);

			assert_int_equal(charset_open(&c, span_z(rows[i].name)), 0);
			for (k = 0; k < in.n; k += chunk)
				assert_int_equal(charset_convert(&c, span_sub(in, k, chunk), false, &out), 0);
			assert_int_equal(charset_convert(&c, SPAN_NULL, true, &out), 0);
			charset_close(&c);
			charset_close(&c);
			if (strcmp(out.p, rows[i].want) != 0)
				fail_msg("%s, row %zu, chunk %zu: '%s'", rows[i].name, i, chunk, out.p);
			str_fini(&out);
		}
	}
	for (i = 0; i < ARRAY_LEN(unknown); i++) {
		if (charset_open(&c, span_z(unknown[i])) == 0)
			fail_msg("'%s' was opened", unknown[i]);
		charset_close(&c);
	}
}

static void test_linear(void **state)
{
	static const char *const pieces[] = { "=?", "=?a?b?", "=?utf-8?q?x?=", "=?utf-8?q?x?= ", "=?x?q?y?=", "=", "?",
					      "=?a", " ",
		"=?utf-8?q?x?= =?utf-16?q?y?=" };
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(pieces); i++) {
		struct str in = STR_INIT(1u << 23), out = STR_INIT(1u << 23);
		uint64_t start;

		for (k = 0; k < 100000; k++)
			assert_int_equal(str_addz(&in, pieces[i]), 0);
		start = clock_mono_ms();
		assert_int_equal(header_decode(&out, str_span(&in)), 0);
		if (clock_mono_ms() - start > 2000)
			fail_msg("'%s': slow", pieces[i]);
		str_fini(&in);
		str_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words), cmocka_unit_test(test_charset), cmocka_unit_test(test_linear),
	};

	return cmocka_run_group_tests_name("header_decode", tests, NULL, NULL);
}
