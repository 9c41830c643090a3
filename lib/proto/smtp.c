#include "proto/smtp.h"

#include "base/utf8.h"

#define ENVID_MAX 100           /* RFC 3461 section 4 */
#define ORCPT_MAX 500

void smtp_split(struct span line, struct span *verb_r, struct span *args_r)
{
	struct span rest = line;

	if (!span_word(&rest, " \t", verb_r))
		*verb_r = SPAN_NULL;
	*args_r = span_trim(rest);
}

/* RFC 3461 section 4 knows capitals only; some clients send small letters, and Postfix takes them. */
static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int smtp_xtext_decode(struct str *out, struct span in)
{
	size_t i;

	for (i = 0; i < in.n; i++) {
		int hi, lo, c = (unsigned char)in.p[i];

		if (c == '+') {
			hi = i + 2 < in.n ? hex(in.p[i + 1]) : -1;
			lo = i + 2 < in.n ? hex(in.p[i + 2]) : -1;
			c = hi * 16 + lo;
			/* a decoded line break or NUL could only ever be an attack on a log or a queue file */
			if (hi < 0 || lo < 0 || c == '\r' || c == '\n' || c == '\0')
				return -1;
			i += 2;
		} else if (c <= ' ' || c >= 127) {
			return -1;              /* a bare "=", as in SRS0=x=y, is forbidden too, but harmless and sent */
		}
		if (str_addc(out, (char)c) < 0)
			return -1;
	}
	return 0;
}

/* Decoded xtext in the arena, at most max bytes. */
static int take_xtext(struct arena *a, struct span in, size_t max, struct span *out_r)
{
	struct str text = STR_INIT(max);
	int rc = smtp_xtext_decode(&text, in);

	*out_r = arena_span(a, str_span(&text));
	str_fini(&text);
	return rc;
}

static int reply(struct err *err, const char *text)
{
	return err_set(err, ERR_PROTO, "%s", text);
}

static int unsupported(struct err *err, struct span word)
{
	return err_set(err, ERR_PROTO, "555 5.5.4 Unsupported option: %.*s", SPAN_ARG(span_sub(word, 0, 100)));
}

/* RFC 1870 section 6.1: up to 20 digits; what no number holds is above every limit. */
static int size_value(struct span value, uint64_t *size_r)
{
	size_t i;

	if (span_u64(value, INT64_MAX, size_r) == 0)
		return 0;
	for (i = 0; i < value.n && value.p[i] >= '0' && value.p[i] <= '9'; i++)
		;
	*size_r = INT64_MAX;
	return value.n && i == value.n ? 0 : -1;
}

/* RFC 3461 sections 4.2 and 4.4: what is encoded is printable, for it goes into a field of a notice. */
static int take_printable(struct arena *a, struct span value, size_t max, struct span *out_r)
{
	size_t i;

	if (value.n == 0 || take_xtext(a, value, max, out_r) < 0)
		return -1;
	for (i = 0; i < out_r->n; i++) {
		if (out_r->p[i] < ' ' || out_r->p[i] > '~')
			return -1;
	}
	return 0;
}

static int mail_param(struct arena *a, struct span word, unsigned ext, struct smtp_mail *m, struct err *err)
{
	struct span name, value;
	bool has_value = span_cut(word, '=', &name, &value);

	if (span_eq_nocase(name, "SIZE") && (ext & SMTP_EXT_SIZE)) {
		if (size_value(value, &m->size) < 0)
			return reply(err, "501 5.5.4 Bad message size syntax");
	} else if (span_eq_nocase(name, "BODY") && (ext & SMTP_EXT_8BITMIME)) {
		if (span_eq_nocase(value, "8BITMIME"))
			m->body = SMTP_BODY_8BITMIME;
		else if (span_eq_nocase(value, "7BIT"))
			m->body = SMTP_BODY_7BIT;
		else
			return unsupported(err, word);
	} else if (span_eq_nocase(name, "SMTPUTF8") && !has_value && (ext & SMTP_EXT_SMTPUTF8)) {
		m->smtputf8 = true;
	} else if (span_eq_nocase(name, "RET") && (ext & SMTP_EXT_DSN)) {
		if (m->ret || !(span_eq_nocase(value, "FULL") || span_eq_nocase(value, "HDRS")))
			return reply(err, "501 5.5.4 Bad RET parameter syntax");
		m->ret = span_eq_nocase(value, "FULL") ? SMTP_RET_FULL : SMTP_RET_HDRS;
	} else if (span_eq_nocase(name, "ENVID") && (ext & SMTP_EXT_DSN)) {
		if (m->envid.n || take_printable(a, value, ENVID_MAX, &m->envid) < 0)
			return reply(err, "501 5.5.4 Bad ENVID parameter syntax");
	} else if (span_eq_nocase(name, "AUTH") && (ext & SMTP_EXT_AUTH)) {
		if (m->has_auth || value.n == 0 || take_xtext(a, value, 500, &m->auth) < 0)
			return reply(err, "501 5.5.4 Bad AUTH parameter syntax");
		m->has_auth = true;
		if (span_eqz(m->auth, "<>"))
			m->auth = SPAN_NULL;
	} else {
		return unsupported(err, word);
	}
	return 0;
}

static int notify_value(struct span value, unsigned *out_r)
{
	static const struct {
		const char *name;
		unsigned bit;
	} words[] = {
		{ "NEVER", SMTP_NOTIFY_NEVER }, { "SUCCESS", SMTP_NOTIFY_SUCCESS },
		{ "FAILURE", SMTP_NOTIFY_FAILURE }, { "DELAY", SMTP_NOTIFY_DELAY },
	};
	struct span word;
	bool more = true;
	size_t i;

	while (more) {
		more = span_cut(value, ',', &word, &value);
		for (i = 0; i < ARRAY_LEN(words) && !span_eq_nocase(word, words[i].name); i++)
			;
		if (i == ARRAY_LEN(words) && word.n)
			return -1;
		*out_r |= word.n ? words[i].bit : 0;   /* an empty element of "1#" counts for nothing */
	}
	if (*out_r == 0)
		return -1;
	return (*out_r & SMTP_NOTIFY_NEVER) && *out_r != SMTP_NOTIFY_NEVER ? -1 : 0;
}

/* orcpt-parameter: addr-type ";" xtext. An address in UTF-8 (RFC 6533) travels as its own addr-type. */
static int orcpt_value(struct arena *a, struct span value, struct span *out_r)
{
	struct span type, text, plain;
	size_t i;

	if (value.n > ORCPT_MAX || !span_cut(value, ';', &type, &text) || type.n == 0 || type.n > 32)
		return -1;
	for (i = 0; i < type.n; i++) {
		char c = type.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'))
			return -1;
	}
	if (span_eq_nocase(type, "utf-8") && !utf8_is_ascii(text)) {
		if (!utf8_valid(text))
			return -1;
		plain = text;
	} else if (take_printable(a, text, ORCPT_MAX, &plain) < 0) {
		return -1;
	}
	*out_r = span_z(arena_printf(a, "%.*s;%.*s", SPAN_ARG(type), SPAN_ARG(plain)));
	return 0;
}

static int rcpt_param(struct arena *a, struct span word, unsigned ext, struct smtp_rcpt *r, struct err *err)
{
	struct span name, value;

	span_cut(word, '=', &name, &value);
	if (span_eq_nocase(name, "NOTIFY") && (ext & SMTP_EXT_DSN)) {
		if (r->notify || notify_value(value, &r->notify) < 0)
			return reply(err, "501 5.5.4 Error: Bad NOTIFY parameter syntax");
	} else if (span_eq_nocase(name, "ORCPT") && (ext & SMTP_EXT_DSN)) {
		if (r->orcpt.n || orcpt_value(a, value, &r->orcpt) < 0)
			return reply(err, "501 5.5.4 Error: Bad ORCPT parameter syntax");
	} else {
		return unsupported(err, word);
	}
	return 0;
}

/* "FROM:" or "TO:" and the blanks behind it, which RFC 5321 forbids and many send. */
static bool skip_keyword(struct span *args, const char *keyword)
{
	struct span in = *args;

	if (!span_starts_nocase(in, keyword))
		return false;
	in = span_trim(span_from(in, strlen(keyword)));
	if (in.n == 0 || in.p[0] != ':')
		return false;
	*args = span_trim(span_from(in, 1));
	return args->n > 0;
}

static int address_or_reply(struct arena *a, struct span args, unsigned flags, struct address *addr, struct span *rest,
	const char *text, struct err *err)
{
	bool utf8 = flags & ADDRESS_UTF8;

	if (address_parse_path(a, args, flags | ADDRESS_UTF8, addr, rest, err) < 0)
		return reply(err, text);
	if (!utf8 && !(utf8_is_ascii(addr->local) && utf8_is_ascii(addr->domain)))
		return reply(err, "553 5.6.7 Must declare SMTPUTF8 to send unicode address");
	return 0;
}

int smtp_parse_mail(struct arena *a, struct span args, unsigned extensions, unsigned addr_flags,
	struct smtp_mail *out_r, struct err *err)
{
	static const char bad_address[] = "501 5.1.7 Bad sender address syntax";
	struct span rest, word;
	struct err ignored;

	*out_r = (struct smtp_mail){ 0 };
	if (!skip_keyword(&args, "FROM"))
		return reply(err, "501 5.5.4 Syntax: MAIL FROM:<address>");
	addr_flags |= ADDRESS_NULL_OK;
	/* SMTPUTF8 comes behind the address and decides what the address may hold: look at the words first. */
	if (address_parse_path(a, args, addr_flags | ADDRESS_UTF8, &out_r->from, &rest, &ignored) < 0)
		return reply(err, bad_address);
	while (span_word(&rest, " \t", &word)) {
		if (mail_param(a, word, extensions, out_r, err) < 0)
			return -1;
	}
	if (out_r->smtputf8)
		addr_flags |= ADDRESS_UTF8;
	return address_or_reply(a, args, addr_flags, &out_r->from, &rest, bad_address, err);
}

int smtp_parse_rcpt(struct arena *a, struct span args, unsigned extensions, unsigned addr_flags,
	struct smtp_rcpt *out_r, struct err *err)
{
	struct span rest, word;

	*out_r = (struct smtp_rcpt){ 0 };
	if (!skip_keyword(&args, "TO"))
		return reply(err, "501 5.5.4 Syntax: RCPT TO:<address>");
	if (address_or_reply(a, args, addr_flags, &out_r->to, &rest, "501 5.1.3 Bad recipient address syntax", err) < 0)
		return -1;
	while (span_word(&rest, " \t", &word)) {
		if (rcpt_param(a, word, extensions, out_r, err) < 0)
			return -1;
	}
	return 0;
}

int smtp_parse_bdat(struct span args, uint64_t *size_r, bool *last_r, struct err *err)
{
	static const char syntax[] = "501 5.5.4 Syntax: BDAT count [LAST]";
	struct span count, last, extra;

	if (!span_word(&args, " \t", &count) || span_u64(count, INT64_MAX, size_r) < 0)
		return reply(err, syntax);
	*last_r = span_word(&args, " \t", &last);
	if (*last_r && (!span_eq_nocase(last, "LAST") || span_word(&args, " \t", &extra)))
		return reply(err, syntax);
	return 0;
}

static int reply_line(struct str *out, int code, char sep, const char *dsn, struct span line)
{
	size_t i, at;

	if (str_addf(out, "%d%c%s%s", code, sep, dsn ? dsn : "", dsn && *dsn ? " " : "") < 0)
		return -1;
	at = out->n;
	if (str_add_span(out, span_sub(line, 0, 490)) < 0)
		return -1;
	for (i = at; i < out->n; i++) {
		unsigned char c = (unsigned char)out->p[i];

		if ((c < ' ' && c != '\t') || c == 127)
			out->p[i] = '?';
	}
	return str_addz(out, "\r\n");
}

int smtp_reply(struct str *out, int code, const char *dsn, struct span text)
{
	size_t before = out->n;
	struct span line;
	bool more = true;

	while (more) {
		more = span_cut(text, '\n', &line, &text);
		if (reply_line(out, code, more ? '-' : ' ', dsn, line) < 0) {
			str_cut(out, before);
			return -1;
		}
	}
	return 0;
}

static bool is_dsn(struct span s)
{
	struct span word;
	uint64_t v;
	int part;

	for (part = 0; part < 3; part++) {
		if (span_cut(s, '.', &word, &s) != (part < 2) || word.n > 3 || span_u64(word, 999, &v) < 0)
			return false;
		if (part == 0 && v != 2 && v != 4 && v != 5)
			return false;
	}
	return true;
}

bool smtp_reply_split(struct span line, int *code_r, struct span *dsn_r, struct span *text_r)
{
	struct span word = span_sub(line, 0, 3), rest = span_from(line, 3), dsn;
	uint64_t code;

	if (word.n != 3 || span_u64(word, 599, &code) < 0 || code < 200 ||
	    (rest.n && rest.p[0] != ' ' && rest.p[0] != '-'))
		return false;
	*code_r = (int)code;
	*text_r = span_trim(span_from(rest, 1));
	rest = *text_r;
	*dsn_r = SPAN_NULL;
	if (span_word(&rest, " \t", &dsn) && is_dsn(dsn)) {
		*dsn_r = dsn;
		*text_r = span_trim(rest);
	}
	return true;
}
