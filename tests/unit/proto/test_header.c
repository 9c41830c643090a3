#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/header.h"

struct sink {
	struct str out;
	bool ended;
};

static void on_bytes(void *arg, struct span s)
{
	struct sink *k = arg;

	assert_int_equal(str_add_span(&k->out, s), 0);
}

static void on_end(void *arg, bool needs_blank)
{
	struct sink *k = arg;

	assert_false(k->ended);
	k->ended = true;
	assert_int_equal(str_addz(&k->out, needs_blank ? "{+}" : "{}"), 0);
}

static const struct header_events events = { on_bytes, on_end };
static const char *const drop[] = { "Bcc", "Return-Path", NULL };

static const struct {
	const char *label, *in, *want, *id;
	unsigned received;
	bool date, from;
} rows[] = {
	{ "usual", "From: a\nDate: x\nMessage-ID: <1@x>\n\nbody\n", "From: a\nDate: x\nMessage-ID: <1@x>\n{}\nbody\n",
	  "<1@x>", 0, true, true },
	{ "crlf", "From: a\r\n\r\nbody\r\n", "From: a\r\n{}\r\nbody\r\n", "", 0, false, true },
	{ "empty", "", "{}", "", 0, false, false },
	{ "only body", "\nbody: x\n", "{}\nbody: x\n", "", 0, false, false },
	{ "no blank line", "From: a\nhello world\n", "From: a\n{+}hello world\n", "", 0, false, true },
	{ "no header", "hello\n", "{+}hello\n", "", 0, false, false },
	{ "starts folded", " x\n", "{+} x\n", "", 0, false, false },
	{ "header only", "From: a\n", "From: a\n{}", "", 0, false, true },
	{ "cut in a name", "From: a\nDat", "From: a\n{+}Dat", "", 0, false, true },
	{ "folding", "From: a\n b\n\tc\n\nx\n", "From: a\n b\n\tc\n{}\nx\n", "", 0, false, true },
	{ "folded id", "Message-Id:\n <1@x>\n\n", "Message-Id:\n <1@x>\n{}\n", "<1@x>", 0, false, false },
	{ "second id", "Message-Id: <1@x>\nMessage-Id: <2@x>\n\n", "Message-Id: <1@x>\nMessage-Id: <2@x>\n{}\n",
	  "<1@x>", 0, false, false },
	{ "dropped", "Bcc: a,\n b\nFrom: c\nReturn-Path: <x>\n\nBcc: y\n", "From: c\n{}\nBcc: y\n", "", 0, false,
	  true },
	{ "dropped last", "Bcc: a", "{}", "", 0, false, false },
	{ "hops", "Received: a\nreceived: b\nX: c\nReceived:\n d\n\n",
	  "Received: a\nreceived: b\nX: c\nReceived:\n d\n{}\n", "", 3, false, false },
	{ "blank before colon", "Date : x\n\n", "Date : x\n{}\n", "", 0, true, false },
	{ "mbox line", "From a@b  Mon Jan 1\nDate: x\n\nFrom c\n",
	  "X-Mailbox-Line: From a@b  Mon Jan 1\nDate: x\n{}\nFrom c\n", "", 0, true, false },
	{ "quoted mbox lines", ">From a\r\n>>>From b:\r\nFrom: c\r\n\r\n",
	  "X-Mailbox-Line: >From a\r\nX-Mailbox-Line: >>>From b:\r\nFrom: c\r\n{}\r\n", "", 0, false, true },
	{ "mbox line alone", "From a", "X-Mailbox-Line: From a{}", "", 0, false, false },
	{ "mbox line, then folded", "From a\n x\n", "X-Mailbox-Line: From a\n{+} x\n", "", 0, false, false },
	{ "mbox line behind a field", "Date: x\nFrom a\n", "Date: x\n{+}From a\n", "", 0, true, false },
	{ "no mbox line", "from a: b\n", "{+}from a: b\n", "", 0, false, false },
	{ "from with a tab", "From\t: a\n\n", "From\t: a\n{}\n", "", 0, false, true },
	{ "quotes only", ">>", "{+}>>", "", 0, false, false },
	{ "word then text", "Date x: y\n", "{+}Date x: y\n", "", 0, false, false },
	{ "8-bit name", "D\xc3\xa4te: y\n", "{+}D\xc3\xa4te: y\n", "", 0, false, false },
	{ "colon first", ": y\n", "{+}: y\n", "", 0, false, false },
	{ "cr inside", "A: b\r\n\rx\n", "A: b\r\n{+}\rx\n", "", 0, false, false },
	{ "no line end", "From: a\n\nx", "From: a\n{}\nx", "", 0, false, true },
};

static void feed(struct header_filter *h, const char *in, size_t chunk)
{
	size_t n = strlen(in), i;

	for (i = 0; i < n; i += chunk)
		header_filter_feed(h, span_sub(span_z(in), i, chunk));
	header_filter_finish(h);
}

static void test_filter(void **state)
{
	static const size_t chunks[] = { 1, 2, 7, 1000000 };
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		for (k = 0; k < ARRAY_LEN(chunks); k++) {
			struct sink sink = { .out = STR_INIT(10000) };
			struct header_filter h;

			header_filter_init(&h, &events, &sink, drop);
			feed(&h, rows[i].in, chunks[k]);
			if (!sink.ended || !span_eqz(str_span(&sink.out), rows[i].want))
				fail_msg("%s at %zu: '%s'", rows[i].label, chunks[k], sink.out.p);
			if (strcmp(h.message_id, rows[i].id) != 0 || h.n_received != rows[i].received ||
			    h.has_date != rows[i].date || h.has_from != rows[i].from)
				fail_msg("%s at %zu: id '%s' hops %u", rows[i].label, chunks[k], h.message_id,
					 h.n_received);
			str_fini(&sink.out);
		}
	}
}

static void test_long_name(void **state)
{
	struct sink sink = { .out = STR_INIT(10000) };
	struct header_filter h;
	char name[2000];

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	header_filter_init(&h, &events, &sink, NULL);
	feed(&h, name, 7);
	assert_true(sink.ended);
	assert_int_equal(sink.out.n, strlen(name) + 3);
	str_fini(&sink.out);
}

static void test_next(void **state)
{
	struct span in = span_z("A: b\r\nLong:  x\r\n\ty\r\nE:\r\n\r\nbody"), name, value;

	assert_true(header_next(&in, &name, &value));
	assert_true(span_eqz(name, "A") && span_eqz(value, " b"));
	assert_true(header_next(&in, &name, &value));
	assert_true(span_eqz(name, "Long") && span_eqz(value, "  x\r\n\ty"));
	assert_true(header_next(&in, &name, &value));
	assert_true(span_eqz(name, "E") && value.n == 0);
	assert_false(header_next(&in, &name, &value));
	assert_true(span_eqz(in, "\r\nbody"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filter), cmocka_unit_test(test_long_name), cmocka_unit_test(test_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
