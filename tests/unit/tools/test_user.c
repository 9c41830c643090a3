#include "../conf/cm.h"

#include <stdlib.h>
#include <unistd.h>

#include "../conf/tmpdir.h"
#include "auth/mechs.h"
#include "auth/scheme.h"
#include "base/attr.h"
#include "conf/map.h"
#include "store/users_map.h"
#include "tools/commands.h"

struct fixture {
	struct tmpdir dir;
	char *out, *err;
	size_t n_out, n_err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char text[400];

	tmpdir_make(&f->dir);
	snprintf(text, sizeof(text),
		 "data_directory = %s\nvirtual_mailbox_domains = example.com\nmyhostname = host.test\n"
		 "virtual_mailbox_base = %s/vhosts\nmail_uid = 5000\nmail_gid = 5001\nmail_location = maildir:~/Mail\n", f->dir.path, f->dir.path);
	tmpdir_write(&f->dir, "main.cf", text);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	rmdir(tmpdir_path(&f->dir, "vhosts"));
	tmpdir_remove(&f->dir);
	free(f->out);
	free(f->err);
	free(f);
	return 0;
}

/* Words are separated by '|'; '@' stands alone for the directory. */
static int user(struct fixture *f, const char *words)
{
	char *argv[16] = { (char *)"user" }, text[400], *word, *rest = text;
	struct tool t = { .config_dir = f->dir.path };
	int argc = 1, status;

	free(f->out);
	free(f->err);
	t.out = open_memstream(&f->out, &f->n_out);
	t.err = open_memstream(&f->err, &f->n_err);
	snprintf(text, sizeof(text), "%s", words);
	while ((word = strsep(&rest, "|")))
		argv[argc++] = strcmp(word, "@passwd") == 0 ? (char *)(uintptr_t)tmpdir_path(&f->dir, "passwd") : word;
	status = cmd_user(&t, argc, argv);
	fclose(t.out);
	fclose(t.err);
	return status;
}

static enum map_rc stored(struct fixture *f, const char *name, struct account *a, struct str *secrets,
			  struct arena *arena)
{
	struct users *u = users_open(f->dir.path, USERS_WITH_SECRETS);
	struct err err = ERR_INIT;
	enum map_rc rc = users_get(u, span_z(name), a, arena, &err);

	if (rc == MAP_FOUND)
		rc = users_get_secrets(u, span_z(name), secrets, &err);
	users_close(u);
	return rc;
}

static void add_and_passwd(void **state)
{
	struct fixture *f = *state;
	struct str secrets = STR_INIT(USERS_SECRETS_MAX);
	struct arena arena = { 0 };
	struct account a;
	struct err err = ERR_INIT;
	struct span line, rest;
	struct stat st;

	assert_int_equal(user(f, "add|Tito|--password|one|--quota|2M|--comment|T P"), TOOL_OK);
	assert_string_equal(f->out, "added tito@example.com\n");
	assert_int_equal(stored(f, "tito@example.com", &a, &secrets, &arena), MAP_FOUND);
	assert_string_equal(a.home, arena_printf(&arena, "%s/vhosts/example.com/tito", f->dir.path));
	if (geteuid() == 0) {
		assert_int_equal(stat(tmpdir_path(&f->dir, "vhosts"), &st), 0);
		assert_true(st.st_uid == 5000 && st.st_gid == 5001 && (st.st_mode & 07777) == 0770);
		assert_int_equal(chown(f->dir.file, 0, 0), 0);
		assert_int_equal(user(f, "add|siti|--password|x"), TOOL_OK);
		assert_non_null(strstr(f->err, "uid 5000 may not make mailboxes"));
	}
	assert_string_equal(a.mail, "maildir:~/Mail");
	assert_true(a.has_ids && a.uid == 5000 && a.gid == 5001 && a.quota == 2 << 20);
	rest = str_span(&secrets);
	assert_true(span_word(&rest, "\n", &line) && span_starts(line, "{ARGON2ID}"));
	assert_int_equal(scheme_verify(line, "", SPAN_LIT("one"), &err), SCHEME_MATCH);
	assert_true(span_word(&rest, "\n", &line) && span_starts(line, "{SCRAM-SHA-256}"));
	assert_int_equal(scheme_verify(line, "", SPAN_LIT("one"), &err), SCHEME_MATCH);
	assert_false(span_word(&rest, "\n", &line));
	assert_int_equal(user(f, "add|tito@example.com|--password|x"), TOOL_FAILED);
	assert_int_equal(user(f, "passwd|tito|--password|two"), TOOL_OK);
	assert_int_equal(stored(f, "tito@example.com", &a, &secrets, &arena), MAP_FOUND);
	rest = str_span(&secrets);
	assert_true(span_word(&rest, "\n", &line));
	assert_int_equal(scheme_verify(line, "", SPAN_LIT("two"), &err), SCHEME_MATCH);
	assert_true(a.quota == 2 << 20);
	assert_int_equal(user(f, "add|iqbal|--generate"), TOOL_OK);
	assert_true(strncmp(f->out, "password: ", 10) == 0);
	str_fini(&secrets);
	arena_fini(&arena);
}

static void refused(void **state)
{
	static const struct {
		const char *label, *words;
		int status;
		const char *err;
	} rows[] = {
		{ "nothing", "", TOOL_USAGE, "usage:" },
		{ "unknown", "frobnicate|x", TOOL_USAGE, "usage:" },
		{ "no name", "add|--password|x", TOOL_USAGE, "usage:" },
		{ "two names", "delete|a|b", TOOL_USAGE, "usage:" },
		{ "unknown option", "add|a|--nope", TOOL_USAGE, "usage:" },
		{ "path", "add|../x|--password|x", TOOL_FAILED, "must not contain" },
		{ "two dots", "add|a..b|--password|x", TOOL_FAILED, "not an account name" },
		{ "two at", "add|a@b@c|--password|x", TOOL_FAILED, "user@domain" },
		{ "empty password", "add|a|--password|", TOOL_FAILED, "a password has" },
		{ "uid alone", "add|a|--password|x|--uid|7", TOOL_FAILED, "go together" },
		{ "bad uid", "add|a|--password|x|--uid|x|--gid|7", TOOL_FAILED, "not a number" },
		{ "relative home", "add|a|--password|x|--home|x/y", TOOL_FAILED, "absolute" },
		{ "dots in home", "add|a|--password|x|--home|/x/../y", TOOL_FAILED, "\"..\"" },
		{ "mbox", "add|a|--password|x|--mail|mbox:~/m", TOOL_FAILED, "maildir" },
		{ "bad quota", "add|a|--password|x|--quota|lots", TOOL_FAILED, "not a size" },
		{ "unknown account", "passwd|nobody|--password|x", TOOL_FAILED, "no account nobody@example.com" },
		{ "delete unknown", "delete|nobody", TOOL_FAILED, "no account" },
		{ "import nothing", "import|/nowhere", TOOL_FAILED, "/nowhere" },
	};
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		int got = user(f, rows[i].words);

		if (got != rows[i].status || !strstr(f->err, rows[i].err))
			fail_msg("%s: %d, %s", rows[i].label, got, f->err);
	}
	assert_int_equal(user(f, "list"), TOOL_OK);
	assert_string_equal(f->out, "");
}

static void change_and_delete(void **state)
{
	struct fixture *f = *state;
	struct str secrets = STR_INIT(USERS_SECRETS_MAX);
	struct arena arena = { 0 };
	struct account a;

	assert_int_equal(user(f, "add|tito|--password|one|--uid|6000|--gid|6000|--home|/home/t"), TOOL_OK);
	assert_int_equal(user(f, "disable|tito"), TOOL_OK);
	assert_int_equal(stored(f, "tito@example.com", &a, &secrets, &arena), MAP_FOUND);
	assert_true(a.disabled && a.uid == 6000);
	assert_int_equal(user(f, "list"), TOOL_OK);
	assert_string_equal(f->out, "tito@example.com\t6000:6000\t/home/t\tdisabled\n");
	assert_int_equal(user(f, "enable|tito@example.com"), TOOL_OK);
	assert_int_equal(user(f, "set|tito|--quota|1k|--comment|x"), TOOL_OK);
	assert_int_equal(user(f, "list|-j"), TOOL_OK);
	assert_non_null(strstr(f->out, "\"quota\": 1024"));
	assert_non_null(strstr(f->out, "\"disabled\": false"));
	assert_int_equal(stored(f, "tito@example.com", &a, &secrets, &arena), MAP_FOUND);
	assert_int_equal(user(f, "delete|tito"), TOOL_OK);
	assert_int_equal(stored(f, "tito@example.com", &a, &secrets, &arena), MAP_NONE);
	assert_int_equal(user(f, "add|other@foreign.test|--password|x"), TOOL_OK);
	assert_non_null(strstr(f->err, "foreign.test is neither"));
	str_fini(&secrets);
	arena_fini(&arena);
}

static void import(void **state)
{
	struct fixture *f = *state;
	struct str secrets = STR_INIT(USERS_SECRETS_MAX);
	struct arena arena = { 0 };
	struct account a;

	tmpdir_write(&f->dir, "passwd", "a@example.com:{SSHA}Arx4pNBtwyfMIbG7SHXfY94vHZ5zYWx0MTIzNA==:5001:5002::/v/a::"
		     "userdb_quota_rule=*:storage=1M\nb:$1$ooVwXyeb$e1EJBGZPIOF.4qFiNCBuq0\nc:{NOPE}x\nd:::::::nopassword\n"
		     "e:{PLAIN}x::::::allow_nets=10.0.0.0/8\nf\ng:{PLAIN}x:5001:\n");
	assert_int_equal(user(f, "import|@passwd"), TOOL_FAILED);
	assert_non_null(strstr(f->err, "5 of 7 accounts cannot be imported; nothing was changed"));
	assert_int_equal(stored(f, "a@example.com", &a, &secrets, &arena), MAP_NONE);
	tmpdir_write(&f->dir, "passwd", "a@example.com:{SSHA}Arx4pNBtwyfMIbG7SHXfY94vHZ5zYWx0MTIzNA==:5001:5002::/v/a::"
		     "userdb_quota_rule=*:storage=1M\nb:$1$ooVwXyeb$e1EJBGZPIOF.4qFiNCBuq0\n");
	assert_int_equal(user(f, "import|@passwd"), TOOL_OK);
	assert_int_equal(stored(f, "a@example.com", &a, &secrets, &arena), MAP_FOUND);
	assert_true(a.uid == 5001 && a.gid == 5002 && a.quota == 1 << 20);
	assert_string_equal(a.home, "/v/a");
	assert_string_equal(secrets.p, "{SSHA}Arx4pNBtwyfMIbG7SHXfY94vHZ5zYWx0MTIzNA==");
	assert_int_equal(stored(f, "b@example.com", &a, &secrets, &arena), MAP_FOUND);
	assert_string_equal(secrets.p, "{CRYPT}$1$ooVwXyeb$e1EJBGZPIOF.4qFiNCBuq0");
	assert_true(a.uid == 5000);
	assert_int_equal(user(f, "import|@passwd"), TOOL_FAILED);
	assert_int_equal(user(f, "import|--replace|@passwd"), TOOL_OK);
	str_fini(&secrets);
	arena_fini(&arena);
}

/* A mechanism that is offered gets its verifier with the next password; until then the check warns. */
static void mechanisms(void **state)
{
	struct fixture *f = *state;
	struct conf_errors errors = { 0 };
	struct passdb_chain chain;
	struct settings s;
	struct conf c;
	struct err err = ERR_INIT;
	char text[400];
	int round;

	assert_int_equal(user(f, "add|tito|--password|one"), TOOL_OK);
	snprintf(text, sizeof(text), "data_directory = %s\nauth_mechanisms = plain cram-md5 scram-sha-1 scram-sha-256\n"
		 "virtual_mailbox_domains = example.com\nmail_uid = 5000\nmail_gid = 5000\n", f->dir.path);
	tmpdir_write(&f->dir, "main.cf", text);
	for (round = 0; round < 2; round++) {
		assert_int_equal(conf_load(&c, f->dir.path, &errors), 0);
		conf_errors_fini(&errors);
		errors = (struct conf_errors){ 0 };
		assert_int_equal(settings_read(&s, &c, true, &err), 0);
		assert_int_equal(passdb_open(&chain, &s, &err), 0);
		mechs_check(&chain, &errors);
		assert_int_equal(errors.n, round == 0 ? 2 : 0);
		if (round == 0)
			assert_non_null(strstr(errors.v[0], "no account can use cram-md5"));
		conf_errors_fini(&errors);
		errors = (struct conf_errors){ 0 };
		passdb_close(&chain);
		settings_fini(&s);
		conf_fini(&c);
		assert_int_equal(user(f, "passwd|tito|--password|two"), TOOL_OK);
	}
}

/* Letters go where sessions look: the table that local asks knows the location of the day the account was made. */
static void place(void **state)
{
	static const char *const rows[][2] = { { "siti@example.com", "/m/example.com/siti/" },
					       { "ani@example.com", "/m/example.com/ani/" },
					       { "budi@example.com", "/m/example.com/budi/other/" } };
	struct fixture *f = *state;
	struct str value = STR_INIT(4096);
	struct arena arena = { 0 };
	struct err err = ERR_INIT;
	struct map *m;
	char text[400];
	size_t i;

	snprintf(text, sizeof(text), "data_directory = %s\nvirtual_mailbox_domains = example.com\nmail_home = /m/%%d/%%n\n"
		 "mail_uid = 5000\nmail_gid = 5001\nmail_location = maildir:/m/%%d/%%n:INDEX=MEMORY\n", f->dir.path);
	tmpdir_write(&f->dir, "main.cf", text);
	tmpdir_write(&f->dir, "passwd", "ani:{PLAIN}x\nbudi:{PLAIN}x::::::userdb_mail=maildir:~/other\n");
	assert_int_equal(user(f, "add|siti|--password|x"), TOOL_OK);
	assert_int_equal(user(f, "import|@passwd"), TOOL_OK);
	map_register(&users_map_type);
	assert_int_equal(map_open(&m, arena_printf(&arena, "users:%s", f->dir.path), &err), 0);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		str_reset(&value);
		assert_int_equal(map_get(m, span_z(rows[i][0]), &value, &err), MAP_FOUND);
		assert_string_equal(value.p, rows[i][1]);
	}
	map_close(&m);
	str_fini(&value);
	arena_fini(&arena);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

static const struct CMUnitTest tests[] = {
	T(add_and_passwd), T(refused), T(change_and_delete), T(import), T(place), T(mechanisms),
};

MAIN(tests)
