#include "resolve/full.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"

#define BOXES_MAX 10000
#define SMALL ((uint64_t)16 << 10)      /* what has no room for this has none for a letter of unknown size */

struct box {
	uint64_t until_ms;
	uint64_t size;                  /* of the smallest letter that did not fit */
};

/* The user of a local mailbox, else the Maildir. */
static struct span key_of(struct str *key, struct span transport, struct span user, struct span maildir)
{
	if (str_addf(key, "%.*s\n%.*s\n%.*s", SPAN_ARG(transport), SPAN_ARG(user), SPAN_ARG(maildir)) < 0)
		str_reset(key);
	return str_span(key);
}

static void forget_old(struct full *f, uint64_t now_ms)
{
	struct full left = { 0 };
	struct span key;
	size_t pos = 0;
	void *p;

	while (htab_next(&f->boxes, &pos, &key, &p)) {
		struct box *b = p;

		if (b->until_ms > now_ms)
			htab_put(&left.boxes, key, b);
		else
			free(b);
	}
	htab_fini(&f->boxes);
	*f = left;
}

void full_note(struct full *f, const struct route_full *m, uint64_t now_ms, uint64_t until_ms)
{
	struct str text = STR_INIT(10000);
	struct span key = key_of(&text, m->transport, m->user, m->maildir);
	struct box *b = key.n ? htab_get(&f->boxes, key) : NULL;

	if (!b && f->boxes.n >= BOXES_MAX)
		forget_old(f, now_ms);
	if (!b && key.n && f->boxes.n < BOXES_MAX) {
		b = xnew(struct box);
		htab_put(&f->boxes, key, b);
	}
	if (b) {
		b->size = b->until_ms > now_ms && b->size < m->size ? b->size : m->size;
		b->until_ms = until_ms;
	}
	str_fini(&text);
}

bool full_refuses(const struct full *f, const struct route *to, uint64_t size, uint64_t now_ms)
{
	struct str text = STR_INIT(10000);
	const struct box *b = NULL;

	if (f->boxes.n)
		b = htab_get(&f->boxes, key_of(&text, to->transport, to->user, to->maildir));
	str_fini(&text);
	return b && b->until_ms > now_ms && (size ? size : SMALL) >= b->size;
}

void full_fini(struct full *f)
{
	size_t pos = 0;
	void *p;

	while (htab_next(&f->boxes, &pos, NULL, &p))
		free(p);
	htab_fini(&f->boxes);
}
