#include <fcntl.h>
#include <unistd.h>

#include "login/session.h"
#include "svc/msg_resolve.h"
#include "svc/msg_session.h"

#define PARENT_TIMEOUT_MS 60000

/* The child speaks to the client from here on. */
static void serve(struct session *s, const struct session_started *m, int *fd)
{
	journal_login(s, m->pid);
	if (s->is_tls && *fd >= 0) {
		relay_start(s, fd);
		return;
	}
	/* our descriptor is one of two: closing it says nothing to the client */
	s->has_logged_in = true;
	session_end(s, "Login");
}

static void given_up(struct session *s, const char *reason)
{
	s->proto->refuse(s, REFUSE_FAILED);
	s->obstacle = "internal failure, 1 successful auths";
	session_end(s, reason);
}

static void on_started(void *arg, enum ipc_rc rc, const void *reply, int *fd)
{
	struct session *s = arg;
	const struct session_started *m = reply;

	session_resume(s);
	if (rc == IPC_OK && m->status == MSG_OK && (!s->is_tls || *fd >= 0)) {
		serve(s, m, fd);
	} else if (rc == IPC_OK && m->status == SESSION_FULL) {
		s->proto->refuse(s, REFUSE_FULL);
		given_up(s, "Disconnected: Maximum number of connections from user+IP exceeded (mail_max_userip_connections)");
	} else {
		s->proto->failed(s, rc == IPC_OK && m->status == MSG_NO ? AUTH_REFUSED : AUTH_TEMP,
				 rc == IPC_OK ? m->text : SPAN_NULL);
		given_up(s, "Disconnected: Internal login failure");
	}
	session_run(s);
}

void handover_start(struct session *s, struct span ticket)
{
	struct ipc *parent = server_parent(s->srv, s->proto);
	struct str capa = STR_INIT(8192);
	struct session_start m = {
		.ticket = ticket,
		.service = span_z(s->proto->name),
		.is_tls = s->is_tls,
		.remote_addr = span_z(s->remote),
		.local_addr = span_z(s->local),
		.session = span_z(s->id),
		.tag = span_z(s->tag),
		.input = s->is_tls ? SPAN_NULL : stream_peek(&s->io),
	};
	int fd = -1;

	if (s->proto->announce)
		s->proto->announce(s, &capa);
	m.capa = str_span(&capa);
	/* the client may not be read by two: ours is not watched while the parent has the other one */
	session_unwatch(s);
	if (!s->is_tls && stream_pending(&s->io) == 0)
		fd = fcntl(s->io.fd, F_DUPFD_CLOEXEC, 3);
	if ((s->is_tls || fd >= 0) && ipc_is_attached(parent) &&
	    ipc_call(parent, &session_start_desc, &m, &fd, &session_started_desc, &s->req, on_started, s,
		     PARENT_TIMEOUT_MS) == 0) {
		str_fini(&capa);
		if (!s->is_tls)
			stream_drop_input(&s->io);
		session_await(s);
		return;
	}
	str_fini(&capa);
	if (fd >= 0)
		close(fd);
	s->proto->failed(s, AUTH_TEMP, SPAN_NULL);
	given_up(s, "Disconnected: Internal login failure");
}
