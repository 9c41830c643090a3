#include "imapd/commands.h"
#include "imapd/names.h"

static bool is_moved(struct span folder, struct span from)
{
	return span_eq(folder, from) || folder_is_below(folder, from);
}

enum cmd_rc cmd_rename(struct session *s, struct command *c)
{
	struct span name, old, from, to;
	struct err err = ERR_INIT;
	bool is_other;

	if (imap_parse_sp(&c->args, "mailbox name", &err) < 0 || imap_parse_mailbox(&c->args, FOLDER_SEP, &old, &err) < 0 ||
	    imap_parse_sp(&c->args, "mailbox name", &err) < 0 || imap_parse_mailbox(&c->args, FOLDER_SEP, &name, &err) < 0 ||
	    imap_parse_end(&c->args, &err) < 0 || session_folder_in(s, old, &from, &err) < 0 ||
	    names_in_new(s, name, &to, &is_other, &err) < 0 || folder_rename(&s->store, from, to, &err) < 0)
		return session_fail(s, c, NULL, &err);
	/* as with DELETE: what was selected is not there any more, but the client hears how its command ended */
	if (s->folder && !folder_is_inbox(from) && is_moved(span_z(s->folder), from))
		session_unselect(s);
	/* RFC 9051 section 6.3.6: the old name as supplied, the new one as it became */
	if (is_other && names_tell_other(s, to, old) < 0)
		return CMD_END;
	return session_ok(s, c, "Rename completed.");
}
