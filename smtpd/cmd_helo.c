#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "smtpd/cmd.h"
#include "smtpd/restrict_run.h"
#include "smtpd/session.h"

static void put_extensions(struct session *s, struct str *out)
{
	const struct service *svc = s->svc;
	unsigned off = svc->ehlo_off;
	int rc = str_addz(out, svc->global.myhostname);

	if (!(off & SERVICE_EHLO_PIPELINING))
		rc |= str_addz(out, "\nPIPELINING");
	if (!(off & SERVICE_EHLO_SIZE))
		rc |= svc->global.message_size_limit ?
			str_addf(out, "\nSIZE %llu", (unsigned long long)svc->global.message_size_limit) :
			str_addz(out, "\nSIZE");
	if (!(off & SERVICE_EHLO_VRFY))
		rc |= str_addz(out, "\nVRFY");
	if (svc->tls_offered && svc->tls && !s->tls && !s->unix_user && !(off & SERVICE_EHLO_STARTTLS))
		rc |= str_addz(out, "\nSTARTTLS");
	if (!(off & SERVICE_EHLO_AUTH)) {
		rc |= str_addz(out, "\nAUTH");
		if (!cmd_auth_offer(s, out))
			str_cut(out, out->n - 5);
	}
	if (!(off & SERVICE_EHLO_STATUS))
		rc |= str_addz(out, "\nENHANCEDSTATUSCODES");
	if (!(off & SERVICE_EHLO_8BITMIME))
		rc |= str_addz(out, "\n8BITMIME");
	if (!(off & SERVICE_EHLO_DSN))
		rc |= str_addz(out, "\nDSN");
	if (!(off & SERVICE_EHLO_SMTPUTF8))
		rc |= str_addz(out, "\nSMTPUTF8");
	if (!(off & SERVICE_EHLO_CHUNKING))
		rc |= str_addz(out, "\nCHUNKING");
	BUG(rc != 0);
}

/* RFC 5321 section 4.1.4: HELO and EHLO end a transaction like RSET; a refused one leaves all as it was. */
static void settle(struct session *s, bool is_refused)
{
	char *gone = is_refused ? s->helo : s->helo_before;

	if (is_refused) {
		s->helo = s->helo_before;
		s->esmtp = s->esmtp_before;
	} else {
		session_reset(s);
	}
	free(gone);
	s->helo_before = NULL;
}

static void helo_done(struct session *s, const char *reply)
{
	struct str text = STR_INIT(4000);

	if (reply) {
		session_reject(s, NULL, reply);
		settle(s, true);
		return;
	}
	settle(s, false);
	if (s->esmtp) {
		put_extensions(s, &text);
		session_reply(s, 250, NULL, "%s", text.p);
	} else {
		session_reply(s, 250, NULL, "%s", s->svc->global.myhostname);
	}
	str_fini(&text);
}

/* What would break out of its place in a Received: field or a line of the log, as Postfix sees to it. */
static void neutralize(char *name)
{
	for (; *name; name++) {
		if (strchr("<>()\\\";@", *name))
			*name = '?';
	}
}

static void begin(struct session *s, struct span args, bool esmtp, const char *syntax)
{
	struct span name;

	if (!span_word(&args, " \t", &name)) {
		session_reply(s, 501, NULL, "Syntax: %s", syntax);
		return;
	}
	s->helo_before = s->helo;
	s->esmtp_before = s->esmtp;
	s->helo = xstrndup(name.p, name.n);
	neutralize(s->helo);
	s->esmtp = esmtp;
	if (s->svc->conf.smtpd_delay_reject)
		helo_done(s, NULL);
	else
		restrict_run_start(s, 1u << RESTRICT_HELO, NULL, helo_done);
}

void cmd_helo(struct session *s, struct span args)
{
	begin(s, args, false, "HELO hostname");
}

void cmd_ehlo(struct session *s, struct span args)
{
	begin(s, args, true, "EHLO hostname");
}
