#include "imapd/fetch.h"

#include "imapd/print.h"
#include "imapd/session.h"
#include "proto/date.h"

#define SMALL_MAX 128           /* bytes of an item that is a word and numbers */

int fetch_line_give(struct fetch *f, struct span bytes)
{
	f->n_given += bytes.n > 0;
	if (!f->is_over && session_put(f->s, bytes) < 0)
		f->is_over = true;
	return f->is_over ? -1 : 0;
}

int fetch_line_flush(struct fetch *f)
{
	int rc = fetch_line_give(f, str_span(&f->out));

	str_reset(&f->out);
	return rc;
}

int fetch_line_abort(struct fetch *f, const char *reason)
{
	f->is_over = true;
	return session_end(f->s, reason);
}

static char *put(char *to, const char *z, size_t n)
{
	memcpy(to, z, n);
	return to + n;
}

#define PUT(to, lit) put((to), lit, sizeof(lit) - 1)

/* The name of an item, without the space in front when it is the first of its line. */
static char *put_name(struct fetch *f, char *to, const char *name, size_t n)
{
	size_t skip = f->is_first;

	f->is_first = false;
	return put(to, name + skip, n - skip);
}

#define NAME(f, to, lit) put_name((f), (to), lit, sizeof(lit) - 1)

static int add_item(struct fetch *f, const char *name, size_t n, struct span value)
{
	char *start = str_room(&f->out, n + value.n), *to;

	if (!start)
		return -1;
	to = put_name(f, start, name, n);
	if (value.n)
		to = put(to, value.p, value.n);
	str_grew(&f->out, (size_t)(to - start));
	return 0;
}

#define ADD(f, lit, value) add_item((f), lit, sizeof(lit) - 1, (value))

static int add_number(struct fetch *f, enum imap_fetch_kind kind, uint64_t n)
{
	char *start = str_room(&f->out, SMALL_MAX), *to = start;

	if (!start)
		return -1;
	if (kind == IMAP_FETCH_MODSEQ) {
		to = print_u64(NAME(f, to, " MODSEQ ("), n);
		*to++ = ')';
	} else if (kind == IMAP_FETCH_INTERNALDATE)
		to = print_internaldate(NAME(f, to, " INTERNALDATE "), (int64_t)n, date_local_offset_min((int64_t)n));
	else
		to = print_u64(NAME(f, to, " RFC822.SIZE "), n);
	str_grew(&f->out, (size_t)(to - start));
	return 0;
}

static int add_flags(struct fetch *f, const struct mailbox_msg *v)
{
	return ADD(f, " FLAGS ", fetch_flags_text(&f->flags, v->flags, v->is_recent && !(f->s->enabled & ENABLED_REV2)));
}

static int write_item(struct fetch *f, size_t n, const struct mailbox_msg *v, const struct index_msg *m,
		      const struct mail_body *body, const struct fetch_file *file, struct err *err)
{
	enum imap_fetch_kind kind = f->req->items[n].kind;

	switch (kind) {
	case IMAP_FETCH_UID:
		return 0;
	case IMAP_FETCH_FLAGS:
		return add_flags(f, v);
	case IMAP_FETCH_MODSEQ:
		return f->shows_modseq ? 0 : add_number(f, kind, v->modseq);
	case IMAP_FETCH_INTERNALDATE:
		return add_number(f, kind, (uint64_t)m->internal_s);
	case IMAP_FETCH_SIZE:
		return add_number(f, kind, m->vsize);
	case IMAP_FETCH_ENVELOPE:
		return ADD(f, " ENVELOPE ", body->envelope);
	case IMAP_FETCH_STRUCTURE:
		return ADD(f, " BODY ", body->body);
	case IMAP_FETCH_BODYSTRUCTURE:
		return ADD(f, " BODYSTRUCTURE ", body->structure);
	default:
		return fetch_body_write(f, file, n, err);
	}
}

/* Takes back what was gathered of a line that cannot be finished; when a part of it has left already the session
 * ends. */
static int give_up(struct fetch *f, size_t start, uint64_t n_given, const struct err *err)
{
	if (f->is_over)
		return -1;
	if (f->n_given != n_given) {
		session_log_error(f->s, err);
		return fetch_line_abort(f, "an answer could not be finished");
	}
	str_cut(&f->out, start);
	return -1;
}

int fetch_line_write(struct fetch *f, size_t i, const struct index_msg *m, const struct mail_body *body,
		     const struct fetch_file *file, bool adds_flags, struct err *err)
{
	const struct mailbox_msg *v = &f->box->v[i];
	size_t start = f->out.n, n;
	uint64_t n_given = f->n_given;
	char *begin = str_room(&f->out, SMALL_MAX), *to;
	int rc = 0;

	err->kind = ERR_NONE;
	if (!begin)
		return fetch_line_abort(f, "an answer grew too long");
	to = PUT(print_u64(PUT(begin, "* "), i + 1), " FETCH (");
	f->is_first = true;
	if (f->shows_uid)
		to = print_u64(NAME(f, to, " UID "), v->uid);
	str_grew(&f->out, (size_t)(to - begin));
	if (f->shows_modseq || (adds_flags && f->s->enabled & ENABLED_CONDSTORE))
		rc = add_number(f, IMAP_FETCH_MODSEQ, v->modseq);
	if (rc == 0 && adds_flags && !(f->req->kinds & 1u << IMAP_FETCH_FLAGS))
		rc = add_flags(f, v);
	for (n = 0; n < f->req->n && rc == 0; n++)
		rc = write_item(f, n, v, m, body, file, err);
	if (rc == 0 && f->is_first)
		rc = add_item(f, " UID ", 5, SPAN_NULL) < 0 ? -1 : str_add_u64(&f->out, v->uid);
	if (rc == 0)
		rc = str_addz(&f->out, ")\r\n");
	if (rc < 0 && err->kind == ERR_NONE && !f->is_over)
		return fetch_line_abort(f, "an answer grew too long");
	if (rc < 0)
		return give_up(f, start, n_given, err);
	return f->out.n >= FETCH_BUFFER ? fetch_line_flush(f) : 0;
}
