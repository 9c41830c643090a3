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
#include "imapd/watch.h"

#define EVENTS (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define BATCH 65536             /* bytes of events in a read */
#define BURST 8                 /* messages of a child, then it is the turn of others */
#define MOUNTINFO_MAX (1 << 20)

/* A watched folder; one for all children that have it. */
struct dir {
	int wd;
	struct link *first;
};

struct link {
	struct dir *dir;                /* NULL: nothing */
	struct link *next;
	struct notify_client *c;
};

struct notify_client {
	struct notify *n;
	struct notify_client *prev, *next;
	int fd;
	uv_poll_t poll;
	struct link links[2];           /* new/ and cur/ */
	struct watch_msg owed;          /* an answer that did not fit; kind 0: none */
	bool is_due;
};

static void on_client(uv_poll_t *h, int status, int events);

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

static void clear(struct notify_client *c)
{
	unlink_one(c->n, &c->links[0]);
	unlink_one(c->n, &c->links[1]);
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

/* proc(5): "36 35 98:0 /root /mount options [optional fields] - type source superblock-options". */
static bool find_mount(struct span all, uint64_t id)
{
	struct span line, word, type;
	uint64_t found;

	while (all.n) {
		span_cut(all, '\n', &line, &all);
		if (!span_word(&line, " ", &word) || span_u64(word, UINT64_MAX, &found) < 0 || found != id)
			continue;
		while (span_word(&line, " ", &word)) {
			if (span_eqz(word, "-"))
				return span_word(&line, " ", &type) && is_local_type(type);
		}
	}
	return false;
}

static bool read_mount(uint64_t id)
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
	is_local = find_mount(str_span(&all), id);
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
	*m = (struct notify_mount){ st.stx_mnt_id, st.stx_dev_major, st.stx_dev_minor, read_mount(st.stx_mnt_id) };
	return m->is_local;
}

/* ---- children ---- */

static void forget(struct notify_client *c)
{
	clear(c);
	if (c->next)
		c->next->prev = c->prev;
	if (c->prev)
		c->prev->next = c->next;
	else
		c->n->clients = c->next;
	c->n->n_clients--;
	close(c->fd);
	free(c);
}

static void on_closed(uv_handle_t *h)
{
	forget(h->data);
}

static void end(struct notify_client *c)
{
	if (!uv_is_closing((uv_handle_t *)&c->poll)) {
		clear(c);
		uv_close((uv_handle_t *)&c->poll, on_closed);
	}
}

/* An answer is owed until it is sent, and nothing more is read from that child. */
static void pay(struct notify_client *c)
{
	ssize_t rc = c->owed.kind ? send(c->fd, &c->owed, sizeof(c->owed), MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

	if (rc < 0 && errno != EAGAIN && errno != EINTR) {
		end(c);
		return;
	}
	if (rc >= 0)
		c->owed.kind = 0;
	uv_poll_start(&c->poll, c->owed.kind ? UV_WRITABLE : UV_READABLE, on_client);
}

/* What a child lends may be anything it has; the last close of a socket can wait for its peer. */
static void give_back(int fd)
{
	const struct linger none = { 0 };

	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(fd);
}

static bool set(struct notify_client *c, const int fds[2])
{
	struct notify *n = c->n;

	clear(c);
	if (n->fd < 0 || fds[1] < 0 || !is_watchable(n, fds[0]) || !is_watchable(n, fds[1]))
		return false;
	if (link_one(n, &c->links[0], fds[0]) == 0 && link_one(n, &c->links[1], fds[1]) == 0)
		return true;
	clear(c);
	return false;
}

/* 1: a message was taken; 0: none is there; -1: the child has gone. */
static int receive(struct notify_client *c, struct watch_msg *m, int fds[2])
{
	union {
		char room[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { m, sizeof(*m) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room,
			    .msg_controllen = sizeof(control.room) };
	ssize_t n = recvmsg(c->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *cm;

	fds[0] = fds[1] = -1;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	for (cm = CMSG_FIRSTHDR(&h); cm; cm = CMSG_NXTHDR(&h, (struct cmsghdr *)(uintptr_t)cm)) {
		if (cm->cmsg_level == SOL_SOCKET && cm->cmsg_type == SCM_RIGHTS)
			memcpy(fds, CMSG_DATA(cm), cm->cmsg_len - CMSG_LEN(0) < 2 * sizeof(int) ? sizeof(int) : 2 * sizeof(int));
	}
	return n == sizeof(*m) && !(h.msg_flags & MSG_TRUNC) ? 1 : -1;
}

static void on_client(uv_poll_t *h, int status, int events)
{
	struct notify_client *c = h->data;
	int i, rc = 1, fds[2];

	if (c->owed.kind)
		pay(c);
	for (i = 0; i < BURST && rc > 0 && !c->owed.kind && !uv_is_closing((uv_handle_t *)h); i++) {
		struct watch_msg m = { 0 };

		rc = receive(c, &m, fds);
		if (rc > 0 && m.kind == WATCH_SET) {
			c->owed = (struct watch_msg){ set(c, fds) ? WATCH_ON : WATCH_OFF, m.number };
			pay(c);
		} else if (rc > 0 && m.kind == WATCH_CLEAR) {
			clear(c);
		}
		give_back(fds[0]);
		give_back(fds[1]);
	}
	if (rc < 0)
		end(c);
}

int notify_add(struct notify *n)
{
	struct notify_client *c;
	int fds[2], least = 1;

	if (n->fd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -1;
	/* a handful of packets: who does not read them knows already that something has changed */
	(void)setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
	(void)setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
	c = xnew(struct notify_client);
	*c = (struct notify_client){ .n = n, .next = n->clients, .fd = fds[0], .links = { { .c = c }, { .c = c } } };
	if (c->next)
		c->next->prev = c;
	n->clients = c;
	n->n_clients++;
	BUG(uv_poll_init(&n->loop->uv, &c->poll, c->fd) != 0);
	c->poll.data = c;
	uv_poll_start(&c->poll, UV_READABLE, on_client);
	return fds[1];
}

/* ---- events ---- */

static void mark(const struct dir *d)
{
	const struct link *l;

	for (l = d->first; l; l = l->next)
		l->c->is_due = true;
}

static void mark_all(struct notify *n)
{
	struct notify_client *c;

	log_warn("inotify lost events: all sessions look for themselves; see fs.inotify.max_queued_events");
	for (c = n->clients; c; c = c->next)
		c->is_due = c->links[0].dir != NULL;
}

/* A full socket holds events that were not taken: one more would say nothing new. */
static void tell(struct notify *n)
{
	const struct watch_msg m = { WATCH_EVENT, 0 };
	struct notify_client *c;

	for (c = n->clients; c; c = c->next) {
		if (c->is_due)
			(void)!send(c->fd, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL);
		c->is_due = false;
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
	struct notify_client *c;

	for (c = n->clients; c; c = c->next)
		end(c);
	if (n->fd >= 0) {
		uv_close((uv_handle_t *)&n->poll, NULL);
		close(n->fd);
	}
	n->fd = -1;
	htab_fini(&n->dirs);
}
