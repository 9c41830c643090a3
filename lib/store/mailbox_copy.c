/*
 * COPY links, MOVE renames. Both folders change in one transaction of the index, the target under UIDLIST_LOCK.
 *
 * cut short after                    COPY leaves                        MOVE leaves
 * some files are in the target       copies nobody was told of          messages in the target, gone here
 * UIDs are in the target's list      the same                           the same, with those UIDs
 * sync of the target's cur/          all copies                         all messages in the target
 *
 * The bytes of a message were durable when it came; a link to them is when the directory is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/random.h"
#include "io/sync_dir.h"
#include "store/mailbox_priv.h"
#include "store/maildir_name.h"

#define TRIES 4
#define BUF_SIZE 65536
#define NOT_ASKED UINT32_MAX

struct piece {
	struct index_msg m;
	const char *to;                 /* its name there, in the arena */
	uint32_t flags;                 /* there */
};

struct copying {
	struct mailbox *b;
	struct maildir md;              /* target */
	struct keywords here, keywords; /* of both */
	uint32_t there[INDEX_KEYWORDS]; /* the flag that a keyword of ours has in the target */
	bool is_move, is_same;
	struct disk to, from_disk, *from;
	struct piece *v;
	size_t n;
	int64_t bytes;
	struct arena arena;
	char name[NAME_MAX + 1], to_name[NAME_MAX + 1]; /* of the message at hand */
};

/* ---- flags ---- */

static int ask(struct copying *c, unsigned here, struct err *err)
{
	struct span name = c->here.name[here];
	enum keywords_how how = c->to.store ? KEYWORDS_ADD_HELD : KEYWORDS_ADD;

	if (c->there[here] != NOT_ASKED)
		return 0;
	c->there[here] = 0;
	return name.n ? keywords_flag(&c->keywords, c->md.fd, name, how, &c->there[here], err) : 0;
}

static int map_flags(struct copying *c, uint32_t flags, uint32_t *out, struct err *err)
{
	*out = c->is_same ? flags : flags & INDEX_SYSTEM_FLAGS;
	for (unsigned i = 0; !c->is_same && i < INDEX_KEYWORDS; i++) {
		if (!(flags & (uint32_t)INDEX_KEYWORD << i))
			continue;
		if (ask(c, i, err) < 0)
			return -1;
		*out |= c->there[i];
	}
	return 0;
}

/* Keywords are named before anything is locked: their file has a lock of its own. */
static int prepare_flags(struct copying *c, const uint32_t *sel, size_t n, struct err *err)
{
	uint32_t all = 0, mapped;

	memset(c->there, 0xff, sizeof(c->there));
	for (size_t i = 0; i < n; i++)
		all |= c->b->v[sel[i]].flags;
	return c->is_same ? 0 : map_flags(c, all, &mapped, err);
}

/* ---- files ---- */

static int copy_bytes(int in, int out, struct err *err)
{
	char *buf = xcalloc(1, BUF_SIZE);
	off_t off = 0;
	ssize_t n;
	int rc = 0;

	while (rc == 0 && (n = pread(in, buf, BUF_SIZE, off)) != 0) {
		if (n < 0)
			rc = errno == EINTR ? 0 : err_sys(err, "cannot read a message");
		else if (write(out, buf, (size_t)n) != n)
			rc = err_sys(err, "cannot write a message to tmp/");
		off += n > 0 ? n : 0;
	}
	free(buf);
	return rc;
}

/* Where link(2) cannot: another file system, or too many links. */
static int copy_file(struct copying *c, int dir, const char *name, const char *to, struct err *err)
{
	char tmp[40];
	struct stat st;
	uint64_t rnd;
	int in = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), out = -1, rc = -1;

	random_bytes(&rnd, sizeof(rnd));
	snprintf(tmp, sizeof(tmp), "%lld.C%016llx", (long long)time(NULL), (unsigned long long)rnd);
	if (in < 0 || fstat(in, &st) < 0)
		err_sys(err, "cannot open a message");
	else if ((out = openat(c->md.tmp, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)) < 0)
		err_sys(err, "cannot create a file in tmp/");
	else
		rc = copy_bytes(in, out, err);
	if (rc == 0 && (futimens(out, (struct timespec[]){ { .tv_nsec = UTIME_OMIT },
				 st.st_mtim }) < 0 || fdatasync(out) < 0 ||
			renameat2(c->md.tmp, tmp, c->md.cur, to, RENAME_NOREPLACE) < 0))
		rc = err_sys(err, "cannot copy a message");
	if (rc < 0 && out >= 0)
		unlinkat(c->md.tmp, tmp, 0);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return rc;
}

/* 0 done, 1 the name is another one now, -1. */
static int place_as(struct copying *c, int dir, struct err *err)
{
	int rc = c->is_move ? renameat2(dir, c->name, c->md.cur, c->to_name, RENAME_NOREPLACE) :
			      linkat(dir, c->name, c->md.cur, c->to_name, 0);

	if (rc == 0)
		return 0;
	if (errno == ENOENT)
		return 1;
	if (errno != EXDEV && errno != EMLINK && errno != EPERM)
		return err_sys(err, c->is_move ? "cannot move a message" : "cannot link a message");
	if (copy_file(c, dir, c->name, c->to_name, err) < 0)
		return -1;
	return c->is_move && unlinkat(dir, c->name, 0) < 0 && errno != ENOENT ? err_sys(err, "cannot remove a message") : 0;
}

static int make_name(struct copying *c, struct piece *x, struct err *err)
{
	struct span base = maildir_name_base(span_z(c->name));
	uint64_t size = UINT64_MAX, vsize = UINT64_MAX;
	char fresh[256], with_info[2 * NAME_MAX];

	(void)!maildir_size_tag(base, 'S', &size);
	(void)!maildir_size_tag(base, 'W', &vsize);
	mail_store_name(c->b->store, fresh, size, vsize);
	/* letters that are not ours go along */
	snprintf(with_info, sizeof(with_info), "%s%s", fresh, c->name + base.n);
	if (map_flags(c, x->m.flags, &x->flags, err) < 0)
		return -1;
	return maildir_name_make(c->to_name, span_z(with_info), x->flags) < 0 ? err_set(err, ERR_PERM,
											"a name gets too long") : 0;
}

/* 1 placed, 0 it is gone, -1. */
static int place(struct copying *c, struct piece *x, struct err *err)
{
	const struct maildir *md = &c->b->md;
	bool is_new = x->m.state & INDEX_IN_NEW;

	for (int turn = 0; turn < TRIES; turn++) {
		struct maildir_entry e;
		int rc = make_name(c, x, err);

		if (rc == 0)
			rc = place_as(c, is_new ? md->new : md->cur, err);
		if (rc <= 0) {
			x->to = arena_strdup(&c->arena, c->to_name);
			return rc == 0 ? 1 : -1;
		}
		rc = maildir_locate(md, maildir_name_base(span_z(c->name)), &c->arena, &e, err);
		if (rc <= 0)
			return rc;
		snprintf(c->name, sizeof(c->name), "%s", e.name);
		x->m.flags = maildir_name_flags(span_z(c->name));
		is_new = e.is_new;
	}
	return err_set(err, ERR_TEMP, "a message is being renamed all the time");
}

static int place_all(struct copying *c, const uint32_t *sel, size_t n, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < n; i++) {
		struct piece *x = &c->v[c->n];
		uint32_t uid = c->b->v[sel[i]].uid;

		rc = mail_store_idx(c->b->store, index_msg_get(c->to.t, c->from->f.id, uid, &x->m, err));
		if (rc > 0)
			rc = mailbox_index_name(c->b->store, c->to.t, c->from->f.id, uid, c->name, err);
		if (rc > 0)
			rc = place(c, x, err);
		if (rc > 0)
			c->n++;
	}
	return rc < 0 ? -1 : 0;
}

/* COPY is all or nothing. What MOVE has moved stays where it is. */
static void take_back(struct copying *c)
{
	for (size_t i = 0; i < c->n; i++)
		unlinkat(c->md.cur, c->v[i].to, 0);
	c->n = 0;
}

static int make_durable(struct copying *c, struct uidlist_new *u, struct err *err)
{
	for (size_t i = 0; i < c->n; i++)
		u[i].base = maildir_name_base(span_z(c->v[i].to));
	if (mailbox_disk_number(&c->to, u, c->n, err) < 0)
		return -1;
	return c->n && sync_dir(c->md.cur) < 0 ? err_sys(err, "cannot sync the folder") : 0;
}

/* ---- the index ---- */

static int copy_part(struct copying *c, const struct piece *x, uint32_t uid, enum index_part part, struct str *buf,
		     struct err *err)
{
	struct mail_store *s = c->b->store;
	struct span v;
	int rc = mail_store_idx(s, index_part_get(c->to.t, c->from->f.id, x->m.uid, part, &v, err));

	if (rc <= 0)
		return rc;
	/* v lies in the map, and a write may move it */
	str_reset(buf);
	if (str_add_span(buf, v) < 0)
		return 0;
	return mail_store_idx(s, index_part_put(c->to.t, c->to.f.id, uid, part, str_span(buf), err));
}

static int index_one(struct copying *c, const struct piece *x, uint32_t uid, struct str *buf, struct err *err)
{
	struct index_msg m = x->m;
	int rc;

	m.uid = uid;
	m.flags = x->flags;
	m.state &= INDEX_HAS_RECORD | INDEX_UNENDED;
	m.saved_s = time(NULL);
	rc = mailbox_index_add(&c->to, &m, span_z(x->to), err);
	if (rc == 0 && (m.state & INDEX_HAS_RECORD)) {
		rc = copy_part(c, x, uid, INDEX_KEYS, buf, err);
		if (rc >= 0)
			rc = copy_part(c, x, uid, INDEX_BODY, buf, err);
	}
	if (rc >= 0 && c->is_move) {
		struct index_msg here;

		rc = mail_store_idx(c->b->store, index_msg_get(c->from->t, c->from->f.id, x->m.uid, &here, err));
		if (rc > 0)
			rc = mailbox_index_del(c->from, &here, err);
	}
	return rc < 0 ? -1 : 0;
}

/* From here on it is done, whatever becomes of the index. */
static void index_all(struct copying *c, const struct uidlist_new *u)
{
	struct str buf = STR_INIT(64u << 20);
	struct err err = ERR_INIT;
	unsigned turn = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < c->n; i++)
		rc = index_one(c, &c->v[i], u[i].uid, &buf, &err);
	if (rc == 0 && !c->is_same)
		rc = mailbox_disk_commit(c->from, &err);
	if (rc == 0)
		rc = mailbox_disk_commit(&c->to, &err);
	mailbox_disk_end(&c->from_disk);
	mailbox_disk_end(&c->to);
	if (rc < 0)
		(void)mail_store_mend(c->b->store, &turn);
	str_fini(&buf);
}

/* ---- */

/* The source was looked at before: two lists are never locked at once. It is missing if the index was just renewed. */
static int begin_two(struct copying *c, const char *to, struct err *err)
{
	struct mailbox *b = c->b;
	struct index_folder f;
	struct index_txn t;

	for (int turn = 0; turn < TRIES; turn++) {
		if (mailbox_disk_read(b->store, b->folder, &b->md, 0, &t, &f, NULL, err) < 0)
			return -1;
		index_end(&t);
		if (mailbox_disk_begin(&c->to, b->store, to, &c->md, DISK_LOCK, err) < 0)
			return -1;
		if (mailbox_disk_join(&c->from_disk, &c->to, b->folder, &b->md, err) == 0)
			return 0;
		mailbox_disk_end(&c->to);
	}
	return -1;
}

static int begin(struct copying *c, const char *to, struct err *err)
{
	if (c->is_same) {
		if (mailbox_disk_begin(&c->to, c->b->store, to, &c->md, DISK_LOCK, err) < 0)
			return -1;
		c->from = &c->to;
	} else {
		if (begin_two(c, to, err) < 0)
			return -1;
		c->from = &c->from_disk;
	}
	return c->from->f.validity == c->b->p->validity ? 0 : err_set(err, ERR_TEMP, "the folder is another one now");
}

static bool has_quota(const struct copying *c)
{
	return !c->is_move && (c->b->store->quota.bytes || c->b->store->quota.count);
}

/* What counts for the quota is known before anything is locked. */
static int measure(struct copying *c, const uint32_t *sel, size_t n, struct err *err)
{
	return has_quota(c) ? mailbox_ensure_dates(c->b, sel, n, err) : 0;
}

static int check_quota(struct copying *c, const uint32_t *sel, size_t n, struct err *err)
{
	struct mail_store *s = c->b->store;
	struct quota_use use;
	int rc = 0;

	if (!has_quota(c))
		return 0;
	if (quota_read(&s->root, &s->quota, &use, err) < 0)
		return -1;
	for (size_t i = 0; rc >= 0 && i < n; i++) {
		struct index_msg m;
		uint64_t size;

		rc = mail_store_idx(s, index_msg_get(c->to.t, c->from->f.id, c->b->v[sel[i]].uid, &m, err));
		size = rc > 0 && m.size != UINT64_MAX ? m.size : 0;
		if (rc > 0)
			rc = quota_check(&s->quota, &use, size, err);
		use.bytes += size;
		use.count++;
		c->bytes += (int64_t)size;
	}
	return rc < 0 ? -1 : 0;
}

static int copy(struct copying *c, const uint32_t *sel, size_t n, const char *to, struct mailbox_added *added_r,
		uint32_t **from_uids_r, struct err *err)
{
	struct mail_store *s = c->b->store;
	struct uidlist_new *u;
	int rc;

	if (measure(c, sel, n, err) < 0 || prepare_flags(c, sel, n, err) < 0 || begin(c, to, err) < 0 ||
	    check_quota(c, sel, n, err) < 0)
		return -1;
	c->v = xcalloc(n + 1, sizeof(*c->v));
	u = xcalloc(n + 1, sizeof(*u));
	mailbox_disk_own_begin(&c->to);
	if (!c->is_same && c->is_move)
		mailbox_disk_own_begin(c->from);
	rc = place_all(c, sel, n, err);
	if (rc == 0 || c->is_move)
		rc |= make_durable(c, u, err);
	if (rc < 0 && !c->is_move)
		take_back(c);
	if (rc == 0) {
		mailbox_disk_own_end(&c->to);
		if (!c->is_same && c->is_move)
			mailbox_disk_own_end(c->from);
		*added_r = (struct mailbox_added){ c->to.f.validity, xcalloc(c->n + 1, sizeof(uint32_t)), c->n };
		*from_uids_r = xcalloc(c->n + 1, sizeof(uint32_t));
		for (size_t i = 0; i < c->n; i++) {
			added_r->uids[i] = u[i].uid;
			(*from_uids_r)[i] = c->v[i].m.uid;
		}
		index_all(c, u);
		if (!c->is_move)
			quota_add(&s->root, &s->quota, c->bytes, (int64_t)c->n);
	}
	free(u);
	return rc == 0 ? 1 : -1;
}

int mailbox_copy(struct mailbox *b, const uint32_t *sel, size_t n, const char *to, bool is_move,
		 struct mailbox_added *added_r, uint32_t **from_uids_r, struct err *err)
{
	struct copying c = { .b = b, .is_move = is_move, .is_same = strcmp(to, b->folder) == 0 };
	unsigned turn = 0;
	int rc;

	*added_r = (struct mailbox_added){ 0 };
	*from_uids_r = NULL;
	if (is_move && b->is_read_only)
		return err_set(err, ERR_PERM, "the folder was opened for reading only");
	rc = mail_store_dir(b->store, to, &c.md, err);
	if (rc <= 0)
		return rc;
	do {
		rc = keywords_read(&c.here, b->md.fd, err);
		if (rc == 0)
			rc = keywords_read(&c.keywords, c.md.fd, err);
		if (rc == 0)
			rc = copy(&c, sel, n, to, added_r, from_uids_r, err);
		mailbox_disk_end(&c.from_disk);
		mailbox_disk_end(&c.to);
		free(c.v);
		c.v = NULL;
		c.n = 0;
		c.bytes = 0;
		arena_reset(&c.arena);
	} while (rc < 0 && mail_store_mend(b->store, &turn));
	arena_fini(&c.arena);
	keywords_fini(&c.here);
	keywords_fini(&c.keywords);
	maildir_close(&c.md);
	return rc;
}
