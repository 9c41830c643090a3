#include "local/target.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/macro.h"
#include "local/job.h"
#include "proto/address.h"
#include "svc/msg_queue.h"

#define PASSWD_MAX (1024 * 1024)

static int verdict(struct dlv_rcpt_result *res, enum dlv_status status, const char *dsn, const char *text)
{
	res->status = status;
	res->dsn = span_z(dsn);
	res->text = span_z(text);
	return -1;
}

/* 1, 0: nobody of that name, -1: name services cannot tell now. */
static int find_user(const char *name, struct arena *a, struct target *t)
{
	struct passwd pw, *found = NULL;
	size_t n = 4096;
	char *buf = NULL;
	int rc;

	do {
		buf = xrealloc(buf, n);
		rc = getpwnam_r(name, &pw, buf, n, &found);
		n *= 2;
	} while (rc == ERANGE && n <= PASSWD_MAX);
	if (found) {
		t->uid = pw.pw_uid;
		t->gid = pw.pw_gid;
		t->user = arena_strdup(a, pw.pw_name);
		t->home = arena_strdup(a, pw.pw_dir);
		t->shell = arena_strdup(a, pw.pw_shell[0] ? pw.pw_shell : "/bin/sh");
	}
	free(buf);
	return found ? 1 : rc == 0 || rc == ENOENT || rc == ESRCH ? 0 : -1;
}

static uint64_t smaller_limit(uint64_t a, uint64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The user's own quota goes before all others. */
static void set_quota(const struct settings *s, struct target *t, uint64_t own, uint64_t general)
{
	t->quota_bytes = own ? own : smaller_limit(general, s->store.quota_storage);
	t->quota_count = s->store.quota_messages;
}

/* A Maildir that is a symbolic link lies where the process of others may not go. */
static void heed_link(struct target *t, struct arena *a)
{
	size_t n = strlen(t->path);
	char *box = arena_printf(a, "%s/%s", t->base, t->path);
	struct stat st;

	if (n == 0 || t->path[n - 1] != '/')
		return;
	for (n = strlen(box); n > 1 && box[n - 1] == '/'; n--)
		box[n - 1] = '\0';
	if (lstat(box, &st) < 0 || !S_ISLNK(st.st_mode))
		return;
	t->link = box;
	t->key = arena_printf(a, "%s:%s", t->key, box);
}

/* ---- virtual mailboxes ---- */

static bool is_below(const char *path, const char *base)
{
	size_t n = strlen(base);

	while (n > 1 && base[n - 1] == '/')
		n--;
	return n > 0 && base[0] == '/' && strncmp(path, base, n) == 0 && (n == 1 || path[n] == '/') &&
	       !strstr(path, "/../") && !span_ends_nocase(span_z(path), "/..");
}

/* Without virtual_mailbox_base: what is there already of an absolute path. */
static const char *deepest_folder(const char *path, struct arena *a)
{
	char *dir = arena_strdup(a, path), *slash;

	while ((slash = strrchr(dir, '/')) != NULL && slash > dir) {
		struct stat st;

		*slash = '\0';
		if (slash[1] != '\0' && lstat(dir, &st) == 0 && S_ISDIR(st.st_mode))
			return dir;
	}
	return "/";
}

static int find_virtual(const struct settings *s, const struct dlv_rcpt *r, struct arena *a, struct target *t,
			struct dlv_rcpt_result *res)
{
	const char *base = s->global.virtual_mailbox_base, *path = arena_strndup(a, r->maildir.p, r->maildir.n);
	size_t n;

	if (base[0] == '\0' && path[0] == '/')
		base = deepest_folder(path, a);
	n = strlen(base);
	if (!is_below(path, base) || span_has_nul(r->maildir)) {
		log_warn("mailbox %s of <%.*s> is not below virtual_mailbox_base = %s", path, SPAN_ARG(r->address),
			 base);
		return verdict(res, DLV_DEFERRED, "4.3.5", "mail system configuration error");
	}
	if (s->is_root && (r->uid < s->global.virtual_minimum_uid || r->uid > UINT32_MAX - 1 || r->gid == 0 ||
			   r->gid > UINT32_MAX - 1)) {
		log_warn("uid %llu, gid %llu of <%.*s> are not allowed (virtual_minimum_uid = %llu)",
			 (unsigned long long)r->uid, (unsigned long long)r->gid, SPAN_ARG(r->address),
			 (unsigned long long)s->global.virtual_minimum_uid);
		return verdict(res, DLV_DEFERRED, "4.3.5", "mail system configuration error");
	}
	t->what = CHILD_BOX;
	t->uid = (uid_t)r->uid;
	t->gid = (gid_t)r->gid;
	t->user = t->shell = "";
	t->home = t->base = arena_strdup(a, base);
	t->path = path + n;
	/* resolve tells the general limit where no table has the user's own */
	set_quota(s, t, r->quota == s->local.virtual_mailbox_limit ? 0 : r->quota, s->local.virtual_mailbox_limit);
	t->key = arena_printf(a, "virtual:%u:%u:%s", t->uid, t->gid, t->base);
	heed_link(t, a);
	return 0;
}

/* ---- system users ---- */

static int relay_name(void *arg, struct span name, struct str *out, struct err *err)
{
	const struct dlv_rcpt *r = arg;
	struct span v = SPAN_NULL, local, domain;
	bool is_known = true;

	address_split(r->address, &local, &domain);
	if (span_eqz(name, "user"))
		v = r->user;
	else if (span_eqz(name, "extension"))
		v = r->extension;
	else if (span_eqz(name, "recipient_delimiter"))
		v = r->extension.n ? span_sub(r->address, r->user.n, 1) : SPAN_NULL;
	else if (span_eqz(name, "local"))
		v = local;
	else if (span_eqz(name, "domain"))
		v = domain;
	else if (span_eqz(name, "recipient"))
		v = r->address;
	else    /* a name of the passwd file is known, but nobody has its value */
		is_known = span_eqz(name, "home") || span_eqz(name, "shell");
	return !is_known ? 0 : str_add_span(out, v) < 0 ? err_set(err, ERR_CONF, "luser_relay is too long") : 1;
}

/* The user's value in maps, else the general one. 0, or -1 when *res has its answer. */
static int find_own(const struct conf_list *maps, const char *general, const struct dlv_rcpt *r, struct arena *a,
		    struct span *value_r, struct dlv_rcpt_result *res)
{
	struct str value = STR_INIT(MACRO_MAX);
	struct err err = ERR_INIT;
	enum map_rc rc = settings_lookup(maps, r->user, &value, &err);

	*value_r = arena_span(a, rc == MAP_FOUND ? str_span(&value) : span_z(general));
	str_fini(&value);
	if (rc != MAP_TEMP)
		return 0;
	log_warn("%s", err.msg);
	return verdict(res, DLV_DEFERRED, "4.3.0", "table lookup failure");
}

void target_pass(const struct dlv_rcpt *r, struct span via, struct arena *a, struct dlv_rcpt_result *res)
{
	res->news = job_add_news(a, res->news, r->address, via);
	res->status = DLV_EXPANDED;
	res->dsn = SPAN_LIT("2.0.0");
	res->text = span_z(arena_printf(a, "passed to %.*s", SPAN_ARG(via)));
}

static int unknown_user(const struct settings *s, const struct dlv_rcpt *r, struct arena *a,
			struct dlv_rcpt_result *res)
{
	struct str to = STR_INIT(2000);
	struct err err = ERR_INIT;
	struct span via = SPAN_NULL;

	if (!r->is_passed &&
	    find_own(&s->local.fallback_transport_maps, s->local.fallback_transport, r, a, &via, res) < 0)
		return -1;
	if (via.n) {
		target_pass(r, via, a, res);
		return -1;
	}
	if (!s->local.luser_relay[0])
		return verdict(res, DLV_BOUNCED, "5.1.1", arena_printf(a, "unknown user: \"%.*s\"", SPAN_ARG(r->user)));
	if (macro_expand(&to, span_z(s->local.luser_relay), relay_name, (void *)(uintptr_t)r, &err) < 0) {
		str_fini(&to);
		log_warn("luser_relay: %s", err.msg);
		return verdict(res, DLV_DEFERRED, "4.3.5", "mail system configuration error");
	}
	res->news = job_add_news(a, res->news, arena_span(a, str_span(&to)), SPAN_NULL);
	str_fini(&to);
	return verdict(res, DLV_EXPANDED, "2.0.0", "forwarded");
}

static void set_mailbox(const struct settings *s, struct target *t, struct arena *a)
{
	const char *spool = s->local.mail_spool_directory;
	bool use_spool = spool[0] && !s->has_home_mailbox;

	if (s->local.home_mailbox[0] && !use_spool) {
		t->base = t->home;
		t->path = arena_strdup(a, s->local.home_mailbox);
		return;
	}
	t->base = arena_strdup(a, spool[0] ? spool : "/var/mail");
	t->path = arena_printf(a, "%s%s", t->user, t->base[strlen(t->base) - 1] == '/' ? "/" : "");
}

static int find_system_user(const struct settings *s, const struct dlv_rcpt *r, struct arena *a, struct target *t,
			    struct dlv_rcpt_result *res)
{
	int rc = span_has_nul(r->user) ? 0 : find_user(arena_strndup(a, r->user.p, r->user.n), a, t);

	if (rc < 0)
		return verdict(res, DLV_DEFERRED, "4.3.0", "user lookup error");
	if (!r->is_passed && find_own(&s->local.mailbox_transport_maps, s->local.mailbox_transport, r, a,
				      &t->mailbox_transport, res) < 0)
		return -1;
	/* As told by their own .forward: the mailbox, not the .forward again. */
	t->what = rc == 0 || r->is_final || span_eqz(r->as_user, t->user) ? CHILD_BOX : CHILD_USER;
	if (t->mailbox_transport.n && t->what == CHILD_BOX) {
		target_pass(r, t->mailbox_transport, a, res);
		return -1;
	}
	if (rc == 0)
		return unknown_user(s, r, a, res);
	if (s->local.require_home_directory && access(t->home, F_OK) < 0)
		return verdict(res, DLV_DEFERRED, "4.2.0", "home directory is not there");
	if (find_own(&s->local.mailbox_command_maps, s->local.mailbox_command, r, a, &t->mailbox_command, res) < 0)
		return -1;
	set_mailbox(s, t, a);
	set_quota(s, t, r->quota, s->local.mailbox_size_limit);
	t->key = arena_printf(a, "user:%u:%u:%s", t->uid, t->gid, t->user);
	heed_link(t, a);
	return 0;
}

/* ---- commands, files and lists of aliases and .forward ---- */

static int find_named(const struct settings *s, const struct dlv_rcpt *r, struct arena *a, struct target *t,
		      struct dlv_rcpt_result *res)
{
	const char *name = r->as_user.n ? arena_strndup(a, r->as_user.p, r->as_user.n) : s->global.default_privs,
		   *slash;
	int rc = find_user(name, a, t);

	t->what = r->kind == RCPT_COMMAND ? CHILD_COMMAND : r->kind == RCPT_FILE ? CHILD_FILE : CHILD_INCLUDE;
	/* A command in an alias that root owns, or in root's own .forward, is nobody's. */
	if (rc > 0 && t->uid == 0 && t->what == CHILD_COMMAND) {
		name = s->global.default_privs;
		rc = find_user(name, a, t);
	}
	if (rc <= 0 || (t->uid == 0 && t->what == CHILD_COMMAND)) {
		log_warn("there are no rights to be had of user \"%s\"", name);
		return verdict(res, DLV_DEFERRED, "4.3.5", "mail system configuration error");
	}
	t->address = arena_span(a, r->address);
	t->base = t->path = "";
	if (t->what != CHILD_COMMAND) {
		struct span p = t->address;

		if (p.n == 0 || p.p[0] != '/' || span_has_nul(p))
			return verdict(res, DLV_BOUNCED, "5.3.5", "file name is not absolute");
		while (p.n > 1 && p.p[p.n - 1] == '/')
			p.n--;
		slash = p.p + span_rchr(p, '/');
		t->base = slash == p.p ? "/" : arena_strndup(a, p.p, (size_t)(slash - p.p));
		t->path = slash + 1;
		set_quota(s, t, 0, s->local.mailbox_size_limit);
	}
	t->key = arena_printf(a, "%d:%u:%u:%s:%s", (int)t->what, t->uid, t->gid, t->user, t->base);
	return 0;
}

void target_use_mailbox_command(struct target *t, struct arena *a)
{
	t->what = CHILD_COMMAND;
	t->address = t->mailbox_command;
	t->key = arena_printf(a, "command:%u:%u:%s", t->uid, t->gid, t->user);
}

int target_find(const struct settings *s, struct span transport, const struct dlv_rcpt *r, struct arena *a,
		struct target *t_r, struct dlv_rcpt_result *res)
{
	*t_r = (struct target){ .address = r->address };
	if (r->kind != RCPT_ADDRESS)
		return find_named(s, r, a, t_r, res);
	if (span_eqz(transport, "virtual"))
		return find_virtual(s, r, a, t_r, res);
	return find_system_user(s, r, a, t_r, res);
}
