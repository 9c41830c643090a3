#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/clock.h"
#include "resolve/service.h"
#include "tests/unit/resolve/world.h"

#define DIR "/tmp/resolve-test-service"

struct fix {
	struct world w;
	struct loop loop;
	struct service *service;
	struct ipc client;
	struct ipc_req req;
	struct arena a;
	int answers, lost;
	enum ipc_rc rc;
	struct map_value value;
	struct route route;
	char first[64];                 /* of its news */
	struct rcpt_verdict verdict;
	struct ptr_name name;
	const struct ipc_desc *want;
};

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
	struct fix *f = arg;

	f->lost++;
}

static const struct ipc_ops client_ops = { "resolve", NULL, 0, on_lost, NULL };

static void connect_as(struct fix *f, const char *name)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	ipc_init(&f->client, &f->loop, &client_ops, f);
	ipc_attach(&f->client, &fds[0]);
	service_attach(f->service, span_z(name), &fds[1]);
}

static void connect_client(struct fix *f)
{
	connect_as(f, "qmgr");
}

static struct dns *no_dns(struct fix *f)
{
	static const char *const nowhere[] = { "127.0.0.1@9" };
	struct conf_list list = { (const char **)(uintptr_t)nowhere, 1 };
	struct dns_options opt = { &list, "/nonexistent", 60000, 10 };
	struct err err = ERR_INIT;
	struct dns *d;

	assert_int_equal(dns_open(&d, &f->loop, &opt, &err), 0);
	return d;
}

static void begin(struct fix *f, const char *conf)
{
	struct err err = ERR_INIT;

	*f = (struct fix){ 0 };
	world_open(&f->w, conf);
	assert_int_equal(loop_init(&f->loop, &err), 0);
	f->service = service_new(&f->loop, f->w.rules, no_dns(f));
	f->w.rules = NULL;
	connect_client(f);
}

static void end(struct fix *f)
{
	if (ipc_is_attached(&f->client))
		ipc_close(&f->client);
	service_free(f->service);
	loop_fini(&f->loop);
	arena_fini(&f->a);
	world_close(&f->w);
}

static void keep(struct fix *f, const void *reply)
{
	if (f->want == &map_value_desc) {
		f->value = *(const struct map_value *)reply;
		f->value.value = arena_span(&f->a, f->value.value);
	} else if (f->want == &route_desc) {
		const struct route *r = reply;
		const struct route_new *v = r->news.v;

		f->route = *r;
		snprintf(f->first, sizeof(f->first), "%.*s", SPAN_ARG(r->news.n ? v[0].address : SPAN_NULL));
	} else if (f->want == &rcpt_verdict_desc) {
		f->verdict = *(const struct rcpt_verdict *)reply;
	} else {
		f->name = *(const struct ptr_name *)reply;
	}
}

static void on_reply(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	struct fix *f = arg;

	f->answers++;
	f->rc = rc;
	if (reply)
		keep(f, reply);
}

static void call(struct fix *f, const struct ipc_desc *d, const void *in, const struct ipc_desc *want)
{
	int i;

	f->want = want;
	f->answers = 0;
	assert_int_equal(ipc_call(&f->client, d, in, NULL, want, &f->req, on_reply, f, 0), 0);
	for (i = 0; i < 100 && !f->answers; i++)
		loop_turn(&f->loop, true);
	assert_int_equal(f->answers, 1);
}

static void get(struct fix *f, const char *map, const char *k1, const char *k2)
{
	struct map_key keys[2] = { { span_z(k1) }, { span_z(k2 ? k2 : "") } };
	struct map_query q = { span_z(map), { keys, k2 ? 2 : 1 } };

	call(f, &map_query_desc, &q, &map_value_desc);
}

static void verdicts_and_routes(void **state)
{
	struct fix f;
	struct rcpt_check check = { .address = SPAN_LIT("daemon@localhost"), .sender = SPAN_LIT("a@b.example") };
	struct route_query route = { .address = SPAN_LIT("x@localhost"), .sender = SPAN_LIT("a@b.example") };

	begin(&f, "mydestination = localhost\nalias_maps = inline:{x=daemon@localhost}\n");
	call(&f, &rcpt_check_desc, &check, &rcpt_verdict_desc);
	assert_int_equal(f.verdict.status, MSG_OK);
	assert_int_equal(f.verdict.class, ADDR_LOCAL);
	call(&f, &route_query_desc, &route, &route_desc);
	assert_int_equal(f.route.action, ROUTE_EXPAND);
	assert_int_equal(f.route.news.n, 1);
	end(&f);
}

/* What qmgr tells is known at RCPT; a sender is no recipient. */
static void full_mailbox(void **state)
{
	struct fix f;
	struct rcpt_check check = { .address = SPAN_LIT("daemon@localhost"), .has_letter = 1, .size = 100 };
	struct route_full full = { SPAN_LIT("local"), SPAN_LIT("daemon"), SPAN_NULL, 100 };
	int i;

	begin(&f, "mydestination = localhost\nalias_maps =\n");
	assert_int_equal(ipc_send(&f.client, &route_full_desc, &full, NULL), 0);
	call(&f, &rcpt_check_desc, &check, &rcpt_verdict_desc);
	assert_int_equal(f.verdict.status, MSG_NO);
	check.has_letter = 0;
	call(&f, &rcpt_check_desc, &check, &rcpt_verdict_desc);
	assert_int_equal(f.verdict.status, MSG_OK);
	end(&f);
	begin(&f, "mydestination = localhost\nalias_maps =\nfull_mailbox_time = 0\n");
	assert_int_equal(ipc_send(&f.client, &route_full_desc, &full, NULL), 0);
	check.has_letter = 1;
	call(&f, &rcpt_check_desc, &check, &rcpt_verdict_desc);
	assert_int_equal(f.verdict.status, MSG_OK);
	ipc_close(&f.client);
	connect_as(&f, "smtpd");        /* it has no say in this */
	assert_int_equal(ipc_send(&f.client, &route_full_desc, &full, NULL), 0);
	for (i = 0; i < 100 && !f.lost; i++)
		loop_turn(&f.loop, true);
	assert_int_equal(f.lost, 1);
	end(&f);
}

/* Only what the configuration names may be asked for, wherever it names it. */
static void tables(void **state)
{
	static const char conf[] =
		"smtpd_restriction_classes = strict\n"
		"strict = check_helo_access inline:{h=REJECT}\n"
		"smtpd_recipient_restrictions = check_client_access inline:{a=OK, b=REJECT}, reject_unauth_destination\n"
		"smtpd_sender_login_maps = regexp:" DIR "/logins\n"
		"mynetworks = 127.0.0.0/8, [::1]/128, texthash:" DIR "/nets\n";
	struct fix f;
	FILE *file;

	mkdir(DIR, 0700);
	file = fopen(DIR "/logins", "w");
	fputs("/^a@/ user\n", file);
	fclose(file);
	file = fopen(DIR "/nets", "w");
	fputs("192.0.2.1 x\n", file);
	fclose(file);
	begin(&f, conf);
	get(&f, "inline:{a=OK, b=REJECT}", "none", "b");
	assert_int_equal(f.value.status, MSG_OK);
	assert_true(span_eqz(f.value.value, "REJECT"));
	get(&f, "inline:{a=OK, b=REJECT}", "none", NULL);
	assert_int_equal(f.value.status, MSG_NO);
	get(&f, "inline:{h=REJECT}", "h", NULL);
	assert_int_equal(f.value.status, MSG_OK);
	get(&f, "texthash:" DIR "/nets", "192.0.2.1", NULL);
	assert_int_equal(f.value.status, MSG_OK);
	get(&f, "regexp:" DIR "/logins", "a@b.example", NULL);
	assert_int_equal(f.value.status, MSG_OK);
	get(&f, "regexp:" DIR "/logins", "b@b.example", "a@b.example");         /* a pattern table sees whole keys only */
	assert_int_equal(f.value.status, MSG_NO);
	get(&f, "texthash:/etc/passwd", "root", NULL);
	assert_int_equal(f.value.status, MSG_TEMP);
	assert_non_null(strstr(world_log, "does not name it"));
	end(&f);
}

static void replace(const char *text)
{
	FILE *f = fopen(DIR "/t.new", "w");

	fputs(text, f);
	fclose(f);
	assert_int_equal(rename(DIR "/t.new", DIR "/t"), 0);
}

/* Missing, there, replaced, broken, mended: each takes effect with the next question, and only the log complains. */
static void a_table_comes_and_goes(void **state)
{
	struct fix f;

	mkdir(DIR, 0700);
	unlink(DIR "/t");
	clock_fake_ms(1000000);
	begin(&f, "smtpd_sender_login_maps = texthash:" DIR "/t\n");
	get(&f, "texthash:" DIR "/t", "a", NULL);
	assert_int_equal(f.value.status, MSG_TEMP);
	assert_non_null(strstr(world_log, DIR "/t"));
	world_log[0] = '\0';
	get(&f, "texthash:" DIR "/t", "a", NULL);
	assert_string_equal(world_log, "");
	replace("a 1\n");
	clock_fake_ms(1002000);
	get(&f, "texthash:" DIR "/t", "a", NULL);
	assert_int_equal(f.value.status, MSG_OK);
	assert_non_null(strstr(world_log, "in order again"));
	replace("a 22\n");
	get(&f, "texthash:" DIR "/t", "a", NULL);
	assert_true(span_eqz(f.value.value, "22"));
	unlink(DIR "/t");
	get(&f, "texthash:" DIR "/t", "a", NULL);
	assert_int_equal(f.value.status, MSG_TEMP);
	replace("a 333\n");
	get(&f, "texthash:" DIR "/t", "a", NULL);
	assert_int_equal(f.value.status, MSG_OK);
	end(&f);
	clock_fake_ms(0);
}

static void too_large_answers(void **state)
{
	struct route_query route = { .address = SPAN_LIT("all@localhost"), .sender = SPAN_LIT("a@b.example") };
	struct fix f;
	FILE *file;
	uint64_t version = 0;
	int i, parts = 0;

	mkdir(DIR, 0700);
	begin(&f, "mydestination = localhost\nalias_maps = texthash:" DIR "/t\n");
	file = fopen(DIR "/t", "w");
	fputs("all ", file);
	for (i = 0; i < 5000; i++)
		fprintf(file, "m%d@other.example%s", i, i < 4999 ? "," : "\n");
	fclose(file);
	do {
		char want[40];

		call(&f, &route_query_desc, &route, &route_desc);
		assert_int_equal(f.route.action, ROUTE_EXPAND);
		assert_true(f.route.news.n > 500 || !f.route.more);
		snprintf(want, sizeof(want), "m%d@other.example", (int)route.offset);
		assert_true(strcmp(f.first, want) == 0);
		assert_true(version == 0 || f.route.version == version);
		version = f.route.version;
		route.offset += f.route.news.n;
		parts++;
	} while (f.route.more);
	assert_int_equal(route.offset, 5000);
	assert_true(parts > 2 && version != 0);
	end(&f);
}

static void reload_and_loss(void **state)
{
	struct rcpt_check check = { .address = SPAN_LIT("daemon@other.example"), .sender = SPAN_LIT("a@b.example") };
	struct ptr_query ptr = { SPAN_LIT("192.0.2.77") };
	struct world fresh;
	struct fix f;
	int i;

	begin(&f, "mydestination = localhost\nalias_maps =\n");
	call(&f, &rcpt_check_desc, &check, &rcpt_verdict_desc);
	assert_int_equal(f.verdict.class, ADDR_OTHER);

	/* a name that is being searched is answered when the resolver is exchanged */
	f.want = &ptr_name_desc;
	f.answers = 0;
	assert_int_equal(ipc_call(&f.client, &ptr_query_desc, &ptr, NULL, &ptr_name_desc, &f.req, on_reply, &f, 0), 0);
	loop_turn(&f.loop, false);
	loop_turn(&f.loop, false);
	world_open(&fresh, "mydestination = other.example\nalias_maps =\n");
	service_change(f.service, fresh.rules, no_dns(&f));
	fresh.rules = NULL;
	for (i = 0; i < 100 && !f.answers; i++)
		loop_turn(&f.loop, true);
	assert_int_equal(f.rc, IPC_OK);
	assert_int_equal(f.name.status, MSG_TEMP);
	call(&f, &rcpt_check_desc, &check, &rcpt_verdict_desc);
	assert_int_equal(f.verdict.class, ADDR_LOCAL);

	/* whoever asked and went leaves nothing behind; the next one is served */
	assert_int_equal(ipc_call(&f.client, &ptr_query_desc, &ptr, NULL, &ptr_name_desc, &f.req, on_reply, &f, 0), 0);
	loop_turn(&f.loop, false);
	loop_turn(&f.loop, false);
	ipc_close(&f.client);
	loop_turn(&f.loop, false);
	connect_client(&f);
	call(&f, &rcpt_check_desc, &check, &rcpt_verdict_desc);
	assert_int_equal(f.verdict.status, MSG_OK);
	end(&f);
	conf_fini(&fresh.conf);
	arena_fini(&fresh.a);
}

static void odd_messages_end_one_channel(void **state)
{
	struct rcpt_check check = { .address = SPAN_LIT("daemon@localhost"), .sender = SPAN_NULL };
	struct route odd = { 0 };
	struct fix f;
	int i;

	begin(&f, "mydestination = localhost\nalias_maps =\n");
	assert_int_equal(ipc_send(&f.client, &route_desc, &odd, NULL), 0);
	for (i = 0; i < 100 && !f.lost; i++)
		loop_turn(&f.loop, true);
	assert_int_equal(f.lost, 1);
	connect_client(&f);
	call(&f, &rcpt_check_desc, &check, &rcpt_verdict_desc);
	assert_int_equal(f.verdict.status, MSG_OK);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_and_routes), cmocka_unit_test(full_mailbox),
		cmocka_unit_test(tables),
		cmocka_unit_test(a_table_comes_and_goes),
		cmocka_unit_test(too_large_answers),
		cmocka_unit_test(reload_and_loss),
		cmocka_unit_test(odd_messages_end_one_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
