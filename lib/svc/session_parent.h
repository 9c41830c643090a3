/* session_parent.h: the parent of pop3d and imapd: receives authenticated clients from login, redeems their tickets and
 * forks a child for each; it reads no byte of a client */
#ifndef SVC_SESSION_PARENT_H
#define SVC_SESSION_PARENT_H

#include <uv.h>

#include "base/htab.h"
#include "svc/child_start.h"
#include "svc/daemon.h"

struct session_parent;
struct session_front;
struct session_request;
struct session_process;

/* A session. Who it is of is in start; what the client sent behind its login (input, tag) is for its first process. */
struct parent_session {
	struct parent_session *next;
	struct arena arena;             /* of start */
	struct child_start start;
	struct session_process *process;        /* NULL: the session rests without one */
	uint64_t number;                /* in the order they began */
	uint64_t since_ms;              /* wall clock */
	void *parked;                   /* the daemon's, of a session that rests */
	bool is_kicked;                 /* it must not come to rest any more */
};

/* A child. It is of one user from its first moment to its last. */
struct session_process {
	struct session_process *next;
	struct parent_session *session; /* NULL: it serves none now */
	uint64_t leave_by_ms;           /* on the clock that never goes back: killed then; 0: it may stay */
	pid_t pid;
	struct arena arena;             /* of who */
	struct child_start who;         /* only what is said of the user */
	void *own;                      /* the daemon's */
};

/* Gives a session a process and leaves fd to the caller: session_parent_fork, or a function that ends in it. -1 with err. */
typedef int session_spawn_fn(struct session_parent *p, struct parent_session *s, int fd, struct err *err);

/* Serves fd (taken) in the child, which is not the user yet. -1 with err: it did not come to a session. */
typedef int session_serve_fn(const struct child_start *start, int fd, struct err *err);

/* What a daemon has of its own; does not change. */
struct session_kind {
	const char *service;            /* of tickets and log lines: "pop3", "imap" */
	session_spawn_fn *spawn;
	session_serve_fn *serve;
	/* Gives one that rests a process. -1: it has ended. NULL where none ever rests. */
	int (*wake)(struct session_parent *p, struct parent_session *s);
	void (*reaped)(struct session_parent *p, struct session_process *pr);   /* its process has ended; may be NULL */
};

struct session_parent {
	const struct session_kind *kind;
	struct daemon *daemon;
	struct loop *loop;
	struct ipc tickets;             /* to auth */
	struct session_front *fronts;   /* a channel from each worker of login */
	struct session_request *requests;
	struct parent_session *sessions;        /* newest first */
	struct session_process *processes;      /* likewise */
	uint64_t n_sessions, n_begun;
	struct htab per_user;           /* "user\naddress" -> its count */
	struct htab crashed;            /* Maildirs whose last session died by a signal */
	const void *conf;               /* for children */
	struct sandbox_calls *calls;    /* likewise */
	const char *log_tag;            /* of children */
	uint64_t max_per_user;          /* mail_max_userip_connections */
	uint64_t quota_messages;
	bool is_root, is_sandboxed, is_draining;
	uv_signal_t on_child;
	uv_timer_t sweep;
	void (*on_empty)(void *arg);
	void *on_empty_arg;
};

/* Source: session_parent.c */
void session_parent_init(struct session_parent *p, const struct session_kind *kind, struct daemon *d, struct loop *loop);
void session_parent_fini(struct session_parent *p);

/* The settings that both daemons share; for start and reload. -1 ERR_CONF. Source: session_parent.c */
int session_parent_read_conf(struct session_parent *p, const struct session_kind *kind, struct daemon *d, const void *conf,
			     struct err *err) WARN_UNUSED;

/* Takes *fd: CHAN_TICKET to auth, or CHAN_SESSION from a worker of login. Source: session_parent.c */
void session_parent_attach(struct session_parent *p, enum channel_kind kind, int *fd);

/* Takes nothing new; on_empty comes when the last session and the last child have ended. Source: session_parent.c */
void session_parent_drain(struct session_parent *p);

/* ---- sessions and their processes: session_list.c ---- */

/* A new session of start, whose memory is taken over with *arena. Source: session_list.c */
struct parent_session *session_parent_begin(struct session_parent *p, const struct child_start *start, struct arena *arena);

/* mail_max_userip_connections is reached. Source: session_list.c */
bool session_parent_is_full(const struct session_parent *p, const struct child_start *start);

/* Gives it a process that serves fd, which stays the caller's. -1 with err. Source: session_list.c */
int session_parent_serve(struct session_parent *p, struct parent_session *s, int fd, struct err *err) WARN_UNUSED;

/* It is over, whether it has a process or not; frees s. Source: session_list.c */
void session_parent_end(struct session_parent *p, struct parent_session *s);

/* A child with that pid serves s. Source: session_list.c */
struct session_process *session_parent_adopt(struct session_parent *p, struct parent_session *s, pid_t pid);

/* For spawn: forks a child that serves fd and ends with the session. SIGTERM ends it as if its client had gone, within
 * ten seconds. -1 with err. Source: session_child.c */
int session_parent_fork(struct session_parent *p, struct parent_session *s, int fd, struct err *err) WARN_UNUSED;

/* pr serves nobody and has been told to leave: it is killed when it is still there after a minute. Source: session_list.c */
void session_parent_dismiss(struct session_parent *p, struct session_process *pr);

/* Kills those whose time is over; for the timer, and tests. Source: session_list.c */
void session_parent_sweep(struct session_parent *p);

/* A child has ended (status as of waitpid), and what it served with it. Source: session_list.c */
void session_parent_reap(struct session_parent *p, pid_t pid, int status);

/* Calls on_empty when it drains and nothing is left. Source: session_list.c */
void session_parent_check_empty(struct session_parent *p);

/* "imap(tito)<12><session>": how log lines begin. Source: session_list.c */
const char *session_parent_label(const struct session_parent *p, const struct parent_session *s, struct str *out);

/* In the child: fd (taken) takes the place of the client it served, also one that only keeps the place, for on SIGTERM that
 * is what is shut down. The descriptor to use from now on, or -1. Source: session_child.c */
int session_child_client(int fd) WARN_UNUSED;

/* In the child: SIGTERM came, so the end of the line is ours and not the client's. Source: session_child.c */
bool session_child_must_end(void);

/* For surat who and kick, as in daemon_ops: one page of the list, oldest first. Ends those that match when the question
 * says so. Source: session_list.c */
void session_parent_who(struct session_parent *p, const struct ctl_who *ask, struct ctl_who_reply *r, struct arena *a);

#endif
