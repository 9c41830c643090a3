#include <stdlib.h>

#include "base/attr.h"
#include "resolve/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What a name server answers, and what stands in a hosts file: a name that comes out is a host name and nothing
 * else. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span in = { (const char *)data, n }, name = SPAN_NULL;
	struct str out = STR_INIT(300);
	unsigned char ip[16];
	char reverse[80];
	int family;
	size_t i;

	if (dns_text_name(&out, in) == 0) {
		for (i = 0; i < out.n; i++)
			BUG((unsigned char)out.p[i] <= ' ' || (unsigned char)out.p[i] >= 127);
	}
	str_fini(&out);
	family = dns_text_address(in, ip);
	if (family >= 0)
		dns_text_reverse(reverse, ip, family);
	family = dns_text_address(SPAN_LIT("192.0.2.1"), ip);
	if (dns_text_hosts(in, ip, family, &name))
		BUG(name.n == 0 || span_chr(name, '\n') >= 0);
	return 0;
}
