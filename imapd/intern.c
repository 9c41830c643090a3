#include "imapd/intern.h"

#include "base/mem.h"
#include "base/random.h"

/* The slots are small, so that looking for what is new seldom leaves the cache. At most half of them are taken. */
struct intern_string {
	uint64_t hash;
	uint32_t n;
};

void intern_init(struct intern *t, size_t expected)
{
	*t = (struct intern){ .n_slots = 64 };
	while (t->n_slots < expected * 2)
		t->n_slots *= 2;
	t->slots = xcalloc(t->n_slots, sizeof(*t->slots));
	t->v = xrealloc(NULL, t->n_slots / 2 * sizeof(*t->v));
	random_bytes(t->seed, sizeof(t->seed));
}

void intern_fini(struct intern *t)
{
	free(t->slots);
	free(t->v);
	t->slots = NULL;
	t->v = NULL;
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
	size_t i, k;

	free(t->slots);
	t->n_slots *= 2;
	t->slots = xcalloc(t->n_slots, sizeof(*t->slots));
	t->v = xrealloc(t->v, t->n_slots / 2 * sizeof(*t->v));
	for (i = 0; i < t->n; i++) {
		for (k = t->v[i].hash & (t->n_slots - 1); t->slots[k]; k = (k + 1) & (t->n_slots - 1))
			;
		t->slots[k] = (uint32_t)i + 1;
	}
}

uint32_t intern(struct intern *t, struct span s)
{
	struct intern_string new = { hash(t, s), (uint32_t)s.n };
	size_t k;

	if (t->n * 2 == t->n_slots)
		grow(t);
	for (k = new.hash & (t->n_slots - 1); t->slots[k]; k = (k + 1) & (t->n_slots - 1)) {
		const struct intern_string *have = &t->v[t->slots[k] - 1];

		if (have->hash == new.hash && have->n == new.n)
			return t->slots[k] - 1;
	}
	t->v[t->n] = new;
	t->slots[k] = (uint32_t)++t->n;
	return (uint32_t)t->n - 1;
}
