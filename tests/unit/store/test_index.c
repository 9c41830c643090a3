/* The index is used when it can be trusted, made anew when not, and in memory when there is nowhere to put it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/str.h"
#include "io/sandbox.h"
#include "store/index.h"
#include "store/index_state.h"

#define OURS 0x1234
#define N 300

static char root[64];
static int dir = -1, n_syncs;

/* Counted only, LMDB's too: no power is cut here. */
int fdatasync(int fd)
{
	n_syncs++;
	return 0;
}

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int setup(void **state)
{
	snprintf(root, sizeof(root), "/tmp/index-XXXXXX");
	assert_non_null(mkdtemp(root));
	dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	return 0;
}

static int teardown(void **state)
{
	clock_fake_ms(0);
	close(dir);
	nftw(root, rm_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static struct index *open_with(uint64_t instance, bool is_suspect)
{
	struct index_options opt = { .dir = dir, .instance = instance, .is_suspect = is_suspect };
	struct err err = ERR_INIT;
	struct index *x;

	if (index_open(&x, &opt, &err) < 0)
		fail_msg("%s", err.msg);
	return x;
}

static struct index_txn begin(struct index *x, bool is_write)
{
	struct err err = ERR_INIT;
	struct index_txn t;

	if (index_begin(x, is_write, &t, &err) < 0)
		fail_msg("%s", err.msg);
	return t;
}

static void commit(struct index_txn *t)
{
	struct err err = ERR_INIT;

	if (index_commit(t, &err) < 0)
		fail_msg("%s", err.msg);
}

static struct index_msg msg_of(uint32_t uid)
{
	return (struct index_msg){ .uid = uid, .flags = uid % 32, .modseq = uid * 3, .internal_s = -1, .size = uid * 100ull,
		.vsize = UINT64_MAX, .state = INDEX_HAS_RECORD };
}

/* n messages from uid on, with all parts. */
static int put_messages(struct index_txn *t, uint32_t folder, uint32_t uid, uint32_t n, size_t blob, struct err *err)
{
	char *text = calloc(1, blob + 16);
	int rc = 0;

	for (; n && rc == 0; n--, uid++) {
		struct index_msg m = msg_of(uid);
		struct span v = { text, blob };
		int part;

		memset(text, 'a' + (int)(uid % 26), blob);
		rc = index_msg_put(t, folder, &m, err);
		for (part = 0; part < INDEX_PARTS && rc == 0; part++)
			rc = index_part_put(t, folder, uid, (enum index_part)part, v, err);
	}
	free(text);
	return rc;
}

static void fill(struct index *x, const char *name, uint32_t n)
{
	struct index_txn t = begin(x, true);
	struct index_folder f = { .validity = 7, .n = n };
	struct err err = ERR_INIT;

	assert_true(index_folder_get(&t, span_z(name), &f, &err) >= 0);
	assert_int_equal(index_folder_put(&t, span_z(name), &f, &err), 0);
	assert_true(f.id > 0);
	assert_int_equal(put_messages(&t, f.id, 1, n, 40, &err), 0);
	commit(&t);
}

struct seen {
	uint32_t n, last;
};

static bool see(void *arg, const struct index_msg *m)
{
	struct index_msg want = msg_of(m->uid);
	struct seen *s = arg;

	assert_true(m->uid > s->last);
	assert_memory_equal(m, &want, sizeof(want));
	s->last = m->uid;
	s->n++;
	return true;
}

/* Messages of a folder, all of them as put_messages made them; -1 when there is no such folder. */
static int count(struct index *x, const char *name)
{
	struct index_txn t = begin(x, false);
	struct err err = ERR_INIT;
	struct index_folder f;
	struct seen s = { 0 };
	struct span v;
	int rc = index_folder_get(&t, span_z(name), &f, &err);
	uint32_t uid;

	assert_true(rc >= 0);
	if (rc == 1 && index_msg_walk(&t, f.id, 0, see, &s, &err) < 0)
		fail_msg("%s", err.msg);
	for (uid = 1; rc == 1 && uid <= s.n; uid++) {
		assert_int_equal(index_part_get(&t, f.id, uid, INDEX_BODY, &v, &err), 1);
		assert_true(v.n > 0 && v.p[0] == 'a' + (char)(uid % 26) && v.p[v.n - 1] == v.p[0]);
	}
	index_end(&t);
	return rc == 1 ? (int)s.n : -1;
}

/* In a process of its own, which dies without closing. */
static void in_child(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void fill_and_die(void)
{
	fill(open_with(OURS, false), "", N);
}

static void fill_and_close(void)
{
	struct index *x = open_with(OURS, false);

	fill(x, "", N);
	index_close(&x);
}

static int open_file(const char *name, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/surat-index/%s", root, name);
	fd = open(path, flags | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	return fd;
}

static void cut_file(const char *name, off_t n)
{
	int fd = open_file(name, O_WRONLY);

	assert_int_equal(ftruncate(fd, n), 0);
	close(fd);
}

static off_t length(const char *name)
{
	int fd = open_file(name, O_RDONLY);
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	return st.st_size;
}

static void spoil(const char *name, off_t at, size_t n)
{
	int fd = open_file(name, O_WRONLY);
	char *junk = malloc(n);

	random_bytes(junk, n);
	assert_int_equal(pwrite(fd, junk, n, at), (ssize_t)n);
	/* the kernel's clock for files may not have moved on yet */
	assert_int_equal(futimens(fd, (struct timespec[]){ { 1, 1 }, { 1, 1 } }), 0);
	free(junk);
	close(fd);
}

static void set_bytes(off_t at, const void *p, size_t n)
{
	int fd = open_file("data.mdb", O_WRONLY);

	assert_int_equal(pwrite(fd, p, n, at), (ssize_t)n);
	assert_int_equal(pwrite(fd, p, n, at + 4096), (ssize_t)n);
	close(fd);
}

static void nothing(void) { }
static void no_state(void) { unlinkat(dir, "surat-index/state", 0); }
static void empty_state(void) { cut_file("state", 0); }
static void short_state(void) { cut_file("state", 40); }
static void odd_state(void) { spoil("state", 20, 8); }
static void no_data(void) { unlinkat(dir, "surat-index/data.mdb", 0); }
static void no_lock(void) { unlinkat(dir, "surat-index/lock.mdb", 0); }
static void no_dir(void)
{
	no_data();
	no_lock();
	no_state();
	assert_int_equal(unlinkat(dir, "surat-index", AT_REMOVEDIR), 0);
}
static void garbage_meta(void) { spoil("data.mdb", 0, 8192); }
static void garbage_all(void) { spoil("data.mdb", 0, (size_t)length("data.mdb")); }
static void garbage_middle(void) { spoil("data.mdb", 8192, (size_t)length("data.mdb") - 8192); }
static void garbage_lock(void) { spoil("lock.mdb", 0, 4096); }
static void zero_psize(void) { set_bytes(40, "\0\0\0\0", 4); }
static void odd_version(void) { set_bytes(20, "\2\0\0\0", 4); }
static void far_last(void) { set_bytes(16 + 24 + 96, "\377\377\377\377\377\377\377\177", 8); }
static void far_root(void) { set_bytes(16 + 24 + 48 + 40, "\377\377\377\377\0\0\0\0", 8); }
static void longer(void) { cut_file("data.mdb", length("data.mdb") + 4096); }
static void data_is_link(void)
{
	no_data();
	assert_int_equal(symlinkat("/etc/passwd", dir, "surat-index/data.mdb"), 0);
}
static void data_is_fifo(void)
{
	no_data();
	assert_int_equal(mkfifoat(dir, "surat-index/data.mdb", 0600), 0);
}
static void old_format(void)
{
	struct index_options opt = { .dir = dir, .instance = OURS };
	struct err err = ERR_INIT;
	struct index *x;

	assert_int_equal(index_open(&x, &opt, &err), 0);
	index_close(&x);
	/* another format is one whose version row differs; the row is the only place that has these bytes */
	int fd = open_file("data.mdb", O_RDWR);
	off_t n = length("data.mdb"), i;
	char *map = mmap(NULL, (size_t)n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct index_files f;
	struct index_standing st;
	unsigned n_found = 0;

	assert_true(map != MAP_FAILED);
	for (i = 0; i + 15 < n; i++) {
		if (memcmp(map + i, "version", 7) == 0) {
			map[i + 7 + 4]++;
			n_found++;
		}
	}
	assert_true(n_found > 0);
	munmap(map, (size_t)n);
	close(fd);
	assert_int_equal(index_state_open(&f, dir, &err), 0);
	index_state_read(&f, &st);
	assert_int_equal(index_state_stamp(&f, &st, &err), 0);
	assert_int_equal(index_state_write(&f, &st, false, &err), 0);
	index_state_close(&f);
}

/* The rows of index.h: what is found, and whether it is used. */
static void test_table(void **state)
{
	static const struct {
		const char *label;
		void (*before)(void), (*harm)(void);
		uint64_t instance;
		bool is_suspect, is_kept;
	} rows[] = {
		{ "clean", fill_and_close, nothing, OURS, false, true },
		{ "clean, another instance", fill_and_close, nothing, 99, false, true },
		{ "dirty, ours", fill_and_die, nothing, OURS, false, true },
		{ "dirty, another instance", fill_and_die, nothing, 99, false, false },
		{ "clean, a session died", fill_and_close, nothing, OURS, true, false },
		{ "dirty, a session died", fill_and_die, nothing, OURS, true, false },
		{ "no directory", fill_and_close, no_dir, OURS, false, false },
		{ "no state", fill_and_close, no_state, OURS, false, false },
		{ "empty state", fill_and_close, empty_state, OURS, false, false },
		{ "short state", fill_and_close, short_state, OURS, false, false },
		{ "odd state", fill_and_close, odd_state, OURS, false, false },
		{ "no data", fill_and_close, no_data, OURS, false, false },
		{ "no data, dirty", fill_and_die, no_data, OURS, false, false },
		{ "no lock", fill_and_close, no_lock, OURS, false, true },
		{ "no lock, dirty", fill_and_die, no_lock, OURS, false, true },
		{ "garbage in lock", fill_and_close, garbage_lock, OURS, false, true },
		{ "garbage in meta pages", fill_and_close, garbage_meta, OURS, false, false },
		{ "garbage in meta pages, dirty", fill_and_die, garbage_meta, OURS, false, false },
		{ "garbage everywhere", fill_and_close, garbage_all, OURS, false, false },
		{ "garbage everywhere, dirty", fill_and_die, garbage_all, OURS, false, false },
		{ "garbage behind the meta pages", fill_and_close, garbage_middle, OURS, false, false },
		{ "page size 0", fill_and_die, zero_psize, OURS, false, false },
		{ "version of LMDB", fill_and_die, odd_version, OURS, false, false },
		{ "last page far away", fill_and_die, far_last, OURS, false, false },
		{ "root far away", fill_and_die, far_root, OURS, false, false },
		{ "another format", nothing, old_format, OURS, false, false },
		{ "clean, then longer", fill_and_close, longer, OURS, false, false },
		{ "data is a link", fill_and_close, data_is_link, OURS, false, false },
		{ "data is a fifo, dirty", fill_and_die, data_is_fifo, OURS, false, false },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct index *x;
		int n;

		setup(NULL);
		in_child(rows[i].before);
		rows[i].harm();
		x = open_with(rows[i].instance, rows[i].is_suspect);
		n = count(x, "");
		if (n != (rows[i].is_kept ? N : -1) || index_is_memory(x))
			fail_msg("%s: %d messages, memory %d", rows[i].label, n, index_is_memory(x));
		/* whatever it was, it works now, and the next one finds it */
		fill(x, "again", N);
		index_close(&x);
		x = open_with(98, false);
		n = count(x, "again");
		if (n != N)
			fail_msg("%s: %d messages at the end", rows[i].label, n);
		index_close(&x);
		teardown(NULL);
	}
	setup(NULL);
}

static void test_truncation(void **state)
{
	bool is_dirty;
	off_t n, at;

	for (is_dirty = false; ; is_dirty = true) {
		for (at = 0, n = 1; at < n; at += 1777 + n / 20) {
			struct index *x;

			setup(NULL);
			in_child(is_dirty ? fill_and_die : fill_and_close);
			n = length("data.mdb");
			cut_file("data.mdb", at);
			x = open_with(OURS, false);
			if (count(x, "") != -1)
				fail_msg("cut at %lld of %lld is used", (long long)at, (long long)n);
			index_close(&x);
			teardown(NULL);
		}
		if (is_dirty)
			break;
	}
	setup(NULL);
}

static struct index_standing standing(void)
{
	struct index_standing st;
	struct err err = ERR_INIT;
	struct index_files f;

	assert_int_equal(index_state_open(&f, dir, &err), 0);
	index_state_read(&f, &st);
	index_state_close(&f);
	return st;
}

/* Two syncs a period, none for a change; other sessions' ends do not count. */
static void test_marks(void **state)
{
	struct index *x, *y;
	int i, before;

	clock_fake_ms(1700000000000);
	x = open_with(OURS, false);
	assert_int_equal(standing().mark, INDEX_DIRTY);
	before = n_syncs;
	fill(x, "", 5);
	index_close(&x);
	assert_int_equal(standing().mark, INDEX_CLEAN);
	assert_int_equal(n_syncs, before + 2);  /* the environment, the mark */

	before = n_syncs;
	x = open_with(OURS, false);
	assert_int_equal(count(x, ""), 5);
	index_close(&x);
	assert_int_equal(n_syncs, before);

	x = open_with(OURS, false);
	y = open_with(OURS, false);
	for (i = 0; i < 20; i++)
		fill(x, "", 5);
	assert_int_equal(n_syncs, before + 1);
	assert_int_equal(standing().mark, INDEX_DIRTY);
	index_close(&y);
	assert_int_equal(n_syncs, before + 1);

	/* at rest it stays dirty until 30 s have passed */
	clock_fake_ms(1700000001000);
	assert_int_equal(index_rest(x), 29000);
	assert_int_equal(standing().mark, INDEX_DIRTY);
	assert_int_equal(count(x, ""), 5);
	clock_fake_ms(1700000030000);
	assert_int_equal(index_rest(x), 0);
	assert_int_equal(standing().mark, INDEX_CLEAN);
	before = n_syncs;
	assert_int_equal(index_rest(x), 0);
	assert_int_equal(count(x, ""), 5);
	index_close(&x);
	assert_int_equal(n_syncs, before);

	/* closed while resting */
	x = open_with(OURS, false);
	fill(x, "", 5);
	assert_int_equal(index_rest(x), 30000);
	index_close(&x);
	assert_int_equal(standing().mark, INDEX_CLEAN);
}

static unsigned n_open_files(void)
{
	unsigned n = 0;
	int fd;

	for (fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_descriptors(void **state)
{
	unsigned before = n_open_files();
	struct index *x = open_with(OURS, false);
	uint64_t generation = index_generation(x);

	fill(x, "", N);
	index_rest(x);
	assert_int_equal(n_open_files(), before);
	assert_int_equal(count(x, ""), N);
	assert_true(index_generation(x) == generation);
	index_close(&x);
	assert_int_equal(n_open_files(), before);
	index_close(&x);
}

/* Who has the old one open finds the new one at the next begin, whoever made it. */
static void test_renew(void **state)
{
	struct index *x = open_with(OURS, false), *y = open_with(OURS, false);
	struct err err = ERR_INIT;
	struct index_txn t;
	uint64_t generation = index_generation(x);

	fill(x, "", N);
	assert_int_equal(count(y, ""), N);
	t = begin(y, false);
	assert_int_equal(index_renew(x, &err), 0);
	index_end(&t);
	assert_true(index_generation(x) != generation);
	assert_int_equal(count(x, ""), -1);
	fill(x, "new", 3);
	assert_int_equal(count(y, "new"), 3);
	assert_true(index_generation(y) == index_generation(x));
	/* a second complaint about the old one does no harm */
	generation = index_generation(x);
	index_close(&y);
	y = open_with(OURS, false);
	index_close(&x);
	x = open_with(OURS, true);
	assert_true(index_generation(x) != generation);
	generation = index_generation(x);
	assert_int_equal(index_renew(y, &err), 0);
	assert_true(index_generation(y) == generation);
	/* somebody removes it */
	no_dir();
	fill(y, "there", 4);
	assert_int_equal(count(x, "there"), 4);
	index_close(&x);
	index_close(&y);
	assert_int_equal(standing().mark, INDEX_CLEAN);
}

/* A tool that knows of no master works beside a session: neither throws away what the other has. */
static void test_instances(void **state)
{
	int to[2], from[2], status;
	struct index *x;
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(from), 0);
	pid = fork();
	if (pid == 0) {
		close(from[0]);
		x = open_with(OURS, false);
		fill(x, "", N);
		if (write(from[1], &byte, 1) != 1 || read(to[0], &byte, 1) != 1)
			_exit(1);
		/* the other one has closed: what it wrote is there */
		if (count(x, "") != N || count(x, "tool") != N)
			_exit(2);
		_exit(0);
	}
	close(from[1]);
	assert_int_equal(read(from[0], &byte, 1), 1);
	x = open_with(99, false);
	assert_int_equal(count(x, ""), N);
	fill(x, "tool", N);
	index_close(&x);
	assert_int_equal(standing().mark, INDEX_DIRTY);
	assert_int_equal(write(to[1], &byte, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(to[0]);
	close(to[1]);
	close(from[0]);
	/* nobody has it any more, so it might be from before a crash */
	x = open_with(99, false);
	assert_int_equal(count(x, ""), -1);
	index_close(&x);
}

static void write_forever(int out)
{
	struct index *x = open_with(OURS, false);
	uint32_t n;

	fill(x, "", 1);
	for (n = 2; ; n++) {
		struct index_txn t = begin(x, true);
		struct err err = ERR_INIT;
		struct index_folder f;
		uint32_t k = 1 + n % 7;

		if (index_folder_get(&t, SPAN_LIT(""), &f, &err) != 1 ||
		    put_messages(&t, f.id, f.n + 1, k, 300 + n % 3000, &err) < 0)
			_exit(3);
		f.n += k;
		if (index_folder_put(&t, SPAN_LIT(""), &f, &err) < 0 || index_commit(&t, &err) < 0)
			_exit(4);
		if (write(out, "", 1) < 0)
			_exit(6);
	}
}

/* A writer is killed at any moment while another session has it open: nothing torn, nothing stuck, nothing lost that
 * was committed. */
static void test_kill(void **state)
{
	struct index *x = open_with(OURS, false);
	struct index_folder f = { 0 };
	unsigned round, n_rows = 0;

	for (round = 0; round < 200; round++) {
		struct err err = ERR_INIT;
		struct index_txn t;
		int fds[2], status, n;
		char byte;
		pid_t pid;

		if (f.n > 2000) {
			t = begin(x, true);
			assert_true(index_folder_delete(&t, SPAN_LIT(""), &err) >= 0);
			commit(&t);
		}
		index_rest(x);          /* no fork with an environment open */
		assert_int_equal(pipe(fds), 0);
		pid = fork();
		if (pid == 0)
			write_forever(fds[1]);
		close(fds[1]);
		assert_int_equal(read(fds[0], &byte, 1), 1);
		nanosleep(&(struct timespec){ 0, (long)random_below(3000000) }, NULL);
		n = count(x, "");
		assert_true(n >= 1);
		kill(pid, SIGKILL);
		close(fds[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFSIGNALED(status))
			fail_msg("round %u: %x", round, (unsigned)status);
		/* The lock is free. Only who takes it sees a commit whose writer died before its last step, so we look as writers
		 * do. */
		t = begin(x, true);
		assert_int_equal(index_folder_get(&t, SPAN_LIT(""), &f, &err), 1);
		assert_int_equal(index_folder_put(&t, SPAN_LIT(""), &f, &err), 0);
		commit(&t);
		assert_int_equal(count(x, ""), (int)f.n);
		assert_true((int)f.n >= n);
		n_rows += f.n;
	}
	assert_true(n_rows > 1000);
	index_close(&x);
}

/* Two processes count in turn; no step is lost. */
static void test_two(void **state)
{
	struct index *x;
	int who, i;
	pid_t pid[2];

	for (who = 0; who < 2; who++) {
		pid[who] = fork();
		if (pid[who])
			continue;
		x = open_with(OURS, false);
		for (i = 0; i < 500; i++) {
			struct index_txn t = begin(x, true);
			struct index_folder f = { .n = 0 };
			struct err err = ERR_INIT;

			if (index_folder_get(&t, SPAN_LIT("n"), &f, &err) < 0)
				_exit(1);
			f.n++;
			if (index_folder_put(&t, SPAN_LIT("n"), &f, &err) < 0 || index_commit(&t, &err) < 0)
				_exit(2);
			if (i % 50 == who)
				index_rest(x);
			if (i % 100 == 99) {
				index_close(&x);
				x = open_with(OURS, false);
			}
		}
		index_close(&x);
		_exit(0);
	}
	for (who = 0; who < 2; who++) {
		int status;

		assert_int_equal(waitpid(pid[who], &status, 0), pid[who]);
		assert_int_equal(status, 0);
	}
	x = open_with(OURS, false);
	struct index_txn t = begin(x, false);
	struct err err = ERR_INIT;
	struct index_folder f;

	assert_int_equal(index_folder_get(&t, SPAN_LIT("n"), &f, &err), 1);
	assert_int_equal(f.n, 1000);
	index_end(&t);
	index_close(&x);
	assert_int_equal(standing().mark, INDEX_CLEAN);
}

/* Fills until something gives; the session goes on in memory. */
static void fill_up(struct index *x)
{
	uint64_t generation = index_is_memory(x) ? 0 : index_generation(x);
	uint32_t uid;

	for (uid = 1; uid < 100000 && generation; uid += 10) {
		struct index_txn t;
		struct err err = ERR_INIT;
		struct index_folder f = { 0 };
		int rc;

		t = begin(x, true);
		if (index_is_memory(x)) {
			index_end(&t);
			break;
		}
		rc = index_folder_get(&t, SPAN_LIT(""), &f, &err);
		if (rc >= 0)
			rc = index_folder_put(&t, SPAN_LIT(""), &f, &err);
		if (rc == 0)
			rc = put_messages(&t, f.id, uid, 10, 1000, &err);
		if (rc == 0)
			rc = index_commit(&t, &err);
		index_end(&t);
		if (rc < 0 && err.kind != ERR_TEMP)
			_exit(4);
	}
	assert_true(index_is_memory(x));
	assert_true(index_generation(x) != generation);
	assert_int_equal(count(x, ""), -1);
	fill(x, "", N);
	assert_int_equal(count(x, ""), N);
}

static void full_disk(void)
{
	static const char *const sizes[] = { "size=1m", "size=16k", "size=60k", "size=4k" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(sizes); i++) {
		struct index *x;

		if (mount("surat", root, "tmpfs", 0, sizes[i]) < 0)
			_exit(9);
		close(dir);
		dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		x = open_with(OURS, false);
		if (i == 0 && index_is_memory(x))
			_exit(7);
		fill_up(x);
		if (!index_is_memory(x) || count(x, "") != N)
			_exit(8);
		index_close(&x);
		umount2(root, MNT_DETACH);
	}
}

static void test_full(void **state)
{
	if (geteuid() != 0) {
		print_message("not root: no tmpfs\n");
		skip();
	}
	in_child(full_disk);
}

static void read_only(void)
{
	struct index *x;

	if (fchmod(dir, 0555) < 0 || (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0)))
		_exit(7);
	x = open_with(OURS, false);
	fill(x, "", N);
	if (!index_is_memory(x) || count(x, "") != N || faccessat(dir, "surat-index", F_OK, 0) == 0)
		_exit(8);
	index_close(&x);
}

/* What is there cannot be written by this user. */
static void not_ours(void)
{
	struct index *x;

	if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
		_exit(7);
	x = open_with(OURS, false);
	if (geteuid() == 65534 && !index_is_memory(x))
		_exit(8);
	fill(x, "x", N);
	if (count(x, "x") != N)
		_exit(6);
	index_close(&x);
}

static void test_no_rights(void **state)
{
	struct index *x;

	in_child(read_only);
	fchmod(dir, 0755);
	in_child(fill_and_close);
	in_child(not_ours);
	x = open_with(OURS, false);
	assert_int_equal(count(x, ""), N);
	index_close(&x);
}

static void test_memory(void **state)
{
	struct index_options opt = { .dir = -1, .is_memory = true };
	struct err err = ERR_INIT;
	struct index *x;
	uint64_t generation;

	assert_int_equal(index_open(&x, &opt, &err), 0);
	assert_true(index_is_memory(x));
	fill(x, "", N);
	assert_int_equal(index_rest(x), 0);
	assert_int_equal(count(x, ""), N);
	generation = index_generation(x);
	assert_int_equal(index_renew(x, &err), 0);
	assert_true(index_generation(x) != generation);
	assert_int_equal(count(x, ""), -1);
	index_close(&x);
	/* no directory at all */
	opt = (struct index_options){ .dir = -1 };
	assert_int_equal(index_open(&x, &opt, &err), 0);
	assert_true(index_is_memory(x));
	index_close(&x);
}

/* As imapd's child: Landlock on the Maildir only, system calls filtered. */
static void sandboxed(void)
{
	struct sandbox_path paths[] = { { root, SB_READ | SB_WRITE } };
	struct sandbox sb = { .may = SB_OPEN | SB_CHANGE_FILES, .paths = paths, .n_paths = 1 };
	struct index_options opt = { .is_memory = true, .dir = -1 };
	struct err err = ERR_INIT;
	struct index *x;
	const char *missing;

	if (sandbox_apply(&sb, &missing, &err) < 0)
		_exit(5);
	x = open_with(OURS, false);
	fill(x, "", N);
	index_rest(x);
	if (index_is_memory(x) || count(x, "") != N)
		_exit(6);
	index_close(&x);
	if (index_open(&x, &opt, &err) < 0)
		_exit(7);
	fill(x, "", N);
	if (!index_is_memory(x) || count(x, "") != N || index_renew(x, &err) < 0)
		_exit(8);
	index_close(&x);
}

static void test_sandbox(void **state)
{
	in_child(sandboxed);
	assert_int_equal(standing().mark, INDEX_CLEAN);
}

static void test_folders(void **state)
{
	struct index *x = open_with(OURS, false);
	struct err err = ERR_INIT;
	struct index_folder f, g;
	char name[600];
	struct index_txn t;
	uint64_t modseq;

	clock_fake_ms(1700000000000);
	fill(x, "", 3);
	fill(x, ".a", 2);
	t = begin(x, true);
	assert_int_equal(index_folder_get(&t, SPAN_LIT(".a"), &f, &err), 1);
	assert_true(f.modseq == (uint64_t)1700000000000 << 12 && f.gone_floor == f.modseq && f.modseq < (uint64_t)1 << 53);
	assert_true(index_folder_next_modseq(&f) == f.modseq + 1);
	f.modseq += 1000;
	modseq = f.modseq;
	assert_int_equal(index_folder_put(&t, SPAN_LIT(".a"), &f, &err), 0);
	assert_int_equal(index_folder_rename(&t, SPAN_LIT(".a"), SPAN_LIT(".b"), &err), 0);
	assert_int_equal(index_folder_rename(&t, SPAN_LIT(".none"), SPAN_LIT(".b"), &err), 0);
	assert_int_equal(index_folder_rename(&t, SPAN_LIT(".b"), SPAN_LIT(".b"), &err), 0);
	assert_int_equal(index_folder_get(&t, SPAN_LIT(".a"), &g, &err), 0);
	assert_int_equal(index_folder_get(&t, SPAN_LIT(""), &g, &err), 1);
	assert_int_equal(g.n, 3);
	assert_int_equal(index_folder_get(&t, SPAN_LIT(".b"), &g, &err), 1);
	assert_int_equal(g.n, 2);
	commit(&t);
	assert_int_equal(count(x, ".b"), 2);

	/* a new folder of the name begins above the old one, with another id */
	t = begin(x, true);
	assert_int_equal(index_folder_delete(&t, SPAN_LIT(".b"), &err), 0);
	assert_int_equal(index_folder_delete(&t, SPAN_LIT(".b"), &err), 0);
	g = (struct index_folder){ .n = 0 };
	assert_int_equal(index_folder_put(&t, SPAN_LIT(".b"), &g, &err), 0);
	assert_true(g.modseq > modseq && g.id > f.id);
	memset(name, 'x', sizeof(name));
	assert_int_equal(index_folder_get(&t, (struct span){ name, sizeof(name) }, &g, &err), -1);
	assert_int_equal(err.kind, ERR_PERM);
	commit(&t);
	assert_int_equal(count(x, ".b"), 0);

	/* the clock moves the modseq on */
	clock_fake_ms(1700000000500);
	assert_true(index_folder_next_modseq(&f) > f.modseq + 1);
	index_close(&x);
}

/* The messages of a deleted folder go with later commits. */
static void test_reap(void **state)
{
	struct index *x = open_with(OURS, false);
	struct err err = ERR_INIT;
	struct index_folder f;
	struct index_txn t;
	struct index_msg m;
	struct span v;
	unsigned i;

	fill(x, "keep", N);
	fill(x, "gone", 2000);
	fill(x, "keep2", N);
	t = begin(x, true);
	assert_int_equal(index_folder_get(&t, SPAN_LIT("gone"), &f, &err), 1);
	assert_int_equal(index_gone_add(&t, &f, 10, 77, &err), 0);
	assert_int_equal(index_folder_put(&t, SPAN_LIT("gone"), &f, &err), 0);
	assert_int_equal(index_folder_delete(&t, SPAN_LIT("gone"), &err), 0);
	commit(&t);
	t = begin(x, false);
	assert_int_equal(index_msg_get(&t, f.id, 2000, &m, &err), 1);
	index_end(&t);
	index_close(&x);
	x = open_with(OURS, false);
	for (i = 0; i < 20; i++) {
		t = begin(x, true);
		commit(&t);
	}
	t = begin(x, false);
	for (i = 1; i <= 2000; i++) {
		assert_int_equal(index_msg_get(&t, f.id, i, &m, &err), 0);
		assert_int_equal(index_part_get(&t, f.id, i, INDEX_NAME, &v, &err), 0);
		assert_int_equal(index_part_get(&t, f.id, i, INDEX_BODY, &v, &err), 0);
	}
	index_end(&t);
	assert_int_equal(count(x, "keep"), N);
	assert_int_equal(count(x, "keep2"), N);
	index_close(&x);
}

/* A rebuilt index begins above all before, though the clock went back. */
static void test_modseq(void **state)
{
	struct index *x;
	struct err err = ERR_INIT;
	struct index_folder f = { .n = 0 };
	struct index_txn t;
	uint64_t before;
	int how;

	for (how = 0; how < 2; how++) {
		clock_fake_ms(1700000000000);
		x = open_with(OURS, false);
		t = begin(x, true);
		f = (struct index_folder){ .n = 0 };
		assert_int_equal(index_folder_put(&t, SPAN_LIT(""), &f, &err), 0);
		f.modseq += 12345;
		before = f.modseq;
		assert_int_equal(index_folder_put(&t, SPAN_LIT(""), &f, &err), 0);
		commit(&t);
		index_close(&x);
		clock_fake_ms(1600000000000);
		x = open_with(OURS, how == 0);
		if (how == 1) {
			cut_file("data.mdb", 100);
			assert_int_equal(index_renew(x, &err), 0);
		}
		t = begin(x, true);
		f = (struct index_folder){ .n = 0 };
		assert_int_equal(index_folder_get(&t, SPAN_LIT(""), &f, &err), 0);
		assert_int_equal(index_folder_put(&t, SPAN_LIT(""), &f, &err), 0);
		assert_true(f.modseq > before);
		commit(&t);
		index_close(&x);
		teardown(NULL);
		setup(NULL);
	}
}

/* With a sane clock rebuilds do not run ahead of it: the next may know nothing but the clock. */
static void test_modseq_of_rebuilds(void **state)
{
	struct index *x;
	struct err err = ERR_INIT;
	struct index_folder f;
	struct index_txn t;
	uint64_t now = 1700000000000, before = 0;
	int turn;

	for (turn = 0; turn < 6; turn++) {
		clock_fake_ms(now += 10);
		x = open_with(OURS, turn == 1 || turn == 2 || turn == 4);
		if (turn == 3)
			assert_int_equal(index_renew(x, &err), 0);
		t = begin(x, true);
		f = (struct index_folder){ .n = 0 };
		assert_int_equal(index_folder_get(&t, SPAN_LIT(""), &f, &err), 0);
		assert_int_equal(index_folder_put(&t, SPAN_LIT(""), &f, &err), 0);
		assert_true(f.modseq > before && f.modseq <= (now + 1) << 12);
		before = f.modseq;
		commit(&t);
		index_close(&x);
		if (turn == 4)
			cut_file("state", 0);
	}
	teardown(NULL);
	setup(NULL);
}

static bool until_20(void *arg, const struct index_msg *m)
{
	*(uint32_t *)arg = m->uid;
	return m->uid < 20;
}

static bool part_at(void *arg, uint32_t uid, struct span v)
{
	uint32_t *n = arg;

	assert_true(v.n == 40 && v.p[0] == 'a' + (char)(uid % 26));
	++*n;
	return true;
}

static void test_messages(void **state)
{
	struct index *x = open_with(OURS, false);
	struct err err = ERR_INIT;
	struct index_folder f;
	struct index_msg m;
	struct index_txn t;
	uint32_t n = 0, uid = 0;
	struct span v;

	fill(x, "", N);
	fill(x, ".other", N);           /* now INBOX is not last, and nothing can be appended to it */
	t = begin(x, true);
	assert_int_equal(index_folder_get(&t, SPAN_LIT(""), &f, &err), 1);
	assert_int_equal(index_msg_get(&t, f.id, 0, &m, &err), 0);
	assert_int_equal(index_msg_get(&t, f.id, N + 1, &m, &err), 0);
	assert_int_equal(index_msg_get(&t, f.id, 7, &m, &err), 1);
	assert_int_equal(m.uid, 7);
	m.flags = INDEX_SEEN | INDEX_KEYWORD << 25;
	assert_int_equal(index_msg_put(&t, f.id, &m, &err), 0);
	m.flags = 0;
	assert_int_equal(index_msg_get(&t, f.id, 7, &m, &err), 1);
	assert_true(m.flags == (INDEX_SEEN | INDEX_KEYWORD << 25));
	assert_int_equal(index_msg_del(&t, f.id, 8, &err), 1);
	assert_int_equal(index_msg_del(&t, f.id, 8, &err), 0);
	assert_int_equal(index_part_get(&t, f.id, 8, INDEX_KEYS, &v, &err), 0);
	assert_int_equal(put_messages(&t, f.id, N + 1, 10, 40, &err), 0);
	assert_int_equal(put_messages(&t, f.id, 8, 1, 40, &err), 0);
	assert_int_equal(index_part_put(&t, f.id, 9, INDEX_NAME, SPAN_NULL, &err), 0);
	assert_int_equal(index_part_get(&t, f.id, 9, INDEX_NAME, &v, &err), 1);
	assert_int_equal(v.n, 0);
	commit(&t);

	t = begin(x, false);
	assert_int_equal(index_msg_walk(&t, f.id, 15, until_20, &uid, &err), 0);
	assert_int_equal(uid, 20);
	assert_int_equal(index_part_walk(&t, f.id, 0, INDEX_KEYS, part_at, &n, &err), 0);
	assert_int_equal(n, N + 10);
	n = 0;
	assert_int_equal(index_part_walk(&t, f.id, N + 6, INDEX_BODY, part_at, &n, &err), 0);
	assert_int_equal(n, 5);
	commit(&t);

	/* what is not committed did not happen */
	t = begin(x, true);
	assert_int_equal(put_messages(&t, f.id, N + 11, 50, 40, &err), 0);
	index_end(&t);
	index_end(&t);
	t = begin(x, false);
	assert_int_equal(index_msg_get(&t, f.id, N + 11, &m, &err), 0);
	index_end(&t);
	index_close(&x);
}

static void add_uid(void *arg, uint32_t uid)
{
	uint32_t *sum = arg;

	sum[0]++;
	sum[1] += uid;
}

static void test_gone(void **state)
{
	struct index *x = open_with(OURS, false);
	struct index_folder f = { 0 }, g = { 0 };
	struct err err = ERR_INIT;
	struct index_txn t = begin(x, true);
	uint32_t sum[2] = { 0 }, i;
	uint64_t first;

	assert_int_equal(index_folder_put(&t, SPAN_LIT(""), &f, &err), 0);
	assert_int_equal(index_folder_put(&t, SPAN_LIT(".b"), &g, &err), 0);
	first = f.modseq;
	assert_int_equal(index_gone_add(&t, &f, first + 1, 5, &err), 0);
	assert_int_equal(index_gone_add(&t, &f, first + 3, 4, &err), 0);
	assert_int_equal(index_gone_add(&t, &f, first + 3, UINT32_MAX, &err), 0);
	assert_int_equal(index_gone_add(&t, &g, first + 2, 1000, &err), 0);
	assert_int_equal(index_gone_walk(&t, f.id, first + 1, add_uid, sum, &err), 0);
	assert_true(sum[0] == 2 && sum[1] == 3);        /* 4 and -1 */
	assert_int_equal(index_gone_walk(&t, f.id, first + 3, add_uid, sum, &err), 0);
	assert_int_equal(sum[0], 2);
	for (i = 0; i < 10000; i++)
		assert_int_equal(index_gone_add(&t, &f, first + 10 + i, i, &err), 0);
	assert_int_equal(f.n_gone, 10000);
	assert_true(f.gone_floor == first + 3);
	for (i = 0; i < 20000; i++)
		assert_int_equal(index_gone_add(&t, &f, first + 20000, i, &err), 0);
	assert_true(f.gone_floor == first + 20000);
	sum[0] = 0;
	assert_int_equal(index_gone_walk(&t, g.id, 0, add_uid, sum, &err), 0);
	assert_int_equal(sum[0], 1);
	commit(&t);
	index_close(&x);
}

static void test_many_folders(void **state)
{
	struct index *x = open_with(OURS, false);
	struct err err = ERR_INIT;
	struct index_txn t = begin(x, true);
	char name[32];
	unsigned i;

	for (i = 0; i < 10000; i++) {
		struct index_folder f = { .n = 2 };

		snprintf(name, sizeof(name), ".f%u", i * 7919 % 10000);
		assert_int_equal(index_folder_put(&t, span_z(name), &f, &err), 0);
		assert_int_equal(put_messages(&t, f.id, 1, 2, 10, &err), 0);
	}
	commit(&t);
	index_close(&x);
	x = open_with(OURS, false);
	for (i = 0; i < 10000; i += 111) {
		snprintf(name, sizeof(name), ".f%u", i);
		assert_int_equal(count(x, name), 2);
	}
	index_close(&x);
}

static void test_network(void **state)
{
	static const struct { const char *label; long type; bool is_network; } rows[] = {
		{ "nfs", 0x6969, true }, { "smb2", (long)0xfe534d42, true }, { "smb2, sign extended", (int)0xfe534d42, true },
		{ "cifs", (long)0xff534d42, true }, { "fuse", 0x65735546, true }, { "9p", 0x01021997, true },
		{ "ceph", 0x00c36400, true }, { "ext4", 0xef53, false }, { "xfs", 0x58465342, false },
		{ "btrfs", (long)0x9123683e, false }, { "tmpfs", 0x01021994, false }, { "overlay", 0x794c7630, false },
		{ "zfs", 0x2fc12fc1, false },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (index_state_is_network(rows[i].type) != rows[i].is_network)
			fail_msg("%s", rows[i].label);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(table), T(truncation), T(marks), T(descriptors), T(renew), T(instances), T(kill), T(two), T(full), T(no_rights), T(memory),
		T(sandbox), T(folders), T(reap), T(modseq), T(modseq_of_rebuilds), T(messages), T(gone), T(many_folders), T(network),
	};

	return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
