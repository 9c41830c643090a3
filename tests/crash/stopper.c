/* stopper PID N [CALL]: kills a process at the entry of its N-th system call, or its N-th CALL
 *
 * Follows all threads and children of PID. Says "ready" when all are held, and counts from the first wait of PID
 * (epoll, read, recvmsg ...) that returns something. At the N-th entry the process that makes the call gets SIGKILL,
 * and the line "killed PID CALL" is printed. With N = 0 nothing is killed: every call is printed as "N PID CALL".
 * SIGTERM ends it; the kernel lets go of whoever is still traced. */
#include <dirent.h>
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK)
#define MAX_THREADS 256

struct thread {
	pid_t tid;
	bool waits;             /* the call it is in is one that waits for others */
};

struct stopper {
	struct thread threads[MAX_THREADS];
	size_t n_threads;
	unsigned long calls, kill_at;
	int only;               /* the number of CALL; negative: all count */
	pid_t first;
	bool is_armed, is_ready;
};

static struct thread *thread_of(struct stopper *s, pid_t tid)
{
	for (size_t i = 0; i < s->n_threads; i++)
		if (s->threads[i].tid == tid)
			return &s->threads[i];
	if (s->n_threads == MAX_THREADS)
		return NULL;
	s->threads[s->n_threads] = (struct thread){ .tid = tid };
	return &s->threads[s->n_threads++];
}

static void forget(struct stopper *s, pid_t tid)
{
	struct thread *t = thread_of(s, tid);

	if (t)
		*t = s->threads[--s->n_threads];
}

static pid_t process_of(pid_t tid)
{
	char path[64], line[128];
	long pid = tid;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	f = fopen(path, "re");
	if (!f)
		return tid;
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "Tgid:", 5) == 0)
			pid = strtol(line + 5, NULL, 10);
	fclose(f);
	return (pid_t)pid;
}

static bool waits(__u64 nr)
{
	return nr == SYS_epoll_pwait || nr == SYS_read || nr == SYS_recvmsg || nr == SYS_ppoll || nr == SYS_recvfrom
#ifdef SYS_epoll_wait
	       || nr == SYS_epoll_wait || nr == SYS_poll
#endif
		;
}

/* True when the process was killed here. */
static bool on_entry(struct stopper *s, struct thread *t, __u64 nr)
{
	char *name;
	pid_t pid;

	t->waits = waits(nr);
	if (!s->is_armed || (s->only >= 0 && nr != (__u64)s->only) || (s->kill_at > 0 && s->calls >= s->kill_at))
		return false;
	s->calls++;
	if (s->kill_at > 0 && s->calls < s->kill_at)
		return false;
	pid = process_of(t->tid);
	name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)nr);
	if (s->kill_at == 0) {
		printf("%lu %d %s\n", s->calls, (int)pid, name ? name : "?");
	} else {
		kill(pid, SIGKILL);
		printf("killed %d %s\n", (int)pid, name ? name : "?");
	}
	free(name);
	return s->kill_at > 0;
}

static bool on_syscall(struct stopper *s, pid_t tid)
{
	struct __ptrace_syscall_info info = { 0 };
	struct thread *t = thread_of(s, tid);

	if (!t || ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) < 0)
		return false;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		return on_entry(s, t, info.entry.nr);
	if (info.op == PTRACE_SYSCALL_INFO_EXIT && t->waits && info.exit.rval > 0)
		s->is_armed = true;
	return false;
}

/* One stop of one thread; true when the process was killed. */
static bool on_stop(struct stopper *s, pid_t tid, int status)
{
	int signum = WSTOPSIG(status), event = status >> 16;
	bool is_killed = false;

	if (signum == (SIGTRAP | 0x80)) {
		is_killed = on_syscall(s, tid);
		signum = 0;
	} else if (event == PTRACE_EVENT_STOP && signum != SIGTRAP) {
		ptrace(PTRACE_LISTEN, tid, 0, 0);
		return false;
	} else if (event) {
		signum = 0;
	}
	ptrace(PTRACE_SYSCALL, tid, 0, (long)signum);
	return is_killed;
}

static int seize(struct stopper *s)
{
	char path[64];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)s->first);
	dir = opendir(path);
	if (!dir)
		return -1;
	while ((e = readdir(dir)) != NULL) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);

		if (tid == 0)
			continue;
		if (ptrace(PTRACE_SEIZE, tid, 0, OPTIONS) < 0 || ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0) {
			closedir(dir);
			return -1;
		}
		thread_of(s, tid);
	}
	closedir(dir);
	return 0;
}

static void on_term(int signum)
{
	(void)signum;
	_exit(0);
}

int main(int argc, char **argv)
{
	struct stopper s = { 0 };
	struct sigaction sa = { .sa_handler = on_term };
	size_t held = 0;
	int status;
	pid_t tid;

	if (argc != 3 && argc != 4)
		return 2;
	s.only = argc == 4 ? seccomp_syscall_resolve_name(argv[3]) : -1;
	if (argc == 4 && s.only < 0)
		return 2;
	s.first = (pid_t)strtol(argv[1], NULL, 10);
	s.kill_at = strtoul(argv[2], NULL, 10);
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	sigaction(SIGTERM, &sa, NULL);
	if (seize(&s) < 0) {
		perror("stopper");
		return 1;
	}
	while ((tid = waitpid(-1, &status, __WALL)) > 0) {
		if (!WIFSTOPPED(status)) {
			forget(&s, tid);
			continue;
		}
		thread_of(&s, tid);
		if (on_stop(&s, tid, status))
			break;
		if (!s.is_ready && ++held == s.n_threads) {
			s.is_ready = true;
			puts("ready");
		}
	}
	return 0;
}
