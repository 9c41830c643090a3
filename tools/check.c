#include "tools/check.h"

#include "conf/param.h"

const char *check_where(const struct conf *c, const char *name, struct conf_errors *errors)
{
	const struct conf_value *v = conf_find(c, name);

	return v && v->file ? arena_printf(&errors->arena, "%s:%u: %s", v->file, v->line, name) : name;
}

void check_told(const struct conf *c, const char *msg, struct conf_errors *errors)
{
	struct span name, rest;
	const char *where;

	if (!span_cut(span_z(msg), ':', &name, &rest)) {
		conf_error_once(errors, msg);
		return;
	}
	where = check_where(c, arena_strndup(&errors->arena, name.p, name.n), errors);
	conf_error_once(errors, arena_printf(&errors->arena, "%s:%.*s", where, SPAN_ARG(rest)));
}

void check_mend(struct conf *out_r, const struct conf *c)
{
	const struct param *p;
	struct err ignored;

	conf_overlay(out_r, c);
	for (p = param_table; p < param_table + param_count; p++) {
		const struct conf_value *v = conf_find(c, p->name);

		if (v && v->file && param_check(p, c, &ignored) < 0)
			(void)!conf_set(out_r, p->name, p->def, NULL, 0, &ignored);
	}
}

void check_overlay(struct conf *out_r, const struct conf *c, const struct mastercf *m, const struct mastercf_service *s)
{
	struct err ignored;
	size_t i;

	conf_overlay(out_r, c);
	(void)!conf_set(out_r, "service_name", s->name, m->file, s->line, &ignored);
	for (i = 0; i < s->n_overrides; i++) {
		const struct mastercf_override *o = &s->overrides[i];
		const struct param *p = param_find(o->name);

		if (conf_set(out_r, o->name, o->value, m->file, s->line, &ignored) == 0 && p &&
		    param_check(p, out_r, &ignored) < 0)
			(void)!conf_set(out_r, o->name, conf_raw(c, o->name), NULL, 0, &ignored);
	}
}
