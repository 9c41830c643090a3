#include "cm.h"

#include "conf/macro.h"

static int lookup(void *arg, struct span name, struct str *out, struct err *err)
{
	if (span_eqz(name, "a"))
		return str_addz(out, "one") < 0 ? -1 : 1;
	if (span_eqz(name, "b2_c"))
		return str_addz(out, "$a") < 0 ? -1 : 1;
	if (span_eqz(name, "bad"))
		return err_set(err, ERR_CONF, "bad name");
	return span_eqz(name, "empty");
}

static const struct {
	const char *label, *text, *result;      /* NULL: an error */
} rows[] = {
	{ "plain", "x y", "x y" },
	{ "empty", "", "" },
	{ "bare name", "<$a>", "<one>" },
	{ "name ends at a dot", "$a.$a", "one.one" },
	{ "longest name", "$b2_c", "$a" },
	{ "braces", "${a}b", "oneb" },
	{ "blanks in braces", "${ a }", "one" },
	{ "parentheses", "$(a)b$( a )", "onebone" },
	{ "parentheses, unknown", "$(nope)", NULL },
	{ "open parenthesis", "$(a", NULL },
	{ "dollar", "$$a $$", "$a $" },
	{ "unknown", "$nope", NULL },
	{ "unknown in braces", "${nope}", NULL },
	{ "error of the callback", "x$bad", NULL },
	{ "if set", "${a?yes}", "yes" },
	{ "if set, empty", "${empty?yes}", "" },
	{ "if set, unknown", "${nope?yes}", "" },
	{ "if not set", "${a:no}", "" },
	{ "if not set, empty", "${empty:no}", "no" },
	{ "if not set, unknown", "${nope:no}", "no" },
	{ "text is expanded", "${a?<$a>}", "<one>" },
	{ "nested braces", "${a?${nope:${a}}}", "one" },
	{ "both, true", "${a?{x}:{y}}", "x" },
	{ "both, false", "${nope?{x}:{y}}", "y" },
	{ "both with blanks", "${a ? {x y} : {z}}", "x y" },
	{ "alternative alone", "${nope?{x}}", "" },
	{ "nothing chosen is not expanded", "${a?x}${a:$nope}", "x" },
	{ "equal", "${{$a} == {one} ? {t} : {f}}", "t" },
	{ "not equal", "${{$a} == {two} ? {t} : {f}}", "f" },
	{ "unequal", "${{$a} != {two}?{t}:{f}}", "t" },
	{ "less as numbers", "${{9} < {10} ? {t} : {f}}", "t" },
	{ "less as text", "${{b9} < {b10} ? {t} : {f}}", "f" },
	{ "not less", "${{10} < {10} ? {t} : {f}}", "f" },
	{ "less or equal", "${{10} <= {10} ? {t} : {f}}", "t" },
	{ "greater", "${{10}>{9}?{t}:{f}}", "t" },
	{ "greater or equal", "${{9} >= {10} ? {t} : {f}}", "f" },
	{ "levels", "${{3.6} <level {3.10} ? {t} : {f}}", "t" },
	{ "equal levels", "${{3.6} ==level {3.6.0} ? {t} : {f}}", "t" },
	{ "level above", "${{4} <=level {3.6} ? {t} : {f}}", "f" },
	{ "empty and number", "${{} < {2} ? {t} : {f}}", "t" },
	{ "no operator", "${{1} ~ {2} ? {t} : {f}}", NULL },
	{ "comparison without choice", "${{$a} == {one}}", NULL },
	{ "open brace", "${a", NULL },
	{ "open inner brace", "${a?{x}", NULL },
	{ "no name in braces", "${}", NULL },
	{ "odd text in braces", "${a!x}", NULL },
	{ "text behind a group", "${a?{x}z}", NULL },
	{ "colon without group", "${a?{x}:y}", NULL },
	{ "lone dollar", "5$ more", NULL },
	{ "dollar at the end", "x$", NULL },
};

static void test_expand(void **state)
{
	struct str out = STR_INIT(100);
	struct err err;
	size_t i;
	int rc;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		print_message("# %s\n", rows[i].label);
		str_reset(&out);
		err = (struct err)ERR_INIT;
		rc = macro_expand(&out, span_z(rows[i].text), lookup, NULL, &err);
		assert_int_equal(rc, rows[i].result ? 0 : -1);
		if (rows[i].result)
			assert_string_equal(out.p, rows[i].result);
		else
			assert_true(err.kind == ERR_CONF && err.msg[0]);
	}
	str_fini(&out);
}

static void test_limits(void **state)
{
	struct str text = STR_INIT(10000), out = STR_INIT(10);
	struct err err;
	int i;

	for (i = 0; i < 500; i++)
		str_addz(&text, "${a?");
	for (i = 0; i < 500; i++)
		str_addz(&text, "}");
	assert_int_equal(macro_expand(&out, str_span(&text), lookup, NULL, &err), -1);
	assert_non_null(strstr(err.msg, "deeper"));
	assert_int_equal(macro_expand(&out, SPAN_LIT("12345678901"), lookup, NULL, &err), -1);
	assert_non_null(strstr(err.msg, "longer"));
	str_fini(&text);
	str_fini(&out);
}

static void add_name(void *arg, struct span name)
{
	str_addf(arg, "%.*s,", SPAN_ARG(name));
}

static void test_names(void **state)
{
	struct str out = STR_INIT(1000);

	macro_names(SPAN_LIT("$a ${b} $$c ${ d?$e} $ ${f:{$g}}"), add_name, &out);
	assert_string_equal(out.p, "a,b,d,e,f,g,");
	str_fini(&out);
}

static void test_words(void **state)
{
	static const char *const want[] = { "a", "b", "inline:{x=1, y=2}", "{c d}e", "f}" };
	struct span in = SPAN_LIT(" a,, b\tinline:{x=1, y=2} {c d}e f} "), word;
	size_t i;

	for (i = 0; i < ARRAY_LEN(want); i++) {
		assert_true(macro_word(&in, &word));
		assert_true(span_eqz(word, want[i]));
	}
	assert_false(macro_word(&in, &word));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_expand),
	cmocka_unit_test(test_limits),
	cmocka_unit_test(test_names),
	cmocka_unit_test(test_words),
};

MAIN(tests)
