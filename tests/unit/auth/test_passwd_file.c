/* Dovecot's passwd-file: lines, and files that change under the reader. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/passwd_file.h"
#include "base/log.h"

static void full_line(void **state)
{
	struct arena arena = { 0 };
	struct passwd_entry e;
	struct err err = ERR_INIT;

	(void)state;
	assert_true(passwd_file_line(&e, SPAN_LIT("Tito@X.org:{PLAIN}a:5000:5001:Tito:/v/tito:/bin/false:"
						  "userdb_mail=maildir:~/M:INDEX=/i userdb_quota_rule=*:storage=2M nologin"),
				     &arena, &err));
	assert_string_equal(e.account.name, "tito@x.org");
	assert_string_equal(e.password, "{PLAIN}a");
	assert_true(e.account.has_ids && e.account.uid == 5000 && e.account.gid == 5001);
	assert_string_equal(e.account.home, "/v/tito");
	assert_string_equal(e.account.mail, "maildir:~/M:INDEX=/i");
	assert_true(e.account.quota == 2 << 20);
	assert_true(e.account.disabled && !e.needs_no_password);
	assert_string_equal(e.account.comment, "Tito");
	arena_fini(&arena);
}

static void lines(void **state)
{
	static const struct {
		const char *label, *line;
		int want;       /* 1 an entry, 0 nothing, -1 an error */
	} rows[] = {
		{ "short", "tito:x", 1 },
		{ "no password field", "tito", -1 },
		{ "empty", "", 0 },
		{ "blank", "  \t", 0 },
		{ "comment", "# tito:x", 0 },
		{ "CRLF", "tito:x\r", 1 },
		{ "all empty", "tito:x:::::", 1 },
		{ "uid only", "tito:x:5:", -1 },
		{ "bad uid", "tito:x:a:5", -1 },
		{ "uid -1", "tito:x:4294967295:5", -1 },
		{ "relative home", "tito:x:5:5::home", -1 },
		{ "dotdot home", "tito:x:5:5::/a/../b", -1 },
		{ "slash in name", "a/b:x", -1 },
		{ "empty name", ":x", -1 },
		{ "names of uid and gid", "tito:x:daemon:daemon", 1 },
		{ "no such group", "tito:x:daemon:no-such-group", -1 },
		{ "a user's name is no group's", "tito:x:5:nobody", -1 },
		{ "name of userdb_uid", "tito:x::::::userdb_uid=daemon userdb_gid=daemon", 1 },
		{ "no such userdb_gid", "tito:x::::::userdb_uid=5 userdb_gid=no-such-group", -1 },
		{ "nopassword", "tito:::::::nopassword", 1 },
		{ "nopassword and a password", "tito:x::::::nopassword=y", -1 },
		{ "unknown variable", "tito:x::::::userdb_home=/v/%q", -1 },
		{ "home in itself", "tito:x::::::userdb_home=~/x", -1 },
		{ "networks", "tito:x::::::allow_nets=10.0.0.0/8,::1,local", 1 },
		{ "no network", "tito:x::::::allow_nets=10.0.0.0/8,somewhere", -1 },
		{ "userdb ids", "tito:x::::::userdb_uid=5 userdb_gid=6", 1 },
		{ "bad userdb_uid", "tito:x::::::userdb_uid=-1 userdb_gid=6", -1 },
		{ "bad quota", "tito:x::::::userdb_quota_rule=*:bytes=many", -1 },
		{ "foreign extra", "tito:x::::::forward_x=y proxy=y", 1 },
		{ "quota of a folder", "tito:x::::::userdb_quota_rule=Trash:storage=+10%", 1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct passwd_entry e;
		struct err err = ERR_INIT;
		int got = passwd_file_line(&e, span_z(rows[i].line), &arena, &err) ? 1 : err.kind == ERR_NONE ? 0 : -1;

		if (got != rows[i].want)
			fail_msg("%s: %d (%s)", rows[i].label, got, err.msg);
		arena_fini(&arena);
	}
}

/* Dovecot expands userdb_ fields, and takes home as it is. */
static void homes(void **state)
{
	static const struct {
		const char *line, *want;
	} rows[] = {
		{ "Tito@X.org:x::::::userdb_home=/v/%d/%n/%u", "/v/x.org/tito/tito@x.org" },
		{ "tito@x.org:x::::/v/%n", "/v/%n" },
		{ "tito@x.org:x::::/v/%n::userdb_home=/w", "/w" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct passwd_entry e;
		struct err err = ERR_INIT;

		if (!passwd_file_line(&e, span_z(rows[i].line), &arena, &err))
			fail_msg("%s: %s", rows[i].line, err.msg);
		assert_string_equal(e.account.home, rows[i].want);
		arena_fini(&arena);
	}
}

static void quotas(void **state)
{
	static const struct {
		const char *rule;
		uint64_t bytes;
	} rows[] = { { "*:storage=5", 5120 },        { "*:storage=5k", 5120 }, { "*:storage=5G", (uint64_t)5 << 30 },
		     { "*:bytes=77", 77 },           { "*:messages=5", 0 },    { "*:messages=5:storage=1M", 1 << 20 },
		     { "Trash:storage=1M", 0 } };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct passwd_entry e;
		struct err err = ERR_INIT;
		char line[128];

		snprintf(line, sizeof(line), "u:x::::::userdb_quota_rule=%s", rows[i].rule);
		assert_true(passwd_file_line(&e, span_z(line), &arena, &err));
		if (e.account.quota != rows[i].bytes)
			fail_msg("%s: %llu", rows[i].rule, (unsigned long long)e.account.quota);
		arena_fini(&arena);
	}
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

struct lines_seen {
	unsigned n;
	char all[2000];
};

static void on_log(void *arg, enum log_level level, const char *line)
{
	struct lines_seen *seen = arg;

	seen->n += level == LOG_LV_WARNING;
	snprintf(seen->all + strlen(seen->all), sizeof(seen->all) - strlen(seen->all), "%s\n", line);
}

static bool count(void *arg, const struct passwd_entry *e)
{
	++*(int *)arg;
	return true;
}

static void changing_file(void **state)
{
	char path[] = "/tmp/surat-passwd-XXXXXX";
	const struct passwd_entry *e;
	struct lines_seen seen = { 0, "" };
	struct passwd_file *f;
	struct err err = ERR_INIT;
	int n = 0;

	(void)state;
	close(mkstemp(path));
	write_file(path, "tito:a\nbroken\ntito:second\niqbal:b\nsari:c:5:\nbudi:d:5:\nbudi:e");
	f = passwd_file_open(path);
	log_set_sink(on_log, &seen);
	assert_int_equal(passwd_file_get(f, SPAN_LIT("tito"), &e, &err), MAP_FOUND);
	assert_string_equal(e->password, "a");
	assert_int_equal(seen.n, 4);
	assert_non_null(strstr(seen.all, ":2: not a line"));
	assert_non_null(strstr(seen.all, ":3: user tito has a line above"));
	assert_int_equal(passwd_file_get(f, SPAN_LIT("iqbal"), &e, &err), MAP_FOUND);
	assert_int_equal(passwd_file_get(f, SPAN_LIT("sari"), &e, &err), MAP_TEMP);
	assert_non_null(strstr(err.msg, ":5: user sari: a uid and a gid go together"));
	assert_int_equal(passwd_file_get(f, SPAN_LIT("budi"), &e, &err), MAP_FOUND);
	assert_string_equal(e->password, "e");
	assert_int_equal(passwd_file_get(f, SPAN_LIT("line 2"), &e, &err), MAP_NONE);
	assert_int_equal(seen.n, 4);
	log_set_sink(NULL, NULL);
	assert_int_equal(passwd_file_each(f, count, &n, &err), 0);
	assert_int_equal(n, 7);
	write_file(path, "siti:longer-than-before-so-that-the-size-differs");
	assert_int_equal(passwd_file_get(f, SPAN_LIT("tito"), &e, &err), MAP_NONE);
	assert_int_equal(passwd_file_get(f, SPAN_LIT("siti"), &e, &err), MAP_FOUND);
	unlink(path);
	assert_int_equal(passwd_file_get(f, SPAN_LIT("siti"), &e, &err), MAP_TEMP);
	assert_int_equal(err.kind, ERR_SYS);
	passwd_file_close(f);
	f = passwd_file_open("/tmp");
	assert_int_equal(passwd_file_get(f, SPAN_LIT("siti"), &e, &err), MAP_TEMP);
	passwd_file_close(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_line), cmocka_unit_test(lines), cmocka_unit_test(homes),
		cmocka_unit_test(quotas),    cmocka_unit_test(changing_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
