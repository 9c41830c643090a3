#include <arpa/inet.h>

#include "proto/address.h"
#include "resolve/dns.h"

int dns_text_name(struct str *out, struct span wire)
{
	size_t before = out->n;

	for (;;) {
		size_t n = wire.n ? (unsigned char)wire.p[0] : 64;

		if (n > 63 || wire.n < n + 1)
			return -1;
		if (n == 0)
			break;
		if (span_chr(span_sub(wire, 1, n), '.') >= 0 || (out->n > before && str_addc(out, '.') < 0) ||
		    str_add(out, wire.p + 1, n) < 0)
			return -1;
		wire = span_from(wire, n + 1);
	}
	return address_domain_valid(span_from(str_span(out), before), false) ? 0 : -1;
}

void dns_text_reverse(char out[80], const unsigned char *ip, int family)
{
	size_t n = 0;
	int i;

	if (family == AF_INET) {
		snprintf(out, 80, "%u.%u.%u.%u.in-addr.arpa", ip[3], ip[2], ip[1], ip[0]);
		return;
	}
	for (i = 15; i >= 0; i--)
		n += (size_t)snprintf(out + n, 80 - n, "%x.%x.", ip[i] & 15, ip[i] >> 4);
	snprintf(out + n, 80 - n, "ip6.arpa");
}

int dns_text_address(struct span text, unsigned char ip[16])
{
	static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	char z[INET6_ADDRSTRLEN];

	if (text.n >= sizeof(z) || span_has_nul(text))
		return -1;
	snprintf(z, sizeof(z), "%.*s", SPAN_ARG(text));
	if (inet_pton(AF_INET, z, ip) == 1)
		return AF_INET;
	if (inet_pton(AF_INET6, z, ip) != 1)
		return -1;
	if (memcmp(ip, mapped, sizeof(mapped)) != 0)
		return AF_INET6;
	memmove(ip, ip + 12, 4);
	return AF_INET;
}

bool dns_text_hosts(struct span text, const unsigned char *ip, int family, struct span *name_r)
{
	while (text.n) {
		struct span line, comment, word;
		unsigned char there[16];

		span_cut(text, '\n', &line, &text);
		span_cut(line, '#', &line, &comment);
		if (span_word(&line, " \t\r", &word) && dns_text_address(word, there) == family &&
		    memcmp(there, ip, family == AF_INET ? 4 : 16) == 0 && span_word(&line, " \t\r", name_r) &&
		    address_domain_valid(*name_r, false))
			return true;
	}
	return false;
}
