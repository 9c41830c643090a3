/* keys  version, flags, zone + 8192, lengths, then texts; the base subject's length is doubled, + 1 when it is the end of
 *       the subject and has no text of its own
 * body  version, lengths, then texts
 * parts for each: its length; section, kind, encoding, charset, offsets and sizes
 *
 * The lengths stand together: a sweep over many records reads no more of each than it wants. */
#include "store/mail_record_priv.h"

#define VERSION 2
#define ZONE_SHIFT 8192

enum { KEYS_IS_REPLY = 1, KEYS_IS_CUT = 2 };

int mail_record_put(struct str *out, uint64_t v)
{
	char buf[10];
	size_t n = 0;

	for (; v > 127; v >>= 7)
		buf[n++] = (char)(v | 128);
	buf[n++] = (char)v;
	return str_add(out, buf, n);
}

int mail_record_take_long(struct span *in, uint64_t *v_r)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < in->n && i < 10; i++) {
		unsigned char c = (unsigned char)in->p[i];

		v |= (uint64_t)(c & 127) << (7 * i);
		if (c < 128) {
			if (i == 9 && c > 1)
				return -1;
			*in = (struct span){ in->p + i + 1, in->n - i - 1 };
			*v_r = v;
			return 0;
		}
	}
	return -1;
}

int mail_record_put_span(struct str *out, struct span v)
{
	return mail_record_put(out, v.n) < 0 ? -1 : str_add_span(out, v);
}

/* ---- keys ---- */

/* What one command asks for stands together; the base subject is the last, since it may have no text. */
#define KEYS_SPANS(k) &(k)->subject, &(k)->message_id, &(k)->references, &(k)->from_key, &(k)->to_key, &(k)->cc_key, \
	&(k)->from_display, &(k)->to_display, &(k)->from, &(k)->to, &(k)->cc, &(k)->bcc, &(k)->base_subject

static bool is_tail(struct span of, struct span s)
{
	return s.n <= of.n && (s.n == 0 || memcmp(of.p + of.n - s.n, s.p, s.n) == 0);
}

static int put_texts(struct str *out, const struct span **v, size_t n)
{
	size_t i, sum = 0;

	for (i = 0; i < n; i++)
		sum += v[i]->n;
	if (!str_room(out, sum))
		return -1;
	for (i = 0; i < n; i++)
		(void)!str_add_span(out, *v[i]);
	return 0;
}

/* The texts behind the lengths that the spans have already; no byte may be left. */
static int take_texts(struct span in, struct span **v, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (v[i]->n > in.n)
			return -1;
		v[i]->p = in.p;
		in.p += v[i]->n;
		in.n -= v[i]->n;
	}
	return in.n == 0 ? 0 : -1;
}

int mail_keys_encode(struct str *out, const struct mail_keys *k)
{
	const struct span *v[] = { KEYS_SPANS(k) };
	const size_t last = ARRAY_LEN(v) - 1;
	bool has_tail = is_tail(k->subject, k->base_subject);
	size_t i;

	if (str_addc(out, VERSION) < 0 || str_addc(out, (char)(k->is_reply * KEYS_IS_REPLY | k->is_cut * KEYS_IS_CUT)) < 0 ||
	    mail_record_put(out, (uint64_t)(k->sent_zone_min + ZONE_SHIFT) & (2 * ZONE_SHIFT - 1)) < 0)
		return -1;
	for (i = 0; i < last; i++)
		if (mail_record_put(out, v[i]->n) < 0)
			return -1;
	if (mail_record_put(out, k->base_subject.n * 2 + has_tail) < 0)
		return -1;
	return put_texts(out, v, last + !has_tail);
}

int mail_keys_decode(struct mail_keys *k_r, struct span in)
{
	struct span *v[] = { KEYS_SPANS(k_r) };
	const size_t last = ARRAY_LEN(v) - 1;
	uint64_t n;
	size_t i;

	if (in.n < 2 || in.p[0] != VERSION)
		return -1;
	k_r->is_reply = in.p[1] & KEYS_IS_REPLY;
	k_r->is_cut = in.p[1] & KEYS_IS_CUT;
	in = span_from(in, 2);
	if (mail_record_take(&in, &n) < 0 || n >= 2 * ZONE_SHIFT)
		return -1;
	k_r->sent_zone_min = (int)n - ZONE_SHIFT;
	for (i = 0; i <= last; i++) {
		if (mail_record_take(&in, &n) < 0)
			return -1;
		v[i]->n = (size_t)(i < last ? n : n / 2);
	}
	if (!(n & 1))
		return take_texts(in, v, last + 1);
	if (take_texts(in, v, last) < 0 || k_r->base_subject.n > k_r->subject.n)
		return -1;
	k_r->base_subject.p = k_r->subject.p + k_r->subject.n - k_r->base_subject.n;
	return 0;
}

/* ---- body ---- */

#define BODY_SPANS(b) &(b)->envelope, &(b)->structure, &(b)->body, &(b)->parts

int mail_body_encode(struct str *out, const struct mail_body *b)
{
	const struct span *v[] = { BODY_SPANS(b) };
	size_t i;

	if (str_addc(out, VERSION) < 0)
		return -1;
	for (i = 0; i < ARRAY_LEN(v); i++)
		if (mail_record_put(out, v[i]->n) < 0)
			return -1;
	return put_texts(out, v, ARRAY_LEN(v));
}

int mail_body_decode(struct mail_body *b_r, struct span in)
{
	struct span *v[] = { BODY_SPANS(b_r) };
	uint64_t n;
	size_t i;

	if (in.n < 1 || in.p[0] != VERSION)
		return -1;
	in = span_from(in, 1);
	for (i = 0; i < ARRAY_LEN(v); i++) {
		if (mail_record_take(&in, &n) < 0)
			return -1;
		v[i]->n = (size_t)n;
	}
	return take_texts(in, v, ARRAY_LEN(v));
}

/* ---- parts ---- */

static int put_size(struct str *out, struct mime_size s)
{
	if (mail_record_put(out, s.octets) < 0 || mail_record_put(out, s.crlf_octets - s.octets) < 0)
		return -1;
	return mail_record_put(out, s.lines);
}

static int take_size(struct span *in, struct mime_size *s_r)
{
	uint64_t bare;

	if (mail_record_take(in, &s_r->octets) < 0 || mail_record_take(in, &bare) < 0 || mail_record_take(in, &s_r->lines) < 0)
		return -1;
	s_r->crlf_octets = s_r->octets + bare;
	return 0;
}

struct table {
	struct str *out;
	struct str section, row;
};

static int add_part(struct table *t, const struct mime_part *p)
{
	const struct mime_param *charset = p->kind == MIME_TEXT ? mime_param(p->params, "charset") : NULL;
	struct str *row = &t->row;

	str_reset(row);
	if (mail_record_put_span(row, str_span(&t->section)) < 0 || mail_record_put(row, p->kind) < 0 ||
	    mail_record_put_span(row, p->encoding) < 0 || mail_record_put_span(row, charset ? charset->value : SPAN_NULL) < 0 ||
	    mail_record_put(row, p->header_offset) < 0 || mail_record_put(row, p->body_offset) < 0 ||
	    put_size(row, p->header) < 0 || put_size(row, p->body) < 0 ||
	    (p->kind == MIME_MESSAGE && put_size(row, p->child->header) < 0))
		return -1;
	return mail_record_put_span(t->out, str_span(row));
}

static int add_parts(struct table *t, const struct mime_part *p, bool is_message);

/* One numbered part and all in it. */
static int add_number(struct table *t, const struct mime_part *p, unsigned number)
{
	size_t n = t->section.n;
	int rc = n ? str_addc(&t->section, '.') : 0;

	if (rc == 0)
		rc = str_add_u64(&t->section, number);
	if (rc == 0)
		rc = add_part(t, p);
	if (rc == 0 && p->kind == MIME_MULTIPART)
		rc = add_parts(t, p, false);
	if (rc == 0 && p->kind == MIME_MESSAGE)
		rc = add_parts(t, p->child, true);
	str_cut(&t->section, n);
	return rc;
}

/* What is numbered in p: the parts of a multipart, or a message's one body. Depth is bounded by mime_limits. */
static int add_parts(struct table *t, const struct mime_part *p, bool is_message)
{
	const struct mime_part *c;

	if (is_message && p->kind != MIME_MULTIPART)
		return add_number(t, p, 1);
	for (c = p->child; c; c = c->next)
		if (add_number(t, c, c->number) < 0)
			return -1;
	return 0;
}

int mail_record_parts(struct str *out, const struct mime_part *root)
{
	struct table t = { .out = out, .section = STR_INIT(4096), .row = STR_INIT(out->max) };
	int rc = add_part(&t, root);

	if (rc == 0)
		rc = add_parts(&t, root, true);
	str_fini(&t.section);
	str_fini(&t.row);
	return rc;
}

/* 1, 0 at the end, -1 damaged */
static int next_part(struct span *in, struct mail_part *p_r)
{
	struct span row;
	uint64_t kind;

	if (!in->n)
		return 0;
	memset(&p_r->inner, 0, sizeof(p_r->inner));
	if (mail_record_take_span(in, &row) < 0 || mail_record_take_span(&row, &p_r->section) < 0 ||
	    mail_record_take(&row, &kind) < 0 || kind > MIME_MESSAGE || mail_record_take_span(&row, &p_r->encoding) < 0 ||
	    mail_record_take_span(&row, &p_r->charset) < 0 || mail_record_take(&row, &p_r->header_offset) < 0 ||
	    mail_record_take(&row, &p_r->body_offset) < 0 || take_size(&row, &p_r->header) < 0 ||
	    take_size(&row, &p_r->body) < 0 || (kind == MIME_MESSAGE && take_size(&row, &p_r->inner) < 0))
		return -1;
	p_r->kind = (enum mime_kind)kind;
	return 1;
}

int mail_record_part(struct span parts, struct span section, struct mail_part *p_r)
{
	int rc;

	do
		rc = next_part(&parts, p_r);
	while (rc == 1 && !span_eq(p_r->section, section));
	return rc;
}

bool mail_record_next(struct span parts, size_t *pos, struct mail_part *p_r)
{
	struct span rest = span_from(parts, *pos);

	if (next_part(&rest, p_r) != 1)
		return false;
	*pos = parts.n - rest.n;
	return true;
}
