#include "imapd/fetch.h"

#include "imapd/session.h"
#include "proto/transfer.h"

/* A section on its way to the client, or only counted. */
struct out {
	struct fetch *f;                /* NULL: count */
	struct transfer *transfer;      /* NULL: as it is */
	struct str decoded;
	uint64_t skip, left;            /* of the decoding: what is not sent, and what is */
	uint64_t n;
	bool has_nul;
};

#define DECODED_MAX (1u << 20)

static bool pass(struct out *o, struct span s)
{
	o->n += s.n;
	if (!o->f) {
		o->has_nul = o->has_nul || span_has_nul(s);
		return true;
	}
	if (o->skip >= s.n) {
		o->skip -= s.n;
		return true;
	}
	s = span_sub(s, (size_t)o->skip, o->left < SIZE_MAX ? (size_t)o->left : SIZE_MAX);
	o->skip = 0;
	o->left -= s.n;
	if (o->f->out.n + s.n <= FETCH_BUFFER)
		return str_add_span(&o->f->out, s) == 0;
	return fetch_line_flush(o->f) == 0 && fetch_line_give(o->f, s) == 0;
}

static bool sink(void *arg, struct span bytes)
{
	struct out *o = arg;

	if (!o->transfer)
		return pass(o, bytes);
	str_reset(&o->decoded);
	return transfer_feed(o->transfer, bytes, &o->decoded) == 0 && pass(o, str_span(&o->decoded));
}

/* The whole range through the decoder. */
static int decode(struct out *o, const struct fetch_range *r, enum transfer_kind kind, struct err *err)
{
	struct transfer t;
	struct fetch_sink to = { sink, o };
	int rc;

	transfer_init(&t, kind);
	o->transfer = kind == TRANSFER_IDENTITY ? NULL : &t;
	str_init(&o->decoded, DECODED_MAX);
	rc = fetch_range_send(r, 0, r->crlf_octets, true, &to, err);
	if (rc == 0 && o->transfer) {
		str_reset(&o->decoded);
		if (transfer_end(&t, &o->decoded) < 0 || !pass(o, str_span(&o->decoded)))
			rc = -1;
	}
	str_fini(&o->decoded);
	return rc;
}

static int add_name(struct fetch *f, size_t n)
{
	if ((!f->is_first && str_addc(&f->out, ' ') < 0) || str_add_span(&f->out, f->names[n]) < 0 ||
	    str_addc(&f->out, ' ') < 0)
		return fetch_line_abort(f, "an answer grew too long");
	f->is_first = false;
	return 0;
}

/* {n}, ~{n}, or "" when nothing is to come. */
static int add_literal(struct fetch *f, const struct imap_fetch_item *it, uint64_t n, bool is_binary)
{
	bool is_header = it->text != IMAP_FETCH_ALL && it->text != IMAP_FETCH_TEXT;

	*(is_header ? &f->s->counts.n_headers : &f->s->counts.n_bodies) += 1;
	*(is_header ? &f->s->counts.header_bytes : &f->s->counts.body_bytes) += n;
	if (n == 0 ? str_addz(&f->out, "\"\"") < 0
		   : str_addz(&f->out, is_binary ? "~{" : "{") < 0 || str_add_u64(&f->out, n) < 0 ||
		     str_addz(&f->out, "}\r\n") < 0)
		return fetch_line_abort(f, "an answer grew too long");
	return 0;
}

/* What of size bytes is asked for. */
static void cut(const struct imap_fetch_item *it, uint64_t size, uint64_t *skip_r, uint64_t *n_r)
{
	*skip_r = 0;
	*n_r = size;
	if (!it->is_partial)
		return;
	*skip_r = it->offset < size ? it->offset : size;
	*n_r = size - *skip_r < it->length ? size - *skip_r : it->length;
}

/* An announced literal must come whole: what goes wrong now ends the session. */
static int sent(struct fetch *f, int rc, struct err *err)
{
	if (rc == 0)
		return 0;
	if (!f->is_over)
		session_log_error(f->s, err);
	return fetch_line_abort(f, "a message could not be read to its end");
}

static int write_range(struct fetch *f, const struct imap_fetch_item *it, const struct fetch_range *r, struct err *err)
{
	struct out o = { .f = f };
	struct fetch_sink to = { sink, &o };
	uint64_t skip;

	cut(it, r->crlf_octets, &skip, &o.left);
	if (add_literal(f, it, o.left, false) < 0)
		return -1;
	return sent(f, fetch_range_send(r, skip, o.left, false, &to, err), err);
}

static int write_binary(struct fetch *f, size_t n, const struct fetch_piece *p, struct err *err)
{
	const struct imap_fetch_item *it = &f->req->items[n];
	enum transfer_kind kind = transfer_kind(p->encoding);
	struct out count = { 0 }, o = { .f = f };

	if (kind == TRANSFER_UNKNOWN) {
		f->has_unknown_cte = true;      /* the item is left out */
		return 0;
	}
	if (decode(&count, &p->range, kind, err) < 0 || add_name(f, n) < 0)
		return -1;
	if (it->kind == IMAP_FETCH_BINARY_SIZE)
		return str_add_u64(&f->out, count.n);
	cut(it, count.n, &o.skip, &o.left);
	if (add_literal(f, it, o.left, count.has_nul) < 0)
		return -1;
	return o.left ? sent(f, decode(&o, &p->range, kind, err), err) : 0;
}

static int write_text(struct fetch *f, const struct imap_fetch_item *it, struct span text)
{
	uint64_t skip, n;

	cut(it, text.n, &skip, &n);
	if (add_literal(f, it, n, false) < 0)
		return -1;
	return str_add_span(&f->out, span_sub(text, (size_t)skip, (size_t)n)) < 0
		       ? fetch_line_abort(f, "an answer grew too long") : 0;
}

int fetch_body_write(struct fetch *f, const struct fetch_file *file, size_t n, struct err *err)
{
	const struct imap_fetch_item *it = &f->req->items[n];
	struct str text = STR_INIT(FETCH_BUFFER * 32u);
	struct fetch_piece p;
	int rc = fetch_section_find(file, it, &text, &p, err);

	if (rc < 0)
		;
	else if (p.kind == FETCH_PIECE_RANGE && (it->kind == IMAP_FETCH_BINARY || it->kind == IMAP_FETCH_BINARY_SIZE))
		rc = write_binary(f, n, &p, err);
	else if (add_name(f, n) < 0)
		rc = -1;
	else if (p.kind == FETCH_PIECE_NIL)
		rc = str_addz(&f->out, it->kind == IMAP_FETCH_BINARY_SIZE ? "0" : "\"\"");
	else if (p.kind == FETCH_PIECE_TEXT)
		rc = write_text(f, it, p.text);
	else
		rc = write_range(f, it, &p.range, err);
	str_fini(&text);
	return rc;
}
