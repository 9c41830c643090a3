#include "proto/netlist.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* Family and bytes of a text address, 0 when it is none. */
static unsigned char parse_ip(struct span s, unsigned char ip[16])
{
	static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	char text[64];

	if (s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		s = span_sub(s, 1, s.n - 2);
	if (s.n >= sizeof(text) || span_has_nul(s))
		return 0;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	memset(ip, 0, 16);
	if (inet_pton(AF_INET, text, ip) == 1)
		return 4;
	if (inet_pton(AF_INET6, text, ip) != 1)
		return 0;
	if (memcmp(ip, mapped, sizeof(mapped)) != 0)
		return 6;
	memmove(ip, ip + 12, 4);
	return 4;
}

static bool same_prefix(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	if (memcmp(a, b, bytes) != 0)
		return false;
	return rest == 0 || (a[bytes] ^ b[bytes]) >> (8 - rest) == 0;
}

static bool has_host_bits(const struct netlist_item *it)
{
	unsigned char masked[16] = { 0 };
	unsigned bit, max = it->family == 4 ? 32 : 128;

	memcpy(masked, it->ip, 16);
	for (bit = it->bits; bit < max; bit++)
		masked[bit / 8] &= (unsigned char)~(0x80u >> bit % 8);
	return memcmp(masked, it->ip, max / 8) != 0;
}

static int compile_item(struct netlist_item *it, struct arena *a, const char *what, struct span word, struct err *err)
{
	struct span net = word, prefix;
	uint64_t bits;
	unsigned mapped;
	bool has_prefix;

	if (net.n && net.p[0] == '!') {
		it->negated = true;
		net = span_from(net, 1);
	}
	/* "[::1]/128" and "[::1/128]" are both written */
	if (net.n >= 2 && net.p[0] == '[' && net.p[net.n - 1] == ']')
		net = span_sub(net, 1, net.n - 2);
	has_prefix = span_cut(net, '/', &net, &prefix);
	it->family = parse_ip(net, it->ip);
	if (it->family == 0) {
		if (has_prefix || net.n == 0 || span_chr(net, ':') >= 0)
			return err_set(err, ERR_CONF, "%s: '%.*s' is no network, address or host name%s", what,
				       SPAN_ARG(word),
				       span_chr(word, ':') >= 0 ? "; tables can stand in main.cf only" : "");
		it->name = arena_span(a, net);
		return 0;
	}
	it->bits = it->family == 4 ? 32 : 128;
	if (!has_prefix)
		return 0;
	/* "[::ffff:127.0.0.0]/104", Debian's own, is 127.0.0.0/8 */
	mapped = it->family == 4 && span_chr(net, ':') >= 0 ? 96 : 0;
	if (span_u64(prefix, it->bits + mapped, &bits) < 0 || bits < mapped)
		return err_set(err, ERR_CONF, "%s: bad prefix length in '%.*s'", what, SPAN_ARG(word));
	it->bits = (unsigned char)(bits - mapped);
	if (has_host_bits(it))
		return err_set(err, ERR_CONF, "%s: '%.*s' has non-zero bits behind its prefix", what, SPAN_ARG(word));
	return 0;
}

int netlist_compile(struct netlist *out_r, struct arena *a, const char *what,
	const struct conf_list *words, struct err *err)
{
	struct netlist_item *v = arena_alloc(a, (words->n + 1) * sizeof(*v));
	size_t i;

	for (i = 0; i < words->n; i++) {
		if (compile_item(&v[i], a, what, span_z(words->v[i]), err) < 0)
			return -1;
	}
	*out_r = (struct netlist){ v, words->n };
	return 0;
}

static bool item_match(const struct netlist_item *it, const char *name, unsigned char family, const unsigned char *ip)
{
	struct span host = span_z(name);
	size_t dot;

	if (it->family)
		return it->family == family && same_prefix(it->ip, ip, it->bits);
	if (!name)
		return false;
	dot = it->name.p[0] != '.';
	if (dot && span_eq_nocase(host, it->name.p))
		return true;
	/* "example.com" stands for its hosts too (parent_domain_matches_subdomains) */
	return host.n > it->name.n + dot && span_ends_nocase(host, it->name.p) &&
	       (!dot || host.p[host.n - it->name.n - 1] == '.');
}

bool netlist_match(const struct netlist *l, const char *name, const char *addr)
{
	unsigned char ip[16], family = parse_ip(span_z(addr), ip);
	size_t i;

	for (i = 0; i < l->n; i++) {
		if (item_match(&l->v[i], name, family, ip))
			return !l->v[i].negated;
	}
	return false;
}
