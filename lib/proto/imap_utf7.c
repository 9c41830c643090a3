#include "proto/imap_utf7.h"

#include "base/utf8.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static bool is_printable(uint32_t c)
{
	return c >= 0x20 && c < 0x7f;
}

static bool is_control(uint32_t c)
{
	return c < 0x20 || c == 0x7f;
}

static int put_utf8(struct str *out, uint32_t c)
{
	char b[4];
	size_t n = 0;

	if (c < 0x800) {
		b[n++] = (char)(0xc0 | c >> 6);
	} else if (c < 0x10000) {
		b[n++] = (char)(0xe0 | c >> 12);
		b[n++] = (char)(0x80 | (c >> 6 & 0x3f));
	} else {
		b[n++] = (char)(0xf0 | c >> 18);
		b[n++] = (char)(0x80 | (c >> 12 & 0x3f));
		b[n++] = (char)(0x80 | (c >> 6 & 0x3f));
	}
	b[n++] = (char)(0x80 | (c & 0x3f));
	return str_add(out, b, n);
}

/* One UTF-16 unit; *high is the first half of a pair that waits for the second, else 0. */
static int put_unit(struct str *out, uint32_t unit, uint32_t *high)
{
	bool is_high = unit >= 0xd800 && unit < 0xdc00, is_low = unit >= 0xdc00 && unit < 0xe000;
	uint32_t c = unit;

	if (is_low != (*high != 0) || is_printable(unit) || is_control(unit))
		return -1;
	if (is_high) {
		*high = unit;
		return 0;
	}
	if (is_low)
		c = 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00);
	*high = 0;
	return put_utf8(out, c);
}

/* Base64 up to its "-", which is taken too. */
static int decode_shifted(struct str *out, struct span *in)
{
	uint32_t bits = 0, high = 0;
	unsigned n_bits = 0;
	struct span base64, rest;
	size_t i;

	if (!span_cut(*in, '-', &base64, &rest))
		return -1;
	for (i = 0; i < base64.n; i++) {
		const char *at = memchr(alphabet, base64.p[i], sizeof(alphabet) - 1);

		if (!at)
			return -1;
		bits = bits << 6 | (uint32_t)(at - alphabet);
		n_bits += 6;
		if (n_bits < 16)
			continue;
		n_bits -= 16;
		if (put_unit(out, bits >> n_bits & 0xffff, &high) < 0)
			return -1;
	}
	/* padding is short and zero; another shift must not follow at once */
	if (high || n_bits >= 6 || (bits & ((1u << n_bits) - 1)) != 0)
		return -1;
	if (rest.n && rest.p[0] == '&' && !span_starts(rest, "&-"))
		return -1;
	*in = rest;
	return 0;
}

int imap_utf7_decode(struct str *out, struct span in)
{
	while (in.n) {
		char c = in.p[0];

		if (!is_printable((unsigned char)c))
			return -1;
		if (span_starts(in, "&-")) {
			if (str_addc(out, '&') < 0)
				return -1;
			in = span_from(in, 2);
			continue;
		}
		in = span_from(in, 1);
		if ((c == '&' ? decode_shifted(out, &in) : str_addc(out, c)) < 0)
			return -1;
	}
	return 0;
}

/* ---- the other way ---- */

static uint32_t code_point(const char *p, size_t n)
{
	static const unsigned char masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c = (unsigned char)p[0] & masks[n];
	size_t i;

	for (i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)p[i] & 0x3f);
	return c;
}

struct shift {
	struct str *out;
	uint32_t bits;
	unsigned n_bits;
};

static int shift_unit(struct shift *s, uint32_t unit)
{
	s->bits = s->bits << 16 | unit;
	s->n_bits += 16;
	while (s->n_bits >= 6) {
		s->n_bits -= 6;
		if (str_addc(s->out, alphabet[s->bits >> s->n_bits & 0x3f]) < 0)
			return -1;
	}
	s->bits &= (1u << s->n_bits) - 1;
	return 0;
}

/* The run of characters outside ASCII at the front of *in. */
static int encode_shifted(struct str *out, struct span *in)
{
	struct shift s = { .out = out };
	size_t n;

	if (str_addc(out, '&') < 0)
		return -1;
	while (in->n && (unsigned char)in->p[0] >= 0x80) {
		uint32_t c;

		n = utf8_len(in->p, in->n);
		if (n == 0)
			return -1;
		c = code_point(in->p, n);
		if (c >= 0x10000 && shift_unit(&s, 0xd800 + ((c - 0x10000) >> 10)) < 0)
			return -1;
		if (shift_unit(&s, c >= 0x10000 ? 0xdc00 + ((c - 0x10000) & 0x3ff) : c) < 0)
			return -1;
		*in = span_from(*in, n);
	}
	if (s.n_bits && str_addc(out, alphabet[s.bits << (6 - s.n_bits) & 0x3f]) < 0)
		return -1;
	return str_addc(out, '-');
}

int imap_utf7_encode(struct str *out, struct span utf8)
{
	while (utf8.n) {
		unsigned char c = (unsigned char)utf8.p[0];

		if (is_control(c))
			return -1;
		if (c >= 0x80) {
			if (encode_shifted(out, &utf8) < 0)
				return -1;
			continue;
		}
		if ((c == '&' ? str_addz(out, "&-") : str_addc(out, (char)c)) < 0)
			return -1;
		utf8 = span_from(utf8, 1);
	}
	return 0;
}

bool imap_utf7_valid(struct span in)
{
	struct str out = STR_INIT(3 * in.n + 4);
	int rc = imap_utf7_decode(&out, in);

	str_fini(&out);
	return rc == 0;
}
