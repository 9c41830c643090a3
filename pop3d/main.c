/*
 * pop3d: mailboxes for POP3 clients that have logged in.
 *
 * Parent (root, event loop): takes clients from login, redeems their tickets at auth, forks. It reads no client.
 * Child (the user, blocking): one for each session, Landlocked to that Maildir, no socket of its own, no exec.
 * Peers: login (session), auth (ticket), master (control). Files: the mailboxes.
 */
#include "conf/params.h"
#include "pop3d/child.h"
#include "proto/pop3.h"
#include "svc/session_parent.h"

struct pop3d {
	struct session_parent parent;
	struct pop3d_conf conf;
};

static const struct session_kind kind = { .service = "pop3", .spawn = session_parent_fork, .serve = child_serve };

static void on_empty(void *arg)
{
	daemon_exit(arg);
}

static int read_conf(struct daemon *d, struct err *err)
{
	struct pop3d *p = d->state;

	if (pop3d_conf_read(&p->conf, d->conf, &d->arena, err) < 0)
		return -1;
	if (pop3_uidl_check(p->conf.pop3_uidl_format, err) < 0)
		return err_wrap(err, "pop3_uidl_format");
	return session_parent_read_conf(&p->parent, &kind, d, &p->conf, err);
}

static int on_init(struct daemon *d, struct err *err)
{
	d->sandbox.may = SB_UNIX | SB_FORK | SB_OPEN | SB_CHANGE_FILES;
	d->sandbox.may_all_paths = true;
	return read_conf(d, err);
}

static int on_start(struct daemon *d, struct err *err)
{
	struct session_parent *p = &((struct pop3d *)d->state)->parent;

	session_parent_init(p, &kind, d, &d->loop);
	p->on_empty = on_empty;
	p->on_empty_arg = d;
	return 0;
}

static void on_channel(struct daemon *d, enum channel_kind channel, bool is_server, struct span peer, int *fd)
{
	session_parent_attach(&((struct pop3d *)d->state)->parent, channel, fd);
}

static void on_drain(struct daemon *d)
{
	session_parent_drain(&((struct pop3d *)d->state)->parent);
}

static uint64_t sessions(struct daemon *d)
{
	return ((struct pop3d *)d->state)->parent.n_sessions;
}

static void on_who(struct daemon *d, const struct ctl_who *ask, struct ctl_who_reply *r, struct arena *a)
{
	session_parent_who(&((struct pop3d *)d->state)->parent, ask, r, a);
}

int main(int argc, char **argv)
{
	static struct pop3d pop3d;
	static const struct daemon_ops ops = {
		.name = "pop3d", .init = on_init, .start = on_start, .channel = on_channel, .reload = read_conf,
		.drain = on_drain, .sessions = sessions, .who = on_who,
	};

	return daemon_main(argc, argv, &ops, &pop3d);
}
