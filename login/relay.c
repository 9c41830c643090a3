#include <errno.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "login/session.h"

#define BUFFER_MAX 16384u       /* each way; a full one stops reading at the other side */
#define ROUNDS 8                /* then other sessions have their turn */

/* The far end is a child of pop3d or imapd, over one socketpair. */
struct relay {
	struct session *s;
	struct stream back;
	uv_poll_t poll;
	int watched;
	bool client_has_ended;          /* its EOF was passed on */
};

static void on_back_event(uv_poll_t *p, int status, int events)
{
	struct relay *r = p->data;

	if (r->s)
		session_run(r->s);
}

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

void relay_start(struct session *s, int *fd)
{
	struct relay *r = xnew(struct relay);

	r->s = s;
	stream_init(&r->back, *fd, BUFFER_MAX, BUFFER_MAX);
	BUG(uv_poll_init(&s->srv->loop->uv, &r->poll, *fd) != 0);
	*fd = -1;
	r->poll.data = r;
	s->relay = r;
	s->phase = SESSION_RELAY;
	s->io.out.max = BUFFER_MAX + SESSION_OUT_MAX;
}

void relay_free(struct session *s)
{
	struct relay *r = s->relay;

	s->relay = NULL;
	if (!r)
		return;
	r->s = NULL;
	uv_close((uv_handle_t *)&r->poll, on_closed);
	stream_fini(&r->back);
}

/* Moves what is there from one side to the other. IO_AGAIN: one side must be waited for; IO_EOF: from has ended and all
 * it said has left; IO_OK: there is more, but it is the turn of others. */
static enum io_rc pump(struct stream *from, struct stream *to, struct err *err)
{
	enum io_rc rc;
	int i;

	/* each round ends with a flush: what poll does not see must not stay here when the turn ends */
	for (i = 0; i < ROUNDS; i++) {
		struct span in;

		rc = stream_flush(to, err);
		if (rc == IO_OK && stream_peek(from).n == 0)
			rc = stream_fill(from, err);
		if (rc != IO_OK)
			return rc;
		in = stream_peek(from);
		if (stream_put(to, in.p, in.n) < 0)
			return IO_ERR;
		stream_skip(from, in.n);
		rc = stream_flush(to, err);
		if (rc != IO_OK)
			return rc;
	}
	return IO_OK;
}

static void watch(uv_poll_t *p, uv_poll_cb cb, unsigned events, bool may_read, int *watched)
{
	int want = (events & STREAM_READ && may_read ? UV_READABLE : 0) | (events & STREAM_WRITE ? UV_WRITABLE : 0);

	if (want == *watched)
		return;
	*watched = want;
	if (want)
		uv_poll_start(p, want, cb);
	else
		uv_poll_stop(p);
}

static void on_client_event(uv_poll_t *p, int status, int events)
{
	session_run(p->data);
}

static void arm(struct session *s, struct relay *r)
{
	int watched = s->watched;

	/* who has unsent output of the other is not read from: back-pressure */
	watch(&s->poll, on_client_event, stream_events(&s->io), !r->client_has_ended && stream_pending(&r->back) == 0,
	      &watched);
	s->watched = (uint8_t)watched;
	watch(&r->poll, on_back_event, stream_events(&r->back), stream_pending(&s->io) == 0, &r->watched);
}

void relay_run(struct session *s)
{
	struct relay *r = s->relay;
	struct err err = ERR_INIT;
	enum io_rc up = IO_AGAIN, down;

	do {
		down = pump(&r->back, &s->io, &err);
		if (!r->client_has_ended)
			up = pump(&s->io, &r->back, &err);
		if (up == IO_EOF && !r->client_has_ended) {
			r->client_has_ended = true;
			shutdown(r->back.fd, SHUT_WR);
		}
	} while (up == IO_OK && tls_has_pending(&s->io));
	/* the child's end is the session's end; so is a broken line */
	if (down == IO_EOF || down == IO_ERR || up == IO_ERR) {
		session_destroy(s);
		return;
	}
	arm(s, r);
	stream_idle(&s->io);
	stream_idle(&r->back);
}
