/* surat index: the index of one user, brought up to date, checked against the files, or made anew. It works as that
 * user. */
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/passdb.h"
#include "base/random.h"
#include "io/sandbox.h"
#include "store/folder.h"
#include "store/mail_location.h"
#include "store/mailbox.h"
#include "tools/commands.h"
#include "tools/index_check.h"
#include "tools/master_client.h"

#define SLICE 500                       /* messages between two looks at the clock */
#define ANSWER_LIMIT_MS 3000u

static const char usage_text[] = "usage: surat index USER [--check | --rebuild] [-j]\n";

struct index_cmd {
	struct tool *t;
	struct conf conf;
	struct settings settings;
	struct arena arena;
	struct passdb_user user;
	struct mail_location loc;
	struct mail_store store;
	bool is_check, is_rebuild, is_json, is_quiet;
	const char *name, *folder;
	unsigned n_different;
	json_t *folders, *different;
};

static int fail(struct index_cmd *c, const struct err *err)
{
	return tool_fail(c->t, "index", "%s", err->msg);
}

/* ---- whose index ---- */

static enum map_rc find_system_user(struct index_cmd *c, const char *name)
{
	struct passwd *pw = name ? getpwnam(name) : NULL;

	if (!pw)
		return MAP_NONE;
	c->user.system_user = arena_strdup(&c->arena, pw->pw_name);
	c->user.account = (struct account){ .name = c->user.system_user, .has_ids = true, .uid = pw->pw_uid,
					    .gid = pw->pw_gid, .home = arena_strdup(&c->arena, pw->pw_dir) };
	return MAP_FOUND;
}

static int find_user(struct index_cmd *c, struct err *err)
{
	struct str secrets = STR_INIT(USERS_SECRETS_MAX);
	struct passdb_chain chain;
	enum map_rc rc;
	struct names n;

	if (names_resolve(&n, &c->settings, span_z(c->name), &c->arena, err) < 0 ||
	    passdb_open(&chain, &c->settings, err) < 0)
		return -1;
	rc = passdb_find(&chain, &n, &c->arena, &c->user, &secrets, err);
	explicit_bzero(secrets.p, secrets.n);
	str_fini(&secrets);
	passdb_close(&chain);
	if (rc == MAP_NONE)
		rc = find_system_user(c, n.unix_name);
	if (rc == MAP_NONE)
		return err_set(err, ERR_PERM, "there is no account %s", n.full);
	if (rc == MAP_TEMP || (!c->user.system_user &&
			       settings_complete(&c->settings, &c->user.account, &c->arena, err) < 0))
		return -1;
	return mail_location_expand(&c->loc, &c->user.account, c->settings.store.mail_location, &c->arena, err);
}

static int become_user(struct index_cmd *c, struct err *err)
{
	const struct account *a = &c->user.account;

	if (!settings_allow_ids(&c->settings, a->uid, a->gid))
		return err_set(err, ERR_CONF, "uid %u, gid %u may not have a mailbox: see first_valid_uid", a->uid,
			       a->gid);
	if (geteuid() == 0)
		return sandbox_become(a->uid, a->gid, c->user.system_user, err);
	if (geteuid() != a->uid)
		return err_set(err, ERR_PERM, "only root or uid %u may do that", a->uid);
	return 0;
}

/* Running sessions have the index of master's instance open. Without a master nobody has. */
static uint64_t instance(struct index_cmd *c)
{
	struct str run = STR_INIT(4096);
	struct err err = ERR_INIT;
	struct tool_reply *r = NULL;
	uint64_t n;

	if (conf_expand_name(&run, &c->conf, "run_directory", &err) == 0)
		r = master_client_ask(run.p, "status", ANSWER_LIMIT_MS, &c->arena, NULL, &err);
	str_fini(&run);
	random_bytes(&n, sizeof(n));
	return r ? r->instance : n;
}

static int open_store(struct index_cmd *c, struct err *err)
{
	struct mail_store_options opt = { .home = c->user.account.home ? c->user.account.home : "", .mail = c->loc.path,
					  .index = c->loc.index ? c->loc.index : "",
					  .host = c->settings.global.myhostname, .instance = instance(c) };
	struct stat st;

	if (become_user(c, err) < 0)
		return -1;
	umask(0077);
	if (stat(opt.mail, &st) < 0)
		return err_sys(err, "%s", opt.mail);
	return mail_store_open(&c->store, &opt, err);
}

/* ---- work ---- */

static void progress(struct index_cmd *c, size_t done, size_t n)
{
	if (!c->is_json && isatty(fileno(c->t->err)))
		fprintf(c->t->err, "\r%s: %zu of %zu%s", c->folder, done, n, done == n ? "\r\033[K" : "");
}

static int fill(struct index_cmd *c, struct mailbox *b, struct err *err)
{
	uint32_t sel[SLICE];
	size_t at = 0, n;

	for (; at < b->n; at += n) {
		for (n = 0; n < SLICE && at + n < b->n; n++)
			sel[n] = (uint32_t)(at + n);
		if (mailbox_ensure(b, sel, n, err) < 0)
			return -1;
		progress(c, at + n, b->n);
	}
	return 0;
}

static void on_difference(void *arg, const char *text)
{
	struct index_cmd *c = arg;

	c->n_different++;
	if (c->is_quiet)
		return;
	if (c->is_json)
		json_array_append_new(c->different, json_string(text));
	else
		fprintf(c->t->out, "%s: %s\n", c->folder, text);
}

/* Mail comes and goes meanwhile: what differs is looked at once more before it is told. */
static int check(struct index_cmd *c, struct mailbox *b, struct err *err)
{
	struct mailbox_changes changes;
	unsigned before = c->n_different;

	c->is_quiet = true;
	if (index_check(b, on_difference, c, err) < 0)
		return -1;
	c->is_quiet = false;
	if (c->n_different == before)
		return 0;
	c->n_different = before;
	if (mailbox_sync(b, true, &changes, err) < 0)
		return -1;
	return index_check(b, on_difference, c, err);
}

static void report(struct index_cmd *c, size_t n, unsigned n_different)
{
	json_t *o;

	if (!c->is_json) {
		fprintf(c->t->out, "%s: %zu message%s%s\n", c->folder, n, n == 1 ? "" : "s",
			!c->is_check ? "" : n_different ? ", index differs" : ", index agrees");
		return;
	}
	o = json_object();
	json_object_set_new(o, "name", json_string(c->folder));
	json_object_set_new(o, "messages", json_integer((json_int_t)n));
	if (c->is_check)
		json_object_set(o, "differences", c->different);
	json_array_append_new(c->folders, o);
}

static int one_folder(struct index_cmd *c, const char *name, struct err *err)
{
	unsigned before = c->n_different;
	struct mailbox *b;
	int rc;

	c->folder = name;
	c->different = json_array();
	rc = mailbox_open(&b, &c->store, folder_dir(&c->arena, span_z(name)), MAILBOX_READ_ONLY, err);
	if (rc > 0) {
		rc = mailbox_load(b, err);
		if (rc == 0)
			rc = c->is_check ? check(c, b, err) : fill(c, b, err);
		if (rc == 0)
			report(c, b->n, c->n_different - before);
		mailbox_close(&b);
	}
	json_decref(c->different);
	return rc < 0 ? err_wrap(err, "%s", name) : 0;
}

static int all_folders(struct index_cmd *c, struct err *err)
{
	struct folder_list l;
	size_t i;

	if (c->is_rebuild && index_renew(mail_store_index(&c->store), err) < 0)
		return -1;
	if (index_is_memory(mail_store_index(&c->store)))
		return err_set(err, ERR_TEMP, "the index of %s cannot be kept on disk: no room, no right, or a network",
			       c->user.account.name);
	if (folder_list(&c->store, &c->arena, &l, err) < 0)
		return -1;
	for (i = 0; i < l.n; i++)
		if (l.v[i].exists && one_folder(c, l.v[i].name, err) < 0)
			return -1;
	return 0;
}

static void print_json(struct index_cmd *c)
{
	json_t *o = json_object();

	json_object_set_new(o, "user", json_string(c->user.account.name));
	json_object_set_new(o, "mail", json_string(c->loc.path));
	json_object_set(o, "folders", c->folders);
	tool_json(c->t, o);
}

static int run(struct index_cmd *c)
{
	struct err err = ERR_INIT;
	int rc;

	if (tool_load(c->t, "index", &c->conf) < 0)
		return TOOL_FAILED;
	if (settings_read(&c->settings, &c->conf, geteuid() == 0, &err) < 0)
		return fail(c, &err);
	if (find_user(c, &err) < 0 || open_store(c, &err) < 0) {
		settings_fini(&c->settings);
		return fail(c, &err);
	}
	rc = all_folders(c, &err);
	mail_store_close(&c->store);
	if (rc == 0 && c->is_json)
		print_json(c);
	settings_fini(&c->settings);
	if (rc < 0)
		return fail(c, &err);
	return c->n_different ? TOOL_FAILED : TOOL_OK;
}

int cmd_index(struct tool *t, int argc, char **argv)
{
	struct index_cmd c = { .t = t };
	bool is_wrong = false;
	int i, status;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--check") == 0)
			c.is_check = true;
		else if (strcmp(argv[i], "--rebuild") == 0)
			c.is_rebuild = true;
		else if (strcmp(argv[i], "-j") == 0)
			c.is_json = true;
		else if (argv[i][0] != '-' && !c.name)
			c.name = argv[i];
		else
			is_wrong = true;
	}
	if (is_wrong || !c.name || (c.is_check && c.is_rebuild)) {
		fputs(usage_text, t->err);
		return TOOL_USAGE;
	}
	c.folders = json_array();
	status = run(&c);
	json_decref(c.folders);
	arena_fini(&c.arena);
	conf_fini(&c.conf);
	return status;
}
