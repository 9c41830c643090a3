#include "proto/header_decode.h"

#include "proto/charset.h"
#include "proto/transfer.h"

#define OPENS_MAX 64            /* charsets opened for one field; words behind stay as they are */

struct word {
	struct span charset, text;
	bool is_base64;
	size_t n;               /* bytes of the whole word */
};

struct decoder {
	struct str *out;
	struct charset charset;
	struct span name;       /* of the open charset, n 0 when none is */
	struct str raw;
	unsigned n_opens;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Up to the next "?", without blanks; false when there is none. */
static bool take(struct span *in, struct span *part_r)
{
	size_t n = 0;

	while (n < in->n && in->p[n] != '?' && !is_blank(in->p[n]))
		n++;
	if (n == in->n || in->p[n] != '?')
		return false;
	*part_r = span_sub(*in, 0, n);
	*in = span_from(*in, n + 1);
	return true;
}

/* =?charset*lang?B?text?= */
static bool parse_word(struct span in, struct word *w)
{
	struct span rest = span_from(in, 2), encoding, lang;

	if (!span_starts(in, "=?") || !take(&rest, &w->charset) || !take(&rest, &encoding) || !take(&rest, &w->text) ||
	    !rest.n || rest.p[0] != '=' || encoding.n != 1)
		return false;
	(void)span_cut(w->charset, '*', &w->charset, &lang);
	w->is_base64 = (encoding.p[0] | 32) == 'b';
	w->n = in.n - rest.n + 1;
	return w->charset.n && (w->is_base64 || (encoding.p[0] | 32) == 'q');
}

static int flush(struct decoder *d)
{
	int rc = 0;

	if (d->name.n && d->raw.n)
		rc = charset_convert(&d->charset, str_span(&d->raw), true, d->out);
	str_reset(&d->raw);
	return rc;
}

/* True when the word's charset is open now; what another one had is written. */
static bool use_charset(struct decoder *d, struct span name, int *rc)
{
	if (span_same_nocase(d->name, name))
		return true;
	*rc = flush(d);
	if (d->name.n)
		charset_close(&d->charset);
	d->name.n = 0;
	if (*rc < 0 || d->n_opens++ >= OPENS_MAX || charset_open(&d->charset, name) < 0)
		return false;
	d->name = name;
	return true;
}

static int add_word(struct decoder *d, const struct word *w)
{
	struct transfer t;

	if (!w->is_base64)
		return transfer_q(w->text, &d->raw);
	transfer_init(&t, TRANSFER_BASE64);
	return transfer_feed(&t, w->text, &d->raw);
}

/* Text that is not encoded, line breaks left out. */
static int add_text(struct decoder *d, struct span s)
{
	size_t i, start = 0;

	if (flush(d) < 0)
		return -1;
	for (i = 0; i <= s.n; i++) {
		if (i < s.n && s.p[i] != '\r' && s.p[i] != '\n')
			continue;
		if (charset_repair(span_sub(s, start, i - start), d->out) < 0)
			return -1;
		start = i + 1;
	}
	return 0;
}

static size_t skip_blanks(struct span in, size_t i)
{
	while (i < in.n && is_blank(in.p[i]))
		i++;
	return i;
}

int header_decode(struct str *out, struct span in)
{
	struct decoder d = { .out = out, .raw = STR_INIT(in.n) };
	size_t i = 0, start = 0, next;
	struct word w;
	int rc = 0;

	while (i < in.n && rc == 0) {
		const char *equals = memchr(in.p + i, '=', in.n - i);

		i = equals ? (size_t)(equals - in.p) : in.n;
		if (!equals)
			break;
		if (!parse_word(span_from(in, i), &w)) {
			i++;
			continue;
		}
		if (i > start)
			rc = add_text(&d, span_sub(in, start, i - start));
		start = i;
		i += w.n;
		if (rc == 0 && use_charset(&d, w.charset, &rc)) {
			rc = add_word(&d, &w);
			start = i;
			next = skip_blanks(in, i);
			if (next > i && parse_word(span_from(in, next), &w))
				start = i = next;
		}
	}
	if (rc == 0)
		rc = add_text(&d, span_from(in, start));
	if (d.name.n)
		charset_close(&d.charset);
	str_fini(&d.raw);
	return rc;
}
