#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "proto/imap_search_expr.h"

#include "base/str.h"

static struct arena arena;

static const char *const ops[] = {
	"AND", "OR", "ALL", "SEQ", "UID", "FLAG", "KEYWORD", "HEADER", "BODY", "TEXT", "BEFORE", "ON", "SINCE",
	"SENTBEFORE",
	"SENTON", "SENTSINCE", "LARGER", "SMALLER", "YOUNGER", "OLDER", "MODSEQ",
};

/* As an s-expression; the recursion of a test may be as deep as the tree. */
static void show(struct str *out, const struct imap_search_node *n)
{
	const struct imap_search_node *c;

	assert_int_equal(str_addf(out, "%s(%s", n->is_not ? "!" : "", ops[n->op]), 0);
	if (n->flag)
		assert_int_equal(str_addf(out, " %x", n->flag), 0);
	if (n->op >= IMAP_SEARCH_BEFORE && n->op <= IMAP_SEARCH_SENTSINCE)
		assert_int_equal(str_addf(out, " %d", n->day), 0);
	if (n->op >= IMAP_SEARCH_LARGER)
		assert_int_equal(str_addf(out, " %llu", (unsigned long long)n->number), 0);
	if (n->name.p)
		assert_int_equal(str_addf(out, " %.*s:", SPAN_ARG(n->name)), 0);
	if (n->text.p)
		assert_int_equal(str_addf(out, " <%.*s>", SPAN_ARG(n->text)), 0);
	if (n->op == IMAP_SEARCH_SEQ || n->op == IMAP_SEARCH_UID) {
		assert_int_equal(str_addc(out, ' '), 0);
		assert_int_equal(imap_seqset_format(out, &n->set), 0);
	}
	for (c = n->child; c; c = c->next) {
		assert_int_equal(str_addc(out, ' '), 0);
		show(out, c);
	}
	assert_int_equal(str_addc(out, ')'), 0);
}

static int parse(struct str *out, enum imap_search_command command, struct span text, struct imap_search *s)
{
	struct err err = ERR_INIT;
	struct imap_parse p;

	imap_parse_init(&p, &arena, text);
	if (imap_search_parse(&p, command, NULL, s, &err) < 0) {
		assert_int_equal(err.kind, ERR_PROTO);
		assert_int_equal(str_addf(out, "!%s", err.msg), 0);
		return -1;
	}
	if (s->root->child && !s->root->child->next)    /* the outer AND of one is only noise */
		show(out, s->root->child);
	else
		show(out, s->root);
	return 0;
}

static void test_keys(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "ALL", "(ALL)" },
		{ "all SEEN", "(AND (ALL) (FLAG 8))" },
		{ "ANSWERED DELETED DRAFT FLAGGED", "(AND (FLAG 1) (FLAG 4) (FLAG 10) (FLAG 2))" },
		{ "UNANSWERED UNDELETED UNDRAFT UNFLAGGED UNSEEN",
		  "(AND !(FLAG 1) !(FLAG 4) !(FLAG 10) !(FLAG 2) !(FLAG 8))" },
		{ "RECENT OLD", "(AND (FLAG 20) !(FLAG 20))" },
		{ "NEW", "(AND (FLAG 20) !(FLAG 8))" },
		{ "NOT NEW", "!(AND (FLAG 20) !(FLAG 8))" },
		{ "KEYWORD $Junk UNKEYWORD x", "(AND (KEYWORD <$Junk>) !(KEYWORD <x>))" },
		{ "FROM a TO b CC c BCC d SUBJECT \"e f\"",
		  "(AND (HEADER From: <a>) (HEADER To: <b>) (HEADER Cc: <c>) (HEADER Bcc: <d>) (HEADER Subject: <e f>))" },
		{ "HEADER Message-ID \"<a@b>\"", "(HEADER Message-ID: <<a@b>>)" },
		{ "HEADER x-foo \"\"", "(HEADER x-foo: <>)" },
		{ "BODY {3}\r\na b TEXT c", "(AND (BODY <a b>) (TEXT <c>))" },
		{ "BEFORE 2-Jan-1970 ON \"1-Jan-1970\" SINCE 31-Dec-1969", "(AND (BEFORE 1) (ON 0) (SINCE -1))" },
		{ "SENTBEFORE 2-Jan-1970 SENTON 1-Jan-1970 SENTSINCE 3-Jan-1970",
		  "(AND (SENTBEFORE 1) (SENTON 0) (SENTSINCE 2))" },
		{ "LARGER 0 SMALLER 5000000000", "(AND (LARGER 0) (SMALLER 5000000000))" },
		{ "YOUNGER 60 OLDER 3600", "(AND (YOUNGER 60) (OLDER 3600))" },
		{ "1:3,7", "(SEQ 1:3,7)" },
		{ "* $", "(AND (SEQ *) (SEQ $))" },
		{ "UID 1,5:* UID $", "(AND (UID 1,5:*) (UID $))" },
		{ "MODSEQ 620162338", "(MODSEQ 620162338)" },
		{ "MODSEQ \"/flags/\\\\draft\" all 620162338", "(MODSEQ 620162338)" },
		{ "NOT SEEN", "!(FLAG 8)" },
		{ "NOT UNSEEN", "(FLAG 8)" },
		{ "NOT NOT NOT UNSEEN", "(FLAG 8)" },
		{ "OR SEEN FLAGGED", "(OR (FLAG 8) (FLAG 2))" },
		{ "OR SEEN OR FLAGGED DRAFT", "(OR (FLAG 8) (FLAG 2) (FLAG 10))" },
		{ "OR OR SEEN FLAGGED DRAFT", "(OR (OR (FLAG 8) (FLAG 2)) (FLAG 10))" },
		{ "OR SEEN NOT OR FLAGGED DRAFT", "(OR (FLAG 8) !(OR (FLAG 2) (FLAG 10)))" },
		{ "OR SEEN OR FLAGGED DRAFT 5", "(AND (OR (FLAG 8) (FLAG 2) (FLAG 10)) (SEQ 5))" },
		{ "(SEEN)", "(AND (FLAG 8))" },
		{ "NOT (SEEN 1:2)", "!(AND (FLAG 8) (SEQ 1:2))" },
		{ "OR (1:3 SEEN) (4 (5 6))", "(OR (AND (SEQ 1:3) (FLAG 8)) (AND (SEQ 4) (AND (SEQ 5) (SEQ 6))))" },
		{ "ALL  ", "(ALL)" },
		{ "CHARSET utf-8 SUBJECT \"\xc3\xa9\"", "(HEADER Subject: <\xc3\xa9>)" },
		{ "SUBJECT \"\xc3\xa9\xff\"", "(HEADER Subject: <\xc3\xa9\xef\xbf\xbd>)" },
		{ "CHARSET iso-8859-1 SUBJECT {1}\r\n\xe9 TEXT a", "(AND (HEADER Subject: <\xc3\xa9>) (TEXT <a>))" },
		{ "CHARSET KOI8-R TEXT \"\xc1\" BODY \"\xc2\"", "(AND (TEXT <\xd0\xb0>) (BODY <\xd0\xb1>))" },
		{ "CHARSET windows-1255 TEXT \"\xf9\" BODY \"\xf9\"", "(AND (TEXT <\xd7\xa9>) (BODY <\xd7\xa9>))" },
		{ "", "!Missing search key" },
		{ "FOO", "!Unknown search key FOO" },
		{ "NOT", "!Missing search key" },
		{ "NOT ", "!Missing search key" },
		{ "OR SEEN", "!Missing second key of OR" },
		{ "OR", "!Missing first key of OR" },
		{ "()", "!Missing search key" },
		{ "(SEEN", "!Missing ')'" },
		{ "SEEN)", "!Unexpected text after the arguments" },
		{ "FROM", "!Missing value of a search key" },
		{ "FROM (a)", "!Invalid text to search for" },
		{ "HEADER a", "!Missing text to search for" },
		{ "ON 32-Jan-2000", "!Invalid date" },
		{ "LARGER x", "!Invalid size" },
		{ "YOUNGER 0", "!Zero is no interval" },
		{ "UID x", "!Invalid number in a message set" },
		{ "0", "!Zero is no number in a message set" },
		{ "KEYWORD \\Seen", "!Invalid keyword" },
		{ "MODSEQ \"/flags/x\" foo 1", "!Invalid entry type of MODSEQ" },
		{ "MODSEQ \"/flags/x\" 1", "!Invalid entry type of MODSEQ" },
		{ "CHARSET", "!Missing charset" },
		{ "CHARSET UTF-8", "!Missing search key" },
		{ "CHARSET x-none ALL", "!Unknown charset" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(1000);
		struct imap_search s;

		(void)!parse(&out, IMAP_SEARCH_SEARCH, span_z(rows[i].text), &s);
		if (strcmp(out.p, rows[i].want) != 0)
			fail_msg("%s:\n%s", rows[i].text, out.p);
		assert_int_equal(s.is_bad_charset, strstr(rows[i].want, "Unknown charset") != NULL);
		assert_int_equal(s.needs_modseq, strstr(rows[i].text, "MODSEQ") != NULL);
		str_fini(&out);
	}
}

static void test_return(void **state)
{
	static const struct {
		const char *text;
		int rc;
		bool has_return;
		unsigned returns;
	} rows[] = {
		{ "ALL", 0, false, 0 },
		{ "RETURN () ALL", 0, true, IMAP_SEARCH_RETURN_ALL },
		{ "return (min MAX) ALL", 0, true, IMAP_SEARCH_MIN | IMAP_SEARCH_MAX },
		{ "RETURN (COUNT ALL) CHARSET UTF-8 ALL", 0, true, IMAP_SEARCH_COUNT | IMAP_SEARCH_RETURN_ALL },
		{ "RETURN (SAVE) 1:3", 0, true, IMAP_SEARCH_SAVE },
		{ "RETURN (FOO) ALL", -1, true, 0 },
		{ "RETURN ALL", -1, true, 0 },
		{ "RETURN (ALL)", -1, true, IMAP_SEARCH_RETURN_ALL },
		{ "RETURN (ALL)ALL", -1, true, IMAP_SEARCH_RETURN_ALL },
		{ "CHARSET UTF-8 RETURN (ALL) ALL", -1, false, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(1000);
		struct imap_search s;
		int rc = parse(&out, IMAP_SEARCH_SEARCH, span_z(rows[i].text), &s);

		if (rc != rows[i].rc || s.has_return != rows[i].has_return || s.returns != rows[i].returns)
			fail_msg("%s: %d %x %s", rows[i].text, rc, s.returns, out.p);
		str_fini(&out);
	}
}

static void test_sort(void **state)
{
	static const struct {
		const char *text;
		const char *want;       /* criteria as digits, "-" for reverse; or the error */
	} rows[] = {
		{ "(SUBJECT) UTF-8 ALL", "5" },
		{ "(ARRIVAL CC DATE FROM SIZE SUBJECT TO DISPLAYFROM DISPLAYTO) US-ASCII 1", "012345678" },
		{ "(REVERSE DATE reverse size TO) utf-8 ALL", "-2-46" },
		{ "RETURN (MIN) (DATE) UTF-8 ALL", "2" },
		{ "() UTF-8 ALL", "!Missing sort criterion" },
		{ "(REVERSE) UTF-8 ALL", "!Missing space before sort criterion" },
		{ "(REVERSE REVERSE DATE) UTF-8 ALL", "!Unknown sort criterion" },
		{ "(FOO) UTF-8 ALL", "!Unknown sort criterion" },
		{ "DATE UTF-8 ALL", "!Missing '(' before sort criteria" },
		{ "(DATE) UTF-8", "!Missing search key" },
		{ "(DATE)", "!Missing charset" },
		{ "(DATE) FOO ALL", "!Unknown charset" },
	};
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(1000);
		struct imap_search s;

		if (parse(&out, IMAP_SEARCH_SORT, span_z(rows[i].text), &s) == 0) {
			str_reset(&out);
			for (k = 0; k < s.n_sort; k++)
				assert_int_equal(str_addf(&out, "%s%d", s.sort[k].is_reverse ? "-" : "",
							  (int)s.sort[k].by), 0);
		}
		if (strcmp(out.p, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].text, out.p);
		str_fini(&out);
	}
}

static void test_thread(void **state)
{
	static const struct {
		const char *text;
		const char *want;
		enum imap_search_thread thread;
	} rows[] = {
		{ "REFERENCES UTF-8 ALL", "(ALL)", IMAP_SEARCH_REFERENCES },
		{ "orderedsubject us-ascii SEEN", "(FLAG 8)", IMAP_SEARCH_ORDEREDSUBJECT },
		{ "REFS UTF-8 ALL", "!Unknown thread algorithm", 0 },
		{ "REFERENCES ALL", "!Unknown charset", 0 },
		{ "REFERENCES", "!Missing charset", 0 },
		{ "", "!Unknown thread algorithm", 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(1000);
		struct imap_search s;
		int rc = parse(&out, IMAP_SEARCH_THREAD, span_z(rows[i].text), &s);

		if (strcmp(out.p, rows[i].want) != 0 || (rc == 0 && s.thread != rows[i].thread))
			fail_msg("%s: %s", rows[i].text, out.p);
		str_fini(&out);
	}
}

static void repeat(struct str *text, const char *front, int n, const char *end)
{
	str_reset(text);
	while (n-- > 0)
		assert_int_equal(str_addz(text, front), 0);
	assert_int_equal(str_addz(text, end), 0);
}

static void test_limits(void **state)
{
	static const struct {
		const char *label, *front;
		int n;
		const char *end, *want;         /* want: how the error begins, "" for none */
	} rows[] = {
		{ "parentheses", "(", 64, "ALL", "!Missing ')'" },
		{ "too many parentheses", "(", 65, "ALL", "!Too many parentheses inside each other" },
		{ "far too many parentheses", "(", 100000, "ALL", "!Too many parentheses" },
		{ "first keys of OR", "OR ", 64, "ALL", "!Missing second key of OR" },
		{ "too many first keys of OR", "OR ", 100000, "ALL", "!Too many search keys inside each other" },
		{ "OR in a chain", "OR SEEN ", 1900, "ALL", "" },
		{ "OR in too long a chain", "OR SEEN ", 100000, "ALL", "!Too many search keys" },
		{ "NOT", "NOT ", 100000, "ALL", "" },
		{ "keys", "ALL ", 1998, "ALL", "" },
		{ "too many keys", "ALL ", 1999, "ALL", "!Too many search keys" },
		{ "NOT and OR", "NOT OR ", 100000, "ALL", "!Too many search keys inside each other" },
		{ "OR and parentheses", "OR (", 100000, "ALL", "!Too many" },
	};
	struct str text = STR_INIT(2000000);
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(100000);
		struct imap_search s;
		int rc;

		repeat(&text, rows[i].front, rows[i].n, rows[i].end);
		rc = parse(&out, IMAP_SEARCH_SEARCH, str_span(&text), &s);
		if (rc != (rows[i].want[0] ? -1 : 0) || !span_starts(str_span(&out), rows[i].want))
			fail_msg("%s: %d %.100s", rows[i].label, rc, out.p);
		str_fini(&out);
	}
	str_fini(&text);
}

static int teardown(void **state)
{
	arena_fini(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_return),
		cmocka_unit_test(test_sort),
		cmocka_unit_test(test_thread),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
