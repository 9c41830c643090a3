#include "base/arena.h"
#include "base/htab.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/map_source.h"
#include "conf/map_types.h"

/* The source of a table, held in memory. */
struct texthash {
	struct arena arena;
	struct htab entries;
	struct map_file file;
	char *path;
};

static void forget(struct texthash *t)
{
	htab_fini(&t->entries);
	arena_fini(&t->arena);
}

static int load(struct texthash *t, struct err *err)
{
	struct str key = STR_INIT(SOURCE_MAX);
	struct conf_errors warnings = { 0 };
	struct texthash fresh = { 0 };
	struct span value;
	struct source src;
	size_t i;
	int rc = source_open(&src, t->path, SOURCE_MAX, err);

	while (rc == 0 && map_source_next(&src, MAP_SYNTAX_TABLE, &key, &value, &warnings))
		if (!htab_get(&fresh.entries, str_span(&key)))
			htab_put(&fresh.entries, str_span(&key), arena_strndup(&fresh.arena, value.p, value.n));
	for (i = 0; i < warnings.n; i++)
		log_warn("%s", warnings.v[i] + strlen(CONF_WARNING));
	if (rc == 0) {
		forget(t);
		t->entries = fresh.entries;
		t->arena = fresh.arena;
	}
	conf_errors_fini(&warnings);
	source_fini(&src);
	str_fini(&key);
	return rc;
}

/* A failed load is tried again at the next lookup. */
static int refresh(struct texthash *t, struct err *err)
{
	int rc = map_file_changed(&t->file, t->path, err);

	if (rc == 1 && (rc = load(t, err)) < 0)
		t->file = (struct map_file){ 0 };
	return rc;
}

static int texthash_open(void **state_r, const char *name, struct err *err)
{
	struct texthash *t = *state_r = xnew(struct texthash);

	t->path = xstrdup(name);
	return refresh(t, err);
}

static enum map_rc texthash_get(void *state, struct span key, struct str *value, struct err *err)
{
	struct texthash *t = state;

	return refresh(t, err) < 0 ? MAP_TEMP : map_answer(htab_get(&t->entries, key), value, err);
}

static void texthash_close(void *state)
{
	struct texthash *t = state;

	forget(t);
	free(t->path);
	free(t);
}

const struct map_type map_texthash_type = { "texthash", MAP_FOLDS, texthash_open, texthash_get, texthash_close };
