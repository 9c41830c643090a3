#include "store/mailbox_priv.h"
#include "store/maildir_name.h"

#define LOOK_BACK 1000                  /* UIDs: records come a moment after their letters */

int mailbox_inbox_keep(struct disk *d, struct index_msg *m, int64_t sent_s, uint64_t size, uint64_t vsize,
		       struct span keys,
		       struct span body, struct err *err)
{
	m->sent_s = sent_s == INT64_MIN ? m->internal_s : sent_s;
	m->size = size;
	mailbox_index_has_record(d, m, vsize);
	if (mail_store_idx(d->store, index_part_put(d->t, d->f.id, m->uid, INDEX_KEYS, keys, err)) < 0 ||
	    mail_store_idx(d->store, index_part_put(d->t, d->f.id, m->uid, INDEX_BODY, body, err)) < 0)
		return -1;
	return mail_store_idx(d->store, index_msg_put(d->t, d->f.id, m, err));
}

struct entry {
	struct mail_record r;
	struct span keys, body;
};

/* A letter that waits for its record. */
struct wanting {
	uint32_t uid;
	struct entry *e;
	struct wanting *next;
};

struct lookup {
	struct arena *a;
	struct htab by_name;
	struct wanting *first;
};

static struct span before_tags(struct span name)
{
	struct span base, rest;

	span_cut(name, ',', &base, &rest);
	return base;
}

static bool look_up(void *arg, uint32_t uid, struct span name)
{
	struct lookup *l = arg;
	struct entry *e = htab_get(&l->by_name, before_tags(maildir_name_base(name)));
	struct wanting *w;

	if (!e)
		return true;
	w = arena_new(l->a, struct wanting);
	*w = (struct wanting){ uid, e, l->first };
	l->first = w;
	return true;
}

int mailbox_inbox_take(struct disk *d, struct err *err)
{
	struct lookup l = { .a = &d->arena };
	struct span bytes, name;
	struct entry e;
	uint32_t from = d->f.uid_next > LOOK_BACK ? d->f.uid_next - LOOK_BACK : 1;
	int rc;

	if (d->folder[0] || d->store->index_dir < 0 || mail_inbox_take(d->store->index_dir, &d->arena, &bytes) <= 0)
		return 0;
	while (mail_inbox_next(&bytes, &name, &e.r, &e.keys, &e.body)) {
		struct entry *kept = arena_new(&d->arena, struct entry);

		*kept = e;
		(void)htab_put(&l.by_name, before_tags(name), kept);
	}
	rc = mail_store_idx(d->store, index_part_walk(d->t, d->f.id, from, INDEX_NAME, look_up, &l, err));
	for (struct wanting *w = l.first; rc == 0 && w; w = w->next) {
		struct index_msg m;

		rc = mail_store_idx(d->store, index_msg_get(d->t, d->f.id, w->uid, &m, err));
		if (rc > 0 && m.internal_s == INDEX_NO_DATE)
			rc = mailbox_dates_look(d, &m, err);
		if (rc > 0 && !(m.state & INDEX_HAS_RECORD))
			rc = mailbox_inbox_keep(d, &m, w->e->r.sent_s, w->e->r.size, w->e->r.vsize, w->e->keys, w->e->body, err);
		rc = rc < 0 ? -1 : 0;
	}
	htab_fini(&l.by_name);
	return rc;
}
