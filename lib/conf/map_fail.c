#include "conf/map_types.h"

/* Every lookup fails for now: to try what a broken table does to mail. */
static int fail_open(void **state_r, const char *name, struct err *err)
{
	*state_r = NULL;
	return 0;
}

static enum map_rc fail_get(void *state, struct span key, struct str *value, struct err *err)
{
	err_set(err, ERR_TEMP, "this table always fails");
	return MAP_TEMP;
}

static void fail_close(void *state)
{
}

const struct map_type map_fail_type = { "fail", 0, fail_open, fail_get, fail_close };
