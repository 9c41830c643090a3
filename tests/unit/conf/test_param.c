#include "cm.h"

#include <stdlib.h>

#include "conf/nearest.h"
#include "conf/param.h"
#include "conf/params.h"

static const struct {
	const char *text;
	uint64_t unit_ms;
	int64_t ms;             /* -1: an error */
} times[] = {
	{ "300s", 1000, 300000 }, { "5m", 1000, 300000 }, { "1h", 1000, 3600000 }, { "5d", 1000, 432000000 },
	{ "1w", 1000, 604800000 }, { "20", 1000, 20000 }, { "2", 86400000, 172800000 }, { "10 mins", 1000, 600000 },
	{ "30 secs", 1000, 30000 }, { "50ms", 1000, 50 }, { "0", 1000, 0 }, { " 7s ", 1000, 7000 },
	{ "1D", 1000, 86400000 },
	{ "", 1000, -1 }, { "s", 1000, -1 }, { "-5s", 1000, -1 }, { "5x", 1000, -1 }, { "1.5h", 1000, -1 },
	{ "18446744073709551615w", 1000, -1 }, { "99999999999999999999", 1000, -1 }, { "5s 3m", 1000, -1 },
};

static void test_times(void **state)
{
	uint64_t ms;
	size_t i;

	for (i = 0; i < ARRAY_LEN(times); i++) {
		print_message("# '%s'\n", times[i].text);
		assert_int_equal(param_time(span_z(times[i].text), times[i].unit_ms, &ms), times[i].ms < 0 ? -1 : 0);
		if (times[i].ms >= 0)
			assert_int_equal(ms, times[i].ms);
	}
}

static const struct {
	const char *text;
	int64_t bytes;
} sizes[] = {
	{ "5242880", 5242880 }, { "5 MB", 5242880 }, { "50M", 52428800 }, { "2k", 2048 }, { "2K", 2048 },
	{ "1G", 1073741824 },
	{ "1 GiB", 1073741824 }, { "0", 0 }, { "10 bytes", 10 }, { "5 XB", -1 }, { "", -1 }, { "M", -1 }, { "-1", -1 },
	{ "18446744073709551615", -2 }, { "18446744073709551615k", -1 },
};

static void test_sizes(void **state)
{
	uint64_t n;
	size_t i;

	for (i = 0; i < ARRAY_LEN(sizes); i++) {
		print_message("# '%s'\n", sizes[i].text);
		assert_int_equal(param_size(span_z(sizes[i].text), &n), sizes[i].bytes == -1 ? -1 : 0);
		if (sizes[i].bytes >= 0)
			assert_int_equal(n, sizes[i].bytes);
	}
}

/* A default that its own type refuses would stop every start. */
static void test_table(void **state)
{
	struct conf_errors errors = { 0 };
	const struct param *p;
	struct conf c;
	struct err err;

	assert_int_equal(conf_parse(&c, NULL, SPAN_LIT("myhostname = a.example.com\n"), &errors), 0);
	assert_true(param_count > 200);
	for (p = param_table; p < param_table + param_count; p++) {
		print_message("# %s\n", p->name);
		assert_ptr_equal(param_find(p->name), p);
		assert_null(p->name[0] == '_' ? p->name : NULL);
		if (p > param_table)
			assert_true(strcmp(p[-1].name, p->name) < 0);
		if (param_check(p, &c, &err) < 0)
			fail_msg("%s", err.msg);
	}
	assert_null(param_find("nope"));
	conf_fini(&c);
	conf_errors_fini(&errors);
}

static void test_structs(void **state)
{
	static const char text[] = "myhostname = mx.example.com\nsmtpd_timeout = 2m\nsmtpd_helo_required = YES\n"
	                           "smtpd_recipient_restrictions = permit_mynetworks,\n"
	                           "  check_client_access inline:{a=b, c=d}\n"
	                           "message_size_limit = 5 MB\nsmtpd_forbid_bare_newline = reject\nmailbox_command = x $USER\n"
	                           "ssl_cert = </d.pem\nssl_key = < /d.key\nvirtual_uid_maps = static:5 { users:/x uid }\n"
	                           "maximal_queue_lifetime = 2\nalias_maps = hash:/a, lmdb:/b\nsmtpd_tls_cert_file = /c.pem\n";
	struct conf_errors errors = { 0 };
	struct arena a = { 0 };
	struct smtpd_conf smtpd;
	struct global_conf global;
	struct qmgr_conf qmgr;
	struct local_conf local;
	struct login_conf login;
	struct conf c;
	struct err err;

	assert_int_equal(conf_parse(&c, "main.cf", span_z(text), &errors), 0);
	assert_int_equal(smtpd_conf_read(&smtpd, &c, &a, &err), 0);
	assert_int_equal(smtpd.smtpd_timeout_ms, 120000);
	assert_true(smtpd.smtpd_helo_required);
	assert_string_equal(smtpd.smtpd_banner, "mx.example.com ESMTP Surat");
	assert_int_equal(smtpd.smtpd_recipient_restrictions.n, 3);
	assert_string_equal(smtpd.smtpd_recipient_restrictions.v[2], "inline:{a=b, c=d}");
	assert_int_equal(smtpd.smtpd_forbid_bare_newline, SMTPD_FORBID_BARE_NEWLINE_REJECT);
	assert_int_equal(smtpd.smtpd_tls_security_level, SMTPD_TLS_SECURITY_LEVEL_UNSET);
	assert_string_equal(smtpd.smtpd_tls_key_file, "/c.pem");
	assert_int_equal(global_conf_read(&global, &c, &a, &err), 0);
	assert_string_equal(global.mydomain, "example.com");
	assert_string_equal(global.mydestination.v[1], "localhost.example.com");
	assert_int_equal(global.message_size_limit, 5242880);
	assert_string_equal(global.alias_maps.v[1], "lmdb:/b");
	assert_int_equal(global.virtual_uid_maps.n, 2);
	assert_string_equal(global.virtual_uid_maps.v[1], "users:/x uid");
	assert_int_equal(login_conf_read(&login, &c, &a, &err), 0);
	assert_string_equal(login.ssl_cert, "/d.pem");
	assert_string_equal(login.ssl_key, "/d.key");
	assert_int_equal(qmgr_conf_read(&qmgr, &c, &a, &err), 0);
	assert_int_equal(qmgr.maximal_queue_lifetime_ms, 2 * 86400000);
	assert_int_equal(local_conf_read(&local, &c, &a, &err), 0);
	assert_string_equal(local.mailbox_command, "x $USER");
	arena_fini(&a);
	conf_fini(&c);
	conf_errors_fini(&errors);
}

static const struct {
	const char *label, *text, *cert, *key;
} pairs[] = {
	{ "nothing set", "", "", "" },
	{ "Dovecot's names serve SMTP too", "ssl_cert = </a\nssl_key = </b\n", "/a", "/b" },
	{ "one file of Dovecot's", "ssl_cert = /a\n", "/a", "/a" },
	{ "Postfix's own", "smtpd_tls_cert_file = /c\nsmtpd_tls_key_file = /d\nssl_cert = /a\n", "/c", "/d" },
	{ "one file of Postfix's", "smtpd_tls_cert_file = /c\nssl_cert = /a\nssl_key = /b\n", "/c", "/c" },
};

static void test_certificates(void **state)
{
	struct conf_errors errors = { 0 };
	struct smtpd_conf smtpd;
	struct arena a = { 0 };
	struct conf c;
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_LEN(pairs); i++) {
		print_message("# %s\n", pairs[i].label);
		assert_int_equal(conf_parse(&c, "m", span_z(pairs[i].text), &errors), 0);
		assert_int_equal(smtpd_conf_read(&smtpd, &c, &a, &err), 0);
		assert_string_equal(smtpd.smtpd_tls_cert_file, pairs[i].cert);
		assert_string_equal(smtpd.smtpd_tls_key_file, pairs[i].key);
		conf_fini(&c);
	}
	arena_fini(&a);
	conf_errors_fini(&errors);
}

static const struct {
	const char *line, *message;
} wrong[] = {
	{ "smtpd_timeout = soon", "m:1: smtpd_timeout: 'soon' is not a time" },
	{ "smtpd_timeout = 0", "m:1: smtpd_timeout: '0' is out of range (1s..1d)" },
	{ "smtpd_helo_required = maybe", "is neither yes nor no" },
	{ "message_size_limit = big", "is not a size" },
	{ "smtpd_recipient_limit = -1", "is not a number" },
	{ "smtpd_recipient_limit = 99999999", "is out of range" },
	{ "smtpd_tls_security_level = must", "is none of the words allowed (, none, may, encrypt)" },
	{ "alias_maps = /etc/aliases", "is not a list of tables" },
	{ "smtpd_banner = $nope", "m:1: smtpd_banner: '$nope' is not a known name" },
	{ "smtpd_banner = $smtpd_banner", "'$smtpd_banner' refers to itself" },
};

static void test_wrong(void **state)
{
	struct conf_errors errors = { 0 };
	const struct param *p;
	struct conf c;
	struct err err = ERR_INIT;
	size_t i;
	int rc;

	for (i = 0; i < ARRAY_LEN(wrong); i++) {
		print_message("# %s\n", wrong[i].line);
		assert_int_equal(conf_parse(&c, "m", span_z(wrong[i].line), &errors), 0);
		for (rc = 0, p = param_table; rc == 0 && p < param_table + param_count; p++)
			rc = param_check(p, &c, &err);
		assert_int_equal(rc, -1);
		assert_int_equal(err.kind, ERR_CONF);
		if (!strstr(err.msg, wrong[i].message))
			fail_msg("%s", err.msg);
		conf_fini(&c);
	}
	conf_errors_fini(&errors);
}

static void test_foreign(void **state)
{
	assert_true(param_foreign("smtpd_milters")->is_refused);
	assert_false(param_foreign("readme_directory")->is_refused);
	assert_false(param_foreign("smtp_tls_security_level")->is_refused);
	assert_false(param_foreign("maildrop_destination_recipient_limit")->is_refused);
	assert_true(param_foreign("slow_destination_rate_delay")->is_refused);
	assert_null(param_foreign("_destination_recipient_limi"));
	assert_null(param_foreign("mydestnation"));
	assert_null(param_foreign("relay_domain"));
}

static const struct {
	const char *want, *best;
} near_rows[] = {
	{ "mydestnation", "mydestination" }, { "smtpd_tiemout", "smtpd_timeout" }, { "my_networks", "mynetworks" },
	{ "xyzzy", NULL }, { "mydestination", "mydestination" },
	{ "a_very_long_name_that_is_longer_than_all_names_that_exist_in_the_table_of_parameters", NULL },
};

static void test_nearest(void **state)
{
	struct nearest n;
	size_t i, j;

	for (i = 0; i < ARRAY_LEN(near_rows); i++) {
		print_message("# %s\n", near_rows[i].want);
		nearest_init(&n, near_rows[i].want);
		for (j = 0; j < param_count; j++)
			nearest_offer(&n, param_table[j].name);
		if (near_rows[i].best)
			assert_string_equal(nearest_get(&n), near_rows[i].best);
		else
			assert_null(nearest_get(&n));
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_times),
	cmocka_unit_test(test_sizes),
	cmocka_unit_test(test_table),
	cmocka_unit_test(test_structs),
	cmocka_unit_test(test_certificates),
	cmocka_unit_test(test_wrong),
	cmocka_unit_test(test_foreign),
	cmocka_unit_test(test_nearest),
};

MAIN(tests)
