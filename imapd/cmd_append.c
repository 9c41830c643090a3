#include "imapd/commands.h"

#include <stdlib.h>
#include <time.h>

#include "conf/params.h"
#include "proto/imap_append_args.h"

/*
 * APPEND reads on by itself (RFC 3501 section 6.3.11, MULTIAPPEND RFC 3502):
 *
 *   name (flags) "date" {n} ──▶ n bytes ──▶ " (flags) {n}" ──▶ n bytes ──▶ end of line: commit
 *
 * The bytes go to the store as they come. When something is wrong before a literal, one that the client waits to
 * send is never sent, and any other is swallowed; when it goes wrong in the middle, the rest of that literal is
 * swallowed.
 */
#define MESSAGES_MAX 65536u
#define BUF_SIZE 8192u

struct append {
	struct mailbox_append *to;
	struct err err;
	const char *code;               /* of the refusal, or NULL */
	bool is_utf8;                   /* "UTF8 (~{n})" (RFC 6855 section 4): ")" follows the bytes */
	bool ends_in_cr;
	size_t n;
	char *buf;                      /* lines on their way to the store; in tick */
	size_t n_buf;
};

/* ---- the bytes ---- */

static int flush(struct append *a)
{
	struct span all = { a->buf, a->n_buf };

	a->n_buf = 0;
	return mailbox_append_data(a->to, all, &a->err);
}

static int add(struct append *a, struct span bytes)
{
	while (bytes.n) {
		struct span part = span_sub(bytes, 0, BUF_SIZE - a->n_buf);

		memcpy(a->buf + a->n_buf, part.p, part.n);
		a->n_buf += part.n;
		if (a->n_buf == BUF_SIZE && flush(a) < 0)
			return -1;
		bytes = span_from(bytes, part.n);
	}
	return 0;
}

/* Lines end in LF in a Maildir; a CR that ends nothing stays. */
static int add_lines(struct append *a, struct span in)
{
	while (in.n) {
		ptrdiff_t cr = span_chr(in, '\r');
		struct span part = cr < 0 ? in : span_sub(in, 0, (size_t)cr);

		if (a->ends_in_cr && in.p[0] != '\n' && add(a, SPAN_LIT("\r")) < 0)
			return -1;
		a->ends_in_cr = cr >= 0;
		if (add(a, part) < 0)
			return -1;
		in = span_from(in, part.n + (cr >= 0));
	}
	return 0;
}

/* All n bytes leave the input, whatever becomes of them. -1: the session is over. */
static int take_bytes(struct session *s, struct append *a, const struct imap_frame_literal *lit, bool *ok_r)
{
	uint64_t left = lit->n;
	struct span piece;

	*ok_r = true;
	a->ends_in_cr = false;
	a->n_buf = 0;
	while (left) {
		if (session_literal(s, &left, &piece) < 0)
			return -1;
		if (*ok_r && !lit->is_binary && span_has_nul(piece)) {
			err_set(&a->err, ERR_PROTO, "NUL in a literal; BINARY has literal8 for that.");
			*ok_r = false;
		}
		*ok_r = *ok_r && add_lines(a, piece) == 0;
	}
	if (*ok_r)
		*ok_r = (!a->ends_in_cr || add(a, SPAN_LIT("\r")) == 0) && flush(a) == 0;
	return 0;
}

/* ---- the words before them ---- */

/* "UTF8 (~{9}" becomes "~{9}". */
static struct span strip_utf8(struct session *s, struct append *a, struct span text)
{
	static const char word[] = "UTF8 (";
	struct imap_frame_literal lit;
	size_t before, n = sizeof(word) - 1;

	a->is_utf8 = false;
	if (!imap_frame_announces(text, &lit, &before) || !lit.is_binary || before <= n ||
	    !span_eq_nocase(span_sub(text, before - n, n), word) || text.p[before - n - 1] != ' ')
		return text;
	a->is_utf8 = true;
	return span_z(arena_printf(&s->tick, "%.*s%.*s", (int)(before - n), text.p, (int)(text.n - before), text.p + before));
}

static int check(struct session *s, struct append *a, const struct imap_append *m)
{
	if (m->literal.n == 0)
		return err_set(&a->err, ERR_PERM, "Can't save a zero byte message.");
	if (a->n == MESSAGES_MAX) {
		a->code = "LIMIT";
		return err_set(&a->err, ERR_PERM, "Too many messages in one APPEND.");
	}
	if (s->conf->imap_append_limit && m->literal.n > s->conf->imap_append_limit) {
		a->code = "TOOBIG";
		return err_set(&a->err, ERR_PERM, "Message is larger than %llu bytes.",
			       (unsigned long long)s->conf->imap_append_limit);
	}
	return 0;
}

/* The rest of a command that went wrong inside a literal. */
static int drop_rest(struct session *s)
{
	enum imap_frame_rc rc;
	struct span text;

	if (session_frame(s, &rc, &text) < 0)
		return -1;
	if (rc == IMAP_FRAME_COMMAND || rc == IMAP_FRAME_BAD)
		return 0;
	session_take_announced(s);
	return session_swallow(s);
}

/* One message: p is at its words, behind which the literal lies in the input. 1 it is stored; 0 refused, and what
 * the client sends of the command is swallowed; -1 the session is over. */
static int take_message(struct session *s, struct append *a, struct imap_parse *p)
{
	struct imap_append m = { 0 };
	bool ok;

	if (imap_append_args_next(p, a->n == 0, &m, &a->err) < 0 || check(s, a, &m) < 0 ||
	    mailbox_append_msg(a->to, m.literal.n, m.flags.bits, m.flags.keywords, m.flags.n,
			       m.has_date ? m.unix_s : time(NULL), &a->err) < 0)
		return session_swallow(s);
	if (m.literal.is_sync && session_putf(s, "+ OK\r\n") < 0)
		return -1;
	/* each message may have as many words as a command */
	s->frame.n_text = 0;
	imap_frame_stream(&s->frame);
	if (take_bytes(s, a, &m.literal, &ok) < 0)
		return -1;
	a->n++;
	return ok ? 1 : drop_rest(s);
}

/* What follows a message: 1 another, p is at its words; 2 the end; 0, -1 as above. */
static int take_next(struct session *s, struct append *a, struct imap_parse *p)
{
	enum imap_frame_rc rc;
	struct span text;
	bool was_utf8 = a->is_utf8, is_end;

	if (session_frame(s, &rc, &text) < 0)
		return -1;
	is_end = rc == IMAP_FRAME_COMMAND || rc == IMAP_FRAME_BAD;
	if (!is_end)
		session_take_announced(s);
	text = strip_utf8(s, a, arena_span(&s->tick, text));
	imap_parse_init(p, &s->tick, text);
	if (was_utf8 && !imap_parse_skip(p, ')'))
		err_set(&a->err, ERR_PROTO, "\")\" missing behind the message.");
	else if (rc == IMAP_FRAME_BAD)
		err_set(&a->err, ERR_PROTO, "NUL in command.");
	else if (is_end && imap_parse_end(p, &a->err) == 0)
		return 2;
	else if (!is_end)
		return 1;
	return is_end ? 0 : session_swallow(s);
}

/* ---- the command ---- */

static int parse_name(struct session *s, struct command *c, struct append *a, struct span *name_r)
{
	struct span folder;
	int rc;

	if (imap_parse_sp(&c->args, "mailbox", &a->err) < 0 ||
	    imap_parse_mailbox(&c->args, FOLDER_SEP, name_r, &a->err) < 0 ||
	    session_folder_in(s, *name_r, &folder, &a->err) < 0)
		return -1;
	if (!c->has_literal)
		return err_set(&a->err, ERR_PROTO, "A message is missing.");
	rc = mailbox_append_begin(&a->to, &s->store, folder_dir(&s->tick, folder), &a->err);
	if (rc == 0) {
		a->code = "TRYCREATE";
		return err_set(&a->err, ERR_PERM, "Mailbox doesn't exist: %.*s", SPAN_ARG(*name_r));
	}
	return rc < 0 ? -1 : 0;
}

/* 1: all are there; 0: refused; -1: the session is over. */
static int take_all(struct session *s, struct command *c, struct append *a)
{
	struct imap_parse p = c->args;
	int rc;

	p.in = strip_utf8(s, a, p.in);
	for (;;) {
		rc = take_message(s, a, &p);
		if (rc == 1)
			rc = take_next(s, a, &p);
		if (rc != 1)
			return rc == 2 ? 1 : rc;
	}
}

static enum cmd_rc finish(struct session *s, struct command *c, struct append *a)
{
	struct mailbox_added added = { 0 };
	struct str set = STR_INIT(SIZE_MAX / 2);
	struct imap_seqset_writer w;
	enum cmd_rc rc;
	size_t i;

	if (mailbox_append_commit(&a->to, &added, &a->err) < 0)
		return session_fail(s, c, NULL, &a->err);
	imap_seqset_write_begin(&w, &set);
	for (i = 0; i < added.n; i++)
		BUG(imap_seqset_write(&w, added.uids[i]) < 0);
	BUG(imap_seqset_write_end(&w) < 0);
	rc = session_ok(s, c, "[APPENDUID %u %s] Append completed.", added.validity, set.p);
	str_fini(&set);
	free(added.uids);
	return rc;
}

enum cmd_rc cmd_append(struct session *s, struct command *c)
{
	struct append a = { .buf = arena_alloc(&s->tick, BUF_SIZE) };
	struct span name = SPAN_NULL;
	enum cmd_rc rc;
	int got;

	if (parse_name(s, c, &a, &name) < 0)
		got = c->has_literal ? session_swallow(s) : 0;
	else
		got = take_all(s, c, &a);
	if (got < 0)
		rc = CMD_END;
	else
		rc = got ? finish(s, c, &a) : session_fail(s, c, a.code, &a.err);
	if (a.to)
		mailbox_append_abort(&a.to);
	return rc;
}
