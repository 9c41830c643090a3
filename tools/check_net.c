#include <ctype.h>

#include "conf/cidr.h"
#include "conf/params.h"
#include "tools/check.h"

/* Fewer bits than this are no network of one's own. */
#define WIDE_IPV4 8
#define WIDE_IPV6 16

static void check_network(const char *where, const char *entry, struct conf_errors *errors)
{
	struct cidr net;
	struct err err;

	if (entry[0] == '!')
		entry++;
	if (strchr(entry, ':') && isalpha((unsigned char)entry[0]) && (strstr(entry, ":/") || strstr(entry, ":{")))
		return;         /* a table; check_tables opens it */
	if (cidr_parse(&net, span_z(entry), &err) < 0)
		conf_error(errors, "%s: %s", where, err.msg);
	else if (net.bits < (net.family_bits == 32 ? WIDE_IPV4 : WIDE_IPV6))
		conf_error(errors, "warning: %s: %s lets a large part of the Internet relay through this machine",
			   where, entry);
}

void check_networks(const struct conf *c, struct conf_errors *errors)
{
	struct arena a = { 0 };
	struct global_conf g;
	struct err err;
	size_t i;

	if (global_conf_read(&g, c, &a, &err) == 0) {
		for (i = 0; i < g.mynetworks.n; i++)
			check_network(check_where(c, "mynetworks", errors), g.mynetworks.v[i], errors);
		for (i = 0; i < g.inet_protocols.n; i++)
			if (strcasecmp(g.inet_protocols.v[i], "all") != 0 &&
			    strcasecmp(g.inet_protocols.v[i], "ipv4") != 0 &&
			    strcasecmp(g.inet_protocols.v[i], "ipv6") != 0)
				conf_error(errors, "%s: '%s' is none of all, ipv4 and ipv6",
					   check_where(c, "inet_protocols", errors), g.inet_protocols.v[i]);
	}
	arena_fini(&a);
}
