#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "listen.h"
#include "world.h"

/* One port for all: the tests run one after the other. */
#define PORT "31925"

static void expect_keys(const struct listeners *l, const char *label, const char *want)
{
	char got[512] = "";
	size_t i, n = 0;

	for (i = 0; i < l->n; i++)
		n += (size_t)snprintf(got + n, sizeof(got) - n, "%s%s", i ? " " : "", l->v[i].key);
	if (strcmp(got, want) != 0)
		fail_msg("%s: listens on %s, wanted %s", label, got, want);
}

static void test_addresses(void **state)
{
	static const struct {
		const char *label, *main, *row, *want;
	} rows[] = {
		{ "one address", "inet_interfaces = 127.0.0.1\n", PORT, "127.0.0.1:" PORT },
		{ "a list", "inet_interfaces = 127.0.0.1, 127.0.0.2\n", PORT, "127.0.0.1:" PORT " 127.0.0.2:" PORT },
		{ "the same twice", "inet_interfaces = 127.0.0.1 127.0.0.1\n", PORT, "127.0.0.1:" PORT },
		{ "all of IPv4", "inet_interfaces = all\ninet_protocols = ipv4\n", PORT, "0.0.0.0:" PORT },
		{ "all", "inet_interfaces = all\n", PORT, "0.0.0.0:" PORT " [::]:" PORT },
		{ "all of IPv6", "inet_interfaces = all\ninet_protocols = ipv6\n", PORT, "[::]:" PORT },
		{ "loopback", "inet_interfaces = loopback-only\n", PORT, "127.0.0.1:" PORT " [::1]:" PORT },
		{ "the row's own", "inet_interfaces = all\n", "127.0.0.3:" PORT, "127.0.0.3:" PORT },
		{ "the row's own of IPv6", "inet_interfaces = 127.0.0.1\n", "[::1]:" PORT, "[::1]:" PORT },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w = { 0 };
		struct listeners l = { 0 };
		char row[128];

		snprintf(row, sizeof(row), "%s inet n - n - 7 smtpd -o smtpd_timeout=9s -o smtpd_banner=x\n",
			 rows[i].row);
		world_make(&w, rows[i].main, row);
		if (!w.config || listen_open(&l, w.config, NULL, 0, &w.errors) < 0)
			fail_msg("%s: %s", rows[i].label, w.errors.n ? w.errors.v[0] : "?");
		expect_keys(&l, rows[i].label, rows[i].want);
		assert_string_equal(l.v[0].command, "smtpd");
		assert_string_equal(l.v[0].overrides, "smtpd_timeout = 9s\nsmtpd_banner = x\n");
		assert_int_equal(l.v[0].max_sessions, 7);
		listen_fini(&l, true);
		world_end(&w);
	}
}

static void test_max_sessions(void **state)
{
	static const struct {
		const char *column;
		uint64_t want;
	} rows[] = { { "-", 33 }, { "0", 0 }, { "5", 5 } };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w = { 0 };
		struct listeners l = { 0 };
		char row[128];

		snprintf(row, sizeof(row), "127.0.0.1:" PORT " inet n - n - %s smtpd\n", rows[i].column);
		world_make(&w, "default_process_limit = 33\n", row);
		assert_int_equal(listen_open(&l, w.config, NULL, 0, &w.errors), 0);
		assert_int_equal(l.v[0].max_sessions, rows[i].want);
		listen_fini(&l, true);
		world_end(&w);
	}
}

static bool has_error(const struct conf_errors *e, const char *a, const char *b)
{
	size_t i;

	for (i = 0; i < e->n; i++) {
		if (strstr(e->v[i], a) && strstr(e->v[i], b))
			return true;
	}
	return false;
}

static void test_busy_and_foreign_addresses(void **state)
{
	struct world w = { 0 }, v = { 0 };
	struct listeners held = { 0 }, l = { 0 };

	world_make(&w, "inet_interfaces = 127.0.0.1\n", PORT " inet n - n - - smtpd\n");
	assert_int_equal(listen_open(&held, w.config, NULL, 0, &w.errors), 0);
	world_make(&v, "inet_interfaces = 127.0.0.1\n",
		   PORT " inet n - n - - smtpd\n192.0.2.1:" PORT " inet n - n - - smtpd\n127.0.0.4:" PORT " inet n - n - - smtpd\n");
	assert_int_equal(listen_open(&l, v.config, NULL, 100, &v.errors), -1);
	assert_true(has_error(&v.errors, "master.cf:1: service " PORT, "is in use by another program"));
	assert_true(has_error(&v.errors, "master.cf:2: service 192.0.2.1:" PORT, "no address of this machine"));
	expect_keys(&l, "what could be opened", "127.0.0.4:" PORT);
	listen_fini(&l, true);
	listen_fini(&held, true);
	world_end(&w);
	world_end(&v);
}

/* A connection that waits in the queue of the old socket is there in the new set too. */
static void test_reload_keeps_the_socket(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(31925),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct world w = { 0 };
	struct listeners first = { 0 }, second = { 0 }, third = { 0 };
	int client = socket(AF_INET, SOCK_STREAM, 0);

	world_make(&w, "inet_interfaces = 127.0.0.1\n", PORT " inet n - n - - smtpd\n");
	assert_int_equal(listen_open(&first, w.config, NULL, 0, &w.errors), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen_open(&second, w.config, &first, 0, &w.errors), 0);
	listen_fini(&first, false);
	assert_true(accept(second.v[0].fd, NULL, NULL) >= 0);
	/* from one address to all, while the old one is still served */
	world_make(&w, "inet_interfaces = all\n", PORT " inet n - n - - smtpd\n");
	assert_int_equal(listen_open(&third, w.config, &second, 0, &w.errors), 0);
	expect_keys(&third, "all", "0.0.0.0:" PORT " [::]:" PORT);
	listen_fini(&second, false);
	listen_fini(&third, true);
	close(client);
	world_end(&w);
}

static void test_named_sockets(void **state)
{
	struct world w = { 0 };
	struct listeners l = { 0 };
	struct err err = ERR_INIT;
	struct stat st;
	char path[200];

	world_make(&w, "", "sock unix y - n - - smtpd\nqmgr unix n - n 300 1 qmgr\n");
	snprintf(path, sizeof(path), "%s/sock", w.dir);
	world_put(&w, "sock", "stale");
	assert_int_equal(listen_open(&l, w.config, NULL, 0, &w.errors), 0);
	expect_keys(&l, "unix rows", path);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0600);
	listen_fini(&l, false);
	assert_int_equal(stat(path, &st), 0);
	memset(path, 'x', sizeof(path));
	path[150] = '\0';
	assert_int_equal(listen_add_unix(&l, path, 0600, "a", "b", &err), -1);
	assert_non_null(strstr(err.msg, "run_directory"));
	listen_fini(&l, true);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_max_sessions),
		cmocka_unit_test(test_busy_and_foreign_addresses),
		cmocka_unit_test(test_reload_keeps_the_socket),
		cmocka_unit_test(test_named_sockets),
	};

	return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
