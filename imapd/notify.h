/* notify.h: the one inotify instance of imapd's parent, for the folders that children lend it
 *
 * Folders of file systems that ask elsewhere (network, FUSE) are refused before they are touched: the parent would wait
 * with them.
 */
#ifndef IMAPD_NOTIFY_H
#define IMAPD_NOTIFY_H

#include <sys/queue.h>
#include <uv.h>

#include "base/htab.h"
#include "io/loop.h"

#define NOTIFY_MOUNTS 16

struct notify_watch;

/* A mounted file system that was looked at before. */
struct notify_mount {
	uint64_t id;
	uint32_t major, minor;
	bool is_local;
};

struct notify {
	struct loop *loop;
	int fd;                         /* inotify; -1: none to be had, nothing can be watched */
	uv_poll_t poll;
	LIST_HEAD(, notify_watch) watches;
	struct htab dirs;               /* watch descriptor -> struct dir * */
	struct notify_mount mounts[NOTIFY_MOUNTS];
	size_t n_mounts;                /* ever seen; the oldest gives way */
};

/* Source: notify.c */
void notify_init(struct notify *n, struct loop *loop);
void notify_fini(struct notify *n);

/* Calls changed(arg) after anything happened in the two directories, new/ and cur/; not before it returns. The descriptors
 * stay the caller's. NULL: they cannot be watched. changed must not end a watch. Source: notify.c */
struct notify_watch *notify_watch(struct notify *n, const int fds[2], void (*changed)(void *arg), void *arg) WARN_UNUSED;

/* Tells somebody else from now on. Source: notify.c */
void notify_give(struct notify_watch *w, void (*changed)(void *arg), void *arg);

/* Takes NULL; sets *w to NULL. Source: notify.c */
void notify_end(struct notify_watch **w);

#endif
