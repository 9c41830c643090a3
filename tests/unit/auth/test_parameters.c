/* What main.cf says about names, ids, homes, workers and stored passwords; each row is another answer than without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "auth/mechs.h"
#include "auth/names.h"
#include "auth/pool.h"

enum about { NAME, IDS, OWNER, WORKERS, SECRETS };

static const struct row {
	const char *setting, *common;
	enum about about;
	const char *what, *want;
} rows[] = {
	{ "auth_default_realm = x.test", "", NAME, "tito", "tito@x.test tito" },
	{ "virtual_mailbox_domains = v.test", "", NAME, "tito", "tito@v.test tito" },
	{ "mydomain = m.test", "virtual_mailbox_domains =\n", NAME, "tito", "tito@m.test tito" },
	{ "auth_username_format = %Ln", "", NAME, "tito@other.test", "tito@example.com tito" },
	{ "auth_username_format = %n", "", NAME, "tito@other.test", "tito@example.com tito" },
	{ "auth_username_chars = tio", "", NAME, "tito+x", "refused" },
	{ "auth_username_translation = %@#+", "", NAME, "ti#to%other.test", "ti+to@other.test -" },
	{ "mydestination = other.test", "", NAME, "tito@other.test", "tito@other.test tito" },
	{ "first_valid_uid = 1001", "", IDS, "1000 1000", "no" },
	{ "last_valid_uid = 999", "", IDS, "1000 1000", "no" },
	{ "first_valid_gid = 1001", "", IDS, "1000 1000", "no" },
	{ "last_valid_gid = 999", "", IDS, "1000 1000", "no" },
	{ "mail_uid = 7", "mail_gid = 9\nmail_uid = 8\n", OWNER, "", "7:9 /var/mail/vhosts/%d/%n" },
	{ "mail_gid = 7", "mail_gid = 9\nmail_uid = 8\n", OWNER, "", "8:7 /var/mail/vhosts/%d/%n" },
	{ "mail_home = /h/%u", "mail_gid = 9\nmail_uid = 8\n", OWNER, "", "8:9 /h/%u" },
	{ "virtual_mailbox_base = /b", "mail_gid = 9\nmail_uid = 8\n", OWNER, "", "8:9 /b/%d/%n" },
	{ "virtual_uid_maps = static:7", "virtual_gid_maps = static:9\nvirtual_uid_maps = static:8\n", OWNER, "",
	  "7:9 /var/mail/vhosts/%d/%n" },
	{ "virtual_gid_maps = static:7", "virtual_gid_maps = static:9\nvirtual_uid_maps = static:8\n", OWNER, "",
	  "8:7 /var/mail/vhosts/%d/%n" },
	{ "auth_worker_max_count = 2", "", WORKERS, "", "2" },
	{ "auth_argon2_memory = 40M", "", WORKERS, "", "2" },
	{ "auth_password_scheme = scram-sha-256", "", SECRETS, "", "{SCRAM-SHA-256}" },
	{ "auth_password_scheme = bcrypt", "", SECRETS, "", "{BLF-CRYPT} {SCRAM-SHA-256}" },
	{ "auth_password_scheme = sha512-crypt", "", SECRETS, "", "{SHA512-CRYPT} {SCRAM-SHA-256}" },
	{ "auth_mechanisms = plain cram-md5", "", SECRETS, "", "{ARGON2ID} {SCRAM-SHA-256} {CRAM-MD5}" },
};

static int no_spawn(void *arg, const struct settings *s, int *fd_r, pid_t *pid_r, struct err *err)
{
	return err_set(err, ERR_TEMP, "not here");
}

/* "{A} {B}": the schemes of what is stored for a password. */
static void print_schemes(const struct settings *s, char *out, size_t n)
{
	struct str text = STR_INIT(4000);
	struct err err = ERR_INIT;
	struct span rest, line;

	assert_int_equal(mechs_make(&text, s, SPAN_LIT("secret"), &err), 0);
	out[0] = '\0';
	for (rest = str_span(&text); rest.n;) {
		span_cut(rest, '\n', &line, &rest);
		snprintf(out + strlen(out), n - strlen(out), "%s%.*s", out[0] ? " " : "", (int)span_chr(line, '}') + 1, line.p);
	}
	str_fini(&text);
}

static void answer(const struct row *r, const char *setting, char *out, size_t n)
{
	struct conf c = { .dir = "/etc/surat" };
	struct conf_errors errors = { 0 };
	struct arena a = { 0 };
	struct loop loop = { 0 };
	struct settings s;
	struct names names;
	struct pool pool;
	struct err err = ERR_INIT;
	char text[1000];
	unsigned uid, gid;

	snprintf(text, sizeof(text), "virtual_mailbox_domains = example.com\n%s%s\n", r->common, setting);
	assert_int_equal(conf_parse(&c, "main.cf", span_z(text), &errors), 0);
	if (settings_read(&s, &c, true, &err) < 0)
		fail_msg("%s: %s", r->setting, err.msg);
	switch (r->about) {
	case NAME:
		if (names_resolve(&names, &s, span_z(r->what), &a, &err) < 0)
			snprintf(out, n, "refused");
		else
			snprintf(out, n, "%s %s", names.full, names.bare ? names.bare : "-");
		break;
	case IDS:
		assert_int_equal(sscanf(r->what, "%u %u", &uid, &gid), 2);
		snprintf(out, n, "%s", settings_allow_ids(&s, uid, gid) ? "yes" : "no");
		break;
	case OWNER:
		snprintf(out, n, "%u:%u %s", s.uid, s.gid, s.home);
		break;
	case WORKERS:
		pool_init(&pool, &loop, &s, no_spawn, NULL);
		snprintf(out, n, "%zu", pool.n_max);
		break;
	case SECRETS:
		print_schemes(&s, out, n);
		break;
	}
	settings_fini(&s);
	conf_fini(&c);
	conf_errors_fini(&errors);
	arena_fini(&a);
}

static void test_each(void **state)
{
	char before[1000], with[1000];
	unsigned wrong = 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		answer(&rows[i], "", before, sizeof(before));
		answer(&rows[i], rows[i].setting, with, sizeof(with));
		if (strcmp(with, rows[i].want) == 0 && strcmp(before, with) != 0)
			continue;
		print_error("%s\n  before: %s\n  with:   %s\n  want:   %s\n", rows[i].setting, before, with, rows[i].want);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static void test_refused(void **state)
{
	struct conf c = { .dir = "/etc/surat" };
	struct conf_errors errors = { 0 };
	struct settings s;
	struct err err = ERR_INIT;

	assert_int_equal(conf_parse(&c, "main.cf", SPAN_LIT("auth_username_format = %Lu@x\n"), &errors), 0);
	assert_int_equal(settings_read(&s, &c, true, &err), -1);
	assert_string_equal(err.msg, "auth_username_format: '%Lu@x' is none of %u, %Lu, %n and %Ln");
	conf_fini(&c);
	conf_errors_fini(&errors);
	c = (struct conf){ .dir = "/etc/surat" };
	assert_int_equal(conf_parse(&c, "main.cf", SPAN_LIT("mail_home = /v/%q\n"), &errors), 0);
	assert_int_equal(settings_read(&s, &c, true, &err), -1);
	assert_string_equal(err.msg, "mail_home: unknown variable %q: %u, %n, %d and %h are known");
	conf_fini(&c);
	conf_errors_fini(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_each), cmocka_unit_test(test_refused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
