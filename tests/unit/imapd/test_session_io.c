/* Output and waiting of a session: a client that reads nothing, one that is gone, much and little at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conf/params.h"
#include "imapd/session.h"
#include "svc/child_start.h"

static struct imapd_conf conf = { .imap_max_line_length = 1024, .imap_idle_timeout_ms = 1000 };
static const struct child_start start = { .user = "tito", .session = "s", .tag = "a", .conf = &conf };

static int open_session(struct session *s)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	session_init(s, fds[0], &start);
	return fds[1];
}

static void test_client_that_does_not_read(void **state)
{
	struct str much = STR_INIT(4u << 20);
	uint64_t before = clock_mono_ms();
	struct session s;
	int peer = open_session(&s);

	while (str_addz(&much, "0123456789abcdef") == 0)
		;
	s.reader_ms = 200;
	assert_int_equal(session_put(&s, str_span(&much)), -1);
	assert_string_equal(s.reason, "Client does not read");
	assert_true(clock_mono_ms() - before >= 200);
	/* and it stays so, without waiting once more */
	before = clock_mono_ms();
	assert_int_equal(session_put(&s, SPAN_LIT("more")), -1);
	assert_true(clock_mono_ms() - before < 150);
	session_fini(&s);
	str_fini(&much);
	close(peer);
}

static void test_client_that_is_gone(void **state)
{
	struct session s;
	int peer = open_session(&s);

	close(peer);
	assert_int_equal(session_putf(&s, "* OK %d\r\n", 1), 0);
	assert_int_equal(session_flush(&s), -1);
	assert_string_equal(s.reason, "Connection closed");
	assert_int_equal(session_wait(&s, false, 1000), WAIT_END);
	session_fini(&s);
}

/* Little is gathered, much is sent on the way. */
static void test_output_is_gathered(void **state)
{
	char *line = xcalloc(1, 40001), buf[131072];
	struct session s;
	int peer = open_session(&s);

	memset(line, 'x', 40000);
	assert_int_equal(session_putf(&s, "%s", "small"), 0);
	assert_int_equal(recv(peer, buf, sizeof(buf), MSG_DONTWAIT), -1);
	assert_int_equal(session_putf(&s, "%s", line), 0);
	assert_int_equal(recv(peer, buf, sizeof(buf), MSG_DONTWAIT), -1);
	assert_int_equal(session_putf(&s, "%s", line), 0);
	assert_int_equal(recv(peer, buf, sizeof(buf), MSG_DONTWAIT), 80005);
	assert_memory_equal(buf, "smallxxx", 8);
	assert_int_equal(s.counts.out_bytes, 80005);
	session_fini(&s);
	close(peer);
	free(line);
}

static void test_wait(void **state)
{
	struct session s;
	int peer = open_session(&s), watch[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, watch), 0);
	s.watch.fd = watch[0];
	assert_int_equal(session_wait(&s, true, 20), WAIT_TIME);
	assert_int_equal(send(watch[1], "x", 1, 0), 1);
	assert_int_equal(session_wait(&s, false, 20), WAIT_TIME);
	assert_int_equal(session_wait(&s, true, 1000), WAIT_CHANGE);
	/* the client comes first */
	assert_int_equal(send(peer, "DONE", 4, 0), 4);
	assert_int_equal(session_wait(&s, true, 1000), WAIT_INPUT);
	assert_int_equal(stream_peek(&s.io).n, 4);
	assert_int_equal(s.counts.in_bytes, 4);
	close(peer);
	assert_int_equal(session_wait(&s, true, 1000), WAIT_END);
	assert_string_equal(s.reason, "Connection closed");
	session_fini(&s);
	close(watch[0]);
	close(watch[1]);
}

static void test_fill_times_out(void **state)
{
	struct session s;
	int peer = open_session(&s);

	assert_int_equal(session_fill(&s, 20), -1);
	assert_string_equal(s.reason, "Inactivity");
	/* the first reason counts */
	assert_int_equal(session_end(&s, "another"), -1);
	assert_string_equal(s.reason, "Inactivity");
	session_fini(&s);
	close(peer);
}

static void test_flags(void **state)
{
	struct keywords k = { .name = { [0] = { "$Junk", 5 }, [2] = { "b", 1 } } };
	static const struct {
		uint32_t flags;
		bool is_recent;
		const char *text;
	} rows[] = {
		{ 0, false, "()" }, { 0, true, "(\\Recent)" }, { INDEX_SEEN, false, "(\\Seen)" },
		{ INDEX_SYSTEM_FLAGS, true, "(\\Answered \\Flagged \\Deleted \\Seen \\Draft \\Recent)" },
		{ INDEX_KEYWORD, false, "($Junk)" }, { INDEX_KEYWORD * 2, false, "()" },
		{ INDEX_KEYWORD * 7 | INDEX_DRAFT, false, "(\\Draft $Junk b)" }, { UINT32_MAX & ~31u, false, "($Junk b)" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(200);

		assert_int_equal(flags_print(&out, &k, rows[i].flags, rows[i].is_recent), 0);
		assert_string_equal(out.p, rows[i].text);
		str_fini(&out);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_that_does_not_read), cmocka_unit_test(test_client_that_is_gone),
		cmocka_unit_test(test_output_is_gathered), cmocka_unit_test(test_wait), cmocka_unit_test(test_fill_times_out),
		cmocka_unit_test(test_flags),
	};

	return cmocka_run_group_tests_name("session_io", tests, NULL, NULL);
}
