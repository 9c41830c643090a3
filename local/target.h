/* target.h: whose process delivers for a recipient, and into what */
#ifndef LOCAL_TARGET_H
#define LOCAL_TARGET_H

#include <sys/types.h>

#include "local/msg_child.h"
#include "local/settings.h"

/* Strings belong to the arena given to target_find. */
struct target {
	enum child_what what;
	uid_t uid;
	gid_t gid;
	const char *user;               /* login name; "" for a virtual mailbox */
	const char *home, *shell;
	const char *base, *path;        /* the mailbox, as in struct child_rcpt */
	const char *link;               /* the mailbox when it is a symbolic link, for the sandbox; else NULL */
	const char *key;                /* recipients with the same key may share a process */
	struct span address;            /* command or path */
	struct span mailbox_command;    /* what delivers in place of writing to the mailbox, or empty */
	struct span mailbox_transport;  /* the same: "transport:nexthop", stronger */
	uint64_t quota_bytes, quota_count;
};

/* 0, or -1 and *res says what becomes of the recipient without any delivery (status, dsn, text, news). Asks the
 * password file, so it may block on name services. Source: target.c */
int target_find(const struct settings *s, struct span transport, const struct dlv_rcpt *r, struct arena *a,
		struct target *t_r, struct dlv_rcpt_result *res) WARN_UNUSED;

/* *res hands r to another transport, beside what res->news has already. Source: target.c */
void target_pass(const struct dlv_rcpt *r, struct span via, struct arena *a, struct dlv_rcpt_result *res);

/* Makes t the run of its mailbox_command. Source: target.c */
void target_use_mailbox_command(struct target *t, struct arena *a);

#endif
