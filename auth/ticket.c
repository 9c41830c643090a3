#include "auth/ticket.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"

struct ticket {
	struct arena arena;
	struct span service;
	uint64_t expires_ms;
	struct ticket_user user;
};

void ticket_init(struct ticket_table *t, uint64_t lifetime_ms)
{
	*t = (struct ticket_table){ .lifetime_ms = lifetime_ms };
}

static void ticket_free(struct ticket *k)
{
	arena_fini(&k->arena);
	free(k);
}

void ticket_fini(struct ticket_table *t)
{
	size_t pos = 0;
	void *k;

	while (htab_next(&t->tickets, &pos, NULL, &k))
		ticket_free(k);
	htab_fini(&t->tickets);
}

static void copy_user(struct ticket_user *to, const struct ticket_user *from, struct arena *a)
{
	*to = *from;
	to->user = arena_span(a, from->user);
	to->system_user = arena_span(a, from->system_user);
	to->home = arena_span(a, from->home);
	to->mail = arena_span(a, from->mail);
	to->index = arena_span(a, from->index);
	to->text = SPAN_NULL;
}

int ticket_issue(struct ticket_table *t, struct span service, const struct ticket_user *user, char *text)
{
	unsigned char raw[TICKET_TEXT / 2];
	struct ticket *k;
	size_t i;

	if (t->tickets.n >= TICKET_MAX)
		ticket_sweep(t);
	if (t->tickets.n >= TICKET_MAX)
		return -1;
	k = xnew(struct ticket);
	k->service = arena_span(&k->arena, service);
	k->expires_ms = clock_mono_ms() + t->lifetime_ms;
	copy_user(&k->user, user, &k->arena);
	random_bytes(raw, sizeof(raw));
	for (i = 0; i < sizeof(raw); i++)
		snprintf(text + 2 * i, 3, "%02x", raw[i]);
	htab_put(&t->tickets, (struct span){ text, TICKET_TEXT }, k);
	return 0;
}

bool ticket_redeem(struct ticket_table *t, struct span text, struct span service, struct arena *arena,
		   struct ticket_user *user_r)
{
	struct ticket *k = htab_del(&t->tickets, text);
	bool ok;

	if (!k)
		return false;
	ok = k->expires_ms > clock_mono_ms() && span_eq(k->service, service);
	if (ok)
		copy_user(user_r, &k->user, arena);
	ticket_free(k);
	return ok;
}

void ticket_sweep(struct ticket_table *t)
{
	uint64_t now = clock_mono_ms();
	struct arena arena = { 0 };
	struct span key, *old;
	size_t pos = 0, n = 0, i;
	void *k;

	if (t->tickets.n == 0)
		return;
	old = arena_alloc(&arena, t->tickets.n * sizeof(*old));
	while (htab_next(&t->tickets, &pos, &key, &k)) {
		if (((struct ticket *)k)->expires_ms <= now)
			old[n++] = arena_span(&arena, key);
	}
	for (i = 0; i < n; i++)
		ticket_free(htab_del(&t->tickets, old[i]));
	arena_fini(&arena);
}
