#include "proto/transfer.h"

/* value + 1 of each base64 digit */
static const unsigned char digit64[256] = {
	['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
	['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52,
	['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, ['+'] = 63, ['/'] = 64,
};

enum transfer_kind transfer_kind(struct span e)
{
	e = span_trim(e);
	if (!e.n || span_eq_nocase(e, "7bit") || span_eq_nocase(e, "8bit") || span_eq_nocase(e, "binary"))
		return TRANSFER_IDENTITY;
	if (span_eq_nocase(e, "base64"))
		return TRANSFER_BASE64;
	return span_eq_nocase(e, "quoted-printable") ? TRANSFER_QUOTED_PRINTABLE : TRANSFER_UNKNOWN;
}

void transfer_init(struct transfer *t, enum transfer_kind kind)
{
	memset(t, 0, sizeof(*t));
	t->kind = kind;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Padding ends a run; digits behind it begin another (two encodings one behind the other). */
static int feed_base64(struct transfer *t, struct span in, struct str *out)
{
	char *room = str_room(out, in.n / 4 * 3 + 4);
	size_t i, n = 0;

	if (!room)
		return -1;
	for (i = 0; i < in.n; i++) {
		unsigned char c = (unsigned char)in.p[i], v = digit64[c];

		if (!v) {
			if (c == '=') {
				t->n_bad += !t->is_padded && t->n_bits % 8 == 0;
				t->is_padded = true;
				t->n_bits = 0;
			} else if (c != '\r' && c != '\n' && c != ' ' && c != '\t')
				t->n_bad++;
			continue;
		}
		t->is_padded = false;
		t->bits = t->bits << 6 | (v - 1u);
		t->n_bits += 6;
		if (t->n_bits >= 8) {
			t->n_bits -= 8;
			room[n++] = (char)(t->bits >> t->n_bits);
		}
	}
	str_grew(out, n);
	return 0;
}

static int flush_held(struct transfer *t, struct str *out, bool is_bad)
{
	int rc = str_add(out, t->held, t->n_held);

	t->n_bad += is_bad ? t->n_held : 0;
	t->n_held = 0;
	return rc;
}

/* One byte behind "=": two hex digits, or blanks and a line end. */
static int behind_equals(struct transfer *t, char c, struct str *out, bool *is_used_r)
{
	bool has_hex = t->n_held > 1 && hex(t->held[1]) >= 0;

	*is_used_r = true;
	if (c == '\n' && !has_hex) {
		t->n_held = 0;
		return 0;
	}
	if (has_hex && hex(c) >= 0) {
		char byte = (char)(hex(t->held[1]) << 4 | hex(c));

		t->n_held = 0;
		return str_addc(out, byte);
	}
	if (t->n_held < TRANSFER_HELD_MAX && !has_hex &&
	    (c == ' ' || c == '\t' || c == '\r' || (t->n_held == 1 && hex(c) >= 0))) {
		t->held[t->n_held++] = c;
		return 0;
	}
	*is_used_r = false;
	return flush_held(t, out, true);
}

static int feed_quoted(struct transfer *t, struct span in, struct str *out)
{
	size_t i = 0, start;
	bool is_used;

	while (i < in.n) {
		char c = in.p[i];

		if (t->n_held && t->held[0] == '=') {
			if (behind_equals(t, c, out, &is_used) < 0)
				return -1;
			i += is_used;
		} else if (c == '=') {
			if (flush_held(t, out, false) < 0)
				return -1;
			t->held[t->n_held++] = '=';
			i++;
		} else if (c == ' ' || c == '\t' || c == '\r') {
			if (t->n_held == TRANSFER_HELD_MAX && flush_held(t, out, false) < 0)
				return -1;
			t->held[t->n_held++] = c;
			i++;
		} else if (c == '\n') {
			/* blanks at the end of a line were added on the way (RFC 2045 section 6.7, rule 3) */
			bool has_cr = t->n_held && t->held[t->n_held - 1] == '\r';

			t->n_held = 0;
			if (str_add(out, has_cr ? "\r\n" : "\n", 1u + has_cr) < 0)
				return -1;
			i++;
		} else {
			if (flush_held(t, out, false) < 0)
				return -1;
			for (start = i; i < in.n && (unsigned char)in.p[i] > ' ' && in.p[i] != '='; i++)
				;
			i += i == start;
			if (str_add(out, in.p + start, i - start) < 0)
				return -1;
		}
	}
	return 0;
}

int transfer_feed(struct transfer *t, struct span in, struct str *out)
{
	if (t->kind == TRANSFER_BASE64)
		return feed_base64(t, in, out);
	return t->kind == TRANSFER_QUOTED_PRINTABLE ? feed_quoted(t, in, out) : str_add_span(out, in);
}

int transfer_end(struct transfer *t, struct str *out)
{
	if (t->kind == TRANSFER_BASE64 && t->n_bits >= 6)
		t->n_bad++;
	if (t->n_held && t->held[0] == '=' && (t->n_held == 1 || hex(t->held[1]) < 0)) {
		t->n_held = 0;          /* a soft line break before the end of the part */
		return 0;
	}
	return flush_held(t, out, t->n_held && t->held[0] == '=');
}

int transfer_q(struct span in, struct str *out)
{
	size_t i;

	for (i = 0; i < in.n; i++) {
		char c = in.p[i] == '_' ? ' ' : in.p[i];

		if (c == '=' && i + 2 < in.n && hex(in.p[i + 1]) >= 0 && hex(in.p[i + 2]) >= 0) {
			c = (char)(hex(in.p[i + 1]) << 4 | hex(in.p[i + 2]));
			i += 2;
		}
		if (str_addc(out, c) < 0)
			return -1;
	}
	return 0;
}
