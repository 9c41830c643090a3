/* The text of subscriptions: both of Dovecot's versions, what is kept of it, and the file under its lock. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/folder_priv.h"

#include "folder_fixture.h"

static void parse(void **state)
{
	static const struct {
		const char *label, *text, *names;       /* names joined by "|" */
	} rows[] = {
		{ "empty", "", "" },
		{ "version 1", "Sent\na.b\n", "Sent|a.b|" },
		{ "version 1, no last line end", "Sent\na.b", "Sent|a.b|" },
		{ "version 1, an empty line", "Sent\n\nx\n", "Sent|x|" },
		{ "version 2", "V\t2\n\nSent\na\tb\n", "Sent|a.b|" },
		{ "version 2, header only", "V\t2\n\n", "" },
		{ "version 2, header cut short", "V\t2", "" },
		{ "version 2, more header lines", "V\t2\nX\ty\n\nSent\n", "Sent|" },
		{ "version 2, a dot inside a level", "V\t2\n\na.b\nc\n", "c|" },
		{ "version 2, escapes", "V\t2\n\na\001tb\nc\n", "c|" },
		{ "INBOX in any case", "inbox\n", "INBOX|" },
		{ "names that lead away", "../x\n/etc\nok\n", "ok|" },
		{ "not UTF-7", "\xc3\xa4\nok\n", "ok|" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str got = STR_INIT(1000);
		struct folder_subs subs;
		struct arena a = { 0 };

		folder_subs_parse(&a, span_z(rows[i].text), &subs);
		for (size_t k = 0; k < subs.n; k++)
			if (subs.v[k].name.n)
				assert_int_equal(str_addf(&got, "%.*s|", SPAN_ARG(subs.v[k].name)), 0);
		if (!span_eqz(str_span(&got), rows[i].names))
			fail_msg("%s: %s", rows[i].label, got.p);
		str_fini(&got);
		arena_fini(&a);
	}
}

static void format(void **state)
{
	static const struct {
		const char *label, *text, *add, *drop, *want;
	} rows[] = {
		{ "a new file is version 2", "", "a.b", NULL, "V\t2\n\na\tb\n" },
		{ "version 1 stays", "Sent\n", "a.b", NULL, "Sent\na.b\n" },
		{ "version 2 stays", "V\t2\n\nSent\n", "a.b", NULL, "V\t2\n\nSent\na\tb\n" },
		{ "an empty version 2 stays", "V\t2\n\n", "x", NULL, "V\t2\n\nx\n" },
		{ "a header is completed", "V\t2", "x", NULL, "V\t2\n\nx\n" },
		{ "a header is ended", "V\t2\n", "x", NULL, "V\t2\n\nx\n" },
		{ "later versions stay", "V\t3\nk\tv\n\nSent\n", "x", NULL, "V\t3\nk\tv\n\nSent\nx\n" },
		{ "drop, all of them", "a\nSent\na\n", NULL, "a", "Sent\n" },
		{ "drop with tabs", "V\t2\n\na\tb\na\n", NULL, "a.b", "V\t2\n\na\n" },
		{ "drop INBOX however written", "inbox\nx\n", NULL, "INBOX", "x\n" },
		{ "what nobody understands is kept", "../x\na\n", NULL, "a", "../x\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span add = span_z(rows[i].add), drop = span_z(rows[i].drop);
		struct str out = STR_INIT(1000);
		struct folder_subs subs;
		struct arena a = { 0 };

		folder_subs_parse(&a, span_z(rows[i].text), &subs);
		assert_int_equal(folder_subs_format(&subs, &add, add.n ? 1 : 0, &drop, drop.n ? 1 : 0, &out), 0);
		if (!span_eqz(str_span(&out), rows[i].want))
			fail_msg("%s: %s", rows[i].label, out.p);
		str_fini(&out);
		arena_fini(&a);
	}
}

static void expect_text(const char *want)
{
	char path[100], buf[1000];
	FILE *f;

	snprintf(path, sizeof(path), "%s/m/subscriptions", root);
	f = fopen(path, "r");
	assert_non_null(f);
	buf[fread(buf, 1, sizeof(buf) - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(buf, want);
}

static void subscribe_and_back(void **state)
{
	struct err err = ERR_INIT;
	struct stat before, after;

	assert_int_equal(folder_subscribe(&store, SPAN_LIT("a.b"), true, &err), 0);
	assert_int_equal(folder_subscribe(&store, SPAN_LIT("inbox"), true, &err), 0);
	expect_text("V\t2\n\na\tb\nINBOX\n");
	assert_int_equal(fstatat(store.root.fd, "subscriptions", &before, 0), 0);
	assert_int_equal(folder_subscribe(&store, SPAN_LIT("INBOX"), true, &err), 0);
	assert_int_equal(folder_subscribe(&store, SPAN_LIT("never"), false, &err), 0);
	assert_int_equal(fstatat(store.root.fd, "subscriptions", &after, 0), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(folder_subscribe(&store, SPAN_LIT("a.b"), false, &err), 0);
	expect_text("V\t2\n\nINBOX\n");
	assert_int_equal(folder_subscribe(&store, SPAN_LIT("INBOX"), false, &err), 0);
	expect_text("V\t2\n\n");
	assert_int_equal(faccessat(store.root.fd, "subscriptions.lock", F_OK, 0), -1);
	assert_int_equal(folder_subscribe(&store, SPAN_LIT("../x"), true, &err), -1);
	assert_int_equal(err.kind, ERR_PERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse), cmocka_unit_test(format),
		cmocka_unit_test_setup_teardown(subscribe_and_back, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
