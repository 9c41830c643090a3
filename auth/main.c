/* auth: SASL exchanges for smtpd and login, tickets for pop3d and imapd; as auth-pam: asks PAM for auth.
 *
 * auth      user _surat-auth; peers smtpd, login (CHAN_AUTH), pop3d and imapd (CHAN_TICKET), auth-pam (CHAN_PAM); reads
 *           data_directory/users.mdb and secrets.mdb and passwd-files; keeps worker processes that it forks itself
 * auth-pam  user root; peer auth; forks a child per question; reads what PAM's modules read
 */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "auth/exchange.h"
#include "auth/front.h"
#include "auth/pam.h"
#include "auth/worker.h"
#include "base/mem.h"
#include "base/random.h"
#include "svc/daemon.h"

struct auth {
	struct settings *settings;
	struct front *front;
	struct pam_server *pam;
	char seed[33];
	struct sandbox_path paths[PASSDB_MAX + 8];
};

static int read_settings(struct daemon *d, struct settings **s_r, struct err *err)
{
	struct settings *s = xnew(struct settings);
	struct passdb_chain chain;
	size_t i;
	int rc;

	if (settings_read(s, d->conf, d->is_root, err) < 0) {
		free(s);
		return -1;
	}
	rc = passdb_open(&chain, s, err);
	passdb_close(&chain);
	for (i = 0; rc == 0 && i < s->auth.auth_mechanisms.n; i++) {
		if (!exchange_mech(span_z(s->auth.auth_mechanisms.v[i])))
			rc = err_set(err, ERR_CONF,
				     "auth_mechanisms: \"%s\" is none of plain, login, cram-md5, scram-sha-1, "
				     "scram-sha-256", s->auth.auth_mechanisms.v[i]);
	}
	if (rc < 0) {
		settings_fini(s);
		free(s);
		return -1;
	}
	*s_r = s;
	return 0;
}

/* The folder, not the file: a file that is replaced is another one to Landlock. */
static void allow_paths(struct daemon *d, struct auth *a)
{
	static const char *const fixed[] = { "/etc", "/usr", "/lib", "/run", "/var/lib/extrausers" };
	const struct conf_list *list = &a->settings->auth.auth_passdb;
	size_t i, n = 0;

	for (i = 0; i < ARRAY_LEN(fixed); i++)
		a->paths[n++] = (struct sandbox_path){ fixed[i], SB_READ };
	a->paths[n++] = (struct sandbox_path){ a->settings->global.data_directory, SB_READ };
	for (i = 0; i < list->n && n < ARRAY_LEN(a->paths); i++) {
		const char *path = strchr(list->v[i], '/');

		if (path && strrchr(path, '/') > path)
			a->paths[n++] = (struct sandbox_path){
				arena_strndup(&d->arena, path, (size_t)(strrchr(path, '/') - path)), SB_READ };
	}
	d->sandbox.paths = a->paths;
	d->sandbox.n_paths = n;
}

/* What a library would load at its first use must be loaded before the sandbox closes. */
static void load_early(void)
{
	(void)!getpwnam("root");
	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_ADD_ALL_DIGESTS, NULL);
	(void)!EVP_get_digestbyname("MD5");
}

static int init(struct daemon *d, struct err *err)
{
	struct auth *a = d->state;
	unsigned char raw[16];
	size_t i;

	load_early();
	if (exchange_init(err) < 0 || read_settings(d, &a->settings, err) < 0)
		return -1;
	random_bytes(raw, sizeof(raw));
	for (i = 0; i < sizeof(raw); i++)
		snprintf(a->seed + 2 * i, 3, "%02x", raw[i]);
	d->sandbox.may = SB_OPEN | SB_UNIX | SB_FORK | SB_THREAD;
	allow_paths(d, a);
	return 0;
}

/* The child keeps standard streams, the log and its own end, moved to where the control channel was. */
static void become_child(struct daemon *d, const char *name, int *fd)
{
	daemon_child(d, name, SIG_DFL);
	if (dup2(*fd, DAEMON_CTL_FD) < 0 || close_range(DAEMON_LOG_FD + 1, ~0u, 0) < 0)
		_exit(1);
	*fd = DAEMON_CTL_FD;
}

static int spawn_worker(void *arg, const struct settings *s, int *fd_r, pid_t *pid_r, struct err *err)
{
	struct daemon *d = arg;
	struct auth *a = d->state;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return err_sys(err, "socketpair");
	*pid_r = daemon_fork();
	if (*pid_r == 0) {
		become_child(d, "auth", &fds[1]);
		_exit(worker_run(s, a->seed, &fds[1]));
	}
	close(fds[1]);
	if (*pid_r < 0) {
		close(fds[0]);
		return err_sys(err, "fork of a worker");
	}
	*fd_r = fds[0];
	return 0;
}

static int start(struct daemon *d, struct err *err)
{
	struct auth *a = d->state;

	a->front = front_new(&d->loop, a->settings, spawn_worker, d);
	return 0;
}

static void channel(struct daemon *d, enum channel_kind kind, bool is_server, struct span peer, int *fd)
{
	struct auth *a = d->state;

	if (kind == CHAN_AUTH && is_server)
		front_attach(a->front, fd);
	else if (kind == CHAN_TICKET && is_server)
		front_attach_tickets(a->front, fd);
	else if (kind == CHAN_PAM && !is_server)
		front_attach_pam(a->front, fd);
}

static int reload(struct daemon *d, struct err *err)
{
	struct auth *a = d->state;
	struct settings *fresh;

	if (read_settings(d, &fresh, err) < 0)
		return -1;
	front_configure(a->front, fresh);
	settings_fini(a->settings);
	free(a->settings);
	a->settings = fresh;
	return 0;
}

static uint64_t sessions(struct daemon *d)
{
	struct auth *a = d->state;

	return front_count(a->front);
}

/* ---- auth-pam ---- */

static int pam_init(struct daemon *d, struct err *err)
{
	load_early();
	/* modules come late, from anywhere, and some run set-id helpers */
	d->sandbox.may = SB_OPEN | SB_CHANGE_FILES | SB_SOCKET | SB_UNIX | SB_FORK | SB_EXEC | SB_THREAD;
	d->sandbox.may_all_paths = true;
	d->sandbox.may_gain_privs = true;
	return 0;
}

static pid_t fork_pam(void *arg, const struct pam_check *q, int fd)
{
	struct daemon *d = arg;
	pid_t pid = daemon_fork();

	if (pid == 0) {
		become_child(d, "auth-pam", &fd);
		pam_server_child(NULL, q, fd);
		_exit(0);
	}
	return pid;
}

static int pam_start_serving(struct daemon *d, struct err *err)
{
	struct auth *a = d->state;

	a->pam = pam_server_new(&d->loop, fork_pam, d);
	return 0;
}

static void pam_channel(struct daemon *d, enum channel_kind kind, bool is_server, struct span peer, int *fd)
{
	struct auth *a = d->state;

	if (kind == CHAN_PAM && is_server)
		pam_server_attach(a->pam, fd);
}

static uint64_t pam_sessions(struct daemon *d)
{
	struct auth *a = d->state;

	return pam_server_count(a->pam);
}

int main(int argc, char **argv)
{
	static const struct daemon_ops auth_ops = {
		.name = "auth", .init = init, .start = start, .channel = channel, .reload = reload,
		.sessions = sessions,
	};
	static const struct daemon_ops pam_ops = {
		.name = "auth-pam", .init = pam_init, .start = pam_start_serving, .channel = pam_channel,
		.sessions = pam_sessions,
	};
	struct auth a = { .settings = NULL };

	return daemon_main(argc, argv, argc > 1 && strcmp(argv[1], "auth-pam") == 0 ? &pam_ops : &auth_ops, &a);
}
