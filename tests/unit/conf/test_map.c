#include "cm.h"

#include "base/log.h"
#include "conf/map.h"
#include "tmpdir.h"

/* Opens a table, asks for one key; "file" in front of the text makes a file of it. */
struct lookup {
	const char *label, *type, *content, *key;
	enum map_rc rc;
	const char *value;
};

static const struct lookup lookups[] = {
	{ "static", "static:yes", NULL, "anything", MAP_FOUND, "yes" },
	{ "static with blanks", "static:{ a b }", NULL, "x", MAP_FOUND, "a b" },
	{ "static, empty", "static:", NULL, "x", MAP_FOUND, "" },
	{ "proxy", "proxy:static:x", NULL, "k", MAP_FOUND, "x" },
	{ "inline", "inline:{a=b, c=d}", NULL, "c", MAP_FOUND, "d" },
	{ "inline folds keys", "inline:{User@Example.com=d}", NULL, "uSER@example.COM", MAP_FOUND, "d" },
	{ "inline with braces", "inline:{{a = b c}, {d = e}}", NULL, "a", MAP_FOUND, "b c" },
	{ "inline, not there", "inline:{a=b}", NULL, "b", MAP_NONE, "" },
	{ "inline, last counts", "inline:{a=1, A=2}", NULL, "a", MAP_FOUND, "2" },
	{ "inline, value with =", "inline:{a=b=c}", NULL, "a", MAP_FOUND, "b=c" },
	{ "fail", "fail:x", NULL, "a", MAP_TEMP, "" },
	{ "union", "unionmap:{static:a, inline:{k=b}, inline:{z=c}}", NULL, "k", MAP_FOUND, "a,b" },
	{ "union, nowhere", "unionmap:{inline:{a=b}}", NULL, "k", MAP_NONE, "" },
	{ "union, one fails", "unionmap:{static:a, fail:x}", NULL, "k", MAP_TEMP, "" },
	{ "unix user", "unix:passwd.byname", NULL, "root", MAP_FOUND, NULL },
	{ "unix user, none", "unix:passwd.byname", NULL, "no-such-user", MAP_NONE, "" },
	{ "unix user, nothing", "unix:passwd.byname", NULL, "", MAP_NONE, "" },
	{ "unix group", "unix:group.byname", NULL, "ROOT", MAP_FOUND, NULL },
	{ "texthash", "texthash:", "# c\na b\nc   d e\n f\n", "c", MAP_FOUND, "d e f" },
	{ "texthash with a byte order mark", "texthash:", "\xef\xbb\xbf" "a b\n", "a", MAP_FOUND, "b" },
	{ "texthash folds", "texthash:", "A@X b\n", "a@x", MAP_FOUND, "b" },
	{ "texthash, first counts", "texthash:", "a 1\na 2\n", "a", MAP_FOUND, "1" },
	{ "texthash, quoted key", "texthash:", "\"a b\"@x 1\n", "a b@x", MAP_FOUND, "1" },
	{ "texthash, none", "texthash:", "a b\n", "x", MAP_NONE, "" },
	{ "regexp", "regexp:", "/^a+$/ yes\n", "AAA", MAP_FOUND, "yes" },
	{ "regexp, no match", "regexp:", "/^a+$/ yes\n", "ab", MAP_NONE, "" },
	{ "regexp, i makes case count", "regexp:", "/^a+$/i yes\n", "AAA", MAP_NONE, "" },
	{ "regexp, groups", "regexp:", "/^(.*)@(.*)$/ $2 ${1} $$\n", "u@d", MAP_FOUND, "d u $" },
	{ "regexp, group that did not match", "regexp:", "/^(x)?(y)$/ [$1]$2\n", "y", MAP_FOUND, "[]y" },
	{ "regexp, other mark", "regexp:", "!|^a/b|x ok\n", "zz", MAP_FOUND, "ok" },
	{ "regexp, escaped mark", "regexp:", "/a\\/b/ ok\n", "a/b", MAP_FOUND, "ok" },
	{ "pcre", "pcre:", "/^(\\w+)\\+(\\w+)@/ $1-$2\n", "tito+list@x", MAP_FOUND, "tito-list" },
	{ "pcre, first rule counts", "pcre:", "/a/ 1\n/b/ 2\n", "ab", MAP_FOUND, "1" },
	{ "pcre, not", "pcre:", "!/@example\\.com$/ REJECT\n", "a@other", MAP_FOUND, "REJECT" },
	{ "pcre, not, but it is", "pcre:", "!/@example\\.com$/ REJECT\n", "a@example.com", MAP_NONE, "" },
	{ "pcre, if taken", "pcre:", "if /@x$/\n/^a/ 1\nendif\n/./ 2\n", "a@x", MAP_FOUND, "1" },
	{ "pcre, if taken, no match in it", "pcre:", "if /@x$/\n/^a/ 1\nendif\n/./ 2\n", "b@x", MAP_FOUND, "2" },
	{ "pcre, if skipped", "pcre:", "if /@x$/\n/^a/ 1\nendif\n/./ 2\n", "a@y", MAP_FOUND, "2" },
	{ "pcre, if not", "pcre:", "if !/@x$/\n/^a/ 1\nendif\n", "a@y", MAP_FOUND, "1" },
	{ "pcre, nested if", "pcre:", "if /a/\nif /b/\n/c/ 1\nendif\n/c/ 2\nendif\n/./ 3\n", "ac", MAP_FOUND, "2" },
	{ "pcre, costly match", "pcre:", "/^(a+)+$/ x\n", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
	  MAP_TEMP, "" },
	{ "pcre, dot matches newline unless s", "pcre:", "/^a.b$/ x\n", "a\nb", MAP_FOUND, "x" },
	{ "pcre, flags", "pcre:", "/^a b c$/xs x\n", "ABC", MAP_FOUND, "x" },
	{ "cidr", "cidr:", "10.0.0.0/8 in\n0.0.0.0/0 out\n", "10.1.1.1", MAP_FOUND, "in" },
	{ "cidr, second", "cidr:", "10.0.0.0/8 in\n0.0.0.0/0 out\n", "11.1.1.1", MAP_FOUND, "out" },
	{ "cidr, IPv6", "cidr:", "2001:db8::/32 six\n", "2001:db8::5", MAP_FOUND, "six" },
	{ "cidr, brackets", "cidr:", "[2001:db8::]/32 six\n", "2001:db8::5", MAP_FOUND, "six" },
	{ "cidr, not", "cidr:", "!10.0.0.0/8 REJECT a b\n", "11.1.1.1", MAP_FOUND, "REJECT a b" },
	{ "cidr, if", "cidr:", "if 10.0.0.0/8\n10.1.0.0/16 a\nendif\n0.0.0.0/0 b\n", "10.1.2.3", MAP_FOUND, "a" },
	{ "cidr, if not", "cidr:", "if !10.0.0.0/8\n0.0.0.0/0 b\nendif\n", "10.1.2.3", MAP_NONE, "" },
	{ "cidr, a name", "cidr:", "0.0.0.0/0 b\n", "example.com", MAP_NONE, "" },
	{ "cidr, a network", "cidr:", "0.0.0.0/0 b\n", "10.0.0.0/8", MAP_NONE, "" },
	{ "cidr inline", "cidr:{ {10.0.0.0/8 in}, {0.0.0.0/0 REJECT no way} }", NULL, "192.0.2.1", MAP_FOUND, "REJECT no way" },
	{ "pcre inline", "pcre:{{/^a{2}$/ two} {/./ other}}", NULL, "aa", MAP_FOUND, "two" },
	{ "regexp inline, if", "regexp:{{if /x/}, {/^a/ 1}, {endif}, {/./ 2}}", NULL, "ab", MAP_FOUND, "2" },
	{ "cidr, no groups", "cidr:", "0.0.0.0/0 $1\n", "1.2.3.4", MAP_FOUND, "$1" },
};

static struct map *open_table(struct tmpdir *t, const char *type, const char *content, struct err *err)
{
	struct str name = STR_INIT(300);
	struct map *m = NULL;

	str_addz(&name, type);
	if (content)
		str_addz(&name, tmpdir_write(t, "table", content));
	if (map_open(&m, name.p, err) < 0)
		assert_null(m);
	str_fini(&name);
	return m;
}

static void test_lookups(void **state)
{
	struct str value = STR_INIT(MAP_VALUE_MAX);
	const struct lookup *l;
	struct tmpdir t;
	struct map *m;
	struct err err;

	tmpdir_make(&t);
	for (l = lookups; l < lookups + ARRAY_LEN(lookups); l++) {
		print_message("# %s\n", l->label);
		m = open_table(&t, l->type, l->content, &err);
		if (!m)
			fail_msg("%s", err.msg);
		assert_int_equal(map_get(m, span_z(l->key), &value, &err), l->rc);
		if (l->rc == MAP_TEMP)
			assert_true(err_is_temporary(&err));
		else if (l->value)
			assert_string_equal(value.p, l->value);
		map_close(&m);
		assert_null(m);
	}
	str_fini(&value);
	tmpdir_remove(&t);
}

static const struct {
	const char *type, *content, *message;
} wrong[] = {
	{ "/etc/aliases", NULL, "has no type" },
	{ "hsah:/x", NULL, "unknown table type 'hsah'; did you mean 'hash'?" },
	{ "pgsql:/x", NULL, "table type 'pgsql' is not built in; put its rows into a file for lmdb: (surat map) or texthash:" },
	{ "lmdb:/nowhere/t", NULL, "table /nowhere/t.lmdb does not exist; to make it run: surat map /nowhere/t" },
	{ "texthash:/nowhere/t", NULL, "/nowhere/t" },
	{ "inline:a=b", NULL, "is not of the form" },
	{ "inline:{}", NULL, "is empty" },
	{ "inline:{a}", NULL, "key=value" },
	{ "cidr:{10.0.0.0/8 in}", NULL, "is not in braces" },
	{ "cidr:{{10.0.0.0/8 in}", NULL, "is not of the form {{rule}, {rule}}" },
	{ "cidr:{{10.0.0.0/8 in}, {10.0.0.1/8 in}}", NULL, "rule:2: " },
	{ "pcre:{{if /a/}, {/b/ x}}", NULL, "endif is missing" },
	{ "unionmap:static:a", NULL, "is not of the form" },
	{ "unionmap:{}", NULL, "no table" },
	{ "unionmap:{static:a, nope:b}", NULL, "unknown table type 'nope'" },
	{ "unionmap:{unionmap:{static:a}}", NULL, "no other unionmap" },
	{ "unix:shadow.byname", NULL, "is not known" },
	{ "pcre:", "if /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\n"
		   "if /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\n"
		   "if /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\n"
		   "if /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\n"
		   "if /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\n"
		   "if /a/\nif /a/\nif /a/\nif /a/\nif /a/\nif /a/\n", "nested deeper" },
};

static void test_wrong(void **state)
{
	struct tmpdir t;
	struct map *m;
	struct err err;
	size_t i;

	tmpdir_make(&t);
	for (i = 0; i < ARRAY_LEN(wrong); i++) {
		print_message("# %s row %zu\n", wrong[i].type, i);
		m = open_table(&t, wrong[i].type, wrong[i].content, &err);
		assert_null(m);
		if (!strstr(err.msg, wrong[i].message))
			fail_msg("%s", err.msg);
	}
	tmpdir_remove(&t);
}

/* Wrong rules are left out, with a warning; the rule behind them still holds. */
static const struct {
	const char *type, *content, *message;
} left_out[] = {
	{ "pcre:", "/(/ x\n", "table:1: in pattern '('" },
	{ "pcre:", "/a/ $2\n", "table:1: the result names a pair of parentheses" },
	{ "pcre:", "!/(a)/ $1\n", "negated" },
	{ "pcre:", "/a/q x\n", "'q' is no flag" },
	{ "pcre:", "/a x\n", "the second '/'" },
	{ "pcre:", "a x\n", "a pattern between slashes is missing" },
	{ "pcre:", "#\n/a/\n", "table:2: the result is missing" },
	{ "pcre:", "if /b/\n/a/ wrong\nendif\nif /a/\n", "endif is missing" },
	{ "pcre:", "endif\n", "endif without if" },
	{ "pcre:", "if /a/ x\nendif\n", "unexpected text behind the pattern" },
	{ "regexp:", "/[/ x\n", "table:1: in pattern" },
	{ "regexp:", "/a/s x\n", "'s' is no flag" },
	{ "cidr:", "10.0.0.1/8 x\n",
	  "table:1: '10.0.0.1/8' has bits set behind the prefix; the network is 10.0.0.0/8" },
	{ "cidr:", "a.example x\n", "neither an address" },
	{ "pcre:", "/a/ $1x\n", "names a pair of parentheses" },
	{ "pcre:", "if /(/\n/a/ wrong\nendif\n", "table:1: in pattern '('" },
	{ "pcre:", "if !/(/\n/a/ wrong\nendif\n", "table:1: in pattern '('" },
	{ "texthash:", "a ok\nb\n", "table:2: this line is not of the form 'key value'" },
	{ "texthash:", "a ok\nb: x\n", "table:2: 'b:' ends with a colon" },
	{ "pcre:", "if /b/\n/a/ wrong\nendif x\n", "table:3: unexpected text behind endif" },
};

static void keep_line(void *arg, enum log_level level, const char *line)
{
	str_addf(arg, "%s\n", line);
}

static void test_left_out(void **state)
{
	struct str value = STR_INIT(MAP_VALUE_MAX), log = STR_INIT(10000), content = STR_INIT(10000);
	struct tmpdir t;
	struct map *m;
	struct err err;
	size_t i;

	tmpdir_make(&t);
	log_set_sink(keep_line, &log);
	for (i = 0; i < ARRAY_LEN(left_out); i++) {
		bool is_cidr = strncmp(left_out[i].type, "cidr", 4) == 0;

		print_message("# %s row %zu\n", left_out[i].type, i);
		str_reset(&log);
		str_reset(&content);
		if (left_out[i].content)
			str_addf(&content, "%s%s", left_out[i].content, is_cidr ? "10.0.0.0/8 ok\n" : "/a/ ok\n");
		m = open_table(&t, left_out[i].type, left_out[i].content ? content.p : NULL, &err);
		assert_non_null(m);
		if (!strstr(log.p, left_out[i].message))
			fail_msg("%s", log.p);
		assert_int_equal(map_get(m, is_cidr ? SPAN_LIT("10.1.1.1") : SPAN_LIT("a"), &value, &err), MAP_FOUND);
		assert_string_equal(value.p, "ok");
		map_close(&m);
	}
	log_set_sink(NULL, NULL);
	str_fini(&value);
	str_fini(&log);
	str_fini(&content);
	tmpdir_remove(&t);
}

static void test_replaced(void **state)
{
	static const char *const types[] = { "texthash:", "pcre:", "regexp:" };
	struct str value = STR_INIT(MAP_VALUE_MAX);
	struct tmpdir t;
	char from[sizeof(t.file)];
	struct map *m;
	struct err err;
	size_t i;

	tmpdir_make(&t);
	for (i = 0; i < ARRAY_LEN(types); i++) {
		print_message("# %s\n", types[i]);
		m = open_table(&t, types[i], "/a/ old\n", &err);
		assert_non_null(m);
		assert_int_equal(map_get(m, SPAN_LIT("/a/"), &value, &err), MAP_FOUND);
		tmpdir_write(&t, "fresh", "/a/ newer\n");
		snprintf(from, sizeof(from), "%s", tmpdir_path(&t, "fresh"));
		assert_int_equal(rename(from, tmpdir_path(&t, "table")), 0);
		assert_int_equal(map_get(m, SPAN_LIT("/a/"), &value, &err), MAP_FOUND);
		assert_string_equal(value.p, "newer");
		assert_int_equal(unlink(tmpdir_path(&t, "table")), 0);
		assert_int_equal(map_get(m, SPAN_LIT("/a/"), &value, &err), MAP_TEMP);
		tmpdir_write(&t, "table", "/a/ back\n");
		assert_int_equal(map_get(m, SPAN_LIT("/a/"), &value, &err), MAP_FOUND);
		assert_string_equal(value.p, "back");
		map_close(&m);
	}
	m = open_table(&t, "pcre:", "/a/ ok\n", &err);
	map_close(&m);
	str_fini(&value);
	tmpdir_remove(&t);
}

static void test_odd_keys(void **state)
{
	struct str value = STR_INIT(MAP_VALUE_MAX);
	static char large[MAP_KEY_MAX + 1];
	struct map *m = NULL;
	struct err err;

	memset(large, 'a', sizeof(large));
	assert_int_equal(map_open(&m, "static:x", &err), 0);
	assert_int_equal(map_get(m, (struct span){ large, MAP_KEY_MAX }, &value, &err), MAP_FOUND);
	assert_int_equal(map_get(m, (struct span){ large, MAP_KEY_MAX + 1 }, &value, &err), MAP_NONE);
	assert_int_equal(map_get(m, SPAN_LIT("a\0b"), &value, &err), MAP_NONE);
	assert_int_equal(map_flags(m), 0);
	map_close(&m);
	map_close(&m);
	assert_true(map_is_type(SPAN_LIT("hash")) && map_is_type(SPAN_LIT("inline")) && !map_is_type(SPAN_LIT("inlin")));
	assert_true(map_is_indexed("hash:/x") && map_is_indexed("proxy:btree:/x") && !map_is_indexed("texthash:/x"));
	str_fini(&value);
}

static int own_open(void **state_r, const char *name, struct err *err)
{
	*state_r = NULL;
	return 0;
}

static enum map_rc own_get(void *state, struct span key, struct str *value, struct err *err)
{
	return str_addz(value, "own") < 0 ? MAP_TEMP : MAP_FOUND;
}

static void own_close(void *state)
{
}

static void test_register(void **state)
{
	static const struct map_type own = { "own", MAP_IS_PATTERN, own_open, own_get, own_close };
	struct str value = STR_INIT(100);
	struct map *m = NULL;
	struct err err;

	assert_false(map_is_type(SPAN_LIT("own")));
	map_register(&own);
	map_register(&own);
	assert_true(map_is_type(SPAN_LIT("own")));
	assert_int_equal(map_open(&m, "own:", &err), 0);
	assert_int_equal(map_flags(m), MAP_IS_PATTERN);
	assert_int_equal(map_get(m, SPAN_LIT("a"), &value, &err), MAP_FOUND);
	assert_string_equal(value.p, "own");
	map_close(&m);
	str_fini(&value);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_lookups),
	cmocka_unit_test(test_wrong),
	cmocka_unit_test(test_left_out),
	cmocka_unit_test(test_replaced),
	cmocka_unit_test(test_odd_keys),
	cmocka_unit_test(test_register),
};

MAIN(tests)
