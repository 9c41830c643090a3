#include "imapd/pair.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

IPC_DESC(pair_begin, PAIR_BEGIN_FIELDS, PAIR_BEGIN)

#define DESCRIPTORS_MAX 253     /* in one message, says the kernel: what did not fit would be closed in there */
#define LEFT_MAX 64             /* messages in a socket that is closed */

int pair_new(int fds[2])
{
	int least = 1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
		fds[0] = fds[1] = -1;
		return -1;
	}
	/* a handful of packets: who does not read them knows already that something has changed */
	(void)setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
	(void)setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
	return 0;
}

int pair_send(int fd, const struct pair_msg *m, const int fds[2], struct span behind)
{
	union {
		char room[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov[2] = { { (void *)(uintptr_t)m, sizeof(*m) }, { (void *)(uintptr_t)behind.p, behind.n } };
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = behind.n ? 2 : 1 };
	size_t n = fds ? (fds[0] >= 0) + (fds[1] >= 0) : 0;
	ssize_t sent;

	if (behind.n > PAIR_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	if (n) {
		struct cmsghdr *c;

		h.msg_control = control.room;
		h.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	sent = sendmsg(fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sent == (ssize_t)(sizeof(*m) + behind.n) ? 0 : -1;
}

void pair_give_back(int fd)
{
	const struct linger none = { 0 };

	if (fd < 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(fd);
}

/* The first two are the message's, of no message are more. */
static void take_descriptors(struct msghdr *h, int fds[2])
{
	struct cmsghdr *c;
	size_t n = 0;

	for (c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		size_t i, count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		for (i = 0; c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (n < 2)
				fds[n++] = fd;
			else
				pair_give_back(fd);
		}
	}
}

int pair_receive(int fd, struct pair_msg *m, int fds[2], char behind[PAIR_MAX], size_t *n_r)
{
	union {
		char room[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov[2] = { { m, sizeof(*m) }, { behind, PAIR_MAX } };
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	fds[0] = fds[1] = -1;
	do {
		h.msg_control = control.room;
		h.msg_controllen = sizeof(control.room);
		n = recvmsg(fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		/* said once when the other side went with something unread; what it said is there all the same */
	} while (n < 0 && errno == ECONNRESET);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	take_descriptors(&h, fds);
	if (n >= (ssize_t)sizeof(*m) && !(h.msg_flags & MSG_TRUNC)) {
		*n_r = (size_t)n - sizeof(*m);
		return 1;
	}
	pair_give_back(fds[0]);
	pair_give_back(fds[1]);
	fds[0] = fds[1] = -1;
	return -1;
}

void pair_close(int fd)
{
	int i, fds[2], rc = 1;

	shutdown(fd, SHUT_RD);
	for (i = 0; i < LEFT_MAX && rc > 0; i++) {
		char behind[PAIR_MAX];
		struct pair_msg m;
		size_t n;

		rc = pair_receive(fd, &m, fds, behind, &n);
		pair_give_back(fds[0]);
		pair_give_back(fds[1]);
	}
	close(fd);
}
