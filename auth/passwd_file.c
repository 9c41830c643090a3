#include "auth/passwd_file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/htab.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/cidr.h"
#include "store/mail_location.h"

#define ID_NAME_MAX 32          /* of useradd(8) */

struct passwd_file {
	char *path;
	struct stat st;                 /* of what was read; st_ino 0 before the first time */
	struct arena arena;
	struct htab entries;
	struct passwd_entry **list;
	size_t n, cap;
};

enum { F_USER, F_PASSWORD, F_UID, F_GID, F_GECOS, F_HOME, F_SHELL, F_EXTRA, F_COUNT };

enum id_kind { ID_USER, ID_GROUP };

/* A number, or the name of a system user or group. */
static int read_id(struct span s, enum id_kind kind, uint32_t *id_r)
{
	char name[ID_NAME_MAX + 1];
	struct passwd *pw;
	struct group *gr;
	uint64_t v;

	if (span_u64(s, UINT32_MAX - 1, &v) == 0) {
		*id_r = (uint32_t)v;
		return 0;
	}
	if (s.n == 0 || s.n > ID_NAME_MAX)
		return -1;
	memcpy(name, s.p, s.n);
	name[s.n] = '\0';
	pw = kind == ID_USER ? getpwnam(name) : NULL;
	gr = kind == ID_GROUP ? getgrnam(name) : NULL;
	if (!pw && !gr)
		return -1;
	*id_r = pw ? pw->pw_uid : gr->gr_gid;
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

/* Of these fields Dovecot expands the variables, of the seventh it does not. */
static int read_home(struct account *a, struct span template, struct arena *arena, struct err *err)
{
	struct str path = STR_INIT(ACCOUNT_PATH_MAX);
	int rc = mail_location_vars(&path, template, span_z(a->name), NULL, err);

	if (rc == 0)
		a->home = arena_strndup(arena, path.p, path.n);
	str_fini(&path);
	return rc;
}

static int read_nets(struct passwd_entry *e, struct span nets, struct arena *arena, struct err *err)
{
	struct span rest = nets, net;
	struct cidr ignored;

	while (span_word(&rest, ",", &net)) {
		if (!span_eqz(net, "local") && cidr_parse(&ignored, net, err) < 0)
			return err_wrap(err, "allow_nets");
	}
	e->allow_nets = arena_strndup(arena, nets.p, nets.n);
	return 0;
}

static int read_field(struct passwd_entry *e, bool has[2], struct span key, struct span value, struct arena *arena,
		      struct err *err)
{
	struct account *a = &e->account;

	if (span_eqz(key, "userdb_uid"))
		has[0] = read_id(value, ID_USER, &a->uid) == 0;
	else if (span_eqz(key, "userdb_gid"))
		has[1] = read_id(value, ID_GROUP, &a->gid) == 0;
	else if (span_eqz(key, "userdb_home"))
		return read_home(a, value, arena, err);
	else if (span_eqz(key, "userdb_mail"))
		a->mail = arena_strndup(arena, value.p, value.n);
	else if (span_eqz(key, "userdb_quota_rule"))
		return read_quota_rule(value, &a->quota) < 0 ? err_set(err, ERR_CONF, "bad quota") : 0;
	else if (span_eqz(key, "nopassword"))
		e->needs_no_password = true;
	else if (span_eqz(key, "nologin") || span_eqz(key, "disabled"))
		a->disabled = !span_eq_nocase(value, "no");
	else if (span_eqz(key, "allow_nets"))
		return read_nets(e, value, arena, err);
	if ((span_eqz(key, "userdb_uid") && !has[0]) || (span_eqz(key, "userdb_gid") && !has[1]))
		return err_set(err, ERR_CONF, "bad %.*s", SPAN_ARG(key));
	return 0;
}

static int read_extra(struct passwd_entry *e, bool has[2], struct span extra, struct arena *arena, struct err *err)
{
	struct span item, key, value;

	while (span_word(&extra, " \t", &item)) {
		span_cut(item, '=', &key, &value);
		if (read_field(e, has, key, value, arena, err) < 0)
			return -1;
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

static int read_fields(struct passwd_entry *e, const struct span *f, struct arena *arena, struct err *err)
{
	struct account *a = &e->account;
	bool has[2] = { f[F_UID].n > 0, f[F_GID].n > 0 };

	e->password = arena_strndup(arena, f[F_PASSWORD].p, f[F_PASSWORD].n);
	if (f[F_HOME].n)
		a->home = arena_strndup(arena, f[F_HOME].p, f[F_HOME].n);
	if (f[F_GECOS].n)
		a->comment = arena_strndup(arena, f[F_GECOS].p, f[F_GECOS].n);
	if (has[0] && read_id(f[F_UID], ID_USER, &a->uid) < 0)
		return err_set(err, ERR_CONF, "bad uid");
	if (has[1] && read_id(f[F_GID], ID_GROUP, &a->gid) < 0)
		return err_set(err, ERR_CONF, "bad gid");
	if (read_extra(e, has, f[F_EXTRA], arena, err) < 0)
		return -1;
	if (has[0] != has[1])
		return err_set(err, ERR_CONF, "a uid and a gid go together");
	a->has_ids = has[0];
	if (e->needs_no_password && e->password[0])
		return err_set(err, ERR_CONF, "nopassword stands beside a password");
	return a->home ? account_path_check(span_z(a->home), err) : 0;
}

bool passwd_file_line(struct passwd_entry *out_r, struct span line, struct arena *arena, struct err *err)
{
	struct str name = STR_INIT(ACCOUNT_NAME_MAX + 1);
	struct span f[F_COUNT];
	bool ok = false;

	*out_r = (struct passwd_entry){ .password = "" };
	*err = (struct err)ERR_INIT;
	line = span_trim(line);
	if (line.n == 0 || line.p[0] == '#')
		return false;
	if (span_has_nul(line) || split(line, f) < 2) {
		err_set(err, ERR_CONF, "not a line of a passwd-file");
	} else if (account_name_fold(&name, f[F_USER], err) == 0) {
		out_r->account.name = arena_strndup(arena, name.p, name.n);
		ok = read_fields(out_r, f, arena, err) == 0;
		if (!ok)
			err_wrap(err, "user %s", out_r->account.name);
	}
	if (!ok)
		err->kind = ERR_CONF;
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

static void add_entry(struct passwd_file *f, struct passwd_entry *e, unsigned number)
{
	struct span name = span_z(e->account.name);
	struct passwd_entry *above = name.n ? htab_get(&f->entries, name) : NULL;

	if (f->n == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 64;
		f->list = xrealloc(f->list, f->cap * sizeof(struct passwd_entry *));
	}
	f->list[f->n++] = e;
	if (!name.n)
		e->account.name = arena_printf(&f->arena, "line %u", number);
	else if (!above || (above->fault && !e->fault))
		htab_put(&f->entries, name, e);
	else if (!e->fault)
		/* as everywhere in passwd files the first line of a name counts */
		log_warn("%s:%u: user %s has a line above, which counts", f->path, number, e->account.name);
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
		if (!passwd_file_line(e, line, &f->arena, &err)) {
			if (err.kind == ERR_NONE)
				continue;
			log_warn("%s:%u: %s", f->path, number, err.msg);
			e->fault = arena_printf(&f->arena, "%s:%u: %s", f->path, number, err.msg);
		}
		add_entry(f, e, number);
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
	if (*entry_r && (*entry_r)->fault)
		return (enum map_rc)err_set(err, ERR_TEMP, "%s", (*entry_r)->fault);
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
