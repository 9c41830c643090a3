#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "certs.h"
#include "world.h"

static void expect_bytes(const struct cert *c, const char *want)
{
	char got[256] = "";

	assert_int_equal(c->size, strlen(want));
	assert_int_equal(pread(c->fd, got, sizeof(got) - 1, 0), (ssize_t)strlen(want));
	assert_string_equal(got, want);
	/* nobody can change them any more */
	assert_int_equal(pwrite(c->fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(c->fd, 0), -1);
}

static const struct cert *find(const struct certs *cs, const char *program, const char *service)
{
	size_t i;

	for (i = 0; i < cs->n; i++) {
		if (strcmp(cs->v[i].program, program) == 0 && strcmp(cs->v[i].service, service) == 0)
			return &cs->v[i];
	}
	fail_msg("no certificate for %s %s", program, service);
	return NULL;
}

static void load(struct world *w, struct certs *cs, const char *fmt, const char *master)
{
	char main[1024];

	if (!*w->dir) {
		snprintf(w->dir, sizeof(w->dir), "/tmp/surat-unit-XXXXXX");
		assert_non_null(mkdtemp(w->dir));
	}
	snprintf(main, sizeof(main), fmt, w->dir, w->dir, w->dir);
	world_put(w, "cert", "CERT");
	world_put(w, "key", "KEY");
	world_put(w, "both", "BOTH");
	world_make(w, main, master);
	if (!w->config || certs_load(cs, w->config, &w->errors) < 0)
		fail_msg("%s", w->errors.n ? w->errors.v[0] : "?");
}

static void test_pairs(void **state)
{
	struct world w = { 0 };
	struct certs cs = { 0 };

	load(&w, &cs, "smtpd_tls_cert_file = %s/cert\nsmtpd_tls_key_file = %s/key\nssl_cert = <%s/both\n", "");
	assert_int_equal(cs.n, 2);
	expect_bytes(find(&cs, "smtpd", ""), "CERT\nKEY\n");
	expect_bytes(find(&cs, "login", ""), "BOTH\n");
	certs_fini(&cs);
	world_end(&w);
}

/* One pair in Dovecot's names serves both. */
static void test_one_pair_for_all(void **state)
{
	struct world w = { 0 };
	struct certs cs = { 0 };

	load(&w, &cs, "ssl_cert = <%s/cert\nssl_key = <%s/key\n", "31926 inet n - n - - smtpd -o smtpd_timeout=3s\n");
	assert_int_equal(cs.n, 2);
	expect_bytes(find(&cs, "smtpd", ""), "CERT\nKEY\n");
	expect_bytes(find(&cs, "login", ""), "CERT\nKEY\n");
	certs_fini(&cs);
	world_end(&w);
}

static void test_of_one_service(void **state)
{
	struct world w = { 0 };
	struct certs cs = { 0 };
	char row[256];

	snprintf(w.dir, sizeof(w.dir), "/tmp/surat-unit-XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	snprintf(row, sizeof(row),
		 "31926 inet n - n - - smtpd -o smtpd_tls_chain_files=%s/both\n31927 inet n - n - - smtpd\n", w.dir);
	load(&w, &cs, "ssl_cert = %s/cert\nssl_key = %s/key\n", row);
	assert_int_equal(cs.n, 3);
	expect_bytes(find(&cs, "smtpd", "31926"), "BOTH\n");
	certs_fini(&cs);
	world_end(&w);
}

/* What a row says of TLS reaches login with the row's bytes, and authorities are files too. */
static void test_row_of_login(void **state)
{
	struct world w = { 0 };
	struct certs cs = { 0 };
	const struct cert *c;

	load(&w, &cs, "ssl_cert = %s/cert\nssl_key = %s/key\nsmtpd_tls_CAfile = %s/both\n",
	     "31926 inet n - n - - login -o login_protocol=imap -o ssl_min_protocol=TLSv1.3\n");
	assert_int_equal(cs.n, 4);
	c = find(&cs, "login", "31926");
	expect_bytes(c, "CERT\nKEY\n");
	assert_non_null(strstr(c->overrides, "ssl_min_protocol = TLSv1.3\n"));
	assert_string_equal(cs.v[1].name, "smtpd_tls_CAfile");
	expect_bytes(&cs.v[1], "BOTH\n");
	certs_fini(&cs);
	world_end(&w);
}

static void test_missing_file(void **state)
{
	struct world w = { 0 };
	struct certs cs = { 0 };

	world_make(&w, "ssl_cert = /nowhere/cert\nsmtpd_tls_cert_file = /nowhere/else\n", "");
	assert_non_null(w.config);
	assert_int_equal(certs_load(&cs, w.config, &w.errors), -1);
	assert_in_range(w.errors.n, 2, 4);
	certs_fini(&cs);
	world_end(&w);
}

static void count(void *arg, const struct cert *c)
{
	*(int *)arg += strcmp(c->program, "login") == 0;
}

static void test_poll(void **state)
{
	struct world w = { 0 };
	struct certs cs = { 0 };
	char path[128];
	int changed = 0;

	load(&w, &cs, "ssl_cert = %s/cert\nssl_key = %s/key\n", "");
	certs_poll(&cs, count, &changed);
	assert_int_equal(changed, 0);
	world_put(&w, "cert", "NEWCERT");
	certs_poll(&cs, count, &changed);
	world_put(&w, "key", "NEWKEY");                 /* the second half comes later */
	certs_poll(&cs, count, &changed);
	assert_int_equal(changed, 0);
	certs_poll(&cs, count, &changed);
	assert_int_equal(changed, 1);
	expect_bytes(find(&cs, "login", ""), "NEWCERT\nNEWKEY\n");
	snprintf(path, sizeof(path), "%s/cert", w.dir);
	unlink(path);
	certs_poll(&cs, count, &changed);
	certs_poll(&cs, count, &changed);
	assert_int_equal(changed, 1);                   /* gone for now: the old bytes serve */
	expect_bytes(find(&cs, "login", ""), "NEWCERT\nNEWKEY\n");
	certs_fini(&cs);
	world_end(&w);
}

/* What its daemon cannot use makes way for what was there, once, until the files change again. */
static void test_take_back(void **state)
{
	struct world w = { 0 };
	struct certs cs = { 0 };
	int changed = 0;

	load(&w, &cs, "ssl_cert = %s/cert\nssl_key = %s/key\n", "");
	assert_null(certs_take_back(&cs, "login", SPAN_LIT("ssl_cert"), SPAN_NULL));
	world_put(&w, "cert", "BROKEN");
	certs_poll(&cs, count, &changed);
	certs_poll(&cs, count, &changed);
	assert_int_equal(changed, 1);
	assert_null(certs_take_back(&cs, "login", SPAN_LIT("ssl_key"), SPAN_NULL));
	assert_null(certs_take_back(&cs, "login", SPAN_LIT("ssl_cert"), SPAN_LIT("pop3s")));
	assert_ptr_equal(certs_take_back(&cs, "login", SPAN_LIT("ssl_cert"), SPAN_NULL), find(&cs, "login", ""));
	expect_bytes(find(&cs, "login", ""), "CERT\nKEY\n");
	expect_bytes(find(&cs, "smtpd", ""), "BROKEN\nKEY\n");
	assert_null(certs_take_back(&cs, "login", SPAN_LIT("ssl_cert"), SPAN_NULL));
	certs_poll(&cs, count, &changed);
	certs_poll(&cs, count, &changed);
	assert_int_equal(changed, 1);
	world_put(&w, "cert", "MENDED");
	certs_poll(&cs, count, &changed);
	certs_poll(&cs, count, &changed);
	assert_int_equal(changed, 2);
	expect_bytes(find(&cs, "login", ""), "MENDED\nKEY\n");
	certs_fini(&cs);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),        cmocka_unit_test(test_one_pair_for_all),
		cmocka_unit_test(test_of_one_service), cmocka_unit_test(test_row_of_login), cmocka_unit_test(test_missing_file), cmocka_unit_test(test_poll),
		cmocka_unit_test(test_take_back),
	};

	return cmocka_run_group_tests_name("certs", tests, NULL, NULL);
}
