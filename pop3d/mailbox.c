#include "pop3d/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/pop3.h"
#include "store/mail_location.h"
#include "store/quota.h"

#define LOCK_NAME "surat-pop3-session.lock"

/* ---- open ---- */

int mailbox_open(struct mailbox *b, const char *home, const char *mail, struct err *err)
{
	*b = (struct mailbox)MAILBOX_INIT;
	return mail_location_open(&b->md, home, mail, err);
}

int mailbox_lock(struct mailbox *b, struct err *err)
{
	b->lock = openat(b->md.fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (b->lock < 0)
		return err_sys(err, "cannot open " LOCK_NAME);
	if (flock(b->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return err_sys(err, "cannot lock " LOCK_NAME);
	return err_set(err, ERR_TEMP, "another session has the mailbox");
}

int mailbox_load(struct mailbox *b, struct err *err)
{
	size_t i;

	if (maildir_scan(&b->scan, &b->md, err) < 0 || uidlist_open(&b->uids, b->md.fd, 0, err) < 0)
		return -1;
	if (uidlist_missing(&b->uids, &b->scan) && maildir_scan(&b->scan, &b->md, err) < 0)
		return -1;
	maildir_scan_sort(&b->scan);
	if (uidlist_sync(&b->uids, &b->scan, err) < 0)
		return -1;
	maildir_scan_sort_uid(&b->scan);
	b->n = b->scan.n;
	b->v = arena_alloc(&b->arena, (b->n + 1) * sizeof(*b->v));
	for (i = 0; i < b->n; i++)
		b->v[i] = (struct message){ .e = b->scan.v[i], .size = UINT64_MAX };
	return 0;
}

void mailbox_close(struct mailbox *b)
{
	uidlist_close(&b->uids);
	maildir_scan_fini(&b->scan);
	maildir_close(&b->md);
	arena_fini(&b->arena);
	if (b->lock >= 0)
		close(b->lock);
	b->lock = -1;
	b->v = NULL;
	b->n = 0;
}

/* ---- one message ---- */

static int dir_of(const struct mailbox *b, const struct message *m)
{
	return m->e.is_new ? b->md.new : b->md.cur;
}

/* Its flags may have changed, or it has moved to cur/: 1 found again, 0 gone. */
static int find_again(struct mailbox *b, struct message *m, struct err *err)
{
	struct maildir_entry e;
	int rc = maildir_locate(&b->md, maildir_entry_base(&m->e), &b->arena, &e, err);

	if (rc > 0) {
		e.uid = m->e.uid;
		m->e = e;
	}
	if (rc == 0)
		m->is_gone = true;
	return rc;
}

int mailbox_read(struct mailbox *b, struct message *m, struct err *err)
{
	int turn, fd, rc = 1;
	struct stat st;

	for (turn = 0; turn < 3 && rc > 0 && !m->is_gone; turn++) {
		fd = openat(dir_of(b, m), m->e.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
			return fd;
		if (fd >= 0) {
			close(fd);
			return err_set(err, ERR_SYS, "%s is not a file", m->e.name);
		}
		if (errno != ENOENT)
			return err_sys(err, "cannot open %s", m->e.name);
		rc = find_again(b, m, err);
	}
	return rc < 0 ? -1 : err_set(err, ERR_PERM, "message is gone: another session has removed it");
}

static int count_octets(int fd, uint64_t *n_r, struct err *err)
{
	struct pop3_counter c = { 0 };
	char buf[32768];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		pop3_count(&c, (struct span){ buf, (size_t)n });
	*n_r = pop3_count_end(&c);
	return n < 0 ? err_sys(err, "cannot read a message") : 0;
}

static int measure(struct mailbox *b, struct message *m, struct err *err)
{
	int fd = mailbox_read(b, m, err), rc = 0;
	struct stat st;

	if (fd < 0) {
		m->size = m->is_gone ? 0 : UINT64_MAX;
		return m->is_gone ? 0 : -1;
	}
	if (b->has_fast_sizes && fstat(fd, &st) == 0)
		m->size = (uint64_t)st.st_size;
	else
		rc = count_octets(fd, &m->size, err);
	close(fd);
	if (rc == 0 && !b->has_fast_sizes)
		uidlist_set_vsize(&b->uids, maildir_entry_base(&m->e), m->size);
	return rc;
}

int mailbox_size(struct mailbox *b, struct message *m, uint64_t *n_r, struct err *err)
{
	const struct uidlist_rec *r;
	int rc = 0;

	if (m->size == UINT64_MAX && b->has_fast_sizes)
		(void)!maildir_size_tag(maildir_entry_base(&m->e), 'S', &m->size);
	if (m->size == UINT64_MAX && maildir_size_tag(maildir_entry_base(&m->e), 'W', &m->size) < 0) {
		r = uidlist_find(&b->uids, maildir_entry_base(&m->e));
		if (r && r->vsize != UINT64_MAX)
			m->size = r->vsize;
		else
			rc = measure(b, m, err);
	}
	*n_r = m->size;
	return rc;
}

/* The letters of a name's flags are in the order of the alphabet. */
void mailbox_set_seen(struct mailbox *b, struct message *m)
{
	struct span flags = maildir_flags(m->e.name), base = maildir_entry_base(&m->e);
	char *name = arena_alloc(&b->arena, base.n + flags.n + 6), *p = name;
	size_t i;
	bool has_s = false;

	if (!m->e.is_new && maildir_has_flag(m->e.name, 'S'))
		return;
	memcpy(p, base.p, base.n);
	p += base.n;
	memcpy(p, ":2,", 3);
	p += 3;
	for (i = 0; i < flags.n; i++) {
		if (flags.p[i] >= 'S' && !has_s) {
			*p++ = 'S';
			has_s = true;
		}
		if (flags.p[i] != 'S')
			*p++ = flags.p[i];
	}
	if (!has_s)
		*p++ = 'S';
	if (renameat(dir_of(b, m), m->e.name, b->md.cur, name) < 0)
		return;
	m->e.name = name;
	m->e.is_new = false;
}

/* ---- QUIT ---- */

static int remove_one(struct mailbox *b, struct message *m, struct err *err)
{
	int turn;

	for (turn = 0; turn < 3; turn++) {
		if (unlinkat(dir_of(b, m), m->e.name, 0) == 0)
			return 1;
		if (errno != ENOENT)
			return err_sys(err, "cannot remove %s", m->e.name);
		if (find_again(b, m, err) <= 0)
			return m->is_gone ? 0 : -1;
	}
	return 0;
}

int mailbox_expunge(struct mailbox *b, uint64_t quota, uint64_t *n_r, struct err *err)
{
	struct quota_limit lim = { quota, 0 };
	int64_t bytes = 0, count = 0;
	size_t i;
	int rc = 0;

	*n_r = 0;
	for (i = 0; i < b->n; i++) {
		uint64_t size = 0;
		int done;

		if (!b->v[i].is_deleted)
			continue;
		done = b->v[i].is_gone ? 0 : remove_one(b, &b->v[i], err);
		if (done < 0)
			rc = -1;
		else
			++*n_r;
		if (done > 0) {
			(void)quota_name_size(b->v[i].e.name, &size);
			bytes -= (int64_t)size;
			count--;
		}
	}
	if (count)
		quota_add(&b->md, &lim, bytes, count);
	return rc;
}
