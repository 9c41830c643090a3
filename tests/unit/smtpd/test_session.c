#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "smtpd/session.h"
#include "smtpd/txn.h"
#include "tests/session/smtpd/fixture.h"

static struct fixture *fixture(void)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err = ERR_INIT;

	fixture_init(f);
	assert_int_equal(fixture_configure(f, &err), 0);
	return f;
}

static void finish(struct fixture *f)
{
	fixture_fini(f);
	free(f);
}

static void test_size(void **state)
{
	assert_true(sizeof(struct session) <= 1024);
}

static size_t heap_in_use(void)
{
	return mallinfo2().uordblks;
}

/* An idle session in clear costs at most 8 KB of heap, after work as well as before it. */
static void test_idle_memory(void **state)
{
	enum { N = 200 };
	static const char work[] = "EHLO c.example\r\n",
		mail[] = "MAIL FROM:<a@b>\r\nRCPT TO:<tito@example.com>\r\nRSET\r\n";
	struct fixture *f = fixture();
	size_t before, after;
	char buf[4096];
	int fds[N], i;

	before = heap_in_use();
	for (i = 0; i < N; i++) {
		fds[i] = fixture_connect(f, "192.0.2.1", NULL);
		fixture_settle(f);
		assert_true(send(fds[i], work, sizeof(work) - 1, 0) > 0);
		fixture_settle(f);
		assert_true(send(fds[i], mail, sizeof(mail) - 1, 0) > 0);
		fixture_settle(f);
		assert_true(recv(fds[i], buf, sizeof(buf), 0) > 0);
	}
	assert_int_equal(f->server.n_sessions, N);
	after = heap_in_use();
	str_fini(&f->log);
	if (after > before && (after - before) / N > 8192)
		fail_msg("%zu bytes per idle session", (after - before) / N);
	for (i = 0; i < N; i++)
		close(fds[i]);
	fixture_settle(f);
	assert_int_equal(f->server.n_sessions, 0);
	finish(f);
}

/* Descriptors and sessions return to the start value whatever the client did. */
static void test_no_leaks(void **state)
{
	static const char *const tails[] = { "", "EHLO x\r\nAUTH LOGIN\r\n", "HELO x\r\n", "STARTTLS\r\n",
					     "MAIL FROM:<a@b>\r\n", "\xff\xff\xff",
		"HELO x\r\nMAIL FROM:<a@b>\r\nVRFY tito@example.com\r\n" };
	struct fixture *f = fixture();
	int lowest = dup(0), again, i;

	close(lowest);
	for (i = 0; i < 60; i++) {
		int fd = fixture_connect(f, "192.0.2.1", NULL);

		assert_true(send(fd, tails[i % 7], strlen(tails[i % 7]), 0) >= 0);
		if (i % 2)
			fixture_settle(f);
		close(fd);
		fixture_settle(f);
	}
	assert_int_equal(f->server.n_sessions, 0);
	again = dup(0);
	assert_int_equal(again, lowest);
	close(again);
	finish(f);
}

/* A certificate is exchanged, a configuration replaced: what the last session has used goes with it. */
static void test_owned_configuration(void **state)
{
	struct fixture *f = fixture();
	struct conf *base = calloc(1, sizeof(*base)), *layer = calloc(1, sizeof(*layer));
	struct conf_errors errors = { 0 };
	struct err err = ERR_INIT;
	struct service *svc, *of_session;

	assert_int_equal(conf_parse(base, "main.cf", SPAN_LIT("myhostname = mx.example.com\nfast = reject\n"), &errors),
			 0);
	conf_overlay(layer, base);
	base->refs = layer->refs = 1;
	svc = service_new("smtp", layer, &(struct service_keys){ .pem = f->pem }, &err);
	assert_non_null(svc);
	service_own(svc, &layer, base);
	assert_null(layer);
	assert_int_equal(base->refs, 2);
	of_session = service_ref(svc);
	service_unref(&svc);
	assert_int_equal(base->refs, 2);
	assert_string_equal(conf_raw(of_session->layer, "fast"), "reject");
	service_unref(&of_session);
	assert_int_equal(base->refs, 1);
	conf_unref(&base);
	assert_null(base);
	finish(f);
}

static void on_empty(void *arg)
{
	*(bool *)arg = true;
}

/* A draining worker lets sessions go on; when the suite stops it lets a transaction end, then asks to come again. */
static void test_drain(void **state)
{
	struct fixture *f = fixture();
	int fd = fixture_connect(f, "192.0.2.1", NULL);
	bool empty = false;
	char buf[4096];
	ssize_t n;

	f->server.on_empty = on_empty;
	f->server.on_empty_arg = &empty;
	assert_true(send(fd, "HELO x\r\n", 8, 0) == 8);
	fixture_settle(f);
	assert_true(send(fd, "MAIL FROM:<a@b>\r\n", 17, 0) == 17);
	fixture_settle(f);
	server_drain(&f->server);
	assert_false(empty);
	assert_true(send(fd, "RCPT TO:<tito@example.com>\r\n", 28, 0) == 28);
	fixture_settle(f);
	assert_true(send(fd, "DATA\r\n", 6, 0) == 6);
	fixture_settle(f);
	assert_true(send(fd, ".\r\n", 3, 0) == 3);
	fixture_settle(f);
	assert_int_equal(f->n_mails, 1);
	assert_true(send(fd, "NOOP\r\n", 6, 0) == 6);
	fixture_settle(f);
	assert_false(empty);
	f->server.is_stopping = true;
	assert_true(send(fd, "NOOP\r\n", 6, 0) == 6);
	fixture_settle(f);
	n = recv(fd, buf, sizeof(buf) - 1, 0);
	buf[n] = '\0';
	assert_non_null(strstr(buf, "\r\n421 4.3.2 mx.example.com Service restarts"));
	assert_true(empty);
	close(fd);
	finish(f);
}

/* Ten thousand exchanges that are given up leave nothing behind. */
static void test_aborted_auth(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err = ERR_INIT;
	size_t before = 0;
	char buf[4096];
	int fd, i;

	fixture_init(f);
	assert_int_equal(str_addz(&f->settings, "smtpd_sasl_auth_enable = yes\ndisable_plaintext_auth = no\n"
						"smtpd_hard_error_limit = 100000\nsmtpd_error_sleep_time = 0\n"), 0);
	assert_int_equal(fixture_configure(f, &err), 0);
	fd = fixture_connect(f, "192.0.2.1", NULL);
	fixture_settle(f);
	assert_true(send(fd, "EHLO x\r\n", 8, 0) == 8);
	fixture_settle(f);
	for (i = 0; i < 10000; i++) {
		assert_true(send(fd, "AUTH LOGIN\r\n", 12, 0) == 12);
		loop_turn(&f->loop, false);
		loop_turn(&f->loop, false);
		loop_turn(&f->loop, false);
		assert_true(send(fd, "*\r\n", 3, 0) == 3);
		loop_turn(&f->loop, false);
		while (recv(fd, buf, sizeof(buf), 0) > 0)
			;
		if (i == 100)
			before = heap_in_use();
	}
	assert_true(heap_in_use() <= before + 4096);
	close(fd);
	fixture_settle(f);
	finish(f);
}

static void named_sink(void *arg, enum log_level level, const char *line)
{
	assert_int_equal(str_addf(arg, "%s %s\n", log_name(), line), 0);
}

/* Every line about a client carries the syslog_name of its listener, and others do not. */
static void test_log_name(void **state)
{
	static const char work[] = "HELO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<nobody@example.com>\r\nRCPT TO:<a@b.example>\r\nQUIT\r\n";
	struct fixture *f = calloc(1, sizeof(*f));
	struct str log = STR_INIT(100000);
	struct span rest, line;
	struct err err = ERR_INIT;
	size_t n = 0;
	int fd;

	fixture_init(f);
	assert_int_equal(str_addz(&f->settings, "syslog_name = surat/submission\n"), 0);
	assert_int_equal(fixture_configure(f, &err), 0);
	log_set_tag("smtpd");
	log_set_sink(named_sink, &log);
	fd = fixture_connect(f, "192.0.2.1", NULL);
	fixture_settle(f);
	assert_true(send(fd, work, sizeof(work) - 1, 0) > 0);
	fixture_settle(f);
	log_info("of the worker");
	for (rest = str_span(&log); rest.n; n++) {
		bool is_own;

		span_cut(rest, '\n', &line, &rest);
		is_own = !span_starts(line, "smtpd of the worker");
		if (is_own != span_starts(line, "surat/submission/smtpd: "))
			fail_msg("%.*s", SPAN_ARG(line));
	}
	assert_true(n >= 4);
	close(fd);
	fixture_settle(f);
	str_fini(&log);
	finish(f);
}

/* A TLS client of the session; the handshake runs over BIOs in memory. True when both sides agree. */
static bool shake(struct fixture *f, SSL *c)
{
	int fd = fixture_connect(f, "192.0.2.1", NULL), i, rc = 0;
	char buf[1000];
	bool ok = false;

	fixture_settle(f);
	assert_true(send(fd, "EHLO x\r\n", 8, 0) == 8);
	fixture_settle(f);
	assert_true(send(fd, "STARTTLS\r\n", 10, 0) == 10);
	fixture_settle(f);
	assert_true(recv(fd, buf, sizeof(buf), 0) > 0);
	SSL_set_fd(c, fd);
	for (i = 0; i < 10 && rc != 1; i++) {
		rc = SSL_connect(c);
		fixture_settle(f);
	}
	if (rc == 1 && SSL_write(c, "NOOP\r\n", 6) == 6) {
		fixture_settle(f);
		ok = SSL_read(c, buf, sizeof(buf)) > 0;
	}
	SSL_shutdown(c);
	close(fd);
	fixture_settle(f);
	return ok;
}

static void test_tls_settings(void **state)
{
	static const char aes[] = "ECDHE-ECDSA-AES128-GCM-SHA256", chacha[] = "ECDHE-ECDSA-CHACHA20-POLY1305";
	static const struct {
		const char *label, *conf;
		int version;            /* the only one of the client, 0 for any */
		const char *ciphers;    /* of the client in TLS 1.2 */
		bool want;
		const char *cipher, *error;
	} rows[] = {
		{ "defaults, 1.2", "", TLS1_2_VERSION, NULL, true },
		{ "defaults, 1.3", "", TLS1_3_VERSION, NULL, true },
		{ "no 1.2", "smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1, !TLSv1.2\n", TLS1_2_VERSION, NULL,
		  false },
		{ "no 1.3", "smtpd_tls_protocols = !TLSv1.3\n", TLS1_3_VERSION, NULL, false },
		{ "from 1.3", "smtpd_tls_protocols = >=TLSv1.3\n", TLS1_2_VERSION, NULL, false },
		{ "from 1", "smtpd_tls_protocols = >=TLSv1\n", TLS1_2_VERSION, NULL, true },
		{ "up to 1.2", "smtpd_tls_protocols = <=TLSv1.2\n", TLS1_3_VERSION, NULL, false },
		{ "only 1.2", "smtpd_tls_protocols = TLSv1.1:TLSv1.2\n", TLS1_3_VERSION, NULL, false },
		{ "of the other level", "smtpd_tls_mandatory_protocols = >=TLSv1.3\n", TLS1_2_VERSION, NULL, true },
		{ "mandatory", "smtpd_tls_security_level = encrypt\nsmtpd_tls_mandatory_protocols = >=TLSv1.3\n",
		  TLS1_2_VERSION, NULL, false },
		{ "nothing left", "smtpd_tls_protocols = <=TLSv1.1\n", 0, NULL, false, NULL, "leaves neither" },
		{ "no version", "smtpd_tls_protocols = TLSv2\n", 0, NULL, false, NULL, "unknown version 'TLSv2'" },
		{ "client's order", "", TLS1_2_VERSION, chacha, true, chacha },
		{ "excluded", "smtpd_tls_exclude_ciphers = aNULL, CHACHA20\n", TLS1_2_VERSION, chacha, false },
		{ "excluded elsewhere", "smtpd_tls_mandatory_exclude_ciphers = CHACHA20\n", TLS1_2_VERSION, chacha,
		  true },
		{ "excluded and mandatory",
		  "smtpd_tls_security_level = encrypt\nsmtpd_tls_mandatory_exclude_ciphers = CHACHA20\n",
		  TLS1_2_VERSION, chacha, false },
		{ "a list", "tls_medium_cipherlist = ECDHE-ECDSA-AES128-GCM-SHA256\n", TLS1_2_VERSION, chacha, false },
		{ "list of the other grade", "tls_high_cipherlist = ECDHE-ECDSA-AES128-GCM-SHA256\n", TLS1_2_VERSION,
		  chacha, true },
		{ "grade", "smtpd_tls_ciphers = high\ntls_high_cipherlist = ECDHE-ECDSA-AES128-GCM-SHA256\n",
		  TLS1_2_VERSION, chacha, false },
		{ "mandatory grade", "smtpd_tls_security_level = encrypt\nsmtpd_tls_mandatory_ciphers = high\n"
		  "tls_high_cipherlist = ECDHE-ECDSA-AES128-GCM-SHA256\n", TLS1_2_VERSION, chacha, false },
		{ "client prefers",
		  "tls_medium_cipherlist = ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384\n",
		  TLS1_2_VERSION,
		  "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256", true,
		  "ECDHE-ECDSA-AES256-GCM-SHA384" },
		{ "we prefer", "tls_medium_cipherlist = ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384\n"
		  "tls_preempt_cipherlist = yes\n", TLS1_2_VERSION,
		  "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256", true, aes },
	};
	char *pem = fixture_make_pem();
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture *f = calloc(1, sizeof(*f));
		struct err err = ERR_INIT;
		SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
		SSL *c;
		int rc;

		fixture_init(f);
		f->pem = span_z(pem);
		assert_int_equal(str_addf(&f->settings, "smtpd_tls_security_level = may\n%s", rows[i].conf), 0);
		rc = fixture_configure(f, &err);
		if (rows[i].error && (rc == 0 || !strstr(err.msg, rows[i].error)))
			fail_msg("%s: %s", rows[i].label, err.msg);
		else if (!rows[i].error && rc < 0)
			fail_msg("%s: %s", rows[i].label, err.msg);
		if (rows[i].version) {
			SSL_CTX_set_min_proto_version(ctx, rows[i].version);
			SSL_CTX_set_max_proto_version(ctx, rows[i].version);
		}
		if (rows[i].ciphers)
			SSL_CTX_set_cipher_list(ctx, rows[i].ciphers);
		c = SSL_new(ctx);
		if (rc == 0 && shake(f, c) != rows[i].want)
			fail_msg("%s: %s\n%s", rows[i].label, rows[i].want ? "no handshake" : "a handshake", f->log.p);
		if (rows[i].cipher)
			assert_string_equal(SSL_get_cipher_name(c), rows[i].cipher);
		SSL_free(c);
		SSL_CTX_free(ctx);
		finish(f);
	}
	free(pem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size), cmocka_unit_test(test_idle_memory), cmocka_unit_test(test_no_leaks),
		cmocka_unit_test(test_owned_configuration), cmocka_unit_test(test_drain),
		cmocka_unit_test(test_aborted_auth), cmocka_unit_test(test_log_name),
		cmocka_unit_test(test_tls_settings),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
