#include "proto/imap_append_args.h"

int imap_append_args_next(struct imap_parse *p, bool is_first, struct imap_append *out_r, struct err *err)
{
	struct imap_append a = { 0 };

	if (!is_first && span_trim(span_from(p->in, p->at)).n == 0) {
		*out_r = (struct imap_append){ .is_end = true };
		return 0;
	}
	if (imap_parse_sp(p, "message", err) < 0)
		return -1;
	if (imap_parse_peek(p) == '(' &&
	    (imap_parse_flag_list(p, &a.flags, err) < 0 || imap_parse_sp(p, "date or literal", err) < 0))
		return -1;
	if (imap_parse_peek(p) == '"') {
		if (imap_parse_date_time(p, &a.unix_s, &a.offset_min, err) < 0 || imap_parse_sp(p, "literal", err) < 0)
			return -1;
		a.has_date = true;
	}
	*out_r = a;
	return imap_parse_literal_head(p, &out_r->literal, err);
}
