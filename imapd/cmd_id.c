#include "imapd/commands.h"

#include "base/log.h"

#define PAIRS_MAX 30                    /* RFC 2971 section 3.3 */
#define KEY_MAX 30
#define VALUE_MAX 1024

/* "(key value ...)", told to the log. */
static int parse_pairs(struct session *s, struct imap_parse *p, struct str *out, struct err *err)
{
	struct span key, value;
	size_t n = 0;
	bool more;

	if (imap_parse_list_begin(p, "list", err) < 0)
		return -1;
	for (;;) {
		if (imap_parse_list_more(p, n, &more, err) < 0)
			return -1;
		if (!more)
			return 0;
		if (n++ == PAIRS_MAX)
			return err_set(err, ERR_PROTO, "More than %d fields in ID", PAIRS_MAX);
		if (imap_parse_string(p, "field", &key, err) < 0 || imap_parse_sp(p, "value", err) < 0 ||
		    imap_parse_nstring(p, "value", &value, err) < 0)
			return -1;
		if (key.n > KEY_MAX || value.n > VALUE_MAX)
			return err_set(err, ERR_PROTO, "Too long field in ID");
		(void)!str_addf(out, "%s%.*s=%.*s", n > 1 ? ", " : "", SPAN_ARG(key), SPAN_ARG(value));
	}
}

enum cmd_rc cmd_id(struct session *s, struct command *c)
{
	struct str said = STR_INIT(1500);
	struct err err = ERR_INIT;
	int rc = imap_parse_sp(&c->args, "NIL or a list", &err);

	if (rc == 0 && !imap_parse_skip_word(&c->args, "NIL"))
		rc = parse_pairs(s, &c->args, &said, &err);
	if (rc == 0)
		rc = imap_parse_end(&c->args, &err);
	if (rc == 0 && said.n)
		session_log_info(s, "ID sent: %s", said.p);
	str_fini(&said);
	if (rc < 0)
		return session_fail(s, c, NULL, &err);
	if (session_putf(s, "* ID (\"name\" \"Surat\")\r\n") < 0)
		return CMD_END;
	return session_ok(s, c, "ID completed.");
}
