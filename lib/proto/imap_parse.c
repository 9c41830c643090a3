#include "proto/imap_parse.h"

#include <string.h>

void imap_parse_init(struct imap_parse *p, struct arena *arena, struct span text)
{
	*p = (struct imap_parse){ .in = text, .arena = arena, .depth_max = IMAP_PARSE_DEPTH };
}

int imap_parse_peek(const struct imap_parse *p)
{
	return p->at < p->in.n ? (unsigned char)p->in.p[p->at] : -1;
}

bool imap_parse_skip(struct imap_parse *p, char c)
{
	if (imap_parse_peek(p) != (unsigned char)c)
		return false;
	p->at++;
	return true;
}

/* ---- words ---- */

static bool is_letter(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(int c)
{
	return is_letter(c) || is_digit(c) || (c > 0 && strchr(".-_=+", c));
}

/* ATOM-CHAR of RFC 3501 section 9. */
static bool is_atom(int c)
{
	return c > ' ' && c < 0x7f && !strchr("(){%*\"\\]", c);
}

/* ASTRING-CHAR but for the plus. */
static bool is_tag(int c)
{
	return c != '+' && (is_atom(c) || c == ']');
}

/* The longest run of bytes of a class. */
static struct span take(struct imap_parse *p, bool (*is_class)(int))
{
	size_t start = p->at;

	while (is_class(imap_parse_peek(p)))
		p->at++;
	return span_sub(p->in, start, p->at - start);
}

static int take_some(struct imap_parse *p, bool (*is_class)(int), const char *what, struct span *v_r, struct err *err)
{
	int c;

	*v_r = take(p, is_class);
	if (v_r->n)
		return 0;
	c = imap_parse_peek(p);
	if (c < 0 || c == ' ' || c == ')')
		return err_set(err, ERR_PROTO, "Missing %s", what);
	return err_set(err, ERR_PROTO, "Invalid %s", what);
}

int imap_parse_word(struct imap_parse *p, const char *what, struct span *v_r, struct err *err)
{
	return take_some(p, is_word, what, v_r, err);
}

int imap_parse_atom(struct imap_parse *p, const char *what, struct span *v_r, struct err *err)
{
	return take_some(p, is_atom, what, v_r, err);
}

bool imap_parse_skip_word(struct imap_parse *p, const char *z)
{
	size_t start = p->at;

	if (span_eq_nocase(take(p, is_word), z))
		return true;
	p->at = start;
	return false;
}

int imap_parse_sp(struct imap_parse *p, const char *what, struct err *err)
{
	if (!imap_parse_skip(p, ' '))
		return err_set(err, ERR_PROTO, imap_parse_peek(p) < 0 ? "Missing %s" : "Missing space before %s", what);
	while (imap_parse_skip(p, ' '))
		;
	return 0;
}

int imap_parse_end(struct imap_parse *p, struct err *err)
{
	while (imap_parse_skip(p, ' '))
		;
	return p->at < p->in.n ? err_set(err, ERR_PROTO, "Unexpected text after the arguments") : 0;
}

/* ---- the front of a command ---- */

int imap_parse_command(struct imap_parse *p, struct imap_command *cmd, struct err *err)
{
	struct span verb, more = SPAN_NULL;
	char *z;
	size_t i;

	*cmd = (struct imap_command){ SPAN_NULL, SPAN_NULL };
	if (take_some(p, is_tag, "tag", &cmd->tag, err) < 0)
		return -1;
	if (imap_parse_peek(p) >= 0 && imap_parse_peek(p) != ' ') {
		cmd->tag = SPAN_NULL;
		return err_set(err, ERR_PROTO, "Invalid tag");
	}
	if (imap_parse_sp(p, "command", err) < 0 || imap_parse_atom(p, "command", &verb, err) < 0)
		return -1;
	if (span_eq_nocase(verb, "UID")) {
		if (imap_parse_sp(p, "command after UID", err) < 0 ||
		    imap_parse_atom(p, "command after UID", &more, err) < 0)
			return -1;
		z = arena_printf(p->arena, "UID %.*s", SPAN_ARG(more));
	} else {
		z = arena_strndup(p->arena, verb.p, verb.n);
	}
	for (i = 0; z[i]; i++) {
		if (z[i] >= 'a' && z[i] <= 'z')
			z[i] = (char)(z[i] - 'a' + 'A');
	}
	cmd->verb = (struct span){ z, i };
	return 0;
}

/* ---- lists ---- */

int imap_parse_list_begin(struct imap_parse *p, const char *what, struct err *err)
{
	if (!imap_parse_skip(p, '('))
		return err_set(err, ERR_PROTO, "Missing '(' before %s", what);
	if (p->depth == p->depth_max)
		return err_set(err, ERR_PROTO, "Too many parentheses inside each other");
	p->depth++;
	return 0;
}

int imap_parse_list_more(struct imap_parse *p, size_t n_items, struct err *err)
{
	if (imap_parse_skip(p, ')')) {
		p->depth--;
		return 0;
	}
	if (imap_parse_peek(p) < 0)
		return err_set(err, ERR_PROTO, "Missing ')'");
	return n_items && imap_parse_sp(p, "the next item of the list", err) < 0 ? -1 : 1;
}

/* ---- numbers ---- */

static int number(struct imap_parse *p, uint64_t min, uint64_t max, const char *what, uint64_t *n_r, struct err *err)
{
	struct span digits;

	if (take_some(p, is_digit, what, &digits, err) < 0)
		return -1;
	if (span_u64(digits, max, n_r) < 0)
		return err_set(err, ERR_PROTO, "Too large a %s", what);
	return *n_r < min ? err_set(err, ERR_PROTO, "Zero is no %s", what) : 0;
}

int imap_parse_nz_number(struct imap_parse *p, const char *what, uint32_t *n_r, struct err *err)
{
	uint64_t n = 0;
	int rc = number(p, 1, UINT32_MAX, what, &n, err);

	*n_r = (uint32_t)n;
	return rc;
}

int imap_parse_number64(struct imap_parse *p, const char *what, uint64_t *n_r, struct err *err)
{
	return number(p, 0, INT64_MAX, what, n_r, err);
}
