/* aliases.h: right-hand sides of aliases(5), ~/.forward and :include: files, taken apart */
#ifndef PROTO_ALIASES_H
#define PROTO_ALIASES_H

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"

enum aliases_kind {
	ALIASES_ADDRESS,        /* "tito", "tito@example.com", "\"a b\"@example.com" (quoted as on the wire) */
	ALIASES_COMMAND,        /* what stood behind '|' */
	ALIASES_FILE,           /* "/var/mail/x", or "~/x" */
	ALIASES_INCLUDE,        /* what stood behind ":include:" */
};

/* Receives one destination; text lives in the arena given to the parser and never holds NUL, CR or LF.
 * Returns 0, or -1 with err to stop the parse. */
typedef int aliases_fn(void *arg, enum aliases_kind kind, struct span text, struct err *err);

/* A comma-separated list with RFC 5322 quotes, comments and "Name <address>". -1 ERR_CONF, naming the text, when it is
 * malformed; destinations in front of the fault have been given to fn by then. No I/O. Source: aliases.c */
int aliases_parse(struct span list, struct arena *a, aliases_fn *fn, void *arg, struct err *err) WARN_UNUSED;

/* The contents of a .forward or :include: file: one list a line, '#' comments, a line that begins with white space
 * goes on with the one before. Errors as above, with the line number in front. No I/O. Source: aliases.c */
int aliases_parse_file(struct span text, struct arena *a, aliases_fn *fn, void *arg, struct err *err) WARN_UNUSED;

#endif
