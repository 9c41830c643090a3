#include "proto/imap_pattern.h"

#include <stdbool.h>
#include <string.h>

/* "**" is "*", "%*" and "*%" too, "%%" is "%". */
static size_t add_part(char *to, size_t n, struct span part)
{
	size_t i;

	for (i = 0; i < part.n; i++) {
		char c = part.p[i];
		bool is_run = (c == '*' || c == '%') && n && (to[n - 1] == '*' || to[n - 1] == '%');

		if (!is_run)
			to[n++] = c;
		else if (c == '*')
			to[n - 1] = '*';
	}
	return n;
}

int imap_pattern_init(struct imap_pattern *pat, struct arena *a, struct span reference, struct span pattern, char sep)
{
	char *text = arena_alloc(a, reference.n + pattern.n + 1);
	size_t n = add_part(text, add_part(text, 0, reference), pattern);

	*pat = (struct imap_pattern){ { text, n }, sep };
	return n > IMAP_PATTERN_MAX ? -1 : 0;
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* All places of the pattern where the name so far may have led, at once: live[j] means text[0..j) has matched. A
 * wildcard may match nothing, so whoever is before it is behind it too. */
static void close_over(const struct imap_pattern *pat, bool *live)
{
	size_t j;

	for (j = 0; j < pat->text.n; j++)
		live[j + 1] |= live[j] && (pat->text.p[j] == '*' || pat->text.p[j] == '%');
}

static void step(const struct imap_pattern *pat, bool *live, char c, bool is_nocase)
{
	const char *t = pat->text.p;
	size_t j;

	for (j = pat->text.n + 1; j-- > 0;) {
		bool stays = live[j] && j < pat->text.n &&
			(t[j] == '*' || (t[j] == '%' && (c != pat->sep || c == '\0')));
		bool comes = j > 0 && live[j - 1] && t[j - 1] != '*' && t[j - 1] != '%' &&
		             (t[j - 1] == c || (is_nocase && upper(t[j - 1]) == upper(c)));

		live[j] = stays || comes;
	}
	close_over(pat, live);
}

unsigned imap_pattern_match(const struct imap_pattern *pat, struct span name)
{
	bool live[IMAP_PATTERN_MAX + 1] = { true };
	bool is_inbox = span_starts_nocase(name, "INBOX") && (name.n == 5 || name.p[5] == pat->sep);
	unsigned rc;
	size_t i;

	close_over(pat, live);
	for (i = 0; i < name.n; i++)
		step(pat, live, name.p[i], is_inbox && i < 5);
	rc = live[pat->text.n] ? IMAP_PATTERN_SELF : 0;
	if (pat->sep == '\0')
		return rc;
	step(pat, live, pat->sep, false);
	return memchr(live, true, pat->text.n) ? rc | IMAP_PATTERN_CHILD : rc;
}
