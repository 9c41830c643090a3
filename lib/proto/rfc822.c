#include "proto/rfc822.h"

enum { ATEXT = 1, TOKEN = 2 };

/* RFC 5322 section 3.2.3 and RFC 2045 section 5.1, and every byte over 127 */
static const unsigned char class[256] = {
	['0' ... '9'] = ATEXT | TOKEN, ['A' ... 'Z'] = ATEXT | TOKEN, ['a' ... 'z'] = ATEXT | TOKEN,
	[0x80 ... 0xff] = ATEXT | TOKEN,
	['!'] = ATEXT | TOKEN, ['#'] = ATEXT | TOKEN, ['$'] = ATEXT | TOKEN, ['%'] = ATEXT | TOKEN,
	['&'] = ATEXT | TOKEN, ['\''] = ATEXT | TOKEN, ['*'] = ATEXT | TOKEN, ['+'] = ATEXT | TOKEN,
	['-'] = ATEXT | TOKEN, ['/'] = ATEXT, ['='] = ATEXT, ['?'] = ATEXT, ['^'] = ATEXT | TOKEN,
	['_'] = ATEXT | TOKEN, ['`'] = ATEXT | TOKEN, ['{'] = ATEXT | TOKEN, ['|'] = ATEXT | TOKEN,
	['}'] = ATEXT | TOKEN, ['~'] = ATEXT | TOKEN, ['.'] = TOKEN,
};

static bool is_class(char c, unsigned char bit)
{
	return class[(unsigned char)c] & bit;
}

/* At the "("; a comment nests. */
static bool skip_comment(struct rfc822 *r)
{
	const char *p = r->p + 1, *start = p;
	unsigned depth = 1;

	if (r->comment)
		str_reset(r->comment);
	for (; p < r->end; p++) {
		bool is_break = *p == '\r' || *p == '\n', is_escape = *p == '\\' && p + 1 < r->end;

		if (*p == '(')
			depth++;
		else if (*p == ')')
			depth--;
		if (!depth || is_break || is_escape) {
			if (r->comment)
				(void)!str_add(r->comment, start, (size_t)(p - start));
			start = p + 1;
		}
		if (!depth) {
			r->p = p + 1;
			return true;
		}
		p += is_escape;
	}
	r->p = r->end;
	return false;
}

enum rfc822_rc rfc822_skip(struct rfc822 *r)
{
	while (r->p < r->end) {
		if (*r->p == ' ' || *r->p == '\t' || *r->p == '\r' || *r->p == '\n')
			r->p++;
		else if (*r->p != '(')
			return RFC822_MORE;
		else if (!skip_comment(r))
			return RFC822_BAD;
	}
	return RFC822_END;
}

static size_t take(struct rfc822 *r, struct str *out, unsigned char bit, char also)
{
	const char *start = r->p;

	while (r->p < r->end && (is_class(*r->p, bit) || (also && *r->p == also)))
		r->p++;
	(void)!str_add(out, start, (size_t)(r->p - start));
	return (size_t)(r->p - start);
}

enum rfc822_rc rfc822_atom(struct rfc822 *r, struct str *out)
{
	return take(r, out, ATEXT, '\0') ? rfc822_skip(r) : RFC822_BAD;
}

enum rfc822_rc rfc822_dot_atom(struct rfc822 *r, struct str *out)
{
	for (;;) {
		bool ends_in_dot;
		enum rfc822_rc rc;

		if (!take(r, out, ATEXT, '.'))
			return RFC822_BAD;
		ends_in_dot = r->p[-1] == '.';
		rc = rfc822_skip(r);
		if (rc != RFC822_MORE || (*r->p != '.' && !(ends_in_dot && is_class(*r->p, ATEXT))))
			return rc;
	}
}

enum rfc822_rc rfc822_quoted(struct rfc822 *r, struct str *out)
{
	const char *p = r->p + 1, *start = p;

	for (; p < r->end; p++) {
		if (*p != '"' && *p != '\\' && *p != '\r' && *p != '\n')
			continue;
		(void)!str_add(out, start, (size_t)(p - start));
		start = p + 1;
		if (*p == '"') {
			r->p = p + 1;
			return rfc822_skip(r);
		}
		if (*p == '\\')
			p++;
	}
	r->p = r->end;
	return RFC822_BAD;
}

enum rfc822_rc rfc822_token(struct rfc822 *r, struct str *out)
{
	take(r, out, TOKEN, '\0');
	return rfc822_skip(r);
}

enum rfc822_rc rfc822_phrase(struct rfc822 *r, struct str *out)
{
	enum rfc822_rc rc;

	if (r->p == r->end)
		return RFC822_END;
	if (*r->p == '.')
		return RFC822_BAD;
	for (;;) {
		if (*r->p == '"')
			rc = rfc822_quoted(r, out);
		else {
			take(r, out, ATEXT, '.');
			rc = rfc822_skip(r);
		}
		if (rc != RFC822_MORE || (!is_class(*r->p, ATEXT) && *r->p != '"' && *r->p != '.'))
			return rc;
		(void)!str_addc(out, ' ');
	}
}

bool rfc822_param(struct rfc822 *r, struct str *name, struct str *value)
{
	for (;;) {
		const char *semicolon = r->p < r->end ? memchr(r->p, ';', (size_t)(r->end - r->p)) : NULL;
		enum rfc822_rc rc;

		if (!semicolon) {
			r->p = r->end;
			return false;
		}
		r->p = semicolon + 1;
		str_reset(name);
		str_reset(value);
		if (rfc822_skip(r) != RFC822_MORE || rfc822_token(r, name) != RFC822_MORE || name->n == 0 ||
		    *r->p != '=')
			continue;
		r->p++;
		rc = rfc822_skip(r);
		if (rc == RFC822_MORE)
			rc = *r->p == '"' ? rfc822_quoted(r, value) : rfc822_token(r, value);
		if (rc != RFC822_BAD)
			return true;
	}
}
