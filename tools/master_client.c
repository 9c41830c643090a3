#include "tools/master_client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const struct ipc_ops ops = { "master", NULL, 0, NULL, NULL };

static int connect_master(const char *run_directory, struct err *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int n = snprintf(a.sun_path, sizeof(a.sun_path), "%s/master", run_directory), fd;

	if (n < 0 || (size_t)n >= sizeof(a.sun_path))
		return err_set(err, ERR_CONF, "run_directory is too long for a socket");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, "socket");
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	if (errno != ENOENT && errno != ECONNREFUSED)
		err_sys(err, "cannot reach master at %s (only root and the user that started the suite may)",
			a.sun_path);
	close(fd);
	return -1;
}

int master_client_open(struct ipc *c, const char *run_directory, struct err *err)
{
	int fd = connect_master(run_directory, err);

	ipc_init(c, NULL, &ops, NULL);
	if (fd < 0)
		return -1;
	ipc_attach(c, &fd);
	return 0;
}

struct tool_reply *master_client_ask(const char *run_directory, const char *command, uint64_t timeout_ms,
				     struct arena *a, struct ipc *keep, struct err *err)
{
	struct tool_request ask = { span_z(command) };
	struct tool_reply *reply;
	struct ipc own, *c = keep ? keep : &own;

	if (master_client_open(c, run_directory, err) < 0)
		return NULL;
	reply = ipc_call_wait(c, &tool_request_desc, &ask, &tool_reply_desc, a, timeout_ms, err);
	if (!keep || !reply)
		ipc_close(c);
	return reply;
}

int master_client_wait_end(struct ipc *c, uint64_t timeout_ms)
{
	struct err err = ERR_INIT;
	struct ipc_msg m;
	enum ipc_rc rc = ipc_wait(c, &m, timeout_ms, &err);

	ipc_close(c);
	return rc == IPC_LOST ? 0 : -1;
}
