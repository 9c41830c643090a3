#include "store/index_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "base/span.h"
#include "store/index.h"

#define LINE_FORMAT "surat-index 1 %-5s %016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %08x "
#define LOCK_SIZE (36 * 1024)           /* some 570 readers */
#define PAGE_HEAD 16

static const char *const words[] = { "void", "clean", "dirty" };

bool index_state_is_network(long type)
{
	static const unsigned long types[] = {
		NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, 0xff534d42 /* CIFS */, 0xfe534d42 /* SMB2 */, FUSE_SUPER_MAGIC,
		0x01021997 /* 9p */, 0x00c36400 /* Ceph */, AFS_SUPER_MAGIC, 0x6b414653 /* kAFS */, CODA_SUPER_MAGIC,
		OCFS2_SUPER_MAGIC, 0x01161970 /* GFS2 */, 0x0bd00bd0 /* Lustre */, 0x47504653 /* GPFS */,
		0x786f4256 /* vboxsf */, 0x65735543 /* FUSE control */, 0xbacbacbc /* vmhgfs */,
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(types); i++)
		if (((unsigned long)type & 0xffffffff) == types[i])
			return true;
	return false;
}

int index_state_open(struct index_files *f, int dir, struct err *err)
{
	struct statfs fs;

	memset(f, 0, sizeof(*f));
	f->dir = f->state = -1;
	if (mkdirat(dir, INDEX_DIR, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "make surat-index");
	f->dir = openat(dir, INDEX_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (f->dir < 0 || fstatfs(f->dir, &fs) < 0) {
		err_sys(err, "open surat-index");
		goto fail;
	}
	if (index_state_is_network(fs.f_type)) {
		err_set(err, ERR_SYS, "surat-index is on a network file system");
		goto fail;
	}
	f->state = openat(f->dir, INDEX_STATE, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (f->state >= 0)
		return 0;
	err_sys(err, "open surat-index/state");
fail:
	index_state_close(f);
	return -1;
}

void index_state_close(struct index_files *f)
{
	if (f->state >= 0)
		close(f->state);
	if (f->dir >= 0)
		close(f->dir);
	f->state = f->dir = -1;
}

bool index_state_is_linked(const struct index_files *f)
{
	struct stat st;

	return fstat(f->state, &st) == 0 && st.st_nlink > 0;
}

static unsigned checksum(const char *p, size_t n)
{
	unsigned h = 2166136261u;

	while (n--)
		h = (h ^ (unsigned char)*p++) * 16777619u;
	return h;
}

static struct index_standing parse(const char *line)
{
	struct index_standing st = { .mark = INDEX_VOID };
	int len = 0, end = 0;
	unsigned ns, sum;
	char word[8];
	uint64_t s;

	if (sscanf(line, "surat-index 1 %5s %16" SCNx64 " %16" SCNx64 " %16" SCNx64 " %16" SCNx64 " %16" SCNx64 " %8x %n%8x\n%n",
		   word, &st.generation, &st.instance, &st.modseq, &st.size, &s, &ns, &len, &sum, &end) != 8 ||
	    end == 0 || sum != checksum(line, (size_t)len))
		return (struct index_standing){ .mark = INDEX_VOID };
	st.s = (int64_t)s;
	st.ns = ns;
	st.mark = strcmp(word, "clean") == 0 ? INDEX_CLEAN : strcmp(word, "dirty") == 0 ? INDEX_DIRTY : INDEX_VOID;
	return st;
}

void index_state_read(struct index_files *f, struct index_standing *st_r)
{
	char line[INDEX_STATE_LINE] = "";

	if (pread(f->state, line, sizeof(line) - 1, 0) < 0)
		line[0] = '\0';
	if (memcmp(line, f->line, sizeof(line)) != 0) {
		memcpy(f->line, line, sizeof(line));
		f->seen = parse(line);
	}
	*st_r = f->seen;
}

int index_state_write(const struct index_files *f, const struct index_standing *st, bool is_durable, struct err *err)
{
	char line[INDEX_STATE_LINE];
	int n = snprintf(line, sizeof(line), LINE_FORMAT, words[st->mark], st->generation, st->instance, st->modseq, st->size,
			 (uint64_t)st->s, (unsigned)st->ns);
	ssize_t done;

	n += snprintf(line + n, sizeof(line) - (size_t)n, "%08x\n", checksum(line, (size_t)n));
	done = pwrite(f->state, line, (size_t)n, 0);
	if (done != n) {
		if (done >= 0)
			errno = ENOSPC;
		return err_sys(err, "write surat-index/state");
	}
	if (is_durable && fdatasync(f->state) < 0)
		return err_sys(err, "sync surat-index/state");
	return 0;
}

/* Locks of the open file: they know no process, so a descriptor closed elsewhere does not end them. */
static int lock(const struct index_files *f, enum index_lock which, short type, bool waits)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)which, .l_len = 1 };
	int rc;

	do
		rc = fcntl(f->state, waits ? F_OFD_SETLKW : F_OFD_SETLK, &l);
	while (rc < 0 && errno == EINTR);
	return rc;
}

int index_state_lock(const struct index_files *f, enum index_lock which, struct err *err)
{
	if (lock(f, which, which == INDEX_USING ? F_RDLCK : F_WRLCK, true) < 0)
		return err_sys(err, "lock surat-index/state");
	return 0;
}

void index_state_unlock(const struct index_files *f, enum index_lock which)
{
	(void)!lock(f, which, F_UNLCK, false);
}

bool index_state_is_alone(const struct index_files *f)
{
	bool is_alone = lock(f, INDEX_USING, F_WRLCK, false) == 0;

	(void)!lock(f, INDEX_USING, F_RDLCK, false);
	return is_alone;
}

/* ---- data.mdb ---- */

/* A meta page as LMDB 0.9 lays it out on a 64-bit machine. */
struct meta {
	uint64_t pgno;
	uint16_t pad, flags, lower, upper;
	uint32_t magic, version;
	uint64_t address, mapsize;
	struct {
		uint32_t pad;
		uint16_t flags, depth;
		uint64_t branch, leaf, overflow, entries, root;
	} db[2];
	uint64_t last, txnid;
};

static bool meta_is_sane(const struct meta *m, uint64_t page)
{
	size_t i;

	if (!(m->flags & 8) || m->magic != 0xbeefc0de || m->version != 1 || m->db[0].pad != page || m->last < 1 ||
	    m->last > UINT64_MAX / 2 / page)
		return false;
	for (i = 0; i < 2; i++)
		if (m->db[i].root != UINT64_MAX && m->db[i].root > m->last)
			return false;
	return true;
}

/* LMDB itself checks only that the first page looks like one, then divides by what it finds and reads behind the
 * end. */
bool index_state_data_is_sane(const struct index_files *f)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), last;
	int fd = openat(f->dir, INDEX_DATA, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct meta m[2];
	struct stat st;
	bool is_sane;

	if (fd < 0)
		return false;
	is_sane = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		  pread(fd, &m[0], sizeof(m[0]), 0) == (ssize_t)sizeof(m[0]) &&
		  pread(fd, &m[1], sizeof(m[1]), (off_t)page) == (ssize_t)sizeof(m[1]) &&
		  meta_is_sane(&m[0], page) && meta_is_sane(&m[1], page);
	close(fd);
	if (!is_sane)
		return false;
	last = m[m[1].txnid > m[0].txnid].last;
	return (uint64_t)st.st_size >= (last + 1) * page;
}

static int stat_data(const struct index_files *f, struct stat *st)
{
	return fstatat(f->dir, INDEX_DATA, st, AT_SYMLINK_NOFOLLOW);
}

int index_state_stamp(const struct index_files *f, struct index_standing *st, struct err *err)
{
	struct stat now;

	if (stat_data(f, &now) < 0)
		return err_sys(err, "look at surat-index/data.mdb");
	st->size = (uint64_t)now.st_size;
	st->s = now.st_mtim.tv_sec;
	st->ns = now.st_mtim.tv_nsec;
	return 0;
}

bool index_state_stamp_holds(const struct index_files *f, const struct index_standing *st)
{
	struct stat now;

	return stat_data(f, &now) == 0 && (uint64_t)now.st_size == st->size && now.st_mtim.tv_sec == st->s &&
	       now.st_mtim.tv_nsec == st->ns;
}

int index_state_allocate_lock(const struct index_files *f, struct err *err)
{
	static const char zeros[4096];
	int fd = openat(f->dir, INDEX_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return err_sys(err, "make surat-index/lock.mdb");
	if (fstat(fd, &st) < 0 || (st.st_size < LOCK_SIZE && fallocate(fd, 0, 0, LOCK_SIZE) < 0 && errno != EOPNOTSUPP))
		rc = -1;
	/* a file system that cannot allocate ahead; nobody uses the file while it is short */
	while (rc == 0 && fstat(fd, &st) == 0 && st.st_size < LOCK_SIZE) {
		if (pwrite(fd, zeros, sizeof(zeros), st.st_size / 4096 * 4096) != (ssize_t)sizeof(zeros))
			rc = -1;
	}
	if (rc < 0)
		err_sys(err, "allocate surat-index/lock.mdb");
	close(fd);
	return rc;
}
