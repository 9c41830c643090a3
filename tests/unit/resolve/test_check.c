#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/unit/resolve/world.h"

static void classes(void **state)
{
	static const struct {
		const char *address;
		enum addr_class class;
	} rows[] = {
		{ "daemon@localhost", ADDR_LOCAL },
		{ "daemon", ADDR_LOCAL },
		{ "daemon@[192.0.2.1]", ADDR_LOCAL },
		{ "nosuch@LOCALHOST", ADDR_LOCAL },
		{ "a@v.example", ADDR_VIRTUAL_ALIAS },
		{ "a@box.example", ADDR_VIRTUAL_MAILBOX },
		{ "a@relay.example", ADDR_RELAY },
		{ "a@sub.relay.example", ADDR_RELAY },
		{ "a%other.example@relay.example", ADDR_OTHER },        /* no way through a relay domain to another */
		{ "\"a@other.example\"@relay.example", ADDR_OTHER },
		{ "other.example!a@relay.example", ADDR_OTHER },
		{ "a@other.example", ADDR_OTHER },
		{ "a@sub.localhost", ADDR_OTHER },
	};
	struct world w;
	size_t i;

	world_open(&w, "mydestination = localhost, example.com\nvirtual_alias_domains = v.example\nalias_maps =\n"
		       "virtual_mailbox_domains = box.example\nrelay_domains = relay.example\n");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct rcpt_verdict v = world_check(&w, rows[i].address);

		if (v.class != rows[i].class)
			fail_msg("%s: class %d", rows[i].address, (int)v.class);
	}
	world_close(&w);
}

static void verdicts(void **state)
{
	static const struct {
		const char *address, *want;     /* NULL: yes */
	} rows[] = {
		{ "daemon@localhost", NULL },
		{ "daemon+x@localhost", NULL },
		{ "nosuch@localhost", "User unknown in local recipient table" },
		{ "good@localhost", NULL },
		{ "dead@localhost", "User unknown in local recipient table" },
		{ "half@localhost", NULL },
		{ "cmd@localhost", NULL },
		{ "ring1@localhost", "User unknown in local recipient table" },
		{ "bin@localhost", NULL },
		{ "postmaster@localhost", NULL },
		{ "postmaster", NULL },
		{ "POSTMASTER@localhost", NULL },
		{ "a@v.example", NULL },
		{ "b@v.example", "User unknown in local recipient table" },
		{ "c@v.example", "User unknown in virtual alias table" },
		{ "nosuch@v.example", "User unknown in virtual alias table" },
		{ "loop@v.example", "virtual alias loop or endless nesting for loop@v.example" },
		{ "tito@box.example", NULL },
		{ "nosuch@box.example", "User unknown in virtual mailbox table" },
		{ "known@relay.example", NULL },
		{ "known+x@relay.example", NULL },
		{ "nosuch@relay.example", "User unknown in relay recipient table" },
		{ "any@all.relay.example", NULL },
		{ "moved@relay.example", NULL },
		{ "x@other.example", NULL },
		{ "x@bad.example", "never" },
	};
	struct world w;
	size_t i;

	world_open(&w, "mydestination = localhost, example.com\nrecipient_delimiter = +\nvirtual_alias_domains = v.example\n"
		       "alias_maps = inline:{good=daemon, dead=nosuch, {half = nosuch, daemon}, cmd=|/bin/x, ring1=ring2, ring2=ring1,"
		       " {bin = bin, nosuch} }\n"
		       "virtual_alias_maps = inline:{a@v.example=daemon, b@v.example=nosuch, c@v.example=d@v.example,"
		       " loop@v.example=loop2@v.example, loop2@v.example=loop@v.example, moved@relay.example=daemon}\n"
		       "virtual_mailbox_domains = box.example\nvirtual_mailbox_base = /v\nvirtual_uid_maps = static:5000\n"
		       "virtual_gid_maps = static:5000\nvirtual_mailbox_maps = inline:{tito@box.example=x/}\n"
		       "relay_domains = relay.example\n"
		       "relay_recipient_maps = inline:{known@relay.example=x, @all.relay.example=x}\n"
		       "transport_maps = inline:{bad.example=error:never}\n");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct rcpt_verdict v = world_check(&w, rows[i].address);
		const char *want = rows[i].want ? rows[i].want : "";

		if (v.status != (rows[i].want ? MSG_NO : MSG_OK) || !span_eqz(v.text, want) ||
		    (want[0] && v.dsn.p[0] != '5'))
			fail_msg("%s: status %d, %.*s %.*s", rows[i].address, (int)v.status, SPAN_ARG(v.dsn),
				 SPAN_ARG(v.text));
	}
	world_close(&w);
}

/* Transports that say no or not now: the words of error are for the client, retry takes the letter. */
static void error_and_retry(void **state)
{
	static const struct {
		const char *address, *dsn, *text;
	} rows[] = {
		{ "x@error.example", "5.0.0", "gone" }, { "x@soon.example", "4.7.1", "come later" },
		{ "x@retry.example", "", "" }, { "list@localhost", "", "" }, { "two@localhost", "4.7.1", "come later" },
	};
	struct world w;
	size_t i;

	world_open(&w, "mydestination = localhost\nalias_maps = inline:{{list = x@error.example, x@retry.example},"
		       " {two = x@soon.example, x@soon.example}}\n"
		       "transport_maps = inline:{error.example=error:gone, {soon.example=error:4.7.1 come later},"
		       " {retry.example=retry:4.3.2 not today}}\n");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct rcpt_verdict v = world_check(&w, rows[i].address);

		if (v.status != (rows[i].dsn[0] ? MSG_NO : MSG_OK) || !span_eqz(v.dsn, rows[i].dsn) || !span_eqz(v.text, rows[i].text))
			fail_msg("%s: status %d, %.*s %.*s", rows[i].address, (int)v.status, SPAN_ARG(v.dsn), SPAN_ARG(v.text));
	}
	world_close(&w);
}

/* A mailbox that had no room for 20,000 bytes: the larger letter is refused, the smaller one may try; an alias is
 * refused only when nobody behind it has room. */
static void full_mailboxes(void **state)
{
	static const struct { const char *address; uint64_t size; const char *dsn; } rows[] = {
		{ "daemon@localhost", 20000, "5.2.2" }, { "daemon@localhost", 30000, "5.2.2" },
		{ "Daemon+x@localhost", 20000, "5.2.2" }, { "daemon@localhost", 19999, "" },
		{ "daemon@localhost", 0, "" },
		{ "bin@localhost", 0, "5.2.2" }, { "bin@localhost", 99, "" }, { "bin@localhost", 100, "5.2.2" },
		{ "one@localhost", 20000, "5.2.2" }, { "both@localhost", 20000, "" }, { "sys@localhost", 99999999, "" },
		{ "tito@box.example", 500, "5.2.2" }, { "iqbal@box.example", 500, "" }, { "x@other.example", 500, "" },
	};
	static const struct route_full notes[] = {
		{ SPAN_LIT("local"), SPAN_LIT("daemon"), SPAN_LIT(""), 30000 },
		{ SPAN_LIT("local"), SPAN_LIT("daemon"), SPAN_LIT(""), 20000 },
		{ SPAN_LIT("local"), SPAN_LIT("daemon"), SPAN_LIT(""), 40000 },
		{ SPAN_LIT("local"), SPAN_LIT("bin"), SPAN_LIT(""), 100 },
		{ SPAN_LIT("virtual"), SPAN_LIT(""), SPAN_LIT("/v/x/"), 500 },
	};
	uint64_t now = clock_mono_ms();
	struct rcpt_verdict v;
	struct world w;
	size_t i;

	world_open(&w, "mydestination = localhost\nrecipient_delimiter = +\nalias_maps = inline:{one=daemon@localhost, {both = daemon@localhost, sys@localhost}}\n"
		   "virtual_mailbox_domains = box.example\nvirtual_mailbox_base = /v\nvirtual_uid_maps = static:5000\n"
		   "virtual_gid_maps = static:5000\nvirtual_mailbox_maps = inline:{tito@box.example=x/, iqbal@box.example=y/}\n");
	for (i = 0; i < ARRAY_LEN(notes); i++)
		full_note(&w.full, &notes[i], now, now + 60000);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		w.letter_size = rows[i].size;
		v = world_check(&w, rows[i].address);
		if (!span_eqz(v.dsn, rows[i].dsn) || v.status != (rows[i].dsn[0] ? MSG_NO : MSG_OK))
			fail_msg("row %zu, %s: %d %.*s", i, rows[i].address, (int)v.status, SPAN_ARG(v.dsn));
	}
	for (i = 0; i < ARRAY_LEN(notes); i++)
		full_note(&w.full, &notes[i], now - 2, now - 1);        /* a minute later */
	v = world_check(&w, "tito@box.example");
	assert_int_equal(v.status, MSG_OK);
	world_close(&w);
}

/* The table has an end; what is old makes room. */
static void full_has_an_end(void **state)
{
	struct full f = { 0 };
	struct arena a = { 0 };
	struct route to = { .transport = SPAN_LIT("local") };
	struct route_full m = { .transport = SPAN_LIT("local"), .size = 1 };
	int i;

	for (i = 0; i < 10001; i++) {
		m.user = span_z(arena_printf(&a, "u%d", i));
		full_note(&f, &m, 1000, i < 5000 ? 2000 : 3000);
	}
	assert_int_equal(f.boxes.n, 10000);
	to.user = m.user;
	assert_false(full_refuses(&f, &to, 1, 1000));
	full_note(&f, &m, 2500, 3500);
	assert_int_equal(f.boxes.n, 5001);
	assert_true(full_refuses(&f, &to, 1, 2500));
	full_fini(&f);
	arena_fini(&a);
}

static void recipient_tables(void **state)
{
	static const struct {
		const char *label, *conf, *address;
		enum msg_status want;
	} rows[] = {
		{ "listed and there", "local_recipient_maps = inline:{daemon=x}", "daemon@localhost", MSG_OK },
		{ "there, not listed", "local_recipient_maps = inline:{daemon=x}", "bin@localhost", MSG_NO },
		{ "listed, not there", "local_recipient_maps = static:x", "nosuch@localhost", MSG_NO },
		{ "listed by address", "local_recipient_maps = inline:{bin@localhost=x}", "bin@localhost", MSG_OK },
		{ "listed by domain", "local_recipient_maps = inline:{@localhost=x}", "bin@localhost", MSG_OK },
		{ "no list, there", "local_recipient_maps =", "bin@localhost", MSG_OK },
		{ "no list, not there", "local_recipient_maps =", "nosuch@localhost", MSG_NO },
		{ "no list, a fallback", "local_recipient_maps =\nluser_relay = root", "nosuch@localhost", MSG_OK },
		{ "a fallback behind the list", "luser_relay = root", "nosuch@localhost", MSG_NO },
		{ "postmaster is always listed", "local_recipient_maps = inline:{daemon=x}", "postmaster@localhost",
		  MSG_OK },
		{ "broken list", "local_recipient_maps = fail:x", "bin@localhost", MSG_TEMP },
		{ "broken before the hit", "local_recipient_maps = fail:x static:y", "bin@localhost", MSG_TEMP },
		{ "hit before the broken", "local_recipient_maps = static:y fail:x", "bin@localhost", MSG_OK },
		{ "one dead way, one unknown now", "alias_maps = inline:{{a = nosuch, x@down.example}}\n"
		  "virtual_mailbox_domains = down.example\nvirtual_mailbox_maps = fail:x\n", "a@localhost", MSG_TEMP },
		{ "one good way, one unknown now", "alias_maps = inline:{{a = daemon, x@down.example}}\n"
		  "virtual_mailbox_domains = down.example\nvirtual_mailbox_maps = fail:x\n", "a@localhost", MSG_OK },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena a = { 0 };
		struct world w;
		struct rcpt_verdict v;

		world_open(&w, arena_printf(&a, "mydestination = localhost, example.com\n%s%s\n",
					    strstr(rows[i].conf, "alias_maps") ? "" : "alias_maps =\n", rows[i].conf));
		v = world_check(&w, rows[i].address);
		if (v.status != rows[i].want)
			fail_msg("%s: status %d %.*s", rows[i].label, (int)v.status, SPAN_ARG(v.text));
		world_close(&w);
		arena_fini(&a);
	}
}

/* ---- what is accepted is deliverable ---- */

struct ancestor {
	const struct ancestor *up;
	struct span address;
};

/* Plays qmgr: follows every way to its end and counts the ends. */
static void drain(struct world *w, const struct ancestor *at, unsigned depth, unsigned *delivered, unsigned *deferred)
{
	const struct ancestor *up;
	const struct route_new *v;
	struct route out;
	bool is_final = false;
	size_t i;

	for (up = at->up; up; up = up->up)
		is_final = is_final || (up->address.n == at->address.n &&
					strncasecmp(up->address.p, at->address.p, at->address.n) == 0);
	out = world_ask(w, arena_strndup(&w->a, at->address.p, at->address.n), "a@b.example", is_final);
	*delivered += out.action == ROUTE_DELIVER;
	*deferred += out.action == ROUTE_DEFER;
	v = out.news.v;
	for (i = 0; out.action == ROUTE_EXPAND && i < out.news.n && depth < 40; i++) {
		struct ancestor next = { at, v[i].address };

		if (v[i].kind != RCPT_ADDRESS)
			(*delivered)++;
		else
			drain(w, &next, depth + 1, delivered, deferred);
	}
}

static void accepted_is_deliverable(void **state)
{
	static const char *const alias[] = {
		"alias_maps =\n",
		("alias_maps = inline:{{a = nosuch, b}, b=daemon, c=c@v.example, {daemon = daemon, bin}, {bin = \"|/bin/x\"}, d=nosuch,"
		" e=f, f=e, mailer-daemon=postmaster}\n"),
		"alias_maps = inline:{postmaster=nosuch, root=a, a=root, b=/dev/null, c=:include:/x, d=x@box.example}\n",
	};
	static const char *const valias[] = {
		"virtual_alias_maps =\n",
		("virtual_alias_maps = inline:{{a@v.example = a, nosuch}, {b@v.example = c@v.example}, c@v.example=nosuch,"
		" @box.example=b, {c = c, daemon}, root=daemon, {a@box.example = a@box.example, nosuch}}\n"),
		"virtual_alias_maps = inline:{@v.example=@box.example, a@v.example=b@v.example, b@v.example=a@v.example}\n",
		"virtual_alias_maps = pcre:/nonexistent\n",
	};
	static const char *const rest[] = {
		"local_recipient_maps =\n",
		"local_recipient_maps = static:x\nluser_relay = root\n",
		"transport_maps = inline:{box.example=error:no, localhost=smtp:x}\nrelay_domains = v.example\n",
		("virtual_mailbox_domains = box.example\nvirtual_mailbox_base = /v\nvirtual_uid_maps = inline:{a@box.example=500}\n"
		"virtual_gid_maps = static:500\nvirtual_mailbox_maps = inline:{a@box.example=a/, b@box.example=b/}\n"),
		"virtual_mailbox_domains = box.example\nvirtual_transport = lmtp:x\nlocal_transport = error:gone\n",
	};
	static const char *const users[] = { "a", "b", "c", "d", "e", "daemon", "bin", "root", "postmaster", "nosuch",
					     "a+x", "b+y",
					     "mailer-daemon", "daemon+" };
	static const char *const domains[] = { "localhost", "example.com", "v.example", "box.example", "other.example",
					       "[192.0.2.1]" };
	unsigned seen[3] = { 0 };
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(alias) * ARRAY_LEN(valias) * ARRAY_LEN(rest); i++) {
		struct arena a = { 0 };
		struct world w;

		world_open(&w, arena_printf(&a, "mydestination = localhost, example.com\nrecipient_delimiter = +\n"
					    "virtual_alias_domains = v.example\n%s%s%s", alias[i % 3],
					    valias[i / 3 % 4], rest[i / 12]));
		for (k = 0; k < ARRAY_LEN(users) * ARRAY_LEN(domains); k++) {
			const char *address = arena_printf(&a, "%s@%s", users[k % ARRAY_LEN(users)],
							   domains[k / ARRAY_LEN(users)]);
			struct ancestor first = { NULL, span_z(address) };
			struct rcpt_verdict v = world_check(&w, address);
			unsigned delivered = 0, deferred = 0;

			drain(&w, &first, 0, &delivered, &deferred);
			seen[v.status]++;
			if (v.status == MSG_OK && delivered == 0)
				fail_msg("accepted, but there is no way: %s with\n%s%s%s", address, alias[i % 3],
					 valias[i / 3 % 4], rest[i / 12]);
			/* rest[2] sends known domains elsewhere, but their recipient tables still decide */
			if (v.status == MSG_NO && delivered + deferred != 0 && i / 12 != 2)
				fail_msg("refused (%.*s), but there is a way: %s with\n%s%s%s", SPAN_ARG(v.text),
					 address, alias[i % 3], valias[i / 3 % 4], rest[i / 12]);
		}
		world_close(&w);
		arena_fini(&a);
	}
	assert_true(seen[MSG_OK] > 500 && seen[MSG_NO] > 500 && seen[MSG_TEMP] > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes),
		cmocka_unit_test(verdicts), cmocka_unit_test(error_and_retry),
		cmocka_unit_test(recipient_tables), cmocka_unit_test(full_mailboxes), cmocka_unit_test(full_has_an_end),
		cmocka_unit_test(accepted_is_deliverable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
