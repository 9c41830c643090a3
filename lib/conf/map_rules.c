#include "conf/map_rules.h"

#include <ctype.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/macro.h"

struct parse {
	struct map_rules *r;
	size_t cap;
	size_t open[MAP_RULES_DEPTH];   /* rules that are an if without endif yet */
	size_t depth;
};

static struct map_rule *append(struct parse *p)
{
	if (p->r->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 16;
		p->r->v = xrealloc(p->r->v, p->cap * sizeof(*p->r->v));
	}
	p->r->v[p->r->n] = (struct map_rule){ 0 };
	return &p->r->v[p->r->n++];
}

static bool take_keyword(struct span *line, const char *word)
{
	size_t n = strlen(word);

	if (!span_starts_nocase(*line, word) || (line->n > n && isalnum((unsigned char)line->p[n])))
		return false;
	*line = span_trim(span_from(*line, n));
	return true;
}

static int parse_endif(struct parse *p, struct span rest, struct err *err)
{
	if (!p->depth)
		return err_set(err, ERR_CONF, "endif without if");
	p->r->v[p->open[--p->depth]].skip = p->r->n;
	return rest.n ? err_set(err, ERR_CONF, "unexpected text behind endif") : 0;
}

static int parse_pattern(struct parse *p, struct span line, bool is_if, struct map_rule *rule, struct err *err)
{
	if (line.n && line.p[0] == '!') {
		rule->is_negated = true;
		line = span_trim(span_from(line, 1));
	}
	rule->pattern = p->r->ops->compile(&line, rule->is_negated, !is_if, &p->r->arena, err);
	if (!rule->pattern)
		return -1;
	line = span_trim(line);
	if (!is_if && !line.n)
		return err_set(err, ERR_CONF, "the result is missing");
	if (!is_if)
		rule->result = arena_strndup(&p->r->arena, line.p, line.n);
	return is_if && line.n ? err_set(err, ERR_CONF, "unexpected text behind the pattern of an if") : 0;
}

/* -1: the rule is not as it should be, and is left out. So is all up to its endif when it is an if: what it guards
 * must not hold for everybody. */
static int parse_rule(struct parse *p, struct span line, struct err *err)
{
	struct map_rule rule = { 0 };
	bool is_if;
	int rc;

	if (take_keyword(&line, "endif"))
		return parse_endif(p, line, err);
	is_if = take_keyword(&line, "if");
	rc = parse_pattern(p, line, is_if, &rule, err);
	if (is_if) {
		p->open[p->depth++] = p->r->n;
		*append(p) = rule;
	} else if (rc == 0) {
		*append(p) = rule;
	}
	return rc;
}

static void forget(struct map_rules *r)
{
	free(r->v);
	r->v = NULL;
	r->n = 0;
	arena_fini(&r->arena);
}

static int parse(struct map_rules *r, struct source *src, struct err *err)
{
	struct map_rules fresh = { .ops = r->ops };
	struct parse p = { .r = &fresh };
	struct span line;
	int rc = 0;

	while (rc == 0 && source_line(src, &line)) {
		bool has_room = fresh.n < MAP_RULES_MAX && p.depth < MAP_RULES_DEPTH;

		rc = has_room ? parse_rule(&p, line, err) :
		     err_set(err, ERR_TEMP, "too many rules, or if nested deeper than %d", MAP_RULES_DEPTH - 1);
		if (rc < 0 && err->kind == ERR_CONF && r->path) {       /* what stands in main.cf must be right */
			log_warn("%s:%u: %s", src->file, src->line, err->msg);
			rc = 0;
		}
	}
	if (rc == 0 && p.depth && !r->path)
		rc = err_set(err, ERR_CONF, "endif is missing for an if");
	if (rc < 0) {
		forget(&fresh);
		return err_wrap(err, "%s:%u", src->file, src->line);
	}
	while (p.depth) {
		log_warn("%s:%u: endif is missing for an if", src->file, src->line);
		fresh.v[p.open[--p.depth]].skip = fresh.n;
	}
	forget(r);
	r->v = fresh.v;
	r->n = fresh.n;
	r->arena = fresh.arena;
	return 0;
}

static int refresh(struct map_rules *r, struct err *err)
{
	struct source src;
	int rc = map_file_changed(&r->file, r->path, err);

	if (rc != 1)
		return rc;
	rc = source_open(&src, r->path, SOURCE_MAX, err);
	if (rc == 0)
		rc = parse(r, &src, err);
	source_fini(&src);
	if (rc < 0)
		r->file = (struct map_file){ 0 };
	return rc;
}

/* "{{rule}, {rule}}" instead of a file; messages count rules as lines. */
static int parse_inline(struct map_rules *r, const char *text, struct err *err)
{
	struct str lines = STR_INIT(SOURCE_MAX);
	struct span in, rest, word, rule;
	struct source src;
	int rc = 0;

	if (!macro_group(span_z(text), &in, &rest) || rest.n)
		return err_set(err, ERR_CONF, "'%s' is not of the form {{rule}, {rule}}", text);
	while (rc == 0 && macro_word(&in, &word)) {
		if (!macro_group(word, &rule, &rest) || rest.n)
			rc = err_set(err, ERR_CONF, "rule '%.*s' is not in braces", SPAN_ARG(word));
		else
			rc = str_addf(&lines, "%.*s\n", SPAN_ARG(span_trim(rule))) < 0 ?
				err_set(err, ERR_CONF, "too many rules") : 0;
	}
	if (rc == 0) {
		source_init(&src, "rule", str_span(&lines));
		rc = parse(r, &src, err);
		source_fini(&src);
	}
	str_fini(&lines);
	return rc;
}

int map_rules_open(struct map_rules **r_r, const struct map_rules_ops *ops, const char *path, struct err *err)
{
	struct map_rules *r = *r_r = xnew(struct map_rules);

	r->ops = ops;
	if (path[0] == '{')
		return parse_inline(r, path, err);
	r->path = xstrdup(path);
	return refresh(r, err);
}

enum map_rc map_rules_get(struct map_rules *r, const void *key, struct str *value, struct err *err)
{
	const struct map_rule *rule;
	size_t i = 0;
	int rc;

	if (r->path && refresh(r, err) < 0)
		return MAP_TEMP;
	while (i < r->n) {
		rule = &r->v[i];
		rc = rule->pattern ? r->ops->match(rule->pattern, key, err) : rule->is_negated;
		if (rc < 0)
			return MAP_TEMP;
		if ((rc == 1) == rule->is_negated) {
			i = rule->result ? i + 1 : rule->skip;
		} else if (!rule->result) {
			i++;
		} else if (r->ops->result && !rule->is_negated) {
			return r->ops->result(rule, key, value, err) < 0 ? MAP_TEMP : MAP_FOUND;
		} else if (str_addz(value, rule->result) < 0) {
			err_set(err, ERR_TEMP, "the value is too long");
			return MAP_TEMP;
		} else {
			return MAP_FOUND;
		}
	}
	return MAP_NONE;
}

void map_rules_free(struct map_rules *r)
{
	if (!r)
		return;
	forget(r);
	free(r->path);
	free(r);
}
