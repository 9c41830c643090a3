#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "imapd/fetch.h"

#define HEADER "From: a\r\nReceived: one\r\n\ttwo\r\nto : b\r\nno field\r\nSubject: c\r\n more\r\nFROM: again\r\n\r\n"

static void test_filter(void **state)
{
	struct span two[] = { SPAN_LIT("FROM"), SPAN_LIT("TO") }, received[] = { SPAN_LIT("RECEIVED") };
	const struct {
		const char *label;
		enum imap_fetch_text text;
		struct span *fields;
		size_t n;
		const char *header, *want;
	} rows[] = {
		{ "two", IMAP_FETCH_FIELDS, two, 2, HEADER, "From: a\r\nto : b\r\nFROM: again\r\n\r\n" },
		{ "folded", IMAP_FETCH_FIELDS, received, 1, HEADER, "Received: one\r\n\ttwo\r\n\r\n" },
		{ "not", IMAP_FETCH_FIELDS_NOT, two, 2, HEADER,
		  "Received: one\r\n\ttwo\r\nno field\r\nSubject: c\r\n more\r\n\r\n" },
		{ "empty", IMAP_FETCH_FIELDS, two, 2, "", "\r\n" },
		{ "no empty line", IMAP_FETCH_FIELDS, two, 2, "From: x\r\n", "From: x\r\n\r\n" },
		{ "cut", IMAP_FETCH_FIELDS, two, 2, "Subject: x\r\nFrom: x", "From: x\r\n\r\n" },
		{ "not in the body", IMAP_FETCH_FIELDS, two, 2, "A: x\r\n\r\nFrom: x\r\n", "\r\n" },
		{ "starts folded", IMAP_FETCH_FIELDS, two, 2, " x\r\nFrom: x\r\n\r\n", "From: x\r\n\r\n" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct imap_fetch_item it = { .text = rows[i].text, .fields = rows[i].fields, .n_fields = rows[i].n };
		struct str out = STR_INIT(1000);

		assert_int_equal(fetch_header_filter(&out, span_z(rows[i].header), &it), 0);
		if (strcmp(out.p, rows[i].want) != 0)
			fail_msg("%s: '%s'", rows[i].label, out.p);
		str_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_filter) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
