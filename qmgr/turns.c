#include "qmgr/turns.h"

#include "base/mem.h"

/* Lives while something is queued or lent. */
struct destination {
	struct transport *transport;
	char *key;
	struct work_list ready;
	uint64_t lent;                  /* letters */
	TAILQ_ENTRY(destination) link;  /* while ready is not empty */
};

static struct span key_of(const struct work *w, struct arena *a)
{
	const struct queue_rcpt *r = &w->a->m.rcpts[w->at];
	struct span owner = r->as_user.n ? r->as_user : w->user;

	if (owner.n)
		return span_z(arena_printf(a, "user %.*s", SPAN_ARG(owner)));
	return span_z(arena_printf(a, "%llu %.*s", (unsigned long long)w->uid, SPAN_ARG(w->nexthop)));
}

static void settle(struct destination *d)
{
	if (d->lent || !TAILQ_EMPTY(&d->ready))
		return;
	htab_del(&d->transport->destinations, span_z(d->key));
	free(d->key);
	free(d);
}

static void unqueue(struct work *w)
{
	struct destination *d = w->destination;

	TAILQ_REMOVE(&d->ready, w, link);
	w->is_queued = false;
	w->a->n_queued--;
	if (TAILQ_EMPTY(&d->ready))
		TAILQ_REMOVE(&d->transport->turns, d, link);
}

void turns_queue(struct work *w)
{
	struct transport *t = w->transport;
	struct span key = key_of(w, &w->a->q->loop->tick);
	struct destination *d = htab_get(&t->destinations, key);

	if (!d) {
		d = xnew(struct destination);
		d->transport = t;
		d->key = xstrndup(key.p, key.n);
		TAILQ_INIT(&d->ready);
		htab_put(&t->destinations, key, d);
	}
	if (TAILQ_EMPTY(&d->ready))
		TAILQ_INSERT_TAIL(&t->turns, d, link);
	TAILQ_INSERT_TAIL(&d->ready, w, link);
	w->destination = d;
	w->is_queued = true;
	w->a->n_queued++;
}

struct work *turns_next(struct transport *t, uint64_t credit)
{
	struct destination *d;

	TAILQ_FOREACH(d, &t->turns, link) {
		if (d->lent >= credit)
			continue;
		TAILQ_REMOVE(&t->turns, d, link);
		TAILQ_INSERT_TAIL(&t->turns, d, link);
		return TAILQ_FIRST(&d->ready);
	}
	return NULL;
}

struct work *turns_any(const struct transport *t)
{
	const struct destination *d = TAILQ_FIRST(&t->turns);

	return d ? TAILQ_FIRST(&d->ready) : NULL;
}

void turns_lend(struct work *w)
{
	unqueue(w);
	w->destination->lent++;
}

void turns_leave(struct work *w)
{
	struct destination *d = w->destination;

	if (!d)
		return;
	if (w->is_queued)
		unqueue(w);
	else
		d->lent--;
	w->destination = NULL;
	settle(d);
}
