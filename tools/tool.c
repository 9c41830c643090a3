#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/nearest.h"
#include "tools/commands.h"

int tool_fail(struct tool *t, const char *name, const char *fmt, ...)
{
	va_list ap;

	fprintf(t->err, "surat %s: ", name);
	va_start(ap, fmt);
	vfprintf(t->err, fmt, ap);
	va_end(ap);
	fputc('\n', t->err);
	return TOOL_FAILED;
}

void tool_json(struct tool *t, json_t *j)
{
	json_dumpf(j, t->out, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	fputc('\n', t->out);
	json_decref(j);
}

json_t *tool_json_text(struct span s)
{
	json_t *j = json_stringn(s.p ? s.p : "", s.n);

	return j ? j : json_string("?");
}

static int take_config(struct tool *t, int *argc, char **argv)
{
	int i, to = 1, n = *argc;
	bool is_over = false;

	for (i = 1; i < n; i++) {
		is_over = is_over || strcmp(argv[i], "--") == 0;
		if (is_over || strncmp(argv[i], "-c", 2) != 0) {
			argv[to++] = argv[i];
			continue;
		}
		t->config_dir = argv[i][2] ? argv[i] + 2 : ++i < n ? argv[i] : NULL;
		if (!t->config_dir)
			return -1;
	}
	*argc = to;
	argv[to] = NULL;
	return 0;
}

/* Without main.cf every answer would be about another server. */
static int require_main_cf(struct tool *t, const char *name)
{
	struct str path = STR_INIT(4096);
	int rc = str_addf(&path, "%s/main.cf", t->config_dir) < 0 || access(path.p, R_OK) < 0 ? -1 : 0;

	if (rc < 0)
		tool_fail(t, name, "cannot read %s: %s%s", path.n ? path.p : "main.cf", strerror(errno),
			  errno == ENOENT ? "; the directory of main.cf is named with -c" : "");
	str_fini(&path);
	return rc;
}

int tool_load(struct tool *t, const char *name, struct conf *c)
{
	struct conf_errors errors = { 0 };
	size_t i;

	if (require_main_cf(t, name) < 0)
		return -1;
	(void)!conf_load(c, t->config_dir, &errors);
	for (i = 0; i < errors.n; i++)
		if (!conf_is_warning(errors.v[i]))
			fprintf(t->err, "surat %s: warning: %s\n", name, errors.v[i]);
	conf_errors_fini(&errors);
	return 0;
}

int tool_load_quiet(struct tool *t, const char *name, struct conf *c)
{
	struct conf_errors errors = { 0 };

	if (require_main_cf(t, name) < 0)
		return -1;
	(void)!conf_load(c, t->config_dir, &errors);
	conf_errors_fini(&errors);
	return 0;
}

static void usage(FILE *f, const struct tool_command *table, size_t n)
{
	size_t i;

	fprintf(f, "usage: surat COMMAND [-c CONFIG_DIR] ...\n\n");
	for (i = 0; i < n; i++)
		fprintf(f, "  %-12s %s\n", table[i].name, table[i].help);
}

int tool_run(struct tool *t, const struct tool_command *table, size_t n, int argc, char **argv)
{
	struct str hint = STR_INIT(200);
	struct nearest near;
	size_t i;

	if (take_config(t, &argc, argv) < 0) {
		fprintf(t->err, "surat: a directory is missing after -c\n");
		return TOOL_USAGE;
	}
	if (argc < 2 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(argc < 2 ? t->err : t->out, table, n);
		return argc < 2 ? TOOL_USAGE : TOOL_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		fprintf(t->out, "surat %s\n", SURAT_VERSION);
		return TOOL_OK;
	}
	nearest_init(&near, argv[1]);
	for (i = 0; i < n; i++) {
		if (strcmp(argv[1], table[i].name) == 0)
			return table[i].run(t, argc - 1, argv + 1);
		nearest_offer(&near, table[i].name);
	}
	fprintf(t->err, "surat: unknown command '%s'%s\n", argv[1], nearest_hint(&near, &hint));
	str_fini(&hint);
	return TOOL_USAGE;
}
