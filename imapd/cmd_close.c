#include "imapd/commands.h"

#include <inttypes.h>

#include "imapd/cmd_expunge.h"

enum cmd_rc cmd_close(struct session *s, struct command *c)
{
	struct mailbox_changes ch = { 0 };
	struct err err = ERR_INIT;
	uint64_t modseq = 0;

	if (imap_parse_end(&c->args, &err) < 0)
		return session_fail(s, c, NULL, &err);
	if (!s->box->is_read_only && s->box->now.n_deleted) {
		if (cmd_expunge_deleted(s, NULL, &err) < 0)
			return session_fail(s, c, NULL, &err);
		/* the client hears of no EXPUNGE, but where it stands now (RFC 7162 section 3.2.8) */
		if ((s->enabled & ENABLED_QRESYNC) && mailbox_sync(s->box, true, &ch, &err) == 0)
			modseq = s->box->now.modseq;
	}
	session_unselect(s);
	if (modseq)
		return session_ok(s, c, "[HIGHESTMODSEQ %" PRIu64 "] Close completed.", modseq);
	return session_ok(s, c, "Close completed.");
}

enum cmd_rc cmd_unselect(struct session *s, struct command *c)
{
	struct err err = ERR_INIT;

	if (imap_parse_end(&c->args, &err) < 0)
		return session_fail(s, c, NULL, &err);
	session_unselect(s);
	return session_ok(s, c, "Unselect completed.");
}
