/* dotlock.h: "NAME.lock" made with O_EXCL, as Dovecot has it: at once the lock of a file and its next version */
#ifndef STORE_DOTLOCK_H
#define STORE_DOTLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Makes the file `name` in dir, mode 0600, and answers its descriptor, open for writing. Waits up to wait_ms for one
 * that somebody holds; one that was not touched for 120 s, or whose owner was one of us and is dead, is removed. -1
 * with errno, EEXIST when it is still held. Blocks. Source: dotlock.c */
int dotlock_take(int dir, const char *name, uint64_t wait_ms);

/* Gives it up: closes fd and removes the file; nothing for fd -1. Source: dotlock.c */
void dotlock_drop(int dir, const char *name, int fd);

/* The file system is full, read-only or closed to us: what we wanted to write is good for this session only. */
bool dotlock_is_hopeless(int sys);

#endif
