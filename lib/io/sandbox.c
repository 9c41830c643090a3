#include "io/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

/* ---- Landlock: system calls, since Debian 12's glibc has no wrappers and its header ends at ABI 2 ---- */

#define FS_ABI2 (LANDLOCK_ACCESS_FS_REFER * 2 - 1)
#define FS_TRUNCATE (1ull << 14)        /* ABI 3 */
#define FS_IOCTL_DEV (1ull << 15)       /* ABI 5 */
#define NET_ALL 3ull                    /* ABI 4: bind and connect of TCP */
#define SCOPE_ABSTRACT_UNIX 1ull        /* ABI 6 */

#define FS_ON_FILES                                                                                          \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | FS_TRUNCATE)
#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                                                             \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |    \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |          \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE)

struct ruleset_attr {
	uint64_t fs, net, scoped;
};

static int landlock_abi(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static int allow_path(int ruleset, const struct sandbox_path *p, uint64_t handled, bool may_exec, struct err *err)
{
	struct landlock_path_beneath_attr rule = { 0 };
	struct stat st;
	int rc;

	rule.parent_fd = open(p->path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0 && (errno == ENOENT || errno == EACCES || errno == ENOTDIR ||
				   errno == ELOOP))
		return 0;
	if (rule.parent_fd < 0 || fstat(rule.parent_fd, &st) < 0)
		return err_sys(err, "sandbox: %s", p->path);
	if (p->access & SB_READ)
		rule.allowed_access |= FS_READ | (may_exec ? LANDLOCK_ACCESS_FS_EXECUTE : 0);
	if (p->access & SB_WRITE)
		rule.allowed_access |= FS_WRITE;
	rule.allowed_access &= handled;
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= FS_ON_FILES;
	rc = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	if (rc < 0)
		err_sys(err, "sandbox: Landlock rule for %s", p->path);
	close(rule.parent_fd);
	return rc;
}

static int limit_paths(const struct sandbox *sb, const char **missing_r, struct err *err)
{
	int abi = landlock_abi(), fd, rc = 0;
	struct ruleset_attr attr = { .fs = FS_ABI2 };
	size_t i, size = abi >= 6 ? sizeof(attr) : abi >= 4 ? offsetof(struct ruleset_attr, scoped)
							     : offsetof(struct ruleset_attr, net);

	if (abi < 2) {
		*missing_r = "Landlock";
		return 0;
	}
	attr.fs |= (abi >= 3 ? FS_TRUNCATE : 0) | (abi >= 5 ? FS_IOCTL_DEV : 0);
	attr.net = sb->may & SB_SOCKET ? 0 : NET_ALL;
	attr.scoped = SCOPE_ABSTRACT_UNIX;
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd < 0)
		return err_sys(err, "sandbox: Landlock");
	for (i = 0; i < sb->n_paths && rc == 0; i++)
		rc = allow_path(fd, &sb->paths[i], attr.fs, sb->may & SB_EXEC, err);
	if (rc == 0) {
		rc = (int)syscall(SYS_landlock_restrict_self, fd, 0);
		if (rc < 0)
			err_sys(err, "sandbox: Landlock");
	}
	close(fd);
	return rc;
}

/* ---- seccomp ---- */

#define CALL(name) SCMP_SYS(name)
#define END -100000
#define SELF INT32_MAX  /* who will load the list: no process has this id, no call this number */

/* Memory, time, waiting, signals of our own, and work on descriptors that we already hold. */
static const int always[] = {
	CALL(read), CALL(readv), CALL(pread64), CALL(preadv), CALL(preadv2), CALL(write), CALL(writev), CALL(pwrite64),
	CALL(pwritev), CALL(pwritev2), CALL(close), CALL(close_range), CALL(lseek), CALL(fstat), CALL(newfstatat),
	CALL(fcntl), CALL(dup), CALL(dup2), CALL(dup3), CALL(pipe), CALL(pipe2), CALL(eventfd2), CALL(sendfile),
	CALL(copy_file_range), CALL(splice), CALL(sendto), CALL(sendmsg), CALL(sendmmsg), CALL(recvfrom), CALL(recvmsg),
	CALL(recvmmsg), CALL(shutdown), CALL(getsockopt), CALL(setsockopt), CALL(getsockname), CALL(getpeername),
	CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait), CALL(epoll_pwait2), CALL(poll),
	CALL(ppoll), CALL(select), CALL(pselect6), CALL(timerfd_create), CALL(timerfd_settime), CALL(timerfd_gettime),
	CALL(munmap), CALL(mremap), CALL(madvise), CALL(mlock), CALL(munlock), CALL(mincore), CALL(brk), CALL(futex),
	CALL(futex_waitv), CALL(set_robust_list), CALL(get_robust_list), CALL(rseq), CALL(membarrier),
	CALL(sched_yield), CALL(sched_getaffinity), CALL(getcpu), CALL(rt_sigaction), CALL(rt_sigprocmask),
	CALL(rt_sigreturn), CALL(rt_sigpending), CALL(sigaltstack), CALL(restart_syscall), CALL(exit), CALL(exit_group),
	CALL(clock_gettime), CALL(clock_getres), CALL(clock_nanosleep), CALL(nanosleep), CALL(gettimeofday), CALL(time),
	CALL(times), CALL(alarm), CALL(setitimer), CALL(getrandom), CALL(getpid), CALL(gettid), CALL(getppid),
	CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(getresuid), CALL(getresgid), CALL(getgroups),
	CALL(getrlimit), CALL(getrusage), CALL(uname), CALL(sysinfo), END,
};

static const int on_accept[] = { CALL(accept), CALL(accept4), END };

static const int on_open[] = {
	CALL(open), CALL(openat), CALL(openat2), CALL(stat), CALL(lstat), CALL(statx), CALL(access), CALL(faccessat),
	CALL(faccessat2), CALL(readlink), CALL(readlinkat), CALL(getdents), CALL(getdents64), CALL(getcwd), CALL(chdir),
	CALL(fchdir), CALL(statfs), CALL(fstatfs), CALL(flock), CALL(fadvise64), CALL(readahead), CALL(memfd_create),
	END,
};

static const int on_change[] = {
	CALL(creat), CALL(rename), CALL(renameat), CALL(renameat2), CALL(unlink), CALL(unlinkat), CALL(mkdir),
	CALL(mkdirat), CALL(rmdir), CALL(link), CALL(linkat), CALL(symlink), CALL(symlinkat), CALL(fsync),
	CALL(fdatasync), CALL(syncfs), CALL(sync_file_range), CALL(msync), CALL(ftruncate), CALL(truncate),
	CALL(fallocate), CALL(chmod), CALL(fchmod), CALL(fchmodat), CALL(chown), CALL(fchown), CALL(fchownat),
	CALL(lchown), CALL(utimensat), CALL(utimes), CALL(utime), CALL(umask), END,
};

static const int on_connect[] = { CALL(connect), CALL(bind), END };
static const int on_unix[] = { CALL(listen), END };

/* What a parent and its children need, down to the child's own sandbox. */
static const int on_fork[] = {
	CALL(fork), CALL(vfork), CALL(wait4), CALL(waitid), CALL(kill), CALL(tkill), CALL(tgkill), CALL(pidfd_open),
	CALL(pidfd_send_signal), CALL(setuid), CALL(setgid), CALL(setreuid), CALL(setregid), CALL(setresuid),
	CALL(setresgid), CALL(setgroups), CALL(setsid), CALL(setpgid), CALL(getpgid), CALL(getpgrp), CALL(getsid),
	CALL(prctl), CALL(seccomp), CALL(landlock_create_ruleset), CALL(landlock_add_rule),
	CALL(landlock_restrict_self), CALL(setrlimit), CALL(prlimit64), CALL(chroot), CALL(umask),
	CALL(set_tid_address), CALL(setpriority), END,
};

static const int on_inotify[] = { CALL(inotify_init1), CALL(inotify_add_watch), CALL(inotify_rm_watch), END };

static int add_list(scmp_filter_ctx f, const int *calls)
{
	int rc = 0;

	for (; *calls != END && rc == 0; calls++)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, *calls, 0);
	return rc;
}

/* libuv and the file copies use a handful of ioctls; none of them reaches a device. */
static int add_ioctls(scmp_filter_ctx f, unsigned may)
{
	static const unsigned long requests[] = { FIONBIO, FIONREAD, FIOCLEX, FIONCLEX, FICLONE, FICLONERANGE };
	size_t i, n = may & SB_CHANGE_FILES ? 6 : 4;
	int rc = 0;

	for (i = 0; i < n && rc == 0; i++)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, requests[i]));
	return rc;
}

/* Without open there is no library to load later, so no page ever needs to become executable. */
static int add_memory(scmp_filter_ctx f, unsigned may)
{
	const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	unsigned n = may & SB_OPEN ? 0 : 1;
	int rc = seccomp_rule_add_array(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), n, &no_exec);

	return rc ? rc : seccomp_rule_add_array(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), n, &no_exec);
}

static int add_sockets(scmp_filter_ctx f, unsigned may)
{
	static const int inet[] = { AF_INET, AF_INET6, AF_NETLINK };
	size_t i;
	int rc = 0;

	for (i = 0; i < 3 && rc == 0 && may & SB_SOCKET; i++)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				      SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)inet[i]));
	if (rc == 0 && may & SB_UNIX) {
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
		rc = rc ? rc : seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
						SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
		rc = rc ? rc : add_list(f, on_unix);
	}
	if (rc == 0 && may & (SB_SOCKET | SB_UNIX))
		rc = add_list(f, on_connect);
	return rc;
}

/* clone3 hides its flags behind a pointer; ENOSYS sends glibc back to clone. */
static int add_processes(scmp_filter_ctx f, unsigned may)
{
	int rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	if (rc == 0 && may & SB_THREAD)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				      SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	if (rc == 0 && may & SB_FORK) {
		const scmp_datum_t spaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS |
					    CLONE_NEWIPC | CLONE_NEWCGROUP | CLONE_THREAD;

		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, spaces, 0));
		return rc ? rc : add_list(f, on_fork);
	}
	/* abort() raises a signal in this very process; thread names; reading a limit of our own */
	if (rc == 0)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, SELF));
	if (rc == 0)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	if (rc == 0)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 2, SCMP_A0(SCMP_CMP_EQ, 0),
				      SCMP_A2(SCMP_CMP_EQ, 0));
	return rc;
}

static int fill_filter(scmp_filter_ctx f, unsigned may)
{
	int rc = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	rc = rc ? rc : seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	rc = rc ? rc : add_list(f, always);
	rc = rc ? rc : add_memory(f, may);
	rc = rc ? rc : add_ioctls(f, may);
	rc = rc ? rc : add_sockets(f, may);
	rc = rc ? rc : add_processes(f, may);
	rc = rc || !(may & SB_ACCEPT) ? rc : add_list(f, on_accept);
	rc = rc || !(may & SB_OPEN) ? rc : add_list(f, on_open);
	rc = rc || !(may & SB_CHANGE_FILES) ? rc : add_list(f, on_change);
	rc = rc || !(may & SB_INOTIFY) ? rc : add_list(f, on_inotify);
	return rc;
}

/* The program of the kernel. */
struct sandbox_calls {
	unsigned short n;
	struct sock_filter code[];
};

static int read_program(struct sandbox_calls **c_r, int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	struct sandbox_calls *c;

	if (size <= 0 || size > UINT16_MAX * (off_t)sizeof(c->code[0]) || size % (off_t)sizeof(c->code[0]))
		return -EIO;
	c = xcalloc(1, sizeof(*c) + (size_t)size);
	c->n = (unsigned short)((size_t)size / sizeof(c->code[0]));
	if (pread(fd, c->code, (size_t)size, 0) != size) {
		free(c);
		return -EIO;
	}
	*c_r = c;
	return 0;
}

int sandbox_calls_new(struct sandbox_calls **c_r, unsigned may, struct err *err)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc = f ? fill_filter(f, may) : -ENOMEM;
	int fd = memfd_create("seccomp", MFD_CLOEXEC);

	if (fd < 0 && rc == 0)
		rc = -errno;
	if (rc == 0)
		rc = seccomp_export_bpf(f, fd);
	if (rc == 0)
		rc = read_program(c_r, fd);
	if (fd >= 0)
		close(fd);
	if (f)
		seccomp_release(f);
	if (rc == 0)
		return 0;
	errno = -rc;
	return err_sys(err, "sandbox: seccomp");
}

void sandbox_calls_free(struct sandbox_calls *c)
{
	free(c);
}

/* For a process of its own: the copy that names it. */
static int load_calls(const struct sandbox_calls *c, struct err *err)
{
	size_t size = c->n * sizeof(c->code[0]), i;
	struct sock_fprog prog = { .len = c->n, .filter = xrealloc(NULL, size) };
	long rc;

	memcpy(prog.filter, c->code, size);
	for (i = 0; i < c->n; i++) {
		if (prog.filter[i].code == (BPF_JMP | BPF_JEQ | BPF_K) && prog.filter[i].k == SELF)
			prog.filter[i].k = (uint32_t)getpid();
	}
	rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
	free(prog.filter);
	return rc < 0 ? err_sys(err, "sandbox: seccomp") : 0;
}

static int limit_calls(const struct sandbox *sb, struct err *err)
{
	struct sandbox_calls *own = NULL;
	int rc = sb->calls ? 0 : sandbox_calls_new(&own, sb->may, err);

	if (rc == 0)
		rc = load_calls(sb->calls ? sb->calls : own, err);
	sandbox_calls_free(own);
	return rc;
}

/* ---- limits and identity ---- */

/* The address sanitizer's shadow alone is terabytes. */
#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#define HAS_ASAN __has_feature(address_sanitizer)
#else
#define HAS_ASAN 0
#endif

static int set_limit(int what, rlim_t soft, rlim_t hard, const char *name, struct err *err)
{
	struct rlimit l = { soft, hard };

	return setrlimit((__rlimit_resource_t)what, &l) < 0 ? err_sys(err, "sandbox: %s", name) : 0;
}

static int set_limits(const struct sandbox *sb, struct err *err)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return err_sys(err, "sandbox: RLIMIT_NOFILE");
	if (sb->max_files && sb->max_files < files.rlim_max)
		files.rlim_max = sb->max_files;
	if (set_limit(RLIMIT_NOFILE, files.rlim_max, files.rlim_max, "RLIMIT_NOFILE", err) < 0 ||
	    set_limit(RLIMIT_CORE, 0, 0, "RLIMIT_CORE", err) < 0)
		return -1;
	if (sb->max_memory && !HAS_ASAN)
		return set_limit(RLIMIT_DATA, sb->max_memory, sb->max_memory, "RLIMIT_DATA", err);
	return 0;
}

struct identity {
	uid_t uid;
	gid_t gid;
	gid_t groups[64];
	int n_groups;
};

/* Before chroot: the databases of users live outside. */
static int look_up(const struct sandbox *sb, struct identity *id, struct err *err)
{
	const struct passwd *pw;
	const struct group *gr;

	errno = 0;
	pw = getpwnam(sb->user);
	if (!pw)
		return errno ? err_sys(err, "sandbox: user %s", sb->user)
			     : err_set(err, ERR_CONF, "the user %s does not exist; `surat setup` makes it", sb->user);
	id->uid = pw->pw_uid;
	id->gid = pw->pw_gid;
	if (sb->group) {
		gr = getgrnam(sb->group);
		if (!gr)
			return err_set(err, ERR_CONF, "the group %s does not exist", sb->group);
		id->gid = gr->gr_gid;
	}
	id->n_groups = (int)(sizeof(id->groups) / sizeof(id->groups[0]));
	if (getgrouplist(sb->user, id->gid, id->groups, &id->n_groups) < 0)
		return err_set(err, ERR_CONF, "the user %s is in more than 64 groups", sb->user);
	return 0;
}

static int set_ids(uid_t uid, gid_t gid, struct err *err)
{
	if (setresgid(gid, gid, gid) < 0)
		return err_sys(err, "sandbox: setresgid %u", (unsigned)gid);
	if (setresuid(uid, uid, uid) < 0)
		return err_sys(err, "sandbox: setresuid %u", (unsigned)uid);
	if (uid != 0 && (setuid(0) == 0 || geteuid() != uid || getegid() != gid))
		return err_set(err, ERR_SYS, "sandbox: uid %u did not stick", (unsigned)uid);
	return 0;
}

int sandbox_become(uid_t uid, gid_t gid, const char *user, struct err *err)
{
	if (geteuid() == 0 && (user ? initgroups(user, gid) : setgroups(0, NULL)) < 0)
		return err_sys(err, "sandbox: groups of %s", user ? user : "nobody");
	return set_ids(uid, gid, err);
}

static int change_identity(const struct sandbox *sb, struct err *err)
{
	struct identity id;

	if (geteuid() != 0)
		return 0;
	if (sb->user && look_up(sb, &id, err) < 0)
		return -1;
	if (sb->chroot && (chroot(sb->chroot) < 0 || chdir("/") < 0))
		return err_sys(err, "sandbox: chroot %s", sb->chroot);
	if (!sb->user)
		return 0;
	if (setgroups((size_t)id.n_groups, id.groups) < 0)
		return err_sys(err, "sandbox: setgroups");
	return set_ids(id.uid, id.gid, err);
}

int sandbox_apply(const struct sandbox *sb, const char **missing_r, struct err *err)
{
	const char *ignored;

	if (!missing_r)
		missing_r = &ignored;
	*missing_r = NULL;
	if (set_limits(sb, err) < 0 || change_identity(sb, err) < 0)
		return -1;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(err, "sandbox: PR_SET_DUMPABLE");
	if (sb->may_gain_privs)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, "sandbox: PR_SET_NO_NEW_PRIVS");
	if (!sb->may_all_paths && limit_paths(sb, missing_r, err) < 0)
		return -1;
	if (sb->may & SB_EXEC)
		return 0;
	return limit_calls(sb, err);
}
