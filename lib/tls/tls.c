#include "tls/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include "base/mem.h"

#define TICKET_KEY_SIZE 80
#define FLIGHT_MAX (256u * 1024)        /* of bytes that OpenSSL wrote and the socket did not take */
#define WRITE_MAX 32768u                /* plaintext that one write turns into records */

struct tls_ctx {
	SSL_CTX *ssl;
	BIO_METHOD *bio;
	char *alpn;                     /* in wire form: length, name; NULL: any */
	unsigned refs;
};

/* OpenSSL writes into `out`, never to the socket: a whole flight, with tickets and the first answer behind it, leaves
 * in one send. */
struct tls_session {
	SSL *ssl;
	struct tls_ctx *ctx;
	int fd;
	bool is_broken;                 /* a fatal error: no close_notify */
	bool is_done;                   /* the handshake is */
	bool may_have_more;             /* the last read ended because the caller had no room */
	struct str out;
	size_t held;                    /* plaintext bytes that are encrypted in out but not reported as sent */
	char *fingerprint;
};

/* ---- errors ---- */

static const char *reason(void)
{
	unsigned long e = ERR_peek_last_error();
	const char *text = e ? ERR_reason_error_string(e) : NULL;

	return text ? text : "unknown error";
}

static int conf_err(struct err *err, const char *what)
{
	err_set(err, ERR_CONF, "%s: %s", what, reason());
	ERR_clear_error();
	return -1;
}

/* In the words of Dovecot's and Postfix's logs. */
static enum io_rc session_err(struct tls_session *t, int code, const char *call, struct err *err)
{
	unsigned long e = ERR_peek_error();
	char text[256];

	t->is_broken = true;
	if (code == SSL_ERROR_SYSCALL && e == 0) {
		if (errno == 0)
			return IO_EOF;
		err_sys(err, "%s failed", call);
		return IO_ERR;
	}
	ERR_error_string_n(e, text, sizeof(text));
	err_set(err, ERR_PROTO, "%s failed: %s", call, text);
	ERR_clear_error();
	return IO_ERR;
}

/* ---- the layer between OpenSSL and the socket ---- */

static int bio_read(BIO *b, char *p, size_t n, size_t *n_r)
{
	struct tls_session *t = BIO_get_data(b);
	ssize_t got;

	BIO_clear_retry_flags(b);
	do {
		got = recv(t->fd, p, n, 0);
	} while (got < 0 && errno == EINTR);
	if (got > 0) {
		*n_r = (size_t)got;
		return 1;
	}
	if (got < 0 && errno == EAGAIN)
		BIO_set_retry_read(b);
	if (got == 0)
		BIO_set_flags(b, BIO_FLAGS_IN_EOF);
	return 0;
}

static int bio_write(BIO *b, const char *p, size_t n, size_t *n_r)
{
	struct tls_session *t = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if (str_add(&t->out, p, n) < 0)
		return 0;
	*n_r = n;
	return 1;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	switch (cmd) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_EOF:
		return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
	default:
		return 0;
	}
}

static enum io_rc drain(struct tls_session *t, struct err *err)
{
	size_t at = 0;
	ssize_t put = 0;

	while (at < t->out.n) {
		put = send(t->fd, t->out.p + at, t->out.n - at, MSG_NOSIGNAL);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			break;
		at += (size_t)put;
	}
	if (at < t->out.n && errno != EAGAIN) {
		err_sys(err, "write to peer");
		t->is_broken = true;
		str_fini(&t->out);
		return IO_ERR;
	}
	if (at == t->out.n) {
		str_fini(&t->out);
		return IO_OK;
	}
	str_drop(&t->out, at);
	return IO_AGAIN;
}

/* ---- stream's hook ---- */

static enum io_rc hook_read(void *state, char *p, size_t n, size_t *n_r, unsigned *events, struct err *err)
{
	struct tls_session *t = state;
	struct err ignored = ERR_INIT;
	size_t all = 0, got, unsent = t->out.n;
	enum io_rc rc = IO_OK;
	int code = SSL_ERROR_NONE;

	*events = 0;
	if (t->is_broken)
		return IO_EOF;
	ERR_clear_error();
	do {
		errno = 0;
		got = 0;
		if (SSL_read_ex(t->ssl, p + all, n - all, &got) != 1)
			code = SSL_get_error(t->ssl, 0);
		all += got;
	} while (code == SSL_ERROR_NONE && all < n && SSL_has_pending(t->ssl));
	t->may_have_more = code == SSL_ERROR_NONE;
	*n_r = all;
	if (all)
		return IO_OK;
	if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE) {
		/* an answer of OpenSSL's own: to a key update, to a renegotiation */
		if (t->out.n > unsent)
			rc = drain(t, err);
		if (rc == IO_AGAIN)
			*events = STREAM_WRITE;
		return rc == IO_ERR ? IO_ERR : IO_AGAIN;
	}
	if (code == SSL_ERROR_ZERO_RETURN)
		return IO_EOF;
	rc = session_err(t, code, "SSL_read()", err);
	(void)drain(t, &ignored);       /* the alert */
	return rc;
}

/* Takes plaintext once, and says so only when its records have left: until then the stream keeps the bytes and asks
 * again, so its own limit is the back-pressure. */
static enum io_rc hook_write(void *state, const char *p, size_t n, size_t *n_r, unsigned *events, struct err *err)
{
	struct tls_session *t = state;
	enum io_rc rc;

	*events = 0;
	if (t->is_broken) {
		err_set(err, ERR_PROTO, "TLS session has ended");
		return IO_ERR;
	}
	ERR_clear_error();
	errno = 0;
	while (t->held < n && t->held < WRITE_MAX && t->out.n < FLIGHT_MAX / 2) {
		size_t put = 0;

		if (SSL_write_ex(t->ssl, p + t->held, n - t->held < 16384 ? n - t->held : 16384, &put) != 1) {
			session_err(t, SSL_get_error(t->ssl, 0), "SSL_write()", err);
			return IO_ERR;
		}
		t->held += put;
	}
	rc = drain(t, err);
	if (rc == IO_AGAIN)
		*events = STREAM_WRITE;
	if (rc != IO_OK)
		return rc;
	*n_r = t->held;
	t->held = 0;
	return *n_r ? IO_OK : IO_AGAIN;
}

static void hook_free(void *state)
{
	struct tls_session *t = state;
	struct err ignored = ERR_INIT;

	ERR_clear_error();
	if (t->is_done && !t->is_broken)
		(void)SSL_shutdown(t->ssl);
	(void)drain(t, &ignored);
	SSL_free(t->ssl);
	str_fini(&t->out);
	free(t->fingerprint);
	tls_ctx_unref(&t->ctx);
	ERR_clear_error();
	free(t);
}

static const struct stream_hook tls_hook = { hook_read, hook_write, hook_free };

static struct tls_session *session_of(const struct stream *s)
{
	BUG(s->hook != &tls_hook);
	return s->hook_state;
}

/* ---- context ---- */

int tls_preload(struct err *err)
{
	unsigned char probe[16];

	if (OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL) != 1 ||
	    RAND_bytes(probe, sizeof(probe)) != 1)
		return conf_err(err, "OpenSSL does not start");
	return 0;
}

/* The key files of a server must not ask for a passphrase. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	return 0;
}

static BIO *pem_open(struct span pem, struct err *err)
{
	BIO *b = BIO_new_mem_buf(pem.p, pem.n > INT32_MAX ? 0 : (int)pem.n);

	if (!b)
		conf_err(err, "certificate");
	return b;
}

static void drop_certs(STACK_OF(X509) *certs)
{
	sk_X509_pop_free(certs, X509_free);
}

static STACK_OF(X509) *read_certs(struct span pem, struct err *err)
{
	STACK_OF(X509) *all = sk_X509_new_null();
	BIO *b = pem_open(pem, err);
	X509 *x;

	while (b && all && (x = PEM_read_bio_X509(b, NULL, no_passphrase, NULL)))
		sk_X509_push(all, x);
	BIO_free(b);
	if (b && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		conf_err(err, "certificate file");
	} else if (b && sk_X509_num(all) == 0) {
		err_set(err, ERR_CONF, "certificate file: there is no certificate in it");
	} else if (b) {
		ERR_clear_error();
		return all;
	}
	drop_certs(all);
	return NULL;
}

static int bad_date(const X509 *x, const ASN1_TIME *date, const char *what, struct err *err)
{
	char cn[256] = "", day[32] = "";
	struct tm tm;

	if (ASN1_TIME_to_tm(date, &tm) == 1)
		strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	if (X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, cn, sizeof(cn)) <= 0)
		return err_set(err, ERR_CONF, "the certificate %s %s", what, day);
	return err_set(err, ERR_CONF, "the certificate of '%s' %s %s", cn, what, day);
}

int tls_check_dates(struct span pem, int64_t now, struct err *err)
{
	struct err ignored = ERR_INIT;
	STACK_OF(X509) *certs = read_certs(pem, &ignored);
	time_t t = (time_t)now;
	int i, rc = 0;

	for (i = 0; rc == 0 && i < sk_X509_num(certs); i++) {
		const X509 *x = sk_X509_value(certs, i);

		if (X509_cmp_time(X509_get0_notAfter(x), &t) < 0)
			rc = bad_date(x, X509_get0_notAfter(x), "has expired on", err);
		else if (X509_cmp_time(X509_get0_notBefore(x), &t) > 0)
			rc = bad_date(x, X509_get0_notBefore(x), "is not valid before", err);
	}
	drop_certs(certs);
	ERR_clear_error();
	return rc;
}

/* The chain of a certificate is what stands behind it up to the next one that has a key of its own. */
static int use_pair(struct tls_ctx *ctx, STACK_OF(X509) *certs, EVP_PKEY *key, bool *found, struct err *err)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	X509 *leaf = NULL;
	int i, rc = 0;

	for (i = 0; i < sk_X509_num(certs); i++) {
		X509 *x = sk_X509_value(certs, i);

		if (!leaf && X509_check_private_key(x, key) == 1)
			leaf = x;
		else if (leaf && X509_check_ca(x) == 0)
			break;
		else if (leaf)
			sk_X509_push(chain, x);
	}
	ERR_clear_error();
	if (leaf) {
		*found = true;
		if (SSL_CTX_use_cert_and_key(ctx->ssl, leaf, key, chain, 1) != 1)
			rc = conf_err(err, "certificate");
	}
	sk_X509_free(chain);
	return rc;
}

static int load_pem(struct tls_ctx *ctx, struct span pem, struct err *err)
{
	STACK_OF(X509) *certs = read_certs(pem, err);
	BIO *b = certs ? pem_open(pem, err) : NULL;
	bool found = false;
	int n_keys = 0, rc = b ? 0 : -1;
	EVP_PKEY *key;

	while (rc == 0 && (key = PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL))) {
		n_keys++;
		rc = use_pair(ctx, certs, key, &found, err);
		EVP_PKEY_free(key);
	}
	if (rc == 0 && n_keys == 0) {
		if (!memmem(pem.p, pem.n, "PRIVATE KEY-----", 16))
			rc = err_set(err, ERR_CONF, "private key file: there is no private key in it");
		else
			rc = conf_err(err, "private key file");
	} else if (rc == 0 && !found) {
		rc = err_set(err, ERR_CONF,
			     "certificate and private key do not match: give the key that the certificate was made "
			     "for");
	}
	ERR_clear_error();
	BIO_free(b);
	drop_certs(certs);
	return rc;
}

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *in, unsigned in_n,
		       void *arg)
{
	struct tls_ctx *ctx = arg;
	unsigned char *chosen;

	if (SSL_select_next_proto(&chosen, n, (unsigned char *)ctx->alpn, (unsigned)ctx->alpn[0] + 1, in, in_n) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int accept_any_cert(int ok, X509_STORE_CTX *store)
{
	return 1;
}

static int load_client_ca(struct tls_ctx *ctx, struct span pem, struct err *err)
{
	STACK_OF(X509) *certs = read_certs(pem, err);
	int i;

	if (!certs)
		return -1;
	for (i = 0; i < sk_X509_num(certs); i++) {
		X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx->ssl), sk_X509_value(certs, i));
		SSL_CTX_add_client_CA(ctx->ssl, sk_X509_value(certs, i));
	}
	drop_certs(certs);
	return 0;
}

/* 0 for a name that is no version in use. */
static int version_of(const char *name, int fallback)
{
	return !name ? fallback : strcmp(name, "TLSv1.3") == 0 ? TLS1_3_VERSION :
	       strcmp(name, "TLSv1.2") == 0 ? TLS1_2_VERSION : 0;
}

static int set_protocol(struct tls_ctx *ctx, const struct tls_params *p, struct err *err)
{
	int min = version_of(p->min_protocol, TLS1_2_VERSION), max = version_of(p->max_protocol, TLS1_3_VERSION);

	if (min == 0 || max == 0)
		return err_set(err, ERR_CONF, "TLS version %s: use TLSv1.2 or TLSv1.3",
			       min == 0 ? p->min_protocol : p->max_protocol);
	SSL_CTX_set_min_proto_version(ctx->ssl, min);
	SSL_CTX_set_max_proto_version(ctx->ssl, max);
	if (p->ciphers && *p->ciphers && SSL_CTX_set_cipher_list(ctx->ssl, p->ciphers) != 1)
		return conf_err(err, "list of ciphers");
	if (p->ciphersuites && *p->ciphersuites && SSL_CTX_set_ciphersuites(ctx->ssl, p->ciphersuites) != 1)
		return conf_err(err, "list of cipher suites");
	if (SSL_CTX_set1_groups_list(ctx->ssl, "X25519:P-256:X448:P-384:P-521") != 1)
		return conf_err(err, "groups");
	SSL_CTX_set_dh_auto(ctx->ssl, 1);
	return 0;
}

/* Workers share the key, so a client may resume with any of them; without a key no state is kept at all. */
static int set_tickets(struct tls_ctx *ctx, const struct tls_params *p, struct err *err)
{
	const char *id = p->alpn && *p->alpn ? p->alpn : "surat";

	SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(ctx->ssl, (const unsigned char *)id, (unsigned)strlen(id));
	if (p->ticket_key.n == 0) {
		SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(ctx->ssl, 0);
		return 0;
	}
	if (p->ticket_key.n != TICKET_KEY_SIZE)
		return err_set(err, ERR_CONF, "session ticket key of %zu bytes instead of %d", p->ticket_key.n,
			       TICKET_KEY_SIZE);
	SSL_CTX_set_num_tickets(ctx->ssl, 1);
	if (SSL_CTX_set_tlsext_ticket_keys(ctx->ssl, (void *)(uintptr_t)p->ticket_key.p, TICKET_KEY_SIZE) != 1)
		return conf_err(err, "session ticket key");
	return 0;
}

static int make_bio_method(struct tls_ctx *ctx)
{
	ctx->bio = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "surat");
	return ctx->bio && BIO_meth_set_read_ex(ctx->bio, bio_read) && BIO_meth_set_write_ex(ctx->bio, bio_write) &&
	       BIO_meth_set_ctrl(ctx->bio, bio_ctrl) ? 0 : -1;
}

static int configure(struct tls_ctx *ctx, const struct tls_params *p, struct err *err)
{
	SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF |
				      SSL_OP_SINGLE_ECDH_USE | SSL_OP_CLEANSE_PLAINTEXT);
	if (p->prefers_server_ciphers)
		SSL_CTX_set_options(ctx->ssl, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ctx->ssl, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ctx->ssl, 1);
	if (set_protocol(ctx, p, err) < 0 || set_tickets(ctx, p, err) < 0 || load_pem(ctx, p->pem, err) < 0)
		return -1;
	if (p->alpn && *p->alpn) {
		size_t n = strlen(p->alpn);

		BUG(n > 100);
		ctx->alpn = xcalloc(1, n + 2);
		ctx->alpn[0] = (char)n;
		memcpy(ctx->alpn + 1, p->alpn, n);
		SSL_CTX_set_alpn_select_cb(ctx->ssl, select_alpn, ctx);
	}
	if (p->wants_client_cert)
		SSL_CTX_set_verify(ctx->ssl, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, accept_any_cert);
	return p->client_ca_pem.n ? load_client_ca(ctx, p->client_ca_pem, err) : 0;
}

struct tls_ctx *tls_ctx_new(const struct tls_params *p, struct err *err)
{
	struct tls_ctx *ctx;

	if (tls_preload(err) < 0)
		return NULL;
	ERR_clear_error();
	ctx = xnew(struct tls_ctx);
	ctx->refs = 1;
	ctx->ssl = SSL_CTX_new(TLS_server_method());
	if (!ctx->ssl || make_bio_method(ctx) < 0)
		conf_err(err, "OpenSSL does not start");
	else if (configure(ctx, p, err) == 0)
		return ctx;
	tls_ctx_unref(&ctx);
	return NULL;
}

static struct tls_ctx *ctx_ref(struct tls_ctx *ctx)
{
	ctx->refs++;
	return ctx;
}

void tls_ctx_unref(struct tls_ctx **at)
{
	struct tls_ctx *ctx = *at;

	*at = NULL;
	if (!ctx || --ctx->refs > 0)
		return;
	SSL_CTX_free(ctx->ssl);
	BIO_meth_free(ctx->bio);
	free(ctx->alpn);
	free(ctx);
}

/* ---- sessions ---- */

int tls_accept(struct stream *s, struct tls_ctx *ctx, struct err *err)
{
	struct tls_session *t = xnew(struct tls_session);
	BIO *b = BIO_new(ctx->bio);

	str_init(&t->out, FLIGHT_MAX);
	t->fd = s->fd;
	t->ssl = b ? SSL_new(ctx->ssl) : NULL;
	if (!t->ssl) {
		BIO_free(b);
		free(t);
		err_set(err, ERR_SYS, "TLS session: %s", reason());
		ERR_clear_error();
		return -1;
	}
	BIO_set_data(b, t);
	BIO_set_init(b, 1);
	SSL_set_bio(t->ssl, b, b);
	SSL_set_accept_state(t->ssl);
	t->ctx = ctx_ref(ctx);
	stream_set_hook(s, &tls_hook, t);
	return 0;
}

enum io_rc tls_handshake(struct stream *s, struct err *err)
{
	struct tls_session *t = session_of(s);
	struct err ignored = ERR_INIT;
	enum io_rc rc;
	int n, code;

	if (t->is_broken)
		return IO_EOF;
	ERR_clear_error();
	errno = 0;
	n = SSL_do_handshake(t->ssl);
	code = n == 1 ? SSL_ERROR_NONE : SSL_get_error(t->ssl, n);
	if (code != SSL_ERROR_NONE && code != SSL_ERROR_WANT_READ && code != SSL_ERROR_WANT_WRITE) {
		rc = code == SSL_ERROR_ZERO_RETURN ? IO_EOF : session_err(t, code, "SSL_accept()", err);
		(void)drain(t, &ignored);
		return rc;
	}
	s->extra_events = 0;
	/* the client of TLS 1.3 waits for nothing more: tickets leave with the first answer */
	if (code == SSL_ERROR_NONE && SSL_version(t->ssl) >= TLS1_3_VERSION) {
		t->is_done = true;
		return IO_OK;
	}
	rc = drain(t, err);
	if (rc == IO_AGAIN)
		s->extra_events = STREAM_WRITE;
	if (rc != IO_OK)
		return rc;
	t->is_done = code == SSL_ERROR_NONE;
	return t->is_done ? IO_OK : IO_AGAIN;
}

void tls_acknowledge(const struct stream *s)
{
	int one = 1;

	if (SSL_version(session_of(s)->ssl) >= TLS1_3_VERSION)
		(void)setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
}

static char *fingerprint(X509 *x)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned i, n = 0;
	struct str s = STR_INIT(3 * EVP_MAX_MD_SIZE);

	if (X509_digest(x, EVP_sha256(), md, &n) != 1)
		return NULL;
	for (i = 0; i < n; i++)
		BUG(str_addf(&s, "%s%02X", i ? ":" : "", md[i]) < 0);
	return str_detach(&s);
}

static void client_info(struct tls_session *t, struct tls_info *info)
{
	X509 *x = SSL_get1_peer_certificate(t->ssl);

	if (!x)
		return;
	info->has_client_cert = true;
	info->is_client_trusted = SSL_get_verify_result(t->ssl) == X509_V_OK;
	if (!t->fingerprint)
		t->fingerprint = fingerprint(x);
	X509_free(x);
}

void tls_info(const struct stream *s, struct tls_info *info_r)
{
	struct tls_session *t = session_of(s);
	const SSL_CIPHER *c = SSL_get_current_cipher(t->ssl);

	*info_r = (struct tls_info){ .protocol = SSL_get_version(t->ssl) };
	info_r->cipher = c ? SSL_CIPHER_get_name(c) : "";
	info_r->bits = c ? SSL_CIPHER_get_bits(c, &info_r->alg_bits) : 0;
	client_info(t, info_r);
	info_r->client_fingerprint = t->fingerprint ? t->fingerprint : "";
	ERR_clear_error();
}

bool tls_has_pending(const struct stream *s)
{
	struct tls_session *t = s->hook == &tls_hook ? s->hook_state : NULL;

	return t && t->may_have_more && SSL_has_pending(t->ssl);
}
