/*
 * imapd: mailboxes for IMAP clients that have logged in.
 *
 * Parent (root, event loop): takes clients from login, redeems their tickets at auth, forks, and watches the folders
 * that children lend it, since a user has few inotify instances. It reads no client.
 * Child (the user, blocking): one for each session, Landlocked to that Maildir and its index, no socket of its own,
 * no exec. Peers: login (session), auth (ticket), master (control). Files: the mailboxes.
 */
#include <unistd.h>

#include "base/log.h"
#include "conf/params.h"
#include "imapd/child.h"
#include "imapd/notify.h"
#include "svc/session_parent.h"

struct imapd {
	struct session_parent parent;
	struct notify notify;
	struct imapd_conf conf;
};

static pid_t spawn(struct session_parent *p, struct child_start *start, int fd, struct err *err)
{
	struct imapd *m = p->daemon->state;
	pid_t pid;

	start->watch_fd = notify_add(&m->notify);
	pid = session_parent_fork(p, start, fd, err);
	if (start->watch_fd >= 0)
		close(start->watch_fd);
	return pid;
}

static const struct session_kind kind = { "imap", spawn, child_serve };

static void on_empty(void *arg)
{
	daemon_exit(arg);
}

static int read_conf(struct daemon *d, struct err *err)
{
	struct imapd *m = d->state;

	if (imapd_conf_read(&m->conf, d->conf, &d->arena, err) < 0)
		return -1;
	return session_parent_read_conf(&m->parent, &kind, d, &m->conf, err);
}

static int on_init(struct daemon *d, struct err *err)
{
	d->sandbox.may = SB_UNIX | SB_FORK | SB_OPEN | SB_CHANGE_FILES | SB_INOTIFY;
	d->sandbox.may_all_paths = true;
	if (read_conf(d, err) < 0)
		return -1;
	/* children inherit it */
	d->sandbox.max_memory = ((struct imapd *)d->state)->conf.imap_memory_limit;
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
	session_parent_drain(&((struct imapd *)d->state)->parent);
}

static uint64_t sessions(struct daemon *d)
{
	return ((struct imapd *)d->state)->parent.n_children;
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
