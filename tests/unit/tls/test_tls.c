#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "tls/tls.h"

/* ---- keys and certificates ---- */

struct pem {
	char *p;
	size_t n;
};

static void bio_to_pem(BIO *b, struct pem *out)
{
	char *p;
	long n = BIO_get_mem_data(b, &p);

	out->p = xstrndup(p, (size_t)n);
	out->n = (size_t)n;
	BIO_free(b);
}

static X509 *make_cert(EVP_PKEY *key, const char *cn, EVP_PKEY *issuer_key, const char *issuer_cn)
{
	X509 *x = X509_new();

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_NAME *issuer = X509_NAME_new();
	X509_NAME_add_entry_by_txt(issuer, "CN", MBSTRING_ASC, (const unsigned char *)issuer_cn, -1, -1, 0);
	X509_set_issuer_name(x, issuer);
	X509_NAME_free(issuer);
	X509_sign(x, issuer_key, EVP_sha256());
	return x;
}

static EVP_PKEY *make_key(bool is_rsa)
{
	return is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
}

static void make_pem(EVP_PKEY *cert_key, EVP_PKEY *key, struct pem *out)
{
	X509 *x = make_cert(cert_key, "mail.example.com", cert_key, "mail.example.com");
	BIO *b = BIO_new(BIO_s_mem());

	PEM_write_bio_X509(b, x);
	if (key)
		PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
	X509_free(x);
	bio_to_pem(b, out);
}

static struct pem ec_pem, rsa_pem;
static EVP_PKEY *ec_key, *rsa_key;

static int setup(void **state)
{
	ec_key = make_key(false);
	rsa_key = make_key(true);
	make_pem(ec_key, ec_key, &ec_pem);
	make_pem(rsa_key, rsa_key, &rsa_pem);
	return 0;
}

static int teardown(void **state)
{
	EVP_PKEY_free(ec_key);
	EVP_PKEY_free(rsa_key);
	free(ec_pem.p);
	free(rsa_pem.p);
	return 0;
}

/* ---- a server stream and an OpenSSL client over a socketpair ---- */

struct pair {
	struct stream s;
	SSL_CTX *cctx;
	SSL *c;
	int cfd;
	enum io_rc server;      /* of the handshake */
	int client_error;       /* SSL_ERROR_* of the client's handshake, NONE when done */
	struct err err;
};

static struct span span_of(const struct pem *p)
{
	return (struct span){ p->p, p->n };
}

static struct tls_ctx *make_ctx(struct tls_params *p)
{
	struct err err = ERR_INIT;
	struct tls_ctx *ctx;

	if (!p->pem.n)
		p->pem = span_of(&ec_pem);
	ctx = tls_ctx_new(p, &err);
	if (!ctx)
		fail_msg("tls_ctx_new: %s", err.msg);
	return ctx;
}

static void pair_open(struct pair *t, struct tls_ctx *ctx)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	*t = (struct pair){ .cfd = fds[1], .client_error = SSL_ERROR_WANT_READ };
	stream_init(&t->s, fds[0], 65536, 1 << 20);
	t->cctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_options(t->cctx, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
	t->c = SSL_new(t->cctx);
	SSL_set_fd(t->c, t->cfd);
	SSL_set_connect_state(t->c);
	assert_int_equal(tls_accept(&t->s, ctx, &t->err), 0);
}

static void pair_shake(struct pair *t)
{
	int i;

	for (i = 0; i < 50; i++) {
		if (t->client_error == SSL_ERROR_WANT_READ) {
			int n = SSL_do_handshake(t->c);

			t->client_error = n == 1 ? SSL_ERROR_NONE : SSL_get_error(t->c, n);
		}
		if (t->server == IO_AGAIN)
			t->server = tls_handshake(&t->s, &t->err);
	}
	ERR_clear_error();
}

static void pair_close(struct pair *t)
{
	stream_fini(&t->s);
	SSL_free(t->c);
	SSL_CTX_free(t->cctx);
	close(t->cfd);
	ERR_clear_error();
}

static void say(struct pair *t, const char *z)
{
	assert_int_equal(stream_putz(&t->s, z), 0);
	assert_int_equal(stream_flush(&t->s, &t->err), IO_OK);
}

static void assert_client_reads(struct pair *t, const char *z)
{
	char buf[256];
	int n = SSL_read(t->c, buf, sizeof(buf) - 1);

	assert_true(n > 0);
	buf[n] = '\0';
	assert_string_equal(buf, z);
}

/* ---- tests ---- */

static void test_talk(void **state)
{
	static const struct {
		const char *label;
		const struct pem *pem;
		int version;
		const char *protocol;
	} rows[] = {
		{ "ECDSA, 1.3", &ec_pem, TLS1_3_VERSION, "TLSv1.3" },
		{ "ECDSA, 1.2", &ec_pem, TLS1_2_VERSION, "TLSv1.2" },
		{ "RSA, 1.3", &rsa_pem, TLS1_3_VERSION, "TLSv1.3" },
		{ "RSA, 1.2", &rsa_pem, TLS1_2_VERSION, "TLSv1.2" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_params p = { .pem = span_of(rows[i].pem), .alpn = "pop3" };
		struct tls_ctx *ctx = make_ctx(&p);
		struct tls_info info;
		struct span line;
		struct pair t;

		pair_open(&t, ctx);
		SSL_set_max_proto_version(t.c, rows[i].version);
		pair_shake(&t);
		assert_int_equal(t.server, IO_OK);
		assert_int_equal(t.client_error, SSL_ERROR_NONE);
		tls_info(&t.s, &info);
		assert_string_equal(info.protocol, rows[i].protocol);
		assert_true(info.bits >= 128 && info.alg_bits >= 128);
		assert_false(info.has_client_cert);
		say(&t, "+OK ready\r\n");
		assert_client_reads(&t, "+OK ready\r\n");
		assert_int_equal(SSL_write(t.c, "QUIT\r\nrest", 10), 10);
		assert_int_equal(stream_fill(&t.s, &t.err), IO_OK);
		assert_int_equal(stream_getline(&t.s, 100, &line, NULL), IO_OK);
		assert_true(span_eqz(line, "QUIT"));
		assert_true(span_eqz(stream_peek(&t.s), "rest"));
		assert_int_equal(stream_fill(&t.s, &t.err), IO_AGAIN);
		SSL_shutdown(t.c);
		assert_int_equal(stream_fill(&t.s, &t.err), IO_EOF);
		pair_close(&t);
		tls_ctx_unref(&ctx);
	}
}

/* A file with an ECDSA and an RSA pair serves clients of both kinds. */
static void test_two_pairs(void **state)
{
	static const char *const rows[] = { "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256" };
	struct str both = STR_INIT(65536);
	size_t i;

	assert_int_equal(str_add(&both, ec_pem.p, ec_pem.n) | str_add(&both, rsa_pem.p, rsa_pem.n), 0);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_params p = { .pem = str_span(&both) };
		struct tls_ctx *ctx = make_ctx(&p);
		struct tls_info info;
		struct pair t;

		pair_open(&t, ctx);
		SSL_set_max_proto_version(t.c, TLS1_2_VERSION);
		SSL_set_cipher_list(t.c, rows[i]);
		pair_shake(&t);
		if (t.server != IO_OK)
			fail_msg("%s: %s", rows[i], t.err.msg);
		tls_info(&t.s, &info);
		assert_string_equal(info.cipher, rows[i]);
		pair_close(&t);
		tls_ctx_unref(&ctx);
	}
	str_fini(&both);
}

/* make_cert: from an hour ago until tomorrow. */
static void test_dates(void **state)
{
	const struct { const char *label; struct span pem; int64_t in_s; const char *want; } rows[] = {
		{ "now", { ec_pem.p, ec_pem.n }, 0, NULL },
		{ "last hour", { ec_pem.p, ec_pem.n }, 82800, NULL },
		{ "expired", { ec_pem.p, ec_pem.n }, 90000, "the certificate of 'mail.example.com' has expired on 2" },
		{ "to come", { ec_pem.p, ec_pem.n }, -7200, "the certificate of 'mail.example.com' is not valid before 2" },
		{ "no certificate", { "x", 1 }, 90000, NULL },
		{ "nothing", SPAN_NULL, 90000, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		int rc = tls_check_dates(rows[i].pem, (int64_t)time(NULL) + rows[i].in_s, &err);

		if (rc != (rows[i].want ? -1 : 0) || (rc < 0 && strncmp(err.msg, rows[i].want, strlen(rows[i].want)) != 0))
			fail_msg("%s: %d %s", rows[i].label, rc, rc < 0 ? err.msg : "");
	}
	assert_int_equal(ERR_peek_error(), 0);
}

static void test_wrong_pem(void **state)
{
	struct pem mismatch, only_cert, only_key;
	BIO *b = BIO_new(BIO_s_mem());
	size_t i;

	make_pem(ec_key, rsa_key, &mismatch);
	make_pem(ec_key, NULL, &only_cert);
	PEM_write_bio_PrivateKey(b, ec_key, NULL, NULL, 0, NULL, NULL);
	bio_to_pem(b, &only_key);
	struct {
		const char *label;
		struct span pem;
		const char *min, *ciphers;
		size_t ticket_n;
		const char *want;
	} rows[] = {
		{ "mismatch", span_of(&mismatch), NULL, NULL, 0, "do not match" },
		{ "no key", span_of(&only_cert), NULL, NULL, 0, "no private key" },
		{ "no certificate", span_of(&only_key), NULL, NULL, 0, "no certificate" },
		{ "empty", SPAN_LIT(""), NULL, NULL, 0, "no certificate" },
		{ "cut", { ec_pem.p, 100 }, NULL, NULL, 0, "certificate file" },
		{ "old protocol", span_of(&ec_pem), "TLSv1", NULL, 0, "TLSv1.2 or TLSv1.3" },
		{ "ciphers", span_of(&ec_pem), NULL, "NONSENSE", 0, "ciphers" },
		{ "ticket key", span_of(&ec_pem), NULL, NULL, 48, "ticket key" },
	};
	char key[80] = { 1 };

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_params p = { .pem = rows[i].pem, .min_protocol = rows[i].min, .ciphers = rows[i].ciphers,
					.ticket_key = { key, rows[i].ticket_n } };
		struct err err = ERR_INIT;

		assert_null(tls_ctx_new(&p, &err));
		assert_int_equal(err.kind, ERR_CONF);
		if (!strstr(err.msg, rows[i].want))
			fail_msg("%s: \"%s\"", rows[i].label, err.msg);
		assert_int_equal(ERR_peek_error(), 0);
	}
	free(mismatch.p);
	free(only_cert.p);
	free(only_key.p);
}

static void test_refuses(void **state)
{
	static const struct {
		const char *label;
		int max;
		const char *alpn;
		const char *min;
		bool ok;
	} rows[] = {
		{ "TLS 1.1", TLS1_1_VERSION, NULL, NULL, false },
		{ "TLS 1.0", TLS1_VERSION, NULL, NULL, false },
		{ "1.2 where 1.3 is demanded", TLS1_2_VERSION, NULL, "TLSv1.3", false },
		{ "right ALPN", 0, "\4pop3", NULL, true },
		{ "right ALPN among others", 0, "\2h2\4pop3", NULL, true },
		{ "ALPN of the web", 0, "\2h2\10http/1.1", NULL, false },
		{ "ALPN of another mail protocol", 0, "\4imap", NULL, false },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_params p = { .alpn = "pop3", .min_protocol = rows[i].min };
		struct tls_ctx *ctx = make_ctx(&p);
		struct pair t;

		pair_open(&t, ctx);
		if (rows[i].max) {
			SSL_set_security_level(t.c, 0);
			SSL_set_min_proto_version(t.c, TLS1_VERSION);
			SSL_set_max_proto_version(t.c, rows[i].max);
		}
		if (rows[i].alpn)
			SSL_set_alpn_protos(t.c, (const unsigned char *)rows[i].alpn, (unsigned)strlen(rows[i].alpn));
		pair_shake(&t);
		if ((t.server == IO_OK) != rows[i].ok || (t.client_error == SSL_ERROR_NONE) != rows[i].ok)
			fail_msg("%s: server %d client %d %s", rows[i].label, t.server, t.client_error, t.err.msg);
		pair_close(&t);
		tls_ctx_unref(&ctx);
	}
}

/* CVE-2009-3555: the session goes on under the first handshake's keys. */
static void test_renegotiation(void **state)
{
	struct tls_params p = { 0 };
	struct tls_ctx *ctx = make_ctx(&p);
	struct pair t;
	char buf[16];
	enum io_rc rc;

	pair_open(&t, ctx);
	SSL_set_max_proto_version(t.c, TLS1_2_VERSION);
	pair_shake(&t);
	assert_int_equal(t.server, IO_OK);
	assert_int_equal(SSL_renegotiate(t.c), 1);
	(void)SSL_do_handshake(t.c);
	rc = stream_fill(&t.s, &t.err);
	assert_true(rc == IO_AGAIN || rc == IO_ERR || rc == IO_EOF);
	say(&t, "x");
	(void)SSL_read(t.c, buf, sizeof(buf));
	assert_true(SSL_renegotiate_pending(t.c) || SSL_get_error(t.c, -1) != SSL_ERROR_NONE);
	pair_close(&t);
	tls_ctx_unref(&ctx);
}

static void test_garbage(void **state)
{
	static const char *const rows[] = { "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
					   "USER x\r\nPASS y\r\n", "\x16\x03\x01\xff\xff", "\x80\x2e\x01" };
	struct tls_params p = { 0 };
	struct tls_ctx *ctx = make_ctx(&p);
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct pair t;
		enum io_rc rc;

		pair_open(&t, ctx);
		assert_true(write(t.cfd, rows[i], strlen(rows[i])) > 0);
		rc = tls_handshake(&t.s, &t.err);
		if (rc == IO_AGAIN) {
			shutdown(t.cfd, SHUT_WR);
			rc = tls_handshake(&t.s, &t.err);
		}
		if (rc != IO_ERR && rc != IO_EOF)
			fail_msg("row %zu: %d", i, rc);
		if (rc == IO_ERR)
			assert_non_null(strstr(t.err.msg, "SSL_accept() failed: "));
		pair_close(&t);
	}
	tls_ctx_unref(&ctx);
}

/* Two contexts stand for two workers, or for one before and after its certificate was exchanged. */
static void test_resume(void **state)
{
	static const struct {
		const char *label;
		size_t key_n;
		int version;
		bool want;
	} rows[] = {
		{ "1.3 with key", 80, TLS1_3_VERSION, true },
		{ "1.2 with key", 80, TLS1_2_VERSION, true },
		{ "1.3 without key", 0, TLS1_3_VERSION, false },
		{ "1.2 without key", 0, TLS1_2_VERSION, false },
	};
	char key[80];
	size_t i;

	memset(key, 7, sizeof(key));
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_params p = { .ticket_key = { key, rows[i].key_n }, .alpn = "pop3" };
		struct tls_ctx *one = make_ctx(&p), *two = make_ctx(&p);
		struct pair t;
		SSL_SESSION *sess;

		pair_open(&t, one);
		SSL_set_max_proto_version(t.c, rows[i].version);
		pair_shake(&t);
		say(&t, "hello");
		assert_client_reads(&t, "hello");
		sess = SSL_get1_session(t.c);
		assert_false(SSL_session_reused(t.c));
		SSL_shutdown(t.c);
		pair_close(&t);

		pair_open(&t, two);
		SSL_set_max_proto_version(t.c, rows[i].version);
		SSL_set_session(t.c, sess);
		pair_shake(&t);
		assert_int_equal(t.server, IO_OK);
		if (SSL_session_reused(t.c) != rows[i].want)
			fail_msg("%s: resumed %d", rows[i].label, SSL_session_reused(t.c));
		pair_close(&t);
		SSL_SESSION_free(sess);
		tls_ctx_unref(&one);
		tls_ctx_unref(&two);
	}
}

/* A megabyte against a reader that takes 777 bytes at a time: nothing is lost, doubled or taken without room. */
static void test_back_pressure(void **state)
{
	enum { TOTAL = 1 << 20 };
	struct tls_params p = { 0 };
	struct tls_ctx *ctx = make_ctx(&p);
	char *data = xcalloc(1, TOTAL), *got = xcalloc(1, TOTAL);
	size_t n_put = 0, n_got = 0, i;
	struct pair t;

	for (i = 0; i < TOTAL; i++)
		data[i] = (char)(i * 2654435761u >> 13);
	pair_open(&t, ctx);
	t.s.out.max = 100000;
	pair_shake(&t);
	while (n_got < TOTAL) {
		size_t chunk = TOTAL - n_put < 5000 ? TOTAL - n_put : 5000;
		enum io_rc rc;
		int n;

		if (chunk && stream_put(&t.s, data + n_put, chunk) == 0)
			n_put += chunk;
		rc = stream_flush(&t.s, &t.err);
		assert_true(rc == IO_OK || rc == IO_AGAIN);
		if (rc == IO_AGAIN)
			assert_true(stream_events(&t.s) & STREAM_WRITE);
		n = SSL_read(t.c, got + n_got, TOTAL - n_got < 777 ? (int)(TOTAL - n_got) : 777);
		if (n > 0)
			n_got += (size_t)n;
	}
	assert_memory_equal(data, got, TOTAL);
	assert_int_equal(stream_events(&t.s), STREAM_READ);
	free(data);
	free(got);
	pair_close(&t);
	tls_ctx_unref(&ctx);
}

/* What OpenSSL holds is not seen by poll: tls_has_pending tells. */
static void test_pending(void **state)
{
	struct tls_params p = { 0 };
	struct tls_ctx *ctx = make_ctx(&p);
	char big[10000];
	size_t n = 0;
	struct pair t;
	enum io_rc rc;

	memset(big, 'x', sizeof(big));
	pair_open(&t, ctx);
	pair_shake(&t);
	assert_int_equal(SSL_write(t.c, big, sizeof(big)), (int)sizeof(big));
	assert_int_equal(SSL_write(t.c, big, sizeof(big)), (int)sizeof(big));
	rc = stream_fill(&t.s, &t.err);
	assert_int_equal(rc, IO_OK);
	assert_true(tls_has_pending(&t.s));
	do {
		n += stream_peek(&t.s).n;
		stream_drop_input(&t.s);
	} while (tls_has_pending(&t.s) && stream_fill(&t.s, &t.err) == IO_OK);
	while (n < 2 * sizeof(big) && stream_fill(&t.s, &t.err) == IO_OK) {
		n += stream_peek(&t.s).n;
		stream_drop_input(&t.s);
	}
	assert_int_equal(n, 2 * sizeof(big));
	assert_false(tls_has_pending(&t.s));
	pair_close(&t);
	tls_ctx_unref(&ctx);
}

/* The client's bytes come one at a time, as on a bad line. */
static void test_byte_by_byte(void **state)
{
	struct tls_params p = { .alpn = "smtp" };
	struct tls_ctx *ctx = make_ctx(&p);
	BIO *from_client = BIO_new(BIO_s_mem()), *to_client = BIO_new(BIO_s_mem());
	struct pair t;
	struct tls_info info;
	int i;

	pair_open(&t, ctx);
	SSL_set_bio(t.c, to_client, from_client);
	for (i = 0; i < 20000 && t.server == IO_AGAIN; i++) {
		char c, buf[8192];
		ssize_t n;

		(void)SSL_do_handshake(t.c);
		if (BIO_read(from_client, &c, 1) == 1)
			assert_int_equal(write(t.cfd, &c, 1), 1);
		t.server = tls_handshake(&t.s, &t.err);
		n = read(t.cfd, buf, sizeof(buf));
		if (n > 0)
			BIO_write(to_client, buf, (int)n);
	}
	assert_int_equal(t.server, IO_OK);
	tls_info(&t.s, &info);
	assert_string_equal(info.protocol, "TLSv1.3");
	ERR_clear_error();
	pair_close(&t);
	tls_ctx_unref(&ctx);
}

static void test_client_cert(void **state)
{
	EVP_PKEY *ca_key = make_key(false), *user_key = make_key(false);
	X509 *ca = make_cert(ca_key, "Test CA", ca_key, "Test CA");
	X509 *good = make_cert(user_key, "tito", ca_key, "Test CA");
	X509 *self = make_cert(user_key, "mallory", user_key, "mallory");
	struct { const char *label; X509 *x; bool has, trusted; } rows[] = {
		{ "none", NULL, false, false },
		{ "of our CA", good, true, true },
		{ "self-signed", self, true, false },
	};
	BIO *b = BIO_new(BIO_s_mem());
	struct pem ca_pem;
	size_t i;

	PEM_write_bio_X509(b, ca);
	bio_to_pem(b, &ca_pem);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_params p = { .wants_client_cert = true, .client_ca_pem = span_of(&ca_pem) };
		struct tls_ctx *ctx = make_ctx(&p);
		struct tls_info info;
		struct pair t;

		pair_open(&t, ctx);
		if (rows[i].x) {
			SSL_use_certificate(t.c, rows[i].x);
			SSL_use_PrivateKey(t.c, user_key);
		}
		pair_shake(&t);
		if (t.server != IO_OK)
			fail_msg("%s: %s", rows[i].label, t.err.msg);
		tls_info(&t.s, &info);
		if (info.has_client_cert != rows[i].has || info.is_client_trusted != rows[i].trusted)
			fail_msg("%s: has %d trusted %d", rows[i].label, info.has_client_cert, info.is_client_trusted);
		assert_int_equal(strlen(info.client_fingerprint), rows[i].has ? 95 : 0);
		pair_close(&t);
		tls_ctx_unref(&ctx);
	}
	free(ca_pem.p);
	X509_free(ca);
	X509_free(good);
	X509_free(self);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(user_key);
}

/* In an empty chroot without a descriptor to spare, as the daemons are. */
static void test_chroot(void **state)
{
	struct tls_params p = { 0 };
	struct tls_ctx *ctx = make_ctx(&p);
	char dir[] = "/tmp/login-tls-XXXXXX";
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_non_null(mkdtemp(dir));
	pid = fork();
	if (pid == 0) {
		struct pair t;

		if (chroot(dir) < 0 || chdir("/") < 0)
			_exit(2);
		pair_open(&t, ctx);
		pair_shake(&t);
		_exit(t.server == IO_OK && t.client_error == SSL_ERROR_NONE ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	rmdir(dir);
	tls_ctx_unref(&ctx);
}

static unsigned open_fds(void)
{
	unsigned n = 0;
	int fd;

	for (fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_no_leak(void **state)
{
	struct tls_params p = { 0 };
	struct tls_ctx *ctx = make_ctx(&p);
	unsigned before = open_fds();
	int i;

	for (i = 0; i < 20; i++) {
		struct pair t;

		pair_open(&t, ctx);
		if (i & 1)
			pair_shake(&t);
		pair_close(&t);
	}
	assert_int_equal(open_fds(), before);
	tls_ctx_unref(&ctx);
	assert_null(ctx);
	tls_ctx_unref(&ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_talk), cmocka_unit_test(test_two_pairs),
		cmocka_unit_test(test_wrong_pem), cmocka_unit_test(test_dates), cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_renegotiation), cmocka_unit_test(test_garbage), cmocka_unit_test(test_resume),
		cmocka_unit_test(test_back_pressure), cmocka_unit_test(test_pending),
		cmocka_unit_test(test_byte_by_byte), cmocka_unit_test(test_client_cert), cmocka_unit_test(test_chroot),
		cmocka_unit_test(test_no_leak),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
