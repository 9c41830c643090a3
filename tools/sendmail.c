/* sendmail(1): the command that every program on a Unix machine knows. Also mailq(1) and newaliases(1) by name.
 *
 * The letter goes through smtpd like any other, over a UNIX socket where the kernel tells whose it is; nothing here has
 * rights of its own. Exit statuses are those of sysexits.h, as callers expect. */
#include <ctype.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/conf.h"
#include "conf/params.h"
#include "tools/commands.h"
#include "tools/sendmail_letter.h"
#include "tools/sendmail_smtp.h"

enum mode { MODE_SUBMIT, MODE_SMTP, MODE_MAILQ, MODE_FLUSH, MODE_ALIASES };

struct options {
	enum mode mode;
	bool takes_rcpts, ignores_dots;
	const char *full_name;
	const char *config_dir;
	const char *queue_id;           /* of -qI, or NULL */
	struct sendmail_envelope env;
};

static int usage(const char *what)
{
	fprintf(stderr, "sendmail: %s; see sendmail(1)\n", what);
	return EX_USAGE;
}

static int take_mode(struct options *o, const char *arg)
{
	switch (arg[0]) {
	case 'm': o->mode = MODE_SUBMIT; return 0;
	case 's': o->mode = MODE_SMTP; return 0;
	case 'p': o->mode = MODE_MAILQ; return 0;
	case 'i': o->mode = MODE_ALIASES; return 0;
	case 'd': return usage("-bd: the daemons are started with: surat start");
	default: return usage("this -b mode is not known; -bm, -bs, -bp and -bi are");
	}
}

/* A wrong -N or -R keeps no letter back, as in Postfix. RFC 3461 section 4.1 */
static int take_notify(struct options *o, const char *arg)
{
	struct span rest = span_z(arg), word;
	bool has_more, is_good = span_eq_nocase(rest, "never");

	for (has_more = !is_good; has_more; has_more = has_more && is_good) {
		has_more = span_cut(rest, ',', &word, &rest);
		is_good = span_eq_nocase(word, "success") || span_eq_nocase(word, "failure") ||
			  span_eq_nocase(word, "delay");
	}
	if (is_good)
		o->env.notify = arg;
	else
		fprintf(stderr, "sendmail: warning: -N %s is left out: there are never, or success, failure and delay "
			"with commas between them\n", arg);
	return 0;
}

static int take_ret(struct options *o, const char *arg)
{
	if (span_eq_nocase(span_z(arg), "full") || span_eq_nocase(span_z(arg), "hdrs"))
		o->env.ret = arg;
	else
		fprintf(stderr, "sendmail: warning: -R %s is left out: there are full and hdrs\n", arg);
	return 0;
}

/* Postfix takes the path of main.cf too. */
static const char *directory_of(char *path)
{
	static const char name[] = "/main.cf";
	size_t n = strlen(path), at = n < sizeof(name) ? 0 : n - (sizeof(name) - 1);

	if (at && strcmp(path + at, name) == 0)
		path[at] = '\0';
	return path;
}

static int take_option(struct options *o, int opt, char *arg)
{
	switch (opt) {
	case 'b': return take_mode(o, arg);
	case 'c': case 'C': o->config_dir = directory_of(arg); return 0;
	case 'f': case 'r': o->env.sender = arg; return 0;
	case 'F': o->full_name = arg; return 0;
	case 'i': o->ignores_dots = true; return 0;
	case 'o': o->ignores_dots |= arg[0] == 'i'; return 0;
	case 't': o->takes_rcpts = true; return 0;
	case 'N': return take_notify(o, arg);
	case 'R': return take_ret(o, arg);
	case 'V': o->env.envid = arg; return 0;
	case 'I': o->mode = MODE_ALIASES; return 0;
	case 'q':
		o->mode = MODE_FLUSH;
		o->queue_id = arg && arg[0] == 'I' ? arg + 1 : NULL;
		return 0;
	case '?': return usage("wrong options");
	default: return 0;      /* options of old sendmail that change nothing here */
	}
}

static int parse(struct options *o, int argc, char **argv)
{
	int opt, rc = 0;

	/* options may stand behind recipients too, as in Postfix: no '+' in front */
	while (rc == 0 && (opt = getopt(argc, argv, "A:B:C:F:GIL:N:O:R:UV:X:b:c:d:e:f:h:imno:p:q::r:tvx")) != -1)
		rc = take_option(o, opt, optarg);
	return rc;
}

/* "tito@example.com" of whoever calls; the kernel's word, not the environment's. */
static const char *own_address(struct arena *a, const char *origin)
{
	struct passwd *pw = getpwuid(getuid());

	if (pw)
		return arena_printf(a, "%s@%s", pw->pw_name, origin);
	return arena_printf(a, "uid%u@%s", (unsigned)getuid(), origin);
}

/* The name in the passwd file, where "&" is the login name; as in Postfix $NAME goes before it. NULL without any. */
static const char *own_name(struct arena *a)
{
	const char *name = getenv("NAME");
	struct passwd *pw = getpwuid(getuid());
	struct span gecos, rest, before;

	if (name && *name)
		return name;
	if (!pw || !pw->pw_gecos)
		return NULL;
	span_cut(span_z(pw->pw_gecos), ',', &gecos, &rest);
	if (!span_trim(gecos).n)
		return NULL;
	if (!span_cut(gecos, '&', &before, &rest))
		return arena_strndup(a, gecos.p, gecos.n);
	return arena_printf(a, "%.*s%c%s%.*s", SPAN_ARG(before), toupper((unsigned char)pw->pw_name[0]),
			    pw->pw_name[0] ? pw->pw_name + 1 : "", SPAN_ARG(rest));
}

static int exit_status(const struct err *err)
{
	fprintf(stderr, "sendmail: %s\n", err->msg);
	switch (err->kind) {
	case ERR_TEMP: case ERR_SYS: return EX_TEMPFAIL;
	case ERR_CONF: return EX_CONFIG;
	case ERR_PROTO: return EX_DATAERR;
	default: return EX_UNAVAILABLE;
	}
}

/* "The Boss" <boss@example.com>; RFC 5322 section 3.2.4 */
static const char *mailbox(struct letter *l, const char *name, const char *addr)
{
	struct str s = STR_INIT(4000);
	int rc = str_addc(&s, '"');

	for (; *name && rc == 0; name++) {
		if (*name == '"' || *name == '\\')
			rc = str_addc(&s, '\\');
		if (rc == 0)
			rc = str_addc(&s, (unsigned char)*name < ' ' ? ' ' : *name);
	}
	if (rc == 0 && str_addf(&s, "\" <%s>", addr) == 0)
		addr = arena_strndup(&l->arena, s.p, s.n);
	str_fini(&s);
	return addr;
}

static int submit(struct options *o, const char *socket_path, const char *origin, int n, char **rcpts)
{
	struct letter l;
	struct err err = ERR_INIT;
	const char *self, *from;
	int fd = -1, i, rc = 0;

	if (n == 0 && !o->takes_rcpts)
		return usage("no recipient: name one behind the options, or use -t");
	letter_init(&l, origin);
	self = own_address(&l.arena, origin);
	if (o->env.sender)
		rc = letter_set_sender(&l, span_z(o->env.sender), &err) < 0 ? err_wrap(&err, "-f %s", o->env.sender) :
			0;
	o->env.sender = o->env.sender ? l.sender : self;
	from = *o->env.sender ? o->env.sender : self;
	if (!o->full_name)
		o->full_name = own_name(&l.arena);
	if (o->full_name)
		from = mailbox(&l, o->full_name, from);
	for (i = 0; rc == 0 && i < n; i++)
		rc = letter_add_rcpt(&l, span_z(rcpts[i]), &err);
	if (rc == 0)
		rc = letter_read(&l, stdin, !o->ignores_dots, o->takes_rcpts, from, &err);
	if (rc == 0 && l.n_rcpts == 0)
		rc = err_set(&err, ERR_PROTO, "no recipient in the header");
	if (rc == 0)
		rc = fd = sendmail_connect(socket_path, &err);
	if (rc >= 0)
		rc = sendmail_submit(fd, &o->env, &l, &err);
	if (fd >= 0)
		close(fd);
	letter_fini(&l);
	return rc < 0 ? exit_status(&err) : EX_OK;
}

static int speak_smtp(const char *socket_path)
{
	struct err err = ERR_INIT;
	int fd = sendmail_connect(socket_path, &err);
	int rc = fd < 0 ? -1 : sendmail_relay(fd, &err);

	if (fd >= 0)
		close(fd);
	return rc < 0 ? exit_status(&err) : EX_OK;
}

static int run_tool(struct options *o, int (*fn)(struct tool *, int, char **), const char *z0, const char *z1)
{
	char *argv[] = { (char *)"queue", (char *)z0, (char *)z1, NULL };
	struct tool t = { o->config_dir, stdout, stderr, o->mode == MODE_FLUSH };

	return fn(&t, z0 ? z1 ? 3 : 2 : 1, argv);
}

static bool has_main_cf(const char *dir, struct err *err)
{
	struct str path = STR_INIT(4096);
	bool is_there = str_addf(&path, "%s/main.cf", dir) == 0 && access(path.p, R_OK) == 0;

	if (!is_there) {
		err_sys(err, "cannot read %s/main.cf", dir);
		err->kind = ERR_CONF;
	}
	str_fini(&path);
	return is_there;
}

static int with_configuration(struct options *o, int argc, char **argv)
{
	struct conf c = { 0 };
	struct conf_errors errors = { 0 };
	struct global_conf g;
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	int rc;

	/* An error elsewhere in the file, which somebody edits just now, keeps no letter from the suite that runs. */
	(void)!conf_load(&c, o->config_dir, &errors);
	if (!has_main_cf(o->config_dir, &err) || global_conf_read(&g, &c, &a, &err) < 0) {
		rc = exit_status(&err);
	} else {
		const char *path = arena_printf(&a, "%s/sendmail", g.run_directory);

		rc = o->mode == MODE_SMTP ? speak_smtp(path) : submit(o, path, g.myorigin, argc, argv);
	}
	arena_fini(&a);
	conf_errors_fini(&errors);
	conf_fini(&c);
	return rc;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0];
	const char *dir = getenv("MAIL_CONFIG");
	struct options o = { .mode = MODE_SUBMIT, .config_dir = dir && *dir ? dir : "/etc/surat" };
	int rc;

	log_set_tag("sendmail");
	rc = parse(&o, argc, argv);
	if (rc != 0)
		return rc;
	if (strcmp(name, "mailq") == 0)
		o.mode = MODE_MAILQ;
	if (strcmp(name, "newaliases") == 0)
		o.mode = MODE_ALIASES;
	switch (o.mode) {
	case MODE_MAILQ: return run_tool(&o, cmd_queue, "list", NULL);
	case MODE_FLUSH: return run_tool(&o, cmd_queue, "retry", o.queue_id ? o.queue_id : "ALL");
	case MODE_ALIASES: return run_tool(&o, cmd_newaliases, NULL, NULL);
	default: return with_configuration(&o, argc - optind, argv + optind);
	}
}
