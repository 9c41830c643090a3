#include "resolve/lookup.h"

#define REWRITES_MAX 10

static struct span join(struct arena *a, struct span local, struct span domain)
{
	char *z = arena_alloc(a, local.n + domain.n + 2);

	if (local.n)
		memcpy(z, local.p, local.n);
	z[local.n] = '@';
	memcpy(z + local.n + 1, domain.p, domain.n);
	return (struct span){ z, local.n + 1 + domain.n };
}

/* ---- parsing ---- */

/* site!user, user%domain: read as a domain only where the configuration says so and no other domain stands. */
static bool rewrite(const struct rules *r, struct address *addr)
{
	ptrdiff_t bang = r->resolve.swap_bangpath ? span_chr(addr->local, '!') : -1;
	ptrdiff_t percent = r->resolve.allow_percent_hack ? span_rchr(addr->local, '%') : -1;
	struct span local = addr->local;

	if (bang > 0 && (size_t)bang + 1 < local.n) {
		addr->domain = span_sub(local, 0, (size_t)bang);
		addr->local = span_from(local, (size_t)bang + 1);
	} else if (percent > 0 && (size_t)percent + 1 < local.n) {
		addr->domain = span_from(local, (size_t)percent + 1);
		addr->local = span_sub(local, 0, (size_t)percent);
	} else {
		return false;
	}
	return address_domain_valid(addr->domain, true);
}

static int complete_domain(struct lookup *l, const struct rules *r, struct address addr, struct arena *a,
			   struct err *err)
{
	struct str domain = STR_INIT(ADDRESS_DOMAIN_MAX + 1);
	struct span literal;
	int rc;

	if (addr.domain.n == 0)
		addr.domain = span_z(r->resolve.append_at_myorigin ? r->global.myorigin : r->global.myhostname);
	if (r->resolve.append_dot_mydomain && span_chr(addr.domain, '.') < 0 && addr.domain.p[0] != '[' &&
	    !span_eq_nocase(addr.domain, "localhost"))
		addr.domain = span_z(arena_printf(a, "%.*s.%s", SPAN_ARG(addr.domain), r->global.mydomain));
	literal = span_z(arena_printf(a, "[%.*s]", SPAN_ARG(addr.domain)));
	if (address_literal_valid(literal)) {
		if (!r->resolve.resolve_numeric_domain)
			return err_set(err, ERR_PROTO, "bad address syntax: %.*s without brackets is no domain",
				       SPAN_ARG(addr.domain));
		addr.domain = literal;
	}
	rc = address_domain_normal(&domain, addr.domain, err);
	if (rc == 0)
		l->domain = arena_span(a, str_span(&domain));
	str_fini(&domain);
	return rc;
}

int lookup_complete(struct lookup *l, const struct rules *r, struct arena *a, struct err *err)
{
	struct address addr = { l->local, l->domain };
	struct str wire = STR_INIT(3 * ADDRESS_MAX + 8);
	size_t i;
	int rc = address_format(&wire, &addr);

	if (rc < 0) {
		str_fini(&wire);
		return err_set(err, ERR_PROTO, "the address is too long");
	}
	l->wire = arena_span(a, str_span(&wire));
	str_fini(&wire);
	if (!r->resolve.resolve_dequoted_address)
		address_split(l->wire, &l->local, &l->domain);
	/* what stands in quotes is no operator then */
	for (i = 0; i < l->local.n && (r->resolve.resolve_dequoted_address || l->local.p[0] != '"'); i++) {
		if (l->local.p[i] == '@' || l->local.p[i] == '%' || l->local.p[i] == '!')
			l->is_routed = true;
	}
	l->has_ext = rules_extension(r, l->local, &l->base, &l->ext);
	l->key = join(a, l->local, l->domain);
	return 0;
}

enum map_rc lookup_parse(struct lookup *l, const struct rules *r, struct span text, struct arena *a, struct err *err)
{
	struct address addr;
	unsigned i = 0;

	*l = (struct lookup){ 0 };
	if (text.n == 0)
		text = span_z(r->global.empty_address_recipient);
	if (address_parse(a, text, ADDRESS_NO_DOMAIN_OK | ADDRESS_UTF8, &addr, err) < 0)
		goto bad;
	if (addr.domain.n == 0)
		l->is_routed = rewrite(r, &addr);
	for (;;) {
		if (complete_domain(l, r, addr, a, err) < 0)
			goto bad;
		if (rules_class(r, l->domain, a, &l->class, err) == MAP_TEMP)
			return MAP_TEMP;
		if (l->class != ADDR_LOCAL || ++i > REWRITES_MAX || !rewrite(r, &addr))
			break;
		l->is_routed = true;
	}
	l->local = addr.local;
	if (lookup_complete(l, r, a, err) == 0)
		return MAP_FOUND;
bad:
	err->kind = ERR_PROTO;
	snprintf(err->dsn, sizeof(err->dsn), "5.1.3");
	return MAP_NONE;
}

/* ---- asking ---- */

struct ask {
	struct lookup_hit *hit;
	const struct maps_list *maps;
	struct arena *a;
	struct err *err;
};

static enum map_rc ask(const struct ask *k, struct span key, bool is_partial)
{
	return maps_list_get(k->maps, key, is_partial, k->a, &k->hit->value, &k->hit->table, k->err);
}

static bool is_own_domain(const struct rules *r, const struct lookup *l)
{
	return l->class == ADDR_LOCAL || span_eq_nocase(l->domain, r->global.myorigin);
}

/* local and base under the given end ("@domain" or nothing). */
static enum map_rc ask_both(const struct ask *k, const struct lookup *l, bool has_domain, bool is_partial)
{
	enum map_rc rc = ask(k, has_domain ? l->key : l->local, is_partial);

	if (rc == MAP_NONE && l->has_ext) {
		rc = ask(k, has_domain ? join(k->a, l->base, l->domain) : l->base, true);
		k->hit->is_unextended = rc == MAP_FOUND;
	}
	return rc;
}

enum map_rc lookup_address(struct lookup_hit *hit, const struct rules *r, const struct maps_list *maps,
			   const struct lookup *l, struct arena *a, struct err *err)
{
	struct ask k = { hit, maps, a, err };
	enum map_rc rc;

	*hit = (struct lookup_hit){ 0 };
	rc = ask_both(&k, l, true, false);
	if (rc == MAP_NONE && is_own_domain(r, l))
		rc = ask_both(&k, l, false, true);
	return rc == MAP_NONE ? ask(&k, join(a, SPAN_NULL, l->domain), true) : rc;
}

enum map_rc lookup_transport(struct lookup_hit *hit, const struct rules *r, const struct maps_list *maps,
			     const struct lookup *l, struct arena *a, struct err *err)
{
	struct ask k = { hit, maps, a, err };
	struct span parent = l->domain;
	ptrdiff_t dot;
	enum map_rc rc;

	*hit = (struct lookup_hit){ 0 };
	rc = ask_both(&k, l, true, false);
	if (rc == MAP_NONE)
		rc = ask(&k, l->domain, true);
	while (rc == MAP_NONE && l->domain.p[0] != '[' && (dot = span_chr(parent, '.')) >= 0) {
		parent = span_from(parent, (size_t)dot);
		rc = ask(&k, r->transport_has_subdomains ? span_from(parent, 1) : parent, true);
		parent = span_from(parent, 1);
	}
	if (rc == MAP_NONE)
		rc = ask(&k, SPAN_LIT("*"), true);
	return rc;
}

enum map_rc lookup_name(struct lookup_hit *hit, const struct rules *r, const struct maps_list *maps,
			const struct lookup *l, struct arena *a, struct err *err)
{
	struct ask k = { hit, maps, a, err };
	struct lookup low = *l;

	*hit = (struct lookup_hit){ 0 };
	low.local = rules_lower(a, l->local);
	low.base = rules_lower(a, l->base);
	return ask_both(&k, &low, false, false);
}
