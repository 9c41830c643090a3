#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "proto/imap_utf7.h"

static void test_pairs(void **state)
{
	static const struct {
		const char *utf8, *utf7;
	} rows[] = {
		{ "", "" },
		{ "INBOX", "INBOX" },
		{ "a&b", "a&-b" },
		{ "&", "&-" },
		{ "&&-", "&-&--" },
		{ "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
		  "~peter/mail/&U,BTFw-/&ZeVnLIqe-" },
		{ "Entw\xc3\xbcrfe", "Entw&APw-rfe" },
		{ "\xc3\xa9", "&AOk-" },
		{ "\xc3\xa9\xc3\xa9", "&AOkA6Q-" },
		{ "\xc3\xa9\xc3\xa9\xc3\xa9", "&AOkA6QDp-" },
		{ "\xc3\xa9&\xc3\xa9", "&AOk-&-&AOk-" },
		{ "\xf0\x9f\x98\x80", "&2D3eAA-" },
		{ "\xf4\x8f\xbf\xbf", "&2,,f,w-" },
		{ "\xef\xbf\xbf", "&,,8-" },
		{ "\xc2\x80", "&AIA-" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str a = STR_INIT(200), b = STR_INIT(200);

		if (imap_utf7_encode(&a, span_z(rows[i].utf8)) < 0 || strcmp(a.p, rows[i].utf7) != 0)
			fail_msg("encode %s: %s", rows[i].utf7, a.p);
		if (imap_utf7_decode(&b, span_z(rows[i].utf7)) < 0 || strcmp(b.p, rows[i].utf8) != 0)
			fail_msg("decode %s: %s", rows[i].utf7, b.p);
		assert_true(imap_utf7_valid(span_z(rows[i].utf7)));
		str_fini(&a);
		str_fini(&b);
	}
}

static void test_invalid(void **state)
{
	static const struct {
		const char *label;
		struct span utf7;
	} rows[] = {
		{ "8-bit", SPAN_LIT("caf\xc3\xa9") },
		{ "control", SPAN_LIT("a\tb") },
		{ "NUL", SPAN_LIT("a\0b") },
		{ "DEL", SPAN_LIT("a\x7f") },
		{ "no end", SPAN_LIT("&AOk") },
		{ "ampersand at the end", SPAN_LIT("a&") },
		{ "not base64", SPAN_LIT("&AO!k-") },
		{ "slash of plain base64", SPAN_LIT("&U/BTFw-") },
		{ "padding character", SPAN_LIT("&AOk=-") },
		{ "encoded printable ASCII", SPAN_LIT("&AEE-") },
		{ "encoded printable ASCII behind others", SPAN_LIT("&AOkAQQ-") },
		{ "encoded ampersand", SPAN_LIT("&ACY-") },
		{ "encoded control", SPAN_LIT("&AAo-") },
		{ "encoded NUL", SPAN_LIT("&AAA-") },
		{ "encoded DEL", SPAN_LIT("&AH8-") },
		{ "high surrogate alone", SPAN_LIT("&2D0-") },
		{ "low surrogate alone", SPAN_LIT("&3gA-") },
		{ "high surrogate, then no low one", SPAN_LIT("&2D0A6Q-") },
		{ "two high ones", SPAN_LIT("&2D3YPQ-") },
		{ "pair over two shifts", SPAN_LIT("&2D0-&3gA-") },
		{ "two shifts where one does", SPAN_LIT("&AOk-&AOk-") },
		{ "padding bits set", SPAN_LIT("&AOl-") },
		{ "a digit too many", SPAN_LIT("&AOkA-") },
		{ "less than a unit", SPAN_LIT("&A-") },
		{ "less than a unit, two digits", SPAN_LIT("&AA-") },
	};
	static const char *const utf8[] = { "a\tb", "\x7f", "caf\xe9", "\xc3", "\xed\xa0\x80", "\xc0\x80",
	                                    "\xf4\x90\x80\x80" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		if (imap_utf7_valid(rows[i].utf7))
			fail_msg("%s", rows[i].label);
	}
	for (i = 0; i < ARRAY_LEN(utf8); i++) {
		struct str out = STR_INIT(200);

		if (imap_utf7_encode(&out, span_z(utf8[i])) == 0)
			fail_msg("encode row %zu: %s", i, out.p);
		str_fini(&out);
	}
}

static void test_limit(void **state)
{
	struct str out = STR_INIT(3);

	assert_int_equal(imap_utf7_encode(&out, SPAN_LIT("\xc3\xa9")), -1);
	str_reset(&out);
	assert_int_equal(imap_utf7_decode(&out, SPAN_LIT("abcd")), -1);
	str_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
