#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/str.h"
#include "proto/access.h"

static void expect_keys(const struct access_keys *k, const char *want)
{
	struct str out = STR_INIT(4000);
	size_t i;

	for (i = 0; i < k->n; i++)
		assert_int_equal(str_addf(&out, "%s%.*s", i ? " " : "", SPAN_ARG(k->v[i])), 0);
	assert_string_equal(out.p, want);
	str_fini(&out);
}

static void test_domain(void **state)
{
	struct arena a = { 0 };
	struct access_keys k = { .n = 0 };

	access_domain_keys(&k, &a, SPAN_LIT("Mail.Example.COM"));
	expect_keys(&k, "mail.example.com example.com com");
	k.n = 0;
	access_domain_keys(&k, &a, SPAN_LIT(""));
	expect_keys(&k, "");
	k.n = 0;
	access_domain_keys(&k, &a, SPAN_LIT("..."));
	expect_keys(&k, "... .. .");
	k = (struct access_keys){ .is_dotted = true };
	access_domain_keys(&k, &a, SPAN_LIT("Mail.Example.COM"));
	expect_keys(&k, "mail.example.com .example.com .com");
	arena_fini(&a);
}

static void test_addr(void **state)
{
	struct arena a = { 0 };
	struct access_keys k = { .n = 0 };

	access_addr_keys(&k, &a, SPAN_LIT("192.0.2.1"));
	expect_keys(&k, "192.0.2.1 192.0.2 192.0 192");
	k.n = 0;
	access_addr_keys(&k, &a, SPAN_LIT("2001:db8::1"));
	expect_keys(&k, "2001:db8::1 2001:db8 2001");
	k.n = 0;
	access_addr_keys(&k, &a, SPAN_LIT("::1"));
	expect_keys(&k, "::1");
	arena_fini(&a);
}

static void test_mail(void **state)
{
	struct arena a = { 0 };
	struct access_keys k = { .n = 0 };

	access_mail_keys(&k, &a, SPAN_LIT("User+Ext@sub.example"), "+");
	expect_keys(&k, "user+ext@sub.example user@sub.example sub.example example user+ext@ user@");
	k.n = 0;
	access_mail_keys(&k, &a, SPAN_LIT("user@b"), "");
	expect_keys(&k, "user@b b user@");
	k.n = 0;
	access_mail_keys(&k, &a, SPAN_LIT("root"), "+");
	expect_keys(&k, "root root@");
	k.n = 0;
	access_mail_keys(&k, &a, SPAN_LIT("\"A..b\"@c"), "+");
	expect_keys(&k, "a..b@c c a..b@");
	k.n = 0;
	access_mail_keys(&k, &a, SPAN_LIT("\"x@y\\\"+e\"@c"), "+");
	expect_keys(&k, "x@y\"+e@c x@y\"@c c x@y\"+e@ x@y\"@");
	arena_fini(&a);
}

static void test_limit(void **state)
{
	struct arena a = { 0 };
	struct access_keys k = { .n = 0 };
	char dots[1000];

	memset(dots, '.', sizeof(dots));
	access_domain_keys(&k, &a, (struct span){ dots, sizeof(dots) });
	assert_int_equal(k.n, ACCESS_KEYS_MAX);
	arena_fini(&a);
}

static void test_actions(void **state)
{
	static const struct {
		const char *in;
		enum access_action want;
		const char *text;
	} rows[] = {
		{ "OK", ACCESS_OK, "" }, { "ok", ACCESS_OK, "" }, { "RELAY", ACCESS_OK, "" },
		{ "permit", ACCESS_OK, "" },
		{ "1234567890", ACCESS_OK, NULL }, { "REJECT", ACCESS_REJECT, "" },
		{ "REJECT  go away ", ACCESS_REJECT, "go away" },
		{ "550 5.1.1 no", ACCESS_REPLY, "550 5.1.1 no" }, { "450", ACCESS_REPLY, "450" },
		{ "399 x", ACCESS_RESTRICTIONS, "399 x" },
		{ "399", ACCESS_OK, NULL }, { "600 x", ACCESS_RESTRICTIONS, "600 x" },
		{ "DEFER", ACCESS_DEFER, "" }, { "DEFER_IF_PERMIT x", ACCESS_DEFER_IF_PERMIT, "x" },
		{ "DEFER_IF_REJECT x", ACCESS_DEFER_IF_REJECT, "x" }, { "DUNNO", ACCESS_DUNNO, "" },
		{ "HOLD", ACCESS_HOLD, "" },
		{ "DISCARD", ACCESS_DISCARD, "" }, { "REDIRECT a@b", ACCESS_REDIRECT, "a@b" },
		{ "BCC a@b", ACCESS_BCC, "a@b" },
		{ "PREPEND X: y", ACCESS_PREPEND, "X: y" }, { "WARN", ACCESS_WARN, "" }, { "INFO x", ACCESS_INFO, "x" },
		{ "FILTER x:y", ACCESS_FILTER, "x:y" }, { "permit_mynetworks, reject", ACCESS_RESTRICTIONS,
							  "permit_mynetworks, reject" },
		{ "", ACCESS_DUNNO, "" }, { "  ", ACCESS_DUNNO, "" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct span text;
		enum access_action got = access_parse(span_z(rows[i].in), &text);

		if (got != rows[i].want || (rows[i].text && !span_eqz(text, rows[i].text)))
			fail_msg("'%s': %d '%.*s'", rows[i].in, got, SPAN_ARG(text));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_domain), cmocka_unit_test(test_addr), cmocka_unit_test(test_mail),
		cmocka_unit_test(test_limit), cmocka_unit_test(test_actions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
