#include "conf/conf.h"

#include <ctype.h>
#include <stdarg.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/macro.h"
#include "conf/nearest.h"
#include "conf/networks.h"
#include "conf/param.h"
#include "conf/source.h"

#define MAIN_CF_MAX (1 << 20)
#define LOOKUPS_MAX 20000       /* of one expansion: names that double each other must not burn time */

/* The names being expanded, innermost first: a name that turns up twice is a loop. */
struct chain {
	const struct chain *outer;
	struct span name;
	const struct conf *conf;
	unsigned *lookups;
};

void conf_error(struct conf_errors *errors, const char *fmt, ...)
{
	char buf[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (errors->n == errors->cap) {
		errors->cap = errors->cap ? errors->cap * 2 : 16;
		errors->v = xrealloc(errors->v, errors->cap * sizeof(*errors->v));
	}
	errors->v[errors->n++] = arena_strdup(&errors->arena, buf);
	errors->n_warnings += conf_is_warning(buf);
}

void conf_error_once(struct conf_errors *errors, const char *line)
{
	size_t i;

	for (i = 0; i < errors->n; i++) {
		if (strcmp(errors->v[i], line) == 0)
			return;
	}
	conf_error(errors, "%s", line);
}

void conf_errors_fini(struct conf_errors *errors)
{
	free(errors->v);
	arena_fini(&errors->arena);
	*errors = (struct conf_errors){ 0 };
}

void conf_overlay(struct conf *c, const struct conf *base)
{
	*c = (struct conf){ .below = base, .dir = base ? base->dir : NULL };
}

void conf_fini(struct conf *c)
{
	htab_fini(&c->values);
	arena_fini(&c->arena);
	conf_overlay(c, NULL);
}

struct conf *conf_ref(struct conf *c)
{
	c->refs++;
	return c;
}

void conf_unref(struct conf **c)
{
	struct conf *x = *c;

	*c = NULL;
	if (!x || --x->refs > 0)
		return;
	conf_fini(x);
	free(x);
}

bool conf_list_has(const struct conf_list *l, struct span word)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		if (span_eq_nocase(word, l->v[i]))
			return true;
	}
	return false;
}

static const struct conf_value *find(const struct conf *c, struct span name)
{
	const struct conf_value *v = NULL;

	for (; c && !v; c = c->below)
		v = htab_get(&c->values, name);
	return v;
}

const struct conf_value *conf_find(const struct conf *c, const char *name)
{
	return find(c, span_z(name));
}

const char *const conf_facts[CONF_FACTS] = { "config_directory", "mail_version" };

static const char *find_fact(const struct conf *c, const char *name)
{
	if (strcmp(name, conf_facts[0]) == 0)
		return c->dir;
	return strcmp(name, conf_facts[1]) == 0 ? SURAT_VERSION : NULL;
}

const char *conf_raw(const struct conf *c, const char *name)
{
	const struct conf_value *v = conf_find(c, name);
	const struct param *p = v ? NULL : param_find(name);

	return v ? v->value : p ? p->def : find_fact(c, name);
}

static int expand_chained(struct str *out, struct span value, struct chain *chain, struct err *err);

static int expand_one(void *arg, struct span name, struct str *out, struct err *err)
{
	struct chain *outer = arg, chain = { .outer = outer, .name = name, .conf = outer->conf,
					     .lookups = outer->lookups };
	const struct conf_value *found;
	const struct chain *c;
	const char *value;
	char z[128];

	if (name.n >= sizeof(z))
		return 0;
	memcpy(z, name.p, name.n);
	z[name.n] = '\0';
	for (c = outer; c; c = c->outer)
		if (span_eq(c->name, name))
			return err_set(err, ERR_CONF, "'$%s' refers to itself", z);
	if (++*chain.lookups > LOOKUPS_MAX)
		return err_set(err, ERR_CONF, "more than %d names are expanded for one value", LOOKUPS_MAX);
	found = conf_find(outer->conf, z);
	value = found && found->content ? found->content : conf_raw(outer->conf, z);
	if (!value)
		return 0;
	return expand_chained(out, span_z(value), &chain, err) < 0 ? -1 : 1;
}

static int expand_chained(struct str *out, struct span value, struct chain *chain, struct err *err)
{
	return macro_expand(out, value, expand_one, chain, err);
}

int conf_expand(struct str *out, const struct conf *c, const char *value, struct err *err)
{
	unsigned lookups = 0;
	struct chain chain = { .conf = c, .lookups = &lookups };

	str_reset(out);
	return expand_chained(out, span_z(value), &chain, err);
}

int conf_expand_name(struct str *out, const struct conf *c, const char *name, struct err *err)
{
	unsigned lookups = 0;
	struct chain chain = { .conf = c, .lookups = &lookups };
	int rc;

	str_reset(out);
	rc = expand_one(&chain, span_z(name), out, err);
	return rc == 0 ? err_set(err, ERR_CONF, "'%s' is not a known name", name) : rc < 0 ? -1 : 0;
}

static struct conf_value *put(struct conf *c, struct span name, struct span value, const char *file, unsigned line)
{
	struct conf_value *v = arena_new(&c->arena, struct conf_value);

	v->value = arena_strndup(&c->arena, value.p, value.n);
	v->file = file ? arena_strdup(&c->arena, file) : NULL;
	v->line = line;
	return htab_put(&c->values, name, v);
}

static bool is_host_name(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (!isalnum((unsigned char)s.p[i]) && !strchr(".-_", s.p[i]) && !(s.p[i] & 0x80))
			return false;
	return s.n && s.n <= 255 && s.p[0] != '.' && s.p[0] != '-';
}

/* The first label of the host name is cut off for $mydomain; Postfix takes "localdomain" when there is one label. */
static void set_mydomain(struct conf *c)
{
	const struct conf_value *domain = conf_find(c, "mydomain");
	struct str host = STR_INIT(1024);
	struct span rest, first;
	struct err err;

	if ((!domain || !domain->file) && conf_expand_name(&host, c, "myhostname", &err) == 0) {
		if (!is_host_name(str_span(&host)) || !span_cut(str_span(&host), '.', &first, &rest) || !rest.n)
			rest = SPAN_LIT("localdomain");
		put(c, SPAN_LIT("mydomain"), rest, NULL, 0);
	}
	str_fini(&host);
}

/* A host name of one label takes mydomain, where main.cf has it. */
static void set_myhostname(struct conf *c)
{
	struct str domain = STR_INIT(1024), full = STR_INIT(1300);
	const struct conf_value *v = conf_find(c, "mydomain");
	char host[256] = "localhost";
	struct err err;

	if (gethostname(host, sizeof(host) - 1) < 0 || !host[0])
		snprintf(host, sizeof(host), "localhost");
	if (!v || conf_expand(&domain, c, v->value, &err) < 0 || !is_host_name(str_span(&domain)))
		(void)!(str_reset(&domain), str_addz(&domain, "localdomain"));
	if (str_addf(&full, strchr(host, '.') ? "%s" : "%s.%s", host, domain.p) == 0)
		put(c, SPAN_LIT("myhostname"), str_span(&full), NULL, 0);
	str_fini(&domain);
	str_fini(&full);
}

static void set_host_defaults(struct conf *c)
{
	if (!conf_find(c, "myhostname"))
		set_myhostname(c);
	set_mydomain(c);
}

void conf_define(struct conf *c, const char *name, const char *value)
{
	put(c, span_z(name), span_z(value), "command line", 1);
}

int conf_set(struct conf *c, const char *name, const char *value, const char *file, unsigned line, struct err *err)
{
	struct str hint = STR_INIT(200);
	struct nearest near;
	size_t i;

	if (!conf_raw(c, name)) {
		nearest_init(&near, name);
		for (i = 0; i < param_count; i++)
			nearest_offer(&near, param_table[i].name);
		err_set(err, ERR_CONF, "unknown parameter '%s'%s", name, nearest_hint(&near, &hint));
		str_fini(&hint);
		return -1;
	}
	put(c, span_z(name), span_z(value), file, line);
	if (strcmp(name, "myhostname") == 0)
		set_mydomain(c);
	return 0;
}

/* What is written as Dovecot's files are: "word word {" and all up to its "}", "!include". *depth counts the braces
 * from line to line. */
static bool is_dovecot(const char *file, unsigned line, struct span text, int *depth, struct conf_errors *errors)
{
	ptrdiff_t brace = span_chr(text, '{'), equals = span_chr(text, '=');
	const struct param_foreign *f;
	struct span rest = text, word;
	char name[64] = "";
	size_t i;

	if (*depth == 0 && text.p[0] == '!') {
		(void)span_word(&rest, " \t", &word);
		conf_error(errors, "%s:%u: '%.*s' is not read: main.cf is one file", file, line, SPAN_ARG(word));
		return true;
	}
	if (*depth == 0 && (brace <= 0 || (equals >= 0 && equals < brace)))
		return false;
	if (*depth == 0 && span_word(&rest, " \t{", &word)) {
		snprintf(name, sizeof(name), "%.*s", SPAN_ARG(word));
		f = param_foreign(name);
		conf_error(errors, "%s:%u: '%.*s': blocks of Dovecot are not read; %s", file, line,
		           SPAN_ARG(span_sub(text, 0, (size_t)brace + 1)),
			   f ? f->advice : "parameters stand one a line");
	}
	for (i = 0; i < text.n; i++)
		*depth += (text.p[i] == '{') - (text.p[i] == '}');
	if (*depth < 0)
		*depth = 0;
	return true;
}

static void parse_line(struct conf *c, const char *file, unsigned line, struct span text, struct conf_errors *errors)
{
	struct span name, value;
	struct conf_value *before;
	size_t i;

	if (!span_cut(text, '=', &name, &value)) {
		conf_error(errors, "%s:%u: '=' is missing after '%.*s'", file, line, SPAN_ARG(text));
		return;
	}
	name = span_trim(name);
	value = span_trim(value);
	for (i = 0; i < name.n && (isalnum((unsigned char)name.p[i]) || strchr("_-.", name.p[i])); i++)
		;
	if (!name.n || i < name.n) {
		conf_error(errors, "%s:%u: '%.*s' cannot be the name of a parameter", file, line, SPAN_ARG(name));
		return;
	}
	before = put(c, name, value, file, line);
	if (before && before->file)
		conf_error(errors, "warning: %s:%u: '%.*s' was set in line %u already; this value replaces it", file,
			   line, SPAN_ARG(name), before->line);
}

int conf_parse(struct conf *c, const char *file, struct span text, struct conf_errors *errors)
{
	size_t before = conf_errors_wrong(errors);
	struct source src;
	struct span line;
	int depth = 0;

	conf_overlay(c, NULL);
	source_init(&src, file ? file : "configuration", text);
	while (source_line(&src, &line))
		if (!is_dovecot(src.file, src.line, line, &depth, errors))
			parse_line(c, src.file, src.line, line, errors);
	source_fini(&src);
	set_host_defaults(c);
	return conf_errors_wrong(errors) > before ? -1 : 0;
}

/* Upper layers win; each name is written once. A value that stands for a file's content is written as that content. */
int conf_dump(const struct conf *c, struct str *out)
{
	const struct conf *layer;
	struct conf_value *v;
	struct span name;
	size_t pos;
	void *p;

	for (layer = c; layer; layer = layer->below) {
		for (pos = 0; htab_next(&layer->values, &pos, &name, &p);) {
			v = p;
			if (find(c, name) != v)
				continue;
			if (str_addf(out, "%.*s = %s\n", SPAN_ARG(name), v->content ? v->content : v->value) < 0)
				return -1;
		}
	}
	return 0;
}

static void check_host_name(const struct conf *c, struct conf_errors *errors)
{
	const struct conf_value *v = htab_get(&c->values, SPAN_LIT("myhostname"));
	struct str host = STR_INIT(MACRO_MAX);
	struct err err;

	if (v && v->file && conf_expand_name(&host, c, "myhostname", &err) == 0 && !is_host_name(str_span(&host)))
		conf_error(errors, "%s:%u: myhostname: '%s' is not a host name", v->file, v->line, host.p);
	str_fini(&host);
}

int conf_check(const struct conf *c, struct conf_errors *errors)
{
	size_t before = conf_errors_wrong(errors);
	const struct param *p;
	struct err err;

	for (p = param_table; p < param_table + param_count; p++) {
		if (c->below && !htab_get(&c->values, span_z(p->name)))
			continue;
		if (param_check(p, c, &err) < 0)
			conf_error(errors, "%s", err.msg);
	}
	check_host_name(c, errors);
	return conf_errors_wrong(errors) > before ? -1 : 0;
}

static void add_name(void *arg, struct span name)
{
	htab_put(arg, name, arg);
}

/* What values may be named that are no parameters: those that others refer to, and restriction classes. */
static void collect_references(const struct conf *c, struct span main_cf, struct htab *names)
{
	struct str text = STR_INIT(MAIN_CF_MAX), path = STR_INIT(4096);
	struct span classes, word;
	struct err err;

	macro_names(main_cf, add_name, names);
	if (str_addf(&path, "%s/master.cf", c->dir) == 0 && source_slurp(&text, path.p, &err) == 0)
		macro_names(str_span(&text), add_name, names);
	if (conf_raw(c, "smtpd_restriction_classes") &&
	    conf_expand_name(&text, c, "smtpd_restriction_classes", &err) == 0)
		for (classes = str_span(&text); macro_word(&classes, &word);)
			add_name(names, word);
	str_fini(&text);
	str_fini(&path);
}

static void check_name(const struct htab *names, const char *name, const struct conf_value *v,
                       struct conf_errors *errors)
{
	const struct param_foreign *f = param_foreign(name);
	struct str hint = STR_INIT(200);
	struct nearest near;
	size_t i;

	if (param_find(name) || htab_get(names, span_z(name)))
		return;
	if (f && f->is_refused && v->value[0] && strcmp(v->value, "no") != 0) {
		conf_error(errors, "%s:%u: parameter '%s' is not supported: %s", v->file, v->line, name, f->advice);
	} else if (f) {
		conf_error(errors, "warning: %s:%u: parameter '%s' has no effect: %s", v->file, v->line, name,
			   f->advice);
	} else {
		nearest_init(&near, name);
		for (i = 0; i < param_count; i++)
			nearest_offer(&near, param_table[i].name);
		conf_error(errors, "%s:%u: unknown parameter '%s'%s", v->file, v->line, name,
			   nearest_hint(&near, &hint));
		str_fini(&hint);
	}
}

/* Goes through the text again, for errors in the order of lines. */
static void check_names(const struct conf *c, const char *path, struct span text, struct conf_errors *errors)
{
	struct htab names = { 0 };
	const struct conf_value *v;
	struct span line, name, value;
	struct source src;

	collect_references(c, text, &names);
	source_init(&src, path, text);
	while (source_line(&src, &line)) {
		span_cut(line, '=', &name, &value);
		name = span_trim(name);
		v = find(c, name);
		if (v && v->line == src.line)
			check_name(&names, arena_strndup(&errors->arena, name.p, name.n), v, errors);
	}
	source_fini(&src);
	htab_fini(&names);
}

/* Daemons in a chroot see no file of networks. */
static void load_networks(struct conf *c, const struct param *p, struct conf_value *v, struct conf_errors *errors)
{
	struct str value = STR_INIT(MAIN_CF_MAX), out = STR_INIT(MAIN_CF_MAX);
	struct err err = ERR_INIT;

	if (conf_expand(&value, c, v->value, &err) == 0 && value.n && strchr(value.p, '/')) {
		if (networks_inline(&out, str_span(&value), &err) < 0)
			conf_error(errors, "%s:%u: %s: %s", v->file, v->line, p->name, err.msg);
		else if (out.n)
			v->content = arena_strndup(&c->arena, out.p, out.n);
	}
	str_fini(&value);
	str_fini(&out);
}

/* A file-valued parameter: "/etc/mailname" stands for the first line of that file, now and not later in a chroot. */
static void load_contents(struct conf *c, struct conf_errors *errors)
{
	const struct param *p;
	struct conf_value *v;
	struct source src;
	struct span line;
	struct err err;

	for (p = param_table; p < param_table + param_count; p++) {
		v = p->type == PARAM_ORIGIN || p->type == PARAM_NETWORKS ? htab_get(&c->values, span_z(p->name)) : NULL;
		if (v && p->type == PARAM_NETWORKS) {
			load_networks(c, p, v, errors);
			continue;
		}
		if (!v || v->value[0] != '/')
			continue;
		if (source_open(&src, v->value, 4096, &err) < 0)
			conf_error(errors, "%s:%u: %s: %s", v->file, v->line, p->name, err.msg);
		else if (!source_line(&src, &line))
			conf_error(errors, "%s:%u: %s: %s is empty", v->file, v->line, p->name, v->value);
		else
			v->content = arena_strndup(&c->arena, line.p, line.n);
		source_fini(&src);
	}
}

int conf_load(struct conf *c, const char *dir, struct conf_errors *errors)
{
	size_t before = conf_errors_wrong(errors);
	struct source src;
	struct str path = STR_INIT(4096);
	struct err err;
	int rc = 0;

	conf_overlay(c, NULL);
	source_init(&src, dir, SPAN_NULL);
	if (str_addf(&path, "%s/main.cf", dir) < 0 || source_open(&src, path.p, MAIN_CF_MAX, &err) < 0) {
		conf_error(errors, "%s", path.n ? err.msg : "the name of the configuration directory is too long");
	} else {
		rc = conf_parse(c, path.p, src.rest, errors);
		c->dir = arena_strdup(&c->arena, dir);
		check_names(c, path.p, src.rest, errors);
		load_contents(c, errors);
		rc |= conf_check(c, errors);
	}
	source_fini(&src);
	str_fini(&path);
	return rc < 0 || conf_errors_wrong(errors) > before ? -1 : 0;
}
