/* Each row changes one parameter: the answer with the setting, which is another one than without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/resolve/world.h"

#define LOCAL "mydestination = localhost\nalias_maps =\n"
#define BOX LOCAL "virtual_mailbox_domains = box.example\nvirtual_mailbox_base = /v\nvirtual_mailbox_maps = static:x/\n" \
	    "virtual_uid_maps = static:5000\nvirtual_gid_maps = static:5001\n"
#define VALIAS LOCAL "virtual_alias_domains = v.example\nvirtual_alias_maps = inline:{ {a@v.example = b@v.example, c@v.example}," \
	       " b@v.example=x@far.example, c@v.example=y@far.example }\n"

static const struct row {
	const char *setting, *common, *address, *want;
	bool is_check;                  /* what smtpd is told at RCPT: class, status and text */
	const char *sender;
} rows[] = {
	{ "myhostname = other.example", LOCAL, "daemon@localhost", "deliver local:other.example <daemon@localhost> user=daemon" },
	{ "mydomain = other.example", "mydestination = localhost.$mydomain\nalias_maps =\n", "daemon@localhost.other.example",
	  "deliver local:mx.example.com <daemon@localhost.other.example> user=daemon" },
	{ "myorigin = localhost", LOCAL, "daemon", "deliver local:mx.example.com <daemon@localhost> user=daemon" },
	{ "mydestination = far.example", "alias_maps =\n", "daemon@far.example",
	  "deliver local:mx.example.com <daemon@far.example> user=daemon" },
	{ "recipient_delimiter = -", LOCAL, "daemon-x@localhost",
	  "deliver local:mx.example.com <daemon-x@localhost> user=daemon ext=x" },
	{ "owner_request_special = no", LOCAL "recipient_delimiter = -\n", "daemon-request@localhost",
	  "deliver local:mx.example.com <daemon-request@localhost> user=daemon ext=request" },
	{ "alias_maps = inline:{daemon=x@far.example}", LOCAL, "daemon@localhost", "expand <x@far.example>" },
	{ "expand_owner_alias = yes", LOCAL "alias_maps = inline:{list=x@far.example, owner-list=boss@far.example}\n",
	  "list@localhost", "expand <x@far.example> from <boss@far.example>" },
	{ "allow_mail_to_commands =", LOCAL "alias_maps = inline:{cmd=|/bin/x}\n", "cmd@localhost",
	  "reject 5.7.1 mail to commands and files is not allowed" },
	{ "allow_mail_to_files = forward, include", LOCAL "alias_maps = inline:{file=/var/x}\n", "file@localhost",
	  "reject 5.7.1 mail to commands and files is not allowed" },
	{ "propagate_unmatched_extensions = alias", LOCAL "recipient_delimiter = +\nalias_maps = inline:{list=x@far.example}\n",
	  "list+y@localhost", "expand <x+y@far.example>" },
	{ "propagate_unmatched_extensions =", VALIAS "recipient_delimiter = +\n", "b+y@v.example", "expand <x@far.example>" },
	{ "luser_relay = x@far.example", LOCAL, "nosuch@localhost",
	  "deliver local:mx.example.com <nosuch@localhost> user=nosuch" },
	{ "mailbox_transport = lmtp:x", LOCAL, "nosuch@localhost",
	  "deliver local:mx.example.com <nosuch@localhost> user=nosuch" },
	{ "mailbox_transport_maps = static:lmtp:x", LOCAL, "nosuch@localhost",
	  "deliver local:mx.example.com <nosuch@localhost> user=nosuch" },
	{ "fallback_transport = lmtp:x", LOCAL, "nosuch@localhost",
	  "deliver local:mx.example.com <nosuch@localhost> user=nosuch" },
	{ "fallback_transport_maps = static:lmtp:x", LOCAL, "nosuch@localhost",
	  "deliver local:mx.example.com <nosuch@localhost> user=nosuch" },
	{ "empty_address_recipient = daemon", LOCAL "myorigin = localhost\n", "",
	  "deliver local:mx.example.com <daemon@localhost> user=daemon" },
	/* ---- classes ---- */
	{ "virtual_alias_domains = v.example", LOCAL, "a@v.example", "reject 5.1.1 User unknown in virtual alias table" },
	{ "virtual_alias_maps = inline:{a@far.example=b@far.example}", LOCAL, "a@far.example", "expand <b@far.example>" },
	{ "virtual_alias_expansion_limit = 1", VALIAS, "a@v.example",
	  "reject 5.4.6 virtual alias loop or too many addresses for a@v.example" },
	{ "virtual_alias_recursion_limit = 1", VALIAS, "a@v.example",
	  "reject 5.4.6 virtual alias loop or too deep nesting for a@v.example" },
	{ "virtual_alias_address_length_limit = 64", LOCAL "virtual_alias_maps = inline:{a@v.example=b@01234567890123456789"
	  "0123456789012345678901234567890123456789.example}\n", "a@v.example",
	  "reject 5.4.6 virtual alias loop or too long an address for a@v.example" },
	{ "virtual_mailbox_domains = other.example", BOX, "a@other.example",
	  "deliver virtual:other.example <a@other.example> /v/x/ 5000:5001 quota=0" },
	{ "virtual_mailbox_maps = static:y/", BOX, "a@box.example",
	  "deliver virtual:box.example <a@box.example> /v/y/ 5000:5001 quota=0" },
	{ "virtual_mailbox_base = /w", BOX, "a@box.example",
	  "deliver virtual:box.example <a@box.example> /w/x/ 5000:5001 quota=0" },
	{ "virtual_uid_maps = static:6000", BOX, "a@box.example",
	  "deliver virtual:box.example <a@box.example> /v/x/ 6000:5001 quota=0" },
	{ "virtual_gid_maps = static:6001", BOX, "a@box.example",
	  "deliver virtual:box.example <a@box.example> /v/x/ 5000:6001 quota=0" },
	{ "virtual_minimum_uid = 5001", BOX, "a@box.example", "defer 4.3.5 mail system configuration error" },
	{ "virtual_mailbox_limit = 2M", BOX, "a@box.example",
	  "deliver virtual:box.example <a@box.example> /v/x/ 5000:5001 quota=2097152" },
	{ "virtual_mailbox_limit_maps = static:3M", BOX, "a@box.example",
	  "deliver virtual:box.example <a@box.example> /v/x/ 5000:5001 quota=3145728" },
	{ "virtual_transport = lmtp:x", BOX, "a@box.example", "deliver lmtp:x <a@box.example>" },
	{ "local_transport = lmtp:x", LOCAL, "daemon@localhost", "deliver lmtp:x <daemon@localhost>" },
	{ "relay_domains = far.example", LOCAL, "a@sub.far.example", "deliver relay:sub.far.example <a@sub.far.example>" },
	{ "relay_transport = slow:x", LOCAL "relay_domains = far.example\n", "a@far.example", "deliver slow:x <a@far.example>" },
	{ "default_transport = slow:x", LOCAL, "a@far.example", "deliver slow:x <a@far.example>" },
	{ "relayhost = [gw]", LOCAL, "a@far.example", "deliver smtp:[gw] <a@far.example>" },
	{ "transport_maps = inline:{far.example=slow:}", LOCAL, "a@far.example", "deliver slow:far.example <a@far.example>" },
	{ "sender_dependent_relayhost_maps = inline:{me@x.example=[gw]}", LOCAL, "a@far.example",
	  "deliver smtp:[gw] <a@far.example>", false, "me@x.example" },
	{ "sender_dependent_default_transport_maps = inline:{me@x.example=slow:}", LOCAL, "a@far.example",
	  "deliver slow:far.example <a@far.example>", false, "me@x.example" },
	{ "parent_domain_matches_subdomains =", LOCAL "relay_domains = far.example\n", "a@sub.far.example",
	  "deliver smtp:sub.far.example <a@sub.far.example>" },
	{ "parent_domain_matches_subdomains =", LOCAL "relay_domains = inline:{far.example=x}\n", "a@sub.far.example",
	  "deliver smtp:sub.far.example <a@sub.far.example>" },
	{ "parent_domain_matches_subdomains =", LOCAL "relay_domains = inline:{.far.example=x}\n", "a@a.sub.far.example",
	  "deliver relay:a.sub.far.example <a@a.sub.far.example>" },
	{ "parent_domain_matches_subdomains = transport_maps", LOCAL "transport_maps = inline:{far.example=slow:}\n",
	  "a@sub.far.example", "deliver slow:sub.far.example <a@sub.far.example>" },
	/* ---- addresses ---- */
	{ "append_at_myorigin = no", LOCAL, "a", "deliver smtp:mx.example.com <a@mx.example.com>" },
	{ "append_dot_mydomain = yes", LOCAL, "a@far", "deliver smtp:far.example.com <a@far.example.com>" },
	{ "allow_percent_hack = yes", LOCAL, "a%far.example@localhost", "deliver smtp:far.example <a@far.example>" },
	{ "swap_bangpath = yes", LOCAL, "far.example!a@localhost", "deliver smtp:far.example <a@far.example>" },
	{ "resolve_dequoted_address = no", LOCAL "relay_domains = far.example\n", "\"a@x\"@far.example",
	  "class 4 status 0 ", true },
	{ "resolve_numeric_domain = yes", LOCAL, "a@198.51.100.1", "deliver smtp:[198.51.100.1] <a@[198.51.100.1]>" },
	/* ---- verdicts at RCPT ---- */
	{ "local_recipient_maps =", LOCAL "luser_relay = x@far.example\n", "nosuch@localhost", "class 1 status 0 ", true },
	{ "relay_recipient_maps = inline:{a@far.example=x}", LOCAL "relay_domains = far.example\n", "b@far.example",
	  "class 4 status 1 User unknown in relay recipient table", true },
	{ "alias_recursion_limit = 1", LOCAL "alias_maps = inline:{a=b@localhost, b=c@localhost, c=daemon@localhost}\n",
	  "a@localhost", "class 1 status 1 Alias loop", true },
};

static void answer(const struct row *r, const char *setting, char *out, size_t n)
{
	struct world w;
	char conf[2000];

	snprintf(conf, sizeof(conf), "%s%s\n", r->common, setting);
	world_open(&w, conf);
	if (r->is_check) {
		struct rcpt_verdict v = world_check(&w, r->address);

		snprintf(out, n, "class %d status %d %.*s", (int)v.class, (int)v.status, SPAN_ARG(v.text));
	} else {
		struct route route = world_ask(&w, r->address, r->sender ? r->sender : "a@b.example", false);

		snprintf(out, n, "%s", world_dump(&w, &route));
	}
	world_close(&w);
}

static void test_each(void **state)
{
	char before[1000], with[1000];
	unsigned wrong = 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		answer(&rows[i], "", before, sizeof(before));
		answer(&rows[i], rows[i].setting, with, sizeof(with));
		if (strcmp(with, rows[i].want) == 0 && strcmp(before, with) != 0)
			continue;
		print_error("%s\n  before: %s\n  with:   %s\n  want:   %s\n", rows[i].setting, before, with, rows[i].want);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

/* A bare address is no domain (RFC 5321 section 4.1.3). */
static void test_numeric_domain(void **state)
{
	static const struct row r = { "", LOCAL, "a@198.51.100.1", "reject 5.1.3 bad address syntax: 198.51.100.1 without "
				      "brackets is no domain" };
	char got[1000];

	answer(&r, "", got, sizeof(got));
	assert_string_equal(got, r.want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each), cmocka_unit_test(test_numeric_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
