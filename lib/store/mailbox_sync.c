#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "store/mailbox_priv.h"

/* While the view is walked beside the index. */
struct walking {
	struct mailbox *b;
	size_t at;                      /* messages of the view before it are dealt with */
	bool is_rebuilt;                /* every modseq is new: only flags tell a change */
	uint32_t *changed;              /* UIDs */
	size_t n_changed;
	uint32_t first_recent;
	size_t n_recent;
};

/* The directory behind the name is still the one we opened. */
static bool is_there(const struct mailbox *b)
{
	struct stat ours, now;
	const char *name = b->folder[0] ? b->folder : ".";

	return fstat(b->md.fd, &ours) == 0 && fstatat(b->store->root.fd, name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_ino == now.st_ino && ours.st_dev == now.st_dev && now.st_nlink > 0;
}

static void mark_gone(struct mailbox *b, size_t i)
{
	if (!b->v[i].is_gone)
		b->p->n_gone++;
	b->v[i].is_gone = true;
}

static void add_new(struct walking *w, const struct index_msg *m)
{
	struct mailbox_msg *v = mailbox_view_push(w->b);

	v->uid = m->uid;
	v->flags = m->flags;
	v->modseq = m->modseq;
	v->is_recent = m->uid >= w->first_recent;
	w->n_recent += v->is_recent;
}

/* Both are sorted by UID. */
static bool compare(void *arg, const struct index_msg *m)
{
	struct walking *w = arg;
	struct mailbox *b = w->b;
	struct mailbox_msg *v;

	if (m->uid >= b->p->uid_next) {
		add_new(w, m);
		return true;
	}
	while (w->at < b->n && b->v[w->at].uid < m->uid)
		mark_gone(b, w->at++);
	/* one that came back under its UID cannot be shown in the middle */
	if (w->at == b->n || b->v[w->at].uid != m->uid)
		return true;
	v = &b->v[w->at++];
	/* an index that was made anew within the same microsecond may give a modseq again */
	if (!v->is_unsure && v->modseq == m->modseq && (!w->is_rebuilt || v->flags == m->flags))
		return true;
	if (!w->is_rebuilt || v->flags != m->flags || v->modseq == 0 || v->is_unsure)
		w->changed[w->n_changed++] = v->uid;
	v->modseq = m->modseq;
	v->flags = m->flags;
	v->is_unsure = false;
	return true;
}

static void log_gone(void *arg, uint32_t uid)
{
	struct mailbox *b = arg;
	bool found;
	size_t i = mailbox_find(b, uid, &found);

	if (found)
		mark_gone(b, i);
}

/* The view takes over what the index has. */
static int follow(struct walking *w, struct index_txn *t, const struct index_folder *f, struct err *err)
{
	struct mailbox *b = w->b;
	struct mailbox_private *p = b->p;
	size_t n = b->n;
	uint32_t from = p->uid_next;
	bool must_sweep = w->is_rebuilt || f->flags_modseq > p->modseq || f->gone_floor > p->modseq;

	w->changed = arena_alloc(&p->changes, (must_sweep ? n + 1 : 1) * sizeof(*w->changed));
	if (must_sweep)
		from = 1;
	else if (mail_store_idx(b->store, index_gone_walk(t, f->id, p->modseq, log_gone, b, err)) < 0)
		return -1;
	if (mail_store_idx(b->store, index_msg_walk(t, f->id, from, compare, w, err)) < 0)
		return -1;
	if (must_sweep)
		for (; w->at < n; w->at++)
			mark_gone(b, w->at);
	return 0;
}

/* Removes what is gone from the view. Sequence numbers are counted as the client counts them. */
static void expunge(struct mailbox *b, struct mailbox_changes *ch)
{
	struct mailbox_private *p = b->p;
	size_t to = 0;

	ch->expunged = arena_alloc(&p->changes, (p->n_gone + 1) * sizeof(*ch->expunged));
	ch->expunged_uids = arena_alloc(&p->changes, (p->n_gone + 1) * sizeof(*ch->expunged_uids));
	for (size_t i = 0; i < b->n; i++) {
		if (!b->v[i].is_gone) {
			b->v[to++] = b->v[i];
			continue;
		}
		if (b->v[i].is_recent && b->now.n_recent)
			b->now.n_recent--;
		ch->expunged[ch->n_expunged] = (uint32_t)to + 1;
		ch->expunged_uids[ch->n_expunged++] = b->v[i].uid;
	}
	b->n = to;
	p->n_gone = 0;
}

static void find_changed(struct mailbox *b, const struct walking *w, struct mailbox_changes *ch)
{
	ch->changed = arena_alloc(&b->p->changes, (w->n_changed + 1) * sizeof(*ch->changed));
	for (size_t i = 0; i < w->n_changed; i++) {
		bool found;
		size_t at = mailbox_find(b, w->changed[i], &found);

		if (found && !b->v[at].is_gone)
			ch->changed[ch->n_changed++] = (uint32_t)at + 1;
	}
}

/* Nobody has asked for a message yet, and nothing but arrivals happened: numbers are all there is. */
static bool follow_unloaded(struct mailbox *b, const struct index_folder *f, const struct disk_claim *claim,
			    bool is_rebuilt)
{
	struct mailbox_private *p = b->p;
	uint32_t came = f->uid_next > p->uid_next ? f->n - (uint32_t)b->n : 0;

	if (b->is_loaded || is_rebuilt || f->n < b->n || f->gone_floor > p->modseq || f->gone_modseq > p->modseq ||
	    f->flags_modseq > p->modseq || claim->recent_from > p->uid_next)
		return false;
	b->n += came;
	/* who does not take does not claim: those of before are among them */
	b->now.n_recent = claim->n_recent + (p->look & DISK_TAKE_NEW ? b->now.n_recent : 0);
	return true;
}

static void take_numbers(struct mailbox *b, const struct index_folder *f)
{
	struct mailbox_private *p = b->p;
	uint32_t n_recent = b->now.n_recent;

	b->now = (struct mailbox_status){ .validity = f->validity, .uid_next = f->uid_next, .n = f->n, .n_unseen = f->n_unseen,
					  .n_deleted = f->n_deleted, .n_recent = n_recent, .first_unseen = f->first_unseen,
					  .modseq = f->modseq, .bytes = f->bytes };
	p->modseq = f->modseq;
	p->uid_next = f->uid_next;
	p->id = f->id;
	p->generation = index_generation(b->store->index);
}

static int sync_once(struct mailbox *b, struct walking *w, struct err *err)
{
	struct mailbox_private *p = b->p;
	struct disk_claim claim;
	struct index_folder f;
	struct index_txn t;
	int rc = 0;

	if (mailbox_disk_read(b->store, b->folder, &b->md, p->look, &t, &f, &claim, err) < 0)
		return -1;
	w->is_rebuilt = f.id != p->id || index_generation(b->store->index) != p->generation;
	w->first_recent = claim.recent_from;
	b->is_volatile = claim.is_volatile;
	if (f.validity != p->validity) {
		p->is_lost = true;
	} else if ((f.modseq != p->modseq || w->is_rebuilt) && !follow_unloaded(b, &f, &claim, w->is_rebuilt)) {
		if (!b->is_loaded)
			rc = mailbox_view_load(b, &t, &f, err);
		if (p->is_lost) {
			index_end(&t);
			return 0;
		}
		/* what was rebuilt was loaded from the new one */
		w->is_rebuilt = w->is_rebuilt && (f.id != p->id || index_generation(b->store->index) != p->generation);
		if (rc == 0)
			rc = follow(w, &t, &f, err);
		if (rc == 0)
			b->now.n_recent += (uint32_t)w->n_recent;
	}
	index_end(&t);
	if (rc == 0 && !p->is_lost)
		take_numbers(b, &f);
	return rc;
}

/* Before another attempt: what was seen to change must be seen again. */
static void take_back(struct mailbox *b, const struct walking *w, size_t n)
{
	b->n = n;
	for (size_t i = 0; i < w->n_changed; i++) {
		bool found;
		size_t at = mailbox_find(b, w->changed[i], &found);

		if (found)
			b->v[at].flags = UINT32_MAX;
	}
}

bool mailbox_is_lost(const struct mailbox *b)
{
	return b->p->is_lost;
}

int mailbox_sync(struct mailbox *b, bool may_expunge, struct mailbox_changes *ch_r, struct err *err)
{
	struct mailbox_private *p = b->p;
	struct index_file keywords = b->keywords.seen;
	struct walking w = { .b = b };
	struct err ignored = ERR_INIT;
	unsigned turn = 0;
	size_t n = b->n;

	arena_reset(&p->changes);
	*ch_r = (struct mailbox_changes){ 0 };
	p->is_lost = p->is_lost || !is_there(b);
	if (!p->is_lost && keywords_read(&b->keywords, b->md.fd, err) < 0)
		return -1;
	while (!p->is_lost && sync_once(b, &w, err) < 0) {
		take_back(b, &w, n);
		if (!mail_store_mend(b->store, &turn))
			return -1;
		w = (struct walking){ .b = b };
	}
	ch_r->is_lost = p->is_lost;
	if (p->is_lost)
		return 0;
	/* a keyword that was named since has its name before any message has it */
	if ((w.n_changed || b->n > n) && keywords_read(&b->keywords, b->md.fd, &ignored) < 0)
		b->keywords.seen = (struct index_file){ 0 };
	ch_r->has_new_keywords = !uidlist_same(&keywords, &b->keywords.seen);
	ch_r->has_new = b->n > n;
	if (may_expunge && p->n_gone)
		expunge(b, ch_r);
	find_changed(b, &w, ch_r);
	return 0;
}
