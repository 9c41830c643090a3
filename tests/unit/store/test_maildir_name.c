/* Flags in file names. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "store/index.h"
#include "store/maildir_name.h"

#define K(letter) ((uint32_t)INDEX_KEYWORD << ((letter) - 'a'))

static const struct {
	const char *label, *name;
	uint32_t flags;
	uint32_t wanted;
	const char *made;
} rows[] = {
	{ "from new/", "1.a,S=1", 0, 0, "1.a,S=1:2," },
	{ "all of them", "1.a:2,DFRST", INDEX_SYSTEM_FLAGS, INDEX_SEEN, "1.a:2,S" },
	{ "keywords", "1.a:2,Saz", INDEX_SEEN | K('a') | K('z'), K('c') | K('b') | INDEX_DRAFT, "1.a:2,Dbc" },
	{ "others' letters stay", "1.a:2,FPSx1", INDEX_FLAGGED | INDEX_SEEN | K('x'), 0, "1.a:2,1P" },
	{ "no order", "1.a:2,SRF", INDEX_SEEN | INDEX_ANSWERED | INDEX_FLAGGED, INDEX_DELETED | INDEX_ANSWERED, "1.a:2,RT" },
	{ "twice", "1.a:2,SS", INDEX_SEEN, INDEX_SEEN, "1.a:2,S" },
	{ "behind a comma", "1.a:2,S,W=5,T", INDEX_SEEN, INDEX_FLAGGED, "1.a:2,F,W=5,T" },
	{ "another kind of info", "1.a:1,S", 0, INDEX_SEEN, "1.a:2,S" },
	{ "empty info", "1.a:", 0, INDEX_SEEN, "1.a:2,S" },
	{ "only two", "1.a:2", 0, 0, "1.a:2," },
};

static void test_names(void **state)
{
	char made[NAME_MAX + 1];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span name = { rows[i].name, strlen(rows[i].name) };

		if (maildir_name_flags(name) != rows[i].flags)
			fail_msg("%s: flags %x", rows[i].label, maildir_name_flags(name));
		assert_int_equal(maildir_name_make(made, name, rows[i].wanted), 0);
		if (strcmp(made, rows[i].made) != 0)
			fail_msg("%s: made %s", rows[i].label, made);
		assert_int_equal(maildir_name_flags(span_z(made)) & ~rows[i].wanted, 0);
	}
}

static void test_long(void **state)
{
	char name[NAME_MAX + 1], made[NAME_MAX + 1];

	memset(name, 'x', NAME_MAX);
	assert_int_equal(maildir_name_make(made, (struct span){ name, NAME_MAX - 4 }, INDEX_SEEN), 0);
	assert_int_equal(strlen(made), NAME_MAX);
	assert_int_equal(maildir_name_make(made, (struct span){ name, NAME_MAX - 4 }, INDEX_SEEN | INDEX_DRAFT), -1);
	assert_int_equal(maildir_name_make(made, (struct span){ name, NAME_MAX }, 0), -1);
	assert_int_equal(maildir_name_base(SPAN_LIT("a:2,S")).n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_names), cmocka_unit_test(test_long) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
