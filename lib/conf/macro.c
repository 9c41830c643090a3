#include "conf/macro.h"

#include <ctype.h>

#define DEPTH_MAX 16

struct macro {
	struct str *out;
	macro_fn *fn;
	void *arg;
	struct err *err;
};

static int expand(struct macro *m, struct span in, unsigned depth);

static size_t name_len(struct span s)
{
	size_t n = 0;

	while (n < s.n && (isalnum((unsigned char)s.p[n]) || s.p[n] == '_'))
		n++;
	return n;
}

static struct span skip_blanks(struct span s)
{
	while (s.n && isspace((unsigned char)s.p[0]))
		s = span_from(s, 1);
	return s;
}

bool macro_group(struct span in, struct span *inside_r, struct span *rest_r)
{
	size_t depth = 0, i;

	if (!in.n || in.p[0] != '{')
		return false;
	for (i = 0; i < in.n; i++) {
		depth += in.p[i] == '{';
		if (in.p[i] == '}' && --depth == 0) {
			*inside_r = span_sub(in, 1, i - 1);
			*rest_r = span_from(in, i + 1);
			return true;
		}
	}
	return false;
}

bool macro_word(struct span *in, struct span *word_r)
{
	struct span s = *in;
	size_t depth = 0, i;

	while (s.n && (s.p[0] == ',' || isspace((unsigned char)s.p[0])))
		s = span_from(s, 1);
	for (i = 0; i < s.n; i++) {
		depth += s.p[i] == '{';
		depth -= s.p[i] == '}' && depth > 0;
		if (!depth && (s.p[i] == ',' || isspace((unsigned char)s.p[i])))
			break;
	}
	*word_r = span_sub(s, 0, i);
	*in = span_from(s, i);
	return i > 0;
}

static int append(struct macro *m, struct span s)
{
	if (str_add_span(m->out, s) < 0)
		return err_set(m->err, ERR_CONF, "the value is longer than %zu bytes", m->out->max);
	return 0;
}


static int plain(struct macro *m, struct span name)
{
	struct str value = STR_INIT(MACRO_MAX);
	int rc = m->fn(m->arg, name, &value, m->err);

	if (rc == 0)
		rc = err_set(m->err, ERR_CONF, "'$%.*s' is not a known name", SPAN_ARG(name));
	else if (rc > 0)
		rc = append(m, str_span(&value));
	str_fini(&value);
	return rc;
}

/* "? text", ": text", "? {text} : {text}" behind a name or a comparison that was true or false. */
static int choose(struct macro *m, struct span rest, bool truth, unsigned depth)
{
	bool want = rest.p[0] == '?';
	struct span text = span_from(rest, 1), inside, after, other = SPAN_NULL;

	if (macro_group(skip_blanks(text), &inside, &after)) {
		after = skip_blanks(after);
		if (want && after.n && after.p[0] == ':' &&
		    !macro_group(skip_blanks(span_from(after, 1)), &other, &after))
			return err_set(m->err, ERR_CONF, "'{text}' is missing after '}:'");
		if (skip_blanks(after).n)
			return err_set(m->err, ERR_CONF, "unexpected '%.*s' after '}'", SPAN_ARG(after));
		text = inside;
	}
	if (truth == want)
		return expand(m, text, depth + 1);
	return expand(m, other, depth + 1);
}

/* As numbers where both are, else as text. */
static int order(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	uint64_t x, y;
	int rc;

	if (span_u64(a, UINT64_MAX, &x) == 0 && span_u64(b, UINT64_MAX, &y) == 0)
		return (x > y) - (x < y);
	rc = n ? memcmp(a.p, b.p, n) : 0;
	return rc ? rc : (a.n > b.n) - (a.n < b.n);
}

/* "3.6" against "3.10": part by part. */
static int order_levels(struct span a, struct span b)
{
	struct span x, y;
	int rc = 0;

	while (rc == 0 && (a.n || b.n)) {
		span_cut(a, '.', &x, &a);
		span_cut(b, '.', &y, &b);
		rc = order(x.n ? x : SPAN_LIT("0"), y.n ? y : SPAN_LIT("0"));
	}
	return rc;
}

static const struct operator {
	const char *text;               /* longer ones first */
	bool less, equal, greater;
} operators[] = {
	{ "==", false, true, false }, { "!=", true, false, true }, { "<=", true, true, false },
	{ ">=", false, true, true }, { "<", true, false, false }, { ">", false, false, true },
};

static bool holds(const struct operator *op, int rc)
{
	return rc < 0 ? op->less : rc > 0 ? op->greater : op->equal;
}

/* ${{a} == {b} ? {x} : {y}}; "<=level" compares versions */
static int comparison(struct macro *m, struct span in, unsigned depth)
{
	struct str left = STR_INIT(MACRO_MAX), right = STR_INIT(MACRO_MAX);
	struct span a, b, rest;
	struct macro sub = *m;
	bool is_level;
	size_t i = 0;
	int rc = -1;

	if (!macro_group(in, &a, &rest))
		return err_set(m->err, ERR_CONF, "'}' is missing in a comparison");
	rest = skip_blanks(rest);
	while (i < ARRAY_LEN(operators) && !span_starts(rest, operators[i].text))
		i++;
	if (i == ARRAY_LEN(operators))
		return err_set(m->err, ERR_CONF, "only ==, !=, <, <=, > and >= compare values");
	rest = span_from(rest, strlen(operators[i].text));
	is_level = span_starts(rest, "level");
	if (!macro_group(skip_blanks(span_from(rest, is_level ? 5 : 0)), &b, &rest))
		return err_set(m->err, ERR_CONF, "'{text}' is missing after a comparison");
	rest = skip_blanks(rest);
	if (!rest.n || (rest.p[0] != '?' && rest.p[0] != ':'))
		return err_set(m->err, ERR_CONF, "'?' is missing after a comparison");
	sub.out = &left;
	if (expand(&sub, a, depth + 1) == 0) {
		sub.out = &right;
		rc = expand(&sub, b, depth + 1);
	}
	if (rc == 0) {
		rc = (is_level ? order_levels : order)(str_span(&left), str_span(&right));
		rc = choose(m, rest, holds(&operators[i], rc), depth);
	}
	str_fini(&left);
	str_fini(&right);
	return rc;
}

static int braced(struct macro *m, struct span in, unsigned depth)
{
	struct str value = STR_INIT(MACRO_MAX);
	struct span name, rest;
	int rc;

	in = skip_blanks(in);
	if (in.n && in.p[0] == '{')
		return comparison(m, in, depth);
	name = span_sub(in, 0, name_len(in));
	rest = skip_blanks(span_from(in, name.n));
	if (!name.n)
		return err_set(m->err, ERR_CONF, "a name is missing after '${'");
	if (!rest.n)
		return plain(m, name);
	if (rest.p[0] != '?' && rest.p[0] != ':')
		return err_set(m->err, ERR_CONF, "unexpected '%.*s' in '${%.*s'", SPAN_ARG(rest), SPAN_ARG(name));
	rc = m->fn(m->arg, name, &value, m->err);
	if (rc >= 0)
		rc = choose(m, rest, value.n > 0, depth);
	str_fini(&value);
	return rc;
}

static int expand(struct macro *m, struct span in, unsigned depth)
{
	struct span inside, rest;
	ptrdiff_t at;
	size_t n;

	if (depth > DEPTH_MAX)
		return err_set(m->err, ERR_CONF, "braces are nested deeper than %d", DEPTH_MAX);
	while ((at = span_chr(in, '$')) >= 0) {
		if (append(m, span_sub(in, 0, (size_t)at)) < 0)
			return -1;
		in = span_from(in, (size_t)at + 1);
		n = name_len(in);
		if (n) {
			if (plain(m, span_sub(in, 0, n)) < 0)
				return -1;
			in = span_from(in, n);
		} else if (in.n && in.p[0] == '$') {
			if (append(m, SPAN_LIT("$")) < 0)
				return -1;
			in = span_from(in, 1);
		} else if (macro_group(in, &inside, &rest)) {
			if (braced(m, inside, depth) < 0)
				return -1;
			in = rest;
		} else if (in.n && in.p[0] == '(' && span_cut(span_from(in, 1), ')', &inside, &rest)) {
			if (braced(m, inside, depth) < 0)       /* $(name), an older form of ${name} */
				return -1;
			in = rest;
		} else {
			return err_set(m->err, ERR_CONF, in.n && in.p[0] == '{' ? "'}' is missing after '${'" :
			               "'$' is followed by no name (write $$ for a dollar sign)");
		}
	}
	return append(m, in);
}

int macro_expand(struct str *out, struct span text, macro_fn *fn, void *arg, struct err *err)
{
	struct macro m = { .out = out, .fn = fn, .arg = arg, .err = err };

	return expand(&m, text, 0);
}

void macro_names(struct span in, void (*visit)(void *arg, struct span name), void *arg)
{
	ptrdiff_t at;
	size_t n;

	while ((at = span_chr(in, '$')) >= 0) {
		in = span_from(in, (size_t)at + 1);
		if (in.n && in.p[0] == '$') {
			in = span_from(in, 1);
			continue;
		}
		if (in.n && (in.p[0] == '{' || in.p[0] == '('))
			in = skip_blanks(span_from(in, 1));
		n = name_len(in);
		if (n)
			visit(arg, span_sub(in, 0, n));
	}
}
