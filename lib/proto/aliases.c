#include "proto/aliases.h"

#include "base/str.h"

#define TEXT_MAX 4096
#define INCLUDE ":include:"

/* One destination while it is read. plain: quotes and escapes resolved; wire: quotes kept where an address needs
 * them. */
struct item {
	struct str plain;
	struct str wire;
	bool in_angle, had_angle;
	bool gap;               /* white space behind some text */
	bool quoted;            /* some of it stood in quotes */
	bool broken;            /* two words without a comma */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_special(char c)
{
	return strchr("()<>@,;:\\\"[] \t", c) != NULL;
}

static void item_reset(struct item *it)
{
	str_reset(&it->plain);
	str_reset(&it->wire);
	it->in_angle = it->had_angle = it->gap = it->quoted = it->broken = false;
}

static int too_long(struct err *err)
{
	return err_set(err, ERR_CONF, "a destination is longer than %d bytes", TEXT_MAX);
}

static int add(struct item *it, char c, struct err *err)
{
	return str_addc(&it->plain, c) < 0 || str_addc(&it->wire, c) < 0 ? too_long(err) : 0;
}

/* Commands, files and includes keep their blanks. */
static bool keeps_blanks(const struct item *it)
{
	struct span s = str_span(&it->plain);

	return s.n > 0 && (s.p[0] == '|' || s.p[0] == '/' || s.p[0] == ':');
}

/* Position behind the comment that begins at i, or n when it does not end. */
static size_t skip_comment(struct span s, size_t i)
{
	size_t depth = 0;

	for (; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.n;
}

/* A quoted string; *i stands on the opening quote and is left behind the closing one. */
static int read_quoted(struct item *it, struct span s, size_t *i, struct err *err)
{
	size_t from = it->plain.n;
	bool needs = false;

	for (++*i; *i < s.n && s.p[*i] != '"'; ++*i) {
		if (s.p[*i] == '\\' && *i + 1 < s.n)
			++*i;
		needs = needs || is_special(s.p[*i]);
		if (str_addc(&it->plain, s.p[*i]) < 0)
			return too_long(err);
	}
	if (*i >= s.n)
		return err_set(err, ERR_CONF, "a quote is not closed in \"%.*s\"", SPAN_ARG(s));
	++*i;
	it->quoted = true;
	if (!needs && it->plain.n > from)
		return str_add(&it->wire, it->plain.p + from, it->plain.n - from) < 0 ? too_long(err) : 0;
	if (str_addc(&it->wire, '"') < 0)
		return too_long(err);
	for (; from < it->plain.n; from++) {
		char c = it->plain.p[from];

		if (((c == '"' || c == '\\') && str_addc(&it->wire, '\\') < 0) || str_addc(&it->wire, c) < 0)
			return too_long(err);
	}
	return str_addc(&it->wire, '"') < 0 ? too_long(err) : 0;
}

static int emit_address(struct item *it, struct arena *a, aliases_fn *fn, void *arg, struct err *err)
{
	struct span s = str_span(&it->wire);

	if (it->broken)
		return err_set(err, ERR_CONF, "two words without a comma at \"%.*s\"", SPAN_ARG(s));
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
			return err_set(err, ERR_CONF, "a control character stands in an address");
	return fn(arg, ALIASES_ADDRESS, arena_span(a, s), err);
}

static int emit(struct item *it, struct arena *a, aliases_fn *fn, void *arg, struct err *err)
{
	struct span s = span_trim(str_span(&it->plain));
	enum aliases_kind kind;

	if (it->in_angle)
		return err_set(err, ERR_CONF, "\">\" is missing behind \"%.*s\"", SPAN_ARG(s));
	if (s.n == 0)
		return it->had_angle || it->quoted ? err_set(err, ERR_CONF, "an address is empty") : 0;
	if (s.p[0] == '|') {
		kind = ALIASES_COMMAND;
		s = span_trim(span_from(s, 1));
	} else if (s.p[0] == '/' || span_starts(s, "~/")) {
		kind = ALIASES_FILE;
	} else if (span_starts_nocase(s, INCLUDE)) {
		kind = ALIASES_INCLUDE;
		s = span_trim(span_from(s, sizeof(INCLUDE) - 1));
	} else {
		return emit_address(it, a, fn, arg, err);
	}
	if (s.n == 0 || (kind == ALIASES_INCLUDE && s.p[0] != '/'))
		return err_set(err, ERR_CONF, "%s lacks a path", kind == ALIASES_COMMAND ? "\"|\"" : INCLUDE);
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\n' || s.p[i] == '\r')
			return err_set(err, ERR_CONF, "a line end stands in a command or path");
	return fn(arg, kind, arena_span(a, s), err);
}

/* One byte outside quotes and comments; *i moves on. */
static int read_plain(struct item *it, struct span s, size_t *i, struct err *err)
{
	char c = s.p[(*i)++];

	if (is_blank(c)) {
		if (it->plain.n > 0 && !it->in_angle && !it->had_angle) {
			if (keeps_blanks(it))
				return add(it, c == '\t' ? '\t' : ' ', err);
			it->gap = true;
		}
		return 0;
	}
	if (keeps_blanks(it) && (c == '<' || c == '>' || c == '\\')) {
		if (c == '\\' && *i < s.n)
			c = s.p[(*i)++];
		return add(it, c, err);
	}
	if (c == '<') {
		if (it->in_angle || it->had_angle)
			return err_set(err, ERR_CONF, "a second \"<\" stands in \"%.*s\"", SPAN_ARG(s));
		item_reset(it);
		it->in_angle = true;
		return 0;
	}
	if (c == '>') {
		if (!it->in_angle)
			return err_set(err, ERR_CONF, "\">\" stands without \"<\" in \"%.*s\"", SPAN_ARG(s));
		it->in_angle = false;
		it->had_angle = true;
		return 0;
	}
	if (it->had_angle)
		return err_set(err, ERR_CONF, "text stands behind \">\" in \"%.*s\"", SPAN_ARG(s));
	if (it->gap)
		it->broken = true;
	it->gap = false;
	if (c == '\\') {
		if (*i >= s.n)
			return err_set(err, ERR_CONF, "a backslash stands at the end of \"%.*s\"", SPAN_ARG(s));
		c = s.p[(*i)++];
	}
	return add(it, c, err);
}

int aliases_parse(struct span list, struct arena *a, aliases_fn *fn, void *arg, struct err *err)
{
	struct item it = { .plain = STR_INIT(TEXT_MAX), .wire = STR_INIT(TEXT_MAX) };
	int rc = span_has_nul(list) ? err_set(err, ERR_CONF, "a NUL byte stands in the list") : 0;
	size_t i = 0;

	while (rc == 0 && i < list.n) {
		if (list.p[i] == '"') {
			it.broken = it.broken || (it.gap && !keeps_blanks(&it));
			it.gap = false;
			rc = it.had_angle ? err_set(err, ERR_CONF, "text stands behind \">\"")
					  : read_quoted(&it, list, &i, err);
		} else if (list.p[i] == '(' && !keeps_blanks(&it)) {
			i = skip_comment(list, i);
			it.gap = it.plain.n > 0;
		} else if (list.p[i] == ',' && !it.in_angle) {
			rc = emit(&it, a, fn, arg, err);
			item_reset(&it);
			i++;
		} else {
			rc = read_plain(&it, list, &i, err);
		}
	}
	if (rc == 0)
		rc = emit(&it, a, fn, arg, err);
	str_fini(&it.plain);
	str_fini(&it.wire);
	return rc;
}

static bool is_continuation(struct span text)
{
	return text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t');
}

int aliases_parse_file(struct span text, struct arena *a, aliases_fn *fn, void *arg, struct err *err)
{
	unsigned line_no = 0;
	struct span line;

	while (text.n > 0) {
		const char *start = text.p;
		unsigned first = ++line_no;

		span_cut(text, '\n', &line, &text);
		if (line.n > 0 && line.p[0] == '#')
			continue;
		while (is_continuation(text)) {
			span_cut(text, '\n', &line, &text);
			line_no++;
		}
		line = (struct span){ start, (size_t)(line.p + line.n - start) };
		if (aliases_parse(line, a, fn, arg, err) < 0) {
			err_wrap(err, "line %u", first);
			return -1;
		}
	}
	return 0;
}
