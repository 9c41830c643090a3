/*
 * pop3d: mailboxes for POP3 clients that have logged in.
 *
 * Parent (root, event loop): takes clients from login, redeems their tickets at auth, forks. It reads no client.
 * Child (the user, blocking): one for each session, Landlocked to that Maildir, no socket of its own, no exec.
 * Peers: login (session), auth (ticket), master (control). Files: the mailboxes.
 */
#include "pop3d/parent.h"
#include "proto/pop3.h"

static void on_empty(void *arg)
{
	daemon_exit(arg);
}

static int read_conf(struct daemon *d, struct err *err)
{
	struct parent *p = d->state;
	struct global_conf global;
	struct login_conf login;

	if (pop3d_conf_read(&p->conf, d->conf, &d->arena, err) < 0 ||
	    global_conf_read(&global, d->conf, &d->arena, err) < 0 || login_conf_read(&login, d->conf, &d->arena, err) < 0 ||
	    pop3_uidl_check(p->conf.pop3_uidl_format, err) < 0)
		return -1;
	p->max_per_user = login.mail_max_userip_connections;
	p->is_root = d->is_root;
	p->is_sandboxed = global.sandbox;
	return 0;
}

static int on_init(struct daemon *d, struct err *err)
{
	d->sandbox.may = SB_UNIX | SB_FORK | SB_OPEN | SB_CHANGE_FILES;
	d->sandbox.may_all_paths = true;
	return read_conf(d, err);
}

static int on_start(struct daemon *d, struct err *err)
{
	struct parent *p = d->state;

	parent_init(p, d, &d->loop);
	p->on_empty = on_empty;
	p->on_empty_arg = d;
	return 0;
}

static void on_channel(struct daemon *d, enum channel_kind kind, bool is_server, struct span peer, int *fd)
{
	parent_attach(d->state, kind, fd);
}

static void on_drain(struct daemon *d)
{
	parent_drain(d->state);
}

static uint64_t sessions(struct daemon *d)
{
	return ((struct parent *)d->state)->n_children;
}

int main(int argc, char **argv)
{
	static struct parent parent;
	static const struct daemon_ops ops = {
		.name = "pop3d", .init = on_init, .start = on_start, .channel = on_channel, .reload = read_conf,
		.drain = on_drain, .sessions = sessions,
	};

	return daemon_main(argc, argv, &ops, &parent);
}
