#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "io/sync_dir.h"
#include "store/queue_priv.h"

int queue_large_create(struct queue *q, uint64_t id, int *fd_r, struct err *err)
{
	char name[QUEUE_ID_LEN + 1];

	queue_id_print(name, id);
	*fd_r = openat(q->large_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (*fd_r >= 0)
		return 0;
	if (errno == ENOSPC || errno == EDQUOT)
		return err_dsn(err, ERR_TEMP, "4.3.1", "the queue's file system is full");
	return err_sys(err, "create large/%s", name);
}

int queue_large_sync(struct queue *q, uint64_t id, int fd, uint64_t size, struct err *err)
{
	char name[QUEUE_ID_LEN + 1];
	struct stat st;

	queue_id_print(name, id);
	if (fstat(fd, &st) < 0)
		return err_sys(err, "stat large/%s", name);
	if ((uint64_t)st.st_size != size)
		return err_dsn(err, ERR_TEMP, "4.3.0", "large/%s has %lld bytes, %llu were announced", name,
			       (long long)st.st_size, (unsigned long long)size);
	if (fsync(fd) < 0 || sync_dir(q->large_fd) < 0) {
		int sys = errno;

		if (sys == ENOSPC || sys == EDQUOT)
			return err_dsn(err, ERR_TEMP, "4.3.1", "the queue's file system is full");
		return err_dsn(err, ERR_TEMP, "4.3.0", "sync large/%s: %s", name, strerrordesc_np(sys));
	}
	return 0;
}

int queue_large_open(struct queue *q, uint64_t id, int *fd_r, struct err *err)
{
	char name[QUEUE_ID_LEN + 1];

	queue_id_print(name, id);
	*fd_r = openat(q->large_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return *fd_r < 0 ? err_sys(err, "open large/%s", name) : 0;
}

void queue_large_unlink(struct queue *q, uint64_t id)
{
	char name[QUEUE_ID_LEN + 1];

	queue_id_print(name, id);
	unlinkat(q->large_fd, name, 0);         /* what stays behind is removed at the next start */
}
