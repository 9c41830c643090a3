#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "anvil/counts.h"
#include "base/clock.h"
#include "base/str.h"

#define T0 1000000000000u

static void event(struct counts *c, const char *ident, unsigned kind, int delta, uint64_t count, uint64_t rate)
{
	struct anvil_counts out;

	counts_event(c, span_z(ident), kind, delta, &out);
	if (out.count != count || out.rate != rate)
		fail_msg("%s kind %u delta %d: count %d rate %d", ident, kind, delta, (int)out.count, (int)out.rate);
}

static void counts_and_rates(void **state)
{
	struct counts c;

	clock_fake_ms(T0);
	counts_init(&c, 60000, 100);
	event(&c, "smtp:a", COUNTS_CONNECT, 1, 1, 1);
	event(&c, "smtp:a", COUNTS_CONNECT, 1, 2, 2);
	event(&c, "smtp:b", COUNTS_CONNECT, 1, 1, 1);
	event(&c, "smtp:a", ANVIL_MAIL, 0, 2, 1);
	event(&c, "smtp:a", ANVIL_MAIL, 0, 2, 2);
	event(&c, "smtp:a", ANVIL_RCPT, 0, 2, 1);
	event(&c, "smtp:a", COUNTS_CONNECT, -1, 1, 0);
	event(&c, "smtp:a", COUNTS_CONNECT, 1, 2, 3);
	clock_fake_ms(T0 + 59999);
	event(&c, "smtp:a", ANVIL_MAIL, 0, 2, 3);
	clock_fake_ms(T0 + 60000);
	event(&c, "smtp:a", ANVIL_MAIL, 0, 2, 1);
	event(&c, "smtp:a", COUNTS_CONNECT, -1, 1, 0);
	event(&c, "smtp:a", COUNTS_CONNECT, -1, 0, 0);
	event(&c, "smtp:a", COUNTS_CONNECT, -1, 0, 0);          /* never below nothing */
	event(&c, "smtp:never", COUNTS_CONNECT, -1, 0, 0);
	event(&c, "imap:tito:a", ANVIL_LOGIN, 1, 1, 1);
	event(&c, "imap:tito:a", ANVIL_LOGOUT, -1, 0, 0);
	counts_fini(&c);
}

static void bounded(void **state)
{
	struct anvil_counts out;
	struct counts c;
	char ident[32];
	int i;

	clock_fake_ms(T0);
	counts_init(&c, 60000, 3);
	event(&c, "open", COUNTS_CONNECT, 1, 1, 1);
	for (i = 0; i < 1000; i++) {
		snprintf(ident, sizeof(ident), "quiet%d", i);
		event(&c, ident, ANVIL_MAIL, 0, 0, 1);
	}
	assert_int_equal(c.clients.n, 3);
	event(&c, "open", ANVIL_MAIL, 0, 1, 1);                 /* what is open is never forgotten */
	event(&c, "quiet999", ANVIL_MAIL, 0, 0, 2);             /* the latest are kept */
	event(&c, "quiet998", ANVIL_MAIL, 0, 0, 2);
	event(&c, "quiet997", ANVIL_MAIL, 0, 0, 1);
	event(&c, "o2", COUNTS_CONNECT, 1, 1, 1);
	event(&c, "o3", COUNTS_CONNECT, 1, 1, 1);
	assert_int_equal(counts_event(&c, SPAN_LIT("o4"), COUNTS_CONNECT, 1, &out), -1);
	assert_int_equal(out.count, 1);
	assert_int_equal(c.clients.n, 3);
	event(&c, "o2", COUNTS_CONNECT, -1, 0, 0);
	assert_int_equal(counts_event(&c, SPAN_LIT("o4"), COUNTS_CONNECT, 1, &out), 0);
	counts_fini(&c);
}

static void add_line(void *arg, const char *text)
{
	str_addf(arg, "%s\n", text);
}

static void statistics(void **state)
{
	struct str lines = STR_INIT(10000);
	struct counts c;

	setenv("TZ", "UTC", 1);
	clock_fake_ms(T0);
	counts_init(&c, 60000, 100);
	counts_report(&c, add_line, &lines);
	assert_string_equal(lines.p, "");
	event(&c, "smtp:192.0.2.1", COUNTS_CONNECT, 1, 1, 1);
	event(&c, "smtp:192.0.2.1", ANVIL_MAIL, 0, 1, 1);
	event(&c, "smtp:192.0.2.2", COUNTS_CONNECT, 1, 1, 1);
	clock_fake_ms(T0 + 5000);
	event(&c, "smtp:192.0.2.2", COUNTS_CONNECT, 1, 2, 2);
	counts_report(&c, add_line, &lines);
	assert_string_equal(lines.p, "statistics: max connection rate 2/60s for (smtp:192.0.2.2) at Sep  9 01:46:45\n"
				     "statistics: max message rate 1/60s for (smtp:192.0.2.1) at Sep  9 01:46:40\n"
				     "statistics: max connection count 2 for (smtp:192.0.2.2) at Sep  9 01:46:45\n"
				     "statistics: max cache size 2 at Sep  9 01:46:40\n");
	str_reset(&lines);
	counts_report(&c, add_line, &lines);
	assert_string_equal(lines.p, "");
	counts_fini(&c);
	str_fini(&lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_and_rates),
		cmocka_unit_test(bounded),
		cmocka_unit_test(statistics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
