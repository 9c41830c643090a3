#include "proto/pop3.h"

#include <inttypes.h>
#include <string.h>

#define VERB_MAX 16
#define UIDL_MAX 70

int pop3_parse(struct span line, struct span *verb_r, struct span *args_r)
{
	if (span_has_nul(line))
		return -1;
	span_cut(line, ' ', verb_r, args_r);
	return verb_r->n == 0 || verb_r->n > VERB_MAX ? -1 : 0;
}

int pop3_number(struct span *args, uint64_t max, uint64_t *n_r)
{
	struct span word;

	return span_word(args, " ", &word) ? span_u64(word, max, n_r) : -1;
}

/* ---- messages ---- */

void pop3_write_begin(struct pop3_writer *w, uint64_t body_lines)
{
	*w = (struct pop3_writer){ .body_lines = body_lines, .is_line_start = true };
}

/* One line or the part of it that is there; ends_line: its LF is the last byte of part. */
static int write_part(struct pop3_writer *w, struct span part, bool ends_line, struct str *out)
{
	size_t n = part.n - ends_line;
	bool has_cr = n ? part.p[n - 1] == '\r' : w->has_cr;
	bool is_only_cr = n == 0 ? w->is_only_cr : w->is_line_start && n == 1 && has_cr;
	bool is_empty = is_only_cr || (w->is_line_start && n == 0);

	if (w->is_line_start && n && part.p[0] == '.' && str_addc(out, '.') < 0)
		return -1;
	if (str_add(out, part.p, n) < 0 || (ends_line && str_addz(out, has_cr ? "\n" : "\r\n") < 0))
		return -1;
	w->is_line_start = ends_line || (w->is_line_start && n == 0);
	w->is_only_cr = !ends_line && is_only_cr;
	w->has_cr = !ends_line && has_cr;
	if (!ends_line)
		return 0;
	if (w->is_body)
		w->body_lines -= w->body_lines != UINT64_MAX;
	else
		w->is_body = is_empty;
	w->is_done = w->is_body && w->body_lines == 0;
	return 0;
}

int pop3_write(struct pop3_writer *w, struct span in, struct str *out, bool *done_r)
{
	while (in.n && !w->is_done) {
		ptrdiff_t lf = span_chr(in, '\n');
		size_t n = lf < 0 ? in.n : (size_t)lf + 1;

		if (write_part(w, span_sub(in, 0, n), lf >= 0, out) < 0)
			return -1;
		in = span_from(in, n);
	}
	if (done_r)
		*done_r = w->is_done;
	return 0;
}

int pop3_write_end(struct pop3_writer *w, struct str *out)
{
	if (w->has_cr && str_addc(out, '\n') < 0)
		return -1;
	if (!w->has_cr && !w->is_line_start && str_addz(out, "\r\n") < 0)
		return -1;
	return str_addz(out, ".\r\n");
}

/* ---- unique ids ---- */

struct directive {
	unsigned width;
	bool has_zero, is_hex;
	char fold;                      /* 'L', 'U' or 0 */
	char what;
};

/* What stands behind a '%': the number of bytes, or 0 when it is no directive. */
static size_t parse_directive(const char *p, struct directive *d)
{
	const char *start = p;

	*d = (struct directive){ 0 };
	if (*p == '0') {
		d->has_zero = true;
		p++;
	}
	for (; *p >= '0' && *p <= '9' && d->width < UIDL_MAX; p++)
		d->width = d->width * 10 + (unsigned)(*p - '0');
	for (; *p == 'X' || *p == 'L' || *p == 'U'; p++) {
		if (*p == 'X')
			d->is_hex = true;
		else
			d->fold = *p;
	}
	d->what = *p;
	if (!*p || !strchr("uvfg%", *p) || d->width > UIDL_MAX)
		return 0;
	return (size_t)(p - start) + 1;
}

int pop3_uidl_check(const char *format, struct err *err)
{
	const char *p;
	bool has_id = false;
	struct directive d;

	for (p = format; *p; p++) {
		size_t n = *p == '%' ? parse_directive(p + 1, &d) : 0;

		if (*p == '%' && n == 0)
			return err_set(err, ERR_CONF, "\"%s\": %%u, %%v, %%f and %%g are known, as in %%08Xu%%08Xv", p);
		if (n && strchr("ufg", d.what))
			has_id = true;
		p += n;
	}
	if (!has_id)
		return err_set(err, ERR_CONF, "all messages would have the same id: use %%u, %%f or %%g");
	return 0;
}

static int add_number(struct str *out, const struct directive *d, uint32_t v)
{
	int width = d->has_zero ? (int)d->width : 0;

	return d->is_hex ? str_addf(out, "%0*" PRIx32, width, v) : str_addf(out, "%0*" PRIu32, width, v);
}

static int add_directive(struct str *out, const struct directive *d, const struct pop3_uidl *u)
{
	size_t i, start = out->n;
	int rc;

	if (d->what == 'u' || d->what == 'v')
		rc = add_number(out, d, d->what == 'u' ? u->uid : u->validity);
	else if (d->what == '%')
		rc = str_addc(out, '%');
	else
		rc = str_add_span(out, d->what == 'f' ? u->base : u->guid);
	for (i = start; d->fold && i < out->n; i++) {
		char c = out->p[i];

		if (d->fold == 'U' ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z')
			out->p[i] = (char)(c ^ 0x20);
	}
	return rc;
}

static bool is_valid_uidl(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f)
			return false;
	}
	return s.n >= 1 && s.n <= UIDL_MAX;
}

int pop3_uidl(struct str *out, const char *format, const struct pop3_uidl *u)
{
	size_t start = out->n;
	const char *p;
	struct directive d;

	for (p = format; *p; p++) {
		size_t n = *p == '%' ? parse_directive(p + 1, &d) : 0;

		if ((n ? add_directive(out, &d, u) : str_addc(out, *p)) < 0)
			return -1;
		p += n;
	}
	if (is_valid_uidl(span_from(str_span(out), start)))
		return 0;
	str_cut(out, start);
	return str_addf(out, "%08" PRIx32 "%08" PRIx32, u->uid, u->validity);
}
