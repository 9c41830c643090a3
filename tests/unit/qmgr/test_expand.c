#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "qmgr/expand.h"
#include "svc/msg_resolve.h"

static struct queue_msg message(struct arena *a, const char *addr)
{
	struct queue_msg m = { .sender = SPAN_LIT("tito@x") };
	struct queue_rcpt *r = queue_add_rcpt(&m, a);

	r->addr = r->orig = span_z(addr);
	r->orcpt = SPAN_LIT("rfc822;o@x");
	r->notify = QUEUE_SUCCESS;
	return m;
}

static int expand(struct queue_msg *m, size_t at, const char *const *addrs, size_t n, const char *owner, bool forward,
		  struct arena *a, struct err *err)
{
	struct route_new v[8];
	struct ipc_list l = { v, n };
	size_t i;

	for (i = 0; i < n; i++)
		v[i] = (struct route_new){ .address = span_z(addrs[i]) };
	return expand_rcpt(m, at, &l, owner != NULL, span_z(owner), forward, 10000, a, err);
}

static void inherits(void **state)
{
	static const struct { const char *label, *owner; uint8_t parent_state, notify; const char *orcpt,
		*sender; } rows[] = {
		{ "alias", NULL, QUEUE_CLOSED, QUEUE_SUCCESS, "rfc822;o@x", "" },
		{ "list with an owner", "owner-l@x", QUEUE_SENT, 0, "", "owner-l@x" },
	};
	const char *const to[] = { "a@x", "b@x" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena a = { 0 };
		struct queue_msg m = message(&a, "l@x");
		struct err err = ERR_INIT;

		assert_int_equal(expand(&m, 0, to, 2, rows[i].owner, false, &a, &err), 0);
		assert_int_equal(m.n_rcpts, 3);
		assert_int_equal(m.rcpts[0].state, rows[i].parent_state);
		assert_int_equal(m.rcpts[0].action, QUEUE_EXPANDED);
		assert_int_equal(m.rcpts[2].notify, rows[i].notify);
		assert_int_equal(m.rcpts[2].depth, 1);
		assert_int_equal(m.rcpts[2].no, 2);
		assert_true(span_eqz(m.rcpts[2].orcpt, rows[i].orcpt));
		assert_true(span_eqz(m.rcpts[2].sender, rows[i].sender));
		assert_true(span_eqz(m.rcpts[2].orig, "l@x"));
		arena_fini(&a);
	}
}

/* A command stands for the address whose alias it is, also behind a list in a file. */
static void holders(void **state)
{
	struct route_new v[] = { { SPAN_LIT("/l"), QUEUE_INCLUDE, SPAN_NULL, SPAN_NULL },
				 { SPAN_LIT("x"), QUEUE_COMMAND, SPAN_NULL, SPAN_NULL } };
	struct ipc_list list = { &v[0], 1 }, command = { &v[1], 1 };
	const char *const to[] = { "robot@x" };
	struct arena a = { 0 };
	struct queue_msg m = message(&a, "l@x");
	struct err err = ERR_INIT;

	assert_int_equal(expand(&m, 0, to, 1, NULL, false, &a, &err), 0);
	assert_int_equal(expand_rcpt(&m, 1, &list, false, SPAN_NULL, false, 100, &a, &err), 0);
	assert_int_equal(expand_rcpt(&m, 2, &command, false, SPAN_NULL, false, 100, &a, &err), 0);
	assert_true(span_eqz(expand_holder(&m, &m.rcpts[0], "h", &a), "l@x"));
	assert_true(span_eqz(expand_holder(&m, &m.rcpts[3], "h", &a), "robot@x"));
	m.rcpts[1].addr = SPAN_LIT("robot");
	assert_true(span_eqz(expand_holder(&m, &m.rcpts[3], "h", &a), "robot@h"));
	m.rcpts[2].parent = 77;
	assert_int_equal(expand_holder(&m, &m.rcpts[3], "h", &a).n, 0);
	arena_fini(&a);
}

/* A notice must not get a sender: it could then come back as a notice about a notice. */
static void null_sender_stays(void **state)
{
	const char *const to[] = { "a@x" };
	struct arena a = { 0 };
	struct queue_msg m = message(&a, "l@x");
	struct err err = ERR_INIT;

	m.sender = SPAN_NULL;
	assert_int_equal(expand(&m, 0, to, 1, "owner-l@x", false, &a, &err), 0);
	assert_int_equal(m.rcpts[1].sender.n, 0);
	arena_fini(&a);
}

static void twins_are_left_out(void **state)
{
	const char *const to[] = { "a@x", "A@X", "b@x", "a@x" }, *const again[] = { "b@x", "c@x" };
	struct arena a = { 0 };
	struct queue_msg m = message(&a, "l@x");
	struct err err = ERR_INIT;

	assert_int_equal(expand(&m, 0, to, 4, NULL, false, &a, &err), 0);
	assert_int_equal(m.n_rcpts, 3);
	assert_int_equal(expand(&m, 1, again, 2, NULL, false, &a, &err), 0);
	assert_int_equal(m.n_rcpts, 4);
	assert_true(span_eqz(m.rcpts[3].addr, "c@x"));
	arena_fini(&a);
}

static void loops_become_final(void **state)
{
	const char *const to_b[] = { "b@x" }, *const to_a[] = { "A@x" };
	struct arena a = { 0 };
	struct queue_msg m = message(&a, "a@x");
	struct err err = ERR_INIT;

	assert_int_equal(expand(&m, 0, to_b, 1, NULL, true, &a, &err), 0);
	assert_int_equal(expand(&m, 1, to_a, 1, NULL, true, &a, &err), 0);
	assert_int_equal(m.n_rcpts, 3);
	assert_true(m.rcpts[2].is_final);
	assert_true(span_eqz(m.rcpts[2].delivered_to, "a@x\nb@x"));
	assert_int_equal(expand(&m, 2, to_b, 1, NULL, true, &a, &err), 0);
	assert_true(m.rcpts[3].is_final);
	assert_int_equal(expand(&m, 3, to_a, 1, NULL, true, &a, &err), 0);
	assert_int_equal(m.n_rcpts, 4);         /* it ends */
	arena_fini(&a);
}

/* The same address by another transport is another recipient; passing on is no forwarding. */
static void transports_are_kept_apart(void **state)
{
	struct arena a = { 0 };
	struct queue_msg m = message(&a, "a@x");
	struct err err = ERR_INIT;
	struct route_new v[] = { { .address = SPAN_LIT("A@x"), .via = SPAN_LIT("lmtp:y") },
				 { .address = SPAN_LIT("b@x") },
				 { .address = SPAN_LIT("a@x"), .via = SPAN_LIT("lmtp:y") },
				 { .address = SPAN_LIT("a@x"), .via = SPAN_LIT("virtual") } };
	struct ipc_list l = { v, 4 };

	assert_int_equal(expand_rcpt(&m, 0, &l, false, SPAN_NULL, true, 100, &a, &err), 0);
	assert_int_equal(m.n_rcpts, 4);
	assert_true(span_eqz(m.rcpts[1].via, "lmtp:y") && m.rcpts[1].is_final && m.rcpts[1].delivered_to.n == 0);
	assert_true(m.rcpts[2].via.n == 0 && !m.rcpts[2].is_final && span_eqz(m.rcpts[2].delivered_to, "a@x"));
	assert_true(span_eqz(m.rcpts[3].via, "virtual"));
	v[0].via = SPAN_LIT("x\ny");
	assert_int_equal(expand_rcpt(&m, 2, &l, false, SPAN_NULL, true, 100, &a, &err), -1);
	arena_fini(&a);
}

/* A hundred thousand members, half of them twice in other letters, beside kinds and transports that are not the
 * same. */
static void crowd(void **state)
{
	enum { N = 90000 };
	struct arena a = { 0 };
	struct queue_msg m = message(&a, "l@x");
	struct err err = ERR_INIT;
	struct route_new *v = arena_alloc(&a, N * sizeof(*v));
	struct ipc_list l = { v, N };
	size_t i;

	for (i = 0; i < N; i++)
		v[i].address = span_z(arena_printf(&a, i % 4 == 1 ? "Member-%zu@x" : "member-%zu@X", i / 2));
	v[0].address = SPAN_LIT("L@x");                         /* itself: final */
	v[2] = (struct route_new){ .address = SPAN_LIT("/f"), .kind = QUEUE_FILE, .as_user = SPAN_LIT("a") };
	v[3] = (struct route_new){ .address = SPAN_LIT("/f"), .kind = QUEUE_FILE, .as_user = SPAN_LIT("b") };
	v[4] = (struct route_new){ .address = SPAN_LIT("/F"), .kind = QUEUE_FILE, .as_user = SPAN_LIT("b") };
	v[5] = (struct route_new){ .address = SPAN_LIT("/F"), .kind = QUEUE_FILE, .as_user = SPAN_LIT("b") };
	v[6] = (struct route_new){ .address = SPAN_LIT("member-7@x"), .via = SPAN_LIT("lmtp:x") };
	v[7].address = SPAN_LIT("l@X");
	assert_int_equal(expand_rcpt(&m, 0, &l, false, SPAN_NULL, true, N + 1, &a, &err), 0);
	assert_int_equal(m.n_rcpts, 1 + 6 + (N - 8) / 2);
	assert_true(m.rcpts[1].is_final && !m.rcpts[2].is_final);
	assert_true(span_eqz(m.rcpts[6].via, "lmtp:x"));
	assert_true(span_eqz(m.rcpts[7].addr, "member-4@X"));
	arena_fini(&a);
}

static void limits(void **state)
{
	const char *const to[] = { "next@x" }, *const empty[] = { "" }, *const control[] = { "a\nb@x" };
	struct arena a = { 0 };
	struct queue_msg m = message(&a, "a@x");
	struct err err = ERR_INIT;
	struct ipc_list many = { arena_alloc(&a, 20000 * sizeof(struct route_new)), 20000 };

	assert_int_equal(expand_rcpt(&m, 0, &many, false, SPAN_NULL, false, 10000, &a, &err), -1);
	assert_int_equal(err.kind, ERR_TEMP);
	assert_int_equal(expand(&m, 0, empty, 1, NULL, false, &a, &err), -1);
	assert_int_equal(expand(&m, 0, control, 1, NULL, false, &a, &err), -1);
	assert_int_equal(err.kind, ERR_PROTO);
	m.rcpts[0].depth = EXPAND_DEPTH_MAX;
	assert_int_equal(expand(&m, 0, to, 1, NULL, false, &a, &err), -1);
	assert_int_equal(err.kind, ERR_PERM);
	assert_string_equal(err.dsn, "5.4.6");
	assert_int_equal(m.n_rcpts, 1);
	assert_int_equal(m.rcpts[0].state, QUEUE_WAITING);
	arena_fini(&a);
}

/* What no record could hold is not begun: too many, or a long chain that each of a long list repeats. */
static void record_limits(void **state)
{
	enum { N = QUEUE_RCPT_MAX };
	struct arena a = { 0 };
	struct queue_msg m = message(&a, "a@x");
	struct err err = ERR_INIT;
	struct route_new *v = arena_alloc(&a, N * sizeof(*v));
	struct ipc_list l = { v, N };
	size_t i;

	for (i = 0; i < N; i++)
		v[i].address = span_z(arena_printf(&a, "m%zu@x", i));
	assert_int_equal(expand_rcpt(&m, 0, &l, false, SPAN_NULL, true, 10 * N, &a, &err), -1);
	assert_int_equal(err.kind, ERR_TEMP);
	assert_string_equal(err.dsn, "4.6.0");
	l.n = 8000;
	m.rcpts[0].delivered_to = (struct span){ memset(arena_alloc(&a, 4000), 'x', 4000), 4000 };
	assert_int_equal(expand_rcpt(&m, 0, &l, false, SPAN_NULL, true, N, &a, &err), -1);
	assert_int_equal(err.kind, ERR_TEMP);
	assert_int_equal(m.n_rcpts, 1);
	l.n = 4000;
	assert_int_equal(expand_rcpt(&m, 0, &l, false, SPAN_NULL, true, N, &a, &err), 0);
	assert_true(m.rcpt_bytes > 4000 * 4000);
	l.v = v + 4000;
	assert_int_equal(expand_rcpt(&m, 1, &l, false, SPAN_NULL, true, N, &a, &err), -1);
	assert_int_equal(err.kind, ERR_TEMP);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inherits), cmocka_unit_test(holders), cmocka_unit_test(null_sender_stays), cmocka_unit_test(twins_are_left_out),
		cmocka_unit_test(loops_become_final), cmocka_unit_test(transports_are_kept_apart),
		cmocka_unit_test(crowd), cmocka_unit_test(limits), cmocka_unit_test(record_limits),
	};

	return cmocka_run_group_tests_name("expand", tests, NULL, NULL);
}
