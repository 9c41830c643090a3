/*
 * As Dovecot keeps it: the last value is the suffix of the empty file dovecot-uidvalidity.XXXXXXXX, which is renamed
 * to count, so that of two who count at once one sees that it was not first. dovecot-uidvalidity holds the same
 * digits to save a look through the directory.
 */
#include "store/uidvalidity.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/textfile.h"

#define NAME "dovecot-uidvalidity"
#define TRIES 100

/* Eight hexadecimal digits, not 0. */
static bool parse_hex(const char *z, uint32_t *v_r)
{
	if (strlen(z) != 8 || strspn(z, "0123456789abcdef") != 8)
		return false;
	*v_r = (uint32_t)strtoul(z, NULL, 16);
	return *v_r != 0;
}

static uint32_t from_text(struct mail_store *s)
{
	struct str text = STR_INIT(64);
	struct err err = ERR_INIT;
	uint32_t v = 0;

	if (textfile_read(s->root.fd, NAME, &text, &err) == 1 && !parse_hex(text.p, &v))
		v = 0;
	str_fini(&text);
	return v;
}

/* The highest of the directory, 0: none. */
static int from_dir(struct mail_store *s, uint32_t *v_r, struct err *err)
{
	int fd = openat(s->root.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	uint32_t v;

	if (!dir) {
		err_sys(err, "cannot list the folders");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*v_r = 0;
	while ((e = readdir(dir)) != NULL)
		if (span_starts(span_z(e->d_name), NAME ".") && parse_hex(e->d_name + sizeof(NAME), &v) && v > *v_r)
			*v_r = v;
	closedir(dir);
	return 0;
}

/* 1 counted, 0 somebody else did, -1. */
static int count(struct mail_store *s, uint32_t old, uint32_t next, struct err *err)
{
	char from[40], to[40];
	int fd;

	snprintf(from, sizeof(from), NAME ".%08" PRIx32, old);
	snprintf(to, sizeof(to), NAME ".%08" PRIx32, next);
	if (old) {
		if (renameat(s->root.fd, from, s->root.fd, to) == 0)
			return 1;
		return errno == ENOENT ? 0 : err_sys(err, "cannot count " NAME);
	}
	fd = openat(s->root.fd, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
	if (fd < 0)
		return errno == EEXIST ? 0 : err_sys(err, "cannot make " NAME);
	close(fd);
	return 1;
}

/* A hint only: nobody needs it whole. */
static void keep_text(struct mail_store *s, uint32_t v)
{
	struct err err = ERR_INIT;
	char text[16];
	int fd = openat(s->root.fd, NAME, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	snprintf(text, sizeof(text), "%08" PRIx32, v);
	if (write(fd, text, 8) != 8)
		err_sys(&err, "cannot write " NAME);
	close(fd);
}

int uidvalidity_next(struct mail_store *s, uint32_t *v_r, struct err *err)
{
	uint32_t now = (uint32_t)(clock_wall_ms() / 1000), old = from_text(s);

	for (int i = 0; i < TRIES; i++) {
		uint32_t next;
		int rc;

		/* the text may be old, or its file from a copy: then the directory tells */
		if ((i > 0 || old == 0) && from_dir(s, &old, err) < 0)
			return -1;
		next = old >= now && old < UINT32_MAX ? old + 1 : now;
		rc = count(s, old, next, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		keep_text(s, next);
		*v_r = next;
		return 0;
	}
	return err_set(err, ERR_TEMP, NAME " changes all the time");
}
