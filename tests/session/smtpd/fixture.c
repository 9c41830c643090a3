#include "fixture.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "smtpd/session.h"
#include "svc/msg_anvil.h"
#include "svc/msg_auth.h"
#include "svc/msg_queue.h"
#include "svc/msg_resolve.h"

static void on_log(void *arg, enum log_level level, const char *line)
{
	struct fixture *f = arg;

	(void)!str_addf(&f->log, "%s\n", line);
}

/* ---- resolve ---- */

static void on_rcpt_check(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	static const struct { const char *domain; enum addr_class class; } others[] = {
		{ "@alias.example", ADDR_VIRTUAL_ALIAS }, { "@box.example", ADDR_VIRTUAL_MAILBOX },
		{ "@relay.example", ADDR_RELAY },
	};
	static const char *const users[] = { "tito", "iqbal", "postmaster", "tito+ext", "x@y", "\"x@y\"", "a%b" };
	const struct rcpt_check *m = in;
	struct rcpt_verdict v = { .status = MSG_OK };
	ptrdiff_t at = span_rchr(m->address, '@');
	struct span local = span_sub(m->address, 0, at < 0 ? m->address.n : (size_t)at);
	size_t i;

	if (span_ends_nocase(m->address, "@example.com") || span_ends_nocase(m->address, "@mx.example.com") ||
		span_ends_nocase(m->address, "@virtual.example")) {
		v.class = ADDR_LOCAL;
		v.status = MSG_NO;
		for (i = 0; i < ARRAY_LEN(users); i++) {
			if (span_eq_nocase(local, users[i]) && !span_ends_nocase(m->address, "virtual.example"))
				v.status = MSG_OK;
		}
		if (span_starts(local, "rcpt"))
			v.status = MSG_OK;
		if (span_eqz(local, "full")) {
			v.status = m->has_letter && m->size > 1000 ? MSG_NO : MSG_OK;
			v.dsn = SPAN_LIT("5.2.2");
			v.text = SPAN_LIT("Mailbox is full");
			(void)!ipc_reply(c, id, &rcpt_verdict_desc, &v, NULL);
			return;
		}
		if (span_eqz(local, "soon")) {
			v.dsn = SPAN_LIT("4.7.1");
			v.text = SPAN_LIT("come later");
			(void)!ipc_reply(c, id, &rcpt_verdict_desc, &v, NULL);
			return;
		}
		if (span_eqz(local, "temp"))
			v.status = MSG_TEMP;
		v.dsn = SPAN_LIT("5.1.1");
		v.text = SPAN_LIT("User unknown in local recipient table");
	}
	if (span_ends_nocase(m->address, "@1.2.3.4"))
		v = (struct rcpt_verdict){ .status = MSG_NO, .dsn = SPAN_LIT("5.1.3") };
	for (i = 0; i < ARRAY_LEN(others); i++) {
		if (span_ends_nocase(m->address, others[i].domain))
			v = (struct rcpt_verdict){ .status = MSG_NO, .class = others[i].class, .dsn = SPAN_LIT("5.1.1") };
	}
	(void)!ipc_reply(c, id, &rcpt_verdict_desc, &v, NULL);
}

/* "inline:{a=b, c=d}": good enough for a fake. */
static bool inline_get(struct span map, struct span key, struct span *value_r)
{
	struct span body = span_from(map, 8), item, name;

	if (!span_starts(map, "inline:{") || key.n == 0)
		return false;
	body.n--;
	while (body.n) {
		span_cut(body, ',', &item, &body);
		if (span_cut(span_trim(item), '=', &name, value_r) && span_eq(span_trim(name), key))
			return true;
	}
	return false;
}

static void on_map(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct map_query *m = in;
	const struct map_key *keys = m->keys.v;
	struct map_value v = { .status = MSG_NO };
	size_t i;

	for (i = 0; i < m->keys.n && v.status == MSG_NO; i++) {
		if (inline_get(m->map, keys[i].key, &v.value))
			v.status = MSG_OK;
	}
	if (span_starts(m->map, "fail:")) {
		v.status = MSG_TEMP;
		v.text = SPAN_LIT("fail: table");
	}
	(void)!ipc_reply(c, id, &map_value_desc, &v, NULL);
}

static void on_ptr(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct fixture *f = arg;
	struct ptr_name v = { .status = f->ptr[0] ? MSG_OK : MSG_NO };

	v.reverse_status = v.status;
	v.name = v.reverse = span_z(f->ptr);
	(void)!ipc_reply(c, id, &ptr_name_desc, &v, NULL);
}

/* ---- auth ---- */

static void answer_auth(struct ipc *c, uint32_t id, struct span response)
{
	static const char plain[] = "\0tito@example.com\0secret";
	struct auth_answer a = { .status = AUTH_FAIL };

	if (span_eq(response, SPAN_LIT(plain)) || span_eqz(response, "secret")) {
		a.status = AUTH_OK;
		a.user = SPAN_LIT("tito@example.com");
	} else if (span_eqz(response, "temp")) {
		a.status = AUTH_TEMP;
		a.text = SPAN_LIT("store away");
	} else if (span_eqz(response, "tito")) {
		a.status = AUTH_CONTINUE;
		a.challenge = SPAN_LIT("Password:");
	}
	(void)!ipc_reply(c, id, &auth_answer_desc, &a, NULL);
}

static void on_auth_start(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct auth_start *m = in;
	struct auth_answer a = { .status = AUTH_CONTINUE };

	if (m->has_initial) {
		answer_auth(c, id, m->initial);
		return;
	}
	if (span_eqz(m->mech, "LOGIN"))
		a.challenge = SPAN_LIT("Username:");
	(void)!ipc_reply(c, id, &auth_answer_desc, &a, NULL);
}

static void on_auth_step(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct auth_step *m = in;

	answer_auth(c, id, m->response);
}

static void on_nothing(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
}

/* ---- anvil ---- */

static void on_anvil(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct fixture *f = arg;
	struct anvil_counts v = { .count = f->count, .rate = f->rate };

	(void)!ipc_reply(c, id, &anvil_counts_desc, &v, NULL);
}

/* ---- qmgr ---- */

static void on_begin(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct enq_begin *m = in;
	struct fixture *f = arg;
	int rc;

	str_reset(&f->mail);
	str_reset(&f->body);
	f->begin_id = id;
	if (f->large_fd >= 0)
		close(f->large_fd);
	f->large_fd = -1;
	rc = str_addf(&f->mail, "sender=%.*s flags=%llu helo=%.*s proto=%.*s user=%.*s envid=%.*s", SPAN_ARG(m->sender),
		      (unsigned long long)m->flags, SPAN_ARG(m->helo), SPAN_ARG(m->proto), SPAN_ARG(m->sasl_user),
		      SPAN_ARG(m->envid));
	BUG(rc < 0);
}

static void on_rcpts(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct enq_rcpts *m = in;
	const struct enq_rcpt *r = m->rcpts.v;
	struct fixture *f = arg;
	size_t i;

	for (i = 0; i < m->rcpts.n; i++) {
		(void)!str_addf(&f->mail, " rcpt=%.*s,%.*s,%llu", SPAN_ARG(r[i].address), SPAN_ARG(r[i].orcpt),
				(unsigned long long)r[i].notify);
		if (!span_eq(r[i].orig, r[i].address))
			(void)!str_addf(&f->mail, " orig=%.*s", SPAN_ARG(r[i].orig));
	}
}

static void on_body(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct enq_body *m = in;
	struct fixture *f = arg;

	(void)!str_add_span(&f->body, m->data);
}

static void on_large(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct fixture *f = arg;
	struct enq_large_fd v = { .status = MSG_OK };
	char path[] = "/tmp/smtpd_large_XXXXXX";
	int copy;

	if (f->large_fd >= 0)
		close(f->large_fd);
	f->large_fd = mkostemp(path, O_CLOEXEC);
	unlink(path);
	copy = fcntl(f->large_fd, F_DUPFD_CLOEXEC, 3);
	(void)!ipc_reply(c, id, &enq_large_fd_desc, &v, &copy);
}

static void on_end(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct enq_end *m = in;
	struct fixture *f = arg;
	struct enq_result v = { .status = f->fail_dsn ? MSG_TEMP : MSG_OK, .dsn = span_z(f->fail_dsn) };
	off_t size = f->large_fd >= 0 ? lseek(f->large_fd, 0, SEEK_END) : -1;

	if (size > 0) {
		char *room = str_room(&f->body, (size_t)size);

		BUG(!room || pread(f->large_fd, room, (size_t)size, 0) != (ssize_t)size);
		str_grew(&f->body, (size_t)size);
		close(f->large_fd);
		f->large_fd = -1;
	}
	BUG(m->size != f->body.n);
	f->n_mails += v.status == MSG_OK;
	(void)!ipc_reply(c, f->begin_id, &enq_result_desc, &v, NULL);
}

static void on_abort(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct fixture *f = arg;

	f->n_aborts++;
}

static void on_want(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct fixture *f = arg;
	struct enq_grant g = { f->next_id, 16 };

	f->next_id += 16;
	(void)!ipc_send(c, &enq_grant_desc, &g, NULL);
}

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
}

static const struct ipc_rule resolve_rules[] = { { &rcpt_check_desc, ~0u, on_rcpt_check },
	{ &map_query_desc, ~0u, on_map },
						 { &ptr_query_desc, ~0u, on_ptr } };
static const struct ipc_rule auth_rules[] = { { &auth_start_desc, ~0u, on_auth_start }, { &auth_step_desc,
	~0u, on_auth_step },
					      { &auth_abort_desc, ~0u, on_nothing } };
static const struct ipc_rule anvil_rules[] = { { &anvil_connect_desc, ~0u, on_anvil },
	{ &anvil_occurred_desc, ~0u, on_anvil },
					       { &anvil_disconnect_desc, ~0u, on_nothing } };
static const struct ipc_rule queue_rules[] = { { &enq_want_desc, ~0u, on_want }, { &enq_begin_desc, ~0u, on_begin },
					       { &enq_rcpts_desc, ~0u, on_rcpts }, { &enq_body_desc, ~0u, on_body },
					       { &enq_large_desc, ~0u, on_large }, { &enq_end_desc, ~0u, on_end },
					       { &enq_abort_desc, ~0u, on_abort } };
static const struct ipc_ops ops[FIXTURE_PEERS] = {
	{ "resolve", resolve_rules, ARRAY_LEN(resolve_rules), on_lost, NULL },
	{ "auth", auth_rules, ARRAY_LEN(auth_rules), on_lost, NULL },
	{ "anvil", anvil_rules, ARRAY_LEN(anvil_rules), on_lost, NULL },
	{ "queue", queue_rules, ARRAY_LEN(queue_rules), on_lost, NULL },
};
static const enum channel_kind kinds[FIXTURE_PEERS] = { CHAN_RESOLVE, CHAN_AUTH, CHAN_ANVIL, CHAN_QUEUE };

void fixture_back(struct fixture *f, enum fixture_peer peer)
{
	struct auth_mech mech[] = { { SPAN_LIT("PLAIN"), 1 }, { SPAN_LIT("LOGIN"), 1 }, { SPAN_LIT("CRAM-MD5"), 0 } };
	struct auth_mechs mechs = { { mech, ARRAY_LEN(mech) } };
	int sv[2];

	BUG(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv) < 0);
	server_attach(&f->server, kinds[peer], &sv[0]);
	ipc_attach(&f->peers[peer], &sv[1]);
	if (peer == FIXTURE_AUTH)
		BUG(ipc_send(&f->peers[peer], &auth_mechs_desc, &mechs, NULL) < 0);
	if (peer == FIXTURE_QUEUE)
		on_want(f, &f->peers[peer], 0, NULL, NULL);
}

void fixture_away(struct fixture *f, enum fixture_peer peer)
{
	ipc_close(&f->peers[peer]);
	fixture_settle(f);
}

void fixture_init(struct fixture *f)
{
	struct err err = ERR_INIT;
	size_t i;

	*f = (struct fixture){ .large_fd = -1, .next_id = 1 << 20, .count = 1, .rate = 1, .ptr = "client.example" };
	str_init(&f->settings, 100000);
	str_init(&f->log, 10000000);
	str_init(&f->mail, 10000000);
	str_init(&f->body, 100000000);
	log_set_sink(on_log, f);
	BUG(loop_init(&f->loop, &err) < 0);
	server_init(&f->server, &f->loop);
	for (i = 0; i < FIXTURE_PEERS; i++) {
		ipc_init(&f->peers[i], &f->loop, &ops[i], f);
		fixture_back(f, i);
	}
	fixture_settle(f);
}

int fixture_configure(struct fixture *f, struct err *err)
{
	static const char base[] = "myhostname = mx.example.com\nmydomain = example.com\nmyorigin = example.com\nmynetworks =\n";
	struct conf_errors errors = { 0 };
	struct str text = STR_INIT(200000);
	int rc = str_addf(&text, "%s%s", base, f->settings.p);

	BUG(rc < 0);
	service_unref(&f->svc);
	conf_fini(&f->conf);
	rc = conf_parse(&f->conf, "main.cf", str_span(&text), &errors);
	if (rc < 0)
		err_set(err, ERR_CONF, "%s", errors.n ? errors.v[0] : "syntax");
	conf_errors_fini(&errors);
	str_fini(&text);
	if (rc == 0)
		f->svc = service_new("smtp", &f->conf, &(struct service_keys){ .pem = f->pem }, err);
	return f->svc ? 0 : -1;
}

void fixture_fini(struct fixture *f)
{
	size_t i;

	server_fini(&f->server);
	for (i = 0; i < FIXTURE_PEERS; i++)
		ipc_close(&f->peers[i]);
	service_unref(&f->svc);
	conf_fini(&f->conf);
	loop_fini(&f->loop);
	if (f->large_fd >= 0)
		close(f->large_fd);
	log_set_sink(NULL, NULL);
	str_fini(&f->settings);
	str_fini(&f->log);
	str_fini(&f->mail);
	str_fini(&f->body);
}

int fixture_connect(struct fixture *f, const char *addr, const char *unix_user)
{
	int sv[2];

	BUG(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sv) < 0);
	session_new(&f->server, f->svc, sv[0], addr, 4321, "192.0.2.25", unix_user);
	return sv[1];
}

void fixture_settle(struct fixture *f)
{
	int i;

	/* an answer takes a turn to leave and one to arrive; ten are more than any command needs */
	for (i = 0; i < 10; i++)
		loop_turn(&f->loop, false);
}

char *fixture_make_pem(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_NAME *name = X509_get_subject_name(x);
	BIO *out = BIO_new(BIO_s_mem());
	char *bytes, *pem;
	long n;

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"mx.example.com", -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_set_pubkey(x, key);
	BUG(!X509_sign(x, key, EVP_sha256()));
	PEM_write_bio_X509(out, x);
	PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
	n = BIO_get_mem_data(out, &bytes);
	pem = xstrndup(bytes, (size_t)n);
	BIO_free(out);
	X509_free(x);
	EVP_PKEY_free(key);
	return pem;
}
