/* entry  "SuR1", length of the rest, checksum of the rest, then name, sent, size, vsize, keys, body */
#include "store/mail_record_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/index.h"

#define MAGIC "SuR1"
#define HEAD 12
#define PATH INDEX_DIR "/" INDEX_INBOX

static uint32_t checksum(struct span s)
{
	uint32_t h = 2166136261u;
	size_t i;

	for (i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 16777619u;
	return h;
}

static int add_blob(struct str *out, struct str *blob, int rc)
{
	return rc < 0 ? -1 : mail_record_put_span(out, str_span(blob));
}

int mail_inbox_encode(struct str *out, struct span base_name, const struct mail_record *r)
{
	struct str blob = STR_INIT(out->max);
	size_t start = out->n;
	struct span rest;
	uint32_t head[2];
	int rc = str_add(out, MAGIC "\0\0\0\0\0\0\0\0", HEAD);

	if (rc == 0)
		rc = mail_record_put_span(out, base_name);
	if (rc == 0)
		rc = str_add(out, &r->sent_s, sizeof(r->sent_s));
	if (rc == 0)
		rc = mail_record_put(out, r->size);
	if (rc == 0)
		rc = mail_record_put(out, r->vsize);
	if (rc == 0)
		rc = add_blob(out, &blob, mail_keys_encode(&blob, &r->keys));
	str_reset(&blob);
	if (rc == 0)
		rc = add_blob(out, &blob, mail_body_encode(&blob, &r->body));
	str_fini(&blob);
	if (rc < 0) {
		str_cut(out, start);
		return -1;
	}
	rest = span_from(str_span(out), start + HEAD);
	head[0] = (uint32_t)rest.n;
	head[1] = checksum(rest);
	memcpy(out->p + start + 4, head, sizeof(head));
	return 0;
}

static int take_entry(struct span in, struct span *name_r, struct mail_record *r, struct span *keys_r, struct span *body_r)
{
	memset(r, 0, sizeof(*r));
	if (mail_record_take_span(&in, name_r) < 0 || in.n < sizeof(r->sent_s))
		return -1;
	memcpy(&r->sent_s, in.p, sizeof(r->sent_s));
	in = span_from(in, sizeof(r->sent_s));
	if (mail_record_take(&in, &r->size) < 0 || mail_record_take(&in, &r->vsize) < 0 ||
	    mail_record_take_span(&in, keys_r) < 0 || mail_record_take_span(&in, body_r) < 0)
		return -1;
	return mail_keys_decode(&r->keys, *keys_r) < 0 ? -1 : mail_body_decode(&r->body, *body_r);
}

bool mail_inbox_next(struct span *rest, struct span *base_name_r, struct mail_record *r_r, struct span *keys_blob_r,
		     struct span *body_blob_r)
{
	uint32_t head[2];
	const char *p;

	while (rest->n >= HEAD && (p = memmem(rest->p, rest->n, MAGIC, 4))) {
		struct span in = span_from(*rest, (size_t)(p - rest->p)), entry;

		*rest = span_from(in, 4);
		if (in.n < HEAD)
			break;
		memcpy(head, in.p + 4, sizeof(head));
		if (head[0] > in.n - HEAD)
			continue;
		entry = span_sub(in, HEAD, head[0]);
		if (checksum(entry) != head[1])
			continue;
		*rest = span_from(in, HEAD + entry.n);
		if (take_entry(entry, base_name_r, r_r, keys_blob_r, body_blob_r) == 0)
			return true;
	}
	*rest = SPAN_NULL;
	return false;
}

void mail_inbox_append(int dir, struct span entries)
{
	int fd = openat(dir, PATH, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size + entries.n <= MAIL_INBOX_MAX)
		(void)!write(fd, entries.p, entries.n);
	close(fd);
}

/* The lock is on the file: who gets it and finds it still in its place is the one. */
int mail_inbox_take(int dir, struct arena *a, struct span *bytes_r)
{
	int fd = openat(dir, PATH, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	size_t n = 0;
	struct stat st;
	ssize_t got;
	char *buf;

	if (fd < 0)
		return 0;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0 || st.st_nlink == 0 || !S_ISREG(st.st_mode) ||
	    unlinkat(dir, PATH, 0) < 0 || fstat(fd, &st) < 0 || st.st_size > 2 * (off_t)MAIL_INBOX_MAX) {
		close(fd);
		return 0;
	}
	buf = arena_alloc(a, (size_t)st.st_size + 1);
	while (n < (size_t)st.st_size && (got = pread(fd, buf + n, (size_t)st.st_size - n, (off_t)n)) > 0)
		n += (size_t)got;
	close(fd);
	*bytes_r = (struct span){ buf, n };
	return n > 0;
}
