#include "store/dotlock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define STALE_S 120             /* as Dovecot has it */

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
		int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (fd >= 0 || errno != EEXIST)
			return fd;
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
	close(fd);
	unlinkat(dir, name, 0);
}

bool dotlock_is_hopeless(int sys)
{
	return sys == ENOSPC || sys == EDQUOT || sys == EROFS || sys == EACCES || sys == EPERM;
}
