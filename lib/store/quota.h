/* quota.h: Maildir++ quota: the file maildirsize, shared with other programs that keep it */
#ifndef STORE_QUOTA_H
#define STORE_QUOTA_H

#include <stdint.h>

#include "base/err.h"
#include "store/maildir.h"

/* 0 means no limit. Bytes and messages over all folders of the Maildir. */
struct quota_limit {
	uint64_t bytes;
	uint64_t count;
};

struct quota_use {
	uint64_t bytes;
	uint64_t count;
};

/* What the Maildir holds: from maildirsize where that can be trusted, else by looking at every folder, and then
 * maildirsize is written anew. With no limit set nothing is read and the answer is zero. ERR_SYS when a folder cannot
 * be read; a maildirsize that cannot be written is no error. Blocks. Source: quota.c */
int quota_read(struct maildir *md, const struct quota_limit *lim, struct quota_use *use_r, struct err *err) WARN_UNUSED;

/* -1 with ERR_PERM 5.2.2 when one message of `bytes` on top of *use goes over the limit. No I/O. Source: quota.c */
int quota_check(const struct quota_limit *lim, const struct quota_use *use, uint64_t bytes,
		struct err *err) WARN_UNUSED;

/* Notes in maildirsize that bytes and count came (or, negative, went). Best effort: a lost note is made good by the
 * next recalculation. Nothing happens when no limit is set. Blocks shortly. Source: quota.c */
void quota_add(struct maildir *md, const struct quota_limit *lim, int64_t bytes, int64_t count);

/* Bytes of a message by its file name (",S=123"); false when the name does not say. Source: quota.c */
bool quota_name_size(const char *name, uint64_t *size_r);

#endif
