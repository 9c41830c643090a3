/*
 * The date of a letter is that of its file. A look that finds few new files looks at each, one that finds many (a folder
 * seen for the first time) leaves it out, and INDEX_NO_DATE stands in the index until somebody asks or reads the letter:
 *
 *   a record is made            from the file that is open anyway (mailbox_read.c)
 *   local has left a record     mailbox_dates_look
 *   dates are asked for         mailbox_ensure_dates: one fstatat each, kept in batches
 *   it is copied or moved       the file takes its date along
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "store/mailbox_priv.h"

#define BATCH 1000              /* in one transaction: two milliseconds in which nobody else writes */
#define LOOKS 3

int mailbox_dates_look(struct disk *d, struct index_msg *m, struct err *err)
{
	char name[NAME_MAX + 1];
	struct stat st;
	int rc = mailbox_index_name(d->store, d->t, d->f.id, m->uid, name, err);

	if (rc <= 0)
		return rc;
	if (fstatat(m->state & INDEX_IN_NEW ? d->md->new : d->md->cur, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		mailbox_index_has_date(d, m, st.st_mtime);
		m->size = (uint64_t)st.st_size;
		return 1;
	}
	if (errno == ENOENT)
		return 0;
	/* a broken disk: it is not to be asked again and again */
	mailbox_index_has_date(d, m, m->saved_s);
	return 1;
}

struct undated {
	uint32_t *v;                    /* indexes in the view, ascending */
	size_t n;
};

static bool note_undated(void *arg, size_t i, const struct index_msg *m, const struct mail_keys *k,
			 const struct mail_body *body)
{
	struct undated *u = arg;

	if (m && m->internal_s == INDEX_NO_DATE)
		u->v[u->n++] = (uint32_t)i;
	return true;
}

/* 1 it has its date, 0 its file is not where the index has it, -1. */
static int look_at(struct disk *d, uint32_t uid, struct err *err)
{
	struct index_msg m;
	int rc = mail_store_idx(d->store, index_msg_get(d->t, d->f.id, uid, &m, err));

	/* gone, or somebody else has asked meanwhile */
	if (rc <= 0 || m.internal_s != INDEX_NO_DATE)
		return rc < 0 ? -1 : 1;
	rc = mailbox_dates_look(d, &m, err);
	if (rc > 0 && mail_store_idx(d->store, index_msg_put(d->t, d->f.id, &m, err)) < 0)
		return -1;
	return rc;
}

/* What stays in u has not been found. */
static int look_at_all(struct mailbox *b, struct undated *u, struct err *err)
{
	size_t n = u->n, at = 0;
	int rc = 0;

	u->n = 0;
	while (rc == 0 && at < n) {
		size_t end = n - at < BATCH ? n : at + BATCH;
		struct disk d;

		if (mailbox_disk_begin_index(&d, b->store, b->folder, &b->md, b->p->validity, err) < 0)
			return -1;
		for (; rc >= 0 && at < end; at++) {
			rc = look_at(&d, b->v[u->v[at]].uid, err);
			if (rc == 0)
				u->v[u->n++] = u->v[at];
		}
		rc = rc < 0 ? -1 : mailbox_disk_commit(&d, err);
		mailbox_disk_end(&d);
	}
	return rc;
}

/* Files have other names now, or are gone: the index learns it. */
static int look_again(struct mailbox *b, struct err *err)
{
	struct disk d;
	int rc = mailbox_disk_begin(&d, b->store, b->folder, &b->md, DISK_AGAIN, err);

	if (rc == 0)
		rc = mailbox_disk_commit(&d, err);
	mailbox_disk_end(&d);
	return rc;
}

static int ensure(struct mailbox *b, const uint32_t *sel, size_t n, uint32_t *room, struct err *err)
{
	struct undated u = { room, 0 };
	int rc = mailbox_walk(b, sel, n, MAILBOX_FACTS, note_undated, &u, err);

	for (int turn = 0; rc == 0 && u.n && turn < LOOKS; turn++) {
		if (turn)
			rc = look_again(b, err);
		if (rc == 0)
			rc = look_at_all(b, &u, err);
	}
	return rc;
}

static int count_undated(struct mailbox *b, uint32_t *n_r, struct err *err)
{
	struct index_folder f;
	struct index_txn t;

	if (mailbox_view_read(b, &t, &f, err) < 0)
		return -1;
	index_end(&t);
	*n_r = f.n_undated;
	return 0;
}

int mailbox_ensure_dates(struct mailbox *b, const uint32_t *sel, size_t n, struct err *err)
{
	uint32_t n_undated, *room;
	uint64_t generation;
	unsigned turn = 0;
	int rc;

	if (count_undated(b, &n_undated, err) < 0)
		return -1;
	if (n_undated == 0)
		return 0;
	room = xcalloc(n + 1, sizeof(*room));
	do {
		generation = index_generation(b->store->index);
		rc = ensure(b, sel, n, room, err);
		/* one that was made anew meanwhile has forgotten what was found before */
	} while (rc < 0 ? mail_store_mend(b->store, &turn) : generation != index_generation(b->store->index));
	free(room);
	return rc;
}
