#include "imapd/fetch.h"

#include <strings.h>

static bool is_listed(const struct imap_fetch_item *it, struct span name)
{
	size_t i;

	for (i = 0; i < it->n_fields; i++) {
		if (span_same_nocase(it->fields[i], name))
			return true;
	}
	return false;
}

static bool is_kept(const struct imap_fetch_item *it, struct span line)
{
	struct span name, value;

	if (!span_cut(line, ':', &name, &value))
		return it->text == IMAP_FETCH_FIELDS_NOT;
	while (name.n && (name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '\t'))
		name.n--;
	return is_listed(it, name) == (it->text == IMAP_FETCH_FIELDS);
}

int fetch_header_filter(struct str *out, struct span header, const struct imap_fetch_item *it)
{
	bool keeps = false, is_first = true;

	while (header.n && !span_starts(header, "\r\n")) {
		ptrdiff_t lf = span_chr(header, '\n');
		struct span line = lf < 0 ? header : span_sub(header, 0, (size_t)lf + 1);

		if (is_first || (line.p[0] != ' ' && line.p[0] != '\t'))
			keeps = is_kept(it, line);
		is_first = false;
		if (keeps && (str_add_span(out, line) < 0 || (lf < 0 && str_addz(out, "\r\n") < 0)))
			return -1;
		header = span_from(header, line.n);
	}
	return str_addz(out, "\r\n");
}
