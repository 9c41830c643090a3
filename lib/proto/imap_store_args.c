#include "proto/imap_store_args.h"

static int modifiers(struct imap_parse *p, struct imap_store *s, struct err *err)
{
	size_t n;
	int rc;

	if (imap_parse_list_begin(p, "STORE modifiers", err) < 0)
		return -1;
	for (n = 0; (rc = imap_parse_list_more(p, n, err)) > 0; n++) {
		if (!imap_parse_skip_word(p, "UNCHANGEDSINCE"))
			return err_set(err, ERR_PROTO, "Unknown STORE modifier");
		if (imap_parse_sp(p, "mod-sequence", err) < 0 ||
		    imap_parse_number64(p, "mod-sequence", &s->unchangedsince, err) < 0)
			return -1;
		s->has_unchangedsince = true;
	}
	return rc;
}

int imap_store_args_parse(struct imap_parse *p, struct imap_store *out_r, struct err *err)
{
	struct imap_store s = { .mode = IMAP_STORE_REPLACE };

	if (imap_parse_sp(p, "message set", err) < 0 || imap_seqset_parse(p, &s.set, err) < 0 ||
	    imap_parse_sp(p, "FLAGS", err) < 0)
		return -1;
	if (imap_parse_peek(p) == '(' && (modifiers(p, &s, err) < 0 || imap_parse_sp(p, "FLAGS", err) < 0))
		return -1;
	if (imap_parse_skip(p, '+'))
		s.mode = IMAP_STORE_ADD;
	else if (imap_parse_skip(p, '-'))
		s.mode = IMAP_STORE_REMOVE;
	s.is_silent = imap_parse_skip_word(p, "FLAGS.SILENT");
	if (!s.is_silent && !imap_parse_skip_word(p, "FLAGS"))
		return err_set(err, ERR_PROTO, "STORE knows only FLAGS and FLAGS.SILENT, with + or - before them");
	if (imap_parse_sp(p, "flags", err) < 0 || imap_parse_flags(p, &s.flags, err) < 0)
		return -1;
	*out_r = s;
	return imap_parse_end(p, err);
}
