/* htab.h: a hash table from byte strings to pointers, keyed SipHash so that peers cannot choose collisions */
#ifndef BASE_HTAB_H
#define BASE_HTAB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct htab_slot;

/* Caller's memory; zeroed is a valid empty table. Values stay the caller's; keys are copied, unless borrows_keys was set
 * before the first put: then they outlive the table. */
struct htab {
	struct htab_slot *slots;
	size_t n;               /* entries */
	size_t cap;             /* slots, a power of two */
	bool borrows_keys;
};

/* fini frees keys and slots, not the values; idempotent. Source: htab.c */
void htab_fini(struct htab *h);

/* The value of key, or NULL. Source: htab.c */
void *htab_get(const struct htab *h, struct span key);

/* Sets key to value (not NULL); returns the value that was there before, or NULL. Source: htab.c */
void *htab_put(struct htab *h, struct span key, void *value);

/* Removes key; returns its value, or NULL. Source: htab.c */
void *htab_del(struct htab *h, struct span key);

/* Visits all entries in no order: start with *pos = 0; false at the end. Entries may be deleted only after the
 * visit is over. key_r may be NULL. Source: htab.c */
bool htab_next(const struct htab *h, size_t *pos, struct span *key_r, void **value_r);

/* SipHash-2-4 of s under the process's random key. Source: htab.c */
uint64_t htab_hash(struct span s);

#endif
