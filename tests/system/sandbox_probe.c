/* sandbox_probe USER CHROOT: takes the sandbox that smtpd and login have (the same struct sandbox as in their main.c),
 * then tries what an intruder would, and says what came of it: "open EPERM", one line each. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/sandbox.h"

static void say(const char *what, long rc)
{
	int e = errno;

	dprintf(1, "%s %s\n", what, rc < 0 ? strerrorname_np(e) : "done");
}

static void try_files(void)
{
	say("open", open("/etc/passwd", O_RDONLY));
	say("open-root", open("/", O_RDONLY | O_DIRECTORY));
	say("create", open("/x", O_WRONLY | O_CREAT, 0600));
	say("openat2", syscall(SYS_openat2, AT_FDCWD, "/", NULL, 0));
	say("stat", syscall(SYS_statx, AT_FDCWD, "/", 0, 0, NULL));
	say("mkdir", mkdir("/d", 0700));
	say("symlink", symlink("a", "/b"));
	say("unlink", unlink("/b"));
	say("rename", rename("/a", "/b"));
	say("chroot", chroot("/"));
	say("mount", syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL));
	say("memfd", memfd_create("x", 0));
	say("inotify", syscall(SYS_inotify_init1, 0));
	say("open-by-handle", syscall(SYS_open_by_handle_at, 3, NULL, 0));
}

static void try_network(int one)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(9),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int sv[2];

	say("socket", socket(AF_INET, SOCK_STREAM, 0));
	say("socket-udp", socket(AF_INET6, SOCK_DGRAM, 0));
	say("socket-unix", socket(AF_UNIX, SOCK_STREAM, 0));
	say("socket-raw", socket(AF_PACKET, SOCK_RAW, 0));
	say("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	say("connect", connect(one, (struct sockaddr *)&in, sizeof(in)));
	say("connect-unix", connect(one, (struct sockaddr *)&un, sizeof(un)));
	say("bind", bind(one, (struct sockaddr *)&in, sizeof(in)));
	say("listen", listen(one, 1));
}

static void try_processes(pid_t other)
{
	char name[] = "/bin/true", *argv[] = { name, NULL };
	struct clone_args args = { .exit_signal = SIGCHLD };
	struct rlimit l = { 10, 10 };

	execve("/bin/true", argv, argv + 1);
	say("execve", -1);
	say("execveat", syscall(SYS_execveat, AT_FDCWD, "/bin/true", argv, argv + 1, 0));
	say("fork", syscall(SYS_fork));
	say("vfork", syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0));
	say("clone3", syscall(SYS_clone3, &args, sizeof(args)));
	say("ptrace", ptrace(PTRACE_ATTACH, other, NULL, NULL));
	say("kill", kill(other, 0));
	say("tgkill", syscall(SYS_tgkill, other, other, 0));
	say("sigqueue", syscall(SYS_rt_sigqueueinfo, other, 0, NULL));
	say("read-memory", syscall(SYS_process_vm_readv, other, NULL, 0, NULL, 0, 0));
	say("pidfd-open", syscall(SYS_pidfd_open, other, 0));
	say("prlimit", prlimit(other, RLIMIT_NOFILE, &l, NULL));
	say("setrlimit", setrlimit(RLIMIT_NOFILE, &l));
	say("setuid", setuid(0));
	say("setgroups", syscall(SYS_setgroups, 0, NULL));
	say("unshare", unshare(CLONE_NEWUSER));
	say("setns", syscall(SYS_setns, 0, 0));
	say("prctl", syscall(SYS_prctl, 4, 1, 0, 0, 0));        /* PR_SET_DUMPABLE */
}

static void try_kernel(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	say("exec-page", p == MAP_FAILED ? -1 : 0);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	say("exec-later", p == MAP_FAILED ? -1 : mprotect(p, 4096, PROT_READ | PROT_EXEC));
	say("io_uring", syscall(SYS_io_uring_setup, 1, NULL));
	say("bpf", syscall(SYS_bpf, 0, NULL, 0));
	say("perf", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
	say("keyctl", syscall(SYS_keyctl, 0, 0, 0, 0, 0));
	say("userfaultfd", syscall(SYS_userfaultfd, 0));
	say("module", syscall(SYS_finit_module, -1, "", 0));
}

int main(int argc, char **argv)
{
	struct sandbox sb = { .may = SB_ACCEPT };
	struct err err = ERR_INIT;
	pid_t other = getppid();
	int sv[2];

	if (argc != 3 || socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0)
		return 2;
	sb.user = argv[1];
	sb.chroot = argv[2];
	if (sandbox_apply(&sb, NULL, &err) < 0) {
		dprintf(1, "sandbox: %s\n", err.msg);
		return 1;
	}
	try_files();
	try_network(sv[0]);
	try_processes(other);
	try_kernel();
	return 0;
}
