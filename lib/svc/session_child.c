/* The child's side of session_parent.h: between the fork and the session. */
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "svc/daemon_log.h"
#include "svc/session_parent.h"

#define CLIENT_FD 5
#define WATCH_FD 6
#define LAST_WORDS_S 10

static volatile sig_atomic_t was_told_to_end;

/* As if the client had gone: the session ends in good order, or it is ended. */
static void on_term(int sig)
{
	was_told_to_end = 1;
	shutdown(CLIENT_FD, SHUT_RD);
	alarm(LAST_WORDS_S);
}

/* Two descriptors to fixed numbers, whatever they are now; all others but the log's go. */
static int settle_fds(int fd, int *watch_fd)
{
	int client = fcntl(fd, F_DUPFD, WATCH_FD + 1), watch = *watch_fd < 0 ? -1 : fcntl(*watch_fd, F_DUPFD, WATCH_FD + 1);

	if (client < 0 || dup2(client, CLIENT_FD) < 0 || (watch >= 0 && dup2(watch, WATCH_FD) < 0))
		return -1;
	*watch_fd = watch < 0 ? -1 : WATCH_FD;
	close(DAEMON_CTL_FD);
	closefrom(watch < 0 ? CLIENT_FD + 1 : WATCH_FD + 1);
	return 0;
}

NORETURN static void child_run(struct session_parent *p, struct child_start *start, int fd)
{
	struct sigaction term = { .sa_handler = on_term };
	struct err err = ERR_INIT;
	int rc = 0;

	daemon_child(p->daemon, start->log_tag);
	if (settle_fds(fd, &start->watch_fd) < 0)
		_exit(1);
	sigaction(SIGTERM, &term, NULL);
	if (p->kind->serve(start, CLIENT_FD, &err) < 0) {
		log_error("%s(%s)<%d><%s>: %s", p->kind->service, start->user, (int)getpid(), start->session, err.msg);
		rc = 1;
	}
	daemon_log_flush();
	_exit(rc);
}

pid_t session_parent_fork(struct session_parent *p, struct child_start *start, int fd, struct err *err)
{
	pid_t pid = daemon_fork();

	if (pid == 0)
		child_run(p, start, fd);
	return pid < 0 ? err_sys(err, "cannot fork a process for a session") : pid;
}

bool session_child_must_end(void)
{
	return was_told_to_end;
}
