/* Tickets, penalties, and the names under which a login is looked up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "auth/names.h"
#include "auth/penalty.h"
#include "auth/ticket.h"
#include "base/clock.h"

static const struct ticket_user owner = { .user = SPAN_LIT("tito@x"), .uid = 5, .mail = SPAN_LIT("/m") };

static void ticket_rules(void **state)
{
	static const struct {
		const char *label, *service;
		uint64_t after_ms;
		bool ok;
	} rows[] = {
		{ "at once", "pop3", 0, true },
		{ "just in time", "pop3", 59999, true },
		{ "too late", "pop3", 60000, false },
		{ "another service", "imap", 0, false },
		{ "no service", "", 0, false },
		{ "longer service", "pop3s", 0, false },
	};
	struct ticket_table t;
	struct ticket_user u;
	struct arena arena = { 0 };
	char text[TICKET_TEXT + 1], other[TICKET_TEXT + 1];
	size_t i;

	(void)state;
	ticket_init(&t, 60000);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		clock_fake_ms(1000000);
		assert_int_equal(ticket_issue(&t, SPAN_LIT("pop3"), &owner, text), 0);
		assert_int_equal(ticket_issue(&t, SPAN_LIT("pop3"), &owner, other), 0);
		assert_string_not_equal(text, other);
		clock_fake_ms(1000000 + rows[i].after_ms);
		if (ticket_redeem(&t, span_z(text), span_z(rows[i].service), &arena, &u) != rows[i].ok)
			fail_msg("%s", rows[i].label);
		if (rows[i].ok)
			assert_true(span_eqz(u.user, "tito@x") && u.uid == 5 && span_eqz(u.mail, "/m"));
		/* once and no more, also after a refusal */
		clock_fake_ms(1000000);
		assert_false(ticket_redeem(&t, span_z(text), SPAN_LIT("pop3"), &arena, &u));
		assert_false(ticket_redeem(&t, span_sub(span_z(other), 0, 31), SPAN_LIT("pop3"), &arena, &u));
		assert_true(ticket_redeem(&t, span_z(other), SPAN_LIT("pop3"), &arena, &u));
	}
	assert_int_equal(t.tickets.n, 0);
	clock_fake_ms(0);
	ticket_fini(&t);
	arena_fini(&arena);
}

static void ticket_bound(void **state)
{
	struct ticket_table t;
	char text[TICKET_TEXT + 1];
	int i;

	(void)state;
	clock_fake_ms(1000000);
	ticket_init(&t, 60000);
	for (i = 0; i < TICKET_MAX; i++)
		assert_int_equal(ticket_issue(&t, SPAN_LIT("pop3"), &owner, text), 0);
	assert_int_equal(ticket_issue(&t, SPAN_LIT("pop3"), &owner, text), -1);
	clock_fake_ms(1060000);
	assert_int_equal(ticket_issue(&t, SPAN_LIT("pop3"), &owner, text), 0);
	assert_int_equal(t.tickets.n, 1);
	clock_fake_ms(0);
	ticket_fini(&t);
}

static void penalties(void **state)
{
	static const uint64_t want[] = { 2000, 4000, 8000, 15000, 15000 };
	struct penalty_table p = { { 0 } };
	struct span a = SPAN_LIT("192.0.2.1"), b = SPAN_LIT("192.0.2.2");
	size_t i;

	(void)state;
	clock_fake_ms(1000000);
	for (i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(penalty_before(&p, a, 2000), i < 4 ? 0 : 2000);
		assert_int_equal(penalty_fail(&p, a, 2000), want[i]);
	}
	assert_int_equal(penalty_before(&p, b, 2000), 0);
	assert_int_equal(penalty_fail(&p, b, 2000), 2000);
	clock_fake_ms(1000000 + PENALTY_FORGET_MS + 1);
	assert_int_equal(penalty_before(&p, a, 2000), 0);
	assert_int_equal(penalty_fail(&p, a, 2000), 2000);
	assert_int_equal(penalty_fail(&p, a, 0), 0);
	for (i = 0; i < 20; i++) {
		assert_int_equal(penalty_fail(&p, SPAN_LIT("127.0.0.1"), 2000), 2000);
		assert_int_equal(penalty_fail(&p, SPAN_LIT("::1"), 2000), 2000);
		assert_int_equal(penalty_fail(&p, SPAN_NULL, 2000), 2000);
		assert_int_equal(penalty_fail(&p, SPAN_LIT("no address at all, and a rather long one it is"), 2000),
				 2000);
	}
	/* hosts of one /64 are one guesser */
	assert_int_equal(penalty_fail(&p, SPAN_LIT("2001:db8:0:1::1"), 2000), 2000);
	assert_int_equal(penalty_fail(&p, SPAN_LIT("2001:db8:0:1:ffff::2"), 2000), 4000);
	assert_int_equal(penalty_fail(&p, SPAN_LIT("2001:db8:0:2::1"), 2000), 2000);
	clock_fake_ms(0);
	penalty_fini(&p);
}

static void penalty_bound(void **state)
{
	struct penalty_table p = { { 0 } };
	char addr[32];
	unsigned i;

	(void)state;
	for (i = 0; i < PENALTY_MAX + 500; i++) {
		snprintf(addr, sizeof(addr), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		penalty_fail(&p, span_z(addr), 1);
	}
	assert_int_equal(p.addresses.n, PENALTY_MAX);
	penalty_fini(&p);
}

static void login_names(void **state)
{
	static const struct {
		const char *label, *typed, *full, *bare, *unix_name;   /* full NULL: refused */
	} rows[] = {
		{ "bare", "tito", "tito@example.com", "tito", "tito" },
		{ "realm", "tito@example.com", "tito@example.com", "tito", NULL },
		{ "case", "TITO@EXAMPLE.com", "tito@example.com", "tito", NULL },
		{ "our domain", "tito@Host.test", "tito@host.test", "tito", "tito" },
		{ "foreign domain", "tito@other.test", "tito@other.test", NULL, NULL },
		{ "NUL is a byte too", "tito%x", NULL, NULL, NULL },
		{ "not in auth_username_chars", "ti!to", NULL, NULL, NULL },
		{ "UTF-8", "wénjīn", "wénjīn@example.com", "wénjīn", "wénjīn" },
		{ "bad UTF-8", "w\xe9njin", NULL, NULL, NULL },
		{ "path", "a/b", NULL, NULL, NULL },
		{ "option", "-x", NULL, NULL, NULL },
		{ "empty", "", NULL, NULL, NULL },
		{ "at only", "@", NULL, NULL, NULL },
	};
	struct conf c = { .dir = "/etc/surat" };
	struct conf_errors errors = { 0 };
	struct settings s;
	struct err err = ERR_INIT;
	size_t i;

	(void)state;
	assert_int_equal(conf_parse(&c, "main.cf", SPAN_LIT("virtual_mailbox_domains = example.com\n"
							    "mydestination = host.test\n"), &errors), 0);
	assert_int_equal(settings_read(&s, &c, true, &err), 0);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct names n;
		int rc = names_resolve(&n, &s, span_z(rows[i].typed), &arena, &err);

		if ((rc == 0) != (rows[i].full != NULL))
			fail_msg("%s: rc %d", rows[i].label, rc);
		if (rc == 0 && (strcmp(n.full, rows[i].full) != 0 || !n.bare != !rows[i].bare ||
				(n.bare && strcmp(n.bare, rows[i].bare) != 0) || !n.unix_name != !rows[i].unix_name))
			fail_msg("%s: %s %s %s", rows[i].label, n.full, n.bare, n.unix_name);
		arena_fini(&arena);
	}
	settings_fini(&s);
	conf_fini(&c);
	conf_errors_fini(&errors);
}

static void long_names(void **state)
{
	struct conf c = { .dir = "/etc/surat" };
	struct conf_errors errors = { 0 };
	struct arena arena = { 0 };
	struct settings s;
	struct names n;
	struct err err = ERR_INIT;
	char text[70000];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(conf_parse(&c, "main.cf", SPAN_NULL, &errors), 0);
	assert_int_equal(settings_read(&s, &c, true, &err), 0);
	assert_int_equal(names_resolve(&n, &s, (struct span){ text, 255 }, &arena, &err), -1);
	assert_int_equal(names_resolve(&n, &s, (struct span){ text, sizeof(text) }, &arena, &err), -1);
	assert_int_equal(err.kind, ERR_PERM);
	assert_int_equal(names_resolve(&n, &s, (struct span){ "a\0b", 3 }, &arena, &err), -1);
	settings_fini(&s);
	conf_fini(&c);
	conf_errors_fini(&errors);
	arena_fini(&arena);
}

static void ids(void **state)
{
	static const struct {
		uint32_t uid, gid;
		bool ok;
	} rows[] = { { 0, 0, false }, { 499, 500, false }, { 500, 500, true }, { 500, 0, false },
		     { 60000, 60000, true },
		     { 60001, 60000, false } };
	struct conf c = { .dir = "/etc/surat" };
	struct conf_errors errors = { 0 };
	struct settings s;
	struct err err = ERR_INIT;
	size_t i;

	(void)state;
	assert_int_equal(conf_parse(&c, "main.cf",
				    SPAN_LIT("last_valid_uid = 60000\nmail_uid = nobody\nmail_gid = 7\n"), &errors), 0);
	assert_int_equal(settings_read(&s, &c, true, &err), 0);
	assert_true(s.has_ids && s.uid == 65534 && s.gid == 7);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		if (settings_allow_ids(&s, rows[i].uid, rows[i].gid) != rows[i].ok)
			fail_msg("row %zu", i);
	}
	settings_fini(&s);
	conf_fini(&c);
	assert_int_equal(conf_parse(&c, "main.cf", SPAN_LIT("mail_uid = no-such-user-here\nmail_gid = 7\n"), &errors),
			 0);
	assert_int_equal(settings_read(&s, &c, true, &err), -1);
	assert_int_equal(err.kind, ERR_CONF);
	conf_fini(&c);
	conf_errors_fini(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ticket_rules), cmocka_unit_test(ticket_bound), cmocka_unit_test(penalties),
		cmocka_unit_test(penalty_bound), cmocka_unit_test(login_names), cmocka_unit_test(long_names),
		cmocka_unit_test(ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
