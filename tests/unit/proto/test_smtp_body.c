#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "proto/smtp_body.h"

/* want NULL: no end of data in the input. */
static const struct {
	const char *label, *in, *want, *rest;
	bool lf, cr;
} rows[] = {
	{ "plain", "a\r\nb\r\n.\r\nQUIT\r\n", "a\nb\n", "QUIT\r\n", false, false },
	{ "empty message", ".\r\n", "", "", false, false },
	{ "empty line", "\r\n.\r\n", "\n", "", false, false },
	{ "dot unstuffed", "..a\r\n.b\r\n...\r\n.\r\n", ".a\nb\n..\n", "", false, false },
	{ "dot inside a line", "a.\r\n.\r\n", "a.\n", "", false, false },
	{ "lf.lf", "a\n.\nMAIL\r\n.\r\n", "a\n\nMAIL\n", "", true, false },
	{ "lf.crlf", "a\n.\r\nMAIL\r\n.\r\n", "a\n\nMAIL\n", "", true, false },
	{ "crlf.lf", "a\r\n.\nMAIL\r\n.\r\n", "a\n\nMAIL\n", "", true, false },
	{ "cr.cr", "a\r.\rMAIL\r\n.\r\n", "a . MAIL\n", "", false, true },
	{ "crlf.cr", "a\r\n.\rMAIL\r\n.\r\n", "a\n MAIL\n", "", false, true },
	{ "cr.crlf", "a\r.\r\nMAIL\r\n.\r\n", "a .\nMAIL\n", "", false, true },
	{ "crcrlf.crcrlf", "a\r\r\n.\r\r\nMAIL\r\n.\r\n", "a \n \nMAIL\n", "", false, true },
	{ "crlf.crcrlf", "a\r\n.\r\r\nMAIL\r\n.\r\n", "a\n \nMAIL\n", "", false, true },
	{ "lfcr.lfcr", "a\n\r.\n\rMAIL\r\n.\r\n", "a\n .\n MAIL\n", "", true, true },
	{ "lf.cr", "a\n.\rb\r\n.\r\n", "a\n b\n", "", true, true },
	{ "no end", "a\r\n.", NULL, NULL, false, false },
	{ "no end, cr", "a\r\n.\r", NULL, NULL, false, false },
	{ "no end, lf.lf", "a\n.\n", NULL, NULL, true, false },
	{ "no end, crlf.lf", "a\r\n.\n", NULL, NULL, true, false },
	{ "no end, lf.crlf", "a\n.\r\n", NULL, NULL, true, false },
	{ "8-bit", "\xc3\xa9\r\n.\r\n", "\xc3\xa9\n", "", false, false },
};

static bool run(struct smtp_body *b, struct str *out, struct span in, size_t chunk, struct span *rest_r)
{
	size_t at = 0;

	while (at < in.n) {
		struct span piece = span_sub(in, at, chunk), got;
		size_t n = piece.n;
		enum smtp_body_rc rc;

		while ((rc = smtp_body_next(b, &piece, &got)) == SMTP_BODY_OUT)
			assert_int_equal(str_add_span(out, got), 0);
		at += n - piece.n;
		if (rc == SMTP_BODY_END) {
			*rest_r = span_from(in, at);
			return true;
		}
		assert_int_equal(piece.n, 0);
	}
	return false;
}

/* "\n" stands for the line end in the table. */
static void expect(struct str *to, const char *want, const char *eol)
{
	for (; *want; want++)
		assert_int_equal(*want == '\n' ? str_addz(to, eol) : str_addc(to, *want), 0);
}

static void test_data(void **state)
{
	static const size_t chunks[] = { 1, 2, 3, 7, 1000000 };
	static const char *const eols[] = { "\n", "\r\n" };
	size_t i, k, e;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		for (k = 0; k < ARRAY_LEN(chunks) * 2; k++) {
			struct str out = STR_INIT(10000), want = STR_INIT(10000);
			struct smtp_body b;
			struct span rest;
			bool ended;

			e = k % 2;
			smtp_body_init(&b, SMTP_BODY_DATA, eols[e], 0);
			ended = run(&b, &out, span_z(rows[i].in), chunks[k / 2], &rest);
			if (ended != (rows[i].want != NULL) || b.bare_lf != rows[i].lf || b.bare_cr != rows[i].cr)
				fail_msg("%s at %zu: end %d lf %d cr %d", rows[i].label, chunks[k / 2], ended,
					 b.bare_lf, b.bare_cr);
			if (ended) {
				expect(&want, rows[i].want, eols[e]);
				if (!span_eq(str_span(&out), str_span(&want)) || !span_eqz(rest, rows[i].rest) ||
				    b.size != out.n)
					fail_msg("%s at %zu: '%s' rest '%.*s'", rows[i].label, chunks[k / 2], out.p,
						 SPAN_ARG(rest));
			}
			str_fini(&out);
			str_fini(&want);
		}
	}
}

/* No mixture of CR, LF, dot and text may end data but CR LF . CR LF, and none leaves a bare CR or LF. */
static void test_all_mixtures(void **state)
{
	static const char alphabet[] = "\r\n.x";
	char in[12];
	unsigned v, i;

	for (v = 0; v < 1u << 18; v++) {
		struct str out = STR_INIT(100);
		struct smtp_body b;
		struct span rest;
		const char *end;
		bool ended;

		for (i = 0; i < 9; i++)
			in[i] = alphabet[(v >> (2 * i)) & 3];
		in[9] = '\0';
		smtp_body_init(&b, SMTP_BODY_DATA, "\r\n", 0);
		ended = run(&b, &out, span_z(in), 1 + v % 5, &rest);
		end = strncmp(in, ".\r\n", 3) == 0 ? in + 3 : strstr(in, "\r\n.\r\n") ? strstr(in, "\r\n.\r\n") + 5 :
			NULL;
		if (ended != (end != NULL) || (ended && rest.p != end))
			fail_msg("mixture %u: end %d", v, ended);
		for (i = 0; i < out.n; i++) {
			if ((out.p[i] == '\r' && out.p[i + 1] != '\n') ||
			    (out.p[i] == '\n' && (i == 0 || out.p[i - 1] != '\r')))
				fail_msg("mixture %u: bare byte", v);
		}
		str_fini(&out);
	}
}

static void test_bdat(void **state)
{
	static const struct {
		const char *label, *in, *want;
	} cases[] = {
		{ "dots stay", ".\r\n..a\r\n", ".\n..a\n" }, { "no final line end", "a\r\nb", "a\nb\n" },
		{ "empty", "", "" },
		{ "smuggled end", "a\r\n.\r\nMAIL\r\n", "a\n.\nMAIL\n" }, { "bare lf", "a\nb\n", "a\nb\n" },
		{ "cr at the end", "a\r", "a \n" }, { "bare cr", "a\rb\r\n", "a b\n" },
	};
	static const size_t chunks[] = { 1, 2, 7, 1000 };
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		for (k = 0; k < ARRAY_LEN(chunks); k++) {
			struct str out = STR_INIT(1000);
			struct smtp_body b;
			struct span rest, got;

			smtp_body_init(&b, SMTP_BODY_BDAT, "\n", 0);
			assert_false(run(&b, &out, span_z(cases[i].in), chunks[k], &rest));
			while (smtp_body_finish(&b, &got) == SMTP_BODY_OUT)
				assert_int_equal(str_add_span(&out, got), 0);
			if (!span_eqz(str_span(&out), cases[i].want))
				fail_msg("%s at %zu: '%s'", cases[i].label, chunks[k], out.p);
			str_fini(&out);
		}
	}
}

static void test_limits(void **state)
{
	struct str out = STR_INIT(1000);
	struct smtp_body b;
	struct span rest;

	smtp_body_init(&b, SMTP_BODY_DATA, "\n", 4);
	assert_true(run(&b, &out, span_z("abc\r\n.\r\n"), 1, &rest));
	assert_false(b.too_big);
	assert_string_equal(out.p, "abc\n");
	str_reset(&out);
	smtp_body_init(&b, SMTP_BODY_DATA, "\n", 4);
	assert_true(run(&b, &out, span_z("abcd\r\nefg\r\n.\r\nQUIT"), 2, &rest));
	assert_true(b.too_big);
	assert_true(span_eqz(rest, "QUIT"));
	str_fini(&out);
}

static void test_nul(void **state)
{
	static const char in[] = "a\0b\r\n.\r\n";
	struct str out = STR_INIT(1000);
	struct smtp_body b;
	struct span rest;

	smtp_body_init(&b, SMTP_BODY_DATA, "\n", 0);
	assert_true(run(&b, &out, SPAN_LIT(in), 1000, &rest));
	assert_true(b.nul && !b.eight_bit);
	assert_int_equal(out.n, 4);
	str_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_data), cmocka_unit_test(test_all_mixtures), cmocka_unit_test(test_bdat),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
