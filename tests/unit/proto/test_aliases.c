/* Right-hand sides of aliases, .forward and :include: files. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/str.h"
#include "proto/aliases.h"

static int note(void *arg, enum aliases_kind kind, struct span text, struct err *err)
{
	static const char *const marks[] = { "a", "c", "f", "i" };

	return str_addf(arg, "%s[%.*s]", marks[kind], SPAN_ARG(text));
}

struct row {
	const char *label, *in, *out, *error;
};

static void check(const struct row *r, size_t n, bool file)
{
	for (; n > 0; n--, r++) {
		struct str got = STR_INIT(100000);
		struct arena a = { 0 };
		struct err err = ERR_INIT;
		int rc = file ? aliases_parse_file(span_z(r->in), &a, note, &got, &err) :
				aliases_parse(span_z(r->in), &a, note, &got, &err);

		if ((rc < 0) != (r->error != NULL))
			fail_msg("%s: rc %d %s", r->label, rc, err.msg);
		if (strcmp(got.p, r->out) != 0)
			fail_msg("%s: got %s", r->label, got.p);
		if (r->error && (err.kind != ERR_CONF || !strstr(err.msg, r->error)))
			fail_msg("%s: message %s", r->label, err.msg);
		str_fini(&got);
		arena_fini(&a);
	}
}

static void test_list(void **state)
{
	static const struct row rows[] = {
		{ "nothing",            "",                               "", NULL },
		{ "one user",           "tito",                           "a[tito]", NULL },
		{ "two",                "tito,iqbal@example.com",         "a[tito]a[iqbal@example.com]", NULL },
		{ "blanks and commas",  " , tito ,, iqbal\t,",            "a[tito]a[iqbal]", NULL },
		{ "backslash",          "\\tito",                         "a[tito]", NULL },
		{ "angle",              "Tito S. <tito@example.com>",     "a[tito@example.com]", NULL },
		{ "quoted name",        "\"S, Tito\" <tito@x.org>, b",    "a[tito@x.org]a[b]", NULL },
		{ "comment",            "tito (a, (b) c), x",             "a[tito]a[x]", NULL },
		{ "needless quotes",    "\"tito\"@example.com",           "a[tito@example.com]", NULL },
		{ "needed quotes",      "\"ti to\"@example.com",          "a[\"ti to\"@example.com]", NULL },
		{ "quote in quotes",    "\"a\\\"b\"@x",                   "a[\"a\\\"b\"@x]", NULL },
		{ "command",            "\"|/usr/bin/vacation tito\"",    "c[/usr/bin/vacation tito]", NULL },
		{ "sendmail's command", "|\"/bin/x a, b\", c",            "c[/bin/x a, b]a[c]", NULL },
		{ "bare command",       "|/bin/x -a b, c",                "c[/bin/x -a b]a[c]", NULL },
		{ "shell text",         "\"|IFS=' ' && exec x || exit 75\"", "c[IFS=' ' && exec x || exit 75]", NULL },
		{ "command with quote", "\"|x \\\"a b\\\"\"",             "c[x \"a b\"]", NULL },
		{ "command, parens",    "\"|x (y) <z\"",                  "c[x (y) <z]", NULL },
		{ "file",               "/var/mail/x, \"/a b/\"",         "f[/var/mail/x]f[/a b/]", NULL },
		{ "home file",          "~/mail/x",                       "f[~/mail/x]", NULL },
		{ "include",            ":include:/etc/list, \":include:/a b\"", "i[/etc/list]i[/a b]", NULL },
		{ "include, case",      ":Include: /etc/list",            "i[/etc/list]", NULL },
		{ "hash inside",        "a#b",                            "a[a#b]", NULL },
		{ "dollar untouched",   "\"|x $(id) `id`\"",              "c[x $(id) `id`]", NULL },
		{ "open quote",         "a, \"b",                         "a[a]", "quote is not closed" },
		{ "open angle",         "a <b",                           "", "\">\" is missing" },
		{ "lone >",             "a> b",                           "", "without" },
		{ "second <",           "<a<b>",                          "", "second" },
		{ "two in angles",      "<a> <b>",                        "a[a]a[b]", NULL },
		{ "text behind",        "<a> b",                          "a[a]a[b]", NULL },
		{ "quote behind",       "<a>\"b\"",                       "a[a]a[b]", NULL },
		{ "two words",          "a b",                            "a[a]a[b]", NULL },
		{ "two quoted words",   "a \"b\"",                        "a[a]a[b]", NULL },
		{ "words, then a name", "a b, c d <e@x> f",               "a[a]a[b]a[e@x]a[f]", NULL },
		{ "comment between",    "a (x) b",                        "a[a]a[b]", NULL },
		{ "semicolons",         "a;b; c;",                        "a[a]a[b]a[c]", NULL },
		{ "group",              "good friends: a, b;, c",         "a[a]a[b]a[c]", NULL },
		{ "colon inside",       "a:b",                            "a[a:b]", NULL },
		{ "quoted command, word", "\"|/bin/x -a\" \\tito",        "c[/bin/x -a]a[tito]", NULL },
		{ "word, quoted command", "\\tito \"|/bin/x a;b\"",       "a[tito]c[/bin/x a;b]", NULL },
		{ "sendmail's command, word", "|\"/bin/x a\" b",          "c[/bin/x a]a[b]", NULL },
		{ "command with ;",     "|/bin/x a; exit 0",              "c[/bin/x a; exit 0]", NULL },
		{ "command with <",     "|/bin/x </dev/null",             "c[/bin/x </dev/null]", NULL },
		{ "file, word",         "/var/mail/x tito",               "f[/var/mail/x]a[tito]", NULL },
		{ "include, word",      ":include:/etc/list tito",        "i[/etc/list]a[tito]", NULL },
		{ "quoted path, angle", "\"/a b\" <c@x>",                 "a[c@x]", NULL },
		{ "empty quotes, word", "\"\" a",                         "", "empty" },
		{ "empty name",         "\"\" <a@x>",                     "a[a@x]", NULL },
		{ "backslash at end",   "a\\",                            "", "backslash" },
		{ "empty quotes",       "\"\"",                           "", "empty" },
		{ "empty angle",        "<>",                             "", "empty" },
		{ "no command",         "\"|\"",                          "", "lacks" },
		{ "no path",            ":include:",                      "", "lacks" },
		{ "relative include",   ":include:x",                     "", "lacks" },
		{ "control character",  "\"a\x01\"@x",                    "", "control" },
		{ "line end in command", "\"|a\nb\"",                     "", "line end" },
	};

	check(rows, ARRAY_LEN(rows), false);
}

static void test_file(void **state)
{
	static const struct row rows[] = {
		{ "empty",          "",                              "", NULL },
		{ "lines",          "a\nb, c\n",                     "a[a]a[b]a[c]", NULL },
		{ "no last newline", "a\nb",                         "a[a]a[b]", NULL },
		{ "CRLF",           "a\r\nb\r\n",                    "a[a]a[b]", NULL },
		{ "comments",       "# x, y\n\na\n#b\n",             "a[a]", NULL },
		{ "continuation",   "a,\n b,\n\tc\nd\n",             "a[a]a[b]a[c]a[d]", NULL },
		{ "blank lines",    "\n\n  \na\n",                   "a[a]", NULL },
		{ "words",          "a b\n c\n",                     "a[a]a[b]a[c]", NULL },
		{ "line number",    "a\n#\nb> c\nd\n",               "a[a]", "line 3: " },
		{ "first of many",  "a\nb,\n c> d\n",                "a[a]a[b]", "line 2: " },
	};

	check(rows, ARRAY_LEN(rows), true);
}

static void test_limits(void **state)
{
	struct str in = STR_INIT(10000000), got = STR_INIT(10000000);
	struct arena a = { 0 };
	struct err err = ERR_INIT;

	for (int i = 0; i < 5000; i++)
		str_addc(&in, 'x');
	assert_int_equal(aliases_parse(str_span(&in), &a, note, &got, &err), -1);
	assert_non_null(strstr(err.msg, "longer"));
	str_reset(&in);
	for (int i = 0; i < 100000; i++)
		str_addz(&in, "((((a,");
	assert_int_equal(aliases_parse(str_span(&in), &a, note, &got, &err), 0);
	assert_int_equal(aliases_parse((struct span){ "a\0b", 3 }, &a, note, &got, &err), -1);
	str_fini(&in);
	str_fini(&got);
	arena_fini(&a);
}

static int stop(void *arg, enum aliases_kind kind, struct span text, struct err *err)
{
	++*(int *)arg;
	return err_set(err, ERR_TEMP, "stop");
}

static void test_callback_stops(void **state)
{
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	int n = 0;

	assert_int_equal(aliases_parse(SPAN_LIT("a,b"), &a, stop, &n, &err), -1);
	assert_int_equal(n, 1);
	assert_int_equal(err.kind, ERR_TEMP);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list), cmocka_unit_test(test_file), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_callback_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
