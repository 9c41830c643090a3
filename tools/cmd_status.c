#include "conf/params.h"
#include "tools/commands.h"
#include "tools/master_client.h"

#define ANSWER_LIMIT_MS 10000u

static void print_json(struct tool *t, const struct tool_reply *r)
{
	const struct tool_process *v = r->processes.v;
	json_t *list = json_array(), *all = json_object();
	char instance[24];
	size_t i;

	for (i = 0; i < r->processes.n; i++) {
		json_t *p = json_object();

		json_object_set_new(p, "name", tool_json_text(v[i].name));
		json_object_set_new(p, "worker", json_integer((json_int_t)v[i].worker));
		json_object_set_new(p, "pid", json_integer((json_int_t)v[i].pid));
		json_object_set_new(p, "user", tool_json_text(v[i].user));
		json_object_set_new(p, "service", tool_json_text(v[i].services));
		json_object_set_new(p, "state", tool_json_text(v[i].state));
		json_object_set_new(p, "sessions", json_integer((json_int_t)v[i].sessions));
		json_object_set_new(p, "restarts", json_integer((json_int_t)v[i].restarts));
		json_object_set_new(p, "uptime", json_real((double)v[i].uptime_ms / 1000));
		json_array_append_new(list, p);
	}
	snprintf(instance, sizeof(instance), "%016llx", (unsigned long long)r->instance);
	json_object_set_new(all, "running", json_boolean(r->is_ok));
	json_object_set_new(all, "pid", json_integer((json_int_t)r->pid));
	json_object_set_new(all, "instance", json_string(instance));
	json_object_set_new(all, "generation", json_integer((json_int_t)r->generation));
	json_object_set_new(all, "uptime", json_real((double)r->uptime_ms / 1000));
	json_object_set_new(all, "config_directory", tool_json_text(r->config_directory));
	json_object_set_new(all, "processes", list);
	tool_json(t, all);
}

static void print_uptime(FILE *f, uint64_t ms)
{
	uint64_t s = ms / 1000;

	if (s < 86400)
		fprintf(f, "%6llu:%02u:%02u", (unsigned long long)s / 3600, (unsigned)(s / 60 % 60),
			(unsigned)(s % 60));
	else
		fprintf(f, "%7llu days", (unsigned long long)s / 86400);
}

static void print_table(struct tool *t, const struct tool_reply *r)
{
	const struct tool_process *v = r->processes.v;
	size_t i;

	fprintf(t->out, "surat is %s, master is process %llu, configuration %.*s\n\n",
		r->is_ok ? "running" : "not up or going down", (unsigned long long)r->pid,
		SPAN_ARG(r->config_directory));
	fprintf(t->out, "%-10s %8s %-15s %-9s %8s %8s %12s  %s\n", "NAME", "PID", "USER", "STATE", "SESSIONS",
		"RESTARTS", "UPTIME",
		"SERVICES");
	for (i = 0; i < r->processes.n; i++) {
		fprintf(t->out, "%-10.*s %8llu %-15.*s %-9.*s %8llu %8llu ", SPAN_ARG(v[i].name),
			(unsigned long long)v[i].pid, SPAN_ARG(v[i].user), SPAN_ARG(v[i].state),
			(unsigned long long)v[i].sessions, (unsigned long long)v[i].restarts);
		print_uptime(t->out, v[i].uptime_ms);
		fprintf(t->out, "  %.*s\n", SPAN_ARG(v[i].services));
	}
}

int cmd_status(struct tool *t, int argc, char **argv)
{
	struct arena a = { 0 };
	struct conf c = { 0 };
	struct str run = STR_INIT(4096);
	struct err err = ERR_INIT;
	struct tool_reply *r = NULL;
	bool is_json = argc == 2 && strcmp(argv[1], "-j") == 0;

	if (argc > 2 || (argc == 2 && !is_json)) {
		fprintf(t->err, "usage: surat status [-j]\n");
		return TOOL_USAGE;
	}
	if (tool_load_quiet(t, "status", &c) < 0)
		return TOOL_FAILED;
	if (conf_expand_name(&run, &c, "run_directory", &err) == 0)
		r = master_client_ask(run.p, "status", ANSWER_LIMIT_MS, &a, NULL, &err);
	if (r && is_json)
		print_json(t, r);
	else if (r)
		print_table(t, r);
	else if (err.kind != ERR_NONE)
		tool_fail(t, "status", "%s", err.msg);
	else
		fprintf(t->out, is_json ? "{\"running\": false, \"processes\": []}\n" : "surat is not running\n");
	str_fini(&run);
	conf_fini(&c);
	arena_fini(&a);
	return r ? TOOL_OK : TOOL_FAILED;
}
