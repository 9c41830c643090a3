#include "imapd/commands.h"

#include "conf/params.h"

/* Nothing stands here that does not work; login's line before the session has AUTH=, SASL-IR and LOGINDISABLED
 * too. */
#define CAPABILITIES \
	"IMAP4rev1 IMAP4rev2 LITERAL+ ID ENABLE IDLE NAMESPACE CHILDREN UIDPLUS UNSELECT MOVE SPECIAL-USE " \
	"CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE ESEARCH SEARCHRES SORT SORT=DISPLAY ESORT " \
	"THREAD=ORDEREDSUBJECT THREAD=REFERENCES CONDSTORE QRESYNC MULTIAPPEND BINARY WITHIN QUOTA " \
	"QUOTA=RES-STORAGE QUOTA=RES-MESSAGE UTF8=ACCEPT"

const char *session_capabilities(struct session *s)
{
	/* one layer is enough (RFC 4978 section 3) */
	const char *works = s->is_compressed ? CAPABILITIES : CAPABILITIES " COMPRESS=DEFLATE";
	const char *conf = s->conf->imap_capability;

	if (conf[0] == '+')
		return arena_printf(&s->tick, "%s %s", works, conf + 1 + strspn(conf + 1, " "));
	return conf[0] ? conf : works;
}

enum cmd_rc cmd_capability(struct session *s, struct command *c)
{
	struct err err = ERR_INIT;

	if (imap_parse_end(&c->args, &err) < 0)
		return session_fail(s, c, NULL, &err);
	if (session_putf(s, "* CAPABILITY %s\r\n", session_capabilities(s)) < 0)
		return CMD_END;
	return session_ok(s, c, "Capability completed.");
}
