/* map_build.h: makes the indexed file of a table from its source, and replaces the old one in one step */
#ifndef CONF_MAP_BUILD_H
#define CONF_MAP_BUILD_H

#include "conf/map_source.h"

/* Reads the text file `name` and writes NAME.lmdb beside it: a temporary file, synced, renamed, its directory synced.
 * The new file has the source's owner and rights for reading. Lines that are wrong and keys that stand twice (the first
 * counts) are warnings. count_r: entries written. -1: nothing changed. Blocks. Source: map_build.c */
int map_build(const char *name, enum map_syntax syntax, size_t *count_r, struct conf_errors *warnings, struct err *err)
	WARN_UNUSED;

/* Visits all entries of NAME.lmdb in the order of keys. -1 ERR_TEMP when it cannot be opened. Source: map_build.c */
int map_build_visit(const char *name, void (*visit)(void *arg, struct span key, struct span value), void *arg,
                    struct err *err) WARN_UNUSED;

#endif
