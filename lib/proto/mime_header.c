#include "proto/mime_header.h"

#include "proto/rfc822.h"

static const struct {
	const char *name;
	unsigned char n;
	bool is_list;
} envelope_fields[MIME_ENVELOPE_FIELDS] = {
	[MIME_DATE] = { "Date", 4, false }, [MIME_SUBJECT] = { "Subject", 7, false }, [MIME_FROM] = { "From", 4, true },
	[MIME_SENDER] = { "Sender", 6, true }, [MIME_REPLY_TO] = { "Reply-To", 8, true }, [MIME_TO] = { "To", 2, true },
	[MIME_CC] = { "Cc", 2, true }, [MIME_BCC] = { "Bcc", 3, true },
	[MIME_IN_REPLY_TO] = { "In-Reply-To", 11, false },
	[MIME_MESSAGE_ID] = { "Message-ID", 10, false }, [MIME_REFERENCES] = { "References", 10, false },
};

static bool has_envelope(const struct mime_part *p)
{
	return !p->parent || p->parent->kind == MIME_MESSAGE;
}

static int envelope_index(struct span name)
{
	int i;

	for (i = 0; i < MIME_ENVELOPE_FIELDS; i++) {
		if (name.n == envelope_fields[i].n && strncasecmp(name.p, envelope_fields[i].name, name.n) == 0)
			return i;
	}
	return -1;
}

bool mime_header_is_wanted(const struct mime *m, struct span name)
{
	return span_starts_nocase(name, "Content-") || (has_envelope(m->cur) && envelope_index(name) >= 0);
}

/* A copy in the arena; p is NULL when the message has used up what may be kept. */
static struct span keep(struct mime *m, struct span s)
{
	if (s.n > m->lim.stored_max - m->stored)
		return SPAN_NULL;
	m->stored += s.n;
	return (struct span){ arena_strndup(m->arena, s.p, s.n), s.n };
}

/* A copy on one line: only line breaks go (RFC 5322 section 2.2.3). */
static struct span keep_unfolded(struct mime *m, struct span v)
{
	struct span s;
	char *to;
	size_t i, n = 0;

	if (!v.n || !memchr(v.p, '\n', v.n))
		return keep(m, v);
	if (v.n > m->lim.stored_max - m->stored)
		return SPAN_NULL;
	to = arena_alloc(m->arena, v.n + 1);
	for (i = 0; i < v.n; i++) {
		if (v.p[i] != '\n' && !(v.p[i] == '\r' && i + 1 < v.n && v.p[i + 1] == '\n'))
			to[n++] = v.p[i];
	}
	s = (struct span){ to, n };
	m->stored += n;
	return s;
}

/* One parameter before RFC 2231 section 3 is applied. */
struct raw {
	struct span name, value, key;
	unsigned index, order;
	bool is_encoded;
};

/* "key*", "key*0", "key*0*"; a plain name is not split. */
static bool split_name(struct raw *p)
{
	struct span tail;
	unsigned digits = 0;

	p->index = 0;
	if (!span_cut(p->name, '*', &p->key, &tail))
		return false;
	for (; tail.n && tail.p[0] >= '0' && tail.p[0] <= '9' && digits < 9; digits++, tail = span_from(tail, 1))
		p->index = p->index * 10 + (unsigned)(tail.p[0] - '0');
	p->is_encoded = span_eqz(tail, "*") || (tail.n == 0 && digits == 0);
	return p->is_encoded || (tail.n == 0 && digits > 0);
}

static int compare_raw(const void *va, const void *vb)
{
	const struct raw *a = va, *b = vb;
	size_t n = a->key.n < b->key.n ? a->key.n : b->key.n;
	int d = n ? strncasecmp(a->key.p, b->key.p, n) : 0;

	if (d == 0 && a->key.n != b->key.n)
		d = a->key.n < b->key.n ? -1 : 1;
	if (d == 0 && a->index != b->index)
		d = a->index < b->index ? -1 : 1;
	return d ? d : (a->order < b->order ? -1 : 1);
}

static void append(struct mime *m, struct mime_param ***end, struct span name, struct span value)
{
	struct mime_param *p;

	if (!name.p || !value.p)
		return;
	p = arena_new(m->arena, struct mime_param);
	p->name = name;
	p->value = value;
	**end = p;
	*end = &p->next;
}

/* A part of an encoded value that was not encoded itself must survive the decoding of the whole. */
static void add_escaped(struct str *out, struct span v)
{
	static const char plain[] = "!#$&+-.^_`{|}~";
	size_t i;

	for (i = 0; i < v.n; i++) {
		unsigned char c = (unsigned char)v.p[i];
		bool is_plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
			(c && strchr(plain, c));

		(void)!(is_plain ? str_addc(out, (char)c) : str_addf(out, "%%%02X", c));
	}
}

/* Joins n pieces of one key. */
static void join(struct mime *m, struct mime_param ***end, const struct raw *p, size_t n, struct str *scratch)
{
	bool is_encoded = false;
	struct span name;
	size_t i;

	for (i = 0; i < n; i++)
		is_encoded |= p[i].is_encoded;
	str_reset(scratch);
	(void)!str_add_span(scratch, p->key);
	if (is_encoded)
		(void)!str_addc(scratch, '*');
	name = keep(m, str_span(scratch));
	str_reset(scratch);
	for (i = 0; i < n; i++) {
		if (is_encoded && !p[i].is_encoded)
			add_escaped(scratch, p[i].value);
		else
			(void)!str_add_span(scratch, p[i].value);
	}
	append(m, end, name, keep(m, str_span(scratch)));
}

/* Pieces of one key that are not 0, 1, 2 .. stay what they are. */
static void join_all(struct mime *m, struct mime_param ***end, struct raw *p, size_t n, struct str *scratch)
{
	size_t i, k, len;

	qsort(p, n, sizeof(*p), compare_raw);
	for (i = 0; i < n; i += len) {
		bool is_whole = true;

		for (len = 0; i + len < n && p[i + len].key.n == p[i].key.n &&
		     strncasecmp(p[i + len].key.p, p[i].key.p, p[i].key.n) == 0; len++)
			is_whole &= p[i + len].index == len;
		if (is_whole) {
			join(m, end, p + i, len, scratch);
			continue;
		}
		for (k = i; k < i + len; k++) {
			str_reset(scratch);
			(void)!str_add_span(scratch, p[k].key);
			(void)!str_addf(scratch, "*%u%s", p[k].index, p[k].is_encoded ? "*" : "");
			append(m, end, keep(m, str_span(scratch)), keep(m, p[k].value));
		}
	}
}

static struct mime_param *parse_params(struct mime *m, struct rfc822 *r)
{
	struct str name = STR_INIT(m->lim.field_max * 4), value = STR_INIT(m->lim.field_max * 4);
	struct mime_param *list = NULL, **end = &list;
	struct raw *pieces = NULL, p = { .order = 0 };
	struct arena scratch = { 0 };
	size_t n = 0;

	for (; p.order < m->lim.params_max && rfc822_param(r, &name, &value); p.order++) {
		p.name = str_span(&name);
		p.value = str_span(&value);
		p.is_encoded = false;
		if (!split_name(&p)) {
			append(m, &end, keep(m, p.name), keep(m, p.value));
			continue;
		}
		if (!pieces)
			pieces = arena_alloc(&scratch, sizeof(*pieces) * m->lim.params_max);
		p.name = arena_span(&scratch, p.name);
		p.value = arena_span(&scratch, p.value);
		split_name(&p);
		pieces[n++] = p;
	}
	if (n)
		join_all(m, &end, pieces, n, &value);
	str_fini(&name);
	str_fini(&value);
	arena_fini(&scratch);
	return list;
}

static struct span token(struct mime *m, struct rfc822 *r, enum rfc822_rc *rc_r)
{
	struct str out = STR_INIT(m->lim.field_max);
	struct span s;

	*rc_r = rfc822_token(r, &out);
	s = keep(m, str_span(&out));
	str_fini(&out);
	return s;
}

static void set_type(struct mime *m, struct mime_part *p, struct rfc822 *r)
{
	enum rfc822_rc rc = rfc822_skip(r);

	p->type = p->subtype = SPAN_LIT("");
	if (rc != RFC822_MORE)
		return;
	p->type = token(m, r, &rc);
	if (rc == RFC822_END)
		return;
	if (p->type.n && rc == RFC822_MORE && *r->p == '/') {
		r->p++;
		if (rfc822_skip(r) == RFC822_MORE) {
			p->subtype = token(m, r, &rc);
			if (p->subtype.n && (rc == RFC822_END || (rc == RFC822_MORE && *r->p == ';'))) {
				p->params = parse_params(m, r);
				return;
			}
		}
	}
	p->type = p->subtype = SPAN_LIT("");
}

static void set_encoding(struct mime *m, struct mime_part *p, struct rfc822 *r)
{
	enum rfc822_rc rc = rfc822_skip(r);
	struct span s = token(m, r, &rc);

	if (rc == RFC822_END && s.n)
		p->encoding = s;
}

static void set_disposition(struct mime *m, struct mime_part *p, struct rfc822 *r)
{
	enum rfc822_rc rc = rfc822_skip(r);
	struct span s = token(m, r, &rc);

	if (rc == RFC822_BAD)
		return;
	p->disposition = s;
	p->disposition_params = parse_params(m, r);
}

static void set_languages(struct mime *m, struct mime_part *p, struct rfc822 *r)
{
	struct mime_text **end = &p->languages;
	struct str out = STR_INIT(m->lim.field_max);
	unsigned n;

	(void)!rfc822_skip(r);
	for (n = 0; n < m->lim.params_max && rfc822_atom(r, &out) != RFC822_BAD; n++) {
		*end = arena_new(m->arena, struct mime_text);
		(*end)->text = keep(m, str_span(&out));
		end = &(*end)->next;
		str_reset(&out);
		if (r->p == r->end || *r->p != ',')
			break;
		r->p++;
		(void)!rfc822_skip(r);
	}
	str_fini(&out);
}

static void content_field(struct mime *m, struct mime_part *p, struct span name, struct span value)
{
	struct rfc822 r = { value.p, value.p + value.n, NULL };

	name = span_from(name, 8);
	if (span_eq_nocase(name, "Type")) {
		if (!p->type.p)
			set_type(m, p, &r);
	} else if (span_eq_nocase(name, "Transfer-Encoding")) {
		if (!p->encoding.p)
			set_encoding(m, p, &r);
	} else if (span_eq_nocase(name, "Disposition")) {
		if (!p->disposition_params)
			set_disposition(m, p, &r);
	} else if (span_eq_nocase(name, "Language")) {
		if (!p->languages)
			set_languages(m, p, &r);
	} else {
		struct span *to = span_eq_nocase(name, "ID") ? &p->id :
			span_eq_nocase(name, "Description") ? &p->description :
			span_eq_nocase(name, "MD5") ? &p->md5 : span_eq_nocase(name, "Location") ? &p->location : NULL;

		if (to && !to->p)
			*to = keep_unfolded(m, value);
	}
}

static void envelope_field(struct mime *m, struct mime_part *p, int index, struct span value)
{
	struct mime_field *f;
	struct mime_text *t;
	struct span s = keep_unfolded(m, value);

	if (!s.p)
		return;
	if (!p->envelope)
		p->envelope = arena_new(m->arena, struct mime_envelope);
	f = &p->envelope->field[index];
	t = f->last && !envelope_fields[index].is_list ? f->last : arena_new(m->arena, struct mime_text);
	t->text = s;
	if (!f->first)
		f->first = t;
	else if (t != f->last)
		f->last->next = t;
	f->last = t;
}

void mime_header_field(struct mime *m, struct span name, struct span value)
{
	int index;

	while (value.n && (value.p[0] == ' ' || value.p[0] == '\t'))
		value = span_from(value, 1);
	if (span_starts_nocase(name, "Content-")) {
		content_field(m, m->cur, name, value);
		return;
	}
	index = has_envelope(m->cur) ? envelope_index(name) : -1;
	if (index >= 0)
		envelope_field(m, m->cur, index, value);
}

void mime_header_done(struct mime *m, struct span *boundary_r)
{
	struct mime_part *p = m->cur;
	const struct mime_param *b;

	*boundary_r = SPAN_NULL;
	if (!p->type.p)
		p->kind = p->parent && p->parent->is_digest ? MIME_MESSAGE : MIME_TEXT;
	else if (span_eq_nocase(p->type, "text"))
		p->kind = MIME_TEXT;
	else if (span_eq_nocase(p->type, "message") && span_eq_nocase(p->subtype, "rfc822"))
		p->kind = MIME_MESSAGE;
	else if (span_eq_nocase(p->type, "multipart") && p->subtype.n)
		p->kind = MIME_MULTIPART;
	if ((p->kind == MIME_MESSAGE || p->kind == MIME_MULTIPART) && p->depth >= m->lim.depth_max)
		p->kind = MIME_OTHER;
	if (p->kind == MIME_MESSAGE && m->n_parts >= m->lim.parts_max)
		p->kind = MIME_OTHER;
	if (p->kind != MIME_MULTIPART)
		return;
	p->is_digest = span_eq_nocase(p->subtype, "digest");
	b = mime_param(p->params, "boundary");
	if (b)
		*boundary_r = span_sub(b->value, 0, m->lim.boundary_max);
}

const struct mime_param *mime_param(const struct mime_param *list, const char *name)
{
	for (; list; list = list->next) {
		if (span_eq_nocase(list->name, name))
			return list;
	}
	return NULL;
}
