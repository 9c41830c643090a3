#include "proto/access.h"

#include "proto/address.h"

static void add(struct access_keys *k, struct span key)
{
	if (k->n < ACCESS_KEYS_MAX && key.n)
		k->v[k->n++] = key;
}

static struct span lowered(struct arena *a, struct span s)
{
	char *p = arena_strndup(a, s.p ? s.p : "", s.n);
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] + ('a' - 'A'));
	}
	return (struct span){ p, s.n };
}

static void add_parents(struct access_keys *k, struct span domain)
{
	struct span head, with_dot;

	add(k, domain);
	while (span_cut(domain, '.', &head, &domain)) {
		with_dot = (struct span){ domain.p - 1, domain.n + 1 };
		add(k, k->is_dotted ? with_dot : domain);
	}
}

void access_domain_keys(struct access_keys *k, struct arena *a, struct span domain)
{
	add_parents(k, lowered(a, domain));
}

void access_addr_keys(struct access_keys *k, struct arena *a, struct span addr)
{
	char sep = span_chr(addr, ':') >= 0 ? ':' : '.';
	struct span key = lowered(a, addr);
	ptrdiff_t at;

	add(k, key);
	while ((at = span_rchr(key, sep)) > 0) {
		key.n = (size_t)at;
		/* "2001:db8::" is cut at both colons */
		while (key.n && key.p[key.n - 1] == sep)
			key.n--;
		add(k, key);
	}
}

/* The local part without quotes: a table says a..b@example.com for "a..b"@example.com. */
static struct span unquoted(struct arena *a, struct span local)
{
	char *p = arena_alloc(a, local.n + 1);
	size_t i, n = 0;

	if (local.n < 2 || local.p[0] != '"' || local.p[local.n - 1] != '"')
		return local;
	for (i = 1; i < local.n - 1; i++) {
		if (local.p[i] == '\\' && i + 1 < local.n - 1)
			i++;
		p[n++] = local.p[i];
	}
	return (struct span){ p, n };
}

void access_mail_keys(struct access_keys *k, struct arena *a, struct span address, const char *delims)
{
	struct span whole = lowered(a, address), local, domain, base, ext;
	bool has_at = address_split(whole, &local, &domain), cut;

	local = unquoted(a, local);
	cut = address_extension(local, delims, &base, &ext);
	add(k, has_at ? span_z(arena_printf(a, "%.*s@%.*s", SPAN_ARG(local), SPAN_ARG(domain))) : local);
	if (cut && domain.n)
		add(k, span_z(arena_printf(a, "%.*s@%.*s", SPAN_ARG(base), SPAN_ARG(domain))));
	if (domain.n)
		add_parents(k, domain);
	add(k, span_z(arena_printf(a, "%.*s@", SPAN_ARG(local))));
	if (cut)
		add(k, span_z(arena_printf(a, "%.*s@", SPAN_ARG(base))));
}

enum access_action access_parse(struct span value, struct span *text_r)
{
	static const struct {
		const char *word;
		enum access_action action;
	} words[] = {
		{ "OK", ACCESS_OK }, { "RELAY", ACCESS_OK }, { "permit", ACCESS_OK }, { "DUNNO", ACCESS_DUNNO },
		{ "REJECT", ACCESS_REJECT }, { "DEFER", ACCESS_DEFER }, { "DEFER_IF_PERMIT", ACCESS_DEFER_IF_PERMIT },
		{ "DEFER_IF_REJECT", ACCESS_DEFER_IF_REJECT }, { "HOLD", ACCESS_HOLD }, { "DISCARD", ACCESS_DISCARD },
		{ "REDIRECT", ACCESS_REDIRECT }, { "BCC", ACCESS_BCC }, { "PREPEND", ACCESS_PREPEND },
		{ "WARN", ACCESS_WARN },
		{ "INFO", ACCESS_INFO }, { "FILTER", ACCESS_FILTER },
	};
	struct span whole = span_trim(value), rest = whole, word;
	uint64_t number;
	size_t i;

	*text_r = rest;
	if (!span_word(&rest, " \t", &word))
		return ACCESS_DUNNO;
	/* all digits is what pop-before-smtp tables hold: OK */
	if (word.n == 3 && span_u64(word, 599, &number) == 0 && number >= 400)
		return ACCESS_REPLY;
	if (word.n == whole.n && span_u64(word, UINT64_MAX, &number) == 0)
		return ACCESS_OK;
	for (i = 0; i < ARRAY_LEN(words); i++) {
		if (span_eq_nocase(word, words[i].word)) {
			*text_r = span_trim(rest);
			return words[i].action;
		}
	}
	return ACCESS_RESTRICTIONS;
}
