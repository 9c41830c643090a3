#include "conf/map.h"

#include <ctype.h>

#include "base/mem.h"
#include "conf/map_types.h"
#include "conf/nearest.h"

#define REGISTERED_MAX 16

struct map {
	const struct map_type *type;
	void *state;
	char *name;
	struct str key;
};

static const struct map_type *const builtin[] = {
	&map_lmdb_type, &map_texthash_type, &map_inline_type, &map_static_type, &map_pcre_type,
	&map_regexp_type, &map_cidr_type, &map_union_type, &map_fail_type, &map_unix_type,
};

static const char *const aliases[][2] = { { "hash", "lmdb" }, { "btree", "lmdb" } };

static const struct map_type *registered[REGISTERED_MAX];

void map_register(const struct map_type *t)
{
	size_t i = 0;

	while (i < REGISTERED_MAX && registered[i] && strcmp(registered[i]->name, t->name) != 0)
		i++;
	BUG(i == REGISTERED_MAX);
	registered[i] = t;
}

static const struct map_type *find_type(struct span name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(aliases); i++) {
		if (span_eqz(name, aliases[i][0]))
			name = span_z(aliases[i][1]);
	}
	for (i = 0; i < ARRAY_LEN(builtin); i++) {
		if (span_eqz(name, builtin[i]->name))
			return builtin[i];
	}
	for (i = 0; i < REGISTERED_MAX && registered[i]; i++) {
		if (span_eqz(name, registered[i]->name))
			return registered[i];
	}
	return NULL;
}

static int unknown_type(const char *want, struct err *err)
{
	struct str hint = STR_INIT(200);
	struct nearest near;
	size_t i;

	nearest_init(&near, want);
	for (i = 0; i < ARRAY_LEN(aliases); i++)
		nearest_offer(&near, aliases[i][0]);
	for (i = 0; i < ARRAY_LEN(builtin); i++)
		nearest_offer(&near, builtin[i]->name);
	for (i = 0; i < REGISTERED_MAX && registered[i]; i++)
		nearest_offer(&near, registered[i]->name);
	err_set(err, ERR_CONF, "unknown table type '%s'%s", want, nearest_hint(&near, &hint));
	str_fini(&hint);
	return -1;
}

bool map_is_type(struct span name)
{
	return find_type(name) != NULL;
}

/* Postfix's other types. */
static bool is_foreign(struct span name)
{
	static const char *const names[] = { "cdb", "dbm", "environ", "ldap", "memcache", "mongodb", "mysql", "netinfo",
					     "nis",
		"nisplus", "pgsql", "pipemap", "randmap", "sdbm", "socketmap", "sqlite", "tcp" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names) && !span_eqz(name, names[i]); i++)
		;
	return i < ARRAY_LEN(names);
}

static const char *skip_proxy(const char *type_name)
{
	return strncmp(type_name, "proxy:", 6) == 0 ? type_name + 6 : type_name;
}

bool map_is_indexed(const char *type_name)
{
	struct span name = span_z(skip_proxy(type_name));

	return span_starts(name, "lmdb:") || span_starts(name, "hash:") || span_starts(name, "btree:");
}

int map_open(struct map **m_r, const char *type_name, struct err *err)
{
	const struct map_type *type;
	struct span name, rest;
	char want[64];
	struct map *m;

	if (!span_cut(span_z(skip_proxy(type_name)), ':', &name, &rest))
		return err_set(err, ERR_CONF, "table '%s' has no type (write type:name, as in lmdb:%s)", type_name,
			       type_name);
	snprintf(want, sizeof(want), "%.*s", SPAN_ARG(name));
	type = find_type(name);
	if (!type && is_foreign(name))
		return err_set(err, ERR_CONF,
			       "table type '%s' is not built in; put its rows into a file for lmdb: (surat map) or "
			       "texthash:", want);
	if (!type)
		return unknown_type(want, err);
	m = xnew(struct map);
	m->type = type;
	m->name = xstrdup(type_name);
	str_init(&m->key, MAP_KEY_MAX);
	if (type->open(&m->state, rest.p, err) < 0) {
		type->close(m->state);
		m->state = NULL;
		m->type = NULL;
		map_close(&m);
		return -1;
	}
	*m_r = m;
	return 0;
}

enum map_rc map_get(struct map *m, struct span key, struct str *value, struct err *err)
{
	enum map_rc rc;
	size_t i;

	str_reset(value);
	str_reset(&m->key);
	if (str_add_span(&m->key, key) < 0 || span_has_nul(key))
		return MAP_NONE;
	if (m->type->flags & MAP_FOLDS)
		for (i = 0; i < key.n; i++)
			m->key.p[i] = (char)tolower((unsigned char)m->key.p[i]);
	rc = m->type->get(m->state, str_span(&m->key), value, err);
	if (rc == MAP_TEMP)
		err_wrap(err, "%s", m->name);
	if (rc == MAP_TEMP && !err_is_temporary(err))
		err->kind = ERR_TEMP;
	return rc;
}

unsigned map_flags(const struct map *m)
{
	return m->type->flags;
}

void map_close(struct map **m)
{
	if (!*m)
		return;
	if ((*m)->type)
		(*m)->type->close((*m)->state);
	str_fini(&(*m)->key);
	free((*m)->name);
	free(*m);
	*m = NULL;
}
