#include "io/stream.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 16384u
#define READ_SMALL 2048u        /* a session that waits for a command needs no more */

void stream_init(struct stream *s, int fd, size_t in_max, size_t out_max)
{
	*s = (struct stream){ .fd = fd };
	str_init(&s->in, in_max);
	str_init(&s->out, out_max);
}

/* Passwords come in here. */
static void wipe_input(struct stream *s)
{
	explicit_bzero(s->in.p, s->in.cap);
	str_fini(&s->in);
	s->in_at = 0;
}

void stream_fini(struct stream *s)
{
	if (s->hook)
		s->hook->free(s->hook_state);
	s->hook = NULL;
	s->hook_state = NULL;
	wipe_input(s);
	str_fini(&s->out);
	s->out_at = 0;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void stream_set_hook(struct stream *s, const struct stream_hook *hook, void *state)
{
	BUG(s->in.n > s->in_at || stream_pending(s) > 0 || s->hook);
	s->hook = hook;
	s->hook_state = state;
	s->extra_events = 0;
}

static enum io_rc fd_read(struct stream *s, char *p, size_t n, size_t *n_r, struct err *err)
{
	ssize_t got;

	do {
		got = recv(s->fd, p, n, 0);
	} while (got < 0 && errno == EINTR);
	if (got > 0) {
		*n_r = (size_t)got;
		return IO_OK;
	}
	if (got == 0)
		return IO_EOF;
	if (errno == EAGAIN)
		return IO_AGAIN;
	err_sys(err, "read from peer");
	return IO_ERR;
}

static enum io_rc fd_write(struct stream *s, const char *p, size_t n, size_t *n_r, struct err *err)
{
	ssize_t put;

	do {
		put = send(s->fd, p, n, MSG_NOSIGNAL);
	} while (put < 0 && errno == EINTR);
	if (put >= 0) {
		*n_r = (size_t)put;
		return IO_OK;
	}
	if (errno == EAGAIN)
		return IO_AGAIN;
	err_sys(err, "write to peer");
	return IO_ERR;
}

/* Bytes that were taken make room before the buffer grows. */
static void compact(struct stream *s)
{
	if (s->in_at == 0)
		return;
	str_drop(&s->in, s->in_at);
	s->in_at = 0;
}

enum io_rc stream_fill(struct stream *s, struct err *err)
{
	size_t room, got = 0;
	char *to;
	enum io_rc rc;

	if (s->has_eof)
		return IO_EOF;
	compact(s);
	room = s->in.max - s->in.n;
	if (room == 0)
		return IO_TOOLONG;
	if (room > READ_SIZE)
		room = READ_SIZE;
	if (room > READ_SMALL && s->in.cap < READ_SMALL)
		room = READ_SMALL;
	to = str_room(&s->in, room);
	if (s->hook)
		rc = s->hook->read(s->hook_state, to, room, &got, &s->extra_events, err);
	else
		rc = fd_read(s, to, room, &got, err);
	if (rc == IO_OK) {
		str_grew(&s->in, got);
		/* a full small buffer means bulk input: the next read is a large one */
		if (got == room && room == READ_SMALL && s->in.max >= READ_SIZE)
			(void)str_room(&s->in, READ_SIZE < s->in.max - s->in.n ? READ_SIZE : s->in.max - s->in.n);
	}
	if (rc == IO_EOF)
		s->has_eof = true;
	return rc;
}

struct span stream_peek(const struct stream *s)
{
	return span_from(str_span(&s->in), s->in_at);
}

void stream_skip(struct stream *s, size_t n)
{
	BUG(n > s->in.n - s->in_at);
	s->in_at += n;
	if (s->in_at == s->in.n) {
		/* the bytes stay readable for spans of this turn; only the counters go back */
		s->in.n = s->in_at = 0;
	}
}

void stream_drop_input(struct stream *s)
{
	stream_skip(s, s->in.n - s->in_at);
}

enum io_rc stream_getline(struct stream *s, size_t max, struct span *line_r, bool *is_bare_r)
{
	struct span in = stream_peek(s);
	ptrdiff_t lf = span_chr(in, '\n');
	size_t n;
	bool is_bare;

	if (lf < 0)
		return in.n > max ? IO_TOOLONG : s->has_eof ? IO_EOF : IO_AGAIN;
	n = (size_t)lf;
	if (n > max)
		return IO_TOOLONG;
	is_bare = n == 0 || in.p[n - 1] != '\r';
	*line_r = span_sub(in, 0, is_bare ? n : n - 1);
	if (is_bare_r)
		*is_bare_r = is_bare;
	stream_skip(s, n + 1);
	return IO_OK;
}

int stream_put(struct stream *s, const void *p, size_t n)
{
	return s->is_dead ? 0 : str_add(&s->out, p, n);
}

int stream_putz(struct stream *s, const char *z)
{
	return stream_put(s, z, strlen(z));
}

size_t stream_pending(const struct stream *s)
{
	return s->out.n - s->out_at;
}

enum io_rc stream_flush(struct stream *s, struct err *err)
{
	enum io_rc rc = IO_OK;

	while (rc == IO_OK && stream_pending(s)) {
		const char *p = s->out.p + s->out_at;
		size_t put = 0;

		if (s->hook)
			rc = s->hook->write(s->hook_state, p, stream_pending(s), &put, &s->extra_events, err);
		else
			rc = fd_write(s, p, stream_pending(s), &put, err);
		if (rc == IO_OK)
			s->out_at += put;
	}
	if (rc == IO_ERR)
		s->is_dead = true;
	if (rc != IO_AGAIN) {
		str_reset(&s->out);
		s->out_at = 0;
	}
	return rc;
}

unsigned stream_events(const struct stream *s)
{
	return STREAM_READ | (stream_pending(s) ? STREAM_WRITE : 0u) | s->extra_events;
}

void stream_idle(struct stream *s)
{
	if (s->in.n == s->in_at)
		wipe_input(s);
	if (stream_pending(s) == 0) {
		str_fini(&s->out);
		s->out_at = 0;
	}
}
