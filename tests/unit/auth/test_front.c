/* Whole exchanges: libsasl2's client here, the front over a channel, real worker processes behind it. */
#include <fcntl.h>
#include <poll.h>
#include <sasl/sasl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/exchange.h"
#include "auth/front.h"
#include "auth/scheme.h"
#include "auth/worker.h"
#include "base/clock.h"
#include "base/log.h"
#include "svc/msg_resolve.h"

#define DELAY_MS 300

struct fixture {
	char dir[64];
	struct conf conf;
	struct settings settings;
	struct loop loop;
	struct front *front;
	struct ipc ipc, tickets, pam;   /* our ends */
	pid_t last_worker;
	unsigned spawned, mechs, pam_asked, n_log;
	uint64_t exchange;
	/* the last answer */
	bool has_answer, is_lost;
	struct auth_answer answer;
	struct arena arena;
	struct ticket_user owner;
	struct str log;
};

/* ---- the other ends ---- */

static int spawn(void *arg, const struct settings *s, int *fd_r, pid_t *pid_r, struct err *err)
{
	struct fixture *f = arg;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	*pid_r = fork();
	if (*pid_r == 0) {
		log_set_sink(NULL, NULL);
		dup2(fds[1], 3);
		close_range(4, ~0u, 0);
		fds[1] = 3;
		_exit(worker_run(s, "fixed seed", &fds[1]));
	}
	f->last_worker = *pid_r;
	f->spawned++;
	close(fds[1]);
	*fd_r = fds[0];
	return 0;
}

static void on_mechs(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	((struct fixture *)arg)->mechs = (unsigned)((const struct auth_mechs *)in)->mechs.n;
}

static void on_pam(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct fixture *f = arg;
	const struct pam_check *q = in;
	struct pam_result r = { span_eqz(q->password, "pampass") && span_eqz(q->user, "daemon") ? MSG_OK :
				span_eqz(q->password, "trouble") ? MSG_TEMP : MSG_NO, SPAN_NULL };

	f->pam_asked++;
	assert_true(span_eqz(q->service, f->settings.auth.auth_pam_service));
	assert_int_equal(ipc_reply(c, id, &pam_result_desc, &r, NULL), 0);
}

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
	((struct fixture *)arg)->is_lost = true;
}

static const struct ipc_rule auth_rules[] = { { &auth_mechs_desc, ~0u, on_mechs } };
static const struct ipc_rule pam_rules[] = { { &pam_check_desc, ~0u, on_pam } };
static const struct ipc_ops auth_ops = { "auth", auth_rules, 1, on_lost, NULL };
static const struct ipc_ops ticket_ops = { "ticket", NULL, 0, on_lost, NULL };
static const struct ipc_ops pam_ops = { "pam", pam_rules, 1, on_lost, NULL };

static void connect_end(struct fixture *f, struct ipc *c, const struct ipc_ops *ops,
			void (*attach)(struct front *, int *))
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
	ipc_init(c, &f->loop, ops, f);
	ipc_attach(c, &fds[0]);
	attach(f->front, &fds[1]);
}

/* ---- fixture ---- */

static void on_log(void *arg, enum log_level level, const char *line)
{
	struct fixture *f = arg;

	f->n_log++;
	if (str_addf(&f->log, "%s\n", line) < 0)
		str_reset(&f->log);
}

static void add_user(struct fixture *f, const char *name, const char *secrets, bool is_disabled)
{
	struct account a = { .name = name, .has_ids = true, .uid = 5000, .gid = 5000, .home = "/var/mail/x",
			     .mail = "maildir:~/Maildir", .disabled = is_disabled };
	struct users_edit *e;
	struct err err = ERR_INIT;

	assert_int_equal(users_edit_begin(&e, f->dir, (uid_t)-1, (gid_t)-1, &err), 0);
	assert_int_equal(users_edit_put(e, &a, secrets, &err), 0);
	assert_int_equal(users_edit_commit(&e, &err), 0);
}

static void add_with_password(struct fixture *f, const char *name, const char *password, bool is_disabled)
{
	struct str s = STR_INIT(2000);
	struct err err = ERR_INIT;

	assert_int_equal(scheme_generate(&s, "ARGON2ID", span_z(password), &err), 0);
	assert_int_equal(str_addc(&s, '\n'), 0);
	assert_int_equal(scheme_generate(&s, "SCRAM-SHA-256", span_z(password), &err), 0);
	assert_int_equal(str_addc(&s, '\n'), 0);
	assert_int_equal(scheme_generate(&s, "SCRAM-SHA-1", span_z(password), &err), 0);
	add_user(f, name, s.p, is_disabled);
	str_fini(&s);
}

static void write_passwd(struct fixture *f)
{
	char path[128];
	int fd;
	const char *text = "filed@example.com:{SHA512-CRYPT}$6$CjRGFSEe9ZQdbhVb$fI91M20.15444OdD4WUNeRZQhgj88ODc0NstuceQl"
			   "tRlZ9yvWczHOZLWc72aOLVefYfjs/6CuFp9f8Panffwg0:5000:5000::/v/filed\n"
			   "local:{PLAIN}lpass:5001:5001::/v/local\n"
			   "open:::::::nopassword userdb_uid=5002 userdb_gid=5002 userdb_home=/v/open\n"
			   "near:{PLAIN}pw::::::allow_nets=10.0.0.0/8,127.0.0.0/8\n"
			   "far:{PLAIN}pw::::::allow_nets=10.0.0.0/8,2001:db8::/32,local\n"
			   "locked:!{PLAIN}pw::::::\n"
			   "faulty:{PLAIN}pw:5000::::\n"
			   "hmac:{HMAC-MD5}e02d374fde0dc75a17a557039a3a5338c7743304777dccd376f332bee68d2cf6\n";

	snprintf(path, sizeof(path), "%s/passwd", f->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void configure(struct fixture *f, const char *extra)
{
	struct conf_errors errors = { 0 };
	struct err err = ERR_INIT;
	char text[2000];

	snprintf(text, sizeof(text),
		 "data_directory = %s\nauth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256\n"
		 "auth_passdb = users, passwd-file:%s/passwd, pam\nvirtual_mailbox_domains = example.com\n"
		 "mydestination = host.test, localhost\nmyhostname = host.test\nauth_failure_delay = 0s\n"
		 "auth_verbose = yes\n%s\n", f->dir, f->dir, extra);
	if (conf_parse(&f->conf, "main.cf", span_z(text), &errors) < 0)
		fail_msg("%s", errors.v[0]);
	conf_errors_fini(&errors);
	if (settings_read(&f->settings, &f->conf, true, &err) < 0)
		fail_msg("%s", err.msg);
	/* main.cf knows whole seconds only */
	f->settings.auth.auth_failure_delay_ms = DELAY_MS;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err = ERR_INIT;

	snprintf(f->dir, sizeof(f->dir), "/tmp/surat-auth-XXXXXX");
	if (!mkdtemp(f->dir) || loop_init(&f->loop, &err) < 0)
		return -1;
	str_init(&f->log, 100000);
	log_set_sink(on_log, f);
	configure(f, "");
	add_with_password(f, "tito@example.com", "s3cret pässwörd", false);
	add_with_password(f, "gone@example.com", "secret", true);
	add_user(f, "plain@example.com", "{PLAIN}open sesame", false);
	add_user(f, "broken@example.com", "{ARGON2ID}rubbish", false);
	write_passwd(f);
	f->front = front_new(&f->loop, &f->settings, spawn, f);
	connect_end(f, &f->ipc, &auth_ops, front_attach);
	connect_end(f, &f->tickets, &ticket_ops, front_attach_tickets);
	connect_end(f, &f->pam, &pam_ops, front_attach_pam);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "users.mdb", "secrets.mdb", "users.lock", "passwd" };
	struct fixture *f = *state;
	char path[128];
	size_t i;

	front_free(f->front);
	ipc_close(&f->ipc);
	ipc_close(&f->tickets);
	ipc_close(&f->pam);
	loop_fini(&f->loop);
	log_set_sink(NULL, NULL);
	settings_fini(&f->settings);
	conf_fini(&f->conf);
	arena_fini(&f->arena);
	str_fini(&f->log);
	for (i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->dir, names[i]);
		unlink(path);
	}
	rmdir(f->dir);
	free(f);
	return 0;
}

/* ---- the client ---- */

struct login {
	const char *name, *password;
};

static int get_simple(void *ctx, int id, const char **result, unsigned *len)
{
	struct login *l = ctx;

	*result = l->name;
	if (len)
		*len = (unsigned)strlen(l->name);
	return SASL_OK;
}

static int get_secret(sasl_conn_t *conn, void *ctx, int id, sasl_secret_t **secret)
{
	static union {
		sasl_secret_t s;
		char room[400];
	} u;
	struct login *l = ctx;

	u.s.len = strlen(l->password);
	memcpy(u.s.data, l->password, u.s.len + 1);
	*secret = &u.s;
	return SASL_OK;
}

typedef int callback_fn(void);
#define FN(f) ((callback_fn *)(void *)(f))

static void on_answer(void *arg, enum ipc_rc rc, const void *in, int *fd)
{
	struct fixture *f = arg;
	const struct auth_answer *a = in;

	f->has_answer = true;
	f->answer = rc == IPC_OK ? *a : (struct auth_answer){ .status = AUTH_TEMP };
	f->answer.challenge = arena_span(&f->arena, f->answer.challenge);
	f->answer.user = arena_span(&f->arena, f->answer.user);
	f->answer.ticket = arena_span(&f->arena, f->answer.ticket);
	f->answer.text = arena_span(&f->arena, f->answer.text);
}

static void run_until(struct fixture *f, const bool *flag)
{
	uint64_t end = clock_mono_ms() + 20000;

	while (!*flag) {
		loop_turn(&f->loop, true);
		if (clock_mono_ms() > end)
			fail_msg("nothing came within 20 s");
	}
}

static enum auth_status start(struct fixture *f, const struct auth_start *s)
{
	struct ipc_req req = { 0 };

	f->has_answer = false;
	assert_int_equal(ipc_call(&f->ipc, &auth_start_desc, s, NULL, &auth_answer_desc, &req, on_answer, f, 0), 0);
	run_until(f, &f->has_answer);
	return (enum auth_status)f->answer.status;
}

static enum auth_status step(struct fixture *f, struct span response)
{
	struct auth_step s = { f->exchange, response };
	struct ipc_req req = { 0 };

	f->has_answer = false;
	assert_int_equal(ipc_call(&f->ipc, &auth_step_desc, &s, NULL, &auth_answer_desc, &req, on_answer, f, 0), 0);
	run_until(f, &f->has_answer);
	return (enum auth_status)f->answer.status;
}

static struct auth_start start_of(struct fixture *f, const char *mech, struct span initial, bool has_initial,
				  const char *service)
{
	return (struct auth_start){ ++f->exchange, span_z(mech), has_initial, initial, span_z(service),
				    SPAN_LIT("127.0.0.1"), SPAN_LIT("127.0.0.1"), SPAN_LIT("host.test"), 1 };
}

/* libsasl2's client as far as the exchange goes. */
static enum auth_status login(struct fixture *f, const char *mech, const char *name, const char *password,
			      const char *service)
{
	struct login l = { name, password };
	const sasl_callback_t callbacks[] = { { SASL_CB_USER, FN(get_simple), &l },
					      { SASL_CB_AUTHNAME, FN(get_simple), &l },
					      { SASL_CB_PASS, FN(get_secret), &l },
					      { SASL_CB_LIST_END, NULL, NULL } };
	sasl_conn_t *conn = NULL;
	const char *out = NULL, *used;
	unsigned n = 0;
	int rc;
	struct auth_start s;
	enum auth_status status;

	assert_int_equal(sasl_client_new(service, "host.test", NULL, NULL, callbacks, 0, &conn), SASL_OK);
	rc = sasl_client_start(conn, mech, NULL, &out, &n, &used);
	assert_true(rc == SASL_OK || rc == SASL_CONTINUE);
	s = start_of(f, mech, (struct span){ out, n }, out != NULL, service);
	status = start(f, &s);
	while (status == AUTH_CONTINUE) {
		out = NULL;
		n = 0;
		rc = sasl_client_step(conn, f->answer.challenge.n ? f->answer.challenge.p : "",
				      (unsigned)f->answer.challenge.n, NULL, &out, &n);
		if (rc != SASL_OK && rc != SASL_CONTINUE)
			fail_msg("%s: the client does not like the challenge: %s", mech, sasl_errdetail(conn));
		status = step(f, (struct span){ out, n });
	}
	sasl_dispose(&conn);
	return status;
}

/* ---- tests ---- */

static const char *const all_mechs[] = { "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256" };

static void mechanisms(void **state)
{
	/* one letter per mechanism in order: o(k), f(ail), t(emp), r(efused) */
	static const struct {
		const char *label, *name, *password, *want, *user;
	} rows[] = {
		{ "stored verifiers", "tito@example.com", "s3cret pässwörd", "oofoo", "tito@example.com" },
		{ "bare name", "tito", "s3cret pässwörd", "oofoo", "tito@example.com" },
		{ "any case", "TITO@Example.COM", "s3cret pässwörd", "oofoo", "tito@example.com" },
		{ "wrong password", "tito", "wrong", "fffff", NULL },
		{ "unknown user", "nobody@example.com", "wrong", "fffff", NULL },
		{ "stored in clear", "plain", "open sesame", "ooooo", "plain@example.com" },
		{ "passwd-file", "filed", "test", "oofff", "filed@example.com" },
		{ "passwd-file, bare", "local", "lpass", "ooooo", "local" },
		{ "passwd-file, domain is ours", "local@host.test", "lpass", "ooooo", "local" },
		{ "passwd-file, foreign domain", "local@other.test", "lpass", "fffff", NULL },
		{ "system user", "daemon", "pampass", "oofff", "daemon" },
		{ "system user with our domain", "daemon@localhost", "pampass", "oofff", "daemon" },
		{ "system user with a virtual domain", "daemon@example.com", "pampass", "fffff", NULL },
		{ "PAM in trouble", "daemon", "trouble", "ttfff", NULL },
		{ "disabled", "gone", "secret", "rrfrr", NULL },
		{ "disabled, wrong password", "gone", "wrong", "fffff", NULL },
		{ "damaged verifier", "broken", "x", "ttfff", NULL },
		{ "path as name", "../../etc/passwd", "x", "fffff", NULL },
		{ "bad UTF-8", "t\xffto", "x", "fffff", NULL },
		{ "percent hack", "tito%example.com@x.test", "x", "fffff", NULL },
		{ "from an allowed network", "near", "pw", "ooooo", "near" },
		{ "from elsewhere", "far", "pw", "fffff", NULL },
		{ "locked", "locked", "pw", "fffff", NULL },
		{ "faulty line", "faulty", "pw", "ttttt", NULL },
		{ "CRAM-MD5's other name", "hmac", "test", "oooff", "hmac" },
		{ "no such account has no password", "open", "anything", "oofff", "open" },
	};
	struct fixture *f = *state;
	size_t i, j;

	f->settings.auth.auth_failure_delay_ms = 1;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		for (j = 0; j < ARRAY_LEN(all_mechs); j++) {
			enum auth_status want = rows[i].want[j] == 'o' ? AUTH_OK : rows[i].want[j] == 'f' ? AUTH_FAIL :
						rows[i].want[j] == 't' ? AUTH_TEMP : AUTH_REFUSED;
			enum auth_status got = login(f, all_mechs[j], rows[i].name, rows[i].password, "smtp");

			if (got != want)
				fail_msg("%s, %s: %d instead of %d (%.*s)", rows[i].label, all_mechs[j], got, want,
					 SPAN_ARG(f->answer.text));
			if (got == AUTH_OK && !span_eqz(f->answer.user, rows[i].user))
				fail_msg("%s, %s: user %.*s", rows[i].label, all_mechs[j], SPAN_ARG(f->answer.user));
			if (got == AUTH_OK)
				assert_int_equal(f->answer.ticket.n, 0);
			if (got == AUTH_FAIL)
				assert_true(span_eqz(f->answer.text, "Authentication failed"));
		}
	}
	assert_int_equal(front_count(f->front), 0);
	assert_null(strstr(f->log.p, "s3cret"));
	assert_null(strstr(f->log.p, "sesame"));
}

static void long_input(void **state)
{
	struct fixture *f = *state;
	static char big[60000];
	struct auth_start s;

	f->settings.auth.auth_failure_delay_ms = 1;
	memset(big, 'a', sizeof(big));
	s = start_of(f, "PLAIN", (struct span){ big, sizeof(big) }, true, "smtp");
	assert_int_equal(start(f, &s), AUTH_FAIL);
	s = start_of(f, "PLAIN", SPAN_NULL, false, "smtp");
	assert_int_equal(start(f, &s), AUTH_CONTINUE);
	assert_int_equal(f->answer.challenge.n, 0);
	assert_int_equal(step(f, (struct span){ big, 9000 }), AUTH_FAIL);
	big[0] = '\0';
	big[300] = '\0';
	s = start_of(f, "PLAIN", (struct span){ big, 2000 }, true, "smtp");
	assert_int_equal(start(f, &s), AUTH_FAIL);
}

static void malformed(void **state)
{
	static const struct {
		const char *label, *mech;
		struct span initial;
	} rows[] = {
		{ "empty PLAIN", "PLAIN", { "", 0 } },
		{ "no NUL", "PLAIN", { "tito", 4 } },
		{ "one NUL", "PLAIN", { "tito\0x", 6 } },
		{ "empty password", "PLAIN", { "\0tito\0", 6 } },
		{ "empty name", "PLAIN", { "\0\0secret", 8 } },
		{ "NUL in the password", "PLAIN", { "\0tito\0sec\0ret", 13 } },
		{ "another authzid", "PLAIN", { "plain@example.com\0tito\0s3cret p\xc3\xa4sswo\xcc\x88rd", 38 } },
		{ "rubbish SCRAM", "SCRAM-SHA-256", { "rubbish", 7 } },
		{ "SCRAM without name", "SCRAM-SHA-256", { "n,,n=,r=abcdefghijkl", 20 } },
		{ "SCRAM with channel binding", "SCRAM-SHA-256", { "p=tls-unique,,n=tito,r=abcdefghijkl", 35 } },
		{ "SCRAM with another authzid", "SCRAM-SHA-1", { "n,a=plain,n=tito,r=abcdefghijkl", 31 } },
	};
	struct fixture *f = *state;
	size_t i;

	f->settings.auth.auth_failure_delay_ms = 1;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct auth_start s = start_of(f, rows[i].mech, rows[i].initial, true, "smtp");
		enum auth_status got = start(f, &s);

		if (got == AUTH_CONTINUE)
			got = step(f, SPAN_LIT("c=biws,r=nonsense,p=AAAA"));
		if (got != AUTH_FAIL)
			fail_msg("%s: %d", rows[i].label, got);
	}
	assert_int_equal(login(f, "PLAIN", "tito", "s3cret pässwörd", "smtp"), AUTH_OK);
	assert_int_equal(f->spawned, 1);
}

/* No name may be told from another by what SCRAM shows before the proof. */
static void scram_hides_names(void **state)
{
	static const char *const names[] = { "tito", "nobody", "filed" };
	struct fixture *f = *state;
	char first[3][200], again[200], client[100];
	struct span challenge;
	size_t i;

	f->settings.auth.auth_failure_delay_ms = 1;
	for (i = 0; i < ARRAY_LEN(names); i++) {
		struct auth_start s;
		int round;

		snprintf(client, sizeof(client), "n,,n=%s,r=abcdefghijkl", names[i]);
		for (round = 0; round < 2; round++) {
			s = start_of(f, "SCRAM-SHA-256", span_z(client), true, "smtp");
			assert_int_equal(start(f, &s), AUTH_CONTINUE);
			challenge = f->answer.challenge;
			snprintf(round ? again : first[i], 200, "%s", strstr(challenge.p, ",s="));
			assert_int_equal(step(f, SPAN_LIT("c=biws,r=x,p=AAAA")), AUTH_FAIL);
		}
		assert_string_equal(first[i], again);
		assert_int_equal(strlen(first[i]), strlen(first[0]));
		assert_string_equal(strstr(first[i], ",i="), strstr(first[0], ",i="));
	}
	assert_string_not_equal(first[0], first[1]);
}

static void failures_wait(void **state)
{
	static const struct {
		const char *label, *mech, *name, *password, *user;
	} rows[] = { { "unknown", "PLAIN", "nobody", "x", "nobody@example.com" },
		     { "wrong", "PLAIN", "tito", "x", "tito@example.com" },
		     { "wrong digest", "SCRAM-SHA-256", "tito", "x", "tito@example.com" },
		     { "bad name", "PLAIN", "a/b", "x", "" } };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t before = clock_mono_ms(), took;

		assert_int_equal(login(f, rows[i].mech, rows[i].name, rows[i].password, "smtp"), AUTH_FAIL);
		if (!span_eqz(f->answer.user, rows[i].user))
			fail_msg("%s: user %.*s", rows[i].label, SPAN_ARG(f->answer.user));
		took = clock_mono_ms() - before;
		if (took < DELAY_MS || took > DELAY_MS + 1500)
			fail_msg("%s took %llu ms", rows[i].label, (unsigned long long)took);
	}
	assert_int_equal(login(f, "PLAIN", "tito", "s3cret pässwörd", "smtp"), AUTH_OK);
}

static void tenth_guess_is_slow(void **state)
{
	struct fixture *f = *state;
	uint64_t before, took = 0;
	int i;

	f->settings.auth.auth_failure_delay_ms = 20;
	for (i = 0; i < 10; i++) {
		struct auth_start s = start_of(f, "PLAIN", (struct span){ "\0tito\0x", 7 }, true, "smtp");

		s.remote_addr = i % 2 ? SPAN_LIT("2001:db8::1") : SPAN_LIT("2001:db8::99");
		before = clock_mono_ms();
		assert_int_equal(start(f, &s), AUTH_FAIL);
		took = clock_mono_ms() - before;
	}
	assert_true(took >= 180);       /* 20 before and 160 after */
}

static void on_owner(void *arg, enum ipc_rc rc, const void *in, int *fd)
{
	struct fixture *f = arg;

	assert_int_equal(rc, IPC_OK);
	f->owner = *(const struct ticket_user *)in;
	f->owner.user = arena_span(&f->arena, f->owner.user);
	f->owner.home = arena_span(&f->arena, f->owner.home);
	f->owner.mail = arena_span(&f->arena, f->owner.mail);
	f->has_answer = true;
}

static uint64_t redeem(struct fixture *f, struct span ticket, const char *service)
{
	struct ticket_redeem m = { ticket, span_z(service) };
	struct ipc_req req = { 0 };

	f->has_answer = false;
	assert_int_equal(ipc_call(&f->tickets, &ticket_redeem_desc, &m, NULL, &ticket_user_desc, &req, on_owner, f, 0),
			 0);
	run_until(f, &f->has_answer);
	return f->owner.status;
}

static void tickets_work_once(void **state)
{
	struct fixture *f = *state;
	struct span ticket;

	assert_int_equal(login(f, "SCRAM-SHA-256", "tito", "s3cret pässwörd", "pop3"), AUTH_OK);
	ticket = f->answer.ticket;
	assert_int_equal(ticket.n, 32);
	assert_int_equal(redeem(f, ticket, "pop3"), MSG_OK);
	assert_true(span_eqz(f->owner.user, "tito@example.com"));
	assert_true(span_eqz(f->owner.mail, "/var/mail/x/Maildir"));
	assert_int_equal(f->owner.uid, 5000);
	assert_int_equal(redeem(f, ticket, "pop3"), MSG_NO);
	assert_int_equal(login(f, "PLAIN", "local", "lpass", "imap"), AUTH_OK);
	ticket = f->answer.ticket;
	assert_int_equal(redeem(f, ticket, "pop3"), MSG_NO);
	assert_int_equal(redeem(f, ticket, "imap"), MSG_NO);
	assert_int_equal(redeem(f, SPAN_LIT("00000000000000000000000000000000"), "imap"), MSG_NO);
	assert_int_equal(redeem(f, SPAN_NULL, "imap"), MSG_NO);
	/* uid of daemon is below first_valid_uid */
	assert_int_equal(login(f, "PLAIN", "daemon", "pampass", "pop3"), AUTH_REFUSED);
}

/* Settings that a reload brings. */
static void other_settings(void **state)
{
	struct fixture *f = *state;

	f->settings.auth.auth_pam_service = "other";
	f->settings.auth.auth_ticket_lifetime_ms = 1;
	front_configure(f->front, &f->settings);
	assert_int_equal(login(f, "PLAIN", "daemon", "pampass", "smtp"), AUTH_OK);
	assert_true(f->pam_asked > 0);
	assert_int_equal(login(f, "PLAIN", "local", "lpass", "imap"), AUTH_OK);
	poll(NULL, 0, 20);
	assert_int_equal(redeem(f, f->answer.ticket, "imap"), MSG_NO);
}

static void refused_starts(void **state)
{
	struct fixture *f = *state;
	struct auth_start s = start_of(f, "DIGEST-MD5", SPAN_NULL, false, "smtp");

	assert_int_equal(start(f, &s), AUTH_REFUSED);
	s = start_of(f, "", SPAN_NULL, false, "smtp");
	assert_int_equal(start(f, &s), AUTH_REFUSED);
	s = start_of(f, "PLAIN", SPAN_NULL, false, "");
	assert_int_equal(start(f, &s), AUTH_REFUSED);
	s = start_of(f, "PLAIN", SPAN_NULL, false, "smtp");
	s.is_secure = 0;
	s.remote_addr = SPAN_LIT("192.0.2.1");
	assert_int_equal(start(f, &s), AUTH_REFUSED);
	s.mech = SPAN_LIT("CRAM-MD5");
	assert_int_equal(start(f, &s), AUTH_CONTINUE);
	s.exchange = f->exchange;
	assert_int_equal(start(f, &s), AUTH_REFUSED);
	assert_int_equal(step(f, SPAN_LIT("x")), AUTH_FAIL);
	assert_int_equal(step(f, SPAN_LIT("x")), AUTH_TEMP);
	assert_int_equal(f->mechs, 5);
}

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif

static long resident_pages(pid_t pid)
{
	char path[64];
	long size = 0, pages = 0;
	FILE *p;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	p = fopen(path, "r");
	assert_non_null(p);
	assert_int_equal(fscanf(p, "%ld %ld", &size, &pages), 2);
	fclose(p);
	return pages;
}

static void aborted_exchanges(void **state)
{
	struct fixture *f = *state;
	struct auth_start s;
	long before = 0;
	int i;

	for (i = 0; i < 2000; i++) {
		struct auth_abort a;

		s = start_of(f, all_mechs[i % 5], SPAN_NULL, false, "smtp");
		assert_int_equal(start(f, &s), AUTH_CONTINUE);
		a = (struct auth_abort){ f->exchange };
		assert_int_equal(ipc_send(&f->ipc, &auth_abort_desc, &a, NULL), 0);
		if (i == 200)
			before = resident_pages(f->last_worker) + resident_pages(getpid());
	}
#ifndef HAS_ASAN
	assert_true(resident_pages(f->last_worker) + resident_pages(getpid()) - before < 128);
#else
	(void)before;
#endif
	assert_int_equal(login(f, "PLAIN", "tito", "s3cret pässwörd", "smtp"), AUTH_OK);
	assert_int_equal(front_count(f->front), 0);
	for (i = 0; i <= FRONT_EXCHANGES_MAX; i++) {
		s = start_of(f, "LOGIN", SPAN_NULL, false, "smtp");
		assert_int_equal(start(f, &s), i < FRONT_EXCHANGES_MAX ? AUTH_CONTINUE : AUTH_TEMP);
	}
	assert_int_equal(front_count(f->front), FRONT_EXCHANGES_MAX);
	/* a front end that goes takes its exchanges along */
	ipc_close(&f->ipc);
	while (front_count(f->front) > 0)
		loop_turn(&f->loop, true);
	connect_end(f, &f->ipc, &auth_ops, front_attach);
	assert_int_equal(login(f, "PLAIN", "tito", "s3cret pässwörd", "smtp"), AUTH_OK);
}

static void worker_crash(void **state)
{
	struct fixture *f = *state;
	struct auth_start s = start_of(f, "LOGIN", SPAN_NULL, false, "smtp");
	uint64_t first = f->exchange, second;

	assert_int_equal(start(f, &s), AUTH_CONTINUE);
	kill(f->last_worker, SIGKILL);
	s = start_of(f, "LOGIN", SPAN_NULL, false, "smtp");
	second = f->exchange;
	/* a second worker: the first counts as busy */
	assert_int_equal(start(f, &s), AUTH_CONTINUE);
	f->exchange = first;
	assert_int_equal(step(f, SPAN_LIT("tito")), AUTH_TEMP);
	f->exchange = second;
	assert_int_equal(step(f, SPAN_LIT("tito")), AUTH_CONTINUE);
	assert_int_equal(step(f, SPAN_LIT("s3cret p\xc3\xa4ssw\xc3\xb6rd")), AUTH_OK);
	assert_non_null(strstr(f->log.p, "died of signal 9"));
	f->exchange = second;
	assert_int_equal(login(f, "PLAIN", "tito", "s3cret pässwörd", "smtp"), AUTH_OK);
	assert_int_equal(front_count(f->front), 0);
}

static void reload_keeps_exchanges(void **state)
{
	struct fixture *f = *state;
	struct auth_start s = start_of(f, "LOGIN", SPAN_NULL, false, "smtp");
	unsigned before;

	assert_int_equal(start(f, &s), AUTH_CONTINUE);
	f->settings.auth.auth_mechanisms.n = 2;
	f->mechs = 0;
	before = f->spawned;
	front_configure(f->front, &f->settings);
	assert_int_equal(step(f, SPAN_LIT("tito")), AUTH_CONTINUE);
	assert_int_equal(step(f, SPAN_LIT("s3cret p\xc3\xa4ssw\xc3\xb6rd")), AUTH_OK);
	assert_int_equal(f->mechs, 2);
	assert_int_equal(login(f, "PLAIN", "tito", "s3cret pässwörd", "smtp"), AUTH_OK);
	assert_int_equal(f->spawned, before + 1);
}

/* "surat user add" and "passwd" count from the next login on. */
static void changed_store(void **state)
{
	struct fixture *f = *state;

	f->settings.auth.auth_failure_delay_ms = 1;
	assert_int_equal(login(f, "PLAIN", "fresh", "one", "smtp"), AUTH_FAIL);
	add_with_password(f, "fresh@example.com", "one", false);
	assert_int_equal(login(f, "PLAIN", "fresh", "one", "smtp"), AUTH_OK);
	add_with_password(f, "fresh@example.com", "two", false);
	assert_int_equal(login(f, "PLAIN", "fresh", "one", "smtp"), AUTH_FAIL);
	assert_int_equal(login(f, "SCRAM-SHA-256", "fresh", "two", "smtp"), AUTH_OK);
}

static void no_pam(void **state)
{
	struct fixture *f = *state;

	f->settings.auth.auth_failure_delay_ms = 1;
	ipc_close(&f->pam);
	while (f->pam_asked == 0 && f->n_log == 0 && login(f, "PLAIN", "daemon", "pampass", "smtp") != AUTH_TEMP)
		continue;
	assert_int_equal(login(f, "PLAIN", "daemon", "pampass", "smtp"), AUTH_TEMP);
	assert_int_equal(login(f, "PLAIN", "tito", "s3cret pässwörd", "smtp"), AUTH_OK);
	connect_end(f, &f->pam, &pam_ops, front_attach_pam);
	assert_int_equal(login(f, "PLAIN", "daemon", "pampass", "smtp"), AUTH_OK);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(mechanisms),      T(long_input),       T(malformed),      T(scram_hides_names), T(failures_wait),
		T(tenth_guess_is_slow), T(tickets_work_once), T(other_settings), T(refused_starts), T(aborted_exchanges), T(worker_crash),
		T(reload_keeps_exchanges), T(changed_store), T(no_pam),
	};
	struct err err = ERR_INIT;

	signal(SIGPIPE, SIG_IGN);
	if (exchange_init(&err) < 0 || sasl_client_init(NULL) != SASL_OK) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
