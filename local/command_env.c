#include "local/command.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "proto/address.h"

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"
#define DIRECT_CHARS "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ \t"

struct env {
	char **v;
	size_t n, cap;
	struct arena *a;
};

static void put(struct env *e, const char *name, struct span value)
{
	if (e->n + 1 < e->cap)
		e->v[e->n++] = arena_printf(e->a, "%s=%.*s", name, SPAN_ARG(value));
}

/* A value that somebody outside chose. */
static void put_filtered(struct env *e, const struct settings *s, const char *name, struct span value)
{
	struct span out = arena_span(e->a, value);
	char *p = (char *)(uintptr_t)out.p;

	for (size_t i = 0; i < out.n; i++)
		if (p[i] == '\0' || !strchr(s->local.command_expansion_filter, p[i]))
			p[i] = '_';
	put(e, name, out);
}

static void put_exported(struct env *e, const struct settings *s)
{
	for (size_t i = 0; i < s->local.export_environment.n; i++) {
		const char *item = s->local.export_environment.v[i], *eq = strchr(item, '='), *value;

		if (eq) {
			put(e, arena_strndup(e->a, item, (size_t)(eq - item)), span_z(eq + 1));
		} else {
			value = getenv(item);
			if (value)
				put(e, item, span_z(value));
		}
	}
}

char **command_env(const struct settings *s, const struct command_user *u, const struct letter *l,
		   const struct child_rcpt *r, struct arena *a)
{
	struct env e = { .cap = s->local.export_environment.n + 24, .a = a };
	struct span rcpt = r->holder.n ? r->holder : r->delivered, local, domain, name, extension;
	bool has_ext;

	e.v = arena_alloc(a, e.cap * sizeof(char *));
	address_split(rcpt, &local, &domain);
	put(&e, "PATH", SPAN_LIT(DEFAULT_PATH));
	put_exported(&e, s);
	has_ext = address_extension(local, s->global.recipient_delimiter, &name, &extension);
	if (strcmp(u->name, s->global.default_privs) != 0)
		name = span_z(u->name);
	put_filtered(&e, s, "USER", name);      /* an alias runs its command under its own name, as in Postfix */
	put_filtered(&e, s, "LOGNAME", name);
	put(&e, "HOME", span_z(u->home));
	put(&e, "SHELL", span_z(u->shell));
	put_filtered(&e, s, "SENDER", l->sender);
	put_filtered(&e, s, "RECIPIENT", rcpt);
	put_filtered(&e, s, "ORIGINAL_RECIPIENT", r->orig);
	put_filtered(&e, s, "LOCAL", local);
	put_filtered(&e, s, "DOMAIN", domain);
	put_filtered(&e, s, "EXTENSION", r->extension.n || !has_ext ? r->extension : extension);
	put_filtered(&e, s, "QUEUE_ID", l->qid);
	return e.v;
}

static bool needs_shell(const struct settings *s, struct span text)
{
	if (s->local.local_command_shell[0])
		return true;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '\0' || !strchr(DIRECT_CHARS, text.p[i]))
			return true;
	/* "a=b command", "exec x" and the like are the shell's; so is a program without a path. */
	return text.n == 0 || text.p[0] != '/';
}

char **command_argv(const struct settings *s, struct span text, struct arena *a)
{
	struct span shell = span_z(s->local.local_command_shell), word;
	char **v = arena_alloc(a, (text.n / 2 + shell.n / 2 + 5) * sizeof(char *));
	size_t n = 0;

	if (!needs_shell(s, text)) {
		while (span_word(&text, " \t", &word))
			v[n++] = arena_strndup(a, word.p, word.n);
		return v;
	}
	if (shell.n == 0)
		shell = SPAN_LIT("/bin/sh -c");
	while (span_word(&shell, " \t", &word))
		v[n++] = arena_strndup(a, word.p, word.n);
	v[n] = arena_strndup(a, text.p, text.n);
	return v;
}

static const struct {
	int code;
	const char *dsn, *text;
} sysexits[] = {
	{ EX_USAGE, "5.3.0", "command line usage error" },
	{ EX_DATAERR, "5.6.0", "data format error" },
	{ EX_NOINPUT, "5.3.0", "cannot open input" },
	{ EX_NOUSER, "5.1.1", "user unknown" },
	{ EX_NOHOST, "5.1.2", "host name unknown" },
	{ EX_UNAVAILABLE, "5.3.0", "service unavailable" },
	{ EX_SOFTWARE, "5.3.0", "internal software error" },
	{ EX_OSERR, "4.3.0", "system resource problem" },
	{ EX_OSFILE, "5.3.0", "critical OS file missing" },
	{ EX_CANTCREAT, "5.2.0", "can't create user output file" },
	{ EX_IOERR, "5.3.0", "input/output error" },
	{ EX_TEMPFAIL, "4.3.0", "temporary failure" },
	{ EX_PROTOCOL, "5.5.0", "remote error in protocol" },
	{ EX_NOPERM, "5.7.0", "permission denied" },
	{ EX_CONFIG, "5.3.5", "local configuration error" },
};

void command_verdict(struct child_result *res, int wait_status, struct span command, struct span output,
		     struct arena *a)
{
	const char *dsn = "5.3.0", *text = NULL, *out = "";

	output = span_sub(span_trim(output), 0, 900);
	if (output.n)
		out = arena_printf(a, ". Command output: %.*s", SPAN_ARG(arena_line(a, output, ' ')));
	if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == EX_OK) {
		res->status = DLV_SENT;
		res->dsn = SPAN_LIT("2.0.0");
		res->text = span_z(arena_printf(a, "delivered to command: %.*s", SPAN_ARG(command)));
		return;
	}
	if (!WIFEXITED(wait_status)) {
		dsn = "4.3.0";
		text = arena_printf(a, "Command died with signal %d: \"%.*s\"%s", WTERMSIG(wait_status),
				    SPAN_ARG(command), out);
	} else {
		for (size_t i = 0; i < ARRAY_LEN(sysexits) && !text; i++) {
			if (sysexits[i].code != WEXITSTATUS(wait_status))
				continue;
			dsn = sysexits[i].dsn;
			text = arena_printf(a, "%s%s", sysexits[i].text, out);
		}
		if (!text)
			text = arena_printf(a, "Command died with status %d: \"%.*s\"%s", WEXITSTATUS(wait_status),
					    SPAN_ARG(command), out);
	}
	res->status = dsn[0] == '4' ? DLV_DEFERRED : DLV_BOUNCED;
	res->dsn = span_z(dsn);
	res->text = span_z(text);
}
