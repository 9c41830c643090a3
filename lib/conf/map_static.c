#include "base/mem.h"
#include "conf/macro.h"
#include "conf/map_types.h"

static int static_open(void **state_r, const char *name, struct err *err)
{
	struct span value = span_z(name), inside, rest;

	if (macro_group(value, &inside, &rest) && !rest.n)
		value = span_trim(inside);
	*state_r = xstrndup(value.p, value.n);
	return 0;
}

static enum map_rc static_get(void *state, struct span key, struct str *value, struct err *err)
{
	return map_answer(state, value, err);
}

static void static_close(void *state)
{
	free(state);
}

const struct map_type map_static_type = { "static", 0, static_open, static_get, static_close };
