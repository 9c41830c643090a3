#include "imapd/search_file.h"

#include <errno.h>
#include <strings.h>

#include "base/mem.h"
#include "imapd/search_address.h"
#include "proto/charset.h"
#include "proto/header.h"
#include "proto/header_decode.h"
#include "proto/sort_key.h"
#include "proto/transfer.h"

#define WINDOW SEARCH_TEXT_CHUNK
#define FIELD_MAX (1u << 20)            /* bytes of one field that are looked at */
#define UTF8_MAX (WINDOW * 16u)

static void take_needles(struct search_file *x, struct arena *a, struct search_text *t, bool with_body)
{
	struct search_needle **v = arena_alloc(a, (x->n + 1) * sizeof(struct search_needle *));
	size_t i, n = 0;

	for (i = 0; i < x->n; i++) {
		if (x->leaves[i].where == SEARCH_IN_TEXT || (with_body && x->leaves[i].where == SEARCH_IN_BODY))
			v[n++] = &x->leaves[i].needle;
	}
	search_text_init(t, v, n);
}

void search_file_init(struct search_file *x, struct arena *a, struct search_leaf *leaves, size_t n)
{
	size_t i;

	memset(x, 0, sizeof(*x));
	x->leaves = leaves;
	x->n = n;
	for (i = 0; i < n; i++) {
		x->has_field = x->has_field || leaves[i].where == SEARCH_IN_FIELD;
		x->has_text = x->has_text || leaves[i].where == SEARCH_IN_TEXT;
		x->has_body = x->has_body || leaves[i].where != SEARCH_IN_FIELD;
	}
	take_needles(x, a, &x->in_header, false);
	take_needles(x, a, &x->in_body, true);
	str_init(&x->field, FIELD_MAX);
	str_init(&x->decoded, FIELD_MAX * 8u);
	str_init(&x->utf8, UTF8_MAX > FIELD_MAX * 8u ? UTF8_MAX : FIELD_MAX * 8u);
	x->window = xrealloc(NULL, WINDOW);
}

void search_file_fini(struct search_file *x)
{
	search_text_fini(&x->in_header);
	search_text_fini(&x->in_body);
	str_fini(&x->field);
	str_fini(&x->decoded);
	str_fini(&x->utf8);
	free(x->window);
	x->window = NULL;
}

/* At most n bytes from offset on, 0 at the end of the file. */
static int look(struct search_file *x, uint64_t offset, uint64_t n, struct span *s_r, struct err *err)
{
	if (offset < x->window_at || offset >= x->window_at + x->window_n) {
		ssize_t got;

		do
			got = pread(x->fd, x->window, WINDOW, (off_t)offset);
		while (got < 0 && errno == EINTR);
		if (got < 0)
			return err_sys(err, "cannot read a message");
		x->window_at = offset;
		x->window_n = (size_t)got;
	}
	*s_r = span_from((struct span){ x->window, x->window_n }, (size_t)(offset - x->window_at));
	s_r->n = s_r->n < n ? s_r->n : (size_t)n;
	return 0;
}

/* ---- fields ---- */

bool search_file_field(const struct search_leaf *leaf, struct span field)
{
	return search_text_has(field, leaf->needle.text) ||
	       (leaf->is_address && search_address_has(field, leaf->needle.text));
}

static void see_field(struct search_file *x, struct span name, struct span value, bool is_top)
{
	size_t i;

	str_reset(&x->decoded);
	if (header_decode(&x->decoded, value) < 0)
		return;
	if (x->in_header.n_left) {
		search_text_feed(&x->in_header, name);
		search_text_feed(&x->in_header, SPAN_LIT(": "));
		search_text_feed(&x->in_header, str_span(&x->decoded));
		search_text_feed(&x->in_header, SPAN_LIT("\r\n"));
	}
	str_reset(&x->utf8);
	for (i = 0; is_top && i < x->n; i++) {
		struct search_leaf *leaf = &x->leaves[i];

		if (leaf->where != SEARCH_IN_FIELD || leaf->needle.is_found || !span_same_nocase(leaf->name, name))
			continue;
		if (!x->utf8.n && sort_key_fold(&x->utf8, str_span(&x->decoded)) < 0)
			return;
		sort_key_blanks(&x->utf8, 0);
		leaf->needle.is_found = search_file_field(leaf, str_span(&x->utf8));
	}
}

static bool is_wanted(const struct search_file *x, struct span name, bool is_top)
{
	size_t i;

	if (x->in_header.n_left)
		return true;
	for (i = 0; is_top && i < x->n; i++) {
		if (x->leaves[i].where == SEARCH_IN_FIELD && !x->leaves[i].needle.is_found &&
		    span_same_nocase(x->leaves[i].name, name))
			return true;
	}
	return false;
}

/* The field gathered is whole. */
static void end_field(struct search_file *x, bool is_top)
{
	struct span name, value;

	if (x->field.n && span_cut(str_span(&x->field), ':', &name, &value)) {
		name = span_trim(name);
		if (is_wanted(x, name, is_top))
			see_field(x, name, span_trim(value), is_top);
	}
	str_reset(&x->field);
}

/* The header at offset, up to its empty line and at most n bytes. */
static int see_header(struct search_file *x, uint64_t offset, uint64_t n, bool is_top, struct err *err)
{
	struct span s;
	bool is_bol = true;

	search_text_break(&x->in_header);
	str_reset(&x->field);
	while (n) {
		ptrdiff_t lf;

		if (look(x, offset, n, &s, err) < 0)
			return -1;
		if (!s.n)
			break;
		lf = span_chr(s, '\n');
		if (lf >= 0)
			s.n = (size_t)lf + 1;
		if (is_bol && s.p[0] != ' ' && s.p[0] != '\t')
			end_field(x, is_top);
		if (is_bol && (span_eqz(s, "\n") || span_eqz(s, "\r\n")))
			return 0;
		if (x->field.n + s.n <= FIELD_MAX && str_add_span(&x->field, s) < 0)
			break;
		is_bol = lf >= 0;
		offset += s.n;
		n -= s.n;
	}
	end_field(x, is_top);
	return 0;
}

/* ---- bodies ---- */

/* Bytes below 128 mean what they mean in ASCII, wherever they stand. */
static bool is_ascii_superset(struct span charset)
{
	return !charset.n || span_eq_nocase(charset, "us-ascii") || span_eq_nocase(charset, "utf-8") ||
	       span_eq_nocase(charset, "utf8") || span_starts_nocase(charset, "iso-8859-") ||
	       span_starts_nocase(charset, "windows-125") || span_starts_nocase(charset, "koi8-");
}

struct body {
	struct search_file *x;
	struct span name;
	struct charset charset;
	bool is_superset, is_open;
};

static void see_text(struct body *b, struct span s, bool is_end)
{
	struct search_file *x = b->x;

	if (!b->is_open && b->is_superset && search_text_is_ascii(s)) {
		search_text_feed(&x->in_body, s);
		return;
	}
	if (!b->is_open && charset_open(&b->charset, b->name) < 0 && charset_open(&b->charset, SPAN_LIT("utf-8")) < 0)
		return;
	b->is_open = true;
	str_reset(&x->utf8);
	if (charset_convert(&b->charset, s, is_end, &x->utf8) == 0)
		search_text_feed(&x->in_body, str_span(&x->utf8));
}

static int see_body(struct search_file *x, const struct mail_part *p, struct err *err)
{
	struct body b = { .x = x, .name = p->charset.n ? p->charset : SPAN_LIT("utf-8"), .is_superset = is_ascii_superset(p->charset) };
	enum transfer_kind kind = transfer_kind(p->encoding);
	bool is_plain = kind == TRANSFER_IDENTITY || kind == TRANSFER_UNKNOWN;
	uint64_t at = p->body_offset, end = at + p->body.octets;
	struct transfer t;
	struct span s;
	int rc = 0;

	search_text_break(&x->in_body);
	transfer_init(&t, kind);
	while (at < end && x->in_body.n_left && (rc = look(x, at, end - at, &s, err)) == 0 && s.n) {
		at += s.n;
		str_reset(&x->decoded);
		if (!is_plain && transfer_feed(&t, s, &x->decoded) < 0)
			break;
		see_text(&b, is_plain ? s : str_span(&x->decoded), false);
	}
	str_reset(&x->decoded);
	if (rc == 0 && x->in_body.n_left && transfer_end(&t, &x->decoded) == 0)
		see_text(&b, str_span(&x->decoded), true);
	if (b.is_open)
		charset_close(&b.charset);
	return rc;
}

/* message/delivery-status and its like are text too; the record does not tell. */
static int is_message(struct search_file *x, const struct mail_part *p, bool *yes_r, struct err *err)
{
	struct span s, name, value;

	*yes_r = false;
	if (look(x, p->header_offset, p->header.octets, &s, err) < 0)
		return -1;
	while (header_next(&s, &name, &value)) {
		if (span_eq_nocase(name, "Content-Type"))
			*yes_r = span_starts_nocase(span_trim(value), "message/");
	}
	return 0;
}

static int see_parts(struct search_file *x, struct span parts, struct err *err)
{
	uint64_t embedded = UINT64_MAX;         /* where the header of a message inside begins */
	uint64_t header = UINT64_MAX, body = UINT64_MAX;
	struct mail_part p;
	size_t pos = 0;
	bool is_text;

	search_text_break(&x->in_body);
	while ((x->in_body.n_left || x->in_header.n_left) && mail_record_next(parts, &pos, &p)) {
		/* a message without parts is its own part 1 */
		if (p.header_offset == header && p.body_offset == body)
			continue;
		header = p.header_offset;
		body = p.body_offset;
		if (x->in_header.n_left && p.header_offset > 0 && p.header_offset != embedded &&
		    see_header(x, p.header_offset, p.header.octets, false, err) < 0)
			return -1;
		if (p.kind == MIME_MESSAGE) {
			embedded = p.body_offset;
			if (x->in_header.n_left && see_header(x, embedded, p.inner.octets, false, err) < 0)
				return -1;
		}
		is_text = p.kind == MIME_TEXT;
		if (p.kind == MIME_OTHER && x->in_body.n_left && is_message(x, &p, &is_text, err) < 0)
			return -1;
		if (is_text && see_body(x, &p, err) < 0)
			return -1;
	}
	return 0;
}

int search_file_run(struct search_file *x, int fd, struct span parts, struct err *err)
{
	size_t i;

	x->fd = fd;
	x->window_at = 0;
	x->window_n = 0;
	for (i = 0; i < x->n; i++)
		x->leaves[i].needle.is_found = false;
	search_text_reset(&x->in_header);
	search_text_reset(&x->in_body);
	if ((x->has_field || x->has_text) && see_header(x, 0, UINT64_MAX, true, err) < 0)
		return -1;
	return x->has_body ? see_parts(x, parts, err) : 0;
}
