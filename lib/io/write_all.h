/* write_all.h: all bytes to a file, or an error */
#ifndef IO_WRITE_ALL_H
#define IO_WRITE_ALL_H

#include "base/attr.h"
#include "base/span.h"

/* -1 with errno; some of the bytes may have been written then. Blocks. Source: write_all.c */
int write_all(int fd, struct span s) WARN_UNUSED;

#endif
