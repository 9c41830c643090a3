/* sync_dir.h: fsync(2) of a directory that means it */
#ifndef IO_SYNC_DIR_H
#define IO_SYNC_DIR_H

#include "base/attr.h"

/* What was made, renamed and removed in it is on disk. -1 with errno. Blocks. Source: sync_dir.c */
int sync_dir(int fd) WARN_UNUSED;

/* After a sync that has succeeded: the file system of fd still lives. -1 with errno. Source: sync_dir.c */
int sync_was_real(int fd) WARN_UNUSED;

#endif
