#include "conf/cidr.h"

#include <arpa/inet.h>

/* ::ffff:a.b.c.d is what a dual-stack socket says of an IPv4 client. */
static void unmap(struct cidr *c)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	if (c->family_bits == 128 && c->bits >= 96 && memcmp(c->addr, mapped, 12) == 0) {
		memmove(c->addr, c->addr + 12, 4);
		memset(c->addr + 4, 0, 12);
		c->bits = (uint8_t)(c->bits - 96);
		c->family_bits = 32;
	}
}

/* Clears what is behind the prefix; true when nothing was. */
static bool mask(struct cidr *c)
{
	struct cidr before = *c;
	unsigned i, byte_bits;

	for (i = 0; i < c->family_bits / 8u; i++) {
		byte_bits = c->bits > i * 8u ? c->bits - i * 8u : 0;
		if (byte_bits < 8)
			c->addr[i] = (uint8_t)(c->addr[i] & ~(0xffu >> byte_bits));
	}
	return memcmp(before.addr, c->addr, sizeof(c->addr)) == 0;
}

static int parse_address(struct cidr *out_r, struct span s)
{
	char z[INET6_ADDRSTRLEN + 1];

	if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		s = span_sub(s, 1, s.n - 2);
	if (!s.n || s.n >= sizeof(z))
		return -1;
	memcpy(z, s.p, s.n);
	z[s.n] = '\0';
	*out_r = (struct cidr){ .bits = 32, .family_bits = 32 };
	if (inet_pton(AF_INET, z, out_r->addr) == 1)
		return 0;
	*out_r = (struct cidr){ .bits = 128, .family_bits = 128 };
	return inet_pton(AF_INET6, z, out_r->addr) == 1 ? 0 : -1;
}

int cidr_parse(struct cidr *out_r, struct span s, struct err *err)
{
	struct span address, bits;
	uint64_t n;
	char z[INET6_ADDRSTRLEN];
	bool has_bits = span_cut(s, '/', &address, &bits);

	if (parse_address(out_r, address) < 0)
		return err_set(err, ERR_CONF, "'%.*s' is neither an address nor a network", SPAN_ARG(s));
	if (has_bits) {
		if (span_u64(bits, out_r->family_bits, &n) < 0)
			return err_set(err, ERR_CONF, "'%.*s' has no prefix length of 0 to %u", SPAN_ARG(s),
				       out_r->family_bits);
		out_r->bits = (uint8_t)n;
	}
	if (!mask(out_r)) {
		inet_ntop(out_r->family_bits == 32 ? AF_INET : AF_INET6, out_r->addr, z, sizeof(z));
		return err_set(err, ERR_CONF, "'%.*s' has bits set behind the prefix; the network is %s/%u",
			       SPAN_ARG(s), z, out_r->bits);
	}
	unmap(out_r);
	return 0;
}

bool cidr_has(const struct cidr *network, const struct cidr *address)
{
	struct cidr a = *address;

	if (network->family_bits != address->family_bits || address->bits < network->bits)
		return false;
	a.bits = network->bits;
	mask(&a);
	return memcmp(a.addr, network->addr, sizeof(a.addr)) == 0;
}
