#include "conf/replace.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/str.h"
#include "io/sync_dir.h"

static int sync_directory(const char *path)
{
	struct span dir = span_sub(span_z(path), 0, (size_t)(span_rchr(span_z(path), '/') + 1));
	struct str z = STR_INIT(4096);
	int fd = -1, rc = -1;

	if (str_add_span(&z, dir.n ? dir : SPAN_LIT(".")) == 0)
		fd = open(z.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		rc = sync_dir(fd);
		close(fd);
	}
	str_fini(&z);
	return rc;
}

int replace_commit(const char *temp, const char *path, struct err *err)
{
	if (rename(temp, path) < 0)
		return err_sys(err, "cannot rename %s to %s", temp, path);
	return sync_directory(path) < 0 ? err_sys(err, "cannot sync the directory of %s", path) : 0;
}
