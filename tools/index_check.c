#include "tools/index_check.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/maildir_name.h"
#include "store/maildir_scan.h"
#include "store/uidlist.h"

struct check {
	struct mailbox *b;
	index_check_fn *fn;
	void *arg;
	struct maildir_scan scan;
	struct uidlist list;
	struct index_txn t;
	struct index_folder f;
	struct index_folder counted;    /* its numbers as they should be */
	struct str keys, body;
};

PRINTF(2, 3) static void say(struct check *c, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->fn(c->arg, text);
}

static void check_record(struct check *c, const struct index_msg *m, int fd)
{
	struct arena a = { .chunk = 32768 };
	struct span keys, body;
	struct err err = ERR_INIT;
	struct mail_record r;

	str_reset(&c->keys);
	str_reset(&c->body);
	if (mail_record_read(&a, fd, &r, &err) < 0 || mail_keys_encode(&c->keys, &r.keys) < 0 ||
	    mail_body_encode(&c->body, &r.body) < 0)
		say(c, "UID %u: it cannot be read: %s", m->uid, err.msg);
	else if (index_part_get(&c->t, c->f.id, m->uid, INDEX_KEYS, &keys, &err) != 1 ||
		 index_part_get(&c->t, c->f.id, m->uid, INDEX_BODY, &body, &err) != 1)
		say(c, "UID %u: its record is lost", m->uid);
	else if (!span_eq(keys, str_span(&c->keys)) || !span_eq(body, str_span(&c->body)) || r.vsize != m->vsize)
		say(c, "UID %u: its record is of another message", m->uid);
	arena_fini(&a);
}

static void check_file(struct check *c, const struct index_msg *m, const struct maildir_entry *e)
{
	int fd = openat(e->is_new ? c->b->md.new : c->b->md.cur, e->name,
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		say(c, "UID %u: %s cannot be opened", m->uid, e->name);
	else if (m->size != UINT64_MAX && m->size != (uint64_t)st.st_size)
		say(c, "UID %u: the file has %lld bytes, not %llu", m->uid, (long long)st.st_size,
		    (unsigned long long)m->size);
	else if (m->state & INDEX_HAS_RECORD)
		check_record(c, m, fd);
	if (fd >= 0)
		close(fd);
}

static void count(struct index_folder *f, const struct index_msg *m)
{
	f->n++;
	if (!(m->flags & INDEX_SEEN)) {
		f->n_unseen++;
		f->first_unseen = f->first_unseen ? f->first_unseen : f->n;
	}
	f->n_deleted += (m->flags & INDEX_DELETED) != 0;
	f->n_unsized += m->vsize == UINT64_MAX;
	f->n_recordless += !(m->state & INDEX_HAS_RECORD);
	f->n_undated += m->internal_s == INDEX_NO_DATE;
	f->bytes += m->vsize == UINT64_MAX ? 0 : m->vsize;
}

static bool check_msg(void *arg, uint32_t uid, struct span name)
{
	struct check *c = arg;
	struct span base = maildir_name_base(name);
	struct maildir_entry *e = maildir_scan_find(&c->scan, base);
	const struct uidlist_rec *rec = uidlist_find(&c->list, base);
	struct err err = ERR_INIT;
	struct index_msg m;

	if (index_msg_get(&c->t, c->f.id, uid, &m, &err) != 1) {
		say(c, "UID %u has a name and nothing else", uid);
		return true;
	}
	count(&c->counted, &m);
	if (!e) {
		say(c, "UID %u: there is no file %.*s", uid, SPAN_ARG(base));
		return true;
	}
	if (e->uid)
		say(c, "UID %u and UID %u are the same file", e->uid, uid);
	e->uid = uid;
	if (!rec || rec->uid != uid)
		say(c, "UID %u: " UIDLIST_NAME " says %u", uid, rec ? rec->uid : 0);
	if (!span_eqz(name, e->name) || e->is_new != ((m.state & INDEX_IN_NEW) != 0))
		say(c, "UID %u: the file is %s/%s", uid, e->is_new ? "new" : "cur", e->name);
	else if (maildir_name_flags(name) != m.flags)
		say(c, "UID %u: the flags are not those of %s", uid, e->name);
	check_file(c, &m, e);
	return true;
}

static void check_number(struct check *c, const char *what, uint64_t has, uint64_t should)
{
	if (has != should)
		say(c, "%s is %llu, not %llu", what, (unsigned long long)should, (unsigned long long)has);
}

static int run(struct check *c, struct err *err)
{
	size_t i;

	if (index_folder_get(&c->t, span_z(c->b->folder), &c->f, err) != 1)
		return c->fn(c->arg, "the index does not know the folder"), 0;
	if (index_part_walk(&c->t, c->f.id, 0, INDEX_NAME, check_msg, c, err) < 0)
		return -1;
	for (i = 0; i < c->scan.n; i++)
		if (!c->scan.v[i].uid)
			say(c, "%s is not in the index", c->scan.v[i].name);
	check_number(c, "the number of messages", c->f.n, c->counted.n);
	check_number(c, "the number of unseen messages", c->f.n_unseen, c->counted.n_unseen);
	check_number(c, "the first unseen message", c->f.first_unseen, c->counted.first_unseen);
	check_number(c, "the number of deleted messages", c->f.n_deleted, c->counted.n_deleted);
	check_number(c, "the number of messages without size", c->f.n_unsized, c->counted.n_unsized);
	check_number(c, "the number of messages without record", c->f.n_recordless, c->counted.n_recordless);
	check_number(c, "the number of messages without date", c->f.n_undated, c->counted.n_undated);
	check_number(c, "the sum of sizes", c->f.bytes, c->counted.bytes);
	check_number(c, "UIDVALIDITY", c->f.validity, c->list.validity);
	return 0;
}

int index_check(struct mailbox *b, index_check_fn *fn, void *arg, struct err *err)
{
	struct check c = { .b = b, .fn = fn, .arg = arg, .keys = STR_INIT(64u << 20), .body = STR_INIT(64u << 20) };
	int rc = maildir_scan(&c.scan, &b->md, err);

	if (rc == 0 && uidlist_open(&c.list, b->md.fd, err) < 0)
		rc = -1;
	else if (rc == 0) {
		rc = index_begin(mail_store_index(b->store), false, &c.t, err);
		if (rc == 0) {
			rc = run(&c, err);
			index_end(&c.t);
		}
		uidlist_close(&c.list);
	}
	maildir_scan_fini(&c.scan);
	str_fini(&c.keys);
	str_fini(&c.body);
	return rc;
}
