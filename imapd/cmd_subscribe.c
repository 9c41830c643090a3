#include "imapd/commands.h"

static int parse(struct session *s, struct command *c, struct span *folder_r, struct err *err)
{
	struct span name;

	if (imap_parse_sp(&c->args, "mailbox name", err) < 0 || imap_parse_mailbox(&c->args, FOLDER_SEP, &name, err) < 0 ||
	    imap_parse_end(&c->args, err) < 0)
		return -1;
	return session_folder_in(s, name, folder_r, err);
}

enum cmd_rc cmd_subscribe(struct session *s, struct command *c)
{
	struct err err = ERR_INIT;
	struct span folder;
	int rc;

	if (parse(s, c, &folder, &err) < 0)
		return session_fail(s, c, NULL, &err);
	rc = folder_exists(&s->store, folder, &err);
	if (rc == 0)
		return session_no(s, c, "[NONEXISTENT] There is no such folder");
	if (rc < 0 || folder_subscribe(&s->store, folder, true, &err) < 0)
		return session_fail(s, c, NULL, &err);
	return session_ok(s, c, "Subscribe completed.");
}

/* Of a folder that is gone, too. */
enum cmd_rc cmd_unsubscribe(struct session *s, struct command *c)
{
	struct err err = ERR_INIT;
	struct span folder;

	if (parse(s, c, &folder, &err) < 0 || folder_subscribe(&s->store, folder, false, &err) < 0)
		return session_fail(s, c, NULL, &err);
	return session_ok(s, c, "Unsubscribe completed.");
}
