/* map_source.h: entries of table sources in the forms of postmap(1) and aliases(5) */
#ifndef CONF_MAP_SOURCE_H
#define CONF_MAP_SOURCE_H

#include "conf/conf.h"
#include "conf/source.h"

enum map_syntax {
	MAP_SYNTAX_TABLE,       /* key white space value */
	MAP_SYNTAX_ALIASES,     /* key: value */
};

/* Takes the next entry: key_r is folded to lower case and valid as value_r until the next call. Lines that are no
 * entry are skipped and reported as warnings. False at the end. Source: map_source.c */
bool map_source_next(struct source *s, enum map_syntax syntax, struct str *key_r, struct span *value_r,
                     struct conf_errors *warnings);

#endif
