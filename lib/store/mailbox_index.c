#include "store/mailbox_priv.h"

/* One for all changes of this transaction. */
static uint64_t modseq_of(struct disk *d)
{
	if (!d->modseq)
		d->modseq = d->f.modseq = index_folder_next_modseq(&d->f);
	return d->modseq;
}

/* What is known of a message. */
static void count_known(struct disk *d, const struct index_msg *m, int by)
{
	if (!(m->state & INDEX_HAS_RECORD))
		d->f.n_recordless += (uint32_t)by;
	if (m->internal_s == INDEX_NO_DATE)
		d->f.n_undated += (uint32_t)by;
	if (m->vsize == UINT64_MAX)
		d->f.n_unsized += (uint32_t)by;
	else
		d->f.bytes += by > 0 ? m->vsize : -m->vsize;
}

static void count_flags(struct disk *d, uint32_t flags, int by)
{
	if (!(flags & INDEX_SEEN))
		d->f.n_unseen += (uint32_t)by;
	if (flags & INDEX_DELETED)
		d->f.n_deleted += (uint32_t)by;
}

int mailbox_index_add(struct disk *d, struct index_msg *m, struct span name, struct err *err)
{
	struct index_folder *f = &d->f;

	m->modseq = modseq_of(d);
	f->n++;
	count_flags(d, m->flags, 1);
	count_known(d, m, 1);
	if (!(m->flags & INDEX_SEEN) && !f->first_unseen_uid) {
		f->first_unseen = f->n;
		f->first_unseen_uid = m->uid;
	}
	if (m->uid >= f->first_recent)
		f->n_recent++;
	if ((m->state & INDEX_IN_NEW) && (!f->first_new || m->uid < f->first_new))
		f->first_new = m->uid;
	if (m->uid >= f->uid_next)
		f->uid_next = m->uid + 1;
	if (mail_store_idx(d->store, index_msg_put(d->t, f->id, m, err)) < 0)
		return -1;
	return mail_store_idx(d->store, index_part_put(d->t, f->id, m->uid, INDEX_NAME, name, err));
}

int mailbox_index_del(struct disk *d, const struct index_msg *m, struct err *err)
{
	struct index_folder *f = &d->f;

	f->n--;
	count_flags(d, m->flags, -1);
	count_known(d, m, -1);
	if (m->uid >= f->first_recent)
		f->n_recent--;
	if (m->uid == f->first_unseen_uid)
		d->is_unseen_unsure = true;
	else if (m->uid < f->first_unseen_uid)
		f->first_unseen--;
	f->gone_modseq = modseq_of(d);
	if (mail_store_idx(d->store, index_gone_add(d->t, f, modseq_of(d), m->uid, err)) < 0)
		return -1;
	return mail_store_idx(d->store, index_msg_del(d->t, f->id, m->uid, err));
}

struct counter {
	uint32_t n, below;
};

static bool count_below(void *arg, const struct index_msg *m)
{
	struct counter *c = arg;

	if (m->uid >= c->below)
		return false;
	c->n++;
	return true;
}

int mailbox_index_flags(struct disk *d, struct index_msg *m, uint32_t flags, struct err *err)
{
	struct index_folder *f = &d->f;
	uint32_t was = m->flags;

	count_flags(d, was, -1);
	count_flags(d, flags, 1);
	m->flags = flags;
	m->modseq = f->flags_modseq = modseq_of(d);
	if (mail_store_idx(d->store, index_msg_put(d->t, f->id, m, err)) < 0)
		return -1;
	if (!((was ^ flags) & INDEX_SEEN))
		return 0;
	if ((flags & INDEX_SEEN) && m->uid == f->first_unseen_uid)
		d->is_unseen_unsure = true;
	if (!(flags & INDEX_SEEN) && (!f->first_unseen_uid || m->uid < f->first_unseen_uid)) {
		struct counter c = { 0, m->uid };

		if (mail_store_idx(d->store, index_msg_walk(d->t, f->id, 1, count_below, &c, err)) < 0)
			return -1;
		f->first_unseen = c.n + 1;
		f->first_unseen_uid = m->uid;
		d->is_unseen_unsure = false;
	}
	return 0;
}

void mailbox_index_has_date(struct disk *d, struct index_msg *m, int64_t internal_s)
{
	count_known(d, m, -1);
	m->internal_s = internal_s;
	count_known(d, m, 1);
}

void mailbox_index_has_record(struct disk *d, struct index_msg *m, uint64_t vsize)
{
	count_known(d, m, -1);
	m->vsize = vsize;
	m->state |= INDEX_HAS_RECORD;
	count_known(d, m, 1);
}

static bool next_unseen(void *arg, const struct index_msg *m)
{
	struct index_folder *f = arg;

	if (m->flags & INDEX_SEEN) {
		f->first_unseen++;
		return true;
	}
	f->first_unseen_uid = m->uid;
	return false;
}

int mailbox_index_settle(struct disk *d, struct err *err)
{
	struct index_folder *f = &d->f;

	if (d->is_unseen_unsure && f->n_unseen == 0)
		f->first_unseen = f->first_unseen_uid = 0;
	else if (d->is_unseen_unsure &&
		 mail_store_idx(d->store, index_msg_walk(d->t, f->id, f->first_unseen_uid, next_unseen, f, err)) < 0)
		return -1;
	d->is_unseen_unsure = false;
	return mail_store_idx(d->store, index_folder_put(d->t, span_z(d->folder), f, err));
}

int mailbox_index_name(struct mail_store *s, struct index_txn *t, uint32_t folder, uint32_t uid,
		       char name[NAME_MAX + 1],
		       struct err *err)
{
	struct span v;
	int rc = mail_store_idx(s, index_part_get(t, folder, uid, INDEX_NAME, &v, err));

	if (rc <= 0)
		return rc;
	if (v.n == 0 || v.n > NAME_MAX || span_has_nul(v) || span_chr(v, '/') >= 0)
		return mail_store_idx(s, err_set(err, ERR_SYS, "the index has a name that is none"));
	memcpy(name, v.p, v.n);
	name[v.n] = '\0';
	return 1;
}
