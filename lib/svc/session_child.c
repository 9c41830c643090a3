/* The child's side of session_parent.h: between the fork and the session. */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "svc/daemon_log.h"
#include "svc/session_parent.h"

#define CLIENT_FD 5
#define WATCH_FD 6
#define LAST_WORDS_S 10
#define READABLE_MAX 4

static volatile sig_atomic_t was_told_to_end, has_client;

/* As if the client had gone: the session ends in good order, or it is ended. */
static void on_term(int sig)
{
	was_told_to_end = 1;
	if (has_client)
		shutdown(CLIENT_FD, SHUT_RD);
	alarm(LAST_WORDS_S);
}

/* CLIENT_FD is what it shall be, and a signal may have come before. */
static void settle_client(void)
{
	has_client = 1;
	if (was_told_to_end)
		shutdown(CLIENT_FD, SHUT_RD);
}

int child_start_become(const struct child_start *start, struct err *err)
{
	if (start->changes_user &&
	    sandbox_become(start->uid, start->gid, start->system_user[0] ? start->system_user : NULL, err) < 0)
		return -1;
	/* the parent is gone: so is the suite */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	umask(0077);
	return 0;
}

struct mail_store_options child_start_store(const struct child_start *start, const char *host)
{
	return (struct mail_store_options){
		.home = start->home, .mail = start->mail, .index = start->index, .host = host, .instance = start->instance,
		.quota = { start->quota, start->quota_messages }, .is_suspect = start->had_crash,
	};
}

int child_start_lock_in(const struct child_start *start, const char *const *readable, size_t n, struct err *err)
{
	struct sandbox_path paths[2 + READABLE_MAX] = { { start->mail, SB_READ | SB_WRITE } };
	struct sandbox sb = { .may = CHILD_MAY, .calls = start->calls, .paths = paths, .n_paths = 1 };
	size_t i;

	BUG(n > READABLE_MAX);
	if (start->index[0] == '/')
		paths[sb.n_paths++] = (struct sandbox_path){ start->index, SB_READ | SB_WRITE };
	for (i = 0; i < n; i++)
		paths[sb.n_paths++] = (struct sandbox_path){ readable[i], SB_READ };
	return start->is_sandboxed ? sandbox_apply(&sb, NULL, err) : 0;
}

/* Two descriptors to fixed numbers, whatever they are now; all others but the log's go. */
static int settle_fds(int fd, int *watch_fd)
{
	int client = fcntl(fd, F_DUPFD, WATCH_FD + 1), watch = *watch_fd < 0 ? -1 :
		fcntl(*watch_fd, F_DUPFD, WATCH_FD + 1);

	if (client < 0 || dup2(client, CLIENT_FD) < 0 || (watch >= 0 && dup2(watch, WATCH_FD) < 0))
		return -1;
	*watch_fd = watch < 0 ? -1 : WATCH_FD;
	close(DAEMON_CTL_FD);
	closefrom(watch < 0 ? CLIENT_FD + 1 : WATCH_FD + 1);
	return 0;
}

NORETURN static void child_run(struct session_parent *p, struct child_start *start, int fd)
{
	struct err err = ERR_INIT;
	int rc = 0;

	daemon_child(p->daemon, start->log_tag, on_term);
	if (settle_fds(fd, &start->watch_fd) < 0)
		_exit(1);
	settle_client();
	if (p->kind->serve(start, CLIENT_FD, &err) < 0) {
		log_error("%s(%s)<%d><%s>: %s", p->kind->service, start->user, (int)getpid(), start->session, err.msg);
		rc = 1;
	}
	daemon_log_flush();
	_exit(rc);
}

int session_parent_fork(struct session_parent *p, struct parent_session *s, int fd, struct err *err)
{
	pid_t pid = daemon_fork();

	if (pid == 0)
		child_run(p, &s->start, fd);
	if (pid < 0)
		return err_sys(err, "cannot fork a process for a session");
	(void)session_parent_adopt(p, s, pid);
	return 0;
}

int session_child_client(int fd)
{
	int rc = fd < 0 ? -1 : dup2(fd, CLIENT_FD);

	if (fd >= 0 && fd != CLIENT_FD)
		close(fd);
	settle_client();
	return rc;
}

bool session_child_must_end(void)
{
	return was_told_to_end;
}
