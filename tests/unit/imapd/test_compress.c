/* DEFLATE under a stream: what arrives at the other end, with small socket buffers, bombs and rubbish. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <zlib.h>

#include "base/mem.h"
#include "imapd/compress.h"

#define BIG (400u * 1024)

static void open_pair(struct stream *s, int *peer_r, size_t in_max)
{
	struct err err = ERR_INIT;
	int fds[2], small = 4096;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	stream_init(s, fds[0], in_max, 2 * BIG);
	assert_int_equal(compress_start(s, &err), 0);
	*peer_r = fds[1];
}

/* Inflates what has come; the number of bytes that are in out now. */
static size_t drain(int peer, z_stream *z, char *out, size_t at, size_t max)
{
	unsigned char buf[3000];
	ssize_t n;

	while ((n = recv(peer, buf, sizeof(buf), 0)) > 0) {
		z->next_in = buf;
		z->avail_in = (unsigned)n;
		while (z->avail_in) {
			z->next_out = (unsigned char *)out + at;
			z->avail_out = (unsigned)(max - at);
			assert_int_equal(inflate(z, Z_SYNC_FLUSH), Z_OK);
			at = max - z->avail_out;
		}
	}
	return at;
}

enum kind { TEXT, NOISE, ZEROS };

static void make(char *to, size_t n, enum kind kind)
{
	uint32_t x = 12345;
	size_t i;

	for (i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		to[i] = kind == NOISE ? (char)(x >> 24) : kind == TEXT ? "* 1 FETCH (FLAGS ())\r\n"[(i + (x >> 31)) % 22] : 0;
	}
}

static void test_output(void **state)
{
	static const struct {
		const char *label;
		enum kind kind;
		size_t n;
	} rows[] = {
		{ "one line", TEXT, 22 }, { "a batch", TEXT, 16384 }, { "a byte more", TEXT, 16385 }, { "much text", TEXT, BIG },
		{ "much noise", NOISE, BIG }, { "a batch of noise", NOISE, 16384 }, { "zeros", ZEROS, BIG },
	};
	char *in = xcalloc(1, BIG), *out = xcalloc(1, BIG + 1);
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;
		z_stream z = { 0 };
		enum io_rc rc = IO_AGAIN;
		struct stream s;
		size_t at = 0;
		int peer;

		make(in, rows[i].n, rows[i].kind);
		open_pair(&s, &peer, 1000);
		assert_int_equal(inflateInit2(&z, -15), Z_OK);
		assert_int_equal(stream_put(&s, in, rows[i].n), 0);
		while (rc == IO_AGAIN) {
			rc = stream_flush(&s, &err);
			at = drain(peer, &z, out, at, BIG + 1);
		}
		if (rc != IO_OK || at != rows[i].n || memcmp(in, out, at) != 0)
			fail_msg("%s: rc %d, %zu of %zu bytes", rows[i].label, rc, at, rows[i].n);
		inflateEnd(&z);
		stream_fini(&s);
		close(peer);
	}
	free(in);
	free(out);
}

/* All that a flush sent is readable at once, whatever was sent before. */
static void test_each_flush_is_seen(void **state)
{
	struct err err = ERR_INIT;
	z_stream z = { 0 };
	struct stream s;
	char out[200];
	size_t i, at = 0;
	int peer;

	open_pair(&s, &peer, 1000);
	assert_int_equal(inflateInit2(&z, -15), Z_OK);
	for (i = 1; i <= 10; i++) {
		assert_int_equal(stream_putz(&s, "a OK done\r\n"), 0);
		assert_int_equal(stream_flush(&s, &err), IO_OK);
		at = drain(peer, &z, out, at, sizeof(out));
		assert_int_equal(at, i * 11);
	}
	inflateEnd(&z);
	stream_fini(&s);
	close(peer);
}

static size_t deflate_all(const char *in, size_t n, unsigned char *out, size_t max)
{
	z_stream z = { .next_in = (unsigned char *)(uintptr_t)in, .avail_in = (unsigned)n, .next_out = out,
		       .avail_out = (unsigned)max };

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_SYNC_FLUSH), Z_OK);
	deflateEnd(&z);
	return max - z.avail_out;
}

/* A few hundred bytes that are 400 KB: the stream's limit holds for what comes out, and nothing is lost. */
static void test_bomb(void **state)
{
	static const size_t chunks[] = { 1, 7, 100000 };
	char *zeros = xcalloc(1, BIG);
	unsigned char packed[4096];
	size_t i, n = deflate_all(zeros, BIG, packed, sizeof(packed));

	for (i = 0; i < ARRAY_LEN(chunks); i++) {
		struct err err = ERR_INIT;
		size_t at = 0, got = 0;
		struct stream s;
		bool was_full = false;
		int peer;

		open_pair(&s, &peer, 1000);
		while (got < BIG) {
			size_t part = n - at < chunks[i] ? n - at : chunks[i];
			enum io_rc rc;

			if (part)
				assert_int_equal(send(peer, packed + at, part, 0), part);
			at += part;
			rc = stream_fill(&s, &err);
			was_full |= rc == IO_TOOLONG;
			assert_true(rc == IO_OK || rc == IO_TOOLONG || (rc == IO_AGAIN && at < n));
			assert_true(stream_peek(&s).n <= 1000);
			if (rc == IO_TOOLONG || at == n) {
				got += stream_peek(&s).n;
				stream_drop_input(&s);
			}
		}
		assert_int_equal(got, BIG);
		assert_true(was_full || chunks[i] > 7);
		assert_int_equal(stream_fill(&s, &err), IO_AGAIN);
		stream_fini(&s);
		close(peer);
	}
	free(zeros);
}

static void test_rubbish(void **state)
{
	struct err err = ERR_INIT;
	struct stream s;
	int peer;

	open_pair(&s, &peer, 1000);
	assert_int_equal(send(peer, "\xff\xff\xff plain text", 14, 0), 14);
	assert_int_equal(stream_fill(&s, &err), IO_ERR);
	stream_fini(&s);
	close(peer);
	open_pair(&s, &peer, 1000);
	close(peer);
	assert_int_equal(stream_fill(&s, &err), IO_EOF);
	stream_fini(&s);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output), cmocka_unit_test(test_each_flush_is_seen), cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_rubbish),
	};

	return cmocka_run_group_tests_name("compress", tests, NULL, NULL);
}
