/* daemon.h: the one main of all daemons: configuration, rights, log, control channel, drain
 *
 * Start:  master forks and execs with the control channel on descriptor 3 and the log socket on 4
 *         → INIT, CONF and CERT are read → ops->init (still privileged: read the configuration, open what needs rights)
 *         → sandbox → ops->start (threads may start now) → READY → loop: CHANNEL, LISTEN, CERT, RELOAD, STATUS, DRAIN
 * End:    the control channel closes (master is gone: leave at once) or DRAIN and the last session has ended.
 */
#ifndef SVC_DAEMON_H
#define SVC_DAEMON_H

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"
#include "conf/conf.h"
#include "io/ipc.h"
#include "io/loop.h"
#include "io/sandbox.h"
#include "svc/msg_ctl.h"
#include "svc/topology.h"

#define DAEMON_CTL_FD 3
#define DAEMON_LOG_FD 4
#define DAEMON_CHANNELS 8

struct daemon;

/* Any of the calls may be NULL. state is what main gave to daemon_main. -1 fills err with what is wrong and what to
 * do. */
struct daemon_ops {
	const char *name;

	/* d->conf is there; still root when the suite runs as root. Fills d->sandbox beyond user and chroot. */
	int (*init)(struct daemon *d, struct err *err);

	/* Sandboxed; d->loop is there. */
	int (*start)(struct daemon *d, struct err *err);

	/* A channel end: take *fd (set -1). The same kind comes again when the peer is restarted. */
	void (*channel)(struct daemon *d, enum channel_kind kind, bool is_server, struct span peer, int *fd);

	/* A listening socket (non-blocking): take *fd. Before READY it comes without one (-1): look whether all that
	 * the service names can be used, so that no socket is given to one who could not serve it. */
	int (*listen)(struct daemon *d, const struct ctl_listen *l, int *fd, struct err *err);

	/* Certificate chain and key as PEM bytes; wiped after the call. Comes before init at the start. */
	int (*cert)(struct daemon *d, const struct ctl_cert *m, struct span pem, struct err *err);

	/* d->conf is the new snapshot. On -1 the old one is put back and master is told. */
	int (*reload)(struct daemon *d, struct err *err);

	/* Take nothing new; call daemon_exit when the last session has ended. NULL: exit at once. Comes a second time
	 * when the suite stops while sessions of before a reload still go on (d->is_stopping). */
	void (*drain)(struct daemon *d);

	/* For surat status. */
	uint64_t (*sessions)(struct daemon *d);

	/* For surat who and kick; the answer lives in the arena. */
	void (*who)(struct daemon *d, const struct ctl_who *ask, struct ctl_who_reply *r, struct arena *a);

	/* How many peers of a kind will say HELLO (qmgr). */
	void (*peers)(struct daemon *d, enum channel_kind kind, uint64_t count);
};

/* A channel on which this daemon asks. */
struct daemon_channel {
	const char *peer;               /* NULL: none */
	enum channel_kind kind;
	int fd;                         /* its number, to know it by; -1: lost */
};

/* A row of master.cf that sets something for itself. */
struct daemon_service {
	struct daemon_service *next;
	struct span overrides;
};

struct daemon {
	const struct daemon_ops *ops;
	void *state;
	struct loop loop;
	struct ipc ctl;
	struct arena arena;             /* for the process's life */
	struct conf *conf;              /* current snapshot; who uses it beyond a reload takes a reference */
	struct arena services_arena;
	struct daemon_service *services;        /* with the snapshot, for resolve */
	struct conf *before;            /* the one that a failed reload puts back */
	struct sandbox sandbox;
	struct daemon_channel channels[DAEMON_CHANNELS];
	uv_timer_t lost_timer;
	const char *program;            /* from INIT, in arena */
	const char *config_directory;
	const char *run_directory;
	const char *libexec_directory;
	uint64_t worker, n_workers;
	uint64_t instance;              /* drawn by master at its start */
	struct span ticket_key;         /* 80 bytes as in tls_params, for daemons that serve TLS */
	bool is_root;                   /* the suite runs as root with separate users */
	bool is_draining;
	bool is_stopping;               /* draining because the suite ends, not because of a reload */
};

/* The main of every daemon; returns the exit status. Source: daemon.c */
int daemon_main(int argc, char **argv, const struct daemon_ops *ops, void *state);

/* Leaves the loop; the process ends with status 0 after pending frames are flushed. Source: daemon.c */
void daemon_exit(struct daemon *d);

/* The typed overrides of a listener: a layer over d->conf filled from "name = value" lines. Source: daemon.c */
int daemon_overlay(struct daemon *d, struct conf *out_r, struct span overrides, struct err *err) WARN_UNUSED;

/* fork(2) with all signals blocked, in the child until daemon_child; log lines leave before, or they would leave twice.
 * Source: daemon.c */
pid_t daemon_fork(void);

/* In a child of daemon_fork: forgets the loop's descriptors, control channel and signal handlers; the log socket stays.
 * Unblocks signals; on_term: what SIGTERM does, or SIG_DFL. Never touches libuv. Source: daemon.c */
void daemon_child(struct daemon *d, const char *log_name, void (*on_term)(int sig));

#endif
