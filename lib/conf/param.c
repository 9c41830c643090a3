#include "conf/param.h"

#include <ctype.h>
#include <stdlib.h>

#include "conf/macro.h"

static int by_name(const void *key, const void *row)
{
	return strcmp(key, ((const struct param *)row)->name);
}

const struct param *param_find(const char *name)
{
	return bsearch(name, param_table, param_count, sizeof(param_table[0]), by_name);
}

static bool fits(const char *pattern, const char *name)
{
	size_t n = strlen(pattern);

	if (pattern[0] == '*')
		return strlen(name) > n - 1 && span_ends_nocase(span_z(name), pattern + 1);
	if (pattern[n - 1] == '*')
		return strncmp(pattern, name, n - 1) == 0;
	return strcmp(pattern, name) == 0;
}

const struct param_foreign *param_foreign(const char *name)
{
	const struct param_foreign *f;

	for (f = param_foreign_table; f < param_foreign_table + param_foreign_count; f++)
		if (fits(f->name, name))
			return f;
	return NULL;
}

struct unit {
	const char *name;
	uint64_t factor;
};

/* A number and behind it, blanks between or not, one of the units; no unit means bare. */
static int with_unit(struct span s, const struct unit *units, uint64_t bare, uint64_t *out_r)
{
	uint64_t number, factor = 0;
	size_t n = 0;
	struct span unit;

	s = span_trim(s);
	while (n < s.n && isdigit((unsigned char)s.p[n]))
		n++;
	if (span_u64(span_sub(s, 0, n), UINT64_MAX, &number) < 0)
		return -1;
	unit = span_trim(span_from(s, n));
	if (!unit.n)
		factor = bare;
	for (; unit.n && units->name; units++)
		if (span_eq_nocase(unit, units->name))
			factor = units->factor;
	if (!factor || number > UINT64_MAX / factor)
		return -1;
	*out_r = number * factor;
	return 0;
}

int param_time(struct span s, uint64_t unit_ms, uint64_t *out_r)
{
	static const struct unit units[] = {
		{ "ms", 1 }, { "msec", 1 }, { "msecs", 1 },
		{ "s", 1000 }, { "sec", 1000 }, { "secs", 1000 }, { "second", 1000 }, { "seconds", 1000 },
		{ "m", 60000 }, { "min", 60000 }, { "mins", 60000 }, { "minute", 60000 }, { "minutes", 60000 },
		{ "h", 3600000 }, { "hour", 3600000 }, { "hours", 3600000 },
		{ "d", 86400000 }, { "day", 86400000 }, { "days", 86400000 },
		{ "w", 604800000 }, { "week", 604800000 }, { "weeks", 604800000 }, { NULL, 0 }
	};

	return with_unit(s, units, unit_ms, out_r);
}

int param_size(struct span s, uint64_t *out_r)
{
	static const struct unit units[] = {
		{ "B", 1 }, { "bytes", 1 },
		{ "k", 1024 }, { "kB", 1024 }, { "KiB", 1024 },
		{ "M", 1048576 }, { "MB", 1048576 }, { "MiB", 1048576 },
		{ "G", 1073741824 }, { "GB", 1073741824 }, { "GiB", 1073741824 },
		{ "T", 1099511627776 }, { "TB", 1099511627776 }, { "TiB", 1099511627776 }, { NULL, 0 }
	};

	return with_unit(s, units, 1, out_r);
}

struct conf_list param_split(struct span s, struct arena *a)
{
	struct conf_list list = { NULL, 0 };
	struct span in = s, word;
	size_t n = 0;

	while (macro_word(&in, &word))
		n++;
	list.v = arena_alloc(a, (n + 1) * sizeof(*list.v));
	for (in = s; macro_word(&in, &word); list.n++)
		list.v[list.n] = arena_strndup(a, word.p, word.n);
	return list;
}

/* What is wrong with the value, or NULL; *out_r is set when nothing is. */
static const char *read_number(const struct param *p, struct span v, uint64_t *out_r)
{
	if (p->type == PARAM_TIME && param_time(v, p->unit_ms, out_r) < 0)
		return "is not a time (write 30s, 5m, 2h, 1d or 1w)";
	if (p->type == PARAM_SIZE && param_size(v, out_r) < 0)
		return "is not a size (write 5242880, 500k, 5M or 1G)";
	if (p->type == PARAM_INT && span_u64(v, UINT64_MAX, out_r) < 0)
		return "is not a number";
	return *out_r < p->min || *out_r > p->max ? "is out of range" : NULL;
}

static const char *read_bool(struct span v, bool *out_r)
{
	*out_r = span_eq_nocase(v, "yes") || span_eq_nocase(v, "true") || span_eq_nocase(v, "on");
	if (*out_r || span_eq_nocase(v, "no") || span_eq_nocase(v, "false") || span_eq_nocase(v, "off"))
		return NULL;
	return "is neither yes nor no";
}

static const char *read_enum(const struct param *p, struct span v, int *out_r)
{
	for (*out_r = 0; p->words[*out_r]; (*out_r)++)
		if (span_eq_nocase(v, p->words[*out_r]))
			return NULL;
	return "is none of the words allowed";
}

/* "{ type:name with blanks }" is one table. */
static const char *read_maps(struct span v, struct conf_list *out_r, struct arena *a)
{
	struct span inside, rest;
	size_t i;

	*out_r = param_split(v, a);
	for (i = 0; i < out_r->n; i++) {
		if (macro_group(span_z(out_r->v[i]), &inside, &rest) && !rest.n) {
			inside = span_trim(inside);
			out_r->v[i] = arena_strndup(a, inside.p, inside.n);
		}
		if (!strchr(out_r->v[i], ':'))
			return "is not a list of tables (write type:name, as in lmdb:/etc/aliases)";
	}
	return NULL;
}

static const char *read_value(const struct param *p, struct span v, void *field, struct arena *a)
{
	switch (p->type) {
	case PARAM_BOOL:
		return read_bool(v, field);
	case PARAM_INT:
	case PARAM_SIZE:
	case PARAM_TIME:
		return read_number(p, v, field);
	case PARAM_ENUM:
		return read_enum(p, v, field);
	case PARAM_LIST:
	case PARAM_NETWORKS:
		*(struct conf_list *)field = param_split(v, a);
		return NULL;
	case PARAM_MAPS:
		return read_maps(v, field, a);
	case PARAM_FILE:        /* Dovecot writes ssl_cert = </etc/x.pem */
		if (span_starts(v, "<"))
			v = span_trim(span_from(v, 1));
		*(const char **)field = arena_strndup(a, v.p, v.n);
		return NULL;
	case PARAM_STRING:
	case PARAM_RAW:
	case PARAM_ORIGIN:
		*(const char **)field = arena_strndup(a, v.p, v.n);
		return NULL;
	}
	return "is of no type";
}

static int wrap(const struct param *p, const struct conf *c, struct err *err)
{
	const struct conf_value *v = conf_find(c, p->name);

	return v && v->file ? err_wrap(err, "%s:%u: %s", v->file, v->line, p->name) : err_wrap(err, "%s", p->name);
}

int param_read(const struct param *p, const struct conf *c, void *field, struct arena *a, struct err *err)
{
	struct str value = STR_INIT(MACRO_MAX);
	const char *raw = conf_raw(c, p->name), *wrong;
	int rc = 0;

	if (p->type == PARAM_RAW)
		rc = str_addz(&value, raw);
	else
		rc = p->type == PARAM_ORIGIN || p->type == PARAM_NETWORKS ? conf_expand_name(&value, c, p->name, err) :
			conf_expand(&value, c, raw, err);
	if (rc == 0) {
		wrong = read_value(p, span_trim(str_span(&value)), field, a);
		if (wrong)
			rc = err_set(err, ERR_CONF, "'%s' %s%s%s%s", value.p, wrong, *p->range ? " (" : "", p->range,
			             *p->range ? ")" : "");
	}
	str_fini(&value);
	return rc < 0 ? wrap(p, c, err) : 0;
}

int param_read_all(const char *owner, void *out_r, const struct conf *c, struct arena *a, struct err *err)
{
	const struct param *p;

	for (p = param_table; p < param_table + param_count; p++)
		if (strcmp(p->owner, owner) == 0 && param_read(p, c, (char *)out_r + p->offset, a, err) < 0)
			return -1;
	return 0;
}

int param_check(const struct param *p, const struct conf *c, struct err *err)
{
	union {
		const char *z;
		uint64_t n;
		struct conf_list list;
	} field;
	struct arena a = { 0 };
	int rc = param_read(p, c, &field, &a, err);

	arena_fini(&a);
	return rc;
}
