#include "imapd/intern.h"

#include "base/mem.h"
#include "base/random.h"

struct intern_slot {
	uint64_t hash;
	uint32_t n, id;                 /* id: number + 1, 0 for a free slot */
};

void intern_init(struct intern *t, size_t expected)
{
	*t = (struct intern){ .cap = 64 };
	while (t->cap < expected * 2)
		t->cap *= 2;
	t->slots = xcalloc(t->cap, sizeof(*t->slots));
	random_bytes(t->seed, sizeof(t->seed));
}

void intern_fini(struct intern *t)
{
	free(t->slots);
	t->slots = NULL;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static uint64_t load(const char *p, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, p, n < 8 ? n : 8);
	return v;
}

static uint64_t hash(const struct intern *t, struct span s)
{
	const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t h = t->seed[0] ^ s.n * odd;
	size_t i;

	for (i = 0; i + 8 <= s.n; i += 8)
		h = mix(h ^ load(s.p + i, 8) ^ t->seed[1], odd ^ t->seed[0]);
	if (i < s.n)
		h = mix(h ^ load(s.p + i, s.n - i) ^ t->seed[1], odd ^ t->seed[0]);
	return mix(h ^ t->seed[1], odd);
}

static void grow(struct intern *t)
{
	struct intern_slot *old = t->slots;
	size_t i, k, cap = t->cap;

	t->cap *= 2;
	t->slots = xcalloc(t->cap, sizeof(*t->slots));
	for (i = 0; i < cap; i++) {
		if (!old[i].id)
			continue;
		for (k = old[i].hash & (t->cap - 1); t->slots[k].id; k = (k + 1) & (t->cap - 1))
			;
		t->slots[k] = old[i];
	}
	free(old);
}

uint32_t intern(struct intern *t, struct span s)
{
	uint64_t h = hash(t, s);
	size_t k;

	if (t->n * 2 >= t->cap)
		grow(t);
	for (k = h & (t->cap - 1); t->slots[k].id; k = (k + 1) & (t->cap - 1)) {
		if (t->slots[k].hash == h && t->slots[k].n == (uint32_t)s.n)
			return t->slots[k].id - 1;
	}
	t->slots[k] = (struct intern_slot){ h, (uint32_t)s.n, (uint32_t)++t->n };
	return t->slots[k].id - 1;
}
