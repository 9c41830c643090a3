/* mbox.h: appending to an mbox file, as the user who may write it */
#ifndef LOCAL_MBOX_H
#define LOCAL_MBOX_H

#include "local/letter.h"

/* Appends head (which begins with a "From " line) and the letter, with "From " quoted and an empty line behind, and
 * syncs. Holds a dotlock (where one can be made) and an fcntl lock meanwhile. /dev/null swallows. On failure the file
 * is as long as before. ERR_PERM 5.2.0 for what is no mailbox by nature (an executable, a directory), 5.2.2 when it
 * would grow over limit (0: none); ERR_TEMP or ERR_SYS for all else, also for symbolic and hard links and, when
 * is_strict, for a file that somebody else owns. Blocks. Source: mbox.c */
int mbox_append(const char *path, const struct letter *l, struct span head, uint64_t limit, bool is_strict,
		struct err *err) WARN_UNUSED;

#endif
