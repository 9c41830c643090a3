/* rules.h: one snapshot of the configuration as resolve uses it: parameters, domain lists and tables */
#ifndef RESOLVE_RULES_H
#define RESOLVE_RULES_H

#include "conf/params.h"
#include "proto/address.h"
#include "resolve/maps.h"
#include "svc/msg_resolve.h"

/* A list of domains: names, ".name", tables, files; "!" in front turns an entry around; the first that fits decides. */
struct rules_domain {
	bool is_not;
	bool takes_name, takes_below;   /* the name itself; names below it */
	struct span name;               /* lower case; empty when table is set */
	struct maps_table *table;
};

struct rules_domains {
	struct rules_domain *v;
	size_t n, cap;
};

struct rules {
	struct arena arena;
	struct global_conf global;
	struct resolve_conf resolve;
	struct local_conf local;
	struct maps *maps;
	struct rules_domains mydestination, virtual_alias_domains, virtual_mailbox_domains, relay_domains;
	struct maps_list alias_maps, virtual_alias_maps, virtual_mailbox_maps, virtual_uid_maps, virtual_gid_maps,
		virtual_limit_maps;
	struct maps_list local_recipient_maps, relay_recipient_maps, transport_maps;
	struct maps_list sender_transport_maps, sender_relayhost_maps;
	struct maps_table *passwd;      /* unix:passwd.byname */
	const char *const *literals;    /* "[192.0.2.1]": the addresses of this machine that count as mydestination */
	size_t n_literals;
	bool extends_virtual, extends_alias;    /* propagate_unmatched_extensions */
	bool transport_has_subdomains;
};

/* Reads the snapshot; tables are named, not opened. literals: as above, must outlive r. -1 ERR_CONF says what is wrong.
 * Blocks on files that domain lists name. Source: rules.c */
struct rules *rules_new(const struct conf *c, const char *const *literals, size_t n_literals, struct err *err);
void rules_free(struct rules *r);

/* The addresses of this machine that inet_interfaces names, as literals in a. Blocks shortly. Source: rules.c */
int rules_literals(const struct conf *c, struct arena *a, const char *const **literals_r, size_t *n_r,
		   struct err *err) WARN_UNUSED;

/* The class of a domain in lower case; "" is local. MAP_FOUND or MAP_TEMP. Source: rules.c */
enum map_rc rules_class(const struct rules *r, struct span domain, struct arena *a, enum addr_class *class_r,
			struct err *err);

/* "user+ext" apart, with owner-LIST and LIST-request kept whole as owner_request_special says. Source: rules.c */
bool rules_extension(const struct rules *r, struct span local, struct span *base_r, struct span *ext_r);

/* A copy in lower case (ASCII only), NUL-terminated. Source: rules.c */
struct span rules_lower(struct arena *a, struct span s);

#endif
