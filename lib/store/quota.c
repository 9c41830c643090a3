/*
 * maildirsize: the first line holds the limits ("5000000S,1000C"), every further line a change "bytes count". It is
 * trusted as long as its limits are ours, it is shorter than 5120 bytes, and, when it claims that the Maildir is full,
 * younger than 15 minutes. Everything counts, also trash and messages with the flag T, as in Dovecot.
 */
#include "store/quota.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/span.h"

#define FILE_NAME "maildirsize"
#define FILE_MAX 5120
#define FULL_AGE (15 * 60)
#define DIR_OPEN (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)

static bool is_unlimited(const struct quota_limit *lim)
{
	return lim->bytes == 0 && lim->count == 0;
}

bool quota_name_size(const char *name, uint64_t *size_r)
{
	const char *s = strstr(name, ",S=");
	size_t n = s ? strspn(s + 3, "0123456789") : 0;

	return n > 0 && span_u64((struct span){ s + 3, n }, INT64_MAX, size_r) == 0;
}

/* One of new/ and cur/; a missing one is empty. */
static int count_dir(int folder, const char *name, struct quota_use *use, struct err *err)
{
	int fd = openat(folder, name, DIR_OPEN);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
			return 0;
		err_sys(err, "cannot count the mail in %s/", name);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while ((e = readdir(dir)) != NULL) {
		struct stat st;
		uint64_t size;

		if (e->d_name[0] == '.')
			continue;
		if (!quota_name_size(e->d_name, &size)) {
			if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
				continue;
			size = (uint64_t)st.st_size;
		}
		use->bytes += size;
		use->count++;
	}
	closedir(dir);
	return 0;
}

static int count_folder(int at, const char *name, struct quota_use *use, struct err *err)
{
	int fd = openat(at, name, DIR_OPEN), rc;

	if (fd < 0)
		return 0;
	rc = count_dir(fd, "new", use, err);
	if (rc == 0)
		rc = count_dir(fd, "cur", use, err);
	close(fd);
	return rc;
}

static int count_all(struct maildir *md, struct quota_use *use, struct err *err)
{
	int fd = openat(md->fd, ".", DIR_OPEN), rc;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		err_sys(err, "cannot list the folders of the maildir");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*use = (struct quota_use){ 0 };
	rc = count_folder(md->fd, ".", use, err);
	while (rc == 0 && (e = readdir(dir)) != NULL)
		if (e->d_name[0] == '.' && e->d_name[1] != '\0' && strcmp(e->d_name, "..") != 0)
			rc = count_folder(md->fd, e->d_name, use, err);
	closedir(dir);
	return rc;
}

static int limits_line(char *buf, size_t size, const struct quota_limit *lim)
{
	if (lim->bytes && lim->count)
		return snprintf(buf, size, "%" PRIu64 "S,%" PRIu64 "C\n", lim->bytes, lim->count);
	return snprintf(buf, size, "%" PRIu64 "%c\n", lim->bytes ? lim->bytes : lim->count, lim->bytes ? 'S' : 'C');
}

static void write_anew(struct maildir *md, const struct quota_limit *lim, const struct quota_use *use)
{
	char tmp[64], text[160];
	uint64_t rnd;
	int fd, n;

	random_bytes(&rnd, sizeof(rnd));
	snprintf(tmp, sizeof(tmp), FILE_NAME ".%016" PRIx64, rnd);
	n = limits_line(text, sizeof(text), lim);
	n += snprintf(text + n, sizeof(text) - (size_t)n, "%" PRIu64 " %" PRIu64 "\n", use->bytes, use->count);
	fd = openat(md->tmp, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (write(fd, text, (size_t)n) != n || renameat(md->tmp, tmp, md->fd, FILE_NAME) < 0)
		unlinkat(md->tmp, tmp, 0);
	close(fd);
}

static bool parse_signed(struct span s, int64_t *out_r)
{
	bool minus = s.n > 0 && s.p[0] == '-';
	uint64_t v;

	if (span_u64(span_from(s, minus), INT64_MAX, &v) < 0)
		return false;
	*out_r = minus ? -(int64_t)v : (int64_t)v;
	return true;
}

/* Adds up the lines behind the first; false when one is not two numbers or the sum makes no sense. */
static bool sum_lines(struct span text, struct quota_use *use)
{
	int64_t bytes = 0, count = 0, v;
	struct span line, word;

	while (text.n > 0) {
		if (!span_cut(text, '\n', &line, &text))
			return false;
		if (!span_word(&line, " ", &word) || !parse_signed(word, &v) ||
		    __builtin_add_overflow(bytes, v, &bytes))
			return false;
		if (!span_word(&line, " ", &word) || !parse_signed(word, &v) ||
		    __builtin_add_overflow(count, v, &count))
			return false;
	}
	if (bytes < 0 || count < 0)
		return false;
	*use = (struct quota_use){ (uint64_t)bytes, (uint64_t)count };
	return true;
}

static bool is_over(const struct quota_limit *lim, const struct quota_use *use)
{
	return (lim->bytes && use->bytes >= lim->bytes) || (lim->count && use->count >= lim->count);
}

/* False when the file is not there or not to be trusted. */
static bool read_file(struct maildir *md, const struct quota_limit *lim, struct quota_use *use)
{
	int fd = openat(md->fd, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char buf[FILE_MAX + 1], want[64];
	struct span text;
	struct stat st;
	ssize_t n = -1;
	int w;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < FILE_MAX)
		n = pread(fd, buf, sizeof(buf), 0);
	close(fd);
	w = limits_line(want, sizeof(want), lim);
	if (n <= 0 || n >= FILE_MAX)
		return false;
	text = (struct span){ buf, (size_t)n };
	if (!span_starts(text, want) || !sum_lines(span_from(text, (size_t)w), use))
		return false;
	return !is_over(lim, use) || st.st_mtime + FULL_AGE > (int64_t)(clock_wall_ms() / 1000);
}

int quota_read(struct maildir *md, const struct quota_limit *lim, struct quota_use *use_r, struct err *err)
{
	*use_r = (struct quota_use){ 0 };
	if (is_unlimited(lim) || read_file(md, lim, use_r))
		return 0;
	if (count_all(md, use_r, err) < 0)
		return -1;
	write_anew(md, lim, use_r);
	return 0;
}

int quota_check(const struct quota_limit *lim, const struct quota_use *use, uint64_t bytes, struct err *err)
{
	if (lim->bytes && (bytes > lim->bytes || use->bytes > lim->bytes - bytes))
		return err_dsn(err, ERR_PERM, "5.2.2",
			       "mailbox is full: %" PRIu64 " of %" PRIu64 " bytes are used, the message has %" PRIu64,
			       use->bytes, lim->bytes, bytes);
	if (lim->count && use->count >= lim->count)
		return err_dsn(err, ERR_PERM, "5.2.2", "mailbox is full: it holds %" PRIu64 " of %" PRIu64 " messages",
			       use->count, lim->count);
	return 0;
}

void quota_add(struct maildir *md, const struct quota_limit *lim, int64_t bytes, int64_t count)
{
	char line[64];
	struct stat st;
	int fd, n;

	if (is_unlimited(lim))
		return;
	fd = openat(md->fd, FILE_NAME, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	n = snprintf(line, sizeof(line), "%" PRId64 " %" PRId64 "\n", bytes, count);
	/* A line cut by a full disk makes the file unreadable; gone, it is made anew. */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && write(fd, line, (size_t)n) != n)
		unlinkat(md->fd, FILE_NAME, 0);
	close(fd);
}
