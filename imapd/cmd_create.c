#include "imapd/commands.h"
#include "imapd/names.h"

/* " (USE (\Sent \Junk))" (RFC 6154 section 3); *is_known_r false: a use that this server does not know. */
static int parse_uses(struct imap_parse *p, unsigned *uses_r, bool *is_known_r, struct err *err)
{
	int rc;

	if (imap_parse_list_begin(p, "CREATE parameters", err) < 0)
		return -1;
	if (!imap_parse_skip_word(p, "USE"))
		return err_set(err, ERR_PROTO, "Unknown CREATE parameter");
	if (imap_parse_sp(p, "special uses", err) < 0 || imap_parse_list_begin(p, "special uses", err) < 0)
		return -1;
	for (size_t n = 0; (rc = imap_parse_list_more(p, n, err)) > 0; n++) {
		struct span word;
		unsigned use;

		if (!imap_parse_skip(p, '\\'))
			return err_set(err, ERR_PROTO, "A special use begins with a backslash");
		if (imap_parse_word(p, "special use", &word, err) < 0)
			return -1;
		use = folder_use_parse((struct span){ word.p - 1, word.n + 1 });
		*uses_r |= use;
		*is_known_r &= use != 0;
	}
	if (rc < 0)
		return -1;
	rc = imap_parse_list_more(p, 1, err);
	return rc > 0 ? err_set(err, ERR_PROTO, "Unknown CREATE parameter") : rc;
}

enum cmd_rc cmd_create(struct session *s, struct command *c)
{
	bool is_known = true, is_other;
	struct err err = ERR_INIT;
	struct span name, folder;
	unsigned uses = 0;

	if (imap_parse_sp(&c->args, "mailbox name", &err) < 0 || imap_parse_mailbox(&c->args, FOLDER_SEP, &name, &err) < 0 ||
	    (imap_parse_skip(&c->args, ' ') && parse_uses(&c->args, &uses, &is_known, &err) < 0) ||
	    imap_parse_end(&c->args, &err) < 0 || names_in_new(s, name, &folder, &is_other, &err) < 0)
		return session_fail(s, c, NULL, &err);
	if (!is_known)
		return session_no(s, c, "[USEATTR] There is no such special use");
	if (folder_create(&s->store, folder, uses, &err) < 0)
		return session_fail(s, c, NULL, &err);
	if (is_other && names_tell_other(s, folder, name) < 0)
		return CMD_END;
	return session_ok(s, c, "Create completed.");
}
