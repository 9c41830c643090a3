#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

/* ---- fakes ---- */

static void answer(struct rig *g, uint32_t id, enum auth_status status, struct span challenge)
{
	struct auth_answer a = { .status = status, .challenge = challenge };

	if (status == AUTH_OK) {
		a.user = SPAN_LIT("tito@example.com");
		a.ticket = SPAN_LIT("TICKET1");
	} else if (status != AUTH_CONTINUE && g->text) {
		a.text = span_z(g->text);
	}
	assert_int_equal(ipc_reply(&g->auth, id, &auth_answer_desc, &a, NULL), 0);
}

static void judge(struct rig *g, uint32_t id, struct span data)
{
	bool ok = data.n >= 5 && memcmp(data.p + data.n - 5, "\0good", 5) == 0;

	if (!g->auth_is_mute)
		answer(g, id, ok ? AUTH_OK : g->status, SPAN_NULL);
}

static void on_auth_start(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct rig *g = arg;
	const struct auth_start *m = in;

	g->n_starts++;
	g->was_secure = m->is_secure;
	snprintf(g->last_mech, sizeof(g->last_mech), "%.*s", SPAN_ARG(m->mech));
	g->last_initial_n = m->initial.n < sizeof(g->last_initial) ? m->initial.n : sizeof(g->last_initial);
	if (m->initial.n)
		memcpy(g->last_initial, m->initial.p, g->last_initial_n);
	if (m->has_initial)
		judge(g, id, m->initial);
	else
		answer(g, id, AUTH_CONTINUE, span_eqz(m->mech, "PLAIN") ? SPAN_NULL : SPAN_LIT("<challenge>"));
}

static void on_auth_step(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct auth_step *m = in;

	judge(arg, id, m->response);
}

static void on_auth_abort(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	((struct rig *)arg)->n_aborts++;
}

static void on_connect(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct rig *g = arg;
	struct anvil_counts m = { g->anvil_count, 1 };

	g->n_connects++;
	assert_int_equal(ipc_reply(c, id, &anvil_counts_desc, &m, NULL), 0);
}

static void on_disconnect(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	((struct rig *)arg)->n_disconnects++;
}

static void on_occurred(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct anvil_counts m = { 1, 1 };

	assert_int_equal(ipc_reply(c, id, &anvil_counts_desc, &m, NULL), 0);
}

static void on_session(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct rig *g = arg;
	const struct session_start *m = in;
	struct session_started r = { .status = MSG_OK, .pid = 4711 };
	int pair[2], theirs = -1;

	g->n_redeems++;
	g->was_tls = m->is_tls;
	snprintf(g->input, sizeof(g->input), "%.*s", SPAN_ARG(m->input));
	snprintf(g->ticket, sizeof(g->ticket), "%.*s", SPAN_ARG(m->ticket));
	snprintf(g->session, sizeof(g->session), "%.*s", SPAN_ARG(m->session));
	snprintf(g->capa, sizeof(g->capa), "%.*s", SPAN_ARG(m->capa));
	if (g->parent_is_mute)
		return;
	if (g->parent_refuses) {
		r = (struct session_started){ .status = MSG_TEMP, .text = SPAN_LIT("No room.") };
	} else if (m->is_tls) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
		g->child = pair[0];
		theirs = pair[1];
	} else {
		assert_true(*fd >= 0);
		g->child = *fd;
		*fd = -1;
	}
	snprintf(g->service, sizeof(g->service), "%.*s", SPAN_ARG(m->service));
	if (r.status == MSG_OK && m->tag.n)
		dprintf(g->child, "%.*s OK Logged in\r\n", SPAN_ARG(m->tag));
	else if (r.status == MSG_OK)
		(void)!send(g->child, "+OK Logged in.\r\n", 16, MSG_NOSIGNAL);
	assert_int_equal(ipc_reply(c, id, &session_started_desc, &r, &theirs), 0);
}

static const struct ipc_rule auth_rules[] = {
	{ &auth_start_desc, ~0u, on_auth_start }, { &auth_step_desc, ~0u, on_auth_step },
	{ &auth_abort_desc, ~0u, on_auth_abort },
};
static const struct ipc_rule anvil_rules[] = {
	{ &anvil_connect_desc, ~0u, on_connect }, { &anvil_disconnect_desc, ~0u, on_disconnect },
	{ &anvil_occurred_desc, ~0u, on_occurred },
};
static const struct ipc_rule parent_rules[] = { { &session_start_desc, ~0u, on_session } };

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
}

static const struct ipc_ops auth_ops = { "auth", auth_rules, ARRAY_LEN(auth_rules), on_lost, NULL };
static const struct ipc_ops anvil_ops = { "anvil", anvil_rules, ARRAY_LEN(anvil_rules), on_lost, NULL };
static const struct ipc_ops parent_ops = { "parent", parent_rules, ARRAY_LEN(parent_rules), on_lost, NULL };

static void on_log(void *arg, enum log_level level, const char *line)
{
	struct rig *g = arg;

	if (str_addf(&g->log, "%s\n", line) < 0)
		str_reset(&g->log);
}

/* ---- the worker ---- */

static void link_up(struct rig *g, enum channel_kind kind, const char *peer, struct ipc *far, const struct ipc_ops *ops)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	ipc_init(far, &g->loop, ops, g);
	ipc_attach(far, &fds[0]);
	server_attach(&g->srv, kind, span_z(peer), &fds[1]);
}

static void make_certificate(struct rig *g, const struct conf *c)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *b = BIO_new(BIO_s_mem());
	struct err err = ERR_INIT;
	char *p;
	long n;

	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"mail", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_sign(x, key, EVP_sha256());
	PEM_write_bio_X509(b, x);
	PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
	n = BIO_get_mem_data(b, &p);
	if (server_certificate(&g->srv, c, SPAN_NULL, (struct span){ p, (size_t)n }, &err) < 0)
		fail_msg("%s", err.msg);
	BIO_free(b);
	X509_free(x);
	EVP_PKEY_free(key);
}

void rig_open(struct rig *g, const char *service, const char *options)
{
	struct auth_mech v[] = { { SPAN_LIT("PLAIN"), 1 }, { SPAN_LIT("LOGIN"), 1 }, { SPAN_LIT("CRAM-MD5"), 0 } };
	struct auth_mechs mechs = { { v, ARRAY_LEN(v) } };
	struct conf_errors errors = { 0 };
	struct conf c = { 0 };
	struct str text = STR_INIT(4096);
	struct err err = ERR_INIT;

	*g = (struct rig){ .child = -1, .status = AUTH_FAIL, .anvil_count = 1, .chunk = 100000 };
	str_init(&g->log, 1 << 20);
	log_set_sink(on_log, g);
	assert_int_equal(str_addf(&text, "myhostname = mail.example.com\n%s", options), 0);
	if (conf_parse(&c, "test", str_span(&text), &errors) < 0)
		fail_msg("%s", errors.v[0]);
	str_fini(&text);
	assert_int_equal(loop_init(&g->loop, &err), 0);
	server_init(&g->srv, &g->loop);
	link_up(g, CHAN_AUTH, "auth", &g->auth, &auth_ops);
	link_up(g, CHAN_ANVIL, "anvil", &g->anvil, &anvil_ops);
	link_up(g, CHAN_SESSION, "pop3d", &g->parent, &parent_ops);
	link_up(g, CHAN_SESSION, "imapd", &g->imap_parent, &parent_ops);
	g->svc = service_new(service, &c, &err);
	if (!g->svc)
		fail_msg("%s", err.msg);
	if (!strstr(options, "ssl = no"))
		make_certificate(g, &c);
	conf_fini(&c);
	conf_errors_fini(&errors);
	assert_int_equal(ipc_send(&g->auth, &auth_mechs_desc, &mechs, NULL), 0);
	rig_spin(g);
}

void rig_detach_auth(struct rig *g)
{
	ipc_close(&g->auth);
	rig_spin(g);
}

void rig_close(struct rig *g)
{
	server_fini(&g->srv);
	service_unref(&g->svc);
	ipc_close(&g->auth);
	ipc_close(&g->anvil);
	ipc_close(&g->parent);
	ipc_close(&g->imap_parent);
	if (g->child >= 0)
		close(g->child);
	loop_fini(&g->loop);
	log_set_sink(NULL, NULL);
	str_fini(&g->log);
}

void rig_spin(struct rig *g)
{
	int i;

	for (i = 0; i < 12; i++)
		loop_turn(&g->loop, false);
}

/* ---- clients ---- */

static struct sockaddr_in address_of(const char *text)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(40000) };

	assert_int_equal(inet_pton(AF_INET, text, &sa.sin_addr), 1);
	return sa;
}

void client_open(struct client *c, struct rig *g, const char *address)
{
	struct sockaddr_in peer = address_of(address), own = address_of("192.0.2.25");
	int fds[2];

	*c = (struct client){ .g = g };
	str_init(&c->in, 1 << 22);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	c->fd = fds[0];
	session_new(&g->srv, g->svc, fds[1], (struct sockaddr *)&peer, (struct sockaddr *)&own);
	rig_spin(g);
}

void client_close(struct client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	str_fini(&c->in);
	rig_spin(c->g);
}

void client_send(struct client *c, const void *p, size_t n)
{
	size_t at, chunk = c->g->chunk;

	for (at = 0; at < n; at += chunk) {
		int part = (int)(n - at < chunk ? n - at : chunk);

		if (c->ssl)
			(void)!SSL_write(c->ssl, (const char *)p + at, part);
		else
			(void)!send(c->fd, (const char *)p + at, (size_t)part, MSG_NOSIGNAL);
		rig_spin(c->g);
	}
}

bool client_tls(struct client *c)
{
	int i, n = 0;

	c->ctx = SSL_CTX_new(TLS_client_method());
	c->ssl = SSL_new(c->ctx);
	SSL_set_fd(c->ssl, c->fd);
	for (i = 0; i < 20 && n != 1; i++) {
		n = SSL_connect(c->ssl);
		rig_spin(c->g);
	}
	ERR_clear_error();
	return n == 1;
}

bool client_read(struct client *c)
{
	char buf[16384];

	for (;;) {
		int n, e;

		rig_spin(c->g);
		if (c->ssl) {
			ERR_clear_error();
			n = SSL_read(c->ssl, buf, sizeof(buf));
			e = SSL_get_error(c->ssl, n);
			if (n <= 0)
				return e == SSL_ERROR_WANT_READ;
		} else {
			n = (int)recv(c->fd, buf, sizeof(buf), 0);
			if (n <= 0)
				return n < 0 && errno == EAGAIN;
		}
		assert_int_equal(str_add(&c->in, buf, (size_t)n), 0);
	}
}

static void expect(struct client *c, const char *label, struct span want, bool is_prefix)
{
	struct span in, line, rest;

	(void)client_read(c);
	in = str_span(&c->in);
	if (!span_cut(in, '\n', &line, &rest))
		fail_msg("%s: wanted \"%.*s\", got \"%s\" without end of line\nlog: %s", label, SPAN_ARG(want), c->in.p, c->g->log.p);
	if (line.n == 0 || line.p[line.n - 1] != '\r')
		fail_msg("%s: line without CR: %.*s", label, SPAN_ARG(line));
	line.n--;
	if (is_prefix ? line.n < want.n || memcmp(line.p, want.p, want.n) != 0 : !span_eq(line, want))
		fail_msg("%s: wanted \"%.*s\", got \"%.*s\"", label, SPAN_ARG(want), SPAN_ARG(line));
	str_drop(&c->in, in.n - rest.n);
}

static size_t unescape(struct span in, char *out)
{
	size_t i, n = 0;

	for (i = 0; i < in.n; i++) {
		char ch = in.p[i];

		if (ch == '\\' && i + 1 < in.n) {
			ch = in.p[++i];
			if (ch == 'x') {
				char hex[3] = { in.p[i + 1], in.p[i + 2], '\0' };

				ch = (char)strtoul(hex, NULL, 16);
				i += 2;
			} else {
				ch = ch == 'r' ? '\r' : ch == 'n' ? '\n' : ch == '0' ? '\0' : ch;
			}
		}
		out[n++] = ch;
	}
	return n;
}

static void child_line(struct client *c, const char *label, struct span text, bool is_output)
{
	char buf[4096];
	ssize_t n;

	assert_true(c->g->child >= 0);
	if (is_output) {
		n = snprintf(buf, sizeof(buf), "%.*s\r\n", SPAN_ARG(text));
		assert_int_equal(write(c->g->child, buf, (size_t)n), n);
		rig_spin(c->g);
		return;
	}
	rig_spin(c->g);
	n = recv(c->g->child, buf, text.n + 2, 0);
	if (n != (ssize_t)text.n + 2 || memcmp(buf, text.p, text.n) != 0)
		fail_msg("%s: the child did not get \"%.*s\"", label, SPAN_ARG(text));
}

void client_script(struct client *c, const char *label, const char *script)
{
	struct span all = span_z(script), line;
	char raw[20000];

	while (all.n) {
		struct span text;

		span_cut(all, '\n', &line, &all);
		text = span_from(line, 3);
		switch (line.n ? line.p[0] : '#') {
		case 'C':
			assert_true(text.n + 2 <= sizeof(raw));
			memcpy(raw, text.p, text.n);
			memcpy(raw + text.n, "\r\n", 2);
			client_send(c, raw, text.n + 2);
			break;
		case 'R':
			client_send(c, raw, unescape(text, raw));
			break;
		case 'S':
			expect(c, label, text, line.p[1] == '*');
			break;
		case 'T':
			if (!client_tls(c))
				fail_msg("%s: no TLS; log: %s", label, c->g->log.p);
			break;
		case 'E':
			if (client_read(c) || c->in.n)
				fail_msg("%s: wanted the end, got \"%s\"", label, c->in.p);
			break;
		case 'P':
		case 'Q':
			child_line(c, label, text, line.p[0] == 'P');
			break;
		default:
			break;
		}
	}
	(void)client_read(c);
	if (c->in.n)
		fail_msg("%s: more than was wanted: \"%s\"", label, c->in.p);
}

static void run_script(const struct rig_script *t, size_t chunk)
{
	struct rig g;
	struct client c;

	rig_open(&g, t->service, t->options);
	g.chunk = chunk;
	client_open(&c, &g, t->address);
	client_script(&c, t->label, t->text);
	client_close(&c);
	if (t->log && !strstr(g.log.p, t->log))
		fail_msg("%s, by %zu: the log has no \"%s\":\n%s", t->label, chunk, t->log, g.log.p);
	if (strstr(g.log.p, "good") || strstr(g.log.p, "AHRp"))
		fail_msg("%s: a password in the log:\n%s", t->label, g.log.p);
	rig_close(&g);
}

void rig_scripts(const struct rig_script *v, size_t n)
{
	static const size_t chunks[] = { 100000, 7, 2, 1 };
	size_t i, k;

	for (i = 0; i < n; i++) {
		for (k = 0; k < ARRAY_LEN(chunks); k++)
			run_script(&v[i], chunks[k]);
	}
}
