#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "proto/sort_key.h"

static void test_fold(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "", "" }, { "Hello_1", "HELLO_1" }, { "caf\xc3\xa9", "CAFE\xcc\x81" },
		{ "CAFE\xcc\x81", "CAFE\xcc\x81" },
		{ "\xc3\xbc\xc3\x9c", "U\xcc\x88U\xcc\x88" }, { "\xef\xac\x81", "fi" },
		{ "a\xff" "b", "A\xef\xbf\xbd" "B" },
		{ "\xc7\xb3", "Dz" }, { "\xd0\xbf\xd1\x80", "\xd0\x9f\xd0\xa0" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(1000);

		assert_int_equal(sort_key_fold(&out, span_z(rows[i].in)), 0);
		if (strcmp(out.p, rows[i].want) != 0)
			fail_msg("'%s': '%s'", rows[i].in, out.p);
		str_fini(&out);
	}
}

static void test_subject(void **state)
{
	static const struct {
		const char *in, *want;
		bool is_reply;
	} rows[] = {
		{ "hello", "HELLO", false }, { "Re: hello", "HELLO", true },
		{ "RE:Re: FW: fwd : hello", "HELLO", true }, { "Re[2]: hello", "HELLO", true },
		{ "Re [x] : hello", "HELLO", true }, { "[list] hello", "HELLO", false },
		{ "[list] Re: [other] hello", "HELLO", true },
		{ "[a][b] hello", "HELLO", false }, { "[list]", "[LIST]", false }, { "[a] [b]", "[B]", false },
		{ "hello (fwd)", "HELLO", true },
		{ "hello (FWD) (fwd)  ", "HELLO", true }, { "[fwd: hello]", "HELLO", true },
		{ "[Fwd: Re: hello (fwd)]", "HELLO", true },
		{ "Re: [fwd: [fwd: x]]", "X", true }, { "a \t  b\r\n c", "A B C", false }, { "", "", false },
		{ "Re:", "", true }, { "re", "RE", false },
		{ "Reply: x", "REPLY: X", false }, { "(fwd)", "", true }, { "[fwd:]", "", true },
		{ "=?utf-8?Q?Re=3A_caf=C3=A9?=", "CAFE\xcc\x81", true },
		{ "[unclosed re: x", "[UNCLOSED RE: X", false }, { "[a[b] x", "[A[B] X", false },
		{ "AW: x", "AW: X", false },
		{ "[a] [fwd: x]", "X", true },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(1000);
		bool is_reply;

		assert_int_equal(sort_key_subject(&out, span_z(rows[i].in), &is_reply), 0);
		if (strcmp(out.p, rows[i].want) != 0 || is_reply != rows[i].is_reply)
			fail_msg("'%s': '%s' %d", rows[i].in, out.p, is_reply);
		str_fini(&out);
	}
}

static void test_linear(void **state)
{
	static const char *const pieces[] = { "[a]", "re:", "re[a]:", "[fwd:", "(fwd)", "[", "]", "[fwd:[a]" };
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(pieces); i++) {
		struct str in = STR_INIT(1u << 22), out = STR_INIT(1u << 22);
		uint64_t start;
		bool is_reply;

		for (k = 0; k < 100000; k++)
			assert_int_equal(str_addz(&in, pieces[i]), 0);
		for (k = 0; k < 100000; k++)
			assert_int_equal(str_addz(&in, "]"), 0);
		start = clock_mono_ms();
		assert_int_equal(sort_key_subject(&out, str_span(&in), &is_reply), 0);
		if (clock_mono_ms() - start > 2000)
			fail_msg("'%s': slow", pieces[i]);
		str_fini(&in);
		str_fini(&out);
	}
}

static void test_address(void **state)
{
	static const struct {
		const char *in, *mailbox, *display;
	} rows[] = {
		{ "Tito <t.ito@b>, x@y", "T.ITO", "TITO" }, { "a@b.c", "A", "A@B.C" }, { "G: a@b;", "G", "G" },
		{ "", "", "" },
		{ "=?utf-8?Q?J=C3=B6rg?= <a@b>", "A", "JO\xcc\x88RG" }, { "a", "A", "A" }, { ",", "", "" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str mailbox = STR_INIT(1000), display = STR_INIT(1000);

		assert_int_equal(sort_key_first(&mailbox, &display, span_z(rows[i].in)), 0);
		if (strcmp(mailbox.p, rows[i].mailbox) != 0 || strcmp(display.p, rows[i].display) != 0)
			fail_msg("'%s': '%s' '%s'", rows[i].in, mailbox.p, display.p);
		str_fini(&mailbox);
		str_fini(&display);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fold), cmocka_unit_test(test_subject), cmocka_unit_test(test_linear),
		cmocka_unit_test(test_address),
	};

	return cmocka_run_group_tests_name("sort_key", tests, NULL, NULL);
}
