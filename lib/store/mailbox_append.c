#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/random.h"
#include "io/sync_dir.h"
#include "io/write_all.h"
#include "store/mailbox_priv.h"
#include "store/maildir_name.h"

#define BUF_SIZE 65536
#define RECORD_MAX (64u << 20)
#define SYNCFS_AT 4                     /* as in maildir.c: from so many files on one syncfs is cheaper */

struct letter {
	int fd;
	char tmp[40];
	char name[NAME_MAX + 1];        /* in cur/ */
	bool is_placed, is_unended;
	uint64_t size, extra;           /* extra: LFs without CR */
	uint32_t flags;
	int64_t internal_s, sent_s;
	struct str keys, body;          /* records, encoded */
};

struct mailbox_append {
	struct mail_store *store;
	char *folder;
	struct maildir md;
	struct keywords keywords;
	struct quota_use use;
	struct letter *v;
	size_t n, cap;
	bool is_open;                   /* the last letter still takes bytes */
	struct arena arena;             /* of the letter that is open */
	struct mail_record_maker *maker;
	char last;                      /* byte before what comes */
	char *buf;
	size_t n_buf;
};

int mailbox_append_begin(struct mailbox_append **a_r, struct mail_store *s, const char *folder, struct err *err)
{
	struct mailbox_append *a = xnew(struct mailbox_append);
	int rc = mail_store_dir(s, folder, &a->md, err);

	a->store = s;
	a->folder = xstrdup(folder);
	a->buf = xcalloc(1, BUF_SIZE);
	if (rc > 0 && (keywords_read(&a->keywords, a->md.fd, err) < 0 || quota_read(&s->root, &s->quota, &a->use, err) < 0))
		rc = -1;
	if (rc > 0)
		(void)maildir_clean_tmp(&a->md);
	else
		mailbox_append_abort(&a);
	*a_r = a;
	return rc;
}

static void letter_end(struct letter *x)
{
	if (x->fd >= 0)
		close(x->fd);
	x->fd = -1;
	str_fini(&x->keys);
	str_fini(&x->body);
}

void mailbox_append_abort(struct mailbox_append **a_r)
{
	struct mailbox_append *a = *a_r;

	if (!a)
		return;
	*a_r = NULL;
	for (size_t i = 0; i < a->n; i++) {
		struct letter *x = &a->v[i];

		if (x->fd >= 0)
			unlinkat(x->is_placed ? a->md.cur : a->md.tmp, x->is_placed ? x->name : x->tmp, 0);
		letter_end(x);
	}
	maildir_close(&a->md);
	keywords_fini(&a->keywords);
	arena_fini(&a->arena);
	free(a->buf);
	free(a->v);
	free(a->folder);
	free(a);
}

/* ---- bytes ---- */

static int flush(struct mailbox_append *a, struct err *err)
{
	if (write_all(a->v[a->n - 1].fd, (struct span){ a->buf, a->n_buf }) < 0)
		return err_sys(err, "cannot write a message to tmp/");
	a->n_buf = 0;
	return 0;
}

static uint64_t bare_lfs(struct span s, char before)
{
	const char *p = s.p, *end = s.p + s.n;
	uint64_t n = 0;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		n += (p == s.p ? before : p[-1]) != '\r';
		p++;
	}
	return n;
}

int mailbox_append_data(struct mailbox_append *a, struct span bytes, struct err *err)
{
	struct letter *x = &a->v[a->n - 1];

	BUG(!a->is_open);
	if (bytes.n == 0)
		return 0;
	x->size += bytes.n;
	x->extra += bare_lfs(bytes, a->last);
	a->last = bytes.p[bytes.n - 1];
	if (mail_record_feed(a->maker, bytes, err) < 0)
		return -1;
	while (bytes.n) {
		size_t n = bytes.n < BUF_SIZE - a->n_buf ? bytes.n : BUF_SIZE - a->n_buf;

		memcpy(a->buf + a->n_buf, bytes.p, n);
		a->n_buf += n;
		bytes = span_from(bytes, n);
		if (a->n_buf == BUF_SIZE && flush(a, err) < 0)
			return -1;
	}
	return 0;
}

/* The last letter is whole: its record and the date that INTERNALDATE is. */
static int end_letter(struct mailbox_append *a, struct err *err)
{
	struct letter *x = &a->v[a->n - 1];
	/* the time of access stays young, or who tidies tmp/ takes the file for an old one */
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = x->internal_s } };
	struct mail_record r;
	int rc;

	if (!a->is_open)
		return 0;
	a->is_open = false;
	x->is_unended = x->size && a->last != '\n';
	rc = flush(a, err);
	if (rc == 0)
		rc = mail_record_end(a->maker, &r, err);
	if (rc == 0) {
		x->sent_s = r.sent_s;
		if (mail_keys_encode(&x->keys, &r.keys) < 0 || mail_body_encode(&x->body, &r.body) < 0)
			str_reset(&x->keys);
	}
	arena_fini(&a->arena);
	if (rc == 0 && futimens(x->fd, times) < 0)
		rc = err_sys(err, "cannot set the date of a message");
	return rc;
}

static int keyword_flags(struct mailbox_append *a, const struct span *keywords, size_t n, uint32_t *flags,
			 struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t flag;

		if (keywords_flag(&a->keywords, a->md.fd, keywords[i], KEYWORDS_ADD, &flag, err) < 0)
			return -1;
		*flags |= flag;
	}
	return 0;
}

int mailbox_append_msg(struct mailbox_append *a, uint64_t size, uint32_t system_flags, const struct span *keywords,
		       size_t n_keywords, int64_t internal_s, struct err *err)
{
	struct letter x = { .fd = -1, .flags = system_flags & INDEX_SYSTEM_FLAGS, .internal_s = internal_s };
	uint64_t rnd;

	if ((a->n && end_letter(a, err) < 0) || quota_check(&a->store->quota, &a->use, size, err) < 0 ||
	    keyword_flags(a, keywords, n_keywords, &x.flags, err) < 0)
		return -1;
	a->use.bytes += size;
	a->use.count++;
	random_bytes(&rnd, sizeof(rnd));
	snprintf(x.tmp, sizeof(x.tmp), "%lld.R%016llx", (long long)time(NULL), (unsigned long long)rnd);
	x.fd = openat(a->md.tmp, x.tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (x.fd < 0)
		return err_sys(err, "cannot create a file in tmp/");
	str_init(&x.keys, RECORD_MAX);
	str_init(&x.body, RECORD_MAX);
	if (a->n == a->cap) {
		a->cap = a->cap ? a->cap * 2 : 4;
		a->v = xrealloc(a->v, a->cap * sizeof(*a->v));
	}
	a->v[a->n++] = x;
	a->is_open = true;
	a->last = '\0';
	a->n_buf = 0;
	a->maker = mail_record_begin(&a->arena);
	return 0;
}

/* ---- commit ---- */

static int sync_files(struct mailbox_append *a, struct err *err)
{
	if (a->n >= SYNCFS_AT)
		return syncfs(a->md.tmp) < 0 ? err_sys(err, "cannot sync messages in tmp/") : 0;
	for (size_t i = 0; i < a->n; i++)
		if (fdatasync(a->v[i].fd) < 0)
			return err_sys(err, "cannot sync a message in tmp/");
	return 0;
}

static int place(struct mailbox_append *a, struct letter *x, struct err *err)
{
	char base[256];

	mail_store_name(a->store, base, x->size, x->size + x->extra);
	if (maildir_name_make(x->name, span_z(base), x->flags) < 0)
		return err_set(err, ERR_SYS, "the host's name is too long");
	if (renameat2(a->md.tmp, x->tmp, a->md.cur, x->name, RENAME_NOREPLACE) < 0)
		return err_sys(err, "cannot move a message to cur/");
	x->is_placed = true;
	return 0;
}

static int place_all(struct mailbox_append *a, struct disk *d, struct uidlist_new *u, struct err *err)
{
	for (size_t i = 0; i < a->n; i++) {
		if (place(a, &a->v[i], err) < 0)
			return -1;
		u[i].base = maildir_name_base(span_z(a->v[i].name));
	}
	if (mailbox_disk_number(d, u, a->n, err) < 0)
		return -1;
	return sync_dir(a->md.cur) < 0 ? err_sys(err, "cannot sync the folder") : 0;
}

static int index_letter(struct disk *d, const struct letter *x, uint32_t uid, struct err *err)
{
	struct index_msg m = { .uid = uid, .flags = x->flags, .internal_s = x->internal_s, .saved_s = time(NULL),
			       .size = x->size, .vsize = x->size + x->extra,
			       .state = x->is_unended ? INDEX_UNENDED : 0 };

	if (mailbox_index_add(d, &m, span_z(x->name), err) < 0)
		return -1;
	return x->keys.n ? mailbox_inbox_keep(d, &m, x->sent_s, m.size, m.vsize, str_span(&x->keys),
					      str_span(&x->body), err) : 0;
}

/* From here on the letters are there, whatever becomes of the index. */
static void index_all(struct mailbox_append *a, struct disk *d, const struct uidlist_new *u)
{
	struct err err = ERR_INIT;
	unsigned turn = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < a->n; i++)
		rc = index_letter(d, &a->v[i], u[i].uid, &err);
	if (rc == 0)
		rc = mailbox_disk_commit(d, &err);
	mailbox_disk_end(d);
	if (rc < 0)
		(void)mail_store_mend(a->store, &turn);
}

static int commit(struct mailbox_append *a, struct mailbox_added *added_r, struct err *err)
{
	struct uidlist_new *u;
	struct disk d;
	int64_t bytes = 0;

	if ((a->n && end_letter(a, err) < 0) || sync_files(a, err) < 0 ||
	    mailbox_disk_begin(&d, a->store, a->folder, &a->md, DISK_LOCK, err) < 0)
		return -1;
	u = xcalloc(a->n + 1, sizeof(*u));
	mailbox_disk_own_begin(&d);
	if (place_all(a, &d, u, err) < 0) {
		mailbox_disk_end(&d);
		free(u);
		return -1;
	}
	mailbox_disk_own_end(&d);
	*added_r = (struct mailbox_added){ d.f.validity, xcalloc(a->n + 1, sizeof(uint32_t)), a->n };
	for (size_t i = 0; i < a->n; i++)
		added_r->uids[i] = u[i].uid;
	index_all(a, &d, u);
	free(u);
	for (size_t i = 0; i < a->n; i++) {
		bytes += (int64_t)a->v[i].size;
		letter_end(&a->v[i]);
	}
	quota_add(&a->store->root, &a->store->quota, bytes, (int64_t)a->n);
	return 0;
}

int mailbox_append_commit(struct mailbox_append **a, struct mailbox_added *added_r, struct err *err)
{
	int rc;

	*added_r = (struct mailbox_added){ 0 };
	rc = commit(*a, added_r, err);
	mailbox_append_abort(a);
	return rc;
}
