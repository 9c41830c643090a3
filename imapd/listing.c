#include "imapd/listing.h"

#include "imapd/names.h"
#include "proto/imap_pattern.h"

static bool matches(const struct imap_pattern *v, size_t n, struct span name)
{
	for (size_t i = 0; i < n; i++)
		if (imap_pattern_match(&v[i], name) & IMAP_PATTERN_SELF)
			return true;
	return false;
}

/* A name is there when it is a folder or stands above one; those that are only subscribed are seen when asked for. */
static bool meets(const struct folder *f, unsigned select)
{
	if ((select & IMAP_LIST_SUBSCRIBED) && !f->is_subscribed)
		return false;
	if ((select & IMAP_LIST_SPECIAL_USE) && !f->special)
		return false;
	return (select & IMAP_LIST_SUBSCRIBED) || f->exists || f->has_children;
}

/* Tells all parents of what meets the selection; the list has them before their children. */
static void tell_parents(struct listing *l)
{
	size_t above[FOLDER_DEPTH_MAX + 1], depth = 0;

	for (size_t i = 0; i < l->folders.n; i++) {
		struct span name = span_z(l->folders.v[i].name);

		while (depth > 0 && !folder_is_below(name, span_z(l->folders.v[above[depth - 1]].name)))
			depth--;
		for (size_t k = 0; k < depth && (l->bits[i] & LISTING_MEETS); k++)
			l->bits[above[k]] |= LISTING_BELOW | (l->bits[i] & LISTING_MATCHES ? 0 : LISTING_HIDDEN);
		above[depth++] = i;
	}
}

/* A pattern too long for any name is ignored (RFC 9051 section 6.3.9). */
static size_t prepare(struct session *s, const struct imap_list *args, struct imap_pattern *v)
{
	size_t n = 0;

	for (size_t i = 0; i < args->n; i++)
		if (args->patterns[i].n && imap_pattern_init(&v[n], &s->tick, args->reference, args->patterns[i], FOLDER_SEP) == 0)
			n++;
	return n;
}

int listing_make(struct session *s, const struct imap_list *args, struct listing *out_r, struct err *err)
{
	struct imap_pattern *v = arena_alloc(&s->tick, args->n * sizeof(*v));
	size_t n = prepare(s, args, v);
	struct listing l;

	if (folder_list(&s->store, &s->tick, &l.folders, err) < 0)
		return -1;
	l.bits = arena_alloc(&s->tick, l.folders.n);
	for (size_t i = 0; i < l.folders.n; i++) {
		const struct folder *f = &l.folders.v[i];

		if (meets(f, args->select))
			l.bits[i] |= LISTING_MEETS;
		if (matches(v, n, names_wire(s, span_z(f->name))))
			l.bits[i] |= LISTING_MATCHES;
	}
	tell_parents(&l);
	for (size_t i = 0; i < l.folders.n; i++) {
		bool is_parent = (args->select & IMAP_LIST_RECURSIVEMATCH) && (l.bits[i] & LISTING_HIDDEN);

		if ((l.bits[i] & LISTING_MATCHES) && ((l.bits[i] & LISTING_MEETS) || is_parent))
			l.bits[i] |= LISTING_SHOWN;
	}
	*out_r = l;
	return 0;
}
