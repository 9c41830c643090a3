/*
 * From the disk to the index. All of it happens in one write transaction, so the user's other sessions wait for what
 * the first finds, and their own renames do not come in between. Those of other programs do, and hide files from who
 * reads the directory: what is missing counts as gone after a look that nobody disturbed. Order of locks:
 * UIDLIST_LOCK, then the transaction; in a transaction the lock is only tried.
 *
 * When is a directory read? Its time T stands in the index. "Now" is CLOCK_REALTIME_COARSE, the clock the kernel stamps
 * with, read before the directory is looked at.
 *
 *   what is found                                   what is done
 *   T differs                                       read; T was young when looked at: read once more at the next look
 *   T as noted, nothing due                         nothing
 *   T as noted, a look is due                       read
 *   another list (inode, shorter, rewritten)        list, new/ and cur/ are read, all UIDs compared
 *   longer list                                     its new records; those that are of no new file: as another list
 *
 * Young is a T to which another change could still add itself without a trace: within 20 ms of now where T has a part
 * below the millisecond (the kernel's tick is at most 10 ms), within 2 s elsewhere and on network mounts.
 *
 *   a change of our own (between own_begin and own_end)
 *   T differed before ours                          T stays as noted: the next look reads
 *   T was as noted; a stranger after ours, and      the directory gets an exact time of the fine clock after our change;
 *   even in the same tick                           the stranger sets the tick's, which is another: the next look reads
 *   T was as noted; a stranger between our look     leaves no trace: one more look is due, 30 s later where times are
 *   and the end of our change (microseconds)        exact, else 3 s later (also where we may not set the time)
 *
 * What is cut short           is found                               and repaired by
 *   rename, index not         T differs from the noted one           the next look
 *   list, index not           list longer than noted                 the files are found to be new, and in the list's
 *                                                                    tail they have their UIDs already
 *   index lost                no record of the folder                list, new/ and cur/ are read
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/dotlock.h"
#include "store/mailbox_priv.h"
#include "store/maildir_name.h"
#include "store/uidvalidity.h"

#define LOCK_WAIT_MS 30000
#define YOUNG_NS 20000000
#define YOUNG_COARSE_NS 2000000000
#define DOUBT_S 30
#define DOUBT_COARSE_S 3
#define RESCANS 4                 /* looks at both directories before one that was always disturbed is believed */
#define TURNS 2
#define OLD_S 60                  /* in new/ with a name so much older than the list: it was here before */
#define DUE_NOW 1
#define FILES_FEW 1000            /* what comes at once and is more is not looked at: mailbox_dates.c */
#define LIST_LINE 400             /* more bytes a message: most of the list is of messages that are gone */
#define LIST_SPARE 500

/* A message that the index has, while it is looked for. */
struct known {
	uint32_t uid, flags, state;
	uint32_t at;                    /* index in the scan + 1; 0: not seen */
	bool differs;
};

struct look {
	struct index_file list;
	struct index_time new_time, cur_time;
	bool need_new, need_cur, need_all;
	bool is_longer;                 /* the list: others have numbered messages */
	struct maildir_scan scan;
	int cur;                        /* borrowed */
	struct known *k;
	size_t n_k, cap_k, pos;
	struct uidlist uids;            /* with need_all */
};

/* ---- times ---- */

static int64_t ns_between(const struct timespec *from, const struct timespec *to)
{
	return (to->tv_sec - from->tv_sec) * INT64_C(1000000000) + (to->tv_nsec - from->tv_nsec);
}

static int look_at_dir(int fd, bool is_coarse, struct index_time *t_r, struct err *err)
{
	struct timespec now;
	struct stat st;
	int64_t margin, age;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (fstat(fd, &st) < 0)
		return err_sys(err, "cannot look at the mailbox");
	is_coarse = is_coarse || st.st_mtim.tv_nsec % 1000000 == 0;
	margin = is_coarse ? YOUNG_COARSE_NS : YOUNG_NS;
	age = st.st_mtim.tv_sec + 10 < now.tv_sec || st.st_mtim.tv_sec - 10 > now.tv_sec ? INT64_MAX :
									      ns_between(&st.st_mtim, &now);
	*t_r = (struct index_time){ st.st_mtim.tv_sec, (uint32_t)st.st_mtim.tv_nsec,
				    age < margin && age > -margin ? DUE_NOW : 0 };
	return 0;
}

static bool is_same_time(const struct index_time *a, const struct index_time *b)
{
	return a->s == b->s && a->ns == b->ns;
}

/* Gives the directory an exact time of the fine clock, which no other change gives. 1 it has it, 0 another one, -1 it
 * cannot be looked at. */
static int stamp(int fd, struct index_time *t_r)
{
	struct timespec now, set[2] = { { .tv_nsec = UTIME_OMIT } };
	struct err err = ERR_INIT;
	bool is_set;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_nsec % 1000000 == 0)
		now.tv_nsec++;
	set[1] = now;
	is_set = futimens(fd, set) == 0;
	if (look_at_dir(fd, false, t_r, &err) < 0)
		return -1;
	return is_set && t_r->s == now.tv_sec && t_r->ns == (uint32_t)now.tv_nsec;
}

/* Any change from now on gives it another time than *t_r. False: that cannot be had. */
static bool settle(int fd, bool is_coarse, struct index_time *t_r)
{
	struct err err = ERR_INIT;

	return look_at_dir(fd, is_coarse, t_r, &err) == 0 && (!t_r->due_s || (!is_coarse && stamp(fd, t_r) > 0));
}

static bool is_settled(int fd, const struct index_time *then)
{
	struct index_time t;
	struct err err = ERR_INIT;

	return look_at_dir(fd, false, &t, &err) == 0 && is_same_time(then, &t);
}

static bool must_read(const struct index_time *noted, const struct index_time *now)
{
	return !is_same_time(noted, now) || (noted->due_s && (int64_t)noted->due_s <= time(NULL));
}

static bool is_other_list(const struct index_file *noted, const struct index_file *now)
{
	return noted->ino != now->ino || now->size < noted->size || (now->size == noted->size && !uidlist_same(noted, now));
}

/* Compares the disk with f; what must be read is set. */
static int look_around(struct look *l, struct mail_store *s, const struct maildir *md, const struct index_folder *f,
		       struct err *err)
{
	bool is_coarse = index_is_memory(s->index);

	if (uidlist_stat(md->fd, &l->list, err) < 0 || look_at_dir(md->new, is_coarse, &l->new_time, err) < 0 ||
	    look_at_dir(md->cur, is_coarse, &l->cur_time, err) < 0)
		return -1;
	l->need_all = !f->id || is_other_list(&f->uidlist, &l->list);
	l->is_longer = !l->need_all && l->list.size > f->uidlist.size;
	l->need_new = l->need_all || must_read(&f->new_time, &l->new_time);
	l->need_cur = l->need_all || must_read(&f->cur_time, &l->cur_time);
	return 0;
}

/* Reads both directories once more. 1: nobody changed them meanwhile, what was not seen is gone. 0: somebody did. */
static int look_again(struct look *l, struct mail_store *s, const struct maildir *md, struct err *err)
{
	bool is_coarse = index_is_memory(s->index), is_sure;
	struct index_time new_time, cur_time;

	is_sure = settle(md->new, is_coarse, &new_time) && settle(md->cur, is_coarse, &cur_time);
	if (maildir_scan(&l->scan, md, err) < 0)
		return -1;
	return is_sure && is_settled(md->new, &new_time) && is_settled(md->cur, &cur_time);
}

static void look_end(struct look *l)
{
	maildir_scan_fini(&l->scan);
	uidlist_close(&l->uids);
	free(l->k);
	*l = (struct look){ 0 };
}

/* ---- what the index has ---- */

static bool add_known(void *arg, const struct index_msg *m)
{
	struct look *l = arg;

	if (l->n_k == l->cap_k) {
		l->cap_k = l->cap_k ? l->cap_k * 2 : 256;
		l->k = xrealloc(l->k, l->cap_k * sizeof(*l->k));
	}
	l->k[l->n_k++] = (struct known){ m->uid, m->flags, m->state, 0, false };
	return true;
}

static bool match_name(void *arg, uint32_t uid, struct span name)
{
	struct look *l = arg;
	struct maildir_entry *e;
	struct known *k;

	while (l->pos < l->n_k && l->k[l->pos].uid < uid)
		l->pos++;
	if (l->pos == l->n_k || l->k[l->pos].uid != uid)
		return true;
	k = &l->k[l->pos];
	e = maildir_scan_find(&l->scan, maildir_name_base(name));
	if (!e || (l->need_all && e->uid != uid))
		return true;
	e->uid = uid;
	mailbox_twins_prefer(&l->scan, l->cur, e, name);
	k->at = (uint32_t)(e - l->scan.v) + 1;
	k->differs = e->is_new != !!(k->state & INDEX_IN_NEW) || !span_eqz(name, e->name);
	return true;
}

static bool was_looked_for(const struct look *l, const struct known *k)
{
	return (k->state & INDEX_IN_NEW) ? l->need_new : l->need_cur;
}

/* Messages that should have been seen and were not. */
static int match(struct disk *d, struct look *l, size_t *n_missing_r, struct err *err)
{
	uint32_t from = l->need_cur ? 1 : d->f.first_new;

	l->n_k = l->pos = 0;
	l->cur = d->md->cur;
	*n_missing_r = 0;
	if (from == 0)
		return 0;
	if (mail_store_idx(d->store, index_msg_walk(d->t, d->f.id, from, add_known, l, err)) < 0 ||
	    mail_store_idx(d->store, index_part_walk(d->t, d->f.id, from, INDEX_NAME, match_name, l, err)) < 0)
		return -1;
	for (size_t i = 0; i < l->n_k; i++)
		*n_missing_r += l->k[i].at == 0 && was_looked_for(l, &l->k[i]);
	return 0;
}

/* ---- changes of the index ---- */

static int get_msg(struct disk *d, uint32_t uid, struct index_msg *m_r, struct err *err)
{
	return mail_store_idx(d->store, index_msg_get(d->t, d->f.id, uid, m_r, err));
}

static int update(struct disk *d, const struct known *k, const struct maildir_entry *e, struct err *err)
{
	uint32_t flags = maildir_name_flags(span_z(e->name));
	struct index_msg m;
	int rc = get_msg(d, k->uid, &m, err);

	if (rc <= 0)
		return rc;
	m.state = (m.state & ~(uint32_t)INDEX_IN_NEW) | (e->is_new ? INDEX_IN_NEW : 0);
	if (e->is_new && (!d->f.first_new || m.uid < d->f.first_new))
		d->f.first_new = m.uid;
	if (flags != m.flags)
		rc = mailbox_index_flags(d, &m, flags, err);
	else
		rc = mail_store_idx(d->store, index_msg_put(d->t, d->f.id, &m, err));
	if (rc < 0)
		return -1;
	return mail_store_idx(d->store, index_part_put(d->t, d->f.id, m.uid, INDEX_NAME, span_z(e->name), err));
}

static int remove_known(struct disk *d, uint32_t uid, struct err *err)
{
	struct index_msg m;
	int rc = get_msg(d, uid, &m, err);

	return rc <= 0 ? rc : mailbox_index_del(d, &m, err);
}

/* The list's record of a UID; those asked for ascend, as the list does. */
static const struct uidlist_rec *next_listed(struct look *l, uint32_t uid)
{
	const struct uidlist *u = &l->uids;

	while (l->pos < u->n && u->v[l->pos].uid < uid)
		l->pos++;
	return l->pos < u->n && u->v[l->pos].uid == uid ? &u->v[l->pos] : NULL;
}

static int add_file(struct disk *d, struct look *l, const struct maildir_entry *e, bool is_looked_at, struct err *err)
{
	struct index_msg m = { .uid = e->uid, .flags = maildir_name_flags(span_z(e->name)), .size = UINT64_MAX,
			       .vsize = UINT64_MAX, .state = e->is_new ? INDEX_IN_NEW : 0, .saved_s = time(NULL),
			       .internal_s = INDEX_NO_DATE };
	const struct uidlist_rec *r = next_listed(l, e->uid);
	struct stat st;

	if (is_looked_at && fstatat(e->is_new ? d->md->new : d->md->cur, e->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		m.internal_s = st.st_mtime;
		m.size = (uint64_t)st.st_size;
	}
	if (maildir_size_tag(maildir_entry_base(e), 'W', &m.vsize) < 0 && r)
		m.vsize = r->vsize;
	return mailbox_index_add(d, &m, span_z(e->name), err);
}

static int by_uid(const void *a, const void *b)
{
	const struct maildir_entry *const *x = a, *const *y = b;

	return (*x)->uid < (*y)->uid ? -1 : (*x)->uid > (*y)->uid;
}

/* Mostly they are in order. */
static void sort_by_uid(struct maildir_entry **v, size_t n)
{
	size_t i = 1;

	while (i < n && v[i - 1]->uid < v[i]->uid)
		i++;
	if (i < n)
		qsort(v, n, sizeof(*v), by_uid);
}

static int by_arrival(const void *a, const void *b)
{
	const struct maildir_entry *const *x = a, *const *y = b;

	return maildir_entry_cmp(*x, *y);
}

/* Those that no known message has claimed. */
static size_t unclaimed(struct look *l, struct arena *a, struct maildir_entry ***v_r)
{
	bool *is_claimed = xcalloc(l->scan.n + 1, 1);
	size_t n = 0;

	for (size_t i = 0; i < l->n_k; i++)
		if (l->k[i].at)
			is_claimed[l->k[i].at - 1] = true;
	for (size_t i = 0; i < l->scan.n; i++)
		n += !is_claimed[i];
	*v_r = arena_alloc(a, (n + 1) * sizeof(**v_r));
	n = 0;
	for (size_t i = 0; i < l->scan.n; i++)
		if (!is_claimed[i])
			(*v_r)[n++] = &l->scan.v[i];
	free(is_claimed);
	return n;
}

/* No message below it is in new/ now. */
static uint32_t find_first_new(const struct look *l, struct maildir_entry **add, size_t n_add)
{
	for (size_t i = 0; i < l->n_k; i++)
		if (l->k[i].at && l->scan.v[l->k[i].at - 1].is_new)
			return l->k[i].uid;
	for (size_t i = 0; i < n_add; i++)
		if (add[i]->is_new)
			return add[i]->uid;
	return 0;
}

static int apply(struct disk *d, struct look *l, struct maildir_entry **add, size_t n_add, struct err *err)
{
	for (size_t i = 0; i < l->n_k; i++) {
		const struct known *k = &l->k[i];
		int rc = 0;

		if (k->at && k->differs)
			rc = update(d, k, &l->scan.v[k->at - 1], err);
		else if (!k->at && was_looked_for(l, k))
			rc = remove_known(d, k->uid, err);
		if (rc < 0)
			return -1;
	}
	sort_by_uid(add, n_add);
	l->pos = 0;
	for (size_t i = 0; i < n_add; i++) {
		if (i + MAILDIR_AHEAD < n_add)
			maildir_entry_fetch(add[i + MAILDIR_AHEAD]);
		if (add_file(d, l, add[i], n_add <= FILES_FEW, err) < 0)
			return -1;
	}
	if (l->need_new) {
		d->f.new_time = l->new_time;
		d->f.first_new = find_first_new(l, add, n_add);
	}
	if (l->need_cur)
		d->f.cur_time = l->cur_time;
	return 0;
}

/* ---- numbers ---- */

/* Holds the list, or says in d why it is not needed or not to be had. */
static int lock_list(struct disk *d, struct err *err)
{
	if (d->lock >= 0 || d->is_volatile)
		return 0;
	d->lock = dotlock_take(d->md->fd, UIDLIST_LOCK, 0);
	if (d->lock >= 0)
		return 0;
	if (errno == EEXIST) {
		d->is_busy = true;
		return err_set(err, ERR_TEMP, UIDLIST_LOCK " is held by somebody else");
	}
	if (!dotlock_is_hopeless(errno))
		return err_sys(err, "cannot make " UIDLIST_LOCK);
	d->is_volatile = true;
	return 0;
}

static enum uidlist_rc extend(struct disk *d, struct uidlist_new *v, size_t n, struct err *err)
{
	struct uidlist_note note = { d->f.uidlist, d->f.validity, d->f.uid_next };
	enum uidlist_rc rc;

	if (lock_list(d, err) < 0)
		return UIDLIST_FAILED;
	rc = d->is_volatile ? UIDLIST_DONE : uidlist_extend(d->md->fd, &note, v, n, err);
	if (rc == UIDLIST_FAILED && err->kind == ERR_SYS && dotlock_is_hopeless(err->sys)) {
		d->is_volatile = true;
		rc = UIDLIST_DONE;
	}
	for (size_t i = 0; d->is_volatile && i < n; i++)
		v[i].uid = d->f.uid_next++;
	if (rc == UIDLIST_DONE && !d->is_volatile) {
		d->f.uidlist = note.file;
		d->f.uid_next = note.next_uid;
	}
	return rc;
}

int mailbox_disk_number(struct disk *d, struct uidlist_new *v, size_t n, struct err *err)
{
	enum uidlist_rc rc = extend(d, v, n, err);

	/* the list was in order when the transaction began, and we hold its lock since */
	return rc == UIDLIST_OTHER ? err_set(err, ERR_TEMP,
					     UIDLIST_NAME " was changed by somebody without its lock") : rc > 0 ? 0 : -1;
}

/* UIDs for files nobody has numbered. UIDLIST_OTHER: the list must be read whole, also for a record of a file that we
 * know: Dovecot names a copy of a copy as the first one was named, and that we may still have. */
static enum uidlist_rc number_files(struct disk *d, const struct look *l, struct maildir_entry **v, size_t n,
				    struct err *err)
{
	struct uidlist_new *u = arena_alloc(&d->arena, (n + 1) * sizeof(*u));
	enum uidlist_rc rc;

	if (n == 0 && !l->is_longer)
		return UIDLIST_DONE;
	/* reading it whole writes it without them */
	if (d->f.uidlist.size > ((uint64_t)d->f.n + LIST_SPARE) * LIST_LINE)
		return UIDLIST_OTHER;
	qsort(v, n, sizeof(*v), by_arrival);
	for (size_t i = 0; i < n; i++)
		u[i] = (struct uidlist_new){ maildir_entry_base(v[i]), 0,
					     !v[i]->is_new || (int64_t)v[i]->arrival_s + OLD_S < d->f.uidlist.s };
	rc = extend(d, u, n, err);
	for (size_t i = 0; rc == UIDLIST_DONE && i < n; i++)
		v[i]->uid = u[i].uid;
	return rc;
}

/* ---- all anew ---- */

static const struct known *known_by_uid(const struct look *l, uint32_t uid)
{
	size_t lo = 0, hi = l->n_k;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->k[mid].uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < l->n_k && l->k[lo].uid == uid ? &l->k[lo] : NULL;
}

/* A file with a UID that sessions were told is gone (it was away for a while): it needs another one. */
static int forget_revenants(struct disk *d, struct look *l, struct err *err)
{
	l->n_k = 0;
	if (mail_store_idx(d->store, index_msg_walk(d->t, d->f.id, 1, add_known, l, err)) < 0)
		return -1;
	for (size_t i = 0; i < l->scan.n; i++) {
		struct span base = maildir_entry_base(&l->scan.v[i]);
		const struct uidlist_rec *r = uidlist_find(&l->uids, base);

		if (r && r->uid < d->f.uid_next && !known_by_uid(l, r->uid))
			uidlist_forget(&l->uids, base);
	}
	return 0;
}

static int new_folder(struct disk *d, uint32_t validity, struct err *err)
{
	d->f = (struct index_folder){ .validity = validity, .uid_next = 1 };
	if (mail_store_idx(d->store, index_folder_put(d->t, span_z(d->folder), &d->f, err)) < 0)
		return -1;
	d->f.gone_floor = d->f.gone_modseq = d->f.flags_modseq = d->f.modseq;
	d->modseq = 0;
	d->is_unseen_unsure = false;
	return 0;
}

/* Everything is new to the index, but not to the user: recent is what nobody has taken out of new/. */
static void guess_recent(struct disk *d, struct maildir_entry **v, size_t n)
{
	d->f.first_recent = d->f.uid_next;
	d->f.n_recent = 0;
	for (size_t i = n; i > 0 && v[i - 1]->is_new; i--) {
		d->f.first_recent = v[i - 1]->uid;
		d->f.n_recent++;
	}
}

static bool recall(void *arg, uint32_t uid, struct span name)
{
	uidlist_recall(arg, uid, maildir_name_base(name));
	return true;
}

/* The list is that of the index, or there was none to be had; what it lacks was told while the disk was full. */
static int keep_promises(struct disk *d, struct look *l, struct err *err)
{
	struct uidlist *u = &l->uids;

	if (u->file.ino == 0 && d->f.uidlist.ino == 0) {
		u->validity = d->f.validity;
		u->next_uid = 1;
	}
	if (u->file.ino == 0 && d->f.uidlist.ino && u->validity <= d->f.validity)
		u->validity = d->f.validity + 1;
	if (u->validity != d->f.validity)
		return 0;
	if (mail_store_idx(d->store, index_part_walk(d->t, d->f.id, u->next_uid, INDEX_NAME, recall, u, err)) < 0)
		return -1;
	if (u->next_uid < d->f.uid_next)
		u->next_uid = d->f.uid_next;
	return forget_revenants(d, l, err);
}

/* A list without a past gets a number that no folder of this Maildir had, lest one that takes its name looks the
 * same. */
static void draw_validity(struct disk *d, struct uidlist *u)
{
	struct err why = ERR_INIT;
	uint32_t v;

	if (!u->has_past && u->validity != d->f.validity && uidvalidity_next(d->store, &v, &why) == 0 &&
	    v > d->f.validity)
		u->validity = v;
}

static int read_list(struct disk *d, struct look *l, struct err *err)
{
	int lock, rc;

	if (lock_list(d, err) < 0 || uidlist_open(&l->uids, d->md->fd, err) < 0)
		return -1;
	rc = maildir_scan(&l->scan, d->md, err);
	maildir_scan_sort(&l->scan);
	for (int turn = 0; rc == 0 && turn < RESCANS && uidlist_missing(&l->uids, &l->scan); turn++) {
		rc = look_again(l, d->store, d->md, err);
		maildir_scan_sort(&l->scan);
	}
	if (rc < 0)
		return -1;
	if (d->f.id && keep_promises(d, l, err) < 0)
		return -1;
	draw_validity(d, &l->uids);
	lock = d->lock;
	d->lock = -1;
	if (uidlist_sync_held(&l->uids, &l->scan, lock, err) < 0)
		return -1;
	d->is_volatile = l->uids.is_volatile;
	return 0;
}

static int refresh_all(struct disk *d, struct look *l, struct err *err)
{
	struct maildir_entry **add;
	size_t n_add, n_missing;
	bool is_fresh;

	l->need_new = l->need_cur = l->need_all = true;
	if (read_list(d, l, err) < 0)
		return -1;
	is_fresh = !d->f.id || d->f.validity != l->uids.validity;
	if (is_fresh && d->f.id && mail_store_idx(d->store, index_folder_delete(d->t, span_z(d->folder), err)) < 0)
		return -1;
	if (is_fresh && new_folder(d, l->uids.validity, err) < 0)
		return -1;
	if (match(d, l, &n_missing, err) < 0)
		return -1;
	n_add = unclaimed(l, &d->arena, &add);
	/* they are parted by a look that may give numbers */
	if (l->scan.n_twins)
		l->cur_time.due_s = DUE_NOW;
	if (apply(d, l, add, n_add, err) < 0)
		return -1;
	if (l->uids.next_uid > d->f.uid_next)
		d->f.uid_next = l->uids.next_uid;
	if (is_fresh)
		guess_recent(d, add, n_add);
	/* as it was read or written, not as it is now: others may have gone on */
	d->f.uidlist = l->uids.file;
	return 0;
}

/* ---- what has changed ---- */

static int refresh_part(struct disk *d, struct look *l, struct err *err)
{
	struct maildir_entry **add;
	size_t n_add, n_missing;
	enum uidlist_rc rc;
	int is_sure = 0;

	if ((l->need_new && maildir_scan_dir(&l->scan, d->md->new, true, err) < 0) ||
	    (l->need_cur && maildir_scan_dir(&l->scan, d->md->cur, false, err) < 0) || match(d, l, &n_missing, err) < 0)
		return -1;
	/* renamed while we read, or gone from new/ to cur/ */
	for (int turn = 0; n_missing && !is_sure && turn < RESCANS; turn++) {
		l->need_new = l->need_cur = true;
		is_sure = look_again(l, d->store, d->md, err);
		if (is_sure < 0 || match(d, l, &n_missing, err) < 0)
			return -1;
	}
	mailbox_twins_part(d, &l->scan);
	n_add = unclaimed(l, &d->arena, &add);
	rc = number_files(d, l, add, n_add, err);
	if (rc == UIDLIST_OTHER) {
		look_end(l);
		if (look_around(l, d->store, d->md, &d->f, err) < 0)
			return -1;
		return refresh_all(d, l, err);
	}
	return rc == UIDLIST_FAILED ? -1 : apply(d, l, add, n_add, err);
}

static int refresh(struct disk *d, unsigned flags, struct err *err)
{
	struct look l = { 0 };
	uint32_t n = d->f.n, next = d->f.uid_next;
	int rc = look_around(&l, d->store, d->md, &d->f, err);

	if (flags & DISK_AGAIN)
		l.need_new = l.need_cur = true;
	if (rc == 0 && (l.need_all || ((flags & DISK_OPEN) && d->f.uidlist.ino == 0)))
		rc = refresh_all(d, &l, err);
	else if (rc == 0 && (l.need_new || l.need_cur || l.is_longer))
		rc = refresh_part(d, &l, err);
	look_end(&l);
	if (rc == 0 && (d->f.n > n || d->f.uid_next > next))
		rc = mailbox_inbox_take(d, err);
	return rc;
}

/* ---- changes of our own ---- */

void mailbox_disk_own_begin(struct disk *d)
{
	struct index_time t;
	struct err err = ERR_INIT;

	d->is_own = look_at_dir(d->md->cur, false, &t, &err) == 0 && is_same_time(&t, &d->f.cur_time);
}

void mailbox_disk_own_end(struct disk *d)
{
	struct index_time *noted = &d->f.cur_time, t;
	uint32_t due;
	int rc;

	if (!d->is_own)
		return;
	d->is_own = false;
	rc = stamp(d->md->cur, &t);
	if (rc < 0)
		return;
	due = (uint32_t)time(NULL) + (rc ? DOUBT_S : DOUBT_COARSE_S);
	/* a look that was due before stays due */
	if (noted->due_s && noted->due_s < due)
		due = noted->due_s;
	*noted = (struct index_time){ t.s, t.ns, due };
}

struct in_new {
	uint32_t *v;
	size_t n, cap;
};

static bool collect_new(void *arg, const struct index_msg *m)
{
	struct in_new *l = arg;

	if (!(m->state & INDEX_IN_NEW))
		return true;
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->v = xrealloc(l->v, l->cap * sizeof(*l->v));
	}
	l->v[l->n++] = m->uid;
	return true;
}

/* 1 it is in cur/ now, 0 it stays where it is, -1 the index fails. */
static int take_one(struct disk *d, uint32_t uid, struct err *err)
{
	char name[NAME_MAX + 1], to[NAME_MAX + 1];
	struct index_msg m;
	int rc = mailbox_index_name(d->store, d->t, d->f.id, uid, name, err);

	if (rc > 0)
		rc = get_msg(d, uid, &m, err);
	if (rc <= 0 || maildir_name_make(to, span_z(name), m.flags) < 0 ||
	    renameat2(d->md->new, name, d->md->cur, to, RENAME_NOREPLACE) < 0)
		return rc < 0 ? -1 : 0;
	m.state &= ~(uint32_t)INDEX_IN_NEW;
	if (mail_store_idx(d->store, index_msg_put(d->t, d->f.id, &m, err)) < 0 ||
	    mail_store_idx(d->store, index_part_put(d->t, d->f.id, uid, INDEX_NAME, span_z(to), err)) < 0)
		return -1;
	return 1;
}

/* Moves what is in new/. A file that comes meanwhile is found by the next look. */
static int take_new(struct disk *d, struct err *err)
{
	struct in_new l = { 0 };
	uint32_t first = 0;
	int rc = mail_store_idx(d->store, index_msg_walk(d->t, d->f.id, d->f.first_new, collect_new, &l, err));

	mailbox_disk_own_begin(d);
	for (size_t i = 0; rc >= 0 && i < l.n; i++) {
		rc = take_one(d, l.v[i], err);
		if (rc == 0 && !first)
			first = l.v[i];
	}
	mailbox_disk_own_end(d);
	free(l.v);
	if (rc < 0)
		return -1;
	d->f.first_new = first;
	return 0;
}

/* After take_new, new/ is empty as a rule, and then its time is as good as after a scan. */
static int settle_new(struct disk *d, struct err *err)
{
	struct maildir_scan s = { 0 };
	struct index_time t;
	int rc = look_at_dir(d->md->new, index_is_memory(d->store->index), &t, err);

	if (rc == 0)
		rc = maildir_scan_dir(&s, d->md->new, true, err);
	if (rc == 0 && s.n == 0)
		d->f.new_time = t;
	else
		d->f.new_time.due_s = DUE_NOW;
	maildir_scan_fini(&s);
	return rc;
}

static int claim(struct disk *d, struct err *err)
{
	if (d->f.first_new && (take_new(d, err) < 0 || settle_new(d, err) < 0))
		return -1;
	d->f.first_recent = d->f.uid_next;
	d->f.n_recent = 0;
	return 0;
}

/* ---- transactions ---- */

/* The list is locked and the one we know, so that numbers of our own can be appended. It is longer when an APPEND
 * failed after them. */
static int hold_list(struct disk *d, struct err *err)
{
	for (int turn = 0; turn < TURNS; turn++) {
		struct look l = { 0 };
		enum uidlist_rc rc = extend(d, NULL, 0, err);
		int all;

		if (rc != UIDLIST_OTHER)
			return rc < 0 ? -1 : 0;
		all = look_around(&l, d->store, d->md, &d->f, err);
		if (all == 0)
			all = refresh_all(d, &l, err);
		look_end(&l);
		if (all < 0)
			return -1;
	}
	return err_set(err, ERR_TEMP, UIDLIST_NAME " changes all the time");
}

static int begin_once(struct disk *d, unsigned flags, struct err *err)
{
	int rc;

	if (d->is_busy || ((flags & DISK_LOCK) && d->lock < 0)) {
		d->lock = dotlock_take(d->md->fd, UIDLIST_LOCK, LOCK_WAIT_MS);
		if (d->lock < 0 && errno == EEXIST)
			return err_set(err, ERR_TEMP, UIDLIST_LOCK " is held by somebody else for %d seconds",
				       LOCK_WAIT_MS / 1000);
		if (d->lock < 0 && !dotlock_is_hopeless(errno))
			return err_sys(err, "cannot make " UIDLIST_LOCK);
		d->is_volatile = d->lock < 0;
		d->is_busy = false;
	}
	if (d->t == &d->txn && mail_store_idx(d->store, index_begin(d->store->index, true, &d->txn, err)) < 0)
		return -1;
	rc = mail_store_idx(d->store, index_folder_get(d->t, span_z(d->folder), &d->f, err));
	if (rc == 0)
		d->f = (struct index_folder){ 0 };
	if (rc < 0 || refresh(d, flags, err) < 0)
		return -1;
	d->recent_from = d->f.first_recent;
	d->n_recent = d->f.n_recent;
	if ((flags & DISK_TAKE_NEW) && claim(d, err) < 0)
		return -1;
	return flags & DISK_LOCK ? hold_list(d, err) : 0;
}

/* What an attempt leaves, but for the lock. */
static void undo(struct disk *d)
{
	if (d->t == &d->txn)
		index_end(&d->txn);
	arena_reset(&d->arena);
	d->modseq = 0;
	d->is_own = d->is_unseen_unsure = false;
}

int mailbox_disk_begin(struct disk *d, struct mail_store *s, const char *folder, const struct maildir *md,
		       unsigned flags,
		       struct err *err)
{
	unsigned turn = 0;

	*d = (struct disk){ .store = s, .folder = folder, .md = md, .lock = -1 };
	d->t = &d->txn;
	for (int busy = 0; begin_once(d, flags, err) < 0;) {
		undo(d);
		if (d->is_busy ? ++busy > 3 : !mail_store_mend(s, &turn)) {
			mailbox_disk_end(d);
			return -1;
		}
	}
	return 0;
}

int mailbox_disk_begin_index(struct disk *d, struct mail_store *s, const char *folder, const struct maildir *md,
			     uint32_t validity, struct err *err)
{
	int rc;

	*d = (struct disk){ .store = s, .folder = folder, .md = md, .lock = -1 };
	d->t = &d->txn;
	rc = mail_store_idx(s, index_begin(s->index, true, &d->txn, err));
	if (rc == 0)
		rc = mail_store_idx(s, index_folder_get(d->t, span_z(folder), &d->f, err));
	if (rc == 0) {
		mailbox_disk_end(d);
		rc = mailbox_disk_begin(d, s, folder, md, 0, err) < 0 ? -1 : 1;
	}
	if (rc > 0 && d->f.validity == validity)
		return 0;
	mailbox_disk_end(d);
	return rc < 0 ? -1 : err_set(err, ERR_TEMP, "the folder is another one now");
}

int mailbox_disk_join(struct disk *d, struct disk *with, const char *folder, const struct maildir *md, struct err *err)
{
	int rc;

	*d = (struct disk){ .store = with->store, .folder = folder, .md = md, .lock = -1, .t = with->t };
	rc = mail_store_idx(d->store, index_folder_get(d->t, span_z(folder), &d->f, err));
	if (rc > 0)
		return 0;
	mailbox_disk_end(d);
	return rc < 0 ? -1 : err_set(err, ERR_TEMP, "the index does not know the folder");
}

int mailbox_disk_commit(struct disk *d, struct err *err)
{
	if (mailbox_index_settle(d, err) < 0)
		return -1;
	return d->t == &d->txn ? mail_store_idx(d->store, index_commit(&d->txn, err)) : 0;
}

void mailbox_disk_end(struct disk *d)
{
	if (!d->store)
		return;
	if (d->t == &d->txn)
		index_end(&d->txn);
	dotlock_drop(d->md->fd, UIDLIST_LOCK, d->lock);
	arena_fini(&d->arena);
	*d = (struct disk){ .lock = -1 };
}

/* ---- reading ---- */

/* 1: the index is as the disk. */
static int is_current(struct mail_store *s, const struct maildir *md, const struct index_folder *f, unsigned flags,
		      struct err *err)
{
	struct look l = { 0 };

	if (!f->id || ((flags & DISK_TAKE_NEW) && (f->first_new || f->first_recent != f->uid_next)))
		return 0;
	if ((flags & DISK_OPEN) && f->uidlist.ino == 0)
		return 0;
	if (look_around(&l, s, md, f, err) < 0)
		return -1;
	return !l.need_all && !l.need_new && !l.need_cur && !l.is_longer;
}

static int read_once(struct mail_store *s, const char *folder, const struct maildir *md, unsigned flags,
		     struct index_txn *t,
		     struct index_folder *f_r, struct disk_claim *claim, struct err *err)
{
	bool was_updated = false;

	for (;;) {
		struct disk d;
		int rc;

		if (mail_store_idx(s, index_begin(s->index, false, t, err)) < 0)
			return -1;
		rc = mail_store_idx(s, index_folder_get(t, span_z(folder), f_r, err));
		if (rc == 0)
			*f_r = (struct index_folder){ 0 };
		if (rc >= 0 && !was_updated) {
			*claim = (struct disk_claim){ f_r->first_recent, f_r->n_recent, f_r->uidlist.ino == 0 };
			rc = is_current(s, md, f_r, flags, err);
		}
		if (rc > 0)
			return 0;
		index_end(t);
		if (rc < 0)
			return -1;
		if (mailbox_disk_begin(&d, s, folder, md, flags, err) < 0)
			return -1;
		*claim = (struct disk_claim){ d.recent_from, d.n_recent, d.is_volatile || d.f.uidlist.ino == 0 };
		rc = mailbox_disk_commit(&d, err);
		mailbox_disk_end(&d);
		if (rc < 0)
			return -1;
		was_updated = true;
	}
}

int mailbox_disk_read(struct mail_store *s, const char *folder, const struct maildir *md, unsigned flags,
		      struct index_txn *t,
		      struct index_folder *f_r, struct disk_claim *claim, struct err *err)
{
	struct disk_claim unused;
	unsigned turn = 0;

	while (read_once(s, folder, md, flags, t, f_r, claim ? claim : &unused, err) < 0) {
		index_end(t);
		if (!mail_store_mend(s, &turn))
			return -1;
	}
	return 0;
}
