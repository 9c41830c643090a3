#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "login/session.h"

#define LINE_MAX_BYTES 1500

/* One variable of login_log_format_elements; false when it is empty, and its element is left out. */
static bool add_variable(struct str *out, const struct session *s, struct span name, uint64_t pid)
{
	const char *v = "";

	if (span_eqz(name, "u") || span_eqz(name, "user")) {
		(void)str_addz(out, s->user ? s->user : "");
		return true;            /* shown even when empty, as readers of the log expect */
	}
	if (span_eqz(name, "m") || span_eqz(name, "mechanism"))
		v = s->mech;
	else if (span_eqz(name, "r") || span_eqz(name, "rip"))
		v = s->remote;
	else if (span_eqz(name, "l") || span_eqz(name, "lip"))
		v = s->local;
	else if (span_eqz(name, "s") || span_eqz(name, "service"))
		v = s->proto->name;
	else if (span_eqz(name, "session"))
		v = s->id;
	else if (span_eqz(name, "c") || span_eqz(name, "secured"))
		v = s->is_tls || s->tls_error ? "TLS" : session_is_local(s) ? "secured" : "";
	else if ((span_eqz(name, "e") || span_eqz(name, "mail_pid")) && pid)
		return str_addf(out, "%" PRIu64, pid) == 0;
	(void)str_addz(out, v);
	return *v != '\0';
}

/* "user=<%u>": text around variables %x and %{name}. */
static bool add_element(struct str *out, const struct session *s, const char *element, uint64_t pid)
{
	struct span rest = span_z(element), name;
	bool is_full = true;

	while (rest.n) {
		size_t n = 1;

		if (rest.p[0] != '%' || rest.n == 1) {
			(void)str_addc(out, rest.p[0]);
		} else if (rest.p[1] == '{' && span_chr(rest, '}') > 0) {
			n = (size_t)span_chr(rest, '}') + 1;
			name = span_sub(rest, 2, n - 3);
			is_full = add_variable(out, s, name, pid) && is_full;
		} else {
			n = 2;
			is_full = add_variable(out, s, span_sub(rest, 1, 1), pid) && is_full;
		}
		rest = span_from(rest, n);
	}
	return is_full;
}

static void add_elements(struct str *out, const struct session *s, uint64_t pid)
{
	const struct conf_list *l = &s->svc->conf.login_log_format_elements;
	size_t i;

	for (i = 0; i < l->n; i++) {
		size_t start = out->n;

		if (start)
			(void)str_addz(out, ", ");
		if (!add_element(out, s, l->v[i], pid))
			str_cut(out, start);
		else if (s->tls_error && strstr(l->v[i], "%c"))
			(void)str_addf(out, s->is_tls ? ": %s" : " handshaking: %s", s->tls_error);
	}
}

/* The worker serves several protocols; a line says which. */
static void say(const struct session *s, const char *what, const char *detail, uint64_t pid)
{
	struct str line = STR_INIT(LINE_MAX_BYTES);

	add_elements(&line, s, pid);
	log_as(s->svc->log_tag);
	log_info("%s%s: %s", what, detail, line.p);
	log_as(NULL);
	str_fini(&line);
}

void journal_login(const struct session *s, uint64_t pid)
{
	say(s, "Login", "", pid);
}

void journal_end(const struct session *s)
{
	char detail[100];
	unsigned long long secs = (clock_mono_ms() - s->started_ms) / 1000;

	if (s->obstacle)
		snprintf(detail, sizeof(detail), " (%s)", s->obstacle);
	else if (s->exchange.is_open)
		snprintf(detail, sizeof(detail), " (client didn't finish SASL auth, waited %llu secs)", secs);
	else if (s->n_attempts)
		snprintf(detail, sizeof(detail), " (auth failed, %u attempts in %llu secs)", s->n_attempts, secs);
	else
		snprintf(detail, sizeof(detail), " (no auth attempts in %llu secs)", secs);
	say(s, s->reason ? s->reason : "Disconnected", detail, 0);
}
