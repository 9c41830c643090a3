/* sort_order.h: sorts many messages by several keys: eight bytes of a key at a time, by radix */
#ifndef IMAPD_SORT_ORDER_H
#define IMAPD_SORT_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* One criterion: texts (compared by bytes) or numbers, one per message. */
struct sort_column {
	const struct span *texts;
	const int64_t *numbers;         /* when texts is NULL */
	bool is_reverse;
};

struct sort_entry {
	uint64_t key;
	uint32_t i;
	bool has_more;                  /* of its text, behind the key */
};

/* order_r[0..n): the messages 0..n-1 in their order; those that are equal keep theirs. Source: sort_order.c */
void sort_order(uint32_t *order_r, size_t n, const struct sort_column *cols, size_t n_cols);

/* By key; equal ones stay as they stand. tmp: room for n more. Source: sort_order.c */
void sort_order_entries(struct sort_entry *v, struct sort_entry *tmp, size_t n);

/* A signed number as a key. */
static inline uint64_t sort_order_key(int64_t n)
{
	return (uint64_t)n ^ UINT64_C(1) << 63;
}

#endif
