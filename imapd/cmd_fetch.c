#include "imapd/commands.h"
#include "imapd/fetch.h"

#define BATCH 32                /* messages whose \Seen is set together, and files named, before they are sent */
#define OUT_MAX (64u << 20)     /* bytes of one message's answer, sections aside */

/* Which messages, and how far the walk has come. */
struct walk {
	struct fetch *f;
	const uint32_t *sel;
	size_t n, at;
	bool needs_facts, needs_body;
	struct err *err;
	int rc;
};

#define BIT(kind) (1u << (kind))
#define BODY_KINDS (BIT(IMAP_FETCH_ENVELOPE) | BIT(IMAP_FETCH_STRUCTURE) | BIT(IMAP_FETCH_BODYSTRUCTURE))
#define FACT_KINDS (BIT(IMAP_FETCH_INTERNALDATE) | BIT(IMAP_FETCH_SIZE))
#define FILE_KINDS (BIT(IMAP_FETCH_RFC822) | BIT(IMAP_FETCH_RFC822_HEADER) | BIT(IMAP_FETCH_RFC822_TEXT) | \
	BIT(IMAP_FETCH_BODY) | BIT(IMAP_FETCH_BINARY) | BIT(IMAP_FETCH_BINARY_SIZE))

/* ---- messages from the index alone ---- */

static bool walk_one(void *arg, size_t i, const struct index_msg *m, const struct mail_keys *k, const struct mail_body *body)
{
	struct walk *w = arg;

	w->at++;
	if ((w->needs_facts && !m) || (w->needs_body && !body)) {
		w->f->has_gone = true;
		return true;
	}
	w->rc = fetch_line_write(w->f, i, m, body, NULL, false, w->err);
	/* an answer is not sent while the index is open for reading: a slow client would hold back its writers */
	return w->rc == 0 && w->f->out.n < FETCH_BUFFER / 2;
}

static bool note_unsized(void *arg, size_t i, const struct index_msg *m, const struct mail_keys *k, const struct mail_body *body)
{
	struct walk *w = arg;

	if (m && m->vsize == UINT64_MAX)
		((uint32_t *)w->sel)[w->at++] = (uint32_t)i;
	return true;
}

/* Sizes that nobody knows are read, and kept by the index. */
static int ensure_sizes(struct fetch *f, const uint32_t *sel, size_t n, struct err *err)
{
	uint32_t *unsized = arena_alloc(&f->s->tick, n * sizeof(*unsized));
	struct walk w = { .sel = unsized };

	if (mailbox_walk(f->box, sel, n, MAILBOX_FACTS, note_unsized, &w, err) < 0)
		return -1;
	return w.at ? mailbox_ensure(f->box, unsized, w.at, err) : 0;
}

/* What is asked for and nobody has looked for yet. */
static int ensure(struct fetch *f, const uint32_t *sel, size_t n, struct err *err)
{
	unsigned kinds = f->req->kinds;

	if (kinds & BODY_KINDS ? mailbox_ensure(f->box, sel, n, err) < 0
			       : kinds & BIT(IMAP_FETCH_SIZE) && ensure_sizes(f, sel, n, err) < 0)
		return -1;
	return kinds & BIT(IMAP_FETCH_INTERNALDATE) ? mailbox_ensure_dates(f->box, sel, n, err) : 0;
}

static int fetch_from_index(struct fetch *f, const uint32_t *sel, size_t n, struct err *err)
{
	struct walk w = { .f = f, .sel = sel, .n = n, .needs_facts = f->req->kinds & FACT_KINDS,
		.needs_body = f->req->kinds & BODY_KINDS, .err = err };
	unsigned what = (w.needs_facts ? MAILBOX_FACTS : 0u) | (w.needs_body ? MAILBOX_BODY : 0u) |
		(f->req->kinds & BIT(IMAP_FETCH_INTERNALDATE) ? MAILBOX_DATES : 0u);

	for (; !what && w.at < n; w.at++) {
		if (fetch_line_write(f, sel[w.at], NULL, NULL, NULL, false, err) < 0)
			return -1;
	}
	if (ensure(f, sel, n, err) < 0)
		return -1;
	while (w.at < n) {
		size_t before = w.at;

		if (mailbox_walk(f->box, sel + w.at, n - w.at, what, walk_one, &w, err) < 0 || w.rc < 0 ||
		    fetch_line_flush(f) < 0)
			return -1;
		if (w.at == before)
			return err_set(err, ERR_TEMP, "the index has lost messages");
	}
	return 0;
}

/* ---- messages with sections, from their files ---- */

/* The file under fd is not what the index has read: looks for itself. */
static int read_parts(struct fetch *f, struct fetch_file *file, struct err *err)
{
	struct mail_record r;

	if (mail_record_read(&f->scratch, file->fd, &r, err) < 0)
		return -1;
	file->parts = r.body.parts;
	file->octets = r.size;
	return 0;
}

static int check_parts(struct fetch *f, struct fetch_file *file, struct span parts, struct err *err)
{
	struct mail_part whole;

	file->parts = parts;
	if (mail_record_part(parts, SPAN_LIT(""), &whole) == 1 && whole.header.octets + whole.body.octets == file->octets)
		return 0;
	return read_parts(f, file, err);
}

/* One bad file does not keep the others from being read. */
static void note_unreadable(struct fetch *f, const struct err *err)
{
	if (!f->has_unreadable)
		session_log_error(f->s, err);
	f->has_unreadable = true;
}

/* 1 done, 0 the message is gone, -1. */
static int fetch_file(struct fetch *f, size_t i, const struct mailbox_name *name, bool adds_flags, struct err *err)
{
	struct fetch_file file = { 0 };
	bool needs_parts = false, needs_body = f->req->kinds & BODY_KINDS;
	struct index_msg m;
	struct mail_body body;
	size_t k;
	int rc;

	file.fd = mailbox_file_named(f->box, name, &file.octets, err);
	rc = file.fd < 0 ? -1 : 0;
	if (rc < 0 && err->kind == ERR_SYS) {
		note_unreadable(f, err);
		return 1;
	}
	for (k = 0; k < f->req->n; k++)
		needs_parts = needs_parts || fetch_section_needs_parts(&f->req->items[k]);
	if (rc == 0 && f->req->kinds & FACT_KINDS)
		rc = mailbox_msg(f->box, i, f->req->kinds & BIT(IMAP_FETCH_SIZE), &m, err);
	if (rc == 0 && (needs_parts || needs_body))
		rc = mailbox_body(f->box, i, &body, err);
	if (rc == 0 && needs_parts)
		rc = check_parts(f, &file, body.parts, err);
	if (rc == 0)
		rc = fetch_line_write(f, i, &m, &body, &file, adds_flags, err);
	if (file.fd >= 0)
		close(file.fd);
	arena_reset(&f->scratch);
	if (rc < 0)
		return err->kind == ERR_PERM && !f->is_over ? 0 : -1;
	return 1;
}

/* Marks the messages that are to be sent next. A failure does not keep a letter from being read. */
static void set_seen(struct fetch *f, const uint32_t *sel, size_t n, bool *changed)
{
	uint32_t unseen[BATCH], *modified;
	struct err err = ERR_INIT;
	size_t i, k = 0, n_modified;

	for (i = 0; i < n; i++) {
		changed[i] = !(f->box->v[sel[i]].flags & INDEX_SEEN);
		if (changed[i])
			unseen[k++] = sel[i];
	}
	if (k && mailbox_store(f->box, unseen, k, MAILBOX_ADD, INDEX_SEEN, UINT64_MAX, &f->s->tick, &modified, &n_modified,
			       &err) < 0)
		session_log_error(f->s, &err);
	for (i = 0; i < n; i++)
		changed[i] = changed[i] && f->box->v[sel[i]].flags & INDEX_SEEN;
}

static int fetch_from_files(struct fetch *f, const uint32_t *sel, size_t n, struct err *err)
{
	struct mailbox_name names[BATCH];
	bool changed[BATCH] = { false };
	size_t i, k, batch;

	for (i = 0; i < n; i += batch) {
		batch = n - i < BATCH ? n - i : BATCH;
		if (f->req->sets_seen && !f->box->is_read_only)
			set_seen(f, sel + i, batch, changed);
		if (ensure(f, sel + i, batch, err) < 0 || mailbox_names(f->box, sel + i, batch, names, err) < 0)
			return -1;
		for (k = 0; k < batch; k++) {
			int rc = fetch_file(f, sel[i + k], &names[k], changed[k], err);

			if (rc < 0)
				return -1;
			f->has_gone = f->has_gone || rc == 0;
		}
	}
	return 0;
}

/* ---- the command ---- */

static size_t changed_since(const struct fetch *f, uint32_t *sel, size_t n)
{
	size_t i, k = 0;

	for (i = 0; i < n; i++) {
		if (f->box->v[sel[i]].modseq > f->req->changedsince)
			sel[k++] = sel[i];
	}
	return k;
}

static void add_absent(struct fetch *f, const struct imap_seqset *uids, struct imap_seqset *gone)
{
	size_t r, at = 0;

	for (r = 0; r < uids->n; r++) {
		uint32_t lo = uids->ranges[r].lo, hi = uids->ranges[r].hi;

		while (at < f->box->n && f->box->v[at].uid < lo)
			at++;
		for (; at < f->box->n && f->box->v[at].uid <= hi; at++) {
			if (lo < f->box->v[at].uid)
				imap_seqset_add(gone, &f->s->tick, lo, f->box->v[at].uid - 1);
			lo = f->box->v[at].uid + 1;
		}
		if (lo && lo <= hi)
			imap_seqset_add(gone, &f->s->tick, lo, hi);
	}
}

/* "* VANISHED (EARLIER) ...": what is expunged of the UIDs asked for (RFC 7162 section 3.2.6). */
static int tell_vanished(struct fetch *f, const struct imap_seqset *set, struct err *err)
{
	struct imap_seqset uids, gone = { 0 };
	uint32_t *list, max = f->box->now.uid_next - 1;
	size_t i, n;
	bool is_complete;

	imap_seqset_resolve(set, max, &f->s->saved, &f->s->tick, &uids);
	if (mailbox_gone(f->box, f->req->changedsince, &f->s->tick, &list, &n, &is_complete, err) < 0)
		return -1;
	if (!is_complete)
		add_absent(f, &uids, &gone);
	for (i = 0; is_complete && i < n; i++) {
		if (imap_seqset_has(&uids, list[i]))
			imap_seqset_add(&gone, &f->s->tick, list[i], list[i]);
	}
	if (!gone.n)
		return 0;
	if (str_addz(&f->out, "* VANISHED (EARLIER) ") < 0 || imap_seqset_format(&f->out, &gone) < 0 ||
	    str_addz(&f->out, "\r\n") < 0)
		return fetch_line_abort(f, "an answer grew too long");
	return 0;
}

static int make_names(struct fetch *f, struct err *err)
{
	struct str name = STR_INIT(OUT_MAX);
	size_t i;
	int rc = 0;

	f->names = arena_alloc(&f->s->tick, (f->req->n + 1) * sizeof(*f->names));
	for (i = 0; i < f->req->n && rc == 0; i++) {
		str_reset(&name);
		rc = imap_fetch_items_name(&name, &f->req->items[i]);
		f->names[i] = arena_span(&f->s->tick, str_span(&name));
	}
	str_fini(&name);
	return rc < 0 ? err_set(err, ERR_PROTO, "Too much is asked for") : 0;
}

static int fetch(struct fetch *f, const struct imap_seqset *set, bool is_uid, struct err *err)
{
	uint32_t *sel;
	size_t n;

	if (make_names(f, err) < 0 || session_resolve(f->s, set, is_uid, &sel, &n, err) < 0)
		return -1;
	f->flags.k = &f->box->keywords;
	if (f->req->wants_vanished && tell_vanished(f, set, err) < 0)
		return -1;
	if (f->req->has_changedsince)
		n = changed_since(f, sel, n);
	if ((f->req->kinds & FILE_KINDS ? fetch_from_files(f, sel, n, err) : fetch_from_index(f, sel, n, err)) < 0)
		return -1;
	return fetch_line_flush(f);
}

static enum cmd_rc answer(struct fetch *f, struct command *c)
{
	if (f->has_unreadable)
		return session_no(f->s, c, "[SERVERBUG] Some messages cannot be read.");
	if (f->has_unknown_cte)
		return session_no(f->s, c, "[UNKNOWN-CTE] The encoding of a part is not known.");
	if (f->has_gone)
		return session_ok(f->s, c, "[EXPUNGEISSUED] Some messages were already expunged.");
	return session_ok(f->s, c, "Fetch completed.");
}

enum cmd_rc cmd_fetch(struct session *s, struct command *c)
{
	struct imap_seqset set;
	struct imap_fetch req;
	struct err err = ERR_INIT;
	struct fetch f = { .s = s, .box = s->box, .req = &req, .out = STR_INIT(OUT_MAX) };
	int rc;

	if (imap_parse_sp(&c->args, "a message set", &err) < 0 || imap_seqset_parse(&c->args, &set, &err) < 0 ||
	    imap_parse_sp(&c->args, "what to fetch", &err) < 0 || imap_fetch_items_parse(&c->args, &req, &err) < 0)
		return session_fail(s, c, NULL, &err);
	if (req.wants_vanished && !(c->is_uid && s->enabled & ENABLED_QRESYNC))
		return session_bad(s, c, "VANISHED needs UID FETCH and QRESYNC");
	if ((req.has_changedsince || req.kinds & BIT(IMAP_FETCH_MODSEQ)) && session_enable_condstore(s) < 0)
		return CMD_END;
	f.shows_uid = c->is_uid || req.kinds & BIT(IMAP_FETCH_UID);
	f.shows_modseq = req.has_changedsince || req.kinds & BIT(IMAP_FETCH_MODSEQ);
	rc = fetch(&f, &set, c->is_uid, &err);
	if (rc < 0 && !f.is_over && fetch_line_flush(&f) < 0)
		rc = -1;
	fetch_flags_fini(&f.flags);
	arena_fini(&f.scratch);
	str_fini(&f.out);
	if (f.is_over)
		return CMD_END;
	return rc < 0 ? session_fail(s, c, NULL, &err) : answer(&f, c);
}
