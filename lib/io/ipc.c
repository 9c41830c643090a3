#include "io/ipc.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/attr.h"
#include "io/loop.h"

#define FLAG_REPLY 1u
#define FLAG_FD 2u

#define SOFT_LIMIT (512u * 1024u)
#define HARD_LIMIT (4096u * 1024u)
#define READ_SIZE (64u * 1024u)
#define SECRET_ROOM (16u * 1024u)       /* longer than the frame of any password */
#define KEEP_BUFFER (128u * 1024u)      /* a burst's larger buffer is given back when it is empty */

struct head {
	uint32_t len;
	uint16_t type;
	uint16_t flags;
	uint32_t id;
};

static void lose(struct ipc *c, const struct err *why);

void ipc_init(struct ipc *c, struct loop *loop, const struct ipc_ops *ops, void *arg)
{
	*c = (struct ipc){ .loop = loop, .ops = ops, .arg = arg, .fd = -1, .phase = 1 };
	str_init(&c->in, HARD_LIMIT);
	str_init(&c->out, HARD_LIMIT);
}

/* ---- requests ---- */

static void req_release(struct ipc_req *req)
{
	struct ipc *c = req->c;

	c->reqs[req->id & 0xffff] = NULL;
	c->n_pending--;
	req->c = NULL;
}

void ipc_cancel(struct ipc_req *req)
{
	if (req->c)
		req_release(req);
}

static int req_slot(struct ipc *c, size_t *slot_r)
{
	size_t i, n;

	for (i = 0; i < c->n_reqs && c->n_pending < c->n_reqs; i++) {
		size_t at = (c->generation + i) % c->n_reqs;

		if (!c->reqs[at]) {
			*slot_r = at;
			return 0;
		}
	}
	n = c->n_reqs ? c->n_reqs * 2 : 16;
	if (n > 65536)
		return -1;
	c->reqs = xrealloc(c->reqs, n * sizeof(*c->reqs));
	memset(c->reqs + c->n_reqs, 0, (n - c->n_reqs) * sizeof(*c->reqs));
	*slot_r = c->n_reqs;
	c->n_reqs = n;
	return 0;
}

static void req_fail(struct ipc_req *req, enum ipc_rc rc)
{
	int none = -1;

	req_release(req);
	req->fn(req->arg, rc, NULL, &none);
}

static void on_second(uv_timer_t *t)
{
	struct ipc *c = t->data;
	uint64_t now = clock_mono_ms();
	size_t i;

	/* an answer may close the channel, even free it: then the timer has lost its data */
	for (i = 0; t->data && i < c->n_reqs; i++) {
		struct ipc_req *req = c->reqs[i];

		if (req && req->deadline_ms && req->deadline_ms <= now)
			req_fail(req, IPC_TIMEOUT);
	}
	if (t->data && c->n_pending == 0)
		uv_timer_stop(t);
}

/* ---- sending ---- */

static void watch(struct ipc *c);

static int send_some(struct ipc *c, size_t from, size_t to, int fd)
{
	struct iovec iov = { c->out.p + from, to - from };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} ctl;
	ssize_t n;

	if (fd >= 0) {
		struct cmsghdr *cm;

		memset(&ctl, 0, sizeof(ctl));
		mh.msg_control = ctl.bytes;
		mh.msg_controllen = sizeof(ctl.bytes);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cm), &fd, sizeof(int));
	}
	do {
		n = sendmsg(c->fd, &mh, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return (int)n;
}

/* Takes n bytes from the front; on a secret channel no copy of them stays behind the end. */
static void drop_front(const struct ipc *c, struct str *s, size_t n)
{
	str_drop(s, n);
	if (c->is_secret)
		explicit_bzero(s->p + s->n, n);
}

/* A descriptor rides on the first byte of its frame, so a write ends where the next such frame begins. */
static int flush_now(struct ipc *c)
{
	size_t at = 0, i = 0;

	while (at < c->out.n) {
		bool has_fd = i < c->n_out_fds && c->out_fds[i].at == at;
		size_t next = i + has_fd;
		size_t end = next < c->n_out_fds ? c->out_fds[next].at : c->out.n;
		int n = send_some(c, at, end, has_fd ? c->out_fds[i].fd : -1);

		if (n < 0)
			break;
		if (has_fd)
			close(c->out_fds[i++].fd);
		at += (size_t)n;
	}
	if (i)
		memmove(c->out_fds, c->out_fds + i, (c->n_out_fds - i) * sizeof(*c->out_fds));
	c->n_out_fds -= i;
	for (i = 0; i < c->n_out_fds; i++)
		c->out_fds[i].at -= at;
	drop_front(c, &c->out, at);
	if (c->out.n == 0 && c->out.cap > KEEP_BUFFER)
		str_fini(&c->out);
	return c->out.n && errno != EAGAIN ? -1 : 0;
}

static void mark_unsent(struct ipc *c)
{
	if (c->is_unsent || !c->loop)
		return;
	c->is_unsent = true;
	c->next_unsent = c->loop->unsent;
	c->loop->unsent = c;
}

/* Whoever saw ipc_is_full waits for this. The channel may be gone after it. */
static void tell_drained(struct ipc *c)
{
	if (!c->was_full || c->out.n > SOFT_LIMIT / 2)
		return;
	c->was_full = false;
	if (c->ops->drained)
		c->ops->drained(c->arg, c);
}

void ipc_flush_unsent(struct loop *l)
{
	while (l->unsent) {
		struct ipc *c = l->unsent;

		l->unsent = c->next_unsent;
		c->is_unsent = false;
		if (c->fd < 0)
			continue;
		/* a broken pipe shows up as an event on the descriptor too; it is handled there, outside any handler */
		if (flush_now(c) < 0)
			shutdown(c->fd, SHUT_RDWR);
		watch(c);
		tell_drained(c);
	}
}

static void drop_fd(int *fd)
{
	if (fd && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
}

static int put_frame(struct ipc *c, const struct ipc_desc *d, uint16_t flags, uint32_t id, const void *in, int *fd)
{
	size_t start = c->out.n;
	struct head h = { 0, d->type, flags, id };
	bool has_fd = fd && *fd >= 0;

	if (has_fd)
		h.flags |= FLAG_FD;
	/* a buffer that grows in the middle leaves a copy behind */
	if (c->is_secret)
		(void)str_room(&c->out, SECRET_ROOM);
	if (c->fd < 0 || str_add(&c->out, &h, sizeof(h)) < 0 || ipc_encode(&c->out, d, in) < 0 ||
	    c->out.n - start > IPC_FRAME_MAX) {
		str_cut(&c->out, start);
		drop_fd(fd);
		return -1;
	}
	h.len = (uint32_t)(c->out.n - start);
	memcpy(c->out.p + start, &h, sizeof(h));
	if (has_fd) {
		c->out_fds = xrealloc(c->out_fds, (c->n_out_fds + 1) * sizeof(*c->out_fds));
		c->out_fds[c->n_out_fds++] = (struct ipc_out_fd){ start, *fd };
		*fd = -1;
	}
	c->was_full |= c->out.n > SOFT_LIMIT;
	mark_unsent(c);
	return 0;
}

int ipc_send(struct ipc *c, const struct ipc_desc *d, const void *in, int *fd)
{
	return put_frame(c, d, 0, 0, in, fd);
}

int ipc_reply(struct ipc *c, uint32_t id, const struct ipc_desc *d, const void *in, int *fd)
{
	return put_frame(c, d, FLAG_REPLY, id, in, fd);
}

int ipc_call(struct ipc *c, const struct ipc_desc *d, const void *in, int *fd, const struct ipc_desc *reply,
	     struct ipc_req *req, ipc_reply_fn *fn, void *arg, uint64_t timeout_ms)
{
	size_t slot;
	uint32_t id;

	BUG(req->c);
	if (c->fd < 0 || req_slot(c, &slot) < 0) {
		drop_fd(fd);
		return -1;
	}
	id = (uint32_t)++c->generation << 16 | (uint32_t)slot;
	if (put_frame(c, d, 0, id, in, fd) < 0)
		return -1;
	*req = (struct ipc_req){ c, id, reply, fn, arg, timeout_ms ? clock_mono_ms() + timeout_ms : 0 };
	c->reqs[slot] = req;
	c->n_pending++;
	if (timeout_ms && c->timer && !uv_is_active((uv_handle_t *)c->timer))
		uv_timer_start(c->timer, on_second, 1000, 1000);
	return 0;
}

bool ipc_is_full(const struct ipc *c)
{
	return c->out.n > SOFT_LIMIT;
}

/* ---- receiving ---- */

static int keep_fds(struct ipc *c, struct msghdr *mh, struct err *err)
{
	struct cmsghdr *cm;
	int rc = 0;

	for (cm = CMSG_FIRSTHDR(mh); cm; cm = CMSG_NXTHDR(mh, cm)) {
		size_t i, n;

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
			if (c->n_in_fds < sizeof(c->in_fds) / sizeof(c->in_fds[0])) {
				c->in_fds[c->n_in_fds++] = fd;
			} else {
				close(fd);
				rc = err_set(err, ERR_PROTO, "too many descriptors");
			}
		}
	}
	if (mh->msg_flags & MSG_CTRUNC)
		rc = err_set(err, ERR_SYS, "a descriptor was lost on the way: too many open files");
	return rc;
}

/* One read. 1: bytes came; 0: nothing to read now; -1: the end, err->kind ERR_NONE when it is orderly. */
static int read_some(struct ipc *c, struct err *err)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * 16)];
	} ctl;
	struct iovec iov = { str_room(&c->in, READ_SIZE), READ_SIZE };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl.bytes,
			     .msg_controllen = sizeof(ctl.bytes) };
	ssize_t n;

	if (!iov.iov_base)
		return err_set(err, ERR_PROTO, "receive buffer over its limit");
	do {
		n = recvmsg(c->fd, &mh, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0) {
		*err = (struct err)ERR_INIT;
		return n < 0 && errno != ECONNRESET ? err_sys(err, "recvmsg") : -1;
	}
	str_grew(&c->in, (size_t)n);
	return keep_fds(c, &mh, err) < 0 ? -1 : 1;
}

/* 1: a whole frame is at in_at, described in *m; 0: more bytes needed; -1: nonsense. */
static int next_frame(struct ipc *c, struct ipc_msg *m, struct err *err)
{
	struct head h;
	size_t left = c->in.n - c->in_at;

	if (left < sizeof(h))
		return 0;
	memcpy(&h, c->in.p + c->in_at, sizeof(h));
	if (h.len < sizeof(h) || h.len > IPC_FRAME_MAX)
		return err_set(err, ERR_PROTO, "frame of %u bytes", h.len);
	if (left < h.len)
		return 0;
	*m = (struct ipc_msg){ h.type, h.flags & FLAG_REPLY, h.id,
			       { c->in.p + c->in_at + sizeof(h), h.len - sizeof(h) }, -1 };
	if (h.flags & FLAG_FD) {
		if (c->n_in_fds == 0)
			return err_set(err, ERR_PROTO, "frame without its descriptor");
		m->fd = c->in_fds[0];
		memmove(c->in_fds, c->in_fds + 1, --c->n_in_fds * sizeof(int));
	}
	c->in_at += h.len;
	return 1;
}

static int dispatch_reply(struct ipc *c, struct ipc_msg *m, struct err *err)
{
	size_t slot = m->id & 0xffff;
	struct ipc_req *req = slot < c->n_reqs ? c->reqs[slot] : NULL;
	const void *reply;

	if (!req || req->id != m->id)
		return 0;               /* cancelled or timed out meanwhile */
	if (req->reply->type != m->type)
		return err_set(err, ERR_PROTO, "answer of type %u where %s was expected", m->type, req->reply->name);
	reply = ipc_decode(req->reply, m->body, &c->loop->tick, err);
	if (!reply)
		return -1;
	req_release(req);
	req->fn(req->arg, IPC_OK, reply, &m->fd);
	return 0;
}

static int dispatch(struct ipc *c, struct ipc_msg *m, struct err *err)
{
	size_t i;

	if (m->is_reply)
		return dispatch_reply(c, m, err);
	for (i = 0; i < c->ops->n_rules; i++) {
		const struct ipc_rule *r = &c->ops->rules[i];
		const void *in;

		if (r->desc->type != m->type)
			continue;
		if (!(r->phases & c->phase))
			return err_set(err, ERR_PROTO, "%s does not belong in phase %#x", r->desc->name, c->phase);
		in = ipc_decode(r->desc, m->body, &c->loop->tick, err);
		if (!in)
			return -1;
		r->fn(c->arg, c, m->id, in, &m->fd);
		return 0;
	}
	return err_set(err, ERR_PROTO, "unknown message type %u", m->type);
}

static void forget_read(struct ipc *c)
{
	drop_front(c, &c->in, c->in_at);
	c->in_at = 0;
	if (c->in.n == 0)
		str_fini(&c->in);
}

/* Handlers may close or even free the channel; the poll handle outlives both until the turn ends. */
static void on_readable(struct ipc *c)
{
	uv_poll_t *poll = c->poll;
	struct err err = ERR_INIT;
	struct ipc_msg m;
	int rc = read_some(c, &err), got = rc;

	while (rc >= 0 && (rc = next_frame(c, &m, &err)) > 0) {
		rc = dispatch(c, &m, &err);
		if (m.fd >= 0)
			close(m.fd);
		if (!poll->data)
			return;         /* closed by a handler; c may be gone */
	}
	if (rc < 0 || got < 0) {
		lose(c, &err);
		return;
	}
	forget_read(c);
}

static void on_event(uv_poll_t *p, int status, int events)
{
	struct ipc *c = p->data;

	if (status < 0)
		events = UV_READABLE;
	if (events & UV_WRITABLE) {
		if (flush_now(c) < 0)
			events |= UV_READABLE;
		watch(c);
		tell_drained(c);
		if (!p->data)
			return;
	}
	if (events & (UV_READABLE | UV_DISCONNECT))
		on_readable(c);
}

static void watch(struct ipc *c)
{
	int want = UV_READABLE | (c->out.n ? UV_WRITABLE : 0);

	if (want == c->watched)
		return;
	c->watched = want;
	uv_poll_start(c->poll, want, on_event);
}

/* ---- life ---- */

static void free_handle(uv_handle_t *h)
{
	free(h);
}

void ipc_attach(struct ipc *c, int *fd)
{
	if (c->fd >= 0)
		ipc_close(c);
	c->fd = *fd;
	*fd = -1;
	c->phase = 1;
	c->was_full = false;
	c->watched = 0;
	if (!c->loop)
		return;
	c->poll = xnew(uv_poll_t);
	c->timer = xnew(uv_timer_t);
	BUG(uv_poll_init(&c->loop->uv, c->poll, c->fd) != 0);
	uv_timer_init(&c->loop->uv, c->timer);
	c->poll->data = c;
	c->timer->data = c;
	uv_unref((uv_handle_t *)c->timer);
	watch(c);
}

static void unlink_unsent(struct ipc *c)
{
	struct ipc **at;

	for (at = &c->loop->unsent; *at; at = &(*at)->next_unsent) {
		if (*at == c) {
			*at = c->next_unsent;
			break;
		}
	}
	c->is_unsent = false;
}

void ipc_close(struct ipc *c)
{
	struct ipc_req **reqs = c->reqs;
	size_t i, n = c->n_reqs;

	if (c->is_unsent)
		unlink_unsent(c);
	if (c->poll) {
		c->poll->data = NULL;
		c->timer->data = NULL;
		uv_close((uv_handle_t *)c->poll, free_handle);
		uv_close((uv_handle_t *)c->timer, free_handle);
		c->poll = NULL;
		c->timer = NULL;
	}
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	for (i = 0; i < c->n_in_fds; i++)
		close(c->in_fds[i]);
	for (i = 0; i < c->n_out_fds; i++)
		close(c->out_fds[i].fd);
	c->n_in_fds = c->n_out_fds = 0;
	free(c->out_fds);
	c->out_fds = NULL;
	if (c->is_secret) {
		explicit_bzero(c->in.p, c->in.n);
		explicit_bzero(c->out.p, c->out.n);
	}
	str_fini(&c->in);
	str_fini(&c->out);
	c->in_at = 0;
	for (i = 0; i < n; i++) {
		if (reqs[i])
			req_fail(reqs[i], IPC_LOST);
	}
	BUG(c->n_pending != 0);
	free(reqs);
	c->reqs = NULL;
	c->n_reqs = 0;
}

static void lose(struct ipc *c, const struct err *why)
{
	struct err copy = *why;
	int fd = c->fd;

	ipc_close(c);
	if (c->loop && c->loop->on_lost)
		c->loop->on_lost(c->loop, fd);
	c->ops->lost(c->arg, c, &copy);
}

/* ---- blocking use ---- */

static int wait_fd(int fd, short events, uint64_t deadline_ms)
{
	for (;;) {
		struct pollfd p = { fd, events, 0 };
		uint64_t now = clock_mono_ms();
		int ms = deadline_ms == UINT64_MAX ? -1 : now >= deadline_ms ? 0 : (int)(deadline_ms - now);
		int n = poll(&p, 1, ms);

		if (n >= 0 || errno != EINTR)
			return n;
	}
}

int ipc_flush(struct ipc *c, struct err *err)
{
	while (c->out.n) {
		if (flush_now(c) < 0)
			return err_sys(err, "channel %s", c->ops->name);
		if (c->out.n && wait_fd(c->fd, POLLOUT, UINT64_MAX) < 0)
			return err_sys(err, "poll");
	}
	return 0;
}

enum ipc_rc ipc_wait(struct ipc *c, struct ipc_msg *m, uint64_t timeout_ms, struct err *err)
{
	uint64_t deadline = timeout_ms == UINT64_MAX ? UINT64_MAX : clock_mono_ms() + timeout_ms;
	int rc;

	if (ipc_flush(c, err) < 0)
		return IPC_LOST;
	while ((rc = next_frame(c, m, err)) == 0) {
		forget_read(c);
		rc = wait_fd(c->fd, POLLIN, deadline);
		if (rc == 0) {
			err_set(err, ERR_TEMP, "channel %s: no answer in time", c->ops->name);
			return IPC_TIMEOUT;
		}
		if (rc < 0) {
			err_sys(err, "poll");
			return IPC_LOST;
		}
		if (read_some(c, err) < 0)
			return IPC_LOST;
	}
	return rc > 0 ? IPC_OK : IPC_LOST;
}

void *ipc_call_wait(struct ipc *c, const struct ipc_desc *d, const void *in, const struct ipc_desc *reply,
		    struct arena *a, uint64_t timeout_ms, struct err *err)
{
	uint32_t id = (uint32_t)++c->generation << 16;
	struct ipc_msg m;
	void *out;

	if (put_frame(c, d, 0, id, in, NULL) < 0) {
		err_set(err, ERR_TEMP, "channel %s: cannot send %s", c->ops->name, d->name);
		return NULL;
	}
	if (ipc_wait(c, &m, timeout_ms, err) != IPC_OK) {
		if (err->kind == ERR_NONE)
			err_set(err, ERR_TEMP, "channel %s: the peer has gone", c->ops->name);
		return NULL;
	}
	if (!m.is_reply || m.id != id || m.type != reply->type) {
		err_set(err, ERR_PROTO, "channel %s: message %u instead of %s", c->ops->name, m.type, reply->name);
		out = NULL;
	} else {
		out = ipc_decode(reply, (struct span){ arena_strndup(a, m.body.p, m.body.n), m.body.n }, a, err);
	}
	if (m.fd >= 0)
		close(m.fd);
	return out;
}
