/*
 * The disk goes first, then the index: a name in the index without its directory is harmless, as what is found there
 * counts only together with the UIDVALIDITY of the disk, and a folder that is made takes it away.
 */
#include "store/folder_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/sync_dir.h"
#include "store/index.h"
#include "store/mailbox.h"
#include "store/uidvalidity.h"

static int no_folder(struct err *err)
{
	return err_set(err, ERR_PERM, "[NONEXISTENT] There is no such folder");
}

static int sync_root(struct mail_store *s, struct err *err)
{
	return sync_dir(s->root.fd) < 0 ? err_sys(err, "cannot sync the Maildir") : 0;
}

/* ---- the index: a cache, which never makes a command fail ---- */

struct move {
	struct span from, to;           /* names */
};

/* to.n 0: forgotten. */
static int index_apply(struct mail_store *s, const struct move *v, size_t n, struct err *err)
{
	struct arena a = { 0 };
	struct index_txn t;
	int rc = index_begin(mail_store_index(s), true, &t, err);

	if (rc < 0)
		return -1;
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct span from = span_z(folder_dir(&a, v[i].from)), to = span_z(v[i].to.n ? folder_dir(&a, v[i].to) : "");

		if (index_folder_delete(&t, v[i].to.n ? to : from, err) < 0 ||
		    (v[i].to.n && index_folder_rename(&t, from, to, err) < 0))
			rc = -1;
	}
	if (rc == 0)
		rc = index_commit(&t, err);
	index_end(&t);
	arena_fini(&a);
	return rc;
}

static void index_moves(struct mail_store *s, const struct move *v, size_t n)
{
	struct err err = ERR_INIT;

	if (s->index && index_apply(s, v, n, &err) < 0 && err.kind == ERR_SYS)
		(void)!index_renew(mail_store_index(s), &err);
}

/* ---- making ---- */

struct use_edit {
	struct mail_store *s;
	struct span name;
	unsigned uses;
	bool is_taken;
};

static bool give_use(void *arg, struct arena *a, struct folder_marks *m)
{
	struct use_edit *e = arg;

	for (unsigned use = 1; use <= FOLDER_ALL; use <<= 1)
		if ((e->uses & use) && folder_use_holder(e->s, a, m, use).n)
			e->is_taken = true;
	if (e->is_taken)
		return false;
	for (size_t i = 0; i < m->n; i++)
		m->v[i].uses &= ~e->uses;
	folder_marks_get(a, m, e->name, true)->uses |= e->uses;
	return true;
}

static bool drop_use(void *arg, struct arena *a, struct folder_marks *m)
{
	struct use_edit *e = arg;
	struct folder_mark *k = folder_marks_get(a, m, e->name, false);

	if (!k || !k->uses)
		return false;
	k->uses = 0;
	return true;
}

static int create(struct mail_store *s, struct arena *a, struct span name, struct err *err)
{
	const char *stage;
	uint32_t validity;

	if (uidvalidity_next(s, &validity, err) < 0 || (stage = folder_tree_stage(s, a, validity, err)) == NULL)
		return -1;
	index_moves(s, &(struct move){ .from = name }, 1);
	if (folder_tree_publish(s, stage, folder_dir(a, name), err) == 0)
		return sync_root(s, err);
	folder_tree_remove(s, stage);
	return -1;
}

int folder_create(struct mail_store *s, struct span name, unsigned use, struct err *err)
{
	struct use_edit e = { .s = s, .name = name, .uses = use };
	struct err ignored = ERR_INIT;
	struct arena a = { 0 };
	int rc;

	if (folder_name_check(name, err) < 0)
		return -1;
	rc = folder_exists(s, name, err);
	if (rc != 0)
		return rc < 0 ? -1 : err_set(err, ERR_PERM, "[ALREADYEXISTS] There is such a folder already");
	if (use & (FOLDER_ALL | FOLDER_FLAGGED))
		return err_set(err, ERR_PERM, "[USEATTR] No folder can be made for that use");
	if (use && folder_marks_edit(s, give_use, &e, err) < 0)
		return -1;
	if (e.is_taken)
		return err_set(err, ERR_PERM, "[USEATTR] Another folder has that use");
	rc = create(s, &a, name, err);
	if (rc < 0 && use)
		(void)!folder_marks_edit(s, drop_use, &e, &ignored);
	arena_fini(&a);
	return rc;
}

int folder_delete(struct mail_store *s, struct span name, struct err *err)
{
	struct use_edit e = { .s = s, .name = name };
	struct err ignored = ERR_INIT;
	struct arena a = { 0 };
	const char *gone;
	int rc;

	if (folder_name_check(name, err) < 0)
		return -1;
	if (folder_is_inbox(name))
		return err_set(err, ERR_PERM, "[CANNOT] INBOX cannot be removed");
	rc = folder_exists(s, name, err);
	if (rc > 0)
		rc = folder_tree_hide(s, &a, folder_dir(&a, name), &gone, err);
	if (rc > 0) {
		index_moves(s, &(struct move){ .from = name }, 1);
		(void)!folder_marks_edit(s, drop_use, &e, &ignored);
		folder_tree_remove(s, gone);
		folder_tree_sweep(s);
	}
	arena_fini(&a);
	return rc > 0 ? 0 : rc < 0 ? -1 : no_folder(err);
}

/* ---- renaming ---- */

struct moves {
	struct arena arena;
	struct move *v;
	size_t n;
};

/* What is at or below from, and where it goes; checked, but for the directories that are there. */
static int plan(struct mail_store *s, struct moves *m, struct span from, struct span to, struct err *err)
{
	struct folder_list l;

	if (folder_list(s, &m->arena, &l, err) < 0)
		return -1;
	m->v = arena_alloc(&m->arena, l.n * sizeof(*m->v));
	for (size_t i = 0; i < l.n; i++) {
		struct span old = span_z(l.v[i].name), new;

		if (!l.v[i].exists || (!span_eq(old, from) && !folder_is_below(old, from)))
			continue;
		new = span_z(arena_printf(&m->arena, "%.*s%.*s", SPAN_ARG(to), SPAN_ARG(span_from(old, from.n))));
		if (folder_name_check(new, err) < 0)
			return -1;
		if (folder_find(&l, new) && folder_find(&l, new)->exists)
			return err_set(err, ERR_PERM, "[ALREADYEXISTS] There is a folder %.*s already", SPAN_ARG(new));
		m->v[m->n++] = (struct move){ old, new };
	}
	return m->n ? 0 : no_folder(err);
}

/* All or none, unless the machine stops in the middle: then some are left under the old name, and none is lost. */
static int move_dirs(struct mail_store *s, struct moves *m, struct err *err)
{
	for (size_t i = 0; i < m->n; i++) {
		if (folder_tree_publish(s, folder_dir(&m->arena, m->v[i].from), folder_dir(&m->arena, m->v[i].to), err) == 0)
			continue;
		while (i-- > 0) {
			struct err ignored = ERR_INIT;

			(void)!folder_tree_publish(s, folder_dir(&m->arena, m->v[i].to),
						   folder_dir(&m->arena, m->v[i].from), &ignored);
		}
		return -1;
	}
	return sync_root(s, err);
}

static bool move_uses(void *arg, struct arena *a, struct folder_marks *marks)
{
	struct moves *m = arg;
	bool is_changed = false;

	for (size_t i = 0; i < m->n; i++) {
		struct folder_mark *k = folder_marks_get(a, marks, m->v[i].from, false);
		unsigned uses = k ? k->uses : 0;

		if (!uses)
			continue;
		k->uses = 0;
		folder_marks_get(a, marks, m->v[i].to, true)->uses = uses;
		is_changed = true;
	}
	return is_changed;
}

/* RFC 3501 section 6.3.5: the letters move to a new folder, INBOX stays, empty; folders below it stay too. */
static int rename_inbox(struct mail_store *s, struct span to, struct err *err)
{
	struct mailbox_added added = { 0 };
	struct arena a = { 0 };
	struct mailbox *b = NULL;
	uint32_t *sel, *uids = NULL;
	int rc = folder_create(s, to, 0, err);

	if (rc == 0 && mailbox_open(&b, s, "", 0, err) != 1)
		rc = -1;
	if (rc == 0)
		rc = mailbox_load(b, err);
	if (rc == 0 && b->n > 0) {
		sel = arena_alloc(&a, b->n * sizeof(*sel));
		for (size_t i = 0; i < b->n; i++)
			sel[i] = (uint32_t)i;
		rc = mailbox_copy(b, sel, b->n, folder_dir(&a, to), true, &added, &uids, err);
		if (rc == 0)
			err_set(err, ERR_TEMP, "the new folder was removed meanwhile");
		rc = rc == 1 ? 0 : -1;
	}
	mailbox_close(&b);
	free(added.uids);
	free(uids);
	arena_fini(&a);
	return rc;
}

int folder_rename(struct mail_store *s, struct span from, struct span to, struct err *err)
{
	struct err ignored = ERR_INIT;
	struct moves m = { 0 };
	int rc;

	if (folder_name_check(from, err) < 0 || folder_name_check(to, err) < 0)
		return -1;
	if (folder_is_inbox(to) || span_eq(from, to))
		return err_set(err, ERR_PERM, "[ALREADYEXISTS] There is such a folder already");
	if (folder_is_inbox(from))
		return rename_inbox(s, to, err);
	if (folder_is_below(to, from))
		return err_set(err, ERR_PERM, "[CANNOT] A folder cannot move below itself");
	rc = plan(s, &m, from, to, err);
	if (rc == 0)
		rc = move_dirs(s, &m, err);
	if (rc == 0) {
		index_moves(s, m.v, m.n);
		(void)!folder_marks_edit(s, move_uses, &m, &ignored);
	}
	arena_fini(&m.arena);
	return rc;
}
