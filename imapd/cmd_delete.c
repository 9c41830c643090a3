#include "imapd/commands.h"

enum cmd_rc cmd_delete(struct session *s, struct command *c)
{
	struct err err = ERR_INIT;
	struct span name, folder;

	if (imap_parse_sp(&c->args, "mailbox name", &err) < 0 || imap_parse_mailbox(&c->args, FOLDER_SEP, &name, &err) < 0 ||
	    imap_parse_end(&c->args, &err) < 0 || session_folder_in(s, name, &folder, &err) < 0 ||
	    folder_delete(&s->store, folder, &err) < 0)
		return session_fail(s, c, NULL, &err);
	if (s->folder && span_eqz(folder, s->folder))
		session_unselect(s);
	return session_ok(s, c, "Delete completed.");
}
