/* map.h: one interface to all lookup tables; a table type registers a vtable */
#ifndef CONF_MAP_H
#define CONF_MAP_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "base/str.h"

struct map;

enum map_rc { MAP_TEMP = -1, MAP_NONE = 0, MAP_FOUND = 1 };

/* IS_PATTERN: only whole keys are asked for, never parts of an address (regexp, pcre, cidr).
 * FOLDS: keys are folded to lower case (ASCII) before they reach get. */
enum map_flags { MAP_IS_PATTERN = 1, MAP_FOLDS = 2 };

/* The longest result, and the longest key that is ever asked for; a longer key is not in any table. */
#define MAP_VALUE_MAX (1u << 20)  /* a list of thousands of members */
#define MAP_KEY_MAX 2048

/* What a table type brings. open: 0/-1 with err; get appends the value to *value; close frees what open made.
 * name is what follows "type:". get may read a file and so may block shortly; never on a network. */
struct map_type {
	const char *name;
	unsigned flags;
	int (*open)(void **state_r, const char *name, struct err *err);
	enum map_rc (*get)(void *state, struct span key, struct str *value, struct err *err);
	void (*close)(void *state);
};

/* Adds a type; t must live as long as the process. Layers above conf register their own (users:). At most 16.
 * Source: map.c */
void map_register(const struct map_type *t);

/* Opens "type:name" ("lmdb:/etc/surat/aliases", "inline:{a=b, c=d}", "static:x"). "proxy:" in front is skipped; hash:
 * and btree: are lmdb:. -1 ERR_CONF for an unknown type (naming the nearest) or a bad name or content, ERR_SYS/ERR_TEMP
 * for an unreadable file. Caller closes. Source: map.c */
int map_open(struct map **m_r, const char *type_name, struct err *err) WARN_UNUSED;

/* MAP_FOUND: value holds the result (it is reset first). MAP_TEMP: err says why; the letter must wait.
 * A replaced table file is noticed here and reopened; never half-read. Source: map.c */
enum map_rc map_get(struct map *m, struct span key, struct str *value, struct err *err) WARN_UNUSED;

/* enum map_flags of its type, and its name as given to map_open. Source: map.c */
unsigned map_flags(const struct map *m);

/* Takes NULL; sets *m to NULL. Source: map.c */
void map_close(struct map **m);

/* True for the name of a type, as it stands before the colon; "proxy" is none. Source: map.c */
bool map_is_type(struct span name);

/* "lmdb" or "hash" or "btree" in front: a table that must be built. Source: map.c */
bool map_is_indexed(const char *type_name);

#endif
