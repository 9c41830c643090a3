/* source.h: logical lines of main.cf, master.cf and table sources: comments gone, continuations joined */
#ifndef CONF_SOURCE_H
#define CONF_SOURCE_H

#include "base/err.h"
#include "base/str.h"

#define SOURCE_MAX ((size_t)512 << 20)   /* bytes of the largest table source */

/* Caller's memory. */
struct source {
	const char *file;       /* the caller's; for messages */
	unsigned line;          /* where the logical line begins that was given last */
	struct str text;        /* the whole file, when source_open read it */
	struct str joined;      /* a logical line of several lines */
	struct span rest;
	unsigned next;
};

/* Reads the whole file, at most max bytes; -1 ERR_SYS when it cannot be read, ERR_CONF when it is too long or holds a
 * NUL byte. path must outlive s. Blocks. source_fini is needed in any case. Source: source.c */
int source_open(struct source *s, const char *path, size_t max, struct err *err) WARN_UNUSED;

/* The same over bytes in memory, which must outlive s. Source: source.c */
void source_init(struct source *s, const char *file, struct span text);

/* The next logical line without blanks at its ends; false at the end. A line that starts with white space goes on
 * with the one before; empty lines and lines starting with '#' are skipped, also between the two. The line is valid
 * until the next call. Source: source.c */
bool source_line(struct source *s, struct span *line_r);

/* Frees what s owns; idempotent. Source: source.c */
void source_fini(struct source *s);

/* Appends a whole file to *out, up to its limit. ERR_SYS (errno in err->sys) or ERR_CONF. Blocks. Source: source.c */
int source_slurp(struct str *out, const char *path, struct err *err) WARN_UNUSED;

#endif
