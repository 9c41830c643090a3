/* netlist.h: lists of networks as mynetworks: "192.0.2.0/24", "[2001:db8::]/32", "!192.0.2.7", "host", ".domain" */
#ifndef PROTO_NETLIST_H
#define PROTO_NETLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"
#include "conf/conf.h"

struct netlist_item {
	bool negated;
	unsigned char family;           /* 4, 6, or 0: a name */
	unsigned char bits;
	unsigned char ip[16];
	struct span name;               /* host, or ".domain" for all hosts below */
};

struct netlist {
	const struct netlist_item *v;
	size_t n;
};

/* Items live in a. A network with bits beyond its prefix is an error, as in Postfix. what: the parameter's name for
 * messages. -1 ERR_CONF; files and tables were written out when main.cf was read. Source: netlist.c */
int netlist_compile(struct netlist *out_r, struct arena *a, const char *what,
	const struct conf_list *words, struct err *err)
	WARN_UNUSED;

/* The first item that fits decides; name may be NULL. addr as inet_ntop writes it; a mapped ::ffff:192.0.2.1 fits IPv4
 * items. Source: netlist.c */
bool netlist_match(const struct netlist *l, const char *name, const char *addr);

#endif
