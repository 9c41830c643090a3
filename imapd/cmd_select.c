#include "imapd/commands.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "proto/imap_select_args.h"

/* ---- QRESYNC (RFC 7162 section 3.2.5) ---- */

/* UIDs up to the result are those of both sides, as the client's pairs of sequence numbers and UIDs show. */
static uint32_t matched_uid(const struct mailbox *b, const struct imap_select *a)
{
	struct imap_seqset_iter at_seq = { 0 }, at_uid = { 0 };
	uint32_t seq, uid, last = 0;

	if (!a->has_match)
		return 0;
	while (imap_seqset_next(&a->match_seqs, &at_seq, &seq) && imap_seqset_next(&a->match_uids, &at_uid, &uid)) {
		if (seq > b->n || b->v[seq - 1].uid != uid)
			break;
		last = uid;
	}
	return last;
}

/* What of lo..hi is not in the view. */
static void add_absent(struct session *s, uint32_t lo, uint32_t hi, struct imap_seqset *to)
{
	const struct mailbox *b = s->box;
	bool found;
	size_t at = mailbox_find(b, lo, &found);
	uint64_t next = lo;

	for (; at < b->n && b->v[at].uid <= hi; at++) {
		if (b->v[at].uid > next)
			imap_seqset_add(to, &s->tick, (uint32_t)next, b->v[at].uid - 1);
		next = (uint64_t)b->v[at].uid + 1;
	}
	if (next <= hi)
		imap_seqset_add(to, &s->tick, (uint32_t)next, hi);
}

/* The log of expunges does not reach back that far: all UIDs that the client may know and that are not there. */
static void find_absent(struct session *s, const struct imap_select *a, struct imap_seqset *to)
{
	uint32_t from = matched_uid(s->box, a) + 1, last = s->box->now.uid_next - 1;
	size_t i;

	if (!a->has_known_uids) {
		if (from <= last)
			add_absent(s, from, last, to);
		return;
	}
	for (i = 0; i < a->known_uids.n; i++) {
		uint32_t lo = a->known_uids.ranges[i].lo, hi = a->known_uids.ranges[i].hi;

		lo = lo < from ? from : lo;
		hi = hi > last ? last : hi;
		if (lo <= hi)
			add_absent(s, lo, hi, to);
	}
}

static bool is_known(const struct imap_select *a, uint32_t uid)
{
	return !a->has_known_uids || imap_seqset_has(&a->known_uids, uid);
}

static int tell_vanished(struct session *s, const struct imap_select *a, struct err *err)
{
	struct imap_seqset gone = { 0 };
	struct str line = STR_INIT(SIZE_MAX / 2);
	bool is_complete, is_there;
	uint32_t *uids;
	size_t i, n;
	int rc = 0;

	if (mailbox_gone(s->box, a->modseq, &s->tick, &uids, &n, &is_complete, err) < 0)
		return -1;
	if (!is_complete)
		find_absent(s, a, &gone);
	for (i = 0; is_complete && i < n; i++) {
		/* what went since the view was taken is told as VANISHED later */
		(void)mailbox_find(s->box, uids[i], &is_there);
		if (!is_there && is_known(a, uids[i]))
			imap_seqset_add(&gone, &s->tick, uids[i], uids[i]);
	}
	if (gone.n) {
		BUG(str_addz(&line, "* VANISHED (EARLIER) ") < 0 || imap_seqset_format(&line, &gone) < 0 ||
		    str_addz(&line, "\r\n") < 0);
		rc = session_put(s, str_span(&line));
	}
	str_fini(&line);
	return rc;
}

/* The view of one moment, before anything of it is told: what is gone by then must not be counted. */
static int settle(struct mailbox *b, struct err *err)
{
	struct mailbox_changes ch;

	if (mailbox_load(b, err) < 0 || mailbox_sync(b, true, &ch, err) < 0)
		return -1;
	return ch.is_lost ? err_set(err, ERR_TEMP, "the folder is another one now") : 0;
}

static bool is_behind(const struct mailbox *b, const struct imap_select *a)
{
	return a->is_qresync && a->uidvalidity == b->now.validity && a->modseq < b->now.modseq;
}

static int resync(struct session *s, const struct imap_select *a, struct err *err)
{
	struct mailbox *b = s->box;
	size_t i;

	if (!is_behind(b, a))
		return 0;
	if (tell_vanished(s, a, err) < 0)
		return -1;
	for (i = 0; i < b->n; i++) {
		if (b->v[i].modseq > a->modseq && is_known(a, b->v[i].uid) && session_tell_flags(s, i, true) < 0)
			return -1;
	}
	return 0;
}

/* ---- SELECT and EXAMINE ---- */

static int tell_name(struct session *s)
{
	struct str name = STR_INIT(4096);
	int rc = session_folder_out(s, &name, span_z(s->folder));

	if (rc == 0)
		rc = session_putf(s, "* LIST () \"%c\" %s\r\n", FOLDER_SEP, name.p);
	str_fini(&name);
	return rc;
}

static int tell_folder(struct session *s)
{
	const struct mailbox_status *now = &s->box->now;
	bool is_rev2 = (s->enabled & ENABLED_REV2) != 0;

	if (flags_tell(s, true) < 0 || session_putf(s, "* %zu EXISTS\r\n", s->box->n) < 0)
		return -1;
	if (is_rev2 ? tell_name(s) < 0 : session_putf(s, "* %u RECENT\r\n", now->n_recent) < 0)
		return -1;
	if (!is_rev2 && now->first_unseen &&
	    session_putf(s, "* OK [UNSEEN %u] First unseen.\r\n", now->first_unseen) < 0)
		return -1;
	if (session_putf(s, "* OK [UIDVALIDITY %u] UIDs valid\r\n* OK [UIDNEXT %u] Predicted next UID\r\n", now->validity,
			 now->uid_next) < 0)
		return -1;
	if (s->box->is_volatile && session_putf(s, "* NO [UIDNOTSTICKY] UIDs cannot be kept.\r\n") < 0)
		return -1;
	return session_putf(s, "* OK [HIGHESTMODSEQ %" PRIu64 "] Highest\r\n", now->modseq);
}

/* From here on no folder is selected until the new one is open (RFC 3501 section 6.3.1). */
static int leave_old(struct session *s)
{
	if (!s->box)
		return 0;
	session_unselect(s);
	return session_putf(s, "* OK [CLOSED] Previous mailbox closed.\r\n");
}

static int enter(struct session *s, const struct imap_select *a, struct span folder, unsigned flags, struct err *err)
{
	int rc = mailbox_open(&s->box, &s->store, folder_dir(&s->tick, folder), flags, err);

	if (rc <= 0)
		return rc;
	if (is_behind(s->box, a) && settle(s->box, err) < 0)
		return -1;
	s->folder = xstrndup(folder.p, folder.n);
	s->state = SESSION_SELECTED;
	if (a->is_condstore)
		s->enabled |= ENABLED_CONDSTORE;
	if (tell_folder(s) < 0 || resync(s, a, err) < 0)
		return -1;
	return 1;
}

static enum cmd_rc run(struct session *s, struct command *c, unsigned flags)
{
	struct imap_select a = { 0 };
	struct err err = ERR_INIT;
	struct span folder;
	int rc;

	if (imap_select_args_parse(&c->args, FOLDER_SEP, &a, &err) < 0)
		return session_fail(s, c, NULL, &err);
	if (a.is_qresync && !(s->enabled & ENABLED_QRESYNC))
		return session_bad(s, c, "QRESYNC is not enabled.");
	if (leave_old(s) < 0)
		return CMD_END;
	if (session_folder_in(s, a.mailbox, &folder, &err) < 0)
		return session_fail(s, c, NULL, &err);
	rc = enter(s, &a, folder, flags, &err);
	if (rc < 0 && s->reason)
		return CMD_END;
	if (rc <= 0)
		session_unselect(s);
	if (rc < 0)
		return session_fail(s, c, NULL, &err);
	if (rc == 0)
		return session_no(s, c, "[NONEXISTENT] Mailbox doesn't exist: %.*s", SPAN_ARG(a.mailbox));
	if (flags & MAILBOX_READ_ONLY)
		return session_ok(s, c, "[READ-ONLY] Examine completed.");
	return session_ok(s, c, "[READ-WRITE] Select completed.");
}

enum cmd_rc cmd_select(struct session *s, struct command *c)
{
	return run(s, c, 0);
}

enum cmd_rc cmd_examine(struct session *s, struct command *c)
{
	return run(s, c, MAILBOX_READ_ONLY);
}
