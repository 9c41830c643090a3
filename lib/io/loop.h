/* loop.h: the event loop of a daemon: libuv, a scratch arena per turn, and one gathered write per channel and turn */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include <uv.h>

#include "base/arena.h"
#include "base/err.h"

struct ipc;

/* Caller's memory, at a fixed address between init and fini. One thread. */
struct loop {
	uv_loop_t uv;
	struct arena tick;      /* reset before every wait: what a handler makes here dies with the turn */
	uv_prepare_t before_wait;
	struct ipc *unsent;     /* channels with frames to flush before the next wait */

	/* A channel was lost, not closed by us; fd was its number. Comes before its own lost. May be NULL. */
	void (*on_lost)(struct loop *l, int fd);
	void *arg;
};

/* 0, or -1 ERR_SYS. Source: loop.c */
int loop_init(struct loop *l, struct err *err) WARN_UNUSED;

/* Runs until loop_stop. Source: loop.c */
void loop_run(struct loop *l);

/* One turn: waits at most for the first event when may_wait; for tests. Source: loop.c */
void loop_turn(struct loop *l, bool may_wait);

/* Leaves loop_run after this turn. Source: loop.c */
void loop_stop(struct loop *l);

/* All handles must have been closed with uv_close; runs their close callbacks, then frees. Source: loop.c */
void loop_fini(struct loop *l);

#endif
