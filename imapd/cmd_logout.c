#include "imapd/commands.h"

enum cmd_rc cmd_logout(struct session *s, struct command *c)
{
	struct err err = ERR_INIT;

	if (imap_parse_end(&c->args, &err) < 0)
		return session_fail(s, c, NULL, &err);
	if (session_putf(s, "* BYE Logging out\r\n") == 0 && session_ok(s, c, "Logout completed.") == CMD_DONE) {
		session_unselect(s);
		s->state = SESSION_LOGOUT;
		(void)session_end(s, "Logged out");
	}
	return CMD_END;
}
