/* penalty.h: addresses that fail to authenticate wait longer each time, and are forgiven with time */
#ifndef ANVIL_PENALTY_H
#define ANVIL_PENALTY_H

#include "base/htab.h"

struct penalty_entry;

/* Caller's memory. */
struct penalty {
	struct htab entries;            /* address, or the /64 of an IPv6 one */
	struct penalty_entry *oldest, *newest;
	size_t max;
};

void penalty_init(struct penalty *p, size_t max);
void penalty_fini(struct penalty *p);

/* address: text without brackets. Failures double the wait from 1 s to at most 15 s; a success takes half of them back,
 * one more goes with each quiet minute. Loopback, where a webmail speaks for many, never waits. Source: penalty.c */
void penalty_failed(struct penalty *p, struct span address);
void penalty_succeeded(struct penalty *p, struct span address);

/* Milliseconds to hold back the next attempt; 0 for most. Source: penalty.c */
uint64_t penalty_ms(const struct penalty *p, struct span address);

#endif
