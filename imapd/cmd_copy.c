#include "imapd/commands.h"

#include <inttypes.h>
#include <stdlib.h>

struct copy {
	uint32_t *sel;
	size_t n;
	struct span name, folder;       /* as the client writes it, and as the store does */
	struct mailbox_added added;
	uint32_t *from;
};

static int parse(struct session *s, struct command *c, struct copy *cp, struct err *err)
{
	struct imap_seqset set = { 0 };

	if (imap_parse_sp(&c->args, "message set", err) < 0 || imap_seqset_parse(&c->args, &set, err) < 0 ||
	    imap_parse_sp(&c->args, "mailbox", err) < 0 ||
	    imap_parse_mailbox(&c->args, FOLDER_SEP, &cp->name, err) < 0 || imap_parse_end(&c->args, err) < 0 ||
	    session_folder_in(s, cp->name, &cp->folder, err) < 0)
		return -1;
	return session_resolve(s, &set, c->is_uid, &cp->sel, &cp->n, err);
}

/* "COPYUID 7 1:3 10:12", the two in the same order (RFC 4315 section 3). */
static void print_uids(struct str *out, const struct copy *cp)
{
	struct imap_seqset_writer w;
	size_t i;

	BUG(str_addf(out, "COPYUID %u ", cp->added.validity) < 0);
	imap_seqset_write_begin(&w, out);
	for (i = 0; i < cp->added.n; i++)
		BUG(imap_seqset_write(&w, cp->from[i]) < 0);
	BUG(imap_seqset_write_end(&w) < 0 || str_addc(out, ' ') < 0);
	imap_seqset_write_begin(&w, out);
	for (i = 0; i < cp->added.n; i++)
		BUG(imap_seqset_write(&w, cp->added.uids[i]) < 0);
	BUG(imap_seqset_write_end(&w) < 0);
}

static enum cmd_rc copied(struct session *s, struct command *c, const struct copy *cp)
{
	struct str code = STR_INIT(SIZE_MAX / 2);
	enum cmd_rc rc;

	print_uids(&code, cp);
	rc = session_ok(s, c, "[%s] Copy completed.", code.p);
	str_fini(&code);
	return rc;
}

/* COPYUID comes before the expunges, so that no client takes the messages for lost (RFC 6851 section 4.3). */
static enum cmd_rc moved(struct session *s, struct command *c, const struct copy *cp)
{
	struct str code = STR_INIT(SIZE_MAX / 2);
	int rc;

	print_uids(&code, cp);
	s->counts.n_expunged += cp->added.n;
	rc = session_putf(s, "* OK [%s] Moved UIDs.\r\n", code.p);
	str_fini(&code);
	if (rc < 0 || session_sync(s, true) < 0)
		return CMD_END;
	if (s->enabled & ENABLED_QRESYNC)
		return session_ok(s, c, "[HIGHESTMODSEQ %" PRIu64 "] Move completed.", s->box->now.modseq);
	return session_ok(s, c, "Move completed.");
}

static enum cmd_rc run(struct session *s, struct command *c, bool is_move)
{
	struct copy cp = { 0 };
	struct err err = ERR_INIT;
	enum cmd_rc rc;
	int got;

	if (parse(s, c, &cp, &err) < 0)
		return session_fail(s, c, NULL, &err);
	if (is_move && s->box->is_read_only)
		return session_no(s, c, "[READ-ONLY] Mailbox is read-only.");
	if (cp.n == 0)
		return session_ok(s, c, "No messages found.");
	got = mailbox_copy(s->box, cp.sel, cp.n, folder_dir(&s->tick, cp.folder), is_move, &cp.added, &cp.from, &err);
	if (got < 0)
		rc = session_fail(s, c, NULL, &err);
	else if (got == 0)
		rc = session_no(s, c, "[TRYCREATE] Mailbox doesn't exist: %.*s", SPAN_ARG(cp.name));
	else if (cp.added.n == 0)
		rc = session_no(s, c, "[EXPUNGEISSUED] Some of the messages no longer exist.");
	else
		rc = is_move ? moved(s, c, &cp) : copied(s, c, &cp);
	free(cp.added.uids);
	free(cp.from);
	return rc;
}

enum cmd_rc cmd_copy(struct session *s, struct command *c)
{
	return run(s, c, false);
}

enum cmd_rc cmd_move(struct session *s, struct command *c)
{
	return run(s, c, true);
}
