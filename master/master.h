/* master.h: the supervisor: what it holds, and what its files do for each other */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include <sys/types.h>

#include "certs.h"
#include "config.h"
#include "io/ipc.h"
#include "io/loop.h"
#include "listen.h"
#include "svc/msg_ctl.h"
#include "svc/msg_master.h"
#include "svc/topology.h"

enum proc_state { PROC_STARTING, PROC_READY, PROC_DRAINING, PROC_DEAD };

struct master;

/* One process, or the place of one that is dead and waits to be started again. Heap; in master's list. */
struct proc {
	struct master *m;
	struct proc *next;
	const struct program *program;
	unsigned worker;
	enum proc_state state;
	pid_t pid;                      /* 0: none */
	struct ipc ctl;
	uint64_t started_ms;
	uint64_t generation;            /* of the configuration it was sent last */
	uint64_t backoff_ms;            /* the pause before the next start; 0: at once */
	unsigned restarts;
	bool is_retired;                /* replaced or no longer wanted: not started again */
	bool is_killed;                 /* by us */
	bool is_successor;              /* of a reload that is not decided yet */
	char *failed;                   /* what it said went wrong */
	uv_timer_t timer;               /* READY overdue, pause over, or drain overdue */
	struct ipc_req status_req;
	uint64_t sessions;
};

enum master_state { MASTER_STARTING, MASTER_RUNNING, MASTER_STOPPING };

struct reload;

struct tool;

struct master {
	struct loop loop;
	struct arena arena;             /* for the process's life */
	const char *config_directory;
	const char *run_directory;
	const char *empty_directory;
	bool is_root;
	bool is_foreground;
	int notify_fd;                  /* surat start waits for a byte here; -1 */
	int lock_fd;
	int stdout_fd;                  /* of who started us, for maillog_file = /dev/stdout */
	uint64_t instance;
	char ticket_key[80];            /* of TLS sessions, shared by all workers */
	uint64_t started_ms;
	enum master_state state;
	int exit_status;
	struct config *config;
	struct listeners listeners;     /* of the configuration */
	struct listeners tool_sockets;  /* sendmail: lent to smtpd, in no row of master.cf */
	struct certs certs;
	struct proc *procs;
	struct proc *logger;            /* also in procs */
	int log_fds[2];                 /* the daemons' end, logger's end */
	uint64_t stop_deadline_ms;
	struct reload *reload;          /* under way, or NULL */
	bool is_reload_again;           /* another SIGHUP came meanwhile */
	struct tool *tools;
	int tool_fd;
	uv_poll_t tool_poll;
	uv_signal_t on_child, on_term, on_int, on_hup;
	uv_timer_t cert_timer;
};

/* ---- main.c ---- */

/* All handles are closed; the loop ends when the last one is gone. */
void master_end(struct master *m, int exit_status);

/* The start is over: the first time all processes are ready. */
void master_is_up(struct master *m);

/* ---- spawn.c: the life of one process ---- */

/* Adds a process for program and starts it; NULL (logged) when there is no binary or fork fails. */
struct proc *spawn_add(struct master *m, const struct program *program, unsigned worker);

/* Starts every process that the configuration wants and that has none. successors: whole new sets of per-core workers
 * beside the old ones. -1 when one could not be started. */
int spawn_wanted(struct master *m, bool successors) WARN_UNUSED;

/* A listener of c needs program, or it runs whatever c says. */
bool spawn_is_wanted(const struct config *c, const struct program *program);

/* Every program that c wants and that is not installed is an error. */
void spawn_check_binaries(const struct config *c, struct conf_errors *errors);

/* SIGCHLD: collects all that have ended. */
void spawn_reap(struct master *m);

/* Asks p to finish its sessions; after limit_ms it is killed. 0: a reload, the sessions may go on for ever. */
void spawn_drain(struct proc *p, uint64_t limit_ms);

/* At once, with its children; spawn_reap follows. */
void spawn_kill(struct proc *p);

/* The account p runs under, for messages. */
const char *spawn_user(const struct proc *p);

/* A certificate, if p is who it is for; the new configuration and certificates to one that goes on. 0/-1. */
int spawn_send_cert(struct proc *p, const struct cert *c) WARN_UNUSED;
int spawn_send_reload(struct proc *p) WARN_UNUSED;

/* A ready process that has another configuration than the one in force, for it started while a reload was under way, gets
 * that; workers, which cannot change theirs, are started again. Source: spawn.c */
void spawn_catch_up(struct proc *p);

extern const struct program spawn_logger;

/* ---- channels.c: who talks to whom ---- */

/* p is ready: PEERS and both ends of every channel to those who are ready. */
void channels_connect(struct proc *p);

/* p has lost the channel of kind to peer: both get fresh ends, if peer is there to take one. */
void channels_renew(struct proc *p, enum channel_kind kind, struct span peer);

/* Lends p all listening sockets of its services. */
void channels_listen(struct proc *p);

/* In its opening: the services it will get sockets of, so that it says FAILED when it could not serve one. -1: it takes
 * no more. Source: channels.c */
int channels_announce(struct proc *p);

/* Names maillog_file in errors when it cannot be opened: lines that nobody writes are lost. Source: channels.c */
void channels_check_log(const struct config *c, struct conf_errors *errors);

/* Opens maillog_file, if there is one, and lends it to logger. */
void channels_lend_log(struct proc *p);

/* ---- reload.c ---- */

/* tool (may be NULL) is answered when it is over. */
void reload_begin(struct master *m, struct tool *tool);

/* A successor is ready: switches when all are. */
void reload_step(struct master *m);

/* Those of the configuration in m->config. */
const struct listeners *reload_listeners(const struct master *m);

/* Back to the old configuration; nothing happens when no reload is under way. */
void reload_failed(struct master *m, const char *why);

/* tool is about to be freed. */
void reload_forget_tool(struct master *m, const struct tool *tool);

/* ---- stop.c ---- */

/* Takes no new sessions and lets the others end; said twice: kills. why is for the log. */
void stop_begin(struct master *m, const char *why);

/* A process has ended: drains whoever has no client left; ends master after the last. */
void stop_step(struct master *m);

/* ---- tool.c: the named socket of surat(1) ---- */

/* Binds run_directory/master. */
int tool_open(struct master *m, struct err *err) WARN_UNUSED;

/* Ends all callers and removes the socket; idempotent. */
void tool_close(struct master *m);

/* The answer to a request; text is what went wrong, or "". */
void tool_answer(struct tool *t, bool is_ok, const char *text);

/* Says ok when every process has handled what it was sent until now. */
void tool_answer_settled(struct tool *t);

/* ---- dirs.c ---- */

/* Makes the directories of the configuration and takes the lock of run_directory/master.pid; *was_killed_r: a master
 * ended here without removing its pid file. */
int dirs_make(struct master *m, const struct config *c, bool *was_killed_r, struct err *err) WARN_UNUSED;

/* Gives the lock back and removes pid file and qmgr's socket; harmless when dirs_make failed. */
void dirs_release(struct master *m);

/* All accounts the suite needs, each missing one an error with the command that adds it. */
void dirs_check_users(const struct config *c, struct conf_errors *errors);

#endif
