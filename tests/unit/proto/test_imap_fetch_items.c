#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "proto/imap_fetch_items.h"

static struct arena arena;

/* Parses and shows: names with "!" for what sets \Seen and ".n" for a length, then modifiers; or the error. */
static void show(struct str *out, const char *text)
{
	struct err err = ERR_INIT;
	struct imap_parse p;
	struct imap_fetch f;
	bool sets_seen = false;
	size_t i;

	imap_parse_init(&p, &arena, span_z(text));
	if (imap_fetch_items_parse(&p, &f, &err) < 0) {
		assert_int_equal(err.kind, ERR_PROTO);
		assert_int_equal(str_addf(out, "!%s", err.msg), 0);
		return;
	}
	for (i = 0; i < f.n; i++) {
		struct imap_fetch_item *it = &f.items[i];

		assert_int_equal(str_addz(out, i ? " " : ""), 0);
		assert_int_equal(imap_fetch_items_name(out, it), 0);
		if (it->is_partial)
			assert_int_equal(str_addf(out, ".%llu", (unsigned long long)it->length), 0);
		assert_int_equal(str_addz(out, it->is_peek ? "" : "!"), 0);
		sets_seen |= !it->is_peek;
		assert_true(f.kinds & 1u << it->kind);
	}
	assert_int_equal(f.sets_seen, sets_seen);
	if (f.has_changedsince)
		assert_int_equal(str_addf(out, " since %llu%s", (unsigned long long)f.changedsince,
					  f.wants_vanished ? " V" : ""), 0);
}

static void test_rows(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "FLAGS", "FLAGS" },
		{ "(flags uid Internaldate RFC822.size)", "FLAGS UID INTERNALDATE RFC822.SIZE" },
		{ "ALL", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE" },
		{ "fast", "FLAGS INTERNALDATE RFC822.SIZE" },
		{ "FULL", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY" },
		{ "(FLAGS FLAGS UID FLAGS)", "FLAGS UID" },
		{ "(BODY BODYSTRUCTURE ENVELOPE MODSEQ)", "BODY BODYSTRUCTURE ENVELOPE MODSEQ" },
		{ "RFC822", "RFC822!" },
		{ "(RFC822.HEADER RFC822.TEXT)", "RFC822.HEADER RFC822.TEXT!" },
		{ "BODY[]", "BODY[]!" },
		{ "BODY.PEEK[]", "BODY[]" },
		{ "body.peek[]<0.2048>", "BODY[]<0>.2048" },
		{ "BODY[]<9223372036854775807.1>", "BODY[]<9223372036854775807>.1!" },
		{ "(BODY[1] BODY[1])", "BODY[1]! BODY[1]!" },
		{ "BODY[HEADER]", "BODY[HEADER]!" },
		{ "BODY[text]", "BODY[TEXT]!" },
		{ "BODY[1.2.3]", "BODY[1.2.3]!" },
		{ "BODY.PEEK[4.2.HEADER]", "BODY[4.2.HEADER]" },
		{ "BODY.PEEK[1.mime]", "BODY[1.MIME]" },
		{ "BODY[2.TEXT]<5.10>", "BODY[2.TEXT]<5>.10!" },
		{ "BODY.PEEK[HEADER.FIELDS (Date from)]", "BODY[HEADER.FIELDS (DATE FROM)]" },
		{ "BODY.PEEK[header.fields (DATE FROM)]<0.10>", "BODY[HEADER.FIELDS (DATE FROM)]<0>.10" },
		{ "BODY.PEEK[HEADER.FIELDS.NOT (\"To\" {2}\r\ncc)]", "BODY[HEADER.FIELDS.NOT (TO CC)]" },
		{ "BODY.PEEK[1.HEADER.FIELDS (\"x(\")]", "BODY[1.HEADER.FIELDS (\"X(\")]" },
		{ "BINARY[1]", "BINARY[1]!" },
		{ "BINARY[]", "BINARY[]!" },
		{ "BINARY.PEEK[1.2]<0.100>", "BINARY[1.2]<0>.100" },
		{ "BINARY.SIZE[3]", "BINARY.SIZE[3]" },
		{ "(UID FLAGS) (CHANGEDSINCE 12345)", "UID FLAGS since 12345" },
		{ "FLAGS (CHANGEDSINCE 1 VANISHED)", "FLAGS since 1 V" },
		{ "FLAGS (vanished changedsince 9223372036854775807)", "FLAGS since 9223372036854775807 V" },
		{ "FLAGS  ", "FLAGS" },
		{ "", "!Missing FETCH item" },
		{ "()", "!Missing FETCH item" },
		{ "(FLAGS", "!Missing ')'" },
		{ "(FLAGS ALL)", "!Unknown FETCH item ALL" },
		{ "FOO", "!Unknown FETCH item FOO" },
		{ "BODY.PEEK", "!Missing '[' after an item" },
		{ "BINARY", "!Missing '[' after an item" },
		{ "BINARY[TEXT]", "!Invalid section: missing ']'" },
		{ "BINARY[1.]", "!Invalid section: missing ']'" },
		{ "BINARY.SIZE[1]<0.1>", "!Unexpected text after the arguments" },
		{ "BODY[", "!Missing section" },
		{ "BODY[1", "!Invalid section: missing ']'" },
		{ "BODY[1.]", "!Invalid section" },
		{ "BODY[.1]", "!Invalid section .1" },
		{ "BODY[0]", "!Zero is no part number" },
		{ "BODY[1.0]", "!Zero is no part number" },
		{ "BODY[4294967296]", "!Too large a part number" },
		{ "BODY[MIME]", "!Invalid section MIME" },
		{ "BODY[1.FOO]", "!Invalid section FOO" },
		{ "BODY[1TEXT]", "!Invalid section: missing ']'" },
		{ "BODY[HEADER.FIELDS]", "!Missing space before header field names" },
		{ "BODY[HEADER.FIELDS ()]", "!Missing header field name" },
		{ "BODY[HEADER.FIELDS (a:b)]", "!Invalid header field name" },
		{ "BODY[HEADER.FIELDS (\"\")]", "!Invalid header field name" },
		{ "BODY[HEADER.FIELDS ({3}\r\na\nb)]", "!Invalid header field name" },
		{ "BODY[HEADER.FIELDS (\"caf\xc3\xa9\")]", "!Invalid header field name" },
		{ "BODY[]<0>", "!Missing length of the partial fetch" },
		{ "BODY[]<0.0>", "!Invalid length of the partial fetch" },
		{ "BODY[]<0.1", "!Invalid length of the partial fetch" },
		{ "BODY[]<-1.1>", "!Invalid offset" },
		{ "FLAGS UID", "!Unexpected text after the arguments" },
		{ "FLAGS (VANISHED)", "!VANISHED needs CHANGEDSINCE" },
		{ "FLAGS (FOO 1)", "!Unknown FETCH modifier" },
		{ "FLAGS (CHANGEDSINCE)", "!Missing space before mod-sequence" },
		{ "FLAGS (CHANGEDSINCE 1) x", "!Unexpected text after the arguments" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str out = STR_INIT(1000);

		show(&out, rows[i].text);
		if (strcmp(out.p, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].text, out.p);
		str_fini(&out);
	}
}

static void test_many(void **state)
{
	struct str text = STR_INIT(10000), out = STR_INIT(20000);
	int i;

	for (i = 0; i < 100; i++)
		assert_int_equal(str_addf(&text, "%sF%d", i ? " " : "BODY[HEADER.FIELDS (", i), 0);
	assert_int_equal(str_addz(&text, ")]"), 0);
	show(&out, text.p);
	assert_true(span_starts(str_span(&out), text.p));
	str_reset(&text);
	str_reset(&out);
	for (i = 0; i < 501; i++)
		assert_int_equal(str_addz(&text, i ? " BODY[]" : "(BODY[]"), 0);
	assert_int_equal(str_addz(&text, ")"), 0);
	show(&out, text.p);
	assert_string_equal(out.p, "!Too many FETCH items");
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
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
