#include "cm.h"

#include "conf/conf.h"
#include "conf/map_build.h"
#include "conf/networks.h"
#include "conf/params.h"
#include "tmpdir.h"

static const struct {
	const char *label, *list, *want;        /* '@' stands for the directory */
	const char *error;
} rows[] = {
	{ "nothing", "", "", NULL },
	{ "plain", "127.0.0.0/8, [::1]/128 !192.0.2.7", "127.0.0.0/8 [::1]/128 !192.0.2.7", NULL },
	{ "file", "127.0.0.1 @/nets 10.0.0.1", "127.0.0.1 192.0.2.0/24 2001:db8::/32 !198.51.100.1 10.0.0.1", NULL },
	{ "file in a file", "@/outer", "10.1.0.0/16 192.0.2.0/24 2001:db8::/32 !198.51.100.1", NULL },
	{ "negated file", "!@/few", "!192.0.2.1 !192.0.2.2", NULL },
	{ "cidr table", "cidr:@/cidr", "192.0.2.0/25 2001:db8::/48", NULL },
	{ "texthash", "!texthash:@/cidr", "!192.0.2.0/25 !2001:db8::/48", NULL },
	{ "negated twice", "!@/nets", NULL, "negated twice" },
	{ "loop", "@/loop", NULL, "nested too deeply" },
	{ "not there", "@/absent", NULL, "absent" },
	{ "indexed table", "10.0.0.1 hash:@/index", "10.0.0.1 192.0.2.1 2001:db8::1 mx.example.org", NULL },
	{ "by its other names", "!lmdb:@/index btree:@/empty", "!192.0.2.1 !2001:db8::1 !mx.example.org", NULL },
	{ "network in an indexed table", "hash:@/wide", NULL, "'192.0.2.0/24' is a network" },
	{ "indexed table that was not made", "hash:@/nets", NULL, "run: surat map" },
	{ "other table", "pcre:@/nets", NULL, "takes plain files" },
	{ "conditions", "cidr:@/if", NULL, "if:1: 'if'" },
};

static const char *in_dir(struct arena *a, const char *text, const char *dir)
{
	const char *at, *out = "";

	for (; (at = strchr(text, '@')); text = at + 1)
		out = arena_printf(a, "%s%.*s%s", out, (int)(at - text), text, dir);
	return arena_printf(a, "%s%s", out, text);
}

static void make_index(struct tmpdir *t, struct arena *a, const char *name)
{
	struct conf_errors warnings = { 0 };
	struct err err = ERR_INIT;
	size_t n;

	if (map_build(arena_printf(a, "%s/%s", t->path, name), MAP_SYNTAX_TABLE, &n, &warnings, &err) < 0)
		fail_msg("%s", err.msg);
	conf_errors_fini(&warnings);
}

static void make_files(struct tmpdir *t, struct arena *a)
{
	tmpdir_make(t);
	tmpdir_write(t, "nets", "# ours\n192.0.2.0/24,\n 2001:db8::/32\n!198.51.100.1\n");
	tmpdir_write(t, "few", "192.0.2.1\n192.0.2.2\n");
	tmpdir_write(t, "outer", in_dir(a, "10.1.0.0/16 @/nets\n", t->path));
	tmpdir_write(t, "loop", in_dir(a, "@/loop\n", t->path));
	tmpdir_write(t, "cidr", "192.0.2.0/25  OK\n2001:db8::/48 yes, it is\n");
	tmpdir_write(t, "index", "192.0.2.1 OK\n2001:DB8::1 OK\nMX.example.org x\n.example.net x\n");
	tmpdir_write(t, "wide", "192.0.2.0/24 OK\n");
	tmpdir_write(t, "empty", "# nothing\n");
	make_index(t, a, "index");
	make_index(t, a, "wide");
	make_index(t, a, "empty");
	tmpdir_write(t, "if", "if 192.0.2.0/24\n192.0.2.1 OK\nendif\n");
}

static void test_inline(void **state)
{
	struct arena a = { 0 };
	struct tmpdir t;
	size_t i;

	make_files(&t, &a);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(10000);
		struct err err = ERR_INIT;
		int rc = networks_inline(&out, span_z(in_dir(&a, rows[i].list, t.path)), &err);

		print_message("# %s\n", rows[i].label);
		assert_int_equal(rc, rows[i].error ? -1 : 0);
		if (rows[i].error && !strstr(err.msg, rows[i].error))
			fail_msg("%s: %s", rows[i].label, err.msg);
		if (rows[i].want)
			assert_string_equal(out.p ? out.p : "", rows[i].want);
		str_fini(&out);
	}
	tmpdir_remove(&t);
	arena_fini(&a);
}

/* The snapshot that daemons get needs no file any more. */
static void test_snapshot(void **state)
{
	struct arena a = { 0 };
	struct conf c, copy;
	struct conf_errors errors = { 0 };
	struct global_conf global;
	struct str text = STR_INIT(100000);
	struct tmpdir t;
	struct err err;

	make_files(&t, &a);
	tmpdir_write(&t, "main.cf", in_dir(&a, "mynetworks = 127.0.0.1,\n  $config_nets\nconfig_nets = @/nets\n",
					   t.path));
	if (conf_load(&c, t.path, &errors) < 0)
		fail_msg("%s", errors.v[0]);
	assert_int_equal(conf_dump(&c, &text), 0);
	tmpdir_remove(&t);
	assert_int_equal(conf_parse(&copy, "main.cf", str_span(&text), &errors), 0);
	assert_int_equal(global_conf_read(&global, &copy, &a, &err), 0);
	assert_int_equal(global.mynetworks.n, 4);
	assert_string_equal(global.mynetworks.v[1], "192.0.2.0/24");
	conf_fini(&c);
	conf_fini(&copy);
	conf_errors_fini(&errors);
	str_fini(&text);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_inline), cmocka_unit_test(test_snapshot) };

	return cmocka_run_group_tests_name("networks", tests, NULL, NULL);
}
