#include "base/span.h"

#include <strings.h>

bool span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool span_eqz(struct span a, const char *z)
{
	return span_eq(a, span_z(z));
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool span_starts_nocase(struct span a, const char *z)
{
	size_t i;

	for (i = 0; z[i]; i++) {
		if (i >= a.n || lower(a.p[i]) != lower(z[i]))
			return false;
	}
	return true;
}

bool span_eq_nocase(struct span a, const char *z)
{
	return a.n == strlen(z) && span_starts_nocase(a, z);
}

bool span_same_nocase(struct span a, struct span b)
{
	size_t i = 0;

	if (a.n != b.n)
		return false;
	while (i < a.n && lower(a.p[i]) == lower(b.p[i]))
		i++;
	return i == a.n;
}

bool span_starts(struct span a, const char *z)
{
	size_t n = strlen(z);

	return a.n >= n && memcmp(a.p ? a.p : "", z, n) == 0;
}

bool span_ends_nocase(struct span a, const char *z)
{
	size_t n = strlen(z);

	return a.n >= n && span_eq_nocase(span_from(a, a.n - n), z);
}

int span_cmp(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int rc = n ? memcmp(a.p, b.p, n) : 0;

	return rc ? rc : (a.n > b.n) - (a.n < b.n);
}

ptrdiff_t span_chr(struct span s, char c)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

	return at ? at - s.p : -1;
}

ptrdiff_t span_rchr(struct span s, char c)
{
	const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;

	return at ? at - s.p : -1;
}

struct span span_sub(struct span s, size_t from, size_t n)
{
	if (from > s.n)
		from = s.n;
	if (n > s.n - from)
		n = s.n - from;
	return (struct span){ s.p ? s.p + from : NULL, n };
}

struct span span_from(struct span s, size_t from)
{
	return span_sub(s, from, s.n);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span span_trim(struct span s)
{
	while (s.n && is_blank(s.p[0]))
		s = span_from(s, 1);
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool span_cut(struct span in, char sep, struct span *head_r, struct span *tail_r)
{
	ptrdiff_t at = span_chr(in, sep);

	if (at < 0) {
		*head_r = in;
		*tail_r = SPAN_NULL;
		return false;
	}
	*head_r = span_sub(in, 0, (size_t)at);
	*tail_r = span_from(in, (size_t)at + 1);
	return true;
}

static bool in_set(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

bool span_word(struct span *in, const char *seps, struct span *word_r)
{
	size_t n = 0;

	while (in->n && in_set(in->p[0], seps))
		*in = span_from(*in, 1);
	while (n < in->n && !in_set(in->p[n], seps))
		n++;
	*word_r = span_sub(*in, 0, n);
	*in = span_from(*in, n);
	return n > 0;
}

int span_u64(struct span s, uint64_t max, uint64_t *out_r)
{
	uint64_t v = 0;
	size_t i;

	if (s.n == 0)
		return -1;
	for (i = 0; i < s.n; i++) {
		uint64_t digit = (uint64_t)(unsigned char)s.p[i] - '0';

		if (digit > 9 || digit > max || v > max / 10 || v * 10 > max - digit)
			return -1;
		v = v * 10 + digit;
	}
	*out_r = v;
	return 0;
}

bool span_has_nul(struct span s)
{
	return span_chr(s, '\0') >= 0;
}
