#include "base/htab.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/random.h"

struct htab_slot {
	const char *key;
	size_t n;
	uint64_t hash;
	void *value;    /* NULL: free */
};

static uint64_t rotl(uint64_t x, int b)
{
	return (x << b) | (x >> (64 - b));
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static uint64_t siphash(const uint64_t key[2], const unsigned char *p, size_t n)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
			  key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u };
	uint64_t m = 0, last = (uint64_t)n << 56;
	size_t i;

	for (i = 0; i + 8 <= n; i += 8) {
		memcpy(&m, p + i, 8);
		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
	}
	for (; i < n; i++)
		last |= (uint64_t)p[i] << (8 * (i & 7));
	v[3] ^= last;
	sip_round(v);
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t htab_hash(struct span s)
{
	static uint64_t key[2];
	static bool has_key;

	if (!has_key) {
		random_bytes(key, sizeof(key));
		has_key = true;
	}
	return siphash(key, (const unsigned char *)s.p, s.n);
}

/* The slot that holds the key, or the free one where it would go. cap is never 0 here. */
static struct htab_slot *find(const struct htab *h, struct span key, uint64_t hash)
{
	size_t i = hash & (h->cap - 1);

	while (h->slots[i].value) {
		struct htab_slot *s = &h->slots[i];

		if (s->hash == hash && span_eq((struct span){ s->key, s->n }, key))
			return s;
		i = (i + 1) & (h->cap - 1);
	}
	return &h->slots[i];
}

void *htab_get(const struct htab *h, struct span key)
{
	return h->cap ? find(h, key, htab_hash(key))->value : NULL;
}

static void grow(struct htab *h)
{
	struct htab old = *h;
	size_t i;

	h->cap = old.cap ? old.cap * 2 : 16;
	h->slots = xcalloc(h->cap, sizeof(*h->slots));
	for (i = 0; i < old.cap; i++) {
		struct htab_slot *s = &old.slots[i];

		if (s->value)
			*find(h, (struct span){ s->key, s->n }, s->hash) = *s;
	}
	free(old.slots);
}

void *htab_put(struct htab *h, struct span key, void *value)
{
	uint64_t hash = htab_hash(key);
	struct htab_slot *s;
	void *old;

	BUG(!value);
	if ((h->n + 1) * 4 > h->cap * 3)
		grow(h);
	s = find(h, key, hash);
	old = s->value;
	if (!old) {
		s->key = h->borrows_keys ? key.p : xstrndup(key.p, key.n);
		s->n = key.n;
		s->hash = hash;
		h->n++;
	}
	s->value = value;
	return old;
}

static void free_key(const struct htab *h, const struct htab_slot *s)
{
	if (!h->borrows_keys)
		free((char *)(uintptr_t)s->key);
}

/* Linear probing: entries behind the hole move up, or a later lookup would stop at it. */
static void close_hole(struct htab *h, size_t hole)
{
	size_t i = hole;

	for (;;) {
		size_t home;

		i = (i + 1) & (h->cap - 1);
		if (!h->slots[i].value)
			break;
		home = h->slots[i].hash & (h->cap - 1);
		if (((i - home) & (h->cap - 1)) >= ((i - hole) & (h->cap - 1))) {
			h->slots[hole] = h->slots[i];
			hole = i;
		}
	}
	h->slots[hole] = (struct htab_slot){ 0 };
}

void *htab_del(struct htab *h, struct span key)
{
	struct htab_slot *s;
	void *value;

	if (!h->cap)
		return NULL;
	s = find(h, key, htab_hash(key));
	value = s->value;
	if (value) {
		free_key(h, s);
		close_hole(h, (size_t)(s - h->slots));
		h->n--;
	}
	return value;
}

bool htab_next(const struct htab *h, size_t *pos, struct span *key_r, void **value_r)
{
	for (; *pos < h->cap; (*pos)++) {
		struct htab_slot *s = &h->slots[*pos];

		if (!s->value)
			continue;
		if (key_r)
			*key_r = (struct span){ s->key, s->n };
		*value_r = s->value;
		(*pos)++;
		return true;
	}
	return false;
}

void htab_fini(struct htab *h)
{
	size_t i;

	for (i = 0; i < h->cap; i++)
		free_key(h, &h->slots[i]);
	free(h->slots);
	*h = (struct htab){ 0 };
}
