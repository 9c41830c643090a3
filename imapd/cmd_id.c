#include "imapd/commands.h"

#include "conf/params.h"
#include "proto/imap_id.h"

enum cmd_rc cmd_id(struct session *s, struct command *c)
{
	struct str said = STR_INIT(1200), answer = STR_INIT(4096);
	struct imap_id id = { 0 };
	struct err err = ERR_INIT;
	int rc;

	if (imap_id_parse(&c->args, &id, &err) < 0 || imap_parse_end(&c->args, &err) < 0)
		return session_fail(s, c, NULL, &err);
	if (imap_id_log(&said, &id, s->conf->imap_id_log))
		session_log_info(s, "ID sent: %s", said.p);
	if (imap_id_print(&answer, s->conf->imap_id_send) < 0)
		str_reset(&answer);
	rc = session_putf(s, "* ID %s\r\n", answer.n ? answer.p : "NIL");
	str_fini(&said);
	str_fini(&answer);
	return rc < 0 ? CMD_END : session_ok(s, c, "ID completed.");
}
