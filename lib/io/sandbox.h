/* sandbox.h: gives rights away, in the one order that works: rlimits, chroot, uid, no_new_privs, Landlock, seccomp */
#ifndef IO_SANDBOX_H
#define IO_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

/* Groups of system calls; memory, time, read, write, close, epoll, futex and signal returns are always allowed.
 * What is not allowed fails with EPERM; a denied exec, socket or ptrace is what the sandbox test looks for. */
enum sandbox_may {
	SB_ACCEPT = 1 << 0,     /* accept on listening sockets given to it */
	SB_OPEN = 1 << 1,       /* open files and folders (Landlock says which) */
	SB_CHANGE_FILES = 1 << 2,  /* rename, unlink, mkdir, link, fsync, chmod */
	SB_SOCKET = 1 << 3,     /* make inet sockets and connect */
	SB_UNIX = 1 << 4,       /* make and connect unix sockets and socketpairs */
	SB_FORK = 1 << 5,       /* fork, kill, wait, setuid family */
	SB_EXEC = 1 << 6,       /* and with it every call: what is executed may need any */
	SB_THREAD = 1 << 7,
	SB_INOTIFY = 1 << 8,
};

enum sandbox_access { SB_READ = 1, SB_WRITE = 2 };      /* SB_WRITE includes making, renaming, linking and removing */

struct sandbox_path {
	const char *path;               /* absolute; one that does not exist is skipped */
	unsigned access;
};

struct sandbox_calls;

struct sandbox {
	const char *chroot;             /* NULL: stay; ignored when not root */
	const char *user;               /* NULL: stay who we are; ignored when not root */
	const char *group;              /* NULL: the user's primary group */
	unsigned may;                   /* enum sandbox_may */
	const struct sandbox_calls *calls;      /* of the same may, for children; NULL: made now, for some 0.4 ms */
	const struct sandbox_path *paths;
	size_t n_paths;                 /* 0: Landlock forbids every path */
	bool may_all_paths;             /* no Landlock (exec helper, PAM) */
	bool may_gain_privs;            /* no no_new_privs, and so neither Landlock nor seccomp (exec helper, PAM) */
	size_t max_memory;              /* RLIMIT_DATA in bytes, 0: none: what is allocated, not mapped files */
	unsigned max_files;             /* RLIMIT_NOFILE, 0: as high as the hard limit goes */
};

/* Applies all of it to this single-threaded process; on failure the process must exit (a part may be in force).
 * Where the kernel lacks Landlock (or has it below ABI 2) that layer is skipped and *missing_r (may be NULL) says so.
 * Source: sandbox.c */
int sandbox_apply(const struct sandbox *sb, const char **missing_r, struct err *err) WARN_UNUSED;

/* The list of system calls of may, made once for the many children of a parent. The caller frees it. -1 ERR_SYS.
 * Source: sandbox.c */
int sandbox_calls_new(struct sandbox_calls **c_r, unsigned may, struct err *err) WARN_UNUSED;
void sandbox_calls_free(struct sandbox_calls *c);

/* The steps alone, for children that become a user: identity (initgroups, setgid, setuid, checked), then the rest.
 * home may be added as a path. Source: sandbox.c */
int sandbox_become(uid_t uid, gid_t gid, const char *user, struct err *err) WARN_UNUSED;

#endif
