#include "qmgr/route.h"

#include "base/log.h"
#include "qmgr/active.h"
#include "qmgr/agents.h"
#include "qmgr/expand.h"
#include "svc/msg_resolve.h"

#define ROUTE_TIMEOUT_MS 120000

static void copy_route(struct work *w, const struct route *r)
{
	struct arena *a = &w->a->arena;

	w->transport = agents_transport(w->a->q, r->transport);
	w->nexthop = arena_span(a, r->nexthop);
	w->address = arena_span(a, r->address);
	w->user = arena_span(a, r->user);
	w->extension = arena_span(a, r->extension);
	w->maildir = arena_span(a, r->maildir);
	w->uid = r->uid;
	w->gid = r->gid;
	w->quota = r->quota;
	active_enter(w, WORK_READY);
}

/* Transports that need no agent. */
static bool deliver_here(struct work *w, const struct route *r)
{
	struct span text = r->nexthop.n ? r->nexthop : SPAN_LIT("mail for this destination is not accepted");

	if (span_eqz(r->transport, "error"))
		active_decide(w, ACTIVE_BOUNCED, "5.0.0", text);
	else if (span_eqz(r->transport, "retry"))
		active_decide(w, ACTIVE_DEFERRED, "4.0.0", text);
	else if (span_eqz(r->transport, "discard"))
		active_decide(w, ACTIVE_SENT, "2.0.0", r->nexthop.n ? r->nexthop : SPAN_LIT("discarded"));
	else
		return false;
	return true;
}

static void expand(struct work *w, const struct route *r)
{
	struct active *a = w->a;
	const struct ipc_list *news = &r->news;
	struct err err = ERR_INIT;

	if (w->news.n && r->version != w->news_version) {
		w->news.n = 0;          /* the table has changed: from the beginning */
		active_enter(w, WORK_NEW);
		return;
	}
	if (r->more || w->news.n) {
		w->news_version = r->version;
		msg_resolve_gather(&w->news, news, &a->arena);
		news = &w->news;
	}
	if (r->more && w->news.n <= a->q->conf.qmgr_message_recipient_limit) {
		active_enter(w, WORK_NEW);
		return;
	}
	if (expand_rcpt(&a->m, w->at, news, r->has_sender, r->sender, r->class == ADDR_LOCAL,
			a->q->conf.qmgr_message_recipient_limit, &a->arena, &err) == 0) {
		active_enter(w, WORK_DONE);
		a->is_expanded = a->has_eager = true;
		return;
	}
	active_decide(w, err.kind == ERR_PERM ? ACTIVE_BOUNCED : ACTIVE_DEFERRED, err.dsn, span_z(err.msg));
}

static const char *dsn_or(struct arena *a, struct span dsn, const char *otherwise)
{
	return dsn.n ? arena_strndup(a, dsn.p, dsn.n) : otherwise;
}

static void apply(struct work *w, const struct route *r)
{
	struct arena *a = &w->a->arena;

	switch (r->action) {
	case ROUTE_DELIVER:
		if (!deliver_here(w, r))
			copy_route(w, r);
		break;
	case ROUTE_EXPAND:
		expand(w, r);
		break;
	case ROUTE_REJECT:
		active_decide(w, ACTIVE_BOUNCED, dsn_or(a, r->dsn, "5.1.1"), r->text);
		break;
	default:
		active_decide(w, ACTIVE_DEFERRED, dsn_or(a, r->dsn, "4.3.0"), r->text);
		break;
	}
}

static void on_route(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	struct work *w = arg;
	struct active *a = w->a;

	if (rc == IPC_OK) {
		apply(w, reply);
	} else if (rc == IPC_TIMEOUT) {
		active_decide(w, ACTIVE_DEFERRED, "4.3.0", SPAN_LIT("address resolution does not answer"));
	} else {
		active_enter(w, WORK_NEW);
		a->q->has_stalled = true;
		return;
	}
	active_step(a);
}

void route_ask(struct work *w)
{
	const struct queue_rcpt *r = active_rcpt(w);
	struct qmgr *q = w->a->q;
	struct route_query m = { .address = r->addr, .kind = r->kind,
				 .sender = r->sender.n ? r->sender : w->a->m.sender, .as_user = r->as_user, .is_final = r->is_final, .offset = w->news.n, .via = r->via };

	if (ipc_is_full(&q->resolve) ||
	    ipc_call(&q->resolve, &route_query_desc, &m, NULL, &route_desc, &w->req, on_route, w,
		     ROUTE_TIMEOUT_MS) < 0) {
		q->has_stalled = true;
		return;
	}
	active_enter(w, WORK_ASKED);
}

void route_tell_full(struct work *w)
{
	const struct queue_rcpt *r = active_rcpt(w);
	struct route_full m = { .user = w->user, .maildir = w->maildir, .size = w->a->m.size };

	/* a final recipient came out of a .forward with others, whose mail goes on */
	if (!w->transport || r->kind != QUEUE_ADDRESS || r->is_final)
		return;
	m.transport = span_z(w->transport->name);
	(void)!ipc_send(&w->a->q->resolve, &route_full_desc, &m, NULL);
}

static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
	if (why->kind != ERR_NONE)
		log_error("channel to resolve: %s", why->msg);
}

static void on_drained(void *arg, struct ipc *c)
{
	qmgr_run(arg);
}

static const struct ipc_ops ops = { "resolve", NULL, 0, on_lost, on_drained };

void qmgr_attach_resolve(struct qmgr *q, int *fd)
{
	if (ipc_is_attached(&q->resolve))
		ipc_close(&q->resolve);
	ipc_init(&q->resolve, q->loop, &ops, q);
	ipc_attach(&q->resolve, fd);
	qmgr_run(q);
}
