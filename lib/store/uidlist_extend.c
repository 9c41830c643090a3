#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/write_all.h"
#include "store/uidlist_priv.h"

#define TAIL_MAX (1u << 22)             /* more than this by others: read it all */
#define RECORD_MAX 1024
#define OLD_MAX 16                      /* more to search for: read it all */

static int look(int dir, const char *name, struct index_file *f_r, mode_t *mode_r)
{
	struct statx x;

	if (statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &x) < 0)
		return -1;
	*f_r = (struct index_file){ x.stx_ino, x.stx_size, x.stx_mtime.tv_sec, x.stx_mtime.tv_nsec };
	/* the time of its birth, as far as there is one */
	if (x.stx_mask & STATX_BTIME)
		f_r->ino ^= ((uint64_t)x.stx_btime.tv_sec << 30 | x.stx_btime.tv_nsec) * UINT64_C(0x9e3779b97f4a7c15);
	*mode_r = x.stx_mode;
	return 0;
}

int uidlist_fstat(int fd, struct index_file *f_r, mode_t *mode_r)
{
	return look(fd, "", f_r, mode_r);
}

bool uidlist_same(const struct index_file *a, const struct index_file *b)
{
	return a->ino == b->ino && a->size == b->size && a->s == b->s && a->ns == b->ns;
}

int uidlist_stat(int dir, struct index_file *f_r, struct err *err)
{
	mode_t mode;

	*f_r = (struct index_file){ 0 };
	return look(dir, UIDLIST_NAME, f_r, &mode) == 0 || errno == ENOENT ? 0 :
									     err_sys(err, "cannot look at " UIDLIST_NAME);
}

bool uidlist_has_pop3_ids(int dir)
{
	int fd = openat(dir, UIDLIST_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char buf[65536];
	size_t n = 0;
	bool has = false;
	off_t at = 0;

	/* one byte over, lest " P" lies on the edge */
	while (fd >= 0 && !has && uidlist_read_all(fd, at, buf, sizeof(buf), &n) == 0 && n > 1) {
		has = memmem(buf, n, " P", 2) != NULL;
		at += (off_t)n - 1;
	}
	if (fd >= 0)
		close(fd);
	return has;
}

static struct uidlist_new *find(struct uidlist_new *v, size_t n, struct span base)
{
	for (size_t i = 0; i < n; i++)
		if (span_eq(v[i].base, base))
			return &v[i];
	return NULL;
}

/* The records that others have appended behind note->file.size. */
static enum uidlist_rc read_tail(int fd, uint64_t size, struct uidlist_note *note, struct uidlist_new *v, size_t n,
				 struct err *err)
{
	struct uidlist u = { .dir = -1 };
	size_t len = (size_t)(size - note->file.size), got = 0;
	struct span text, line;
	enum uidlist_rc rc = UIDLIST_DONE;
	char *p;

	/* from the line end of the last record that we know */
	if (len > TAIL_MAX || note->file.size == 0)
		return UIDLIST_OTHER;
	p = arena_alloc(&u.arena, len + 2);
	if (uidlist_read_all(fd, (off_t)note->file.size - 1, p, len + 1, &got) < 0)
		rc = err_sys(err, "cannot read " UIDLIST_NAME);
	text = (struct span){ p, got };
	if (rc == UIDLIST_DONE && (got != len + 1 || p[0] != '\n' || p[len] != '\n'))
		rc = UIDLIST_OTHER;
	for (text = span_from(text, 1); rc == UIDLIST_DONE && text.n;) {
		struct uidlist_new *m;

		span_cut(text, '\n', &line, &text);
		if (!uidlist_parse_record(&u, line, false) || u.v[u.n - 1].uid < note->next_uid)
			rc = UIDLIST_OTHER;
		m = rc == UIDLIST_DONE ? find(v, n, u.v[u.n - 1].base) : NULL;
		if (m)
			m->uid = u.v[u.n - 1].uid;
		else
			rc = rc < 0 ? rc : UIDLIST_OTHER;
	}
	if (rc == UIDLIST_DONE && u.n)
		note->next_uid = u.v[u.n - 1].uid + 1;
	uidlist_close(&u);
	return rc;
}

static bool has_record(struct span text, struct span base)
{
	const char *p = text.p, *end = text.p + text.n;

	while ((p = memmem(p, (size_t)(end - p), base.p, base.n)) != NULL) {
		const char *after = p + base.n;

		if (p > text.p && p[-1] == ':' && after < end && (*after == '\n' || *after == ':'))
			return true;
		p++;
	}
	return false;
}

/* Those that have no UID yet and may be old. UIDLIST_OTHER: one has a record. */
static enum uidlist_rc search(int fd, uint64_t size, const struct uidlist_new *v, size_t n, struct err *err)
{
	char buf[65536];
	struct span old[OLD_MAX];
	size_t n_old = 0, got = 0;

	for (size_t i = 0; i < n; i++) {
		if (v[i].uid || !v[i].is_old)
			continue;
		if (n_old == OLD_MAX)
			return UIDLIST_OTHER;
		old[n_old++] = v[i].base;
	}
	/* blocks overlap by what surrounds a name */
	for (uint64_t at = 0; n_old && at < size; at += sizeof(buf) - NAME_MAX - 2) {
		if (uidlist_read_all(fd, (off_t)at, buf, sizeof(buf), &got) < 0)
			return err_sys(err, "cannot read " UIDLIST_NAME);
		for (size_t i = 0; i < n_old; i++)
			if (has_record((struct span){ buf, got }, old[i]))
				return UIDLIST_OTHER;
	}
	return UIDLIST_DONE;
}

/* A write that fails is taken back: half a record would end in the next one. */
static int append(int fd, struct span text, uint64_t size, struct err *err)
{
	int rc = write_all(fd, text), saved;

	if (rc == 0)
		rc = fdatasync(fd);
	if (rc == 0)
		return 0;
	saved = errno;
	(void)!ftruncate(fd, (off_t)size);
	errno = saved;
	return err_sys(err, "cannot write " UIDLIST_NAME);
}

static enum uidlist_rc number(int fd, uint64_t size, struct uidlist_note *note, struct uidlist_new *v, size_t n,
			      struct err *err)
{
	struct str text = STR_INIT((n + 1) * RECORD_MAX);
	uint32_t next = note->next_uid;
	enum uidlist_rc rc = UIDLIST_DONE;

	if (n > UIDLIST_UID_LAST - next)
		return UIDLIST_OTHER;
	for (size_t i = 0; i < n; i++) {
		struct uidlist_rec r = { .uid = v[i].uid ? v[i].uid : next, .vsize = UINT64_MAX, .base = v[i].base };

		if (v[i].uid)
			continue;
		if (uidlist_format_record(&r, &text) < 0)
			BUG(true);
		v[i].uid = next++;
	}
	if (text.n && append(fd, str_span(&text), size, err) < 0)
		rc = UIDLIST_FAILED;
	else
		note->next_uid = next;
	str_fini(&text);
	return rc;
}

enum uidlist_rc uidlist_extend(int dir, struct uidlist_note *note, struct uidlist_new *v, size_t n, struct err *err)
{
	int fd = openat(dir, UIDLIST_NAME, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	enum uidlist_rc rc = UIDLIST_DONE;
	struct index_file now;
	mode_t mode;

	if (fd < 0 && (errno == ENOENT || errno == ELOOP))
		return UIDLIST_OTHER;
	if (fd < 0 || uidlist_fstat(fd, &now, &mode) < 0) {
		err_sys(err, "cannot open " UIDLIST_NAME);
		if (fd >= 0)
			close(fd);
		return UIDLIST_FAILED;
	}
	if (!S_ISREG(mode) || now.ino != note->file.ino || now.size < note->file.size)
		rc = UIDLIST_OTHER;
	else if (now.size > note->file.size)
		rc = read_tail(fd, now.size, note, v, n, err);
	else if (!uidlist_same(&now, &note->file))
		rc = UIDLIST_OTHER;
	if (rc == UIDLIST_DONE)
		rc = search(fd, now.size, v, n, err);
	if (rc == UIDLIST_DONE)
		rc = number(fd, now.size, note, v, n, err);
	if (rc == UIDLIST_DONE && uidlist_fstat(fd, &now, &mode) == 0)
		note->file = now;
	close(fd);
	return rc;
}
