#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/param.h"
#include "proto/netlist.h"

static int compile(struct netlist *l, struct arena *a, const char *text, struct err *err)
{
	struct conf_list words = param_split(span_z(text), a);

	return netlist_compile(l, a, "mynetworks", &words, err);
}

static void test_match(void **state)
{
	static const struct {
		const char *list, *name, *addr;
		bool want;
	} rows[] = {
		{ "127.0.0.0/8", NULL, "127.0.0.1", true }, { "127.0.0.0/8", NULL, "128.0.0.1", false },
		{ "192.0.2.128/25", NULL, "192.0.2.129", true }, { "192.0.2.128/25", NULL, "192.0.2.127", false },
		{ "192.0.2.1", NULL, "192.0.2.1", true }, { "192.0.2.1", NULL, "192.0.2.2", false },
		{ "[::1]/128", NULL, "::1", true }, { "[::1/128]", NULL, "::1", true },
		{ "[2001:db8::]/33", NULL, "2001:db8:7fff::1", true },
		{ "[2001:db8::]/33", NULL, "2001:db8:8000::1", false }, { "10.0.0.0/8", NULL, "::ffff:10.1.2.3", true },
		{ "[::ffff:127.0.0.0]/104", NULL, "127.9.0.1", true },
		{ "[::ffff:127.0.0.0]/104", NULL, "128.0.0.1", false },
		{ "[::ffff:192.0.2.1]", NULL, "192.0.2.1", true }, { "[::ffff:192.0.2.1]", NULL, "192.0.2.2", false },
		{ "0.0.0.0/0", NULL, "203.0.113.9", true }, { "0.0.0.0/0", NULL, "::1", false },
		{ "!192.0.2.7, 192.0.2.0/24", NULL, "192.0.2.7", false },
		{ "!192.0.2.7, 192.0.2.0/24", NULL, "192.0.2.8", true },
		{ "", NULL, "127.0.0.1", false }, { "mail.example", "mail.example", "192.0.2.1", true },
		{ "example", "mail.example", "192.0.2.1", true }, { "example", "badexample", "192.0.2.1", false },
		{ ".example", "mail.example", "192.0.2.1", true }, { ".example", "example", "192.0.2.1", false },
		{ "example", NULL, "192.0.2.1", false }, { "127.0.0.0/8", NULL, "unknown", false },
		{ "127.0.0.0/8", NULL, "", false },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena a = { 0 };
		struct netlist l;
		struct err err = ERR_INIT;

		assert_int_equal(compile(&l, &a, rows[i].list, &err), 0);
		if (netlist_match(&l, rows[i].name, rows[i].addr) != rows[i].want)
			fail_msg("row %zu: '%s' and %s", i, rows[i].list, rows[i].addr);
		arena_fini(&a);
	}
}

static void test_bad(void **state)
{
	static const char *const rows[] = { "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/x", "10.0.0.0/", "[2001:db8::1]/64",
					    "hash:/etc/x",
					    "host/8", "!", "[::1]/129", "[::ffff:10.0.0.0]/8", "[::ffff:10.0.0.0]/129" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena a = { 0 };
		struct netlist l;
		struct err err = ERR_INIT;

		if (compile(&l, &a, rows[i], &err) == 0 || err.kind != ERR_CONF ||
		    strncmp(err.msg, "mynetworks: ", 12) != 0)
			fail_msg("'%s': %s", rows[i], err.msg);
		arena_fini(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_match), cmocka_unit_test(test_bad) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
