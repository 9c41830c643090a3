#include "conf/map_types.h"

int map_file_changed(struct map_file *f, const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(err, "cannot open table %s", path);
	if (st.st_dev == f->dev && st.st_ino == f->ino && st.st_size == f->size &&
	    st.st_mtim.tv_sec == f->mtime.tv_sec &&
	    st.st_mtim.tv_nsec == f->mtime.tv_nsec)
		return 0;
	*f = (struct map_file){ .dev = st.st_dev, .ino = st.st_ino, .size = st.st_size, .mtime = st.st_mtim };
	return 1;
}

enum map_rc map_answer(const char *found, struct str *value, struct err *err)
{
	if (!found)
		return MAP_NONE;
	if (str_addz(value, found) == 0)
		return MAP_FOUND;
	err_set(err, ERR_TEMP, "the value is too long");
	return MAP_TEMP;
}
