#include "proto/imap_parse.h"

#define KEYWORDS_MAX 250        /* of one command; a double is sought by walking */

static int system_flag(struct imap_parse *p, unsigned *bit_r, struct err *err)
{
	static const struct {
		const char *name;
		unsigned bit;
	} names[] = {
		{ "Answered", IMAP_FLAG_ANSWERED }, { "Flagged", IMAP_FLAG_FLAGGED }, { "Deleted", IMAP_FLAG_DELETED },
		{ "Seen", IMAP_FLAG_SEEN }, { "Draft", IMAP_FLAG_DRAFT },
	};
	struct span name;
	size_t i;

	if (imap_parse_atom(p, "flag", &name, err) < 0)
		return -1;
	for (i = 0; i < ARRAY_LEN(names); i++) {
		if (span_eq_nocase(name, names[i].name)) {
			*bit_r = names[i].bit;
			return 0;
		}
	}
	if (span_eq_nocase(name, "Recent"))
		return err_set(err, ERR_PROTO, "The flag \\Recent cannot be changed");
	return err_set(err, ERR_PROTO, "Unknown system flag \\%.*s", SPAN_ARG(name));
}

static bool same_keyword(struct span a, struct span b)
{
	return a.n == b.n && span_starts_nocase(a, b.p);
}

static int add_flag(struct imap_parse *p, struct imap_flags *f, struct err *err)
{
	struct span word;
	unsigned bit = 0;
	size_t i;

	if (imap_parse_skip(p, '\\')) {
		if (system_flag(p, &bit, err) < 0)
			return -1;
		f->bits |= bit;
		return 0;
	}
	if (imap_parse_atom(p, "flag", &word, err) < 0)
		return -1;
	if (word.n > IMAP_PARSE_KEYWORD_MAX)
		return err_set(err, ERR_PROTO, "Too long a keyword");
	word = arena_span(p->arena, word);
	for (i = 0; i < f->n; i++) {
		if (same_keyword(f->keywords[i], word))
			return 0;
	}
	if (f->n == KEYWORDS_MAX)
		return err_set(err, ERR_PROTO, "Too many keywords");
	if (!f->keywords)
		f->keywords = arena_alloc(p->arena, KEYWORDS_MAX * sizeof(*f->keywords));
	f->keywords[f->n++] = word;
	return 0;
}

int imap_parse_flag_list(struct imap_parse *p, struct imap_flags *flags_r, struct err *err)
{
	size_t n;
	int rc;

	*flags_r = (struct imap_flags){ 0 };
	if (imap_parse_list_begin(p, "flags", err) < 0)
		return -1;
	for (n = 0; (rc = imap_parse_list_more(p, n, err)) > 0; n++) {
		if (add_flag(p, flags_r, err) < 0)
			return -1;
	}
	return rc;
}

int imap_parse_flags(struct imap_parse *p, struct imap_flags *flags_r, struct err *err)
{
	if (imap_parse_peek(p) == '(')
		return imap_parse_flag_list(p, flags_r, err);
	*flags_r = (struct imap_flags){ 0 };
	do {
		if (add_flag(p, flags_r, err) < 0)
			return -1;
	} while (imap_parse_peek(p) == ' ' && imap_parse_sp(p, "flag", err) == 0);
	return 0;
}
