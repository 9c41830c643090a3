#include "proto/address.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <netinet/in.h>

#include "base/utf8.h"

static bool is_atext(unsigned char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c > 127)
		return true;
	return c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL;
}

static bool is_name_char(unsigned char c, bool utf8)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_' ||
	       (utf8 && c > 127);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static int bad(struct err *err, const char *what)
{
	return err_set(err, ERR_PROTO, "bad address syntax: %s", what);
}

bool address_domain_valid(struct span d, bool utf8)
{
	size_t i, label = 0;

	if (d.n && d.p[d.n - 1] == '.')
		d.n--;
	if (d.n == 0 || d.n > ADDRESS_DOMAIN_MAX || (utf8 && !utf8_valid(d)))
		return false;
	for (i = 0; i < d.n; i++) {
		if (d.p[i] == '.') {
			if (label == 0 || d.p[i - 1] == '-')
				return false;
			label = 0;
		} else if (label == 0 && d.p[i] == '-') {
			return false;
		} else if (!is_name_char((unsigned char)d.p[i], utf8) || ++label > 63) {
			return false;
		}
	}
	return label > 0 && d.p[d.n - 1] != '-';
}

bool address_literal_valid(struct span d)
{
	unsigned char ip[sizeof(struct in6_addr)];
	char text[64];
	int family = AF_INET;

	if (d.n < 3 || d.p[0] != '[' || d.p[d.n - 1] != ']' || span_has_nul(d))
		return false;
	d = span_sub(d, 1, d.n - 2);
	if (span_starts_nocase(d, "IPv6:")) {
		family = AF_INET6;
		d = span_from(d, 5);
	}
	if (d.n >= sizeof(text))
		return false;
	memcpy(text, d.p, d.n);
	text[d.n] = '\0';
	return inet_pton(family, text, ip) == 1;
}

/* Quoted-string at in: appends its content; *in moves behind the closing quote. RFC 5321 allows no controls in it. */
static int take_quoted(char *to, size_t *n, struct span *in, struct err *err)
{
	size_t i;

	for (i = 1; i < in->n && in->p[i] != '"'; i++) {
		if (in->p[i] == '\\' && ++i == in->n)
			break;
		if ((unsigned char)in->p[i] < ' ' || in->p[i] == 127)
			return bad(err, "control character in a quoted string");
		to[(*n)++] = in->p[i];
	}
	if (i >= in->n)
		return bad(err, "no closing quote");
	*in = span_from(*in, i + 1);
	return 0;
}

/* Local-part up to "@", ">" or what cannot be part of it. obs-local-part mixes atoms and quoted strings. */
static int take_local(struct arena *a, struct span *in, unsigned flags, struct span *out_r, struct err *err)
{
	char *to = arena_alloc(a, in->n + 1);
	size_t n = 0;
	bool word = false, quoted = false, dots_ok = true;

	while (in->n && in->p[0] != '@') {
		unsigned char c = (unsigned char)in->p[0];

		if (c == '"') {
			if (word)
				return bad(err, "quote inside a word");
			if (take_quoted(to, &n, in, err) < 0)
				return -1;
			word = quoted = true;
			continue;
		}
		if (c == '.') {
			if (!word)
				dots_ok = false;
			word = false;
		} else if (is_atext(c)) {
			if (quoted && word)
				return bad(err, "text behind a quoted string");
			word = true;
			quoted = false;
		} else {
			break;
		}
		to[n++] = in->p[0];
		*in = span_from(*in, 1);
	}
	*out_r = (struct span){ to, n };
	if ((flags & ADDRESS_STRICT) && (!word || !dots_ok || n > ADDRESS_LOCAL_MAX))
		return bad(err, n > ADDRESS_LOCAL_MAX ? "local part too long" : "misplaced dot");
	if (n == 0 && !quoted)
		return bad(err, "no local part");
	return 0;
}

static int take_domain(struct span *in, unsigned flags, struct span *out_r, struct err *err)
{
	bool utf8 = flags & ADDRESS_UTF8;
	size_t n = 0;

	if (in->n && in->p[0] == '[') {
		ptrdiff_t end = span_chr(*in, ']');

		*out_r = span_sub(*in, 0, (size_t)(end + 1));
		if (end < 0 || !address_literal_valid(*out_r))
			return bad(err, "no valid address literal");
		*in = span_from(*in, out_r->n);
		return 0;
	}
	while (n < in->n && (in->p[n] == '.' || is_name_char((unsigned char)in->p[n], true)))
		n++;
	*out_r = span_sub(*in, 0, n);
	if (!utf8 && !utf8_is_ascii(*out_r))
		return bad(err, "non-ASCII domain without SMTPUTF8");
	if (!address_domain_valid(*out_r, utf8))
		return bad(err, "no valid domain");
	if (out_r->p[n - 1] == '.')
		out_r->n--;
	*in = span_from(*in, n);
	return 0;
}

/* "@a,@b:" in front of a mailbox (RFC 5321 appendix C: accepted and ignored). */
static int skip_route(struct span *in, unsigned flags, struct err *err)
{
	struct span hop;

	while (in->n && in->p[0] == '@') {
		*in = span_from(*in, 1);
		if (take_domain(in, flags, &hop, err) < 0)
			return -1;
		if (in->n && in->p[0] == ',') {
			*in = span_from(*in, 1);
			if (in->n == 0 || in->p[0] != '@')
				return bad(err, "source route");
			continue;
		}
		if (in->n == 0 || in->p[0] != ':')
			return bad(err, "source route");
		*in = span_from(*in, 1);
		return 0;
	}
	return 0;
}

static int take_mailbox(struct arena *a, struct span *in, unsigned flags, struct address *out_r, struct err *err)
{
	out_r->domain = SPAN_NULL;
	if (take_local(a, in, flags, &out_r->local, err) < 0)
		return -1;
	if (!utf8_is_ascii(out_r->local)) {
		if (!(flags & ADDRESS_UTF8))
			return bad(err, "non-ASCII local part without SMTPUTF8");
		if (!utf8_valid(out_r->local))
			return bad(err, "malformed UTF-8");
	}
	if (in->n && in->p[0] == '@') {
		*in = span_from(*in, 1);
		if (take_domain(in, flags, &out_r->domain, err) < 0)
			return -1;
	} else if (!(flags & ADDRESS_NO_DOMAIN_OK) || out_r->local.n == 0) {
		return bad(err, "no domain");
	}
	if (out_r->local.n + out_r->domain.n + 1 > ADDRESS_MAX)
		return bad(err, "too long");
	return 0;
}

static struct span skip_any(struct span in, const char *set)
{
	while (in.n && in.p[0] != '\0' && strchr(set, in.p[0]))
		in = span_from(in, 1);
	return in;
}

/* ">" behind the address; with is_lax there may be blanks before it, and more of it. */
static int close_path(struct span *in, bool needs_bracket, bool is_lax, struct err *err)
{
	struct span rest = is_lax ? skip_any(*in, " \t") : *in;

	if (rest.n == 0 || rest.p[0] != '>')
		return needs_bracket ? bad(err, "no closing angle bracket") : 0;
	*in = is_lax ? skip_any(rest, ">") : span_from(rest, 1);
	return 0;
}

int address_parse_path(struct arena *a, struct span in, unsigned flags, struct address *out_r, struct span *rest_r,
	struct err *err)
{
	bool bracket = in.n && in.p[0] == '<', is_lax = flags & ADDRESS_BARE_OK;

	*out_r = (struct address){ SPAN_NULL, SPAN_NULL };
	if (!bracket && !is_lax)
		return bad(err, "no angle brackets");
	if (bracket) {
		in = is_lax ? skip_any(in, "< \t") : span_from(in, 1);
		if (in.n && in.p[0] == '>') {
			*rest_r = is_lax ? skip_any(in, ">") : span_from(in, 1);
			return flags & ADDRESS_NULL_OK ? 0 : bad(err, "empty address");
		}
		if (skip_route(&in, flags, err) < 0)
			return -1;
	}
	if (take_mailbox(a, &in, flags, out_r, err) < 0 || close_path(&in, bracket, is_lax, err) < 0)
		return -1;
	if (in.n && in.p[0] != ' ' && in.p[0] != '\t')
		return bad(err, "text behind the address");
	*rest_r = in;
	return 0;
}

int address_parse(struct arena *a, struct span in, unsigned flags, struct address *out_r, struct err *err)
{
	*out_r = (struct address){ SPAN_NULL, SPAN_NULL };
	if (in.n == 0)
		return flags & ADDRESS_NULL_OK ? 0 : bad(err, "empty address");
	if (take_mailbox(a, &in, flags, out_r, err) < 0)
		return -1;
	return in.n ? bad(err, "text behind the address") : 0;
}

static bool is_dot_string(struct span s)
{
	bool word = false;
	size_t i;

	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '.') {
			if (!word)
				return false;
			word = false;
		} else if (is_atext((unsigned char)s.p[i])) {
			word = true;
		} else {
			return false;
		}
	}
	return word;
}

int address_format(struct str *out, const struct address *addr)
{
	size_t i, before = out->n;
	int rc = 0;

	if (addr->local.n == 0 && addr->domain.n == 0)
		return 0;
	if (is_dot_string(addr->local)) {
		rc = str_add_span(out, addr->local);
	} else {
		rc = str_addc(out, '"');
		for (i = 0; rc == 0 && i < addr->local.n; i++) {
			if (addr->local.p[i] == '"' || addr->local.p[i] == '\\')
				rc = str_addc(out, '\\');
			if (rc == 0)
				rc = str_addc(out, addr->local.p[i]);
		}
		if (rc == 0)
			rc = str_addc(out, '"');
	}
	if (rc == 0 && addr->domain.n)
		rc = str_addc(out, '@') < 0 ? -1 : str_add_span(out, addr->domain);
	if (rc < 0)
		str_cut(out, before);
	return rc;
}

bool address_split(struct span text, struct span *local_r, struct span *domain_r)
{
	ptrdiff_t at = span_rchr(text, '@');

	if (at < 0) {
		*local_r = text;
		*domain_r = SPAN_NULL;
		return false;
	}
	*local_r = span_sub(text, 0, (size_t)at);
	*domain_r = span_from(text, (size_t)at + 1);
	return true;
}

bool address_extension(struct span local, const char *delims, struct span *base_r, struct span *ext_r)
{
	size_t i;

	*base_r = local;
	*ext_r = SPAN_NULL;
	if (!delims || span_eq_nocase(local, "mailer-daemon") || span_eq_nocase(local, "double-bounce"))
		return false;
	for (i = 1; i < local.n; i++) {
		if (local.p[i] != '\0' && strchr(delims, local.p[i])) {
			*base_r = span_sub(local, 0, i);
			*ext_r = span_from(local, i + 1);
			return true;
		}
	}
	return false;
}

int address_domain_normal(struct str *out, struct span domain, struct err *err)
{
	char name[ADDRESS_DOMAIN_MAX * 4 + 1], *ascii = NULL;
	bool plain = utf8_is_ascii(domain), literal = address_literal_valid(domain);
	size_t i;
	int rc;

	if (!literal && !address_domain_valid(domain, true))
		return bad(err, "no valid domain");
	if (!literal && domain.p[domain.n - 1] == '.')
		domain.n--;
	for (i = 0; i < domain.n; i++)
		name[i] = lower(domain.p[i]);
	name[domain.n] = '\0';
	if (plain)
		return str_add(out, name, domain.n) < 0 ? bad(err, "domain too long") : 0;
	rc = idn2_to_ascii_8z(name, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
	if (rc != IDN2_OK)
		return bad(err, idn2_strerror(rc));
	rc = str_addz(out, ascii);
	idn2_free(ascii);
	return rc < 0 ? bad(err, "domain too long") : 0;
}

/* One element of an address-list while it is read. cur: the addr-spec so far without blanks and comments; name: words
 * for a display name. When "<" comes, what was in cur turns out to be display name. */
struct element {
	struct str cur, name;
	bool glued;             /* two words stood side by side: no addr-spec */
	bool after_word;
	bool angle, closed;
};

static void element_reset(struct element *e)
{
	str_reset(&e->cur);
	str_reset(&e->name);
	e->glued = e->after_word = e->angle = e->closed = false;
}

static int element_end(struct element *e, struct arena *a, size_t *left, address_list_fn *fn, void *arg,
	struct err *err)
{
	struct span text = str_span(&e->cur);
	struct arena_mark mark = arena_mark(a);
	struct address addr;
	int rc;

	if (!e->angle && text.n == 0 && e->name.n == 0)
		return 0;
	if (e->angle ? !e->closed : e->glued)
		return bad(err, e->angle ? "no closing angle bracket" : "words where an address should be");
	if (e->angle && text.n == 0) {          /* "<>" in a list is nobody */
		element_reset(e);
		return 0;
	}
	if (skip_route(&text, ADDRESS_UTF8, err) < 0 ||
	    address_parse(a, text, ADDRESS_UTF8 | ADDRESS_NO_DOMAIN_OK, &addr, err) < 0)
		return -1;
	if ((*left)-- == 0)
		return err_set(err, ERR_PROTO, "too many addresses");
	rc = fn(arg, e->angle ? span_trim(str_span(&e->name)) : SPAN_NULL, &addr, err);
	arena_rewind(a, mark);
	element_reset(e);
	return rc;
}

/* Moves *in behind the comment that starts there; nesting is counted, not recursed into. */
static int skip_comment(struct span *in, struct err *err)
{
	size_t i, depth = 0;

	for (i = 0; i < in->n; i++) {
		if (in->p[i] == '\\')
			i++;
		else if (in->p[i] == '(')
			depth++;
		else if (in->p[i] == ')' && --depth == 0)
			break;
	}
	if (i >= in->n)
		return bad(err, "no closing parenthesis");
	*in = span_from(*in, i + 1);
	return 0;
}

static size_t quoted_end(struct span in)
{
	size_t i;

	for (i = 1; i < in.n && in.p[i] != '"'; i++) {
		if (in.p[i] == '\\')
			i++;
	}
	return i < in.n ? i + 1 : 0;
}

static void add_name(struct element *e, struct span word)
{
	size_t i;

	if (e->angle)
		return;
	if (e->name.n)
		(void)!str_addc(&e->name, ' ');
	for (i = 0; i < word.n; i++) {
		if (word.p[i] == '"')
			continue;
		if (word.p[i] == '\\' && i + 1 < word.n)
			i++;
		(void)!str_addc(&e->name, word.p[i]);
	}
}

/* A word of atoms or a quoted string, or one special. */
static int take_token(struct element *e, struct span *in, struct err *err)
{
	struct span word = span_sub(*in, 0, 1);
	bool is_word = false;
	ptrdiff_t end;

	if (in->p[0] == '"') {
		word.n = quoted_end(*in);
		if (word.n == 0)
			return bad(err, "no closing quote");
		is_word = true;
	} else if (in->p[0] == '[') {
		end = span_chr(*in, ']');
		if (end < 0)
			return bad(err, "no closing bracket");
		word.n = (size_t)end + 1;
	} else if (is_atext((unsigned char)in->p[0])) {
		while (word.n < in->n && is_atext((unsigned char)in->p[word.n]))
			word.n++;
		is_word = true;
	} else if (!strchr(".@,:", in->p[0]) || in->p[0] == '\0') {
		return bad(err, "unexpected character");
	}
	if (is_word) {
		if (e->after_word)
			e->glued = true;
		add_name(e, word);
	}
	e->after_word = is_word;
	*in = span_from(*in, word.n);
	if (e->closed)
		return bad(err, "text behind the closing angle bracket");
	return str_add_span(&e->cur, word) < 0 ? bad(err, "too long") : 0;
}

int address_list(struct span in, size_t max, address_list_fn *fn, void *arg, struct err *err)
{
	struct element e = { .cur = STR_INIT(4096), .name = STR_INIT(4096) };
	struct arena a = { 0 };
	int rc = 0;

	while (rc == 0 && in.n) {
		char c = in.p[0];

		if (c == '(') {
			rc = skip_comment(&in, err);
			continue;
		}
		if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
			in = span_from(in, 1);
		} else if (c == ';' || (c == ',' && (!e.angle || e.closed))) {
			rc = element_end(&e, &a, &max, fn, arg, err);
			in = span_from(in, 1);
		} else if (c == ':' && !e.angle) {
			element_reset(&e);              /* a group's name */
			in = span_from(in, 1);
		} else if (c == '<' && !e.angle) {
			str_reset(&e.cur);
			e.angle = true;
			e.glued = e.after_word = false;
			in = span_from(in, 1);
		} else if (c == '>' && e.angle && !e.closed && !e.glued) {
			e.closed = true;
			in = span_from(in, 1);
		} else {
			rc = take_token(&e, &in, err);
		}
	}
	if (rc == 0)
		rc = element_end(&e, &a, &max, fn, arg, err);
	str_fini(&e.cur);
	str_fini(&e.name);
	arena_fini(&a);
	return rc;
}
