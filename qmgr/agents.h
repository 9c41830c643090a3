/* agents.h: delivery agents: credits, jobs on loan, results, and HELLO after a restart */
#ifndef QMGR_AGENTS_H
#define QMGR_AGENTS_H

#include "qmgr/qmgr.h"

/* The end of an agent's channel; takes *fd. Source: agents.c */
void agents_attach(struct qmgr *q, struct span peer, int *fd);

/* Master's word on how many agents will say HELLO. Source: agents.c */
void agents_expect(struct qmgr *q, uint64_t count);

/* Puts READY work into the list of its transport, or defers it when nobody will ever take it. The caller pumps.
 * Source: agents.c */
void agents_queue(struct work *w);

/* Lends what agents have credit for. Source: agents.c */
void agents_pump(struct qmgr *q);

/* Defers work whose agent has not come back in time; ends the wait for HELLO. Source: agents.c */
void agents_tick(struct qmgr *q);

/* The transport of that name, made when missing; lives as long as q. Source: agents.c */
struct transport *agents_transport(struct qmgr *q, struct span name);

/* True when a transport hands on to another system, so that success means "relayed". Source: agents.c */
bool agents_relays(const char *transport);

/* What an agent has on loan. Source: agents.c */
struct work_list *agents_lent(struct agent *g);

/* Closes all channels and frees agents and transports; no work may be queued. Source: agents.c */
void agents_fini(struct qmgr *q);

#endif
