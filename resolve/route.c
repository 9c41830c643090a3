/* A recipient's way, each step the next one's input:
 *
 *   text ─▶ virtual aliases (nested) ─▶ class ─▶ transport ─┬─ local ───▶ alias ─▶ system user ─▶ local's own fallbacks
 *             │ EXPAND                                      ├─ virtual ─▶ mailbox, uid, gid
 *             ▼                                             ├─ error, retry: REJECT, DEFER
 *        each result comes back as a question of its own    └─ any other: DELIVER
 *
 * Every definite no (REJECT) is the answer of a table that was read; whatever cannot be read is a DEFER.
 */
#include "resolve/route.h"

#include "base/log.h"
#include "conf/param.h"
#include "resolve/expand.h"
#include "resolve/transport.h"
#include "svc/msg_queue.h"

struct way {
	const struct rules *r;
	const struct route_query *q;
	struct arena *a;
	struct route *out;
	struct lookup l;
	struct transport t;
};

static void refuse(struct way *w, enum route_action action, const char *dsn, const char *text)
{
	w->out->action = action;
	w->out->dsn = span_z(dsn);
	w->out->text = span_z(text);
}

/* A definite no only for ERR_PERM and ERR_PROTO. */
static void fail(struct way *w, const struct err *err)
{
	bool temp = err_is_temporary(err);
	const char *dsn = err->dsn[0] ? arena_strdup(w->a, err->dsn) : temp ? "4.3.0" : "5.1.3";

	refuse(w, temp ? ROUTE_DEFER : ROUTE_REJECT, dsn, arena_strdup(w->a, err->msg));
}

/* A setting that makes delivery impossible is told to the postmaster; the letter waits. */
static void misconfigured(struct way *w, const char *text)
{
	log_error("%.*s: %s", SPAN_ARG(w->l.wire), text);
	refuse(w, ROUTE_DEFER, "4.3.5", "mail system configuration error");
}

static void deliver(struct way *w)
{
	w->out->action = ROUTE_DELIVER;
	w->out->transport = w->t.name;
	w->out->nexthop = w->t.nexthop;
	w->out->address = w->l.wire;
}

static void expand(struct way *w, const struct expand *x)
{
	w->out->action = ROUTE_EXPAND;
	w->out->address = w->l.wire;
	w->out->news = (struct ipc_list){ x->v, x->n };
	w->out->has_sender = x->sender.n != 0 && w->q->sender.n != 0;   /* a notice stays one: RFC 5321 section 4.5.5 */
	if (w->out->has_sender)
		w->out->sender = x->sender;
}

/* ---- transport local ---- */

static void local_user(struct way *w, struct span user, struct span ext)
{
	deliver(w);
	w->out->user = user;
	w->out->extension = ext;
}

/* Users that the password file does not know, but that local may find. */
static bool local_has_fallback(const struct local_conf *c)
{
	return c->luser_relay[0] || c->mailbox_transport[0] || c->mailbox_transport_maps.n ||
	       c->fallback_transport[0] || c->fallback_transport_maps.n;
}

/* RFC 5321 section 4.5.1: postmaster exists wherever mail is accepted; without an alias it is root. */
static void local_postmaster(struct way *w)
{
	struct address root = { SPAN_LIT("root"), w->l.domain };
	struct expand x = { .n = 1 };
	struct str text = STR_INIT(4 * ADDRESS_MAX);

	(void)!address_format(&text, &root);
	x.v = arena_new(w->a, struct route_new);
	x.v[0] = (struct route_new){ arena_span(w->a, str_span(&text)), RCPT_ADDRESS, SPAN_NULL };
	str_fini(&text);
	expand(w, &x);
}

static void local_unknown(struct way *w, struct span base)
{
	if (!w->q->via.n && local_has_fallback(&w->r->local))
		local_user(w, base, w->l.ext);
	else if (span_eqz(base, "postmaster") && !w->q->is_final)
		local_postmaster(w);
	else
		refuse(w, ROUTE_REJECT, "5.1.1", "User unknown in local recipient table");
}

static void route_local(struct way *w)
{
	struct span whole = rules_lower(w->a, w->l.local), base = rules_lower(w->a, w->l.base), entry;
	struct err err = ERR_INIT;
	struct expand x;
	enum map_rc rc = MAP_NONE;

	if (!w->q->is_final && w->r->alias_maps.n)
		rc = expand_alias(&x, w->r, &w->l, w->a, &err);
	if (rc == MAP_FOUND) {
		expand(w, &x);
		return;
	}
	if (rc == MAP_NONE)
		rc = maps_get(w->r->passwd, whole, w->a, &entry, &err);
	if (rc == MAP_FOUND) {
		local_user(w, whole, SPAN_NULL);
		return;
	}
	if (rc == MAP_NONE && w->l.has_ext)
		rc = maps_get(w->r->passwd, base, w->a, &entry, &err);
	if (rc == MAP_FOUND)
		local_user(w, base, w->l.ext);
	else if (rc == MAP_NONE)
		local_unknown(w, base);
	else
		fail(w, &err);
}

/* ---- transport virtual ---- */

/* Only what cannot leave virtual_mailbox_base: a pattern table may have put bytes of the address into the path. */
static bool is_safe_path(struct span path)
{
	struct span rest = path, part;
	size_t i;

	for (i = 0; i < path.n; i++) {
		if ((unsigned char)path.p[i] < ' ' || path.p[i] == 127)
			return false;
	}
	while (rest.n) {
		span_cut(rest, '/', &part, &rest);
		if (span_eqz(part, "..") || span_eqz(part, "."))
			return false;
	}
	return path.n > 0;
}

/* virtual_mailbox_base in front, but not of what is below it already or comes from the user store; empty without a
 * base. */
static struct span mailbox_path(struct way *w, const struct lookup_hit *hit)
{
	const char *base = w->r->global.virtual_mailbox_base;
	size_t n = strlen(base);
	bool is_whole = hit->value.p[0] == '/' &&
			(n == 0 || span_starts(span_z(maps_name(hit->table)), "users:") ||
			 (span_starts(hit->value, base) && hit->value.n > n && hit->value.p[n] == '/'));
	const char *end = hit->value.p[hit->value.n - 1] == '/' ? "" : "/";

	if (!is_whole && n == 0)
		return SPAN_NULL;
	if (is_whole)
		return span_z(arena_printf(w->a, "%.*s%s", SPAN_ARG(hit->value), end));
	return span_z(arena_printf(w->a, "%s/%.*s%s", base, SPAN_ARG(hit->value), end));
}

/* 0; -1 when *w has its answer. */
static int virtual_id(struct way *w, const struct maps_list *maps, const char *what, uint64_t min, uint64_t *id_r)
{
	struct err err = ERR_INIT;
	struct lookup_hit hit;
	enum map_rc rc = lookup_address(&hit, w->r, maps, &w->l, w->a, &err);

	if (rc == MAP_FOUND && span_u64(hit.value, UINT32_MAX - 1, id_r) == 0 && *id_r >= min)
		return 0;
	if (rc == MAP_TEMP)
		fail(w, &err);
	else if (rc == MAP_NONE)
		misconfigured(w, arena_printf(w->a, "virtual_%s_maps has no %s for this mailbox", what, what));
	else
		misconfigured(w, arena_printf(w->a, "virtual_%s_maps gives '%.*s', which is no %s of at least %llu "
					      "(virtual_minimum_uid)", what, SPAN_ARG(hit.value), what,
					      (unsigned long long)min));
	return -1;
}

/* 0; -1 when *w has its answer. */
static int virtual_quota(struct way *w)
{
	struct err err = ERR_INIT;
	struct lookup_hit hit;
	enum map_rc rc = lookup_address(&hit, w->r, &w->r->virtual_limit_maps, &w->l, w->a, &err);

	w->out->quota = w->r->local.virtual_mailbox_limit;
	if (rc == MAP_NONE || (rc == MAP_FOUND && param_size(hit.value, &w->out->quota) == 0))
		return 0;
	if (rc == MAP_TEMP)
		fail(w, &err);
	else
		misconfigured(w, arena_printf(w->a, "virtual_mailbox_limit_maps gives '%.*s', which is no size",
					      SPAN_ARG(hit.value)));
	return -1;
}

static void route_virtual(struct way *w)
{
	struct err err = ERR_INIT;
	struct lookup_hit hit;
	enum map_rc rc = lookup_address(&hit, w->r, &w->r->virtual_mailbox_maps, &w->l, w->a, &err);

	if (rc == MAP_TEMP) {
		fail(w, &err);
		return;
	}
	if (rc == MAP_NONE || !is_safe_path(hit.value)) {
		refuse(w, ROUTE_REJECT, "5.1.1", "User unknown in virtual mailbox table");
		return;
	}
	w->out->maildir = mailbox_path(w, &hit);
	if (w->out->maildir.n == 0) {
		misconfigured(w, "virtual_mailbox_base is not set, and virtual_mailbox_maps gives a relative path");
		return;
	}
	if (virtual_id(w, &w->r->virtual_uid_maps, "uid", w->r->global.virtual_minimum_uid, &w->out->uid) < 0 ||
	    virtual_id(w, &w->r->virtual_gid_maps, "gid", 1, &w->out->gid) < 0 || virtual_quota(w) < 0)
		return;
	deliver(w);
}

/* ---- the others ---- */

/* "5.1.1 text", "text" or nothing (error(8)); a 4 in front is a delay. */
static void route_error(struct way *w, bool is_retry)
{
	struct span text = w->t.nexthop, dsn, rest;
	char first = text.n ? text.p[0] : ' ';

	span_cut(text, ' ', &dsn, &rest);
	if (dsn.n < 5 || (first != '5' && first != '4') || dsn.p[1] != '.' || span_chr(span_from(dsn, 2), '.') < 0) {
		dsn = is_retry ? SPAN_LIT("4.0.0") : SPAN_LIT("5.0.0");
		rest = text;
	}
	w->out->action = is_retry || dsn.p[0] == '4' ? ROUTE_DEFER : ROUTE_REJECT;
	w->out->transport = w->t.name;
	w->out->dsn = dsn;
	w->out->text = rest.n ? span_trim(rest) : SPAN_LIT("Address is undeliverable");
}

/* Virtual mailboxes that another transport serves still have to exist where a table of them is kept. */
static void route_foreign(struct way *w)
{
	struct err err = ERR_INIT;
	struct lookup_hit hit;
	enum map_rc rc = MAP_FOUND;

	if (w->l.class == ADDR_VIRTUAL_MAILBOX && w->r->virtual_mailbox_maps.n)
		rc = lookup_address(&hit, w->r, &w->r->virtual_mailbox_maps, &w->l, w->a, &err);
	if (rc == MAP_TEMP)
		fail(w, &err);
	else if (rc == MAP_NONE)
		refuse(w, ROUTE_REJECT, "5.1.1", "User unknown in virtual mailbox table");
	else
		deliver(w);
}

/* local's word on the transport goes before all tables; its own nexthop serves one without. */
static enum map_rc find_transport(struct way *w, struct err *err)
{
	if (!w->q->via.n)
		return transport_find(&w->t, w->r, &w->l, w->q->sender, w->a, err);
	w->t = (struct transport){ SPAN_LIT("error"), span_z(w->r->global.myhostname) };
	transport_apply(&w->t, w->q->via);
	return MAP_FOUND;
}

static void route_transport(struct way *w)
{
	struct err err = ERR_INIT;

	if (find_transport(w, &err) == MAP_TEMP)
		fail(w, &err);
	else if (span_eqz(w->t.name, "local"))
		route_local(w);
	else if (span_eqz(w->t.name, "virtual"))
		route_virtual(w);
	else if (span_eqz(w->t.name, "error") || span_eqz(w->t.name, "retry"))
		route_error(w, span_eqz(w->t.name, "retry"));
	else
		route_foreign(w);
}

/* A virtual alias that names itself beside others takes the step of its own local alias at once: when qmgr asks again
 * for the address that came out of itself, no alias applies to it any more. */
static void merge_self(struct way *w, struct expand *x)
{
	struct err err = ERR_INIT;
	struct expand more;
	struct route_new *v;
	size_t i = 0;

	while (i < x->n && !span_eq(x->v[i].address, w->q->address))
		i++;
	if (i == x->n || w->r->alias_maps.n == 0 ||
	    transport_find(&w->t, w->r, &w->l, w->q->sender, w->a, &err) == MAP_TEMP || !span_eqz(w->t.name, "local") ||
	    expand_alias(&more, w->r, &w->l, w->a, &err) != MAP_FOUND)
		return;
	v = arena_alloc(w->a, (x->n + more.n) * sizeof(*v));
	memcpy(v, x->v, x->n * sizeof(*v));
	v[i] = more.v[0];
	memcpy(v + x->n, more.v + 1, (more.n - 1) * sizeof(*v));
	x->v = v;
	x->n += more.n - 1;
}

static void route_address(struct way *w)
{
	struct err err = ERR_INIT;
	struct expand x;
	enum map_rc rc = lookup_parse(&w->l, w->r, w->q->address, w->a, &err);

	if (rc != MAP_FOUND) {
		fail(w, &err);
		return;
	}
	w->out->class = w->l.class;
	rc = w->q->is_final ? MAP_NONE : expand_virtual(&x, w->r, &w->l, w->q->address, w->a, &err);
	if (rc == MAP_TEMP) {
		fail(w, &err);
	} else if (rc == MAP_FOUND) {
		merge_self(w, &x);
		expand(w, &x);
	} else {
		route_transport(w);
	}
}

void route_get(struct route *out, const struct rules *r, const struct route_query *q, struct arena *a)
{
	struct way w = { .r = r, .q = q, .a = a, .out = out };

	*out = (struct route){ 0 };
	if (q->kind == RCPT_ADDRESS) {
		route_address(&w);
		return;
	}
	out->class = ADDR_LOCAL;
	out->action = ROUTE_DELIVER;
	out->transport = SPAN_LIT("local");
	out->nexthop = span_z(r->global.myhostname);
	out->address = q->address;
	out->user = q->as_user;
}
