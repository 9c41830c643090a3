#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "store/queue.h"

static struct queue_msg sample(struct arena *a)
{
	struct queue_msg m = { .id = 7, .due_ms = 1234567890123, .arrival_ms = 99, .size = 5000, .held = true,
		.large = true,
			       .flags = QUEUE_8BITMIME | QUEUE_LOCAL, .sender = SPAN_LIT("tito@example.com"),
			       .envid = SPAN_LIT("e\0id"), .client_name = SPAN_LIT("host"),
			       .client_addr = SPAN_LIT("::1"),
			       .helo = SPAN_LIT("h"), .protocol = SPAN_LIT("ESMTPSA"), .sasl_method = SPAN_LIT("PLAIN"),
			       .sasl_user = SPAN_LIT("tito") };
	struct queue_rcpt *r = queue_add_rcpt(&m, a);

	r->addr = SPAN_LIT("iqbal@example.com");
	r->orig = SPAN_LIT("Iqbal@example.com");
	r->orcpt = SPAN_LIT("rfc822;Iqbal@example.com");
	r->notify = QUEUE_FAILURE | QUEUE_DELAY;
	r->attempts = 300;
	r->state = QUEUE_SENT;
	r->action = QUEUE_RELAYED;
	r->text = SPAN_LIT("451 later");
	r->dsn = SPAN_LIT("4.3.0");
	r->mta = SPAN_LIT("mx.example");
	r = queue_add_rcpt(&m, a);
	r->kind = QUEUE_COMMAND;
	r->addr = SPAN_LIT("|/usr/bin/x \"a b\"");
	r->as_user = SPAN_LIT("iqbal");
	r->delivered_to = SPAN_LIT("iqbal@example.com");
	r->sender = SPAN_LIT("owner-list@example.com");
	r->parent = 0;
	r->depth = 1;
	r->is_final = 1;
	return m;
}

static void round_trip(void **state)
{
	struct arena a = { 0 };
	struct str out = STR_INIT(1 << 16), again = STR_INIT(1 << 16);
	struct queue_msg m = sample(&a), got;
	struct err err = ERR_INIT;
	uint64_t due;
	bool held, large;

	assert_int_equal(queue_encode(&out, &m), 0);
	assert_int_equal(queue_decode_head(str_span(&out), &due, &held, &large), 0);
	assert_int_equal(due, m.due_ms);
	assert_true(held && large);
	assert_int_equal(queue_decode(&got, 7, str_span(&out), &a, &err), 0);
	assert_int_equal(got.id, 7);
	assert_int_equal(got.arrival_ms, 99);
	assert_int_equal(got.size, 5000);
	assert_int_equal(got.flags, QUEUE_8BITMIME | QUEUE_LOCAL);
	assert_int_equal(got.next_no, 2);
	assert_true(span_eqz(got.sender, "tito@example.com"));
	assert_true(span_eq(got.envid, SPAN_LIT("e\0id")));
	assert_true(span_eqz(got.sasl_user, "tito"));
	assert_int_equal(got.n_rcpts, 2);
	assert_true(span_eqz(got.rcpts[0].orcpt, "rfc822;Iqbal@example.com"));
	assert_int_equal(got.rcpts[0].attempts, 300);
	assert_int_equal(got.rcpts[0].state, QUEUE_SENT);
	assert_int_equal(got.rcpts[0].action, QUEUE_RELAYED);
	assert_int_equal(got.rcpts[1].kind, QUEUE_COMMAND);
	assert_int_equal(got.rcpts[1].parent, 0);
	assert_int_equal(got.rcpts[1].no, 1);
	assert_int_equal(got.rcpts[1].is_final, 1);
	assert_true(span_eqz(got.rcpts[1].sender, "owner-list@example.com"));
	assert_int_equal(queue_encode(&again, &got), 0);
	assert_true(span_eq(str_span(&out), str_span(&again)));
	assert_int_equal(out.p[0], 1);
	got.rcpts[1].via = SPAN_LIT("lmtp:unix:x");
	str_reset(&again);
	assert_int_equal(queue_encode(&again, &got), 0);
	assert_int_equal(again.p[0], 2);
	assert_int_equal(queue_decode(&got, 7, str_span(&again), &a, &err), 0);
	assert_true(got.rcpts[0].via.n == 0 && span_eqz(got.rcpts[1].via, "lmtp:unix:x"));
	assert_true(span_eqz(got.rcpts[1].sender, "owner-list@example.com"));
	str_fini(&out);
	str_fini(&again);
	arena_fini(&a);
}

/* Every shorter record is refused, and no changed byte is ever more than a refusal or another message. */
static void garbage(void **state)
{
	struct arena a = { 0 };
	struct str out = STR_INIT(1 << 16);
	struct queue_msg m = sample(&a), got;
	struct err err = ERR_INIT;
	size_t i, j;

	assert_int_equal(queue_encode(&out, &m), 0);
	m.rcpts[0].via = SPAN_LIT("lmtp:x");
	str_reset(&out);
	assert_int_equal(queue_encode(&out, &m), 0);
	for (i = 0; i < out.n; i++) {
		assert_int_equal(queue_decode(&got, 1, span_sub(str_span(&out), 0, i), &a, &err), -1);
		assert_int_equal(err.kind, ERR_PERM);
	}
	for (i = 0; i < out.n; i++) {
		for (j = 0; j < 8; j++) {
			struct err e = ERR_INIT;

			out.p[i] ^= (char)(1 << j);
			(void)!queue_decode(&got, 1, str_span(&out), &a, &e);
			out.p[i] ^= (char)(1 << j);
		}
	}
	assert_int_equal(str_addc(&out, 'x'), 0);
	assert_int_equal(queue_decode(&got, 1, str_span(&out), &a, &err), -1);
	for (i = 0; i < 20000; i++) {
		char buf[64];
		struct span s = { buf, (size_t)random_below(sizeof(buf)) };

		random_bytes(buf, sizeof(buf));
		buf[0] = (char)(1 + i % 2);
		(void)!queue_decode(&got, 1, s, &a, &err);
		arena_reset(&a);
	}
	str_fini(&out);
	arena_fini(&a);
}

/* Two recipients of one number would share one mailbox file name. */
static void numbers_are_unique(void **state)
{
	static const struct { const char *label; uint32_t first, second, next; int rc; } rows[] = {
		{ "as given", 0, 1, 2, 0 }, { "with a gap", 3, 9, 10, 0 }, { "twice", 1, 1, 2, -1 },
		{ "backwards", 1, 0, 2, -1 }, { "above the next", 0, 2, 2, -1 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena a = { 0 };
		struct str out = STR_INIT(1 << 16);
		struct queue_msg m = sample(&a), got;
		struct err err = ERR_INIT;

		m.rcpts[0].no = rows[i].first;
		m.rcpts[1].no = rows[i].second;
		m.next_no = rows[i].next;
		assert_int_equal(queue_encode(&out, &m), 0);
		if (queue_decode(&got, 1, str_span(&out), &a, &err) != rows[i].rc)
			fail_msg("%s", rows[i].label);
		str_fini(&out);
		arena_fini(&a);
	}
}

static void encode_keeps_the_limit(void **state)
{
	struct arena a = { 0 };
	struct queue_msg m = sample(&a);
	size_t max;

	for (max = 0; max < 200; max++) {
		struct str out = STR_INIT(max);

		assert_int_equal(queue_encode(&out, &m), -1);
		assert_true(out.n <= max);
		str_fini(&out);
	}
	arena_fini(&a);
}

static void ids(void **state)
{
	static const struct { uint64_t id; const char *text; } rows[] = {
		{ 0, "0000000000000" }, { 1, "0000000000001" }, { 31, "000000000000Z" }, { 32, "0000000000010" },
		{ UINT64_MAX, "FZZZZZZZZZZZZ" },
	};
	static const char *const bad[] = { "", "1", "000000000000", "00000000000000", "000000000000U", "000000000000I",
					   "G000000000000", "00000000000 0", "00000/0000000" };
	char a[QUEUE_ID_LEN + 1], b[QUEUE_ID_LEN + 1];
	uint64_t id;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		queue_id_print(a, rows[i].id);
		assert_string_equal(a, rows[i].text);
		assert_int_equal(queue_id_parse(span_z(a), &id), 0);
		assert_true(id == rows[i].id);
	}
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		if (queue_id_parse(span_z(bad[i]), &id) == 0)
			fail_msg("accepted '%s'", bad[i]);
	}
	assert_int_equal(queue_id_parse(SPAN_LIT("fzzzzzzzzzzzz"), &id), 0);
	assert_true(id == UINT64_MAX);
	for (i = 0; i < 10000; i++) {
		uint64_t x, y;

		random_bytes(&x, sizeof(x));
		random_bytes(&y, sizeof(y));
		queue_id_print(a, x);
		queue_id_print(b, y);
		assert_true((x < y) == (strcmp(a, b) < 0));
		assert_int_equal(queue_id_parse(span_z(a), &id), 0);
		assert_true(id == x);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip), cmocka_unit_test(garbage), cmocka_unit_test(numbers_are_unique),
		cmocka_unit_test(encode_keeps_the_limit), cmocka_unit_test(ids),
	};

	return cmocka_run_group_tests_name("queue_codec", tests, NULL, NULL);
}
