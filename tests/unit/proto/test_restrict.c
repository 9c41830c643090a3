#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/param.h"
#include "proto/restrict.h"

static void load(struct conf *c, const char *text)
{
	struct conf_errors errors = { 0 };

	assert_int_equal(conf_parse(c, "main.cf", span_z(text), &errors), 0);
	conf_errors_fini(&errors);
}

static void test_program(void **state)
{
	const char *words[] = { "permit_mynetworks", "warn_if_reject", "check_sender_access", "inline:{a=b, c=d}",
				"warn_if_reject", "strict", "sleep", "7",
				"REJECT" };
	struct conf_list list = { words, ARRAY_LEN(words) };
	struct restrict_prog p;
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	struct conf c;

	load(&c, "smtpd_restriction_classes = strict\nstrict = reject_non_fqdn_sender, defer\n");
	assert_int_equal(restrict_compile(&p, &a, &c, "x", &list, &err), 0);
	assert_int_equal(p.n, 6);
	assert_int_equal(p.ops[0].code, RESTRICT_PERMIT_MYNETWORKS);
	assert_false(p.ops[0].warn);
	assert_int_equal(p.ops[1].code, RESTRICT_SENDER_ACCESS);
	assert_true(p.ops[1].warn);
	assert_string_equal(p.ops[1].map, "inline:{a=b, c=d}");
	assert_int_equal(p.ops[2].code, RESTRICT_NON_FQDN_SENDER);
	assert_true(p.ops[2].warn);
	assert_int_equal(p.ops[3].code, RESTRICT_DEFER);
	assert_true(p.ops[3].warn);
	assert_false(p.ops[4].warn);
	assert_int_equal(p.ops[4].seconds, 7);
	assert_int_equal(p.ops[5].code, RESTRICT_REJECT);
	arena_fini(&a);
	conf_fini(&c);
}

static void test_errors(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "smtpd_sender_restrictions = reject_non_fqdn_sendr\n",
		  "smtpd_sender_restrictions: unknown restriction 'reject_non_fqdn_sendr'; did you mean 'reject_non_fqdn_sender'?" },
		{ "smtpd_client_restrictions = reject_rbl_client x\n",
		  "smtpd_client_restrictions: not supported yet, take them out: reject_rbl_client" },
		{ "smtpd_data_restrictions = check_policy_service unix:x\n",
		  "smtpd_data_restrictions: not supported yet, take them out: check_policy_service" },
		{ "smtpd_relay_restrictions = permit_mx_backup\n",
		  "smtpd_relay_restrictions: not supported yet, take them out: permit_mx_backup" },
		{ "smtpd_helo_restrictions = check_helo_access\n",
		  "smtpd_helo_restrictions: 'check_helo_access' needs a table type:name behind it" },
		{ "smtpd_helo_restrictions = sleep x\n",
		  "smtpd_helo_restrictions: 'sleep' needs a number of seconds behind it" },
		{ "smtpd_helo_restrictions = warn_if_reject\n",
		  "smtpd_helo_restrictions: nothing behind 'warn_if_reject'" },
		{ "smtpd_restriction_classes = a\na = a\nsmtpd_helo_restrictions = a\n",
		  "smtpd_helo_restrictions: restriction class 'a' contains itself or nests too deep" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		struct conf c;

		load(&c, rows[i].text);
		assert_int_equal(restrict_check(&c, &err), -1);
		assert_string_equal(err.msg, rows[i].want);
		conf_fini(&c);
	}
}

static void test_maps(void **state)
{
	static const char *const word = "a, check_client_access lmdb:/x";
	struct conf_list words = { (const char **)&word, 1 };
	struct restrict_prog p;
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	struct conf c;

	load(&c, "smtpd_restriction_classes = a\na = check_helo_access lmdb:/x\n");
	assert_int_equal(restrict_compile(&p, &a, &c, "list", &words, &err), 0);
	assert_int_equal(p.n, 2);
	assert_string_equal(p.ops[0].map, "lmdb:/x");
	assert_string_equal(p.ops[1].map, "lmdb:/x");
	arena_fini(&a);
	conf_fini(&c);
}

/* One mistake of main.cf concerns every service and is told once; those of services stand where they were made. */
static void test_all(void **state)
{
	static const char master_cf[] = "smtp inet n - y - - smtpd\n25 inet n - y - - smtpd\n"
		" -o smtpd_helo_restrictions=rejct\n587 inet n - y - - smtpd -o smtpd_data_restrictions=sleep\n";
	struct conf_errors errors = { 0 };
	struct mastercf m;
	struct conf c;

	load(&c, "mail_name = x\nsmtpd_client_restrictions = permt\n");
	assert_int_equal(mastercf_parse(&m, "master.cf", span_z(master_cf), &c, &errors), 0);
	assert_int_equal(restrict_check_all(&c, &m, &errors), -1);
	assert_int_equal(errors.n, 3);
	assert_string_equal(errors.v[0],
			    "main.cf:2: smtpd_client_restrictions: unknown restriction 'permt'; did you mean 'permit'?");
	assert_string_equal(errors.v[1],
			    "master.cf:2: smtpd_helo_restrictions: unknown restriction 'rejct'; did you mean 'reject'?");
	assert_string_equal(errors.v[2],
			    "master.cf:4: smtpd_data_restrictions: 'sleep' needs a number of seconds behind it");
	assert_int_equal(restrict_check_all(&c, &m, &errors), 0);
	conf_errors_fini(&errors);
	mastercf_fini(&m);
	conf_fini(&c);
}

static void test_defaults(void **state)
{
	struct err err = ERR_INIT;
	struct conf c;

	load(&c, "");
	assert_int_equal(restrict_check(&c, &err), 0);
	conf_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_program), cmocka_unit_test(test_errors), cmocka_unit_test(test_maps),
		cmocka_unit_test(test_all), cmocka_unit_test(test_defaults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
