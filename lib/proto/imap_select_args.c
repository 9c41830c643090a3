#include "proto/imap_select_args.h"

/* RFC 7162 section 3.2.5: numbers only. */
static int plain_set(struct imap_parse *p, struct imap_seqset *set, struct err *err)
{
	if (imap_seqset_parse(p, set, err) < 0)
		return -1;
	return set->has_star || set->has_saved ? err_set(err, ERR_PROTO, "Invalid set in QRESYNC") : 0;
}

/* RFC 7162 section 3.2.5.2. Both sets ascend, so the sorted ones still pair. */
static int match_data(struct imap_parse *p, struct imap_select *s, struct err *err)
{
	if (imap_parse_list_begin(p, "sequence match data", err) < 0 || plain_set(p, &s->match_seqs, err) < 0 ||
	    imap_parse_sp(p, "known UIDs", err) < 0 || plain_set(p, &s->match_uids, err) < 0)
		return -1;
	if (!imap_parse_skip(p, ')'))
		return err_set(err, ERR_PROTO, "Missing ')' after the sequence match data");
	p->depth--;
	if (imap_seqset_count(&s->match_seqs) != imap_seqset_count(&s->match_uids))
		return err_set(err, ERR_PROTO, "The sets of the sequence match data differ in length");
	s->has_match = true;
	return 0;
}

static int qresync(struct imap_parse *p, struct imap_select *s, struct err *err)
{
	if (imap_parse_sp(p, "QRESYNC parameters", err) < 0 ||
	    imap_parse_list_begin(p, "QRESYNC parameters", err) < 0 ||
	    imap_parse_nz_number(p, "UIDVALIDITY", &s->uidvalidity, err) < 0 ||
	    imap_parse_sp(p, "mod-sequence", err) < 0 ||
	    imap_parse_number64(p, "mod-sequence", &s->modseq, err) < 0)
		return -1;
	s->is_condstore = s->is_qresync = true;
	if (imap_parse_skip(p, ' ') && imap_parse_peek(p) != '(') {
		if (plain_set(p, &s->known_uids, err) < 0)
			return -1;
		s->has_known_uids = true;
		(void)imap_parse_skip(p, ' ');
	}
	if (imap_parse_peek(p) == '(' && match_data(p, s, err) < 0)
		return -1;
	if (!imap_parse_skip(p, ')'))
		return err_set(err, ERR_PROTO, "Missing ')' after the QRESYNC parameters");
	p->depth--;
	return 0;
}

static int parameters(struct imap_parse *p, struct imap_select *s, struct err *err)
{
	size_t n;
	int rc;

	if (imap_parse_list_begin(p, "parameters", err) < 0)
		return -1;
	for (n = 0; (rc = imap_parse_list_more(p, n, err)) > 0; n++) {
		if (imap_parse_skip_word(p, "CONDSTORE"))
			s->is_condstore = true;
		else if (!imap_parse_skip_word(p, "QRESYNC"))
			return err_set(err, ERR_PROTO, "Unknown parameter");
		else if (s->is_qresync)
			return err_set(err, ERR_PROTO, "QRESYNC is given twice");
		else if (qresync(p, s, err) < 0)
			return -1;
	}
	return rc;
}

int imap_select_args_parse(struct imap_parse *p, char sep, struct imap_select *out_r, struct err *err)
{
	*out_r = (struct imap_select){ 0 };
	if (imap_parse_sp(p, "mailbox name", err) < 0 || imap_parse_mailbox(p, sep, &out_r->mailbox, err) < 0)
		return -1;
	if (imap_parse_skip(p, ' ') && imap_parse_peek(p) == '(' && parameters(p, out_r, err) < 0)
		return -1;
	return imap_parse_end(p, err);
}
