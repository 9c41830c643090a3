#include "imapd/commands.h"

static const struct {
	const char *name;
	unsigned bits;
} known[] = {
	{ "CONDSTORE", ENABLED_CONDSTORE }, { "QRESYNC", ENABLED_QRESYNC | ENABLED_CONDSTORE },
	{ "IMAP4rev2", ENABLED_REV2 }, { "UTF8=ACCEPT", ENABLED_UTF8 },
};

/* Unknown names are ignored (RFC 5161 section 3.1); "ENABLED" lists those that are new. */
static int enable(struct session *s, struct span word, struct str *out)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(known); i++) {
		if (!span_eq_nocase(word, known[i].name) || (s->enabled & known[i].bits) == known[i].bits)
			continue;
		if ((known[i].bits & ENABLED_CONDSTORE) && session_enable_condstore(s) < 0)
			return -1;
		s->enabled |= known[i].bits;
		(void)!str_addf(out, " %s", known[i].name);
	}
	return 0;
}

enum cmd_rc cmd_enable(struct session *s, struct command *c)
{
	struct str out = STR_INIT(200);
	struct imap_parse again = c->args;
	struct err err = ERR_INIT;
	struct span word;
	int rc;

	/* first the syntax of all, so that BAD changes nothing */
	do {
		if (imap_parse_sp(&c->args, "capability", &err) < 0 || imap_parse_word(&c->args, "capability", &word, &err) < 0)
			return session_fail(s, c, NULL, &err);
	} while (imap_parse_peek(&c->args) == ' ');
	if (imap_parse_end(&c->args, &err) < 0)
		return session_fail(s, c, NULL, &err);
	while (imap_parse_skip(&again, ' ')) {
		if (imap_parse_word(&again, "capability", &word, &err) < 0 || enable(s, word, &out) < 0)
			break;
	}
	rc = session_putf(s, "* ENABLED%s\r\n", out.p);
	str_fini(&out);
	return rc < 0 ? CMD_END : session_ok(s, c, "Enabled.");
}
