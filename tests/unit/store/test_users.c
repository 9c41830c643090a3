/* The user store: reads, edits, replacement under a reader, concurrent writers, damage. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/users.h"
#include "store/users_map.h"

struct fixture {
	char dir[64];
	struct users *u;
	struct arena arena;
	struct err err;
};

static void path_in(char *buf, size_t size, const struct fixture *f, const char *name)
{
	snprintf(buf, size, "%s/%s", f->dir, name);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/surat-users-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	f->u = users_open(f->dir, USERS_WITH_SECRETS);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "users.mdb", "secrets.mdb", "users.lock", "users.mdb.new", "secrets.mdb.new" };
	struct fixture *f = *state;
	char path[128];
	size_t i;

	users_close(f->u);
	arena_fini(&f->arena);
	for (i = 0; i < ARRAY_LEN(names); i++) {
		path_in(path, sizeof(path), f, names[i]);
		unlink(path);
	}
	if (rmdir(f->dir) < 0)
		return -1;
	free(f);
	return 0;
}

static int put(const struct fixture *f, const char *name, uint32_t uid, const char *secrets)
{
	struct account a = { .name = name, .has_ids = true, .uid = uid, .gid = 7, .home = "/var/mail/x" };
	struct users_edit *e;
	struct err err = ERR_INIT;

	if (users_edit_begin(&e, f->dir, (uid_t)-1, (gid_t)-1, &err) < 0)
		return -1;
	if (users_edit_put(e, &a, secrets, &err) < 0) {
		users_edit_abort(&e);
		return -1;
	}
	return users_edit_commit(&e, &err);
}

static void empty_store(void **state)
{
	struct fixture *f = *state;
	struct users *nowhere = users_open("/tmp/surat-no-such-dir", 0);
	struct account a;

	assert_int_equal(users_get(f->u, SPAN_LIT("tito"), &a, &f->arena, &f->err), MAP_NONE);
	assert_int_equal(users_get(nowhere, SPAN_LIT("tito"), &a, &f->arena, &f->err), MAP_TEMP);
	assert_int_equal(f->err.kind, ERR_SYS);
	users_close(nowhere);
}

static void seen_without_reload(void **state)
{
	struct fixture *f = *state;
	struct str s = STR_INIT(USERS_SECRETS_MAX);
	struct account a;
	struct users_edit *e;

	assert_int_equal(put(f, "tito@x", 1, "{PLAIN}a"), 0);
	assert_int_equal(users_get(f->u, SPAN_LIT("tito@x"), &a, &f->arena, &f->err), MAP_FOUND);
	assert_int_equal(a.uid, 1);
	assert_int_equal(users_get_secrets(f->u, SPAN_LIT("tito@x"), &s, &f->err), MAP_FOUND);
	assert_string_equal(s.p, "{PLAIN}a");
	assert_int_equal(put(f, "iqbal", 2, "{PLAIN}b"), 0);
	assert_int_equal(put(f, "tito@x", 3, NULL), 0);
	assert_int_equal(users_get(f->u, SPAN_LIT("tito@x"), &a, &f->arena, &f->err), MAP_FOUND);
	assert_int_equal(a.uid, 3);
	assert_int_equal(users_get_secrets(f->u, SPAN_LIT("tito@x"), &s, &f->err), MAP_FOUND);
	assert_string_equal(s.p, "{PLAIN}a");
	assert_int_equal(users_edit_begin(&e, f->dir, (uid_t)-1, (gid_t)-1, &f->err), 0);
	assert_int_equal(users_edit_delete(e, SPAN_LIT("tito@x"), &f->err), 0);
	assert_int_equal(users_edit_delete(e, SPAN_LIT("tito@x"), &f->err), -1);
	assert_int_equal(f->err.kind, ERR_PERM);
	assert_int_equal(users_get(f->u, SPAN_LIT("tito@x"), &a, &f->arena, &f->err), MAP_FOUND);
	assert_int_equal(users_edit_commit(&e, &f->err), 0);
	assert_int_equal(users_get(f->u, SPAN_LIT("tito@x"), &a, &f->arena, &f->err), MAP_NONE);
	assert_int_equal(users_get_secrets(f->u, SPAN_LIT("tito@x"), &s, &f->err), MAP_NONE);
	assert_int_equal(users_get(f->u, SPAN_LIT("iqbal"), &a, &f->arena, &f->err), MAP_FOUND);
	str_fini(&s);
}

static void odd_keys(void **state)
{
	struct fixture *f = *state;
	char key[600];
	struct account a;

	memset(key, 'k', sizeof(key));
	assert_int_equal(put(f, "tito", 1, NULL), 0);
	assert_int_equal(users_get(f->u, (struct span){ key, sizeof(key) }, &a, &f->arena, &f->err), MAP_NONE);
	assert_int_equal(users_get(f->u, SPAN_NULL, &a, &f->arena, &f->err), MAP_NONE);
	assert_int_equal(put(f, "Tito", 1, NULL), -1);
	assert_int_equal(put(f, "../tito", 1, NULL), -1);
}

static void abort_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct account a = { .name = "new" };
	struct users_edit *e;
	char path[128];

	assert_int_equal(put(f, "tito", 1, NULL), 0);
	assert_int_equal(users_edit_begin(&e, f->dir, (uid_t)-1, (gid_t)-1, &f->err), 0);
	assert_int_equal(users_edit_put(e, &a, "{PLAIN}x", &f->err), 0);
	assert_int_equal(users_edit_get(e, SPAN_LIT("new"), &a, &f->arena, &f->err), MAP_FOUND);
	users_edit_abort(&e);
	assert_null(e);
	assert_int_equal(users_get(f->u, SPAN_LIT("new"), &a, &f->arena, &f->err), MAP_NONE);
	path_in(path, sizeof(path), f, "users.mdb.new");
	assert_int_equal(access(path, F_OK), -1);
}

static void modes(void **state)
{
	struct fixture *f = *state;
	char path[128];
	struct stat st;

	assert_int_equal(put(f, "tito", 1, "{PLAIN}a"), 0);
	path_in(path, sizeof(path), f, "secrets.mdb");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(put(f, "tito", 2, "{PLAIN}b"), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void damage_is_temporary(void **state)
{
	struct fixture *f = *state;
	struct account a;
	char path[128], temp[128];
	int fd;

	assert_int_equal(put(f, "tito", 1, NULL), 0);
	path_in(path, sizeof(path), f, "users.mdb");
	path_in(temp, sizeof(temp), f, "users.mdb.new");
	assert_int_equal(users_get(f->u, SPAN_LIT("tito"), &a, &f->arena, &f->err), MAP_FOUND);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(users_get(f->u, SPAN_LIT("tito"), &a, &f->arena, &f->err), MAP_TEMP);
	fd = open(temp, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "rubbish", 7), 7);
	close(fd);
	assert_int_equal(rename(temp, path), 0);
	assert_int_equal(users_get(f->u, SPAN_LIT("tito"), &a, &f->arena, &f->err), MAP_TEMP);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(put(f, "tito", 1, NULL), 0);
	assert_int_equal(users_get(f->u, SPAN_LIT("tito"), &a, &f->arena, &f->err), MAP_FOUND);
	/* a copy that lost its tail must not become a SIGBUS */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(put(f, "tito", 1, NULL), 0);
	assert_int_equal(truncate(path, 8192), 0);
	assert_int_equal(users_get(f->u, SPAN_LIT("tito"), &a, &f->arena, &f->err), MAP_TEMP);
}

/* Eight processes add twenty accounts each; none may be lost. */
static void concurrent_writers(void **state)
{
	struct fixture *f = *state;
	struct account a;
	pid_t pids[8];
	char name[32];
	int i, j, status;

	for (i = 0; i < 8; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			for (j = 0; j < 20; j++) {
				snprintf(name, sizeof(name), "u%d@d%d", j, i);
				if (put(f, name, (uint32_t)(i * 100 + j), "{PLAIN}x") < 0)
					_exit(1);
			}
			_exit(0);
		}
	}
	for (i = 0; i < 8; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	for (i = 0; i < 8; i++) {
		for (j = 0; j < 20; j++) {
			snprintf(name, sizeof(name), "u%d@d%d", j, i);
			assert_int_equal(users_get(f->u, span_z(name), &a, &f->arena, &f->err), MAP_FOUND);
			assert_int_equal(a.uid, i * 100 + j);
		}
	}
}

static bool count(void *arg, const struct account *a)
{
	struct str *s = arg;

	return str_addf(s, "%s ", a->name) == 0 && strcmp(a->name, "c") != 0;
}

static void each_in_order(void **state)
{
	struct fixture *f = *state;
	struct str s = STR_INIT(100);

	assert_int_equal(users_each(f->u, count, &s, &f->err), 0);
	assert_string_equal(s.p, "");
	assert_int_equal(put(f, "b", 1, NULL) | put(f, "a", 1, NULL) | put(f, "d", 1, NULL) | put(f, "c", 1, NULL), 0);
	assert_int_equal(users_each(f->u, count, &s, &f->err), 0);
	assert_string_equal(s.p, "a b c ");
	str_fini(&s);
}

static void map_fields(void **state)
{
	static const struct {
		const char *field, *key, *value;
	} rows[] = {
		{ "", "Tito@X", "/var/mail/x/Maildir/" }, { ":mailbox", "tito@x", "/var/mail/x/Maildir/" },
		{ ":uid", "tito@x", "9" },                { ":gid", "tito@x", "7" },
		{ ":home", "tito@x", "/var/mail/x" },     { ":name", "tito@x", "tito@x" },
		{ ":quota", "tito@x", NULL },             { "", "@x", NULL },
		{ "", "tito", NULL },                     { "", "../../etc@x", NULL },
	};
	struct fixture *f = *state;
	struct str value = STR_INIT(1000);
	char name[128];
	size_t i;
	void *m;

	assert_int_equal(put(f, "tito@x", 9, NULL), 0);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(name, sizeof(name), "%s%s", f->dir, rows[i].field);
		assert_int_equal(users_map_type.open(&m, name, &f->err), 0);
		str_reset(&value);
		if (users_map_type.get(m, span_z(rows[i].key), &value, &f->err) != (rows[i].value ? MAP_FOUND : MAP_NONE))
			fail_msg("%s %s: %s", rows[i].field, rows[i].key, f->err.msg);
		assert_string_equal(value.p, rows[i].value ? rows[i].value : "");
		users_map_type.close(m);
	}
	assert_int_equal(users_map_type.open(&m, "relative", &f->err), -1);
	assert_int_equal(users_map_type.open(&m, "/x:shoe", &f->err), -1);
	assert_int_equal(users_map_type.open(&m, "/x:uid:gid", &f->err), -1);
	assert_int_equal(users_map_type.open(&m, "/tmp/surat-no-such-dir", &f->err), 0);
	assert_int_equal(users_map_type.get(m, SPAN_LIT("tito@x"), &value, &f->err), MAP_TEMP);
	users_map_type.close(m);
	str_fini(&value);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(empty_store), T(seen_without_reload), T(odd_keys), T(abort_changes_nothing), T(modes),
		T(damage_is_temporary), T(concurrent_writers), T(each_in_order), T(map_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
