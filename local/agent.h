/* agent.h: the parent: takes letters from qmgr, hands them to the recipients' processes, reports what became of them */
#ifndef LOCAL_AGENT_H
#define LOCAL_AGENT_H

#include "local/pool.h"

/* Letters that may be under way at once; qmgr lends half of them to one user at most. */
#define AGENT_CREDITS 128

/* Caller's memory at a fixed address, zeroed. */
struct agent {
	struct daemon *daemon;
	struct settings *settings;
	struct ipc qmgr;
	struct pool pool;
	struct job *jobs;
	size_t n_jobs;
	uint64_t last_id;
	uint64_t attached_ms;           /* wall clock; what arrived later was never tried before */
	uv_timer_t timer;
	uv_signal_t sigchld;
};

/* state of the daemon is a struct agent. Source: agent.c */
extern const struct daemon_ops agent_ops;

#endif
