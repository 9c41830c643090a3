#include <stdlib.h>

#include "base/mem.h"
#include "io/stream.h"

struct mem_end {
	struct span input;
	size_t chunk;
	struct str *output;
};

static enum io_rc mem_read(void *state, char *p, size_t n, size_t *n_r, unsigned *events, struct err *err)
{
	struct mem_end *m = state;

	(void)events;
	(void)err;
	if (m->input.n == 0)
		return IO_EOF;
	if (n > m->chunk)
		n = m->chunk;
	if (n > m->input.n)
		n = m->input.n;
	memcpy(p, m->input.p, n);
	m->input = span_from(m->input, n);
	*n_r = n;
	return IO_OK;
}

static enum io_rc mem_write(void *state, const char *p, size_t n, size_t *n_r, unsigned *events, struct err *err)
{
	struct mem_end *m = state;

	(void)events;
	*n_r = n;
	if (str_add(m->output, p, n) < 0) {
		err_set(err, ERR_SYS, "output over its limit");
		return IO_ERR;
	}
	return IO_OK;
}

static const struct stream_hook mem_hook = { mem_read, mem_write, free };

void stream_init_mem(struct stream *s, struct span input, size_t chunk, struct str *output, size_t in_max,
		     size_t out_max)
{
	struct mem_end *m = xnew(struct mem_end);

	*m = (struct mem_end){ input, chunk ? chunk : SIZE_MAX, output };
	stream_init(s, -1, in_max, out_max);
	stream_set_hook(s, &mem_hook, m);
}
