#include "conf/map_source.h"

#include <ctype.h>

/* "a b": a quoted part loses its quotes; the key ends at stop outside of quotes. False when a quote stays open. */
static bool take_key(struct span line, bool (*stop)(char c), struct str *key, size_t *used_r)
{
	bool quoted = false;
	size_t i;

	str_reset(key);
	for (i = 0; i < line.n && (quoted || !stop(line.p[i])); i++) {
		if (line.p[i] == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && line.p[i] == '\\' && i + 1 < line.n)
			i++;
		if (str_addc(key, (char)tolower((unsigned char)line.p[i])) < 0)
			return false;
	}
	*used_r = i;
	return !quoted;
}

static bool stop_blank(char c)
{
	return isspace((unsigned char)c);
}

static bool stop_colon(char c)
{
	return c == ':';
}

static bool entry(struct span line, enum map_syntax syntax, struct str *key, struct span *value_r)
{
	struct span trimmed;
	size_t used;

	if (!take_key(line, syntax == MAP_SYNTAX_ALIASES ? stop_colon : stop_blank, key, &used))
		return false;
	if (syntax == MAP_SYNTAX_ALIASES && used == line.n)
		return false;
	*value_r = span_trim(span_from(line, used + (syntax == MAP_SYNTAX_ALIASES)));
	trimmed = span_trim(str_span(key));
	str_cut(key, (size_t)(trimmed.p + trimmed.n - key->p));
	str_drop(key, key->n - trimmed.n);
	return key->n && value_r->n;
}

bool map_source_next(struct source *s, enum map_syntax syntax, struct str *key_r, struct span *value_r,
                     struct conf_errors *warnings)
{
	struct span line;

	while (source_line(s, &line)) {
		if (entry(line, syntax, key_r, value_r)) {
			if (syntax == MAP_SYNTAX_TABLE && key_r->p[key_r->n - 1] == ':')
				conf_error(warnings, "warning: %s:%u: '%s' ends with a colon: is this an alias file?",
					   s->file, s->line, key_r->p);
			return true;
		}
		conf_error(warnings, "warning: %s:%u: this line is not of the form '%s' and is left out", s->file,
			   s->line,
		           syntax == MAP_SYNTAX_ALIASES ? "key: value" : "key value");
	}
	return false;
}
