/*
 * A folder appears and goes by one rename; what is made or taken apart has a name without a leading dot, which readers
 * of Maildir++ skip.
 *
 * cut short in                    left behind                     who repairs it
 * making                          surat-new.X                     folder_tree_sweep after an hour
 * between rename and sync         the folder or surat-new.X       nobody needs to
 * removing                        surat-gone.X, in part           folder_tree_sweep
 *
 * A delivery that is under way into a folder that is removed has its file in tmp/, which goes first: it fails and is
 * tried again, or it came before the removal.
 */
#include "store/folder_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "io/sync_dir.h"
#include "store/uidlist.h"

#define STAGE "surat-new."
#define GONE "surat-gone."
#define STAGE_AGE_S 3600
#define DEPTH_MAX 8
#define DIR_OPEN (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)

static const char *random_name(struct arena *a, const char *prefix)
{
	uint64_t rnd;

	random_bytes(&rnd, sizeof(rnd));
	return arena_printf(a, "%s%016" PRIx64, prefix, rnd);
}

int folder_tree_has(struct mail_store *s, const char *dir, struct err *err)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, s->root.fd, dir, &how, sizeof(how));

	if (fd < 0 && errno == ENOSYS)
		fd = openat(s->root.fd, dir, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0) {
		close(fd);
		return 1;
	}
	if (errno == ENOENT || errno == ENOTDIR || errno == EXDEV || errno == ELOOP)
		return 0;
	return err_sys(err, "cannot look at folder %s", dir);
}

/* Small files of a new folder; synced only when that matters to clients. */
static int put_file(int dir, const char *name, const char *text, bool sync)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600), rc = 0;
	size_t n = strlen(text);

	if (fd < 0)
		return -1;
	if ((n && write(fd, text, n) != (ssize_t)n) || (sync && fsync(fd) < 0))
		rc = -1;
	close(fd);
	return rc;
}

static int put_uidlist(int dir, uint32_t validity)
{
	uint64_t id[2];
	char text[100];

	random_bytes(id, sizeof(id));
	snprintf(text, sizeof(text), "3 V%" PRIu32 " N1 G%016" PRIx64 "%016" PRIx64 "\n", validity, id[0], id[1]);
	return put_file(dir, UIDLIST_NAME, text, true);
}

static int fill_stage(int fd, uint32_t validity)
{
	if (mkdirat(fd, "cur", 0700) < 0 || mkdirat(fd, "new", 0700) < 0 || mkdirat(fd, "tmp", 0700) < 0)
		return -1;
	if (put_file(fd, "maildirfolder", "", false) < 0)
		return -1;
	return validity && (put_uidlist(fd, validity) < 0 || sync_dir(fd) < 0) ? -1 : 0;
}

const char *folder_tree_stage(struct mail_store *s, struct arena *a, uint32_t validity, struct err *err)
{
	const char *stage = random_name(a, STAGE);
	int fd = -1;

	if (mkdirat(s->root.fd, stage, 0700) < 0 || (fd = openat(s->root.fd, stage, DIR_OPEN)) < 0 ||
	    fill_stage(fd, validity) < 0) {
		err_sys(err, "cannot make a folder");
		folder_tree_remove(s, stage);
		stage = NULL;
	}
	if (fd >= 0)
		close(fd);
	return stage;
}

/* rename(2) replaces a directory only when it is empty, and nobody misses that. */
int folder_tree_publish(struct mail_store *s, const char *stage, const char *dir, struct err *err)
{
	if (renameat(s->root.fd, stage, s->root.fd, dir) == 0)
		return 0;
	if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR)
		return err_set(err, ERR_PERM, "[ALREADYEXISTS] There is such a folder already");
	return err_sys(err, "cannot name the folder %s", dir);
}

int folder_tree_hide(struct mail_store *s, struct arena *a, const char *dir, const char **gone_r, struct err *err)
{
	*gone_r = random_name(a, GONE);
	if (renameat(s->root.fd, dir, s->root.fd, *gone_r) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "cannot remove folder %s", dir);
	return sync_dir(s->root.fd) < 0 ? err_sys(err, "cannot sync the Maildir") : 1;
}

static void count_file(int fd, const char *name, struct quota_use *use)
{
	struct stat st;
	uint64_t size;

	if (!quota_name_size(name, &size))
		size = fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_size : 0;
	use->bytes += size;
	use->count++;
}

/* One turn over a directory; files are counted in use, unless NULL. */
static void remove_entries(int fd, unsigned depth, struct quota_use *use);

static void remove_dir(int at, const char *name, unsigned depth, struct quota_use *use)
{
	int fd = depth < DEPTH_MAX ? openat(at, name, DIR_OPEN) : -1;

	/* a writer that has the directory open may add to it meanwhile */
	for (int tries = 0; fd >= 0 && tries < 4; tries++) {
		remove_entries(fd, depth, use);
		if (unlinkat(at, name, AT_REMOVEDIR) == 0 || (errno != ENOTEMPTY && errno != EEXIST))
			break;
	}
	if (fd >= 0)
		close(fd);
}

static void remove_entries(int fd, unsigned depth, struct quota_use *use)
{
	int copy = openat(fd, ".", DIR_OPEN);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;

	if (!dir) {
		if (copy >= 0)
			close(copy);
		return;
	}
	while ((e = readdir(dir)) != NULL) {
		struct quota_use one = { 0 };

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (e->d_type == DT_DIR) {
			remove_dir(fd, e->d_name, depth + 1, NULL);
			continue;
		}
		if (use)
			count_file(fd, e->d_name, &one);
		if (unlinkat(fd, e->d_name, 0) == 0) {
			if (use) {
				use->bytes += one.bytes;
				use->count += one.count;
			}
		} else if (errno == EISDIR || errno == EPERM) {
			remove_dir(fd, e->d_name, depth + 1, NULL);
		}
	}
	closedir(dir);
}

void folder_tree_remove(struct mail_store *s, const char *name)
{
	bool was_seen = span_starts(span_z(name), GONE);
	struct quota_use use = { 0 };
	int fd;

	/* a link to another folder, which stays */
	if (unlinkat(s->root.fd, name, 0) == 0)
		return;
	fd = openat(s->root.fd, name, DIR_OPEN);
	if (fd >= 0) {
		remove_dir(fd, "tmp", 1, NULL);
		remove_dir(fd, "new", 1, was_seen ? &use : NULL);
		remove_dir(fd, "cur", 1, was_seen ? &use : NULL);
		close(fd);
	}
	remove_dir(s->root.fd, name, 0, NULL);
	if (use.count)
		quota_add(&s->root, &s->quota, -(int64_t)use.bytes, -(int64_t)use.count);
}

static bool is_left(struct mail_store *s, const char *name)
{
	struct stat st;

	if (span_starts(span_z(name), GONE))
		return true;
	return span_starts(span_z(name), STAGE) && fstatat(s->root.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_mtime + STAGE_AGE_S < (time_t)(clock_wall_ms() / 1000);
}

void folder_tree_sweep(struct mail_store *s)
{
	int fd = openat(s->root.fd, ".", DIR_OPEN);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(dir)) != NULL)
		if (is_left(s, e->d_name))
			folder_tree_remove(s, e->d_name);
	closedir(dir);
}
