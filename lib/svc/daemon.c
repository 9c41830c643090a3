#include "svc/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/params.h"
#include "svc/daemon_log.h"

#define LOST_PAUSE_MS 500

void daemon_exit(struct daemon *d)
{
	loop_stop(&d->loop);
}

/* ---- what comes as a sealed memfd ---- */

/* The caller unmaps; a size that is not the file's is a broken peer. */
static int map_memfd(int fd, uint64_t size, struct span *bytes_r, struct err *err)
{
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0 || (uint64_t)st.st_size != size)
		return err_set(err, ERR_PROTO, "control channel: a snapshot without its bytes");
	*bytes_r = SPAN_NULL;
	if (size == 0)
		return 0;
	/* private: kernels before 6.7 refuse a shared mapping of sealed bytes */
	p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(err, "mmap of a snapshot");
	*bytes_r = (struct span){ p, size };
	return 0;
}

static void unmap(struct span bytes)
{
	if (bytes.n)
		munmap((void *)(uintptr_t)bytes.p, bytes.n);
}

/* The one of before stays until the reload has gone well. */
static int take_conf(struct daemon *d, const struct ctl_conf *m, int fd, struct err *err)
{
	struct conf_errors errors = { 0 };
	struct conf *c = xnew(struct conf);
	struct span text;
	int rc;

	if (map_memfd(fd, m->size, &text, err) < 0) {
		free(c);
		return -1;
	}
	rc = conf_parse(c, "main.cf", text, &errors);
	unmap(text);
	if (rc < 0) {
		err_set(err, ERR_CONF, "%s", errors.n ? errors.v[0] : "broken configuration snapshot");
		conf_fini(c);
		free(c);
	} else {
		c->dir = d->config_directory;
		c->refs = 1;
		arena_reset(&d->services_arena);
		d->services = NULL;
		if (d->before)
			conf_unref(&d->conf);
		else
			d->before = d->conf;
		d->conf = c;
	}
	conf_errors_fini(&errors);
	return rc;
}

static void take_service(struct daemon *d, const struct ctl_service *m)
{
	struct daemon_service *s = arena_new(&d->services_arena, struct daemon_service);

	s->overrides = arena_span(&d->services_arena, m->overrides);
	s->next = d->services;
	d->services = s;
}

static int take_cert(struct daemon *d, const struct ctl_cert *m, int fd, struct err *err)
{
	struct span pem;
	int rc;

	if (!d->ops->cert)
		return 0;
	if (map_memfd(fd, m->size, &pem, err) < 0)
		return -1;
	rc = d->ops->cert(d, m, pem, err);
	unmap(pem);
	return rc;
}

int daemon_overlay(struct daemon *d, struct conf *out_r, struct span overrides, struct err *err)
{
	struct span line, name, value;

	conf_overlay(out_r, d->conf);
	while (overrides.n) {
		span_cut(overrides, '\n', &line, &overrides);
		if (!span_cut(line, '=', &name, &value))
			continue;
		name = span_trim(name);
		value = span_trim(value);
		if (conf_set(out_r, arena_strndup(&out_r->arena, name.p, name.n),
			     arena_strndup(&out_r->arena, value.p, value.n), "master.cf", 0, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- control channel ---- */

/* cert: the one that is refused, or NULL. */
static void tell(struct daemon *d, const struct err *err, const struct ctl_cert *cert)
{
	struct ctl_failed m = { span_z(err->msg), cert ? cert->name : SPAN_NULL, cert ? cert->service : SPAN_NULL };

	if (ipc_send(&d->ctl, &ctl_failed_desc, &m, NULL) < 0)
		log_error("cannot tell master: %s", err->msg);
}

static void tell_failed(struct daemon *d, const struct err *err)
{
	tell(d, err, NULL);
}

static void on_conf(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct daemon *d = arg;
	struct err err = ERR_INIT;

	if (take_conf(d, in, *fd, &err) < 0)
		tell_failed(d, &err);
}

static void on_service(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	take_service(arg, in);
}

static void on_cert(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct daemon *d = arg;
	struct err err = ERR_INIT;

	if (take_cert(d, in, *fd, &err) < 0) {
		log_error("certificate not exchanged, the old one stays: %s", err.msg);
		tell(d, &err, in);
	}
}

/* A peer that has died is started again and comes by itself; this is for one that lives. */
static void on_still_lost(uv_timer_t *t)
{
	struct daemon *d = t->data;
	size_t i;

	for (i = 0; i < DAEMON_CHANNELS; i++) {
		const struct daemon_channel *c = &d->channels[i];
		struct ctl_lost m = { c->kind, span_z(c->peer) };

		if (c->peer && c->fd < 0 && ipc_send(&d->ctl, &ctl_lost_desc, &m, NULL) < 0)
			log_error("control channel: cannot ask for a new channel");
	}
}

static void on_channel_lost(struct loop *l, int fd)
{
	struct daemon *d = l->arg;
	size_t i;

	for (i = 0; i < DAEMON_CHANNELS; i++) {
		if (!d->channels[i].peer || d->channels[i].fd != fd)
			continue;
		d->channels[i].fd = -1;
		uv_timer_start(&d->lost_timer, on_still_lost, LOST_PAUSE_MS, 0);
	}
}

static void remember_channel(struct daemon *d, const struct ctl_channel *m, int fd)
{
	size_t i;

	for (i = 0; i < DAEMON_CHANNELS; i++) {
		struct daemon_channel *c = &d->channels[i];

		if (c->peer && (c->kind != (enum channel_kind)m->kind || !span_eqz(m->peer, c->peer)))
			continue;
		if (!c->peer)
			c->peer = arena_strndup(&d->arena, m->peer.p, m->peer.n);
		c->kind = (enum channel_kind)m->kind;
		c->fd = fd;
		return;
	}
}

static void on_channel(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct daemon *d = arg;
	const struct ctl_channel *m = in;

	log_debug("channel %d with %.*s", (int)m->kind, SPAN_ARG(m->peer));
	if (!m->is_server && *fd >= 0)
		remember_channel(d, m, *fd);
	if (d->ops->channel && *fd >= 0)
		d->ops->channel(d, (enum channel_kind)m->kind, m->is_server != 0, m->peer, fd);
}

static void on_listen(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct ctl_listen *m = in;
	struct daemon *d = arg;
	struct err err = ERR_INIT;

	log_debug("service %.*s listens on %.*s", SPAN_ARG(m->service), SPAN_ARG(m->address));
	if (*fd >= 0 && d->ops->listen && d->ops->listen(d, in, fd, &err) < 0) {
		log_error("%s", err.msg);
		tell_failed(d, &err);
	}
}

static void on_reload(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct daemon *d = arg;
	struct err err = ERR_INIT;

	log_debug("new configuration");
	if (d->ops->reload && d->ops->reload(d, &err) < 0) {
		log_error("reload: %s; the old configuration stays", err.msg);
		tell_failed(d, &err);
		if (d->before) {
			conf_unref(&d->conf);
			d->conf = d->before;
			d->before = NULL;
		}
	}
	conf_unref(&d->before);
}

static void on_drain(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct ctl_drain *m = in;
	struct daemon *d = arg;

	d->is_draining = true;
	d->is_stopping |= m->is_stop != 0;
	if (d->ops->drain)
		d->ops->drain(d);
	else
		daemon_exit(d);
}

static void on_status(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct daemon *d = arg;
	struct ctl_status_reply m = { .sessions = d->ops->sessions ? d->ops->sessions(d) : 0 };

	if (ipc_reply(c, id, &ctl_status_reply_desc, &m, NULL) < 0)
		log_error("control channel: cannot answer");
}

static void on_who(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct daemon *d = arg;
	struct ctl_who_reply m = { 0 };

	if (d->ops->who)
		d->ops->who(d, in, &m, &d->loop.tick);
	if (ipc_reply(c, id, &ctl_who_reply_desc, &m, NULL) < 0)
		log_error("control channel: cannot answer");
}

static void on_peers(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct daemon *d = arg;
	const struct ctl_peers *m = in;

	if (d->ops->peers)
		d->ops->peers(d, (enum channel_kind)m->kind, m->count);
}

static const struct ipc_rule ctl_rules[] = {
	{ &ctl_conf_desc, ~0u, on_conf },       { &ctl_cert_desc, ~0u, on_cert },
	{ &ctl_channel_desc, ~0u, on_channel }, { &ctl_service_desc, ~0u, on_service },
	{ &ctl_listen_desc, ~0u, on_listen },   { &ctl_reload_desc, ~0u, on_reload },
	{ &ctl_drain_desc, ~0u, on_drain },
	{ &ctl_status_desc, ~0u, on_status },   { &ctl_peers_desc, ~0u, on_peers },
	{ &ctl_who_desc, ~0u, on_who },
};

/* Without master nobody restarts a peer or stops us: the next start must find the sockets free. */
static void on_ctl_lost(void *arg, struct ipc *c, const struct err *why)
{
	if (why->kind != ERR_NONE)
		log_error("control channel: %s", why->msg);
	daemon_log_flush();
	_exit(why->kind == ERR_NONE ? 0 : 1);
}

static const struct ipc_ops ctl_ops = { "control", ctl_rules, ARRAY_LEN(ctl_rules), on_ctl_lost, NULL };

/* ---- start ---- */

static int take_init(struct daemon *d, struct span body, struct err *err)
{
	const struct ctl_init *m = ipc_decode(&ctl_init_desc, body, &d->arena, err);

	if (!m)
		return -1;
	d->program = arena_strndup(&d->arena, m->program.p, m->program.n);
	d->config_directory = arena_strndup(&d->arena, m->config_directory.p, m->config_directory.n);
	d->run_directory = arena_strndup(&d->arena, m->run_directory.p, m->run_directory.n);
	d->libexec_directory = arena_strndup(&d->arena, m->libexec_directory.p, m->libexec_directory.n);
	d->ticket_key = arena_span(&d->arena, m->ticket_key);
	d->worker = m->worker;
	d->n_workers = m->n_workers;
	d->instance = m->instance;
	d->is_root = m->is_root;
	return 0;
}

/* INIT, CONF, any SERVICE, CERT and LISTEN without sockets, then RELOAD ends the opening: from there on the loop serves
 * the channel. */
static int read_opening(struct daemon *d, struct ipc *c, struct err *err)
{
	for (;;) {
		struct ipc_msg m;
		const void *in;
		int rc = 0;

		if (ipc_wait(c, &m, UINT64_MAX, err) != IPC_OK)
			return err->kind == ERR_NONE ? err_set(err, ERR_SYS, "master has gone") : -1;
		if (m.type == MSG_CTL_RELOAD)
			break;
		if (m.type == MSG_CTL_INIT) {
			rc = take_init(d, m.body, err);
		} else if (m.type == MSG_CTL_CONF) {
			in = ipc_decode(&ctl_conf_desc, m.body, &d->arena, err);
			rc = in ? take_conf(d, in, m.fd, err) : -1;
		} else if (m.type == MSG_CTL_SERVICE) {
			in = ipc_decode(&ctl_service_desc, m.body, &d->arena, err);
			rc = in ? 0 : -1;
			if (in)
				take_service(d, in);
		} else if (m.type == MSG_CTL_CERT) {
			in = ipc_decode(&ctl_cert_desc, m.body, &d->arena, err);
			rc = in ? take_cert(d, in, m.fd, err) : -1;
		} else if (m.type == MSG_CTL_LISTEN) {
			in = ipc_decode(&ctl_listen_desc, m.body, &d->arena, err);
			rc = in && d->ops->listen ? d->ops->listen(d, in, &m.fd, err) : in ? 0 : -1;
		} else {
			rc = err_set(err, ERR_PROTO, "control channel: message %u in the opening", m.type);
		}
		if (m.fd >= 0)
			close(m.fd);
		if (rc < 0)
			return -1;
	}
	return d->program && d->conf ? 0 : err_set(err, ERR_PROTO, "control channel: opening without INIT or CONF");
}

static int become_what_we_are(struct daemon *d, struct err *err)
{
	const struct program *p = topology_program(d->program);
	const char *missing = NULL;
	struct global_conf global;

	if (d->is_root && p && !d->sandbox.user)
		d->sandbox.user = p->user;
	if (global_conf_read(&global, d->conf, &d->arena, err) < 0)
		return -1;
	log_set_level(global.debug_level ? LOG_LV_DEBUG : LOG_LV_INFO);
	/* who may open nothing needs no root folder either */
	if (!d->sandbox.chroot && !(d->sandbox.may & (SB_OPEN | SB_UNIX | SB_SOCKET)))
		d->sandbox.chroot = arena_printf(&d->arena, "%s/empty", d->run_directory);
	if (!global.sandbox) {
		log_warn("sandbox = no: the rights of %s are not restricted", d->program);
		d->sandbox.may |= SB_EXEC;
		d->sandbox.may_all_paths = true;
		d->sandbox.chroot = NULL;
	}
	tzset();        /* the file of the time zone is out of reach from here on */
	if (sandbox_apply(&d->sandbox, &missing, err) < 0)
		return -1;
	if (missing)
		log_debug("sandbox: the kernel gives no %s", missing);
	return 0;
}

static void on_flush_log(uv_prepare_t *h)
{
	daemon_log_flush();
}

static int start(struct daemon *d, struct err *err)
{
	struct ipc opening;
	int fd = DAEMON_CTL_FD, rc;

	ipc_init(&opening, NULL, &ctl_ops, d);
	ipc_attach(&opening, &fd);
	rc = read_opening(d, &opening, err);
	if (rc == 0 && d->ops->init)
		rc = d->ops->init(d, err);
	if (rc == 0)
		rc = become_what_we_are(d, err);
	if (rc == 0)
		rc = loop_init(&d->loop, err);
	if (rc == 0) {
		d->loop.on_lost = on_channel_lost;
		d->loop.arg = d;
		uv_timer_init(&d->loop.uv, &d->lost_timer);
		d->lost_timer.data = d;
	}
	/* nothing follows the opening before READY, so no byte is buffered in it */
	ipc_init(&d->ctl, rc == 0 ? &d->loop : NULL, &ctl_ops, d);
	fd = opening.fd;
	opening.fd = -1;
	ipc_close(&opening);
	ipc_attach(&d->ctl, &fd);
	if (rc == 0 && d->ops->start)
		rc = d->ops->start(d, err);
	return rc;
}

static int fail(struct daemon *d, const struct err *err)
{
	struct err ignored = ERR_INIT;

	log_error("%s", err->msg);
	daemon_log_flush();
	if (ipc_is_attached(&d->ctl)) {
		tell_failed(d, err);
		if (d->ctl.loop)
			ipc_flush_unsent(&d->loop);
		else
			(void)!ipc_flush(&d->ctl, &ignored);
	}
	return 1;
}

int daemon_main(int argc, char **argv, const struct daemon_ops *ops, void *state)
{
	struct daemon *d = xnew(struct daemon);
	uv_prepare_t flush_log;
	struct err err = ERR_INIT;

	if (fcntl(DAEMON_CTL_FD, F_GETFD) < 0 || fcntl(DAEMON_LOG_FD, F_GETFD) < 0) {
		fprintf(stderr, "%s: started by hand; it is part of the suite: use `surat start`\n", ops->name);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	daemon_log_open(DAEMON_LOG_FD, argc > 1 ? argv[1] : ops->name);
	d->ops = ops;
	d->state = state;
	ipc_init(&d->ctl, NULL, &ctl_ops, d);
	if (start(d, &err) < 0)
		return fail(d, &err);
	uv_prepare_init(&d->loop.uv, &flush_log);
	uv_prepare_start(&flush_log, on_flush_log);
	if (ipc_send(&d->ctl, &ctl_ready_desc, NULL, NULL) < 0)
		return 1;
	loop_run(&d->loop);
	daemon_log_flush();
	return 0;
}

pid_t daemon_fork(void)
{
	sigset_t all, before;
	pid_t pid;

	daemon_log_flush();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid != 0)
		sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

void daemon_child(struct daemon *d, const char *log_name, void (*on_term)(int sig))
{
	struct sigaction dfl = { .sa_handler = SIG_DFL }, term = { .sa_handler = on_term };
	sigset_t none;
	int sig;

	for (sig = 1; sig < NSIG; sig++)
		sigaction(sig, &dfl, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigaction(SIGTERM, &term, NULL);
	close(d->ctl.fd);
	close(uv_backend_fd(&d->loop.uv));
	daemon_log_tag(log_name);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
