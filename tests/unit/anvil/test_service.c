#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "anvil/service.h"
#include "base/log.h"

struct fix {
	struct loop loop;
	struct service *s;
	struct ipc peers[2];
	struct ipc_req req;
	struct anvil_counts got;
	int answers, lost;
};

static char logged[2000];

static void sink(void *arg, enum log_level level, const char *line)
{
	size_t n = strlen(logged);

	snprintf(logged + n, sizeof(logged) - n, "%s\n", line);
}

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
	((struct fix *)arg)->lost++;
}

static const struct ipc_ops peer_ops = { "anvil", NULL, 0, on_lost, NULL };

static void connect_peer(struct fix *f, int i)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	ipc_init(&f->peers[i], &f->loop, &peer_ops, f);
	ipc_attach(&f->peers[i], &fds[0]);
	service_attach(f->s, &fds[1]);
}

static int setup(void **state)
{
	static const struct anvil_conf conf = { .anvil_rate_time_unit_ms = 60000, .anvil_status_update_time_ms = 600000,
						.anvil_client_limit = 2 };
	struct fix *f = calloc(1, sizeof(*f));
	struct err err = ERR_INIT;

	logged[0] = '\0';
	log_set_sink(sink, NULL);
	assert_int_equal(loop_init(&f->loop, &err), 0);
	f->s = service_new(&f->loop, &conf);
	connect_peer(f, 0);
	connect_peer(f, 1);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;
	int i;

	for (i = 0; i < 2; i++) {
		if (ipc_is_attached(&f->peers[i]))
			ipc_close(&f->peers[i]);
	}
	service_free(f->s);
	loop_fini(&f->loop);
	log_set_sink(NULL, NULL);
	free(f);
	return 0;
}

static void on_reply(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	struct fix *f = arg;

	f->answers++;
	f->got = *(const struct anvil_counts *)reply;
}

static void call(struct fix *f, int peer, const struct ipc_desc *d, const void *in)
{
	int i;

	f->answers = 0;
	assert_int_equal(ipc_call(&f->peers[peer], d, in, NULL, &anvil_counts_desc, &f->req, on_reply, f, 0), 0);
	for (i = 0; i < 100 && !f->answers; i++)
		loop_turn(&f->loop, true);
	assert_int_equal(f->answers, 1);
}

static uint64_t came(struct fix *f, int peer, const char *ident)
{
	struct anvil_connect m = { span_z(ident) };

	call(f, peer, &anvil_connect_desc, &m);
	return f->got.count;
}

static uint64_t happened(struct fix *f, int peer, const char *ident, enum anvil_event event)
{
	struct anvil_occurred m = { span_z(ident), event };

	call(f, peer, &anvil_occurred_desc, &m);
	return f->got.rate;
}

static void went(struct fix *f, int peer, const char *ident)
{
	struct anvil_disconnect m = { span_z(ident) };

	assert_int_equal(ipc_send(&f->peers[peer], &anvil_disconnect_desc, &m, NULL), 0);
}

static void counts_over_all_workers(void **state)
{
	struct fix *f = *state;

	assert_int_equal(came(f, 0, "smtp:192.0.2.1"), 1);
	assert_int_equal(came(f, 1, "smtp:192.0.2.1"), 2);
	went(f, 0, "smtp:192.0.2.1");
	went(f, 0, "smtp:192.0.2.1");           /* not his to end */
	assert_int_equal(happened(f, 0, "smtp:192.0.2.1", ANVIL_MAIL), 1);
	assert_int_equal(f->got.count, 1);
	assert_int_equal(happened(f, 1, "smtp:192.0.2.1", ANVIL_MAIL), 2);
}

static void a_dead_worker_leaves_nothing_open(void **state)
{
	struct fix *f = *state;

	came(f, 0, "smtp:192.0.2.1");
	came(f, 0, "smtp:192.0.2.1");
	happened(f, 0, "imap:tito:192.0.2.1", ANVIL_LOGIN);
	assert_int_equal(came(f, 1, "smtp:192.0.2.1"), 3);
	ipc_close(&f->peers[0]);
	loop_turn(&f->loop, true);
	assert_int_equal(came(f, 1, "smtp:192.0.2.1"), 2);
	assert_int_equal(happened(f, 1, "imap:tito:192.0.2.1", ANVIL_LOGIN), 2);
	assert_int_equal(f->got.count, 1);
}

static void more_clients_than_fit(void **state)
{
	struct fix *f = *state;

	assert_int_equal(came(f, 0, "smtp:1"), 1);
	assert_int_equal(came(f, 0, "smtp:2"), 1);
	assert_int_equal(came(f, 0, "smtp:3"), 1);
	assert_int_equal(came(f, 0, "smtp:3"), 1);
	assert_int_equal(service_clients(f->s), 2);
	assert_string_equal(logged,
			    "warning: 2 clients are connected at once; more are not counted (anvil_client_limit)\n");
	went(f, 0, "smtp:3");
	went(f, 0, "smtp:1");
	assert_int_equal(came(f, 0, "smtp:3"), 1);
	assert_int_equal(came(f, 0, "smtp:3"), 2);
}

static void odd_events(void **state)
{
	struct fix *f = *state;
	char endless[2000];

	memset(endless, 'x', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	assert_int_equal(came(f, 0, ""), 0);
	assert_int_equal(came(f, 0, endless), 0);
	assert_int_equal(happened(f, 0, "smtp:1", (enum anvil_event)COUNTS_CONNECT), 0);
	assert_int_equal(happened(f, 0, "smtp:1", (enum anvil_event)4000), 0);
	assert_int_equal(happened(f, 0, "nocolon", ANVIL_AUTH), 1);
	assert_int_equal(service_clients(f->s), 1);
}

static void reports(void **state)
{
	struct fix *f = *state;

	came(f, 0, "smtp:192.0.2.1");
	service_report(f->s);
	assert_non_null(strstr(logged, "statistics: max connection rate 1/60s for (smtp:192.0.2.1) at "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counts_over_all_workers, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dead_worker_leaves_nothing_open, setup, teardown),

		cmocka_unit_test_setup_teardown(more_clients_than_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(odd_events, setup, teardown),
		cmocka_unit_test_setup_teardown(reports, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
