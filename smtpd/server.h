/* server.h: one smtpd worker: its channels to the other daemons, its queue ids and its sessions */
#ifndef SMTPD_SERVER_H
#define SMTPD_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "io/ipc.h"
#include "io/loop.h"
#include "svc/sasl.h"
#include "svc/topology.h"

struct session;

#define SERVER_CALL_MS 60000u           /* how long an answer of another daemon may take; then it is a 4xx */
#define SERVER_COMMIT_MS 300000u        /* the same for a commit of the queue */

/* Caller's memory at a fixed address. */
struct server {
	struct loop *loop;
	struct ipc resolve, anvil, queue;
	struct sasl sasl;                       /* the way to auth */
	uint64_t id_next, id_left, id_block;    /* queue ids granted by qmgr */
	bool id_wanted;
	LIST_HEAD(, session) sessions;
	size_t n_sessions;
	bool is_draining;
	bool is_stopping;               /* the whole suite ends: sessions are told so at their next command */
	void (*on_empty)(void *arg);            /* the last session of a draining worker has ended */
	void *on_empty_arg;
};

/* Source: server.c */
void server_init(struct server *srv, struct loop *loop);

/* Ends all sessions without a word, closes all channels. Source: server.c */
void server_fini(struct server *srv);

/* A new end of a channel; takes *fd. What was pending on an older end is answered with IPC_LOST. Source: server.c */
void server_attach(struct server *srv, enum channel_kind kind, int *fd);

/* The next queue id, or -1 while qmgr has granted none. Source: server.c */
int server_take_id(struct server *srv, uint64_t *id_r) WARN_UNUSED;

/* All whom sessions ask are there, and queue ids. Source: server.c */
bool server_is_whole(const struct server *srv);

/* Sessions go on, idle ones get 421 at their next command; on_empty comes when none is left. Source: server.c */
void server_drain(struct server *srv);

/* Of session.c: keeps the list and the count. Source: server.c */
void server_add(struct server *srv, struct session *s);
void server_remove(struct server *srv, struct session *s);

#endif
