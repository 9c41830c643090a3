#include "imapd/pair.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

IPC_DESC(pair_begin, PAIR_BEGIN_FIELDS, PAIR_BEGIN)

union pair_control {
	char room[CMSG_SPACE(2 * sizeof(int))];
	struct cmsghdr align;
};

int pair_new(int fds[2])
{
	int least = 1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -1;
	/* a handful of packets: who does not read them knows already that something has changed */
	(void)setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
	(void)setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
	return 0;
}

int pair_send(int fd, const struct pair_msg *m, const int fds[2], struct span behind)
{
	union pair_control control = { 0 };
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

int pair_receive(int fd, struct pair_msg *m, int fds[2], char behind[PAIR_MAX], size_t *n_r)
{
	union pair_control control;
	struct iovec iov[2] = { { m, sizeof(*m) }, { behind, PAIR_MAX } };
	struct msghdr h = { .msg_iov = iov, .msg_iovlen = 2, .msg_control = control.room, .msg_controllen = sizeof(control.room) };
	ssize_t n = recvmsg(fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *c;

	fds[0] = fds[1] = -1;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	for (c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, (struct cmsghdr *)(uintptr_t)c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0) < 2 * sizeof(int) ? sizeof(int) : 2 * sizeof(int));
	}
	if (n < (ssize_t)sizeof(*m) || (h.msg_flags & MSG_TRUNC)) {
		if (fds[0] >= 0)
			close(fds[0]);
		if (fds[1] >= 0)
			close(fds[1]);
		fds[0] = fds[1] = -1;
		return -1;
	}
	*n_r = (size_t)n - sizeof(*m);
	return 1;
}
