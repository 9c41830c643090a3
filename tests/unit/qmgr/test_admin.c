#include "tests/unit/qmgr/rig.h"

#include "base/clock.h"

static void admin_lists_and_shows(void **state)
{
	struct rig *r = *state;
	uint64_t id = 0;
	struct adm_show show;
	size_t i;

	rig_list(r);
	assert_int_equal(r->rows, 0);
	for (i = 0; i < 60; i++) {
		id = rig_submit(r, "tito@x", i < 50 ? "later@x" : "iqbal@x", 0);
		UNTIL(r, r->accepted == i + 1);
	}
	UNTIL(r, r->q.n_active == 10 && r->local.n == 10);
	rig_list(r);
	assert_int_equal(r->rows, 60);
	assert_int_equal(r->active_rows, 10);
	assert_int_equal(r->done.count, 60);
	show.qid = id;
	rig_attach_tool(r);
	assert_int_equal(ipc_send(&r->tool, &adm_show_desc, &show, NULL), 0);
	UNTIL(r, r->has_done);
	assert_int_equal(r->done.count, 1);
	assert_true(r->record_size > 0 && r->shown_size == r->record_size + strlen(rig_body));
	assert_string_equal(r->shown, rig_body);
	show.qid = 1;
	rig_attach_tool(r);
	assert_int_equal(ipc_send(&r->tool, &adm_show_desc, &show, NULL), 0);
	UNTIL(r, r->has_done);
	assert_int_equal(r->done.count, 0);
}

/* More rows than one frame, one slice and one send queue hold. */
static void admin_with_many(void **state)
{
	struct rig *r = *state;
	struct err err = ERR_INIT;
	struct arena a = { 0 };
	struct str record = STR_INIT(1 << 16);
	struct queue_txn t;
	struct queue_msg m = { .sender = SPAN_LIT("tito@x"), .due_ms = UINT64_MAX / 2 };
	size_t i;

	queue_add_rcpt(&m, &a)->addr = SPAN_LIT("iqbal@x");
	assert_int_equal(queue_encode(&record, &m), 0);
	assert_int_equal(queue_begin(r->q.queue, &t, &err), 0);
	for (i = 0; i < 20000; i++)
		assert_int_equal(queue_add(&t, queue_new_ids(r->q.queue, 1), str_span(&record), SPAN_LIT("x"), &err),
				 0);
	assert_int_equal(queue_commit(&t, &err), 0);
	rig_list(r);
	assert_int_equal(r->rows, 20000);
	assert_int_equal(rig_act(r, ADM_HOLD, 0), 20000);
	assert_int_equal(rig_held(r), 20000);
	assert_int_equal(rig_act(r, ADM_HOLD, 0), 0);
	assert_int_equal(rig_act(r, ADM_DELETE, 0), 20000);
	assert_int_equal(rig_messages(r), 0);
	str_fini(&record);
	arena_fini(&a);
}

static void admin_hold_release_retry(void **state)
{
	struct rig *r = *state;
	uint64_t id = rig_submit(r, "tito@x", "later@x", 0), active;
	struct queue_msg m;
	struct arena a = { 0 };

	UNTIL(r, r->accepted == 1 && r->q.n_active == 0);
	assert_int_equal(rig_act(r, ADM_HOLD, id), 1);
	rig_stored(r, id, &m, &a);
	assert_true(m.held && m.due_ms == 0);
	assert_int_equal(rig_act(r, ADM_RETRY, id), 0);
	assert_int_equal(rig_act(r, ADM_RELEASE, id), 1);
	UNTIL(r, r->q.n_active == 0);
	rig_stored(r, id, &m, &a);
	assert_int_equal(m.rcpts[0].attempts, 2);
	assert_int_equal(rig_act(r, ADM_RETRY, id), 1);
	UNTIL(r, r->q.n_active == 0);
	rig_stored(r, id, &m, &a);
	assert_int_equal(m.rcpts[0].attempts, 3);
	assert_int_equal(rig_act(r, ADM_DELETE, id), 1);
	assert_int_equal(rig_messages(r), 0);
	assert_int_equal(rig_act(r, ADM_DELETE, id), 0);

	active = rig_submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->local.n == 1);
	assert_int_equal(rig_act(r, ADM_HOLD, active), 1);
	assert_int_equal(r->q.n_active, 1);     /* until the agent has answered */
	rig_report(&r->local, &r->local.jobs[0], 0, DLV_DEFERRED, "4.2.2", "over quota", false);
	UNTIL(r, r->q.n_active == 0);
	rig_stored(r, active, &m, &a);
	assert_true(m.held);
	arena_fini(&a);
}

static void admin_deletes_what_waits_for_an_agent(void **state)
{
	struct rig *r = *state;
	uint64_t id;

	UNTIL(r, r->q.hello_done);
	ipc_close(&r->local.ipc);
	id = rig_submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->accepted == 1 && r->q.n_active == 1);
	rig_turns(r, 10);
	assert_int_equal(rig_act(r, ADM_DELETE, id), 1);
	UNTIL(r, rig_messages(r) == 0 && r->q.n_active == 0);
}

/* The word comes while the writer has the message's end: it counts all the same. */
static void admin_word_while_finishing(void **state)
{
	static const enum adm_what words[] = { ADM_DELETE, ADM_HOLD, ADM_RETRY };
	struct rig *r = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(words); i++) {
		uint64_t id = rig_submit(r, "tito@x", "iqbal@x", 0);
		struct queue_msg m;
		struct arena a = { 0 };

		UNTIL(r, r->local.n == i + 1);
		rig_report(&r->local, &r->local.jobs[i], 0, DLV_DEFERRED, "4.2.2", "over quota", false);
		UNTIL(r, active_find(&r->q, id) && active_find(&r->q, id)->is_finishing);
		assert_int_equal(rig_act(r, words[i], id), 1);
		if (words[i] == ADM_RETRY) {
			UNTIL(r, r->local.n == i + 2);
			continue;
		}
		UNTIL(r, r->q.n_active == 0);
		assert_int_equal(rig_messages(r), words[i] == ADM_HOLD);
		if (words[i] == ADM_HOLD) {
			rig_stored(r, id, &m, &a);
			assert_true(m.held && m.due_ms == 0);
			assert_int_equal(rig_act(r, ADM_DELETE, id), 1);
		}
		arena_fini(&a);
	}
}

static void watch_lost(void *arg, struct ipc *c, const struct err *why)
{
	*(bool *)arg = true;
}

static const struct ipc_ops watch_ops = { "watch", NULL, 0, watch_lost, NULL };

/* A guest's place is for those who use it; root's is for ever. */
static void admin_guest_sleeps(void **state)
{
	static const struct { const char *label; bool is_guest; uint64_t idle_ms; bool stays; } rows[] = {
		{ "awake", true, 1000, true }, { "asleep", true, 31000, false }, { "root", false, 3600000, true },
	};
	struct rig *r = *state;
	size_t i;

	rig_attach_tool(r);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct ipc guest;
		bool is_gone = false;
		int fd = rig_pair(r, &guest, &watch_ops, &is_gone);

		admin_serve(r->admin, rows[i].is_guest, &fd);
		rig_turns(r, 3);
		admin_expire(r->admin, clock_mono_ms() + rows[i].idle_ms);
		rig_turns(r, 3);
		if (is_gone == rows[i].stays)
			fail_msg("%s: %d", rows[i].label, is_gone);
		ipc_close(&guest);
	}
}

/* A reader that is slow costs no turns: qmgr waits for room in its channel, and goes on then. */
static void admin_slow_reader(void **state)
{
	struct rig *r = *state;
	struct err err = ERR_INIT;
	struct arena a = { 0 };
	struct str record = STR_INIT(64 << 20);
	struct queue_txn t;
	struct queue_msg m = { .sender = SPAN_LIT("tito@x"), .due_ms = UINT64_MAX / 2 };
	struct adm_show show = { queue_new_ids(r->q.queue, 1) };
	int i, fd, quiet_ms = 0;

	for (i = 0; i < 60000; i++)
		queue_add_rcpt(&m, &a)->addr = span_z(arena_printf(&a, "a-recipient-with-a-name-of-some-length-%d@x",
								   i));
	assert_int_equal(queue_encode(&record, &m), 0);
	assert_int_equal(queue_begin(r->q.queue, &t, &err), 0);
	assert_int_equal(queue_add(&t, show.qid, str_span(&record), SPAN_LIT("x"), &err), 0);
	assert_int_equal(queue_commit(&t, &err), 0);
	rig_attach_tool(r);
	assert_int_equal(ipc_send(&r->tool, &adm_show_desc, &show, NULL), 0);
	ipc_flush_unsent(&r->loop);
	fd = dup(r->tool.fd);
	ipc_close(&r->tool);            /* nobody reads for a while */
	for (i = 0; i < 100 && quiet_ms < 2; i++) {
		rig_turns(r, 3);
		quiet_ms = uv_backend_timeout(&r->loop.uv);
	}
	assert_true(quiet_ms >= 2);
	rig_read_on(r, &fd);
	UNTIL(r, r->has_done);
	assert_true(r->record_size == record.n && r->shown_size == record.n + 1);
	str_fini(&record);
	arena_fini(&a);
}

/* A letter on loan across a restart: the word waits until its agent has said so, and counts when that has answered. */
static void admin_word_before_hello(void **state)
{
	static const struct { const char *label; enum dlv_status status; size_t left; } rows[] = {
		{ "deferred", DLV_DEFERRED, 1 }, { "delivered", DLV_SENT, 0 },
	};
	struct rig *r = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t id = rig_submit(r, "tito@x", "iqbal@x", 0);
		struct dlv_running running = { id, 0, 0 };
		struct adm_act hold = { ADM_HOLD, id };

		UNTIL(r, r->local.n == i + 1);
		running.index = r->local.jobs[i].nos[0];
		if (r->admin) {
			ipc_close(&r->tool);
			admin_free(r->admin);
			r->admin = NULL;
		}
		rig_stop_qmgr(r);
		rig_turns(r, 3);
		rig_start_qmgr(r);
		agents_expect(&r->q, 1);
		rig_attach_resolve(r);
		rig_attach_tool(r);
		assert_int_equal(ipc_send(&r->tool, &adm_act_desc, &hold, NULL), 0);
		rig_turns(r, 20);
		assert_false(r->has_done);
		rig_attach_agent(r, &r->local);
		rig_hello(&r->local, &running, 1, 10);
		UNTIL(r, r->has_done);
		assert_int_equal(r->done.count, 1);
		rig_report(&r->local, &r->local.jobs[i], 0, rows[i].status, "2.0.0", "said", false);
		UNTIL(r, r->q.n_active == 0);
		if (rig_messages(r) != rows[i].left || rig_held(r) != rows[i].left)
			fail_msg("%s: %zu, %zu", rows[i].label, rig_messages(r), rig_held(r));
		assert_int_equal(rig_act(r, ADM_DELETE, 0), rows[i].left);
		rig_attach_smtpd(r);
	}
}

/* The same word twice is one. */
static void admin_word_twice(void **state)
{
	static const struct { const char *label; enum adm_what what; uint64_t again; } rows[] = {
		{ "hold", ADM_HOLD, 0 }, { "release", ADM_RELEASE, 0 }, { "retry", ADM_RETRY, 1 }, { "delete", ADM_DELETE, 0 },
	};
	struct rig *r = *state;
	uint64_t id = rig_submit(r, "tito@x", "iqbal@x", 0);
	size_t i;

	UNTIL(r, r->local.n == 1);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t first = rig_act(r, rows[i].what, id), again = rig_act(r, rows[i].what, id);

		if (first != 1 || again != rows[i].again)
			fail_msg("%s: %d, then %d", rows[i].label, (int)first, (int)again);
	}
	rig_sent(&r->local, 0);
	UNTIL(r, rig_messages(r) == 0 && r->q.n_active == 0);
}

/* Deferred while the clock was ten years ahead; then the clock is right, before a start or under way. */
static void clock_goes_back(void **state)
{
	struct rig *r = *state;
	uint64_t now = clock_wall_ms(), ahead = now + (uint64_t)3652 * 86400000, id;
	int restarts;

	for (restarts = 0; restarts < 2; restarts++) {
		struct arena a = { 0 };
		struct queue_msg m = { 0 };

		clock_fake_ms(ahead);
		qmgr_run(&r->q);
		id = rig_submit(r, "tito@x", "later@x", 0);
		UNTIL(r, rig_messages(r) == 1 && r->q.n_active == 0);
		rig_stored(r, id, &m, &a);
		assert_int_equal(m.due_ms, ahead + 300000);
		clock_fake_ms(now);
		if (restarts) {
			rig_stop_qmgr(r);
			rig_turns(r, 3);
			rig_start_qmgr(r);
			agents_expect(&r->q, 0);
			rig_attach_resolve(r);
		}
		qmgr_run(&r->q);
		UNTIL(r, strstr(r->log, "put off for longer"));
		r->log[0] = '\0';
		rig_stored(r, id, &m, &a);
		assert_int_equal(m.due_ms, now + 4000000);
		arena_fini(&a);
		clock_fake_ms(now + 4000001);
		qmgr_run(&r->q);
		UNTIL(r, strstr(r->log, "status=deferred"));
		UNTIL(r, r->q.n_active == 0);
		assert_int_equal(rig_act(r, ADM_DELETE, id), 1);
	}
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, rig_set_up, rig_tear_down)
	const struct CMUnitTest tests[] = {
		T(admin_lists_and_shows), T(admin_with_many), T(admin_hold_release_retry),
		T(admin_deletes_what_waits_for_an_agent), T(admin_word_while_finishing), T(admin_guest_sleeps),
		T(admin_slow_reader), T(admin_word_before_hello), T(admin_word_twice), T(clock_goes_back),
	};

	return cmocka_run_group_tests_name("admin", tests, NULL, NULL);
}
