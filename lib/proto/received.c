#include "proto/received.h"

#include "proto/date.h"

const char *received_proto(bool esmtp, bool utf8, bool is_tls, bool is_auth)
{
	static const char *const names[2][4] = {
		{ "ESMTP", "ESMTPA", "ESMTPS", "ESMTPSA" },
		{ "UTF8SMTP", "UTF8SMTPA", "UTF8SMTPS", "UTF8SMTPSA" },
	};

	return esmtp ? names[utf8][is_tls * 2 + is_auth] : "SMTP";
}

/* Controls, and what opens or closes a comment, cannot come from the client. */
static int add_clean(struct str *out, struct span s)
{
	size_t i, at = out->n;

	if (str_add_span(out, s) < 0)
		return -1;
	for (i = at; i < out->n; i++) {
		unsigned char c = (unsigned char)out->p[i];

		if (c < ' ' || c == 127 || c == '(' || c == ')' || c == '\\')
			out->p[i] = '?';
	}
	return 0;
}

static int add_from(struct str *out, const struct received *r, const char *eol)
{
	bool v6 = span_chr(r->client_addr, ':') >= 0;

	if (str_addz(out, "Received: from ") < 0 || add_clean(out, r->helo) < 0 || str_addz(out, " (") < 0 ||
	    add_clean(out, r->client_name) < 0 || str_addf(out, " [%s", v6 ? "IPv6:" : "") < 0 ||
	    add_clean(out, r->client_addr) < 0)
		return -1;
	return str_addf(out, "])%s", eol);
}

static int add_comment(struct str *out, const char *what, struct span s, const char *eol)
{
	if (s.n == 0)
		return 0;
	if (str_addf(out, "\t(%s", what) < 0 || add_clean(out, s) < 0)
		return -1;
	return str_addf(out, ")%s", eol);
}

static int add_origin(struct str *out, const struct received *r, const char *eol)
{
	if (r->uid.n)
		return str_addf(out, "Received: by %.*s (%.*s, from userid %.*s)%s\tid %.*s", SPAN_ARG(r->by),
				SPAN_ARG(r->mail_name), SPAN_ARG(r->uid), eol, SPAN_ARG(r->id));
	if (add_from(out, r, eol) < 0 ||
	    (r->tls.n && str_addf(out, "\t(using %.*s)%s", SPAN_ARG(r->tls), eol) < 0) ||
	    add_comment(out, "Authenticated sender: ", r->sasl_user, eol) < 0)
		return -1;
	return str_addf(out, "\tby %.*s (%.*s) with %s id %.*s", SPAN_ARG(r->by), SPAN_ARG(r->mail_name),
			received_proto(r->esmtp, r->utf8, r->is_tls, r->is_auth), SPAN_ARG(r->id));
}

int received_format(struct str *out, const struct received *r, const char *eol)
{
	size_t before = out->n;

	if (add_origin(out, r, eol) < 0)
		goto full;
	if (r->rcpt.n && (str_addf(out, "%s\tfor <", eol) < 0 || add_clean(out, r->rcpt) < 0 ||
			  str_addz(out, ">; ") < 0))
		goto full;
	if (!r->rcpt.n && str_addf(out, ";%s\t", eol) < 0)
		goto full;
	if (date_format_zone(out, r->time_s) < 0 || str_addz(out, eol) < 0)
		goto full;
	return 0;
full:
	str_cut(out, before);
	return -1;
}
