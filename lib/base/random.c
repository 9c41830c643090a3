#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

#include "base/attr.h"
#include "base/log.h"

void random_bytes(void *p, size_t n)
{
	unsigned char *to = p;

	while (n) {
		ssize_t got = getrandom(to, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			log_fatal("getrandom: the kernel gives no random bytes (errno %d)", errno);
		to += got;
		n -= (size_t)got;
	}
}

uint64_t random_below(uint64_t bound)
{
	uint64_t v, limit;

	BUG(bound == 0);
	limit = UINT64_MAX - UINT64_MAX % bound;        /* the rest would favour small values */
	do {
		random_bytes(&v, sizeof(v));
	} while (v >= limit);
	return v % bound;
}
