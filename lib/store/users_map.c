#include "store/users_map.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/mail_location.h"
#include "store/users.h"

enum field { MAILBOX, UID, GID, HOME, NAME, QUOTA };

static const char *const field_names[] = { "mailbox", "uid", "gid", "home", "name", "quota" };

struct users_map {
	struct users *users;
	enum field field;
};

static int users_map_open(void **state_r, const char *name, struct err *err)
{
	struct span dir, field;
	struct users_map *m;
	size_t i = 0;
	char *path;
	bool has_field = span_cut(span_z(name), ':', &dir, &field);

	if (dir.n == 0 || dir.p[0] != '/')
		return err_set(err, ERR_CONF, "users:%s: the directory of the user store must be absolute", name);
	if (has_field) {
		while (i < ARRAY_LEN(field_names) && !span_eqz(field, field_names[i]))
			i++;
	}
	if (i == ARRAY_LEN(field_names))
		return err_set(err, ERR_CONF, "users:%s: the field is one of mailbox, uid, gid, home, name, quota", name);
	m = xnew(struct users_map);
	m->field = (enum field)i;
	path = xstrndup(dir.p, dir.n);
	m->users = users_open(path, 0);
	free(path);
	*state_r = m;
	return 0;
}

static enum map_rc add_field(struct users_map *m, const struct account *a, struct str *value, struct arena *arena,
			     struct err *err)
{
	struct mail_location loc;
	int rc = 0;

	switch (m->field) {
	case MAILBOX:
		if (mail_location_expand(&loc, a, NULL, arena, err) < 0)
			return MAP_TEMP;
		rc = str_addf(value, "%s/", loc.path);
		break;
	case UID:
	case GID:
		if (!a->has_ids)
			return MAP_NONE;
		rc = str_addf(value, "%u", m->field == UID ? a->uid : a->gid);
		break;
	case HOME:
		if (!a->home)
			return MAP_NONE;
		rc = str_addz(value, a->home);
		break;
	case NAME:
		rc = str_addz(value, a->name);
		break;
	case QUOTA:
		if (!a->quota)
			return MAP_NONE;
		rc = str_addf(value, "%llu", (unsigned long long)a->quota);
		break;
	}
	return rc < 0 ? (enum map_rc)err_set(err, ERR_TEMP, "the record of %s is too long", a->name) : MAP_FOUND;
}

static enum map_rc users_map_get(void *state, struct span key, struct str *value, struct err *err)
{
	struct users_map *m = state;
	struct str name = STR_INIT(ACCOUNT_NAME_MAX + 1);
	struct arena arena = { 0 };
	struct account a;
	struct err ignored;
	enum map_rc rc = MAP_NONE;

	/* A key that cannot be a name ("@domain") is in no store. */
	if (account_name_fold(&name, key, &ignored) == 0)
		rc = users_get(m->users, str_span(&name), &a, &arena, err);
	if (rc == MAP_FOUND)
		rc = add_field(m, &a, value, &arena, err);
	arena_fini(&arena);
	str_fini(&name);
	return rc;
}

static void users_map_close(void *state)
{
	struct users_map *m = state;

	users_close(m->users);
	free(m);
}

const struct map_type users_map_type = { "users", 0, users_map_open, users_map_get, users_map_close };
