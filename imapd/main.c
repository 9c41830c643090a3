/*
 * imapd: mailboxes for IMAP clients that have logged in.
 *
 * Parent (root, event loop): takes clients from login, redeems their tickets at auth, forks, watches the folders that
 * children lend it, since a user has few inotify instances, and holds the sessions that rest. It reads no client.
 * Child (the user, blocking): serves one session after the other, all of its user, Landlocked to that Maildir and its
 * index, no socket of its own, no exec. Peers: login (session), auth (ticket), master (control). Files: the mailboxes.
 */
#include <unistd.h>

#include "conf/params.h"
#include "imapd/child.h"
#include "imapd/notify.h"
#include "imapd/parked.h"
#include "svc/session_parent.h"

struct imapd {
	struct session_parent parent;
	struct notify notify;
	struct workers workers;
	struct parking parking;
	struct imapd_conf conf;
};

static struct imapd *imapd_of(struct session_parent *p)
{
	return p->daemon->state;
}

static int spawn(struct session_parent *p, struct parent_session *s, int fd, struct err *err)
{
	return workers_serve(&imapd_of(p)->workers, s, fd, err);
}

static int wake(struct session_parent *p, struct parent_session *s)
{
	return parking_wake(&imapd_of(p)->parking, s);
}

static void reaped(struct session_parent *p, struct session_process *pr)
{
	workers_reaped(pr);
}

static const struct session_kind kind = {
	.service = "imap", .spawn = spawn, .serve = child_serve, .wake = wake, .reaped = reaped,
};

static void on_empty(void *arg)
{
	daemon_exit(arg);
}

static int read_conf(struct daemon *d, struct err *err)
{
	struct imapd *m = d->state;

	if (imapd_conf_read(&m->conf, d->conf, &d->arena, err) < 0)
		return -1;
	workers_configure(&m->workers, m->conf.max_idle_ms, (uint64_t)m->conf.max_use);
	return session_parent_read_conf(&m->parent, &kind, d, &m->conf, err);
}

static int on_init(struct daemon *d, struct err *err)
{
	struct imapd *m = d->state;

	parking_init(&m->parking, &m->parent);
	workers_init(&m->workers, &m->parent, &m->notify, parking_take, &m->parking);
	d->sandbox.may = SB_UNIX | SB_FORK | SB_OPEN | SB_CHANGE_FILES | SB_INOTIFY;
	d->sandbox.may_all_paths = true;
	if (read_conf(d, err) < 0)
		return -1;
	/* children inherit it */
	d->sandbox.max_memory = m->conf.imap_memory_limit;
	return 0;
}

static int on_start(struct daemon *d, struct err *err)
{
	struct imapd *m = d->state;

	session_parent_init(&m->parent, &kind, d, &d->loop);
	m->parent.on_empty = on_empty;
	m->parent.on_empty_arg = d;
	notify_init(&m->notify, &d->loop);
	return 0;
}

static void on_channel(struct daemon *d, enum channel_kind channel, bool is_server, struct span peer, int *fd)
{
	session_parent_attach(&((struct imapd *)d->state)->parent, channel, fd);
}

static void on_drain(struct daemon *d)
{
	struct imapd *m = d->state;

	parking_close(&m->parking);
	workers_dismiss(&m->workers);
	session_parent_drain(&m->parent);
}

static uint64_t sessions(struct daemon *d)
{
	return ((struct imapd *)d->state)->parent.n_sessions;
}

static void on_who(struct daemon *d, const struct ctl_who *ask, struct ctl_who_reply *r, struct arena *a)
{
	session_parent_who(&((struct imapd *)d->state)->parent, ask, r, a);
}

int main(int argc, char **argv)
{
	static struct imapd imapd;
	static const struct daemon_ops ops = {
		.name = "imapd", .init = on_init, .start = on_start, .channel = on_channel, .reload = read_conf,
		.drain = on_drain, .sessions = sessions, .who = on_who,
	};

	return daemon_main(argc, argv, &ops, &imapd);
}
