#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "master.h"
#include "svc/daemon.h"

#define READY_LIMIT_MS 60000u
#define FIRST_PAUSE_MS 100u
#define LIVED_WELL_MS 5000u     /* a process that ran so long is started again at once */

/* Not in the topology: it has no channels, and it must be there before all others and leave after them. */
const struct program spawn_logger = { "logger", NULL, "_surat-log", false, false };

/* ---- the new process ---- */

/* SURAT_RUN tells whoever looks at the process which suite it belongs to. */
static char **make_environment(const struct master *m, struct arena *a)
{
	static const char *const kept[] = { "TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS" };
	char **env = arena_alloc(a, (ARRAY_LEN(kept) + 5) * sizeof(*env));
	size_t i, n = 0;

	env[n++] = arena_strdup(a, "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	env[n++] = arena_strdup(a, "LANG=C");
	env[n++] = arena_printf(a, "SURAT_RUN=%s", m->run_directory);
	/* with TZ set the C library does not look for /etc/localtime again inside a chroot */
	if (!getenv("TZ"))
		env[n++] = arena_strdup(a, "TZ=:/etc/localtime");
	for (i = 0; i < ARRAY_LEN(kept); i++) {
		if (getenv(kept[i]))
			env[n++] = arena_printf(a, "%s=%s", kept[i], getenv(kept[i]));
	}
	return env;
}

/* After fork: nothing but system calls. Descriptor 3 is the control channel, 4 and stderr the log. */
static NORETURN void run_binary(char **argv, char **env, int ctl, int log)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), sig;

	/* out of the way of the numbers they will get */
	ctl = fcntl(ctl, F_DUPFD_CLOEXEC, 16);
	log = fcntl(log, F_DUPFD_CLOEXEC, 16);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(log, 2) < 0 || dup2(ctl, DAEMON_CTL_FD) < 0 ||
	    dup2(log, DAEMON_LOG_FD) < 0 || close_range(DAEMON_LOG_FD + 1, ~0u, 0) < 0)
		_exit(126);
	for (sig = 1; sig < NSIG; sig++)
		sigaction(sig, &dfl, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	umask(077);
	(void)!chdir("/");
	execve(argv[0], argv, env);
	_exit(127);
}

static int fork_binary(struct proc *p, int *ctl_r, struct err *err)
{
	struct arena *a = &p->m->loop.tick;
	const char *name = p->program->binary ? p->program->binary : p->program->name;
	const char *path = config_binary(p->m->config, name, a);
	char *argv[3] = { (char *)(uintptr_t)path, (char *)(uintptr_t)p->program->name, NULL };
	char **env = make_environment(p->m, a);
	sigset_t all, was;
	int sv[2];

	if (!path)
		return err_set(err, ERR_CONF, "no program %s in %s; see daemon_directory", name, p->m->config->libexec);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return err_sys(err, "socketpair");
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &was);
	p->pid = fork();
	if (p->pid == 0)
		run_binary(argv, env, sv[1], p->program == &spawn_logger ? p->m->log_fds[1] : p->m->log_fds[0]);
	sigprocmask(SIG_SETMASK, &was, NULL);
	close(sv[1]);
	if (p->pid < 0) {
		p->pid = 0;
		close(sv[0]);
		return err_sys(err, "fork");
	}
	*ctl_r = sv[0];
	return 0;
}

/* What rows set for themselves may name tables; the file is not asked again, it may be in the middle of a change. */
static int send_services(struct proc *p)
{
	const struct mastercf *m = &p->m->config->services;
	struct arena *a = &p->m->loop.tick;
	size_t i;

	for (i = 0; i < m->n && strcmp(p->program->name, "resolve") == 0; i++) {
		struct ctl_service msg = { span_z(m->v[i].name), span_z(config_options(&m->v[i], a)) };

		if (m->v[i].n_overrides && ipc_send(&p->ctl, &ctl_service_desc, &msg, NULL) < 0)
			return -1;
	}
	return 0;
}

static int send_snapshot(struct proc *p)
{
	const struct config *c = p->m->config;
	struct ctl_conf conf = { c->snapshot_size };
	int fd = fcntl(c->snapshot_fd, F_DUPFD_CLOEXEC, 3);

	p->generation = c->generation;
	if (fd < 0 || ipc_send(&p->ctl, &ctl_conf_desc, &conf, &fd) < 0)
		return -1;
	return send_services(p);
}

static int send_opening(struct proc *p)
{
	const struct master *m = p->m;
	struct ctl_init init = { span_z(p->program->name), p->worker,
				 p->program->is_per_core ? m->config->n_workers : 1, m->instance, m->is_root,
				 span_z(m->config_directory), span_z(m->run_directory), span_z(m->config->libexec),
				 SPAN_NULL };
	size_t i;

	/* one worker per core is for those who serve clients */
	if (p->program->is_per_core)
		init.ticket_key = (struct span){ m->ticket_key, sizeof(m->ticket_key) };
	if (ipc_send(&p->ctl, &ctl_init_desc, &init, NULL) < 0 || send_snapshot(p) < 0)
		return -1;
	for (i = 0; i < m->certs.n; i++) {
		if (spawn_send_cert(p, &m->certs.v[i]) < 0)
			return -1;
	}
	return channels_announce(p) < 0 ? -1 : ipc_send(&p->ctl, &ctl_reload_desc, NULL, NULL);
}

int spawn_send_cert(struct proc *p, const struct cert *c)
{
	struct ctl_cert msg = { span_z(c->name), span_z(c->service), c->size, span_z(c->overrides) };
	int fd;

	if (strcmp(c->program, p->program->name) != 0 || !ipc_is_attached(&p->ctl))
		return 0;
	fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? -1 : ipc_send(&p->ctl, &ctl_cert_desc, &msg, &fd);
}

int spawn_send_reload(struct proc *p)
{
	size_t i;

	if (send_snapshot(p) < 0)
		return -1;
	for (i = 0; i < p->m->certs.n; i++) {
		if (spawn_send_cert(p, &p->m->certs.v[i]) < 0)
			return -1;
	}
	return ipc_send(&p->ctl, &ctl_reload_desc, NULL, NULL);
}

void spawn_catch_up(struct proc *p)
{
	if (p->state != PROC_READY || p->is_retired || p->m->reload || p->generation == p->m->config->generation)
		return;
	if (p->program->is_per_core || spawn_send_reload(p) < 0)
		spawn_kill(p);
}

/* ---- its life ---- */

static void on_overdue(uv_timer_t *t)
{
	struct proc *p = t->data;

	if (p->pid == 0)
		return;
	log_warn("process %d of %s is not %s in time: killed", (int)p->pid, p->program->name,
		 p->state == PROC_STARTING ? "ready" : "gone");
	spawn_kill(p);
}

/* Every process that should be there is ready. */
static bool all_ready(const struct master *m)
{
	const struct proc *p;

	for (p = m->procs; p; p = p->next) {
		if (p->state != PROC_READY && !p->is_retired)
			return false;
	}
	return true;
}

static void on_ready(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	struct proc *p = arg;
	struct master *m = p->m;

	p->state = PROC_READY;
	uv_timer_stop(&p->timer);
	channels_connect(p);
	if (p->program == &spawn_logger)
		channels_lend_log(p);
	if (p->is_successor)
		reload_step(m);
	else if (m->state == MASTER_RUNNING)
		channels_listen(p);
	else if (m->state == MASTER_STARTING && all_ready(m))
		master_is_up(m);
	else if (m->state == MASTER_STOPPING)
		stop_step(m);
	spawn_catch_up(p);
}

/* All workers get the old one again: what starts later must serve too. */
static void take_back_cert(struct proc *p, const struct ctl_failed *msg)
{
	struct master *m = p->m;
	const struct cert *c = certs_take_back(&m->certs, p->program->name, msg->cert, msg->service);
	struct proc *q;

	if (!c)
		return;
	log_error("%s: %s cannot use the new certificate: %s; the old one stays, also for processes that start later",
		  c->name, p->program->name, p->failed);
	for (q = m->procs; q; q = q->next) {
		if (spawn_send_cert(q, c) < 0)
			log_error("%s: cannot send the certificate", q->program->name);
	}
}

static void on_failed(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct ctl_failed *msg = in;
	struct proc *p = arg;

	free(p->failed);
	p->failed = xstrndup(msg->text.p, msg->text.n);
	if (msg->cert.n && p->m->state == MASTER_RUNNING && !p->m->reload)
		take_back_cert(p, msg);
}

static void on_channel_lost(void *arg, struct ipc *c, uint32_t id, const void *in, int *fd)
{
	const struct ctl_lost *msg = in;
	struct proc *p = arg;

	if (p->m->state == MASTER_RUNNING)
		channels_renew(p, (enum channel_kind)msg->kind, msg->peer);
}

static const struct ipc_rule rules[] = {
	{ &ctl_ready_desc, ~0u, on_ready }, { &ctl_failed_desc, ~0u, on_failed }, { &ctl_lost_desc, ~0u, on_channel_lost },
};

/* SIGCHLD follows when it has ended; a daemon that sends nonsense or closes its channel is ended. */
static void on_lost(void *arg, struct ipc *c, const struct err *why)
{
	struct proc *p = arg;

	if (why->kind == ERR_NONE || p->pid == 0)
		return;
	log_warn("process %d of %s: control channel: %s: killed", (int)p->pid, p->program->name, why->msg);
	spawn_kill(p);
}

static const struct ipc_ops ctl_ops = { "control", rules, ARRAY_LEN(rules), on_lost, NULL };

static int start(struct proc *p)
{
	struct err err = ERR_INIT;
	int fd = -1;

	if (fork_binary(p, &fd, &err) < 0) {
		log_error("%s: %s", p->program->name, err.msg);
		return -1;
	}
	p->state = PROC_STARTING;
	p->started_ms = clock_mono_ms();
	p->sessions = 0;
	p->is_killed = false;
	free(p->failed);
	p->failed = NULL;
	ipc_attach(&p->ctl, &fd);
	uv_timer_start(&p->timer, on_overdue, READY_LIMIT_MS, 0);
	if (send_opening(p) < 0)
		spawn_kill(p);
	return 0;
}

static void free_proc(uv_handle_t *h)
{
	struct proc *p = h->data;

	free(p->failed);
	free(p);
}

static void forget(struct proc *p)
{
	struct proc **at;

	for (at = &p->m->procs; *at != p; at = &(*at)->next)
		;
	*at = p->next;
	if (p->m->logger == p)
		p->m->logger = NULL;
	ipc_close(&p->ctl);
	uv_close((uv_handle_t *)&p->timer, free_proc);
}

struct proc *spawn_add(struct master *m, const struct program *program, unsigned worker)
{
	struct proc *p = xnew(struct proc), **at;

	p->m = m;
	p->program = program;
	p->worker = worker;
	p->state = PROC_DEAD;
	ipc_init(&p->ctl, &m->loop, &ctl_ops, p);
	uv_timer_init(&m->loop.uv, &p->timer);
	p->timer.data = p;
	for (at = &m->procs; *at; at = &(*at)->next)
		;
	*at = p;
	if (start(p) == 0)
		return p;
	forget(p);
	return NULL;
}

static void on_pause_over(uv_timer_t *t)
{
	struct proc *p = t->data;

	if (p->m->state != MASTER_STOPPING && start(p) < 0)
		uv_timer_start(&p->timer, on_pause_over, p->m->config->master.service_throttle_time_ms, 0);
}

static void start_again(struct proc *p)
{
	uint64_t limit = p->m->config->master.service_throttle_time_ms, pause;

	if (clock_mono_ms() - p->started_ms >= LIVED_WELL_MS)
		p->backoff_ms = 0;
	pause = p->backoff_ms > limit ? limit : p->backoff_ms;
	p->backoff_ms = p->backoff_ms ? pause * 2 : FIRST_PAUSE_MS;
	p->restarts++;
	if (pause >= 1000)
		log_warn("%s keeps ending: started again in %llu seconds", p->program->name,
			 (unsigned long long)pause / 1000);
	uv_timer_start(&p->timer, on_pause_over, pause, 0);
}

/* Whoever killed it has said why. */
static void log_end(const struct proc *p, int status, bool was_expected)
{
	const char *name = p->program->binary ? p->program->binary : p->program->name;
	const char *path = config_binary(p->m->config, name, &p->m->loop.tick);

	path = path ? path : name;
	if (p->is_killed)
		return;
	if (WIFSIGNALED(status))
		log_warn("process %s pid %d killed by signal %d", path, (int)p->pid, WTERMSIG(status));
	else if (WEXITSTATUS(status) || !was_expected)
		log_warn("process %s pid %d exit status %d", path, (int)p->pid, WEXITSTATUS(status));
	if (p->state == PROC_STARTING)
		log_warn("%s: bad command startup%s%s", path, p->failed ? ": " : "", p->failed ? p->failed : "");
}

static void on_end(struct proc *p, int status)
{
	struct master *m = p->m;
	bool was_successor = p->is_successor, was_starting = p->state == PROC_STARTING;

	log_end(p, status, p->is_retired || p->state == PROC_DRAINING);
	p->pid = 0;
	p->state = PROC_DEAD;
	uv_timer_stop(&p->timer);
	ipc_close(&p->ctl);
	if (m->state == MASTER_STOPPING || p->is_retired) {
		forget(p);
	} else if (was_successor) {
		char *why = p->failed ? p->failed : xstrdup("a new process did not start; the log says why");

		p->failed = NULL;
		forget(p);
		reload_failed(m, why);
		free(why);
	} else if (m->state == MASTER_STARTING && was_starting) {
		m->exit_status = 1;
		stop_begin(m, "a process could not be started");
		return;
	} else {
		start_again(p);
	}
	if (m->state == MASTER_STOPPING)
		stop_step(m);
}

void spawn_reap(struct master *m)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct proc *p;

		for (p = m->procs; p && p->pid != pid; p = p->next)
			;
		if (p)
			on_end(p, status);
	}
}

void spawn_drain(struct proc *p, uint64_t limit_ms)
{
	const struct ctl_drain msg = { limit_ms != 0 };

	p->is_retired = true;
	if (p->state == PROC_DRAINING || p->pid == 0)
		return;
	if (p->state == PROC_STARTING || ipc_send(&p->ctl, &ctl_drain_desc, &msg, NULL) < 0) {
		spawn_kill(p);
		return;
	}
	p->state = PROC_DRAINING;
	if (limit_ms)
		uv_timer_start(&p->timer, on_overdue, limit_ms, 0);
}

/* Each daemon leads a session of its own: children that it left behind in its group go with it. */
void spawn_kill(struct proc *p)
{
	if (p->pid <= 0)
		return;
	p->is_killed = true;
	if (kill(-p->pid, SIGKILL) < 0)
		kill(p->pid, SIGKILL);
}

/* ---- the set ---- */

bool spawn_is_wanted(const struct config *c, const struct program *program)
{
	size_t i;

	if (!program->is_wanted_by_listener || mastercf_find(&c->services, program->name))
		return true;
	/* pop3d and imapd have no socket of their own: they come with those who hand sessions to it */
	for (i = 0; i < topology_n_channels; i++) {
		const struct channel *row = &topology_channels[i];

		if (row->kind == CHAN_SESSION && strcmp(row->server, program->name) == 0 &&
		    mastercf_find(&c->services, row->client))
			return true;
	}
	return false;
}

void spawn_check_binaries(const struct config *c, struct conf_errors *errors)
{
	struct arena a = { 0 };
	size_t i;

	for (i = 0; i <= topology_n_programs; i++) {
		const struct program *p = i < topology_n_programs ? &topology_programs[i] : &spawn_logger;
		const char *name = p->binary ? p->binary : p->name;

		if (spawn_is_wanted(c, p) && !config_binary(c, name, &a))
			conf_error(errors, "there is no program %s in %s; see daemon_directory", name, c->libexec);
	}
	arena_fini(&a);
}

static bool is_there(const struct master *m, const struct program *program)
{
	const struct proc *p;

	for (p = m->procs; p; p = p->next) {
		if (p->program == program && !p->is_retired)
			return true;
	}
	return false;
}

int spawn_wanted(struct master *m, bool successors)
{
	size_t i;

	for (i = 0; i < topology_n_programs; i++) {
		const struct program *program = &topology_programs[i];
		unsigned worker, n = program->is_per_core ? m->config->n_workers : 1;

		if (!spawn_is_wanted(m->config, program) ||
		    (is_there(m, program) && !(successors && program->is_per_core)))
			continue;
		for (worker = 0; worker < n; worker++) {
			struct proc *p = spawn_add(m, program, worker);

			if (!p)
				return -1;
			p->is_successor = successors;
		}
	}
	return 0;
}

const char *spawn_user(const struct proc *p)
{
	const struct passwd *pw;

	if (p->m->is_root)
		return p->program->user ? p->program->user : "root";
	pw = getpwuid(geteuid());
	return pw ? pw->pw_name : "?";
}
