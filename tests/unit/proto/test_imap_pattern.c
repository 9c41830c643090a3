#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "proto/imap_pattern.h"

#include "base/str.h"

#define SELF IMAP_PATTERN_SELF
#define CHILD IMAP_PATTERN_CHILD

static struct arena arena;

static void test_rows(void **state)
{
	static const struct {
		const char *reference, *pattern;
		char sep;
		const char *name;
		unsigned want;
	} rows[] = {
		{ "", "*", '/', "a/b", SELF | CHILD },
		{ "", "%", '/', "a", SELF },
		{ "", "%", '/', "a/b", 0 },
		{ "", "%/%", '/', "a", CHILD },
		{ "", "%/%", '/', "a/b", SELF },
		{ "", "%/%", '/', "a/b/c", 0 },
		{ "", "a%", '/', "abc", SELF },
		{ "", "a%", '/', "abc/d", 0 },
		{ "", "a*", '/', "abc/d", SELF | CHILD },
		{ "a/", "%", '/', "a/b", SELF },
		{ "a/", "%", '/', "a", CHILD },
		{ "a/", "%", '/', "b", 0 },
		{ "a/b", "", '/', "a/b", SELF },
		{ "", "*b", '/', "a/ab", SELF | CHILD },
		{ "", "%b", '/', "a/b", 0 },
		{ "", "*%b", '/', "a/b", SELF | CHILD },
		{ "", "%*", '/', "a/b", SELF | CHILD },
		{ "*", "%", '/', "a/b", SELF | CHILD },
		{ "", "%a*", '/', "b/a", 0 },
		{ "", "a/b/c", '/', "a", CHILD },
		{ "", "a/b/c", '/', "a/b", CHILD },
		{ "", "a/b/c", '/', "a/b/c", SELF },
		{ "", "a/b/c", '/', "a/b/c/d", 0 },
		{ "", "a%/c", '/', "ab", CHILD },
		{ "", "", '/', "", SELF },
		{ "", "", '/', "a", 0 },
		{ "", "inbox", '/', "INBOX", SELF },
		{ "", "InB%", '/', "INBOX", SELF },
		{ "", "i*x/x", '/', "INBOX/x", SELF | CHILD },
		{ "", "inbox/X", '/', "INBOX/x", 0 },
		{ "", "inbox.x", '.', "INBOX.x", SELF },
		{ "", "inboxes", '/', "INBOXES", 0 },
		{ "", "a", '/', "A", 0 },
		{ "", "%.b", '.', "a", CHILD },
		{ "", "%", '\0', "a/b", SELF },
		{ "", "*x", '/', "a", CHILD },
		{ "", "\xc3\xa9%", '/', "\xc3\xa9t\xc3\xa9", SELF },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct imap_pattern pat;
		unsigned got;

		assert_int_equal(imap_pattern_init(&pat, &arena, span_z(rows[i].reference), span_z(rows[i].pattern),
						   rows[i].sep), 0);
		got = imap_pattern_match(&pat, span_z(rows[i].name));
		if (got != rows[i].want)
			fail_msg("%s%s on %s: %x", rows[i].reference, rows[i].pattern, rows[i].name, got);
	}
}

/* The definition, as it stands in the RFC; exponential, so for short words only. */
static bool slow(const char *pat, const char *name)
{
	if (*pat == '\0')
		return *name == '\0';
	if (*pat == '*' || *pat == '%')
		return slow(pat + 1, name) || (*name && (*pat == '*' || *name != '/') && slow(pat, name + 1));
	return *pat == *name && slow(pat + 1, name + 1);
}

static void test_model(void **state)
{
	uint32_t seed = 11, i, k;

	for (i = 0; i < 100000; i++) {
		char pattern[9] = "", name[9] = "";
		struct imap_pattern pat;
		bool want, child = false;

		for (k = 0; k < 8; k++) {
			seed = seed * 1103515245 + 12345;
			pattern[k] = "ab/*%\0*%"[seed >> 16 & 7];
			name[k] = "ab/\0ab/a"[seed >> 20 & 7];
		}
		arena_reset(&arena);
		assert_int_equal(imap_pattern_init(&pat, &arena, SPAN_NULL, span_z(pattern), '/'), 0);
		want = slow(pattern, name);
		if (!!(imap_pattern_match(&pat, span_z(name)) & SELF) != want)
			fail_msg("%s on %s: not %d", pattern, name, want);
		for (k = 0; k < 4 && !child; k++) {     /* a child that does match was announced */
			struct str sub = STR_INIT(20);

			assert_int_equal(str_addf(&sub, "%s/%s", name, (const char *[]){ "a", "b", "a/b", "b/a/a" }[k]),
					 0);
			child = slow(pattern, sub.p);
			str_fini(&sub);
		}
		if (child && !(imap_pattern_match(&pat, span_z(name)) & CHILD))
			fail_msg("%s on %s: a child matches", pattern, name);
	}
}

/* Millions of backtracking steps to the power of the wildcards, were it done so. */
static void test_hostile(void **state)
{
	struct str pattern = STR_INIT(10000), name = STR_INIT(10000);
	struct imap_pattern pat;
	int i;

	while (pattern.n < IMAP_PATTERN_MAX)
		assert_int_equal(str_addz(&pattern, "*a%a"), 0);
	while (name.n < 1000)
		assert_int_equal(str_addz(&name, "aaaaaaaaab"), 0);
	assert_int_equal(imap_pattern_init(&pat, &arena, SPAN_NULL, str_span(&pattern), '/'), 0);
	for (i = 0; i < 10; i++)
		(void)imap_pattern_match(&pat, str_span(&name));
	assert_int_equal(str_addc(&pattern, 'a'), 0);
	assert_int_equal(imap_pattern_init(&pat, &arena, SPAN_NULL, str_span(&pattern), '/'), -1);
	str_reset(&pattern);
	while (pattern.n < 5000)
		assert_int_equal(str_addz(&pattern, "%%*%"), 0);
	assert_int_equal(imap_pattern_init(&pat, &arena, SPAN_NULL, str_span(&pattern), '/'), 0);
	assert_int_equal(pat.text.n, 1);
	str_fini(&pattern);
	str_fini(&name);
}

static int teardown(void **state)
{
	arena_fini(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
