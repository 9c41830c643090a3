#include "cm.h"

#include <arpa/inet.h>

#include "base/attr.h"
#include "conf/cidr.h"

static const struct {
	const char *label, *text, *wrong;       /* part of the message; NULL: good */
} parsed[] = {
	{ "address", "10.1.2.3", NULL },
	{ "network", "10.0.0.0/8", NULL },
	{ "everything", "0.0.0.0/0", NULL },
	{ "IPv6", "2001:db8::/32", NULL },
	{ "brackets", "[::1]/128", NULL },
	{ "brackets, no prefix", "[2001:db8::1]", NULL },
	{ "mapped", "[::ffff:127.0.0.0]/104", NULL },
	{ "host bits", "10.0.0.1/8", "10.0.0.0/8" },
	{ "host bits, IPv6", "2001:db8::1/64", "2001:db8::/64" },
	{ "long prefix", "10.0.0.0/33", "0 to 32" },
	{ "long prefix, IPv6", "::/129", "0 to 128" },
	{ "empty prefix", "10.0.0.0/", "prefix length" },
	{ "name", "example.com", "neither" },
	{ "nothing", "", "neither" },
	{ "short", "10.0/8", "neither" },
	{ "open bracket", "[::1/128", "neither" },
	{ "very long", "1111111111111111111111111111111111111111111111111111111111", "neither" },
};

static void test_parse(void **state)
{
	struct cidr c;
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_LEN(parsed); i++) {
		print_message("# %s\n", parsed[i].label);
		assert_int_equal(cidr_parse(&c, span_z(parsed[i].text), &err), parsed[i].wrong ? -1 : 0);
		if (parsed[i].wrong)
			assert_non_null(strstr(err.msg, parsed[i].wrong));
	}
}

static const struct {
	const char *network, *address;
	bool is_in;
} matched[] = {
	{ "10.0.0.0/8", "10.255.1.2", true },
	{ "10.0.0.0/8", "11.0.0.1", false },
	{ "10.128.0.0/9", "10.127.255.255", false },
	{ "0.0.0.0/0", "1.2.3.4", true },
	{ "0.0.0.0/0", "::1", false },
	{ "1.2.3.4", "1.2.3.4", true },
	{ "1.2.3.4", "1.2.3.5", false },
	{ "::/0", "2001:db8::1", true },
	{ "2001:db8::/33", "2001:db8:7fff::1", true },
	{ "2001:db8::/33", "2001:db8:8000::1", false },
	{ "127.0.0.0/8", "::ffff:127.0.0.1", true },
	{ "[::ffff:127.0.0.0]/104", "127.1.1.1", true },
	{ "::1", "::1", true },
};

static void test_has(void **state)
{
	struct cidr network, address;
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_LEN(matched); i++) {
		print_message("# %s %s\n", matched[i].network, matched[i].address);
		assert_int_equal(cidr_parse(&network, span_z(matched[i].network), &err), 0);
		assert_int_equal(cidr_parse(&address, span_z(matched[i].address), &err), 0);
		assert_int_equal(cidr_has(&network, &address), matched[i].is_in);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_parse),
	cmocka_unit_test(test_has),
};

MAIN(tests)
