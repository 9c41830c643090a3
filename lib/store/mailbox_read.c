#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/mailbox_priv.h"
#include "store/maildir_name.h"

#define OPEN_TRIES 3
#define BATCH_MESSAGES 500
#define SWEEP_MIN 32
#define BATCH_BYTES (4u << 20)
#define SCRATCH 32768           /* bytes that one record needs as a rule */

static int gone(struct err *err)
{
	return err_set(err, ERR_PERM, "message is gone: another session has removed it");
}

/* ---- files ---- */

/* What was never in cur/ has no ":2," as a rule; the other directory is the second guess. */
static int open_file(const struct maildir *md, const char *name)
{
	bool is_new = !strchr(name, ':');
	int fd = -1;

	errno = ENOENT;
	for (int turn = 0; turn < 2 && fd < 0 && errno == ENOENT; turn++, is_new = !is_new)
		fd = openat(is_new ? md->new : md->cur, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd;
}

/* By its name, else by what its name has become. */
static int open_named(const struct mailbox *b, const char *name, struct err *err)
{
	struct arena a = { 0 };
	struct maildir_entry e = { .name = name };
	int fd = -1, rc = 1;

	for (int turn = 0; turn < OPEN_TRIES && rc > 0; turn++) {
		fd = open_file(&b->md, e.name);
		if (fd >= 0 || errno != ENOENT)
			break;
		rc = maildir_locate(&b->md, maildir_name_base(span_z(name)), &a, &e, err);
	}
	if (fd < 0 && rc > 0 && errno != ENOENT)
		err_sys(err, "cannot open %s", e.name);
	else if (fd < 0 && rc >= 0)
		gone(err);
	arena_fini(&a);
	return fd;
}

int mailbox_names(struct mailbox *b, const uint32_t *sel, size_t n, struct mailbox_name *names_r, struct err *err)
{
	unsigned turn = 0;
	size_t i;
	int rc;

	do {
		struct index_txn t;
		struct index_folder f = { .id = b->p->id };

		if (!b->p->walk && mailbox_view_read(b, &t, &f, err) < 0)
			return -1;
		for (i = 0, rc = 0; rc >= 0 && i < n; i++) {
			rc = mailbox_index_name(b->store, b->p->walk ? b->p->walk : &t, f.id, b->v[sel[i]].uid, names_r[i].z, err);
			if (rc == 0)
				names_r[i].z[0] = '\0';
		}
		if (!b->p->walk)
			index_end(&t);
	} while (rc < 0 && !b->p->walk && mail_store_mend(b->store, &turn));
	return rc < 0 ? -1 : 0;
}

static int find_name(struct mailbox *b, size_t i, struct mailbox_name *name_r, struct err *err)
{
	if (mailbox_names(b, &(uint32_t){ (uint32_t)i }, 1, name_r, err) < 0)
		return -1;
	return name_r->z[0] ? 0 : gone(err);
}

int mailbox_file_named(struct mailbox *b, const struct mailbox_name *name, uint64_t *octets_r, struct err *err)
{
	int fd = name->z[0] ? open_named(b, name->z, err) : gone(err);
	struct stat st;

	if (fd < 0 || !octets_r)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(err, ERR_SYS, "%s is not a file", name->z);
	}
	*octets_r = (uint64_t)st.st_size;
	return fd;
}

int mailbox_file(struct mailbox *b, size_t i, uint64_t *octets_r, struct err *err)
{
	struct mailbox_name name;

	return find_name(b, i, &name, err) < 0 ? -1 : mailbox_file_named(b, &name, octets_r, err);
}

int mailbox_base_name(struct mailbox *b, size_t i, struct arena *a, struct span *base_r, struct err *err)
{
	struct mailbox_name name;

	if (find_name(b, i, &name, err) < 0)
		return -1;
	*base_r = arena_span(a, maildir_name_base(span_z(name.z)));
	return 0;
}

/* ---- records ---- */

/* A message that has none yet. */
struct missing {
	uint32_t uid;
	const char *name;
	struct mail_record r;           /* of which only the numbers are left */
	size_t keys, body, end;         /* in blobs */
	int64_t internal_s;
	bool is_read;
};

struct batch {
	struct arena arena;
	struct missing *v;
	size_t n;
	struct str blobs;               /* of those that are read and not kept yet */
};

static void batch_end(struct batch *l)
{
	l->n = 0;
	l->v = NULL;
	arena_fini(&l->arena);
}

/* Takes the next ones of sel from *at on that need a record. */
static int collect(struct mailbox *b, struct batch *l, const uint32_t *sel, size_t n, size_t *at, struct err *err)
{
	struct index_folder f;
	struct index_txn t;
	int rc = mailbox_view_read(b, &t, &f, err);

	if (rc < 0)
		return -1;
	l->v = arena_alloc(&l->arena, BATCH_MESSAGES * sizeof(*l->v));
	for (; rc >= 0 && *at < n && l->n < BATCH_MESSAGES; ++*at) {
		uint32_t uid = b->v[sel[*at]].uid;
		char name[NAME_MAX + 1];
		struct index_msg m;

		rc = mail_store_idx(b->store, index_msg_get(&t, f.id, uid, &m, err));
		if (rc <= 0 || (m.state & INDEX_HAS_RECORD))
			continue;
		rc = mailbox_index_name(b->store, &t, f.id, uid, name, err);
		if (rc > 0)
			l->v[l->n++] = (struct missing){ .uid = uid, .name = arena_strdup(&l->arena, name), .internal_s = m.internal_s };
	}
	index_end(&t);
	return rc < 0 ? -1 : 0;
}

/* A file that cannot be read stays without a record; whoever asks for it is told why. */
static void parse(struct mailbox *b, struct missing *m, struct str *blobs, struct arena *a)
{
	struct err err = ERR_INIT;
	int fd = open_named(b, m->name, &err);
	struct stat st;

	m->keys = m->body = m->end = blobs->n;
	if (fd < 0)
		return;
	if (m->internal_s == INDEX_NO_DATE && fstat(fd, &st) == 0)
		m->internal_s = st.st_mtime;
	m->is_read = m->internal_s != INDEX_NO_DATE && mail_record_read(a, fd, &m->r, &err) == 0 &&
		     mail_keys_encode(blobs, &m->r.keys) == 0;
	m->body = blobs->n;
	m->is_read = m->is_read && mail_body_encode(blobs, &m->r.body) == 0;
	m->end = blobs->n;
	close(fd);
	arena_reset(a);
}

static int keep(struct mailbox *b, struct missing *v, size_t n, struct span blobs, struct err *err)
{
	struct disk d;
	int rc = mailbox_disk_begin_index(&d, b->store, b->folder, &b->md, b->p->validity, err);

	if (rc < 0)
		return -1;
	for (size_t i = 0; rc >= 0 && i < n; i++) {
		struct missing *x = &v[i];
		struct index_msg m;

		rc = x->is_read ? mail_store_idx(b->store, index_msg_get(d.t, d.f.id, x->uid, &m, err)) : 0;
		if (rc <= 0)
			continue;
		m.state |= x->r.is_unended ? INDEX_UNENDED : 0;
		if (m.internal_s == INDEX_NO_DATE)
			mailbox_index_has_date(&d, &m, x->internal_s);
		rc = mailbox_inbox_keep(&d, &m, x->r.sent_s, x->r.size, x->r.vsize,
					span_sub(blobs, x->keys, x->body - x->keys), span_sub(blobs, x->body, x->end - x->body), err);
	}
	if (rc >= 0)
		rc = mailbox_disk_commit(&d, err);
	mailbox_disk_end(&d);
	return rc;
}

/* In several turns where the records are large: each is kept before the next is made. */
static int make(struct mailbox *b, struct batch *l, struct err *err)
{
	size_t first = 0;
	struct arena scratch;
	int rc = 0;

	arena_init(&scratch, SCRATCH);
	for (size_t i = 0; rc == 0 && i < l->n; i++) {
		parse(b, &l->v[i], &l->blobs, &scratch);
		if (l->blobs.n < BATCH_BYTES && i + 1 < l->n)
			continue;
		rc = keep(b, l->v + first, i + 1 - first, str_span(&l->blobs), err);
		str_reset(&l->blobs);
		first = i + 1;
	}
	arena_fini(&scratch);
	return rc;
}

/* What local left since the last look may be all that is missing. */
static int take_inbox(struct mailbox *b, struct err *err)
{
	struct disk d;
	int rc = mailbox_disk_begin_index(&d, b->store, b->folder, &b->md, b->p->validity, err);

	if (rc == 0)
		rc = mailbox_inbox_take(&d, err);
	if (rc == 0)
		rc = mailbox_disk_commit(&d, err);
	mailbox_disk_end(&d);
	return rc;
}

static bool has_inbox(const struct mailbox *b)
{
	return b->folder[0] == '\0' && b->store->index_dir >= 0 &&
	       faccessat(b->store->index_dir, INDEX_DIR "/" INDEX_INBOX, F_OK, 0) == 0;
}

static int ensure(struct mailbox *b, const uint32_t *sel, size_t n, struct err *err)
{
	struct batch l = { .blobs = STR_INIT(BATCH_BYTES * 33) };
	bool has_taken = false;
	size_t at = 0;
	int rc = 0;

	while (rc == 0 && at < n) {
		size_t before = at;

		rc = collect(b, &l, sel, n, &at, err);
		/* once: what cannot be taken stays there */
		if (rc == 0 && l.n && !has_taken && has_inbox(b)) {
			has_taken = true;
			rc = take_inbox(b, err);
			at = before;
			batch_end(&l);
			continue;
		}
		if (rc == 0)
			rc = make(b, &l, err);
		batch_end(&l);
	}
	batch_end(&l);
	str_fini(&l.blobs);
	return rc;
}

struct recordless {
	uint32_t *v;
	size_t n;
};

static bool note_recordless(void *arg, size_t i, const struct index_msg *m, const struct mail_keys *k,
			    const struct mail_body *body)
{
	struct recordless *r = arg;

	if (m && !(m->state & INDEX_HAS_RECORD))
		r->v[r->n++] = (uint32_t)i;
	return true;
}

int mailbox_ensure(struct mailbox *b, const uint32_t *sel, size_t n, struct err *err)
{
	struct recordless r = { .n = n };
	struct index_folder f;
	struct index_txn t;
	unsigned turn = 0;
	int rc = mailbox_view_read(b, &t, &f, err);

	if (rc < 0)
		return -1;
	index_end(&t);
	if (f.n_recordless == 0)
		return 0;
	/* mostly all have one: a sweep tells sooner than looking for each */
	if (n >= SWEEP_MIN) {
		r.v = xrealloc(NULL, n * sizeof(*r.v));
		r.n = 0;
		rc = mailbox_walk(b, sel, n, MAILBOX_FACTS, note_recordless, &r, err);
	}
	if (rc == 0 && r.n) {
		do
			rc = ensure(b, r.v ? r.v : sel, r.n, err);
		while (rc < 0 && mail_store_mend(b->store, &turn));
	}
	free(r.v);
	return rc;
}

/* ---- one message ---- */

/* 1; 0: it has none. Copies into b->p->body. */
static int copy_body(struct mailbox *b, size_t i, struct err *err)
{
	struct index_folder f;
	struct index_txn t;
	struct index_msg m;
	struct span v;
	int rc = mailbox_view_read(b, &t, &f, err);

	if (rc < 0)
		return -1;
	str_reset(&b->p->body);
	rc = mail_store_idx(b->store, index_msg_get(&t, f.id, b->v[i].uid, &m, err));
	if (rc == 0)
		rc = gone(err);
	if (rc > 0 && !(m.state & INDEX_HAS_RECORD))
		rc = 0;
	if (rc > 0)
		rc = mail_store_idx(b->store, index_part_get(&t, f.id, b->v[i].uid, INDEX_BODY, &v, err));
	if (rc > 0 && str_add_span(&b->p->body, v) < 0)
		rc = err_set(err, ERR_TEMP, "the record of a message is too long");
	index_end(&t);
	return rc;
}

/* The file says why there is no record. */
static int no_record(struct mailbox *b, size_t i, struct err *err)
{
	int fd = mailbox_file(b, i, NULL, err);

	if (fd < 0)
		return -1;
	close(fd);
	return err_set(err, ERR_TEMP, "a message cannot be read");
}

static int get_body(struct mailbox *b, size_t i, struct err *err)
{
	uint32_t sel = (uint32_t)i;
	unsigned turn = 0;
	int rc;

	do {
		rc = copy_body(b, i, err);
		if (rc == 0 && ensure(b, &sel, 1, err) < 0)
			rc = -1;
		if (rc == 0)
			rc = copy_body(b, i, err);
	} while (rc < 0 && mail_store_mend(b->store, &turn));
	return rc == 0 ? no_record(b, i, err) : rc < 0 ? -1 : 0;
}

/* A blob that cannot be read is one of another version or a damaged one. */
static int distrust(struct mailbox *b, struct err *err)
{
	unsigned turn = 0;

	b->store->is_index_broken = true;
	return mail_store_mend(b->store, &turn) ? 0 : err_set(err, ERR_SYS, "the index cannot be read");
}

int mailbox_body(struct mailbox *b, size_t i, struct mail_body *b_r, struct err *err)
{
	for (int turn = 0; turn < 2; turn++) {
		if (get_body(b, i, err) < 0)
			return -1;
		if (mail_body_decode(b_r, str_span(&b->p->body)) == 0)
			return 0;
		if (distrust(b, err) < 0)
			return -1;
	}
	return err_set(err, ERR_SYS, "the index cannot be read");
}

static int get_msg(struct mailbox *b, size_t i, struct index_msg *m_r, struct err *err)
{
	unsigned turn = 0;
	int rc;

	do {
		struct index_folder f;
		struct index_txn t;

		if (mailbox_view_read(b, &t, &f, err) < 0)
			return -1;
		rc = mail_store_idx(b->store, index_msg_get(&t, f.id, b->v[i].uid, m_r, err));
		index_end(&t);
	} while (rc < 0 && mail_store_mend(b->store, &turn));
	return rc == 0 ? gone(err) : rc < 0 ? -1 : 0;
}

int mailbox_msg(struct mailbox *b, size_t i, bool want_size, struct index_msg *m_r, struct err *err)
{
	uint32_t sel = (uint32_t)i;

	if (get_msg(b, i, m_r, err) < 0)
		return -1;
	if (m_r->internal_s == INDEX_NO_DATE && (mailbox_ensure_dates(b, &sel, 1, err) < 0 || get_msg(b, i, m_r, err) < 0))
		return -1;
	if (m_r->internal_s == INDEX_NO_DATE)
		return no_record(b, i, err);
	if (!want_size || (m_r->size != UINT64_MAX && m_r->vsize != UINT64_MAX))
		return 0;
	if (mailbox_ensure(b, &sel, 1, err) < 0 || get_msg(b, i, m_r, err) < 0)
		return -1;
	return m_r->size != UINT64_MAX && m_r->vsize != UINT64_MAX ? 0 : no_record(b, i, err);
}

/* ---- sweeps ---- */

struct sweep {
	struct mailbox *b;
	struct index_txn *t;
	uint32_t folder;
	const uint32_t *sel;
	size_t n, at;
	unsigned what;
	mailbox_walk_fn *fn;
	void *arg;
	struct err *err;
	bool wants_dates, is_stopped, has_failed;
};

/* 1 and *k decoded, 0 there is none, -1. */
static int part_of(struct sweep *w, uint32_t uid, enum index_part part, struct span *v_r)
{
	return mail_store_idx(w->b->store, index_part_get(w->t, w->folder, uid, part, v_r, w->err));
}

static bool pass(struct sweep *w, size_t i, const struct index_msg *m, struct span *keys_blob)
{
	struct mail_keys keys;
	struct mail_body body;
	struct span blob;
	bool has_keys = false, has_body = false;
	int rc = 0;

	if (m && w->wants_dates && m->internal_s == INDEX_NO_DATE)
		m = NULL;
	if ((w->what & MAILBOX_KEYS) && keys_blob)
		has_keys = mail_keys_decode(&keys, *keys_blob) == 0;
	else if ((w->what & MAILBOX_KEYS) && (rc = part_of(w, w->b->v[i].uid, INDEX_KEYS, &blob)) > 0)
		has_keys = mail_keys_decode(&keys, blob) == 0;
	if (rc >= 0 && (w->what & MAILBOX_BODY) && (rc = part_of(w, w->b->v[i].uid, INDEX_BODY, &blob)) > 0)
		has_body = mail_body_decode(&body, blob) == 0;
	w->has_failed = rc < 0;
	if (!w->has_failed)
		w->is_stopped = !w->fn(w->arg, i, m, has_keys ? &keys : NULL, has_body ? &body : NULL);
	return !w->has_failed && !w->is_stopped;
}

/* Messages of sel below uid are not in the table: gone, or without a record. */
static bool pass_over(struct sweep *w, uint32_t uid)
{
	while (w->at < w->n && w->b->v[w->sel[w->at]].uid < uid)
		if (!pass(w, w->sel[w->at++], NULL, NULL))
			return false;
	return w->at < w->n;
}

static bool sweep_msg(void *arg, const struct index_msg *m)
{
	struct sweep *w = arg;

	if (!pass_over(w, m->uid))
		return false;
	if (w->b->v[w->sel[w->at]].uid != m->uid)
		return true;
	return pass(w, w->sel[w->at++], m, NULL);
}

static bool sweep_keys(void *arg, uint32_t uid, struct span blob)
{
	struct sweep *w = arg;
	unsigned what = w->what;
	bool goes_on;

	/* what has no row has no keys: not to be looked for again */
	w->what = 0;
	goes_on = pass_over(w, uid);
	w->what = what;
	if (!goes_on)
		return false;
	if (w->b->v[w->sel[w->at]].uid != uid)
		return true;
	return pass(w, w->sel[w->at++], NULL, &blob);
}

/* A few messages of many: one by one. */
static void sweep_few(struct sweep *w)
{
	struct index_msg m;

	for (bool goes_on = true; goes_on && w->at < w->n;) {
		size_t i = w->sel[w->at++];
		int rc = w->what & MAILBOX_FACTS ?
			 mail_store_idx(w->b->store, index_msg_get(w->t, w->folder, w->b->v[i].uid, &m, w->err)) : 0;

		w->has_failed = rc < 0;
		goes_on = rc >= 0 && pass(w, i, rc > 0 ? &m : NULL, NULL);
	}
}

static int walk(struct sweep *w)
{
	struct mailbox *b = w->b;
	uint32_t from = b->v[w->sel[0]].uid;
	int rc = 0;

	if (w->n < (w->sel[w->n - 1] - w->sel[0]) / 8)
		sweep_few(w);
	else if (w->what == MAILBOX_KEYS)
		rc = mail_store_idx(b->store, index_part_walk(w->t, w->folder, from, INDEX_KEYS, sweep_keys, w, w->err));
	else
		rc = mail_store_idx(b->store, index_msg_walk(w->t, w->folder, from, sweep_msg, w, w->err));
	if (rc == 0 && !w->is_stopped && !w->has_failed) {
		w->what = 0;
		(void)pass_over(w, UINT32_MAX);
	}
	return rc < 0 || w->has_failed ? -1 : 0;
}

int mailbox_walk(struct mailbox *b, const uint32_t *sel, size_t n, unsigned what, mailbox_walk_fn *fn, void *arg,
		 struct err *err)
{
	struct index_folder f;
	struct index_txn t;
	struct sweep w = { .b = b, .t = &t, .sel = sel, .n = n, .what = what, .fn = fn, .arg = arg, .err = err,
			   .wants_dates = what & MAILBOX_DATES & ~MAILBOX_FACTS };
	int rc;

	if (n == 0)
		return 0;
	if ((w.wants_dates && mailbox_ensure_dates(b, sel, n, err) < 0) || mailbox_view_read(b, &t, &f, err) < 0)
		return -1;
	w.folder = f.id;
	b->p->walk = &t;
	rc = walk(&w);
	b->p->walk = NULL;
	index_end(&t);
	return rc;
}
