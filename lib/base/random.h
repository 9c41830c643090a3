/* random.h: bytes from the kernel */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Fills p with n unpredictable bytes; ends the process if the kernel refuses. May block at early boot. Source:
 * random.c */
void random_bytes(void *p, size_t n);

/* Uniform in 0..bound-1; bound must not be 0. Source: random.c */
uint64_t random_below(uint64_t bound);

#endif
