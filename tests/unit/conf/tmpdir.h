/* tmpdir.h: a directory of its own for one test, with files made from text */
#ifndef TESTS_CONF_TMPDIR_H
#define TESTS_CONF_TMPDIR_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct tmpdir {
	char path[32];
	char file[300];         /* the path made last */
};

static inline const char *tmpdir_path(struct tmpdir *t, const char *name)
{
	snprintf(t->file, sizeof(t->file), "%s/%s", t->path, name);
	return t->file;
}

static inline void tmpdir_make(struct tmpdir *t)
{
	snprintf(t->path, sizeof(t->path), "/tmp/surat-conf-XXXXXX");
	assert_non_null(mkdtemp(t->path));
}

static inline const char *tmpdir_write(struct tmpdir *t, const char *name, const char *text)
{
	FILE *f = fopen(tmpdir_path(t, name), "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	return t->file;
}

static inline void tmpdir_remove(struct tmpdir *t)
{
	DIR *d = opendir(t->path);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			unlink(tmpdir_path(t, e->d_name));
	if (d)
		closedir(d);
	assert_int_equal(rmdir(t->path), 0);
}

#endif
