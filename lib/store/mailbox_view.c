#include <stdlib.h>

#include "base/mem.h"
#include "store/mailbox_priv.h"

struct mailbox_msg *mailbox_view_push(struct mailbox *b)
{
	struct mailbox_private *p = b->p;

	if (b->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 64;
		b->v = xrealloc(b->v, p->cap * sizeof(*b->v));
	}
	return memset(&b->v[b->n++], 0, sizeof(*b->v));
}

size_t mailbox_find(const struct mailbox *b, uint32_t uid, bool *found_r)
{
	size_t lo = 0, hi = b->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (b->v[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	*found_r = lo < b->n && b->v[lo].uid == uid;
	return lo;
}

int mailbox_view_read(struct mailbox *b, struct index_txn *t, struct index_folder *f_r, struct err *err)
{
	unsigned turn = 0;
	int rc;

	do {
		rc = mail_store_idx(b->store, index_begin(b->store->index, false, t, err));
		if (rc == 0)
			rc = mail_store_idx(b->store, index_folder_get(t, span_z(b->folder), f_r, err));
		if (rc > 0)
			break;
		index_end(t);
	} while (rc < 0 && mail_store_mend(b->store, &turn));
	if (rc < 0)
		return -1;
	if (rc == 0 && mailbox_disk_read(b->store, b->folder, &b->md, 0, t, f_r, NULL, err) < 0)
		return -1;
	if (f_r->validity == b->p->validity)
		return 0;
	index_end(t);
	return err_set(err, ERR_TEMP, "the folder is another one now");
}

/* ---- loading ---- */

struct loading {
	struct mailbox *b;
	bool is_rebuilt;
};

static bool load_one(void *arg, const struct index_msg *m)
{
	struct loading *l = arg;
	struct mailbox_private *p = l->b->p;
	struct mailbox_msg *v;

	if (m->uid >= p->uid_next)
		return false;
	v = mailbox_view_push(l->b);
	v->uid = m->uid;
	v->flags = m->flags;
	/* changed since the view's moment: the next sync tells it */
	v->modseq = m->modseq <= p->modseq || l->is_rebuilt ? m->modseq : p->modseq;
	v->is_recent = m->uid >= p->recent_from;
	v->is_unsure = p->is_resumed && (l->is_rebuilt || m->modseq > p->modseq);
	return true;
}

static int by_uid(const void *a, const void *b)
{
	const struct mailbox_msg *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static void load_gone(void *arg, uint32_t uid)
{
	struct mailbox *b = arg;
	struct mailbox_msg *v;

	if (uid >= b->p->uid_next)
		return;
	v = mailbox_view_push(b);
	v->uid = uid;
	v->is_recent = uid >= b->p->recent_from;
	v->is_gone = true;
}

/* The client knows how many there are, but not one UID yet: any that are free will do for what cannot be known. */
static void load_ghosts(struct mailbox *b, size_t n)
{
	size_t at = b->n;
	uint32_t uid = b->p->uid_next - 1;

	for (; uid && b->n < n; uid--) {
		while (at > 0 && b->v[at - 1].uid > uid)
			at--;
		if (at == 0 || b->v[at - 1].uid != uid)
			load_gone(b, uid);
	}
	qsort(b->v, b->n, sizeof(*b->v), by_uid);
}

int mailbox_view_load(struct mailbox *b, struct index_txn *t, const struct index_folder *f, struct err *err)
{
	struct mailbox_private *p = b->p;
	uint64_t generation = index_generation(b->store->index);
	struct loading l = { b, generation != p->generation || f->id != p->id };
	size_t n = b->n;

	p->cap = n + 64;
	free(b->v);
	b->v = xcalloc(p->cap, sizeof(*b->v));
	b->n = 0;
	if (mail_store_idx(b->store, index_msg_walk(t, f->id, 1, load_one, &l, err)) < 0)
		goto fail;
	p->n_gone = b->n;
	if (b->n < n && !l.is_rebuilt &&
	    mail_store_idx(b->store, index_gone_walk(t, f->id, p->modseq, load_gone, b, err)) < 0)
		goto fail;
	if (b->n > p->n_gone)
		qsort(b->v, b->n, sizeof(*b->v), by_uid);
	/* the client knows which of them are gone, and nobody else does */
	p->is_lost = p->is_lost || (b->n != n && p->is_resumed);
	if (b->n < n && !p->is_lost)
		load_ghosts(b, n);
	if (b->n != n) {
		err_set(err, ERR_TEMP, "the folder has changed too much since it was selected");
		goto fail;
	}
	p->n_gone = b->n - p->n_gone;
	p->id = f->id;
	p->generation = generation;
	b->is_loaded = true;
	return 0;
fail:
	b->n = n;
	return -1;
}

int mailbox_load(struct mailbox *b, struct err *err)
{
	unsigned turn = 0;
	int rc;

	if (b->is_loaded)
		return 0;
	do {
		struct index_txn t;
		struct index_folder f;

		if (mailbox_view_read(b, &t, &f, err) < 0)
			return -1;
		rc = mailbox_view_load(b, &t, &f, err);
		index_end(&t);
	} while (rc < 0 && mail_store_mend(b->store, &turn));
	return rc;
}

/* ---- what is gone ---- */

struct uids {
	uint32_t *v;
	size_t n, cap;
};

static void collect(void *arg, uint32_t uid)
{
	struct uids *l = arg;

	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 256;
		l->v = xrealloc(l->v, l->cap * sizeof(*l->v));
	}
	l->v[l->n++] = uid;
}

static int cmp_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int mailbox_gone(struct mailbox *b, uint64_t modseq, struct arena *a, uint32_t **uids_r, size_t *n_r,
		 bool *is_complete_r,
		 struct err *err)
{
	struct uids l = { 0 };
	struct index_folder f;
	struct index_txn t;
	unsigned turn = 0;
	int rc;

	do {
		l.n = 0;
		if (mailbox_view_read(b, &t, &f, err) < 0)
			return -1;
		*is_complete_r = modseq >= f.gone_floor;
		rc = mail_store_idx(b->store, index_gone_walk(&t, f.id, modseq, collect, &l, err));
		index_end(&t);
	} while (rc < 0 && mail_store_mend(b->store, &turn));
	if (l.n)
		qsort(l.v, l.n, sizeof(*l.v), cmp_u32);
	*uids_r = arena_alloc(a, (l.n + 1) * sizeof(**uids_r));
	if (l.n)
		memcpy(*uids_r, l.v, l.n * sizeof(*l.v));
	*n_r = l.n;
	free(l.v);
	return rc;
}
