#include "io/write_all.h"

#include <errno.h>
#include <unistd.h>

int write_all(int fd, struct span s)
{
	while (s.n) {
		ssize_t put = write(fd, s.p, s.n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put == 0)
			errno = ENOSPC;
		if (put <= 0)
			return -1;
		s = span_from(s, (size_t)put);
	}
	return 0;
}
