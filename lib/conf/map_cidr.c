#include <ctype.h>

#include "conf/cidr.h"
#include "conf/map_rules.h"

static void *compile(struct span *text, bool negated, bool has_result, struct arena *a, struct err *err)
{
	struct cidr *net = arena_new(a, struct cidr);
	size_t n = 0;

	while (n < text->n && !isspace((unsigned char)text->p[n]))
		n++;
	if (cidr_parse(net, span_sub(*text, 0, n), err) < 0)
		return NULL;
	*text = span_from(*text, n);
	return net;
}

static int match(void *pattern, const void *key, struct err *err)
{
	return cidr_has(pattern, key);
}

static const struct map_rules_ops ops = { compile, match, NULL };

static int map_cidr_open(void **state_r, const char *name, struct err *err)
{
	struct map_rules *r = NULL;
	int rc = map_rules_open(&r, &ops, name, err);

	*state_r = r;
	return rc;
}

/* What is no address is in no network. */
static enum map_rc map_cidr_get(void *state, struct span key, struct str *value, struct err *err)
{
	struct cidr address;
	struct err ignored;

	if (span_chr(key, '/') >= 0 || cidr_parse(&address, key, &ignored) < 0)
		return MAP_NONE;
	return map_rules_get(state, &address, value, err);
}

static void map_cidr_close(void *state)
{
	map_rules_free(state);
}

const struct map_type map_cidr_type = { "cidr", MAP_IS_PATTERN, map_cidr_open, map_cidr_get, map_cidr_close };
