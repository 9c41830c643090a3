#include "imapd/commands.h"

static enum cmd_rc nothing(struct session *s, struct command *c, const char *text)
{
	struct err err = ERR_INIT;

	if (imap_parse_end(&c->args, &err) < 0)
		return session_fail(s, c, NULL, &err);
	return session_ok(s, c, "%s", text);
}

enum cmd_rc cmd_noop(struct session *s, struct command *c)
{
	return nothing(s, c, "NOOP completed.");
}

/* All is durable when a command is answered, so there is nothing to check (RFC 3501 section 6.4.1). */
enum cmd_rc cmd_check(struct session *s, struct command *c)
{
	return nothing(s, c, "Check completed.");
}
