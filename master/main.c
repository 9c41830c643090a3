/* master: starts, connects, restarts, reloads and stops all other daemons; reads no byte from a network
 *
 * Rights: root, or one ordinary user. Peers: every daemon over its control channel, surat(1) over RUN_DIRECTORY/master.
 * Files: main.cf, master.cf, certificates and keys; RUN_DIRECTORY/master.pid.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "master.h"
#include "svc/daemon_log.h"

#define CERT_POLL_MS 2000u
#define LEAVING_MS 3000u        /* how long daemons of a killed master may still hold their sockets */
#define LOG_BUFFER (4 << 20)

/* ---- the end ---- */

void master_end(struct master *m, int exit_status)
{
	uv_handle_t *handles[] = { (uv_handle_t *)&m->on_child, (uv_handle_t *)&m->on_term, (uv_handle_t *)&m->on_int,
				   (uv_handle_t *)&m->on_hup, (uv_handle_t *)&m->cert_timer };
	size_t i;

	m->exit_status = exit_status;
	tool_close(m);
	for (i = 0; i < ARRAY_LEN(handles); i++) {
		if (!uv_is_closing(handles[i]))
			uv_close(handles[i], NULL);
	}
	loop_stop(&m->loop);
}

/* ---- events ---- */

static void on_child(uv_signal_t *h, int signum)
{
	spawn_reap(h->data);
}

static void on_stop(uv_signal_t *h, int signum)
{
	stop_begin(h->data, signum == SIGINT ? "signal 2" : "signal 15");
}

static void on_hup(uv_signal_t *h, int signum)
{
	reload_begin(h->data, NULL);
}

static void on_new_cert(void *arg, const struct cert *c)
{
	struct master *m = arg;
	struct proc *p;

	log_info("%s: new certificate read from %s", c->name, c->files[0].path);
	for (p = m->procs; p; p = p->next) {
		if (spawn_send_cert(p, c) < 0)
			log_error("%s: cannot send the certificate", p->program->name);
	}
}

static void on_cert_timer(uv_timer_t *t)
{
	struct master *m = t->data;

	if (m->state == MASTER_RUNNING && !m->reload)
		certs_poll(&m->certs, on_new_cert, m);
}

static void watch_signal(struct master *m, uv_signal_t *h, uv_signal_cb fn, int signum)
{
	uv_signal_init(&m->loop.uv, h);
	h->data = m;
	uv_signal_start(h, fn, signum);
}

/* From here on lines go to the log; until now whoever started us has seen them. */
static void leave_terminal(struct master *m)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	daemon_log_open(m->log_fds[0], "master");
	if (m->notify_fd >= 0) {
		(void)!write(m->notify_fd, "+", 1);
		close(m->notify_fd);
		m->notify_fd = -1;
	}
	if (!m->is_foreground && null >= 0) {
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
	}
	if (null >= 0)
		close(null);
	/* whoever reads our output waits for its end */
	if (strcmp(m->config->global.maillog_file, "/dev/stdout") != 0) {
		close(m->stdout_fd);
		m->stdout_fd = -1;
	}
}

void master_is_up(struct master *m)
{
	struct proc *p;

	m->state = MASTER_RUNNING;
	for (p = m->procs; p; p = p->next)
		channels_listen(p);
	leave_terminal(m);
	log_info("daemon started -- version %s, configuration %s", SURAT_VERSION, m->config_directory);
}

/* ---- the start ---- */

/* What keeps the suite from starting is not hidden among warnings. */
static void print_errors(const struct conf_errors *errors)
{
	size_t i, wrong = conf_errors_wrong(errors);

	for (i = 0; i < errors->n; i++) {
		bool is_warning = conf_is_warning(errors->v[i]);

		if (!is_warning || wrong == 0)
			fprintf(stderr, "surat: %s%s\n", is_warning ? "" : "error: ", errors->v[i]);
	}
}

static int open_log(struct master *m, struct err *err)
{
	int size = LOG_BUFFER, on = 1;

	/* packets, not datagrams: those are limited to ten in the kernel's queue */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, m->log_fds) < 0)
		return err_sys(err, "socketpair");
	if (setsockopt(m->log_fds[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return err_sys(err, "SO_PASSCRED");
	if (setsockopt(m->log_fds[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(m->log_fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return 0;
}

static int open_tool_sockets(struct master *m, struct err *err)
{
	struct arena *a = &m->loop.tick;
	struct listeners *l = &m->tool_sockets;

	if (tool_open(m, err) < 0)
		return -1;
	return listen_add_unix(l, arena_printf(a, "%s/sendmail", m->run_directory), 0666, "sendmail", "smtpd", err);
}

/* Everything that can be wrong is found before the first daemon starts. */
static int prepare(struct master *m)
{
	struct conf_errors errors = { 0 };
	struct err err = ERR_INIT;
	bool was_killed = false;
	int rc;

	m->config = config_load(m->config_directory, 1, &errors);
	if (m->config && m->is_root)
		dirs_check_users(m->config, &errors);
	if (m->config)
		spawn_check_binaries(m->config, &errors);
	if (m->config)
		channels_check_log(m->config, &errors);
	if (m->config && !conf_errors_wrong(&errors)) {
		print_errors(&errors);
		conf_errors_fini(&errors);
		m->run_directory = arena_strdup(&m->arena, m->config->global.run_directory);
		m->empty_directory = arena_printf(&m->arena, "%s/empty", m->run_directory);
		if (dirs_make(m, m->config, &was_killed, &err) < 0 || open_log(m, &err) < 0 ||
		    open_tool_sockets(m, &err) < 0)
			conf_error(&errors, "%s", err.msg);
		else if (certs_load(&m->certs, m->config, &errors) == 0)
			(void)!listen_open(&m->listeners, m->config, NULL, was_killed ? LEAVING_MS : 0, &errors);
	}
	rc = m->config ? 0 : -1;
	if (conf_errors_wrong(&errors)) {
		print_errors(&errors);
		rc = -1;
	}
	conf_errors_fini(&errors);
	return rc;
}

static void raise_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	l.rlim_cur = l.rlim_max;
	if (geteuid() == 0 && l.rlim_max < 1048576) {
		struct rlimit more = { 1048576, 1048576 };

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return;
	}
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

static int run(struct master *m)
{
	watch_signal(m, &m->on_child, on_child, SIGCHLD);
	watch_signal(m, &m->on_term, on_stop, SIGTERM);
	watch_signal(m, &m->on_int, on_stop, SIGINT);
	watch_signal(m, &m->on_hup, on_hup, SIGHUP);
	uv_timer_init(&m->loop.uv, &m->cert_timer);
	m->cert_timer.data = m;
	uv_timer_start(&m->cert_timer, on_cert_timer, CERT_POLL_MS, CERT_POLL_MS);
	m->logger = spawn_add(m, &spawn_logger, 0);
	if (!m->logger || spawn_wanted(m, false) < 0) {
		m->exit_status = 1;
		stop_begin(m, "a process could not be started");
	}
	loop_run(&m->loop);
	return m->exit_status;
}

static void on_flush_log(uv_prepare_t *h)
{
	daemon_log_flush();
}

static int usage(void)
{
	fprintf(stderr, "usage: master -c CONFIG_DIRECTORY [-f] [-n FD]; use \"surat start\"\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct master m = { .notify_fd = -1, .lock_fd = -1, .tool_fd = -1, .stdout_fd = -1, .log_fds = { -1, -1 } };
	struct err err = ERR_INIT;
	uv_prepare_t flush_log;
	int opt, status = 1;

	while ((opt = getopt(argc, argv, "c:fn:")) != -1) {
		if (opt == 'c')
			m.config_directory = optarg;
		else if (opt == 'f')
			m.is_foreground = true;
		else if (opt == 'n')
			m.notify_fd = (int)strtol(optarg, NULL, 10);
		else
			return usage();
	}
	if (!m.config_directory || *m.config_directory != '/' || optind < argc)
		return usage();
	if (m.notify_fd >= 0)
		fcntl(m.notify_fd, F_SETFD, FD_CLOEXEC);
	signal(SIGPIPE, SIG_IGN);
	log_set_tag("surat/master");
	umask(022);
	raise_files();
	m.is_root = geteuid() == 0;
	m.stdout_fd = fcntl(1, F_DUPFD_CLOEXEC, 3);
	m.started_ms = clock_mono_ms();
	random_bytes(&m.instance, sizeof(m.instance));
	random_bytes(m.ticket_key, sizeof(m.ticket_key));
	if (loop_init(&m.loop, &err) < 0)
		log_fatal("%s", err.msg);
	uv_prepare_init(&m.loop.uv, &flush_log);
	uv_prepare_start(&flush_log, on_flush_log);
	uv_unref((uv_handle_t *)&flush_log);
	if (prepare(&m) == 0)
		status = run(&m);
	tool_close(&m);
	listen_fini(&m.listeners, true);
	listen_fini(&m.tool_sockets, true);
	dirs_release(&m);
	daemon_log_flush();
	return status;
}
