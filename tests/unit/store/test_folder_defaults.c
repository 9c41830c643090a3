/* mailbox_defaults: what is made at first login, what stays away afterwards, and which texts are refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/str.h"
#include "store/folder.h"

#include "folder_fixture.h"

#define SPEC "Drafts:\\Drafts Sent:\\Sent Junk:\\Junk Trash:\\Trash Archive:\\Archive"

static void login(const char *spec)
{
	struct err err = ERR_INIT;

	if (folder_defaults(&store, spec, &err) < 0)
		fail_msg("%s", err.msg);
}

static void expect_list(const char *want)
{
	struct str got = STR_INIT(10000);
	struct err err = ERR_INIT;
	struct arena a = { 0 };
	struct folder_list l;

	assert_int_equal(folder_list(&store, &a, &l, &err), 0);
	for (size_t i = 1; i < l.n; i++)
		assert_int_equal(str_addf(&got, "%s%s%s%s|", l.v[i].name, l.v[i].exists ? "+" : "-", l.v[i].is_subscribed ? "s" : "",
					  l.v[i].special ? folder_use_name(l.v[i].special) : ""), 0);
	assert_string_equal(got.p, want);
	str_fini(&got);
	arena_fini(&a);
}

static void first_login(void **state)
{
	struct err err = ERR_INIT;

	login(SPEC);
	expect_list("Archive+s\\Archive|Drafts+s\\Drafts|Junk+s\\Junk|Sent+s\\Sent|Trash+s\\Trash|");
	assert_int_equal(folder_delete(&store, SPAN_LIT("Junk"), &err), 0);
	assert_int_equal(folder_subscribe(&store, SPAN_LIT("Sent"), false, &err), 0);
	login(SPEC);
	expect_list("Archive+s\\Archive|Drafts+s\\Drafts|Junk-s|Sent+\\Sent|Trash+s\\Trash|");
	/* made again by the user it has its use again */
	assert_int_equal(folder_create(&store, SPAN_LIT("Junk"), 0, &err), 0);
	expect_list("Archive+s\\Archive|Drafts+s\\Drafts|Junk+s\\Junk|Sent+\\Sent|Trash+s\\Trash|");
}

static void what_is_there_stays(void **state)
{
	struct err err = ERR_INIT;

	assert_int_equal(folder_create(&store, SPAN_LIT("Sent"), 0, &err), 0);
	login("Sent:\\Sent");
	expect_list("Sent+s\\Sent|");
}

static void a_later_entry_is_made_too(void **state)
{
	login("Sent:\\Sent");
	login("Sent:\\Sent, \"Spam Mail\":\\Junk Notes");
	expect_list("Notes+s|Sent+s\\Sent|Spam Mail+s\\Junk|");
	login("");
	expect_list("Notes+s|Sent+s|Spam Mail+s|");
}

static void the_users_choice_goes_first(void **state)
{
	struct err err = ERR_INIT;

	login("");
	assert_int_equal(folder_create(&store, SPAN_LIT("Gesendet"), FOLDER_SENT, &err), 0);
	login("Sent:\\Sent");
	expect_list("Gesendet+\\Sent|Sent+s|");
	assert_int_equal(folder_delete(&store, SPAN_LIT("Gesendet"), &err), 0);
	expect_list("Sent+s\\Sent|");
	assert_int_equal(folder_create(&store, SPAN_LIT("x"), FOLDER_SENT, &err), -1);
	assert_int_equal(folder_create(&store, SPAN_LIT("x"), FOLDER_SENT | FOLDER_JUNK, &err), -1);
	assert_int_equal(folder_create(&store, SPAN_LIT("x"), FOLDER_JUNK, &err), 0);
	expect_list("Sent+s\\Sent|x+\\Junk|");
}

static void texts(void **state)
{
	static const struct {
		const char *spec;
		int rc;
	} rows[] = {
		{ "", 0 }, { "  ", 0 }, { SPEC, 0 }, { "a.b:\\Sent", 0 }, { "\"x y\"", 0 }, { "\"x y\":\\sent", 0 },
		{ "x,y", 0 }, { "Entw\xc3\xbcrfe:\\Drafts", 0 }, { "x:\\Nope", -1 }, { "x:Sent", -1 }, { "\"x", -1 },
		{ "a/b", -1 }, { "..", -1 }, { ":\\Sent", -1 }, { "\"\":\\Sent", -1 }, { "bad\xff", -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;

		if (folder_defaults_check(rows[i].spec, &err) != rows[i].rc || (rows[i].rc < 0 && err.kind != ERR_CONF))
			fail_msg("%s: %s", rows[i].spec, err.msg);
	}
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(first_login), T(what_is_there_stays), T(a_later_entry_is_made_too), T(the_users_choice_goes_first), T(texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
