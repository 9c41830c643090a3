/*
 * What a crash leaves, and who repairs it. P is the end of the process, M the end of the machine (power).
 *
 * crash while or after            left behind                              repaired by
 * ------------------------------  ---------------------------------------  -------------------------------------------
 * writing tmp/X            P, M   part of X in tmp/                        retry writes another tmp file;
 *                                                                          maildir_clean_tmp removes X after 36 h
 * syncing data             P, M   X whole or in part in tmp/               the same
 * rename tmp/X -> new/X    P      new/X whole, its data synced             retry finds the twin, compares, syncs, reports
 *                          M      tmp/X or new/X, data whole               the same; never a hole, as data went first
 * fsync of new/            P, M   new/X whole and durable                  retry finds the twin
 * report to qmgr           P, M   new/X, or cur/X:2,FLAGS                  retry looks in both directories
 *
 * A twin has our base name. The same bytes: delivered, once it is synced. A part of ours (left by something that did
 * not keep the order): replaced. Anything else is somebody else's: ours gets the suffix ",F=random".
 * A failed sync says nothing about later syncs of the same pages, so the file is removed and written anew at the retry.
 * Names in tmp/ carry a random part: a second process on the same job never writes into the first one's file.
 */
#include "store/maildir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/random.h"
#include "base/clock.h"
#include "io/sync_dir.h"
#include "io/write_all.h"

#define PATH_OPEN (O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)  /* to pass through: wants no right to read */
#define DIR_OPEN (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
#define COPY_CHUNK 65536
#define SYNCFS_AT 4             /* from so many syncs on one file system is one syncfs the cheaper */
#define PLACE_TRIES 8

struct maildir_item {
	struct maildir *md;
	int fd;
	uint64_t size;
	const char *base;
	const char *tmp_name;
	const char *name;
	bool retry;
	bool placed;
	bool in_cur;            /* the twin lies in cur/ */
	bool twin;
	ptrdiff_t same_as;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* -1 with errno; creates when asked and the name is missing. */
static int open_dir(int at, const char *name, int how, bool create, bool *made)
{
	int fd = openat(at, name, how);

	if (fd >= 0 || errno != ENOENT || !create)
		return fd;
	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return -1;
	*made = true;
	return openat(at, name, how);
}

/* at may be a place to pass through. */
static int sync_place(int at)
{
	int fd = openat(at, ".", DIR_OPEN), rc = fd < 0 ? -1 : sync_dir(fd);

	close_fd(&fd);
	return rc;
}

/* The directory behind the symbolic link name; -1 with errno. It is read and followed in one piece, so that nobody puts
 * another in its place in between. */
static int follow(int at, const char *name)
{
	int link = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), fd = -1;
	char to[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (link < 0 || fstat(link, &st) < 0) {
		close_fd(&link);
		return -1;
	}
	n = S_ISLNK(st.st_mode) ? readlinkat(link, "", to, sizeof(to)) : 0;
	if (n <= 0 || (size_t)n >= sizeof(to)) {
		errno = ENOTDIR;
	} else if (geteuid() == 0 || (st.st_uid != geteuid() && st.st_uid != 0)) {
		errno = ELOOP;
	} else {
		to[n] = '\0';
		fd = openat(at, to, DIR_OPEN & ~O_NOFOLLOW);
	}
	close(link);
	return fd;
}

/* Steps through path below *fd; *fd is closed and replaced at each step. */
static int walk(int *fd, const char *path, unsigned flags, struct err *err)
{
	struct span rest = span_z(path), word;
	char name[NAME_MAX + 1];
	bool is_at_end = false;
	int next;

	while (rest.n && rest.p[rest.n - 1] == '/')
		rest.n--;
	while (span_word(&rest, "/", &word)) {
		bool made = false;

		if (span_eqz(word, "."))
			continue;
		if (span_eqz(word, "..") || word.n > NAME_MAX)
			return err_set(err, ERR_CONF, "mailbox path %s has a component that is not allowed", path);
		memcpy(name, word.p, word.n);
		name[word.n] = '\0';
		is_at_end = rest.n == 0;
		next = open_dir(*fd, name, is_at_end ? DIR_OPEN : PATH_OPEN, flags & MAILDIR_CREATE, &made);
		if (next < 0 && errno == ENOTDIR && is_at_end && (flags & MAILDIR_LINK))
			next = follow(*fd, name);
		if (next < 0 && is_at_end)
			return err_sys(err, "cannot open mailbox %s", path);
		if (next < 0)
			return err_sys(err, "cannot open directory %s of mailbox %s", name, path);
		if (made && sync_place(*fd) < 0) {
			err_sys(err, "cannot sync the directory above %s of mailbox %s", name, path);
			close(next);
			return -1;
		}
		close(*fd);
		*fd = next;
	}
	if (is_at_end)
		return 0;
	next = openat(*fd, ".", DIR_OPEN);
	if (next < 0)
		return err_sys(err, "cannot open mailbox %s", path);
	close(*fd);
	*fd = next;
	return 0;
}

/* tmp/, new/ and cur/ of md->fd. */
static int open_three(struct maildir *md, const char *path, bool create, struct err *err)
{
	static const char *const names[] = { "tmp", "new", "cur" };
	int *fds[] = { &md->tmp, &md->new, &md->cur };
	bool made = false;
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		*fds[i] = open_dir(md->fd, names[i], DIR_OPEN, create, &made);
		if (*fds[i] < 0)
			return err_sys(err, "cannot open directory %s of maildir %s", names[i], path);
	}
	if (fstat(md->tmp, &st) < 0 || (made && sync_dir(md->fd) < 0))
		return err_sys(err, "cannot sync maildir %s", path);
	md->dev = st.st_dev;
	return 0;
}

int maildir_open(struct maildir *md, const char *base, const char *path, unsigned flags, struct err *err)
{
	*md = (struct maildir)MAILDIR_INIT;
	md->fd = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (md->fd < 0)
		return err_sys(err, "cannot open directory %s", base);
	if (walk(&md->fd, path, flags, err) == 0 && open_three(md, path, flags & MAILDIR_CREATE, err) == 0)
		return 0;
	maildir_close(md);
	return -1;
}

int maildir_open_at(struct maildir *md, int at, const char *name, struct err *err)
{
	*md = (struct maildir)MAILDIR_INIT;
	md->fd = openat(at, name, DIR_OPEN);
	if (md->fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG))
		return 0;
	if (md->fd < 0)
		return err_sys(err, "cannot open folder %s", name);
	if (open_three(md, name, true, err) == 0)
		return 1;
	maildir_close(md);
	return -1;
}

void maildir_close(struct maildir *md)
{
	close_fd(&md->fd);
	close_fd(&md->tmp);
	close_fd(&md->new);
	close_fd(&md->cur);
}

char *maildir_base_name(struct arena *a, uint64_t arrival_ms, const char *queue_id, unsigned recipient,
			const char *instance, const char *host)
{
	/* ids come from blocks of several workers: within a second only the milliseconds tell who was first */
	char *z = arena_printf(a, "%llu.M%03uQ%sR%uI%s.%s", (unsigned long long)(arrival_ms / 1000),
			       (unsigned)(arrival_ms % 1000), queue_id, recipient, instance, host);

	for (char *p = z; *p; p++)
		if (*p == '/' || *p == ':' || *p == ',' || (unsigned char)*p <= ' ')
			*p = '_';
	return z;
}

static int put(int fd, struct span s, struct err *err)
{
	return write_all(fd, s) < 0 ? err_sys(err, "cannot write a message to tmp/") : 0;
}

static int copy_buffered(int out, const struct maildir_msg *m, off_t off, uint64_t left, struct err *err)
{
	char *buf = xcalloc(1, COPY_CHUNK);
	int rc = 0;

	while (left > 0 && rc == 0) {
		ssize_t r = pread(m->fd, buf, left < COPY_CHUNK ? (size_t)left : COPY_CHUNK, off);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			rc = err_sys(err, "cannot read the message from the queue");
		else if (r == 0)
			rc = err_set(err, ERR_TEMP, "the queue's file ends %llu bytes early", (unsigned long long)left);
		else
			rc = put(out, (struct span){ buf, (size_t)r }, err);
		if (rc == 0) {
			off += r;
			left -= (uint64_t)r;
		}
	}
	free(buf);
	return rc;
}

static int copy_file(int out, const struct maildir_msg *m, struct err *err)
{
	uint64_t left = m->size;
	off_t off = m->off;

	while (left > 0) {
		ssize_t r = copy_file_range(m->fd, &off, out, NULL, (size_t)left, 0);

		if (r <= 0)
			break;
		left -= (uint64_t)r;
	}
	/* Two file systems, an old kernel, a short file or a full disk: the plain way decides and reports. */
	return left > 0 ? copy_buffered(out, m, off, left, err) : 0;
}

/* What the message would measure with CRLF line ends (W= in the name). */
static uint64_t extra_cr(struct span s)
{
	const char *p = s.n ? s.p : "", *end = p + s.n;
	uint64_t n = 0;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		n += p == s.p || p[-1] != '\r';
		p++;
	}
	return n;
}

static struct maildir_item *next_item(struct maildir_batch *b)
{
	if (b->n == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 16;
		b->v = xrealloc(b->v, b->cap * sizeof(*b->v));
	}
	return memset(&b->v[b->n], 0, sizeof(*b->v));
}

static int write_tmp(struct maildir_item *it, const struct maildir_msg *m, struct err *err)
{
	it->fd = openat(it->md->tmp, it->tmp_name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (it->fd < 0)
		return err_sys(err, "cannot create a file in tmp/");
	if (put(it->fd, m->head, err) == 0 &&
	    (m->fd >= 0 ? copy_file(it->fd, m, err) : put(it->fd, m->body, err)) == 0)
		return 0;
	close_fd(&it->fd);
	unlinkat(it->md->tmp, it->tmp_name, 0);
	return -1;
}

/* A second name for bytes that are there already; -1 where the file system cannot (EXDEV, EMLINK, EPERM). */
static int link_tmp(struct maildir_item *it, const struct maildir_item *src)
{
	if (linkat(src->md->tmp, src->tmp_name, it->md->tmp, it->tmp_name, 0) < 0)
		return -1;
	it->fd = dup(src->fd);
	if (it->fd >= 0)
		return 0;
	unlinkat(it->md->tmp, it->tmp_name, 0);
	return -1;
}

int maildir_batch_add(struct maildir_batch *b, struct maildir *md, const struct maildir_msg *m, struct err *err)
{
	struct maildir_item *it = next_item(b);
	uint64_t rnd;

	BUG(m->same_as >= (ptrdiff_t)b->n);
	random_bytes(&rnd, sizeof(rnd));
	it->md = md;
	it->fd = -1;
	it->retry = m->retry;
	it->same_as = m->same_as;
	it->base = arena_strdup(&b->arena, m->base);
	it->tmp_name = arena_printf(&b->arena, "%s.%016llx", m->base, (unsigned long long)rnd);
	it->size = m->head.n + (m->fd >= 0 ? m->size : m->body.n);
	if (m->fd >= 0)
		it->name = arena_printf(&b->arena, "%s,S=%llu", m->base, (unsigned long long)it->size);
	else
		it->name = arena_printf(&b->arena, "%s,S=%llu,W=%llu", m->base, (unsigned long long)it->size,
					(unsigned long long)(it->size + extra_cr(m->head) + extra_cr(m->body)));
	if (it->same_as < 0 || link_tmp(it, &b->v[it->same_as]) < 0) {
		it->same_as = -1;
		if (write_tmp(it, m, err) < 0)
			return -1;
	}
	b->n++;
	return 0;
}

const char *maildir_batch_name(const struct maildir_batch *b, size_t i)
{
	return b->v[i].name;
}

enum twin { TWIN_NONE, TWIN_OTHER, TWIN_PART, TWIN_SAME };

struct twin_file {
	enum twin is;
	int fd;
	bool in_cur;
	char name[NAME_MAX + 1];
};

static ssize_t read_at(int fd, char *buf, size_t n, off_t off)
{
	size_t got = 0;

	while (got < n) {
		ssize_t r = pread(fd, buf + got, n - got, off + (off_t)got);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		if (r == 0)
			break;
		got += (size_t)r;
	}
	return (ssize_t)got;
}

/* Bytes of theirs that agree with ours, and whether only NULs follow: a torn write leaves either. */
static enum twin compare_bytes(int theirs, int ours, char *a, char *b)
{
	bool hole = false;
	off_t off = 0;

	for (;;) {
		ssize_t n = read_at(theirs, a, COPY_CHUNK, off), m = read_at(ours, b, COPY_CHUNK, off);
		ssize_t i = 0;

		if (n < 0 || m < 0 || n > m)
			return TWIN_OTHER;
		if (!hole)
			while (i < n && a[i] == b[i])
				i++;
		hole = hole || i < n;
		while (i < n && a[i] == '\0')
			i++;
		if (i < n)
			return TWIN_OTHER;
		if (n < m || hole) {
			if (n < COPY_CHUNK)
				return TWIN_PART;
		} else if (n < COPY_CHUNK) {
			return TWIN_SAME;
		}
		off += n;
	}
}

static enum twin compare(int theirs, int ours)
{
	char *buf;
	struct stat st;
	enum twin is;

	if (fstat(theirs, &st) < 0 || !S_ISREG(st.st_mode))
		return TWIN_OTHER;
	buf = xcalloc(2, COPY_CHUNK);
	is = compare_bytes(theirs, ours, buf, buf + COPY_CHUNK);
	free(buf);
	return is;
}

static bool is_twin_name(const char *name, const char *base)
{
	size_t n = strlen(base);

	return strncmp(name, base, n) == 0 && (name[n] == '\0' || name[n] == ',' || name[n] == ':');
}

/* Leaves the best match of one directory in *best. */
static int twin_scan(const struct maildir_item *it, int dir_fd, bool in_cur, struct twin_file *best, struct err *err)
{
	int fd = openat(dir_fd, ".", DIR_OPEN);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		err_sys(err, "cannot look through the maildir");
		close_fd(&fd);
		return -1;
	}
	while ((e = readdir(dir)) != NULL && best->is != TWIN_SAME) {
		enum twin is;

		if (!is_twin_name(e->d_name, it->base))
			continue;
		fd = openat(dir_fd, e->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		is = fd < 0 ? (errno == ENOENT ? TWIN_NONE : TWIN_OTHER) : compare(fd, it->fd);
		if (is <= best->is) {
			close_fd(&fd);
			continue;
		}
		close_fd(&best->fd);
		best->is = is;
		best->fd = fd;
		best->in_cur = in_cur;
		snprintf(best->name, sizeof(best->name), "%s", e->d_name);
	}
	closedir(dir);
	return 0;
}

static bool has_in(int dir_fd, const char *base)
{
	int fd = openat(dir_fd, ".", DIR_OPEN);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e = NULL;

	if (!dir) {
		close_fd(&fd);
		return false;
	}
	while ((e = readdir(dir)) != NULL && !is_twin_name(e->d_name, base))
		;
	closedir(dir);
	return e != NULL;
}

bool maildir_has(struct maildir *md, const char *base)
{
	return has_in(md->new, base) || has_in(md->cur, base);
}

static int rename_new(const struct maildir_item *it)
{
	if (renameat2(it->md->tmp, it->tmp_name, it->md->new, it->name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* A file system without NOREPLACE (NFS): link(2) never replaces. */
	if (linkat(it->md->tmp, it->tmp_name, it->md->new, it->name, 0) < 0)
		return -1;
	unlinkat(it->md->tmp, it->tmp_name, 0);
	return 0;
}

/* Acts on what is there: true when the twin is the delivery. */
static bool twin_settle(struct maildir_batch *b, struct maildir_item *it, struct twin_file *t)
{
	int dir = t->in_cur ? it->md->cur : it->md->new;
	uint64_t rnd;

	if (t->is == TWIN_SAME && fdatasync(t->fd) == 0) {
		unlinkat(it->md->tmp, it->tmp_name, 0);
		it->in_cur = t->in_cur;
		it->twin = true;
		it->name = arena_strdup(&b->arena, t->name);
		return true;
	}
	if (t->is == TWIN_SAME || t->is == TWIN_PART) {
		unlinkat(dir, t->name, 0);
	} else if (t->is == TWIN_OTHER) {
		random_bytes(&rnd, sizeof(rnd));
		it->name = arena_printf(&b->arena, "%s,S=%llu,F=%llx", it->base, (unsigned long long)it->size,
					(unsigned long long)rnd);
	}
	return false;
}

static int place(struct maildir_batch *b, struct maildir_item *it, struct err *err)
{
	bool look = it->retry;

	for (int tries = 0; tries < PLACE_TRIES; tries++, look = true) {
		struct twin_file t = { .is = TWIN_NONE, .fd = -1 };
		bool done = false;
		int rc = 0;

		if (look) {
			rc = twin_scan(it, it->md->new, false, &t, err);
			if (rc == 0)
				rc = twin_scan(it, it->md->cur, true, &t, err);
			if (rc == 0)
				done = twin_settle(b, it, &t);
			close_fd(&t.fd);
		}
		if (rc < 0)
			return -1;
		if (done || rename_new(it) == 0) {
			it->placed = true;
			return 0;
		}
		if (errno != EEXIST)
			return err_sys(err, "cannot move a message to new/");
	}
	return err_set(err, ERR_TEMP, "cannot find a free name in new/");
}

static void fail_item(struct maildir_item *it, struct err *result, const struct err *why)
{
	/* A twin that was there before stays: it may be all that holds the letter. */
	if (!it->placed)
		unlinkat(it->md->tmp, it->tmp_name, 0);
	else if (!it->twin)
		unlinkat(it->md->new, it->name, 0);
	*result = *why;
}

static void sync_data(struct maildir_batch *b, struct err *results)
{
	for (size_t i = 0; i < b->n; i++) {
		struct maildir_item *it = &b->v[i];
		struct err err = ERR_INIT;
		size_t same_dev = 0;
		bool first = true;
		int rc;

		/* The first item of a file system speaks for the others when they are many. */
		for (size_t k = 0; k < b->n; k++) {
			if (b->v[k].md->dev != it->md->dev || b->v[k].same_as >= 0)
				continue;
			first = first && k >= i;
			same_dev++;
		}
		if (it->same_as >= 0 || (same_dev >= SYNCFS_AT && !first))
			continue;
		rc = same_dev >= SYNCFS_AT ? syncfs(it->md->tmp) : fdatasync(it->fd);
		if (rc == 0)
			continue;
		err_sys(&err, "cannot sync a message in tmp/");
		for (size_t k = 0; k < b->n; k++)
			if (same_dev >= SYNCFS_AT ? b->v[k].md->dev == it->md->dev :
						    k == i || b->v[k].same_as == (ptrdiff_t)i)
				fail_item(&b->v[k], &results[k], &err);
	}
}

/* Fills *dirs_r with the distinct directories that got a name; the caller frees. */
struct dir_sync {
	struct maildir *md;
	bool cur;
};

static size_t dirs_of(const struct maildir_batch *b, const struct err *results, struct dir_sync **dirs_r)
{
	struct dir_sync *d = xcalloc(b->n ? b->n : 1, sizeof(*d));
	size_t n = 0, k;

	for (size_t i = 0; i < b->n; i++) {
		const struct maildir_item *it = &b->v[i];

		if (results[i].kind != ERR_NONE)
			continue;
		for (k = 0; k < n; k++)
			if (d[k].md == it->md && d[k].cur == it->in_cur)
				break;
		if (k == n)
			d[n++] = (struct dir_sync){ it->md, it->in_cur };
	}
	*dirs_r = d;
	return n;
}

static void fail_dir(struct maildir_batch *b, struct err *results, const struct dir_sync *d, bool whole_fs,
		     const struct err *why)
{
	for (size_t i = 0; i < b->n; i++) {
		struct maildir_item *it = &b->v[i];

		if (results[i].kind == ERR_NONE &&
		    (whole_fs ? it->md->dev == d->md->dev : it->md == d->md && it->in_cur == d->cur))
			fail_item(it, &results[i], why);
	}
}

static void sync_dirs(struct maildir_batch *b, struct err *results)
{
	struct dir_sync *d;
	size_t n = dirs_of(b, results, &d);

	for (size_t i = 0; i < n; i++) {
		struct err err = ERR_INIT;
		size_t same_dev = 0;
		bool first = true, many;

		for (size_t k = 0; k < n; k++) {
			same_dev += d[k].md->dev == d[i].md->dev;
			first = first && (k >= i || d[k].md->dev != d[i].md->dev);
		}
		many = same_dev >= SYNCFS_AT;
		if (many && !first)
			continue;
		if ((many ? syncfs(d[i].md->tmp) : fsync(d[i].cur ? d[i].md->cur : d[i].md->new)) == 0 &&
		    sync_was_real(d[i].md->tmp) == 0)
			continue;
		err_sys(&err, "cannot sync the maildir");
		fail_dir(b, results, &d[i], many, &err);
	}
	free(d);
}

static void batch_reset(struct maildir_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		close_fd(&b->v[i].fd);
	b->n = 0;
	arena_reset(&b->arena);
}

void maildir_batch_commit(struct maildir_batch *b, struct err *results, bool *already_r)
{
	for (size_t i = 0; i < b->n; i++)
		results[i] = (struct err)ERR_INIT;
	sync_data(b, results);
	for (size_t i = 0; i < b->n; i++) {
		struct err err = ERR_INIT;

		if (results[i].kind == ERR_NONE && place(b, &b->v[i], &err) < 0)
			fail_item(&b->v[i], &results[i], &err);
	}
	sync_dirs(b, results);
	for (size_t i = 0; already_r && i < b->n; i++)
		already_r[i] = b->v[i].twin;
	batch_reset(b);
}

void maildir_batch_fini(struct maildir_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		unlinkat(b->v[i].md->tmp, b->v[i].tmp_name, 0);
	batch_reset(b);
	free(b->v);
	b->v = NULL;
	b->cap = 0;
	arena_fini(&b->arena);
}

unsigned maildir_clean_tmp(struct maildir *md)
{
	int fd = openat(md->tmp, ".", DIR_OPEN);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int64_t oldest = (int64_t)(clock_wall_ms() / 1000) - MAILDIR_TMP_AGE;
	unsigned n = 0;
	struct dirent *e;

	if (!dir) {
		close_fd(&fd);
		return 0;
	}
	while ((e = readdir(dir)) != NULL) {
		struct stat st;

		if (e->d_name[0] == '.' || fstatat(md->tmp, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISREG(st.st_mode) && st.st_mtime < oldest && st.st_atime < oldest)
			n += unlinkat(md->tmp, e->d_name, 0) == 0;
	}
	closedir(dir);
	return n;
}
