#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "proto/imap_envelope.h"
#include "mime_tree.h"

#define NESTED "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npre\r\n--b\r\nSubject: x\r\n\r\none\r\n\r\n--b\r\n" \
	"Content-Type: message/rfc822\r\n\r\nSubject: in\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\n" \
	"two\r\n--c\r\n\r\nthree\r\n--c--\r\n--b--\r\nepi\r\n"

static void show(struct mime *m, struct str *out)
{
	str_reset(out);
	assert_int_equal(imap_envelope_body(out, m->root, true), 0);
}

static void test_chunks(void **state)
{
	struct str whole = STR_INIT(10000), out = STR_INIT(10000);
	size_t chunk;

	for (chunk = sizeof(NESTED); chunk > 0; chunk--) {
		struct arena a = { 0 };
		struct err err = ERR_INIT;
		struct mime m;
		size_t i;

		mime_init(&m, &a, NULL);
		for (i = 0; i < sizeof(NESTED) - 1; i += chunk)
			assert_int_equal(mime_feed(&m, span_sub(SPAN_LIT(NESTED), i, chunk), &err), 0);
		assert_int_equal(mime_end(&m, &err), 0);
		show(&m, chunk == sizeof(NESTED) ? &whole : &out);
		if (chunk < sizeof(NESTED) && strcmp(out.p, whole.p) != 0)
			fail_msg("chunk %zu: %s", chunk, out.p);
		assert_int_equal(mime_feed(&m, SPAN_LIT("x"), &err), -1);
		assert_int_equal(mime_end(&m, &err), -1);
		arena_fini(&a);
	}
	str_fini(&whole);
	str_fini(&out);
}

/* The text at the offsets of each part is the part. */
static void test_offsets(void **state)
{
	static const struct {
		const char *label;
		unsigned path[3];
		size_t n;
		const char *body;
		unsigned crlf, lines;
	} rows[] = {
		{ "root", { 0 }, 0, NULL, 0, 0 }, { "1", { 1 }, 1, "one\r\n", 5, 1 },
		{ "2", { 2 }, 1, NULL, 117, 0 }, { "2.1", { 2, 1 }, 2, "two", 3, 0 },
		{ "2.2", { 2, 2 }, 2, "three", 5, 0 },
	};
	static const unsigned absent[][2] = { { 3, 0 }, { 0, 0 }, { 1, 2 }, { 2, 3 } };
	struct arena a = { 0 };
	struct span text = SPAN_LIT(NESTED);
	const struct mime_part *root = mime_parse(&a, text, NULL);
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const struct mime_part *p = mime_find(root, rows[i].path, rows[i].n);

		if (!p)
			fail_msg("%s: not found", rows[i].label);
		assert_int_equal(p->header_offset + p->header.octets, p->body_offset);
		if (rows[i].body && (!span_eqz(span_sub(text, p->body_offset, p->body.octets), rows[i].body) ||
				     p->body.crlf_octets != rows[i].crlf || p->body.lines != rows[i].lines))
			fail_msg("%s: %llu octets", rows[i].label, (unsigned long long)p->body.octets);
	}
	for (i = 0; i < ARRAY_LEN(absent); i++)
		assert_null(mime_find(root, absent[i], absent[i][1] || absent[i][0] == 1 ? 2 : 1));
	assert_int_equal(root->body_offset + root->body.octets, text.n);
	arena_fini(&a);
}

static void test_bare_lf(void **state)
{
	struct arena a = { 0 };
	struct mime_part *p = mime_parse(&a, SPAN_LIT("Subject: x\nTo: y\r\n\none\ntwo\r\n\n"), NULL);

	assert_int_equal(p->header.octets, 19);
	assert_int_equal(p->header.crlf_octets, 21);
	assert_int_equal(p->header.lines, 3);
	assert_int_equal(p->body.octets, 10);
	assert_int_equal(p->body.crlf_octets, 12);
	assert_int_equal(p->body.lines, 3);
	arena_fini(&a);
}

static void repeat(struct str *s, const char *z, unsigned n)
{
	while (n--)
		assert_int_equal(str_addz(s, z), 0);
}

/* Milliseconds for a parse of s; the tree's size in bytes too. */
static uint64_t timed(const struct str *s, size_t *bytes_r, unsigned *parts_r)
{
	struct arena a = { 0 };
	struct str out = STR_INIT(64u << 20);
	uint64_t start = clock_mono_ms();
	struct mime_part *root = mime_parse(&a, str_span(s), NULL), *p;

	assert_int_equal(imap_envelope(&out, root->envelope), 0);
	assert_int_equal(imap_envelope_body(&out, root, true), 0);
	start = clock_mono_ms() - start;
	*bytes_r = a.used;
	*parts_r = 0;
	for (p = root->child; p; p = p->next)
		(*parts_r)++;
	arena_fini(&a);
	str_fini(&out);
	return start;
}

/* Four times the input may not take sixteen times as long; memory stays within bounds. */
static void test_bombs(void **state)
{
	static const struct {
		const char *label, *head, *piece;
		unsigned n;
	} rows[] = {
		{ "nested", "", "Content-Type: multipart/mixed; boundary=b\n\n--b\n", 10000 },
		{ "nested messages", "", "Content-Type: message/rfc822\n\n", 10000 },
		{ "flat", "Content-Type: multipart/mixed; boundary=b\n\n", "--b\n\nx\n", 100000 },
		{ "boundaries", "Content-Type: multipart/mixed; boundary=b\n\n", "--\n", 400000 },
		{ "fields", "", "To: a@b\n", 100000 }, { "continuations", "To: a", "\n ,b@c", 100000 },
		{ "addresses", "From: a@b", ",c@d", 200000 }, { "groups", "From: ", "a:", 200000 },
		{ "comments", "From: ", "(", 400000 }, { "closed comments", "From: ", "(x)", 200000 },
		{ "words", "From: ", "a ", 400000 },
		{ "quotes", "From: ", "\"", 400000 }, { "angles", "From: ", "<a@b>,", 100000 },
		{ "at signs", "From: ", "a@", 200000 },
		{ "parameters", "Content-Type: text/plain", ";a*1=b", 100000 },
		{ "semicolons", "Content-Type: text/plain", ";", 400000 }, { "lone CR", "", "\r", 800000 },
		{ "colons", "", ":", 800000 }, { "dashes", "Content-Type: multipart/mixed; boundary=\"\"\n\n", "--",
						 400000 },
	};
	size_t i, bytes;
	unsigned parts;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct str s = STR_INIT(64u << 20);
		uint64_t small, large;

		assert_int_equal(str_addz(&s, rows[i].head), 0);
		repeat(&s, rows[i].piece, rows[i].n / 4);
		small = timed(&s, &bytes, &parts);
		repeat(&s, rows[i].piece, rows[i].n - rows[i].n / 4);
		large = timed(&s, &bytes, &parts);
		if (large > 100 && large > 10 * (small + 5))
			fail_msg("%s: %llu ms, %llu ms for four times as much", rows[i].label,
				 (unsigned long long)small,
				(unsigned long long)large);
		if (bytes > 32u << 20)
			fail_msg("%s: %zu bytes", rows[i].label, bytes);
		if (parts > 10000)
			fail_msg("%s: %u parts", rows[i].label, parts);
		str_fini(&s);
	}
}

static void test_limits(void **state)
{
	static const struct mime_limits lim = { .depth_max = 2, .parts_max = 3, .params_max = 2, .boundary_max = 4,
						.field_max = 60,
		.stored_max = 100 };
	struct arena a = { 0 };
	struct mime_part *p;

	p = mime_parse(&a, SPAN_LIT("Content-Type: multipart/x; boundary=b\n\n--b\n\n1\n--b\n\n2\n--b\n\n3\n--b--\n"),
		       &lim);
	assert_ptr_equal(p->child->next, p->last_child);
	assert_int_equal(p->last_child->body.octets, 8);
	p = mime_parse(&a, SPAN_LIT("Content-Type: text/plain; a=1; b=2; c=3\n\n"), &lim);
	assert_non_null(mime_param(p->params, "B"));
	assert_null(mime_param(p->params, "c"));
	p = mime_parse(&a,
		       SPAN_LIT("Subject: 12345678901234567890123456789012345678901234567890123456789012345678901234567890\n\n"), &lim);
	assert_int_equal(p->envelope->field[MIME_SUBJECT].first->text.n, 60 - 9);
	p = mime_parse(&a,
		       SPAN_LIT("To: 1234567890123456789012345678901234567890123456789\nCc: 1234567890123456789012345678901234567890123456789\n"
		"Bcc: a@b\nFrom: abc\n\n"), &lim);
	assert_non_null(p->envelope->field[MIME_CC].first);
	assert_null(p->envelope->field[MIME_BCC].first);
	p = mime_parse(&a,
		       SPAN_LIT("Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nx"), &lim);
	assert_int_equal(p->child->child->kind, MIME_OTHER);
	p = mime_parse(&a, SPAN_LIT("Content-Type: multipart/x; boundary=abcdef\n\n--abcdXX\n\n1\n--abcd--\n"), &lim);
	assert_non_null(p->child);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunks), cmocka_unit_test(test_offsets), cmocka_unit_test(test_bare_lf),
		cmocka_unit_test(test_bombs), cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("mime", tests, NULL, NULL);
}
