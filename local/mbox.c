#include "local/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/sync_dir.h"
#include "io/write_all.h"

#define LOCK_TRIES 10
#define LOCK_STALE 500          /* seconds, as Postfix's stale_lock_time */
#define CHUNK 65536

/* Buffered output that quotes "From " at the start of a line. */
struct sink {
	int fd;
	bool at_line_start;
	struct str out;
	struct err *err;
};

static int sink_flush(struct sink *s)
{
	if (write_all(s->fd, str_span(&s->out)) < 0)
		return err_sys(s->err, "cannot append to the mailbox");
	str_reset(&s->out);
	return 0;
}

/* text ends at a line's end or is the last piece, so that "From " is never cut. */
static int sink_lines(struct sink *s, struct span text)
{
	struct span line;

	while (text.n > 0) {
		bool whole = span_cut(text, '\n', &line, &text);

		if (s->at_line_start && span_starts(line, "From "))
			str_addc(&s->out, '>');
		str_add_span(&s->out, line);
		if (whole)
			str_addc(&s->out, '\n');
		s->at_line_start = whole;
		if (s->out.n >= CHUNK && sink_flush(s) < 0)
			return -1;
	}
	return 0;
}

static int sink_file(struct sink *s, const struct letter *l)
{
	char *buf = xcalloc(1, CHUNK);
	size_t have = 0;
	off_t off = 0;
	int rc = 0;

	while (rc == 0 && ((uint64_t)off < l->size || have > 0)) {
		ssize_t n = pread(l->fd, buf + have, CHUNK - have, off);
		size_t use;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || (n == 0 && (uint64_t)off < l->size)) {
			rc = n < 0 ? err_sys(s->err, "cannot read the message from the queue") :
				     err_set(s->err, ERR_TEMP, "the queue's file ends early");
			break;
		}
		off += n;
		have += (size_t)n;
		use = have;
		if ((uint64_t)off < l->size) {
			ptrdiff_t nl = span_rchr((struct span){ buf, have }, '\n');

			use = nl >= 0 ? (size_t)nl + 1 : have > 8 ? have - 8 : 0;
		}
		rc = sink_lines(s, (struct span){ buf, use });
		memmove(buf, buf + use, have - use);
		have -= use;
	}
	free(buf);
	return rc;
}

/* is_torn: what was cut off by a crash before us must not swallow our first line. */
static int write_letter(int fd, const struct letter *l, struct span head, bool is_torn, struct err *err)
{
	struct sink s = { .fd = fd, .at_line_start = true, .out = STR_INIT(CHUNK * 64), .err = err };
	int rc;

	str_addz(&s.out, is_torn ? "\n\n" : "");
	str_add_span(&s.out, head);
	rc = l->fd >= 0 ? sink_file(&s, l) : sink_lines(&s, l->body);
	if (rc == 0) {
		str_addz(&s.out, s.at_line_start ? "\n" : "\n\n");
		rc = sink_flush(&s);
	}
	str_fini(&s.out);
	return rc;
}

/* 1: made; 0: not possible here (no right to the directory), the fcntl lock must do; -1: held by somebody. */
static int dotlock(const char *path, char *lock, size_t size, struct err *err)
{
	struct stat st;

	if (snprintf(lock, size, "%s.lock", path) >= (int)size)
		return 0;
	for (int i = 0; i < LOCK_TRIES; i++) {
		int fd = open(lock, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (fd >= 0) {
			close(fd);
			return 1;
		}
		if (errno != EEXIST)
			return 0;
		if (lstat(lock, &st) == 0 && st.st_mtime + LOCK_STALE < time(NULL))
			unlink(lock);
		else
			nanosleep(&(struct timespec){ 0, 200000000 }, NULL);
	}
	return err_dsn(err, ERR_TEMP, "4.2.0", "mailbox %s is locked", path);
}

static int fcntl_lock(int fd, const char *path, struct err *err)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	for (int i = 0; i < LOCK_TRIES * 5; i++) {
		if (fcntl(fd, F_SETLK, &fl) == 0)
			return 0;
		if (errno != EAGAIN && errno != EACCES)
			return err_sys(err, "cannot lock mailbox %s", path);
		nanosleep(&(struct timespec){ 0, 100000000 }, NULL);
	}
	return err_dsn(err, ERR_TEMP, "4.2.0", "mailbox %s is locked", path);
}

static int open_mbox(const char *path, bool is_strict, struct err *err)
{
	const int how = O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	int fd = open(path, O_RDWR | how, 0600);
	struct stat st;

	if (fd < 0 && errno == EACCES)
		fd = open(path, O_WRONLY | how, 0600);
	if (fd < 0)
		return errno == EISDIR ? err_dsn(err, ERR_PERM, "5.2.0", "mailbox %s is a directory", path) :
					 err_sys(err, "cannot open mailbox %s", path);
	if (fstat(fd, &st) < 0)
		err_sys(err, "cannot look at mailbox %s", path);
	else if (!S_ISREG(st.st_mode))
		err_dsn(err, ERR_TEMP, "4.2.0", "mailbox %s is not a regular file", path);
	else if (st.st_nlink != 1)
		err_dsn(err, ERR_TEMP, "4.2.0", "mailbox %s has %u links", path, (unsigned)st.st_nlink);
	else if (is_strict && st.st_uid != geteuid())
		err_dsn(err, ERR_TEMP, "4.2.0", "mailbox %s is owned by uid %u", path, (unsigned)st.st_uid);
	else if (st.st_mode & 0111)
		err_dsn(err, ERR_PERM, "5.2.0", "mailbox %s is executable", path);
	else
		return fd;
	close(fd);
	return -1;
}

static bool is_file_of(const char *path, int fd)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && lstat(path, &there) == 0 && ours.st_dev == there.st_dev &&
	       ours.st_ino == there.st_ino;
}

/* Readers rewrite a mailbox into another file that takes its name: what they did while we waited for the lock must not
 * leave us with the old one, which nobody will read. */
static int open_locked(const char *path, bool is_strict, struct err *err)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		int fd = open_mbox(path, is_strict, err);
		bool is_locked = fd >= 0 && fcntl_lock(fd, path, err) == 0;

		if (is_locked && is_file_of(path, fd))
			return fd;
		if (fd >= 0)
			close(fd);
		if (!is_locked)
			return -1;
	}
	return err_dsn(err, ERR_TEMP, "4.2.0", "mailbox %s is replaced again and again", path);
}

static int append(int fd, const char *path, const struct letter *l, struct span head, uint64_t limit,
		  struct err *err)
{
	struct stat st;
	char last = '\n';

	if (fstat(fd, &st) < 0)
		return err_sys(err, "cannot look at mailbox %s", path);
	if (limit && (uint64_t)st.st_size + head.n + l->size > limit)
		return err_dsn(err, ERR_PERM, "5.2.2", "mailbox %s is full: %llu of %llu bytes are used", path,
			       (unsigned long long)st.st_size, (unsigned long long)limit);
	if (st.st_size > 0)
		(void)!pread(fd, &last, 1, st.st_size - 1);
	if (write_letter(fd, l, head, last != '\n', err) == 0) {
		if (fsync(fd) == 0)
			return 0;
		err_sys(err, "cannot sync mailbox %s", path);
	}
	if (ftruncate(fd, st.st_size) < 0)
		err_wrap(err, "part of a message stays in mailbox %s", path);
	return -1;
}

static int sync_parent(const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char *dir = xstrndup(path, slash && slash > path ? (size_t)(slash - path) : 1);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	/* A directory that may be passed but not read cannot be synced by this user: the file is. */
	if (fd >= 0 && sync_dir(fd) < 0)
		rc = err_sys(err, "cannot sync directory %s", dir);
	if (fd >= 0)
		close(fd);
	free(dir);
	return rc;
}

int mbox_append(const char *path, const struct letter *l, struct span head, uint64_t limit, bool is_strict,
		struct err *err)
{
	char lock[PATH_MAX];
	bool is_new;
	int fd, locked, rc;

	if (strcmp(path, "/dev/null") == 0)
		return 0;
	is_new = access(path, F_OK) < 0;
	locked = dotlock(path, lock, sizeof(lock), err);
	fd = locked < 0 ? -1 : open_locked(path, is_strict, err);
	rc = fd < 0 ? -1 : append(fd, path, l, head, limit, err);
	if (rc == 0 && is_new)
		rc = sync_parent(path, err);
	if (locked > 0)
		unlink(lock);
	if (fd >= 0)
		close(fd);
	return rc;
}
