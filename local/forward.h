/* forward.h: ~/.forward and :include: files, read by the process that is the user */
#ifndef LOCAL_FORWARD_H
#define LOCAL_FORWARD_H

#include "local/msg_child.h"
#include "local/settings.h"

/* Bytes of new recipients that one answer to qmgr has room for. */
#define FORWARD_NEWS_MAX 48000

/* What a list led to; memory of the arena. has_self: the user's own address is in it (mail for the mailbox). */
struct forward {
	struct ipc_list news;           /* of struct route_new */
	bool has_self;
};

/* Follows forward_path: 1 and *out_r for the first file that exists, is safe and names somebody; 0 when there is none;
 * -1 with err when one cannot be read or understood now (ERR_TEMP, ERR_SYS, ERR_CONF), or names nothing but what
 * allow_mail_to_* forbids (ERR_PERM 5.7.1). Beside others such a member becomes a recipient that is
 * returned. A file that others may write is passed over with a warning. Blocks. Source: forward.c */
int forward_read(const struct settings *s, const struct child_rcpt *r, struct arena *a, struct forward *out_r,
		 struct err *err) WARN_UNUSED;

/* The same for the :include: file r->address; -1 also when it is not there or not safe. Blocks. Source: forward.c */
int forward_include(const struct settings *s, const struct child_rcpt *r, struct arena *a, struct forward *out_r,
		    struct err *err) WARN_UNUSED;

/* forward_path for this user as file names, without those that need an extension when there is none. Source:
 * forward.c */
struct conf_list forward_paths(const struct settings *s, const struct child_rcpt *r, struct arena *a);

#endif
