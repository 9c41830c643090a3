#include "auth/passwd_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/htab.h"
#include "base/log.h"
#include "base/mem.h"

struct passwd_file {
	char *path;
	struct stat st;                 /* of what was read; st_ino 0 before the first time */
	struct arena arena;
	struct htab entries;
	struct passwd_entry **list;
	size_t n, cap;
};

enum { F_USER, F_PASSWORD, F_UID, F_GID, F_GECOS, F_HOME, F_SHELL, F_EXTRA, F_COUNT };

static int read_id(struct span s, uint32_t *id_r)
{
	uint64_t v;

	if (span_u64(s, UINT32_MAX - 1, &v) < 0)
		return -1;
	*id_r = (uint32_t)v;
	return 0;
}

/* Dovecot's rule: "*:storage=100M", "*:bytes=1000"; a bare storage number is kilobytes. */
static int read_quota_rule(struct span rule, uint64_t *quota_r)
{
	struct span item, limit;
	uint64_t unit = 1024, v;

	if (!span_starts(rule, "*:"))
		return 0;
	rule = span_from(rule, 2);
	while (span_word(&rule, ":", &item)) {
		if (span_starts(item, "storage="))
			limit = span_from(item, 8);
		else if (span_starts(item, "bytes="))
			limit = span_from(item, 6), unit = 1;
		else
			continue;
		if (limit.n > 0 && strchr("BkKMGT", limit.p[limit.n - 1])) {
			static const char units[] = "BKMGT";
			char c = limit.p[limit.n - 1] == 'k' ? 'K' : limit.p[limit.n - 1];

			unit = (uint64_t)1 << (10 * (strchr(units, c) - units));
			limit.n--;
		}
		if (span_u64(limit, UINT64_MAX >> 41, &v) < 0)
			return -1;
		*quota_r = v * unit;
	}
	return 0;
}

static int read_extra(struct passwd_entry *e, bool has[2], struct span extra, struct arena *arena)
{
	struct account *a = &e->account;
	struct span item, key, value;

	while (span_word(&extra, " \t", &item)) {
		span_cut(item, '=', &key, &value);
		if (span_eqz(key, "userdb_uid")) {
			if (read_id(value, &a->uid) < 0)
				return -1;
			has[0] = true;
		} else if (span_eqz(key, "userdb_gid")) {
			if (read_id(value, &a->gid) < 0)
				return -1;
			has[1] = true;
		} else if (span_eqz(key, "userdb_home")) {
			a->home = arena_strndup(arena, value.p, value.n);
		} else if (span_eqz(key, "userdb_mail")) {
			a->mail = arena_strndup(arena, value.p, value.n);
		} else if (span_eqz(key, "userdb_quota_rule")) {
			if (read_quota_rule(value, &a->quota) < 0)
				return -1;
		} else if (span_eqz(key, "nopassword")) {
			e->needs_no_password = true;
		} else if (span_eqz(key, "nologin") || span_eqz(key, "disabled")) {
			a->disabled = !span_eq_nocase(value, "no");
		}
	}
	return 0;
}

/* The last field keeps its colons. */
static size_t split(struct span line, struct span *f)
{
	size_t n = 0;

	memset(f, 0, F_COUNT * sizeof(*f));
	while (n < F_COUNT - 1 && span_chr(line, ':') >= 0)
		span_cut(line, ':', &f[n++], &line);
	f[n++] = line;
	return n;
}

bool passwd_file_line(struct passwd_entry *out_r, struct span line, struct arena *arena, struct err *err)
{
	struct str name = STR_INIT(ACCOUNT_NAME_MAX + 1);
	struct account *a = &out_r->account;
	struct span f[F_COUNT];
	bool has[2] = { false, false }, ok = false;

	*out_r = (struct passwd_entry){ .password = "" };
	*err = (struct err)ERR_INIT;
	line = span_trim(line);
	if (line.n == 0 || line.p[0] == '#')
		return false;
	if (span_has_nul(line) || split(line, f) < 2) {
		err_set(err, ERR_CONF, "not a line of a passwd-file");
		goto out;
	}
	if (account_name_fold(&name, f[F_USER], err) < 0) {
		err->kind = ERR_CONF;
		goto out;
	}
	a->name = arena_strndup(arena, name.p, name.n);
	out_r->password = arena_strndup(arena, f[F_PASSWORD].p, f[F_PASSWORD].n);
	if (f[F_HOME].n)
		a->home = arena_strndup(arena, f[F_HOME].p, f[F_HOME].n);
	if (f[F_GECOS].n)
		a->comment = arena_strndup(arena, f[F_GECOS].p, f[F_GECOS].n);
	if (f[F_UID].n)
		has[0] = read_id(f[F_UID], &a->uid) == 0;
	if (f[F_GID].n)
		has[1] = read_id(f[F_GID], &a->gid) == 0;
	if ((f[F_UID].n && !has[0]) || (f[F_GID].n && !has[1]) || read_extra(out_r, has, f[F_EXTRA], arena) < 0 ||
	    has[0] != has[1]) {
		err_set(err, ERR_CONF, "user %s: bad uid, gid or quota", a->name);
		goto out;
	}
	a->has_ids = has[0];
	if (a->home && account_path_check(span_z(a->home), err) < 0) {
		err->kind = ERR_CONF;
		goto out;
	}
	ok = true;
out:
	str_fini(&name);
	return ok;
}

struct passwd_file *passwd_file_open(const char *path)
{
	struct passwd_file *f = xnew(struct passwd_file);

	f->path = xstrdup(path);
	return f;
}

static void forget(struct passwd_file *f)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
		char *p = (char *)(uintptr_t)f->list[i]->password;

		if (p[0])
			explicit_bzero(p, strlen(p));
	}
	htab_fini(&f->entries);
	arena_reset(&f->arena);
	f->n = 0;
	f->st = (struct stat){ 0 };
}

static void add_entry(struct passwd_file *f, struct passwd_entry *e)
{
	if (f->n == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 64;
		f->list = xrealloc(f->list, f->cap * sizeof(struct passwd_entry *));
	}
	f->list[f->n++] = e;
	/* as everywhere in passwd files the first line of a name counts */
	if (!htab_get(&f->entries, span_z(e->account.name)))
		htab_put(&f->entries, span_z(e->account.name), e);
}

static void parse(struct passwd_file *f, struct span text)
{
	struct span line;
	unsigned number = 0;

	while (text.n > 0) {
		struct passwd_entry *e = arena_new(&f->arena, struct passwd_entry);
		struct err err = ERR_INIT;

		number++;
		span_cut(text, '\n', &line, &text);
		if (passwd_file_line(e, line, &f->arena, &err))
			add_entry(f, e);
		else if (err.kind != ERR_NONE)
			log_warn("%s:%u: %s", f->path, number, err.msg);
	}
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int read_all(int fd, struct str *out)
{
	for (;;) {
		char *room = str_room(out, 65536);
		ssize_t n;

		if (!room) {
			errno = EFBIG;
			return -1;
		}
		n = read(fd, room, 65536);
		if (n <= 0)
			return (int)n;
		str_grew(out, (size_t)n);
	}
	return 0;
}

static int refresh(struct passwd_file *f, struct err *err)
{
	struct str text = STR_INIT(PASSWD_FILE_MAX);
	struct stat st;
	int rc = 0, fd;

	if (stat(f->path, &st) == 0 && is_same(&st, &f->st))
		return 0;
	fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return err_sys(err, "%s", f->path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		rc = err_set(err, ERR_TEMP, "%s is not a regular file", f->path);
	} else if (read_all(fd, &text) < 0) {
		rc = err_sys(err, "%s", f->path);
	} else {
		forget(f);
		parse(f, str_span(&text));
		f->st = st;
	}
	explicit_bzero(text.p, text.n);
	str_fini(&text);
	close(fd);
	return rc;
}

enum map_rc passwd_file_get(struct passwd_file *f, struct span name, const struct passwd_entry **entry_r,
			    struct err *err)
{
	if (refresh(f, err) < 0)
		return MAP_TEMP;
	*entry_r = htab_get(&f->entries, name);
	return *entry_r ? MAP_FOUND : MAP_NONE;
}

int passwd_file_each(struct passwd_file *f, passwd_file_visit_fn *fn, void *arg, struct err *err)
{
	size_t i;

	if (refresh(f, err) < 0)
		return -1;
	for (i = 0; i < f->n && fn(arg, f->list[i]); i++)
		continue;
	return 0;
}

void passwd_file_close(struct passwd_file *f)
{
	if (!f)
		return;
	forget(f);
	arena_fini(&f->arena);
	free(f->list);
	free(f->path);
	free(f);
}
