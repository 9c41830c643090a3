#include "base/attr.h"

#include <stdlib.h>

#include "base/log.h"

void bug_fatal(const char *file, int line, const char *cond)
{
	log_error("panic: %s:%d: broken invariant: %s", file, line, cond);
	abort();
}
