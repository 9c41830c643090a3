#include "imapd/search_text.h"

#include "proto/sort_key.h"

#define FEW 256                 /* bytes of a short text */
#define BLOCK 64                /* bytes of a loop that the compiler turns into vectors */
#define FOLDED_MAX (SEARCH_TEXT_CHUNK * 64u)    /* decomposition makes at most 18 characters of one */

void search_text_init(struct search_text *t, struct search_needle **needles, size_t n)
{
	size_t i;

	*t = (struct search_text){ .needles = needles, .n = n };
	for (i = 0; i < n; i++)
		t->longest = needles[i]->text.n > t->longest ? needles[i]->text.n : t->longest;
	str_init(&t->folded, FOLDED_MAX + t->longest);
	search_text_reset(t);
}

void search_text_fini(struct search_text *t)
{
	str_fini(&t->folded);
}

void search_text_reset(struct search_text *t)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		t->needles[i]->is_found = false;
	t->n_left = t->n;
	str_reset(&t->folded);
}

void search_text_break(struct search_text *t)
{
	size_t i;

	str_reset(&t->folded);
	t->n_left = 0;
	for (i = 0; i < t->n; i++)
		t->n_left += !t->needles[i]->is_found;
}

bool search_text_is_ascii(struct span s)
{
	unsigned char any = 0;
	size_t i = 0, k;

	for (; i + BLOCK <= s.n; i += BLOCK) {
		for (k = 0; k < BLOCK; k++)
			any |= (unsigned char)s.p[i + k];
	}
	for (; i < s.n; i++)
		any |= (unsigned char)s.p[i];
	return any < 128;
}

static void fold_ascii(char *to, struct span s)
{
	size_t i = 0, k;

	for (; i + BLOCK <= s.n; i += BLOCK) {
		for (k = 0; k < BLOCK; k++) {
			unsigned char c = (unsigned char)s.p[i + k];

			to[i + k] = (char)(c - ((unsigned char)(c - 'a') < 26 ? 32 : 0));
		}
	}
	for (; i < s.n; i++)
		to[i] = (char)(s.p[i] - ((unsigned char)(s.p[i] - 'a') < 26 ? 32 : 0));
}

bool search_text_has(struct span text, struct span needle)
{
	const char *p = text.p, *last;

	if (text.n < needle.n || needle.n == 0)
		return needle.n == 0;
	/* what memmem prepares is too much for a subject */
	if (text.n > FEW || needle.n > FEW / 8)
		return memmem(text.p, text.n, needle.p, needle.n);
	for (last = p + (text.n - needle.n); p <= last; p++) {
		p = memchr(p, needle.p[0], (size_t)(last - p) + 1);
		if (!p)
			return false;
		if (memcmp(p, needle.p, needle.n) == 0)
			return true;
	}
	return false;
}

static void feed(struct search_text *t, struct span utf8)
{
	size_t i, keep = t->longest - 1;

	if (t->folded.n > keep)
		str_drop(&t->folded, t->folded.n - keep);
	if (search_text_is_ascii(utf8)) {
		char *to = str_room(&t->folded, utf8.n);

		BUG(!to);
		fold_ascii(to, utf8);
		str_grew(&t->folded, utf8.n);
	} else
		BUG(sort_key_fold(&t->folded, utf8) < 0);
	for (i = 0; i < t->n; i++) {
		struct search_needle *needle = t->needles[i];

		if (!needle->is_found && search_text_has(str_span(&t->folded), needle->text)) {
			needle->is_found = true;
			t->n_left--;
		}
	}
}

void search_text_feed(struct search_text *t, struct span utf8)
{
	while (utf8.n && t->n_left) {
		size_t n = utf8.n < SEARCH_TEXT_CHUNK ? utf8.n : SEARCH_TEXT_CHUNK;

		/* a character stays whole */
		while (n < utf8.n && n > SEARCH_TEXT_CHUNK - 4 && ((unsigned char)utf8.p[n] & 0xc0) == 0x80)
			n--;
		feed(t, span_sub(utf8, 0, n));
		utf8 = span_from(utf8, n);
	}
}
