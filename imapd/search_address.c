#include "imapd/search_address.h"

#include "imapd/search_text.h"
#include "proto/rfc822.h"

#define ADDRESS_BYTES (1u << 20)        /* a longer one is left out */

bool search_address_may(struct span needle)
{
	return span_chr(needle, '@') >= 0 || span_chr(needle, '.') >= 0;
}

static bool is_loose(char c)
{
	return c == ' ' || c == '"' || c == ')';
}

/* Words of an address are joined by "@" and "."; only what stands beside these can be left out. */
static bool is_plain(struct span field)
{
	size_t i;

	for (i = 0; i < field.n; i++) {
		char c = field.p[i];

		if (c == '(' || ((c == '@' || c == '.') && ((i && is_loose(field.p[i - 1])) ||
							    (i + 1 < field.n && is_loose(field.p[i + 1])))))
			return false;
	}
	return true;
}

static struct span longest_word(struct span needle)
{
	struct span word = SPAN_NULL;
	size_t i, start = 0;

	for (i = 0; i <= needle.n; i++) {
		if (i < needle.n && needle.p[i] != '@' && needle.p[i] != '.')
			continue;
		if (i - start > word.n)
			word = span_sub(needle, start, i - start);
		start = i + 1;
	}
	return word;
}

/* Cheaper than taking the field apart: without backslashes the words are in both. */
static bool is_hopeless(struct span field, struct span needle)
{
	return is_plain(field) || (span_chr(field, '\\') < 0 && !search_text_has(field, longest_word(needle)));
}

static bool has(const struct rfc822_address *a, struct str *text, struct span needle)
{
	if (a->kind != RFC822_MAILBOX || !a->has_local || !a->has_domain || a->is_broken)
		return false;
	str_reset(text);
	return str_add_span(text, str_span(&a->local)) == 0 && str_addc(text, '@') == 0 &&
	       str_add_span(text, str_span(&a->domain)) == 0 && search_text_has(str_span(text), needle);
}

bool search_address_has(struct span field, struct span needle)
{
	struct str text = STR_INIT(ADDRESS_BYTES);
	struct rfc822_list l;
	struct span one;
	bool yes = false;

	if (is_hopeless(field, needle))
		return false;
	rfc822_list_init(&l, SPAN_NULL);
	/* fields of one name stand in lines */
	while (!yes && field.n) {
		span_cut(field, '\n', &one, &field);
		rfc822_list_again(&l, one);
		while (!yes && rfc822_list_next(&l))
			yes = has(&l.a, &text, needle);
	}
	rfc822_list_fini(&l);
	str_fini(&text);
	return yes;
}
