/* Each row changes one parameter of qmgr: what it wants is seen with the setting, and not without. */
#include "tests/unit/qmgr/rig.h"

#include "base/clock.h"
#include "base/mem.h"

#define START 2000000000000u
#define HOUR_MS 3600000u

/* An hour passes with a letter that cannot be routed yet. */
static void wait_an_hour(struct rig *r, const char *sender)
{
	clock_fake_ms(START);
	rig_submit(r, sender, "later@x", 0);
	UNTIL(r, r->accepted == 1 && r->q.n_active == 0);
	clock_fake_ms(START + HOUR_MS);
	qmgr_run(&r->q);
	rig_turns(r, 20);
	UNTIL(r, r->q.n_active <= r->local.n);
}

static void hour_of_letter(struct rig *r)
{
	wait_an_hour(r, "tito@x");
}

static void hour_of_notice(struct rig *r)
{
	wait_an_hour(r, "");
}

static void tried_once(struct rig *r)
{
	rig_submit(r, "tito@x", "later@x", 0);
	UNTIL(r, r->accepted == 1 && r->q.n_active <= r->local.n);
}

static void first_pause(struct rig *r)
{
	struct queue_msg m;
	struct arena a = { 0 };
	size_t n = strlen(r->log);
	uint64_t id;

	clock_fake_ms(START);
	id = rig_submit(r, "tito@x", "later@x", 0);
	UNTIL(r, r->accepted == 1 && r->q.n_active == 0);
	n = strlen(r->log);
	rig_stored(r, id, &m, &a);
	snprintf(r->log + n, sizeof(r->log) - n, "due in %llu s\n", (unsigned long long)(m.due_ms - START) / 1000);
	arena_fini(&a);
}

static void lost_letter(struct rig *r)
{
	rig_submit(r, "tito@x", "bad@x", 0);
	UNTIL(r, r->local.n == 1);
}

static void lost_notice(struct rig *r)
{
	rig_submit(r, "", "bad@x", 0);
	UNTIL(r, r->accepted == 1 && r->q.n_active <= r->local.n);
	rig_turns(r, 20);
}

static void two_of_one_user(struct rig *r)
{
	const char *const rcpts[] = { "many1@x", "many2@x" };

	rig_end(r, rig_begin(r, "tito@x", rcpts, 2, 0), rig_body, strlen(rig_body));
	UNTIL(r, r->accepted == 1 && r->local.n > 0);
	rig_turns(r, 20);
}

static void one_letter(struct rig *r)
{
	rig_submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->accepted == 1);
	rig_turns(r, 20);
}

static void two_letters(struct rig *r)
{
	one_letter(r);
	rig_submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->accepted == 2);
	rig_turns(r, 20);
}

static void long_list(struct rig *r)
{
	rig_submit(r, "tito@x", "crowd@x", 0);
	UNTIL(r, r->accepted == 1);
	UNTIL(r, strstr(r->log, "status=deferred"));
}

/* The agent is gone for thirty seconds. */
static void agent_away(struct rig *r)
{
	clock_fake_ms(START);
	UNTIL(r, r->q.hello_done);
	ipc_close(&r->local.ipc);
	rig_turns(r, 5);
	rig_submit(r, "tito@x", "iqbal@x", 0);
	UNTIL(r, r->accepted == 1);
	rig_turns(r, 5);
	clock_fake_ms(START + 30000);
	agents_tick(&r->q);
	rig_turns(r, 20);
}

static const struct row {
	const char *setting, *common;
	void (*play)(struct rig *r);
	const char *want;
} rows[] = {
	{ "minimal_backoff_time = 7s", "", first_pause, "due in 7 s" },
	{ "maximal_backoff_time = 8s", "", first_pause, "due in 8 s" },
	{ "maximal_queue_lifetime = 1h", "", hour_of_letter, "from=<tito@x>, status=expired, returned to sender" },
	{ "maximal_queue_lifetime = 0", "", tried_once, "status=expired" },
	{ "bounce_queue_lifetime = 1h", "", hour_of_notice, "from=<>, status=expired, returned to sender" },
	{ "delay_warning_time = 1h", "", hour_of_letter, "sender delay notification" },
	{ "bounce_size_limit = 5", "", lost_letter, "text/rfc822-headers" },
	{ "notify_classes = 2bounce", "", lost_notice, "job local from <double-bounce@x> to postmaster@x" },
	{ "2bounce_notice_recipient = boss", "notify_classes = 2bounce\n", lost_notice, "to boss@x" },
	{ "double_bounce_sender = twice", "notify_classes = 2bounce\n", lost_notice, "from <twice@x>" },
	{ "default_destination_recipient_limit = 1", "", two_of_one_user, "to many2@x\n" },
	{ "defer_transports = smtp, local", "", one_letter, "status=deferred (deferred transport)" },
	{ "qmgr_message_active_limit = 1", "", two_letters, "1 of 2 letters are tried" },
	{ "qmgr_message_recipient_limit = 100", "", long_list, "dsn=4.6.0, status=deferred" },
	{ "transport_retry_time = 20s", "", agent_away, "mail transport unavailable" },
};

static void configure(struct rig *r, const char *common, const char *setting, struct arena *a)
{
	struct conf c = { .dir = "/etc/surat" };
	struct conf_errors errors = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(conf_parse(&c, "main.cf", span_z(arena_printf(a, "myhostname = mail.x\nmyorigin = x\n%s%s\n", common,
								       setting)), &errors), 0);
	if (qmgr_conf_read(&r->q.conf, &c, a, &err) < 0 || global_conf_read(&r->q.global, &c, a, &err) < 0)
		fail_msg("%s", err.msg);
	conf_fini(&c);
}

/* The log, the jobs and how many letters are being tried. */
static char *play(const struct row *row, const char *setting)
{
	struct str out = STR_INIT(1000000);
	struct arena a = { 0 };
	void *state = NULL;
	struct rig *r;
	size_t i;

	assert_int_equal(rig_set_up(&state), 0);
	r = state;
	configure(r, row->common, setting, &a);
	row->play(r);
	assert_int_equal(str_addf(&out, "%s%zu of %u letters are tried\n", r->log, r->q.n_active, r->accepted), 0);
	for (i = 0; i < r->local.n && i < JOBS; i++) {
		const struct seen_job *j = &r->local.jobs[i];

		assert_int_equal(str_addf(&out, "job %s from <%s> to %s\n%s\n", j->transport, j->sender, j->rcpts, j->body), 0);
	}
	assert_int_equal(rig_tear_down(&state), 0);
	arena_fini(&a);
	return str_detach(&out);
}

static void test_each(void **state)
{
	unsigned wrong = 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		char *before = play(&rows[i], ""), *with = play(&rows[i], rows[i].setting);
		bool ok = strstr(with, rows[i].want) && !strstr(before, rows[i].want);

		if (!ok)
			print_error("%s\nwant: %s\nbefore:\n%s\nwith:\n%s\n", rows[i].setting, rows[i].want, before, with);
		wrong += !ok;
		free(before);
		free(with);
	}
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_each) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
