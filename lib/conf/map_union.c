#include "base/mem.h"
#include "conf/macro.h"
#include "conf/map_types.h"

#define TABLES_MAX 64

/* All tables are asked; their results are joined with commas. */
struct union_map {
	struct map *v[TABLES_MAX];
	size_t n;
};

static int union_open(void **state_r, const char *name, struct err *err)
{
	struct union_map *u = *state_r = xnew(struct union_map);
	struct span in, rest, word;
	char *z;
	int rc = 0;

	if (!macro_group(span_z(name), &in, &rest) || rest.n)
		return err_set(err, ERR_CONF, "unionmap:%s is not of the form unionmap:{type:name, type:name}", name);
	while (rc == 0 && macro_word(&in, &word)) {
		if (u->n == TABLES_MAX || span_starts(word, "unionmap:"))
			return err_set(err, ERR_CONF, "a unionmap holds at most %d tables and no other unionmap",
				       TABLES_MAX);
		z = xstrndup(word.p, word.n);
		rc = map_open(&u->v[u->n], z, err);
		u->n += rc == 0;
		free(z);
	}
	return rc == 0 && !u->n ? err_set(err, ERR_CONF, "unionmap:%s holds no table", name) : rc;
}

static enum map_rc union_get(void *state, struct span key, struct str *value, struct err *err)
{
	struct str part = STR_INIT(MAP_VALUE_MAX);
	struct union_map *u = state;
	enum map_rc rc = MAP_NONE;
	size_t i;

	for (i = 0; i < u->n && rc != MAP_TEMP; i++) {
		rc = map_get(u->v[i], key, &part, err);
		if (rc == MAP_FOUND && ((value->n && str_addc(value, ',') < 0) ||
					str_add_span(value, str_span(&part)) < 0)) {
			err_set(err, ERR_TEMP, "the values together are too long");
			rc = MAP_TEMP;
		}
	}
	str_fini(&part);
	return rc == MAP_TEMP ? rc : value->n ? MAP_FOUND : MAP_NONE;
}

static void union_close(void *state)
{
	struct union_map *u = state;

	while (u->n)
		map_close(&u->v[--u->n]);
	free(u);
}

const struct map_type map_union_type = { "unionmap", 0, union_open, union_get, union_close };
