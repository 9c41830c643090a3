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
struct session_child;

/* Makes the process of a session and leaves fd to the caller; session_parent_fork, or a function that ends in it. -1
 * with err. */
typedef pid_t session_spawn_fn(struct session_parent *p, struct child_start *start, int fd, struct err *err);

/* Serves fd (taken) in the child, which is not the user yet. -1 with err: it did not come to a session. */
typedef int session_serve_fn(const struct child_start *start, int fd, struct err *err);

/* What a daemon has of its own; does not change. */
struct session_kind {
	const char *service;            /* of tickets and log lines: "pop3", "imap" */
	session_spawn_fn *spawn;
	session_serve_fn *serve;
};

struct session_parent {
	const struct session_kind *kind;
	struct daemon *daemon;
	struct loop *loop;
	struct ipc tickets;             /* to auth */
	struct session_front *fronts;   /* a channel from each worker of login */
	struct session_request *requests;
	struct session_child *children; /* newest first */
	uint64_t n_children;
	struct htab per_user;           /* "user\naddress" -> its count */
	struct htab crashed;            /* Maildirs whose last session died by a signal */
	const void *conf;               /* for children */
	struct sandbox_calls *calls;    /* likewise */
	const char *log_tag;            /* of children */
	uint64_t max_per_user;          /* mail_max_userip_connections */
	bool is_root, is_sandboxed, is_draining;
	uv_signal_t on_child;
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

/* Takes nothing new; on_empty comes when the last child has ended. Source: session_parent.c */
void session_parent_drain(struct session_parent *p);

/* A child has ended (status as of waitpid). Source: session_parent.c */
void session_parent_reap(struct session_parent *p, pid_t pid, int status);

/* fork: the child serves and ends with the session. SIGTERM ends a session as if its client had gone, within ten
 * seconds. Source: session_parent.c */
pid_t session_parent_fork(struct session_parent *p, struct child_start *start, int fd, struct err *err);

/* In the child: SIGTERM came, so the end of the line is ours and not the client's. Source: session_child.c */
bool session_child_must_end(void);

/* For surat who and kick, as in daemon_ops: one page of the list, in the order of process ids. Ends those that match
 * when the question says so. Source: session_parent.c */
void session_parent_who(struct session_parent *p, const struct ctl_who *ask, struct ctl_who_reply *r, struct arena *a);

#endif
