#include "proto/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int again(void *arg, struct span name, const struct address *addr, struct err *err)
{
	struct str out = STR_INIT(2000);
	struct address back;

	/* what was parsed must survive formatting and parsing again */
	BUG(address_format(&out, addr) < 0);
	BUG(address_parse(arg, str_span(&out), ADDRESS_UTF8 | ADDRESS_NO_DOMAIN_OK | ADDRESS_NULL_OK, &back, err) < 0 &&
	    out.n <= ADDRESS_MAX);
	str_fini(&out);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span in = { (const char *)data, n }, rest;
	struct str domain = STR_INIT(2000);
	struct arena a = { 0 };
	struct address addr;
	struct err err = ERR_INIT;

	if (address_parse_path(&a, in, ADDRESS_NULL_OK | ADDRESS_UTF8 | ADDRESS_BARE_OK, &addr, &rest, &err) == 0) {
		BUG(rest.n > n);
		if (addr.domain.n)
			BUG(address_domain_normal(&domain, addr.domain, &err) == 0 && domain.n == 0);
		again(&a, SPAN_NULL, &addr, &err);
	}
	(void)!address_list(in, 1000, again, &a, &err);
	str_fini(&domain);
	arena_fini(&a);
	return 0;
}
