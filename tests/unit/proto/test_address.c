#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/address.h"

#define F_ALL (ADDRESS_NULL_OK | ADDRESS_NO_DOMAIN_OK)

static const struct {
	const char *label, *in;
	unsigned flags;
	const char *want;               /* formatted address; NULL: refused */
	const char *rest;
} paths[] = {
	{ "plain", "<a@b.example>", 0, "a@b.example", "" },
	{ "parameters follow", "<a@b.example> SIZE=1", 0, "a@b.example", " SIZE=1" },
	{ "null", "<>", ADDRESS_NULL_OK, "", "" },
	{ "null refused", "<>", 0, NULL, NULL },
	{ "quoted", "<\"x y\"@b>", 0, "\"x y\"@b", "" },
	{ "needless quotes go", "<\"xy\"@b>", 0, "xy@b", "" },
	{ "quoted at sign", "<\"x@y\"@us.example>", 0, "\"x@y\"@us.example", "" },
	{ "backslash", "<\"a\\\"b\"@c>", 0, "\"a\\\"b\"@c", "" },
	{ "empty quotes", "<\"\"@b>", 0, "\"\"@b", "" },
	{ "quoted bracket", "<\"a>b\"@c>", 0, "\"a>b\"@c", "" },
	{ "control in quotes", "<\"a\x01\"@c>", 0, NULL, NULL },
	{ "open quote", "<\"a@c>", 0, NULL, NULL },
	{ "backslash at end", "<\"a\\", 0, NULL, NULL },
	{ "mixed words", "<a.\"b c\".d@e>", 0, "\"a.b c.d\"@e", "" },
	{ "text behind quote", "<\"a\"b@c>", 0, NULL, NULL },
	{ "two dots", "<a..b@c>", 0, "\"a..b\"@c", "" },
	{ "two dots strict", "<a..b@c>", ADDRESS_STRICT, NULL, NULL },
	{ "leading dot", "<.a@c>", 0, "\".a\"@c", "" },
	{ "source route", "<@x,@y.example:u@b>", 0, "u@b", "" },
	{ "route without mailbox", "<@x:>", 0, NULL, NULL },
	{ "route without colon", "<@x,u@b>", 0, NULL, NULL },
	{ "v4 literal", "<a@[192.0.2.1]>", 0, "a@[192.0.2.1]", "" },
	{ "v6 literal", "<a@[IPv6:2001:db8::1]>", 0, "a@[IPv6:2001:db8::1]", "" },
	{ "bad v4 literal", "<a@[192.0.2.256]>", 0, NULL, NULL },
	{ "bad v6 literal", "<a@[IPv6:2001:::1]>", 0, NULL, NULL },
	{ "open literal", "<a@[192.0.2.1>", 0, NULL, NULL },
	{ "trailing dot", "<a@b.example.>", 0, "a@b.example", "" },
	{ "two trailing dots", "<a@b..>", 0, NULL, NULL },
	{ "empty label", "<a@b..c>", 0, NULL, NULL },
	{ "hyphen in front", "<a@-b.c>", 0, NULL, NULL },
	{ "hyphen behind", "<a@b-.c>", 0, NULL, NULL },
	{ "hyphen behind all", "<a@b.c->", 0, NULL, NULL },
	{ "hyphens inside", "<a@b--c.d-e>", 0, "a@b--c.d-e", "" },
	{ "no domain", "<a>", 0, NULL, NULL },
	{ "no domain allowed", "<postmaster>", ADDRESS_NO_DOMAIN_OK, "postmaster", "" },
	{ "no local", "<@b>", 0, NULL, NULL },
	{ "empty domain", "<a@>", 0, NULL, NULL },
	{ "bare refused", "a@b", 0, NULL, NULL },
	{ "bare", "a@b X=1", ADDRESS_BARE_OK, "a@b", " X=1" },
	{ "no closing", "<a@b", 0, NULL, NULL },
	{ "no closing, bare allowed", "<a@b", ADDRESS_BARE_OK, NULL, NULL },
	{ "blanks within", "< a@b\t> X=1", ADDRESS_BARE_OK, "a@b", " X=1" },
	{ "blanks within refused", "< a@b >", 0, NULL, NULL },
	{ "two brackets", "<<a@b>>", ADDRESS_BARE_OK, "a@b", "" },
	{ "two brackets refused", "<<a@b>>", 0, NULL, NULL },
	{ "one bracket more", "<a@b>> X=1", ADDRESS_BARE_OK, "a@b", " X=1" },
	{ "closing alone", "a@b>", ADDRESS_BARE_OK, "a@b", "" },
	{ "text behind two brackets", "<<a@b>>c", ADDRESS_BARE_OK, NULL, NULL },
	{ "null in two brackets", "<<>>", ADDRESS_BARE_OK | ADDRESS_NULL_OK, "", "" },
	{ "only brackets", "<<<", ADDRESS_BARE_OK | ADDRESS_NULL_OK, NULL, NULL },
	{ "empty quotes alone are not null", "<\"\">", F_ALL, NULL, NULL },
	{ "behind bracket", "<a@b>c", 0, NULL, NULL },
	{ "blank inside", "<a b@c>", 0, NULL, NULL },
	{ "two ats", "<a@b@c>", 0, NULL, NULL },
	{ "percent", "<a%b@c>", 0, "a%b@c", "" },
	{ "utf-8 refused", "<\xc3\xa9@b>", 0, NULL, NULL },
	{ "utf-8 domain refused", "<a@\xc3\xa9>", 0, NULL, NULL },
	{ "utf-8", "<\xc3\xa9@\xc3\xa9.example>", ADDRESS_UTF8, "\xc3\xa9@\xc3\xa9.example", "" },
	{ "bad utf-8", "<\xc3@b>", ADDRESS_UTF8, NULL, NULL },
	{ "bad utf-8 domain", "<a@\xff>", ADDRESS_UTF8, NULL, NULL },
	{ "empty", "", F_ALL, NULL, NULL },
	{ "pipe is text", "<|cmd@b>", 0, "|cmd@b", "" },
};

static void test_paths(void **state)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(paths); i++) {
		struct arena a = { 0 };
		struct str out = STR_INIT(1000);
		struct address addr;
		struct span rest;
		struct err err;
		int rc = address_parse_path(&a, span_z(paths[i].in), paths[i].flags, &addr, &rest, &err);

		if ((rc == 0) != (paths[i].want != NULL))
			fail_msg("%s: rc %d", paths[i].label, rc);
		if (rc == 0) {
			assert_int_equal(address_format(&out, &addr), 0);
			if (!span_eqz(str_span(&out), paths[i].want) || !span_eqz(rest, paths[i].rest))
				fail_msg("%s: got '%s' rest '%.*s'", paths[i].label, out.p, SPAN_ARG(rest));
		} else if (err.kind != ERR_PROTO) {
			fail_msg("%s: kind %d", paths[i].label, err.kind);
		}
		str_fini(&out);
		arena_fini(&a);
	}
}

static void test_nul(void **state)
{
	static const char in[] = "<a\0b@c>", quoted[] = "<\"a\0b\"@c>", domain[] = "<a@c\0d>";
	struct arena a = { 0 };
	struct address addr;
	struct span rest;
	struct err err;

	assert_int_equal(address_parse_path(&a, SPAN_LIT(in), 0, &addr, &rest, &err), -1);
	assert_int_equal(address_parse_path(&a, SPAN_LIT(quoted), 0, &addr, &rest, &err), -1);
	assert_int_equal(address_parse_path(&a, SPAN_LIT(domain), 0, &addr, &rest, &err), -1);
	arena_fini(&a);
}

static int length_rc(size_t local, size_t label, size_t labels, unsigned flags)
{
	struct arena a = { 0 };
	struct str in = STR_INIT(2000);
	struct address addr;
	struct err err;
	size_t i, k;
	int rc = 0;

	for (i = 0; i < local; i++)
		rc |= str_addc(&in, 'l');
	rc |= str_addc(&in, '@');
	for (k = 0; k < labels; k++) {
		for (i = 0; i < label; i++)
			rc |= str_addc(&in, 'd');
		rc |= k + 1 < labels ? str_addc(&in, '.') : 0;
	}
	assert_int_equal(rc, 0);
	rc = address_parse(&a, str_span(&in), flags, &addr, &err);
	str_fini(&in);
	arena_fini(&a);
	return rc;
}

static void test_lengths(void **state)
{
	assert_int_equal(length_rc(64, 10, 1, ADDRESS_STRICT), 0);
	assert_int_equal(length_rc(65, 10, 1, ADDRESS_STRICT), -1);
	assert_int_equal(length_rc(65, 10, 1, 0), 0);
	assert_int_equal(length_rc(1, 63, 1, 0), 0);
	assert_int_equal(length_rc(1, 64, 1, 0), -1);
	assert_int_equal(length_rc(253 - 127, 63, 2, 0), 0);
	assert_int_equal(length_rc(254 - 127, 63, 2, 0), -1);
}

static void test_split(void **state)
{
	struct span local, domain;

	assert_true(address_split(span_z("\"a@b\"@c"), &local, &domain));
	assert_true(span_eqz(local, "\"a@b\"") && span_eqz(domain, "c"));
	assert_false(address_split(span_z("a"), &local, &domain));
	assert_true(span_eqz(local, "a") && domain.n == 0);
}

static void test_extension(void **state)
{
	static const struct {
		const char *in, *delims, *base, *ext;
	} rows[] = {
		{ "user+ext", "+", "user", "ext" }, { "user+a+b", "+", "user", "a+b" }, { "user", "+", "user", NULL },
		{ "+user", "+", "+user", NULL }, { "user+", "+", "user", "" }, { "user-ext", "+-", "user", "ext" },
		{ "mailer-daemon", "-", "mailer-daemon", NULL }, { "double-bounce", "-", "double-bounce", NULL },
		{ "user+ext", "", "user+ext", NULL }, { "user+ext", NULL, "user+ext", NULL },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct span base, ext;
		bool cut = address_extension(span_z(rows[i].in), rows[i].delims, &base, &ext);

		if (cut != (rows[i].ext != NULL) || !span_eqz(base, rows[i].base) ||
		    (cut && !span_eqz(ext, rows[i].ext)))
			fail_msg("%s by '%s'", rows[i].in, rows[i].delims);
	}
}

static void test_domain_normal(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "Example.COM", "example.com" }, { "example.com.", "example.com" },
		{ "b\xc3\xbc" "cher.example", "xn--bcher-kva.example" },
		{ "B\xc3\x9c" "CHER.example", "xn--bcher-kva.example" }, { "[IPv6:2001:DB8::1]", "[ipv6:2001:db8::1]" },
		{ "", NULL }, { ".", NULL }, { "a..b", NULL }, { "\xff", NULL }, { "a b", NULL },
		{ "_dmarc.x", "_dmarc.x" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(300);
		struct err err;
		int rc = address_domain_normal(&out, span_z(rows[i].in), &err);

		if ((rc == 0) != (rows[i].want != NULL) || (rc == 0 && !span_eqz(str_span(&out), rows[i].want)))
			fail_msg("%s: %d '%s'", rows[i].in, rc, out.p);
		str_fini(&out);
	}
}

static int collect(void *arg, struct span name, const struct address *addr, struct err *err)
{
	struct str *out = arg;

	if (str_addf(out, "%s%.*s<", out->n ? "," : "", SPAN_ARG(name)) < 0 || address_format(out, addr) < 0 ||
	    str_addc(out, '>') < 0)
		return err_set(err, ERR_PROTO, "full");
	return 0;
}

static void test_list(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "a@b", "<a@b>" }, { "a@b, c@d", "<a@b>,<c@d>" }, { "X Y <a@b>", "X Y<a@b>" },
		{ "\"Y, X\" <a@b>", "Y, X<a@b>" }, { "a@b, \"x\" <c@d>, group: e@f, g@h;, i@j",
						     "<a@b>,x<c@d>,<e@f>,<g@h>,<i@j>" },
		{ "undisclosed-recipients:;", "" }, { "(a (nested) \\) comment) a@b (x)", "<a@b>" }, { "", "" },
		{ ", ,", "" },
		{ "a . b @ c . d", "<a.b@c.d>" }, { "\"q q\"@x", "<\"q q\"@x>" }, { "<@r,@s:a@b>", "<a@b>" },
		{ "root", "<root>" },
		{ "a@b\r\n\t, c@d", "<a@b>,<c@d>" }, { "a@[192.0.2.1]", "<a@[192.0.2.1]>" }, { "N <>", "" },
		{ "foo bar", NULL }, { "a@b c@d", NULL }, { "<a@b", NULL }, { "<a@b> x", NULL }, { "(open", NULL },
		{ "\"open", NULL },
		{ "a@@b", NULL }, { "<a@b>>", NULL }, { "a@b\x01", NULL }, { ")", NULL }, { "[", NULL },
		{ "Mr. X <a@b>", "Mr X<a@b>" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(1000);
		struct err err;
		int rc = address_list(span_z(rows[i].in), 100, collect, &out, &err);

		if ((rc == 0) != (rows[i].want != NULL) || (rc == 0 && !span_eqz(str_span(&out), rows[i].want)))
			fail_msg("'%s': %d '%s'", rows[i].in, rc, out.p);
		str_fini(&out);
	}
}

static int count(void *arg, struct span name, const struct address *addr, struct err *err)
{
	(*(size_t *)arg)++;
	return 0;
}

static void test_list_bounds(void **state)
{
	struct str in = STR_INIT(10000000);
	struct err err;
	size_t i, n = 0;

	assert_int_equal(address_list(span_z("a@b, c@d, e@f"), 2, count, &n, &err), -1);
	for (i = 0; i < 100000; i++)
		assert_int_equal(str_addz(&in, "a@b.example,"), 0);
	n = 0;
	assert_int_equal(address_list(str_span(&in), SIZE_MAX, count, &n, &err), 0);
	assert_int_equal(n, 100000);
	str_reset(&in);
	for (i = 0; i < 100000; i++)
		assert_int_equal(str_addc(&in, '('), 0);
	assert_int_equal(address_list(str_span(&in), 1, count, &n, &err), -1);
	str_fini(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths), cmocka_unit_test(test_nul), cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_split), cmocka_unit_test(test_extension), cmocka_unit_test(test_domain_normal),
		cmocka_unit_test(test_list), cmocka_unit_test(test_list_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
