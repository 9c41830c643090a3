#include "cm.h"

#include <unistd.h>

#include "conf/conf.h"
#include "conf/params.h"
#include "tmpdir.h"

static bool has(const struct conf_errors *e, const char *part)
{
	size_t i;

	for (i = 0; i < e->n; i++)
		if (strstr(e->v[i], part))
			return true;
	return false;
}

static void test_all_errors_at_once(void **state)
{
	static const char main_cf[] = "# main.cf\n"
	                              "mydestnation = example.com\n"
	                              "smtpd_timeout = 5 parsecs\n"
	                              "no equals sign\n"
	                              "bad name = 1\n"
	                              "myhostname = mx.example.com\n"
	                              "myhostname = mx2.example.com\n"
	                              "smtpd_milters = inet:localhost:1\n"
	                              "content_filter =\n"
	                              "readme_directory = no\n"
	                              "mine = 1\n"
	                              "mydestination = $mine $theirs\n"
	                              "only_in_master = 2\n"
	                              "class1 = permit\n"
	                              "smtpd_restriction_classes = class1\n"
	                              "stray = 3\n"
	                              "myorigin = /nowhere/mailname\n";
	static const char *const want[] = {
		"main.cf:2: unknown parameter 'mydestnation'; did you mean 'mydestination'?",
		"main.cf:3: smtpd_timeout: '5 parsecs' is not a time",
		"main.cf:4: '=' is missing",
		"main.cf:5: 'bad name' cannot be",
		"warning: ", "main.cf:7: 'myhostname' was set in line 6",
		"main.cf:8: parameter 'smtpd_milters' is not supported",
		"main.cf:9: parameter 'content_filter' has no effect",
		"main.cf:10: parameter 'readme_directory' has no effect",
		"main.cf:12: mydestination: '$theirs' is not a known name",
		"main.cf:16: unknown parameter 'stray'",
		"main.cf:17: myorigin: cannot open /nowhere/mailname",
	};
	struct conf_errors errors = { 0 };
	struct tmpdir t;
	struct conf c;
	size_t i;

	tmpdir_make(&t);
	tmpdir_write(&t, "main.cf", main_cf);
	tmpdir_write(&t, "master.cf", "submission inet n - y - - smtpd -o smtpd_banner=$only_in_master\n");
	assert_int_equal(conf_load(&c, t.path, &errors), -1);
	for (i = 0; i < ARRAY_LEN(want); i++)
		if (!has(&errors, want[i]))
			fail_msg("missing: %s", want[i]);
	assert_int_equal(errors.n_warnings, 3);
	assert_int_equal(errors.n, 11);
	conf_fini(&c);
	conf_errors_fini(&errors);
	tmpdir_remove(&t);
}

static void test_missing_file(void **state)
{
	struct conf_errors errors = { 0 };
	struct conf c;

	assert_int_equal(conf_load(&c, "/nowhere", &errors), -1);
	assert_true(has(&errors, "cannot open /nowhere/main.cf"));
	conf_fini(&c);
	conf_errors_fini(&errors);
}

/* A stock Debian main.cf, Dovecot's names beside it, loads without an error. */
static void test_debian(void **state)
{
	static const char main_cf[] = "smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)\nbiff = no\n"
		"append_dot_mydomain = no\nreadme_directory = no\ncompatibility_level = 3.6\n"
		"smtpd_tls_cert_file=/etc/ssl/certs/ssl-cert-snakeoil.pem\n"
		"smtpd_tls_key_file=/etc/ssl/private/ssl-cert-snakeoil.key\n"
		"smtpd_tls_security_level=may\nsmtp_tls_CApath=/etc/ssl/certs\nsmtp_tls_security_level=may\n"
		"smtp_tls_session_cache_database = btree:${data_directory}/smtp_scache\n"
		"smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination\n"
		"myhostname = mail-server\nalias_maps = hash:/etc/aliases\nalias_database = hash:/etc/aliases\n"
		"myorigin = $mydomain\nmydestination = $myhostname, example.com, mail-server, localhost.localdomain, localhost,\n"
		"relayhost =\nmynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 [::1]/128\nmailbox_size_limit = 0\n"
		"recipient_delimiter = +\ninet_interfaces = all\ninet_protocols = all\nhome_mailbox = Maildir/\n"
		"mail_location = maildir:~/Maildir\nprotocols = imap pop3\nlisten = *\ndisable_plaintext_auth = no\n"
		"auth_mechanisms = plain login\nssl_cert = </etc/a.pem\n";
	struct conf_errors errors = { 0 };
	struct arena a = { 0 };
	struct global_conf g;
	struct tmpdir t;
	struct conf c;
	struct err err;

	tmpdir_make(&t);
	tmpdir_write(&t, "main.cf", main_cf);
	if (conf_load(&c, t.path, &errors) < 0)
		fail_msg("%s", errors.v[errors.n - 1]);
	assert_int_equal(global_conf_read(&g, &c, &a, &err), 0);
	assert_int_equal(g.mydestination.n, 5);
	assert_string_equal(g.mydomain, "localdomain");
	assert_string_equal(g.myorigin, "localdomain");
	arena_fini(&a);
	conf_fini(&c);
	conf_errors_fini(&errors);
	tmpdir_remove(&t);
}

static void expect(const struct conf *c, const char *name, const char *want)
{
	struct str out = STR_INIT(1000);
	struct err err;

	assert_int_equal(conf_expand_name(&out, c, name, &err), 0);
	assert_string_equal(out.p, want);
	str_fini(&out);
}

static void test_origin_and_snapshot(void **state)
{
	struct conf_errors errors = { 0 };
	struct str dump = STR_INIT(10000), main_cf = STR_INIT(1000);
	struct tmpdir t;
	struct conf c, copy;

	tmpdir_make(&t);
	tmpdir_write(&t, "mailname", "# Debian\nnida.com\nsecond\n");
	str_addf(&main_cf, "myhostname = mx.nida.com\nmyorigin = %s\nmydestination = a,\n  b\nalias_maps =\n", t.file);
	tmpdir_write(&t, "main.cf", main_cf.p);
	assert_int_equal(conf_load(&c, t.path, &errors), 0);
	assert_string_equal(c.dir, t.path);
	expect(&c, "myorigin", "nida.com");
	assert_non_null(strstr(conf_raw(&c, "myorigin"), "mailname"));
	assert_int_equal(conf_dump(&c, &dump), 0);
	assert_int_equal(conf_parse(&copy, NULL, str_span(&dump), &errors), 0);
	assert_int_equal(errors.n, 0);
	expect(&copy, "myorigin", "nida.com");
	expect(&copy, "mydestination", "a, b");
	expect(&copy, "mydomain", "nida.com");
	expect(&copy, "alias_maps", "");
	assert_int_equal(conf_find(&c, "mydestination")->line, 3);
	assert_null(conf_find(&c, "smtpd_timeout"));
	dump.max = dump.n - 1;
	str_reset(&dump);
	assert_int_equal(conf_dump(&c, &dump), -1);
	conf_fini(&copy);
	conf_fini(&c);
	conf_errors_fini(&errors);
	str_fini(&dump);
	str_fini(&main_cf);
	tmpdir_remove(&t);
}

/* As in Postfix a host of one label is in mydomain, where main.cf has that. */
static void test_host_in_domain(void **state)
{
	static const char *const rows[][2] = {
		{ "mydomain = ex.org\n", "ex.org" }, { "own = ex.net\nmydomain = $own\n", "ex.net" },
		{ "mydomain = $mydomain\n", "localdomain" }, { "", "localdomain" },
	};
	char host[256] = "", want[300];
	size_t i;

	assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct conf_errors errors = { 0 };
		struct conf c;

		print_message("# %s\n", rows[i][0]);
		snprintf(want, sizeof(want), strchr(host, '.') ? "%s" : "%s.%s", host, rows[i][1]);
		assert_int_equal(conf_parse(&c, "main.cf", span_z(rows[i][0]), &errors), 0);
		expect(&c, "myhostname", want);
		conf_fini(&c);
		conf_errors_fini(&errors);
	}
}

/* Names that Postfix knows without anybody setting them. */
static void test_facts(void **state)
{
	struct conf_errors errors = { 0 };
	struct str want = STR_INIT(1000);
	struct conf c, layer;
	struct tmpdir t;
	struct err err;

	tmpdir_make(&t);
	tmpdir_write(&t, "main.cf", "myhostname = a.example\nsmtpd_banner = $myhostname ESMTP ($mail_version)\n"
		     "alias_maps = texthash:${config_directory}/aliases\n");
	if (conf_load(&c, t.path, &errors) < 0)
		fail_msg("%s", errors.v[0]);
	assert_int_equal(errors.n, 0);
	assert_int_equal(conf_expand_name(&want, &c, "smtpd_banner", &err), 0);
	assert_true(span_starts(str_span(&want), "a.example ESMTP (") && want.p[17] >= '0' && want.p[17] <= '9');
	str_reset(&want);
	assert_int_equal(str_addf(&want, "texthash:%s/aliases", t.path), 0);
	conf_overlay(&layer, &c);
	expect(&layer, "alias_maps", want.p);
	/* who sets one means it */
	assert_int_equal(conf_set(&layer, "mail_version", "9", "master.cf", 1, &err), 0);
	expect(&layer, "smtpd_banner", "a.example ESMTP (9)");
	conf_fini(&layer);
	conf_fini(&c);
	conf_errors_fini(&errors);
	str_fini(&want);
	tmpdir_remove(&t);
}

static void test_overlay(void **state)
{
	struct conf_errors errors = { 0 };
	struct str dump = STR_INIT(10000);
	struct conf base, top, copy;
	struct err err;

	assert_int_equal(conf_parse(&base, "m", SPAN_LIT("myhostname = a.example.com\nmail_name = X\nmine = 1\n"),
	                            &errors), 0);
	conf_overlay(&top, &base);
	assert_int_equal(conf_set(&top, "mail_name", "Y", "master.cf", 7, &err), 0);
	assert_int_equal(conf_set(&top, "mine", "2", "master.cf", 7, &err), 0);
	assert_int_equal(conf_set(&top, "myhostname", "b.other.org", "master.cf", 7, &err), 0);
	assert_int_equal(conf_set(&top, "mail_nam", "Y", "master.cf", 7, &err), -1);
	assert_string_equal(err.msg, "unknown parameter 'mail_nam'; did you mean 'mail_name'?");
	expect(&top, "mydestination", "b.other.org, localhost.other.org, localhost");
	expect(&base, "mydestination", "a.example.com, localhost.example.com, localhost");
	expect(&top, "mail_name", "Y");
	expect(&base, "mail_name", "X");
	assert_int_equal(conf_dump(&top, &dump), 0);
	assert_int_equal(conf_parse(&copy, NULL, str_span(&dump), &errors), 0);
	assert_int_equal(errors.n, 0);
	expect(&copy, "mail_name", "Y");
	expect(&copy, "mine", "2");
	expect(&copy, "mydomain", "other.org");
	conf_fini(&copy);
	conf_fini(&top);
	conf_fini(&base);
	conf_errors_fini(&errors);
	str_fini(&dump);
}

static const struct {
	const char *host, *domain;      /* domain NULL: an error */
} hosts[] = {
	{ "mx.example.com", "example.com" }, { "mx", "localdomain" }, { "mx.", "localdomain" }, { "a b.c", NULL },
	{ "x.$$y", NULL }, { "", NULL }, { ".example.com", NULL }, { "-x.example.com", NULL },
};

static void test_host_names(void **state)
{
	struct conf_errors errors = { 0 };
	struct str text = STR_INIT(1000);
	struct conf c;
	size_t i;

	for (i = 0; i < ARRAY_LEN(hosts); i++) {
		print_message("# '%s'\n", hosts[i].host);
		str_reset(&text);
		str_addf(&text, "myhostname = %s\n", hosts[i].host);
		assert_int_equal(conf_parse(&c, "m", str_span(&text), &errors), 0);
		assert_int_equal(conf_check(&c, &errors), hosts[i].domain ? 0 : -1);
		expect(&c, "mydomain", hosts[i].domain ? hosts[i].domain : "localdomain");
		assert_true(hosts[i].domain || has(&errors, "m:1: myhostname: "));
		conf_fini(&c);
		conf_errors_fini(&errors);
	}
	str_fini(&text);
}

static void test_loops_and_floods(void **state)
{
	struct conf_errors errors = { 0 };
	struct str text = STR_INIT(10000), out = STR_INIT(65536);
	struct conf c;
	struct err err;
	int i;

	str_addz(&text, "a = $b\nb = x $c\nc = ${d?$a}\nd = 1\nx0 = \n");
	for (i = 1; i < 40; i++)
		str_addf(&text, "x%d = $x%d$x%d\n", i, i - 1, i - 1);
	assert_int_equal(conf_parse(&c, "m", str_span(&text), &errors), 0);
	assert_int_equal(conf_expand(&out, &c, "$a", &err), -1);
	assert_string_equal(err.msg, "'$a' refers to itself");
	assert_int_equal(conf_expand(&out, &c, "$x39", &err), -1);
	assert_non_null(strstr(err.msg, "more than"));
	assert_int_equal(conf_expand(&out, &c, "$x5", &err), 0);
	conf_fini(&c);
	conf_errors_fini(&errors);
	str_fini(&text);
	str_fini(&out);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_all_errors_at_once),
	cmocka_unit_test(test_missing_file),
	cmocka_unit_test(test_debian),
	cmocka_unit_test(test_origin_and_snapshot),
	cmocka_unit_test(test_host_in_domain),
	cmocka_unit_test(test_facts),
	cmocka_unit_test(test_overlay),
	cmocka_unit_test(test_host_names),
	cmocka_unit_test(test_loops_and_floods),
};

MAIN(tests)
