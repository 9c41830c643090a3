#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "imapd/search_address.h"
#include "imapd/search_text.h"

/* folded, as both are when they are compared */
static void test_has(void **state)
{
	static const struct {
		const char *field, *needle;
		bool is_found;
	} rows[] = {
		{ "<USER-FROM (COMMENT)@ (COMMENT) DOMAIN.ORG>", "USER-FROM@DOMAIN.ORG", true },
		{ "<USER-FROM (COMMENT)@ (COMMENT) DOMAIN.ORG>", "FROM@DOMAIN", true },
		{ "<USER-FROM (COMMENT)@ (COMMENT) DOMAIN.ORG>", "USER-FROM@OTHER", false },
		{ "USER @DOMAIN.ORG", "USER@DOMAIN.ORG", true },
		{ "USER@ DOMAIN.ORG", "USER@DOMAIN.ORG", true },
		{ "A . B@C.D", "A.B@C.D", true },
		{ "A@C(X).D", "A@C.D", true },
		{ "A@C. (X)D", "C.D", true },
		{ "X <\"JOHN DOE\"@C.D>", "JOHN DOE@C.D", true },
		{ "X <\"A\\\"B\"@C.D>", "A\"B@C.D", true },
		{ "\"DOE, J.\" <A@B>, (X) C (Y) @D, E@F", "C@D", true },
		{ "G: A@B, C @D;, E @F", "C@D", true },
		{ "G: A@B, C @D;, E @F", "E@F", true },
		{ "X <\"JO\\HN\"@C.D>", "JOHN@C.D", true },
		{ "X <\"J. DOE\"@C.D>", "J. DOE@C.", true },
		{ "A (X)@C.D", "X@C.D", false },
		{ "A@ (X) C.D", "@C.D", true },
		{ "A@ (X) C.D", "@", true },
		{ "A@B\nC <D (X)@E>", "D@E", true },
		{ "G (X).H: ;", "G.H", false },
		{ "(A@B.C) X <D@E>", "B.CX", false },
		{ "A (X) . B", "A.B", false },
		{ "A <B (X)@C.D", "B@C.D", false },
		{ "(NEVER CLOSED A@B", "A@B", false },
		{ "\"A. B\" <C@D>", "A.B", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span field = span_z(rows[i].field), needle = span_z(rows[i].needle);

		if (!search_address_may(needle) || search_address_has(field, needle) != rows[i].is_found)
			fail_msg("'%s' in '%s'", rows[i].needle, rows[i].field);
	}
	assert_false(search_address_has(SPAN_NULL, SPAN_LIT("A@B")));
}

/* A word without what joins words stands in the field as it does in the address. */
static void test_may(void **state)
{
	assert_false(search_address_may(SPAN_LIT("SMITH")));
	assert_false(search_address_may(SPAN_LIT("")));
	assert_true(search_address_may(SPAN_LIT("A@")));
	assert_true(search_address_may(SPAN_LIT(".ORG")));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_has), cmocka_unit_test(test_may) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
