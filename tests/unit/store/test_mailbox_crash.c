/* Sessions in processes of their own, killed at any moment, beside a stranger who delivers, renames and removes. At
 * the end no letter is lost that was acknowledged and that nobody removed, no UID ever meant two letters, and the
 * index agrees with the disk. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "mailbox_fixture.h"
#include "store/maildir_name.h"

#define RUN_MS 4000
#define WORKERS 3
#define FOLDERS 2
#define LETTERS 200000
#define UIDS 200000
#define MESSAGES_MAX 300                /* a folder is not to grow without end */

enum fate { FATE_NONE, FATE_KEPT, FATE_REMOVED };

static struct shared {
	_Atomic unsigned letter_of_uid[FOLDERS][UIDS];  /* + 1 */
	_Atomic unsigned char fate[LETTERS];
	_Atomic unsigned n_letters, n_ops, n_kills;
	_Atomic bool is_over, has_failed;
	char why[400];
} *shared;

static const char *const folders[FOLDERS] = { "", ".B" };
static uint64_t rng;

static unsigned dice(unsigned n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)(rng % n);
}

static void complain(const char *what, const char *detail)
{
	if (!atomic_exchange(&shared->has_failed, true))
		snprintf(shared->why, sizeof(shared->why), "%s: %s", what, detail);
}

/* It is there, unless somebody has found and removed it already. */
static void keep(unsigned id)
{
	unsigned char none = FATE_NONE;

	(void)atomic_compare_exchange_strong(&shared->fate[id], &none, FATE_KEPT);
}

static void must(int rc, const char *what, const struct err *err)
{
	if (rc >= 0 || err->kind == ERR_PERM)
		return;
	complain(what, err->msg);
	_exit(1);
}

static const char *letter_text(unsigned id)
{
	static char text[100];

	snprintf(text, sizeof(text), "Subject: %u\n\nletter %u\n", id, id);
	return text;
}

static int letter_at(int fd)
{
	char text[100] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	close(fd);
	return n > 9 ? (int)strtoul(text + 9, NULL, 10) : -1;
}

/* A UID was told for a letter. */
static void saw(int folder, uint32_t uid, unsigned id)
{
	unsigned was = 0;
	char text[100];

	if (uid >= UIDS || atomic_compare_exchange_strong(&shared->letter_of_uid[folder][uid], &was, id + 1) || was == id + 1)
		return;
	snprintf(text, sizeof(text), "UID %u was letter %u and is %u", uid, was - 1, id);
	complain(folders[folder][0] ? folders[folder] : "INBOX", text);
}

static int letter_of(struct mailbox *b, size_t i)
{
	struct err err = ERR_INIT;
	int fd = mailbox_file(b, i, NULL, &err);

	must(fd, "mailbox_file", &err);
	return fd < 0 ? -1 : letter_at(fd);
}

/* ---- the stranger ---- */

static void deliver(int folder)
{
	unsigned id = atomic_fetch_add(&shared->n_letters, 1);
	char tmp[500], name[500];

	snprintf(tmp, sizeof(tmp), "%s/%s/tmp/%u.s", fixture_mail, folders[folder], id);
	snprintf(name, sizeof(name), "%s/%s/%s/%u.s%s", fixture_mail, folders[folder], dice(3) ? "new" : "cur", 1000000 + id,
		 ":2,");
	if (strstr(name, "/new/"))
		*strrchr(name, ':') = '\0';
	int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL, 0600);
	const char *text = letter_text(id);
	(void)!write(fd, text, strlen(text));
	close(fd);
	if (rename(tmp, name) == 0)
		keep(id);
}

static void disturb(int folder)
{
	char path[400], from[700], to[700], name[NAME_MAX + 1] = "", fresh[NAME_MAX + 1];
	struct dirent *e;
	unsigned n = 0;
	DIR *d;
	int id;

	snprintf(path, sizeof(path), "%s/%s/cur", fixture_mail, folders[folder]);
	d = opendir(path);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.' && dice(++n) == 0)
			snprintf(name, sizeof(name), "%s", e->d_name);
	closedir(d);
	snprintf(from, sizeof(from), "%s/%s", path, name);
	if (n == 0)
		return;
	if (dice(8) == 0) {
		int fd = open(from, O_RDONLY);

		id = fd < 0 ? -1 : letter_at(fd);
		if (id >= 0)
			atomic_store(&shared->fate[id], FATE_REMOVED);
		(void)!unlink(from);
	} else if (maildir_name_make(fresh, span_z(name), dice(64)) == 0) {
		snprintf(to, sizeof(to), "%s/%s", path, fresh);
		(void)!rename(from, to);
	}
}

static void stranger(void)
{
	while (!atomic_load(&shared->is_over)) {
		int folder = (int)dice(FOLDERS);

		if (dice(3) == 0)
			deliver(folder);
		else
			disturb(folder);
		nanosleep(&(struct timespec){ 0, (long)dice(3000000) }, NULL);
	}
	_exit(0);
}

/* ---- sessions ---- */

static void one_append(struct mail_store *s, int folder)
{
	unsigned ids[3], n = 1 + dice(3);
	struct mailbox_append *a;
	struct mailbox_added added;
	struct err err = ERR_INIT;

	must(mailbox_append_begin(&a, s, folders[folder], &err), "append", &err);
	for (unsigned i = 0; i < n; i++) {
		const char *text;

		ids[i] = atomic_fetch_add(&shared->n_letters, 1);
		text = letter_text(ids[i]);
		must(mailbox_append_msg(a, strlen(text), dice(32), NULL, 0, 1000000000, &err), "append", &err);
		must(mailbox_append_data(a, span_z(text), &err), "append", &err);
	}
	must(mailbox_append_commit(&a, &added, &err), "append", &err);
	for (unsigned i = 0; i < n; i++) {
		saw(folder, added.uids[i], ids[i]);
		keep(ids[i]);
	}
	free(added.uids);
}

static void one_copy(struct mailbox *b, int folder, const uint32_t *sel, size_t n)
{
	struct mailbox_added added;
	struct err err = ERR_INIT;
	int to = (int)dice(FOLDERS), ids[MESSAGES_MAX];
	bool is_move = dice(2);
	uint32_t *from;

	for (size_t i = 0; i < n; i++)
		ids[i] = letter_of(b, sel[i]);
	must(mailbox_copy(b, sel, n, folders[to], is_move, &added, &from, &err), "copy", &err);
	for (size_t i = 0, k = 0; k < added.n; k++) {
		while (i < n && b->v[sel[i]].uid != from[k])
			i++;
		if (i < n && ids[i] >= 0)
			saw(to, added.uids[k], (unsigned)ids[i]);
	}
	free(added.uids);
	free(from);
}

static void one_expunge(struct mailbox *b, const uint32_t *sel, size_t n)
{
	struct err err = ERR_INIT;

	for (size_t i = 0; i < n; i++) {
		int id = letter_of(b, sel[i]);

		if (id >= 0)
			atomic_store(&shared->fate[id], FATE_REMOVED);
	}
	must(mailbox_expunge(b, sel, n, &err), "expunge", &err);
}

static void act(struct mail_store *s, struct mailbox *b, int folder)
{
	uint32_t sel[MESSAGES_MAX], *modified;
	struct mailbox_changes ch;
	struct arena a = { 0 };
	struct err err = ERR_INIT;
	size_t n = 0, n_modified;

	must(mailbox_sync(b, true, &ch, &err), "sync", &err);
	if (ch.is_lost)
		complain("sync", "the folder is lost");
	must(mailbox_load(b, &err), "load", &err);
	for (uint32_t i = 0; i < b->n && n < MESSAGES_MAX; i++)
		if (dice(6) == 0)
			sel[n++] = i;
	for (size_t i = 0; i < n && i < 5; i++) {
		int id = letter_of(b, sel[i]);

		if (id >= 0)
			saw(folder, b->v[sel[i]].uid, (unsigned)id);
	}
	switch (b->n > MESSAGES_MAX ? 0 : dice(7)) {
	case 0:
		one_expunge(b, sel, b->n > MESSAGES_MAX ? n : n / 4);
		break;
	case 1:
		one_append(s, folder);
		break;
	case 2:
		one_copy(b, folder, sel, n / 4);
		break;
	case 3:
		must(mailbox_ensure(b, sel, n, &err), "ensure", &err);
		break;
	default:
		must(mailbox_store(b, sel, n, dice(3), dice(64), UINT64_MAX, &a, &modified, &n_modified, &err), "store", &err);
		arena_fini(&a);
	}
	atomic_fetch_add(&shared->n_ops, 1);
}

static void worker(bool is_suspect)
{
	struct mail_store_options opt = { .home = "", .mail = fixture_mail, .index = "", .host = "h", .instance = 7,
					  .is_suspect = is_suspect };
	struct mail_store s;
	struct err err = ERR_INIT;

	must(mail_store_open(&s, &opt, &err), "mail_store_open", &err);
	while (!atomic_load(&shared->is_over)) {
		int folder = (int)dice(FOLDERS);
		struct mailbox *b;

		must(mailbox_open(&b, &s, folders[folder], 0, &err), "open", &err);
		for (unsigned i = dice(12); i > 0 && !atomic_load(&shared->is_over); i--)
			act(&s, b, folder);
		mailbox_close(&b);
	}
	mail_store_close(&s);
	_exit(0);
}

static pid_t start(uint64_t seed, bool is_stranger, bool is_suspect)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	rng = 88172645463325252ull + seed * 104729;
	for (int i = 0; i < 10; i++)
		(void)dice(2);
	if (is_stranger)
		stranger();
	worker(is_suspect);
	_exit(0);
}

/* ---- the end ---- */

static void check_folder(int folder, unsigned char *is_there)
{
	struct err err = ERR_INIT;
	struct mailbox *b = open_box(&fixture_store, folders[folder], 0);
	struct mailbox_changes ch;
	char dir[20];
	size_t n;

	OK(mailbox_load(b, &err));
	nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
	OK(mailbox_sync(b, true, &ch, &err));
	snprintf(dir, sizeof(dir), "%s/cur", folders[folder]);
	n = count_files(dir, "", NULL);
	snprintf(dir, sizeof(dir), "%s/new", folders[folder]);
	assert_int_equal(b->n, n + count_files(dir, "", NULL));
	for (size_t i = 0; i < b->n; i++) {
		int id = letter_of(b, i);

		assert_true(id >= 0);
		saw(folder, b->v[i].uid, (unsigned)id);
		is_there[id] = 1;
	}
	snprintf(dir, sizeof(dir), "%s/tmp", folders[folder]);
	printf("# %s: %zu letters, next UID %u, %zu files left in tmp/\n", folders[folder], b->n, b->now.uid_next,
	       count_files(dir, "", NULL));
	mailbox_close(&b);
}

static void finish(void)
{
	unsigned char *is_there = calloc(LETTERS, 1);
	unsigned n_lost = 0, n = atomic_load(&shared->n_letters);

	fixture_open(&fixture_store);
	for (int i = 0; i < FOLDERS; i++)
		check_folder(i, is_there);
	for (unsigned i = 0; i < n; i++)
		n_lost += atomic_load(&shared->fate[i]) == FATE_KEPT && !is_there[i];
	printf("# %u letters, %u operations, %u kills\n", n, atomic_load(&shared->n_ops), atomic_load(&shared->n_kills));
	free(is_there);
	if (atomic_load(&shared->has_failed))
		fail_msg("%s", shared->why);
	assert_int_equal(n_lost, 0);
	assert_true(atomic_load(&shared->n_ops) > 20);
}

static void test_kills(void **state)
{
	pid_t pids[WORKERS + 1];
	uint64_t until = clock_mono_ms() + RUN_MS, seed = 1;
	int status;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(shared != MAP_FAILED);
	make_folder(".B");
	mail_store_close(&fixture_store);
	rng = 4711;
	for (int i = 0; i <= WORKERS; i++)
		pids[i] = start(seed++, i == WORKERS, false);
	while (clock_mono_ms() < until && !atomic_load(&shared->has_failed)) {
		unsigned victim = dice(WORKERS);

		nanosleep(&(struct timespec){ 0, (long)(2 + dice(60)) * 1000000 }, NULL);
		kill(pids[victim], SIGKILL);
		assert_int_equal(waitpid(pids[victim], &status, 0), pids[victim]);
		atomic_fetch_add(&shared->n_kills, 1);
		pids[victim] = start(seed++, false, dice(4) == 0);
	}
	atomic_store(&shared->is_over, true);
	for (int i = 0; i <= WORKERS; i++)
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
	/* nobody holds it any more, but its owner may have been killed */
	finish();
	munmap(shared, sizeof(*shared));
}

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_kills) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
