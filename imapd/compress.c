#include "imapd/compress.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <zlib.h>

#include "base/mem.h"

#define IN_SIZE 4096u
#define BATCH 16384u                    /* plain bytes that are compressed at a time */
#define OUT_SIZE 16384u
#define OUT_WINDOW (-14)                /* raw DEFLATE, 16 KB back */
#define OUT_MEMORY 7

struct compress {
	int fd;
	z_stream in, out;
	bool has_more;                  /* the last inflate filled all the room it had */
	bool has_rest;                  /* and so did the last deflate */
	size_t taken;                   /* plain bytes of the batch that is on its way */
	size_t n_out, at_out;
	unsigned char in_bytes[IN_SIZE], out_bytes[OUT_SIZE];
};

static enum io_rc receive(struct compress *z, struct err *err)
{
	ssize_t n;

	do {
		n = recv(z->fd, z->in_bytes, IN_SIZE, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return IO_AGAIN;
	if (n < 0) {
		err_sys(err, "read from peer");
		return IO_ERR;
	}
	z->in.next_in = z->in_bytes;
	z->in.avail_in = (unsigned)n;
	return n ? IO_OK : IO_EOF;
}

static enum io_rc compress_read(void *state, char *p, size_t n, size_t *n_r, unsigned *events, struct err *err)
{
	struct compress *z = state;

	for (;;) {
		enum io_rc rc = z->in.avail_in || z->has_more ? IO_OK : receive(z, err);
		int got;

		if (rc != IO_OK)
			return rc;
		z->in.next_out = (unsigned char *)p;
		z->in.avail_out = (unsigned)n;
		got = inflate(&z->in, Z_SYNC_FLUSH);
		*n_r = n - z->in.avail_out;
		z->has_more = z->in.avail_out == 0;
		if (*n_r)
			return IO_OK;
		if (got == Z_STREAM_END)
			return IO_EOF;
		if (got != Z_OK && got != Z_BUF_ERROR) {
			err_set(err, ERR_PROTO, "broken DEFLATE data");
			return IO_ERR;
		}
	}
}

/* Fills out_bytes with what p[0..taken) and bytes of before come to. Only the last of several batches needs the
 * mark that makes the client see all. */
static void deflate_some(struct compress *z, const char *p, size_t n)
{
	z->out.next_in = (unsigned char *)(uintptr_t)(p + (z->taken - z->out.avail_in));
	z->out.next_out = z->out_bytes;
	z->out.avail_out = OUT_SIZE;
	(void)deflate(&z->out, n > z->taken ? Z_NO_FLUSH : Z_SYNC_FLUSH);
	z->n_out = OUT_SIZE - z->out.avail_out;
	z->at_out = 0;
	z->has_rest = z->out.avail_out == 0;
}

/* The stream gives the same bytes again until they are taken, perhaps from another place. */
static enum io_rc compress_write(void *state, const char *p, size_t n, size_t *n_r, unsigned *events, struct err *err)
{
	struct compress *z = state;

	if (!z->taken) {
		z->taken = n < BATCH ? n : BATCH;
		z->out.avail_in = (unsigned)z->taken;
		deflate_some(z, p, n);
	}
	while (z->at_out < z->n_out) {
		ssize_t put = send(z->fd, z->out_bytes + z->at_out, z->n_out - z->at_out, MSG_NOSIGNAL);

		if (put >= 0)
			z->at_out += (size_t)put;
		else if (errno == EAGAIN)
			return IO_AGAIN;
		else if (errno != EINTR) {
			err_sys(err, "write to peer");
			return IO_ERR;
		}
		if (z->at_out == z->n_out && z->has_rest)
			deflate_some(z, p, n);
	}
	*n_r = z->taken;
	z->taken = 0;
	return IO_OK;
}

static void compress_free(void *state)
{
	struct compress *z = state;

	inflateEnd(&z->in);
	deflateEnd(&z->out);
	free(z);
}

static const struct stream_hook hook = { compress_read, compress_write, compress_free };

int compress_start(struct stream *io, struct err *err)
{
	struct compress *z = xnew(struct compress);

	z->fd = io->fd;
	if (inflateInit2(&z->in, -15) != Z_OK ||
	    deflateInit2(&z->out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, OUT_WINDOW, OUT_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK) {
		compress_free(z);
		return err_set(err, ERR_TEMP, "no memory for compression");
	}
	stream_set_hook(io, &hook, z);
	return 0;
}
