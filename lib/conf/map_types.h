/* map_types.h: the table types that are always there, and the file watch that several of them share */
#ifndef CONF_MAP_TYPES_H
#define CONF_MAP_TYPES_H

#include <sys/stat.h>

#include "conf/map.h"

extern const struct map_type map_lmdb_type;     /* Source: map_lmdb.c */
extern const struct map_type map_texthash_type; /* Source: map_texthash.c */
extern const struct map_type map_inline_type;   /* Source: map_inline.c */
extern const struct map_type map_static_type;   /* Source: map_static.c */
extern const struct map_type map_pcre_type;     /* Source: map_pattern.c */
extern const struct map_type map_regexp_type;   /* Source: map_pattern.c */
extern const struct map_type map_cidr_type;     /* Source: map_cidr.c */
extern const struct map_type map_union_type;    /* Source: map_union.c */
extern const struct map_type map_fail_type;     /* Source: map_fail.c */
extern const struct map_type map_unix_type;     /* Source: map_unix.c */

/* The answer of a table held in memory: found is the value, or NULL. Source: map_file.c */
enum map_rc map_answer(const char *found, struct str *value, struct err *err);

/* Which file was read, to notice that another one stands there now. */
struct map_file {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
};

/* 1 when path is not what *f describes (then *f is set), 0 when it still is, -1 ERR_SYS. Source: map_file.c */
int map_file_changed(struct map_file *f, const char *path, struct err *err) WARN_UNUSED;

#endif
