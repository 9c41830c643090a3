#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "svc/topology.h"
#include "tools/commands.h"

static int run_adduser(struct tool *t, const char *user)
{
	const char *argv[] = { "adduser", "--quiet", "--system", "--group", "--no-create-home", "--home",
			       "/nonexistent",
			       "--force-badname", user, NULL };
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		execvp(argv[0], (char **)(uintptr_t)argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
		return tool_fail(t, "setup", "\"adduser --system --group --no-create-home %s\" failed", user);
	fprintf(t->out, "added user %s\n", user);
	return TOOL_OK;
}

/* One account per kind of daemon, so that none can signal, trace or read another. */
int cmd_setup(struct tool *t, int argc, char **argv)
{
	const char *names[16] = { "_surat-log", "_surat-vmail" };
	size_t i, n = 2;
	int status = TOOL_OK;

	if (argc > 1) {
		fprintf(t->err, "usage: surat setup\n");
		return TOOL_USAGE;
	}
	if (geteuid() != 0)
		return tool_fail(t, "setup", "only root can add users; run by an ordinary user the suite needs none");
	for (i = 0; i < topology_n_programs && n < ARRAY_LEN(names); i++) {
		if (topology_programs[i].user)
			names[n++] = topology_programs[i].user;
	}
	for (i = 0; i < n && status == TOOL_OK; i++) {
		if (!getpwnam(names[i]))
			status = run_adduser(t, names[i]);
	}
	return status;
}
