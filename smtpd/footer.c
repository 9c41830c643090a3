#include "smtpd/footer.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/macro.h"

static int add_attribute(void *arg, struct span name, struct str *out, struct err *err)
{
	const struct session *s = arg;
	time_t now = (time_t)(clock_wall_ms() / 1000);
	struct tm tm = { 0 };
	char stamp[32];
	int rc;

	if (span_eqz(name, "client_address")) {
		rc = str_addz(out, s->client_addr);
	} else if (span_eqz(name, "client_port")) {
		rc = str_addf(out, "%u", s->client_port);
	} else if (span_eqz(name, "server_name")) {
		rc = str_addz(out, s->svc->global.myhostname);
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
