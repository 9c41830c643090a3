#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/htab.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/str.h"
#include "base/utf8.h"

#define S(lit) SPAN_LIT(lit)
#define CHECK(label, cond)                                      \
	do {                                                    \
		if (!(cond))                                    \
			fail_msg("%s: %s", (label), #cond);     \
	} while (0)

/* ---- err ---- */

static void err_fills(void **state)
{
	struct err err = ERR_INIT;

	assert_int_equal(err_dsn(&err, ERR_PERM, "5.1.1", "no %s here", "user"), -1);
	assert_string_equal(err.msg, "no user here");
	assert_string_equal(err.dsn, "5.1.1");
	assert_int_equal(err_wrap(&err, "line %d", 3), -1);
	assert_string_equal(err.msg, "line 3: no user here");
	assert_string_equal(err.dsn, "5.1.1");
	assert_int_equal(err.kind, ERR_PERM);
	errno = ENOSPC;
	assert_int_equal(err_sys(&err, "write"), -1);
	assert_int_equal(err.sys, ENOSPC);
	assert_string_equal(err.msg, "write: No space left on device");
	assert_string_equal(err.dsn, "");
	assert_int_equal(err_set(&err, ERR_CONF, "x"), -1);
	assert_int_equal(err.sys, 0);
}

static void err_decides(void **state)
{
	static const struct {
		enum err_kind kind;
		bool temporary;
	} rows[] = { { ERR_TEMP, true }, { ERR_SYS, true }, { ERR_CONF, true }, { ERR_PERM, false },
		     { ERR_PROTO, false } };
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = { .kind = rows[i].kind };

		assert_int_equal(err_is_temporary(&err), rows[i].temporary);
	}
}

/* Every offset of a three-byte character at the end of the buffer must leave valid UTF-8. */
static void err_cuts_at_characters(void **state)
{
	struct str text = STR_INIT(10000);
	struct err err;
	size_t pad;

	for (pad = 0; pad < 4; pad++) {
		str_reset(&text);
		str_add(&text, "abcd", pad);
		while (text.n < 2 * sizeof(err.msg))
			str_addz(&text, "\xe2\x82\xac");
		err_set(&err, ERR_TEMP, "%s", text.p);
		assert_true(strlen(err.msg) > sizeof(err.msg) - 5);
		assert_true(utf8_valid(span_z(err.msg)));
		err_wrap(&err, "in front");
		assert_true(utf8_valid(span_z(err.msg)));
	}
	str_fini(&text);
}

/* ---- arena ---- */

static void count_down(void *arg)
{
	(*(int *)arg)--;
}

static void arena_keeps_and_gives_back(void **state)
{
	struct arena a = { 0 };
	struct arena_mark m;
	char *first, *big;
	int hooks = 2;
	size_t i;

	first = arena_strdup(&a, "first");
	arena_on_free(&a, count_down, &hooks);
	m = arena_mark(&a);
	for (i = 1; i < 3000; i += 7) {
		unsigned char *p = arena_alloc(&a, i);
		size_t k;

		assert_int_equal((uintptr_t)p % 16, 0);
		for (k = 0; k < i; k++)
			assert_int_equal(p[k], 0);
		memset(p, 0xff, i);
	}
	big = arena_alloc(&a, 100000);
	memset(big, 1, 100000);
	assert_true(a.used > 100000);
	arena_rewind(&a, m);
	assert_int_equal(a.used, m.used);
	assert_string_equal(first, "first");
	assert_string_equal(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
	assert_memory_equal(arena_span(&a, S("a\0b")).p, "a\0b", 4);
	assert_memory_equal(arena_line(&a, S("a\0b\n\x7f\t\xc3\xbc"), '?').p, "a?b???\xc3\xbc", 9);
	arena_on_free(&a, count_down, &hooks);
	arena_reset(&a);
	assert_int_equal(hooks, 0);
	assert_int_equal(a.used, 0);
	arena_fini(&a);
	arena_fini(&a);
	assert_null(a.head);
}

/* ---- str ---- */

static void str_holds_its_limit(void **state)
{
	struct str s = STR_INIT(8);
	char *p;

	assert_string_equal(s.p, "");
	assert_int_equal(str_addz(&s, "12345"), 0);
	assert_int_equal(str_addz(&s, "6789"), -1);
	assert_string_equal(s.p, "12345");
	assert_int_equal(str_addf(&s, "%03d", 6), 0);
	assert_string_equal(s.p, "12345006");
	assert_int_equal(str_addc(&s, 'x'), -1);
	assert_int_equal(str_addf(&s, "%d", 1), -1);
	assert_null(str_room(&s, 1));
	assert_null(str_room(&s, SIZE_MAX));
	assert_int_equal(str_add(&s, NULL, 0), 0);
	str_drop(&s, 5);
	assert_string_equal(s.p, "006");
	str_cut(&s, 1);
	assert_string_equal(s.p, "0");
	p = str_room(&s, 2);
	memcpy(p, "ab", 2);
	str_grew(&s, 2);
	assert_string_equal(s.p, "0ab");
	p = str_detach(&s);
	assert_string_equal(p, "0ab");
	free(p);
	assert_int_equal(s.n, 0);
	assert_int_equal(s.max, 8);
	p = str_detach(&s);
	assert_string_equal(p, "");
	free(p);
	str_fini(&s);
	str_fini(&s);
}

static void str_keeps_nul_bytes(void **state)
{
	struct str s = STR_INIT(100);

	assert_int_equal(str_add_span(&s, S("a\0b")), 0);
	assert_int_equal(s.n, 3);
	assert_true(span_has_nul(str_span(&s)));
	assert_int_equal(s.p[3], '\0');
	str_reset(&s);
	assert_int_equal(s.n, 0);
	assert_string_equal(s.p, "");
	str_fini(&s);
}

/* ---- span ---- */

static void span_compares(void **state)
{
	static const struct {
		const char *label, *a, *z;
		bool eq, eq_nocase, starts, starts_nocase, ends_nocase;
		int cmp;
	} rows[] = {
		{ "same", "abc", "abc", true, true, true, true, true, 0 },
		{ "case", "aBc", "AbC", false, true, false, true, true, 1 },
		{ "prefix", "abcd", "ab", false, false, true, true, false, 1 },
		{ "suffix", "xab", "AB", false, false, false, false, true, 1 },
		{ "shorter", "a", "ab", false, false, false, false, false, -1 },
		{ "empty", "", "", true, true, true, true, true, 0 },
		{ "empty end", "a", "", false, false, true, true, true, 1 },
		{ "not only ASCII", "\xc3\xa4", "\xc3\x84", false, false, false, false, false, 1 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct span a = span_z(rows[i].a), z = span_z(rows[i].z);
		int cmp = span_cmp(a, z);

		CHECK(rows[i].label, span_eq(a, z) == rows[i].eq);
		CHECK(rows[i].label, span_eqz(a, rows[i].z) == rows[i].eq);
		CHECK(rows[i].label, span_eq_nocase(a, rows[i].z) == rows[i].eq_nocase);
		CHECK(rows[i].label, span_same_nocase(a, z) == rows[i].eq_nocase);
		CHECK(rows[i].label, span_starts(a, rows[i].z) == rows[i].starts);
		CHECK(rows[i].label, span_starts_nocase(a, rows[i].z) == rows[i].starts_nocase);
		CHECK(rows[i].label, span_ends_nocase(a, rows[i].z) == rows[i].ends_nocase);
		CHECK(rows[i].label, (cmp > 0) - (cmp < 0) == rows[i].cmp);
	}
	assert_true(span_eq(SPAN_NULL, S("")));
	assert_true(span_starts(SPAN_NULL, ""));
	assert_false(span_eq(S("a\0b"), S("a\0c")));
}

static void span_takes_apart(void **state)
{
	struct span in = S(" one,two  three "), word, head, tail;
	static const char *const words[] = { "one", "two", "three" };
	size_t i;

	for (i = 0; i < 3; i++) {
		assert_true(span_word(&in, " ,", &word));
		assert_true(span_eqz(word, words[i]));
	}
	assert_false(span_word(&in, " ,", &word));
	assert_true(span_cut(S("a=b=c"), '=', &head, &tail));
	assert_true(span_eqz(head, "a") && span_eqz(tail, "b=c"));
	assert_false(span_cut(S("abc"), '=', &head, &tail));
	assert_true(span_eqz(head, "abc") && tail.n == 0);
	assert_int_equal(span_chr(S("abcb"), 'b'), 1);
	assert_int_equal(span_rchr(S("abcb"), 'b'), 3);
	assert_int_equal(span_chr(S("abc"), 'x'), -1);
	assert_int_equal(span_rchr(SPAN_NULL, 'x'), -1);
	assert_true(span_eqz(span_sub(S("abcdef"), 2, 3), "cde"));
	assert_true(span_eqz(span_sub(S("abc"), 2, 9), "c"));
	assert_int_equal(span_sub(S("abc"), 9, 9).n, 0);
	assert_int_equal(span_from(SPAN_NULL, 5).n, 0);
	assert_true(span_eqz(span_trim(S(" \t\r\n a b \n")), "a b"));
	assert_int_equal(span_trim(S(" \n")).n, 0);
}

static void span_reads_numbers(void **state)
{
	static const struct {
		const char *in;
		uint64_t max, want;
		int rc;
	} rows[] = {
		{ "0", UINT64_MAX, 0, 0 },
		{ "42", 42, 42, 0 },
		{ "43", 42, 0, -1 },
		{ "", 42, 0, -1 },
		{ "-1", UINT64_MAX, 0, -1 },
		{ "+1", UINT64_MAX, 0, -1 },
		{ " 1", UINT64_MAX, 0, -1 },
		{ "1a", UINT64_MAX, 0, -1 },
		{ "007", 7, 7, 0 },
		{ "18446744073709551615", UINT64_MAX, UINT64_MAX, 0 },
		{ "18446744073709551616", UINT64_MAX, 0, -1 },
		{ "99999999999999999999", UINT64_MAX, 0, -1 },
		{ "4294967296", UINT32_MAX, 0, -1 },
		{ "5", 3, 0, -1 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t v = 77;

		CHECK(rows[i].in, span_u64(span_z(rows[i].in), rows[i].max, &v) == rows[i].rc);
		CHECK(rows[i].in, v == (rows[i].rc < 0 ? 77 : rows[i].want));
	}
}

/* ---- htab ---- */

/* 2^17 names that collide for every hash of the form h * 33 + c, whatever its start: pairs of "Ez" and "FY". */
static void htab_takes_colliding_names(void **state)
{
	struct htab h = { 0 };
	uint64_t start = clock_mono_ms();
	char name[40];
	unsigned i, k;

	for (i = 0; i < 1u << 17; i++) {
		for (k = 0; k < 17; k++)
			memcpy(name + 2 * k, i >> k & 1 ? "FY" : "Ez", 2);
		assert_null(htab_put(&h, (struct span){ name, 34 }, &h));
	}
	assert_int_equal(h.n, 1u << 17);
	assert_ptr_equal(htab_get(&h, (struct span){ name, 34 }), &h);
	htab_fini(&h);
	assert_true(clock_mono_ms() - start < 2000);
}

/* Deletes while others stay: a wrong hole would make later keys vanish. */
static void htab_survives_churn(void **state)
{
	enum { N = 5000 };
	static int values[N];
	struct htab h = { 0 };
	size_t i, pos = 0, seen = 0;
	struct span key;
	void *value;
	char name[32];

	assert_null(htab_get(&h, S("none")));
	assert_null(htab_del(&h, S("none")));
	for (i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "key%zu", i);
		assert_null(htab_put(&h, span_z(name), &values[i]));
	}
	for (i = 0; i < N; i += 3) {
		snprintf(name, sizeof(name), "key%zu", i);
		assert_ptr_equal(htab_del(&h, span_z(name)), &values[i]);
	}
	for (i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "key%zu", i);
		assert_ptr_equal(htab_get(&h, span_z(name)), i % 3 ? &values[i] : NULL);
	}
	while (htab_next(&h, &pos, &key, &value)) {
		assert_ptr_equal(htab_get(&h, key), value);
		seen++;
	}
	assert_int_equal(seen, h.n);
	assert_int_equal(h.n, N - (N + 2) / 3);
	htab_fini(&h);
	htab_fini(&h);
}

static void htab_takes_any_bytes(void **state)
{
	struct htab h = { 0 };
	int a, b, c;

	assert_null(htab_put(&h, S("x\0a"), &a));
	assert_null(htab_put(&h, S("x\0b"), &b));
	assert_null(htab_put(&h, S(""), &c));
	assert_ptr_equal(htab_get(&h, S("x\0b")), &b);
	assert_ptr_equal(htab_get(&h, SPAN_NULL), &c);
	assert_ptr_equal(htab_put(&h, S("x\0b"), &c), &b);
	assert_int_equal(h.n, 3);
	assert_true(htab_hash(S("abcdefgh")) != htab_hash(S("abcdefgi")));
	htab_fini(&h);
}

static void htab_borrows_keys(void **state)
{
	struct htab h = { .borrows_keys = true };
	char keys[100][8];
	struct span key;
	void *value;
	size_t pos = 0;

	for (size_t i = 0; i < 100; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
		assert_null(htab_put(&h, span_z(keys[i]), keys[i]));
	}
	assert_ptr_equal(htab_del(&h, S("k7")), keys[7]);
	assert_ptr_equal(htab_get(&h, S("k8")), keys[8]);
	while (htab_next(&h, &pos, &key, &value))
		assert_ptr_equal(key.p, value);
	htab_fini(&h);
}

/* ---- base64 ---- */

static void base64_both_ways(void **state)
{
	static const char *const rows[][2] = {          /* RFC 4648 section 10 */
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" }, { "\xff\xfe\xfd", "//79" }, { "\xfb\xef", "++8=" },
	};
	struct str out = STR_INIT(100);
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		str_reset(&out);
		CHECK(rows[i][0], base64_encode(&out, span_z(rows[i][0])) == 0 && span_eqz(str_span(&out), rows[i][1]));
		str_reset(&out);
		CHECK(rows[i][1], base64_decode(&out, span_z(rows[i][1])) == 0 && span_eqz(str_span(&out), rows[i][0]));
	}
	str_reset(&out);
	assert_int_equal(base64_encode(&out, S("\0")), 0);
	assert_string_equal(out.p, "AA==");
	str_fini(&out);
}

static void base64_refuses(void **state)
{
	static const char *const rows[] = { "Z", "Zg", "Zg=", "Zg===", "Zg==Zg==", "====", "Z===", "Zh==", "Zm9=",
					    "Zm9v\n",
					    "Zm 9", "Zm9-", "=Zg=", "Zg=A", "\xc3\xa4Zg" };
	struct str out = STR_INIT(100), small = STR_INIT(3);
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		CHECK(rows[i], base64_decode(&out, span_z(rows[i])) == -1);
	assert_int_equal(base64_decode(&out, S("Zm\0v")), -1);
	assert_int_equal(base64_encode(&small, S("a")), -1);
	assert_int_equal(base64_decode(&small, S("Zm9vYg==")), -1);
	str_fini(&out);
	str_fini(&small);
}

/* ---- utf8 ---- */

static void utf8_well_formed(void **state)
{
	static const struct {
		const char *label, *in;
		size_t len;
	} rows[] = {
		{ "ASCII", "a", 1 },
		{ "two", "\xc3\xa4", 2 },
		{ "three", "\xe2\x82\xac", 3 },
		{ "four", "\xf0\x9f\x98\x80", 4 },
		{ "last of all", "\xf4\x8f\xbf\xbf", 4 },
		{ "last before surrogates", "\xed\x9f\xbf", 3 },
		{ "above U+10FFFF", "\xf4\x90\x80\x80", 0 },
		{ "surrogate", "\xed\xa0\x80", 0 },
		{ "overlong slash", "\xc0\xaf", 0 },
		{ "overlong two", "\xc1\xbf", 0 },
		{ "overlong three", "\xe0\x9f\xbf", 0 },
		{ "overlong four", "\xf0\x8f\xbf\xbf", 0 },
		{ "lone continuation", "\x80", 0 },
		{ "cut two", "\xc3", 0 },
		{ "cut three", "\xe2\x82", 0 },
		{ "cut four", "\xf0\x9f\x98", 0 },
		{ "bad third", "\xe2\x82 ", 0 },
		{ "five bytes", "\xf8\x88\x80\x80\x80", 0 },
		{ "0xff", "\xff", 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK(rows[i].label, utf8_len(rows[i].in, strlen(rows[i].in)) == rows[i].len);
		CHECK(rows[i].label, utf8_valid(span_z(rows[i].in)) == (rows[i].len != 0));
	}
	assert_int_equal(utf8_len("", 0), 0);
	assert_true(utf8_valid(S("")));
	assert_true(utf8_valid(S("Sm\xc3\xb6rg\xc3\xa5s")));
	assert_false(utf8_is_ascii(S("Sm\xc3\xb6rg")));
	assert_true(utf8_is_ascii(S("plain\x7f")));
}

/* ---- log ---- */

static char logged[4096];
static enum log_level logged_level;

static void capture(void *arg, enum log_level level, const char *line)
{
	snprintf(logged, sizeof(logged), "%s", line);
	logged_level = level;
}

static void log_escapes(void **state)
{
	static const char *const rows[][2] = {
		{ "plain text", "plain text" },
		{ "a\r\nb", "a\\x0d\\x0ab" },
		{ "\x1b[31mred", "\\x1b[31mred" },
		{ "tab\there", "tab\\x09here" },
		{ "\x7f", "\\x7f" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "bad \xff utf8", "bad \\xff utf8" },
		{ "cut \xe2\x82", "cut \\xe2\\x82" },
		{ "C1 \xc2\x9b", "C1 \\xc2\\x9b" },
		{ "percent %s", "percent %s" },
	};
	size_t i;

	log_set_sink(capture, NULL);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		log_info("%s", rows[i][0]);
		CHECK(rows[i][1], strcmp(logged, rows[i][1]) == 0);
	}
	log_set_sink(NULL, NULL);
}

static void log_levels_and_length(void **state)
{
	char *endless = xcalloc(1, 100001);

	memset(endless, '\n', 100000);
	log_set_sink(capture, NULL);
	log_warn("%s", "w");
	assert_string_equal(logged, "warning: w");
	assert_int_equal(logged_level, LOG_LV_WARNING);
	log_error("%s", "e");
	assert_string_equal(logged, "error: e");
	log_debug("%s", "hidden");
	assert_string_equal(logged, "error: e");
	log_set_level(LOG_LV_DEBUG);
	log_debug("%s", "shown");
	assert_string_equal(logged, "debug: shown");
	log_set_level(LOG_LV_INFO);
	log_info("%s", endless);
	assert_true(strlen(logged) > 1900 && strlen(logged) < 2100);
	log_set_sink(NULL, NULL);
	free(endless);
}

/* ---- clock, random ---- */

static void clock_can_stand_still(void **state)
{
	uint64_t before = clock_mono_ms();

	clock_fake_ms(123456);
	assert_int_equal(clock_mono_ms(), 123456);
	assert_int_equal(clock_wall_ms(), 123456);
	clock_fake_ms(0);
	assert_true(clock_mono_ms() >= before);
	assert_true(clock_wall_ms() > 1600000000000u);
}

static void random_is_in_bounds(void **state)
{
	unsigned seen[5] = { 0 };
	unsigned char a[64] = { 0 }, b[64] = { 0 };
	size_t i;

	for (i = 0; i < 1000; i++) {
		uint64_t v = random_below(5);

		assert_true(v < 5);
		seen[v]++;
	}
	for (i = 0; i < 5; i++)
		assert_true(seen[i] > 100);
	assert_int_equal(random_below(1), 0);
	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	random_bytes(a, 0);
}

/* ---- what ends a process ---- */

static int status_of(void (*fn)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		log_set_sink(capture, NULL);
		(void)!freopen("/dev/null", "w", stderr);
		signal(SIGABRT, SIG_DFL);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void hit_bug(void)
{
	BUG(logged != NULL);
}

static void hit_cut(void)
{
	struct str s = STR_INIT(10);

	str_cut(&s, 1);
}

static void hit_fatal(void)
{
	log_fatal("%s", "the end");
}

static void ends_when_it_must(void **state)
{
	assert_true(WIFSIGNALED(status_of(hit_bug)));
	assert_true(WIFSIGNALED(status_of(hit_cut)));
	assert_int_equal(WEXITSTATUS(status_of(hit_fatal)), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(err_fills),
		cmocka_unit_test(err_decides),
		cmocka_unit_test(err_cuts_at_characters),
		cmocka_unit_test(arena_keeps_and_gives_back),
		cmocka_unit_test(str_holds_its_limit),
		cmocka_unit_test(str_keeps_nul_bytes),
		cmocka_unit_test(span_compares),
		cmocka_unit_test(span_takes_apart),
		cmocka_unit_test(span_reads_numbers),
		cmocka_unit_test(htab_takes_colliding_names), cmocka_unit_test(htab_survives_churn),
		cmocka_unit_test(htab_takes_any_bytes), cmocka_unit_test(htab_borrows_keys),
		cmocka_unit_test(base64_both_ways),
		cmocka_unit_test(base64_refuses),
		cmocka_unit_test(utf8_well_formed),
		cmocka_unit_test(log_escapes),
		cmocka_unit_test(log_levels_and_length),
		cmocka_unit_test(clock_can_stand_still),
		cmocka_unit_test(random_is_in_bounds),
		cmocka_unit_test(ends_when_it_must),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
