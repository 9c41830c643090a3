#include "proto/header.h"

#include <strings.h>

/* At the start of a line bytes are held in h->line until they prove to be "name:", a continuation, the empty line or
 * the body; then the rest of the line passes through. */
enum { ST_START, ST_NAME, ST_BLANK, ST_REST, ST_CR };

void header_filter_init(struct header_filter *h, const struct header_events *ev, void *arg, const char *const *drop)
{
	memset(h, 0, sizeof(*h));
	h->ev = ev;
	h->arg = arg;
	h->drop = drop;
	h->is_first = true;
}

static void pass(struct header_filter *h, struct span s)
{
	if (s.n && !h->dropping)
		h->ev->bytes(h->arg, s);
}

static void flush_line(struct header_filter *h)
{
	pass(h, (struct span){ h->line, h->n_line });
	h->n_line = 0;
}

static void end(struct header_filter *h, bool needs_blank)
{
	h->dropping = false;
	h->ended = true;
	h->message_id[h->n_id] = '\0';
	h->ev->end(h->arg, needs_blank);
	flush_line(h);
}

static bool is_dropped(const struct header_filter *h, struct span name)
{
	size_t i;

	for (i = 0; h->drop && h->drop[i]; i++) {
		if (span_eq_nocase(name, h->drop[i]))
			return true;
	}
	return false;
}

static void field_begins(struct header_filter *h, struct span name)
{
	name = span_trim(name);
	h->dropping = is_dropped(h, name);
	h->in_id = false;
	if (span_eq_nocase(name, "Received"))
		h->n_received++;
	else if (span_eq_nocase(name, "Date"))
		h->has_date = true;
	else if (span_eq_nocase(name, "From"))
		h->has_from = true;
	else if (span_eq_nocase(name, "Message-ID")) {
		h->in_id = !h->has_message_id;
		h->has_message_id = true;
	}
}

/* The "From " line of an mbox in front of the header, quoted or not: Postfix keeps it under a name. */
static bool is_mailbox_line(const struct header_filter *h)
{
	size_t quotes = 0;

	while (quotes < h->n_line && h->line[quotes] == '>')
		quotes++;
	return h->is_first && span_eqz((struct span){ h->line + quotes, h->n_line - quotes }, "From ");
}

static bool is_name_char(char c)
{
	return c > ' ' && c != ':' && (unsigned char)c < 127;
}

/* One byte at or near the start of a line. */
static void start_byte(struct header_filter *h, char c)
{
	bool is_field;

	if (h->state == ST_START && (c == ' ' || c == '\t') && !h->is_first) {
		h->line[h->n_line++] = c;
		flush_line(h);
		h->state = ST_REST;
		return;
	}
	h->line[h->n_line++] = c;
	if (h->state == ST_START && c == '\r') {
		h->state = ST_CR;
		return;
	}
	if ((h->state == ST_START || h->state == ST_CR) && c == '\n') {
		end(h, false);
		return;
	}
	if (is_mailbox_line(h)) {
		pass(h, SPAN_LIT("X-Mailbox-Line: "));
		flush_line(h);
		h->state = ST_REST;
		return;
	}
	if (h->state != ST_CR && c == ':' && h->n_line > 1) {
		field_begins(h, (struct span){ h->line, h->n_line - 1 });
		flush_line(h);
		h->state = ST_REST;
		h->is_first = false;
		return;
	}
	/* RFC 5322 section 4.5 allows blanks between name and colon */
	if (is_name_char(c))
		is_field = h->state == ST_START || h->state == ST_NAME;
	else
		is_field = h->state != ST_CR && (c == ' ' || c == '\t') && h->n_line > 1;
	if (!is_field || h->n_line > HEADER_NAME_MAX) {
		end(h, true);
		return;
	}
	h->state = is_name_char(c) ? ST_NAME : ST_BLANK;
}

/* The Message-ID on one line without blanks. */
static void note_id(struct header_filter *h, struct span s)
{
	size_t i;

	for (i = 0; i < s.n && h->n_id < HEADER_ID_MAX; i++) {
		if ((unsigned char)s.p[i] > ' ')
			h->message_id[h->n_id++] = s.p[i];
	}
}

void header_filter_feed(struct header_filter *h, struct span in)
{
	while (in.n && !h->ended) {
		struct span rest;
		ptrdiff_t lf;

		if (h->state != ST_REST) {
			start_byte(h, in.p[0]);
			in = span_from(in, 1);
			continue;
		}
		lf = span_chr(in, '\n');
		rest = lf < 0 ? in : span_sub(in, 0, (size_t)lf + 1);
		if (h->in_id)
			note_id(h, rest);
		pass(h, rest);
		if (lf >= 0)
			h->state = ST_START;
		in = span_from(in, rest.n);
	}
	pass(h, in);
}

void header_filter_finish(struct header_filter *h)
{
	if (h->ended)
		return;
	end(h, h->n_line > 0);
}

bool header_next(struct span *in, struct span *name_r, struct span *value_r)
{
	size_t i = 0, start;

	while (i < in->n && is_name_char(in->p[i]))
		i++;
	*name_r = span_sub(*in, 0, i);
	while (i < in->n && (in->p[i] == ' ' || in->p[i] == '\t'))
		i++;
	if (name_r->n == 0 || i == in->n || in->p[i] != ':')
		return false;
	start = ++i;
	for (; i < in->n; i++) {
		if (in->p[i] == '\n' && (i + 1 == in->n || (in->p[i + 1] != ' ' && in->p[i + 1] != '\t')))
			break;
	}
	*value_r = span_sub(*in, start, i - start);
	if (value_r->n && value_r->p[value_r->n - 1] == '\r')
		value_r->n--;
	*in = span_from(*in, i + 1);
	return true;
}
