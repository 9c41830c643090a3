#include "local/names.h"

#include <string.h>

#include "proto/address.h"

#define SAFE_CHARS "1234567890!@%-_=+:,.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

struct span names_delimiter(const struct settings *s, const struct child_rcpt *r)
{
	const char *delims = s->global.recipient_delimiter;
	size_t i;

	for (i = 1; i < r->delivered.n && r->delivered.p[i] != '@'; i++)
		if (strchr(delims, r->delivered.p[i]))
			return span_sub(r->delivered, i, 1);
	return span_sub(span_z(delims), 0, 1);
}

static struct span stranger_value(const struct names *n, struct span name)
{
	struct span address = n->r->delivered, local, domain;

	address_split(address, &local, &domain);
	if (span_eqz(name, "user"))
		return n->r->user;
	if (span_eqz(name, "extension"))
		return n->r->extension;
	if (span_eqz(name, "recipient_delimiter"))
		return n->r->extension.n ? names_delimiter(n->s, n->r) : SPAN_NULL;
	if (span_eqz(name, "local"))
		return local;
	if (span_eqz(name, "domain"))
		return domain;
	return span_eqz(name, "recipient") ? address : SPAN_NULL;
}

int names_value(void *arg, struct span name, struct str *out, struct err *err)
{
	const struct names *n = arg;
	bool is_home = span_eqz(name, "home"), is_ours = is_home || span_eqz(name, "shell");
	struct span v = is_home ? n->home : is_ours ? n->shell : stranger_value(n, name);
	size_t from = out->n;

	if (v.n == 0)
		return 0;
	if (str_add_span(out, v) < 0)
		return err_set(err, ERR_CONF, "%s is too long", n->param);
	for (; !is_ours && from < out->n; from++)
		if (!strchr(SAFE_CHARS, out->p[from]))
			out->p[from] = '_';
	return 1;
}
