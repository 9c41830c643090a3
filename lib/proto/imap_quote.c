#include "proto/imap_quote.h"

#define ESCAPES_MAX 4   /* with more a literal is shorter and easier to read */
#define REPLACEMENT "\xef\xbf\xbd"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int add_literal(struct str *out, struct span s, size_t n_nul)
{
	size_t i, start = 0;

	if (str_addf(out, "{%zu}\r\n", s.n + 2 * n_nul) < 0)
		return -1;
	for (i = 0; n_nul && i < s.n; i++) {
		if (s.p[i] != '\0')
			continue;
		if (str_add(out, s.p + start, i - start) < 0 || str_addz(out, REPLACEMENT) < 0)
			return -1;
		start = i + 1;
	}
	return str_add(out, s.p + start, s.n - start);
}

static int add_quoted(struct str *out, struct span s)
{
	size_t i, start = 0;

	if (str_addc(out, '"') < 0)
		return -1;
	for (i = 0; i < s.n; i++) {
		if (s.p[i] != '"' && s.p[i] != '\\')
			continue;
		if (str_add(out, s.p + start, i - start) < 0 || str_addc(out, '\\') < 0)
			return -1;
		start = i;
	}
	if (str_add(out, s.p + start, s.n - start) < 0)
		return -1;
	return str_addc(out, '"');
}

int imap_quote_string(struct str *out, struct span s)
{
	size_t i, n_nul = 0, n_escapes = 0;
	bool is_8bit = false, has_break = false;

	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		n_nul += c == '\0';
		n_escapes += c == '"' || c == '\\';
		is_8bit |= c > 127;
		has_break |= c == '\r' || c == '\n';
	}
	if (has_break) {
		struct str copy = STR_INIT(s.n);
		int rc;

		for (i = 0; i < s.n; i++) {
			if (s.p[i] != '\r' && s.p[i] != '\n')
				(void)!str_addc(&copy, s.p[i]);
		}
		rc = imap_quote_string(out, str_span(&copy));
		str_fini(&copy);
		return rc;
	}
	if (is_8bit || n_nul || n_escapes > ESCAPES_MAX)
		return add_literal(out, s, n_nul);
	return add_quoted(out, s);
}

int imap_quote_nstring(struct str *out, struct span s)
{
	return s.p ? imap_quote_string(out, s) : str_addz(out, "NIL");
}

int imap_quote_text(struct str *out, struct span s)
{
	size_t i, n = 0, n_nul = 0;
	struct str text = STR_INIT(s.n);
	bool is_literal = false, is_gap = false;
	char *to = str_room(&text, s.n);
	int rc;

	for (i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (is_blank(s.p[i])) {
			is_literal |= c != ' ' || is_gap || n == 0 || i + 1 == s.n;
			is_gap = true;
			continue;
		}
		if (is_gap && n)
			to[n++] = ' ';
		is_gap = false;
		n_nul += c == '\0';
		is_literal |= c > 127 || c == '\0' || c == '"' || c == '\\';
		to[n++] = s.p[i];
	}
	str_grew(&text, n);
	is_literal &= n > 0;
	rc = is_literal ? add_literal(out, str_span(&text), n_nul) : add_quoted(out, str_span(&text));
	str_fini(&text);
	return rc;
}
