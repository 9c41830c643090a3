#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base64.h"
#include "svc/sasl.h"

/* A fake auth: "good" is the password; CHAL asks once. */
struct fake {
	struct ipc ipc;
	unsigned n_starts, n_steps, n_aborts;
	uint64_t exchange;
	bool is_mute;
	char service[8], initial[64];
	bool has_initial, is_secure;
};

static void answer(struct ipc *c, uint32_t id, enum auth_status status, struct span challenge)
{
	struct auth_answer a = { .status = status, .challenge = challenge };

	if (status == AUTH_OK) {
		a.user = SPAN_LIT("tito@example.com");
		a.ticket = SPAN_LIT("T1");
	}
	assert_int_equal(ipc_reply(c, id, &auth_answer_desc, &a, NULL), 0);
}

static void on_start(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct fake *f = arg;
	const struct auth_start *m = in;

	f->n_starts++;
	f->exchange = m->exchange;
	f->has_initial = m->has_initial;
	f->is_secure = m->is_secure;
	snprintf(f->service, sizeof(f->service), "%.*s", SPAN_ARG(m->service));
	snprintf(f->initial, sizeof(f->initial), "%.*s", SPAN_ARG(m->initial));
	if (f->is_mute)
		return;
	if (m->has_initial)
		answer(c, id, span_eqz(m->initial, "good") ? AUTH_OK : AUTH_FAIL, SPAN_NULL);
	else
		answer(c, id, AUTH_CONTINUE, SPAN_LIT("who?"));
}

static void on_step(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct fake *f = arg;
	const struct auth_step *m = in;

	f->n_steps++;
	assert_int_equal(m->exchange, f->exchange);
	if (!f->is_mute)
		answer(c, id, span_eqz(m->response, "good") ? AUTH_OK : AUTH_FAIL, SPAN_NULL);
}

static void on_abort(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct fake *f = arg;

	assert_int_equal(((const struct auth_abort *)in)->exchange, f->exchange);
	f->n_aborts++;
}

static const struct ipc_rule rules[] = {
	{ &auth_start_desc, ~0u, on_start }, { &auth_step_desc, ~0u, on_step }, { &auth_abort_desc, ~0u, on_abort },
};

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
}

static const struct ipc_ops ops = { "fake", rules, ARRAY_LEN(rules), on_lost, NULL };

struct rig {
	struct loop loop;
	struct sasl a;
	struct fake f;
	struct sasl_exchange x;
	unsigned n_results;
	enum auth_status status;
	char text[64];
};

static void on_result(void *arg, const struct sasl_result *r)
{
	struct rig *g = arg;

	g->n_results++;
	g->status = r->status;
	snprintf(g->text, sizeof(g->text), "%.*s", SPAN_ARG(r->status == AUTH_CONTINUE ? r->challenge : r->ticket));
}

static void spin(struct rig *g)
{
	int i;

	for (i = 0; i < 8; i++)
		loop_turn(&g->loop, false);
}

static void tell_mechs(struct rig *g)
{
	struct auth_mech v[] = { { SPAN_LIT("plain"), 1 }, { SPAN_LIT("CRAM-MD5"), 0 }, { SPAN_LIT("LOGIN"), 1 },
				 { SPAN_LIT("A-NAME-THAT-IS-MUCH-TOO-LONG"), 0 }, { SPAN_LIT(""), 0 } };
	struct auth_mechs m = { { v, ARRAY_LEN(v) } };

	assert_int_equal(ipc_send(&g->f.ipc, &auth_mechs_desc, &m, NULL), 0);
}

static void connect_both(struct rig *g)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	sasl_attach(&g->a, &fds[0]);
	ipc_attach(&g->f.ipc, &fds[1]);
}

static int setup(void **state)
{
	struct rig *g = calloc(1, sizeof(*g));
	struct err err = ERR_INIT;

	assert_int_equal(loop_init(&g->loop, &err), 0);
	sasl_init(&g->a, &g->loop);
	ipc_init(&g->f.ipc, &g->loop, &ops, &g->f);
	connect_both(g);
	*state = g;
	return 0;
}

static int teardown(void **state)
{
	struct rig *g = *state;

	sasl_abort(&g->x);
	sasl_fini(&g->a);
	ipc_close(&g->f.ipc);
	loop_fini(&g->loop);
	free(g);
	return 0;
}

static int begin(struct rig *g, const char *initial)
{
	struct sasl_peer peer = { "pop3", SPAN_LIT("192.0.2.1"), SPAN_LIT("127.0.0.1"), SPAN_LIT("mail"), true };
	struct span in = span_z(initial);

	return sasl_begin(&g->x, &g->a, SPAN_LIT("PLAIN"), initial ? &in : NULL, &peer, on_result, g);
}

static void test_mechs(void **state)
{
	struct rig *g = *state;
	struct str s = STR_INIT(200);

	tell_mechs(g);
	spin(g);
	assert_int_equal(sasl_list(&g->a, true, &s), 0);
	assert_string_equal(s.p, " PLAIN CRAM-MD5 LOGIN");
	str_reset(&s);
	assert_int_equal(sasl_list(&g->a, false, &s), 0);
	assert_string_equal(s.p, " CRAM-MD5");
	assert_true(sasl_mech(&g->a, SPAN_LIT("Plain"))->is_plaintext);
	assert_null(sasl_mech(&g->a, SPAN_LIT("GSSAPI")));
	/* they stay while auth is away */
	ipc_close(&g->f.ipc);
	spin(g);
	assert_non_null(sasl_mech(&g->a, SPAN_LIT("LOGIN")));
	str_fini(&s);
}

static void test_exchange(void **state)
{
	static const struct {
		const char *initial, *response;
		enum auth_status want;
	} rows[] = {
		{ "good", NULL, AUTH_OK }, { "bad", NULL, AUTH_FAIL }, { "", NULL, AUTH_FAIL },
		{ NULL, "good", AUTH_OK },
		{ NULL, "bad", AUTH_FAIL }, { NULL, "", AUTH_FAIL },
	};
	struct rig *g = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		g->n_results = 0;
		assert_int_equal(begin(g, rows[i].initial), 0);
		assert_int_equal(g->n_results, 0);
		spin(g);
		assert_int_equal(g->n_results, 1);
		assert_string_equal(g->f.service, "pop3");
		assert_int_equal(g->f.has_initial, rows[i].initial != NULL);
		assert_true(g->f.is_secure);
		if (rows[i].response) {
			assert_int_equal(g->status, AUTH_CONTINUE);
			assert_string_equal(g->text, "who?");
			assert_true(g->x.is_open);
			assert_int_equal(sasl_step(&g->x, span_z(rows[i].response)), 0);
			spin(g);
			assert_int_equal(g->n_results, 2);
		}
		if (g->status != rows[i].want)
			fail_msg("row %zu: %d", i, g->status);
		if (rows[i].want == AUTH_OK)
			assert_string_equal(g->text, "T1");
		assert_false(g->x.is_open);
	}
}

static void test_abort(void **state)
{
	struct rig *g = *state;

	g->f.is_mute = true;
	assert_int_equal(begin(g, "good"), 0);
	spin(g);
	sasl_abort(&g->x);
	sasl_abort(&g->x);
	spin(g);
	assert_int_equal(g->f.n_aborts, 1);
	assert_int_equal(g->n_results, 0);
	g->f.is_mute = false;
	assert_int_equal(begin(g, NULL), 0);
	spin(g);
	sasl_abort(&g->x);              /* between two steps */
	spin(g);
	assert_int_equal(g->f.n_aborts, 2);
	assert_int_equal(g->n_results, 1);
}

static void test_auth_away(void **state)
{
	struct rig *g = *state;

	g->f.is_mute = true;
	assert_int_equal(begin(g, "good"), 0);
	spin(g);
	ipc_close(&g->f.ipc);
	spin(g);
	assert_int_equal(g->n_results, 1);
	assert_int_equal(g->status, AUTH_TEMP);
	assert_false(g->x.is_open);
	assert_int_equal(begin(g, "good"), -1);
	assert_false(g->x.is_open);
	g->f.is_mute = false;
	connect_both(g);
	assert_int_equal(begin(g, "good"), 0);
	spin(g);
	assert_int_equal(g->status, AUTH_OK);
	/* an exchange between two steps does not survive a new auth */
	assert_int_equal(begin(g, NULL), 0);
	spin(g);
	ipc_close(&g->f.ipc);
	spin(g);
	assert_int_equal(sasl_step(&g->x, SPAN_LIT("good")), -1);
	assert_false(g->x.is_open);
}

static void test_limits(void **state)
{
	struct rig *g = *state;
	struct sasl_peer peer = { .service = "pop3" };
	struct str big = STR_INIT(100000), out = STR_INIT(100000), line = STR_INIT(100000);
	size_t i;

	for (i = 0; i <= SASL_DATA_MAX; i++)
		assert_int_equal(str_addc(&big, 'x'), 0);
	assert_int_equal(begin(g, big.p), -1);
	assert_int_equal(sasl_begin(&g->x, &g->a, str_span(&big), NULL, &peer, on_result, g), -1);
	assert_int_equal(begin(g, NULL), 0);
	spin(g);
	assert_int_equal(sasl_step(&g->x, str_span(&big)), -1);
	assert_false(g->x.is_open);
	spin(g);
	assert_int_equal(g->f.n_aborts, 1);
	assert_int_equal(base64_encode(&line, str_span(&big)), 0);
	assert_int_equal(sasl_decode(&out, str_span(&line), false), -1);
	str_fini(&big);
	str_fini(&out);
	str_fini(&line);
}

static void test_decode(void **state)
{
	static const struct {
		const char *line;
		bool is_initial;
		int rc;
		const char *want;
	} rows[] = {
		{ "Z29vZA==", false, 0, "good" }, { "=", true, 0, "" }, { "=", false, -1, "" }, { "", false, 0, "" },
		{ "Z29vZA=", false, -1, "" }, { "Z29v ZA==", false, -1, "" }, { "*", false, -1, "" },
		{ "Z29vZA==\r", false, -1, "" },
		{ "\xff\xff\xff\xff", false, -1, "" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(100);
		int rc = sasl_decode(&out, span_z(rows[i].line), rows[i].is_initial);

		if (rc != rows[i].rc || (rc == 0 && strcmp(out.p, rows[i].want) != 0))
			fail_msg("\"%s\": %d \"%s\"", rows[i].line, rc, out.p);
		str_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_mechs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exchange, setup, teardown),
		cmocka_unit_test_setup_teardown(test_abort, setup, teardown),
		cmocka_unit_test_setup_teardown(test_auth_away, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test(test_decode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
