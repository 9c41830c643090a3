#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "proto/imap_parse.h"

#include "base/str.h"

static struct arena arena;

static struct imap_parse at(struct span text)
{
	struct imap_parse p;

	imap_parse_init(&p, &arena, text);
	return p;
}

static void test_command(void **state)
{
	static const struct {
		const char *text, *tag, *verb, *rest, *error;
	} rows[] = {
		{ "a1 NOOP", "a1", "NOOP", "", NULL },
		{ "a]. noop ", "a].", "NOOP", " ", NULL },
		{ "1 uid fetch 1 x", "1", "UID FETCH", " 1 x", NULL },
		{ "1 UID  copy", "1", "UID COPY", "", NULL },
		{ "1 uidx", "1", "UIDX", "", NULL },
		{ "", "", "", "", "Missing tag" },
		{ " NOOP", "", "", "", "Missing tag" },
		{ "+ NOOP", "", "", "", "Invalid tag" },
		{ "a+ NOOP", "", "", "", "Invalid tag" },
		{ "a(b NOOP", "", "", "", "Invalid tag" },
		{ "a\xff NOOP", "", "", "", "Invalid tag" },
		{ "a", "a", "", "", "Missing command" },
		{ "a ", "a", "", "", "Missing command" },
		{ "a (", "a", "", "", "Invalid command" },
		{ "a UID", "a", "", "", "Missing command after UID" },
		{ "a UID \"x\"", "a", "", "", "Invalid command after UID" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct imap_parse p = at(span_z(rows[i].text));
		struct err err = ERR_INIT;
		struct imap_command cmd;
		int rc = imap_parse_command(&p, &cmd, &err);

		if (rc != (rows[i].error ? -1 : 0) || !span_eqz(cmd.tag, rows[i].tag))
			fail_msg("%s: %d %s", rows[i].text, rc, err.msg);
		if (rc < 0 && (strcmp(err.msg, rows[i].error) != 0 || err.kind != ERR_PROTO))
			fail_msg("%s: %s", rows[i].text, err.msg);
		if (rc == 0 && (!span_eqz(cmd.verb, rows[i].verb) || !span_eqz(span_from(p.in, p.at), rows[i].rest)))
			fail_msg("%s: %.*s", rows[i].text, SPAN_ARG(cmd.verb));
	}
}

/* The arguments as letters: s string, n nstring, a astring, m mailbox with separator '/', t atom, w word; a blank is a
 * space. The values come out in brackets. */
static int run(struct span text, const char *form, struct str *out, struct err *err)
{
	struct imap_parse p = at(text);
	struct span v = SPAN_NULL;

	for (; *form; form++) {
		int rc = *form == 's' ? imap_parse_string(&p, "value", &v, err)
		       : *form == 'n' ? imap_parse_nstring(&p, "value", &v, err)
		       : *form == 'a' ? imap_parse_astring(&p, "value", &v, err)
		       : *form == 'm' ? imap_parse_mailbox(&p, '/', &v, err)
		       : *form == 't' ? imap_parse_atom(&p, "value", &v, err)
		       : *form == 'w' ? imap_parse_word(&p, "value", &v, err)
		       : imap_parse_sp(&p, "value", err);

		if (rc < 0)
			return -1;
		if (*form != ' ' && str_addf(out, v.p ? "[%.*s]" : "nil", SPAN_ARG(v)) < 0)
			return -1;
	}
	return imap_parse_end(&p, err);
}

static void test_strings(void **state)
{
	static const struct {
		const char *form;
		struct span text;
		const char *want;       /* values, or the error */
		int rc;
	} rows[] = {
		{ "s", SPAN_LIT("\"\""), "[]", 0 },
		{ "s", SPAN_LIT("\"a b\""), "[a b]", 0 },
		{ "s", SPAN_LIT("\"a\\\"b\\\\\""), "[a\"b\\]", 0 },
		{ "s", SPAN_LIT("\"caf\xc3\xa9\""), "[caf\xc3\xa9]", 0 },
		{ "s s", SPAN_LIT("{3}\r\na\"b {2+}\ncd"), "[a\"b][cd]", 0 },
		{ "s s", SPAN_LIT("{0}\r\n \"x\""), "[][x]", 0 },
		{ "s", SPAN_LIT("{3}\r\na\nb"), "[a\nb]", 0 },
		{ "s", SPAN_LIT("{4}\r\nabc"), "Invalid literal in value", -1 },
		{ "s", SPAN_LIT("{3}abc"), "Invalid literal in value", -1 },
		{ "s", SPAN_LIT("{x}\r\nabc"), "Invalid literal in value", -1 },
		{ "s", SPAN_LIT("{1} {2}\r\nabc"), "Invalid literal in value", -1 },
		{ "s", SPAN_LIT("{3}\r\na\0b"), "NUL byte in value", -1 },
		{ "s", SPAN_LIT("~{1}\r\na"), "Missing quotes around value", -1 },
		{ "s", SPAN_LIT("\"abc"), "Missing closing quote of value", -1 },
		{ "s", SPAN_LIT("\"ab\\\""), "Missing closing quote of value", -1 },
		{ "s", SPAN_LIT("\"ab\\"), "Invalid backslash in value", -1 },
		{ "s", SPAN_LIT("\"a\\b\""), "Invalid backslash in value", -1 },
		{ "s", SPAN_LIT("\"a\rb\""), "Line break or NUL in quotes in value", -1 },
		{ "s", SPAN_LIT("\"a\0b\""), "Line break or NUL in quotes in value", -1 },
		{ "s", SPAN_LIT("abc"), "Missing quotes around value", -1 },
		{ "s", SPAN_LIT(""), "Missing value", -1 },
		{ "s", SPAN_LIT("\"a\"b"), "Unexpected text after the arguments", -1 },
		{ "s", SPAN_LIT("\"a\"  "), "[a]", 0 },
		{ "s s", SPAN_LIT("\"a\"\"b\""), "Missing space before value", -1 },
		{ "s s", SPAN_LIT("\"a\""), "Missing value", -1 },
		{ "n n", SPAN_LIT("nil \"NIL\""), "nil[NIL]", 0 },
		{ "n", SPAN_LIT("NILE"), "Missing quotes around value", -1 },
		{ "a a", SPAN_LIT("NIL p%*]\\d+"), "[NIL][p%*]\\d+]", 0 },
		{ "a a", SPAN_LIT("abc  \"x y\""), "[abc][x y]", 0 },
		{ "a", SPAN_LIT("a\"b\""), "Unexpected text after the arguments", -1 },
		{ "a", SPAN_LIT("a(b"), "Unexpected text after the arguments", -1 },
		{ "a", SPAN_LIT("caf\xc3\xa9"), "Unexpected text after the arguments", -1 },
		{ "a", SPAN_LIT("\xc3\xa9"), "Invalid value", -1 },
		{ "a", SPAN_LIT("(x)"), "Invalid value", -1 },
		{ "a", SPAN_LIT(")"), "Missing value", -1 },
		{ "m m", SPAN_LIT("inbox InBox/Sub"), "[INBOX][INBOX/Sub]", 0 },
		{ "m m", SPAN_LIT("inboxes inbox.x"), "[inboxes][inbox.x]", 0 },
		{ "m m", SPAN_LIT("\"iNBOX\" {5}\r\ninbox"), "[INBOX][INBOX]", 0 },
		{ "m", SPAN_LIT(""), "Missing mailbox name", -1 },
		{ "t", SPAN_LIT("a.b-c"), "[a.b-c]", 0 },
		{ "t", SPAN_LIT("a]"), "Unexpected text after the arguments", -1 },
		{ "t", SPAN_LIT("*"), "Invalid value", -1 },
		{ "w", SPAN_LIT("BODY.PEEK"), "[BODY.PEEK]", 0 },
		{ "w", SPAN_LIT("BODY["), "Unexpected text after the arguments", -1 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(1000);
		struct err err = ERR_INIT;
		int rc = run(rows[i].text, rows[i].form, &out, &err);

		if (rc != rows[i].rc || strcmp(rc ? err.msg : out.p, rows[i].want) != 0)
			fail_msg("row %zu \"%s\": %d %s %s", i, rows[i].text.p, rc, out.p, err.msg);
		str_fini(&out);
	}
}

static void test_numbers(void **state)
{
	static const struct {
		char form;
		const char *text;
		uint64_t n;
		const char *error;
	} rows[] = {
		{ 'l', "0", 0, NULL }, { 'z', "007", 7, NULL }, { 'z', "4294967295", 4294967295u, NULL },
		{ 'z', "4294967296", 0, "Too large a count" }, { 'z', "", 0, "Missing count" },
		{ 'l', "-1", 0, "Invalid count" },
		{ 'z', "+1", 0, "Invalid count" }, { 'z', "1", 1, NULL }, { 'z', "0", 0, "Zero is no count" },
		{ 'l', "9223372036854775807", INT64_MAX, NULL }, { 'l', "9223372036854775808", 0, "Too large a count" },
		{ 'l', "99999999999999999999999999", 0, "Too large a count" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct imap_parse p = at(span_z(rows[i].text));
		struct err err = ERR_INIT;
		uint32_t small = 0;
		uint64_t n = 0;
		int rc = rows[i].form == 'z' ? imap_parse_nz_number(&p, "count", &small, &err)
		       : imap_parse_number64(&p, "count", &n, &err);

		if (rc != (rows[i].error ? -1 : 0) || strcmp(err.msg, rows[i].error ? rows[i].error : "") != 0)
			fail_msg("%s: %d %s", rows[i].text, rc, err.msg);
		if (rc == 0)
			assert_int_equal(rows[i].form == 'l' ? n : small, rows[i].n);
	}
}

static void test_flags(void **state)
{
	static const struct {
		const char *text;
		bool is_list;
		unsigned bits;
		const char *want;
	} rows[] = {
		{ "()", true, 0, "" },
		{ "(\\Seen \\ANSWERED)", true, IMAP_FLAG_SEEN | IMAP_FLAG_ANSWERED, "" },
		{ "(\\draft \\Deleted \\flagged \\draft)", true,
		  IMAP_FLAG_DRAFT | IMAP_FLAG_DELETED | IMAP_FLAG_FLAGGED, "" },
		{ "($Forwarded \\Seen Junk junk)", true, IMAP_FLAG_SEEN, "$Forwarded Junk " },
		{ "(a ab a)", true, 0, "a ab " },
		{ "\\Seen x", false, IMAP_FLAG_SEEN, "x " },
		{ "(\\Seen)", false, IMAP_FLAG_SEEN, "" },
		{ "x", true, 0, "!Missing '(' before flags" },
		{ "", false, 0, "!Missing flag" },
		{ "(\\Recent)", true, 0, "!The flag \\Recent cannot be changed" },
		{ "(\\Foo)", true, 0, "!Unknown system flag \\Foo" },
		{ "(\\*)", true, 0, "!Invalid flag" },
		{ "(\\)", true, 0, "!Missing flag" },
		{ "(a", true, 0, "!Missing ')'" },
		{ "(a\"b\")", true, 0, "!Missing space before the next item of the list" },
		{ "((a))", true, 0, "!Invalid flag" },
		{ "(\"a\")", true, 0, "!Invalid flag" },
		{ "\\Seen )", false, 0, "!Missing flag" },
	};
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct imap_parse p = at(span_z(rows[i].text));
		struct str out = STR_INIT(1000);
		struct err err = ERR_INIT;
		struct imap_flags f;
		int rc = rows[i].is_list ? imap_parse_flag_list(&p, &f, &err) : imap_parse_flags(&p, &f, &err);

		for (k = 0; rc == 0 && k < f.n; k++)
			assert_int_equal(str_addf(&out, "%.*s ", SPAN_ARG(f.keywords[k])), 0);
		if (rc < 0)
			assert_int_equal(str_addf(&out, "!%s", err.msg), 0);
		if (strcmp(out.p, rows[i].want) != 0 ||
		    (rc == 0 && (f.bits != rows[i].bits || imap_parse_end(&p, &err) < 0)))
			fail_msg("%s: %s %x %s", rows[i].text, out.p, f.bits, err.msg);
		str_fini(&out);
	}
}

/* Keywords have limits: their length and, since doubles are sought, their number. */
static void test_flag_limits(void **state)
{
	struct str text = STR_INIT(100000);
	struct err err = ERR_INIT;
	struct imap_flags f;
	struct imap_parse p;
	int i;

	for (i = 0; i < 251; i++)
		assert_int_equal(str_addf(&text, "%sk%d", i ? " " : "", i), 0);
	p = at(str_span(&text));
	assert_int_equal(imap_parse_flags(&p, &f, &err), -1);
	assert_string_equal(err.msg, "Too many keywords");
	str_reset(&text);
	for (i = 0; i < IMAP_PARSE_KEYWORD_MAX; i++)
		assert_int_equal(str_addc(&text, 'k'), 0);
	p = at(str_span(&text));
	assert_int_equal(imap_parse_flags(&p, &f, &err), 0);
	assert_int_equal(str_addc(&text, 'k'), 0);
	p = at(str_span(&text));
	assert_int_equal(imap_parse_flags(&p, &f, &err), -1);
	assert_string_equal(err.msg, "Too long a keyword");
	str_fini(&text);
}

static void test_date_time(void **state)
{
	static const struct {
		const char *text;
		int rc;
		int64_t unix_s;
		int offset_min;
	} rows[] = {
		{ "\"17-Jul-1996 02:44:25 -0700\"", 0, 837596665, -420 },
		{ "\" 1-Jan-1970 00:00:00 +0000\"", 0, 0, 0 },
		{ "\"01-jan-1970 05:30:00 +0530\"", 0, 0, 330 },
		{ "\"29-Feb-2000 23:59:60 +0000\"", 0, 951868800, 0 },
		{ "\"31-Dec-9999 23:59:59 +0000\"", 0, 253402300799, 0 },
		{ "\"01-Jan-1900 00:00:00 +0000\"", 0, -2208988800, 0 },
		{ "\"29-Feb-1900 00:00:00 +0000\"", -1, 0, 0 },
		{ "\"31-Apr-2000 00:00:00 +0000\"", -1, 0, 0 },
		{ "\"00-Apr-2000 00:00:00 +0000\"", -1, 0, 0 },
		{ "\"01-Foo-2000 00:00:00 +0000\"", -1, 0, 0 },
		{ "\"01-Apr-00 00:00:00 +0000\"", -1, 0, 0 },
		{ "\"01-Apr-2000 24:00:00 +0000\"", -1, 0, 0 },
		{ "\"01-Apr-2000 00:60:00 +0000\"", -1, 0, 0 },
		{ "\"01-Apr-2000 00:00:61 +0000\"", -1, 0, 0 },
		{ "\"01-Apr-2000 00:00:00 0000\"", -1, 0, 0 },
		{ "\"01-Apr-2000 00:00:00 +0060\"", -1, 0, 0 },
		{ "\"01-Apr-2000 00:00:00 +0000 \"", -1, 0, 0 },
		{ "\"01-Apr-2000 00:00:00\"", -1, 0, 0 },
		{ "\"\"", -1, 0, 0 },
		{ "01-Apr-2000", -1, 0, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct imap_parse p = at(span_z(rows[i].text));
		struct err err = ERR_INIT;
		int64_t t = 0;
		int offset = 0, rc = imap_parse_date_time(&p, &t, &offset, &err);

		if (rc != rows[i].rc || (rc == 0 && (t != rows[i].unix_s || offset != rows[i].offset_min)))
			fail_msg("%s: %d %lld %d", rows[i].text, rc, (long long)t, offset);
	}
}

static void test_date(void **state)
{
	static const struct {
		const char *text;
		int rc;
		int32_t day;
	} rows[] = {
		{ "1-Jan-1970", 0, 0 }, { "01-Jan-1970", 0, 0 }, { "\"31-DEC-1969\"", 0, -1 },
		{ "1-Mar-2000", 0, 11017 },
		{ "22-Nov-2026", 0, 20779 }, { "1-Jan-0000", 0, -719528 }, { "31-Dec-0000", 0, -719163 },
		{ "1-Jan", -1, 0 },
		{ "1-Jan-70", -1, 0 }, { "32-Jan-1970", -1, 0 }, { "1/1/1970", -1, 0 }, { "", -1, 0 },
		{ "1-Jan-19700", -1, 0 },
		{ "001-Jan-1970", -1, 0 },
	};
	size_t i;
	int32_t day;
	int year;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct imap_parse p = at(span_z(rows[i].text));
		struct err err = ERR_INIT;
		int rc;

		day = 0;
		rc = imap_parse_date(&p, &day, &err);
		if (rc != rows[i].rc || day != rows[i].day)
			fail_msg("%s: %d %d", rows[i].text, rc, day);
	}
	for (year = 0, day = -719528; year < 3000; year++) {    /* one after the other, every year has its days */
		assert_int_equal(imap_parse_day(year, 1, 1), day);
		day = imap_parse_day(year, 12, 31) + 1;
	}
}

static void test_depth(void **state)
{
	struct str text = STR_INIT(10000);
	struct err err = ERR_INIT;
	struct imap_parse p;
	int i;

	while (text.n < 5000)
		assert_int_equal(str_addc(&text, '('), 0);
	p = at(str_span(&text));
	for (i = 0; imap_parse_list_begin(&p, "x", &err) == 0; i++)
		;
	assert_int_equal(i, IMAP_PARSE_DEPTH);
	assert_string_equal(err.msg, "Too many parentheses inside each other");
	str_fini(&text);
}

static void test_literal_head(void **state)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t n;
		bool is_sync, is_binary;
	} rows[] = {
		{ "{12}\r\n", 0, 12, true, false }, { "{12}", 0, 12, true, false }, { "~{1+}\n", 0, 1, false, true },
		{ " {12}\r\n", -1, 0, false, false }, { "\"x\"", -1, 0, false, false }, { "", -1, 0, false, false },
		{ "x{12}", -1, 0, false, false },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct imap_parse p = at(span_z(rows[i].text));
		struct imap_frame_literal lit;
		struct err err = ERR_INIT;
		int rc = imap_parse_literal_head(&p, &lit, &err);

		if (rc != rows[i].rc || (rc == 0 && (lit.n != rows[i].n || lit.is_sync != rows[i].is_sync ||
		                                     lit.is_binary != rows[i].is_binary || imap_parse_peek(&p) >= 0)))
			fail_msg("row %zu: %d", i, rc);
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
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_flag_limits),
		cmocka_unit_test(test_date_time),
		cmocka_unit_test(test_date),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_literal_head),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
