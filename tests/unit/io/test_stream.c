#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/stream.h"

static const size_t chunks[] = { 1, 2, 7, 0 };         /* 0: all at once */

/* Next line, filling as needed. */
static enum io_rc next_line(struct stream *s, size_t max, struct span *line_r, bool *is_bare_r)
{
	struct err err = ERR_INIT;

	for (;;) {
		enum io_rc rc = stream_getline(s, max, line_r, is_bare_r);

		if (rc != IO_AGAIN)
			return rc;
		rc = stream_fill(s, &err);
		if (rc != IO_OK && rc != IO_EOF)
			return rc;
		if (rc == IO_EOF && stream_peek(s).n && span_chr(stream_peek(s), '\n') < 0)
			return IO_EOF;
	}
}

static void test_lines_at_all_chunks(void **state)
{
	static const char input[] = "EHLO x\r\n\r\nbare\nmiddle\rcr\r\n\n\r\r\nnul\0in\r\nrest";
	static const struct {
		const char *text;
		size_t n;
		bool is_bare;
	} want[] = { { "EHLO x", 6, false }, { "", 0, false },     { "bare", 4, true },     { "middle\rcr", 9, false },
		     { "", 0, true },        { "\r", 1, false },   { "nul\0in", 6, false } };
	size_t c, i;

	for (c = 0; c < ARRAY_LEN(chunks); c++) {
		struct str out = STR_INIT(1000);
		struct stream s;
		struct span line;
		bool is_bare = false;

		stream_init_mem(&s, (struct span){ input, sizeof(input) - 1 }, chunks[c], &out, 4096, 4096);
		for (i = 0; i < ARRAY_LEN(want); i++) {
			if (next_line(&s, 100, &line, &is_bare) != IO_OK || line.n != want[i].n ||
			    (line.n && memcmp(line.p, want[i].text, line.n) != 0) || is_bare != want[i].is_bare)
				fail_msg("chunk %zu, line %zu: '%.*s' bare=%d", chunks[c], i, SPAN_ARG(line), is_bare);
		}
		assert_int_equal(next_line(&s, 100, &line, &is_bare), IO_EOF);
		assert_true(span_eqz(stream_peek(&s), "rest"));
		stream_fini(&s);
		stream_fini(&s);                        /* idempotent */
		str_fini(&out);
	}
}

static void test_too_long(void **state)
{
	static const struct {
		const char *label, *input;
		size_t max;
		enum io_rc want;
	} rows[] = {
		{ "fits exactly", "12345678\r\nx", 9, IO_OK },
		{ "one too long", "123456789\r\nx", 9, IO_TOOLONG },
		{ "no end in sight", "1234567890123", 9, IO_TOOLONG },
		{ "end not yet there", "123456", 9, IO_EOF },
	};
	size_t c, i;

	for (c = 0; c < ARRAY_LEN(chunks); c++) {
		for (i = 0; i < ARRAY_LEN(rows); i++) {
			struct str out = STR_INIT(100);
			struct stream s;
			struct span line;

			stream_init_mem(&s, span_z(rows[i].input), chunks[c], &out, 4096, 4096);
			if (next_line(&s, rows[i].max, &line, NULL) != rows[i].want)
				fail_msg("%s at chunk %zu", rows[i].label, chunks[c]);
			if (rows[i].want == IO_TOOLONG)
				assert_true(stream_peek(&s).n > rows[i].max);   /* nothing was taken */
			stream_fini(&s);
			str_fini(&out);
		}
	}
}

static void test_input_limit(void **state)
{
	struct str out = STR_INIT(100);
	struct err err = ERR_INIT;
	struct stream s;
	int i;

	stream_init_mem(&s, SPAN_LIT("0123456789abcdef"), 4, &out, 8, 100);
	assert_int_equal(stream_fill(&s, &err), IO_OK);
	assert_int_equal(stream_fill(&s, &err), IO_OK);
	assert_int_equal(stream_fill(&s, &err), IO_TOOLONG);
	stream_skip(&s, 3);
	assert_int_equal(stream_fill(&s, &err), IO_OK);
	assert_true(span_eqz(stream_peek(&s), "3456789a"));
	stream_drop_input(&s);
	assert_int_equal(stream_peek(&s).n, 0);
	for (i = 0; i < 3 && stream_fill(&s, &err) == IO_OK; i++)
		;
	assert_true(span_eqz(stream_peek(&s), "bcdef"));
	assert_int_equal(stream_fill(&s, &err), IO_EOF);
	stream_fini(&s);
	str_fini(&out);
}

static void test_output(void **state)
{
	struct str out = STR_INIT(100);
	struct err err = ERR_INIT;
	struct stream s;

	stream_init_mem(&s, SPAN_NULL, 0, &out, 100, 20);
	assert_int_equal(stream_putz(&s, "250-a\r\n"), 0);
	assert_int_equal(stream_putz(&s, "250 b\r\n"), 0);
	assert_int_equal(stream_put(&s, "\0", 1), 0);
	assert_int_equal(stream_pending(&s), 15);
	assert_int_equal(stream_putz(&s, "more than fits"), -1);
	assert_int_equal(stream_pending(&s), 15);
	assert_int_equal(stream_events(&s), STREAM_READ | STREAM_WRITE);
	assert_int_equal(stream_flush(&s, &err), IO_OK);
	assert_int_equal(stream_pending(&s), 0);
	assert_int_equal(stream_events(&s), STREAM_READ);
	assert_memory_equal(out.p, "250-a\r\n250 b\r\n", 15);
	stream_idle(&s);
	assert_int_equal(s.out.cap, 0);
	assert_int_equal(stream_putz(&s, "again"), 0);
	assert_int_equal(stream_flush(&s, &err), IO_OK);
	assert_int_equal(out.n, 20);
	stream_fini(&s);
	str_fini(&out);
}

static void test_socket(void **state)
{
	struct err err = ERR_INIT;
	struct stream s;
	struct span line;
	char *big = calloc(1, 1u << 20), buf[65536];
	size_t got = 0;
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv), 0);
	stream_init(&s, sv[0], 4096, 2u << 20);
	assert_int_equal(stream_fill(&s, &err), IO_AGAIN);
	assert_int_equal(write(sv[1], "one\r\ntwo\r\n", 10), 10);
	assert_int_equal(stream_fill(&s, &err), IO_OK);
	assert_int_equal(stream_getline(&s, 100, &line, NULL), IO_OK);
	assert_true(span_eqz(line, "one"));
	assert_int_equal(stream_getline(&s, 100, &line, NULL), IO_OK);
	assert_true(span_eqz(line, "two"));
	assert_int_equal(stream_getline(&s, 100, &line, NULL), IO_AGAIN);
	memset(big, 'q', 1u << 20);
	assert_int_equal(stream_put(&s, big, 1u << 20), 0);
	while (stream_flush(&s, &err) == IO_AGAIN) {
		ssize_t n;

		assert_true(stream_events(&s) & STREAM_WRITE);
		while ((n = read(sv[1], buf, sizeof(buf))) > 0)
			got += (size_t)n;
	}
	for (;;) {
		ssize_t n = read(sv[1], buf, sizeof(buf));

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	assert_int_equal(got, 1u << 20);
	assert_int_equal(write(sv[1], "last", 4), 4);
	close(sv[1]);
	assert_int_equal(stream_fill(&s, &err), IO_OK);
	assert_int_equal(stream_fill(&s, &err), IO_EOF);
	assert_int_equal(stream_getline(&s, 100, &line, NULL), IO_EOF);
	assert_int_equal(stream_putz(&s, "to nobody"), 0);
	assert_int_equal(stream_flush(&s, &err), IO_ERR);
	assert_int_equal(stream_putz(&s, "swallowed"), 0);      /* a dead stream takes and forgets */
	assert_int_equal(stream_pending(&s), 0);
	stream_fini(&s);
	assert_int_equal(s.fd, -1);
	free(big);
}

/* A layer that swaps case, and says now and then that it must wait for writing before it can read. */
struct swap {
	struct str sent;
	const char *input;
	bool is_freed_elsewhere, *freed;
	unsigned calls;
};

static void flip(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((p[i] | 32) >= 'a' && (p[i] | 32) <= 'z')
			p[i] ^= 32;
}

static enum io_rc swap_read(void *state, char *p, size_t n, size_t *n_r, unsigned *events, struct err *err)
{
	struct swap *x = state;

	if (x->calls++ % 2 == 0) {
		*events = STREAM_WRITE;
		return IO_AGAIN;
	}
	*events = 0;
	if (!*x->input)
		return IO_EOF;
	p[0] = *x->input++;
	flip(p, 1);
	*n_r = 1;
	return IO_OK;
}

static enum io_rc swap_write(void *state, const char *p, size_t n, size_t *n_r, unsigned *events, struct err *err)
{
	struct swap *x = state;

	n = n > 3 ? 3 : n;
	assert_int_equal(str_add(&x->sent, p, n), 0);
	flip(x->sent.p + x->sent.n - n, n);
	*n_r = n;
	return IO_OK;
}

static void swap_free(void *state)
{
	*((struct swap *)state)->freed = true;
}

static void test_hook(void **state)
{
	static const struct stream_hook hook = { swap_read, swap_write, swap_free };
	bool freed = false;
	struct swap x = { .sent = STR_INIT(100), .input = "hello\r\n", .freed = &freed };
	struct err err = ERR_INIT;
	struct stream s;
	struct span line;
	unsigned waits = 0;

	stream_init(&s, -1, 100, 100);
	stream_set_hook(&s, &hook, &x);
	while (stream_getline(&s, 100, &line, NULL) == IO_AGAIN) {
		if (stream_fill(&s, &err) == IO_AGAIN) {
			assert_int_equal(stream_events(&s), STREAM_READ | STREAM_WRITE);
			waits++;
		}
	}
	assert_true(span_eqz(line, "HELLO"));
	assert_int_equal(waits, 7);
	assert_int_equal(stream_putz(&s, "Good Bye"), 0);
	assert_int_equal(stream_flush(&s, &err), IO_OK);
	assert_true(span_eqz(str_span(&x.sent), "gOOD bYE"));
	stream_fini(&s);
	assert_true(freed);
	str_fini(&x.sent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_at_all_chunks), cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_input_limit), cmocka_unit_test(test_output),
		cmocka_unit_test(test_socket),   cmocka_unit_test(test_hook),
	};

	return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
