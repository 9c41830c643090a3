#include "imapd/watch.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define ANSWER_MS 1000

void watch_init(struct watch *w, int fd)
{
	*w = (struct watch){ .fd = fd };
}

static void lose(struct watch *w)
{
	close(w->fd);
	w->fd = -1;
	w->is_on = false;
	w->is_due = true;
}

/* One message: its kind, or 0 when none is there. Events are remembered. */
static uint32_t take(struct watch *w, uint32_t *number_r)
{
	struct watch_msg m;
	ssize_t n = w->fd < 0 ? -1 : recv(w->fd, &m, sizeof(m), MSG_DONTWAIT);

	if (n == 0 || (n < 0 && w->fd >= 0 && errno != EAGAIN && errno != EINTR))
		lose(w);
	if (n != sizeof(m))
		return 0;
	w->is_due |= m.kind == WATCH_EVENT;
	*number_r = m.number;
	return m.kind;
}

static int send_msg(struct watch *w, uint32_t kind, const int fds[2])
{
	struct watch_msg m = { kind, ++w->number };
	union {
		char room[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { &m, sizeof(m) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fds) {
		struct cmsghdr *c;

		h.msg_control = control.room;
		h.msg_controllen = sizeof(control.room);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(2 * sizeof(int));
		memcpy(CMSG_DATA(c), fds, 2 * sizeof(int));
	}
	return sendmsg(w->fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(m) ? 0 : -1;
}

int watch_set(struct watch *w, int new_fd, int cur_fd)
{
	uint64_t now = clock_mono_ms(), deadline = now + ANSWER_MS;
	uint32_t number = 0, kind;

	w->is_on = false;
	if (w->fd < 0 || send_msg(w, WATCH_SET, (int[2]){ new_fd, cur_fd }) < 0)
		return -1;
	while (w->fd >= 0 && now < deadline) {
		struct pollfd p = { w->fd, POLLIN, 0 };

		kind = take(w, &number);
		if ((kind == WATCH_ON || kind == WATCH_OFF) && number == w->number) {
			w->is_on = kind == WATCH_ON;
			return w->is_on ? 0 : -1;
		}
		if (kind == 0 && w->fd >= 0)
			(void)!poll(&p, 1, (int)(deadline - now));
		now = clock_mono_ms();
	}
	return -1;
}

void watch_clear(struct watch *w)
{
	if (w->fd >= 0 && w->is_on)
		(void)!send_msg(w, WATCH_CLEAR, NULL);
	w->is_on = false;
}

bool watch_take(struct watch *w)
{
	uint32_t ignored;
	bool is_due;

	while (take(w, &ignored))
		;
	is_due = w->is_due;
	w->is_due = false;
	return is_due;
}
