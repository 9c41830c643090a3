/* transport.h: which transport carries mail for an address, and to which host (transport(5)) */
#ifndef RESOLVE_TRANSPORT_H
#define RESOLVE_TRANSPORT_H

#include "resolve/lookup.h"

/* In the arena of the call; name is never empty. */
struct transport {
	struct span name;
	struct span nexthop;
};

/* transport_maps, else the transport of the address's class with relayhost and the tables that depend on the sender.
 * MAP_FOUND or MAP_TEMP. Source: transport.c */
enum map_rc transport_find(struct transport *t, const struct rules *r, const struct lookup *l, struct span sender,
			   struct arena *a, struct err *err);

/* Puts "name:nexthop" into *t: an empty part leaves what is there, but error: and retry: have no text then. Source:
 * transport.c */
void transport_apply(struct transport *t, struct span value);

#endif
