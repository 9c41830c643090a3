#include "cm.h"

#include "conf/mastercf.h"
#include "conf/params.h"

static bool has(const struct conf_errors *e, const char *part)
{
	size_t i;

	for (i = 0; i < e->n; i++)
		if (strstr(e->v[i], part))
			return true;
	return false;
}

static const char debian[] =
	"# service type private unpriv chroot wakeup maxproc command\n"
	"smtp      inet  n       -       y       -       -       smtpd\n"
	"#smtp      inet  n       -       y       -       1       postscreen\n"
	"submission inet n       -       y       -       50       smtpd\n"
	"  -o syslog_name=surat/$service_name\n"
	"  -o smtpd_tls_security_level=encrypt\n"
	"#  -o smtpd_sasl_auth_enable=yes\n"
	"  -o { smtpd_recipient_restrictions = permit_sasl_authenticated, reject }\n"
	"  -osmtpd_sasl_auth_enable=yes -v\n"
	"127.0.0.1:10025 inet n - n - 0 smtpd\n"
	"[::1]:25  inet  n       -       y       -       -       smtpd\n"
	"pop3      inet  n       -       y       -       -       login -o login_protocol=pop3\n"
	"pickup    unix  n       -       y       60      1       pickup\n"
	"qmgr      unix  n       -       n       300     1       qmgr\n"
	"tlsmgr    unix  -       -       y       1000?   1       tlsmgr\n"
	"smtp      unix  -       -       y       -       -       smtp\n"
	"relay     unix  -       -       y       -       -       smtp -o syslog_name=postfix/$service_name\n"
	"local     unix  -       n       n       -       -       local\n"
	"maildrop  unix  -       n       n       -       -       pipe\n"
	"  flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}\n";

static void test_debian(void **state)
{
	struct conf_errors errors = { 0 };
	struct arena a = { 0 };
	struct global_conf global;
	struct smtpd_conf smtpd;
	struct mastercf m;
	struct conf base, layer;
	struct err err;

	assert_int_equal(conf_parse(&base, "main.cf", SPAN_LIT("myhostname = mx.example.com\n"), &errors), 0);
	assert_int_equal(mastercf_parse(&m, "master.cf", span_z(debian), &base, &errors), 0);
	assert_int_equal(m.n, 7);
	assert_string_equal(m.v[0].command, "smtpd");
	assert_int_equal(m.v[0].port, 25);
	assert_null(m.v[0].host);
	assert_false(m.v[0].is_private);
	assert_int_equal(m.v[0].max_sessions, 0);
	assert_int_equal(m.v[1].port, 587);
	assert_int_equal(m.v[1].line, 4);
	assert_int_equal(m.v[1].max_sessions, 50);
	assert_int_equal(m.v[1].n_overrides, 4);
	assert_string_equal(m.v[1].overrides[2].value, "permit_sasl_authenticated, reject");
	assert_string_equal(m.v[2].host, "127.0.0.1");
	assert_int_equal(m.v[2].port, 10025);
	assert_true(m.v[2].max_sessions == MASTERCF_UNLIMITED);
	assert_string_equal(m.v[3].host, "::1");
	assert_int_equal(m.v[4].port, 110);
	assert_int_equal(m.v[5].type, MASTERCF_UNIX);
	assert_ptr_equal(mastercf_find(&m, "local"), &m.v[6]);
	assert_null(mastercf_find(&m, "pickup"));
	assert_int_equal(errors.n, errors.n_warnings);
	assert_true(has(&errors, "warning: master.cf:13: service 'pickup' is not needed: sendmail speaks to smtpd"));
	assert_true(has(&errors, "master.cf:19: service 'maildrop' is not started"));
	assert_int_equal(mastercf_overlay(&layer, &base, &m, &m.v[1], &err), 0);
	assert_int_equal(smtpd_conf_read(&smtpd, &layer, &a, &err), 0);
	assert_true(smtpd.smtpd_sasl_auth_enable);
	assert_int_equal(global_conf_read(&global, &layer, &a, &err), 0);
	assert_string_equal(global.syslog_name, "surat/submission");
	assert_int_equal(smtpd.smtpd_tls_security_level, SMTPD_TLS_SECURITY_LEVEL_ENCRYPT);
	conf_fini(&layer);
	mastercf_fini(&m);
	conf_fini(&base);
	conf_errors_fini(&errors);
	arena_fini(&a);
}

static const struct {
	const char *row, *message;
} wrong[] = {
	{ "smtp inet n - y - - smptd", "f:1: unknown command 'smptd'; did you mean 'smtpd'?" },
	{ "smtp inet n - y - -", "has 8 columns" },
	{ "smtp udp n - y - - smtpd", "type 'udp' is none of" },
	{ "smtp inet x - y - - smtpd", "column 'private' is 'x'" },
	{ "smtp inet n - maybe - - smtpd", "column 'chroot' is 'maybe'" },
	{ "smtp inet n - y often - smtpd", "column 'wakeup'" },
	{ "smtp inet n - y - many smtpd", "column 'maxproc'" },
	{ "no-such-port inet n - y - - smtpd", "neither a port nor the name of a service" },
	{ "0 inet n - y - - smtpd", "neither a port" },
	{ "65536 inet n - y - - smtpd", "neither a port" },
	{ "::1:25 inet n - y - - smtpd", "stands in brackets" },
	{ "smtp inet n - y - - postscreen", "'postscreen' is not supported: write smtpd" },
	{ "smtp inet n - y - - smtpd -x", "'-x' is not an option of smtpd" },
	{ "smtp inet n - y - - smtpd -o", "name=value is missing after -o" },
	{ "smtp inet n - y - - smtpd -o foo", "'-o foo' is not of the form" },
	{ "smtp inet n - y - - smtpd -o smtpd_tiemout=3s",
	  "f:1: unknown parameter 'smtpd_tiemout'; did you mean 'smtpd_timeout'?" },
	{ "smtp inet n - y - - smtpd -o smtpd_timeout=never", "f:1: smtpd_timeout: 'never' is not a time" },
	{ "smtp inet n - y - - smtpd -o smtpd_banner=$nope", "f:1: smtpd_banner: '$nope' is not a known name" },
	{ "smtp inet n - y - - smtpd -o smtpd_milters=inet:localhost:8891",
	  "f:1: parameter 'smtpd_milters' is not supported: milters" },
	{ "25 inet n - y - - smtpd\n25 inet n - y - - smtpd", "f:2: service '25' stands in line 1 already" },
};

static void test_wrong(void **state)
{
	struct conf_errors errors = { 0 };
	struct mastercf m;
	struct conf base;
	size_t i;

	assert_int_equal(conf_parse(&base, "main.cf", SPAN_NULL, &errors), 0);
	for (i = 0; i < ARRAY_LEN(wrong); i++) {
		print_message("# %s\n", wrong[i].message);
		assert_int_equal(mastercf_parse(&m, "f", span_z(wrong[i].row), &base, &errors), -1);
		if (!has(&errors, wrong[i].message))
			fail_msg("%s", errors.v[0]);
		mastercf_fini(&m);
		conf_errors_fini(&errors);
	}
	conf_fini(&base);
}

/* The rows that Debian's master.cf has in comments. */
static void test_foreign(void **state)
{
	static const char text[] = "submission inet n - n - - smtpd -o milter_macro_daemon_name=ORIGINATING -o smtpd_milters=\n"
	                           "  -o smtpd_sasl_type=dovecot -o smtpd_timeout=10s -o content_filter= -o mine=1\n";
	struct conf_errors errors = { 0 };
	struct mastercf m;
	struct conf base;

	assert_int_equal(conf_parse(&base, "main.cf", SPAN_LIT("mine = 2\nsmtpd_banner = $mine\n"), &errors), 0);
	assert_int_equal(mastercf_parse(&m, "f", span_z(text), &base, &errors), 0);
	assert_int_equal(errors.n, 4);
	assert_true(has(&errors, "warning: f:1: parameter 'milter_macro_daemon_name' has no effect: milters"));
	assert_true(has(&errors, "warning: f:1: parameter 'content_filter' has no effect"));
	assert_int_equal(m.v[0].n_overrides, 2);
	assert_string_equal(m.v[0].overrides[0].name, "smtpd_timeout");
	assert_string_equal(m.v[0].overrides[1].name, "mine");
	mastercf_fini(&m);
	conf_errors_fini(&errors);
	conf_fini(&base);
}

static const struct {
	const char *protocols;
	size_t n;
} served[] = { { "imap pop3", 2 }, { "pop3", 1 }, { "POP3S imaps", 2 }, { "imap pop3x lmtp", 1 }, { "", 0 } };

static void test_protocols(void **state)
{
	static const char text[] = "143 inet n - n - - login -o login_protocol=imap\n"
	                           "pop3s inet n - n - - login\n";
	struct str main_cf = STR_INIT(200);
	struct conf_errors errors = { 0 };
	struct mastercf m;
	struct conf base;
	size_t i;

	for (i = 0; i < ARRAY_LEN(served); i++) {
		print_message("# '%s'\n", served[i].protocols);
		str_reset(&main_cf);
		str_addf(&main_cf, "protocols = %s\n", served[i].protocols);
		assert_int_equal(conf_parse(&base, "main.cf", str_span(&main_cf), &errors), 0);
		assert_int_equal(mastercf_parse(&m, "f", span_z(text), &base, &errors), 0);
		assert_int_equal(m.n, served[i].n);
		assert_int_equal(errors.n_warnings, 2 - served[i].n);
		mastercf_fini(&m);
		conf_fini(&base);
		conf_errors_fini(&errors);
	}
	str_fini(&main_cf);
}

static void test_all_at_once(void **state)
{
	struct conf_errors errors = { 0 };
	struct mastercf m;

	assert_int_equal(mastercf_parse(&m, "f", SPAN_LIT("a\nb inet q q q q q smtpd\n"), NULL, &errors), -1);
	assert_int_equal(errors.n, 7);
	mastercf_fini(&m);
	conf_errors_fini(&errors);
	assert_int_equal(mastercf_load(&m, "/nowhere", NULL, &errors), -1);
	assert_true(has(&errors, "/nowhere/master.cf"));
	mastercf_fini(&m);
	conf_errors_fini(&errors);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_debian),
	cmocka_unit_test(test_wrong),
	cmocka_unit_test(test_foreign),
	cmocka_unit_test(test_protocols),
	cmocka_unit_test(test_all_at_once),
};

MAIN(tests)
