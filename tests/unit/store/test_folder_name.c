/* Which names may be folders, where they lie, and in which order they are listed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "store/folder.h"

static void names_that_may_be(void **state)
{
	static const struct {
		const char *name;
		bool ok;
	} rows[] = {
		{ "Sent", true },
		{ "a.b.c", true },
		{ "INBOX", true },
		{ "inbox", true },
		{ "INBOX.x", true },
		{ "Inbox.x", false },
		{ "inboxes", true },
		{ "inboxes.x", true },
		{ "a.INBOX", true },
		{ "a.inbox", true },
		{ "with space", true },
		{ "Entw&APw-rfe", true },
		{ "&-", true },
		{ "~x", true },
		{ "..x", false },
		{ "", false },
		{ ".", false },
		{ "..", false },
		{ ".a", false },
		{ "a.", false },
		{ "a..b", false },
		{ "a/b", false },
		{ "/etc", false },
		{ "../x", false },
		{ "a\tb", false },
		{ "a\nb", false },
		{ "a\x7f", false },
		{ "Entw\xc3\xbcrfe", false },
		{ "&bad", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		bool ok = folder_name_check(span_z(rows[i].name), &err) == 0;

		if (ok != rows[i].ok)
			fail_msg("%s", rows[i].name);
		if (!ok && (err.kind != ERR_PERM || !span_starts(span_z(err.msg), "[CANNOT] ")))
			fail_msg("%s: %s", rows[i].name, err.msg);
	}
}

static void names_with_a_nul_or_too_long(void **state)
{
	struct err err = ERR_INIT;
	char name[300];

	assert_int_equal(folder_name_check(SPAN_LIT("a\0b"), &err), -1);
	memset(name, 'x', sizeof(name));
	assert_int_equal(folder_name_check((struct span){ name, 254 }, &err), 0);
	assert_int_equal(folder_name_check((struct span){ name, 255 }, &err), -1);
	for (size_t i = 1; i < sizeof(name); i += 2)
		name[i] = '.';
	assert_int_equal(folder_name_check((struct span){ name, 2 * 64 - 1 }, &err), 0);
	assert_int_equal(folder_name_check((struct span){ name, 2 * 65 - 1 }, &err), -1);
}

static void directories(void **state)
{
	struct arena a = { 0 };

	assert_string_equal(folder_dir(&a, SPAN_LIT("INBOX")), "");
	assert_string_equal(folder_dir(&a, SPAN_LIT("iNbOx")), "");
	assert_string_equal(folder_dir(&a, SPAN_LIT("INBOX.x")), ".INBOX.x");
	assert_string_equal(folder_dir(&a, SPAN_LIT("a.b")), ".a.b");
	arena_fini(&a);
}

static int cmp(const void *a, const void *b)
{
	return folder_name_cmp(span_z(*(const char *const *)a), span_z(*(const char *const *)b));
}

static void order(void **state)
{
	static const char *const want[] = { "INBOX", "INBOX.x", "A", "A.b", "A.b.c", "A!", "A-b", "INBOX2", "a", "a b", "z" };
	const char *v[ARRAY_LEN(want)];

	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		v[i] = want[(i * 7) % ARRAY_LEN(want)];
	qsort(v, ARRAY_LEN(want), sizeof(*v), cmp);
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_string_equal(v[i], want[i]);
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(folder_name_cmp(span_z(want[i]), span_z(want[i])), 0);
}

static void below(void **state)
{
	assert_true(folder_is_below(SPAN_LIT("a.b"), SPAN_LIT("a")));
	assert_true(folder_is_below(SPAN_LIT("a.b.c"), SPAN_LIT("a")));
	assert_false(folder_is_below(SPAN_LIT("a"), SPAN_LIT("a")));
	assert_false(folder_is_below(SPAN_LIT("ab.c"), SPAN_LIT("a")));
	assert_false(folder_is_below(SPAN_LIT("b.c"), SPAN_LIT("a")));
}

static void uses(void **state)
{
	assert_int_equal(folder_use_parse(SPAN_LIT("\\sent")), FOLDER_SENT);
	assert_int_equal(folder_use_parse(SPAN_LIT("\\Sent ")), 0);
	assert_int_equal(folder_use_parse(SPAN_LIT("")), 0);
	for (unsigned use = 1; use <= FOLDER_ALL; use <<= 1)
		assert_int_equal(folder_use_parse(span_z(folder_use_name(use))), use);
	assert_null(folder_use_name(FOLDER_ALL << 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_may_be), cmocka_unit_test(names_with_a_nul_or_too_long),
		cmocka_unit_test(directories), cmocka_unit_test(order), cmocka_unit_test(below), cmocka_unit_test(uses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
