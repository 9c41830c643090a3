#include "auth/names.h"

/* The list is of ASCII characters; others are valid UTF-8 or the name is refused anyway. */
static int check_chars(const struct settings *s, struct span typed, struct err *err)
{
	const char *allowed = s->auth.auth_username_chars;
	size_t i;

	for (i = 0; i < typed.n && allowed[0]; i++) {
		if ((unsigned char)typed.p[i] < 0x80 && (typed.p[i] == '\0' || !strchr(allowed, typed.p[i])))
			return err_set(err, ERR_PERM, "a login must not contain the byte 0x%02x", typed.p[i]);
	}
	return 0;
}

static void translate(const struct settings *s, struct str *name)
{
	const char *pairs = s->auth.auth_username_translation;
	size_t i, j;

	for (i = 0; i < name->n; i++) {
		for (j = 0; pairs[j] && pairs[j + 1]; j += 2) {
			if (name->p[i] == pairs[j]) {
				name->p[i] = pairs[j + 1];
				break;
			}
		}
	}
}

/* auth_username_format: only whether the domain stays matters here; names are always folded. */
static bool drops_domain(const struct settings *s)
{
	const char *f = s->auth.auth_username_format;

	return strcmp(f, "%n") == 0 || strcmp(f, "%Ln") == 0;
}

int names_resolve(struct names *out_r, const struct settings *s, struct span typed, struct arena *arena,
		  struct err *err)
{
	struct str raw = STR_INIT(ACCOUNT_NAME_MAX + 1), name = STR_INIT(ACCOUNT_NAME_MAX + 1);
	struct span local, domain;
	const char *bare;
	bool has_domain;
	int rc = -1;

	*out_r = (struct names){ NULL, NULL, NULL };
	if (str_add_span(&raw, typed) < 0) {
		err_set(err, ERR_PERM, "the login is too long");
		goto out;
	}
	translate(s, &raw);
	if (check_chars(s, str_span(&raw), err) < 0 || account_name_fold(&name, str_span(&raw), err) < 0)
		goto out;
	has_domain = account_name_split(str_span(&name), &local, &domain);
	bare = arena_strndup(arena, local.p, local.n);
	if (has_domain && drops_domain(s))
		has_domain = false;
	if (!has_domain) {
		out_r->full = s->realm[0] ? arena_printf(arena, "%s@%s", bare, s->realm) : bare;
		out_r->bare = out_r->unix_name = bare;
	} else {
		out_r->full = arena_strndup(arena, name.p, name.n);
		if (conf_list_has(&s->global.mydestination, domain))
			out_r->bare = out_r->unix_name = bare;
		else if (s->realm[0] && span_eq_nocase(domain, s->realm))
			out_r->bare = bare;
	}
	rc = 0;
out:
	str_fini(&raw);
	str_fini(&name);
	return rc;
}
