#include "local/note.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "store/index.h"

#define CHUNK 32768

bool note_is_wanted(const struct maildir *md)
{
	return faccessat(md->fd, INDEX_DIR, W_OK, AT_EACCESS) == 0;
}

static int feed_file(struct mail_record_maker *maker, const struct maildir_msg *m, struct err *err)
{
	uint64_t done = 0;
	char buf[CHUNK];

	while (done < m->size) {
		size_t want = m->size - done < CHUNK ? (size_t)(m->size - done) : CHUNK;
		ssize_t n = pread(m->fd, buf, want, m->off + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		if (mail_record_feed(maker, (struct span){ buf, (size_t)n }, err) < 0)
			return -1;
		done += (uint64_t)n;
	}
	return 0;
}

/* A charset whose converter this process may not load: the reader, who may, makes the record. */
static bool has_undecoded(const struct mail_keys *k)
{
	const struct span *v[] = { &k->subject, &k->from, &k->to, &k->cc, &k->bcc };

	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		if (v[i]->n && memmem(v[i]->p, v[i]->n, "=?", 2))
			return true;
	return false;
}

bool note_make(struct arena *a, const struct maildir_msg *m, struct mail_record *r_r)
{
	struct mail_record_maker *maker;
	struct err err = ERR_INIT;

	if (m->head.n + (m->fd >= 0 ? m->size : m->body.n) > NOTE_LETTER_MAX)
		return false;
	maker = mail_record_begin(a);
	if (mail_record_feed(maker, m->head, &err) < 0)
		return false;
	if ((m->fd >= 0 ? feed_file(maker, m, &err) : mail_record_feed(maker, m->body, &err)) < 0)
		return false;
	return mail_record_end(maker, r_r, &err) == 0 && !has_undecoded(&r_r->keys);
}

void note_add(struct str *out, struct span name, const struct mail_record *r)
{
	(void)!mail_inbox_encode(out, name, r);
}
