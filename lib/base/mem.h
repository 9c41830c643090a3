/* mem.h: heap allocation that cannot fail; running out of memory ends the process with a log line */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#include "base/attr.h"

/* n zeroed bytes, never NULL; the caller frees with free(). Source: mem.c */
MALLOC_LIKE void *xcalloc(size_t n, size_t size);

/* Grows or shrinks p (may be NULL) to n bytes, never NULL; new bytes are not cleared. Source: mem.c */
WARN_UNUSED void *xrealloc(void *p, size_t n);

/* Heap copies; the caller frees. xstrndup copies exactly n bytes and adds a NUL. Source: mem.c */
MALLOC_LIKE char *xstrdup(const char *z);
MALLOC_LIKE char *xstrndup(const char *p, size_t n);

#define xnew(type) ((type *)xcalloc(1, sizeof(type)))

#endif
