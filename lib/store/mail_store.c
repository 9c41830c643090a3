#include "store/mail_store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/span.h"
#include "store/mail_location.h"

#define DIR_OPEN (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

/* The directory INDEX= names, made if need be; -1 with errno. */
static int open_made(struct arena *a, const char *path)
{
	char *p = arena_strdup(a, path), *at;
	int fd = open(path, DIR_OPEN);

	if (fd >= 0 || errno != ENOENT || path[0] != '/')
		return fd;
	for (at = strchr(p + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		(void)!mkdir(p, 0700);
		*at = '/';
	}
	(void)!mkdir(p, 0700);
	return open(path, DIR_OPEN);
}

static int open_index(struct mail_store *s, const struct mail_store_options *opt, struct err *err)
{
	struct index_options o = { .instance = opt->instance, .is_suspect = opt->is_suspect };

	o.is_memory = strcmp(opt->index, "MEMORY") == 0;
	if (opt->index[0] && !o.is_memory)
		s->index_dir = open_made(&s->arena, opt->index);
	else
		s->index_dir = fcntl(s->root.fd, F_DUPFD_CLOEXEC, 3);
	if (s->index_dir < 0)
		o.is_memory = true;
	o.dir = s->index_dir;
	return index_open(&s->index, &o, err);
}

static char *safe_host(struct arena *a, const char *host)
{
	char *z = arena_strndup(a, host, strnlen(host, 100));

	for (char *p = z; *p; p++)
		if (*p == '/' || *p == ':' || *p == ',' || (unsigned char)*p <= ' ')
			*p = '_';
	return z;
}

int mail_store_open(struct mail_store *s, const struct mail_store_options *opt, struct err *err)
{
	*s = (struct mail_store){ .root = MAILDIR_INIT, .index_dir = -1, .quota = opt->quota };
	s->host = safe_host(&s->arena, opt->host);
	if (mail_location_open(&s->root, opt->home, opt->mail, err) == 0 && open_index(s, opt, err) == 0)
		return 0;
	mail_store_close(s);
	return -1;
}

void mail_store_close(struct mail_store *s)
{
	if (s->index)
		index_close(&s->index);
	if (s->index_dir >= 0)
		close(s->index_dir);
	s->index_dir = -1;
	maildir_close(&s->root);
	arena_fini(&s->arena);
}

struct index *mail_store_index(struct mail_store *s)
{
	return s->index;
}

bool mail_store_mend(struct mail_store *s, unsigned *turn)
{
	struct err err = ERR_INIT;

	if (!s->is_index_broken || ++*turn > 2)
		return false;
	s->is_index_broken = false;
	return index_renew(s->index, &err) == 0;
}

static int dup_all(struct maildir *to, const struct maildir *from, struct err *err)
{
	*to = (struct maildir){ fcntl(from->fd, F_DUPFD_CLOEXEC, 3), fcntl(from->tmp, F_DUPFD_CLOEXEC, 3),
				fcntl(from->new, F_DUPFD_CLOEXEC, 3), fcntl(from->cur, F_DUPFD_CLOEXEC, 3), from->dev };
	if (to->fd >= 0 && to->tmp >= 0 && to->new >= 0 && to->cur >= 0)
		return 1;
	err_sys(err, "cannot open the mailbox again");
	maildir_close(to);
	return -1;
}

int mail_store_dir(struct mail_store *s, const char *folder, struct maildir *md_r, struct err *err)
{
	if (folder[0] == '\0')
		return dup_all(md_r, &s->root, err);
	*md_r = (struct maildir)MAILDIR_INIT;
	if (folder[0] != '.' || folder[1] == '\0' || strcmp(folder, "..") == 0 || strchr(folder, '/'))
		return 0;
	return maildir_open_at(md_r, s->root.fd, folder, err);
}

void mail_store_name(struct mail_store *s, char buf[256], uint64_t size, uint64_t vsize)
{
	uint64_t now = clock_wall_ms();
	int n;

	if (now != s->last_ms)
		s->n_names = 0;
	s->last_ms = now;
	n = snprintf(buf, 200, "%" PRIu64 ".M%03uP%dQ%u.%s", now / 1000, (unsigned)(now % 1000), (int)getpid(), s->n_names++,
		     s->host);
	if (size != UINT64_MAX)
		n += snprintf(buf + n, 256 - (size_t)n, ",S=%" PRIu64, size);
	if (vsize != UINT64_MAX)
		snprintf(buf + n, 256 - (size_t)n, ",W=%" PRIu64, vsize);
}
