/* lookup.h: an address taken apart, and the keys under which tables know it (virtual(5), transport(5)) */
#ifndef RESOLVE_LOOKUP_H
#define RESOLVE_LOOKUP_H

#include "resolve/rules.h"

/* Everything in one arena. domain is in lower case and A-labels, never empty. */
struct lookup {
	struct span local;              /* without quotes, as written */
	struct span domain;
	struct span base, ext;          /* local without the extension, and that; empty and has_ext false: there is none */
	bool has_ext;
	struct span key;                /* local@domain */
	struct span wire;               /* the same, quoted where it must be: the final form of the address */
	enum addr_class class;
	bool is_routed;                 /* the local part itself names a way (user%host, host!user, user@host) */
};

/* Completes text (@$myorigin, percent hack if allowed…) and finds its class. MAP_FOUND; MAP_NONE with err for text that
 * is no address (ERR_PROTO, dsn 5.1.3); MAP_TEMP. Source: lookup.c */
enum map_rc lookup_parse(struct lookup *l, const struct rules *r, struct span text, struct arena *a, struct err *err);

/* For a changed local part: extension, key and wire again. -1 ERR_PROTO when it is too long. Source: lookup.c */
int lookup_complete(struct lookup *l, const struct rules *r, struct arena *a, struct err *err) WARN_UNUSED;

/* What fitted: the value, in the arena of the call; whether it was a key without the extension; which table. */
struct lookup_hit {
	struct span value;
	bool is_unextended;
	struct maps_table *table;
};

/* user+ext@domain, user@domain, for local and own domains user+ext and user, at last @domain. Source: lookup.c */
enum map_rc lookup_address(struct lookup_hit *hit, const struct rules *r, const struct maps_list *maps,
			   const struct lookup *l, struct arena *a, struct err *err);

/* user+ext@domain, user@domain, domain, .parent (or parent) upwards, "*". Source: lookup.c */
enum map_rc lookup_transport(struct lookup_hit *hit, const struct rules *r, const struct maps_list *maps,
			     const struct lookup *l, struct arena *a, struct err *err);

/* user+ext and user in lower case: alias(5). Source: lookup.c */
enum map_rc lookup_name(struct lookup_hit *hit, const struct rules *r, const struct maps_list *maps,
			const struct lookup *l, struct arena *a, struct err *err);

#endif
