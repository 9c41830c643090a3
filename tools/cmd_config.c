#include <getopt.h>
#include <stdlib.h>

#include "base/htab.h"
#include "base/mem.h"
#include "conf/macro.h"
#include "conf/mastercf.h"
#include "conf/nearest.h"
#include "conf/param.h"
#include "conf/source.h"
#include "proto/restrict.h"
#include "tools/commands.h"
#include "tools/conf_edit.h"

static const char usage[] =
	"usage: surat config [-dnxhj] [NAME...]     show parameters (-d defaults, -n set in main.cf, -x expanded,\n"
	"                                           -h values only, -j JSON)\n"
	"       surat config [-e] NAME=VALUE...     set parameters in main.cf\n"
	"       surat config -X NAME...             take parameters out of main.cf (-# leaves them as comments)\n"
	"       surat config -M [-j] [SERVICE...]   show the services of master.cf\n";

struct options {
	bool defaults, set_only, expanded, values_only, json, edit, remove, comment, services;
};

/* One line or one member of the JSON object. */
struct printer {
	struct tool *t;
	const struct options *o;
	const struct conf *c;
	json_t *object;
	int status;
};

static void print_value(struct printer *p, const char *name, const char *value)
{
	struct str out = STR_INIT(1 << 20);
	struct err err;

	if (p->o->expanded && conf_expand(&out, p->c, value, &err) < 0)
		p->status = tool_fail(p->t, "config", "%s: %s", name, err.msg);
	else if (p->o->expanded)
		value = out.p;
	if (p->o->json)
		json_object_set_new(p->object, name, tool_json_text(span_z(value)));
	else if (p->o->values_only)
		fprintf(p->t->out, "%s\n", value);
	else
		fprintf(p->t->out, "%s =%s%s\n", name, *value ? " " : "", value);
	str_fini(&out);
}

static void print_unknown(struct printer *p, const char *name)
{
	const struct param_foreign *f = param_foreign(name);
	struct str hint = STR_INIT(200);
	struct nearest near;
	size_t i;

	if (f) {
		p->status = tool_fail(p->t, "config", "there is no parameter '%s' here: %s", name, f->advice);
		return;
	}
	nearest_init(&near, name);
	for (i = 0; i < param_count; i++)
		nearest_offer(&near, param_table[i].name);
	p->status = tool_fail(p->t, "config", "unknown parameter '%s'%s", name, nearest_hint(&near, &hint));
	str_fini(&hint);
}

static void print_one(struct printer *p, const char *name)
{
	const struct param *param = param_find(name);
	const struct conf_value *v = conf_find(p->c, name);

	if (p->o->defaults && param)
		print_value(p, name, param->def);
	else if (!p->o->defaults && (!p->o->set_only || (v && v->file)) && conf_raw(p->c, name))
		print_value(p, name, conf_raw(p->c, name));
	else if (!param && !conf_raw(p->c, name))
		print_unknown(p, name);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Parameters, facts and names of the postmaster's own, sorted. */
static void print_all(struct printer *p)
{
	const char **names = xcalloc(param_count + CONF_FACTS + p->c->values.n, sizeof(*names));
	struct arena a = { 0 };
	size_t n = 0, i, pos = 0;
	struct span key;
	void *value;

	for (i = 0; i < param_count; i++)
		names[n++] = param_table[i].name;
	for (i = 0; i < CONF_FACTS; i++)
		if (!conf_find(p->c, conf_facts[i]))
			names[n++] = conf_facts[i];
	while (htab_next(&p->c->values, &pos, &key, &value)) {
		names[n] = arena_strndup(&a, key.p, key.n);
		n += !param_find(names[n]);
	}
	qsort(names, n, sizeof(*names), by_text);
	for (i = 0; i < n; i++)
		if (!p->o->defaults || param_find(names[i]))
			print_one(p, names[i]);
	arena_fini(&a);
	free(names);
}

static int show(struct tool *t, const struct options *o, char **names)
{
	struct printer p = { .t = t, .o = o };
	struct conf_errors ignored = { 0 };
	struct conf c = { 0 };

	if (o->defaults)
		(void)!conf_load(&c, t->config_dir, &ignored);
	else if (tool_load(t, "config", &c) < 0)
		return TOOL_FAILED;
	conf_errors_fini(&ignored);
	p.c = &c;
	p.object = o->json ? json_object() : NULL;
	if (*names)
		for (; *names; names++)
			print_one(&p, *names);
	else
		print_all(&p);
	if (o->json)
		tool_json(t, p.object);
	conf_fini(&c);
	return p.status;
}

static const char *const type_names[] = { "inet", "unix", "pass" };

static json_t *service_json(const struct mastercf_service *s)
{
	json_t *options = json_object();
	size_t i;

	for (i = 0; i < s->n_overrides; i++)
		json_object_set_new(options, s->overrides[i].name, json_string(s->overrides[i].value));
	return json_pack("{s:s, s:s, s:s, s:i, s:s?, s:o}", "service", s->name, "type", type_names[s->type], "command",
	                 s->command, "port", (int)s->port, "host", s->host, "options", options);
}

static void print_service(FILE *f, const struct mastercf_service *s)
{
	size_t i;

	fprintf(f, "%-15s %-4s  %c - - - ", s->name, type_names[s->type], s->is_private ? 'y' : 'n');
	if (s->max_sessions == MASTERCF_UNLIMITED)
		fputs("0", f);
	else if (s->max_sessions)
		fprintf(f, "%llu", (unsigned long long)s->max_sessions);
	else
		fputs("-", f);
	fprintf(f, " %s\n", s->command);
	for (i = 0; i < s->n_overrides; i++)
		if (strpbrk(s->overrides[i].value, " \t"))
			fprintf(f, "    -o { %s = %s }\n", s->overrides[i].name, s->overrides[i].value);
		else
			fprintf(f, "    -o %s=%s\n", s->overrides[i].name, s->overrides[i].value);
}

/* "smtp", or as in postconf "smtp/inet" */
static bool is_named(const char *name, const struct mastercf_service *s)
{
	size_t n = strlen(s->name);

	return strncmp(name, s->name, n) == 0 &&
	       (!name[n] || (name[n] == '/' && strcmp(name + n + 1, type_names[s->type]) == 0));
}

static bool is_wanted(char **names, const struct mastercf_service *s)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (is_named(*names, s))
			return true;
	return false;
}

static int name_missing(struct tool *t, const struct mastercf *m, char **names)
{
	int rc = 0;
	size_t i;

	for (; *names; names++) {
		for (i = 0; i < m->n && !is_named(*names, &m->v[i]); i++)
			continue;
		if (i == m->n)
			rc = tool_fail(t, "config", "%s: there is no service '%s'", m->file, *names);
	}
	return rc;
}

static int show_services(struct tool *t, const struct options *o, char **names)
{
	json_t *list = o->json ? json_array() : NULL;
	struct conf_errors errors = { 0 };
	struct mastercf m;
	int rc = mastercf_load(&m, t->config_dir, NULL, &errors);
	size_t i;

	for (i = 0; i < errors.n; i++)
		if (!conf_is_warning(errors.v[i]))
			fprintf(t->err, "surat config: %s\n", errors.v[i]);
	for (i = 0; i < m.n; i++) {
		if (!is_wanted(names, &m.v[i]))
			continue;
		if (list)
			json_array_append_new(list, service_json(&m.v[i]));
		else
			print_service(t->out, &m.v[i]);
	}
	if (list)
		tool_json(t, list);
	if (rc == 0)
		rc = name_missing(t, &m, names);
	mastercf_fini(&m);
	conf_errors_fini(&errors);
	return rc ? TOOL_FAILED : TOOL_OK;
}

static bool is_among(const struct conf_errors *errors, const char *line)
{
	size_t i;

	for (i = 0; i < errors->n; i++)
		if (strcmp(errors->v[i], line) == 0)
			return true;
	return false;
}

/* What Postfix or Dovecot know and main.cf takes with a warning, scripts may set too. */
static int check_foreign(struct tool *t, const struct param_foreign *f, const char *name, const char *value)
{
	if (f->is_refused && *value && strcmp(value, "no") != 0)
		return tool_fail(t, "config", "parameter '%s' is not supported: %s", name, f->advice);
	fprintf(t->err, "surat config: warning: parameter '%s' has no effect: %s\n", name, f->advice);
	return TOOL_OK;
}

static int set_one(struct tool *t, struct conf *layer, const char *name, const char *value)
{
	const struct param_foreign *f = param_find(name) ? NULL : param_foreign(name);
	struct err err;

	if (f)
		return check_foreign(t, f, name, value);
	if (conf_set(layer, name, value, "command line", 1, &err) < 0)
		return tool_fail(t, "config", "%s", err.msg);
	return TOOL_OK;
}

static void find_errors(const struct tool *t, const struct conf *c, struct conf_errors *errors)
{
	struct mastercf m;

	(void)!conf_check(c, errors);
	(void)!mastercf_load(&m, t->config_dir, c, errors);
	(void)!restrict_check_all(c, &m, errors);
	mastercf_fini(&m);
}

/* The new values are read as daemons would read them before they get into the file. Errors that are there already may be
 * mended one by one. */
static int check_edit(struct tool *t, const struct conf *c, const struct conf *layer)
{
	struct conf_errors before = { 0 }, errors = { 0 };
	int status = TOOL_OK;
	size_t i;

	find_errors(t, c, &before);
	find_errors(t, layer, &errors);
	for (i = 0; i < errors.n; i++)
		if (!conf_is_warning(errors.v[i]) && !is_among(&before, errors.v[i]))
			status = tool_fail(t, "config", "%s", errors.v[i]);
	conf_errors_fini(&before);
	conf_errors_fini(&errors);
	return status;
}

static int edit_one(struct tool *t, const struct options *o, struct conf *layer, struct str *text, const char *arg)
{
	struct str out = STR_INIT(4 << 20);
	struct span name, value;
	char *name_z, *value_z;
	int status = TOOL_OK;

	if (!span_cut(span_z(arg), '=', &name, &value) && o->edit)
		return tool_fail(t, "config", "'%s' is not of the form name=value", arg);
	name_z = xstrndup(span_trim(name).p, span_trim(name).n);
	value_z = xstrndup(span_trim(value).p, span_trim(value).n);
	if (strpbrk(value_z, "\r\n"))
		status = tool_fail(t, "config", "a value has no line breaks");
	else if (o->edit)
		status = set_one(t, layer, name_z, value_z);
	if (status == TOOL_OK &&
	    conf_edit_text(&out, str_span(text), span_z(name_z), o->edit ? value_z : NULL, o->comment) < 0)
		status = tool_fail(t, "config", "main.cf would be too long");
	if (status == TOOL_OK) {
		str_reset(text);
		status = str_add_span(text, str_span(&out)) < 0 ? TOOL_FAILED : TOOL_OK;
	}
	free(name_z);
	free(value_z);
	str_fini(&out);
	return status;
}

static void add_name(void *arg, struct span name)
{
	htab_put(arg, name, arg);
}

/* Names to which main.cf, master.cf or one of args refers. */
static void collect_names(struct htab *names, const struct conf *c, struct span main_cf, const char *config_dir, char **args)
{
	struct str path = STR_INIT(4096), text = STR_INIT(1 << 20);
	struct span name, classes, word;
	struct err err;

	macro_names(main_cf, add_name, names);
	if (str_addf(&path, "%s/master.cf", config_dir) == 0 && source_slurp(&text, path.p, &err) == 0)
		macro_names(str_span(&text), add_name, names);
	if (conf_expand_name(&text, c, "smtpd_restriction_classes", &err) == 0)
		for (classes = str_span(&text); macro_word(&classes, &word);)
			add_name(names, word);
	for (; *args; args++) {
		macro_names(span_z(*args), add_name, names);
		if (span_cut(span_z(*args), '=', &name, &classes) && span_eqz(span_trim(name), "smtpd_restriction_classes"))
			while (macro_word(&classes, &word))
				add_name(names, word);
	}
	str_fini(&path);
	str_fini(&text);
}

/* Names of the postmaster's own are known before the values that refer to them are looked at. */
static void define_names(struct conf *c, struct span main_cf, const char *config_dir, char **args)
{
	struct htab names = { 0 };
	struct arena a = { 0 };
	struct span name, value;
	const char *z;

	collect_names(&names, c, main_cf, config_dir, args);
	for (; *args; args++) {
		if (!span_cut(span_z(*args), '=', &name, &value) || !htab_get(&names, span_trim(name)))
			continue;
		z = arena_strndup(&a, span_trim(name).p, span_trim(name).n);
		if (!conf_raw(c, z))
			conf_define(c, z, arena_strndup(&a, span_trim(value).p, span_trim(value).n));
	}
	htab_fini(&names);
	arena_fini(&a);
}

static int edit(struct tool *t, const struct options *o, char **args)
{
	struct conf_errors errors = { 0 };
	struct str path = STR_INIT(4096), text = STR_INIT(4 << 20);
	int status = TOOL_OK;
	struct conf c, layer;
	struct err err;

	/* Wrong lines elsewhere must not keep anybody from mending one. */
	(void)!conf_load(&c, t->config_dir, &errors);
	conf_overlay(&layer, &c);
	if (str_addf(&path, "%s/main.cf", t->config_dir) < 0)
		status = tool_fail(t, "config", "the name of the configuration directory is too long");
	else if (source_slurp(&text, path.p, &err) < 0)
		status = tool_fail(t, "config", "%s", err.msg);
	if (status == TOOL_OK && o->edit)
		define_names(&c, str_span(&text), t->config_dir, args);
	for (; *args && status == TOOL_OK; args++)
		status = edit_one(t, o, &layer, &text, *args);
	if (status == TOOL_OK && o->edit)
		status = check_edit(t, &c, &layer);
	if (status == TOOL_OK && conf_edit_write(path.p, str_span(&text), &err) < 0)
		status = tool_fail(t, "config", "%s", err.msg);
	conf_errors_fini(&errors);
	conf_fini(&layer);
	conf_fini(&c);
	str_fini(&path);
	str_fini(&text);
	return status;
}

int cmd_config(struct tool *t, int argc, char **argv)
{
	struct options o = { 0 };
	int opt;

	optind = 0;
	opterr = 0;
	while ((opt = getopt(argc, argv, "dnxhjeX#M")) != -1) {
		switch (opt) {
		case 'd': o.defaults = true; break;
		case 'n': o.set_only = true; break;
		case 'x': o.expanded = true; break;
		case 'h': o.values_only = true; break;
		case 'j': o.json = true; break;
		case 'e': o.edit = true; break;
		case 'X': o.remove = true; break;
		case '#': o.comment = true; break;
		case 'M': o.services = true; break;
		default:
			fputs(usage, t->err);
			return TOOL_USAGE;
		}
	}
	argv += optind;
	if ((o.edit || o.remove || o.comment) && (!*argv || o.edit + o.remove + o.comment > 1)) {
		fputs(usage, t->err);
		return TOOL_USAGE;
	}
	/* as postconf: an argument with "=" is an edit */
	if (!o.services && !o.remove && !o.comment && *argv && strchr(*argv, '='))
		o.edit = true;
	if (o.edit || o.remove || o.comment)
		return edit(t, &o, argv);
	return o.services ? show_services(t, &o, argv) : show(t, &o, argv);
}
