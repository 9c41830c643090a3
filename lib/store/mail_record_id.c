#include "store/mail_record_priv.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Behind the "<": the id goes to out, in stands behind the ">". Blanks inside come from folding. */
static bool take(struct span *in, struct str *out)
{
	bool has_at = false, is_quoted = false;
	size_t i, start = out->n;

	for (i = 0; i < in->n; i++) {
		char c = in->p[i];

		if (!is_quoted && (c == '>' || c == '<'))
			break;
		if (c == '"') {
			is_quoted = !is_quoted;
			continue;
		}
		if (is_quoted && c == '\\' && i + 1 < in->n)
			c = in->p[++i];
		else if (c == '@' && !is_quoted)
			has_at = out->n > start;
		if ((!is_blank(c) || is_quoted) && c != '\0')
			(void)!str_addc(out, c);
	}
	*in = span_from(*in, i);
	if (in->n && in->p[0] == '>' && has_at && out->p[out->n - 1] != '@') {
		*in = span_from(*in, 1);
		return true;
	}
	str_cut(out, start);
	return false;
}

bool mail_record_id(struct span *in, struct str *out)
{
	ptrdiff_t open;

	while ((open = span_chr(*in, '<')) >= 0) {
		*in = span_from(*in, (size_t)open + 1);
		if (take(in, out))
			return true;
	}
	*in = SPAN_NULL;
	return false;
}
