#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "proto/imap_frame.h"

#include "base/str.h"

static const struct imap_frame_limits limits = { .text_max = 60, .literal_max = 30, .nonsync_max = 20 };

/* What happened, as text: S5 N5 ~ B(ig) C<text> X<text> L(ong); then "." for each end of the input. Literals are
 * accepted or streamed; refuse: a sync one that is too big starts anew. */
static void run(struct str *trace, struct span in, size_t chunk, bool is_streaming)
{
	struct imap_frame f;
	size_t base = 0, have = 0, used;

	imap_frame_init(&f, &limits);
	for (;;) {
		enum imap_frame_rc rc = imap_frame_next(&f, span_sub(in, base, have - base), &used);

		switch (rc) {
		case IMAP_FRAME_MORE:
			assert_int_equal(used, 0);
			if (have == in.n)
				return;
			have = have + chunk < in.n ? have + chunk : in.n;
			break;
		case IMAP_FRAME_SYNC:
		case IMAP_FRAME_NONSYNC:
		case IMAP_FRAME_TOO_BIG:
			assert_int_equal(str_addf(trace, "%s%s%s%llu ", rc == IMAP_FRAME_TOO_BIG ? "B" : "",
			                          f.literal.is_binary ? "~" : "", f.literal.is_sync ? "S" : "N",
			                          (unsigned long long)f.literal.n), 0);
			assert_int_equal(in.p[base + used - 1], '\n');
			if (rc == IMAP_FRAME_TOO_BIG && f.literal.is_sync) {
				imap_frame_init(&f, &limits);
				base += used;
			} else if (rc == IMAP_FRAME_TOO_BIG || is_streaming) {
				imap_frame_stream(&f);
				base += used + (size_t)f.literal.n;
				if (base > in.n)
					return;
			} else {
				imap_frame_accept(&f);
			}
			have = have < base ? base : have;
			break;
		case IMAP_FRAME_COMMAND:
		case IMAP_FRAME_BAD:
			assert_int_equal(str_addf(trace, "%c<", rc == IMAP_FRAME_BAD ? 'X' : 'C'), 0);
			assert_int_equal(str_add(trace, in.p + base, f.text_n), 0);
			assert_int_equal(str_addz(trace, "> "), 0);
			base += used;
			break;
		case IMAP_FRAME_TOO_LONG:
			assert_int_equal(used, 0);
			assert_int_equal(imap_frame_next(&f, SPAN_NULL, &used), IMAP_FRAME_TOO_LONG);
			assert_int_equal(str_addz(trace, "L"), 0);
			return;
		}
	}
}

struct row {
	const char *label;
	struct span in;
	struct span inline_want, stream_want;
};

#define ROW(label, in, want) { label, SPAN_LIT(in), SPAN_LIT(want), SPAN_LIT(want) }
#define ROW2(label, in, want, streamed) { label, SPAN_LIT(in), SPAN_LIT(want), SPAN_LIT(streamed) }
#define A10 "aaaaaaaaaa"

static const struct row rows[] = {
	ROW("a line", "a NOOP\r\n", "C<a NOOP> "),
	ROW("bare LF", "a NOOP\nb X\r\n", "C<a NOOP> C<b X> "),
	ROW("no end", "a NOOP\r", ""),
	ROW("empty lines", "\r\n\n\r\r\n", "C<> C<> C<\r> "),
	ROW("pipelined", "a A\r\nb B\r\nc", "C<a A> C<b B> "),
	ROW2("sync", "a L {5}\r\nhe\r\no x\r\n", "S5 C<a L {5}\r\nhe\r\no x> ", "S5 C< x> "),
	ROW2("nonsync", "a L {5+}\r\nhello\r\nb N\r\n", "N5 C<a L {5+}\r\nhello> C<b N> ", "N5 C<> C<b N> "),
	ROW2("two", "a L {1+}\r\nx {2+}\nyz\r\n", "N1 N2 C<a L {1+}\r\nx {2+}\nyz> ", "N1 N2 C<> "),
	ROW2("literal8", "a A ~{2}\r\n\0x\r\n", "~S2 C<a A ~{2}\r\n\0x> ", "~S2 C<> "),
	ROW2("literal8+", "a A ~{1+}\r\nx\r\n", "~N1 C<a A ~{1+}\r\nx> ", "~N1 C<> "),
	ROW2("empty literal", "a L {0+}\r\n {0}\r\n\r\n", "N0 S0 C<a L {0+}\r\n {0}\r\n> ", "N0 S0 C<> "),
	ROW2("literal that looks like one", "a L {6+}\r\n{100}\n\r\n", "N6 C<a L {6+}\r\n{100}\n> ", "N6 C<> "),
	ROW2("literal's end is no announcement", "a L {3+}\r\n{5}\r\nb\r\n", "N3 C<a L {3+}\r\n{5}> C<b> ",
	     "N3 C<> C<b> "),
	ROW2("MULTIAPPEND", "a A x {3+}\r\nabc (\\Seen) {2+}\r\nyz\r\n",
	     "N3 N2 C<a A x {3+}\r\nabc (\\Seen) {2+}\r\nyz> ",
	     "N3 N2 C<> "),
	ROW("in quotes", "a L \"{5}\r\nhello\r\n", "C<a L \"{5}> C<hello> "),
	ROW("in closed quotes", "a L \"{5}\"\r\n", "C<a L \"{5}\"> "),
	ROW("escaped quote", "a L \"\\\"{5}\r\nx\n", "C<a L \"\\\"{5}> C<x> "),
	ROW2("escaped backslash", "a L \"\\\\\" {1+}\r\nx\n", "N1 C<a L \"\\\\\" {1+}\r\nx> ", "N1 C<> "),
	ROW2("quotes do not reach into the next", "a \"\r\nb {1+}\r\nx\r\n", "C<a \"> N1 C<b {1+}\r\nx> ",
	     "C<a \"> N1 C<> "),
	ROW("backslash outside quotes", "a \\\"{1}\r\nx\n", "C<a \\\"{1}> C<x> "),
	ROW("no digits", "a {}\r\nb {+}\r\nc 5}\r\nd {5\r\n", "C<a {}> C<b {+}> C<c 5}> C<d {5> "),
	ROW("no literals", "a {-5}\r\nb {5++}\r\nc {5+} \r\n{ 5}\n", "C<a {-5}> C<b {5++}> C<c {5+} > C<{ 5}> "),
	ROW2("leading zeros", "a {0000000000000000000000000001+}\r\nx\r\n",
	     "N1 C<a {0000000000000000000000000001+}\r\nx> ", "N1 C<> "),
	ROW("NUL", "a N\0 x\r\nb N\r\n", "X<a N\0 x> C<b N> "),
	ROW2("NUL before a literal", "a \0 {3+}\r\nb N\r\nc N\r\n", "N3 X<a \0 {3+}\r\nb N> C<c N> ", "N3 X<> C<c N> "),
	ROW("sync too big", "a L {31}\r\nb N\r\n", "BS31 C<b N> "),
	ROW("nonsync too big is swallowed", "a L {21+}\r\nb NOOP\r\nb NOOP\r\nb NO x\r\nc N\r\n", "BN21 C<x> C<c N> "),
	ROW2("the sum counts when inline", "a {20}\r\n" A10 A10 " {11}\r\n", "S20 BS11 ", "S20 S11 "),
	ROW("beyond any integer", "a L {99999999999999999999999+}\r\nb N\r\n", "BN9223372036854775807 "),
	ROW("too long", A10 A10 A10 A10 A10 A10 "\r\n", "L"),
	ROW("just not too long", A10 A10 A10 A10 A10 "aaaaaaaa\r\n",
	    "C<" A10 A10 A10 A10 A10 "aaaaaaaa> "),
	ROW("without end too long", A10 A10 A10 A10 A10 A10 "a", "L"),
	ROW2("too long behind literals", A10 A10 A10 "{1+}\r\nx" A10 A10 A10 "\r\n", "N1 L", "N1 L"),
};

static void test_rows(void **state)
{
	static const size_t chunks[] = { 1, 2, 3, 7, 1000 };
	size_t i, c;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		for (c = 0; c < 2 * ARRAY_LEN(chunks); c++) {
			struct str trace = STR_INIT(1000);
			struct span want = c % 2 ? rows[i].stream_want : rows[i].inline_want;

			run(&trace, rows[i].in, chunks[c / 2], c % 2);
			if (!span_eq(str_span(&trace), want))
				fail_msg("%s%s, chunks of %zu: %s", rows[i].label, c % 2 ? ", streamed" : "",
					 chunks[c / 2], trace.p);
			str_fini(&trace);
		}
	}
}

/* A line in single bytes costs one step a byte: a megabyte would take minutes otherwise. */
static void test_no_rescan(void **state)
{
	static const struct imap_frame_limits large = { .text_max = 4000000, .literal_max = 4000000,
							.nonsync_max = 4000000 };
	size_t n = 1000000, i, used;
	struct str in = STR_INIT(4000000);
	struct imap_frame f;

	assert_int_equal(str_addz(&in, "a L {1000000+}\r\n"), 0);
	while (in.n < 2 * n)
		assert_int_equal(str_addz(&in, "0123456789"), 0);
	imap_frame_init(&f, &large);
	for (i = 0; i < in.n; i++) {
		enum imap_frame_rc rc = imap_frame_next(&f, span_sub(str_span(&in), 0, i), &used);

		if (rc == IMAP_FRAME_NONSYNC)
			imap_frame_accept(&f);
		else
			assert_int_equal(rc, IMAP_FRAME_MORE);
	}
	str_fini(&in);
}

static void test_announces(void **state)
{
	static const struct {
		const char *line;
		bool rc;
		size_t before;
	} cases[] = {
		{ "{5}", true, 0 }, { "x {5}", true, 2 }, { "x ~{5+}", true, 2 }, { "~{0}", true, 0 }, { "", false, 0 },
		{ "}", false, 0 }, { "{}", false, 0 }, { "5}", false, 0 }, { "{5", false, 0 }, { "+}", false, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		struct imap_frame_literal lit;
		size_t before = 0;

		if (imap_frame_announces(span_z(cases[i].line), &lit, &before) != cases[i].rc ||
		    before != cases[i].before)
			fail_msg("%s: %zu", cases[i].line, before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_no_rescan),
		cmocka_unit_test(test_announces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
