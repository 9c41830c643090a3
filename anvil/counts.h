/* counts.h: how many connections each client has open, and how often it did what in the current time unit */
#ifndef ANVIL_COUNTS_H
#define ANVIL_COUNTS_H

#include "base/htab.h"
#include "svc/msg_anvil.h"

#define COUNTS_CONNECT 6                /* beside enum anvil_event */
#define COUNTS_KINDS 7

struct counts_client;

/* The largest value of a kind since the last report. */
struct counts_peak {
	uint64_t value;
	uint64_t at_ms;                 /* wall clock */
	char *ident;                    /* heap */
};

/* Caller's memory. Clients stand in order of their last word, the most quiet first. */
struct counts {
	struct htab clients;
	struct counts_client *quietest, *latest;
	uint64_t unit_ms;
	size_t max;                     /* clients remembered at once */
	size_t n_open;                  /* those that have something open */
	struct counts_peak rates[COUNTS_KINDS];
	struct counts_peak open;
	size_t size_peak;
	uint64_t size_at_ms;
};

/* unit_ms: the time unit of rates; max: clients remembered at once. Source: counts.c */
void counts_init(struct counts *c, uint64_t unit_ms, size_t max);
void counts_fini(struct counts *c);

/* Something happened: kind is an enum anvil_event or COUNTS_CONNECT; delta is +1 when it opens something, -1 when it
 * ends it, else 0. *out_r gets the open number and the rate of that kind. When as many clients as may be remembered
 * have something open, a new one is not remembered and -1 is returned; *out_r then knows of nothing but this event.
 * Source: counts.c */
int counts_event(struct counts *c, struct span ident, unsigned kind, int delta, struct anvil_counts *out_r);

/* Postfix's statistics lines since the last call, one per call of line(); then begins anew. Source: counts.c */
void counts_report(struct counts *c, void (*line)(void *arg, const char *text), void *arg);

#endif
