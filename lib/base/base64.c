#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_encode(struct str *out, struct span in)
{
	const unsigned char *p = (const unsigned char *)in.p;
	size_t i;

	for (i = 0; i < in.n; i += 3) {
		size_t left = in.n - i;
		uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
			(left > 2 ? p[i + 2] : 0u);
		char q[4] = { alphabet[v >> 18], alphabet[v >> 12 & 63], left > 1 ? alphabet[v >> 6 & 63] : '=',
			      left > 2 ? alphabet[v & 63] : '=' };

		if (str_add(out, q, 4) < 0)
			return -1;
	}
	return 0;
}

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static int decode_quad(struct str *out, const char *q, bool is_last)
{
	int a = value_of(q[0]), b = value_of(q[1]), c = value_of(q[2]), d = value_of(q[3]);
	unsigned char o[3];
	size_t n = 3;

	if (is_last && q[3] == '=') {
		d = 0;
		n = 2;
		if (q[2] == '=') {
			c = 0;
			n = 1;
		}
	}
	if (a < 0 || b < 0 || c < 0 || d < 0)
		return -1;
	o[0] = (unsigned char)(a << 2 | b >> 4);
	o[1] = (unsigned char)((b & 15) << 4 | c >> 2);
	o[2] = (unsigned char)((c & 3) << 6 | d);
	/* RFC 4648 section 3.5: pad bits must be zero, or two encodings mean the same bytes */
	if ((n == 1 && (b & 15)) || (n == 2 && (c & 3)))
		return -1;
	return str_add(out, o, n);
}

int base64_decode(struct str *out, struct span in)
{
	size_t i;

	if (in.n % 4)
		return -1;
	for (i = 0; i < in.n; i += 4) {
		if (decode_quad(out, in.p + i, i + 4 == in.n) < 0)
			return -1;
	}
	return 0;
}
