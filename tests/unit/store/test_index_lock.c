/* Sessions that are killed at any moment leave no other waiting for good. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/index.h"

#define N 8
#define LEFT 2                  /* these go on when the others are killed together */
#define TRIAL_MS 2000
#define STUCK_MS 5000

static char root[64];
static int dir = -1;
static volatile unsigned long *beat;

/* No power is cut here. */
int fdatasync(int fd)
{
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
	beat = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(beat != MAP_FAILED);
	return 0;
}

static int teardown(void **state)
{
	munmap((void *)(uintptr_t)beat, 4096);
	close(dir);
	nftw(root, rm_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static void nap(long us)
{
	nanosleep(&(struct timespec){ 0, us * 1000 }, NULL);
}

static void must(int rc, const struct err *err)
{
	if (rc == 0)
		return;
	dprintf(2, "%s\n", err->msg);
	_exit(1);
}

static struct index *open_index(void)
{
	struct index_options opt = { .dir = dir, .instance = 1 };
	struct err err = ERR_INIT;
	struct index *x = NULL;

	must(index_open(&x, &opt, &err), &err);
	return x;
}

static void transaction(struct index *x, bool is_write)
{
	struct err err = ERR_INIT;
	struct index_txn t;

	must(index_begin(x, is_write, &t, &err), &err);
	must(index_commit(&t, &err), &err);
}

/* No child outlives a test that has failed. */
static pid_t child(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void work(size_t slot)
{
	for (;;) {
		struct index *x = open_index();
		int i;

		transaction(x, false);
		for (i = 0; i < 1000; i++) {
			transaction(x, true);
			beat[slot]++;
		}
		index_close(&x);
	}
}

static pid_t start(size_t slot)
{
	pid_t pid = child();

	if (pid == 0)
		work(slot);
	return pid;
}

static void end(pid_t *pid)
{
	int st;

	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	assert_int_equal(waitpid(*pid, &st, 0), *pid);
	assert_true(WIFSIGNALED(st));           /* it had not given up before */
	*pid = 0;
}

static void all_move(const pid_t *pids)
{
	unsigned long before[LEFT];
	uint64_t from = clock_mono_ms();
	bool all = false;
	size_t i;

	for (i = 0; i < LEFT; i++)
		before[i] = beat[i];
	while (!all && clock_mono_ms() - from < STUCK_MS) {
		nap(1000);
		for (all = true, i = 0; i < LEFT; i++)
			all = all && (!pids[i] || beat[i] != before[i]);
	}
	assert_true(all);
}

static void the_living_go_on(void **state)
{
	uint64_t until = clock_mono_ms() + TRIAL_MS;
	pid_t pids[N] = { 0 };
	unsigned kills = 0;
	size_t i;

	while (clock_mono_ms() < until) {
		for (i = 0; i < N; i++)
			pids[i] = pids[i] ? pids[i] : start(i);
		nap(random() % 10000);
		end(&pids[random() % N]);
		if (++kills % 10)
			continue;
		for (i = LEFT; i < N; i++)
			if (pids[i])
				kill(pids[i], SIGKILL);
		for (i = LEFT; i < N; i++)
			end(&pids[i]);
		all_move(pids);
	}
	for (i = 0; i < N; i++)
		end(&pids[i]);
	assert_true(kills >= 10);
}

/* The number of the system call that pid waits in. */
static long waits_in(pid_t pid)
{
	char path[64], line[64] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		(void)!read(fd, line, sizeof(line) - 1);
		close(fd);
	}
	return line[0] >= '0' && line[0] <= '9' ? strtol(line, NULL, 10) : -1;
}

/* In a lock that ends with its owner's process, and gets through when that is killed. */
static void waits_for_the_kernel(void **state)
{
	struct index *x = open_index();
	long in = -1;
	pid_t holder, waiter;
	int i, st;

	index_close(&x);
	holder = child();
	if (holder == 0) {
		struct err err = ERR_INIT;
		struct index_txn t;

		x = open_index();
		must(index_begin(x, true, &t, &err), &err);
		beat[0] = 1;
		for (;;)
			pause();
	}
	for (i = 0; i < 5000 && !beat[0]; i++)
		nap(1000);
	assert_int_equal(beat[0], 1);
	waiter = child();
	if (waiter == 0) {
		x = open_index();
		transaction(x, true);
		_exit(0);
	}
	for (i = 0; i < 5000 && in != SYS_fcntl && in != SYS_futex; i++) {
		nap(1000);
		in = waits_in(waiter);
	}
	end(&holder);
	assert_int_equal(waitpid(waiter, &st, 0), waiter);
	assert_true(WIFEXITED(st) && WEXITSTATUS(st) == 0);
	assert_int_equal(in, SYS_fcntl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(waits_for_the_kernel, setup, teardown),
		cmocka_unit_test_setup_teardown(the_living_go_on, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
