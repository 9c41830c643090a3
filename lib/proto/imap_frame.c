#include "proto/imap_frame.h"

enum { TEXT, ANNOUNCED, BYTES, LONG };

void imap_frame_init(struct imap_frame *f, const struct imap_frame_limits *limits)
{
	struct imap_frame_limits copy = *limits;

	*f = (struct imap_frame){ .limits = copy };
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The number saturates: one that no integer holds is too big, not "no literal", or its bytes would run as commands. */
bool imap_frame_announces(struct span line, struct imap_frame_literal *lit_r, size_t *before_r)
{
	struct imap_frame_literal lit = { .is_sync = true };
	size_t i, at, end = line.n;

	if (end < 3 || line.p[end - 1] != '}')
		return false;
	end--;
	if (line.p[end - 1] == '+') {
		lit.is_sync = false;
		end--;
	}
	for (at = end; at > 0 && is_digit(line.p[at - 1]); at--)
		;
	if (at == end || at == 0 || line.p[at - 1] != '{')
		return false;
	for (i = at; i < end; i++) {
		if (lit.n > (INT64_MAX - 9) / 10) {
			lit.n = INT64_MAX;
			break;
		}
		lit.n = lit.n * 10 + (uint64_t)(line.p[i] - '0');
	}
	at--;
	if (at > 0 && line.p[at - 1] == '~') {
		lit.is_binary = true;
		at--;
	}
	*lit_r = lit;
	*before_r = at;
	return true;
}

/* The line from line_at to its LF, which is the byte before at. */
static enum imap_frame_rc end_line(struct imap_frame *f, struct span in, size_t *used_r)
{
	struct span line = span_sub(in, f->line_at, f->at - 1 - f->line_at);
	bool is_bad = f->has_nul;
	size_t before;

	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	*used_r = f->at;
	if (!f->in_quotes && imap_frame_announces(line, &f->literal, &before)) {
		f->state = ANNOUNCED;
		if (f->literal.n > f->limits.literal_max - f->n_literal ||
		    (!f->literal.is_sync && f->literal.n > f->limits.nonsync_max))
			return IMAP_FRAME_TOO_BIG;
		return f->literal.is_sync ? IMAP_FRAME_SYNC : IMAP_FRAME_NONSYNC;
	}
	imap_frame_init(f, &f->limits);
	f->text_n = (size_t)(line.p - in.p) + line.n;
	return is_bad ? IMAP_FRAME_BAD : IMAP_FRAME_COMMAND;
}

static enum imap_frame_rc scan(struct imap_frame *f, struct span in, size_t *used_r)
{
	while (f->at < in.n) {
		char c = in.p[f->at];

		if (f->n_text == f->limits.text_max) {
			f->state = LONG;
			return IMAP_FRAME_TOO_LONG;
		}
		f->n_text++;
		f->at++;
		if (c == '\n')
			return end_line(f, in, used_r);
		f->has_nul |= c == '\0';
		if (c == '"' && !f->is_escaped)
			f->in_quotes = !f->in_quotes;
		f->is_escaped = f->in_quotes && c == '\\' && !f->is_escaped;
	}
	return IMAP_FRAME_MORE;
}

enum imap_frame_rc imap_frame_next(struct imap_frame *f, struct span buffered, size_t *used_r)
{
	*used_r = 0;
	if (f->state == LONG)
		return IMAP_FRAME_TOO_LONG;
	BUG(f->state == ANNOUNCED || f->at > buffered.n);
	if (f->state == BYTES) {
		size_t have = buffered.n - f->at;

		if (have < f->left) {
			f->at += have;
			f->left -= have;
			return IMAP_FRAME_MORE;
		}
		f->at += (size_t)f->left;
		f->line_at = f->at;
		f->left = 0;
		f->state = TEXT;
	}
	return scan(f, buffered, used_r);
}

void imap_frame_accept(struct imap_frame *f)
{
	BUG(f->state != ANNOUNCED || f->literal.n > f->limits.literal_max - f->n_literal);
	f->n_literal += f->literal.n;
	f->left = f->literal.n;
	f->state = BYTES;
}

void imap_frame_stream(struct imap_frame *f)
{
	BUG(f->state != ANNOUNCED);
	f->at = 0;
	f->line_at = 0;
	f->state = TEXT;
}
