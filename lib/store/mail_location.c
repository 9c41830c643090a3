#include "store/mail_location.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* Dovecot's %[[-offset.]width][L|U]x, with a letter or a name in braces. */
struct var {
	char what;
	bool is_upper, is_from_end;
	size_t offset, width;           /* width 0: all */
};

static size_t read_digits(struct span t, size_t *i)
{
	size_t v = 0;

	for (; *i < t.n && t.p[*i] >= '0' && t.p[*i] <= '9' && v <= ACCOUNT_PATH_MAX; ++*i)
		v = v * 10 + (size_t)(t.p[*i] - '0');
	return v;
}

static char long_name(struct span name)
{
	static const struct {
		const char *name;
		char what;
	} names[] = { { "user", 'u' }, { "username", 'n' }, { "domain", 'd' }, { "home", 'h' } };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		if (span_eqz(name, names[i].name))
			return names[i].what;
	}
	return '{';
}

/* Reads what stands behind a '%' at *i, and moves behind it. */
static int read_var(struct var *v, struct span t, size_t *i, struct err *err)
{
	ptrdiff_t brace;

	*v = (struct var){ .is_from_end = *i < t.n && t.p[*i] == '-' };
	*i += v->is_from_end;
	v->width = read_digits(t, i);
	if (*i < t.n && t.p[*i] == '.') {
		++*i;
		v->offset = v->width;
		v->width = read_digits(t, i);
	}
	for (; *i < t.n && (t.p[*i] == 'L' || t.p[*i] == 'U'); ++*i)
		v->is_upper = t.p[*i] == 'U';
	if (*i >= t.n)
		return err_set(err, ERR_CONF, "\"%.*s\" ends in an open %%", SPAN_ARG(t));
	v->what = t.p[(*i)++];
	brace = v->what == '{' ? span_chr(span_from(t, *i), '}') : -1;
	if (brace >= 0) {
		v->what = long_name(span_sub(t, *i, (size_t)brace));
		*i += (size_t)brace + 1;
	}
	return 0;
}

static int add_var(struct str *out, const struct var *var, struct span name, const char *home, struct err *err)
{
	struct span local, domain, v;
	size_t i, from;

	account_name_split(name, &local, &domain);
	switch (var->what) {
	case 'u':
		v = name;
		break;
	case 'n':
		v = local;
		break;
	case 'd':
		v = domain;
		break;
	case '%':
		v = SPAN_LIT("%");
		break;
	case 'h':
		if (!home)
			return err_set(err, ERR_CONF, "%.*s has no home directory", SPAN_ARG(name));
		v = span_z(home);
		break;
	default:
		return err_set(err, ERR_CONF, "unknown variable %%%c: %%u, %%n, %%d and %%h are known", var->what);
	}
	from = !var->is_from_end ? var->offset : v.n > var->offset ? v.n - var->offset : 0;
	v = span_sub(v, from, var->width ? var->width : v.n);
	for (i = 0; i < v.n; i++) {
		bool is_lower = v.p[i] >= 'a' && v.p[i] <= 'z';

		if (str_addc(out, var->is_upper && is_lower ? (char)(v.p[i] - 32) : v.p[i]) < 0)
			return err_set(err, ERR_CONF, "the expanded value is too long");
	}
	return 0;
}

int mail_location_vars(struct str *out, struct span template, struct span name, const char *home, struct err *err)
{
	struct var var = { .what = 'h' };
	size_t i = 0;

	if (span_eqz(template, "~") || span_starts(template, "~/")) {
		if (add_var(out, &var, name, home, err) < 0)
			return -1;
		i = 1;
	}
	while (i < template.n) {
		char c = template.p[i++];

		if (c != '%') {
			if (str_addc(out, c) < 0)
				return err_set(err, ERR_CONF, "the expanded value is too long");
		} else if (read_var(&var, template, &i, err) < 0 || add_var(out, &var, name, home, err) < 0) {
			return -1;
		}
	}
	return 0;
}

static int expand_path(const char **path_r, struct span template, const struct account *a, struct arena *arena,
		       struct err *err)
{
	struct str s = STR_INIT(ACCOUNT_PATH_MAX);
	int rc = -1;

	if (template.n > 0 && template.p[0] != '/' && template.p[0] != '~' && template.p[0] != '%') {
		if (!a->home) {
			err_set(err, ERR_CONF, "%s has no home directory", a->name);
			goto out;
		}
		if (str_addf(&s, "%s/", a->home) < 0) {
			err_set(err, ERR_CONF, "the home directory of %s is too long", a->name);
			goto out;
		}
	}
	if (mail_location_vars(&s, template, span_z(a->name), a->home, err) < 0)
		goto out;
	while (s.n > 1 && s.p[s.n - 1] == '/')
		str_cut(&s, s.n - 1);
	if (account_path_check(str_span(&s), err) < 0) {
		err->kind = ERR_CONF;
		goto out;
	}
	*path_r = arena_strndup(arena, s.p, s.n);
	rc = 0;
out:
	str_fini(&s);
	return rc;
}

int mail_location_expand(struct mail_location *out_r, const struct account *a, const char *template,
			 struct arena *arena, struct err *err)
{
	struct span rest, part, tail;

	*out_r = (struct mail_location){ NULL, NULL };
	if (a->mail && a->mail[0])
		template = a->mail;
	rest = span_z(template && template[0] ? template : MAIL_LOCATION_DEFAULT);
	if (span_starts(rest, "maildir:"))
		rest = span_from(rest, strlen("maildir:"));
	else if (rest.p[0] != '/' && rest.p[0] != '~' && rest.p[0] != '%')
		return err_set(err, ERR_CONF, "mail location \"%.*s\": only maildir: is known", SPAN_ARG(rest));

	span_cut(rest, ':', &part, &tail);
	if (expand_path(&out_r->path, part, a, arena, err) < 0)
		return err_wrap(err, "mail location of %s", a->name);
	while (tail.n > 0) {
		span_cut(tail, ':', &part, &tail);
		if (span_eqz(part, "INDEX=MEMORY")) {
			out_r->index = "MEMORY";
		} else if (span_starts(part, "INDEX=")) {
			if (expand_path(&out_r->index, span_from(part, strlen("INDEX=")), a, arena, err) < 0)
				return err_wrap(err, "INDEX of %s", a->name);
		} else if (!span_eqz(part, "LAYOUT=Maildir++") && !span_starts(part, "VOLATILEDIR=") &&
			   !span_starts(part, "LISTINDEX=")) {
			return err_set(err, ERR_CONF, "mail location of %s: unknown option \"%.*s\"", a->name,
				       SPAN_ARG(part));
		}
	}
	return 0;
}

/* What exists above the mailbox comes from configuration and is taken as it is; what is below is the user's. */
static const char *split_path(struct arena *a, const char *home, const char *mail, const char **rest_r)
{
	size_t n = strlen(home);
	char *base, *slash;
	struct stat st;

	if (n > 1 && strncmp(mail, home, n) == 0 && mail[n] == '/' && stat(home, &st) == 0) {
		*rest_r = mail + n + 1;
		return home;
	}
	base = arena_strdup(a, mail);
	do {
		slash = strrchr(base, '/');
		*slash = '\0';
	} while (slash > base && stat(base, &st) < 0 && errno == ENOENT);
	*rest_r = mail + (slash - base) + 1;
	return slash > base ? base : "/";
}

int mail_location_open(struct maildir *md, const char *home, const char *mail, struct err *err)
{
	struct arena a = { 0 };
	const char *base, *rest;
	char *path;
	size_t n;
	int rc;

	if (mail[0] != '/')
		return err_set(err, ERR_CONF, "mail_location: \"%s\" is not an absolute path", mail);
	path = arena_strdup(&a, mail);
	for (n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
		path[n - 1] = '\0';
	base = split_path(&a, home, path, &rest);
	rc = maildir_open(md, base, rest, MAILDIR_CREATE | MAILDIR_LINK, err);
	arena_fini(&a);
	return rc;
}
