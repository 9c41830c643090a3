#include "resolve/service.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "resolve/check.h"
#include "resolve/full.h"
#include "resolve/route.h"

#define VALUE_MAX (IPC_FRAME_MAX - 1024)
#define PHASE_OTHER 1u
#define PHASE_QMGR 2u

struct peer {
	struct ipc ipc;
	struct service *s;
	LIST_ENTRY(peer) link;
};

/* A client name that is being searched. peer NULL: whoever asked is gone. */
struct search {
	struct dns_req req;
	struct peer *peer;
	uint32_t id;
	LIST_ENTRY(search) link;
};

struct service {
	struct loop *loop;
	struct rules *rules;
	struct dns *dns;
	struct full full;
	LIST_HEAD(, peer) peers;
	LIST_HEAD(, search) searches;
};

/* What a question needs is given back with its answer, so a burst in one turn stays small. */
struct turn {
	struct peer *p;
	struct arena *a;
	struct arena_mark mark;
};

static struct turn turn_begin(void *arg)
{
	struct peer *p = arg;

	return (struct turn){ p, &p->s->loop->tick, arena_mark(&p->s->loop->tick) };
}

static int answer(struct turn *t, uint32_t id, const struct ipc_desc *d, const void *in)
{
	int rc = ipc_reply(&t->p->ipc, id, d, in, NULL);

	arena_rewind(t->a, t->mark);
	return rc;
}

static void on_check(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct turn t = turn_begin(arg);
	struct rcpt_verdict out;

	check_rcpt(&out, t.p->s->rules, &t.p->s->full, in, t.a);
	if (answer(&t, id, &rcpt_verdict_desc, &out) < 0)
		log_error("a verdict could not be sent");
}

/* FNV-1a */
static uint64_t version_of(const struct ipc_list *news)
{
	const struct route_new *v = news->v;
	uint64_t h = 14695981039346656037u;
	size_t i, k;

	for (i = 0; i < news->n; i++) {
		for (k = 0; k <= v[i].address.n; k++)
			h = (h ^ (k < v[i].address.n ? (unsigned char)v[i].address.p[k] : 0)) * 1099511628211u;
	}
	return h;
}

/* Thousands of members go in several answers. */
static void take_part(struct route *out, uint64_t offset)
{
	struct ipc_list part = msg_resolve_part(&out->news, offset < out->news.n ? (size_t)offset : out->news.n);

	if (part.n == out->news.n)
		return;
	out->version = version_of(&out->news);
	out->more = offset + part.n < out->news.n;
	out->news = part;
}

static void on_route(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct route_query *q = in;
	struct turn t = turn_begin(arg);
	struct route out;

	route_get(&out, t.p->s->rules, q, t.a);
	if (out.action == ROUTE_EXPAND)
		take_part(&out, q->offset);
	if (answer(&t, id, &route_desc, &out) < 0)
		log_error("a route could not be sent");
}

static void on_full(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct service *s = ((struct peer *)arg)->s;
	uint64_t now = clock_mono_ms();

	full_note(&s->full, in, now, now + s->rules->resolve.full_mailbox_time_ms);
}

static void map_answer(struct map_value *out, const struct maps *maps, const struct map_query *q, struct arena *a)
{
	struct maps_table *table = maps_find(maps, q->map);
	const struct map_key *keys = q->keys.v;
	struct err err = ERR_INIT;
	enum map_rc rc = MAP_NONE;
	size_t i;

	*out = (struct map_value){ .status = MSG_TEMP };
	if (!table) {
		log_error("table %.*s was asked for, but the configuration does not name it", SPAN_ARG(q->map));
		out->text = SPAN_LIT("the configuration does not name this table");
		return;
	}
	for (i = 0; rc == MAP_NONE && i < q->keys.n && (i == 0 || !maps_is_pattern(table)); i++)
		rc = maps_get(table, keys[i].key, a, &out->value, &err);
	if (rc == MAP_TEMP || (rc == MAP_FOUND && out->value.n > VALUE_MAX))
		out->text = rc == MAP_TEMP ? span_z(arena_strdup(a, err.msg)) : SPAN_LIT("the value is too long");
	else
		out->status = rc == MAP_FOUND ? MSG_OK : MSG_NO;
	if (out->status != MSG_OK)
		out->value = SPAN_NULL;
}

static void on_map(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct turn t = turn_begin(arg);
	struct map_value out;

	map_answer(&out, t.p->s->rules->maps, in, t.a);
	if (answer(&t, id, &map_value_desc, &out) < 0)
		log_error("a table's value could not be sent");
}

/* ---- client names ---- */

static void search_free(struct search *x)
{
	LIST_REMOVE(x, link);
	free(x);
}

static void on_name(void *arg, const struct ptr_name *name)
{
	struct search *x = arg;

	if (x->peer && ipc_reply(&x->peer->ipc, x->id, &ptr_name_desc, name, NULL) < 0)
		log_error("a client's name could not be sent");
	search_free(x);
}

static void on_ptr(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct ptr_query *q = in;
	struct peer *p = arg;
	struct service *s = p->s;
	struct search *x = xnew(struct search);

	x->peer = p;
	x->id = id;
	LIST_INSERT_HEAD(&s->searches, x, link);
	dns_ptr(s->dns, &x->req, q->address, on_name, x);
}

/* ---- peers ---- */

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
	struct peer *p = arg;
	struct search *x;

	if (why->kind != ERR_NONE)
		log_error("channel to a client of resolve: %s", why->msg);
	LIST_FOREACH(x, &p->s->searches, link) {
		if (x->peer == p)
			x->peer = NULL;
	}
	LIST_REMOVE(p, link);
	free(p);
}

static const struct ipc_rule rules[] = {
	{ &rcpt_check_desc, ~0u, on_check },
	{ &route_query_desc, ~0u, on_route },
	{ &map_query_desc, ~0u, on_map },
	{ &ptr_query_desc, ~0u, on_ptr },
	{ &route_full_desc, PHASE_QMGR, on_full },
};

static const struct ipc_ops ops = { "resolve", rules, ARRAY_LEN(rules), on_lost, NULL };

void service_attach(struct service *s, struct span name, int *fd)
{
	struct peer *p = xnew(struct peer);

	p->s = s;
	LIST_INSERT_HEAD(&s->peers, p, link);
	ipc_init(&p->ipc, s->loop, &ops, p);
	ipc_attach(&p->ipc, fd);
	p->ipc.phase = span_eqz(name, "qmgr") ? PHASE_QMGR : PHASE_OTHER;
}

struct service *service_new(struct loop *loop, struct rules *r, struct dns *dns)
{
	struct service *s = xnew(struct service);

	s->loop = loop;
	s->rules = r;
	s->dns = dns;
	return s;
}

void service_change(struct service *s, struct rules *r, struct dns *dns)
{
	rules_free(s->rules);
	s->rules = r;
	full_fini(&s->full);            /* a limit may have been raised */
	if (!dns)
		return;
	dns_close(s->dns);
	s->dns = dns;
}

void service_free(struct service *s)
{
	dns_close(s->dns);
	while (!LIST_EMPTY(&s->peers)) {
		struct peer *p = LIST_FIRST(&s->peers);

		LIST_REMOVE(p, link);
		ipc_close(&p->ipc);
		free(p);
	}
	full_fini(&s->full);
	rules_free(s->rules);
	free(s);
}
