/* notify.h: the one inotify instance of imapd's parent, for the folders that children lend it
 *
 * A child can neither block the parent nor make it grow: it has one watch of two folders, a full socket loses events
 * that say nothing new, and folders of file systems that ask elsewhere (network, FUSE) are refused before they are
 * touched.
 */
#ifndef IMAPD_NOTIFY_H
#define IMAPD_NOTIFY_H

#include <uv.h>

#include "base/htab.h"
#include "io/loop.h"

#define NOTIFY_MOUNTS 16

struct notify_client;

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
	struct notify_client *clients;
	size_t n_clients;
	struct htab dirs;               /* watch descriptor -> struct dir * */
	struct notify_mount mounts[NOTIFY_MOUNTS];
	size_t n_mounts;                /* ever seen; the oldest gives way */
};

/* Source: notify.c */
void notify_init(struct notify *n, struct loop *loop);
void notify_fini(struct notify *n);

/* A new child: its end of the pair, for the caller to close after the fork; -1: there is none, the child polls. All of
 * the child is forgotten when it closes its end. Source: notify.c */
int notify_add(struct notify *n);

#endif
