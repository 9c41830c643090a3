#include "../conf/cm.h"

#include "../conf/tmpdir.h"
#include "tools/conf_edit.h"

static const struct {
	const char *label, *text, *name, *value;
	bool as_comment;
	const char *want;
} rows[] = {
	{ "into nothing", "", "a", "1", false, "a = 1\n" },
	{ "at the end", "b = 2\n", "a", "1", false, "b = 2\na = 1\n" },
	{ "at the end without newline", "b = 2", "a", "1", false, "b = 2\na = 1\n" },
	{ "in its place", "# c\na=0\nb = 2\n", "a", "1", false, "# c\na = 1\nb = 2\n" },
	{ "continuations go", "a = 0,\n  1\n\t2\nb = 2\n", "a", "1", false, "a = 1\nb = 2\n" },
	{ "comments inside stay", "a = 0,\n# why\n  1\n\nb = 2\n", "a", "1", false, "a = 1\n# why\n\nb = 2\n" },
	{ "later ones go", "a = 0\nb = 2\na = 3\n 4\nc = 5\n", "a", "1", false, "a = 1\nb = 2\nc = 5\n" },
	{ "a longer name is another", "ab = 0\n", "a", "1", false, "ab = 0\na = 1\n" },
	{ "a comment is none", "#a = 0\n", "a", "1", false, "#a = 0\na = 1\n" },
	{ "continuation of another", "b = x\n a = 0\n", "a", "1", false, "b = x\n a = 0\na = 1\n" },
	{ "empty value", "a = 0\n", "a", "", false, "a = \n" },
	{ "taken out", "a = 0\n 1\nb = 2\n", "a", NULL, false, "b = 2\n" },
	{ "taken out, not there", "b = 2\n", "a", NULL, false, "b = 2\n" },
	{ "made a comment", "a = 0\n 1\nb = 2\n", "a", NULL, true, "#a = 0\n# 1\nb = 2\n" },
};

static void test_text(void **state)
{
	struct str out = STR_INIT(1000);
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		print_message("# %s\n", rows[i].label);
		str_reset(&out);
		assert_int_equal(conf_edit_text(&out, span_z(rows[i].text), span_z(rows[i].name), rows[i].value,
		                                rows[i].as_comment), 0);
		assert_string_equal(out.p, rows[i].want);
	}
	out.max = 4;
	str_reset(&out);
	assert_int_equal(conf_edit_text(&out, SPAN_LIT("b = 2\n"), SPAN_LIT("a"), "1", false), -1);
	str_fini(&out);
}

static void test_write(void **state)
{
	struct tmpdir t;
	struct stat st;
	struct err err;
	char got[10] = "";
	FILE *f;

	tmpdir_make(&t);
	tmpdir_write(&t, "main.cf", "old\n");
	assert_int_equal(chmod(t.file, 0640), 0);
	assert_int_equal(conf_edit_write(t.file, SPAN_LIT("new\n"), &err), 0);
	assert_int_equal(stat(t.file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	f = fopen(t.file, "r");
	assert_non_null(fgets(got, sizeof(got), f));
	fclose(f);
	assert_string_equal(got, "new\n");
	assert_int_equal(conf_edit_write("/nowhere/main.cf", SPAN_LIT("x"), &err), -1);
	tmpdir_remove(&t);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_text),
	cmocka_unit_test(test_write),
};

MAIN(tests)
