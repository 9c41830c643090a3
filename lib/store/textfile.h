/* textfile.h: small files of a Maildir that several programs change: read whole, replaced under their ".lock"
 *
 * As Dovecot does it: "NAME.lock", made with O_EXCL, is both the lock and the next version. Renaming it onto NAME
 * releases it, so a reader finds the old text or the new, also after a power cut.
 */
#ifndef STORE_TEXTFILE_H
#define STORE_TEXTFILE_H

#include "base/err.h"
#include "base/span.h"
#include "base/str.h"

/* Caller's memory; dir and name are borrowed. */
struct textfile {
	int dir, fd;
	const char *name;
	char lock[64];
};

/* Appends the text. 1 read, 0 no such file, -1 ERR_SYS (also for what is no plain file, or above out's limit). Blocks.
 * Source: textfile.c */
int textfile_read(int dir, const char *name, struct str *out, struct err *err) WARN_UNUSED;

/* Takes the lock, waiting at most wait_ms; one that nobody touched for 120 s is broken. -1 ERR_TEMP when it stays,
 * ERR_SYS. Source: textfile.c */
int textfile_lock(struct textfile *f, int dir, const char *name, unsigned wait_ms, struct err *err) WARN_UNUSED;

/* The file holds text, durably, and the lock is free. -1 ERR_SYS, ERR_TEMP: it is as it was, and the lock is free.
 * Source: textfile.c */
int textfile_replace(struct textfile *f, struct span text, struct err *err) WARN_UNUSED;

/* Without a change; idempotent, also after replace. Source: textfile.c */
void textfile_unlock(struct textfile *f);

#endif
