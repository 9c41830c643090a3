#include "anvil/service.h"

#include <sys/queue.h>

#include "base/log.h"
#include "base/mem.h"

#define IDENT_MAX 512u

struct peer {
	struct ipc ipc;
	struct service *s;
	struct htab open;               /* ident -> struct opened *: for the day it is gone */
	LIST_ENTRY(peer) link;
};

struct opened {
	uint64_t n;
};

struct service {
	struct loop *loop;
	LIST_HEAD(, peer) peers;
	struct counts counts;
	uv_timer_t *timer;
	bool was_full;
};

static void note_open(struct peer *p, struct span ident)
{
	struct opened *o = htab_get(&p->open, ident);

	if (!o) {
		o = xnew(struct opened);
		htab_put(&p->open, ident, o);
	}
	o->n++;
}

/* False for what this peer never opened: a broken peer must not take others' counts down. */
static bool note_end(struct peer *p, struct span ident)
{
	struct opened *o = htab_get(&p->open, ident);

	if (!o)
		return false;
	if (--o->n == 0)
		free(htab_del(&p->open, ident));
	return true;
}

static void count(struct peer *p, struct span ident, unsigned kind, int delta, struct anvil_counts *out)
{
	struct service *s = p->s;
	int rc;

	*out = (struct anvil_counts){ 0 };
	if (ident.n == 0 || ident.n > IDENT_MAX || (delta < 0 && !note_end(p, ident)))
		return;
	rc = counts_event(&s->counts, ident, kind, delta, out);
	if (rc == 0 && delta > 0)
		note_open(p, ident);
	if (rc < 0 && !s->was_full)
		log_warn("%zu clients are connected at once; more are not counted (anvil_client_limit)", s->counts.max);
	s->was_full = rc < 0;
}

static void reply(struct ipc *c, uint32_t id, const struct anvil_counts *out)
{
	if (ipc_reply(c, id, &anvil_counts_desc, out, NULL) < 0)
		log_error("counts could not be sent");
}

static void on_connect(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct anvil_connect *m = in;
	struct anvil_counts out;

	count(arg, m->ident, COUNTS_CONNECT, 1, &out);
	reply(c, id, &out);
}

static void on_disconnect(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct anvil_disconnect *m = in;
	struct anvil_counts out;

	count(arg, m->ident, COUNTS_CONNECT, -1, &out);
}

static void on_event(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct anvil_occurred *m = in;
	struct peer *p = arg;
	struct anvil_counts out = { 0 };

	if (m->event < COUNTS_CONNECT)
		count(p, m->ident, (unsigned)m->event, (m->event == ANVIL_LOGIN) - (m->event == ANVIL_LOGOUT), &out);
	reply(c, id, &out);
}

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
	struct peer *p = arg;
	struct anvil_counts ignored;
	struct span ident;
	size_t pos = 0;
	void *value;

	if (why->kind != ERR_NONE)
		log_error("channel to a client of anvil: %s", why->msg);
	while (htab_next(&p->open, &pos, &ident, &value)) {
		struct opened *o = value;

		for (; o->n; o->n--)
			counts_event(&p->s->counts, ident, COUNTS_CONNECT, -1, &ignored);
		free(o);
	}
	htab_fini(&p->open);
	LIST_REMOVE(p, link);
	free(p);
}

static const struct ipc_rule rules[] = {
	{ &anvil_connect_desc, ~0u, on_connect },
	{ &anvil_disconnect_desc, ~0u, on_disconnect },
	{ &anvil_occurred_desc, ~0u, on_event },
};

static const struct ipc_ops ops = { "anvil", rules, ARRAY_LEN(rules), on_lost, NULL };

void service_attach(struct service *s, int *fd)
{
	struct peer *p = xnew(struct peer);

	p->s = s;
	LIST_INSERT_HEAD(&s->peers, p, link);
	ipc_init(&p->ipc, s->loop, &ops, p);
	ipc_attach(&p->ipc, fd);
}

static void log_line(void *arg, const char *text)
{
	log_info("%s", text);
}

void service_report(struct service *s)
{
	counts_report(&s->counts, log_line, NULL);
}

static void on_timer(uv_timer_t *t)
{
	service_report(t->data);
}

void service_configure(struct service *s, const struct anvil_conf *conf)
{
	s->counts.unit_ms = conf->anvil_rate_time_unit_ms;
	s->counts.max = conf->anvil_client_limit;
	uv_timer_start(s->timer, on_timer, conf->anvil_status_update_time_ms, conf->anvil_status_update_time_ms);
}

struct service *service_new(struct loop *loop, const struct anvil_conf *conf)
{
	struct service *s = xnew(struct service);

	s->loop = loop;
	counts_init(&s->counts, 0, 0);
	s->timer = xnew(uv_timer_t);
	uv_timer_init(&loop->uv, s->timer);
	s->timer->data = s;
	service_configure(s, conf);
	return s;
}

uint64_t service_clients(const struct service *s)
{
	return s->counts.clients.n;
}

static void free_handle(uv_handle_t *h)
{
	free(h);
}

void service_free(struct service *s)
{
	struct err ended = ERR_INIT;

	while (!LIST_EMPTY(&s->peers)) {
		struct peer *p = LIST_FIRST(&s->peers);

		ipc_close(&p->ipc);
		on_lost(p, &p->ipc, &ended);
	}
	counts_fini(&s->counts);
	uv_close((uv_handle_t *)s->timer, free_handle);
	free(s);
}
