#include "store/folder_priv.h"

#include <unistd.h>

#include "io/sync_dir.h"
#include "proto/imap_utf7.h"

/* One entry of mailbox_defaults: Drafts, Sent:\Sent or "Sent Items":\Sent. */
struct entry {
	struct span name;               /* as on disk */
	unsigned use;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',';
}

/* 1, 0 at the end, -1. Memory of a. */
static int next_entry(struct span *rest, struct arena *a, struct entry *e_r, struct err *err)
{
	struct str disk = STR_INIT(FOLDER_NAME_MAX);
	struct span name, use = SPAN_NULL;
	size_t i = 0;
	bool is_quoted;

	while (rest->n && is_blank(*rest->p))
		*rest = span_from(*rest, 1);
	if (rest->n == 0)
		return 0;
	is_quoted = *rest->p == '"';
	if (is_quoted && !span_cut(span_from(*rest, 1), '"', &name, rest))
		return err_set(err, ERR_CONF, "a quote is missing");
	while (i < rest->n && !is_blank(rest->p[i]))
		i++;
	use = span_sub(*rest, 0, i);
	*rest = span_from(*rest, i);
	if (!is_quoted)
		span_cut(use, ':', &name, &use);
	else if (use.n && use.p[0] == ':')
		use = span_from(use, 1);
	*e_r = (struct entry){ .use = folder_use_parse(use) };
	if (use.n && !e_r->use)
		return err_set(err, ERR_CONF, "%.*s is no special use: write \\Drafts, \\Sent, \\Junk, "
			       "\\Trash or \\Archive", SPAN_ARG(use));
	if (imap_utf7_encode(&disk, name) == 0)
		e_r->name = arena_span(a, str_span(&disk));
	str_fini(&disk);
	if (e_r->name.n == 0 || folder_name_check(e_r->name, err) < 0)
		return err_set(err, ERR_CONF, "%.*s cannot be a folder", SPAN_ARG(name));
	return 1;
}

int folder_defaults_check(const char *spec, struct err *err)
{
	struct span rest = span_z(spec);
	struct arena a = { 0 };
	struct entry e;
	int rc;

	while ((rc = next_entry(&rest, &a, &e, err)) == 1)
		;
	arena_fini(&a);
	return rc;
}

static bool has_folder(struct mail_store *s, struct span name)
{
	struct err err = ERR_INIT;

	return folder_exists(s, name, &err) == 1;
}

struct span folder_use_holder(struct mail_store *s, struct arena *a, const struct folder_marks *m, unsigned use)
{
	struct span rest = span_z(s->folders);
	struct err err = ERR_INIT;
	struct entry e;

	for (size_t i = 0; i < m->n; i++)
		if ((m->v[i].uses & use) && has_folder(s, m->v[i].name))
			return m->v[i].name;
	while (next_entry(&rest, a, &e, &err) == 1)
		if (e.use == use && has_folder(s, e.name))
			return e.name;
	return SPAN_NULL;
}

/* A fresh name needs no UIDVALIDITY of its own making, nor a sync: one of the root comes at the end. */
static int make(struct mail_store *s, struct arena *a, struct span name, struct err *err)
{
	const char *stage;

	if (has_folder(s, name))
		return 0;
	stage = folder_tree_stage(s, a, 0, err);
	if (!stage)
		return -1;
	if (folder_tree_publish(s, stage, folder_dir(a, name), err) == 0)
		return 0;
	folder_tree_remove(s, stage);
	return err->kind == ERR_PERM ? 0 : -1;
}

struct to_do {
	struct span *v;
	size_t n;
};

static bool note_made(void *arg, struct arena *a, struct folder_marks *m)
{
	const struct to_do *t = arg;

	for (size_t i = 0; i < t->n; i++)
		folder_marks_get(a, m, t->v[i], true)->is_made = true;
	return true;
}

int folder_defaults(struct mail_store *s, const char *spec, struct err *err)
{
	struct span rest = span_z(spec);
	struct arena a = { 0 };
	struct folder_marks m;
	struct to_do t = { 0 };
	struct entry e;
	int rc;

	s->folders = spec;
	t.v = arena_alloc(&a, (rest.n + 1) * sizeof(*t.v));
	rc = folder_marks_read(s, &a, &m, err);
	while (rc == 0 && (rc = next_entry(&rest, &a, &e, err)) == 1) {
		struct folder_mark *k = folder_marks_get(&a, &m, e.name, true);

		rc = 0;
		if (k->is_made || folder_is_inbox(e.name))
			continue;
		k->is_made = true;
		t.v[t.n++] = e.name;
		rc = make(s, &a, e.name, err);
	}
	if (rc == 0 && t.n) {
		if (sync_dir(s->root.fd) < 0)
			rc = err_sys(err, "cannot sync the Maildir");
		if (rc == 0)
			rc = folder_subs_add(s, t.v, t.n, err);
		if (rc == 0)
			rc = folder_marks_edit(s, note_made, &t, err);
	}
	arena_fini(&a);
	return rc < 0 ? err_wrap(err, "mailbox_defaults") : 0;
}
