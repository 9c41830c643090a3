#include <time.h>

#include "auth/names.h"
#include "tools/commands.h"
#include "tools/master_client.h"

#define ANSWER_LIMIT_MS 10000u

struct who {
	struct tool *t;
	const char *match;              /* what was typed: user or session id; "": all */
	const char *full;               /* the user as login completes it; the same when that cannot be */
	bool is_kick;
	json_t *list;                   /* NULL: a table */
	size_t n;
};

static void format_time(uint64_t s, char out[32])
{
	time_t when = (time_t)s;
	struct tm tm;

	if (!localtime_r(&when, &tm) || strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(out, 32, "?");
}

static void show(struct who *w, const struct ctl_session *s)
{
	char since[32], pid[24] = "-";

	w->n++;
	if (w->list) {
		json_t *j = json_object();

		json_object_set_new(j, "user", tool_json_text(s->user));
		json_object_set_new(j, "service", tool_json_text(s->service));
		json_object_set_new(j, "pid", s->pid ? json_integer((json_int_t)s->pid) : json_null());
		json_object_set_new(j, "remote", tool_json_text(s->remote_addr));
		json_object_set_new(j, "session", tool_json_text(s->session));
		json_object_set_new(j, "since", json_integer((json_int_t)s->since));
		json_array_append_new(w->list, j);
		return;
	}
	if (w->n == 1)
		fprintf(w->t->out, "%-32s %-7s %8s %-24s %-19s  %s\n", "USER", "SERVICE", "PID", "REMOTE", "SINCE",
			"SESSION");
	format_time(s->since, since);
	if (s->pid)
		snprintf(pid, sizeof(pid), "%llu", (unsigned long long)s->pid);
	fprintf(w->t->out, "%-32.*s %-7.*s %8s %-24.*s %-19s  %.*s\n", SPAN_ARG(s->user), SPAN_ARG(s->service), pid,
		SPAN_ARG(s->remote_addr), since, SPAN_ARG(s->session));
}

/* All pages of one daemon. */
static int ask_one(struct who *w, struct ipc *c, const char *program, const char *match, struct err *err)
{
	struct tool_who q = { span_z(program), 0, w->is_kick, span_z(match) };
	const struct tool_who_reply *r;
	struct arena a = { 0 };
	size_t i;

	do {
		const struct ctl_session *v;

		r = ipc_call_wait(c, &tool_who_desc, &q, &tool_who_reply_desc, &a, ANSWER_LIMIT_MS, err);
		if (r && !r->is_ok) {
			err_set(err, ERR_TEMP, "%s: %.*s", program, SPAN_ARG(r->text));
			r = NULL;
		}
		v = r ? r->sessions.v : NULL;
		for (i = 0; r && i < r->sessions.n; i++)
			show(w, &v[i]);
		if (r && r->sessions.n)
			q.after = v[r->sessions.n - 1].number;
	} while (r && r->has_more && r->sessions.n);
	arena_fini(&a);
	return r ? 0 : -1;
}

static int ask(struct who *w, struct ipc *c, const char *match, struct err *err)
{
	return ask_one(w, c, "imapd", match, err) < 0 ? -1 : ask_one(w, c, "pop3d", match, err);
}

/* "tito" is tito@DOMAIN if auth would say so; a session id completes to what nobody is called. */
static const char *full_name(const struct who *w, const struct conf *c, struct arena *a)
{
	const char *full = w->match;
	struct settings s;
	struct names n;
	struct err ignored;

	if (!full[0] || settings_read(&s, c, geteuid() == 0, &ignored) < 0)
		return full;
	if (names_resolve(&n, &s, span_z(full), a, &ignored) == 0)
		full = n.full;
	settings_fini(&s);
	return full;
}

static int run(struct who *w, const char *name, struct arena *a)
{
	struct conf c = { 0 };
	struct str directory = STR_INIT(4096);
	struct err err = ERR_INIT;
	struct ipc ipc;
	int rc = -1;

	if (tool_load_quiet(w->t, name, &c) < 0)
		return TOOL_FAILED;
	w->full = full_name(w, &c, a);
	if (conf_expand_name(&directory, &c, "run_directory", &err) == 0 &&
	    master_client_open(&ipc, directory.p, &err) == 0) {
		rc = ask(w, &ipc, w->full, &err);
		if (rc == 0 && w->n == 0 && strcmp(w->full, w->match) != 0)
			rc = ask(w, &ipc, w->match, &err);
		ipc_close(&ipc);
	}
	if (rc < 0)
		tool_fail(w->t, name, "%s", err.kind == ERR_NONE ? "surat is not running" : err.msg);
	str_fini(&directory);
	conf_fini(&c);
	return rc < 0 ? TOOL_FAILED : TOOL_OK;
}

/* "tito@example.com", or "tito@example.com or tito". */
static const char *wanted(const struct who *w, struct arena *a)
{
	return strcmp(w->full, w->match) == 0 ? w->match : arena_printf(a, "%s or %s", w->full, w->match);
}

int cmd_who(struct tool *t, int argc, char **argv)
{
	struct who w = { .t = t, .match = "" };
	struct arena a = { 0 };
	int i, rc;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-j") == 0 && !w.list) {
			w.list = json_array();
		} else if (argv[i][0] != '-' && !w.match[0]) {
			w.match = argv[i];
		} else {
			fprintf(t->err, "usage: surat who [-j] [USER | SESSION]\n");
			json_decref(w.list);
			return TOOL_USAGE;
		}
	}
	rc = run(&w, "who", &a);
	if (rc == TOOL_OK && w.list)
		tool_json(t, json_incref(w.list));
	else if (rc == TOOL_OK && w.n == 0 && w.match[0])
		fprintf(t->out, "no session of %s\n", wanted(&w, &a));
	else if (rc == TOOL_OK && w.n == 0)
		fputs("nobody is logged in\n", t->out);
	json_decref(w.list);
	arena_fini(&a);
	return rc;
}

int cmd_kick(struct tool *t, int argc, char **argv)
{
	struct who w = { .t = t, .is_kick = true };
	struct arena a = { 0 };
	int rc;

	if (argc != 2 || argv[1][0] == '-' || argv[1][0] == '\0') {
		fprintf(t->err, "usage: surat kick USER | SESSION\n");
		return TOOL_USAGE;
	}
	w.match = argv[1];
	rc = run(&w, "kick", &a);
	if (rc == TOOL_OK && w.n == 0)
		rc = tool_fail(t, "kick", "no session of %s", wanted(&w, &a));
	arena_fini(&a);
	return rc;
}
