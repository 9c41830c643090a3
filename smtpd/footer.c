#include "smtpd/footer.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/macro.h"
#include "proto/address.h"
#include "smtpd/txn.h"

/* What the client chose can neither break the line nor change the terminal of who reads it. */
static int add_clean(struct str *out, struct span value)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];

		rc |= str_addc(out, c < ' ' || c >= 127 || c == '\\' ? '_' : (char)c);
	}
	return rc;
}

/* "sender", "sender_name" and "sender_domain", and the same of "recipient". False for another name. */
static bool part_of(struct span name, const char *what, struct span address, struct span *value_r)
{
	struct span local, domain;

	if (!span_starts(name, what))
		return false;
	name = span_from(name, strlen(what));
	address_split(address, &local, &domain);
	if (name.n == 0)
		*value_r = address;
	else if (span_eqz(name, "_name"))
		*value_r = local;
	else if (span_eqz(name, "_domain"))
		*value_r = domain;
	else
		return false;
	return true;
}

static bool text_of(const struct session *s, struct span name, struct span *value_r)
{
	const struct { const char *name, *value; } rows[] = {
		{ "client", s->namaddr }, { "client_address", s->client_addr }, { "client_name", s->client_name },
		{ "reverse_client_name", s->client_reverse }, { "helo_name", s->helo },
		{ "server_name", s->svc->global.myhostname },
	};
	struct span rcpt = span_z(s->txn ? s->txn->try.address : NULL);
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		if (span_eqz(name, rows[i].name)) {
			*value_r = span_z(rows[i].value);
			return true;
		}
	}
	return part_of(name, "sender", s->txn ? s->txn->sender : SPAN_NULL, value_r) ||
	       part_of(name, "recipient", rcpt, value_r);
}

static int add_attribute(void *arg, struct span name, struct str *out, struct err *err)
{
	const struct session *s = arg;
	time_t now = (time_t)(clock_wall_ms() / 1000);
	struct tm tm = { 0 };
	struct span value;
	char stamp[32];
	int rc;

	if (text_of(s, name, &value)) {
		rc = add_clean(out, value);
	} else if (span_eqz(name, "client_port")) {
		rc = str_addf(out, "%u", s->client_port);
	} else if (span_eqz(name, "localtime")) {
		localtime_r(&now, &tm);
		strftime(stamp, sizeof(stamp), "%b %d %H:%M:%S", &tm);
		rc = str_addz(out, stamp);
	} else {
		return 0;
	}
	return rc < 0 ? err_set(err, ERR_CONF, "the text is too long") : 1;
}

/* Each "\n" of the template, two characters, is a line break; what else would break a line is a blank. */
static int add_lines(struct str *out, struct span text)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] == '\\' && i + 1 < text.n && text.p[i + 1] == 'n') {
			rc |= str_addc(out, '\n');
			i++;
		} else {
			rc |= str_addc(out, (unsigned char)text.p[i] < ' ' ? ' ' : text.p[i]);
		}
	}
	return rc;
}

struct span footer_add(const struct session *s, struct span text, struct str *out)
{
	struct span template = span_z(s->svc->conf.smtpd_reject_footer);
	struct str footer = STR_INIT(MACRO_MAX);
	struct err err = ERR_INIT;
	bool same_line = span_starts(template, "\\c");
	int rc = macro_expand(&footer, span_from(template, same_line ? 2 : 0), add_attribute, (void *)(uintptr_t)s,
			      &err);

	if (rc == 0)
		rc = str_add_span(out, text) | (same_line ? 0 : str_addc(out, '\n')) |
		     add_lines(out, str_span(&footer));
	else
		log_warn("smtpd_reject_footer: %s", err.msg);
	str_fini(&footer);
	return rc == 0 ? str_span(out) : text;
}
