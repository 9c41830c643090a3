#include "anvil/penalty.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"

#define FIRST_MS 1000u
#define MOST_MS 15000u
#define DOUBLINGS_MAX 4u
#define FORGIVE_MS 60000u
#define FAILURES_MAX 20u

struct penalty_entry {
	char *key;
	uint64_t failures;
	uint64_t since_ms;              /* of the last change */
	struct penalty_entry *newer, *older;
};

void penalty_init(struct penalty *p, size_t max)
{
	*p = (struct penalty){ .max = max };
}

/* Who has one IPv6 address has its whole /64. */
static struct span key_of(char buf[INET6_ADDRSTRLEN + 4], struct span address)
{
	unsigned char ip[16];

	if (address.n >= INET6_ADDRSTRLEN || span_has_nul(address))
		return address;
	snprintf(buf, INET6_ADDRSTRLEN, "%.*s", SPAN_ARG(address));
	if (inet_pton(AF_INET6, buf, ip) != 1)
		return address;
	memset(ip + 8, 0, 8);
	inet_ntop(AF_INET6, ip, buf, INET6_ADDRSTRLEN);
	return span_z(buf);
}

static bool is_loopback(struct span address)
{
	return span_starts(address, "127.") || span_eq_nocase(address, "::1");
}

static uint64_t failures_now(const struct penalty_entry *e)
{
	uint64_t forgiven = (clock_mono_ms() - e->since_ms) / FORGIVE_MS;

	return e->failures > forgiven ? e->failures - forgiven : 0;
}

static void unlink_entry(struct penalty *p, struct penalty_entry *e)
{
	*(e->older ? &e->older->newer : &p->oldest) = e->newer;
	*(e->newer ? &e->newer->older : &p->newest) = e->older;
}

static void append_entry(struct penalty *p, struct penalty_entry *e)
{
	e->newer = NULL;
	e->older = p->newest;
	*(p->newest ? &p->newest->newer : &p->oldest) = e;
	p->newest = e;
}

static void forget(struct penalty *p, struct penalty_entry *e)
{
	unlink_entry(p, e);
	htab_del(&p->entries, span_z(e->key));
	free(e->key);
	free(e);
}

static void change(struct penalty *p, struct penalty_entry *e, uint64_t failures)
{
	unlink_entry(p, e);
	append_entry(p, e);
	e->failures = failures < FAILURES_MAX ? failures : FAILURES_MAX;
	e->since_ms = clock_mono_ms();
}

void penalty_failed(struct penalty *p, struct span address)
{
	char buf[INET6_ADDRSTRLEN + 4];
	struct span key = key_of(buf, address);
	struct penalty_entry *e;

	if (is_loopback(address))
		return;
	e = htab_get(&p->entries, key);
	if (!e) {
		if (p->entries.n >= p->max)
			forget(p, p->oldest);
		e = xnew(struct penalty_entry);
		e->key = xstrndup(key.p, key.n);
		htab_put(&p->entries, key, e);
		append_entry(p, e);
	}
	change(p, e, failures_now(e) + 1);
}

void penalty_succeeded(struct penalty *p, struct span address)
{
	char buf[INET6_ADDRSTRLEN + 4];
	struct penalty_entry *e = htab_get(&p->entries, key_of(buf, address));

	if (!e)
		return;
	change(p, e, failures_now(e) / 2);
	if (e->failures == 0)
		forget(p, e);
}

uint64_t penalty_ms(const struct penalty *p, struct span address)
{
	char buf[INET6_ADDRSTRLEN + 4];
	const struct penalty_entry *e = htab_get(&p->entries, key_of(buf, address));
	uint64_t n = e ? failures_now(e) : 0;

	if (n == 0)
		return 0;
	return n > DOUBLINGS_MAX ? MOST_MS : FIRST_MS << (n - 1);
}

void penalty_fini(struct penalty *p)
{
	while (p->oldest)
		forget(p, p->oldest);
	htab_fini(&p->entries);
}
