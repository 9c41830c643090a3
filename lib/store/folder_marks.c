/*
 * surat-folders, a line per mark; unknown lines come from later versions and are lost at the next change:
 *
 *   use \Sent Gesendet          CREATE-SPECIAL-USE (RFC 6154)
 *   made Drafts                 mailbox_defaults was followed
 */
#include "store/folder_priv.h"

#include "store/textfile.h"

struct folder_mark *folder_marks_get(struct arena *a, struct folder_marks *m, struct span name, bool add)
{
	for (size_t i = 0; i < m->n; i++)
		if (span_eq(m->v[i].name, name))
			return &m->v[i];
	if (!add)
		return NULL;
	if (m->n == m->cap) {
		struct folder_mark *v = arena_alloc(a, (m->cap + 8) * 2 * sizeof(*v));

		if (m->n)
			memcpy(v, m->v, m->n * sizeof(*v));
		m->v = v;
		m->cap = (m->cap + 8) * 2;
	}
	m->v[m->n] = (struct folder_mark){ .name = arena_span(a, name) };
	return &m->v[m->n++];
}

void folder_marks_parse(struct arena *a, struct span text, struct folder_marks *out_r)
{
	struct err err = ERR_INIT;

	*out_r = (struct folder_marks){ 0 };
	while (text.n) {
		struct span line, word, use = SPAN_NULL;
		struct folder_mark *mark;
		bool is_use;

		span_cut(text, '\n', &line, &text);
		span_cut(line, ' ', &word, &line);
		is_use = span_eqz(word, "use");
		if (is_use)
			span_cut(line, ' ', &use, &line);
		if ((!is_use && !span_eqz(word, "made")) || folder_name_check(line, &err) < 0)
			continue;
		mark = folder_marks_get(a, out_r, line, true);
		mark->uses |= folder_use_parse(use);
		mark->is_made |= !is_use;
	}
}

int folder_marks_format(const struct folder_marks *m, struct str *out)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct folder_mark *k = &m->v[i];

		for (unsigned use = 1; use <= k->uses; use <<= 1)
			if ((k->uses & use) &&
			    str_addf(out, "use %s %.*s\n", folder_use_name(use), SPAN_ARG(k->name)) < 0)
				return -1;
		if (k->is_made && str_addf(out, "made %.*s\n", SPAN_ARG(k->name)) < 0)
			return -1;
	}
	return 0;
}

int folder_marks_read(struct mail_store *s, struct arena *a, struct folder_marks *out_r, struct err *err)
{
	struct str text = STR_INIT(FOLDER_TEXT_MAX);
	int rc = textfile_read(s->root.fd, FOLDER_MARKS_NAME, &text, err);

	if (rc >= 0)
		folder_marks_parse(a, str_span(&text), out_r);
	str_fini(&text);
	return rc < 0 ? -1 : 0;
}

int folder_marks_edit(struct mail_store *s, folder_marks_fn *fn, void *arg, struct err *err)
{
	struct str out = STR_INIT(FOLDER_TEXT_MAX);
	struct arena a = { 0 };
	struct folder_marks m;
	struct textfile f;
	int rc = textfile_lock(&f, s->root.fd, FOLDER_MARKS_NAME, FOLDER_LOCK_WAIT_MS, err);

	if (rc < 0)
		return -1;
	rc = folder_marks_read(s, &a, &m, err);
	if (rc == 0 && fn(arg, &a, &m)) {
		if (folder_marks_format(&m, &out) < 0)
			rc = err_set(err, ERR_PERM, "[LIMIT] Too many special folders");
		else
			rc = textfile_replace(&f, str_span(&out), err);
	}
	textfile_unlock(&f);
	str_fini(&out);
	arena_fini(&a);
	return rc;
}
