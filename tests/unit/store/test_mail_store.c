/* The Maildir, its folders and base names. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "mailbox_fixture.h"

static void test_open(void **state)
{
	static const struct {
		const char *label, *mail, *index;
		int rc;
		enum err_kind kind;
		bool is_memory;
	} rows[] = {
		{ "deep, with slashes behind", "a/b/c//", "", 0, 0, false },
		{ "an index elsewhere, made", "Maildir", "idx/deep/er", 0, 0, false },
		{ "no index", "Maildir", "MEMORY", 0, 0, true },
		{ "an index that cannot be made", "Maildir", "Maildir/a-file/x", 0, 0, true },
		{ "a relative path", NULL, "", -1, ERR_CONF, false },
		{ "below a file", "Maildir/a-file", "", -1, ERR_SYS, false },
	};

	put("a-file", "x");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char mail[200], index[200];
		struct mail_store_options opt = { .home = "", .mail = mail, .index = index, .host = "a/b:c,d" };
		struct mail_store s;
		struct err err = ERR_INIT;
		int rc;

		snprintf(mail, sizeof(mail), "%s/%s", fixture_root, rows[i].mail ? rows[i].mail : "");
		snprintf(index, sizeof(index), "%s/%s", fixture_root, rows[i].index);
		if (!rows[i].mail)
			opt.mail = "Maildir";
		if (!strchr(rows[i].index, '/'))
			opt.index = rows[i].index;
		rc = mail_store_open(&s, &opt, &err);
		if (rc != rows[i].rc || (rc < 0 && err.kind != rows[i].kind))
			fail_msg("%s: %d %s", rows[i].label, rc, err.msg);
		if (rc == 0) {
			if (index_is_memory(mail_store_index(&s)) != rows[i].is_memory)
				fail_msg("%s: memory", rows[i].label);
			mail_store_close(&s);
		}
		mail_store_close(&s);
	}
	assert_true(exists("../a/b/c/cur") && exists("../idx/deep/er/surat-index"));
}

static void test_dir(void **state)
{
	static const struct {
		const char *folder;
		int want;
	} rows[] = {
		{ "", 1 }, { ".Sent", 1 }, { ".Bare", 1 }, { ".None", 0 }, { ".file", 0 }, { ".link", 0 }, { "Sent", 0 },
		{ ".", 0 }, { "..", 0 }, { ".Sent/cur", 0 }, { "/etc", 0 },
	};
	char path[400];

	make_folder(".Sent");
	fixture_path(path, sizeof(path), ".Bare");
	assert_int_equal(mkdir(path, 0700), 0);
	put(".file", "x");
	assert_int_equal(symlinkat("/etc", fixture_store.root.fd, ".link"), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct maildir md;
		struct err err = ERR_INIT;
		int rc = mail_store_dir(&fixture_store, rows[i].folder, &md, &err);

		if (rc != rows[i].want)
			fail_msg("%s: %d", rows[i].folder, rc);
		maildir_close(&md);
	}
	assert_true(exists(".Bare/cur") && exists(".Bare/new") && exists(".Bare/tmp"));
}

static void test_name(void **state)
{
	char a[256], b[256], want[256];

	clock_fake_ms(1700000000042);
	mail_store_name(&fixture_store, a, 12, 14);
	mail_store_name(&fixture_store, b, 12, UINT64_MAX);
	snprintf(want, sizeof(want), "1700000000.M042P%dQ0.h,S=12,W=14", (int)getpid());
	assert_string_equal(a, want);
	snprintf(want, sizeof(want), "1700000000.M042P%dQ1.h,S=12", (int)getpid());
	assert_string_equal(b, want);
	clock_fake_ms(1700000001000);
	mail_store_name(&fixture_store, a, UINT64_MAX, UINT64_MAX);
	snprintf(want, sizeof(want), "1700000001.M000P%dQ0.h", (int)getpid());
	assert_string_equal(a, want);
	clock_fake_ms(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_open), T(test_dir), T(test_name) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
