#include "resolve/expand.h"

#include "base/htab.h"
#include "base/log.h"
#include "proto/aliases.h"
#include "svc/msg_queue.h"

#define NEWS_MAX 100000

struct word {
	enum aliases_kind kind;
	struct span text;
};

/* A right-hand side taken apart. */
struct words {
	struct arena *a;
	struct word *v;
	size_t n, cap;
};

/* Room for one more element behind n; the old array dies with the arena. */
static void *grow(struct arena *a, void *v, size_t n, size_t *cap, size_t size)
{
	void *wider;

	if (n < *cap)
		return v;
	*cap = *cap * 2 + 8;
	wider = arena_alloc(a, *cap * size);
	if (n)
		memcpy(wider, v, n * size);
	return wider;
}

static int add_word(void *arg, enum aliases_kind kind, struct span text, struct err *err)
{
	struct words *w = arg;

	if (w->n == NEWS_MAX)
		return err_set(err, ERR_TEMP, "more than %d destinations", NEWS_MAX);
	w->v = grow(w->a, w->v, w->n, &w->cap, sizeof(*w->v));
	w->v[w->n++] = (struct word){ kind, text };
	return 0;
}

/* A table that holds nonsense is a fault of ours, not of the sender: the letter waits. */
static enum map_rc broken_value(const struct lookup *l, const struct lookup_hit *hit, struct err *err)
{
	char why[sizeof(err->msg)];

	snprintf(why, sizeof(why), "%s", err->msg);
	err_dsn(err, ERR_TEMP, "4.3.5", "table %s has a wrong value for %.*s: %s", maps_name(hit->table),
		SPAN_ARG(l->wire), why);
	return MAP_TEMP;
}

static int read_value(struct words *w, const struct lookup_hit *hit, struct err *err)
{
	if (aliases_parse(hit->value, w->a, add_word, w, err) < 0)
		return -1;
	return w->n ? 0 : err_set(err, ERR_TEMP, "it names nobody");
}

/* An address of a right-hand side, completed: "@domain" takes the local part of the left, and an extension that the key
 * did not have goes on to the result where propagate_unmatched_extensions says so. */
static enum map_rc parse_result(struct lookup *to, const struct rules *r, struct span text, const struct lookup *from,
				const struct lookup_hit *hit, bool extends, struct arena *a, struct err *err)
{
	enum map_rc rc;

	if (text.n > 1 && text.p[0] == '@') {
		struct address whole = { from->local, span_from(text, 1) };
		struct str s = STR_INIT(4 * ADDRESS_MAX);

		(void)!address_format(&s, &whole);
		text = arena_span(a, str_span(&s));
		str_fini(&s);
		extends = false;
	}
	rc = lookup_parse(to, r, text, a, err);
	if (rc != MAP_FOUND || !extends || !hit->is_unextended)
		return rc;
	to->local = span_z(
		arena_printf(a, "%.*s%c%.*s", SPAN_ARG(to->local), from->local.p[from->base.n], SPAN_ARG(from->ext)));
	return lookup_complete(to, r, a, err) < 0 ? MAP_NONE : MAP_FOUND;
}

/* ---- virtual aliases ---- */

struct node {
	struct lookup l;
	struct node *parent;
	unsigned depth;
	bool is_leaf;                   /* stands in the result */
};

struct tree {
	const struct rules *r;
	struct arena *a;
	struct node *root;
	struct htab seen;               /* key in lower case -> node */
	struct node **todo;
	size_t n, cap;
	struct expand *x;
	size_t x_cap;
};

static void add_leaf(struct tree *t, struct node *at, struct span asked)
{
	if (at->is_leaf)
		return;
	at->is_leaf = true;
	t->x->v = grow(t->a, t->x->v, t->x->n, &t->x_cap, sizeof(*t->x->v));
	t->x->v[t->x->n++] = (struct route_new){ at == t->root ? asked : at->l.wire, RCPT_ADDRESS, SPAN_NULL };
}

static void add_node(struct tree *t, const struct lookup *l, struct node *parent)
{
	struct node *n = arena_new(t->a, struct node);

	*n = (struct node){ *l, parent, parent ? parent->depth + 1 : 0, false };
	htab_put(&t->seen, rules_lower(t->a, l->key), n);
	t->todo = grow(t->a, t->todo, t->n, &t->cap, sizeof(*t->todo));
	t->todo[t->n++] = n;
}

static enum map_rc limit(const struct tree *t, struct err *err, const char *what)
{
	err_dsn(err, ERR_PERM, "5.4.6", "virtual alias loop or %s for %.*s", what, SPAN_ARG(t->root->l.wire));
	return MAP_TEMP;
}

static bool is_below_itself(const struct node *parent, const struct lookup *l)
{
	while ((parent = parent->parent) != NULL && !span_same_nocase(parent->l.key, l->key))
		;
	return parent != NULL;
}

/* A name that was met elsewhere is done there; one that leads back to itself over others never ends. */
static enum map_rc add_child(struct tree *t, struct node *parent, const struct lookup *l, struct span asked,
			     struct err *err)
{
	if (l->wire.n > t->r->resolve.virtual_alias_address_length_limit)
		return limit(t, err, "too long an address");
	if (span_same_nocase(l->key, parent->l.key)) {
		add_leaf(t, parent, asked);
		return MAP_FOUND;
	}
	if (is_below_itself(parent, l))
		return limit(t, err, "endless nesting");
	if (htab_get(&t->seen, rules_lower(t->a, l->key)))
		return MAP_FOUND;
	if (t->n > t->r->resolve.virtual_alias_expansion_limit)
		return limit(t, err, "too many addresses");
	add_node(t, l, parent);
	return MAP_FOUND;
}

static enum map_rc visit(struct tree *t, struct node *at, struct span asked, struct err *err)
{
	struct words w = { .a = t->a };
	struct lookup_hit hit;
	enum map_rc rc;
	size_t i;

	if (at->depth > t->r->resolve.virtual_alias_recursion_limit)
		return limit(t, err, "too deep nesting");
	rc = lookup_address(&hit, t->r, &t->r->virtual_alias_maps, &at->l, t->a, err);
	if (rc == MAP_NONE)
		add_leaf(t, at, asked);
	if (rc != MAP_FOUND)
		return rc;
	if (read_value(&w, &hit, err) < 0)
		return broken_value(&at->l, &hit, err);
	for (i = 0; i < w.n; i++) {
		struct lookup l;

		rc = w.v[i].kind == ALIASES_ADDRESS ?
		     parse_result(&l, t->r, w.v[i].text, &at->l, &hit, t->r->extends_virtual, t->a, err) :
		     (enum map_rc)(err_set(err, ERR_TEMP, "commands and files are no virtual aliases"), MAP_NONE);
		if (rc == MAP_NONE)
			return broken_value(&at->l, &hit, err);
		if (rc == MAP_FOUND)
			rc = add_child(t, at, &l, asked, err);
		if (rc == MAP_TEMP)
			return rc;
	}
	return MAP_FOUND;
}

enum map_rc expand_virtual(struct expand *x, const struct rules *r, const struct lookup *l, struct span asked,
			   struct arena *a, struct err *err)
{
	struct tree t = { .r = r, .a = a, .x = x };
	enum map_rc rc = MAP_FOUND;
	size_t i;

	*x = (struct expand){ 0 };
	if (r->virtual_alias_maps.n == 0)
		return MAP_NONE;
	add_node(&t, l, NULL);
	t.root = t.todo[0];
	for (i = 0; i < t.n && rc != MAP_TEMP; i++)
		rc = visit(&t, t.todo[i], asked, err);
	htab_fini(&t.seen);
	if (rc == MAP_TEMP)
		return rc;
	return x->n == 1 && span_eq(x->v[0].address, asked) ? MAP_NONE : MAP_FOUND;
}

/* ---- aliases of local names ---- */

static int find_owner(struct expand *x, const struct rules *r, const struct lookup *l, const struct lookup_hit *of,
		      struct arena *a, struct err *err)
{
	struct span name = of->is_unextended ? l->base : l->local;
	struct words w = { .a = a };
	struct lookup owner = { 0 };
	struct lookup_hit hit;
	struct span text;
	enum map_rc rc;

	if (span_starts_nocase(name, "owner-"))
		return 0;
	owner.local = span_z(arena_printf(a, "owner-%.*s", SPAN_ARG(name)));
	rc = lookup_name(&hit, r, &r->alias_maps, &owner, a, err);
	if (rc != MAP_FOUND)
		return rc == MAP_TEMP ? -1 : 0;
	text = owner.local;
	if (r->local.expand_owner_alias && read_value(&w, &hit, err) == 0 && w.n == 1 && w.v[0].kind == ALIASES_ADDRESS)
		text = w.v[0].text;
	rc = lookup_parse(&owner, r, text, a, err);
	x->sender = owner.wire;
	return rc == MAP_FOUND ? 0 : -1;
}

/* The transport that returns the letter for a member that may not be there, NULL for one that may. */
static const char *restricted(const struct rules *r, uint64_t kind)
{
	if (kind == RCPT_COMMAND && !conf_list_has(&r->local.allow_mail_to_commands, SPAN_LIT("alias")))
		return ROUTE_NO_COMMAND;
	if (kind == RCPT_FILE && !conf_list_has(&r->local.allow_mail_to_files, SPAN_LIT("alias")))
		return ROUTE_NO_FILE;
	return NULL;
}

enum map_rc expand_alias(struct expand *x, const struct rules *r, const struct lookup *l, struct arena *a,
			 struct err *err)
{
	static const enum rcpt_kind kinds[] = { RCPT_ADDRESS, RCPT_COMMAND, RCPT_FILE, RCPT_INCLUDE };
	struct words w = { .a = a };
	struct lookup_hit hit;
	const char *owner;
	enum map_rc rc;
	size_t i, n_restricted = 0;

	*x = (struct expand){ 0 };
	rc = lookup_name(&hit, r, &r->alias_maps, l, a, err);
	if (rc != MAP_FOUND)
		return rc;
	if (read_value(&w, &hit, err) < 0)
		return broken_value(l, &hit, err);
	x->v = arena_alloc(a, w.n * sizeof(*x->v));
	owner = maps_owner(hit.table, a);
	for (i = 0; i < w.n; i++) {
		struct route_new n = { w.v[i].text, kinds[w.v[i].kind], span_z(owner) };
		const char *via = restricted(r, n.kind);
		struct lookup to;

		if (via) {
			log_warn("alias %.*s: mail to commands or files is not allowed here (allow_mail_to_commands, "
				 "allow_mail_to_files)", SPAN_ARG(l->local));
			/* the sender hears of this one, and the others get the letter */
			n_restricted++;
			x->v[x->n++] = (struct route_new){ .address = l->wire, .kind = RCPT_ADDRESS, .via = span_z(via) };
			continue;
		}
		if (n.kind == RCPT_ADDRESS) {
			rc = parse_result(&to, r, n.address, l, &hit, r->extends_alias, a, err);
			if (rc == MAP_NONE)
				return broken_value(l, &hit, err);
			if (rc == MAP_TEMP)
				return rc;
			n.address = to.wire;
			n.as_user = SPAN_NULL;
		}
		x->v[x->n++] = n;
	}
	if (x->n == n_restricted) {
		err_dsn(err, ERR_PERM, "5.7.1", "mail to commands and files is not allowed");
		return MAP_TEMP;
	}
	return find_owner(x, r, l, &hit, a, err) < 0 ? MAP_TEMP : MAP_FOUND;
}
