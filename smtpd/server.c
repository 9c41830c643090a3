#include "smtpd/server.h"

#include "base/log.h"
#include "smtpd/session.h"
#include "svc/msg_queue.h"

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
	struct server *srv = arg;

	if (why->kind != ERR_NONE)
		log_error("channel %s: %s", c->ops->name, why->msg);
	if (c == &srv->queue) {
		/* ids of a dead qmgr's block stay below its high-water mark, but only its successor may grant */
		srv->id_left = 0;
		srv->id_wanted = false;
	}
}

static void on_grant(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct enq_grant *g = in;
	struct server *srv = arg;

	srv->id_next = g->first;
	srv->id_left = srv->id_block = g->count;
	srv->id_wanted = false;
}

static void on_drained(void *arg, struct ipc *c)
{
	struct server *srv = arg;
	struct session *s, *next;

	for (s = LIST_FIRST(&srv->sessions); s; s = next) {
		next = LIST_NEXT(s, link);
		session_run(s);
	}
}

static const struct ipc_rule queue_rules[] = { { &enq_grant_desc, ~0u, on_grant } };

static const struct ipc_ops resolve_ops = { "resolve", NULL, 0, on_lost, NULL };
static const struct ipc_ops anvil_ops = { "anvil", NULL, 0, on_lost, NULL };
static const struct ipc_ops queue_ops = { "queue", queue_rules, ARRAY_LEN(queue_rules), on_lost, on_drained };

void server_init(struct server *srv, struct loop *loop)
{
	*srv = (struct server){ .loop = loop };
	ipc_init(&srv->resolve, loop, &resolve_ops, srv);
	ipc_init(&srv->anvil, loop, &anvil_ops, srv);
	sasl_init(&srv->sasl, loop);
	ipc_init(&srv->queue, loop, &queue_ops, srv);
}

void server_fini(struct server *srv)
{
	struct ipc *all[] = { &srv->resolve, &srv->anvil, &srv->queue };
	size_t i;

	srv->on_empty = NULL;
	while (!LIST_EMPTY(&srv->sessions))
		session_destroy(LIST_FIRST(&srv->sessions));
	for (i = 0; i < ARRAY_LEN(all); i++)
		ipc_close(all[i]);
	sasl_fini(&srv->sasl);
}

void server_attach(struct server *srv, enum channel_kind kind, int *fd)
{
	struct ipc *c = kind == CHAN_RESOLVE ? &srv->resolve : kind == CHAN_ANVIL ? &srv->anvil :
			kind == CHAN_QUEUE ? &srv->queue : NULL;

	if (kind == CHAN_AUTH)
		sasl_attach(&srv->sasl, fd);
	if (!c)
		return;
	if (c == &srv->queue)
		srv->id_left = 0;
	ipc_attach(c, fd);
}

int server_take_id(struct server *srv, uint64_t *id_r)
{
	if (srv->id_left < srv->id_block / 4 && !srv->id_wanted)
		srv->id_wanted = ipc_send(&srv->queue, &enq_want_desc, NULL, NULL) == 0;
	if (srv->id_left == 0 || !ipc_is_attached(&srv->queue))
		return -1;
	srv->id_left--;
	*id_r = srv->id_next++;
	return 0;
}

bool server_is_whole(const struct server *srv)
{
	return ipc_is_attached(&srv->resolve) && ipc_is_attached(&srv->anvil) && srv->id_left && sasl_is_known(&srv->sasl);
}

static void tell_if_empty(struct server *srv)
{
	if (srv->is_draining && srv->n_sessions == 0 && srv->on_empty)
		srv->on_empty(srv->on_empty_arg);
}

void server_add(struct server *srv, struct session *s)
{
	LIST_INSERT_HEAD(&srv->sessions, s, link);
	srv->n_sessions++;
}

void server_remove(struct server *srv, struct session *s)
{
	LIST_REMOVE(s, link);
	srv->n_sessions--;
	tell_if_empty(srv);
}

void server_drain(struct server *srv)
{
	srv->is_draining = true;
	tell_if_empty(srv);
}
