#include "auth/penalty.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

struct entry {
	unsigned failures;
	uint64_t last_ms;
	unsigned char key[17];
	size_t n;
};

/* The bytes that name a guesser; 0 for nobody in particular. */
static size_t key_of(struct span addr, unsigned char key[17])
{
	static const unsigned char loopback6[16] = { [15] = 1 };
	char text[INET6_ADDRSTRLEN + 1];
	unsigned char raw[16];

	if (addr.n == 0 || addr.n >= sizeof(text))
		return 0;
	memcpy(text, addr.p, addr.n);
	text[addr.n] = '\0';
	if (inet_pton(AF_INET, text, raw) == 1) {
		key[0] = 4;
		memcpy(key + 1, raw, 4);
		return raw[0] == 127 ? 0 : 5;
	}
	if (inet_pton(AF_INET6, text, raw) != 1 || memcmp(raw, loopback6, 16) == 0)
		return 0;
	key[0] = 6;
	memcpy(key + 1, raw, 8);
	return 9;
}

/* Drops what is forgotten anyway, and one more when that is not enough. */
static void make_room(struct penalty_table *p)
{
	uint64_t now = clock_mono_ms();
	struct entry **old = xcalloc(p->addresses.n + 1, sizeof(*old)), *oldest = NULL;
	size_t pos = 0, n = 0, i;
	void *v;

	while (htab_next(&p->addresses, &pos, NULL, &v)) {
		struct entry *e = v;

		if (now - e->last_ms > PENALTY_FORGET_MS)
			old[n++] = e;
		else if (!oldest || e->last_ms < oldest->last_ms)
			oldest = e;
	}
	if (n == 0 && oldest)
		old[n++] = oldest;
	for (i = 0; i < n; i++) {
		htab_del(&p->addresses, (struct span){ (char *)old[i]->key, old[i]->n });
		free(old[i]);
	}
	free(old);
}

static unsigned failures_of(struct entry *e)
{
	return e && clock_mono_ms() - e->last_ms <= PENALTY_FORGET_MS ? e->failures : 0;
}

uint64_t penalty_fail(struct penalty_table *p, struct span addr, uint64_t base_ms)
{
	unsigned char key[17];
	size_t n = key_of(addr, key);
	struct entry *e;
	uint64_t delay;

	if (n == 0)
		return base_ms;
	e = htab_get(&p->addresses, (struct span){ (char *)key, n });
	if (!e) {
		if (p->addresses.n >= PENALTY_MAX)
			make_room(p);
		e = xnew(struct entry);
		e->n = n;
		memcpy(e->key, key, n);
		htab_put(&p->addresses, (struct span){ (char *)key, n }, e);
	}
	e->failures = failures_of(e) + 1;
	e->last_ms = clock_mono_ms();
	delay = base_ms << (e->failures > 4 ? 3 : e->failures - 1);
	return delay > PENALTY_MAX_DELAY_MS && base_ms < PENALTY_MAX_DELAY_MS ? PENALTY_MAX_DELAY_MS : delay;
}

uint64_t penalty_before(struct penalty_table *p, struct span addr, uint64_t base_ms)
{
	unsigned char key[17];
	size_t n = key_of(addr, key);

	return n && failures_of(htab_get(&p->addresses, (struct span){ (char *)key, n })) >= 4 ? base_ms : 0;
}

void penalty_fini(struct penalty_table *p)
{
	size_t pos = 0;
	void *v;

	while (htab_next(&p->addresses, &pos, NULL, &v))
		free(v);
	htab_fini(&p->addresses);
}
