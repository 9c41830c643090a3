#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/mailbox_priv.h"
#include "store/maildir_name.h"

#define TRIES 4                         /* renames of others that we follow before we give up on a message */

/* ---- a file whose name may change under us ---- */

struct file {
	struct index_msg m;
	char name[NAME_MAX + 1];
	bool is_new;
};

/* 1, 0 the index does not have it, -1. */
static int get_file(struct disk *d, uint32_t uid, struct file *x, struct err *err)
{
	int rc = mail_store_idx(d->store, index_msg_get(d->t, d->f.id, uid, &x->m, err));

	x->is_new = rc > 0 && (x->m.state & INDEX_IN_NEW);
	return rc <= 0 ? rc : mailbox_index_name(d->store, d->t, d->f.id, uid, x->name, err);
}

/* Somebody has renamed it: 1 with its name of now, 0 it is gone. */
static int find_again(struct disk *d, struct file *x, struct err *err)
{
	struct maildir_entry e;
	int rc = maildir_locate(d->md, maildir_name_base(span_z(x->name)), &d->arena, &e, err);

	if (rc > 0) {
		snprintf(x->name, sizeof(x->name), "%s", e.name);
		x->is_new = e.is_new;
	}
	return rc;
}

/* ---- STORE ---- */

struct change {
	enum mailbox_store_how how;
	uint32_t flags, nameless;       /* keyword letters without a name: no client knows them, so none can take them away */
	bool met_others;                /* flags were changed that the client was not told of: the next sync does */
};

static uint32_t apply(const struct change *c, uint32_t flags)
{
	switch (c->how) {
	case MAILBOX_ADD:
		return flags | c->flags;
	case MAILBOX_REMOVE:
		return flags & ~c->flags;
	default:
		return c->flags | (flags & c->nameless);
	}
}

static uint32_t nameless(const struct mailbox *b)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < INDEX_KEYWORDS; i++)
		if (b->keywords.name[i].n == 0)
			v |= (uint32_t)INDEX_KEYWORD << i;
	return v;
}

/* Renames to the flags wanted, whatever the name is by now. 1 with x->name as it is after, 0 gone, -1. */
static int set_name(struct disk *d, struct file *x, const struct change *c, uint32_t *flags_r, struct err *err)
{
	char to[NAME_MAX + 1];
	int rc = 1;

	*flags_r = apply(c, x->m.flags);
	for (int turn = 0; turn < TRIES && rc > 0; turn++) {
		if (maildir_name_make(to, span_z(x->name), *flags_r) < 0)
			return err_set(err, ERR_PERM, "the message has a name that is too long for its flags");
		if (!x->is_new && strcmp(to, x->name) == 0)
			return 1;
		if (renameat2(x->is_new ? d->md->new : d->md->cur, x->name, d->md->cur, to, RENAME_NOREPLACE) == 0) {
			memcpy(x->name, to, sizeof(to));
			x->is_new = false;
			return 1;
		}
		if (errno != ENOENT)
			return err_sys(err, "cannot rename a message");
		rc = find_again(d, x, err);
		*flags_r = apply(c, maildir_name_flags(span_z(x->name)));
	}
	return rc <= 0 ? rc : err_set(err, ERR_TEMP, "a message is being renamed all the time");
}

/* 1 done, 0 nothing to do or gone, -1. */
static int store_one(struct disk *d, struct mailbox_msg *v, struct change *c, struct err *err)
{
	struct file x;
	uint32_t flags;
	bool is_known;
	int rc = get_file(d, v->uid, &x, err);

	if (rc <= 0)
		return rc;
	if (apply(c, x.m.flags) == x.m.flags) {
		v->modseq = v->flags == x.m.flags && !v->is_unsure ? v->modseq : 0;
		v->flags = x.m.flags;
		return 0;
	}
	rc = set_name(d, &x, c, &flags, err);
	if (rc <= 0)
		return rc;
	is_known = !v->is_unsure && v->flags == x.m.flags && flags == apply(c, x.m.flags);
	c->met_others = c->met_others || !is_known;
	x.m.state &= ~(uint32_t)INDEX_IN_NEW;
	if (mail_store_idx(d->store, index_part_put(d->t, d->f.id, v->uid, INDEX_NAME, span_z(x.name), err)) < 0 ||
	    mailbox_index_flags(d, &x.m, flags, err) < 0)
		return -1;
	v->flags = flags;
	v->modseq = is_known ? x.m.modseq : 0;
	return 1;
}

/* 1: its modseq is above. */
static int is_modified(struct disk *d, uint32_t uid, uint64_t unchanged_since, struct err *err)
{
	struct index_msg m;
	int rc = 0;

	if (unchanged_since != UINT64_MAX)
		rc = mail_store_idx(d->store, index_msg_get(d->t, d->f.id, uid, &m, err));
	return rc > 0 ? m.modseq > unchanged_since : rc;
}

/* Ends the transaction. What is done on disk is done: if the index fails now, it is made anew and finds it. */
static int finish(struct mailbox *b, struct disk *d, uint64_t before, int rc, struct err *err)
{
	struct err lost = ERR_INIT;
	uint64_t after;
	unsigned turn = 0;

	mailbox_disk_own_end(d);
	if (b->store->is_index_broken || mailbox_disk_commit(d, &lost) < 0) {
		mailbox_disk_end(d);
		return mail_store_mend(b->store, &turn) ? (rc < 0 && err->kind == ERR_PERM ? -1 : 0) : -1;
	}
	after = d->f.modseq;
	/* nobody else has changed anything: the view is as new as the index */
	if (before == b->p->modseq && d->f.id == b->p->id && index_generation(b->store->index) == b->p->generation &&
	    d->f.gone_modseq <= before)
		b->p->modseq = after;
	mailbox_disk_end(d);
	return rc;
}

int mailbox_store(struct mailbox *b, const uint32_t *sel, size_t n, enum mailbox_store_how how, uint32_t flags,
		  uint64_t unchanged_since, struct arena *a, uint32_t **modified_r, size_t *n_modified_r, struct err *err)
{
	struct change c = { how, flags, nameless(b), false };
	struct disk d;
	uint64_t before;
	int rc = 0;

	*modified_r = arena_alloc(a, (unchanged_since == UINT64_MAX ? 1 : n + 1) * sizeof(**modified_r));
	*n_modified_r = 0;
	if (b->is_read_only)
		return err_set(err, ERR_PERM, "the folder was opened for reading only");
	if (mailbox_disk_begin(&d, b->store, b->folder, &b->md, 0, err) < 0)
		return -1;
	if (d.f.validity != b->p->validity) {
		mailbox_disk_end(&d);
		return err_set(err, ERR_TEMP, "the folder is another one now");
	}
	before = d.f.modseq;
	mailbox_disk_own_begin(&d);
	for (size_t i = 0; rc >= 0 && i < n; i++) {
		rc = is_modified(&d, b->v[sel[i]].uid, unchanged_since, err);
		if (rc > 0)
			(*modified_r)[(*n_modified_r)++] = sel[i];
		else if (rc == 0)
			rc = store_one(&d, &b->v[sel[i]], &c, err);
	}
	return finish(b, &d, c.met_others ? UINT64_MAX : before, rc < 0 ? -1 : 0, err);
}

/* ---- EXPUNGE ---- */

/* 1 removed by us, 0 it was gone, -1. */
static int remove_file(struct disk *d, struct file *x, struct err *err)
{
	int rc = 1;

	for (int turn = 0; turn < TRIES && rc > 0; turn++) {
		if (unlinkat(x->is_new ? d->md->new : d->md->cur, x->name, 0) == 0)
			return 1;
		if (errno != ENOENT)
			return err_sys(err, "cannot remove a message");
		rc = find_again(d, x, err);
	}
	return rc <= 0 ? rc : err_set(err, ERR_TEMP, "a message is being renamed all the time");
}

static int expunge_one(struct disk *d, uint32_t uid, int64_t *bytes, int64_t *count, struct err *err)
{
	struct file x;
	int rc = get_file(d, uid, &x, err);

	if (rc <= 0)
		return rc;
	rc = remove_file(d, &x, err);
	if (rc < 0)
		return -1;
	if (rc > 0) {
		uint64_t size = x.m.size == UINT64_MAX ? 0 : x.m.size;

		(void)quota_name_size(x.name, &size);
		*bytes -= (int64_t)size;
		--*count;
	}
	return mailbox_index_del(d, &x.m, err);
}

int mailbox_expunge(struct mailbox *b, const uint32_t *sel, size_t n, struct err *err)
{
	int64_t bytes = 0, count = 0;
	struct disk d;
	int rc = 0;

	if (b->is_read_only)
		return err_set(err, ERR_PERM, "the folder was opened for reading only");
	if (n == 0)
		return 0;
	if (mailbox_disk_begin(&d, b->store, b->folder, &b->md, 0, err) < 0)
		return -1;
	if (d.f.validity != b->p->validity) {
		mailbox_disk_end(&d);
		return err_set(err, ERR_TEMP, "the folder is another one now");
	}
	mailbox_disk_own_begin(&d);
	for (size_t i = 0; rc >= 0 && i < n; i++)
		rc = expunge_one(&d, b->v[sel[i]].uid, &bytes, &count, err);
	rc = finish(b, &d, UINT64_MAX, rc < 0 ? -1 : 0, err);
	if (count)
		quota_add(&b->store->root, &b->store->quota, bytes, count);
	return rc;
}
