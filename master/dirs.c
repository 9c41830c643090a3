#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "master.h"
#include "svc/msg_admin.h"

#define LOCK_TRIES 50           /* half a second */

static int make_parents(const char *path, struct err *err)
{
	char part[1024];
	size_t i, n = strlen(path);

	if (n >= sizeof(part))
		return err_set(err, ERR_CONF, "%s: the path is too long", path);
	for (i = 1; i < n; i++) {
		if (path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return err_sys(err, "%s", part);
	}
	return 0;
}

/* A directory that is there keeps its owner and mode unless strict: others must not be able to plant things in it. */
static int make_dir(const char *path, mode_t mode, const char *user, bool is_root, struct err *err)
{
	const struct passwd *pw = is_root && user ? getpwnam(user) : NULL;
	struct stat st;

	if (make_parents(path, err) < 0)
		return -1;
	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return err_sys(err, "%s", path);
	if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(err, ERR_CONF, "%s is not a directory", path);
	if (is_root && lchown(path, pw ? pw->pw_uid : 0, pw ? pw->pw_gid : 0) < 0)
		return err_sys(err, "%s: owner", path);
	if (st.st_uid != geteuid() && !is_root)
		return err_set(err, ERR_CONF, "%s belongs to another user", path);
	return chmod(path, mode) < 0 ? err_sys(err, "%s: mode", path) : 0;
}

/* A master that was killed a moment ago may not have left yet. */
static int lock_soon(int fd)
{
	const struct timespec pause = { 0, 10 * 1000000l };
	unsigned tries;

	for (tries = 0; tries < LOCK_TRIES; tries++) {
		struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

		if (fcntl(fd, F_SETLK, &lock) == 0)
			return 0;
		nanosleep(&pause, NULL);
	}
	return -1;
}

/* fcntl locks die with the process, not with the children that inherit nothing of them. */
static int take_lock(struct master *m, bool *was_killed_r, struct err *err)
{
	const char *path = arena_printf(&m->loop.tick, "%s/master.pid", m->run_directory);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char text[24];
	int n, fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return err_sys(err, "%s", path);
	if (lock_soon(fd) < 0) {
		if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
			err_set(err, ERR_CONF, "already running, as process %d (%s)", (int)lock.l_pid, path);
		else
			err_sys(err, "lock of %s", path);
		close(fd);
		return -1;
	}
	*was_killed_r = lseek(fd, 0, SEEK_END) > 0;
	n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n) {
		err_sys(err, "%s", path);
		close(fd);
		return -1;
	}
	m->lock_fd = fd;
	return 0;
}

int dirs_make(struct master *m, const struct config *c, bool *was_killed_r, struct err *err)
{
	if (make_dir(m->run_directory, 0755, NULL, m->is_root, err) < 0 || take_lock(m, was_killed_r, err) < 0 ||
	    make_dir(m->empty_directory, 0755, NULL, m->is_root, err) < 0 ||
	    make_dir(c->global.queue_directory, 0700, c->global.mail_owner, m->is_root, err) < 0)
		return -1;
	return make_dir(c->global.data_directory, 0755, NULL, m->is_root, err);
}

void dirs_release(struct master *m)
{
	if (m->lock_fd < 0)
		return;
	unlink(arena_printf(&m->loop.tick, "%s/master.pid", m->run_directory));
	/* qmgr bound it before it gave up the right to remove it */
	unlink(arena_printf(&m->loop.tick, "%s/" ADMIN_SOCKET, m->run_directory));
	close(m->lock_fd);
	m->lock_fd = -1;
}

static void check_user(const char *user, struct conf_errors *errors)
{
	if (user && !getpwnam(user))
		conf_error(errors,
			   "the user %s does not exist; \"surat setup\" adds all users of the suite, or: "
			   "adduser --system --group --no-create-home %s",
			   user, user);
}

void dirs_check_users(const struct config *c, struct conf_errors *errors)
{
	size_t i;

	check_user(spawn_logger.user, errors);
	check_user(c->global.mail_owner, errors);
	for (i = 0; i < topology_n_programs; i++) {
		const char *user = topology_programs[i].user;

		if (user && strcmp(user, c->global.mail_owner) != 0)
			check_user(user, errors);
	}
}
