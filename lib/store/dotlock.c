#include "store/dotlock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define STALE_S 120             /* as Dovecot has it */
/*
 * A session that was killed would stop the others for two minutes. So a lock of ours is held by flock(2) too, and
 * without that its owner is dead. How one sees that it is ours: it is born with MODE_BORN, and has ATIME_OURS and
 * MODE once it is held.
 */
#define MODE_BORN 0700
#define MODE 0600
#define ATIME_OURS 0x53757261
#define BIRTH_S 1               /* more than it takes to hold what was made */

static bool is_same(int dir, const char *name, const struct stat *st)
{
	struct stat now;

	return fstatat(dir, name, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_ino == st->st_ino && now.st_dev == st->st_dev;
}

static bool is_ours(const struct stat *st)
{
	if (st->st_atim.tv_sec == ATIME_OURS)
		return true;
	return (st->st_mode & 0777) == MODE_BORN && st->st_size == 0 && st->st_mtime + BIRTH_S < time(NULL);
}

static bool break_abandoned(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool is_broken = false;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT;
	if (fstat(fd, &st) == 0 && is_ours(&st) && flock(fd, LOCK_EX | LOCK_NB) == 0 && is_same(dir, name, &st))
		is_broken = unlinkat(dir, name, 0) == 0;
	close(fd);
	return is_broken;
}

/* False: it was taken for abandoned before we could hold it. */
static bool hold(int dir, const char *name, int fd)
{
	const struct timespec times[2] = { { .tv_sec = ATIME_OURS }, { .tv_nsec = UTIME_OMIT } };
	struct stat st;

	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		(void)!futimens(fd, times);
	else if (errno == EWOULDBLOCK)
		return false;           /* somebody is just about to remove it */
	(void)!fchmod(fd, MODE);
	return fstat(fd, &st) < 0 || is_same(dir, name, &st);
}

static void break_stale(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_mtime + STALE_S < (time_t)(clock_wall_ms() / 1000))
		unlinkat(dir, name, 0);
}

int dotlock_take(int dir, const char *name, uint64_t wait_ms)
{
	uint64_t waited = 0;
	unsigned pause = 2;

	for (;;) {
		int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, MODE_BORN);

		if (fd >= 0 && hold(dir, name, fd))
			return fd;
		if (fd >= 0) {
			close(fd);
			continue;
		}
		if (errno != EEXIST)
			return -1;
		if (break_abandoned(dir, name))
			continue;
		if (waited >= wait_ms) {
			errno = EEXIST;
			return -1;
		}
		break_stale(dir, name);
		nanosleep(&(struct timespec){ 0, pause * 1000000L }, NULL);
		waited += pause;
		pause = pause < 100 ? pause * 2 : 100;
	}
}

void dotlock_drop(int dir, const char *name, int fd)
{
	if (fd < 0)
		return;
	/* in this order: who sees it unheld may remove it, and by then it could be somebody else's */
	unlinkat(dir, name, 0);
	close(fd);
}

bool dotlock_is_hopeless(int sys)
{
	return sys == ENOSPC || sys == EDQUOT || sys == EROFS || sys == EACCES || sys == EPERM;
}
