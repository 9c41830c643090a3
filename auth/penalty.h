/* penalty.h: how long an address waits that keeps guessing passwords */
#ifndef AUTH_PENALTY_H
#define AUTH_PENALTY_H

#include "base/htab.h"

#define PENALTY_MAX 4096                /* addresses remembered */
#define PENALTY_FORGET_MS 120000u       /* after this long without a failure */
#define PENALTY_MAX_DELAY_MS 15000u

struct penalty_table {
	struct htab addresses;
};

/* Counts a failure from addr (text of an IP address; an IPv6 one counts for its /64) and returns how long its answer
 * waits: base_ms, doubled per failure up to PENALTY_MAX_DELAY_MS. Loopback, where a webmail may speak for many, and
 * what is no address stay at base_ms. Source: penalty.c */
uint64_t penalty_fail(struct penalty_table *p, struct span addr, uint64_t base_ms);

/* How long a new attempt from addr waits before it is looked at: 0, or base_ms from the fourth failure on, so that
 * hanging up early wins no guesses. Source: penalty.c */
uint64_t penalty_before(struct penalty_table *p, struct span addr, uint64_t base_ms);

/* Forgets all. Source: penalty.c */
void penalty_fini(struct penalty_table *p);

#endif
