/* The files beside the index, as anybody may have left them: the first byte says which one the rest is written over,
 * and where. What is promised: opening decides, and what it decides works. LMDB trusts its tree pages, so only the
 * pages in front and the length of data.mdb are touched, and a mark that says clean then no longer holds. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/index.h"
#include "store/index_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void put(struct index *x)
{
	struct index_folder f = { .validity = 7, .n = 1 };
	struct index_msg m = { .uid = 1, .size = 5 };
	struct err err = ERR_INIT;
	struct index_txn t;

	BUG(index_begin(x, true, &t, &err) < 0);
	BUG(index_folder_get(&t, SPAN_LIT(".a"), &f, &err) < 0 || index_folder_put(&t, SPAN_LIT(".a"), &f, &err) < 0);
	BUG(index_msg_put(&t, f.id, &m, &err) < 0 || index_part_put(&t, f.id, 1, INDEX_NAME, SPAN_LIT("x"), &err) < 0);
	BUG(index_commit(&t, &err) < 0);
}

static void check(struct index *x, bool must_have)
{
	struct err err = ERR_INIT;
	struct index_folder f;
	struct index_msg m;
	struct index_txn t;
	int rc;

	BUG(index_begin(x, false, &t, &err) < 0);
	rc = index_folder_get(&t, SPAN_LIT(".a"), &f, &err);
	BUG(rc < 0 || (must_have && rc == 0));
	BUG(rc == 1 && (f.validity != 7 || index_msg_get(&t, f.id, 1, &m, &err) != 1 || m.size != 5));
	index_end(&t);
}

static void harm(int dir, const uint8_t *data, size_t n)
{
	static const char *const names[] = { INDEX_DIR "/" INDEX_STATE, INDEX_DIR "/" INDEX_DATA,
					     INDEX_DIR "/" INDEX_LOCK };
	unsigned which = data[0] % 3, page = data[0] / 3 % 2;
	int fd = openat(dir, names[which], O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	if (data[0] & 128)
		(void)!ftruncate(fd, (off_t)n * 16);
	else
		(void)!pwrite(fd, data + 1, n - 1 < 4000 ? n - 1 : 4000, which == 1 ? page * 4096 : 0);
	/* the kernel's clock for files may not have moved on yet */
	if (which == 1)
		(void)!futimens(fd, (struct timespec[]){ { 1, 1 }, { 1, 1 } });
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct index_options opt = { .instance = 1 };
	char path[] = "/tmp/fuzz-index-XXXXXX";
	struct err err = ERR_INIT;
	struct index *x;

	BUG(!mkdtemp(path));
	opt.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	BUG(opt.dir < 0 || index_open(&x, &opt, &err) < 0);
	put(x);
	index_close(&x);
	if (n > 1)
		harm(opt.dir, data, n);
	BUG(index_open(&x, &opt, &err) < 0);
	check(x, n <= 1);
	put(x);
	check(x, true);
	index_close(&x);
	BUG(index_open(&x, &opt, &err) < 0 || index_is_memory(x));
	check(x, true);
	index_close(&x);
	close(opt.dir);
	nftw(path, rm_one, 4, FTW_DEPTH | FTW_PHYS);
	return 0;
}
