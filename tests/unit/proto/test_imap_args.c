#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "proto/imap_append_args.h"
#include "proto/imap_list_args.h"
#include "proto/imap_select_args.h"
#include "proto/imap_store_args.h"

#include "base/str.h"

static struct arena arena;

static struct imap_parse at(const char *text)
{
	struct imap_parse p;

	imap_parse_init(&p, &arena, span_z(text));
	return p;
}

/* Each of these parses and shows what came out; the error has gone to err. */
static int show_store(struct str *out, const char *text, struct err *err)
{
	static const char *const modes[] = { "=", "+", "-" };
	struct imap_parse p = at(text);
	struct imap_store s;
	size_t i;

	if (imap_store_args_parse(&p, &s, err) < 0)
		return -1;
	assert_int_equal(imap_seqset_format(out, &s.set), 0);
	assert_int_equal(str_addf(out, " %s%x", modes[s.mode], s.flags.bits), 0);
	for (i = 0; i < s.flags.n; i++)
		assert_int_equal(str_addf(out, ",%.*s", SPAN_ARG(s.flags.keywords[i])), 0);
	if (s.is_silent)
		assert_int_equal(str_addz(out, " silent"), 0);
	if (s.has_unchangedsince)
		assert_int_equal(str_addf(out, " since %llu", (unsigned long long)s.unchangedsince), 0);
	return 0;
}

static int show_select(struct str *out, const char *text, struct err *err)
{
	struct imap_parse p = at(text);
	struct imap_select s;

	if (imap_select_args_parse(&p, '/', &s, err) < 0)
		return -1;
	assert_int_equal(str_addf(out, "%.*s%s", SPAN_ARG(s.mailbox), s.is_condstore ? " C" : ""), 0);
	if (s.is_qresync)
		assert_int_equal(str_addf(out, " Q %u %llu", s.uidvalidity, (unsigned long long)s.modseq), 0);
	if (s.has_known_uids) {
		assert_int_equal(str_addz(out, " uids "), 0);
		assert_int_equal(imap_seqset_format(out, &s.known_uids), 0);
	}
	if (s.has_match) {
		assert_int_equal(str_addz(out, " match "), 0);
		assert_int_equal(imap_seqset_format(out, &s.match_seqs), 0);
		assert_int_equal(str_addc(out, '='), 0);
		assert_int_equal(imap_seqset_format(out, &s.match_uids), 0);
	}
	return 0;
}

static int show_list(struct str *out, const char *text, struct err *err, bool is_lsub)
{
	struct imap_parse p = at(text);
	struct imap_list l;
	size_t i;

	if ((is_lsub ? imap_list_args_lsub(&p, &l, err) : imap_list_args_parse(&p, &l, err)) < 0)
		return -1;
	assert_int_equal(str_addf(out, "%s%x <%.*s>", l.is_extended ? "X" : "", l.select, SPAN_ARG(l.reference)), 0);
	for (i = 0; i < l.n; i++)
		assert_int_equal(str_addf(out, " <%.*s>", SPAN_ARG(l.patterns[i])), 0);
	if (l.returns)
		assert_int_equal(str_addf(out, " %x", l.returns), 0);
	if (l.status)
		assert_int_equal(str_addf(out, " status %x", l.status), 0);
	return 0;
}

static int show_append(struct str *out, const char *text, struct err *err, bool is_first)
{
	struct imap_parse p = at(text);
	struct imap_append a;

	if (imap_append_args_next(&p, is_first, &a, err) < 0)
		return -1;
	if (a.is_end)
		return str_addz(out, "end");
	assert_int_equal(str_addf(out, "%x,%zu", a.flags.bits, a.flags.n), 0);
	if (a.has_date)
		assert_int_equal(str_addf(out, " %lld%+d", (long long)a.unix_s, a.offset_min), 0);
	return str_addf(out, " %s%llu%s", a.literal.is_binary ? "~" : "", (unsigned long long)a.literal.n,
	                a.literal.is_sync ? "" : "+");
}

static int show_status(struct str *out, const char *text, struct err *err)
{
	struct imap_parse p = at(text);
	unsigned items, bit;

	if (imap_list_args_status(&p, &items, err) < 0)
		return -1;
	for (bit = 1; imap_list_args_status_name((enum imap_status_item)bit); bit <<= 1) {
		if (items & bit)
			assert_int_equal(str_addf(out, "%s ", imap_list_args_status_name((enum imap_status_item)bit)),
					 0);
	}
	assert_true(items < bit);
	return 0;
}

static void test_rows(void **state)
{
	static const struct {
		char command;           /* S STORE, E SELECT, L LIST, l LSUB, A APPEND, a a further message, T STATUS */
		const char *text, *want;
	} rows[] = {
		{ 'S', " 1:3 FLAGS (\\Seen)", "1:3 =8" },
		{ 'S', " 1 +FLAGS.SILENT \\Deleted x", "1 +4,x silent" },
		{ 'S', " * -flags ()", "* -0" },
		{ 'S', " $ (UNCHANGEDSINCE 12) FLAGS (x y)", "$ =0,x,y since 12" },
		{ 'S', " 1 (unchangedsince 0) +FLAGS.SILENT (\\Draft)", "1 +10 silent since 0" },
		{ 'S', " 1 () FLAGS x", "1 =0,x" },
		{ 'S', "", "!Missing message set" },
		{ 'S', " 1", "!Missing FLAGS" },
		{ 'S', " 1 FLAGS", "!Missing flags" },
		{ 'S', " 1 FLAGS ", "!Missing flag" },
		{ 'S', " 1 *FLAGS x", "!STORE knows only FLAGS and FLAGS.SILENT, with + or - before them" },
		{ 'S', " 1 FLAGS.LOUD x", "!STORE knows only FLAGS and FLAGS.SILENT, with + or - before them" },
		{ 'S', " 1 + FLAGS x", "!STORE knows only FLAGS and FLAGS.SILENT, with + or - before them" },
		{ 'S', " 1 (CHANGEDSINCE 1) FLAGS x", "!Unknown STORE modifier" },
		{ 'S', " 1 (UNCHANGEDSINCE 9223372036854775808) FLAGS x", "!Too large a mod-sequence" },
		{ 'S', " 1 FLAGS (x) y", "!Unexpected text after the arguments" },
		{ 'S', " x FLAGS (x)", "!Invalid number in a message set" },

		{ 'E', " inbox", "INBOX" },
		{ 'E', " \"a b\" ", "a b" },
		{ 'E', " x (CONDSTORE)", "x C" },
		{ 'E', " x ()", "x" },
		{ 'E', " INBOX (QRESYNC (67890007 20050715194045000))", "INBOX C Q 67890007 20050715194045000" },
		{ 'E', " INBOX (QRESYNC (67890007 90060115194045000 41:211,214:541))",
		  "INBOX C Q 67890007 90060115194045000 uids 41:211,214:541" },
		{ 'E', " x (QRESYNC (1 2 1:9 (1,3,5 2,6,8)) CONDSTORE)", "x C Q 1 2 uids 1:9 match 1,3,5=2,6,8" },
		{ 'E', " x (qresync (1 2 (1:2 5:6)))", "x C Q 1 2 match 1:2=5:6" },
		{ 'E', "", "!Missing mailbox name" },
		{ 'E', " x y", "!Unexpected text after the arguments" },
		{ 'E', " x (FOO)", "!Unknown parameter" },
		{ 'E', " x (CONDSTORE", "!Missing ')'" },
		{ 'E', " x (QRESYNC)", "!Missing space before QRESYNC parameters" },
		{ 'E', " x (QRESYNC (0 1))", "!Zero is no UIDVALIDITY" },
		{ 'E', " x (QRESYNC (1))", "!Missing space before mod-sequence" },
		{ 'E', " x (QRESYNC (1 2 1:*))", "!Invalid set in QRESYNC" },
		{ 'E', " x (QRESYNC (1 2 $))", "!Invalid set in QRESYNC" },
		{ 'E', " x (QRESYNC (1 2 1:9 (1:2 5)))", "!The sets of the sequence match data differ in length" },
		{ 'E', " x (QRESYNC (1 2 1:9 (1:2)))", "!Missing space before known UIDs" },
		{ 'E', " x (QRESYNC (1 2 1:9 (1:2 1:2)", "!Missing ')' after the QRESYNC parameters" },
		{ 'E', " x (QRESYNC (1 2 1:9 (1:2 1:2", "!Missing ')' after the sequence match data" },
		{ 'E', " x (QRESYNC (1 2) QRESYNC (1 2))", "!QRESYNC is given twice" },

		{ 'L', " \"\" *", "0 <> <*>" },
		{ 'L', " \"\" \"\"", "0 <> <>" },
		{ 'L', " ~/Mail/ %", "0 <~/Mail/> <%>" },
		{ 'L', " \"\" (a% \"b c\")", "X0 <> <a%> <b c>" },
		{ 'L', " (SUBSCRIBED) \"\" *", "X1 <> <*> 1" },
		{ 'L', " () \"\" *", "X0 <> <*>" },
		{ 'L', " (recursivematch subscribed) \"\" *", "X5 <> <*> 1" },
		{ 'L', " (SPECIAL-USE REMOTE) \"\" *", "Xa <> <*> 8" },
		{ 'L', " \"\" * RETURN (CHILDREN SUBSCRIBED)", "X0 <> <*> 11" },
		{ 'L', " \"\" % return (status (messages unseen) special-use)", "X0 <> <%> 28 status 11" },
		{ 'L', " \"\" * RETURN ()", "X0 <> <*>" },
		{ 'L', "", "!Missing reference name" },
		{ 'L', " \"\"", "!Missing mailbox pattern" },
		{ 'L', " \"\" ()", "!Missing mailbox pattern" },
		{ 'L', " \"\" * x", "!Unexpected text after the arguments" },
		{ 'L', " (RECURSIVEMATCH) \"\" *", "!RECURSIVEMATCH needs another selection option" },
		{ 'L', " (RECURSIVEMATCH REMOTE) \"\" *", "!RECURSIVEMATCH needs another selection option" },
		{ 'L', " (FOO) \"\" *", "!Unknown word among the selection options" },
		{ 'L', " \"\" * RETURN (REMOTE)", "!Unknown word among the return options" },
		{ 'L', " \"\" * RETURN", "!Missing return options" },
		{ 'L', " \"\" * RETURN (STATUS)", "!Missing space before STATUS items" },
		{ 'L', " \"\" * RETURN (STATUS ())", "!Missing STATUS items" },
		{ 'L', " \"\" * RETURN (STATUS (FOO))", "!Unknown word among the STATUS items" },
		{ 'L', " (SUBSCRIBED)", "!Missing reference name" },
		{ 'L', " (SUBSCRIBED", "!Missing ')'" },

		{ 'l', " \"\" *", "0 <> <*>" },
		{ 'l', " x \"%\" ", "0 <x> <%>" },
		{ 'l', " \"\" (a b)", "!Invalid mailbox pattern" },
		{ 'l', " (SUBSCRIBED) \"\" *", "!Invalid reference name" },
		{ 'l', " \"\" * RETURN (CHILDREN)", "!Unexpected text after the arguments" },

		{ 'A', " {5}\r\n", "0,0 5" },
		{ 'A', " (\\Seen x) {5+}\r\n", "8,1 5+" },
		{ 'A', " \" 1-Jan-1970 00:00:10 +0100\" ~{5}", "0,0 -3590+60 ~5" },
		{ 'A', " () \"01-Jan-1970 00:00:10 -0001\" {0}", "0,0 70-1 0" },
		{ 'A', "", "!Missing message" },
		{ 'A', " ", "!Missing literal with the message" },
		{ 'A', " (\\Seen) \"x\"", "!Invalid date" },
		{ 'A', " (\\Seen)", "!Missing date or literal" },
		{ 'A', " (\\Recent) {5}", "!The flag \\Recent cannot be changed" },
		{ 'A', " x {5}", "!Missing literal with the message" },
		{ 'A', " CATENATE (URL x) {5}", "!Missing literal with the message" },
		{ 'a', "", "end" },
		{ 'a', " \r\n", "end" },
		{ 'a', " (\\Draft) {7}\r\n", "10,0 7" },
		{ 'a', "(\\Draft) {7}\r\n", "!Missing space before message" },
		{ 'a', " foo", "!Missing literal with the message" },

		{ 'T', "(MESSAGES)", "MESSAGES " },
		{ 'T', "(deleted size highestmodseq unseen uidvalidity uidnext recent messages)",
		  "MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ SIZE DELETED " },
		{ 'T', "()", "!Missing STATUS items" },
		{ 'T', "MESSAGES", "!Missing '(' before STATUS items" },
		{ 'T', "(MESSAGES,UNSEEN)", "!Missing space before the next item of the list" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const char *text = rows[i].text;
		struct str out = STR_INIT(1000);
		struct err err = ERR_INIT;
		int rc = rows[i].command == 'S' ? show_store(&out, text, &err)
		       : rows[i].command == 'E' ? show_select(&out, text, &err)
		       : rows[i].command == 'L' ? show_list(&out, text, &err, false)
		       : rows[i].command == 'l' ? show_list(&out, text, &err, true)
		       : rows[i].command == 'A' ? show_append(&out, text, &err, true)
		       : rows[i].command == 'a' ? show_append(&out, text, &err, false)
		       : show_status(&out, text, &err);

		if (rc < 0) {
			str_reset(&out);
			assert_int_equal(err.kind, ERR_PROTO);
			assert_int_equal(str_addf(&out, "!%s", err.msg), 0);
		}
		if (strcmp(out.p, rows[i].want) != 0)
			fail_msg("%c%s: %s", rows[i].command, text, out.p);
		str_fini(&out);
	}
}

static void test_pattern_limit(void **state)
{
	struct str text = STR_INIT(10000), out = STR_INIT(10000);
	struct err err = ERR_INIT;
	int i;

	assert_int_equal(str_addz(&text, " \"\" (a"), 0);
	for (i = 1; i < 100; i++)
		assert_int_equal(str_addz(&text, " a"), 0);
	assert_int_equal(str_addz(&text, ")"), 0);
	assert_int_equal(show_list(&out, text.p, &err, false), 0);
	str_cut(&text, text.n - 1);
	assert_int_equal(str_addz(&text, " a)"), 0);
	assert_int_equal(show_list(&out, text.p, &err, false), -1);
	assert_string_equal(err.msg, "Too many mailbox patterns");
	str_fini(&text);
	str_fini(&out);
}

static int teardown(void **state)
{
	arena_fini(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_pattern_limit),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
