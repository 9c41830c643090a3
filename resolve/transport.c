#include "resolve/transport.h"

void transport_apply(struct transport *t, struct span value)
{
	struct span name, nexthop;

	span_cut(value, ':', &name, &nexthop);
	name = span_trim(name);
	nexthop = span_trim(nexthop);
	if (name.n)
		t->name = name;
	if (nexthop.n || span_eqz(name, "error") || span_eqz(name, "retry"))
		t->nexthop = nexthop;
}

/* A table's answer about the sender; the null sender stands in tables as empty_address_..._maps_lookup_key "<>". */
static enum map_rc by_sender(const struct rules *r, const struct maps_list *maps, struct span sender, struct arena *a,
			     struct span *value_r, struct err *err)
{
	struct lookup_hit hit;
	struct lookup from;
	enum map_rc rc;

	if (maps->n == 0)
		return MAP_NONE;
	if (sender.n == 0)
		return maps_list_get(maps, SPAN_LIT("<>"), false, a, value_r, NULL, err);
	rc = lookup_parse(&from, r, sender, a, err);
	if (rc == MAP_FOUND)
		rc = lookup_address(&hit, r, maps, &from, a, err);
	if (rc == MAP_FOUND)
		*value_r = hit.value;
	if (rc == MAP_FOUND && span_eq_nocase(*value_r, "DUNNO"))
		return MAP_NONE;
	return rc;
}

static enum map_rc for_others(struct transport *t, const struct rules *r, const struct lookup *l, struct span sender,
			      struct arena *a, struct err *err)
{
	struct span value = span_z(r->resolve.relayhost);
	enum map_rc rc = by_sender(r, &r->sender_relayhost_maps, sender, a, &value, err);

	if (rc == MAP_TEMP)
		return rc;
	if (value.n)
		t->nexthop = value;
	if (l->class == ADDR_RELAY) {
		transport_apply(t, span_z(r->resolve.relay_transport));
		return MAP_FOUND;
	}
	value = span_z(r->resolve.default_transport);
	rc = by_sender(r, &r->sender_transport_maps, sender, a, &value, err);
	transport_apply(t, value);
	return rc == MAP_TEMP ? rc : MAP_FOUND;
}

static enum map_rc for_class(struct transport *t, const struct rules *r, const struct lookup *l, struct span sender,
			     struct arena *a, struct err *err)
{
	*t = (struct transport){ SPAN_LIT("smtp"), l->domain };
	switch (l->class) {
	case ADDR_LOCAL:
		t->nexthop = span_z(r->global.myhostname);
		transport_apply(t, span_z(r->resolve.local_transport));
		return MAP_FOUND;
	case ADDR_VIRTUAL_MAILBOX:
		transport_apply(t, span_z(r->resolve.virtual_transport));
		return MAP_FOUND;
	case ADDR_VIRTUAL_ALIAS:
		*t = (struct transport){ SPAN_LIT("error"), SPAN_LIT("5.1.1 User unknown in virtual alias table") };
		return MAP_FOUND;
	case ADDR_RELAY:
	case ADDR_OTHER:
		break;
	}
	return for_others(t, r, l, sender, a, err);
}

enum map_rc transport_find(struct transport *t, const struct rules *r, const struct lookup *l, struct span sender,
			   struct arena *a, struct err *err)
{
	struct lookup_hit hit;
	struct span name, rest;
	enum map_rc rc = for_class(t, r, l, sender, a, err);

	if (rc == MAP_TEMP || r->transport_maps.n == 0 || l->class == ADDR_VIRTUAL_ALIAS)
		return rc;
	rc = lookup_transport(&hit, r, &r->transport_maps, l, a, err);
	if (rc != MAP_FOUND)
		return rc == MAP_TEMP ? rc : MAP_FOUND;
	span_cut(hit.value, ':', &name, &rest);
	if (span_trim(name).n)
		t->nexthop = l->domain;         /* a transport without nexthop goes to the domain, not to relayhost */
	transport_apply(t, hit.value);
	return MAP_FOUND;
}
