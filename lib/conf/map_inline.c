#include <ctype.h>

#include "base/arena.h"
#include "base/htab.h"
#include "base/mem.h"
#include "conf/macro.h"
#include "conf/map_types.h"

struct inline_map {
	struct arena arena;
	struct htab entries;
};

static int add_entry(struct inline_map *m, struct span entry, struct err *err)
{
	struct span key, value, inside, rest;
	char *folded;
	size_t i;

	if (macro_group(entry, &inside, &rest) && !rest.n)
		entry = inside;
	if (!span_cut(entry, '=', &key, &value) || !span_trim(key).n)
		return err_set(err, ERR_CONF, "'%.*s' in inline:{...} is not of the form key=value", SPAN_ARG(entry));
	key = span_trim(key);
	value = span_trim(value);
	folded = arena_strndup(&m->arena, key.p, key.n);
	for (i = 0; i < key.n; i++)
		folded[i] = (char)tolower((unsigned char)folded[i]);
	(void)!htab_put(&m->entries, span_z(folded), arena_strndup(&m->arena, value.p, value.n));
	return 0;
}

/* "{a=b, c=d}" or, with blanks inside, "{{a = b c}, {d = e}}" */
static int inline_open(void **state_r, const char *name, struct err *err)
{
	struct inline_map *m = *state_r = xnew(struct inline_map);
	struct span in, rest, word;

	if (!macro_group(span_z(name), &in, &rest) || rest.n)
		return err_set(err, ERR_CONF, "inline:%s is not of the form inline:{key=value, key=value}", name);
	while (macro_word(&in, &word))
		if (add_entry(m, word, err) < 0)
			return -1;
	return m->entries.n ? 0 : err_set(err, ERR_CONF, "inline:%s is empty", name);
}

static enum map_rc inline_get(void *state, struct span key, struct str *value, struct err *err)
{
	return map_answer(htab_get(&((struct inline_map *)state)->entries, key), value, err);
}

static void inline_close(void *state)
{
	struct inline_map *m = state;

	htab_fini(&m->entries);
	arena_fini(&m->arena);
	free(m);
}

const struct map_type map_inline_type = { "inline", MAP_FOLDS, inline_open, inline_get, inline_close };
