#include "pop3d/maildrop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/mem.h"
#include "proto/pop3.h"

#define LOCK_NAME "surat-pop3-session.lock"
#define POP3_ID_MAX 70                  /* RFC 1939 section 7 */

int maildrop_open(struct maildrop *d, const struct mail_store_options *opt, struct err *err)
{
	*d = (struct maildrop)MAILDROP_INIT;
	return mail_store_open(&d->store, opt, err) < 0 ? err_wrap(err, "%s", opt->mail) : 0;
}

int maildrop_lock(struct maildrop *d, struct err *err)
{
	d->lock = openat(d->store.root.fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (d->lock < 0)
		return err_sys(err, "cannot open " LOCK_NAME);
	if (flock(d->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return err_sys(err, "cannot lock " LOCK_NAME);
	return err_set(err, ERR_TEMP, "another session has the mailbox");
}

void maildrop_close(struct maildrop *d)
{
	mailbox_close(&d->box);
	mail_store_close(&d->store);
	if (d->has_uids)
		uidlist_close(&d->uids);
	arena_fini(&d->arena);
	if (d->lock >= 0)
		close(d->lock);
	*d = (struct maildrop)MAILDROP_INIT;
}

/* ---- the list ---- */

/* RETR ends the last line where the message does not. */
static uint64_t size_of(const struct maildrop *d, const struct index_msg *m)
{
	if (d->has_fast_sizes || m->vsize == UINT64_MAX)
		return d->has_fast_sizes ? m->size : UINT64_MAX;
	return m->vsize + (m->state & INDEX_UNENDED ? 2 : 0);
}

struct sizing {
	struct maildrop *d;
	struct message *next;
};

static bool take_size(void *arg, size_t i, const struct index_msg *m, const struct mail_keys *k,
		      const struct mail_body *body)
{
	struct sizing *s = arg;

	while (s->next->at < i)
		s->next++;
	if (m)
		s->next->size = size_of(s->d, m);
	else
		s->next->is_gone = true;
	return true;
}

static int take_sizes(struct maildrop *d, struct err *err)
{
	uint32_t *all = xcalloc(d->n + 1, sizeof(*all));
	struct sizing s = { d, d->v };
	int rc;

	for (size_t i = 0; i < d->n; i++)
		all[i] = d->v[i].at;
	rc = mailbox_walk(d->box, all, d->n, MAILBOX_FACTS, take_size, &s, err);
	free(all);
	return rc;
}

/* What the user may not open and nobody knows the size of gets no number: else LIST and STAT would fail for all. */
static void leave_out_closed(struct maildrop *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		struct message *m = &d->v[i];
		struct err err = ERR_INIT;
		int fd = m->size == UINT64_MAX && !m->is_gone ? mailbox_file(d->box, m->at, NULL, &err) : -1;

		if (fd >= 0)
			close(fd);
		if (err.kind != ERR_SYS || (err.sys != EACCES && err.sys != EPERM))
			d->v[n++] = *m;
		else if (d->n_closed++ == 0)
			d->closed = err;
	}
	d->n = n;
}

int maildrop_load(struct maildrop *d, struct err *err)
{
	int rc = mailbox_open(&d->box, &d->store, "", MAILBOX_KEEP_NEW, err);

	if (rc == 0)
		return err_set(err, ERR_SYS, "the mailbox has no INBOX");
	if (rc < 0 || mailbox_load(d->box, err) < 0)
		return -1;
	d->n = d->box->n;
	d->v = arena_alloc(&d->arena, (d->n + 1) * sizeof(*d->v));
	for (size_t i = 0; i < d->n; i++)
		d->v[i] = (struct message){ .uid = d->box->v[i].uid, .at = (uint32_t)i, .size = UINT64_MAX };
	if (take_sizes(d, err) < 0)
		return -1;
	if (!d->has_fast_sizes)
		leave_out_closed(d);
	return 0;
}

int maildrop_measure(struct maildrop *d, struct err *err)
{
	uint32_t *sel = xcalloc(d->n + 1, sizeof(*sel));
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].size == UINT64_MAX && !d->v[i].is_gone)
			sel[n++] = d->v[i].at;
	if (n)
		rc = d->has_fast_sizes ? mailbox_ensure_dates(d->box, sel, n, err) : mailbox_ensure(d->box, sel, n, err);
	free(sel);
	return rc == 0 && n ? take_sizes(d, err) : rc;
}

int maildrop_size(struct maildrop *d, struct message *m, uint64_t *n_r, struct err *err)
{
	struct index_msg facts;

	/* sizes stay as they were told */
	if (m->is_gone && m->size == UINT64_MAX)
		m->size = 0;
	*n_r = m->size;
	if (*n_r != UINT64_MAX)
		return 0;
	if (mailbox_msg(d->box, m->at, MAILBOX_WANT_SIZE | MAILBOX_WANT_OCTETS, &facts, err) == 0) {
		*n_r = m->size = size_of(d, &facts);
		return 0;
	}
	if (err->kind != ERR_PERM)
		return -1;
	m->is_gone = true;
	*n_r = m->size = 0;
	return 0;
}

/* ---- UIDL ---- */

/* The list says what the index does not: ids of a server before us, and GUIDs that are not the file's name. */
static int read_list(struct maildrop *d, const char *format, struct err *err)
{
	if (d->has_uids)
		return 0;
	d->has_uids = true;
	if (!strchr(format, 'g') && !uidlist_has_pop3_ids(d->store.root.fd)) {
		d->uids = (struct uidlist){ .dir = d->store.root.fd };
		return 0;
	}
	return uidlist_open(&d->uids, d->store.root.fd, err);
}

/* Dovecot: the extension G of the record, which a copy or a conversion may have, else the base name. */
static struct span guid_of(const struct uidlist_rec *r, struct span base)
{
	struct span rest = r ? r->other : SPAN_NULL, word;

	while (span_word(&rest, " ", &word)) {
		if (word.p[0] == 'G' && word.n > 1)
			return span_from(word, 1);
	}
	return base;
}

int maildrop_uidl(struct maildrop *d, const struct message *m, const char *format, struct str *out, struct err *err)
{
	struct pop3_uidl id = { m->uid, d->box->now.validity, SPAN_NULL, SPAN_NULL };
	const struct uidlist_rec *r = NULL;
	struct arena_mark mark = arena_mark(&d->arena);
	int rc = read_list(d, format, err);

	if (rc == 0 && (d->uids.n || strpbrk(format, "fg")))
		rc = mailbox_base_name(d->box, m->at, &d->arena, &id.base, err);
	/* one that is gone is listed all the same */
	if (rc < 0 && err->kind != ERR_PERM)
		return -1;
	r = id.base.n ? uidlist_find(&d->uids, id.base) : NULL;
	id.guid = guid_of(r, id.base);
	rc = r && r->pop3_id.n && r->pop3_id.n <= POP3_ID_MAX ? str_add_span(out, r->pop3_id) :
		pop3_uidl(out, format, &id);
	arena_rewind(&d->arena, mark);
	return rc < 0 ? err_set(err, ERR_TEMP, "the id of a message is too long") : 0;
}

/* ---- one message ---- */

int maildrop_read(struct maildrop *d, struct message *m, struct err *err)
{
	uint64_t octets;
	int fd = m->is_gone ? err_set(err, ERR_PERM, "message is gone: another session has removed it") :
			      mailbox_file(d->box, m->at, &octets, err);

	if (fd < 0 && err->kind == ERR_PERM)
		m->is_gone = true;
	return fd;
}

void maildrop_set_seen(struct maildrop *d, const struct message *m)
{
	uint32_t i = (uint32_t)m->at, *modified;
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	size_t n;

	(void)!mailbox_store(d->box, &i, 1, MAILBOX_ADD, INDEX_SEEN, UINT64_MAX, &a, &modified, &n, &err);
	arena_fini(&a);
}

/* ---- QUIT ---- */

int maildrop_expunge(struct maildrop *d, uint64_t *n_r, struct err *err)
{
	uint32_t *sel = xcalloc(d->n + 1, sizeof(*sel));
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].is_deleted)
			sel[n++] = d->v[i].at;
	if (n)
		rc = mailbox_expunge(d->box, sel, n, err);
	*n_r = rc == 0 ? n : 0;
	free(sel);
	return rc;
}
