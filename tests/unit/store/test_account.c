/* Names, paths, records and mail locations of accounts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/account.h"
#include "store/mail_location.h"

static void names(void **state)
{
	static const struct {
		const char *label, *in, *out;   /* out NULL: refused */
		size_t n;
	} rows[] = {
		{ "bare", "tito", "tito", 0 },
		{ "folded", "Tito@Example.COM", "tito@example.com", 0 },
		{ "plus", "a+b@x.org", "a+b@x.org", 0 },
		{ "utf8", "wénjīn@例え.jp", "wénjīn@例え.jp", 0 },
		{ "empty", "", NULL, 0 },
		{ "NUL", "tito\0x", NULL, 6 },
		{ "slash", "a/b", NULL, 0 },
		{ "dotdot", "a..b@x", NULL, 0 },
		{ "just dots", "..", NULL, 0 },
		{ "domain dotdot", "a@..", NULL, 0 },
		{ "leading dot", ".a@x", NULL, 0 },
		{ "leading dash", "-f@x", NULL, 0 },
		{ "empty local", "@x", NULL, 0 },
		{ "empty domain", "a@", NULL, 0 },
		{ "two at", "a@b@c", NULL, 0 },
		{ "space", "a b", NULL, 0 },
		{ "colon", "a:b", NULL, 0 },
		{ "percent", "a%n", NULL, 0 },
		{ "newline", "a\nb", NULL, 0 },
		{ "delete", "a\x7f", NULL, 0 },
		{ "C1 control", "a\xc2\x85", NULL, 0 },
		{ "bad utf8", "a\xff", NULL, 0 },
		{ "overlong utf8", "a\xc0\xaf", NULL, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str s = STR_INIT(300);
		struct err err = ERR_INIT;
		struct span in = { rows[i].in, rows[i].n ? rows[i].n : strlen(rows[i].in) };
		int rc = account_name_fold(&s, in, &err);

		if ((rc == 0) != (rows[i].out != NULL))
			fail_msg("%s: rc %d", rows[i].label, rc);
		if (rows[i].out)
			assert_string_equal(s.p, rows[i].out);
		else
			assert_int_equal(err.kind, ERR_PERM);
		str_fini(&s);
	}
}

static void long_name(void **state)
{
	char name[256];
	struct str s = STR_INIT(300);
	struct err err = ERR_INIT;

	(void)state;
	memset(name, 'a', sizeof(name));
	assert_int_equal(account_name_fold(&s, (struct span){ name, 254 }, &err), 0);
	assert_int_equal(account_name_fold(&s, (struct span){ name, 255 }, &err), -1);
	str_fini(&s);
}

static void record_round_trip(void **state)
{
	struct account a = { .name = "tito@x", .has_ids = true, .uid = 5000, .gid = 4294967294u, .home = "/v/x/tito",
			     .mail = "maildir:~/Maildir", .quota = UINT64_MAX, .disabled = true, .comment = "a=b: c" }, b;
	struct account empty = { .name = "x" };
	struct arena arena = { 0 };
	struct str s = STR_INIT(4096);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(account_encode(&s, &a, &err), 0);
	assert_int_equal(account_decode(&b, SPAN_LIT("tito@x"), str_span(&s), &arena, &err), 0);
	assert_true(b.has_ids && b.disabled && b.uid == 5000 && b.gid == a.gid && b.quota == a.quota);
	assert_string_equal(b.home, a.home);
	assert_string_equal(b.mail, a.mail);
	assert_string_equal(b.comment, a.comment);
	str_reset(&s);
	assert_int_equal(account_encode(&s, &empty, &err), 0);
	assert_int_equal(account_decode(&b, SPAN_LIT("x"), str_span(&s), &arena, &err), 0);
	assert_true(!b.has_ids && !b.home && !b.mail && !b.disabled && b.quota == 0);
	a.comment = "two\nversion=9";
	assert_int_equal(account_encode(&s, &a, &err), -1);
	a.comment = NULL;
	a.home = "/a/../etc";
	assert_int_equal(account_encode(&s, &a, &err), -1);
	str_fini(&s);
	arena_fini(&arena);
}

static void bad_records(void **state)
{
	static const char *const rows[] = {
		"", "uid=1\ngid=1\n", "version=2\n", "version=1\nuid=1\n", "version=1\nuid=x\ngid=1\n",
		"version=1\nuid=4294967295\ngid=1\n", "version=1\nrubbish\n", "version=1\nquota=-1\n",
	};
	struct arena arena = { 0 };
	struct account a;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;

		if (account_decode(&a, SPAN_LIT("x"), span_z(rows[i]), &arena, &err) == 0 || err.kind != ERR_TEMP)
			fail_msg("row %zu was taken", i);
	}
	arena_fini(&arena);
}

static void locations(void **state)
{
	static const struct {
		const char *label, *name, *home, *mail, *template, *path, *index;      /* path NULL: refused */
	} rows[] = {
		{ "default", "tito", "/home/tito", NULL, NULL, "/home/tito/Maildir", NULL },
		{ "bare tilde", "tito", "/home/tito", "maildir:~/Maildir/", NULL, "/home/tito/Maildir", NULL },
		{ "%u", "tito", NULL, NULL, "maildir:/home/%u/Maildir", "/home/tito/Maildir", NULL },
		{ "%d %n", "tito@x.org", NULL, NULL, "/var/mail/vhosts/%d/%n", "/var/mail/vhosts/x.org/tito", NULL },
		{ "%Ld", "tito@x.org", NULL, NULL, "maildir:/v/%Ld/%Ln", "/v/x.org/tito", NULL },
		{ "own before template", "a@b", "/h", "maildir:~/M", "maildir:/x/%u", "/h/M", NULL },
		{ "%h", "a@b", "/h", "maildir:%h/M", NULL, "/h/M", NULL },
		{ "relative", "a@b", "/h", "maildir:M", NULL, "/h/M", NULL },
		{ "index", "a@b", "/h", NULL, "maildir:~/M:INDEX=/var/index/%u", "/h/M", "/var/index/a@b" },
		{ "index in memory", "a@b", "/h", NULL, "maildir:~/M:INDEX=MEMORY", "/h/M", "MEMORY" },
		{ "layout", "a@b", "/h", NULL, "maildir:~/M:LAYOUT=Maildir++", "/h/M", NULL },
		{ "fs layout", "a@b", "/h", NULL, "maildir:~/M:LAYOUT=fs", NULL, NULL },
		{ "mbox", "a@b", "/h", NULL, "mbox:~/mail", NULL, NULL },
		{ "no home", "a@b", NULL, NULL, "maildir:~/M", NULL, NULL },
		{ "dotdot", "a@b", "/h", "maildir:~/../x", NULL, NULL, NULL },
		{ "unknown variable", "a@b", "/h", "maildir:/%x", NULL, NULL, NULL },
		{ "open percent", "a@b", "/h", "maildir:/x%", NULL, NULL, NULL },
		{ "first letter", "tito@x.org", NULL, NULL, "/v/%d/%1n/%n", "/v/x.org/t/tito", NULL },
		{ "offset and width", "tito@x.org", NULL, NULL, "/v/%2.1n/%1.2u/%-2.2n/%-9.1n/%7.2nx", "/v/t/it/to/t/x", NULL },
		{ "case", "tito@x.org", NULL, NULL, "/v/%Ud/%1Un/%LUn", "/v/X.ORG/T/TITO", NULL },
		{ "long names", "tito@x.org", "/h", NULL, "%{home}/%{domain}/%1{username}/%L{user}", "/h/x.org/t/tito@x.org", NULL },
		{ "unknown long name", "a@b", "/h", NULL, "/v/%{service}", NULL, NULL },
		{ "filters", "a@b", "/h", NULL, "/v/%{user | lower}", NULL, NULL },
		{ "open brace", "a@b", "/h", NULL, "/v/%{user", NULL, NULL },
		{ "hash", "a@b", "/h", NULL, "/v/%2.256Hu/%u", NULL, NULL },
		{ "open width", "a@b", "/h", NULL, "/v/%2.", NULL, NULL },
		{ "dots out of pieces", "a.b.c@d", "/h", NULL, "/v/%1.1n%3.1n/x", NULL, NULL },
		{ "absurd width", "a@b", "/h", NULL, "/v/%99999999999999999999n", NULL, NULL },
		{ "options without a use here", "a@b", "/h", NULL, "maildir:~/M:VOLATILEDIR=/tmp/%u:LISTINDEX=x", "/h/M", NULL },
		{ "control elsewhere", "a@b", "/h", NULL, "maildir:~/M:CONTROL=/c/%u", NULL, NULL },
		{ "100%", "a@b", "/h", "maildir:/x%%", NULL, "/x%", NULL },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct account a = { .name = rows[i].name, .home = rows[i].home, .mail = rows[i].mail };
		struct mail_location loc;
		struct err err = ERR_INIT;
		int rc = mail_location_expand(&loc, &a, rows[i].template, &arena, &err);

		if ((rc == 0) != (rows[i].path != NULL))
			fail_msg("%s: rc %d (%s)", rows[i].label, rc, err.msg);
		if (rc < 0)
			assert_int_equal(err.kind, ERR_CONF);
		if (rc == 0 && strcmp(loc.path, rows[i].path) != 0)
			fail_msg("%s: path %s", rows[i].label, loc.path);
		if (rc == 0 && (!loc.index != !rows[i].index || (loc.index && strcmp(loc.index, rows[i].index) != 0)))
			fail_msg("%s: index %s", rows[i].label, loc.index);
		arena_fini(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),       cmocka_unit_test(long_name), cmocka_unit_test(record_round_trip),
		cmocka_unit_test(bad_records), cmocka_unit_test(locations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
