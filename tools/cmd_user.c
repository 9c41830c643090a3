#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "auth/mechs.h"
#include "auth/scheme.h"
#include "base/random.h"
#include "conf/param.h"
#include "store/mail_location.h"
#include "tools/commands.h"

static const char usage_text[] =
	"usage: surat user add NAME [--password-stdin | --generate | --password P] [--uid N] [--gid N] [--home DIR]\n"
	"                           [--mail LOCATION] [--quota SIZE] [--comment TEXT]\n"
	"       surat user passwd NAME [--password-stdin | --generate | --password P]\n"
	"       surat user set NAME [--uid N] [--gid N] [--home DIR] [--mail LOCATION] [--quota SIZE]\n"
	"                           [--comment TEXT]\n"
	"       surat user delete|disable|enable NAME\n"
	"       surat user list [-j]\n"
	"       surat user import FILE [--replace]      a passwd-file of Dovecot; all of it or nothing\n";

struct options {
	const char *password, *uid, *gid, *home, *mail, *quota, *comment;
	bool from_stdin, is_generated, is_json, may_replace;
};

struct user_cmd {
	struct tool *t;
	struct conf conf;
	struct settings settings;
	struct options o;
	struct arena arena;
	struct users_edit *edit;
	const char *arg;                /* NAME or FILE */
	unsigned n_done, n_failed;
};

static int fail(struct user_cmd *c, const struct err *err)
{
	return tool_fail(c->t, "user", "%s", err->msg);
}

/* ---- passwords ---- */

static int read_line(FILE *f, struct str *out)
{
	int ch;

	while ((ch = getc(f)) != EOF && ch != '\n') {
		if (str_addc(out, (char)ch) < 0)
			return -1;
	}
	if (out->n > 0 && out->p[out->n - 1] == '\r')
		str_cut(out, out->n - 1);
	return 0;
}

static int prompt(FILE *tty, const char *text, struct str *out)
{
	struct termios before, quiet;
	int rc;

	if (tcgetattr(fileno(tty), &before) < 0)
		return -1;
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(fileno(tty), TCSAFLUSH, &quiet);
	fputs(text, tty);
	fflush(tty);
	rc = read_line(tty, out);
	tcsetattr(fileno(tty), TCSAFLUSH, &before);
	fputc('\n', tty);
	return rc;
}

static int ask_password(struct user_cmd *c, struct str *out)
{
	struct str again = STR_INIT(SCHEME_PASSWORD_MAX);
	FILE *tty = fopen("/dev/tty", "r+");
	int rc = 0;

	if (!tty)
		return tool_fail(c->t, "user",
				 "no terminal to ask for the password: use --password-stdin or --generate");
	if (prompt(tty, "New password: ", out) < 0 || prompt(tty, "Again: ", &again) < 0)
		rc = tool_fail(c->t, "user", "the password cannot be read or is too long");
	else if (!span_eq(str_span(out), str_span(&again)))
		rc = tool_fail(c->t, "user", "the passwords differ; nothing was changed");
	explicit_bzero(again.p, again.n);
	str_fini(&again);
	fclose(tty);
	return rc;
}

/* 100 bits, without characters that look alike. */
static void generate(struct user_cmd *c, struct str *out)
{
	static const char alphabet[] = "abcdefghjkmnpqrstuvwxyz23456789";
	int i;

	for (i = 0; i < 24; i++) {
		if (i % 5 == 4 ? str_addc(out, '-') : str_addc(out, alphabet[random_below(sizeof(alphabet) - 1)]))
			return;
	}
	fprintf(c->t->out, "password: %s\n", out->p);
}

/* 0, or the status after the message was printed. */
static int get_password(struct user_cmd *c, struct str *out)
{
	if (c->o.is_generated) {
		generate(c, out);
		return 0;
	}
	if (c->o.password)
		return str_addz(out, c->o.password) < 0 ? tool_fail(c->t, "user", "the password is too long") : 0;
	if (c->o.from_stdin)
		return read_line(stdin, out) < 0 ? tool_fail(c->t, "user", "the password is too long") : 0;
	return ask_password(c, out);
}

static int make_verifiers(struct user_cmd *c, struct str *out)
{
	struct str password = STR_INIT(SCHEME_PASSWORD_MAX);
	struct err err = ERR_INIT;
	int status = get_password(c, &password);

	if (status == 0 && mechs_make(out, &c->settings, str_span(&password), &err) < 0)
		status = fail(c, &err);
	explicit_bzero(password.p, password.n);
	str_fini(&password);
	return status;
}

/* ---- store ---- */

static int begin(struct user_cmd *c)
{
	const char *dir = c->settings.global.data_directory;
	struct passwd *pw = geteuid() == 0 ? getpwnam("_surat-auth") : NULL;
	struct err err = ERR_INIT;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return tool_fail(c->t, "user", "%s: %s", dir, strerror(errno));
	if (users_edit_begin(&c->edit, dir, pw ? pw->pw_uid : (uid_t)-1, pw ? pw->pw_gid : (gid_t)-1, &err) < 0)
		return fail(c, &err);
	return 0;
}

static int commit(struct user_cmd *c)
{
	struct err err = ERR_INIT;

	return users_edit_commit(&c->edit, &err) < 0 ? fail(c, &err) : TOOL_OK;
}

/* The stored name that NAME means: with the default realm first, then bare. NULL after a message. */
static const char *find(struct user_cmd *c, struct account *a_r)
{
	struct err err = ERR_INIT;
	struct names n;
	enum map_rc rc;

	if (names_resolve(&n, &c->settings, span_z(c->arg), &c->arena, &err) < 0) {
		fail(c, &err);
		return NULL;
	}
	rc = users_edit_get(c->edit, span_z(n.full), a_r, &c->arena, &err);
	if (rc == MAP_NONE && n.bare)
		rc = users_edit_get(c->edit, span_z(n.bare), a_r, &c->arena, &err);
	if (rc == MAP_TEMP)
		fail(c, &err);
	else if (rc == MAP_NONE)
		tool_fail(c->t, "user", "there is no account %s", n.full);
	return rc == MAP_FOUND ? a_r->name : NULL;
}

static int parse_id(struct user_cmd *c, const char *what, const char *text, uint32_t *id_r)
{
	uint64_t v;

	if (span_u64(span_z(text), UINT32_MAX - 1, &v) < 0)
		return tool_fail(c->t, "user", "--%s: '%s' is not a number of a %s", what, text, what);
	*id_r = (uint32_t)v;
	return 0;
}

/* Stored with the account: users: tables, which know no mail_location, must send local where sessions look. */
static const char *place(const struct user_cmd *c)
{
	const char *now = c->settings.store.mail_location;

	return now[0] ? now : MAIL_LOCATION_DEFAULT;
}

static int apply_options(struct user_cmd *c, struct account *a)
{
	const struct options *o = &c->o;
	struct mail_location loc;
	struct err err = ERR_INIT;

	if (!o->uid != !o->gid && !a->has_ids)
		return tool_fail(c->t, "user", "--uid and --gid go together");
	if ((o->uid && parse_id(c, "uid", o->uid, &a->uid) != 0) ||
	    (o->gid && parse_id(c, "gid", o->gid, &a->gid) != 0))
		return TOOL_FAILED;
	a->has_ids = a->has_ids || o->uid;
	a->home = o->home ? o->home : a->home;
	a->mail = o->mail ? o->mail : a->mail;
	a->comment = o->comment ? o->comment : a->comment;
	if (o->quota && param_size(span_z(o->quota), &a->quota) < 0)
		return tool_fail(c->t, "user", "--quota: '%s' is not a size", o->quota);
	if (settings_complete(&c->settings, a, &c->arena, &err) < 0 ||
	    mail_location_expand(&loc, a, c->settings.store.mail_location, &c->arena, &err) < 0)
		return fail(c, &err);
	if (!a->mail)
		a->mail = place(c);
	if (!settings_allow_ids(&c->settings, a->uid, a->gid))
		fprintf(c->t->err,
			"surat user: warning: %s cannot log in: uid %u, gid %u is outside of first_valid_uid to "
			"last_valid_uid or the same of gid\n", a->name, a->uid, a->gid);
	return 0;
}

static bool is_in(const struct conf_list *list, struct span domain)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		/* a table may say anything */
		if (strpbrk(list->v[i], ":/") || span_eq_nocase(domain, list->v[i]))
			return true;
	}
	return false;
}

static void warn_of_domain(struct user_cmd *c, const char *name)
{
	struct span local, domain;

	if (account_name_split(span_z(name), &local, &domain) &&
	    !is_in(&c->settings.global.virtual_mailbox_domains, domain) &&
	    !is_in(&c->settings.global.mydestination, domain))
		fprintf(c->t->err,
			"surat user: warning: %.*s is neither in virtual_mailbox_domains nor in mydestination: no "
			"mail comes in for %s\n", SPAN_ARG(domain), name);
}

static bool may_write(const struct stat *st, const struct account *a)
{
	return (st->st_uid == a->uid && st->st_mode & S_IWUSR) || (st->st_gid == a->gid && st->st_mode & S_IWGRP) ||
	       st->st_mode & S_IWOTH;
}

/* local delivers as the account's uid: without a folder that it may fill every letter would wait. */
static void prepare_base(struct user_cmd *c, const struct account *a)
{
	const char *base = c->settings.global.virtual_mailbox_base;
	struct stat st;

	if (!base[0] || !span_starts(span_z(a->home), base) || geteuid() != 0)
		return;
	if (stat(base, &st) < 0 && errno == ENOENT &&
	    (mkdir(base, 0700) < 0 || chown(base, a->uid, a->gid) < 0 || chmod(base, 0770) < 0))
		fprintf(c->t->err, "surat user: warning: virtual_mailbox_base %s: %s\n", base, strerror(errno));
	else if (stat(base, &st) == 0 && !may_write(&st, a) && stat(a->home, &st) < 0)
		fprintf(c->t->err, "surat user: warning: uid %u may not make mailboxes in virtual_mailbox_base %s\n",
			a->uid, base);
}

/* ---- subcommands ---- */

static int user_add(struct user_cmd *c)
{
	struct str secrets = STR_INIT(USERS_SECRETS_MAX);
	struct account a = { .name = NULL }, old;
	struct err err = ERR_INIT;
	struct names n;
	enum map_rc rc;
	int status;

	if (names_resolve(&n, &c->settings, span_z(c->arg), &c->arena, &err) < 0)
		return fail(c, &err);
	a.name = n.full;
	rc = users_edit_get(c->edit, span_z(a.name), &old, &c->arena, &err);
	if (rc == MAP_TEMP)
		return fail(c, &err);
	if (rc == MAP_FOUND)
		return tool_fail(c->t, "user", "%s exists already; see surat user passwd and set", a.name);
	status = apply_options(c, &a);
	if (status == 0)
		status = make_verifiers(c, &secrets);
	if (status == 0 && users_edit_put(c->edit, &a, secrets.p, &err) < 0)
		status = fail(c, &err);
	explicit_bzero(secrets.p, secrets.n);
	str_fini(&secrets);
	if (status == 0)
		status = commit(c);
	if (status == 0) {
		fprintf(c->t->out, "added %s\n", a.name);
		warn_of_domain(c, a.name);
		prepare_base(c, &a);
	}
	return status;
}

static int user_passwd(struct user_cmd *c)
{
	struct str secrets = STR_INIT(USERS_SECRETS_MAX);
	struct err err = ERR_INIT;
	struct account a;
	int status = find(c, &a) ? make_verifiers(c, &secrets) : TOOL_FAILED;

	if (status == 0 && users_edit_put(c->edit, &a, secrets.p, &err) < 0)
		status = fail(c, &err);
	explicit_bzero(secrets.p, secrets.n);
	str_fini(&secrets);
	return status == 0 ? commit(c) : status;
}

static int put_and_commit(struct user_cmd *c, const struct account *a)
{
	struct err err = ERR_INIT;

	return users_edit_put(c->edit, a, NULL, &err) < 0 ? fail(c, &err) : commit(c);
}

static int user_set(struct user_cmd *c)
{
	struct account a;

	if (!find(c, &a) || apply_options(c, &a) != 0)
		return TOOL_FAILED;
	return put_and_commit(c, &a);
}

static int set_disabled(struct user_cmd *c, bool is_disabled)
{
	struct account a;

	if (!find(c, &a))
		return TOOL_FAILED;
	a.disabled = is_disabled;
	return put_and_commit(c, &a);
}

static int user_disable(struct user_cmd *c)
{
	return set_disabled(c, true);
}

static int user_enable(struct user_cmd *c)
{
	return set_disabled(c, false);
}

static int user_delete(struct user_cmd *c)
{
	struct err err = ERR_INIT;
	struct account a;

	if (!find(c, &a))
		return TOOL_FAILED;
	if (users_edit_delete(c->edit, span_z(a.name), &err) < 0)
		return fail(c, &err);
	if (commit(c) != TOOL_OK)
		return TOOL_FAILED;
	fprintf(c->t->out, "deleted %s; its mail stays%s%s\n", a.name, a.home ? " in " : "", a.home ? a.home : "");
	return TOOL_OK;
}

/* ---- list ---- */

static bool list_line(void *arg, const struct account *a)
{
	struct user_cmd *c = arg;

	fprintf(c->t->out, "%s\t%u:%u\t%s\t%s%s%s\n", a->name, a->uid, a->gid, a->home ? a->home : "-",
		a->disabled ? "disabled" : "active", a->comment ? "\t" : "", a->comment ? a->comment : "");
	return true;
}

static void set_text(json_t *o, const char *key, const char *value)
{
	if (value)
		json_object_set_new(o, key, json_string(value));
}

static bool list_json(void *arg, const struct account *a)
{
	json_t *o = json_object();

	set_text(o, "name", a->name);
	if (a->has_ids) {
		json_object_set_new(o, "uid", json_integer((json_int_t)a->uid));
		json_object_set_new(o, "gid", json_integer((json_int_t)a->gid));
	}
	set_text(o, "home", a->home);
	set_text(o, "mail", a->mail);
	if (a->quota)
		json_object_set_new(o, "quota", json_integer((json_int_t)a->quota));
	json_object_set_new(o, "disabled", json_boolean(a->disabled));
	set_text(o, "comment", a->comment);
	json_array_append_new(arg, o);
	return true;
}

static int user_list(struct user_cmd *c)
{
	struct users *u = users_open(c->settings.global.data_directory, 0);
	json_t *all = json_array();
	struct err err = ERR_INIT;
	int rc = c->o.is_json ? users_each(u, list_json, all, &err) : users_each(u, list_line, c, &err);

	if (rc == 0 && c->o.is_json)
		tool_json(c->t, json_incref(all));
	json_decref(all);
	users_close(u);
	return rc < 0 ? fail(c, &err) : TOOL_OK;
}

/* ---- import ---- */

static int import_one(struct user_cmd *c, const struct passwd_entry *e, struct str *secret, struct err *err)
{
	struct account a = e->account, old;
	struct span scheme, data;
	struct names n;
	enum map_rc rc;

	if (e->allow_nets)
		return err_set(err, ERR_PERM, "accounts with allow_nets are not imported: the store has no such field");
	if (names_resolve(&n, &c->settings, span_z(a.name), &c->arena, err) < 0)
		return -1;
	a.name = n.full;
	if (e->needs_no_password)
		return err_set(err, ERR_PERM, "accounts without password are not imported");
	if (!scheme_split(span_z(e->password), "CRYPT", &scheme, &data) || data.n == 0 || !scheme_is_known(scheme))
		return err_set(err, ERR_PERM, "the password scheme is not known");
	rc = users_edit_get(c->edit, span_z(a.name), &old, &c->arena, err);
	if (rc == MAP_TEMP)
		return -1;
	if (rc == MAP_FOUND && !c->o.may_replace)
		return err_set(err, ERR_PERM, "the account exists already; --replace takes the new one");
	if (settings_complete(&c->settings, &a, &c->arena, err) < 0)
		return -1;
	if (!a.mail)
		a.mail = place(c);
	str_reset(secret);
	if (str_addf(secret, "{%.*s}%.*s", SPAN_ARG(scheme), SPAN_ARG(data)) < 0)
		return err_set(err, ERR_PERM, "the password is too long");
	return users_edit_put(c->edit, &a, secret->p, err);
}

static bool import_entry(void *arg, const struct passwd_entry *e)
{
	struct user_cmd *c = arg;
	struct str secret = STR_INIT(USERS_SECRETS_MAX);
	struct err err = ERR_INIT;

	if (e->fault) {
		c->n_failed++;          /* reading the file has told why */
	} else if (import_one(c, e, &secret, &err) < 0) {
		c->n_failed++;
		tool_fail(c->t, "user", "%s: %s", e->account.name, err.msg);
	} else {
		c->n_done++;
	}
	explicit_bzero(secret.p, secret.n);
	str_fini(&secret);
	return true;
}

static int user_import(struct user_cmd *c)
{
	struct passwd_file *f = passwd_file_open(c->arg);
	struct err err = ERR_INIT;
	int rc = passwd_file_each(f, import_entry, c, &err);

	passwd_file_close(f);
	if (rc < 0)
		return fail(c, &err);
	if (c->n_failed)
		return tool_fail(c->t, "user", "%u of %u accounts cannot be imported; nothing was changed", c->n_failed,
				 c->n_failed + c->n_done);
	if (commit(c) != TOOL_OK)
		return TOOL_FAILED;
	fprintf(c->t->out, "%u accounts imported\n", c->n_done);
	return TOOL_OK;
}

/* ---- command line ---- */

static const struct {
	const char *name;
	int (*run)(struct user_cmd *c);
	bool needs_arg, edits;
} commands[] = {
	{ "add", user_add, true, true },         { "passwd", user_passwd, true, true }, { "set", user_set, true, true },
	{ "delete", user_delete, true, true },   { "list", user_list, false, false },
	{ "import", user_import, true, true },
	{ "disable", user_disable, true, true }, { "enable", user_enable, true, true },
};

static int parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "password-stdin", no_argument, NULL, 's' },  { "password", required_argument, NULL, 'p' },
		{ "generate", no_argument, NULL, 'g' },        { "uid", required_argument, NULL, 'u' },
		{ "gid", required_argument, NULL, 'G' },       { "home", required_argument, NULL, 'h' },
		{ "mail", required_argument, NULL, 'm' },      { "quota", required_argument, NULL, 'q' },
		{ "comment", required_argument, NULL, 'C' },   { "json", no_argument, NULL, 'j' },
		{ "replace", no_argument, NULL, 'r' },         { NULL, 0, NULL, 0 },
	};
	int opt;

	optind = 0;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "j", longs, NULL)) != -1) {
		const char **text = opt == 'p' ? &o->password : opt == 'u' ? &o->uid : opt == 'G' ? &o->gid :
				    opt == 'h' ? &o->home : opt == 'm' ? &o->mail : opt == 'q' ? &o->quota :
				    opt == 'C' ? &o->comment : NULL;
		bool *flag = opt == 's' ? &o->from_stdin : opt == 'g' ? &o->is_generated : opt == 'j' ? &o->is_json :
			     opt == 'r' ? &o->may_replace : NULL;

		if (!text && !flag)
			return -1;
		if (text)
			*text = optarg;
		else
			*flag = true;
	}
	return optind;
}

static int run(struct user_cmd *c, size_t which)
{
	struct err err = ERR_INIT;
	int status;

	if (tool_load(c->t, "user", &c->conf) < 0)
		return TOOL_FAILED;
	if (settings_read(&c->settings, &c->conf, geteuid() == 0, &err) < 0)
		return fail(c, &err);
	status = commands[which].edits ? begin(c) : 0;
	if (status == 0)
		status = commands[which].run(c);
	users_edit_abort(&c->edit);
	settings_fini(&c->settings);
	return status;
}

int cmd_user(struct tool *t, int argc, char **argv)
{
	struct user_cmd c = { .t = t };
	size_t i;
	int at, status;

	for (i = 0; argc > 1 && i < ARRAY_LEN(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			break;
	}
	if (argc < 2 || i == ARRAY_LEN(commands) || (at = parse(&c.o, argc - 1, argv + 1)) < 0 ||
	    argc - 1 - at != commands[i].needs_arg) {
		fputs(usage_text, t->err);
		return TOOL_USAGE;
	}
	c.arg = commands[i].needs_arg ? argv[1 + at] : NULL;
	status = run(&c, i);
	arena_fini(&c.arena);
	conf_fini(&c.conf);
	return status;
}
