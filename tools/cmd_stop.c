#include "conf/params.h"
#include "tools/commands.h"
#include "tools/master_client.h"

#define ANSWER_LIMIT_MS 10000u
#define RELOAD_LIMIT_MS 90000u
#define MARGIN_MS 40000u        /* on top of stop_timeout: what the inner daemons may take */

/* The two values that these commands need; a main.cf that is wrong elsewhere must not prevent a stop. */
static int read_places(struct tool *t, const char *name, struct arena *a, const char **run_r, uint64_t *stop_ms_r)
{
	struct conf c = { 0 };
	struct master_conf m;
	struct str run = STR_INIT(4096);
	struct err err = ERR_INIT;
	int rc;

	if (tool_load_quiet(t, name, &c) < 0)
		return -1;
	rc = conf_expand_name(&run, &c, "run_directory", &err);
	*run_r = arena_strdup(a, run.p);
	*stop_ms_r = master_conf_read(&m, &c, a, &err) < 0 ? 10000 : m.stop_timeout_ms;
	if (rc < 0)
		tool_fail(t, name, "%s", err.msg);
	str_fini(&run);
	conf_fini(&c);
	return rc;
}

int cmd_stop(struct tool *t, int argc, char **argv)
{
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	struct ipc c;
	const char *run;
	uint64_t stop_ms;
	int status = TOOL_FAILED;

	if (argc > 1) {
		fprintf(t->err, "usage: surat stop\n");
		return TOOL_USAGE;
	}
	if (read_places(t, "stop", &a, &run, &stop_ms) < 0)
		status = TOOL_FAILED;
	else if (!master_client_ask(run, "stop", ANSWER_LIMIT_MS, &a, &c, &err))
		status = tool_fail(t, "stop", "%s", err.kind == ERR_NONE ? "not running" : err.msg);
	else if (master_client_wait_end(&c, stop_ms + MARGIN_MS) < 0)
		status = tool_fail(t, "stop", "some processes are still there; \"surat status\" shows them");
	else
		status = TOOL_OK;
	arena_fini(&a);
	return status;
}

int cmd_reload(struct tool *t, int argc, char **argv)
{
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	struct tool_reply *r;
	const char *run;
	uint64_t stop_ms;
	int status = TOOL_FAILED;

	if (argc > 1) {
		fprintf(t->err, "usage: surat reload\n");
		return TOOL_USAGE;
	}
	if (read_places(t, "reload", &a, &run, &stop_ms) == 0) {
		r = master_client_ask(run, "reload", RELOAD_LIMIT_MS, &a, NULL, &err);
		if (!r)
			tool_fail(t, "reload", "%s", err.kind == ERR_NONE ? "not running" : err.msg);
		else if (!r->is_ok)
			fprintf(t->err, "%.*s\nsurat reload: the old configuration stays in force\n",
				(int)span_trim(r->text).n, r->text.p ? r->text.p : "");
		else
			status = TOOL_OK;
	}
	arena_fini(&a);
	return status;
}
