#include "imapd/commands.h"

#include <stdlib.h>

#include "proto/imap_store_args.h"

/* One STORE while it runs. */
struct store {
	struct imap_store args;
	uint32_t *sel;
	size_t n;
	uint32_t *modified;             /* indexes that UNCHANGEDSINCE kept from being changed, ascending */
	size_t n_modified;
	uint64_t *before;               /* modseq of sel before */
};

static int tell_modseq(struct session *s, size_t i)
{
	const struct mailbox_msg *m = &s->box->v[i];

	return session_putf(s, "* %zu FETCH (UID %u MODSEQ (%llu))\r\n", i + 1, m->uid, (unsigned long long)m->modseq);
}

/* Without .SILENT the flags of all; with it, where MODSEQ is told, that of those which changed (RFC 7162 section
 * 3.1.3). */
static int tell(struct session *s, struct command *c, const struct store *st)
{
	size_t i, at = 0;

	for (i = 0; i < st->n; i++) {
		uint32_t k = st->sel[i];
		int rc = 0;

		if (at < st->n_modified && st->modified[at] == k) {
			at++;
			continue;
		}
		/* what others changed too is told before the tagged answer, with the UID where MODSEQ is told */
		if (s->box->v[k].is_gone ||
		    (s->box->v[k].modseq == 0 && (!c->is_uid || (s->enabled & ENABLED_CONDSTORE))))
			continue;
		if (!st->args.is_silent)
			rc = session_tell_flags(s, k, c->is_uid);
		else if ((s->enabled & ENABLED_CONDSTORE) &&
			 (st->args.has_unchangedsince || s->box->v[k].modseq != st->before[i]))
			rc = tell_modseq(s, k);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static size_t count_deleted(const struct session *s, const struct store *st)
{
	size_t i, n = 0;

	for (i = 0; i < st->n; i++)
		n += (s->box->v[st->sel[i]].flags & INDEX_DELETED) != 0;
	return n;
}

static bool has_gone(const struct session *s, const struct store *st)
{
	size_t i;

	for (i = 0; i < st->n; i++) {
		if (s->box->v[st->sel[i]].is_gone)
			return true;
	}
	return false;
}

/* A modseq only grows: what is above in the view is above in the index. */
static bool can_change(const struct session *s, const struct store *st)
{
	size_t i;

	for (i = 0; st->args.has_unchangedsince && i < st->n; i++) {
		const struct mailbox_msg *m = &s->box->v[st->sel[i]];

		if (!m->is_gone && m->modseq <= st->args.unchangedsince)
			return true;
	}
	return !st->args.has_unchangedsince;
}

static int change(struct session *s, struct store *st, struct err *err)
{
	static const enum mailbox_store_how how[] = {
		[IMAP_STORE_REPLACE] = MAILBOX_REPLACE, [IMAP_STORE_ADD] = MAILBOX_ADD, [IMAP_STORE_REMOVE] = MAILBOX_REMOVE,
	};
	size_t i, before = count_deleted(s, st), after;
	uint32_t bits;

	/* a keyword comes into the folder with a message only */
	if (flags_bits(s, &st->args.flags, st->args.mode != IMAP_STORE_REMOVE && can_change(s, st), &bits, err) < 0)
		return -1;
	st->before = arena_alloc(&s->tick, (st->n + 1) * sizeof(*st->before));
	for (i = 0; i < st->n; i++)
		st->before[i] = s->box->v[st->sel[i]].modseq;
	if (mailbox_store(s->box, st->sel, st->n, how[st->args.mode], bits,
			  st->args.has_unchangedsince ? st->args.unchangedsince : UINT64_MAX, &s->tick, &st->modified,
			  &st->n_modified, err) < 0)
		return -1;
	after = count_deleted(s, st);
	s->counts.n_deleted += after > before ? after - before : 0;
	return 0;
}

static enum cmd_rc say_modified(struct session *s, struct command *c, const struct store *st)
{
	struct str set = STR_INIT(SIZE_MAX / 2);
	struct imap_seqset_writer w;
	enum cmd_rc rc;
	size_t i;

	imap_seqset_write_begin(&w, &set);
	for (i = 0; i < st->n_modified; i++)
		BUG(imap_seqset_write(&w, c->is_uid ? s->box->v[st->modified[i]].uid : st->modified[i] + 1) < 0);
	BUG(imap_seqset_write_end(&w) < 0);
	rc = session_ok(s, c, "[MODIFIED %s] Conditional store failed.", set.p);
	str_fini(&set);
	return rc;
}

enum cmd_rc cmd_store(struct session *s, struct command *c)
{
	struct store st = { 0 };
	struct err err = ERR_INIT;

	if (imap_store_args_parse(&c->args, &st.args, &err) < 0 ||
	    session_resolve(s, &st.args.set, c->is_uid, &st.sel, &st.n, &err) < 0)
		return session_fail(s, c, NULL, &err);
	if (s->box->is_read_only)
		return session_no(s, c, "[READ-ONLY] Mailbox is read-only.");
	if (st.args.has_unchangedsince && session_enable_condstore(s) < 0)
		return CMD_END;
	if (change(s, &st, &err) < 0)
		return session_fail(s, c, err.kind == ERR_PERM ? "LIMIT" : NULL, &err);
	if (tell(s, c, &st) < 0)
		return CMD_END;
	if (st.n_modified)
		return say_modified(s, c, &st);
	if (!c->is_uid && has_gone(s, &st))
		return session_no(s, c, "[EXPUNGEISSUED] Some of the messages no longer exist.");
	return session_ok(s, c, "Store completed.");
}
