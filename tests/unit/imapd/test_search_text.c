#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "imapd/search_text.h"
#include "proto/sort_key.h"

static void needle(struct search_needle *n, struct str *folded, const char *z)
{
	str_init(folded, 10000);
	assert_int_equal(sort_key_fold(folded, span_z(z)), 0);
	*n = (struct search_needle){ str_span(folded), false };
}

static void test_pieces(void **state)
{
	static const struct {
		const char *text, *needle;
		bool is_found;
	} rows[] = {
		{ "hello world", "WORLD", true }, { "hello world", "worlds", false }, { "hello world", "lo wo", true },
		{ "caf\xc3\xa9 au lait", "CAF\xc3\x89 A", true }, { "caf\xc3\xa9", "cafe", true }, { "x", "x", true }, { "", "x", false },
		{ "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82", "\xd0\x9f\xd0\xa0\xd0\x98", true },
		{ "aaaaaaaaaaaaaaaaaaaab", "aaab", true },
	};
	size_t i, step, at;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		for (step = 1; step < 14; step++) {
			struct search_needle n, *all[] = { &n };
			struct str folded;
			struct search_text t;
			struct span text = span_z(rows[i].text);

			needle(&n, &folded, rows[i].needle);
			search_text_init(&t, all, 1);
			while (text.n) {
				for (at = step; at < text.n && ((unsigned char)text.p[at] & 0xc0) == 0x80; at++)
					;
				at = at < text.n ? at : text.n;
				search_text_feed(&t, span_sub(text, 0, at));
				text = span_from(text, at);
			}
			if (n.is_found != rows[i].is_found || t.n_left != !rows[i].is_found)
				fail_msg("'%s' in '%s', %zu bytes at a time", rows[i].needle, rows[i].text, step);
			search_text_fini(&t);
			str_fini(&folded);
		}
	}
}

static void test_several(void **state)
{
	struct search_needle n[3], *all[] = { &n[0], &n[1], &n[2] };
	struct str folded[3];
	struct search_text t;
	char *big = malloc(200001);
	size_t i;

	needle(&n[0], &folded[0], "needle");
	needle(&n[1], &folded[1], "x");
	needle(&n[2], &folded[2], "not there");
	search_text_init(&t, all, 3);
	memset(big, 'a', 200000);
	memcpy(big + 65533, "NeeDLe", 6);
	search_text_feed(&t, (struct span){ big, 200000 });
	assert_true(n[0].is_found && !n[1].is_found && !n[2].is_found);
	search_text_feed(&t, SPAN_LIT("not "));
	search_text_break(&t);
	search_text_feed(&t, SPAN_LIT("there X"));
	assert_true(n[1].is_found && !n[2].is_found);
	assert_int_equal(t.n_left, 1);
	search_text_reset(&t);
	assert_int_equal(t.n_left, 3);
	/* a character at the edge of a piece is not cut */
	for (i = 0; i < 5; i++) {
		memset(big, 'a', 200000);
		memcpy(big + SEARCH_TEXT_CHUNK - i, "\xe2\x82\xac" "needle", 9);
		search_text_reset(&t);
		search_text_feed(&t, (struct span){ big, 200000 });
		assert_true(n[0].is_found);
		assert_null(memmem(t.folded.p, t.folded.n, "\xef\xbf\xbd", 3));
	}
	search_text_fini(&t);
	for (i = 0; i < 3; i++)
		str_fini(&folded[i]);
	free(big);
}

static void test_ascii(void **state)
{
	char buf[300];
	size_t i;

	memset(buf, 'a', sizeof(buf));
	for (i = 0; i < sizeof(buf); i++) {
		assert_true(search_text_is_ascii((struct span){ buf, i }));
		buf[i] = (char)0x80;
		assert_false(search_text_is_ascii((struct span){ buf, i + 1 }));
		buf[i] = 'a';
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces), cmocka_unit_test(test_several), cmocka_unit_test(test_ascii),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
