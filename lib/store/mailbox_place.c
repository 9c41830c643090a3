/* A view put in a few words, and made again from them: uid_next, modseq and a count say it all as long as the index keeps
 * its log of expunges (mailbox_view_load). With another index the client is told all flags anew, and if something is gone
 * nobody knows what: the session is lost. */
#include "store/mailbox_priv.h"

/* What is recent is all from some UID on; *from_r that UID. */
static bool recent_from(const struct mailbox *b, uint32_t *from_r)
{
	size_t i = b->n, n = 0;

	*from_r = b->p->recent_from;
	if (!b->is_loaded)
		return true;
	for (; i > 0 && b->v[i - 1].is_recent; i--)
		n++;
	*from_r = i < b->n ? b->v[i].uid : b->p->uid_next;
	return n == b->now.n_recent;
}

static bool has_untold(const struct mailbox *b)
{
	size_t i;

	if (b->p->n_gone || b->n != b->now.n)
		return true;
	for (i = 0; b->is_loaded && i < b->n; i++) {
		if (b->v[i].modseq == 0 || b->v[i].is_unsure)
			return true;
	}
	return false;
}

bool mailbox_place(const struct mailbox *b, struct mailbox_place *p_r)
{
	const struct mailbox_private *p = b->p;
	uint32_t from;

	if (p->is_lost || b->is_volatile || !b->store->index || index_is_memory(b->store->index) || has_untold(b) ||
	    !recent_from(b, &from))
		return false;
	*p_r = (struct mailbox_place){
		.validity = p->validity, .id = p->id, .generation = p->generation, .modseq = p->modseq, .uid_next = p->uid_next,
		.n = b->n, .recent_from = from, .n_recent = b->now.n_recent, .keywords = b->keywords.seen,
	};
	return true;
}

/* The folder is the one that the place was taken of. */
static int is_same(struct mailbox *b, struct err *err)
{
	struct index_folder f;
	struct index_txn t;

	if (mailbox_view_read(b, &t, &f, err) < 0)
		return err->kind == ERR_TEMP ? 0 : -1;
	b->now.n_unseen = f.n_unseen;
	b->now.n_deleted = f.n_deleted;
	index_end(&t);
	return b->n < f.uid_next;
}

int mailbox_resume(struct mailbox **b_r, struct mail_store *s, const char *folder, unsigned flags,
		   const struct mailbox_place *place, struct err *err)
{
	struct mailbox *b = mailbox_new(s, folder, flags);
	struct mailbox_private *p = b->p;
	int rc = mail_store_dir(s, folder, &b->md, err);

	p->is_resumed = true;
	p->validity = (uint32_t)place->validity;
	p->id = (uint32_t)place->id;
	p->generation = place->generation;
	p->modseq = place->modseq;
	p->uid_next = (uint32_t)place->uid_next;
	p->recent_from = (uint32_t)place->recent_from;
	b->n = (size_t)place->n;
	b->now = (struct mailbox_status){ .validity = p->validity, .uid_next = p->uid_next, .n = (uint32_t)place->n,
					  .n_recent = (uint32_t)place->n_recent, .modseq = p->modseq };
	if (rc > 0)
		rc = is_same(b, err);
	if (rc > 0 && keywords_read(&b->keywords, b->md.fd, err) < 0)
		rc = -1;
	/* another file than the client was told of: the next sync tells it */
	b->keywords.seen = place->keywords;
	if (rc <= 0)
		mailbox_close(&b);
	*b_r = b;
	return rc;
}
