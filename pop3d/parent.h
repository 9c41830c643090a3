/* parent.h: receives authenticated clients from login, redeems their tickets and forks a child for each */
#ifndef POP3D_PARENT_H
#define POP3D_PARENT_H

#include <uv.h>

#include "base/htab.h"
#include "conf/params.h"
#include "pop3d/start.h"
#include "svc/daemon.h"

struct front;
struct request;
struct child;

/* Makes the process of a session; the real one forks. -1 with err. */
typedef pid_t parent_spawn_fn(struct daemon *d, const struct start *start, int fd, struct err *err);

struct parent {
	struct daemon *daemon;
	struct loop *loop;
	struct ipc tickets;             /* to auth */
	struct front *fronts;           /* a channel from each worker of login */
	struct request *requests;
	struct child *children;
	uint64_t n_children;
	struct htab per_user;           /* "user\naddress" -> struct count * */
	struct pop3d_conf conf;
	const char *log_tag;            /* of children */
	uint64_t max_per_user;          /* mail_max_userip_connections */
	bool is_root, is_sandboxed, is_draining;
	parent_spawn_fn *spawn;
	uv_signal_t on_child;
	void (*on_empty)(void *arg);
	void *on_empty_arg;
};

/* Source: parent.c */
void parent_init(struct parent *p, struct daemon *d, struct loop *loop);
void parent_fini(struct parent *p);

/* Takes *fd: CHAN_TICKET to auth, or CHAN_SESSION from a worker of login. Source: parent.c */
void parent_attach(struct parent *p, enum channel_kind kind, int *fd);

/* Takes nothing new; on_empty comes when the last child has ended. Source: parent.c */
void parent_drain(struct parent *p);

/* A child has ended (status as of waitpid). Source: parent.c */
void parent_reap(struct parent *p, pid_t pid, int status);

/* fork. Source: parent.c */
pid_t parent_fork(struct daemon *d, const struct start *start, int fd, struct err *err);

#endif
