#include "imapd/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define EVENTS (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define BATCH 65536             /* bytes of events in a read */
#define MOUNTINFO_MAX (1 << 20)

/* A watched directory; one for all who have it. */
struct dir {
	int wd;
	struct link *first;
};

struct link {
	struct dir *dir;                /* NULL: nothing */
	struct link *next;
	struct notify_watch *w;
};

struct notify_watch {
	struct notify *n;
	LIST_ENTRY(notify_watch) link;
	struct link links[2];           /* new/ and cur/ */
	bool is_due;
	void (*changed)(void *arg);
	void *arg;
};

/* ---- folders ---- */

static struct span key_of(const int *wd)
{
	return (struct span){ (const char *)wd, sizeof(*wd) };
}

static void unlink_one(struct notify *n, struct link *l)
{
	struct dir *d = l->dir;
	struct link **at;

	l->dir = NULL;
	if (!d)
		return;
	for (at = &d->first; *at != l; at = &(*at)->next)
		;
	*at = l->next;
	if (d->first)
		return;
	/* of a folder that was removed the kernel has dropped the watch, and its number is not in the table */
	if (htab_get(&n->dirs, key_of(&d->wd)) == d) {
		htab_del(&n->dirs, key_of(&d->wd));
		inotify_rm_watch(n->fd, d->wd);
	}
	free(d);
}

static int link_one(struct notify *n, struct link *l, int fd)
{
	char path[40];
	struct dir *d;
	int wd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	wd = inotify_add_watch(n->fd, path, EVENTS);
	if (wd < 0)
		return -1;
	d = htab_get(&n->dirs, key_of(&wd));
	if (!d) {
		d = xnew(struct dir);
		d->wd = wd;
		htab_put(&n->dirs, key_of(&wd), d);
	}
	l->dir = d;
	l->next = d->first;
	d->first = l;
	return 0;
}

/* ---- file systems ---- */

static bool is_local_type(struct span type)
{
	static const char *const types[] = { "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "bcachefs", "f2fs", "jfs",
					     "reiserfs", "nilfs2", "tmpfs", "ramfs", "overlay", "vfat", "ntfs3" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(types); i++) {
		if (span_eqz(type, types[i]))
			return true;
	}
	return false;
}

/* proc(5): "36 35 98:0 /root /mount options [optional fields] - type source superblock-options". A mount that is not
 * listed lies around our root, that of a chroot: a block device is local. */
static bool find_mount(struct span all, const struct notify_mount *m)
{
	struct span line, word, type;
	uint64_t found;

	while (all.n) {
		span_cut(all, '\n', &line, &all);
		if (!span_word(&line, " ", &word) || span_u64(word, UINT64_MAX, &found) < 0 || found != m->id)
			continue;
		while (span_word(&line, " ", &word)) {
			if (span_eqz(word, "-"))
				return span_word(&line, " ", &type) && is_local_type(type);
		}
	}
	return m->major != 0;
}

static bool read_mount(const struct notify_mount *m)
{
	struct str all = STR_INIT(MOUNTINFO_MAX);
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	char buf[8192];
	ssize_t n = 0;
	bool is_local;

	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0) {
		if (str_add(&all, buf, (size_t)n) < 0)
			break;
	}
	if (fd >= 0)
		close(fd);
	is_local = find_mount(str_span(&all), m);
	str_fini(&all);
	return is_local;
}

/* Asks nothing of the file system itself: one of the network or of FUSE may never answer. */
static bool is_watchable(struct notify *n, int fd)
{
	struct notify_mount *m;
	struct statx st;
	size_t i;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID, &st) < 0 || !S_ISDIR(st.stx_mode) ||
	    !(st.stx_mask & STATX_MNT_ID))
		return false;
	for (i = 0; i < n->n_mounts && i < NOTIFY_MOUNTS; i++) {
		m = &n->mounts[i];
		if (m->id == st.stx_mnt_id && m->major == st.stx_dev_major && m->minor == st.stx_dev_minor)
			return m->is_local;
	}
	m = &n->mounts[n->n_mounts++ % NOTIFY_MOUNTS];
	*m = (struct notify_mount){ st.stx_mnt_id, st.stx_dev_major, st.stx_dev_minor, false };
	m->is_local = read_mount(m);
	return m->is_local;
}

/* ---- watches ---- */

struct notify_watch *notify_watch(struct notify *n, const int fds[2], void (*changed)(void *arg), void *arg)
{
	struct notify_watch *w;

	if (n->fd < 0 || fds[1] < 0 || !is_watchable(n, fds[0]) || !is_watchable(n, fds[1]))
		return NULL;
	w = xnew(struct notify_watch);
	*w = (struct notify_watch){ .n = n, .links = { { .w = w }, { .w = w } }, .changed = changed, .arg = arg };
	LIST_INSERT_HEAD(&n->watches, w, link);
	if (link_one(n, &w->links[0], fds[0]) < 0 || link_one(n, &w->links[1], fds[1]) < 0)
		notify_end(&w);
	return w;
}

void notify_give(struct notify_watch *w, void (*changed)(void *arg), void *arg)
{
	w->changed = changed;
	w->arg = arg;
}

void notify_end(struct notify_watch **at)
{
	struct notify_watch *w = *at;

	*at = NULL;
	if (!w)
		return;
	unlink_one(w->n, &w->links[0]);
	unlink_one(w->n, &w->links[1]);
	LIST_REMOVE(w, link);
	free(w);
}

/* ---- events ---- */

static void mark(const struct dir *d)
{
	const struct link *l;

	for (l = d->first; l; l = l->next)
		l->w->is_due = true;
}

static void mark_all(struct notify *n)
{
	struct notify_watch *w;

	log_warn("inotify lost events: all sessions look for themselves; see fs.inotify.max_queued_events");
	LIST_FOREACH(w, &n->watches, link)
		w->is_due = true;
}

static void tell(struct notify *n)
{
	struct notify_watch *w;

	LIST_FOREACH(w, &n->watches, link) {
		if (w->is_due)
			w->changed(w->arg);
		w->is_due = false;
	}
}

static void on_events(uv_poll_t *h, int status, int events)
{
	struct notify *n = h->data;
	_Alignas(struct inotify_event) char buf[BATCH];
	ssize_t size = read(n->fd, buf, sizeof(buf));
	const char *p;

	for (p = buf; p < buf + (size > 0 ? size : 0);) {
		const struct inotify_event *e = (const void *)p;
		struct dir *d = htab_get(&n->dirs, key_of(&e->wd));

		if (e->mask & IN_Q_OVERFLOW)
			mark_all(n);
		else if (d)
			mark(d);
		if (d && e->mask & IN_IGNORED)
			htab_del(&n->dirs, key_of(&e->wd));
		p += sizeof(*e) + e->len;
	}
	tell(n);
}

void notify_init(struct notify *n, struct loop *loop)
{
	*n = (struct notify){ .loop = loop, .fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC) };
	if (n->fd < 0) {
		log_warn("no inotify (%m): sessions look for new mail every few seconds");
		return;
	}
	BUG(uv_poll_init(&loop->uv, &n->poll, n->fd) != 0);
	n->poll.data = n;
	uv_poll_start(&n->poll, UV_READABLE, on_events);
}

void notify_fini(struct notify *n)
{
	BUG(!LIST_EMPTY(&n->watches));
	if (n->fd >= 0) {
		uv_close((uv_handle_t *)&n->poll, NULL);
		close(n->fd);
	}
	n->fd = -1;
	htab_fini(&n->dirs);
}
