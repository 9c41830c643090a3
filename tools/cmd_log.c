#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/params.h"
#include "tools/commands.h"

/* A rotated log is another file of the same name. */
static int reopen(const char *path, int fd)
{
	struct stat was, now;

	if (stat(path, &now) < 0 || fstat(fd, &was) < 0 || (was.st_ino == now.st_ino && was.st_dev == now.st_dev))
		return fd;
	close(fd);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int show(struct tool *t, const char *path, bool is_following)
{
	const struct timespec pause = { 0, 200 * 1000000l };
	char buf[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return tool_fail(t, "log", "%s: %s", path, strerror(errno));
	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0) {
			close(fd);
			return tool_fail(t, "log", "%s: %s", path, strerror(errno));
		}
		if (n > 0 && fwrite(buf, 1, (size_t)n, t->out) != (size_t)n)
			break;
		if (n > 0)
			continue;
		if (!is_following)
			break;
		fflush(t->out);
		nanosleep(&pause, NULL);
		fd = reopen(path, fd);
		if (fd < 0)
			return tool_fail(t, "log", "%s: %s", path, strerror(errno));
	}
	close(fd);
	return TOOL_OK;
}

int cmd_log(struct tool *t, int argc, char **argv)
{
	struct conf c = { 0 };
	struct str path = STR_INIT(4096);
	struct err err = ERR_INIT;
	bool is_following = argc == 2 && strcmp(argv[1], "-f") == 0;
	int status;

	if (argc > 2 || (argc == 2 && !is_following)) {
		fprintf(t->err, "usage: surat log [-f]\n");
		return TOOL_USAGE;
	}
	if (tool_load_quiet(t, "log", &c) < 0)
		return TOOL_FAILED;
	if (conf_expand_name(&path, &c, "maillog_file", &err) < 0)
		status = tool_fail(t, "log", "%s", err.msg);
	else if (path.n == 0 || strcmp(path.p, "/dev/stdout") == 0)
		status = tool_fail(t, "log", "the log goes to %s: see %s", path.n ? path.p : "syslog",
				   path.n ? "where surat was started" :
				   "/var/log/mail.log or \"journalctl -t surat/smtpd\"");
	else
		status = show(t, path.p, is_following);
	str_fini(&path);
	conf_fini(&c);
	return status;
}
