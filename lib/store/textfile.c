#include "store/textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/sync_dir.h"
#include "io/write_all.h"
#include "store/dotlock.h"

#define READ_CHUNK 16384

int textfile_read(int dir, const char *name, struct str *out, struct err *err)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), rc = 1;
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(err, "cannot open %s", name);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(err, ERR_SYS, "%s is no plain file", name);
	}
	for (;;) {
		size_t want = out->max - out->n < READ_CHUNK ? out->max - out->n : READ_CHUNK;
		char *room = want ? str_room(out, want) : NULL;
		ssize_t got = room ? read(fd, room, want) : -1;

		if (!room)
			rc = err_set(err, ERR_SYS, "%s is too large", name);
		else if (got < 0 && errno == EINTR)
			continue;
		else if (got < 0)
			rc = err_sys(err, "cannot read %s", name);
		if (got <= 0)
			break;
		str_grew(out, (size_t)got);
	}
	close(fd);
	return rc;
}

int textfile_lock(struct textfile *f, int dir, const char *name, unsigned wait_ms, struct err *err)
{
	*f = (struct textfile){ .dir = dir, .fd = -1, .name = name };
	snprintf(f->lock, sizeof(f->lock), "%s.lock", name);
	f->fd = dotlock_take(dir, f->lock, wait_ms);
	if (f->fd >= 0)
		return 0;
	if (errno == EEXIST)
		return err_set(err, ERR_TEMP, "%s is in use: %s stays", name, f->lock);
	return err_sys(err, "cannot make %s", f->lock);
}

void textfile_unlock(struct textfile *f)
{
	dotlock_drop(f->dir, f->lock, f->fd);
	f->fd = -1;
}

/* Somebody who took it for stale has his own lock there now, and it is not ours to rename or remove. */
static bool is_ours(const struct textfile *f)
{
	struct stat a, b;

	return fstat(f->fd, &a) == 0 && fstatat(f->dir, f->lock, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* Its mode stays, and its time grows by whole seconds: Dovecot knows by them that it is another one. */
static void be_like(int fd, const struct stat *old)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = old->st_mtim.tv_sec + 1 } };
	struct stat st;

	(void)!fchmod(fd, old->st_mode & 0666);
	if (fstat(fd, &st) == 0 && st.st_mtim.tv_sec <= old->st_mtim.tv_sec)
		(void)!futimens(fd, times);
}

int textfile_replace(struct textfile *f, struct span text, struct err *err)
{
	struct stat st;
	int rc = write_all(f->fd, text);

	if (rc == 0 && fstatat(f->dir, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
		be_like(f->fd, &st);
	if (rc < 0 || fsync(f->fd) < 0)
		rc = err_sys(err, "cannot write %s", f->lock);
	if (!is_ours(f)) {
		close(f->fd);
		f->fd = -1;
		return rc < 0 ? rc : err_set(err, ERR_TEMP, "the lock of %s was taken away", f->name);
	}
	if (rc == 0 && renameat(f->dir, f->lock, f->dir, f->name) < 0)
		rc = err_sys(err, "cannot replace %s", f->name);
	if (rc < 0) {
		textfile_unlock(f);
		return rc;
	}
	close(f->fd);
	f->fd = -1;
	return sync_dir(f->dir) < 0 ? err_sys(err, "cannot sync the directory of %s", f->name) : 0;
}
