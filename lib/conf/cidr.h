/* cidr.h: networks and addresses of mynetworks and cidr tables; an IPv4 address inside IPv6 counts as IPv4 */
#ifndef CONF_CIDR_H
#define CONF_CIDR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

/* bits: 0..32 for IPv4, 0..128 for IPv6; an address has all. */
struct cidr {
	uint8_t addr[16];
	uint8_t bits;
	uint8_t family_bits;    /* 32 or 128 */
};

/* "10.0.0.0/8", "10.1.2.3", "2001:db8::/32", "[::1]/128". -1 ERR_CONF: no network, or bits set behind the prefix (the
 * message names the network that was meant). Source: cidr.c */
int cidr_parse(struct cidr *out_r, struct span s, struct err *err) WARN_UNUSED;

/* The address is inside of the network. Source: cidr.c */
bool cidr_has(const struct cidr *network, const struct cidr *address);

#endif
