/* intern.h: numbers for byte strings, the same for the same
 *
 * The strings are not kept: 64 bits of a hash under random keys, and the length, stand for them. Nobody can choose
 * two that meet, and among a million by chance one pair meets in ten million mailboxes. */
#ifndef IMAPD_INTERN_H
#define IMAPD_INTERN_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct intern_string;

/* Caller's memory; init first. */
struct intern {
	uint32_t *slots;                /* number + 1, 0: free; heap */
	struct intern_string *v;        /* by number; heap */
	size_t n_slots, n;
	uint64_t seed[2];
};

/* expected: how many strings there may be, a guess. fini is idempotent. Source: intern.c */
void intern_init(struct intern *t, size_t expected);
void intern_fini(struct intern *t);

/* The number of s: 0 for the first string that came, 1 for the next new one, ... Source: intern.c */
uint32_t intern(struct intern *t, struct span s);

#endif
