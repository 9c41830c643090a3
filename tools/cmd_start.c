#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/params.h"
#include "tools/commands.h"

/* daemon_directory of an installed suite holds the binary itself, that of a build tree a folder of its name. */
static const char *find_master(const char *libexec, struct arena *a)
{
	const char *path = arena_printf(a, "%s/master", libexec);
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		path = arena_printf(a, "%s/master/master", libexec);
	return path;
}

/* Where the suite was installed; below another root when this program stands below one ("DESTDIR=/x ninja install"). */
static const char *installed_libexec(struct arena *a)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	size_t tail = strlen(SURAT_SBINDIR "/surat");

	if (n < 0 || (size_t)n < tail)
		return SURAT_LIBEXECDIR;
	exe[n] = '\0';
	if (strcmp(exe + (size_t)n - tail, SURAT_SBINDIR "/surat") != 0)
		return SURAT_LIBEXECDIR;
	return arena_printf(a, "%.*s%s", (int)((size_t)n - tail), exe, SURAT_LIBEXECDIR);
}

static NORETURN void exec_master(const char *path, const char *dir, bool is_foreground, int notify)
{
	char fd[16];
	const char *argv[7] = { path, "-c", dir };

	if (is_foreground) {
		argv[3] = "-f";
	} else {
		snprintf(fd, sizeof(fd), "%d", notify);
		argv[3] = "-n";
		argv[4] = fd;
		setsid();
		(void)!chdir("/");
	}
	execv(path, (char **)(uintptr_t)argv);
	fprintf(stderr, "surat start: %s: %s%s\n", path, strerror(errno),
		errno == ENOENT ? "; daemon_directory says where the daemons are, in a build tree that tree" : "");
	_exit(TOOL_FAILED);
}

/* master writes one byte when all daemons are ready; errors it prints itself, and closes. */
static int start_and_wait(struct tool *t, const char *path, const char *dir)
{
	int p[2];
	char byte = 0;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return tool_fail(t, "start", "pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		close(p[0]);
		fcntl(p[1], F_SETFD, 0);
		exec_master(path, dir, false, p[1]);
	}
	close(p[1]);
	if (pid < 0 || read(p[0], &byte, 1) != 1 || byte != '+') {
		if (pid > 0)
			waitpid(pid, NULL, 0);
		close(p[0]);
		return tool_fail(t, "start", "not started");
	}
	close(p[0]);
	return TOOL_OK;
}

int cmd_start(struct tool *t, int argc, char **argv)
{
	struct arena a = { 0 };
	struct conf c = { 0 };
	struct master_conf m;
	struct err err = ERR_INIT;
	char dir[PATH_MAX];
	const char *path;
	bool is_foreground = argc == 2 && strcmp(argv[1], "-f") == 0;
	int status = TOOL_FAILED;

	if (argc > 2 || (argc == 2 && !is_foreground)) {
		fprintf(t->err, "usage: surat start [-f]\n");
		return TOOL_USAGE;
	}
	if (!realpath(t->config_dir, dir))
		return tool_fail(t, "start", "%s: %s", t->config_dir, strerror(errno));
	/* wrong values are master's to report, all at once and with those of master.cf */
	if (tool_load_quiet(t, "start", &c) < 0)
		return TOOL_FAILED;
	if (master_conf_read(&m, &c, &a, &err) < 0) {
		status = tool_fail(t, "start", "%s", err.msg);
	} else {
		path = find_master(*m.daemon_directory ? m.daemon_directory : installed_libexec(&a), &a);
		if (is_foreground)
			exec_master(path, dir, true, -1);
		status = start_and_wait(t, path, dir);
	}
	conf_fini(&c);
	arena_fini(&a);
	return status;
}
