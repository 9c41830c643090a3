#include "store/mail_location.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static int add_var(struct str *out, char c, struct span name, const char *home, struct err *err)
{
	struct span local, domain, v;

	account_name_split(name, &local, &domain);
	switch (c) {
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
		return err_set(err, ERR_CONF, "unknown variable %%%c", c);
	}
	return str_add_span(out, v) < 0 ? err_set(err, ERR_CONF, "the expanded value is too long") : 0;
}

int mail_location_vars(struct str *out, struct span template, struct span name, const char *home, struct err *err)
{
	size_t i = 0;

	if (span_eqz(template, "~") || span_starts(template, "~/")) {
		if (add_var(out, 'h', name, home, err) < 0)
			return -1;
		i = 1;
	}
	for (; i < template.n; i++) {
		char c = template.p[i];

		if (c != '%') {
			if (str_addc(out, c) < 0)
				return err_set(err, ERR_CONF, "the expanded value is too long");
			continue;
		}
		if (++i < template.n && template.p[i] == 'L')
			i++;
		if (i >= template.n)
			return err_set(err, ERR_CONF, "\"%.*s\" ends in an open %%", SPAN_ARG(template));
		if (add_var(out, template.p[i], name, home, err) < 0)
			return -1;
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
		} else if (!span_eqz(part, "LAYOUT=Maildir++")) {
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
