/* expand.h: what an address becomes by virtual_alias_maps and by alias_maps */
#ifndef RESOLVE_EXPAND_H
#define RESOLVE_EXPAND_H

#include "resolve/lookup.h"

/* In the arena of the call. */
struct expand {
	struct route_new *v;
	size_t n;
	struct span sender;             /* of alias_maps: owner-NAME@domain, empty when there is none */
};

/* Virtual aliases, nested ones too. MAP_NONE: no alias, or one that names only itself. MAP_FOUND: an address that names
 * itself among others is in the result as asked (the text of the question). MAP_TEMP: err says why; ERR_PERM with dsn
 * 5.4.6 for a loop or a limit, everything else is to be tried again. Source: expand.c */
enum map_rc expand_virtual(struct expand *x, const struct rules *r, const struct lookup *l, struct span asked,
			   struct arena *a, struct err *err);

/* The alias of a local name, one step. MAP_TEMP also for a right-hand side that cannot be read; ERR_PERM with dsn 5.7.1
 * when it holds only what allow_mail_to_commands and allow_mail_to_files forbid. Source: expand.c */
enum map_rc expand_alias(struct expand *x, const struct rules *r, const struct lookup *l, struct arena *a,
			 struct err *err);

#endif
