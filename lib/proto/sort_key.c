#include "proto/sort_key.h"

#include <utf8proc.h>

#include "base/utf8.h"
#include "proto/header_decode.h"
#include "proto/rfc822.h"

#define PARTS_MAX 32    /* characters one character decomposes to; the tables hold at most 18 */

static int fold_ascii(struct str *out, struct span in)
{
	char *to = str_room(out, in.n);
	size_t i;

	if (!to)
		return -1;
	for (i = 0; i < in.n; i++)
		to[i] = (char)(in.p[i] >= 'a' && in.p[i] <= 'z' ? in.p[i] - 32 : in.p[i]);
	str_grew(out, in.n);
	return 0;
}

static int fold_char(struct str *out, utf8proc_int32_t c)
{
	utf8proc_int32_t parts[PARTS_MAX];
	utf8proc_uint8_t bytes[4];
	utf8proc_ssize_t i, n;
	int boundclass = UTF8PROC_BOUNDCLASS_START;

	n = utf8proc_decompose_char(utf8proc_totitle(c), parts, PARTS_MAX, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT,
				    &boundclass);
	if (n < 0 || n > PARTS_MAX)
		return str_addz(out, "\xef\xbf\xbd");
	for (i = 0; i < n; i++) {
		utf8proc_ssize_t len = utf8proc_encode_char(parts[i], bytes);

		if (str_add(out, bytes, (size_t)len) < 0)
			return -1;
	}
	return 0;
}

int sort_key_fold(struct str *out, struct span in)
{
	size_t i = 0, start;

	while (i < in.n) {
		utf8proc_int32_t c;
		size_t n;

		for (start = i; i < in.n && (unsigned char)in.p[i] < 128; i++)
			;
		if (i > start && fold_ascii(out, span_sub(in, start, i - start)) < 0)
			return -1;
		if (i == in.n)
			break;
		n = utf8_len(in.p + i, in.n - i);
		if (n == 0)
			c = 0xfffd;
		else
			(void)utf8proc_iterate((const utf8proc_uint8_t *)in.p + i, (utf8proc_ssize_t)n, &c);
		if (fold_char(out, c) < 0)
			return -1;
		i += n ? n : 1;
	}
	return 0;
}

void sort_key_blanks(struct str *s, size_t start)
{
	size_t i, n = start;

	for (i = start; i < s->n; i++) {
		bool is_blank = s->p[i] == ' ' || s->p[i] == '\t';

		if (!is_blank || n == start || s->p[n - 1] != ' ')
			s->p[n++] = is_blank ? ' ' : s->p[i];
	}
	str_cut(s, n);
}

static struct span skip_blanks(struct span s)
{
	while (s.n && s.p[0] == ' ')
		s = span_from(s, 1);
	return s;
}

/* subj-blob: "[" without brackets inside "]" *WSP. False when none stands here. */
static bool take_blob(struct span *s)
{
	size_t i;

	if (!s->n || s->p[0] != '[')
		return false;
	for (i = 1; i < s->n && s->p[i] != '[' && s->p[i] != ']'; i++)
		;
	if (i == s->n || s->p[i] != ']')
		return false;
	*s = skip_blanks(span_from(*s, i + 1));
	return true;
}

/* subj-refwd: re, fw or fwd, *WSP [subj-blob] ":" */
static bool take_refwd(struct span *s)
{
	struct span rest = *s;

	if (span_starts_nocase(rest, "re"))
		rest = span_from(rest, 2);
	else if (span_starts_nocase(rest, "fw"))
		rest = span_from(rest, rest.n > 2 && (rest.p[2] | 32) == 'd' ? 3 : 2);
	else
		return false;
	rest = skip_blanks(rest);
	(void)take_blob(&rest);
	if (!rest.n || rest.p[0] != ':')
		return false;
	*s = span_from(rest, 1);
	return true;
}

/* Step 2: "(fwd)" and blanks at the end. */
static struct span cut_trailer(struct span s, bool *is_reply)
{
	for (;;) {
		if (s.n && s.p[s.n - 1] == ' ')
			s.n--;
		else if (span_ends_nocase(s, "(fwd)")) {
			s.n -= 5;
			*is_reply = true;
		} else
			return s;
	}
}

/* Steps 3 to 5. When no refwd stands behind the blobs none will after some of them are gone, so each is read twice. */
static struct span cut_leader(struct span s, bool *is_reply)
{
	struct span rest;

	for (;;) {
		s = skip_blanks(s);
		for (rest = s; take_blob(&rest); )
			;
		if (!take_refwd(&rest))
			break;
		*is_reply = true;
		s = rest;
	}
	for (rest = s; take_blob(&rest) && rest.n; )
		s = rest;
	return s;
}

/* One space for runs of blanks (step 1). */
static void collapse(struct str *s)
{
	size_t i, n = 0;

	for (i = 0; i < s->n; i++) {
		char c = s->p[i] == '\t' || s->p[i] == '\r' || s->p[i] == '\n' ? ' ' : s->p[i];

		if (c != ' ' || n == 0 || s->p[n - 1] != ' ')
			s->p[n++] = c;
	}
	str_cut(s, n);
}

int sort_key_subject(struct str *out, struct span value, bool *is_reply_r)
{
	struct str text = STR_INIT(out->max);
	struct span s;
	int rc = header_decode(&text, value);

	*is_reply_r = false;
	if (rc == 0) {
		collapse(&text);
		s = str_span(&text);
		for (;;) {
			s = cut_leader(cut_trailer(s, is_reply_r), is_reply_r);
			if (!span_starts_nocase(s, "[fwd:") || s.p[s.n - 1] != ']')
				break;
			*is_reply_r = true;
			s = span_sub(s, 5, s.n - 6);
		}
		rc = sort_key_fold(out, s);
	}
	str_fini(&text);
	return rc;
}

static int fold_decoded(struct str *out, struct span value)
{
	struct str text = STR_INIT(out->max);
	int rc = header_decode(&text, value);

	if (rc == 0)
		rc = sort_key_fold(out, str_span(&text));
	str_fini(&text);
	return rc;
}

static int add_display(struct str *out, const struct rfc822_address *a)
{
	int rc;

	if (a->has_name && a->name.n)
		return fold_decoded(out, str_span(&a->name));
	if (!a->has_local)
		return 0;
	rc = sort_key_fold(out, str_span(&a->local));
	if (rc == 0 && a->has_domain)
		rc = str_addc(out, '@') < 0 ? -1 : sort_key_fold(out, str_span(&a->domain));
	return rc;
}

int sort_key_first(struct str *address, struct str *display, struct span value)
{
	struct rfc822_list l;
	int rc = 0;

	rfc822_list_init(&l, value);
	if (rfc822_list_next(&l)) {
		if (l.a.has_local)
			rc = sort_key_fold(address, str_span(&l.a.local));
		if (rc == 0 && display)
			rc = add_display(display, &l.a);
	}
	rfc822_list_fini(&l);
	return rc;
}
