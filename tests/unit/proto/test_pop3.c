#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "proto/pop3.h"

static void test_parse(void **state)
{
	static const struct {
		struct span line;
		int rc;
		const char *verb, *args;
	} rows[] = {
		{ SPAN_LIT("QUIT"), 0, "QUIT", "" },
		{ SPAN_LIT("USER tito"), 0, "USER", "tito" },
		{ SPAN_LIT("PASS two  words "), 0, "PASS", "two  words " },
		{ SPAN_LIT("TOP 1 10"), 0, "TOP", "1 10" },
		{ SPAN_LIT("LIST "), 0, "LIST", "" },
		{ SPAN_LIT(""), -1, "", "" },
		{ SPAN_LIT(" QUIT"), -1, "", "" },
		{ SPAN_LIT("PASS a\0b"), -1, "", "" },
		{ SPAN_LIT("ABCDEFGHIJKLMNOP"), 0, "ABCDEFGHIJKLMNOP", "" },
		{ SPAN_LIT("ABCDEFGHIJKLMNOPQ"), -1, "", "" },
		{ SPAN_LIT("\x80\xff x"), 0, "\x80\xff", "x" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct span verb, args;
		int rc = pop3_parse(rows[i].line, &verb, &args);

		if (rc != rows[i].rc || (rc == 0 && (!span_eqz(verb, rows[i].verb) || !span_eqz(args, rows[i].args))))
			fail_msg("row %zu \"%s\": %d", i, rows[i].line.p, rc);
	}
}

static void test_number(void **state)
{
	static const struct {
		const char *args;
		int rc;
		uint64_t n;
	} rows[] = {
		{ "1", 0, 1 }, { " 12 x", 0, 12 }, { "4294967295", 0, 4294967295u }, { "4294967296", -1, 0 },
		{ "-1", -1, 0 },
		{ "+1", -1, 0 }, { "", -1, 0 }, { "0x1", -1, 0 }, { "1.", -1, 0 }, { "18446744073709551616", -1, 0 },
		{ "9223372036854775808", -1, 0 }, { "2147483648", 0, 2147483648u }, { "00000000000000000001", 0, 1 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct span args = span_z(rows[i].args);
		uint64_t n = 0;
		int rc = pop3_number(&args, UINT32_MAX, &n);

		if (rc != rows[i].rc || n != rows[i].n)
			fail_msg("\"%s\": %d %llu", rows[i].args, rc, (unsigned long long)n);
	}
}

/* Every message goes through the writer in chunks of every size, and through the counter. */
static void write_case(const char *label, struct span in, uint64_t lines, const char *want)
{
	static const size_t chunks[] = { 1, 2, 3, 7, 100000 };
	size_t i, at;

	for (i = 0; i < ARRAY_LEN(chunks); i++) {
		struct str out = STR_INIT(100000);
		struct pop3_writer w;
		bool is_done = false;

		pop3_write_begin(&w, lines);
		for (at = 0; at < in.n && !is_done; at += chunks[i])
			assert_int_equal(pop3_write(&w, span_sub(in, at, chunks[i]), &out, &is_done), 0);
		assert_int_equal(pop3_write_end(&w, &out), 0);
		if (!span_eqz(str_span(&out), want))
			fail_msg("%s, chunks of %zu:\n%s\nwanted\n%s", label, chunks[i], out.p, want);
		str_fini(&out);
	}
}

static void test_write(void **state)
{
	static const struct {
		const char *label, *in;
		uint64_t lines;
		const char *want;
	} rows[] = {
		{ "LF becomes CRLF", "A: b\n\nhello\n", UINT64_MAX, "A: b\r\n\r\nhello\r\n.\r\n" },
		{ "CRLF stays", "A: b\r\n\r\nhello\r\n", UINT64_MAX, "A: b\r\n\r\nhello\r\n.\r\n" },
		{ "dots", ".\n..\n.x\nx.\n\n.\n", UINT64_MAX, "..\r\n...\r\n..x\r\nx.\r\n\r\n..\r\n.\r\n" },
		{ "no end of line", "A: b\n\nhello", UINT64_MAX, "A: b\r\n\r\nhello\r\n.\r\n" },
		{ "ends in CR", "A: b\n\nhello\r", UINT64_MAX, "A: b\r\n\r\nhello\r\n.\r\n" },
		{ "empty", "", UINT64_MAX, ".\r\n" },
		{ "one newline", "\n", UINT64_MAX, "\r\n.\r\n" },
		{ "bare CR before a dot", "\r.x\n", UINT64_MAX, "\r.x\r\n.\r\n" },
		{ "CR CR LF", "a\r\r\n", UINT64_MAX, "a\r\r\n.\r\n" },
		{ "TOP 0", "A: b\n\n1\n2\n3\n", 0, "A: b\r\n\r\n.\r\n" },
		{ "TOP 2", "A: b\n\n1\n2\n3\n", 2, "A: b\r\n\r\n1\r\n2\r\n.\r\n" },
		{ "TOP 2 of CRLF", "A: b\r\n\r\n1\r\n.2\r\n3\r\n", 2, "A: b\r\n\r\n1\r\n..2\r\n.\r\n" },
		{ "TOP beyond the end", "A: b\n\n1\n", 9, "A: b\r\n\r\n1\r\n.\r\n" },
		{ "TOP of headers alone", "A: b\nC: d\n", 0, "A: b\r\nC: d\r\n.\r\n" },
		{ "TOP: empty lines count", "A: b\n\n\n\n\nx\n", 2, "A: b\r\n\r\n\r\n\r\n.\r\n" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		write_case(rows[i].label, span_z(rows[i].in), rows[i].lines, rows[i].want);
}

static void test_write_limit(void **state)
{
	struct str out = STR_INIT(8);
	struct pop3_writer w;

	pop3_write_begin(&w, UINT64_MAX);
	assert_int_equal(pop3_write(&w, SPAN_LIT("12345678\n"), &out, NULL), -1);
	str_fini(&out);
}

static void test_uidl(void **state)
{
	static const struct pop3_uidl id = { 0x2a, 0x4e8b9c0a, { "1318.M1.host,S=12", 17 },
					     { "0123456789abcdef", 16 } };
	static const struct {
		const char *format, *want;      /* want NULL: refused */
	} rows[] = {
		{ "%08Xu%08Xv", "0000002a4e8b9c0a" }, { "%v.%u", "1317772298.42" }, { "UID%u-%v", "UID42-1317772298" },
		{ "%f", "1318.M1.host,S=12" }, { "%Uf", "1318.M1.HOST,S=12" }, { "%g", "0123456789abcdef" },
		{ "%08XUu", "0000002A" }, { "%u%%", "42%" }, { "%v", NULL }, { "x", NULL }, { "%z%u", NULL },
		{ "%u%", NULL },
		{ "%99999999999u", NULL }, { "", NULL }, { "%m", NULL },
		{ "a b%u", "0000002a4e8b9c0a" }, { "%70u", "42" }, { "%070u%v", "0000002a4e8b9c0a" }, { "%060u%060v", "0000002a4e8b9c0a" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(400);
		struct err err = ERR_INIT;
		int rc = pop3_uidl_check(rows[i].format, &err);

		if ((rc == 0) != (rows[i].want != NULL))
			fail_msg("\"%s\": %d %s", rows[i].format, rc, err.msg);
		if (rc == 0) {
			assert_int_equal(pop3_uidl(&out, rows[i].format, &id), 0);
			assert_string_equal(out.p, rows[i].want);
		}
		str_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse), cmocka_unit_test(test_number), cmocka_unit_test(test_write),
		cmocka_unit_test(test_write_limit), cmocka_unit_test(test_uidl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
