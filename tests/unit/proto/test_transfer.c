#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/transfer.h"

static void test_decode(void **state)
{
	static const struct {
		enum transfer_kind kind;
		const char *in, *want;
		bool is_sound;
	} rows[] = {
		{ TRANSFER_IDENTITY, "a=b\r\n", "a=b\r\n", true }, { TRANSFER_UNKNOWN, "x", "x", true },
		{ TRANSFER_BASE64, "SGVsbG8=", "Hello", true }, { TRANSFER_BASE64, "SGVs\r\nbG8=\r\n", "Hello", true },
		{ TRANSFER_BASE64, "SGVsbG8", "Hello", true }, { TRANSFER_BASE64, "SG!VsbG8=", "Hello", false },
		{ TRANSFER_BASE64, "SGVsbG8=SGVsbG8=", "HelloHello", true },
		{ TRANSFER_BASE64, "SGVsbA==bA==", "Helll", true },
		{ TRANSFER_BASE64, "A", "", false }, { TRANSFER_BASE64, "", "", true },
		{ TRANSFER_BASE64, "====", "", false },
		{ TRANSFER_BASE64, "+/+/", "\xfb\xff\xbf", true },
		{ TRANSFER_QUOTED_PRINTABLE, "caf=C3=a9", "caf\xc3\xa9", true },
		{ TRANSFER_QUOTED_PRINTABLE, "one=\r\ntwo", "onetwo", true },
		{ TRANSFER_QUOTED_PRINTABLE, "one=\ntwo", "onetwo", true },
		{ TRANSFER_QUOTED_PRINTABLE, "one= \t\r\ntwo", "onetwo", true },
		{ TRANSFER_QUOTED_PRINTABLE, "one  \r\ntwo\t\n", "one\r\ntwo\n", true },
		{ TRANSFER_QUOTED_PRINTABLE, "a  b ", "a  b ", true },
		{ TRANSFER_QUOTED_PRINTABLE, "a=zz", "a=zz", false },
		{ TRANSFER_QUOTED_PRINTABLE, "a=4", "a=4", false },
		{ TRANSFER_QUOTED_PRINTABLE, "a=4z", "a=4z", false }, { TRANSFER_QUOTED_PRINTABLE, "a=", "a", true },
		{ TRANSFER_QUOTED_PRINTABLE, "==41", "=A", false },
		{ TRANSFER_QUOTED_PRINTABLE, "=4=41", "=4A", false },
		{ TRANSFER_QUOTED_PRINTABLE, "= x", "= x", false },
		{ TRANSFER_QUOTED_PRINTABLE, "\xe9 8bit", "\xe9 8bit", true },
		{ TRANSFER_QUOTED_PRINTABLE, "a\rb", "a\rb", true },
		{ TRANSFER_QUOTED_PRINTABLE, "=0D=0A", "\r\n", true },
	};
	static const size_t chunks[] = { 1, 2, 7, 1000 };
	size_t i, k, c;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		for (c = 0; c < ARRAY_LEN(chunks); c++) {
			struct span in = span_z(rows[i].in);
			struct str out = STR_INIT(1000);
			struct transfer t;

			transfer_init(&t, rows[i].kind);
			for (k = 0; k < in.n; k += chunks[c])
				assert_int_equal(transfer_feed(&t, span_sub(in, k, chunks[c]), &out), 0);
			assert_int_equal(transfer_end(&t, &out), 0);
			if (strcmp(out.p, rows[i].want) != 0 || (t.n_bad == 0) != rows[i].is_sound)
				fail_msg("'%s', chunk %zu: got '%s', %llu bad", rows[i].in, chunks[c], out.p,
					 (unsigned long long)t.n_bad);
			str_fini(&out);
		}
	}
}

static void test_many_blanks(void **state)
{
	struct str in = STR_INIT(5000), out = STR_INIT(5000);
	struct transfer t;
	size_t i;

	for (i = 0; i < 1000; i++)
		assert_int_equal(str_addc(&in, ' '), 0);
	assert_int_equal(str_addz(&in, "x= "), 0);
	for (i = 0; i < 1000; i++)
		assert_int_equal(str_addc(&in, ' '), 0);
	transfer_init(&t, TRANSFER_QUOTED_PRINTABLE);
	assert_int_equal(transfer_feed(&t, str_span(&in), &out), 0);
	assert_int_equal(transfer_end(&t, &out), 0);
	assert_true(span_eq(str_span(&in), str_span(&out)));
	str_fini(&in);
	str_fini(&out);
}

static void test_kind(void **state)
{
	assert_int_equal(transfer_kind(SPAN_NULL), TRANSFER_IDENTITY);
	assert_int_equal(transfer_kind(SPAN_LIT(" 8BIT ")), TRANSFER_IDENTITY);
	assert_int_equal(transfer_kind(SPAN_LIT("Base64")), TRANSFER_BASE64);
	assert_int_equal(transfer_kind(SPAN_LIT("quoted-Printable")), TRANSFER_QUOTED_PRINTABLE);
	assert_int_equal(transfer_kind(SPAN_LIT("x-uuencode")), TRANSFER_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode), cmocka_unit_test(test_many_blanks), cmocka_unit_test(test_kind),
	};

	return cmocka_run_group_tests_name("transfer", tests, NULL, NULL);
}
