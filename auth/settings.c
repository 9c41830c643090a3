#include "auth/settings.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include "store/mail_location.h"

static int lookup_uid(const char *z, uint32_t *id_r, uint32_t *gid_r, struct err *err)
{
	struct passwd *pw;
	uint64_t v;

	if (span_u64(span_z(z), UINT32_MAX - 1, &v) == 0) {
		*id_r = (uint32_t)v;
		return 0;
	}
	pw = getpwnam(z);
	if (!pw)
		return err_set(err, ERR_CONF, "mail_uid: there is no user %s", z);
	*id_r = pw->pw_uid;
	*gid_r = pw->pw_gid;
	return 0;
}

static int lookup_gid(const char *z, uint32_t *id_r, struct err *err)
{
	struct group *gr;
	uint64_t v;

	if (span_u64(span_z(z), UINT32_MAX - 1, &v) == 0) {
		*id_r = (uint32_t)v;
		return 0;
	}
	gr = getgrnam(z);
	if (!gr)
		return err_set(err, ERR_CONF, "mail_gid: there is no group %s", z);
	*id_r = gr->gr_gid;
	return 0;
}

/* "static:5000" in virtual_uid_maps says what mail_uid says in Dovecot. */
static const char *id_source(const char *own, const struct conf_list *maps)
{
	if (own[0])
		return own;
	if (maps->n == 1 && strncmp(maps->v[0], "static:", 7) == 0)
		return maps->v[0] + 7;
	return NULL;
}

static void default_ids(struct settings *s, bool is_root)
{
	struct passwd *pw = is_root ? getpwnam(SETTINGS_MAIL_USER) : NULL;

	s->has_ids = pw || !is_root;
	s->uid = pw ? pw->pw_uid : getuid();
	s->gid = pw ? pw->pw_gid : getgid();
}

static int read_ids(struct settings *s, bool is_root, struct err *err)
{
	const char *uid = id_source(s->store.mail_uid, &s->global.virtual_uid_maps);
	const char *gid = id_source(s->store.mail_gid, &s->global.virtual_gid_maps);

	s->gid = UINT32_MAX;
	if (!uid) {
		default_ids(s, is_root);
		return 0;
	}
	if (lookup_uid(uid, &s->uid, &s->gid, err) < 0 || (gid && lookup_gid(gid, &s->gid, err) < 0))
		return -1;
	if (s->gid == UINT32_MAX)
		return err_set(err, ERR_CONF, "mail_uid is set, but not mail_gid");
	s->has_ids = true;
	return 0;
}

static bool is_domain(const char *z)
{
	return z[0] && !strpbrk(z, ":/$");
}

static const char *default_realm(const struct settings *s)
{
	size_t i;

	if (s->auth.auth_default_realm[0])
		return s->auth.auth_default_realm;
	for (i = 0; i < s->global.virtual_mailbox_domains.n; i++) {
		if (is_domain(s->global.virtual_mailbox_domains.v[i]))
			return s->global.virtual_mailbox_domains.v[i];
	}
	return s->global.mydomain;
}

/* Names are always folded; what else Dovecot would make of a login would go unheeded. */
static int check_format(const struct settings *s, struct err *err)
{
	static const char *const known[] = { "", "%u", "%Lu", "%n", "%Ln" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(s->auth.auth_username_format, known[i]) == 0)
			return 0;
	}
	return err_set(err, ERR_CONF, "auth_username_format: '%s' is none of %%u, %%Lu, %%n and %%Ln",
		       s->auth.auth_username_format);
}

static int check_home(const struct settings *s, struct err *err)
{
	struct str path = STR_INIT(ACCOUNT_PATH_MAX);
	int rc = mail_location_vars(&path, span_z(s->home), SPAN_LIT("user@example.com"), NULL, err);

	str_fini(&path);
	return rc < 0 ? err_wrap(err, "mail_home") : 0;
}

int settings_read(struct settings *out_r, const struct conf *c, bool is_root, struct err *err)
{
	struct settings *s = out_r;

	*s = (struct settings){ .realm = "" };
	if (auth_conf_read(&s->auth, c, &s->arena, err) < 0 || global_conf_read(&s->global, c, &s->arena, err) < 0 ||
	    store_conf_read(&s->store, c, &s->arena, err) < 0 || check_format(s, err) < 0 ||
	    read_ids(s, is_root, err) < 0) {
		settings_fini(s);
		return -1;
	}
	s->realm = default_realm(s);
	s->home = s->store.mail_home;
	if (!s->home[0] && s->global.virtual_mailbox_base[0])
		s->home = arena_printf(&s->arena, "%s/%%d/%%n", s->global.virtual_mailbox_base);
	if (!s->home[0])
		s->home = "/var/mail/vhosts/%d/%n";
	if (check_home(s, err) == 0)
		return 0;
	settings_fini(s);
	return -1;
}

void settings_fini(struct settings *s)
{
	arena_fini(&s->arena);
}

/* A bare name leaves %d empty; "//" in a path would be another spelling of the same place. */
static void squeeze_slashes(struct str *s)
{
	size_t i, n = 0;

	for (i = 0; i < s->n; i++) {
		if (s->p[i] != '/' || n == 0 || s->p[n - 1] != '/')
			s->p[n++] = s->p[i];
	}
	str_cut(s, n);
}

int settings_complete(const struct settings *s, struct account *a, struct arena *arena, struct err *err)
{
	struct str path = STR_INIT(ACCOUNT_PATH_MAX);
	int rc = 0;

	if (!a->has_ids && !s->has_ids)
		return err_set(err, ERR_CONF, "no uid for %s: set mail_uid and mail_gid", a->name);
	if (!a->has_ids) {
		a->has_ids = true;
		a->uid = s->uid;
		a->gid = s->gid;
	}
	if (!a->home || !a->home[0]) {
		rc = mail_location_vars(&path, span_z(s->home), span_z(a->name), NULL, err);
		squeeze_slashes(&path);
		if (rc == 0 && (rc = account_path_check(str_span(&path), err)) == 0)
			a->home = arena_strndup(arena, path.p, path.n);
	}
	str_fini(&path);
	return rc;
}

bool settings_allow_ids(const struct settings *s, uint32_t uid, uint32_t gid)
{
	const struct auth_conf *a = &s->auth;

	if (s->has_ids && uid == s->uid && gid == s->gid)
		return uid != 0;
	return uid != 0 && uid >= a->first_valid_uid && (a->last_valid_uid == 0 || uid <= a->last_valid_uid) &&
	       gid >= a->first_valid_gid && (a->last_valid_gid == 0 || gid <= a->last_valid_gid);
}
