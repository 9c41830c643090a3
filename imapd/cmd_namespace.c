#include "imapd/commands.h"

/* RFC 2342: one namespace, the user's own, without a prefix. */
enum cmd_rc cmd_namespace(struct session *s, struct command *c)
{
	struct err err = ERR_INIT;

	if (imap_parse_end(&c->args, &err) < 0)
		return session_fail(s, c, NULL, &err);
	if (session_putf(s, "* NAMESPACE ((\"\" \"%c\")) NIL NIL\r\n", FOLDER_SEP) < 0)
		return CMD_END;
	return session_ok(s, c, "Namespace completed.");
}
