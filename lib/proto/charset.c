#include "proto/charset.h"

#include <errno.h>

#include "base/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define NAME_BYTES_MAX 60
#define STEP 1024

int charset_open(struct charset *c, struct span name)
{
	char z[NAME_BYTES_MAX + 1];
	size_t i;

	memset(c, 0, sizeof(*c));
	c->cd = (iconv_t)-1;
	if (span_eq_nocase(name, "utf-8") || span_eq_nocase(name, "utf8") || span_eq_nocase(name, "us-ascii"))
		return 0;
	if (span_eq_nocase(name, "iso-8859-1")) {
		c->kind = CHARSET_LATIN1;
		return 0;
	}
	if (!name.n || name.n > NAME_BYTES_MAX)
		return -1;
	for (i = 0; i < name.n; i++) {
		z[i] = name.p[i];
		/* "/" begins options of iconv */
		if (!((z[i] >= '0' && z[i] <= '9') || ((z[i] | 32) >= 'a' && (z[i] | 32) <= 'z') ||
		      (z[i] && strchr("-_.:+()", z[i]))))
			return -1;
	}
	z[name.n] = '\0';
	c->kind = CHARSET_ICONV;
	c->cd = iconv_open("UTF-8", z);
	return c->cd == (iconv_t)-1 ? -1 : 0;
}

void charset_close(struct charset *c)
{
	if (c->kind == CHARSET_ICONV && c->cd != (iconv_t)-1)
		iconv_close(c->cd);
	c->cd = (iconv_t)-1;
}

/* True when p may become a sequence with more bytes. */
static bool is_cut(const char *p, size_t n)
{
	unsigned char lead = (unsigned char)p[0];
	size_t want = lead >= 0xf0 && lead <= 0xf4 ? 4 : lead >= 0xe0 ? 3 : 2, i;

	if (lead < 0xc2 || lead > 0xf4 || n >= want)
		return false;
	for (i = 1; i < n; i++) {
		if (((unsigned char)p[i] & 0xc0) != 0x80)
			return false;
	}
	return true;
}

/* Returns the bytes used, or -1; the rest is a sequence that was cut. */
static ptrdiff_t convert_utf8(struct span in, bool is_end, struct str *out)
{
	size_t i = 0, start = 0;

	if (!in.n)
		return 0;
	while (i < in.n) {
		size_t n = (unsigned char)in.p[i] < 128 ? 1 : utf8_len(in.p + i, in.n - i);

		if (n) {
			i += n;
			continue;
		}
		if (str_add(out, in.p + start, i - start) < 0)
			return -1;
		start = i;
		if (!is_end && is_cut(in.p + i, in.n - i))
			return (ptrdiff_t)i;
		if (str_addz(out, REPLACEMENT) < 0)
			return -1;
		start = ++i;
	}
	return str_add(out, in.p + start, i - start) < 0 ? -1 : (ptrdiff_t)i;
}

static ptrdiff_t convert_latin1(struct span in, struct str *out)
{
	size_t i;

	for (i = 0; i < in.n; i++) {
		unsigned char b = (unsigned char)in.p[i];
		char pair[2] = { (char)(0xc0 | b >> 6), (char)(0x80 | (b & 0x3f)) };

		if ((b < 128 ? str_addc(out, (char)b) : str_add(out, pair, 2)) < 0)
			return -1;
	}
	return (ptrdiff_t)i;
}

static ptrdiff_t convert_iconv(iconv_t cd, struct span in, bool is_end, struct str *out)
{
	char *p = (char *)in.p;
	size_t n = in.n;

	while (n) {
		char buf[STEP], *to = buf;
		size_t room = sizeof(buf), rc = iconv(cd, &p, &n, &to, &room);
		int why = rc == (size_t)-1 ? errno : 0;

		if (str_add(out, buf, sizeof(buf) - room) < 0)
			return -1;
		if (why == EINVAL && !is_end)
			break;
		if (why && why != E2BIG) {
			if (str_addz(out, REPLACEMENT) < 0)
				return -1;
			p++;
			n--;
		}
	}
	return (ptrdiff_t)(in.n - n);
}

/* Some decoders (windows-1255, windows-1258) hold a letter back for the accent that may follow: this asks for it. */
static int flush(iconv_t cd, struct str *out)
{
	char buf[STEP], *to = buf;
	size_t room = sizeof(buf);

	iconv(cd, NULL, NULL, &to, &room);
	return str_add(out, buf, sizeof(buf) - room);
}

static ptrdiff_t convert(struct charset *c, struct span in, bool is_end, struct str *out)
{
	if (c->kind == CHARSET_ICONV)
		return convert_iconv(c->cd, in, is_end, out);
	return c->kind == CHARSET_UTF8 ? convert_utf8(in, is_end, out) : convert_latin1(in, out);
}

int charset_convert(struct charset *c, struct span in, bool is_end, struct str *out)
{
	ptrdiff_t used;

	while (c->n_held && in.n) {
		c->held[c->n_held++] = in.p[0];
		in = span_from(in, 1);
		used = convert(c, (struct span){ c->held, c->n_held }, c->n_held == sizeof(c->held), out);
		if (used < 0)
			return -1;
		c->n_held -= (size_t)used;
		memmove(c->held, c->held + used, c->n_held);
	}
	used = convert(c, in, is_end, out);
	if (used < 0)
		return -1;
	in = span_from(in, (size_t)used);
	if (in.n > sizeof(c->held) - 1)
		return convert(c, in, true, out) < 0 ? -1 : 0;
	if (in.n) {
		memcpy(c->held, in.p, in.n);
		c->n_held = in.n;
	}
	if (is_end && c->n_held) {
		used = convert(c, (struct span){ c->held, c->n_held }, true, out);
		c->n_held = 0;
	}
	if (used >= 0 && is_end && c->kind == CHARSET_ICONV)
		return flush(c->cd, out);
	return used < 0 ? -1 : 0;
}

int charset_repair(struct span in, struct str *out)
{
	return convert_utf8(in, true, out) < 0 ? -1 : 0;
}
