/* Bytes of a file as IMAP sends them: line ends, NUL, partial, headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/mman.h>

#include "base/clock.h"
#include "imapd/fetch_range.h"
#include "base/str.h"

static int file_of(struct span s)
{
	int fd = memfd_create("letter", 0);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, s.p, s.n), (ssize_t)s.n);
	return fd;
}

static bool take(void *arg, struct span s)
{
	return str_add_span(arg, s) == 0;
}

/* What the range should be, the slow way. */
static void expect(struct str *out, struct span in, bool keeps_nul)
{
	size_t i;

	for (i = 0; i < in.n; i++) {
		if (in.p[i] == '\n' && (i == 0 || in.p[i - 1] != '\r'))
			assert_int_equal(str_addc(out, '\r'), 0);
		assert_int_equal(str_addc(out, in.p[i] || keeps_nul ? in.p[i] : (char)0x80), 0);
	}
}

static void check(struct span in, uint64_t skip, uint64_t n, bool keeps_nul, const char *label)
{
	struct str want = STR_INIT(1u << 24), got = STR_INIT(1u << 24);
	struct fetch_sink sink = { take, &got };
	struct fetch_range r = { .fd = file_of(in), .octets = in.n };
	struct err err = ERR_INIT;

	expect(&want, in, keeps_nul);
	r.crlf_octets = want.n;
	skip = skip > want.n ? want.n : skip;
	n = n > want.n - skip ? want.n - skip : n;
	if (fetch_range_send(&r, skip, n, keeps_nul, &sink, &err) < 0)
		fail_msg("%s: %s", label, err.msg);
	if (got.n != n || memcmp(got.p, want.p + skip, n) != 0)
		fail_msg("%s: %zu bytes, not %zu, or others", label, got.n, (size_t)n);
	close(r.fd);
	str_fini(&want);
	str_fini(&got);
}

static void test_small(void **state)
{
	static const struct span rows[] = {
		SPAN_LIT(""), SPAN_LIT("a"), SPAN_LIT("\n"), SPAN_LIT("\r\n"), SPAN_LIT("a\nb\r\nc\rd\n"), SPAN_LIT("\n\n\n"),
		SPAN_LIT("a\r"), SPAN_LIT("\r\r\n"), SPAN_LIT("a\0b\n\0"),
	};
	size_t i, skip, n;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		for (skip = 0; skip < 8; skip++) {
			for (n = 0; n < 12; n++) {
				check(rows[i], skip, n, false, rows[i].p);
				check(rows[i], skip, n, true, rows[i].p);
			}
		}
	}
}

static void test_chunks(void **state)
{
	size_t n = 300000, i, at;
	char *p = malloc(n);

	for (i = 0; i < n; i++)
		p[i] = i % 71 == 70 ? '\n' : i % 5000 == 4999 ? '\0' : (char)('a' + i % 26);
	p[65535] = '\r';
	p[65536] = '\n';
	p[131071] = 'x';
	p[131072] = '\n';
	check((struct span){ p, n }, 0, UINT64_MAX, false, "whole");
	for (at = 65530; at < 65545; at++)
		check((struct span){ p, n }, at, 70000, false, "across chunks");
	for (i = 0; i < n; i++)
		p[i] = i % 80 == 78 ? '\r' : i % 80 == 79 ? '\n' : 'x';
	n -= n % 80;
	check((struct span){ p, n }, 65529, 65540, false, "all CRLF");
	free(p);
}

static bool stop(void *arg, struct span s)
{
	return false;
}

static void test_errors(void **state)
{
	struct str got = STR_INIT(1000);
	struct fetch_sink sink = { take, &got }, stopper = { stop, NULL };
	struct fetch_range r = { .fd = file_of(SPAN_LIT("short\n")), .octets = 100, .crlf_octets = 101 };
	struct err err = ERR_INIT;

	assert_int_equal(fetch_range_send(&r, 0, 101, false, &sink, &err), -1);
	assert_int_equal(err.kind, ERR_TEMP);
	assert_int_equal(got.n, 7);
	assert_int_equal(fetch_range_send(&r, 0, 3, false, &stopper, &err), -1);
	assert_int_equal(err.kind, ERR_NONE);
	close(r.fd);
	assert_int_equal(fetch_range_send(&r, 0, 3, false, &sink, &err), -1);
	assert_int_equal(err.kind, ERR_SYS);
	str_fini(&got);
}

static void test_header(void **state)
{
	static const struct {
		struct span in;
		uint64_t offset, limit, octets, crlf;
	} rows[] = {
		{ SPAN_LIT("A: b\r\n\r\nbody"), 0, 1000, 8, 8 }, { SPAN_LIT("A: b\n\nbody"), 0, 1000, 6, 8 },
		{ SPAN_LIT("\nbody"), 0, 1000, 1, 2 }, { SPAN_LIT("\r\nbody"), 0, 1000, 2, 2 }, { SPAN_LIT(""), 0, 1000, 0, 0 },
		{ SPAN_LIT("A: b"), 0, 1000, 4, 4 }, { SPAN_LIT("A: b\r\r\n\r\r\nx"), 0, 1000, 11, 11 },
		{ SPAN_LIT("x\n\nA: b\n\nbody"), 3, 1000, 6, 8 }, { SPAN_LIT("A: b\n\nbody"), 0, 5, 5, 6 },
		{ SPAN_LIT("A: b\n\r\nx"), 0, 1000, 7, 8 }, { SPAN_LIT("A: b\n \n\nx"), 0, 1000, 8, 11 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		int fd = file_of(rows[i].in);
		struct fetch_range r;
		struct err err = ERR_INIT;

		assert_int_equal(fetch_range_header(fd, rows[i].offset, rows[i].limit, &r, &err), 0);
		if (r.offset != rows[i].offset || r.octets != rows[i].octets || r.crlf_octets != rows[i].crlf)
			fail_msg("row %zu: %llu %llu", i, (unsigned long long)r.octets, (unsigned long long)r.crlf_octets);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small), cmocka_unit_test(test_chunks), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
