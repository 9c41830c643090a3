#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "master.h"

static bool is_program(const struct proc *p, const char *name)
{
	return strcmp(p->program->name, name) == 0;
}

static void lend_end(struct proc *to, const struct proc *peer, enum channel_kind kind, bool is_server, int *fd)
{
	const struct ctl_channel m = { kind, is_server, span_z(peer->program->name) };

	if (ipc_send(&to->ctl, &ctl_channel_desc, &m, fd) < 0)
		log_error("%s: its control channel takes no more", to->program->name);
}

static void connect_pair(struct proc *client, struct proc *server, enum channel_kind kind)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0) {
		log_error("channel %s between %s and %s: %s", topology_channel_name(kind), client->program->name,
			  server->program->name, strerror(errno));
		return;
	}
	lend_end(server, client, kind, true, &sv[1]);
	lend_end(client, server, kind, false, &sv[0]);
}

/* How many clients of a kind will come, so that qmgr knows when all agents have reported. */
static void tell_peers(struct proc *server, const struct channel *row)
{
	struct ctl_peers msg = { row->kind, 0 };
	const struct proc *q;

	for (q = server->m->procs; q; q = q->next)
		msg.count += is_program(q, row->client) && !q->is_retired && !q->is_successor;
	if (ipc_send(&server->ctl, &ctl_peers_desc, &msg, NULL) < 0)
		log_error("%s: its control channel takes no more", server->program->name);
}

/* Old workers that still have sessions need their servers as much as the new ones do. */
static bool may_talk(const struct proc *p)
{
	return p->state == PROC_READY || p->state == PROC_DRAINING;
}

void channels_connect(struct proc *p)
{
	struct proc *q;
	size_t i;

	for (i = 0; i < topology_n_channels; i++) {
		const struct channel *row = &topology_channels[i];
		bool is_client = is_program(p, row->client), is_server = is_program(p, row->server);

		if (is_server)
			tell_peers(p, row);
		for (q = p->m->procs; q && (is_client || is_server); q = q->next) {
			if (q == p || !may_talk(q))
				continue;
			if (is_client && is_program(q, row->server))
				connect_pair(p, q, row->kind);
			else if (is_server && is_program(q, row->client))
				connect_pair(q, p, row->kind);
		}
	}
}

void channels_renew(struct proc *p, enum channel_kind kind, struct span peer)
{
	struct proc *q;
	size_t i;

	for (i = 0; i < topology_n_channels; i++) {
		const struct channel *row = &topology_channels[i];

		if (row->kind != kind || !is_program(p, row->client) || !span_eqz(peer, row->server))
			continue;
		for (q = p->m->procs; q; q = q->next) {
			if (q->state != PROC_READY || !is_program(q, row->server))
				continue;
			log_warn("channel %s between %s and %s was lost: made anew", topology_channel_name(kind),
				 p->program->name, q->program->name);
			connect_pair(p, q, kind);
		}
	}
}

/* One frame for the sockets that a row has: those of IPv4 and IPv6 stand side by side. */
static int announce(struct proc *p, const struct listeners *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		const struct listener *n = &l->v[i];
		struct ctl_listen msg = { span_z(n->service), span_z(n->key), span_z(n->overrides), 0, n->is_unix };

		if (!is_program(p, n->command) || (i > 0 && strcmp(n[-1].service, n->service) == 0))
			continue;
		if (ipc_send(&p->ctl, &ctl_listen_desc, &msg, NULL) < 0)
			return -1;
	}
	return 0;
}

int channels_announce(struct proc *p)
{
	return announce(p, reload_listeners(p->m)) < 0 ? -1 : announce(p, &p->m->tool_sockets);
}

static void lend_listener(struct proc *p, const struct listener *l)
{
	uint64_t n = p->program->is_per_core ? p->m->config->n_workers : 1;
	struct ctl_listen msg = { span_z(l->service), span_z(l->key), span_z(l->overrides),
				  (l->max_sessions + n - 1) / n, l->is_unix };
	int fd = fcntl(l->fd, F_DUPFD_CLOEXEC, 3);

	if (fd < 0 || ipc_send(&p->ctl, &ctl_listen_desc, &msg, &fd) < 0)
		log_error("%s: cannot lend the socket %s", p->program->name, l->key);
}

static void lend_all(struct proc *p, const struct listeners *l)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		if (is_program(p, l->v[i].command))
			lend_listener(p, &l->v[i]);
	}
}

static int open_log_file(const char *path)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0640);
}

void channels_check_log(const struct config *c, struct conf_errors *errors)
{
	const char *path = c->global.maillog_file;
	int fd;

	if (!*path || strcmp(path, "/dev/stdout") == 0)
		return;
	fd = open_log_file(path);
	if (fd < 0)
		conf_error(errors, "maillog_file %s: %s", path, strerror(errno));
	else
		close(fd);
}

/* Opened here, so that logger needs no right to any folder; again on each reload, for the file may have been
 * rotated. */
void channels_lend_log(struct proc *p)
{
	const char *path = p->m->config->global.maillog_file;
	const struct ctl_listen msg = { .service = SPAN_LIT("maillog"), .address = span_z(path) };
	const struct group *adm;
	int fd;

	if (!*path)
		return;
	if (strcmp(path, "/dev/stdout") == 0)
		fd = fcntl(p->m->stdout_fd, F_DUPFD_CLOEXEC, 3);
	else
		fd = open_log_file(path);
	if (fd < 0) {
		log_error("maillog_file %s: %s", path, strerror(errno));
		return;
	}
	adm = p->m->is_root ? getgrnam("adm") : NULL;
	if (adm && strcmp(path, "/dev/stdout") != 0 && fchown(fd, 0, adm->gr_gid) < 0)
		log_warn("maillog_file %s: group adm: %s", path, strerror(errno));
	if (ipc_send(&p->ctl, &ctl_listen_desc, &msg, &fd) < 0)
		log_error("logger: its control channel takes no more");
}

void channels_listen(struct proc *p)
{
	lend_all(p, &p->m->listeners);
	lend_all(p, &p->m->tool_sockets);
}
