#include <string.h>

#include "proto/imap_parse.h"

/* The cursor is behind the opening quote. */
static int quoted(struct imap_parse *p, const char *what, struct span *v_r, struct err *err)
{
	size_t start = p->at, i, n;
	bool is_escaped = false;
	char *copy;
	int c;

	for (; (c = imap_parse_peek(p)) != '"'; p->at++) {
		if (c < 0)
			return err_set(err, ERR_PROTO, "Missing closing quote of %s", what);
		if (c == '\r' || c == '\n' || c == '\0')
			return err_set(err, ERR_PROTO, "Line break or NUL in quotes in %s", what);
		if (c != '\\')
			continue;
		is_escaped = true;
		p->at++;
		c = imap_parse_peek(p);
		if (c != '"' && c != '\\')
			return err_set(err, ERR_PROTO, "Invalid backslash in %s", what);
	}
	*v_r = span_sub(p->in, start, p->at - start);
	p->at++;
	if (!is_escaped)
		return 0;
	copy = arena_alloc(p->arena, v_r->n);
	for (i = n = 0; i < v_r->n; i++) {
		if (v_r->p[i] == '\\')
			i++;
		copy[n++] = v_r->p[i];
	}
	*v_r = (struct span){ copy, n };
	return 0;
}

/* The cursor is at the brace. The framer has seen that all bytes are there, but a fuzzer is no framer. */
static int literal(struct imap_parse *p, const char *what, struct span *v_r, struct err *err)
{
	struct span rest = span_from(p->in, p->at), line, bytes;
	struct imap_frame_literal lit;
	size_t before;

	if (!span_cut(rest, '\n', &line, &bytes))
		return err_set(err, ERR_PROTO, "Invalid literal in %s", what);
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	if (!imap_frame_announces(line, &lit, &before) || before != 0 || lit.n > bytes.n)
		return err_set(err, ERR_PROTO, "Invalid literal in %s", what);
	*v_r = span_sub(bytes, 0, (size_t)lit.n);
	if (span_has_nul(*v_r))
		return err_set(err, ERR_PROTO, "NUL byte in %s", what);
	p->at = p->in.n - bytes.n + v_r->n;
	return 0;
}

int imap_parse_string(struct imap_parse *p, const char *what, struct span *v_r, struct err *err)
{
	if (imap_parse_skip(p, '"'))
		return quoted(p, what, v_r, err);
	if (imap_parse_peek(p) == '{')
		return literal(p, what, v_r, err);
	return err_set(err, ERR_PROTO, imap_parse_peek(p) < 0 ? "Missing %s" : "Missing quotes around %s", what);
}

int imap_parse_nstring(struct imap_parse *p, const char *what, struct span *v_r, struct err *err)
{
	*v_r = SPAN_NULL;
	return imap_parse_skip_word(p, "NIL") ? 0 : imap_parse_string(p, what, v_r, err);
}

/* What Dovecot takes too: passwords come bare. Only what would end or change the meaning of a command is left out. */
static bool is_loose(int c)
{
	return c > ' ' && c < 0x7f && !strchr("(){\"", c);
}

int imap_parse_astring(struct imap_parse *p, const char *what, struct span *v_r, struct err *err)
{
	int c = imap_parse_peek(p);
	size_t start = p->at;

	if (c == '"' || c == '{')
		return imap_parse_string(p, what, v_r, err);
	while (is_loose(imap_parse_peek(p)))
		p->at++;
	*v_r = span_sub(p->in, start, p->at - start);
	if (v_r->n)
		return 0;
	return err_set(err, ERR_PROTO, c < 0 || c == ' ' || c == ')' ? "Missing %s" : "Invalid %s", what);
}

int imap_parse_mailbox(struct imap_parse *p, char sep, struct span *v_r, struct err *err)
{
	char *copy;

	if (imap_parse_astring(p, "mailbox name", v_r, err) < 0)
		return -1;
	if (!span_starts_nocase(*v_r, "INBOX") || (v_r->n > 5 && (sep == '\0' || v_r->p[5] != sep)))
		return 0;
	copy = arena_strndup(p->arena, v_r->p, v_r->n);
	memcpy(copy, "INBOX", 5);
	v_r->p = copy;
	return 0;
}

int imap_parse_literal_head(struct imap_parse *p, struct imap_frame_literal *lit_r, struct err *err)
{
	struct span rest = span_from(p->in, p->at);
	size_t before;

	if (rest.n && rest.p[rest.n - 1] == '\n')
		rest.n--;
	if (rest.n && rest.p[rest.n - 1] == '\r')
		rest.n--;
	if (!imap_frame_announces(rest, lit_r, &before) || before != 0)
		return err_set(err, ERR_PROTO, "Missing literal with the message");
	p->at = p->in.n;
	return 0;
}
