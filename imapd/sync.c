#include "imapd/session.h"

#include <inttypes.h>

#define LINE_MAX_BYTES 16384u           /* 26 keywords of 255 bytes and the rest */

static bool wants_uid(const struct session *s)
{
	return (s->enabled & (ENABLED_CONDSTORE | ENABLED_QRESYNC | ENABLED_REV2)) != 0;
}

int session_tell_flags(struct session *s, size_t i, bool with_uid)
{
	const struct mailbox_msg *m = &s->box->v[i];
	struct str line = STR_INIT(LINE_MAX_BYTES);
	int rc;

	BUG(str_addf(&line, "* %zu FETCH (", i + 1) < 0);
	if (with_uid || wants_uid(s))
		BUG(str_addf(&line, "UID %u ", m->uid) < 0);
	if (s->enabled & ENABLED_CONDSTORE)
		BUG(str_addf(&line, "MODSEQ (%" PRIu64 ") ", m->modseq) < 0);
	BUG(str_addz(&line, "FLAGS ") < 0 ||
	    flags_print(&line, &s->box->keywords, m->flags, m->is_recent && !(s->enabled & ENABLED_REV2)) < 0 ||
	    str_addz(&line, ")\r\n") < 0);
	rc = session_put(s, str_span(&line));
	str_fini(&line);
	return rc;
}

static int tell_vanished(struct session *s, const struct mailbox_changes *ch)
{
	struct str line = STR_INIT(SIZE_MAX / 2);
	struct imap_seqset_writer w;
	size_t i;
	int rc;

	BUG(str_addz(&line, "* VANISHED ") < 0);
	imap_seqset_write_begin(&w, &line);
	for (i = 0; i < ch->n_expunged; i++)
		BUG(imap_seqset_write(&w, ch->expunged_uids[i]) < 0);
	BUG(imap_seqset_write_end(&w) < 0 || str_addz(&line, "\r\n") < 0);
	rc = session_put(s, str_span(&line));
	str_fini(&line);
	return rc;
}

static int tell_expunged(struct session *s, const struct mailbox_changes *ch)
{
	size_t i;

	if (ch->n_expunged && (s->enabled & ENABLED_QRESYNC))
		return tell_vanished(s, ch);
	for (i = 0; i < ch->n_expunged; i++) {
		if (session_putf(s, "* %u EXPUNGE\r\n", ch->expunged[i]) < 0)
			return -1;
	}
	return 0;
}

static int tell_new(struct session *s)
{
	if (session_putf(s, "* %zu EXISTS\r\n", s->box->n) < 0)
		return -1;
	return s->enabled & ENABLED_REV2 ? 0 : session_putf(s, "* %u RECENT\r\n", s->box->now.n_recent);
}

/* A new letter is told without its MODSEQ. All is told now, so a client that keeps n needs no second look at what it
 * appended itself (RFC 7162 section 3.2.5). */
static int tell_highest(struct session *s, const struct mailbox_changes *ch)
{
	size_t i;

	for (i = 0; i < ch->n_changed; i++) {
		if (s->box->v[ch->changed[i] - 1].modseq >= s->box->now.modseq)
			return 0;
	}
	return session_putf(s, "* OK [HIGHESTMODSEQ %" PRIu64 "] Highest\r\n", s->box->now.modseq);
}

int session_lost(struct session *s)
{
	(void)!session_putf(s, "* BYE The selected mailbox is no longer what it was, please log in again.\r\n");
	return session_end(s, "Selected mailbox was lost");
}

int session_sync(struct session *s, bool may_expunge)
{
	struct mailbox_changes ch = { 0 };
	struct err err = ERR_INIT;
	size_t i;

	if (!s->box)
		return 0;
	if (mailbox_sync(s->box, may_expunge, &ch, &err) < 0 ||
	    (ch.n_changed && mailbox_load(s->box, &err) < 0)) {
		/* what was not seen now is seen next time */
		session_log_error(s, &err);
		return 0;
	}
	if (ch.is_lost)
		return session_lost(s);
	if (tell_expunged(s, &ch) < 0 || (ch.has_new && tell_new(s) < 0) ||
	    (ch.has_new_keywords && flags_tell(s, true) < 0))
		return -1;
	for (i = 0; i < ch.n_changed; i++) {
		if (session_tell_flags(s, ch.changed[i] - 1, false) < 0)
			return -1;
	}
	return may_expunge && ch.has_new && (s->enabled & ENABLED_QRESYNC) ? tell_highest(s, &ch) : 0;
}

int session_enable_condstore(struct session *s)
{
	if (s->enabled & ENABLED_CONDSTORE)
		return 0;
	s->enabled |= ENABLED_CONDSTORE;
	if (!s->box)
		return 0;
	return session_putf(s, "* OK [HIGHESTMODSEQ %" PRIu64 "] Highest\r\n", s->box->now.modseq);
}
