#include "imapd/commands.h"
#include "imapd/listing.h"

/* RFC 3501 section 6.3.9: with "%" the parent of what is subscribed is told, with \Noselect when it is not itself. */
static int tell(struct session *s, const struct folder *f)
{
	struct str line = STR_INIT(SIZE_MAX / 2);
	bool is_first = true;
	int rc;

	BUG(str_addz(&line, "* LSUB (") < 0);
	if (!f->is_subscribed) {
		BUG(str_addz(&line, "\\Noselect") < 0);
		is_first = false;
	}
	for (unsigned use = 1; use <= f->special && f->is_subscribed; use <<= 1) {
		if (!(f->special & use))
			continue;
		BUG(str_addf(&line, "%s%s", is_first ? "" : " ", folder_use_name(use)) < 0);
		is_first = false;
	}
	BUG(str_addf(&line, ") \"%c\" ", FOLDER_SEP) < 0 || session_folder_out(s, &line, span_z(f->name)) < 0);
	rc = session_putf(s, "%s\r\n", line.p);
	str_fini(&line);
	return rc;
}

enum cmd_rc cmd_lsub(struct session *s, struct command *c)
{
	struct err err = ERR_INIT;
	struct imap_list args;
	struct listing l;
	bool has_percent;
	int rc = 0;

	if (imap_list_args_lsub(&c->args, &args, &err) < 0)
		return session_fail(s, c, NULL, &err);
	has_percent = span_chr(args.patterns[0], '%') >= 0 || span_chr(args.reference, '%') >= 0;
	args.select = IMAP_LIST_SUBSCRIBED | IMAP_LIST_RECURSIVEMATCH;
	if (listing_make(s, &args, &l, &err) < 0)
		return session_fail(s, c, NULL, &err);
	for (size_t i = 0; i < l.folders.n && rc == 0; i++)
		if ((l.bits[i] & LISTING_SHOWN) && (has_percent || l.folders.v[i].is_subscribed))
			rc = tell(s, &l.folders.v[i]);
	return rc < 0 ? CMD_END : session_ok(s, c, "Lsub completed.");
}
