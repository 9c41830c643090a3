#include "imapd/cmd_expunge.h"

#include <inttypes.h>

#include "imapd/commands.h"

int cmd_expunge_deleted(struct session *s, const struct imap_seqset *uids, struct err *err)
{
	struct mailbox *b = s->box;
	uint32_t *sel = NULL;
	size_t i, n = 0, n_sel;

	if (uids) {
		if (session_resolve(s, uids, true, &sel, &n_sel, err) < 0)
			return -1;
	} else {
		if (mailbox_load(b, err) < 0)
			return -1;
		n_sel = b->n;
		sel = arena_alloc(&s->tick, (n_sel + 1) * sizeof(*sel));
	}
	for (i = 0; i < n_sel; i++) {
		uint32_t at = uids ? sel[i] : (uint32_t)i;

		if ((b->v[at].flags & INDEX_DELETED) && !b->v[at].is_gone)
			sel[n++] = at;
	}
	if (n == 0)
		return 0;
	if (mailbox_expunge(b, sel, n, err) < 0)
		return -1;
	s->counts.n_expunged += n;
	return 0;
}

enum cmd_rc cmd_expunge(struct session *s, struct command *c)
{
	struct imap_seqset uids = { 0 };
	struct err err = ERR_INIT;

	if (c->is_uid && (imap_parse_sp(&c->args, "UIDs", &err) < 0 || imap_seqset_parse(&c->args, &uids, &err) < 0))
		return session_fail(s, c, NULL, &err);
	if (imap_parse_end(&c->args, &err) < 0)
		return session_fail(s, c, NULL, &err);
	if (s->box->is_read_only)
		return session_no(s, c, "[READ-ONLY] Mailbox is read-only.");
	/* what others marked is removed too, and the client knows of the mark first */
	if (session_sync(s, true) < 0)
		return CMD_END;
	if (s->box->now.n_deleted && cmd_expunge_deleted(s, c->is_uid ? &uids : NULL, &err) < 0)
		return session_fail(s, c, NULL, &err);
	if (session_sync(s, true) < 0)
		return CMD_END;
	if (s->enabled & ENABLED_QRESYNC)
		return session_ok(s, c, "[HIGHESTMODSEQ %" PRIu64 "] Expunge completed.", s->box->now.modseq);
	return session_ok(s, c, "Expunge completed.");
}
