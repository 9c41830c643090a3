/* A line is held back (in m->line) only while it may still be a boundary or the empty line behind a header.
 *
 *   HEADER_BOL -> HEADER -> HEADER_BOL .. -> BODY_BOL <-> BODY
 *        ^            a boundary line: DELIMITER |
 *        +---------------------------------------+  (behind "--x--": BODY_BOL of the multipart, its epilogue)
 *
 * Sizes are differences of marks. A boundary owns the line end before it, so the body before ends at line_end. */
#include "proto/mime.h"

#include "proto/mime_header.h"

enum { ST_HEADER_BOL, ST_HEADER, ST_BODY_BOL, ST_BODY, ST_DELIMITER };
enum { FIELD_NAME, FIELD_KEPT, FIELD_SKIPPED };
enum decision { DECIDE_MORE, DECIDE_LINE, DECIDE_BLANK, DECIDE_BOUNDARY };

#define NAME_MAX_BYTES 1000     /* a field's name with the blanks before its colon */

struct mime_boundary {
	struct span text;
	size_t longest;                 /* of this and those around it */
	struct mime_part *owner;
	struct mime_boundary *outer;
};

static struct mime_part *add_part(struct mime *m, struct mime_part *parent)
{
	struct mime_part *p = arena_new(m->arena, struct mime_part);

	m->n_parts++;
	p->parent = parent;
	p->number = 1;
	if (parent) {
		p->depth = parent->depth + 1;
		if (parent->last_child) {
			p->number = parent->last_child->number + 1;
			parent->last_child->next = p;
		} else
			parent->child = p;
		parent->last_child = p;
	}
	p->header_offset = p->body_offset = m->here.octets;
	m->start = m->here;
	m->cur = p;
	m->state = ST_HEADER_BOL;
	return p;
}

void mime_init(struct mime *m, struct arena *a, const struct mime_limits *lim)
{
	static const struct mime_limits limits = MIME_LIMITS_DEFAULT;

	memset(m, 0, sizeof(*m));
	m->arena = a;
	m->lim = lim ? *lim : limits;
	m->line = arena_alloc(a, m->lim.boundary_max + 8);
	m->root = add_part(m, NULL);
}

static struct mime_size size_between(struct mime_mark from, struct mime_mark to)
{
	struct mime_size s = { to.octets - from.octets, 0, to.lines - from.lines };

	s.crlf_octets = s.octets + (to.bare - from.bare);
	return s;
}

static void field_end(struct mime *m)
{
	struct span all = { m->field, m->n_field }, name, value;
	bool is_field = m->field_state != FIELD_SKIPPED && span_cut(all, ':', &name, &value);

	m->n_field = 0;
	m->field_state = FIELD_NAME;
	if (!is_field)
		return;
	while (name.n && (name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '\t'))
		name.n--;
	if (value.n && value.p[value.n - 1] == '\n')
		value.n--;
	while (value.n && value.p[value.n - 1] == '\r')
		value.n--;
	mime_header_field(m, name, value);
}

static void field_add(struct mime *m, const char *p, size_t n)
{
	size_t room = m->lim.field_max - m->n_field;

	n = n < room ? n : room;
	if (m->n_field + n > m->field_cap) {
		size_t cap = m->field_cap ? m->field_cap : 512;
		char *bigger;

		while (cap < m->n_field + n)
			cap *= 2;
		bigger = arena_alloc(m->arena, cap);
		if (m->n_field)
			memcpy(bigger, m->field, m->n_field);
		m->field = bigger;
		m->field_cap = cap;
	}
	memcpy(m->field + m->n_field, p, n);
	m->n_field += n;
}

/* More of a header line. Nothing is stored of a field that nobody wants. */
static void field_bytes(struct mime *m, const char *p, size_t n)
{
	const char *colon;

	if (m->field_state == FIELD_SKIPPED || n == 0)
		return;
	if (m->field_state == FIELD_KEPT) {
		field_add(m, p, n);
		return;
	}
	colon = memchr(p, ':', n);
	if (!colon) {
		if (m->n_field + n > NAME_MAX_BYTES || p[n - 1] == '\n')
			m->field_state = FIELD_SKIPPED;
		else
			field_add(m, p, n);
		return;
	}
	m->field_state = m->n_field + (size_t)(colon - p) > NAME_MAX_BYTES ? FIELD_SKIPPED : FIELD_KEPT;
	if (m->field_state == FIELD_KEPT) {
		struct span name = { p, (size_t)(colon - p) };

		if (m->n_field) {
			field_add(m, p, name.n);
			p += name.n;
			n -= name.n;
			name = (struct span){ m->field, m->n_field };
		}
		if (!mime_header_is_wanted(m, span_trim(name)))
			m->field_state = FIELD_SKIPPED;
	}
	if (m->field_state == FIELD_KEPT)
		field_add(m, p, n);
}

static void open_boundary(struct mime *m, struct mime_part *owner, struct span text)
{
	struct mime_boundary *b = arena_new(m->arena, struct mime_boundary);

	b->text = text;
	b->owner = owner;
	b->outer = m->open;
	b->longest = m->open && m->open->longest > text.n ? m->open->longest : text.n;
	m->open = b;
}

/* The header of m->cur ends here; a message's own header begins. */
static void header_close(struct mime *m)
{
	struct mime_part *p = m->cur;
	struct span boundary;

	field_end(m);
	mime_header_done(m, &boundary);
	p->header = size_between(m->start, m->here);
	p->body_offset = m->here.octets;
	/* where it begins, until close_parts knows its end */
	p->body = (struct mime_size){ m->here.octets, m->here.octets + m->here.bare, m->here.lines };
	m->start = m->here;
	m->state = ST_BODY_BOL;
	if (p->kind == MIME_MESSAGE)
		add_part(m, p);
	else if (boundary.p)
		open_boundary(m, p, boundary);
}

/* All parts below owner (NULL: all) are over; bodies end at the mark, those that begin behind it are empty. */
static void close_parts(struct mime *m, struct mime_part *owner, struct mime_mark at)
{
	struct mime_part *p;

	while (m->state == ST_HEADER || m->state == ST_HEADER_BOL)
		header_close(m);
	while (m->open && m->open->owner != owner)
		m->open = m->open->outer;
	for (p = m->cur; p != owner; p = p->parent) {
		if (at.octets >= p->body.octets) {
			p->body.octets = at.octets - p->body.octets;
			p->body.crlf_octets = at.octets + at.bare - p->body.crlf_octets;
			p->body.lines = at.lines - p->body.lines;
		} else
			p->body = (struct mime_size){ 0 };
	}
	m->cur = owner;
}

/* s: the first n bytes of a line that begins with "--". The longest open boundary that it begins with counts, of equal
 * ones the innermost. */
static enum decision decide_boundary(struct mime *m, const char *s, size_t n, bool is_end)
{
	size_t need = m->open->longest + 4;
	const char *lf = memchr(s, '\n', n < need ? n : need);
	struct span line = { s + 2, (lf ? (size_t)(lf - s) : n) - 2 };
	struct mime_boundary *b;

	if (!lf && n < need && !is_end)
		return DECIDE_MORE;
	m->match = NULL;
	for (b = m->open; b; b = b->outer) {
		if (b->text.n <= line.n && memcmp(b->text.p, line.p, b->text.n) == 0 &&
		    (!m->match || b->text.n > m->match->text.n))
			m->match = b;
	}
	if (!m->match)
		return DECIDE_LINE;
	m->match_is_final = line.n >= m->match->text.n + 2 && memcmp(line.p + m->match->text.n, "--", 2) == 0;
	return m->match_is_final || m->n_parts < m->lim.parts_max ? DECIDE_BOUNDARY : DECIDE_LINE;
}

static enum decision decide(struct mime *m, const char *s, size_t n, bool is_end)
{
	if (m->state == ST_HEADER_BOL) {
		if (s[0] == '\n')
			return DECIDE_BLANK;
		if (s[0] == '\r') {
			if (n < 2)
				return is_end ? DECIDE_LINE : DECIDE_MORE;
			return s[1] == '\n' ? DECIDE_BLANK : DECIDE_LINE;
		}
	}
	if (s[0] != '-' || !m->open)
		return DECIDE_LINE;
	if (n < 2)
		return is_end ? DECIDE_LINE : DECIDE_MORE;
	return s[1] == '-' ? decide_boundary(m, s, n, is_end) : DECIDE_LINE;
}

static void count_line_end(struct mime *m, size_t n, bool has_cr)
{
	m->line_end = m->here;
	m->line_end.octets += n - 1 - has_cr;
	m->here.octets += n;
	m->here.lines++;
	m->here.bare += !has_cr;
	m->last_cr = false;
}

/* A piece of a line whose kind is known; at most one line end, at the end. */
static void line_bytes(struct mime *m, const char *p, size_t n, bool has_lf)
{
	bool in_header = m->state == ST_HEADER || m->state == ST_HEADER_BOL;
	bool has_cr = has_lf && (n > 1 ? p[n - 2] == '\r' : m->last_cr);

	if (in_header) {
		if (m->state == ST_HEADER_BOL && p[0] != ' ' && p[0] != '\t')
			field_end(m);
		field_bytes(m, p, n);
	}
	if (!has_lf) {
		m->here.octets += n;
		m->last_cr = p[n - 1] == '\r';
		if (m->state != ST_DELIMITER)
			m->state = in_header ? ST_HEADER : ST_BODY;
		return;
	}
	count_line_end(m, n, has_cr);
	if (m->state != ST_DELIMITER)
		m->state = in_header ? ST_HEADER_BOL : ST_BODY_BOL;
	else if (m->match_is_final)
		m->state = ST_BODY_BOL;
	else
		add_part(m, m->match->owner);
}

/* The line that begins here is a boundary. */
static void delimiter(struct mime *m)
{
	/* the line end of a header stays with the header */
	bool is_behind_header = m->state == ST_HEADER_BOL || m->start.octets == m->here.octets;

	close_parts(m, m->match->owner, is_behind_header ? m->here : m->line_end);
	if (m->match_is_final)
		m->open = m->match->outer;
	m->state = ST_DELIMITER;
}

/* A line's start is understood: s holds its first n bytes. */
static void act(struct mime *m, enum decision d, const char *s, size_t n, bool has_lf)
{
	if (d == DECIDE_BLANK) {
		count_line_end(m, n, n > 1);
		header_close(m);
		return;
	}
	if (d == DECIDE_BOUNDARY)
		delimiter(m);
	line_bytes(m, s, n, has_lf);
}

/* The start of a line did not fit into the chunk before: byte by byte until it is understood. */
static size_t feed_held_line(struct mime *m, const char *p, size_t n)
{
	enum decision d = DECIDE_MORE;
	size_t i = 0, n_line;

	while (i < n && d == DECIDE_MORE) {
		m->line[m->n_line++] = p[i++];
		d = decide(m, m->line, m->n_line, false);
	}
	if (d == DECIDE_MORE)
		return i;
	n_line = m->n_line;
	m->n_line = 0;
	act(m, d, m->line, n_line, m->line[n_line - 1] == '\n');
	return i;
}

/* At the start of a line: the bytes that were used. */
static size_t feed_line(struct mime *m, const char *p, size_t n)
{
	enum decision d = decide(m, p, n, false);
	const char *lf;
	size_t len;

	if (d == DECIDE_MORE) {
		memcpy(m->line, p, n);
		m->n_line = n;
		return n;
	}
	lf = memchr(p, '\n', n);
	len = lf ? (size_t)(lf - p) + 1 : n;
	act(m, d, p, len, lf != NULL);
	return len;
}

int mime_feed(struct mime *m, struct span chunk, struct err *err)
{
	const char *p = chunk.p;
	size_t n, left = chunk.n;

	if (m->is_over)
		return err_set(err, ERR_PROTO, "more of a message after its end");
	for (; left; p += n, left -= n) {
		if (m->n_line)
			n = feed_held_line(m, p, left);
		else if (m->state == ST_HEADER_BOL || m->state == ST_BODY_BOL)
			n = feed_line(m, p, left);
		else {
			const char *lf = memchr(p, '\n', left);

			n = lf ? (size_t)(lf - p) + 1 : left;
			line_bytes(m, p, n, lf != NULL);
		}
	}
	return 0;
}

int mime_end(struct mime *m, struct err *err)
{
	if (m->is_over)
		return err_set(err, ERR_PROTO, "the message has ended before");
	m->is_over = true;
	if (m->n_line) {
		enum decision d = decide(m, m->line, m->n_line, true);

		act(m, d, m->line, m->n_line, false);
	}
	if (m->state == ST_DELIMITER && !m->match_is_final)
		add_part(m, m->match->owner);
	close_parts(m, NULL, m->here);
	return 0;
}
