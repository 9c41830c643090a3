/* maps.h: every table that the configuration names, opened once and asked under its own name */
#ifndef RESOLVE_MAPS_H
#define RESOLVE_MAPS_H

#include "base/arena.h"
#include "conf/conf.h"
#include "conf/map.h"
#include "io/sandbox.h"

struct maps;
struct maps_table;

/* The tables of one parameter in the order in which they are asked. */
struct maps_list {
	struct maps_table **v;
	size_t n;
};

/* An empty set; the caller frees. Source: maps.c */
struct maps *maps_new(void);
void maps_free(struct maps *m);

/* Adds every table that c names: in parameters of type maps and list, in restriction lists and in the classes of
 * smtpd_restriction_classes. Opens nothing. -1 ERR_CONF for a value that cannot be read. Source: maps.c */
int maps_collect(struct maps *m, const struct conf *c, struct err *err) WARN_UNUSED;

/* The table of that name, made if it is new. It lives as long as m. Source: maps.c */
struct maps_table *maps_add(struct maps *m, struct span type_name);

/* The table, or NULL when the configuration does not name it. Source: maps.c */
struct maps_table *maps_find(const struct maps *m, struct span type_name);

/* The tables of a parameter; words that are no table are left out. Source: maps.c */
struct maps_list maps_list(struct maps *m, const struct conf_list *names, struct arena *a);

/* True for "type:name" of a type that exists. Source: maps.c */
bool maps_is_table(struct span word);

/* Opens all; what cannot be opened is logged with the remedy and tried again when it is asked. Source: maps.c */
void maps_open(struct maps *m);

/* The folders of all tables, for the sandbox, in a. Source: maps.c */
void maps_paths(const struct maps *m, struct arena *a, struct sandbox_path **paths_r, size_t *n_r);

/* One question to one table. MAP_FOUND: *value_r is in a. MAP_TEMP: the table is broken or cannot be read; logged here
 * when its state changes. May block shortly on a file. Source: maps.c */
enum map_rc maps_get(struct maps_table *t, struct span key, struct arena *a, struct span *value_r, struct err *err);

/* The first table that knows key. is_partial: key is not the whole address or domain, so pattern tables are passed
 * over. table_r may be NULL. Source: maps.c */
enum map_rc maps_list_get(const struct maps_list *l, struct span key, bool is_partial, struct arena *a,
			  struct span *value_r, struct maps_table **table_r, struct err *err);

/* "type:name", and whether it is a pattern table (false for one that was never open). Source: maps.c */
const char *maps_name(const struct maps_table *t);
bool maps_is_pattern(const struct maps_table *t);

/* The account that owns the table's file, in a; "" when that is root or there is no file. Source: maps.c */
const char *maps_owner(const struct maps_table *t, struct arena *a);

#endif
