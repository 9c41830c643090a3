#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/htab.h"
#include "conf/map.h"
#include "conf/map_build.h"
#include "conf/map_source.h"
#include "conf/param.h"
#include "tools/commands.h"

static const char usage[] =
	"usage: surat map [-a] [TYPE:]FILE...      build FILE.lmdb from FILE (-a: lines 'key: value', as in aliases)\n"
	"       surat map -q KEY [-j] TYPE:NAME... ask tables until one has it; KEY - reads keys from standard input\n"
	"       surat map -s [-j] [TYPE:]FILE      show all entries of a built table, or of a texthash\n";

/* "hash:/x" and "/x" both mean the file /x. */
static const char *path_of(const char *type_name)
{
	const char *colon = strchr(type_name, ':');

	return map_is_indexed(type_name) ? (strncmp(type_name, "proxy:", 6) == 0 ? strchr(colon + 1, ':') : colon) + 1 :
	       type_name;
}

/* The alias tables of main.cf have the other syntax; asking for them by their plain name must not build nonsense. */
static bool is_alias_file(const struct conf *c, const char *path)
{
	static const char *const names[] = { "alias_maps", "alias_database" };
	struct str value = STR_INIT(65536);
	struct conf_list list;
	struct arena a = { 0 };
	bool found = false;
	struct err err;
	size_t i, j;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		if (conf_expand_name(&value, c, names[i], &err) < 0)
			continue;
		list = param_split(str_span(&value), &a);
		for (j = 0; j < list.n; j++)
			found = found || (map_is_indexed(list.v[j]) && strcmp(path_of(list.v[j]), path) == 0);
	}
	str_fini(&value);
	arena_fini(&a);
	return found;
}

static int build(struct tool *t, const char *path, enum map_syntax syntax, const char *name)
{
	struct conf_errors warnings = { 0 };
	struct err err;
	size_t count, i;
	int rc = map_build(path, syntax, &count, &warnings, &err);

	for (i = 0; i < warnings.n; i++)
		fprintf(t->err, "surat %s: %s\n", name, warnings.v[i]);
	conf_errors_fini(&warnings);
	if (rc < 0)
		return tool_fail(t, name, "%s", err.msg);
	fprintf(t->out, "%s.lmdb: %zu %s\n", path, count, count == 1 ? "entry" : "entries");
	return TOOL_OK;
}

static int build_all(struct tool *t, char **names, bool is_aliases)
{
	struct conf_errors errors = { 0 };
	int status = TOOL_OK;
	struct conf c;
	const char *path;

	/* Building needs no correct main.cf; the only question to it is which files hold aliases. */
	(void)!conf_load(&c, t->config_dir, &errors);
	for (; *names; names++) {
		path = path_of(*names);
		if (path == *names && strchr(path, ':') && access(path, F_OK) < 0)
			status = tool_fail(t, "map", "%s: only lmdb:, hash: and btree: are built; tables of other types "
					   "are read as they are", path);
		else if (build(t, path, is_aliases || is_alias_file(&c, path) ? MAP_SYNTAX_ALIASES : MAP_SYNTAX_TABLE,
			  "map"))
			status = TOOL_FAILED;
	}
	conf_errors_fini(&errors);
	conf_fini(&c);
	return status;
}

/* A table without a type is an indexed file. */
static int open_map(struct tool *t, const char *name, struct map **m_r)
{
	struct str type_name = STR_INIT(4096);
	struct err err;
	int rc = str_addf(&type_name, "%s%s", strchr(name, ':') ? "" : "lmdb:", name);

	if (rc == 0)
		rc = map_open(m_r, type_name.p, &err);
	else
		err_set(&err, ERR_CONF, "the name is too long");
	str_fini(&type_name);
	return rc < 0 ? tool_fail(t, "map", "%s", err.msg) : TOOL_OK;
}

static void print_json(FILE *f, struct span key, struct span value)
{
	json_t *j = json_pack("{s:s%, s:s%}", "key", key.p, key.n, "value", value.p, value.n);

	if (!j)
		j = json_pack("{s:s, s:s}", "key", "?", "error", "not UTF-8");
	json_dumpf(j, f, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(j);
	fputc('\n', f);
}

static int ask(struct tool *t, struct map *m, const char *key, bool is_json, bool shows_key)
{
	struct str value = STR_INIT(MAP_VALUE_MAX);
	struct err err;
	enum map_rc rc = map_get(m, span_z(key), &value, &err);

	if (rc == MAP_TEMP)
		tool_fail(t, "map", "%s", err.msg);
	else if (rc == MAP_FOUND && is_json)
		print_json(t->out, span_z(key), str_span(&value));
	else if (rc == MAP_FOUND)
		fprintf(t->out, "%s%s%s\n", shows_key ? key : "", shows_key ? "\t" : "", value.p);
	str_fini(&value);
	return rc == MAP_FOUND ? TOOL_OK : TOOL_FAILED;
}

/* As postmap: status 0 when any key was found. */
static int query(struct tool *t, const char *key, const char *name, bool is_json)
{
	struct map *m = NULL;
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int status = open_map(t, name, &m);

	if (status != TOOL_OK)
		return status;
	if (strcmp(key, "-") != 0) {
		status = ask(t, m, key, is_json, false);
	} else {
		for (status = TOOL_FAILED; (n = getline(&line, &cap, stdin)) > 0;) {
			line[strcspn(line, "\r\n")] = '\0';
			if (ask(t, m, line, is_json, true) == TOOL_OK)
				status = TOOL_OK;
		}
		free(line);
	}
	map_close(&m);
	return status;
}

/* The first table that has the key; keys of standard input are asked of one table. */
static int query_all(struct tool *t, const char *key, char **names, bool is_json)
{
	int status = TOOL_FAILED;

	if (strcmp(key, "-") == 0 && names[1])
		return tool_fail(t, "map", "keys of standard input are asked of one table");
	for (; *names && status != TOOL_OK; names++)
		status = query(t, key, *names, is_json);
	return status;
}

struct show {
	FILE *f;
	bool is_json;
};

static void show_entry(void *arg, struct span key, struct span value)
{
	struct show *s = arg;

	if (s->is_json) {
		print_json(s->f, key, value);
		return;
	}
	fwrite(key.p, 1, key.n, s->f);
	fputc('\t', s->f);
	fwrite(value.p, 1, value.n, s->f);
	fputc('\n', s->f);
}

/* The lines of a text table as they stand; the first of equal keys is what counts. */
static int show_text(struct tool *t, const char *path, struct show *s)
{
	struct str key = STR_INIT(SOURCE_MAX);
	struct conf_errors warnings = { 0 };
	struct htab seen = { 0 };
	struct source src;
	struct span value;
	struct err err;
	int rc = source_open(&src, path, SOURCE_MAX, &err);

	while (rc == 0 && map_source_next(&src, MAP_SYNTAX_TABLE, &key, &value, &warnings))
		if (!htab_put(&seen, str_span(&key), &seen))
			show_entry(s, str_span(&key), value);
	if (rc < 0)
		tool_fail(t, "map", "%s", err.msg);
	htab_fini(&seen);
	conf_errors_fini(&warnings);
	source_fini(&src);
	str_fini(&key);
	return rc < 0 ? TOOL_FAILED : TOOL_OK;
}

static int show(struct tool *t, const char *name, bool is_json)
{
	struct show s = { .f = t->out, .is_json = is_json };
	struct err err;

	if (strncmp(name, "texthash:", 9) == 0)
		return show_text(t, name + 9, &s);
	if (strchr(name, ':') && !map_is_indexed(name))
		return tool_fail(t, "map", "%s: only built tables and texthash: can be shown", name);
	return map_build_visit(path_of(name), show_entry, &s, &err) < 0 ? tool_fail(t, "map", "%s", err.msg) : TOOL_OK;
}

int cmd_map(struct tool *t, int argc, char **argv)
{
	bool is_aliases = false, is_json = false, shows = false, is_wrong = false;
	const char *key = NULL;
	int opt;

	optind = 0;
	opterr = 0;
	while ((opt = getopt(argc, argv, "aq:sjnNouv")) != -1) {
		if (opt == 'a')
			is_aliases = true;
		else if (opt == 'q')
			key = optarg;
		else if (opt == 's')
			shows = true;
		else if (opt == 'j')
			is_json = true;
		else if (opt == '?')
			is_wrong = true;        /* -n, -N, -o, -u and -v are postmap's and change nothing here */
	}
	if (is_wrong || optind >= argc || (shows && key) || (shows && optind + 1 != argc)) {
		fputs(usage, t->err);
		return TOOL_USAGE;
	}
	if (key)
		return query_all(t, key, argv + optind, is_json);
	if (shows)
		return show(t, argv[optind], is_json);
	return build_all(t, argv + optind, is_aliases);
}

int cmd_newaliases(struct tool *t, int argc, char **argv)
{
	struct str value = STR_INIT(65536);
	struct conf_list list;
	struct arena a = { 0 };
	struct conf c = { 0 };
	struct err err;
	int status = TOOL_OK;
	size_t i;

	if (argc > 1) {
		fprintf(t->err, "usage: surat newaliases\n");
		return TOOL_USAGE;
	}
	if (tool_load(t, "newaliases", &c) < 0)
		return TOOL_FAILED;
	if (conf_expand_name(&value, &c, "alias_database", &err) < 0)
		status = tool_fail(t, "newaliases", "alias_database: %s", err.msg);
	list = param_split(str_span(&value), &a);
	for (i = 0; i < list.n && status != TOOL_FAILED; i++)
		if (map_is_indexed(list.v[i]))
			status = build(t, path_of(list.v[i]), MAP_SYNTAX_ALIASES, "newaliases");
	arena_fini(&a);
	str_fini(&value);
	conf_fini(&c);
	return status;
}
