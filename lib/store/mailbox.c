#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/mailbox_priv.h"

#define BLOB_MAX (64u << 20)

static void fill_status(struct mailbox_status *st, const struct index_folder *f)
{
	*st = (struct mailbox_status){ .validity = f->validity, .uid_next = f->uid_next, .n = f->n, .n_unseen = f->n_unseen,
				       .n_deleted = f->n_deleted, .n_recent = f->n_recent, .first_unseen = f->first_unseen,
				       .modseq = f->modseq, .bytes = f->bytes };
}

struct mailbox *mailbox_new(struct mail_store *s, const char *folder, unsigned flags)
{
	struct mailbox *b = xnew(struct mailbox);

	b->p = xnew(struct mailbox_private);
	b->store = s;
	b->folder = xstrdup(folder);
	b->md = (struct maildir)MAILDIR_INIT;
	b->is_read_only = flags & MAILBOX_READ_ONLY;
	b->p->look = flags & (MAILBOX_READ_ONLY | MAILBOX_KEEP_NEW) ? 0 : DISK_TAKE_NEW;
	str_init(&b->p->body, BLOB_MAX);
	return b;
}

void mailbox_close(struct mailbox **b_r)
{
	struct mailbox *b = *b_r;

	if (!b)
		return;
	*b_r = NULL;
	maildir_close(&b->md);
	keywords_fini(&b->keywords);
	arena_fini(&b->p->changes);
	str_fini(&b->p->body);
	free(b->v);
	free(b->p);
	free((char *)(uintptr_t)b->folder);
	free(b);
}

static int fill(struct mailbox *b, struct err *err)
{
	struct mailbox_private *p = b->p;
	struct index_txn t;
	struct index_folder f;
	struct disk_claim claim;

	if (mailbox_disk_read(b->store, b->folder, &b->md, b->p->look | DISK_OPEN, &t, &f, &claim, err) < 0)
		return -1;
	index_end(&t);
	/* what a message has was named before */
	if (keywords_read(&b->keywords, b->md.fd, err) < 0)
		return -1;
	fill_status(&b->now, &f);
	b->now.n_recent = claim.n_recent;
	b->is_volatile = claim.is_volatile;
	b->n = f.n;
	p->validity = f.validity;
	p->id = f.id;
	p->generation = index_generation(b->store->index);
	p->modseq = f.modseq;
	p->uid_next = f.uid_next;
	p->recent_from = claim.recent_from;
	return 1;
}

/* Reads what nobody has measured. */
static int measure(struct mailbox *b, struct err *err)
{
	uint32_t *sel;
	struct index_txn t;
	struct index_folder f;
	int rc;

	if (mailbox_load(b, err) < 0)
		return -1;
	sel = xcalloc(b->n + 1, sizeof(*sel));
	for (size_t i = 0; i < b->n; i++)
		sel[i] = (uint32_t)i;
	rc = mailbox_ensure(b, sel, b->n, err);
	free(sel);
	if (rc < 0 || mailbox_view_read(b, &t, &f, err) < 0)
		return -1;
	index_end(&t);
	b->now.bytes = f.bytes;
	return 0;
}

int mailbox_open(struct mailbox **b_r, struct mail_store *s, const char *folder, unsigned flags, struct err *err)
{
	struct mailbox *b = mailbox_new(s, folder, flags);
	int rc = mail_store_dir(s, folder, &b->md, err);

	if (rc > 0)
		rc = fill(b, err);
	if (rc > 0 && (flags & MAILBOX_SIZES) && measure(b, err) < 0)
		rc = -1;
	if (rc <= 0)
		mailbox_close(&b);
	*b_r = b;
	return rc;
}

static int status_with_sizes(struct mail_store *s, const char *folder, struct mailbox_status *st_r, struct err *err)
{
	struct mailbox *b;
	int rc = mailbox_open(&b, s, folder, MAILBOX_READ_ONLY | MAILBOX_SIZES, err);

	if (rc > 0)
		*st_r = b->now;
	mailbox_close(&b);
	return rc;
}

int mailbox_status(struct mail_store *s, const char *folder, unsigned flags, struct mailbox_status *st_r,
		   struct err *err)
{
	struct index_folder f;
	struct index_txn t;
	struct maildir md;
	int rc = mail_store_dir(s, folder, &md, err);

	if (rc > 0 && mailbox_disk_read(s, folder, &md, 0, &t, &f, NULL, err) < 0)
		rc = -1;
	if (rc > 0)
		index_end(&t);
	maildir_close(&md);
	if (rc <= 0)
		return rc;
	fill_status(st_r, &f);
	return (flags & MAILBOX_SIZES) && f.n_unsized ? status_with_sizes(s, folder, st_r, err) : 1;
}
