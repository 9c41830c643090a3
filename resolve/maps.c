#include "resolve/maps.h"

#include <errno.h>
#include <pwd.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/htab.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/param.h"

#define RETRY_MS 1000           /* a table that cannot be opened is tried again after this */
#define COMPLAIN_MS 60000       /* and complained of again after this */

struct maps_table {
	char *name;
	struct map *map;                /* NULL: not open yet, or it cannot be opened */
	bool is_broken;
	uint64_t retry_ms, complain_ms;
	struct err why;
};

struct maps {
	struct htab tables;
	struct maps_table **order;      /* as named, for messages in a steady order */
	size_t n;
};

struct maps *maps_new(void)
{
	return xnew(struct maps);
}

void maps_free(struct maps *m)
{
	size_t i;

	if (!m)
		return;
	for (i = 0; i < m->n; i++) {
		map_close(&m->order[i]->map);
		free(m->order[i]->name);
		free(m->order[i]);
	}
	free(m->order);
	htab_fini(&m->tables);
	free(m);
}

struct maps_table *maps_add(struct maps *m, struct span type_name)
{
	struct maps_table *t = htab_get(&m->tables, type_name);

	if (t)
		return t;
	t = xnew(struct maps_table);
	t->name = xstrndup(type_name.p, type_name.n);
	htab_put(&m->tables, type_name, t);
	m->order = xrealloc(m->order, (m->n + 1) * sizeof(struct maps_table *));
	m->order[m->n++] = t;
	return t;
}

struct maps_table *maps_find(const struct maps *m, struct span type_name)
{
	return htab_get(&m->tables, type_name);
}

/* A type is a word in front of a colon that is followed by something: an IPv6 address and "smtp:" are none. */
bool maps_is_table(struct span word)
{
	struct span type, name;

	return span_cut(word, ':', &type, &name) && name.n > 0 && (map_is_type(type) || span_eqz(type, "proxy"));
}

struct maps_list maps_list(struct maps *m, const struct conf_list *names, struct arena *a)
{
	struct maps_list l = { arena_alloc(a, (names->n + 1) * sizeof(*l.v)), 0 };
	size_t i;

	for (i = 0; i < names->n; i++)
		l.v[l.n++] = maps_add(m, span_z(names->v[i]));
	return l;
}

/* ---- which tables there are ---- */

/* Words in braces are lists again ("check_client_access { lmdb:/x, DEFAULT }"), but not those of inline: tables. */
static void collect_words(struct maps *m, const struct conf_list *words, struct arena *a, unsigned depth)
{
	size_t i;

	for (i = 0; i < words->n; i++) {
		struct span word = span_z(words->v[i]);

		if (word.n && word.p[0] == '!')
			word = span_from(word, 1);
		if (word.n > 1 && word.p[0] == '{' && word.p[word.n - 1] == '}' && depth < 5) {
			struct conf_list inside = param_split(span_sub(word, 1, word.n - 2), a);

			collect_words(m, &inside, a, depth + 1);
		} else if (maps_is_table(word)) {
			maps_add(m, word);
		}
	}
}

/* The classes' own parameters have no stanza: they are read by name. */
static int collect_classes(struct maps *m, const struct conf_list *classes, const struct conf *c, struct arena *a,
			   struct err *err)
{
	struct str text = STR_INIT(1 << 20);
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < classes->n; i++) {
		if (!conf_raw(c, classes->v[i]))
			continue;
		str_reset(&text);
		rc = conf_expand_name(&text, c, classes->v[i], err);
		if (rc == 0) {
			struct conf_list words = param_split(arena_span(a, str_span(&text)), a);

			collect_words(m, &words, a, 0);
		}
	}
	str_fini(&text);
	return rc;
}

int maps_collect(struct maps *m, const struct conf *c, struct err *err)
{
	struct arena a = { 0 };
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < param_count; i++) {
		const struct param *p = &param_table[i];
		struct conf_list words;

		if (p->type != PARAM_MAPS && p->type != PARAM_LIST && p->type != PARAM_NETWORKS)
			continue;
		rc = param_read(p, c, &words, &a, err);
		if (rc == 0)
			collect_words(m, &words, &a, 0);
		if (rc == 0 && strcmp(p->name, "smtpd_restriction_classes") == 0)
			rc = collect_classes(m, &words, c, &a, err);
	}
	arena_fini(&a);
	return rc;
}

/* ---- files ---- */

/* The path in "type:/path"; a users: table may have ":field" behind it. Empty when there is none. */
static struct span path_of(const char *type_name)
{
	struct span rest = span_z(type_name), type, path;

	do {
		span_cut(rest, ':', &type, &rest);
	} while (span_eqz(type, "proxy"));
	if (!rest.n || rest.p[0] != '/')
		return SPAN_NULL;
	span_word(&rest, span_eqz(type, "users") ? ":" : " \t", &path);
	return path;
}

/* Growable, because a unionmap: brings the folders of its members. */
struct paths {
	struct arena *a;
	struct sandbox_path *v;
	size_t n, cap;
};

static void add_path(struct paths *p, struct span path)
{
	size_t i;

	for (i = 0; i < p->n; i++) {
		if (span_eqz(path, p->v[i].path))
			return;
	}
	if (p->n == p->cap) {
		struct sandbox_path *v = arena_alloc(p->a, (p->cap = p->cap * 2 + 8) * sizeof(*v));

		if (p->n)
			memcpy(v, p->v, p->n * sizeof(*v));
		p->v = v;
	}
	p->v[p->n++] = (struct sandbox_path){ arena_strndup(p->a, path.p, path.n), SB_READ };
}

static void add_folders(struct paths *p, const char *name)
{
	struct span path = path_of(name), rest = span_z(name), type;
	ptrdiff_t slash = span_rchr(path, '/');
	size_t i;

	span_cut(rest, ':', &type, &rest);
	if (span_eqz(type, "unionmap") && rest.n > 2) {
		struct conf_list inside = param_split(span_sub(rest, 1, rest.n - 2), p->a);

		for (i = 0; i < inside.n; i++) {
			if (!span_starts(span_z(inside.v[i]), "unionmap:"))
				add_folders(p, inside.v[i]);
		}
	} else if (span_eqz(type, "users")) {
		add_path(p, path);
	} else if (slash > 0) {
		add_path(p, span_sub(path, 0, (size_t)slash));
	}
}

void maps_paths(const struct maps *m, struct arena *a, struct sandbox_path **paths_r, size_t *n_r)
{
	struct paths p = { .a = a };
	size_t i;

	for (i = 0; i < m->n; i++)
		add_folders(&p, m->order[i]->name);
	*paths_r = p.v;
	*n_r = p.n;
}

const char *maps_owner(const struct maps_table *t, struct arena *a)
{
	struct span path = path_of(t->name);
	const struct passwd *pw;
	struct stat st;

	if (!path.n || (stat(arena_printf(a, "%.*s.lmdb", SPAN_ARG(path)), &st) < 0 &&
			stat(arena_strndup(a, path.p, path.n), &st) < 0))
		return "";
	if (st.st_uid == 0)
		return "";
	pw = getpwuid(st.st_uid);
	return pw ? arena_strdup(a, pw->pw_name) : "";
}

/* ---- asking ---- */

/* Once when it breaks, then once a minute: a busy server must not fill its log with one sentence. */
static void complain(struct maps_table *t, const struct err *err)
{
	uint64_t now = clock_mono_ms();

	t->why = *err;
	if (!t->is_broken || now >= t->complain_ms) {
		log_error("%s%s; mail that needs this table waits until it is mended", err->msg,
			  err->sys == EACCES ? " (it and its folders must be open to resolve's user, _surat-resolve)" : "");
		t->complain_ms = now + COMPLAIN_MS;
	}
	t->is_broken = true;
}

static void mended(struct maps_table *t)
{
	if (t->is_broken)
		log_info("table %s is in order again", t->name);
	t->is_broken = false;
}

static int open_table(struct maps_table *t, struct err *err)
{
	uint64_t now = clock_mono_ms();

	if (t->map)
		return 0;
	if (t->is_broken && now < t->retry_ms) {
		*err = t->why;
		return -1;
	}
	t->retry_ms = now + RETRY_MS;
	if (map_open(&t->map, t->name, err) < 0) {
		complain(t, err);
		return -1;
	}
	return 0;
}

void maps_open(struct maps *m)
{
	struct err err = ERR_INIT;
	size_t i;

	for (i = 0; i < m->n; i++)
		(void)!open_table(m->order[i], &err);
}

enum map_rc maps_get(struct maps_table *t, struct span key, struct arena *a, struct span *value_r, struct err *err)
{
	struct str value = STR_INIT(MAP_VALUE_MAX);
	enum map_rc rc;

	if (open_table(t, err) < 0) {
		err->kind = ERR_TEMP;
		return MAP_TEMP;
	}
	rc = map_get(t->map, key, &value, err);
	if (rc == MAP_TEMP)
		complain(t, err);
	else
		mended(t);
	if (rc == MAP_FOUND)
		*value_r = span_trim(arena_span(a, str_span(&value)));
	str_fini(&value);
	return rc;
}

enum map_rc maps_list_get(const struct maps_list *l, struct span key, bool is_partial, struct arena *a,
			  struct span *value_r, struct maps_table **table_r, struct err *err)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		enum map_rc rc;

		if (is_partial && maps_is_pattern(l->v[i]))
			continue;
		rc = maps_get(l->v[i], key, a, value_r, err);
		if (rc == MAP_NONE)
			continue;
		if (table_r)
			*table_r = l->v[i];
		return rc;
	}
	return MAP_NONE;
}

const char *maps_name(const struct maps_table *t)
{
	return t->name;
}

bool maps_is_pattern(const struct maps_table *t)
{
	return t->map && (map_flags(t->map) & MAP_IS_PATTERN);
}
