#include "anvil/counts.h"

#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

/* A kind's events since start_ms; over after one time unit. */
struct window {
	uint64_t start_ms;
	uint64_t n;
};

struct counts_client {
	char *ident;
	uint64_t open;
	struct window windows[COUNTS_KINDS];
	struct counts_client *quieter, *louder;
};

void counts_init(struct counts *c, uint64_t unit_ms, size_t max)
{
	*c = (struct counts){ .unit_ms = unit_ms, .max = max };
}

static void unlink_client(struct counts *c, struct counts_client *x)
{
	if (x->quieter)
		x->quieter->louder = x->louder;
	else
		c->quietest = x->louder;
	if (x->louder)
		x->louder->quieter = x->quieter;
	else
		c->latest = x->quieter;
}

static void append_client(struct counts *c, struct counts_client *x)
{
	x->louder = NULL;
	x->quieter = c->latest;
	if (c->latest)
		c->latest->louder = x;
	else
		c->quietest = x;
	c->latest = x;
}

static void forget(struct counts *c, struct counts_client *x)
{
	unlink_client(c, x);
	htab_del(&c->clients, span_z(x->ident));
	free(x->ident);
	free(x);
}

/* The most quiet client that has nothing open makes room. Those passed over go to the end: the next search is short. */
static int make_room(struct counts *c)
{
	if (c->n_open == c->clients.n)
		return -1;
	while (c->quietest->open) {
		struct counts_client *x = c->quietest;

		unlink_client(c, x);
		append_client(c, x);
	}
	forget(c, c->quietest);
	return 0;
}

static struct counts_client *client_of(struct counts *c, struct span ident)
{
	struct counts_client *x = htab_get(&c->clients, ident);

	if (x) {
		unlink_client(c, x);
		append_client(c, x);
		return x;
	}
	if (c->clients.n >= c->max && make_room(c) < 0)
		return NULL;
	x = xnew(struct counts_client);
	x->ident = xstrndup(ident.p, ident.n);
	htab_put(&c->clients, ident, x);
	append_client(c, x);
	if (c->clients.n > c->size_peak) {
		c->size_peak = c->clients.n;
		c->size_at_ms = clock_wall_ms();
	}
	return x;
}

static void note_peak(struct counts_peak *p, uint64_t value, const char *ident)
{
	if (value <= p->value)
		return;
	p->value = value;
	p->at_ms = clock_wall_ms();
	free(p->ident);
	p->ident = xstrdup(ident);
}

static uint64_t count_rate(const struct counts *c, struct window *w)
{
	uint64_t now = clock_mono_ms();

	if (w->n == 0 || now - w->start_ms >= c->unit_ms)
		*w = (struct window){ now, 0 };
	return ++w->n;
}

int counts_event(struct counts *c, struct span ident, unsigned kind, int delta, struct anvil_counts *out_r)
{
	struct counts_client *x = delta < 0 ? htab_get(&c->clients, ident) : client_of(c, ident);

	*out_r = (struct anvil_counts){ .count = delta > 0, .rate = delta >= 0 };
	if (!x)
		return delta < 0 ? 0 : -1;
	if (delta < 0) {
		c->n_open -= x->open == 1;
		x->open -= x->open > 0;
	} else {
		c->n_open += delta > 0 && x->open == 0;
		x->open += (uint64_t)delta;
		out_r->rate = count_rate(c, &x->windows[kind]);
		note_peak(&c->rates[kind], out_r->rate, x->ident);
		note_peak(&c->open, x->open, x->ident);
	}
	out_r->count = x->open;
	return 0;
}

/* ---- statistics ---- */

/* As in Postfix's log: "Nov 22 06:37:00". */
static void stamp(char out[32], uint64_t at_ms)
{
	time_t t = (time_t)(at_ms / 1000);
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(out, 32, "%b %e %H:%M:%S", &tm);
}

static void peak_line(struct str *s, struct counts_peak *p, const char *what, uint64_t unit_ms)
{
	char at[32];

	stamp(at, p->at_ms);
	str_reset(s);
	if (unit_ms)
		str_addf(s, "statistics: max %s rate %llu/%llus for (%s) at %s", what, (unsigned long long)p->value,
			 (unsigned long long)unit_ms / 1000, p->ident, at);
	else
		str_addf(s, "statistics: max %s count %llu for (%s) at %s", what, (unsigned long long)p->value,
			 p->ident, at);
	free(p->ident);
	*p = (struct counts_peak){ 0 };
}

void counts_report(struct counts *c, void (*line)(void *arg, const char *text), void *arg)
{
	static const struct {
		unsigned kind;
		const char *what;
	} rows[] = {
		{ COUNTS_CONNECT, "connection" }, { ANVIL_MAIL, "message" }, { ANVIL_RCPT, "recipient" },
		{ ANVIL_NEWTLS, "newtls" }, { ANVIL_AUTH, "auth" },
		{ ANVIL_LOGIN, "login" },
	};
	struct str s = STR_INIT(4096);
	char at[32];
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		if (c->rates[rows[i].kind].value) {
			peak_line(&s, &c->rates[rows[i].kind], rows[i].what, c->unit_ms);
			line(arg, s.p);
		}
	}
	if (c->open.value) {
		peak_line(&s, &c->open, "connection", 0);
		line(arg, s.p);
	}
	if (c->size_peak) {
		stamp(at, c->size_at_ms);
		str_reset(&s);
		str_addf(&s, "statistics: max cache size %zu at %s", c->size_peak, at);
		line(arg, s.p);
		c->size_peak = 0;
	}
	str_fini(&s);
}

void counts_fini(struct counts *c)
{
	size_t i;

	while (c->quietest)
		forget(c, c->quietest);
	for (i = 0; i < COUNTS_KINDS; i++)
		free(c->rates[i].ident);
	free(c->open.ident);
	htab_fini(&c->clients);
}
