#include <inttypes.h>

#include "imapd/commands.h"
#include "proto/imap_quote.h"

#define ROOT "User quota"               /* all folders of the user; Dovecot's usual name for it */

/* RFC 9208 section 5: STORAGE counts units of 1024 octets, MESSAGE messages. What has no limit is not told. */
static int tell_quota(struct session *s, struct err *err)
{
	const struct quota_limit *limit = &s->store.quota;
	struct quota_use use;
	int rc;

	if (quota_read(&s->store.root, limit, &use, err) < 0)
		return -1;
	rc = session_putf(s, "* QUOTA \"" ROOT "\" (");
	if (limit->bytes)
		rc |= session_putf(s, "STORAGE %" PRIu64 " %" PRIu64, (use.bytes + 1023) / 1024, limit->bytes / 1024);
	if (limit->count)
		rc |= session_putf(s, "%sMESSAGE %" PRIu64 " %" PRIu64, limit->bytes ? " " : "", use.count, limit->count);
	return rc | session_putf(s, ")\r\n");
}

enum cmd_rc cmd_getquota(struct session *s, struct command *c)
{
	struct err err = ERR_INIT;
	struct span root;

	if (imap_parse_sp(&c->args, "quota root", &err) < 0 || imap_parse_astring(&c->args, "quota root", &root, &err) < 0 ||
	    imap_parse_end(&c->args, &err) < 0)
		return session_fail(s, c, NULL, &err);
	if (!span_eqz(root, ROOT))
		return session_no(s, c, "[NONEXISTENT] There is no such quota root");
	if (tell_quota(s, &err) < 0)
		return session_fail(s, c, NULL, &err);
	return session_ok(s, c, "Getquota completed.");
}

/* The name as LIST has it; one that no folder can have is said as the client did. */
static int add_name(struct session *s, struct str *out, struct span name)
{
	struct err err = ERR_INIT;
	struct span folder;

	return session_folder_in(s, name, &folder, &err) == 0 ? session_folder_out(s, out, folder)
							      : imap_quote_string(out, name);
}

/* A mailbox need not exist (RFC 9208 section 4.1.2), and whatever its name would be, it lies under the one root. */
enum cmd_rc cmd_getquotaroot(struct session *s, struct command *c)
{
	struct str out = STR_INIT(SIZE_MAX / 2);
	struct err err = ERR_INIT;
	struct span name;
	int rc;

	if (imap_parse_sp(&c->args, "mailbox name", &err) < 0 || imap_parse_mailbox(&c->args, FOLDER_SEP, &name, &err) < 0 ||
	    imap_parse_end(&c->args, &err) < 0)
		return session_fail(s, c, NULL, &err);
	rc = add_name(s, &out, name);
	if (rc == 0)
		rc = session_putf(s, "* QUOTAROOT %s \"" ROOT "\"\r\n", out.p);
	str_fini(&out);
	if (rc < 0)
		return CMD_END;
	if (tell_quota(s, &err) < 0)
		return session_fail(s, c, NULL, &err);
	return session_ok(s, c, "Getquotaroot completed.");
}

/* Limits are the administrator's (RFC 9208 section 4.1.2). */
enum cmd_rc cmd_setquota(struct session *s, struct command *c)
{
	return session_no(s, c, "[NOPERM] Quota is set by the administrator");
}
