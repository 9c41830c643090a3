#include "imapd/fetch_range.h"

#include <errno.h>

#include "base/mem.h"

#define CHUNK 32768             /* three of them stay below what malloc asks the kernel for anew */
#define HEADER_CHUNK 4096

struct copy {
	const struct fetch_sink *sink;
	uint64_t skip, left;
	bool keeps_nul, last_cr, is_stopped;
	char *in, *out;                 /* CHUNK, twice that */
};

static void replace_nuls(char *p, size_t n)
{
	char *nul;

	while ((nul = memchr(p, '\0', n))) {
		*nul = (char)0x80;
		n -= (size_t)(nul + 1 - p);
		p = nul + 1;
	}
}

static size_t add_cr(struct copy *c, size_t n)
{
	const char *p = c->in, *end = c->in + n, *lf;
	char *to = c->out;

	while (p < end && (lf = memchr(p, '\n', (size_t)(end - p)))) {
		size_t len = (size_t)(lf - p);
		bool has_cr = len ? lf[-1] == '\r' : c->last_cr;

		memcpy(to, p, len);
		to += len;
		if (!has_cr)
			*to++ = '\r';
		*to++ = '\n';
		c->last_cr = false;
		p = lf + 1;
	}
	if (p < end) {
		memcpy(to, p, (size_t)(end - p));
		to += end - p;
		c->last_cr = end[-1] == '\r';
	}
	return (size_t)(to - c->out);
}

static void give(struct copy *c, const char *p, size_t n)
{
	if (c->skip >= n) {
		c->skip -= n;
		return;
	}
	p += c->skip;
	n -= (size_t)c->skip;
	c->skip = 0;
	n = n < c->left ? n : (size_t)c->left;
	c->left -= n;
	if (n && !c->sink->fn(c->sink->arg, (struct span){ p, n }))
		c->is_stopped = true;
}

static ssize_t read_at(int fd, char *p, size_t n, uint64_t offset)
{
	ssize_t got;

	do
		got = pread(fd, p, n, (off_t)offset);
	while (got < 0 && errno == EINTR);
	return got;
}

static int copy_all(struct copy *c, const struct fetch_range *r, struct err *err)
{
	bool is_plain = r->octets == r->crlf_octets;
	uint64_t at = is_plain ? c->skip : 0;

	if (is_plain)
		c->skip = 0;
	while (c->left && at < r->octets) {
		uint64_t want = r->octets - at;
		ssize_t n;

		if (is_plain && want > c->left)
			want = c->left;
		n = read_at(r->fd, c->in, want < CHUNK ? (size_t)want : CHUNK, r->offset + at);
		if (n < 0)
			return err_sys(err, "cannot read a message");
		if (n == 0)
			break;
		at += (uint64_t)n;
		if (!c->keeps_nul)
			replace_nuls(c->in, (size_t)n);
		if (is_plain)
			give(c, c->in, (size_t)n);
		else
			give(c, c->out, add_cr(c, (size_t)n));
		if (c->is_stopped) {
			err->kind = ERR_NONE;
			return -1;
		}
	}
	return c->left ? err_set(err, ERR_TEMP, "a message has changed while it was read") : 0;
}

int fetch_range_send(const struct fetch_range *r, uint64_t skip, uint64_t n, bool keeps_nul, const struct fetch_sink *sink,
		     struct err *err)
{
	struct copy c = { .sink = sink, .skip = skip, .left = n, .keeps_nul = keeps_nul };
	int rc;

	if (n == 0)
		return 0;
	c.in = xrealloc(NULL, (size_t)CHUNK * 3);
	c.out = c.in + CHUNK;
	rc = copy_all(&c, r, err);
	free(c.in);
	return rc;
}

int fetch_range_header(int fd, uint64_t offset, uint64_t limit, struct fetch_range *r_r, struct err *err)
{
	struct fetch_range r = { .fd = fd, .offset = offset };
	char buf[HEADER_CHUNK];
	size_t n_line = 0;              /* bytes of the line so far, a CR at its end not counted */
	bool last_cr = false;

	while (r.octets < limit) {
		uint64_t want = limit - r.octets;
		ssize_t n = read_at(fd, buf, want < sizeof(buf) ? (size_t)want : sizeof(buf), offset + r.octets), i;

		if (n < 0)
			return err_sys(err, "cannot read a message");
		if (n == 0)
			break;
		for (i = 0; i < n; i++) {
			char ch = buf[i];

			if (ch == '\n') {
				r.crlf_octets += 1u + !last_cr;
				last_cr = false;
				if (n_line == 0) {
					r.octets += (uint64_t)i + 1;
					*r_r = r;
					return 0;
				}
				n_line = 0;
				continue;
			}
			n_line += last_cr;
			last_cr = ch == '\r';
			n_line += !last_cr;
			r.crlf_octets++;
		}
		r.octets += (uint64_t)n;
	}
	*r_r = r;
	return 0;
}
