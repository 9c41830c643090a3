#include "proto/smtp_body.h"

#include <string.h>

void smtp_body_init(struct smtp_body *b, enum smtp_body_mode mode, const char *eol, uint64_t size_max)
{
	*b = (struct smtp_body){ .mode = mode, .eol = eol, .size_max = size_max };
}

/* False when the bytes go beyond the limit. */
static bool put(struct smtp_body *b, const char *p, size_t n, struct span *out_r)
{
	b->size += n;
	if (b->size_max && b->size > b->size_max)
		b->too_big = true;
	*out_r = (struct span){ p, n };
	return n > 0 && !b->too_big;
}

static void note_bytes(struct smtp_body *b, struct span s)
{
	size_t i;

	if (b->nul && b->eight_bit)
		return;
	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '\0')
			b->nul = true;
		else if ((unsigned char)s.p[i] > 127)
			b->eight_bit = true;
	}
}

/* Bytes up to a CR or LF; where lines go out with CR LF, whole lines are passed on with their end. */
static size_t text_run(const struct smtp_body *b, struct span in)
{
	bool keep_crlf = b->eol[0] == '\r';
	size_t i = 0;

	for (;;) {
		while (i < in.n && in.p[i] != '\r' && in.p[i] != '\n')
			i++;
		if (!keep_crlf || i + 2 >= in.n || in.p[i] != '\r' || in.p[i + 1] != '\n' || in.p[i + 2] == '.')
			return i;
		i += 2;
	}
}

/* One byte in a state where a byte decides; true when out_r was filled. take tells whether the byte was used. */
static bool step(struct smtp_body *b, char c, bool *take, struct span *out_r)
{
	*take = true;
	switch (b->state) {
	case SMTP_BODY_ST_BOL:
		if (c == '.' && b->mode == SMTP_BODY_DATA) {
			b->state = SMTP_BODY_ST_DOT;
			return false;
		}
		break;
	case SMTP_BODY_ST_BOL_LF:
		if (c == '.' && b->mode == SMTP_BODY_DATA) {
			b->state = SMTP_BODY_ST_TEXT;
			return false;
		}
		break;
	case SMTP_BODY_ST_DOT:
		if (c == '\r') {
			b->state = SMTP_BODY_ST_DOT_CR;
			return false;
		}
		break;
	case SMTP_BODY_ST_DOT_CR:
		if (c == '\n') {
			b->state = SMTP_BODY_ST_END;
			return false;
		}
		b->state = SMTP_BODY_ST_CR;
		break;
	case SMTP_BODY_ST_CR:
		if (c == '\n') {
			b->state = SMTP_BODY_ST_BOL;
			return put(b, b->eol, strlen(b->eol), out_r);
		}
		b->bare_cr = true;
		b->state = c == '\r' ? SMTP_BODY_ST_CR : SMTP_BODY_ST_TEXT;
		*take = c == '\r';
		return put(b, " ", 1, out_r);
	case SMTP_BODY_ST_TEXT:
	case SMTP_BODY_ST_END:
		break;
	}
	if (b->state == SMTP_BODY_ST_CR || (c != '\r' && c != '\n')) {
		if (b->state != SMTP_BODY_ST_CR)
			b->state = SMTP_BODY_ST_TEXT;
		*take = false;
		return false;
	}
	if (c == '\r') {
		b->state = SMTP_BODY_ST_CR;
		return false;
	}
	b->bare_lf = true;
	b->state = SMTP_BODY_ST_BOL_LF;
	return put(b, b->eol, strlen(b->eol), out_r);
}

enum smtp_body_rc smtp_body_next(struct smtp_body *b, struct span *in, struct span *out_r)
{
	while (b->state != SMTP_BODY_ST_END && in->n) {
		bool take, out;

		if (b->state == SMTP_BODY_ST_TEXT) {
			struct span text = span_sub(*in, 0, text_run(b, *in));

			if (text.n) {
				note_bytes(b, text);
				*in = span_from(*in, text.n);
				/* whole lines were passed: what follows begins one */
				if (text.n >= 2 && text.p[text.n - 1] == '\n')
					b->state = SMTP_BODY_ST_BOL;
				if (put(b, text.p, text.n, out_r))
					return SMTP_BODY_OUT;
				continue;
			}
		}
		out = step(b, in->p[0], &take, out_r);
		if (take)
			*in = span_from(*in, 1);
		if (out)
			return SMTP_BODY_OUT;
	}
	return b->state == SMTP_BODY_ST_END ? SMTP_BODY_END : SMTP_BODY_MORE;
}

enum smtp_body_rc smtp_body_finish(struct smtp_body *b, struct span *out_r)
{
	while (b->state != SMTP_BODY_ST_END) {
		bool out = false;

		if (b->state == SMTP_BODY_ST_CR) {
			b->bare_cr = true;
			b->state = SMTP_BODY_ST_TEXT;
			out = put(b, " ", 1, out_r);
		} else {
			if (b->state == SMTP_BODY_ST_TEXT)
				out = put(b, b->eol, strlen(b->eol), out_r);
			b->state = SMTP_BODY_ST_END;
		}
		if (out)
			return SMTP_BODY_OUT;
	}
	return SMTP_BODY_END;
}
