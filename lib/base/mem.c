#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static NORETURN void out_of_memory(size_t n)
{
	log_fatal("out of memory: cannot allocate %zu bytes", n);
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		out_of_memory(n * size);
	return p;
}

void *xrealloc(void *p, size_t n)
{
	void *q = realloc(p, n ? n : 1);

	if (!q)
		out_of_memory(n);
	return q;
}

char *xstrndup(const char *p, size_t n)
{
	char *z = xcalloc(1, n + 1);

	if (n)
		memcpy(z, p, n);
	return z;
}

char *xstrdup(const char *z)
{
	return xstrndup(z, strlen(z));
}
