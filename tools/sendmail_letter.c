#include "tools/sendmail_letter.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "proto/address.h"

#define LETTER_MAX ((size_t)1 << 30)

void letter_init(struct letter *l, const char *origin)
{
	*l = (struct letter){ .origin = origin };
	str_init(&l->text, LETTER_MAX);
}

void letter_fini(struct letter *l)
{
	free(l->rcpts);
	str_fini(&l->text);
	arena_fini(&l->arena);
}

static int print_address(struct str *out, const struct letter *l, const struct address *addr, struct err *err)
{
	struct address full = *addr;

	if (full.local.n && full.domain.n == 0)
		full.domain = span_z(l->origin);
	return address_format(out, &full) < 0 ? err_set(err, ERR_PROTO, "address is too long") : 0;
}

static int take_sender(void *arg, struct span name, const struct address *addr, struct err *err)
{
	struct letter *l = arg;
	struct str out = STR_INIT(1024);
	int rc = print_address(&out, l, addr, err);

	if (rc == 0)
		l->sender = arena_strndup(&l->arena, out.p, out.n);
	str_fini(&out);
	return rc;
}

int letter_set_sender(struct letter *l, struct span address, struct err *err)
{
	l->sender = "";
	return address_list(address, 1, take_sender, l, err);
}

static int add_address(void *arg, struct span name, const struct address *addr, struct err *err)
{
	struct letter *l = arg;
	struct str out = STR_INIT(1024);
	size_t i;
	int rc = print_address(&out, l, addr, err);

	for (i = 0; rc == 0 && i < l->n_rcpts; i++) {
		if (span_eqz(str_span(&out), l->rcpts[i])) {
			str_fini(&out);
			return 0;
		}
	}
	if (rc == 0) {
		if (l->n_rcpts == l->cap_rcpts) {
			l->cap_rcpts = l->cap_rcpts ? l->cap_rcpts * 2 : 16;
			l->rcpts = xrealloc(l->rcpts, l->cap_rcpts * sizeof(*l->rcpts));
		}
		l->rcpts[l->n_rcpts++] = arena_strndup(&l->arena, out.p, out.n);
	}
	str_fini(&out);
	return rc;
}

int letter_add_rcpt(struct letter *l, struct span address, struct err *err)
{
	return address_list(address, 100000, add_address, l, err);
}

/* One line without its end; false at the end of the letter. */
static bool next_line(FILE *in, bool dot_ends, char **line, size_t *cap, size_t *n_r)
{
	ssize_t n = getline(line, cap, in);

	if (n < 0)
		return false;
	if (n > 0 && (*line)[n - 1] == '\n')
		n--;
	if (n > 0 && (*line)[n - 1] == '\r')
		n--;
	*n_r = (size_t)n;
	return !(dot_ends && n == 1 && (*line)[0] == '.');
}

static int too_large(struct err *err)
{
	return err_set(err, ERR_PERM, "the letter is over 1 GiB");
}

static int put_line(struct letter *l, const char *line, size_t n, struct err *err)
{
	if (!utf8_is_ascii((struct span){ line, n }))
		l->is_8bit = true;
	return str_add(&l->text, line, n) < 0 || str_addz(&l->text, "\r\n") < 0 ? too_large(err) : 0;
}

struct fields {
	struct str to, resent;          /* values of recipient fields, joined by commas */
	bool has_from, has_resent;
	bool is_dropped;                /* the field being read is Bcc: neither it nor its continuation is sent */
	struct str *into;               /* where the field being read is gathered, or NULL */
};

static bool is_field_start(struct span line)
{
	ptrdiff_t colon = span_chr(line, ':');
	ptrdiff_t i;

	if (colon <= 0)
		return false;
	for (i = 0; i < colon; i++) {
		if (line.p[i] <= ' ' || line.p[i] == 127)
			return false;
	}
	return true;
}

/* What an mbox has in front of the header is no part of the letter. */
static bool is_mailbox_line(struct span line)
{
	while (line.n && line.p[0] == '>')
		line = span_from(line, 1);
	return span_starts(line, "From ");
}

static void begin_field(struct fields *f, struct span line)
{
	struct span name, value;
	bool resent;

	span_cut(line, ':', &name, &value);
	resent = span_starts_nocase(name, "Resent-");
	if (resent)
		name = span_from(name, 7);
	f->has_resent |= resent;
	f->has_from |= !resent && span_eq_nocase(name, "From");
	f->is_dropped = span_eq_nocase(name, "Bcc");
	f->into = NULL;
	if (f->is_dropped || span_eq_nocase(name, "To") || span_eq_nocase(name, "Cc")) {
		f->into = resent ? &f->resent : &f->to;
		if (f->into->n)
			(void)!str_addc(f->into, ',');
	}
}

/* The header block; the first body line, if one was read, stays in *line with its length in *n_r, else -1 there. */
static int read_header(struct letter *l, FILE *in, bool dot_ends, struct fields *f, char **line, size_t *cap,
		       ssize_t *body_n_r, struct err *err)
{
	bool in_front = true;
	size_t n;

	*body_n_r = -1;
	while (next_line(in, dot_ends, line, cap, &n)) {
		struct span s = { *line, n };
		bool goes_on = n && (s.p[0] == ' ' || s.p[0] == '\t') && !in_front;

		if (in_front && is_mailbox_line(s))
			continue;
		in_front = false;

		if (!goes_on && !is_field_start(s)) {
			*body_n_r = (ssize_t)n;
			return 0;
		}
		if (!goes_on)
			begin_field(f, s);
		if (f->into) {
			struct span value = s, name;

			if (!goes_on)
				span_cut(s, ':', &name, &value);
			if (str_add_span(f->into, value) < 0)
				return err_set(err, ERR_PERM, "the recipient fields are over 16 MiB");
		}
		l->is_utf8_header |= !utf8_is_ascii(s);
		if (!f->is_dropped && put_line(l, *line, n, err) < 0)
			return -1;
	}
	return 0;
}

static int read_rest(struct letter *l, FILE *in, bool dot_ends, char **line, size_t *cap, ssize_t n, struct err *err)
{
	size_t more;

	if (str_addz(&l->text, "\r\n") < 0)
		return too_large(err);
	if (n > 0 && put_line(l, *line, (size_t)n, err) < 0)
		return -1;
	while (n >= 0 && next_line(in, dot_ends, line, cap, &more)) {
		if (put_line(l, *line, more, err) < 0)
			return -1;
	}
	return ferror(in) ? err_sys(err, "read the letter") : 0;
}

int letter_read(struct letter *l, FILE *in, bool dot_ends, bool takes_rcpts, const char *from, struct err *err)
{
	struct fields f = { .to = STR_INIT(16 << 20), .resent = STR_INIT(16 << 20) };
	char *line = NULL;
	size_t cap = 0;
	ssize_t body_n;
	int rc = read_header(l, in, dot_ends, &f, &line, &cap, &body_n, err);

	if (rc == 0 && from && !f.has_from) {
		l->is_utf8_header |= !utf8_is_ascii(span_z(from));
		if (str_addf(&l->text, "From: %s\r\n", from) < 0)
			rc = too_large(err);
	}
	if (rc == 0)
		rc = read_rest(l, in, dot_ends, &line, &cap, body_n, err);
	if (rc == 0 && takes_rcpts)
		rc = letter_add_rcpt(l, str_span(f.has_resent && f.resent.n ? &f.resent : &f.to), err);
	free(line);
	str_fini(&f.to);
	str_fini(&f.resent);
	return rc;
}
