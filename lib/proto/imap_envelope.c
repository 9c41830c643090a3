#include "proto/imap_envelope.h"

#include "proto/imap_quote.h"
#include "proto/rfc822.h"

#define DEFAULT_CHARSET "\"charset\" \"us-ascii\""
#define DEFAULT_LEAF "\"text\" \"plain\" (" DEFAULT_CHARSET ") NIL NIL \"7bit\" 0 0"

static int add_address(struct str *out, const struct rfc822_address *a)
{
	struct span local = a->has_local ? str_span(&a->local) : SPAN_NULL;
	struct span domain = a->has_domain ? str_span(&a->domain) : SPAN_NULL;

	if (a->kind == RFC822_GROUP_END)
		return str_addz(out, "(NIL NIL NIL NIL)");
	if (a->kind == RFC822_MAILBOX && !local.p)
		local = SPAN_LIT("MISSING_MAILBOX");
	if (a->kind == RFC822_MAILBOX && domain.n == 0)
		domain = SPAN_LIT("MISSING_DOMAIN");
	if (str_addc(out, '(') < 0 ||
	    (a->has_name ? imap_quote_text(out, str_span(&a->name)) : str_addz(out, "NIL")) < 0)
		return -1;
	if (str_addc(out, ' ') < 0 || imap_quote_nstring(out, a->has_route ? str_span(&a->route) : SPAN_NULL) < 0)
		return -1;
	if (str_addc(out, ' ') < 0 || imap_quote_nstring(out, local) < 0 || str_addc(out, ' ') < 0)
		return -1;
	return imap_quote_nstring(out, domain) < 0 ? -1 : str_addc(out, ')');
}

/* All fields of a name are one list. A list without addresses is NIL. */
static int add_addresses(struct str *out, struct rfc822_list *list, const struct mime_field *f)
{
	const struct mime_text *t;
	size_t start = out->n;
	int rc = str_addc(out, '(');

	for (t = f->first; t && rc == 0; t = t->next) {
		rfc822_list_again(list, t->text);
		while (rc == 0 && rfc822_list_next(list))
			rc = add_address(out, &list->a);
	}
	if (rc < 0)
		return -1;
	if (out->n > start + 1)
		return str_addc(out, ')');
	str_cut(out, start);
	return str_addz(out, "NIL");
}

/* Sender and Reply-To are From's addresses when they have none (RFC 3501 section 7.4.2). */
static int add_originators(struct str *out, struct rfc822_list *list, const struct mime_envelope *env)
{
	static const enum mime_envelope_field others[] = { MIME_SENDER, MIME_REPLY_TO };
	size_t i, n, from = out->n;

	if (add_addresses(out, list, &env->field[MIME_FROM]) < 0)
		return -1;
	n = out->n - from;
	for (i = 0; i < ARRAY_LEN(others); i++) {
		size_t start;
		char *room;

		if (str_addc(out, ' ') < 0)
			return -1;
		start = out->n;
		if (add_addresses(out, list, &env->field[others[i]]) < 0)
			return -1;
		if (!span_eqz(span_from(str_span(out), start), "NIL"))
			continue;
		str_cut(out, start);
		room = str_room(out, n);
		if (!room)
			return -1;
		memcpy(room, out->p + from, n);
		str_grew(out, n);
	}
	return 0;
}

static struct span text_of(const struct mime_field *f)
{
	return f->first ? f->first->text : SPAN_NULL;
}

static int add_all_addresses(struct str *out, const struct mime_envelope *env)
{
	static const enum mime_envelope_field lists[] = { MIME_TO, MIME_CC, MIME_BCC };
	struct rfc822_list list;
	size_t i;
	int rc;

	rfc822_list_init(&list, SPAN_NULL);
	rc = add_originators(out, &list, env);
	for (i = 0; i < ARRAY_LEN(lists) && rc == 0; i++)
		rc = str_addc(out, ' ') < 0 ? -1 : add_addresses(out, &list, &env->field[lists[i]]);
	rfc822_list_fini(&list);
	return rc;
}

int imap_envelope(struct str *out, const struct mime_envelope *env)
{
	static const enum mime_envelope_field strings[] = { MIME_IN_REPLY_TO, MIME_MESSAGE_ID };
	struct span subject;
	size_t i;

	if (!env)
		return str_addz(out, "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
	subject = text_of(&env->field[MIME_SUBJECT]);
	if (str_addc(out, '(') < 0 || imap_quote_nstring(out, text_of(&env->field[MIME_DATE])) < 0 ||
	    str_addc(out, ' ') < 0)
		return -1;
	if ((subject.p ? imap_quote_text(out, subject) : str_addz(out, "NIL")) < 0 || str_addc(out, ' ') < 0)
		return -1;
	if (add_all_addresses(out, env) < 0)
		return -1;
	for (i = 0; i < ARRAY_LEN(strings); i++) {
		if (str_addc(out, ' ') < 0 || imap_quote_nstring(out, text_of(&env->field[strings[i]])) < 0)
			return -1;
	}
	return str_addc(out, ')');
}

/* "(name value ...)", with the charset that text has by default (RFC 2046 section 4.1.2). */
static int add_params(struct str *out, const struct mime_param *list, bool is_text)
{
	const struct mime_param *p;
	const char *before = "(";

	if (!list)
		return str_addz(out, is_text ? "(" DEFAULT_CHARSET ")" : "NIL");
	for (p = list; p; p = p->next) {
		if (str_addz(out, before) < 0 || imap_quote_string(out, p->name) < 0 || str_addc(out, ' ') < 0 ||
		    imap_quote_string(out, p->value) < 0)
			return -1;
		before = " ";
	}
	if (is_text && !mime_param(list, "charset") && str_addz(out, " " DEFAULT_CHARSET) < 0)
		return -1;
	return str_addc(out, ')');
}

/* Disposition, language and location, which BODYSTRUCTURE has behind all else. */
static int add_extension(struct str *out, const struct mime_part *p)
{
	const struct mime_text *t;
	const char *before = " (";

	if (p->disposition.p) {
		if (str_addz(out, " (") < 0 || imap_quote_string(out, p->disposition) < 0 || str_addc(out, ' ') < 0 ||
		    add_params(out, p->disposition_params, false) < 0 || str_addc(out, ')') < 0)
			return -1;
	} else if (str_addz(out, " NIL") < 0)
		return -1;
	for (t = p->languages; t; t = t->next) {
		if (str_addz(out, before) < 0 || imap_quote_string(out, t->text) < 0)
			return -1;
		before = " ";
	}
	if (str_addz(out, p->languages ? ") " : " NIL ") < 0)
		return -1;
	return imap_quote_nstring(out, p->location);
}

static int add_type(struct str *out, const struct mime_part *p)
{
	if (p->kind == MIME_MESSAGE)
		return str_addz(out, "\"message\" \"rfc822\" ");
	if (!p->type.p)
		return str_addz(out, "\"text\" \"plain\" ");
	if (imap_quote_string(out, p->type) < 0 || str_addc(out, ' ') < 0 || imap_quote_string(out, p->subtype) < 0)
		return -1;
	return str_addc(out, ' ');
}

/* What stands before a part's children. */
static int begin_part(struct str *out, const struct mime_part *p)
{
	if (str_addc(out, '(') < 0)
		return -1;
	if (p->kind == MIME_MULTIPART)
		return p->child ? 0 : str_addz(out, "(" DEFAULT_LEAF);
	if (add_type(out, p) < 0 || add_params(out, p->params, p->kind == MIME_TEXT) < 0 || str_addc(out, ' ') < 0)
		return -1;
	if (imap_quote_nstring(out, p->id) < 0 || str_addc(out, ' ') < 0 || imap_quote_nstring(out, p->description) < 0)
		return -1;
	if (str_addc(out, ' ') < 0 || imap_quote_string(out, p->encoding.p ? p->encoding : SPAN_LIT("7bit")) < 0)
		return -1;
	if (str_addc(out, ' ') < 0 || str_add_u64(out, p->body.crlf_octets) < 0)
		return -1;
	if (p->kind == MIME_MESSAGE) {
		if (str_addc(out, ' ') < 0 || imap_envelope(out, p->child->envelope) < 0)
			return -1;
		return str_addc(out, ' ');
	}
	return 0;
}

/* What stands behind them. */
static int end_part(struct str *out, const struct mime_part *p, bool is_extended)
{
	if (p->kind == MIME_MULTIPART) {
		if (!p->child && str_addz(out, is_extended ? " NIL NIL NIL NIL)" : ")") < 0)
			return -1;
		if (str_addc(out, ' ') < 0 || imap_quote_string(out, p->subtype) < 0)
			return -1;
		if (is_extended && (str_addc(out, ' ') < 0 || add_params(out, p->params, false) < 0))
			return -1;
	} else {
		if (p->kind != MIME_OTHER && (str_addc(out, ' ') < 0 || str_add_u64(out, p->body.lines) < 0))
			return -1;
		if (is_extended && (str_addc(out, ' ') < 0 || imap_quote_nstring(out, p->md5) < 0))
			return -1;
	}
	if (is_extended && add_extension(out, p) < 0)
		return -1;
	return str_addc(out, ')');
}

int imap_envelope_body(struct str *out, const struct mime_part *root, bool is_extended)
{
	const struct mime_part *p = root;

	for (;;) {
		if (begin_part(out, p) < 0)
			return -1;
		if (p->child) {
			p = p->child;
			continue;
		}
		for (;;) {
			if (end_part(out, p, is_extended) < 0)
				return -1;
			if (p == root)
				return 0;
			if (p->next)
				break;
			p = p->parent;
		}
		p = p->next;
	}
}
