/* maildir.h: durable delivery into a Maildir++ that other programs may read and write at the same time */
#ifndef STORE_MAILDIR_H
#define STORE_MAILDIR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"

enum maildir_flags {
	MAILDIR_CREATE = 1,
	MAILDIR_LINK = 2,       /* the last component of path may be a symbolic link, as a user's own mailbox may be */
};

/* Seconds after which a file in tmp/ belongs to nobody any more (maildir(5)). */
#define MAILDIR_TMP_AGE (36 * 3600)

/* Caller's memory; the descriptors are the maildir's. */
struct maildir {
	int fd, tmp, new, cur;
	dev_t dev;
};

#define MAILDIR_INIT { -1, -1, -1, -1, 0 }

/* Where a message's bytes come from: head, then body, or (fd >= 0) `size` bytes of fd from `off` on. All are borrowed
 * until maildir_batch_add returns. base is the name without size and flags, the same at each attempt. */
struct maildir_msg {
	struct span head;
	struct span body;
	int fd;
	off_t off;
	uint64_t size;
	const char *base;
	bool retry;             /* an earlier attempt may have got through: look for a twin in new/ and cur/ */
	ptrdiff_t same_as;      /* index in the batch of an item with the very same bytes, or -1 */
};

struct maildir_item;

/* Caller's memory; zeroed is an empty batch. */
struct maildir_batch {
	struct arena arena;
	struct maildir_item *v;
	size_t n, cap;
};

/* Opens the Maildir at `path` below the directory `base` (which comes from configuration or passwd and is opened as it
 * is); symbolic links and ".." in path are refused. With MAILDIR_CREATE missing directories are made 0700 and synced.
 * With MAILDIR_LINK a link of this process's user or of root is followed at the end of path, except by root, who could
 * be led anywhere. ERR_SYS when the file system says no. Blocks. The caller closes. Source: maildir.c */
int maildir_open(struct maildir *md, const char *base, const char *path, unsigned flags, struct err *err) WARN_UNUSED;

/* Opens the directory `name` (of one component, no symbolic link) below the descriptor `at`, and tmp/, new/ and cur/
 * in it, made when missing. 1, 0 when `name` does not exist or is no directory, -1 ERR_SYS. Blocks. The caller
 * closes. Source: maildir.c */
int maildir_open_at(struct maildir *md, int at, const char *name, struct err *err) WARN_UNUSED;

/* Idempotent. Source: maildir.c */
void maildir_close(struct maildir *md);

/* "SECONDS.M<milliseconds>Q<queue id>R<recipient>I<instance>.HOST": sorts by arrival, safe as a
 * file name; owned by the arena. Source: maildir.c */
char *maildir_base_name(struct arena *a, uint64_t arrival_ms, const char *queue_id, unsigned recipient,
			const char *instance, const char *host);

/* Writes one message to tmp/; its index in the batch is n - 1 afterwards. md must stay open until commit or fini.
 * On failure nothing of it is left and the batch is as before: ERR_SYS from the file system, ERR_TEMP when fd holds
 * fewer bytes than size. Blocks on writes, never on a sync. Source: maildir.c */
int maildir_batch_add(struct maildir_batch *b, struct maildir *md, const struct maildir_msg *m,
		      struct err *err) WARN_UNUSED;

/* A message with this base name lies in new/ or cur/, whatever its flags. Blocks. Source: maildir.c */
bool maildir_has(struct maildir *md, const char *base);

/* The name that item i will have in new/, unless another file stands there; until commit or fini.
 * Source: maildir.c */
const char *maildir_batch_name(const struct maildir_batch *b, size_t i);

/* Makes every message durable and visible. results has room for n entries: kind ERR_NONE means delivered and durable;
 * any other means not delivered, nothing left in new/ (ERR_SYS: try again later). already_r, if not NULL, has room for
 * n flags: delivered by an earlier attempt, so quota counts it already. Empties the batch. Blocks. Source: maildir.c */
void maildir_batch_commit(struct maildir_batch *b, struct err *results, bool *already_r);

/* Removes what is in tmp/ still, and frees the batch's memory. Idempotent. Source: maildir.c */
void maildir_batch_fini(struct maildir_batch *b);

/* Removes files in tmp/ that nobody touched for MAILDIR_TMP_AGE; the number removed. Blocks. Source: maildir.c */
unsigned maildir_clean_tmp(struct maildir *md);

#endif
