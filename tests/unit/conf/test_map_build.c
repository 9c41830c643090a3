#include "cm.h"

#include "conf/map.h"
#include "conf/map_build.h"
#include "tmpdir.h"

static void expect(struct map *m, const char *key, enum map_rc rc, const char *want)
{
	struct str value = STR_INIT(MAP_VALUE_MAX);
	struct err err = ERR_INIT;

	if (map_get(m, span_z(key), &value, &err) != rc)
		fail_msg("%s: %s %s", key, value.p, err.msg);
	assert_string_equal(value.p, want);
	str_fini(&value);
}

static struct map *open_lmdb(const char *type, const char *path)
{
	struct str name = STR_INIT(300);
	struct map *m = NULL;
	struct err err;

	str_addf(&name, "%s:%s", type, path);
	if (map_open(&m, name.p, &err) < 0)
		fail_msg("%s", err.msg);
	str_fini(&name);
	return m;
}

static void test_table(void **state)
{
	static const char text[] = "# postmap\nUser@Example.com  tito,\n   iqbal\nno-value\n\"a b\"@x y\n"
	                           "user@example.com twice\n"
	                           "key: v\nk\x00";
	struct conf_errors warnings = { 0 };
	struct tmpdir t;
	struct map *m;
	struct stat st;
	struct err err;
	size_t n;

	tmpdir_make(&t);
	tmpdir_write(&t, "virtual", text);
	assert_int_equal(chmod(t.file, 0640), 0);
	if (map_build(t.file, MAP_SYNTAX_TABLE, &n, &warnings, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(n, 3);
	assert_int_equal(warnings.n, 4);
	assert_int_equal(warnings.n_warnings, 4);
	assert_non_null(strstr(warnings.v[0], "virtual:4: this line is not of the form"));
	assert_non_null(strstr(warnings.v[1], "virtual:6: 'user@example.com' stands there twice"));
	assert_non_null(strstr(warnings.v[2], "virtual:7: 'key:' ends with a colon"));
	m = open_lmdb("hash", t.file);
	expect(m, "USER@example.com", MAP_FOUND, "tito, iqbal");
	expect(m, "a b@x", MAP_FOUND, "y");
	expect(m, "nobody", MAP_NONE, "");
	expect(m, "", MAP_NONE, "");
	map_close(&m);
	assert_int_equal(stat(tmpdir_path(&t, "virtual.lmdb"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	conf_errors_fini(&warnings);
	tmpdir_remove(&t);
}

static void test_aliases(void **state)
{
	static const char text[] = "postmaster: root\nRoot:tito, iqbal\n\"with colon:\": x\n"
	                           "list: :include:/etc/list,\n\t\"|/bin/cat a\"\n"
	                           "nothing:\nbroken\n\"open: y\n";
	struct conf_errors warnings = { 0 };
	struct tmpdir t;
	struct map *m;
	struct err err;
	size_t n;

	tmpdir_make(&t);
	tmpdir_write(&t, "aliases", text);
	assert_int_equal(map_build(t.file, MAP_SYNTAX_ALIASES, &n, &warnings, &err), 0);
	assert_int_equal(n, 4);
	assert_int_equal(warnings.n, 3);
	m = open_lmdb("lmdb", t.file);
	expect(m, "postmaster", MAP_FOUND, "root");
	expect(m, "root", MAP_FOUND, "tito, iqbal");
	expect(m, "with colon:", MAP_FOUND, "x");
	expect(m, "list", MAP_FOUND, ":include:/etc/list, \"|/bin/cat a\"");
	map_close(&m);
	conf_errors_fini(&warnings);
	tmpdir_remove(&t);
}

/* A reader that holds the old table sees the new one at its next question, and never a file in between. */
static void test_replaced(void **state)
{
	struct conf_errors warnings = { 0 };
	struct tmpdir t;
	struct map *m;
	struct err err;
	size_t n;

	tmpdir_make(&t);
	tmpdir_write(&t, "t", "a 1\n");
	assert_int_equal(map_build(t.file, MAP_SYNTAX_TABLE, &n, &warnings, &err), 0);
	m = open_lmdb("lmdb", t.file);
	expect(m, "a", MAP_FOUND, "1");
	tmpdir_write(&t, "t", "a 2\nb 3\n");
	expect(m, "a", MAP_FOUND, "1");
	assert_int_equal(map_build(t.file, MAP_SYNTAX_TABLE, &n, &warnings, &err), 0);
	expect(m, "a", MAP_FOUND, "2");
	expect(m, "b", MAP_FOUND, "3");
	unlink(tmpdir_path(&t, "t.lmdb"));
	expect(m, "a", MAP_TEMP, "");
	assert_int_equal(map_build(tmpdir_path(&t, "t"), MAP_SYNTAX_TABLE, &n, &warnings, &err), 0);
	expect(m, "a", MAP_FOUND, "2");
	map_close(&m);
	conf_errors_fini(&warnings);
	tmpdir_remove(&t);
}

static void count_temps(struct tmpdir *t, int *files_r)
{
	DIR *d = opendir(t->path);
	struct dirent *e;

	for (*files_r = 0; (e = readdir(d));)
		*files_r += e->d_name[0] != '.';
	closedir(d);
}

static void test_failures(void **state)
{
	struct conf_errors warnings = { 0 };
	struct tmpdir t;
	struct map *m = NULL;
	struct err err;
	char name[300];
	size_t n;
	int files;

	tmpdir_make(&t);
	assert_int_equal(map_build(tmpdir_path(&t, "missing"), MAP_SYNTAX_TABLE, &n, &warnings, &err), -1);
	tmpdir_write(&t, "t", "a 1\n");
	assert_int_equal(mkdir(tmpdir_path(&t, "t.lmdb"), 0700), 0);
	assert_int_equal(map_build(tmpdir_path(&t, "t"), MAP_SYNTAX_TABLE, &n, &warnings, &err), -1);
	count_temps(&t, &files);
	assert_int_equal(files, 2);
	assert_int_equal(rmdir(tmpdir_path(&t, "t.lmdb")), 0);
	tmpdir_write(&t, "t.lmdb", "this is no database at all, but long enough to be taken for a page of one: "
	             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	snprintf(name, sizeof(name), "lmdb:%s/t", t.path);
	assert_int_equal(map_open(&m, name, &err), -1);
	assert_true(err_is_temporary(&err));
	conf_errors_fini(&warnings);
	tmpdir_remove(&t);
}

static void visit(void *arg, struct span key, struct span value)
{
	str_addf(arg, "%.*s=%.*s;", SPAN_ARG(key), SPAN_ARG(value));
}

static void test_many(void **state)
{
	struct str text = STR_INIT(10 << 20), all = STR_INIT(1000);
	struct conf_errors warnings = { 0 };
	struct tmpdir t;
	struct map *m;
	struct err err;
	size_t n, i;

	tmpdir_make(&t);
	for (i = 0; i < 20000; i++)
		str_addf(&text, "user%zu@example.com box%zu\n", i, i);
	tmpdir_write(&t, "many", text.p);
	assert_int_equal(map_build(t.file, MAP_SYNTAX_TABLE, &n, &warnings, &err), 0);
	assert_int_equal(n, 20000);
	m = open_lmdb("btree", t.file);
	expect(m, "user19999@example.com", MAP_FOUND, "box19999");
	map_close(&m);
	tmpdir_write(&t, "few", "b 2\na 1\n");
	assert_int_equal(map_build(t.file, MAP_SYNTAX_TABLE, &n, &warnings, &err), 0);
	assert_int_equal(map_build_visit(t.file, visit, &all, &err), 0);
	assert_string_equal(all.p, "a=1;b=2;");
	assert_int_equal(map_build_visit(tmpdir_path(&t, "nope"), visit, &all, &err), -1);
	conf_errors_fini(&warnings);
	str_fini(&text);
	str_fini(&all);
	tmpdir_remove(&t);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_table),
	cmocka_unit_test(test_aliases),
	cmocka_unit_test(test_replaced),
	cmocka_unit_test(test_failures),
	cmocka_unit_test(test_many),
};

MAIN(tests)
