#include "auth/passdb.h"

#include <errno.h>
#include <pwd.h>

#include "auth/scheme.h"
#include "base/log.h"
#include "conf/cidr.h"

static const char *const kind_names[] = { "users", "passwd-file", "pam" };

int passdb_open(struct passdb_chain *c, const struct settings *s, struct err *err)
{
	const struct conf_list *list = &s->auth.auth_passdb;
	size_t i;

	*c = (struct passdb_chain){ .settings = s };
	for (i = 0; i < list->n; i++) {
		struct passdb *p = &c->v[c->n];

		if (c->n == PASSDB_MAX)
			return err_set(err, ERR_CONF, "auth_passdb: more than %d stores", PASSDB_MAX);
		if (strcmp(list->v[i], "users") == 0) {
			*p = (struct passdb){ .kind = PASSDB_USERS };
			p->users = users_open(s->global.data_directory, USERS_WITH_SECRETS);
		} else if (strncmp(list->v[i], "passwd-file:/", 13) == 0) {
			*p = (struct passdb){ .kind = PASSDB_FILE, .path = list->v[i] + 12 };
			p->file = passwd_file_open(p->path);
		} else if (strcmp(list->v[i], "pam") == 0) {
			*p = (struct passdb){ .kind = PASSDB_PAM };
		} else {
			return err_set(err, ERR_CONF, "auth_passdb: \"%s\" is none of users, passwd-file:/path, pam",
				       list->v[i]);
		}
		c->n++;
	}
	return c->n ? 0 : err_set(err, ERR_CONF, "auth_passdb names no store");
}

void passdb_close(struct passdb_chain *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		users_close(c->v[i].users);
		passwd_file_close(c->v[i].file);
	}
	c->n = 0;
}

static enum map_rc find_in_file(struct passdb *p, const char *name, struct arena *arena, struct passdb_user *user_r,
				struct str *secrets, struct err *err)
{
	const struct passwd_entry *e;
	enum map_rc rc = passwd_file_get(p->file, span_z(name), &e, err);

	if (rc != MAP_FOUND)
		return rc;
	user_r->account = e->account;
	user_r->account.name = arena_strdup(arena, e->account.name);
	user_r->account.home = e->account.home ? arena_strdup(arena, e->account.home) : NULL;
	user_r->account.mail = e->account.mail ? arena_strdup(arena, e->account.mail) : NULL;
	user_r->account.comment = NULL;
	user_r->needs_no_password = e->needs_no_password;
	user_r->allow_nets = e->allow_nets ? arena_strdup(arena, e->allow_nets) : NULL;
	str_reset(secrets);
	if (str_addz(secrets, e->password) < 0)
		return (enum map_rc)err_set(err, ERR_TEMP, "the password of %s is too long", name);
	return MAP_FOUND;
}

static enum map_rc find_name(struct passdb *p, const char *name, struct arena *arena, struct passdb_user *user_r,
			     struct str *secrets, struct err *err)
{
	enum map_rc rc;

	if (p->kind == PASSDB_FILE)
		return find_in_file(p, name, arena, user_r, secrets, err);
	rc = users_get(p->users, span_z(name), &user_r->account, arena, err);
	if (rc == MAP_FOUND && users_get_secrets(p->users, span_z(name), secrets, err) == MAP_TEMP)
		rc = MAP_TEMP;
	return rc;
}

static enum map_rc find_in(struct passdb *p, const struct names *n, struct arena *arena, struct passdb_user *user_r,
			   struct str *secrets, struct err *err)
{
	enum map_rc rc;

	*user_r = (struct passdb_user){ .system_user = NULL };
	str_reset(secrets);
	rc = find_name(p, n->full, arena, user_r, secrets, err);
	if (rc == MAP_NONE && n->bare && strcmp(n->bare, n->full) != 0)
		rc = find_name(p, n->bare, arena, user_r, secrets, err);
	return rc;
}

enum map_rc passdb_find(struct passdb_chain *c, const struct names *n, struct arena *arena, struct passdb_user *user_r,
			struct str *secrets, struct err *err)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		enum map_rc rc = MAP_NONE;

		if (c->v[i].kind != PASSDB_PAM)
			rc = find_in(&c->v[i], n, arena, user_r, secrets, err);
		if (rc != MAP_NONE)
			return rc;
	}
	return MAP_NONE;
}

bool passdb_may_come(const struct passdb_user *user, struct span address)
{
	struct span nets = span_z(user->allow_nets), one;
	struct cidr net, client;
	struct err ignored = ERR_INIT;
	bool is_address = cidr_parse(&client, address, &ignored) == 0;

	if (!user->allow_nets)
		return true;
	while (span_word(&nets, ",", &one)) {
		if (is_address ? cidr_parse(&net, one, &ignored) == 0 && cidr_has(&net, &client) : span_eqz(one, "local"))
			return true;
	}
	return false;
}

bool passdb_pick(struct span secrets, const char *scheme, struct span *data_r)
{
	struct span line, name;

	while (span_word(&secrets, "\n", &line)) {
		if (!scheme_split(line, "CRYPT", &name, data_r))
			continue;
		/* Dovecot has two names for it */
		if (span_eq_nocase(name, "HMAC-MD5"))
			name = SPAN_LIT("CRAM-MD5");
		if (span_eq_nocase(name, scheme))
			return true;
	}
	return false;
}

/* All verifiers of an account are of one password, so the first decides. */
static enum scheme_rc check_secrets(struct passdb *p, struct passdb_walk *w, struct span secrets, struct span password,
				    struct err *err)
{
	struct span line;

	if (!span_word(&secrets, "\n", &line))
		return SCHEME_MISMATCH;
	w->did_hash = true;
	return scheme_verify(line, p->kind == PASSDB_FILE ? "CRYPT" : "", password, err);
}

/* One line per failed attempt, as Dovecot writes it: fail2ban counts them. */
static void log_failure(const struct passdb_chain *c, const struct passdb_walk *w, const struct names *n,
			const char *who)
{
	const char *name = n->unix_name && strcmp(w->backend, kind_names[PASSDB_PAM]) == 0 ? n->unix_name : n->full;

	if (c->settings->auth.auth_verbose)
		log_info("%s(%s,%s): %s", w->backend, name, who, w->is_known ? "Password mismatch" : "unknown user");
}

static void note_failure(struct passdb_walk *w, enum passdb_kind kind, bool is_known)
{
	if (!w->is_known)
		w->backend = kind_names[kind];
	w->is_known = w->is_known || is_known;
}

/* One store; the caller goes on with the next unless OK. */
static enum passdb_rc check_in(struct passdb_chain *c, struct passdb_walk *w, const struct names *n,
			       struct span password, const char *who, struct arena *arena, struct passdb_user *user_r)
{
	struct passdb *p = &c->v[w->at];
	struct str secrets = STR_INIT(USERS_SECRETS_MAX);
	struct err err = ERR_INIT;
	enum map_rc found = find_in(p, n, arena, user_r, &secrets, &err);
	enum scheme_rc match = SCHEME_MISMATCH;

	if (found == MAP_FOUND)
		match = user_r->needs_no_password ? SCHEME_MATCH :
						    check_secrets(p, w, str_span(&secrets), password, &err);
	explicit_bzero(secrets.p, secrets.n);
	str_fini(&secrets);
	if (match == SCHEME_MATCH)
		return PASSDB_OK;
	if (found == MAP_TEMP || match == SCHEME_BAD) {
		log_warn("%s(%s,%s): %s", kind_names[p->kind], n->full, who, err.msg);
		return PASSDB_TEMP;
	}
	note_failure(w, p->kind, found == MAP_FOUND);
	return PASSDB_NO;
}

enum passdb_rc passdb_check(struct passdb_chain *c, struct passdb_walk *w, const struct names *n, struct span password,
			    const char *who, struct arena *arena, struct passdb_user *user_r)
{
	for (; w->at < c->n; w->at++) {
		enum passdb_rc rc;

		if (c->v[w->at].kind == PASSDB_PAM) {
			if (!n->unix_name)
				continue;
			return PASSDB_ASK_PAM;
		}
		rc = check_in(c, w, n, password, who, arena, user_r);
		if (rc == PASSDB_OK)
			return rc;
		w->had_temp = w->had_temp || rc == PASSDB_TEMP;
	}
	if (!w->did_hash)
		scheme_dummy(password);
	if (w->had_temp)
		return PASSDB_TEMP;
	if (!w->backend)
		note_failure(w, PASSDB_PAM, false);
	log_failure(c, w, n, who);
	return PASSDB_NO;
}

static enum passdb_rc system_user(const struct names *n, struct arena *arena, struct passdb_user *user_r)
{
	struct passwd *pw;

	errno = 0;
	pw = getpwnam(n->unix_name);
	if (!pw)
		return errno == 0 || errno == ENOENT ? PASSDB_NO : PASSDB_TEMP;
	*user_r = (struct passdb_user){ .system_user = arena_strdup(arena, pw->pw_name) };
	user_r->account = (struct account){ .name = user_r->system_user, .has_ids = true, .uid = pw->pw_uid,
					    .gid = pw->pw_gid, .home = arena_strdup(arena, pw->pw_dir) };
	return PASSDB_OK;
}

enum passdb_rc passdb_after_pam(struct passdb_chain *c, struct passdb_walk *w, enum passdb_rc pam,
				const struct names *n, struct span password, const char *who, struct arena *arena,
				struct passdb_user *user_r)
{
	if (pam == PASSDB_OK)
		pam = system_user(n, arena, user_r);
	if (pam == PASSDB_OK)
		return pam;
	if (pam == PASSDB_TEMP)
		w->had_temp = true;
	else
		note_failure(w, PASSDB_PAM, true);
	w->at++;
	return passdb_check(c, w, n, password, who, arena, user_r);
}
