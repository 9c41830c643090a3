#include "tests/unit/qmgr/rig.h"

#include <fcntl.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/queue_priv.h"

static void accept_deliver_remove(void **state)
{
	struct rig *r = *state;
	uint64_t id = rig_submit(r, "tito@x", "iqbal@x", 0);
	char name[QUEUE_ID_LEN + 1], line[128];

	UNTIL(r, r->accepted == 1);
	assert_int_equal(rig_messages(r), 1);
	UNTIL(r, r->local.n == 1);
	assert_string_equal(r->local.jobs[0].rcpts, "iqbal@x");
	assert_string_equal(r->local.jobs[0].sender, "tito@x");
	assert_string_equal(r->local.jobs[0].body, rig_body);
	assert_string_equal(r->local.jobs[0].transport, "local");
	assert_true(r->local.jobs[0].qid == id);
	rig_sent(&r->local, 0);
	UNTIL(r, rig_messages(r) == 0 && r->q.n_active == 0);
	queue_id_print(name, id);
	snprintf(line, sizeof(line), "%s: from=<tito@x>, size=%zu, nrcpt=1 (queue active)", name, strlen(rig_body));
	rig_logged(r, line);
	snprintf(line, sizeof(line), "%s: removed", name);
	rig_logged(r, line);
}

/* The 250 comes after the commit: what was answered is on the disk. */
static void answered_means_stored(void **state)
{
	struct rig *r = *state;
	uint64_t ids[20];
	struct queue_msg m;
	struct arena a = { 0 };
	uint64_t commits, jobs, before;
	size_t i;

	writer_counts(r->q.writer, &commits, &before);
	for (i = 0; i < 20; i++)
		ids[i] = rig_submit(r, "tito@x", "later@x", 0);
	UNTIL(r, r->accepted == 20);
	for (i = 0; i < 20; i++)
		rig_stored(r, ids[i], &m, &a);
	UNTIL(r, r->q.n_active == 0);
	writer_counts(r->q.writer, &commits, &jobs);
	assert_int_equal(jobs - before, 40);
	assert_true(commits < 20);      /* they shared */
	arena_fini(&a);
}

static void abort_and_loss(void **state)
{
	struct rig *r = *state;
	const char *rcpt = "iqbal@x";
	uint64_t id = rig_begin(r, "tito@x", &rcpt, 1, 0);
	struct enq_abort m = { id };

	assert_int_equal(ipc_send(&r->smtpd, &enq_abort_desc, &m, NULL), 0);
	rig_begin(r, "tito@x", &rcpt, 1, 0);
	rig_turns(r, 5);
	ipc_close(&r->smtpd);
	rig_turns(r, 5);
	assert_int_equal(rig_messages(r), 0);
	rig_attach_smtpd(r);
	rig_submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->accepted == 1);
}

static void nonsense_ends_only_its_channel(void **state)
{
	struct rig *r = *state;
	static const struct { const char *label; uint64_t id_off; const char *sender; const char *rcpt; } rows[] = {
		{ "an id that was not granted", 1u << 30, "a@x", "b@x" }, { "newline in the sender", 0, "a@x\nX: y",
			"b@x" },
		{ "empty recipient", 0, "a@x", "" }, { "control character in a recipient", 0, "a@x", "b\x01@x" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		UNTIL(r, r->ids_left > 0);
		r->next_id += rows[i].id_off;
		rig_begin(r, rows[i].sender, &rows[i].rcpt, 1, 0);
		UNTIL(r, r->smtpd_gone);
		rig_attach_smtpd(r);
	}
	rig_submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->accepted == 1);
	assert_int_equal(r->fatal.kind, ERR_NONE);
}

/* Recipients that no record holds end their channel, not qmgr. */
static void giant_envelope(void **state)
{
	struct rig *r = *state;
	const char *rcpt = "iqbal@x";
	uint64_t id = rig_begin(r, "tito@x", &rcpt, 1, 0);
	static char text[2000];
	struct enq_rcpt v[10];
	struct enq_rcpts m = { id, { v, 10 } };
	size_t i;

	memset(text, 'x', sizeof(text));
	for (i = 0; i < 10; i++)
		v[i] = (struct enq_rcpt){ .address = { text, 2000 }, .orig = { text, 2000 }, .orcpt = { text, 2000 } };
	for (i = 0; i < 1200 && !r->smtpd_gone; i++) {
		assert_int_equal(ipc_send(&r->smtpd, &enq_rcpts_desc, &m, NULL), 0);
		UNTIL(r, r->smtpd_gone || !ipc_is_full(&r->smtpd));
	}
	if (!r->smtpd_gone)
		rig_end(r, id, rig_body, strlen(rig_body));
	UNTIL(r, r->smtpd_gone);
	assert_int_equal(rig_messages(r), 0);
}

/* One is expanded while the expansion of another is being written: neither is delivered before it is on the disk. */
static void expansion_during_commit(void **state)
{
	struct rig *r = *state;
	struct route_new news[2] = { rig_fresh("three@x"), rig_fresh("four@x") };
	struct dlv_rcpt_result v = { .index = 0, .status = DLV_EXPANDED, .news = { news, 1 } };
	const char *const rcpts[] = { "one@x", "two@x", "six@x" };
	uint64_t id = rig_begin(r, "tito@x", rcpts, 3, 0);
	struct dlv_result m = { id, 0, { &v, 1 } };
	struct queue_txn t;
	struct queue_msg stored;
	struct arena a = { 0 };
	struct err err = ERR_INIT;

	rig_end(r, id, rig_body, strlen(rig_body));
	UNTIL(r, r->local.n == 3);
	assert_int_equal(queue_begin(r->q.queue, &t, &err), 0);         /* the writer waits */
	assert_int_equal(ipc_send(&r->local.ipc, &dlv_result_desc, &m, NULL), 0);
	UNTIL(r, active_find(&r->q, id)->is_saving);
	v.index = 1;
	v.news = (struct ipc_list){ news + 1, 1 };
	assert_int_equal(ipc_send(&r->local.ipc, &dlv_result_desc, &m, NULL), 0);
	v = (struct dlv_rcpt_result){ .index = 2, .status = DLV_SENT, .dsn = SPAN_LIT("2.0.0") };
	assert_int_equal(ipc_send(&r->local.ipc, &dlv_result_desc, &m, NULL), 0);
	rig_turns(r, 10);
	queue_abort(&t);
	UNTIL(r, r->local.n == 5);
	rig_stored(r, id, &stored, &a);
	assert_int_equal(stored.n_rcpts, 5);
	assert_int_equal(stored.rcpts[1].state, QUEUE_CLOSED);
	assert_int_equal(stored.rcpts[2].state, QUEUE_CLOSED);
	arena_fini(&a);
}

/* What is done while an expansion is being written is written after it, not at the end of the pass. */
static void mark_during_commit(void **state)
{
	struct rig *r = *state;
	struct route_new news = rig_fresh("three@x");
	struct dlv_rcpt_result v = { .index = 0, .status = DLV_EXPANDED, .news = { &news, 1 } };
	const char *const rcpts[] = { "one@x", "two@x" };
	uint64_t id = rig_begin(r, "tito@x", rcpts, 2, 0);
	struct dlv_result m = { id, 0, { &v, 1 } };
	struct queue_txn t;
	struct queue_msg stored;
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	uint64_t until = uv_hrtime() + 3000000000u;

	rig_end(r, id, rig_body, strlen(rig_body));
	UNTIL(r, r->local.n == 2);
	assert_int_equal(queue_begin(r->q.queue, &t, &err), 0);
	assert_int_equal(ipc_send(&r->local.ipc, &dlv_result_desc, &m, NULL), 0);
	UNTIL(r, active_find(&r->q, id)->is_saving);
	v = (struct dlv_rcpt_result){ .index = 1, .status = DLV_SENT, .dsn = SPAN_LIT("2.0.0") };
	assert_int_equal(ipc_send(&r->local.ipc, &dlv_result_desc, &m, NULL), 0);
	rig_turns(r, 10);
	queue_abort(&t);
	UNTIL(r, r->local.n == 3);
	do {
		loop_turn(&r->loop, true);
		rig_stored(r, id, &stored, &a);
	} while (stored.rcpts[1].state == QUEUE_WAITING && uv_hrtime() < until);
	assert_int_equal(stored.rcpts[1].state, QUEUE_CLOSED);
	arena_fini(&a);
}

static void incomplete_letter(void **state)
{
	struct rig *r = *state;
	const char *rcpt = "iqbal@x";

	rig_end(r, rig_begin(r, "tito@x", &rcpt, 1, 0), rig_body, strlen(rig_body) + 1);
	UNTIL(r, r->refused == 1);
	assert_string_equal(r->refusal, "4.3.0");
	rig_end(r, rig_begin(r, "tito@x", &rcpt, 0, 0), rig_body, strlen(rig_body));
	UNTIL(r, r->refused == 2);
	assert_int_equal(rig_messages(r), 0);
}

static void on_large_fd(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	struct rig *r = arg;

	r->large_fd = *fd;
	*fd = -1;
}

static void large_body(void **state)
{
	static const struct { size_t announced; unsigned ok; } rows[] = { { 100000, 1 }, { 100001, 0 } };
	struct rig *r = *state;
	const char *rcpt = "iqbal@x";
	char *big = xcalloc(1, 100000);
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t id = rig_begin(r, "tito@x", &rcpt, 1, 0);
		struct enq_large l = { id };
		struct enq_end e = { id, rows[i].announced };
		struct ipc_req req = { 0 };

		assert_int_equal(ipc_call(&r->smtpd, &enq_large_desc, &l, NULL, &enq_large_fd_desc, &req, on_large_fd,
					  r, 0), 0);
		UNTIL(r, r->large_fd >= 0);
		assert_int_equal(fcntl(r->large_fd, F_GETFL) & O_ACCMODE, O_WRONLY);
		assert_int_equal(write(r->large_fd, big, 100000), 100000);
		close(r->large_fd);
		r->large_fd = -1;
		assert_int_equal(ipc_send(&r->smtpd, &enq_end_desc, &e, NULL), 0);
		UNTIL(r, r->accepted + r->refused == i + 1);
		assert_int_equal(r->accepted, 1);
	}
	UNTIL(r, r->local.n == 1);
	assert_true(r->local.jobs[0].had_fd);
	rig_sent(&r->local, 0);
	UNTIL(r, rig_messages(r) == 0);
	free(big);
}

static void expansion(void **state)
{
	struct rig *r = *state;
	uint64_t id = rig_submit(r, "tito@x", "list@x", 0);
	struct queue_msg m;
	struct arena a = { 0 };

	UNTIL(r, r->local.n == 3);
	rig_stored(r, id, &m, &a);          /* durable before the first of them was lent */
	assert_int_equal(m.n_rcpts, 4);
	assert_int_equal(m.rcpts[0].state, QUEUE_CLOSED);
	assert_true(span_eqz(m.rcpts[1].addr, "one@x"));
	assert_true(span_eqz(m.rcpts[1].orig, "list@x"));
	assert_true(m.rcpts[3].is_final);
	assert_string_equal(r->local.jobs[2].rcpts, "list@x");
	assert_true(r->local.jobs[2].is_final);
	rig_sent(&r->local, 0);
	rig_sent(&r->local, 1);
	rig_sent(&r->local, 2);
	UNTIL(r, rig_messages(r) == 0);
	arena_fini(&a);
}

static void forward_by_local(void **state)
{
	struct rig *r = *state;
	struct route_new news[] = { rig_fresh("other@x"), rig_fresh("iqbal@x") };
	struct dlv_rcpt_result v = { .index = 0, .status = DLV_EXPANDED, .news = { news, 2 } };
	uint64_t id = rig_submit(r, "tito@x", "iqbal@x", 0);
	struct dlv_result m = { id, 0, { &v, 1 } };

	UNTIL(r, r->local.n == 1);
	assert_int_equal(ipc_send(&r->local.ipc, &dlv_result_desc, &m, NULL), 0);
	UNTIL(r, r->local.n == 3);
	assert_string_equal(r->local.jobs[1].rcpts, "other@x");
	assert_string_equal(r->local.jobs[1].delivered_to, "iqbal@x");
	assert_false(r->local.jobs[1].is_final);
	assert_string_equal(r->local.jobs[2].rcpts, "iqbal@x");
	assert_true(r->local.jobs[2].is_final);
	rig_sent(&r->local, 1);
	rig_sent(&r->local, 2);
	UNTIL(r, rig_messages(r) == 0);
}

/* local hands a recipient to another transport; that is on the disk, and said again at each attempt. */
static void passed_by_local(void **state)
{
	struct rig *r = *state;
	struct route_new news[] = { { .address = SPAN_LIT("iqbal@x"), .via = SPAN_LIT("lmtp:unix:x") },
				    { .address = SPAN_LIT("IQBAL@x"), .via = SPAN_LIT("virtual:") },
				    { .address = SPAN_LIT("iqbal@x"), .via = SPAN_LIT("lmtp:unix:x") } };
	struct dlv_rcpt_result v = { .index = 0, .status = DLV_EXPANDED, .news = { news, 3 } };
	uint64_t id = rig_submit(r, "tito@x", "iqbal@x", 0);
	struct dlv_result m = { id, 0, { &v, 1 } };
	struct queue_msg stored;
	struct arena a = { 0 };

	UNTIL(r, r->local.n == 1);
	assert_int_equal(ipc_send(&r->local.ipc, &dlv_result_desc, &m, NULL), 0);
	UNTIL(r, r->local.n == 2);
	assert_string_equal(r->local.jobs[1].transport, "virtual");
	assert_string_equal(r->local.jobs[1].delivered_to, "");
	assert_true(r->local.jobs[1].is_final && r->local.jobs[1].is_passed);
	rig_sent(&r->local, 1);
	UNTIL(r, r->q.n_active == 0);
	rig_logged(r, "to=<iqbal@x>, relay=none");
	rig_logged(r, "status=deferred (mail transport unavailable: lmtp)");
	rig_stored(r, id, &stored, &a);
	assert_int_equal(stored.n_rcpts, 3);
	assert_true(span_eqz(stored.rcpts[1].via, "lmtp:unix:x"));
	assert_int_equal(stored.rcpts[1].state, QUEUE_WAITING);
	arena_fini(&a);
}

/* resolve hears of a full mailbox, and of nothing else that bounces. */
static void full_mailbox_is_told(void **state)
{
	struct rig *r = *state;

	rig_submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->local.n == 1);
	rig_report(&r->local, &r->local.jobs[0], 0, DLV_BOUNCED, "5.2.0", "no", false);
	UNTIL(r, r->local.n == 2);      /* the notice */
	rig_turns(r, 3);
	assert_string_equal(r->full_user, "");
	rig_report(&r->local, &r->local.jobs[1], 0, DLV_BOUNCED, "5.2.2", "mailbox is full", false);
	UNTIL(r, r->full_user[0]);
	assert_string_equal(r->full_user, "local:tito@x");
	assert_true(r->full_size > strlen(rig_body));
}

/* Lists that no frame holds come in parts and are added in one transaction. */
static void crowd_of_resolve(void **state)
{
	struct rig *r = *state;
	uint64_t id = rig_submit(r, "tito@x", "crowd@x", 0);
	struct queue_msg m = { 0 };
	struct arena a = { 0 };

	UNTIL(r, r->accepted == 1 && r->q.n_active == 0);
	rig_stored(r, id, &m, &a);
	assert_int_equal(m.n_rcpts, 5001);
	assert_int_equal(m.rcpts[0].action, QUEUE_EXPANDED);
	assert_true(span_eqz(m.rcpts[5000].addr, "later4999@x"));
	assert_int_equal(m.rcpts[5000].attempts, 1);
	arena_fini(&a);
}

static void crowd_over_the_limit(void **state)
{
	struct rig *r = *state;
	uint64_t id;
	struct queue_msg m = { 0 };
	struct arena a = { 0 };

	r->q.conf.qmgr_message_recipient_limit = 4999;
	id = rig_submit(r, "tito@x", "crowd@x", 0);
	UNTIL(r, r->accepted == 1 && r->q.n_active == 0);
	rig_stored(r, id, &m, &a);
	assert_int_equal(m.n_rcpts, 1);
	assert_true(span_eqz(m.rcpts[0].dsn, "4.6.0"));
	arena_fini(&a);
}

static void crowd_of_local(void **state)
{
	static const struct { const char *label; size_t lost; size_t rcpts; } rows[] = {
		{ "all parts", SIZE_MAX, 5001 }, { "the first one is lost", 0, 1 },
	};
	struct rig *r = *state;
	size_t i, k;

	for (k = 0; k < ARRAY_LEN(rows); k++) {
		uint64_t id = rig_submit(r, "tito@x", "iqbal@x", 0);
		struct route_new *v = calloc(5000, sizeof(*v));
		struct ipc_list all = { v, 5000 };
		struct dlv_rcpt_result part = { .index = 0, .status = DLV_EXPANDED };
		struct dlv_result m = { id, 0, { &part, 1 } };
		struct queue_msg stored = { 0 };
		struct arena a = { 0 };

		UNTIL(r, r->local.n == k + 1);
		for (i = 0; i < 5000; i++)
			v[i] = rig_fresh(arena_printf(&a, "later%zu@x", i));
		do {
			part.news = msg_resolve_part(&all, part.offset);
			part.more = part.offset + part.news.n < 5000;
			if (part.offset != rows[k].lost)
				assert_int_equal(ipc_send(&r->local.ipc, &dlv_result_desc, &m, NULL), 0);
			part.offset += part.news.n;
			rig_turns(r, 3);
		} while (part.more);
		UNTIL(r, r->q.n_active == 0);
		rig_stored(r, id, &stored, &a);
		if (stored.n_rcpts != rows[k].rcpts)
			fail_msg("%s: %zu recipients", rows[k].label, stored.n_rcpts);
		arena_fini(&a);
		free(v);
	}
}

static void discarded(void **state)
{
	struct rig *r = *state;

	rig_submit(r, "tito@x", "void@x", 0);
	UNTIL(r, r->accepted == 1 && rig_messages(r) == 0);
	rig_logged(r, "to=<void@x>, relay=none, delay=0");
	rig_logged(r, "dsn=2.0.0, status=sent (discarded)");
	assert_int_equal(r->local.n, 0);
}

static void same_user_one_job(void **state)
{
	struct rig *r = *state;
	const char *const rcpts[] = { "many1@x", "iqbal@x", "many2@x", "many3@x" };

	rig_end(r, rig_begin(r, "tito@x", rcpts, 4, 0), rig_body, strlen(rig_body));
	UNTIL(r, r->local.n == 2);
	assert_string_equal(r->local.jobs[0].rcpts, "many1@x,many2@x,many3@x");
	assert_string_equal(r->local.jobs[1].rcpts, "iqbal@x");
}

static void failure_notice(void **state)
{
	struct rig *r = *state;

	rig_submit(r, "tito@x", "bad@x", 0);
	UNTIL(r, r->local.n == 1);
	assert_string_equal(r->local.jobs[0].sender, "");
	assert_string_equal(r->local.jobs[0].rcpts, "tito@x");
	assert_non_null(strstr(r->local.jobs[0].body, "MAILER-DAEMON@x"));
	rig_logged(r, "to=<bad@x>, relay=none, delay=0");
	rig_logged(r, "dsn=5.1.1, status=bounced (User unknown)");
	rig_logged(r, "sender non-delivery notification: ");
	rig_sent(&r->local, 0);
	UNTIL(r, rig_messages(r) == 0);
}

static void who_is_told(void **state)
{
	static const struct { const char *label, *sender, *rcpt; uint64_t notify; const char *told; } rows[] = {
		{ "never", "tito@x", "bad@x", QUEUE_NEVER, NULL },
		{ "success only", "tito@x", "bad@x", QUEUE_SUCCESS, NULL },
		{ "failure asked", "tito@x", "bad@x", QUEUE_FAILURE, "tito@x" },
		{ "a notice", "", "bad@x", 0, NULL },
		{ "double bounce", "double-bounce@x", "bad@x", 0, NULL },
		{ "owner of a list", "tito@x", "owned@x", 0, "owner@x" },
		{ "error transport", "tito@x", "err@x", 0, "tito@x" },
	};
	struct rig *r = *state;
	size_t i, jobs = 0;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		rig_submit(r, rows[i].sender, rows[i].rcpt, rows[i].notify);
		UNTIL(r, r->accepted == i + 1);
		if (rows[i].told) {
			UNTIL(r, r->local.n == jobs + 1);
			if (strcmp(r->local.jobs[jobs].rcpts, rows[i].told) != 0)
				fail_msg("%s: told %s", rows[i].label, r->local.jobs[jobs].rcpts);
			rig_sent(&r->local, jobs++);
		}
		UNTIL(r, rig_messages(r) == 0);
		if (r->local.n != jobs)
			fail_msg("%s: told %s", rows[i].label, r->local.jobs[jobs].rcpts);
	}
}

static void success_notice(void **state)
{
	struct rig *r = *state;

	rig_submit(r, "tito@x", "iqbal@x", QUEUE_SUCCESS);
	UNTIL(r, r->local.n == 1);
	rig_sent(&r->local, 0);
	UNTIL(r, r->local.n == 2);
	assert_string_equal(r->local.jobs[1].rcpts, "tito@x");
	assert_non_null(strstr(r->local.jobs[1].body, "Successful Mail Delivery Report"));
}

static void deferral_and_retry(void **state)
{
	struct rig *r = *state;
	uint64_t id, start = 2000000000000;
	struct queue_msg m;
	struct arena a = { 0 };

	clock_fake_ms(start);
	id = rig_submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->local.n == 1);
	rig_report(&r->local, &r->local.jobs[0], 0, DLV_DEFERRED, "4.2.2", "over quota", false);
	UNTIL(r, r->q.n_active == 0);
	rig_stored(r, id, &m, &a);
	assert_int_equal(m.due_ms, start + 300000);
	assert_int_equal(m.rcpts[0].attempts, 1);
	assert_true(span_eqz(m.rcpts[0].text, "over quota"));
	clock_fake_ms(start + 299999);
	qmgr_run(&r->q);
	rig_turns(r, 5);
	assert_int_equal(r->local.n, 1);
	clock_fake_ms(start + 300000);
	qmgr_run(&r->q);
	UNTIL(r, r->local.n == 2);
	assert_string_equal(r->local.jobs[1].body, rig_body);
	rig_report(&r->local, &r->local.jobs[1], 0, DLV_DEFERRED, "4.2.2", "over quota", false);
	UNTIL(r, r->q.n_active == 0);
	rig_stored(r, id, &m, &a);
	assert_int_equal(m.due_ms, start + 300000 + 600000);
	clock_fake_ms(start + 432000000);
	qmgr_run(&r->q);
	UNTIL(r, r->local.n == 3);
	rig_report(&r->local, &r->local.jobs[2], 0, DLV_DEFERRED, "4.2.2", "over quota", false);
	UNTIL(r, r->local.n == 4);
	assert_string_equal(r->local.jobs[3].rcpts, "tito@x");
	rig_logged(r, "status=expired, returned to sender");
	arena_fini(&a);
}

static void backoff(void **state)
{
	static const struct { uint32_t attempts; uint64_t s; } rows[] = {
		{ 1, 300 }, { 2, 600 }, { 3, 1200 }, { 4, 2400 }, { 5, 4000 }, { 6, 4000 }, { 4000000000u, 4000 },
	};
	struct rig *r = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(active_backoff_ms(&r->q, rows[i].attempts), rows[i].s * 1000);
}

static void no_agent_for_it(void **state)
{
	struct rig *r = *state;

	UNTIL(r, r->q.hello_done);
	rig_submit(r, "tito@x", "far@x", 0);
	UNTIL(r, r->accepted == 1 && r->q.n_active == 0);
	rig_logged(r, "to=<far@x>, relay=none");
	rig_logged(r, "dsn=4.3.0, status=deferred (mail transport unavailable: smtp)");
	assert_int_equal(rig_messages(r), 1);
}

static void agent_dies(void **state)
{
	struct rig *r = *state;

	rig_submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->local.n == 1);
	ipc_close(&r->local.ipc);
	rig_turns(r, 5);
	rig_attach_agent(r, &r->spare);
	rig_hello(&r->spare, NULL, 0, 10);
	UNTIL(r, r->spare.n == 1);
	assert_string_equal(r->spare.jobs[0].body, rig_body);
	ipc_close(&r->spare.ipc);
	UNTIL(r, r->q.n_active == 0);   /* what kills two agents waits */
	rig_logged(r, "status=deferred (delivery agent died)");
	assert_int_equal(rig_messages(r), 1);
}

static void credits_are_kept(void **state)
{
	struct rig *r = *state;
	static const char *const rcpts[] = { "a@x", "b@x", "c@x", "d@x", "e@x", "f@x" };
	struct dlv_credit more = { 2 };
	size_t i;

	ipc_close(&r->local.ipc);
	rig_turns(r, 5);
	rig_attach_agent(r, &r->local);
	rig_hello(&r->local, NULL, 0, 3);
	for (i = 0; i < 6; i++)
		rig_submit(r, "tito@x", rcpts[i], 0);
	UNTIL(r, r->accepted == 6);
	rig_turns(r, 10);
	assert_int_equal(r->local.n, 3);
	assert_int_equal(ipc_send(&r->local.ipc, &dlv_credit_desc, &more, NULL), 0);
	UNTIL(r, r->local.n == 5);
	rig_turns(r, 10);
	assert_int_equal(r->local.n, 5);
}

static size_t lent_to(const struct fake_agent *g, const char *rcpt)
{
	size_t i, n = 0;

	for (i = 0; i < g->n; i++)
		n += strcmp(g->jobs[i].rcpts, rcpt) == 0;
	return n;
}

/* A user whose deliveries hang, and another, leave room for all others; what came first does not go first. */
static void users_share_credit(void **state)
{
	struct rig *r = *state;
	struct dlv_credit more = { 1 };
	size_t i;

	ipc_close(&r->local.ipc);
	rig_turns(r, 5);
	rig_attach_agent(r, &r->local);
	rig_hello(&r->local, NULL, 0, 12);
	for (i = 0; i < 20; i++)
		rig_submit(r, "tito@x", "hangs@x", 0);
	UNTIL(r, r->accepted == 20);
	rig_turns(r, 10);
	assert_int_equal(lent_to(&r->local, "hangs@x"), 6);
	for (i = 0; i < 10; i++)
		rig_submit(r, "tito@x", "stops@x", 0);
	UNTIL(r, r->accepted == 30);
	rig_turns(r, 10);
	assert_int_equal(lent_to(&r->local, "stops@x"), 3);
	for (i = 0; i < 10; i++) {
		rig_submit(r, "tito@x", "iqbal@x", 0);
		UNTIL(r, lent_to(&r->local, "iqbal@x") == i + 1);
		rig_sent(&r->local, 9 + i);
		assert_int_equal(ipc_send(&r->local.ipc, &dlv_credit_desc, &more, NULL), 0);
	}
	UNTIL(r, rig_messages(r) == 30);
	assert_int_equal(r->local.n, 19);
	for (i = 0; i < 9; i++) {               /* they wake up */
		rig_sent(&r->local, i);
		assert_int_equal(ipc_send(&r->local.ipc, &dlv_credit_desc, &more, NULL), 0);
	}
	UNTIL(r, rig_messages(r) == 21 && r->local.n > 27);
}

/* qmgr is killed while an agent works: the agent names the job in HELLO, and nobody else gets it. */
static void restart_waits_for_hello(void **state)
{
	struct rig *r = *state;
	const char *const rcpts[] = { "one@x", "two@x" };
	uint64_t id = rig_begin(r, "tito@x", rcpts, 2, 0);
	struct dlv_running running = { id, 0, 0 };
	struct seen_job old;

	rig_end(r, id, rig_body, strlen(rig_body));
	UNTIL(r, r->local.n == 2);
	old = r->local.jobs[0];
	rig_stop_qmgr(r);
	rig_turns(r, 3);
	rig_start_qmgr(r);
	agents_expect(&r->q, 2);
	rig_attach_resolve(r);
	rig_attach_agent(r, &r->spare);
	rig_hello(&r->spare, NULL, 0, 10);
	rig_turns(r, 20);
	qmgr_run(&r->q);
	rig_turns(r, 20);
	assert_int_equal(r->spare.n, 0);
	rig_attach_agent(r, &r->local);
	running.index = old.nos[0];
	rig_hello(&r->local, &running, 1, 0);
	UNTIL(r, r->q.hello_done);
	qmgr_run(&r->q);
	UNTIL(r, r->spare.n == 1);      /* only the one that nobody works on */
	assert_string_equal(r->spare.jobs[0].rcpts, "two@x");
	rig_turns(r, 20);
	assert_int_equal(r->spare.n, 1);
	rig_report(&r->local, &old, 0, DLV_SENT, "2.0.0", "delivered", true);
	rig_sent(&r->spare, 0);
	UNTIL(r, rig_messages(r) == 0);
}

/* A list of what is under way that no frame holds; nothing is tried before its end. */
static void hello_in_parts(void **state)
{
	struct rig *r = *state;
	const char *const rcpts[] = { "one@x", "two@x" };
	uint64_t id = rig_begin(r, "tito@x", rcpts, 2, 0);
	struct dlv_running running = { id, 0, 0 };
	struct seen_job old[2];
	struct dlv_hello h = { .transports = SPAN_LIT("local virtual"), .running = { &running, 1 }, .more = 1 };

	rig_end(r, id, rig_body, strlen(rig_body));
	UNTIL(r, r->local.n == 2);
	old[0] = r->local.jobs[0];
	old[1] = r->local.jobs[1];
	rig_stop_qmgr(r);
	rig_turns(r, 3);
	rig_start_qmgr(r);
	agents_expect(&r->q, 1);
	rig_attach_resolve(r);
	rig_attach_agent(r, &r->local);
	running.index = old[0].nos[0];
	assert_int_equal(ipc_send(&r->local.ipc, &dlv_hello_desc, &h, NULL), 0);
	rig_turns(r, 20);
	assert_false(r->q.hello_done);
	running.index = old[1].nos[0];
	rig_hello(&r->local, &running, 1, 10);
	UNTIL(r, r->q.hello_done);
	qmgr_run(&r->q);
	rig_turns(r, 20);
	assert_int_equal(r->local.n, 2);        /* it has both already */
	rig_report(&r->local, &old[0], 0, DLV_SENT, "2.0.0", "delivered", true);
	rig_report(&r->local, &old[1], 0, DLV_SENT, "2.0.0", "delivered", true);
	UNTIL(r, rig_messages(r) == 0);
}

static void resolve_restarts(void **state)
{
	struct rig *r = *state;

	ipc_close(&r->resolve);
	rig_submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->accepted == 1);
	rig_turns(r, 10);
	assert_int_equal(r->local.n, 0);
	rig_attach_resolve(r);
	UNTIL(r, r->local.n == 1);
}

static void temporary_route(void **state)
{
	struct rig *r = *state;

	rig_submit(r, "tito@x", "later@x", 0);
	UNTIL(r, r->accepted == 1 && r->q.n_active == 0);
	rig_logged(r, "dsn=4.3.0, status=deferred (table not readable)");
	assert_int_equal(rig_messages(r), 1);
}

/* Lazy marks wait for company, at most a second. */
static void lazy_marks(void **state)
{
	struct rig *r = *state;
	uint64_t before, after, jobs;

	rig_submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->local.n == 1);
	writer_counts(r->q.writer, &before, &jobs);
	rig_report(&r->local, &r->local.jobs[0], 0, DLV_SENT, "2.0.0", "delivered", true);
	rig_turns(r, 20);
	assert_int_equal(rig_messages(r), 1);
	rig_submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->accepted == 2);
	assert_int_equal(rig_messages(r), 1);       /* the first left with the commit of the second */
	writer_counts(r->q.writer, &after, &jobs);
	assert_int_equal(after, before + 1);
	UNTIL(r, r->local.n == 2);
	rig_report(&r->local, &r->local.jobs[1], 0, DLV_SENT, "2.0.0", "delivered", true);
	UNTIL(r, rig_messages(r) == 0);
}

static void more_than_active(void **state)
{
	struct rig *r = *state;
	size_t i;

	r->q.conf.qmgr_message_active_limit = 5;
	for (i = 0; i < 20; i++) {
		rig_submit(r, "tito@x", "iqbal@x", 0);
		UNTIL(r, r->accepted == i + 1);
	}
	rig_turns(r, 20);
	assert_int_equal(r->q.n_active, 5);
	assert_int_equal(r->local.n, 5);
	for (i = 0; i < 20; i++) {
		UNTIL(r, r->local.n > i);
		rig_sent(&r->local, i);
		rig_turns(r, 3);
		qmgr_run(&r->q);
	}
	UNTIL(r, rig_messages(r) == 0);
}

/* New mail is refused with 452 while what is in the queue can still leave it. */
static void full_disk(void **state)
{
	struct rig *r = *state;
	uint64_t reserve = r->q.queue->reserve;

	rig_submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->local.n == 1);
	r->q.queue->reserve = (uint64_t)1 << 60;
	rig_submit(r, "tito@x", "iqbal@x", 0);
	rig_sent(&r->local, 0);
	UNTIL(r, r->refused == 1 && rig_messages(r) == 0);
	assert_string_equal(r->refusal, "4.3.1");
	assert_int_equal(r->fatal.kind, ERR_NONE);
	r->q.queue->reserve = reserve;
	rig_submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->accepted == 2);
}

/* A notice that finds the disk full is written when there is room again; its message waits for it. */
static void full_disk_keeps_notices(void **state)
{
	struct rig *r = *state;
	uint64_t reserve = r->q.queue->reserve;
	struct seen_job *j = &r->local.jobs[0];

	rig_submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->local.n == 1);
	r->q.queue->reserve = (uint64_t)1 << 60;
	rig_report(&r->local, j, 0, DLV_BOUNCED, "5.2.2", "no room", false);
	UNTIL(r, strstr(r->log, "the queue cannot be written"));
	assert_int_equal(rig_messages(r), 1);
	r->q.queue->reserve = reserve;
	UNTIL(r, r->local.n == 2);
	assert_string_equal(r->local.jobs[1].rcpts, "tito@x");
}

static void delay_notice(void **state)
{
	static const struct { const char *label; uint64_t notify; bool told; } rows[] = {
		{ "asked for", QUEUE_DELAY, true }, { "nothing said", 0, true },
		{ "failure only", QUEUE_FAILURE, false },
		{ "never", QUEUE_NEVER, false },
	};
	struct rig *r = *state;
	uint64_t now = 2000000000000;
	size_t i, jobs = 0;

	r->q.conf.delay_warning_time_ms = 3600000;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		clock_fake_ms(now);
		rig_submit(r, "tito@x", "later@x", rows[i].notify);
		UNTIL(r, r->accepted == i + 1 && r->q.n_active == 0);
		assert_int_equal(r->local.n, jobs);
		now += 3600000;
		clock_fake_ms(now);
		qmgr_run(&r->q);
		UNTIL(r, r->local.n == jobs + rows[i].told);
		if (rows[i].told) {
			assert_non_null(strstr(r->local.jobs[jobs].body, "Delayed Mail"));
			rig_sent(&r->local, jobs++);
		}
		UNTIL(r, r->q.n_active == 0);
		now += 4000000;
		clock_fake_ms(now);
		qmgr_run(&r->q);
		UNTIL(r, r->q.n_active == 0);
		if (r->local.n != jobs)
			fail_msg("%s: told %zu times", rows[i].label, r->local.n - jobs);
	}
}

static void postmaster_hears_of_lost_notices(void **state)
{
	static const char *classes[] = { "2bounce" };
	struct rig *r = *state;

	r->q.conf.notify_classes = (struct conf_list){ classes, 1 };
	rig_submit(r, "", "bad@x", 0);
	UNTIL(r, r->local.n == 1);
	assert_string_equal(r->local.jobs[0].sender, "double-bounce@x");
	assert_string_equal(r->local.jobs[0].rcpts, "postmaster@x");
	assert_non_null(strstr(r->local.jobs[0].body, "Subject: Postmaster Copy: Undelivered Mail\n"));
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, rig_set_up, rig_tear_down)
	const struct CMUnitTest tests[] = {
		T(accept_deliver_remove), T(answered_means_stored), T(abort_and_loss),
		T(nonsense_ends_only_its_channel),
		T(giant_envelope), T(expansion_during_commit), T(mark_during_commit),
		T(incomplete_letter), T(large_body), T(expansion), T(forward_by_local), T(passed_by_local),
		T(full_mailbox_is_told), T(crowd_of_resolve), T(crowd_over_the_limit), T(crowd_of_local), T(discarded),
		T(same_user_one_job), T(failure_notice),
		T(who_is_told), T(success_notice), T(deferral_and_retry), T(backoff), T(no_agent_for_it), T(agent_dies),
		T(credits_are_kept), T(users_share_credit), T(restart_waits_for_hello), T(hello_in_parts), T(resolve_restarts), T(temporary_route),
		T(lazy_marks),
		T(more_than_active), T(full_disk), T(full_disk_keeps_notices), T(delay_notice),
		T(postmaster_hears_of_lost_notices),
	};

	return cmocka_run_group_tests_name("qmgr", tests, NULL, NULL);
}
