#include "store/mail_record.h"

#include <errno.h>
#include <unistd.h>

#include "proto/date.h"
#include "proto/header_decode.h"
#include "proto/imap_envelope.h"
#include "proto/sort_key.h"
#include "store/mail_record_priv.h"

#define TEXT_MAX (64u << 20)            /* of one answer about one message */
#define KEY_MAX 1024
#define KEY_INPUT_MAX 8192              /* bytes of a field that are decoded for a key */
#define REFERENCES_MAX 8192
#define READ_MAX 65536
#define ROOM 2000                       /* enough for most, so that strings do not grow */

struct mail_record_maker {
	struct arena *arena;
	struct mime mime;
	char last;              /* byte so far */
};

/* Scratch for all fields of a message, so that each grows once. */
struct scratch {
	struct arena *arena;
	struct str text, folded, display;
	bool is_cut;
};

struct mail_record_maker *mail_record_begin(struct arena *a)
{
	struct mail_record_maker *m = arena_new(a, struct mail_record_maker);

	m->arena = a;
	mime_init(&m->mime, a, NULL);
	return m;
}

int mail_record_feed(struct mail_record_maker *m, struct span chunk, struct err *err)
{
	if (chunk.n)
		m->last = chunk.p[chunk.n - 1];
	return mime_feed(&m->mime, chunk, err);
}

/* ---- keys ---- */

static struct span keep(struct scratch *s, const struct str *from)
{
	return from->n ? arena_span(s->arena, str_span(from)) : SPAN_NULL;
}

static bool is_plain(struct span v)
{
	size_t i;

	for (i = 0; i < v.n; i++) {
		unsigned char c = (unsigned char)v.p[i];

		if (c > 127 || c == '\r' || c == '\n' || (c == '=' && i + 1 < v.n && v.p[i + 1] == '?'))
			return false;
	}
	return true;
}

/* Appends the folded text of a field. What does not fit, and what comes behind it, is left out. */
static void fold_field(struct scratch *s, struct span value)
{
	size_t start = s->folded.n;
	int rc;

	if (value.n > KEY_INPUT_MAX) {
		value.n = KEY_INPUT_MAX;
		s->is_cut = true;
	}
	if (is_plain(value)) {
		rc = sort_key_fold(&s->folded, value);
	} else {
		str_reset(&s->text);
		rc = header_decode(&s->text, value);
		if (rc == 0)
			rc = sort_key_fold(&s->folded, str_span(&s->text));
	}
	sort_key_blanks(&s->folded, start);
	if (rc < 0 || s->folded.n > KEY_MAX)
		s->is_cut = true;
}

/* At most KEY_MAX bytes of whole characters. */
static struct span keep_folded(struct scratch *s)
{
	size_t n = s->folded.n;

	if (n > KEY_MAX) {
		n = KEY_MAX;
		while (n && ((unsigned char)s->folded.p[n] & 0xc0) == 0x80)
			n--;
		str_cut(&s->folded, n);
	}
	return keep(s, &s->folded);
}

/* All fields of a name, a line each. */
static struct span whole(struct scratch *s, const struct mime_field *f)
{
	const struct mime_text *t;

	str_reset(&s->folded);
	for (t = f->first; t; t = t->next) {
		if (t != f->first)
			(void)!str_addc(&s->folded, '\n');
		fold_field(s, t->text);
	}
	return keep_folded(s);
}

static struct span text_of(const struct mime_field *f)
{
	return f->first ? f->first->text : SPAN_NULL;
}

static void add_subject(struct scratch *s, const struct mime_field *f, struct mail_keys *k)
{
	struct span value = span_sub(text_of(f), 0, KEY_INPUT_MAX);

	k->subject = whole(s, f);
	str_reset(&s->folded);
	(void)!sort_key_subject(&s->folded, value, &k->is_reply);
	k->base_subject = keep_folded(s);
}

/* What SORT compares of the first address (RFC 5256 section 3, RFC 5957). */
static void add_address(struct scratch *s, const struct mime_field *f, struct span *key_r, struct span *display_r)
{
	struct span value = span_sub(text_of(f), 0, KEY_INPUT_MAX);

	if (!value.n)
		return;
	str_reset(&s->folded);
	str_reset(&s->display);
	(void)!sort_key_first(&s->folded, display_r ? &s->display : NULL, value);
	*key_r = keep_folded(s);
	if (display_r) {
		str_reset(&s->folded);
		(void)!str_add_span(&s->folded, span_sub(str_span(&s->display), 0, 2 * KEY_MAX));
		*display_r = keep_folded(s);
	}
}

static void add_references(struct scratch *s, const struct mime_envelope *e, struct mail_keys *k)
{
	struct span in = text_of(&e->field[MIME_REFERENCES]), reply = text_of(&e->field[MIME_IN_REPLY_TO]), first;

	str_reset(&s->text);
	while (mail_record_id(&in, &s->text))
		(void)!str_addc(&s->text, '\0');
	if (!s->text.n && mail_record_id(&reply, &s->text))
		(void)!str_addc(&s->text, '\0');
	if (s->text.n)
		s->text.n--;
	if (s->text.n > REFERENCES_MAX) {
		/* the root of the thread and those next to this message */
		(void)!span_cut(str_span(&s->text), '\0', &first, &in);
		in = span_from(in, in.n - (REFERENCES_MAX - first.n < in.n ? REFERENCES_MAX - first.n : in.n));
		(void)!span_cut(in, '\0', &reply, &in);
		str_reset(&s->folded);
		if (str_add_span(&s->folded, first) == 0 && str_addc(&s->folded, '\0') == 0)
			(void)!str_add_span(&s->folded, in);
		k->references = keep(s, &s->folded);
		return;
	}
	k->references = keep(s, &s->text);
}

static void make_keys(struct scratch *s, const struct mime_envelope *e, struct mail_record *r)
{
	struct mail_keys *k = &r->keys;
	struct span id = text_of(&e->field[MIME_MESSAGE_ID]);

	if (date_parse(text_of(&e->field[MIME_DATE]), &r->sent_s, &k->sent_zone_min) < 0) {
		r->sent_s = INT64_MIN;
		k->sent_zone_min = 0;
	}
	add_subject(s, &e->field[MIME_SUBJECT], k);
	k->from = whole(s, &e->field[MIME_FROM]);
	k->to = whole(s, &e->field[MIME_TO]);
	k->cc = whole(s, &e->field[MIME_CC]);
	k->bcc = whole(s, &e->field[MIME_BCC]);
	add_address(s, &e->field[MIME_FROM], &k->from_key, &k->from_display);
	add_address(s, &e->field[MIME_TO], &k->to_key, &k->to_display);
	add_address(s, &e->field[MIME_CC], &k->cc_key, NULL);
	str_reset(&s->text);
	if (mail_record_id(&id, &s->text))
		k->message_id = keep(s, &s->text);
	add_references(s, e, k);
	k->is_cut = s->is_cut;
}

/* ---- the record ---- */

static int make_body(struct scratch *s, const struct mime_part *root, struct mail_body *b, struct err *err)
{
	str_reset(&s->text);
	if (imap_envelope(&s->text, root->envelope) < 0)
		goto full;
	b->envelope = keep(s, &s->text);
	str_reset(&s->text);
	if (imap_envelope_body(&s->text, root, true) < 0)
		goto full;
	b->structure = keep(s, &s->text);
	str_reset(&s->text);
	if (imap_envelope_body(&s->text, root, false) < 0)
		goto full;
	b->body = keep(s, &s->text);
	str_reset(&s->text);
	if (mail_record_parts(&s->text, root) < 0)
		goto full;
	b->parts = keep(s, &s->text);
	return 0;
full:
	return err_dsn(err, ERR_TEMP, "4.3.0", "the structure of the message is too large");
}

int mail_record_end(struct mail_record_maker *m, struct mail_record *r_r, struct err *err)
{
	static const struct mime_envelope none;
	struct scratch s = { .arena = m->arena };
	const struct mime_part *root;
	int rc;

	memset(r_r, 0, sizeof(*r_r));
	if (mime_end(&m->mime, err) < 0)
		return -1;
	root = m->mime.root;
	r_r->size = root->header.octets + root->body.octets;
	r_r->is_unended = r_r->size && m->last != '\n';
	r_r->vsize = root->header.crlf_octets + root->body.crlf_octets;
	str_init(&s.text, TEXT_MAX);
	str_init(&s.folded, TEXT_MAX);
	str_init(&s.display, TEXT_MAX);
	(void)!str_room(&s.text, ROOM);
	(void)!str_room(&s.folded, ROOM);
	rc = make_body(&s, root, &r_r->body, err);
	if (rc == 0)
		make_keys(&s, root->envelope ? root->envelope : &none, r_r);
	str_fini(&s.text);
	str_fini(&s.folded);
	str_fini(&s.display);
	return rc;
}

int mail_record_read(struct arena *a, int fd, struct mail_record *r_r, struct err *err)
{
	struct mail_record_maker *m = mail_record_begin(a);
	char buf[READ_MAX];
	off_t at = 0;
	ssize_t n;

	do {
		n = pread(fd, buf, sizeof(buf), at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read a message");
		at += n;
		if (mail_record_feed(m, (struct span){ buf, (size_t)n }, err) < 0)
			return -1;
	} while (n == (ssize_t)sizeof(buf) || n < 0);
	return mail_record_end(m, r_r, err);
}
