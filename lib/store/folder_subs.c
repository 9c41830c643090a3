/*
 * Version 1 is a name per line. Version 2 begins with "V<tab>2" and an empty line, and has tabs between the levels of a
 * name. Dovecot escapes control bytes by \001; no folder here can have such a name, so those lines are only kept.
 */
#include "store/folder_priv.h"

#include "base/htab.h"
#include "store/textfile.h"

#define V2_HEADER "V\t2\n\n"

static struct span sub_name(struct arena *a, struct span line, bool is_tabbed)
{
	struct err err = ERR_INIT;
	struct span name = line;

	if (is_tabbed && span_chr(line, FOLDER_SEP) >= 0)
		return SPAN_NULL;
	if (is_tabbed && span_chr(line, '\t') >= 0) {
		char *z = arena_strndup(a, line.p, line.n);

		for (size_t i = 0; i < line.n; i++)
			if (z[i] == '\t')
				z[i] = FOLDER_SEP;
		name.p = z;
	}
	if (folder_name_check(name, &err) < 0)
		return SPAN_NULL;
	return folder_is_inbox(name) ? SPAN_LIT("INBOX") : name;
}

static size_t count_lines(struct span text)
{
	size_t n = 1;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

void folder_subs_parse(struct arena *a, struct span text, struct folder_subs *out_r)
{
	struct span rest = text, line;
	bool more = true;

	*out_r = (struct folder_subs){ .is_tabbed = span_starts(text, "V\t") };
	while (out_r->is_tabbed && more) {
		more = span_cut(rest, '\n', &line, &rest);
		out_r->header = (struct span){ text.p, text.n - rest.n };
		if (line.n == 0)
			break;
	}
	out_r->v = arena_alloc(a, count_lines(rest) * sizeof(*out_r->v));
	while (rest.n) {
		span_cut(rest, '\n', &line, &rest);
		/* a stray header would begin another version once it is the first line */
		if (line.n && (out_r->is_tabbed || !span_starts(line, "V\t")))
			out_r->v[out_r->n++] = (struct folder_sub){ line, sub_name(a, line, out_r->is_tabbed) };
	}
}

static bool holds(const struct span *v, size_t n, struct span name)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq(v[i], name))
			return true;
	return false;
}

static int add_line(struct str *out, struct span name, bool is_tabbed)
{
	for (size_t i = 0; i < name.n; i++)
		if (str_addc(out, is_tabbed && name.p[i] == FOLDER_SEP ? '\t' : name.p[i]) < 0)
			return -1;
	return str_addc(out, '\n');
}

int folder_subs_format(const struct folder_subs *subs, const struct span *add, size_t n_add, const struct span *drop,
		       size_t n_drop, struct str *out)
{
	bool is_new = subs->n == 0 && subs->header.n == 0;
	bool is_tabbed = is_new || subs->is_tabbed;

	if (is_new ? str_addz(out, V2_HEADER) < 0 : str_add_span(out, subs->header) < 0)
		return -1;
	/* a header that was cut short would take the names for its own */
	while (subs->header.n && !span_ends_nocase(str_span(out), "\n\n"))
		if (str_addc(out, '\n') < 0)
			return -1;
	for (size_t i = 0; i < subs->n; i++) {
		if (subs->v[i].name.n && holds(drop, n_drop, subs->v[i].name))
			continue;
		if (str_add_span(out, subs->v[i].line) < 0 || str_addc(out, '\n') < 0)
			return -1;
	}
	for (size_t i = 0; i < n_add; i++)
		if (add_line(out, add[i], is_tabbed) < 0)
			return -1;
	return 0;
}

int folder_subs_read(struct mail_store *s, struct arena *a, struct str *text, struct folder_subs *out_r, struct err *err)
{
	if (textfile_read(s->root.fd, FOLDER_SUBS_NAME, text, err) < 0)
		return -1;
	folder_subs_parse(a, str_span(text), out_r);
	return 0;
}

/* The names of which the file says otherwise, so that nothing is written when it says so already. */
static size_t to_change(const struct folder_subs *subs, const struct span *names, size_t n, bool on, struct span *v)
{
	struct htab have = { 0 };
	size_t k = 0;

	for (size_t i = 0; i < subs->n; i++)
		if (subs->v[i].name.n)
			htab_put(&have, subs->v[i].name, &have);
	for (size_t i = 0; i < n; i++)
		if (!htab_get(&have, names[i]) == on && !holds(v, k, names[i]))
			v[k++] = names[i];
	htab_fini(&have);
	return k;
}

static int change(struct mail_store *s, const struct span *names, size_t n, bool on, struct err *err)
{
	struct str text = STR_INIT(FOLDER_TEXT_MAX), out = STR_INIT(FOLDER_TEXT_MAX);
	struct arena a = { 0 };
	struct span *v = arena_alloc(&a, n * sizeof(*v));
	struct folder_subs subs;
	struct textfile f;
	size_t k;
	int rc;

	rc = textfile_lock(&f, s->root.fd, FOLDER_SUBS_NAME, FOLDER_LOCK_WAIT_MS, err);
	if (rc < 0)
		goto out;
	rc = folder_subs_read(s, &a, &text, &subs, err);
	if (rc == 0 && (k = to_change(&subs, names, n, on, v)) > 0) {
		if (folder_subs_format(&subs, v, on ? k : 0, v, on ? 0 : k, &out) < 0)
			rc = err_set(err, ERR_PERM, "[LIMIT] Too many subscriptions");
		else
			rc = textfile_replace(&f, str_span(&out), err);
	}
	textfile_unlock(&f);
out:
	str_fini(&text);
	str_fini(&out);
	arena_fini(&a);
	return rc;
}

int folder_subs_add(struct mail_store *s, const struct span *names, size_t n, struct err *err)
{
	return n ? change(s, names, n, true, err) : 0;
}

int folder_subscribe(struct mail_store *s, struct span name, bool on, struct err *err)
{
	if (folder_name_check(name, err) < 0)
		return -1;
	if (folder_is_inbox(name))
		name = SPAN_LIT("INBOX");
	return change(s, &name, 1, on, err);
}
