#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/resolve/world.h"

struct row {
	const char *label, *address, *want;
	const char *sender;             /* NULL: a@b.example */
	bool is_final;
};

static void run(const char *conf, const struct row *rows, size_t n)
{
	struct world w;
	size_t i;

	world_open(&w, conf);
	for (i = 0; i < n; i++) {
		const struct row *r = &rows[i];
		struct route out = world_ask(&w, r->address, r->sender ? r->sender : "a@b.example", r->is_final);
		const char *got = world_dump(&w, &out);

		if (strcmp(got, r->want) != 0)
			fail_msg("%s: %s\n  got:  %s\n  want: %s", r->label, r->address, got, r->want);
	}
	world_close(&w);
}

#define RUN(conf, rows) run(conf, rows, ARRAY_LEN(rows))

#define LOCAL "mydestination = example.com, localhost, mx.example.com\nrecipient_delimiter = +\n"

static void local_users(void **state)
{
	static const struct row rows[] = {
		{ "user", "daemon@example.com", "deliver local:mx.example.com <daemon@example.com> user=daemon" },
		{ "case of user and domain", "Daemon@EXAMPLE.com",
		  "deliver local:mx.example.com <Daemon@example.com> user=daemon" },
		{ "extension", "daemon+Lists@localhost",
		  "deliver local:mx.example.com <daemon+Lists@localhost> user=daemon ext=Lists" },
		{ "no domain", "daemon", "deliver local:mx.example.com <daemon@example.com> user=daemon" },
		{ "literal of ours", "daemon@[192.0.2.1]",
		  "deliver local:mx.example.com <daemon@[192.0.2.1]> user=daemon" },
		{ "IPv6 literal of ours", "daemon@[IPv6:2001:DB8::1]",
		  "deliver local:mx.example.com <daemon@[ipv6:2001:db8::1]> user=daemon" },
		{ "literal elsewhere", "daemon@[198.51.100.9]", "deliver smtp:[198.51.100.9] <daemon@[198.51.100.9]>" },
		{ "unknown", "nosuch@example.com", "reject 5.1.1 User unknown in local recipient table" },
		{ "unknown with extension", "nosuch+x@example.com",
		  "reject 5.1.1 User unknown in local recipient table" },
		{ "quoted", "\"no such\"@example.com", "reject 5.1.1 User unknown in local recipient table" },
		{ "slash", "../daemon@example.com", "reject 5.1.1 User unknown in local recipient table" },
		{ "pipe", "\"|id\"@example.com", "reject 5.1.1 User unknown in local recipient table" },
		{ "alias", "sales@example.com", "expand <daemon@example.com> <x@other.example>" },
		{ "alias, any case", "SALES@localhost", "expand <daemon@example.com> <x@other.example>" },
		{ "alias, extension falls back", "sales+x@localhost", "expand <daemon@example.com> <x@other.example>" },
		{ "alias of the extended name", "sales+eu@localhost", "expand <eu@other.example>" },
		{ "alias of itself", "bin@example.com", "expand <bin@example.com> <x@other.example>" },
		{ "alias of itself, asked again", "bin@example.com",
		  "deliver local:mx.example.com <bin@example.com> user=bin", NULL, true },
		{ "final and no user", "sales@example.com", "reject 5.1.1 User unknown in local recipient table", NULL,
		  true },
		{ "postmaster without an alias", "postmaster", "expand <root@example.com>" },
		{ "postmaster at every local domain", "Postmaster@localhost", "expand <root@localhost>" },
		{ "no address", "a b@example.com", "reject 5.1.3 bad address syntax: text behind the address" },
		{ "empty: the daemon", "", "expand <postmaster@example.com>" },
	};

	RUN(LOCAL "alias_maps = inline:{ {sales = daemon, x@other.example}, {sales+eu = eu@other.example},"
	    " {bin = bin, x@other.example}, {mailer-daemon = postmaster} }\n", rows);
}

static void alias_destinations(void **state)
{
	static const struct row rows[] = {
		{ "command", "cmd@localhost", "expand <|/bin/prog -a b>" },
		{ "file", "file@localhost", "expand <file /var/mail/x>" },
		{ "include", "list@localhost", "expand <:include:/etc/list> from <owner-list@example.com>" },
		{ "the null sender stays", "list@localhost", "expand <:include:/etc/list>", "" },
		{ "owner of the owner", "owner-list@localhost", "expand <daemon@example.com>" },
		{ "broken right-hand side", "broken@localhost",
		  "defer 4.3.5 table inline:{ {cmd = \"|/bin/prog -a b\"}, {file = /var/mail/x}, {list = :include:/etc/list}, "
		  "{owner-list = daemon}, {broken = a> b} } has a wrong value for broken@localhost: "
		  "\">\" stands without \"<\" in \"a> b\"" },
	};
	static const struct row expanded[] = {
		{ "expand_owner_alias", "list@localhost", "expand <daemon@example.com> from <boss@other.example>" },
	};
	static const struct row forbidden[] = {
		{ "command", "cmd@localhost", "reject 5.7.1 mail to commands and files is not allowed" },
		{ "what is left", "both@localhost",
		  "expand <both@localhost via error:5.7.1 mail to command is restricted> <daemon@example.com>" },
	};

	RUN(LOCAL "alias_maps = inline:{ {cmd = \"|/bin/prog -a b\"}, {file = /var/mail/x}, {list = :include:/etc/list}, "
	    "{owner-list = daemon}, {broken = a> b} }\n", rows);
	RUN(LOCAL "expand_owner_alias = yes\nalias_maps = inline:{list=daemon, owner-list=boss@other.example}\n",
	    expanded);
	RUN(LOCAL "allow_mail_to_commands =\nalias_maps = inline:{ {cmd = |/bin/prog}, {both = |/bin/prog, daemon} }\n",
	    forbidden);
}

static void delimiters(void **state)
{
	static const struct row set[] = {
		{ "first of the set", "daemon-x+y@example.com",
		  "deliver local:mx.example.com <daemon-x+y@example.com> user=daemon ext=x+y" },
		{ "second", "daemon+x-y@example.com",
		  "deliver local:mx.example.com <daemon+x-y@example.com> user=daemon ext=x-y" },
		{ "a user with the delimiter in the name", "www-data@example.com",
		  "deliver local:mx.example.com <www-data@example.com> user=www-data" },
		{ "LIST-request is whole", "daemon-request@example.com",
		  "reject 5.1.1 User unknown in local recipient table" },
		{ "owner-LIST is whole", "owner-daemon@example.com",
		  "reject 5.1.1 User unknown in local recipient table" },
		{ "empty extension", "daemon+@example.com",
		  "deliver local:mx.example.com <daemon+@example.com> user=daemon" },
	};
	static const struct row none[] = {
		{ "no delimiter", "daemon+x@example.com", "reject 5.1.1 User unknown in local recipient table" },
	};

	RUN("mydestination = example.com\nrecipient_delimiter = +-\nalias_maps =\n", set);
	RUN("mydestination = example.com\nrecipient_delimiter =\nalias_maps =\n", none);
}

static void local_fallbacks(void **state)
{
	static const struct row rows[] = {
		{ "unknown", "nosuch+x@example.com",
		  "deliver local:mx.example.com <nosuch+x@example.com> user=nosuch ext=x" },
	};

	RUN(LOCAL "alias_maps =\nluser_relay = $user@other.example\n", rows);
	RUN(LOCAL "alias_maps =\nmailbox_transport = lmtp:unix:private/lmtp\n", rows);
	RUN(LOCAL "alias_maps =\nfallback_transport = smtp:x\n", rows);
}

/* What mailbox_transport and fallback_transport name. */
static void passed_on(void **state)
{
	static const struct { const char *via, *address, *want; } rows[] = {
		{ "lmtp:unix:private/lmtp", "daemon@example.com",
		  "deliver lmtp:unix:private/lmtp <daemon@example.com>" },
		{ "smtp", "daemon@example.com", "deliver smtp:mx.example.com <daemon@example.com>" },
		{ "local", "daemon+x@example.com",
		  "deliver local:mx.example.com <daemon+x@example.com> user=daemon ext=x" },
		{ "local:", "nosuch@example.com", "reject 5.1.1 User unknown in local recipient table" },
		{ "virtual", "tito@example.com",
		  "deliver virtual:mx.example.com <tito@example.com> /srv/t/ 2000:2000 quota=0" },
		{ "virtual:", "nosuch@example.com", "reject 5.1.1 User unknown in virtual mailbox table" },
		{ "error:5.7.1 gone away", "daemon@example.com", "reject 5.7.1 gone away" },
		{ "error:", "daemon@example.com", "reject 5.0.0 Address is undeliverable" },
		{ "retry:later", "daemon@example.com", "defer 4.0.0 later" },
		{ "discard:", "daemon@example.com", "deliver discard:mx.example.com <daemon@example.com>" },
	};
	struct world w;
	size_t i;

	world_open(&w, LOCAL "alias_maps = inline:{daemon=x@other.example}\nvirtual_alias_maps = static:y@other.example\n"
		   "fallback_transport = local\ntransport_maps = static:error:no\nvirtual_mailbox_base = /srv\n"
		   "virtual_mailbox_maps = inline:{tito@example.com=t/}\nvirtual_uid_maps = static:2000\n"
		   "virtual_gid_maps = static:2000\n");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct route out = world_ask_via(&w, rows[i].address, rows[i].via);
		const char *got = world_dump(&w, &out);

		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s\n  got:  %s\n  want: %s", rows[i].via, rows[i].address, got, rows[i].want);
	}
	world_close(&w);
}

#define VALIAS "mydestination = localhost\nrecipient_delimiter = +\nvirtual_alias_domains = v.example\nalias_maps =\n"

static void virtual_aliases(void **state)
{
	static const struct row rows[] = {
		{ "plain", "tito@v.example", "expand <daemon@localhost>" },
		{ "case", "TITO@V.Example", "expand <daemon@localhost>" },
		{ "nested", "one@v.example", "expand <x@other.example> <daemon@localhost>" },
		{ "unknown", "nosuch@v.example", "reject 5.1.1 User unknown in virtual alias table" },
		{ "extension goes on", "tito+x@v.example", "expand <daemon+x@localhost>" },
		{ "extended key wins", "tito+y@v.example", "expand <y@other.example>" },
		{ "catch-all", "any+x@all.example", "expand <all@other.example>" },
		{ "domain to domain", "any+x@old.example", "expand <any+x@new.example>" },
		{ "bare key at a local domain", "bare@localhost", "expand <x@other.example>" },
		{ "bare key elsewhere", "bare@v.example", "reject 5.1.1 User unknown in virtual alias table" },
		{ "itself", "self@other.example", "deliver smtp:other.example <self@other.example>" },
		{ "itself and another, as asked", "SELF2@other.example",
		  "expand <SELF2@other.example> <x@other.example>" },
		{ "final", "self2@other.example", "deliver smtp:other.example <self2@other.example>", NULL, true },
		{ "no domain on the right", "short@v.example", "expand <daemon@example.com>" },
		{ "loop", "loop1@v.example", "reject 5.4.6 virtual alias loop or endless nesting for loop1@v.example" },
		{ "the same over two ways", "twice@v.example", "expand <daemon@localhost>" },
		{ "command", "cmd@v.example", "defer 4.3.5 table inline:T has a wrong value for cmd@v.example: "
		  "commands and files are no virtual aliases" },
	};
	static const char table[] =
		"inline:{ tito@v.example=daemon@localhost, tito+y@v.example=y@other.example,"
		" {one@v.example = two@v.example, x@other.example}, two@v.example=tito@v.example,"
		" @all.example=all@other.example, @old.example=@new.example, bare=x@other.example,"
		" self@other.example=self@other.example, {self2@other.example = self2@other.example, x@other.example},"
		" short@v.example=daemon, loop1@v.example=loop2@v.example, loop2@v.example=loop1@v.example,"
		" {twice@v.example = tito@v.example, two@v.example}, cmd@v.example=|/bin/sh }";
	struct row copy[ARRAY_LEN(rows)];
	struct arena a = { 0 };

	memcpy(copy, rows, sizeof(rows));
	copy[ARRAY_LEN(rows) - 1].want = arena_printf(&a, "defer 4.3.5 table %s has a wrong value for cmd@v.example: "
						      "commands and files are no virtual aliases", table);
	/* the sentence is cut where struct err ends */
	((char *)(uintptr_t)copy[ARRAY_LEN(rows) - 1].want)[10 + 359 + 2] = '\0';
	RUN(arena_printf(&a, VALIAS "virtual_alias_maps = %s\n", table), copy);
	arena_fini(&a);
}

static void virtual_alias_limits(void **state)
{
	static const struct row deep[] = {
		{ "within", "b@v.example", "expand <x@other.example>" },
		{ "too deep", "a@v.example", "reject 5.4.6 virtual alias loop or too deep nesting for a@v.example" },
	};
	static const struct row wide[] = {
		{ "too many", "a@v.example", "reject 5.4.6 virtual alias loop or too many addresses for a@v.example" },
		{ "within", "b@v.example", "expand <1@x.example> <2@x.example>" },
	};

	RUN(VALIAS "virtual_alias_recursion_limit = 2\nvirtual_alias_maps = inline:{a@v.example=b@v.example, b@v.example=c@v.example,"
	    " c@v.example=x@other.example}\n", deep);
	RUN(VALIAS "virtual_alias_expansion_limit = 2\nvirtual_alias_maps = inline:{{a@v.example = 1@x.example, 2@x.example, 3@x.example},"
	    " {b@v.example = 1@x.example, 2@x.example}}\n", wide);
}

/* What Postfix's local(8) does after cleanup(8): the local alias of an address that a virtual alias left as it was. */
static void virtual_then_local(void **state)
{
	static const struct row rows[] = {
		{ "both tables", "daemon@localhost", "expand <bin@example.com> <x@other.example> <y@other.example>" },
	};

	RUN("mydestination = localhost, example.com\nvirtual_alias_maps = inline:{{daemon = daemon@localhost, x@other.example}}\n"
	    "alias_maps = inline:{{daemon = bin, y@other.example}}\n", rows);
}

#define VBOX "mydestination = localhost\nalias_maps =\nrecipient_delimiter = +\nvirtual_mailbox_domains = box.example\n" \
	     "virtual_mailbox_base = /var/mail/vhosts\nvirtual_mailbox_limit = 1000\nvirtual_uid_maps = static:5000\n"  \
	     "virtual_gid_maps = static:5001\n"

static void virtual_mailboxes(void **state)
{
	static const struct row rows[] = {
		{ "plain", "tito@box.example",
		  "deliver virtual:box.example <tito@box.example> /var/mail/vhosts/box.example/tito/ 5000:5001 quota=1000" },
		{ "extension", "tito+x@Box.example",
		  "deliver virtual:box.example <tito+x@box.example> /var/mail/vhosts/box.example/tito/ 5000:5001 quota=1000" },
		{ "no slash at the end", "flat@box.example",
		  "deliver virtual:box.example <flat@box.example> /var/mail/vhosts/flat/ 5000:5001 quota=1000" },
		{ "below the base already", "abs@box.example",
		  "deliver virtual:box.example <abs@box.example> /var/mail/vhosts/abs/ 5000:5001 quota=1000" },
		{ "unknown", "nosuch@box.example", "reject 5.1.1 User unknown in virtual mailbox table" },
		{ "climbs out", "evil@box.example", "reject 5.1.1 User unknown in virtual mailbox table" },
	};
	static const struct row limits[] = {
		{ "its own limit", "tito@box.example",
		  "deliver virtual:box.example <tito@box.example> /var/mail/vhosts/x/ 5000:5001 quota=2097152" },
		{ "the common one", "b@box.example",
		  "deliver virtual:box.example <b@box.example> /var/mail/vhosts/x/ 5000:5001 quota=1000" },
		{ "nonsense", "c@box.example", "defer 4.3.5 mail system configuration error" },
	};
	static const struct row no_uid[] = {
		{ "small uid", "tito@box.example", "defer 4.3.5 mail system configuration error" },
	};
	static const struct row lmtp[] = {
		{ "other transport", "tito@box.example", "deliver lmtp:unix:private/x <tito@box.example>" },
		{ "still unknown", "nosuch@box.example", "reject 5.1.1 User unknown in virtual mailbox table" },
	};
	static const struct row lmtp_all[] = {
		{ "no table: all", "nosuch@box.example", "deliver lmtp:unix:private/x <nosuch@box.example>" },
	};

	RUN(VBOX "virtual_mailbox_maps = inline:{tito@box.example=box.example/tito/, flat@box.example=flat,"
	    " abs@box.example=/var/mail/vhosts/abs/, evil@box.example=x/../../etc/}\n", rows);
	RUN(VBOX "virtual_mailbox_maps = static:x/\nvirtual_mailbox_limit_maps = inline:{tito@box.example=2M, c@box.example=much}\n", limits);
	RUN(VBOX "virtual_minimum_uid = 6000\nvirtual_mailbox_maps = inline:{tito@box.example=x/}\n", no_uid);
	assert_non_null(strstr(world_log, "virtual_uid_maps gives '5000'"));
	RUN("mydestination = localhost\nvirtual_mailbox_domains = box.example\nvirtual_mailbox_base = /v\n"
	    "virtual_mailbox_maps = inline:{tito@box.example=x/}\nvirtual_uid_maps = inline:{other@box.example=5000}\n",
	    no_uid);
	assert_non_null(strstr(world_log, "virtual_uid_maps has no uid"));
	RUN("mydestination = localhost\nvirtual_mailbox_domains = box.example\n"
	    "virtual_mailbox_maps = inline:{tito@box.example=x/}\nvirtual_uid_maps = static:5000\n", no_uid);
	assert_non_null(strstr(world_log, "virtual_mailbox_base is not set"));
	RUN(VBOX "virtual_transport = lmtp:unix:private/x\nvirtual_mailbox_maps = inline:{tito@box.example=OK}\n",
	    lmtp);
	RUN(VBOX "virtual_transport = lmtp:unix:private/x\n", lmtp_all);
}

static void other_domains(void **state)
{
	static const struct row plain[] = {
		{ "relay domain", "a@relay.example", "deliver relay:relay.example <a@relay.example>" },
		{ "below a relay domain", "a@sub.relay.example",
		  "deliver relay:sub.relay.example <a@sub.relay.example>" },
		{ "similar name", "a@xrelay.example", "deliver smtp:xrelay.example <a@xrelay.example>" },
		{ "elsewhere", "a@other.example", "deliver smtp:other.example <a@other.example>" },
		{ "a name in Unicode", "a@b\xc3\xbc" "cher.example",
		  "deliver smtp:xn--bcher-kva.example <a@xn--bcher-kva.example>" },
	};
	static const struct row relayhost[] = {
		{ "relay domain", "a@relay.example", "deliver relay:[gw.example]:587 <a@relay.example>" },
		{ "elsewhere", "a@other.example", "deliver smtp:[gw.example]:587 <a@other.example>" },
		{ "by sender", "a@other.example", "deliver smtp:[mine.example] <a@other.example>", "me@mine.example" },
		{ "by sender's domain", "a@other.example", "deliver smtp:[all.example] <a@other.example>",
		  "x@all.example" },
		{ "null sender", "a@other.example", "deliver smtp:[null.example] <a@other.example>", "" },
		{ "transport by sender", "a@other.example", "deliver slow:[gw.example]:587 <a@other.example>",
		  "bulk@mine.example" },
		{ "local stays", "daemon@localhost", "deliver local:mx.example.com <daemon@localhost> user=daemon" },
	};
	static const struct row transports[] = {
		{ "address", "a@t.example", "deliver lmtp:inet:h:24 <a@t.example>" },
		{ "address with extension", "a+x@t.example", "deliver lmtp:inet:h:24 <a+x@t.example>" },
		{ "domain, no nexthop", "b@t.example", "deliver slow:t.example <b@t.example>" },
		{ "below a domain", "b@x.y.t.example", "deliver smtp:[below] <b@x.y.t.example>" },
		{ "nexthop only", "b@nh.example", "deliver smtp:[nh] <b@nh.example>" },
		{ "nothing changes", "b@same.example", "deliver smtp:[gw.example] <b@same.example>" },
		{ "all the rest", "b@rest.example", "deliver smtp:[star] <b@rest.example>" },
		{ "error", "b@bad.example", "reject 5.7.0 We do not write there" },
		{ "error without code", "b@bad2.example", "reject 5.0.0 no" },
		{ "error without text", "b@bad3.example", "reject 5.0.0 Address is undeliverable" },
		{ "retry", "b@late.example", "defer 4.0.0 later" },
		{ "retry without text", "b@late2.example", "defer 4.0.0 Address is undeliverable" },
		{ "discard", "b@void.example", "deliver discard:no thanks <b@void.example>" },
		{ "local by table", "daemon@hosted.example",
		  "deliver local:hosted.example <daemon@hosted.example> user=daemon" },
		{ "local domain elsewhere", "a@moved.example", "deliver smtp:[new] <a@moved.example>" },
	};

	RUN("mydestination = localhost\nrelay_domains = relay.example\n", plain);
	RUN("mydestination = localhost\nalias_maps =\nrelay_domains = relay.example\nrelayhost = [gw.example]:587\n"
	    "sender_dependent_relayhost_maps = inline:{me@mine.example=[mine.example], @all.example=[all.example], <>=[null.example]}\n"
	    "sender_dependent_default_transport_maps = inline:{bulk@mine.example=slow:}\n", relayhost);
	RUN("mydestination = localhost, moved.example\nalias_maps =\nrelayhost = [gw.example]\nrecipient_delimiter = +\n"
	    "transport_maps = inline:{a@t.example=lmtp:inet:h:24, t.example=slow:, .t.example=smtp:[below], nh.example=:[nh],"
	    " same.example=:, *=smtp:[star], {bad.example=error:5.7.0 We do not write there}, bad2.example=error:no,"
	    " {void.example=discard:no thanks}, bad3.example=error:, late2.example=retry:, late.example=retry:later, hosted.example=local:, localhost=:, moved.example=smtp:[new]}\n", transports);
}

static void domain_lists(void **state)
{
	static const struct row rows[] = {
		{ "taken out", "a@not.relay.example", "deliver smtp:not.relay.example <a@not.relay.example>" },
		{ "below", "a@x.below.example", "deliver relay:x.below.example <a@x.below.example>" },
		{ "the name itself is not below", "a@below.example", "deliver smtp:below.example <a@below.example>" },
		{ "table", "a@table.example", "deliver relay:table.example <a@table.example>" },
		{ "capitals in main.cf", "a@caps.example", "deliver relay:caps.example <a@caps.example>" },
	};

	RUN("mydestination = localhost\nparent_domain_matches_subdomains =\n"
	    "relay_domains = !not.relay.example .relay.example .below.example inline:{table.example=x} Caps.Example\n",
	    rows);
}

/* Whatever cannot be asked makes the letter wait; it never refuses it. */
static void broken_tables(void **state)
{
	static const char *const confs[] = {
		"mydestination = fail:x\n",
		"mydestination = example.com\nalias_maps = fail:x\n",
		"mydestination = example.com\nalias_maps = lmdb:/nonexistent/aliases\n",
		"mydestination = example.com\nalias_maps =\nvirtual_alias_maps = fail:x\nvirtual_alias_domains =\n",
		"mydestination = localhost\nvirtual_alias_domains = fail:x\n",
		"mydestination = localhost\nvirtual_mailbox_domains = fail:x\n",
		"mydestination = localhost\nrelay_domains = fail:x\n",
		"mydestination = localhost\nvirtual_mailbox_domains = example.com\nvirtual_mailbox_maps = fail:x\n",
		VBOX "virtual_mailbox_domains = example.com\nvirtual_mailbox_maps = static:x/\nvirtual_uid_maps = fail:x\n",
		VBOX "virtual_mailbox_domains = example.com\nvirtual_mailbox_maps = static:x/\nvirtual_gid_maps = fail:x\n",
		VBOX "virtual_mailbox_domains = example.com\nvirtual_mailbox_maps = static:x/\nvirtual_mailbox_limit_maps = fail:x\n",
		"mydestination = localhost\ntransport_maps = fail:x\n",
		"mydestination = localhost\nsender_dependent_relayhost_maps = fail:x\n",
		"mydestination = localhost\nsender_dependent_default_transport_maps = fail:x\n",
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(confs); i++) {
		struct world w;
		struct route out;
		struct rcpt_verdict v;

		world_open(&w, confs[i]);
		out = world_ask(&w, "nosuch@example.com", "a@b.example", false);
		if (out.action != ROUTE_DEFER || out.dsn.p[0] != '4')
			fail_msg("%s: %s", confs[i], world_dump(&w, &out));
		v = world_check(&w, "nosuch@example.com");
		if (v.status != MSG_TEMP || v.dsn.p[0] != '4')
			fail_msg("%s: check says %d %.*s", confs[i], (int)v.status, SPAN_ARG(v.text));
		if (!strstr(world_log, "waits until it is mended"))
			fail_msg("%s: not logged: %s", confs[i], world_log);
		world_close(&w);
	}
}

static void no_address_kinds(void **state)
{
	struct world w;
	struct route_query q = { .address = SPAN_LIT("/bin/prog $x"), .kind = RCPT_COMMAND,
				 .as_user = SPAN_LIT("bin") };
	struct route out;

	world_open(&w, LOCAL);
	route_get(&out, w.rules, &q, &w.a);
	assert_string_equal(world_dump(&w, &out), "deliver local:mx.example.com </bin/prog $x> user=bin");
	world_close(&w);
}

static void percent_and_bang(void **state)
{
	static const struct row off[] = {
		{ "percent", "a%other.example@localhost", "reject 5.1.1 User unknown in local recipient table" },
		{ "bang", "other.example!a@localhost", "reject 5.1.1 User unknown in local recipient table" },
		{ "quoted at", "\"a@other.example\"@localhost", "reject 5.1.1 User unknown in local recipient table" },
	};
	static const struct row on[] = {
		{ "percent", "a%other.example@localhost", "deliver smtp:other.example <a@other.example>" },
		{ "percent without domain", "a%other.example", "deliver smtp:other.example <a@other.example>" },
		{ "bang", "other.example!a", "deliver smtp:other.example <a@other.example>" },
		{ "elsewhere it is theirs", "a%b.example@other.example",
		  "deliver smtp:other.example <a%b.example@other.example>" },
	};

	RUN("mydestination = localhost\nalias_maps =\n", off);
	RUN("mydestination = localhost\nalias_maps =\nallow_percent_hack = yes\nswap_bangpath = yes\n", on);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_users),
		cmocka_unit_test(alias_destinations),
		cmocka_unit_test(delimiters),
		cmocka_unit_test(local_fallbacks),
		cmocka_unit_test(passed_on),
		cmocka_unit_test(virtual_aliases),
		cmocka_unit_test(virtual_alias_limits),
		cmocka_unit_test(virtual_then_local),
		cmocka_unit_test(virtual_mailboxes),
		cmocka_unit_test(other_domains),
		cmocka_unit_test(domain_lists),
		cmocka_unit_test(broken_tables),
		cmocka_unit_test(no_address_kinds),
		cmocka_unit_test(percent_and_bang),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
